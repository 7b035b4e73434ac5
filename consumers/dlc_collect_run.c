/* dlc_collect_run.c - The loop over one source: read, send, remember.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_collect_run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include <apr_strings.h>

#include "dl_config.h"
#include "dl_log.h"
#include "dl_thread.h"
#include "dl_time.h"
#include "dlc_collect_limit.h"
#include "dlc_collect_record.h"
#include "dlc_collect_send.h"
#include "dlc_collect_state.h"

/* Rows between two looks at the clock. */
#define ROWS 256

/* Between two marks, two stores, two looks for items that are gone. */
#define MARK_US INT64_C(200000)
#define SAVE_US INT64_C(1000000)
#define GONE_US INT64_C(5000000)

/* Waiting while there is nothing to read, in milliseconds. */
#define IDLE_MS 100

/* Outages are waited for so long, at first and at most. */
#define AWAY_US  INT64_C(1000000)
#define LIMIT_US INT64_C(60000000)

/* A broker that is silent for so long is said to be away. */
#define SILENT_US INT64_C(10000000)

/* Reports are waited for so long at a stop. */
#define STOP_US INT64_C(3000000)

/* An outage of something. */
typedef struct outage {
    int64_t wait_us;  /* 0: there is none; else what was waited last */
    int64_t until_us; /* monotonic time of the next try */
} outage;

/* From one start of a source to its end or a failure. */
typedef struct session {
    dlc_collect_run *run;       /* whose */
    dlc_collect_state *state;   /* what is remembered */
    dlc_collect_reader *reader; /* the source */
    dlc_collect_maker *maker;   /* its records */
    dlc_collect_limit *limit;   /* what their topic takes */
    dlc_collect_sender *sender; /* to the broker */
    int64_t turn;               /* under way */
    bool *anew;                 /* see hold() */
    bool ended;                 /* nothing will come */
    bool unmarked;              /* records were sent since the last mark */
    bool left_row;              /* the row taken last was not sent */
    bool silent;                /* the broker was said to be away */
    int64_t mark_us;            /* monotonic times of what is due */
    int64_t save_us;            /* likewise */
    int64_t gone_us;            /* likewise */
    int64_t due_us;             /* likewise: the next row, by the rate */
    outage source;              /* the source is away */
    outage database;            /* the database is */
    unsigned random;            /* of jitter */
} session;

void dlc_collect_run_slots(dlc_collect_run *run, apr_pool_t *pool)
{
    static const char *const causes[] = {"row", "source", "broker", "database",
                                         "lost"};
    dl_stats_value **slots[] = {&run->rows, &run->away, &run->broker,
                                &run->database, &run->lost};
    const char *label =
        apr_psprintf(pool, "collector=\"%s\"", run->source->name);

    run->records = dl_stats_slot(run->stats, DL_STATS_COUNTER,
                                 "datalake_collector_records_total", label);
    run->success = dl_stats_slot(
        run->stats, DL_STATS_GAUGE,
        "datalake_collector_last_success_timestamp_seconds", label);
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
        *slots[i] = dl_stats_slot(
            run->stats, DL_STATS_COUNTER, "datalake_collector_errors_total",
            apr_psprintf(pool, "collector=\"%s\",cause=\"%s\"",
                         run->source->name, causes[i]));
    }
}

static bool stopping(const dlc_collect_run *run)
{
    return *run->stop != 0;
}

/* --- Outages -------------------------------------------------------------- */

/* OUT goes on: try again when it is due. */
static void postpone(session *s, outage *out)
{
    int64_t wait_us = out->wait_us == 0 ? AWAY_US : out->wait_us * 2;

    out->wait_us = wait_us > LIMIT_US ? LIMIT_US : wait_us;
    s->random = s->random * 1103515245U + 12345U;
    out->until_us = dl_time_monotonic_us() + out->wait_us / 2 +
                    (int64_t)(s->random >> 8) % (out->wait_us / 2 + 1);
}

