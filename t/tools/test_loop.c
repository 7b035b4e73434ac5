/* test_loop - the consuming loop with a source and a sink made of memory.
 *
 * TAP; run by t/10-loop.t.  Each test is a small world: messages 0..N-1 of two
 * partitions, a sink that remembers what it committed, and a fault.  The
 * question is always the same: is each message there once and in order.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_time.h"
#include "dlc_loop.h"

#include "../unit/tap.h"

#include <stdlib.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#define PARTS    2
#define MESSAGES 3000

/* What happens in a world, beside messages. */
typedef struct fault {
    dl_status put;     /* status of the put of `at` */
    dl_status commit;  /* status of a commit, while `times` lasts */
    int at;            /* offset in partition 0, or commit number */
    int times;         /* how often */
    int64_t low, high; /* of partition 0 when high >= 0 */
    bool foreign;      /* partition 0 counts in another cluster */
    int bad_from;      /* dead letters in partition 0 from here, -1: none */
    bool group;        /* partitions come from a group */
    bool lose;         /* the group takes them back once, without warning */
    bool revoke;       /* the group takes them back once, politely */
    bool range;        /* partition 0 is out of range at once */
    bool resume;       /* an operator accepts what has stopped */
    bool bad_reload;   /* SIGHUP finds bad declarations */
    bool absent;       /* the topic is not there when it is first asked for,
                        * and then nobody answers, once */
} fault;

/* Source and sink in one. */
typedef struct world {
    dlc_source source;
    dlc_sink sink;
    fault fault;
    dlc_wishes wishes;
    int64_t deadline_us;
    dlc_part *assigned[PARTS];
    int64_t at[PARTS];     /* next message of the source; -1: not assigned */
    int64_t put[PARTS];    /* next offset of the sink */
    int64_t stored[PARTS]; /* committed next offset */
    int count[PARTS];      /* committed messages */
    int pending[PARTS];    /* put, not committed */
    int dead;              /* set aside */
    int disorder;          /* puts that were not in order */
    int commits, assigns, takes, drops, renews, generation, looks;
    bool subscribed, given, changed, signalled;
    const char *resume_path;
} world;

static world *of_source(dlc_source *s)
{
    return (world *)(void *)s;
}

static world *of_sink(dlc_sink *s)
{
    return (world *)(void *)((char *)s - offsetof(world, sink));
}

/* --- The source ----------------------------------------------------------- */

static dl_status w_cluster(const char **id, dlc_source *s, dl_error *err)
{
    (void)s;
    (void)err;
    *id = "here";
    return DL_OK;
}

static dl_status w_partitions(int32_t *count, dlc_source *s, const char *topic,
                              dl_error *err)
{
    world *w = of_source(s);

    w->looks++;
    if (w->fault.absent && w->looks <= 2) {
        return dl_fail(err, w->looks == 1 ? DL_NOT_FOUND : DL_UNAVAILABLE, 0,
                       "topic %s", topic);
    }
    *count = PARTS;
    return DL_OK;
}

static dl_status w_watermarks(int64_t *low, int64_t *high, dlc_source *s,
                              const dlc_part *part, dl_error *err)
{
    const fault *f = &of_source(s)->fault;

    (void)err;
    *low = part->partition == 0 && f->high >= 0 ? f->low : 0;
    *high = part->partition == 0 && f->high >= 0 ? f->high : MESSAGES;
    return DL_OK;
}

static int64_t w_end(dlc_source *s, const dlc_part *part)
{
    (void)s;
    (void)part;
    return MESSAGES;
}

static dl_status w_assign(dlc_source *s, dlc_part *const *parts, int n,
                          dl_error *err)
{
    world *w = of_source(s);

    (void)err;
    w->assigns++;
    w->at[0] = -1;
    w->at[1] = -1;
    for (int i = 0; i < n; i++) {
        w->assigned[parts[i]->partition] = parts[i];
        w->at[parts[i]->partition] = parts[i]->next;
    }
    return DL_OK;
}

static dl_status w_subscribe(dlc_source *s, const char *const *topics, int n,
                             dl_error *err)
{
    (void)topics;
    (void)n;
    (void)err;
    of_source(s)->subscribed = true;
    return DL_OK;
}

/* Let the group act as the fault says. */
static void group_acts(world *w)
{
    static const dlc_place all[PARTS] = {{"t", 0}, {"t", 1}};

    if (w->subscribed && !w->given) {
        w->given = true;
        w->source.events->given(w->source.context, all, PARTS);
    }
    if (w->given && !w->changed && w->count[0] > 0 && w->pending[0] > 0 &&
        (w->fault.lose || w->fault.revoke)) {
        w->changed = true;
        w->given = false;
        w->source.events->taken(w->source.context, w->fault.lose);
    }
}