/* The database failed for ERR. */
static void database_away(session *s, const dl_error *err)
{
    dl_stats_add(s->run->database, 1);
    if (s->database.wait_us == 0) {
        dl_log(DL_LOG_ERROR,
               "DL0913 source %s: its position cannot be stored or read, tried "
               "again: %s",
               s->run->source->name, err->text);
    }
    postpone(s, &s->database);
}

static void database_back(session *s)
{
    if (s->database.wait_us != 0) {
        dl_log(DL_LOG_NOTICE, "DL0914 source %s: its position is stored again",
               s->run->source->name);
    }
    s->database = (outage){0};
}

/* Serve reports until OUT may be tried again, or a stop. */
static void wait_out(session *s, const outage *out)
{
    while (!stopping(s->run) && dl_time_monotonic_us() < out->until_us) {
        if (s->sender != NULL) {
            dlc_collect_sender_poll(s->sender, IDLE_MS);
        }
        else {
            dl_thread_sleep(INT64_C(1000) * IDLE_MS);
        }
    }
}

/* --- Positions ------------------------------------------------------------ */

static dlc_collect_place place_of(const session *s)
{
    dlc_collect_place place;

    s->reader->calls->tell(place.item, place.text, s->reader);
    return place;
}

/* Let all that was sent end with a mark. */
static void mark(session *s)
{
    if (s->reader->positions && s->unmarked && !s->left_row) {
        const dlc_collect_place place = place_of(s);

        dlc_collect_sender_mark(s->sender, &place);
    }
    s->unmarked = false;
    s->mark_us = dl_time_monotonic_us() + MARK_US;
}

static void note_success(session *s)
{
    dl_stats_set(s->run->success, dl_time_now() / DL_SECOND_US);
}

/* Store how far the source is with the broker, if that has changed. */
static void save(session *s)
{
    const dlc_collect_place *safe = dlc_collect_sender_safe(s->sender);
    dlc_collect_place kept;
    dl_error err = {0};

    s->save_us = dl_time_monotonic_us() + SAVE_US;
    if (safe == NULL) {
        return;
    }
    kept = *safe;
    if (dlc_collect_state_save(s->state, &kept, &err) == DL_OK) {
        database_back(s);
        note_success(s);
        return;
    }
    database_away(s, &err);
    s->save_us = s->database.until_us;
    dlc_collect_sender_again(s->sender);
}

/* Remember items that nobody knows yet. */
static void note_fresh(session *s)
{
    dlc_collect_place place;
    dl_error err = {0};

    while (s->reader->calls->fresh != NULL &&
           s->reader->calls->fresh(place.item, place.text, s->reader)) {
        if (dlc_collect_state_save(s->state, &place, &err) != DL_OK) {
            database_away(s, &err);
            return;
        }
    }
}

/* Forget items that are gone for good. */
static void forget(session *s)
{
    char item[DLC_COLLECT_ITEM];
    dl_error err = {0};

    s->gone_us = dl_time_monotonic_us() + GONE_US;
    while (s->reader->calls->gone != NULL &&
           s->reader->calls->gone(item, s->reader)) {
        if (dlc_collect_state_forget(s->state, item, &err) != DL_OK) {
            /* It is found again, and gone again, after the next start. */
            return;
        }
    }
}

/* Wait until all is with the broker; false: a stop, or it failed. */
static bool flush(session *s)
{
    int64_t until_us = 0;

    while (!dlc_collect_sender_idle(s->sender)) {
        if (stopping(s->run) && until_us == 0) {
            until_us = dl_time_monotonic_us() + STOP_US;
        }
        if (until_us != 0 && dl_time_monotonic_us() > until_us) {
            return false;
        }
        dlc_collect_sender_poll(s->sender, IDLE_MS);
    }
    return dlc_collect_sender_failed(s->sender, NULL) == DL_OK;
}