/* Stop the world when all is stored, or nothing more can come. */
static void look_at_clock(world *w)
{
    bool all = w->stored[0] >= MESSAGES && w->stored[1] >= MESSAGES;
    bool second = w->stored[1] >= MESSAGES;
    int64_t now = dl_time_monotonic_us();

    if (w->fault.resume && second && !w->signalled) {
        FILE *file = fopen(w->resume_path, "we");

        w->signalled = true;
        if (file != NULL) {
            fputs("t\nother\n", file);
            fclose(file);
        }
        w->fault.foreign = false;
        w->fault.bad_from = -1;
        w->fault.high = -1;
        w->wishes.reload = 1;
    }
    if (w->fault.bad_reload && !w->signalled && w->commits > 0) {
        w->signalled = true;
        w->wishes.reload = 1;
    }
    if (all || now > w->deadline_us) {
        w->wishes.stop = 1;
    }
}

static dl_status w_take(int *n, dlc_source *s, dlc_message *out, int max,
                        int timeout_ms, dl_error *err)
{
    world *w = of_source(s);
    int got = 0;

    (void)timeout_ms;
    (void)err;
    w->takes++;
    look_at_clock(w);
    if (w->fault.group) {
        group_acts(w);
    }
    if (w->fault.range && w->at[0] >= 0) {
        w->source.events->out_of_range(w->source.context, w->assigned[0]);
    }
    for (int p = 0; p < PARTS; p++) {
        for (int i = 0;
             i < 50 && got < max && w->at[p] >= 0 && w->at[p] < MESSAGES; i++) {
            out[got++] = (dlc_message){.part = w->assigned[p],
                                       .offset = w->at[p]++,
                                       .time_us = 1000,
                                       .payload = "{}",
                                       .len = 2};
        }
    }
    if (got == 0) {
        usleep(1000);
    }
    *n = got;
    return DL_OK;
}

static void w_release(dlc_source *s)
{
    (void)s;
}

static void w_show(dlc_source *s, dlc_part *const *parts, const int64_t *next,
                   int n)
{
    world *w = of_source(s);

    for (int i = 0; i < n; i++) {
        w->disorder += next[i] > w->stored[parts[i]->partition] ? 1 : 0;
    }
}

static void w_close(dlc_source *s)
{
    (void)s;
}

static const dlc_source_calls source_calls = {
    w_cluster,   w_partitions, w_watermarks, w_end,  w_assign,
    w_subscribe, w_take,       w_release,    w_show, w_close};

/* --- The sink ------------------------------------------------------------- */

static void forget(world *w)
{
    for (int p = 0; p < PARTS; p++) {
        w->put[p] = w->stored[p];
        w->pending[p] = 0;
    }
}

static dl_status s_take(dlc_sink *s, dlc_part *const *parts, int n,
                        const char *cluster, dl_error *err)
{
    world *w = of_sink(s);

    (void)cluster;
    (void)err;
    for (int i = 0; i < n; i++) {
        int p = parts[i]->partition;

        parts[i]->next =
            p == 0 && w->fault.foreign ? DLC_PART_FOREIGN : w->put[p];
    }
    return DL_OK;
}

static dl_status s_put(dlc_sink *s, const dlc_message *msg, dl_error *err)
{
    world *w = of_sink(s);
    int p = msg->part->partition;

    w->disorder += msg->offset != w->put[p] ? 1 : 0;
    if (p == 0 && w->fault.put != DL_OK && msg->offset == w->fault.at &&
        w->fault.times > 0) {
        w->fault.times--;
        forget(w);
        return dl_fail(err, w->fault.put, 0, "put fails as planned");
    }
    w->put[p] = msg->offset + 1;
    w->pending[p]++;
    if (p == 0 && w->fault.bad_from >= 0 && msg->offset >= w->fault.bad_from) {
        w->dead++;
        return DL_INVALID;
    }
    return DL_OK;
}

static dl_status s_advance(dlc_sink *s, dlc_part *part, int64_t next,
                           dl_error *err)
{
    (void)err;
    of_sink(s)->put[part->partition] = next;
    return DL_OK;
}

static bool s_wants(dlc_sink *s, int64_t now_us, bool caught_up)
{
    world *w = of_sink(s);

    (void)now_us;
    (void)caught_up;
    return w->takes % 3 == 0 && w->pending[0] + w->pending[1] > 0;
}

static dl_status s_commit(dlc_sink *s, dl_error *err)
{
    world *w = of_sink(s);

    w->commits++;
    if (w->fault.commit != DL_OK && w->commits >= w->fault.at &&
        w->fault.times > 0) {
        w->fault.times--;
        forget(w);
        return dl_fail(err, w->fault.commit, 0, "commit fails as planned");
    }
    for (int p = 0; p < PARTS; p++) {
        w->count[p] += w->pending[p];
        w->pending[p] = 0;
        w->stored[p] = w->put[p];
    }
    return DL_OK;
}