/* Begin a turn of another item, once all of the last one is stored. */
static dl_status turn(session *s, dl_error *err)
{
    dlc_collect_place left = {.item = ""};
    const dlc_collect_place next = place_of(s);
    int64_t number = dl_time_now() / DL_SECOND_US;

    if (!flush(s)) {
        return dlc_collect_sender_failed(s->sender, err);
    }
    if (s->reader->calls->left != NULL &&
        !s->reader->calls->left(left.item, left.text, s->reader)) {
        left.item[0] = '\0';
    }
    number = number > s->turn ? number : s->turn + 1;
    while (!stopping(s->run)) {
        dl_error failed = {0};

        if (dlc_collect_state_turn(s->state, &left, &next, number, &failed) ==
            DL_OK) {
            database_back(s);
            break;
        }
        database_away(s, &failed);
        wait_out(s, &s->database);
    }
    s->turn = number;
    *s->anew = false;
    s->unmarked = false;
    dlc_collect_sender_turn(s->sender, number);
    return DL_OK;
}

/* All of the source is read: store that. */
static dl_status end(session *s, dl_error *err)
{
    dlc_collect_place left;

    if (!flush(s)) {
        return dlc_collect_sender_failed(s->sender, err);
    }
    s->ended = true;
    forget(s);
    while (s->reader->positions && s->reader->calls->left != NULL &&
           s->reader->calls->left(left.item, left.text, s->reader) &&
           !stopping(s->run)) {
        dl_error failed = {0};

        if (dlc_collect_state_save(s->state, &left, &failed) == DL_OK) {
            database_back(s);
            break;
        }
        database_away(s, &failed);
        wait_out(s, &s->database);
    }
    note_success(s);
    return DL_OK;
}

/* --- Rows ----------------------------------------------------------------- */

/* Say that the broker is away, or back. */
static void watch_broker(session *s)
{
    bool silent = dlc_collect_sender_silence(s->sender) > SILENT_US;

    if (silent && !s->silent) {
        dl_stats_add(s->run->broker, 1);
        dl_log(DL_LOG_ERROR,
               "DL0911 source %s: the broker confirms nothing; its records "
               "wait",
               s->run->source->name);
    }
    if (!silent && s->silent) {
        dl_log(DL_LOG_NOTICE, "DL0912 source %s: the broker confirms again",
               s->run->source->name);
    }
    s->silent = silent;
}

/* Keep to the rate. */
static void pace(session *s)
{
    int64_t rate = s->run->source->rate;
    int64_t now;

    if (rate == 0) {
        return;
    }
    now = dl_time_monotonic_us();
    if (s->due_us < now - MARK_US) {
        s->due_us = now;
    }
    while (s->due_us > now && !stopping(s->run)) {
        int64_t left_ms = (s->due_us - now) / 1000;

        dlc_collect_sender_poll(s->sender,
                                left_ms > IDLE_MS ? IDLE_MS : (int)left_ms + 1);
        now = dl_time_monotonic_us();
    }
    s->due_us += 1000000 / rate;
}

/* A row is broken: say where, and why. */
static void tell_broken(session *s, const dlc_collect_row *row,
                        const char *fault)
{
    dl_stats_add(s->run->rows, 1);
    dl_log(DL_LOG_INFO, "DL0915 source %s: %.300s:%" PRIu64 ": %s",
           s->run->source->name, row->place, row->line, fault);
}

/* Send ROW, waiting for room. */
static dl_status send_row(session *s, const dlc_collect_row *row, dl_error *err)
{
    dlc_collect_record record;
    dl_status status;

    DL_TRY(dlc_collect_maker_make(&record, s->maker, row, err));
    dlc_collect_limit_apply(&record, s->limit, row);
    if (record.fault != NULL) {
        tell_broken(s, row, record.fault);
    }
    pace(s);
    do {
        status = dlc_collect_sender_send(s->sender, &record, row, err);
        if (status == DL_UNAVAILABLE) {
            DL_TRY(dlc_collect_sender_failed(s->sender, err));
            watch_broker(s);
        }
    } while (status == DL_UNAVAILABLE && !stopping(s->run));
    s->left_row = status != DL_OK; /* a stop: no mark is set behind it */
    s->unmarked = true;
    return stopping(s->run) ? DL_OK : status;
}