static void s_forget(dlc_sink *s)
{
    forget(of_sink(s));
}

static int64_t s_next(dlc_sink *s, const dlc_part *part)
{
    return of_sink(s)->put[part->partition];
}

static void s_drop(dlc_sink *s, dlc_part *const *parts, int n)
{
    (void)parts;
    of_sink(s)->drops += n;
}

static dl_status s_tick(dlc_sink *s, dl_error *err)
{
    (void)s;
    (void)err;
    return DL_OK;
}

static dl_status s_reload(dlc_sink *s, const dl_dataset_set *set, dl_error *err)
{
    (void)s;
    (void)set;
    (void)err;
    return DL_OK;
}

static dl_status s_renew(dlc_sink *s, dlc_part *const *parts, int n,
                         const char *cluster, dl_error *err)
{
    world *w = of_sink(s);

    (void)cluster;
    (void)err;
    w->renews++;
    for (int i = 0; i < n; i++) {
        int p = parts[i]->partition;

        w->put[p] = -1;
        w->stored[p] = 0;
        w->count[p] = 0;
        parts[i]->next = -1;
        parts[i]->generation++;
    }
    w->put[0] = 0;
    w->put[1] = 0;
    return DL_OK;
}

static void s_close(dlc_sink *s)
{
    (void)s;
}

static const dlc_sink_calls sink_calls = {.take = s_take,
                                          .put = s_put,
                                          .advance = s_advance,
                                          .wants_commit = s_wants,
                                          .commit = s_commit,
                                          .forget = s_forget,
                                          .next = s_next,
                                          .drop = s_drop,
                                          .tick = s_tick,
                                          .reload = s_reload,
                                          .renew = s_renew,
                                          .close = s_close};

/* --- Worlds --------------------------------------------------------------- */

static dl_dataset dataset = {.name = "t", .topic = "t"};
static const dl_dataset *datasets[] = {&dataset};
static const dl_dataset_set set = {1, datasets};

static dl_status load(const dl_dataset_set **out, void *context, dl_error *err,
                      apr_pool_t *pool)
{
    const world *w = context;

    (void)pool;
    if (w->fault.bad_reload) {
        return dl_fail(err, DL_INVALID, 0, "t.json:1: planned mistake");
    }
    *out = &set;
    return DL_OK;
}

/* Run a world with the fault F; return what the loop returned. */
static dl_status run_world(world *w, fault f, int seconds, apr_pool_t *parent)
{
    dl_config cfg = {
        .kafka = {.dead_letter_share = 50, .dead_letter_window = 1000}};
    dlc_loop_options options = {.cfg = &cfg,
                                .source = &w->source,
                                .sink = &w->sink,
                                .wishes = &w->wishes,
                                .group = f.group,
                                .set = &set,
                                .load = load,
                                .context = w};
    dl_error err = {0};
    dl_status status;
    apr_pool_t *pool;

    apr_pool_create(&pool, parent);
    memset(w, 0, sizeof *w);
    w->fault = f;
    w->source.calls = &source_calls;
    w->sink.name = "test";
    w->sink.calls = &sink_calls;
    w->resume_path = apr_psprintf(pool, "/tmp/test_loop.%d", (int)getpid());
    options.resume_path = w->resume_path;
    w->deadline_us = dl_time_monotonic_us() + seconds * INT64_C(1000000);
    status = dlc_loop_run(&options, &err, pool);
    apr_pool_destroy(pool);
    return status;
}

/* A world in which nothing happens. */
#define NOTHING .high = -1, .bad_from = -1

/* Report whether W has each message once and in order. */
static void is_whole(const world *w, const char *name)
{
    bool whole = w->count[0] == MESSAGES && w->count[1] == MESSAGES &&
                 w->stored[0] == MESSAGES && w->stored[1] == MESSAGES &&
                 w->disorder == 0;

    if (!ok(whole, name)) {
        printf("#   stored %lld %lld, counted %d %d, out of order %d\n",
               (long long)w->stored[0], (long long)w->stored[1], w->count[0],
               w->count[1], w->disorder);
    }
}

static void test_quiet(apr_pool_t *pool)
{
    world w;

    is_int(run_world(&w, (fault){NOTHING}, 10, pool), DL_OK,
           "the loop ends well when it is asked to stop");
    is_whole(&w, "every message is committed once, in order");
    is_int(w.drops, PARTS, "the partitions are given up at the end");
}