/* The source failed for ERR: an outage is waited for, else it fails. */
static dl_status source_failed(session *s, dl_status status, dl_error *err)
{
    if (status != DL_UNAVAILABLE && status != DL_BUSY && status != DL_TIMEOUT) {
        return status;
    }
    dl_stats_add(s->run->away, 1);
    if (s->source.wait_us == 0) {
        dl_log(DL_LOG_ERROR, "DL0918 source %s is away, tried again: %s",
               s->run->source->name, err->text);
    }
    mark(s);
    postpone(s, &s->source);
    wait_out(s, &s->source);
    return DL_OK;
}

/* Take the next row, and what belongs to it; *WAITS: there was none. */
static dl_status take(bool *waits, session *s, dl_error *err)
{
    dlc_collect_got got;
    dlc_collect_row row = {.raw = NULL};
    dl_status status = s->reader->calls->next(&got, &row, s->reader, err);

    *waits = false;
    if (status != DL_OK) {
        *waits = true;
        return source_failed(s, status, err);
    }
    if (s->source.wait_us != 0) {
        dl_log(DL_LOG_NOTICE, "DL0919 source %s is back", s->run->source->name);
        s->source = (outage){0};
    }
    switch (got) {
    case DLC_COLLECT_ROW:
        return send_row(s, &row, err);
    case DLC_COLLECT_NONE:
        *waits = true;
        return DL_OK;
    case DLC_COLLECT_TURN:
        return turn(s, err);
    case DLC_COLLECT_END:
        return end(s, err);
    }
    return dl_fail(err, DL_INTERNAL, 0, "a reader answers %d", (int)got);
}

/* What is due by the clock. */
static void duties(session *s, bool waits)
{
    int64_t now = dl_time_monotonic_us();
    int64_t done;
    int64_t total;

    if (s->reader->calls->lost != NULL) {
        dl_stats_add(s->run->lost, s->reader->calls->lost(s->reader));
    }
    if (now >= s->mark_us) {
        mark(s);
        s->reader->calls->progress(&done, &total, s->reader);
        s->run->done = done;
        s->run->total = total;
        note_fresh(s);
        watch_broker(s);
    }
    if (now >= s->save_us && s->reader->positions) {
        save(s);
    }
    if (waits && now >= s->gone_us && s->reader->positions) {
        forget(s);
    }
}

/* Work until the end or a stop. */
static dl_status work(session *s, dl_error *err)
{
    while (!s->ended && !stopping(s->run)) {
        bool waits = false;

        for (int i = 0; i < ROWS && !waits && !s->ended && !stopping(s->run);
             i++) {
            DL_TRY(take(&waits, s, err));
        }
        dlc_collect_sender_poll(s->sender, waits && !s->ended ? IDLE_MS : 0);
        DL_TRY(dlc_collect_sender_failed(s->sender, err));
        if (!s->ended) {
            duties(s, waits);
        }
    }
    return DL_OK;
}

/* --- Sessions ------------------------------------------------------------- */

/* Read what is remembered, waiting for the database; false: a stop. */
static bool recall(session *s, dlc_collect_memory *memory, apr_pool_t *pool)
{
    while (!stopping(s->run)) {
        dl_error err = {0};

        if (dlc_collect_state_load(memory, &s->turn, s->state, &err, pool) ==
            DL_OK) {
            database_back(s);
            return true;
        }
        database_away(s, &err);
        wait_out(s, &s->database);
    }
    return false;
}

/* Store how far it came, as well as it can be. */
static void conclude(session *s)
{
    if (s->ended || !s->reader->positions ||
        dlc_collect_sender_failed(s->sender, NULL) != DL_OK) {
        return;
    }
    mark(s);
    if (flush(s)) {
        save(s);
    }
}

/* One session of RUN.  *ANEW: records of the turn may have been passed over,
 * so it may not go on; cleared when another one has begun, set when that
 * happens. */
static dl_status hold(dlc_collect_run *run, bool *anew, dl_error *err,
                      apr_pool_t *pool)
{
    session s = {
        .run = run, .anew = anew, .random = (unsigned)dl_time_monotonic_us()};
    dl_status status;
    dlc_collect_memory memory = {.n = 0};
    const dlc_collect_plan plan = {
        .source = run->source, .memory = &memory, .follow = run->follow};
    /* A reader without positions waits for rows within a call. */
    dlc_collect_sender_plan to = {.cfg = run->cfg,
                                  .source = run->source->name,
                                  .topic = run->ds->topic,
                                  .gather =
                                      run->source->type != DL_SOURCE_SOCKET,
                                  .stats = run->stats,
                                  .records = run->records,
                                  .refused = run->broker};

    DL_TRY(dlc_collect_state_create(&s.state, run->cfg, run->source->name, err,
                                    pool));
    if (run->source->type != DL_SOURCE_SOCKET && !recall(&s, &memory, pool)) {
        return DL_OK;
    }
    memory.item = *anew ? NULL : memory.item;
    DL_TRY(dlc_collect_maker_create(&s.maker, run->source, run->ds, err, pool));
    DL_TRY(dlc_collect_reader_create(&s.reader, &plan, err, pool));
    DL_TRY(dlc_collect_limit_ask(&s.limit, run->cfg, to.topic, err, pool));
    to.max_bytes = dlc_collect_limit_bytes(s.limit);
    DL_TRY(dlc_collect_sender_create(&s.sender, &to, err, pool));
    dlc_collect_sender_turn(s.sender, s.turn);
    status = work(&s, err);
    conclude(&s);
    *anew = *anew || dlc_collect_sender_failed(s.sender, NULL) != DL_OK;
    return status;
}

static apr_status_t close_descriptor(void *fd)
{
    close(*(const int *)fd);
    return APR_SUCCESS;
}

/* Take the lock of the source, held to the end of POOL. */
static dl_status lock_source(const dlc_collect_run *run, dl_error *err,
                             apr_pool_t *pool)
{
    const char *path = apr_psprintf(pool, "%s/collect-%s.lock",
                                    run->cfg->run.dir, run->source->name);
    int *fd = apr_palloc(pool, sizeof *fd);

    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (*fd < 0) {
        return dl_fail(err, DL_IO, errno, "cannot open %s", path);
    }
    apr_pool_cleanup_register(pool, fd, close_descriptor,
                              apr_pool_cleanup_null);
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        return dl_fail(err, DL_BUSY, 0,
                       "another process collects source %s: it holds %s",
                       run->source->name, path);
    }
    return DL_OK;
}

dl_status dlc_collect_run_go(dlc_collect_run *run, dl_error *err,
                             apr_pool_t *pool)
{
    session s = {.run = run, .random = (unsigned)dl_time_monotonic_us()};
    apr_pool_t *session_pool;
    dl_status status;
    bool anew = false;

    DL_TRY(lock_source(run, err, pool));
    apr_pool_create(&session_pool, pool);
    for (;;) {
        apr_pool_clear(session_pool);
        status = hold(run, &anew, err, session_pool);
        if (status == DL_OK || stopping(run) ||
            (!run->follow && status != DL_UNAVAILABLE) ||
            status == DL_INTERNAL) {
            return status;
        }
        dl_stats_add(run->away, 1);
        dl_log(DL_LOG_ERROR, "DL0910 source %s waits, tried again: %s",
               run->source->name, err->text);
        postpone(&s, &s.source);
        wait_out(&s, &s.source);
    }
}