static void test_outages(apr_pool_t *pool)
{
    world w;

    (void)run_world(
        &w, (fault){NOTHING, .put = DL_UNAVAILABLE, .at = 700, .times = 2}, 20,
        pool);
    is_whole(&w, "a put that fails twice loses and doubles nothing");
    (void)run_world(
        &w, (fault){NOTHING, .commit = DL_NO_SPACE, .at = 3, .times = 2}, 20,
        pool);
    is_whole(&w, "a full disk at two commits loses and doubles nothing");
    (void)run_world(&w,
                    (fault){NOTHING, .commit = DL_RETRY, .at = 2, .times = 5},
                    20, pool);
    is_whole(&w, "five lost races in a row lose and double nothing");
    (void)run_world(
        &w, (fault){NOTHING, .commit = DL_CONFLICT, .at = 4, .times = 1}, 20,
        pool);
    is_whole(&w, "a fenced commit gives the partitions up and takes them anew");
    ok(w.drops == 2 * PARTS, "they were given up in between");
}

static void test_fatal(apr_pool_t *pool)
{
    world w;

    is_int(run_world(
               &w, (fault){NOTHING, .commit = DL_CORRUPT, .at = 2, .times = 1},
               10, pool),
           DL_CORRUPT, "a damaged store ends the program");
    is_int(w.count[0], w.stored[0], "what was committed before stays");
}

static void test_stops(apr_pool_t *pool)
{
    world w;

    (void)run_world(&w, (fault){.low = 5, .high = 100, .bad_from = -1}, 2,
                    pool);
    ok(w.count[0] == 0 && w.count[1] == MESSAGES,
       "a partition that Kafka has cut stops, the other goes on");
    (void)run_world(&w, (fault){NOTHING, .foreign = true}, 2, pool);
    ok(w.count[0] == 0 && w.count[1] == MESSAGES,
       "offsets of another cluster stop a partition");
    (void)run_world(&w, (fault){NOTHING, .range = true}, 2, pool);
    ok(w.count[0] == 0 && w.count[1] == MESSAGES,
       "a partition out of range stops while reading");
    (void)run_world(&w, (fault){.high = -1, .bad_from = 500}, 2, pool);
    ok(w.stored[0] < MESSAGES && w.count[1] == MESSAGES && w.disorder == 0,
       "too many dead letters stop a partition, the other goes on");
    (void)run_world(&w, (fault){.high = -1, .bad_from = 2700}, 5, pool);
    is_whole(&w, "a few dead letters stop nothing");
    is_int(w.dead, 300, "each is set aside once");
}

static void test_resume(apr_pool_t *pool)
{
    world w;

    (void)run_world(
        &w, (fault){.low = 5, .high = 100, .bad_from = -1, .resume = true}, 10,
        pool);
    ok(w.renews == 0 && w.stored[0] == MESSAGES,
       "a resumed partition goes on behind what Kafka deleted");
    (void)run_world(&w, (fault){NOTHING, .foreign = true, .resume = true}, 10,
                    pool);
    ok(w.renews == 1, "a resumed topic of a new cluster is a new generation");
    is_whole(&w, "which is read from its start");
    (void)run_world(&w, (fault){.high = -1, .bad_from = 500, .resume = true},
                    10, pool);
    is_whole(&w, "dead letters that an operator accepts let it go on");
    ok(access(w.resume_path, F_OK) != 0, "the accepted file is removed");
}

static void test_absent(apr_pool_t *pool)
{
    world w;

    (void)run_world(&w, (fault){NOTHING, .absent = true}, 10, pool);
    is_whole(&w, "a topic that comes is read, though a look for it failed");
}

static void test_group(apr_pool_t *pool)
{
    world w;

    (void)run_world(&w, (fault){NOTHING, .group = true}, 10, pool);
    is_whole(&w, "a group's partitions are read");
    (void)run_world(&w, (fault){NOTHING, .group = true, .revoke = true}, 10,
                    pool);
    is_whole(&w, "partitions taken back politely are committed first");
    (void)run_world(&w, (fault){NOTHING, .group = true, .lose = true}, 10,
                    pool);
    is_whole(&w, "partitions that were lost are forgotten and read again");
}

static void test_reload(apr_pool_t *pool)
{
    world w;

    (void)run_world(&w, (fault){NOTHING, .bad_reload = true}, 10, pool);
    is_whole(&w, "bad declarations at a reload keep the old ones");
}

int main(void)
{
    apr_pool_t *pool;

    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return EXIT_FAILURE;
    }
    test_quiet(pool);
    test_outages(pool);
    test_fatal(pool);
    test_stops(pool);
    test_resume(pool);
    test_absent(pool);
    test_group(pool);
    test_reload(pool);
    apr_terminate();
    return done();
}
