/* dlc_sink_lake.c - The sink that appends messages to the lake.
 *
 * One lake writer and one judge per dataset.  A good record becomes a line of
 * its day, a bad one goes to the dataset's quarantine, both by the same
 * commit.  The lake never waits for the warehouse.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_lake.h"
#include "dl_lake_writer.h"
#include "dl_log.h"
#include "dl_record.h"
#include "dl_stats.h"
#include "dl_time.h"
#include "dlc_indexer.h"
#include "dlc_sink.h"

#include <string.h>
#include <sys/statvfs.h>

#include <apr_strings.h>

/* One dataset being written. */
typedef struct ware {
    const dl_dataset *dataset;                /* its declaration now */
    const char *name;                         /* its name, for ever */
    dl_lake_writer *w;                        /* holds the lock */
    dl_judge *judge;                          /* of the declaration */
    dl_judge *events;                         /* of change events, NULL: none
                                                 has come */
    uint64_t commits;                         /* when last published */
    int64_t records_before;                   /* committed before we opened */
    int64_t bytes_before;                     /* likewise */
    dl_stats_value *commits_total;            /* datalake_lake_... */
    dl_stats_value *commit_seconds;           /* histogram */
    dl_stats_value *records;                  /* all lines */
    dl_stats_value *bytes;                    /* all bytes */
    dl_stats_value *open_parts;               /* parts not sealed */
    dl_stats_value *rejects[DL_LAKE_REASONS]; /* made when first needed */
    struct ware *next;                        /* list */
} ware;

typedef struct sink_lake {
    dlc_sink base;              /* first member */
    const dl_config *cfg;       /* [lake] */
    dl_stats *stats;            /* or NULL */
    apr_pool_t *pool;           /* of the sink */
    ware *wares;                /* datasets opened so far */
    dlc_indexer *indexer;       /* makes indexes, or NULL */
    int64_t committed_us;       /* monotonic time of the last commit */
    int64_t tick_us;            /* monotonic time of the next tick */
    dl_stats_value *free_bytes; /* datalake_lake_free_bytes */
} sink_lake;

static dl_stats_value *number(sink_lake *s, const ware *wa, dl_stats_type type,
                              const char *name)
{
    return dl_stats_slot(s->stats, type, name,
                         apr_psprintf(s->pool, "dataset=\"%s\"", wa->name));
}

/* Learn what the dataset of WA held before we came; an empty one is new. */
static void count_before(sink_lake *s, ware *wa, apr_pool_t *scratch_pool)
{
    dl_lake *lake;
    dl_lake_snapshot *snap;
    dl_error err = {0};

    if (dl_lake_open(&lake, s->cfg->lake.path, &err, scratch_pool) != DL_OK ||
        dl_lake_snapshot_open(&snap, lake, wa->name, &err, scratch_pool) !=
            DL_OK) {
        return;
    }
    wa->records_before = (int64_t)dl_lake_snapshot_totals(snap)->records;
    wa->bytes_before = (int64_t)dl_lake_snapshot_totals(snap)->bytes;
}

/* Open the writer of WA in POOL. */
static dl_status open_writer(sink_lake *s, ware *wa, dl_error *err,
                             apr_pool_t *pool)
{
    const dl_lake_options options = {.root = s->cfg->lake.path,
                                     .dataset = wa->name,
                                     .seal_age_s = s->cfg->lake.seal_age_s,
                                     .seal_size =
                                         (uint64_t)s->cfg->lake.seal_size};
    apr_pool_t *scratch;

    DL_TRY(dl_lake_writer_open(&wa->w, &options, err, pool));
    apr_pool_create(&scratch, pool);
    count_before(s, wa, scratch);
    apr_pool_destroy(scratch);
    wa->commits_total =
        number(s, wa, DL_STATS_COUNTER, "datalake_lake_commits_total");
    wa->commit_seconds = number(s, wa, DL_STATS_HISTOGRAM,
                                "datalake_lake_commit_duration_seconds");
    wa->records = number(s, wa, DL_STATS_GAUGE, "datalake_lake_records");
    wa->bytes = number(s, wa, DL_STATS_GAUGE, "datalake_lake_bytes");
    wa->open_parts = number(s, wa, DL_STATS_GAUGE, "datalake_lake_open_parts");
    return DL_OK;
}

/* Tell the background about WA and its declaration. */
static void look_after(const sink_lake *s, const ware *wa)
{
    dlc_indexer_add(s->indexer, wa->name, wa->dataset);
}

/* Set *OUT to the ware of DS, opening it when it is new. */
static dl_status find_ware(ware **out, sink_lake *s, const dl_dataset *ds,
                           dl_error *err)
{
    apr_pool_t *pool;
    dl_status status;
    ware *wa;

    for (wa = s->wares; wa != NULL; wa = wa->next) {
        if (strcmp(wa->name, ds->name) == 0) {
            *out = wa;
            return DL_OK;
        }
    }
    apr_pool_create(&pool, s->pool);
    wa = apr_pcalloc(pool, sizeof *wa);
    wa->name = apr_pstrdup(pool, ds->name);
    status = open_writer(s, wa, err, pool);
    if (status != DL_OK) {
        apr_pool_destroy(pool);
        return dl_wrap(err, "dataset %s", ds->name);
    }
    wa->dataset = ds;
    wa->judge = dl_judge_create(ds, pool);
    wa->next = s->wares;
    s->wares = wa;
    look_after(s, wa);
    *out = wa;
    return DL_OK;
}

static void set_part(dlc_part *part, ware *wa)
{
    part->sink_data = wa;
    part->generation = dl_lake_writer_generation(wa->w);
    part->next = dl_lake_writer_next(wa->w, part->partition);
}

static dl_status lake_take(dlc_sink *sink, dlc_part *const *parts, int n,
                           const char *cluster, dl_error *err)
{
    sink_lake *s = (sink_lake *)sink;

    for (int i = 0; i < n; i++) {
        ware *wa = NULL;

        DL_TRY(find_ware(&wa, s, parts[i]->dataset, err));
        if (*dl_lake_writer_cluster(wa->w) == '\0') {
            DL_TRY(dl_lake_writer_set_cluster(wa->w, cluster, err));
        }
        set_part(parts[i], wa);
        if (strcmp(dl_lake_writer_cluster(wa->w), cluster) != 0) {
            parts[i]->next = DLC_PART_FOREIGN;
        }
    }
    return DL_OK;
}

/* Set the bad record REC of MSG aside. */
static dl_status set_aside(sink_lake *s, ware *wa, const dl_record *rec,
                           const dlc_message *msg, const dl_lake_message *m,
                           dl_error *err)
{
    const dl_lake_reject reject = {.reason = dl_verdict_name(rec->verdict),
                                   .detail = rec->detail,
                                   .payload = msg->payload,
                                   .len = msg->len,
                                   .key = msg->key,
                                   .key_len = msg->key_len,
                                   .position = m->position};
    dl_status status = dl_lake_writer_reject(wa->w, &reject, &m->coord, err);

    if (status == DL_INVALID) {
        return DL_OK; /* a repeat: the writer has it */
    }
    DL_TRY(status);
    s->base.dead_letters++;
    return DL_INVALID;
}

/* The judge of the messages of WA that have NOTE: change events have one of
 * their own, which knows nothing of the declaration. */
static dl_judge *judge_of(const sink_lake *s, ware *wa,
                          const dl_line_note *note)
{
    const char *event;
    size_t len;

    if (note->n == 0 || !dl_line_note_find(&event, &len, note, "dl-event")) {
        return wa->judge;
    }
    if (wa->events == NULL) {
        wa->events = dl_judge_create(
            dl_dataset_create_event(wa->dataset, s->pool), s->pool);
    }
    return wa->events;
}

/* Whether the member of REC that is the topic's key is the key of MSG. */
static bool line_has_key(const dl_record *rec, const dl_dataset *ds,
                         const dlc_message *msg)
{
    const dl_json_slice *field;
    const char *text;
    size_t len;

    if (ds->key_field < 0 || msg->key == NULL) {
        return false;
    }
    field = &rec->field[ds->key_field];
    text = field->text;
    len = field->len;
    if (field->kind == DL_JSON_STRING && field->escaped != 0) {
        if (!dl_record_text(&text, &len, rec, ds->key_field)) {
            return false;
        }
    }
    else if (field->kind != DL_JSON_STRING && field->kind != DL_JSON_NUMBER) {
        return false;
    }
    return len == msg->key_len && memcmp(text, msg->key, len) == 0;
}

/* Have the key of MSG in NOTE, unless the good record REC of it tells it. */
static void note_key(dl_line_note *note, const ware *wa, const dl_record *rec,
                     const dlc_message *msg)
{
    if (rec->judge == wa->events || !line_has_key(rec, wa->dataset, msg)) {
        dl_line_note_key(note, msg->key, msg->key_len);
    }
}

static dl_status lake_put(dlc_sink *sink, const dlc_message *msg, dl_error *err)
{
    sink_lake *s = (sink_lake *)sink;
    ware *wa = msg->part->sink_data;
    dl_lake_message m = {.coord = {.generation = msg->part->generation,
                                   .partition = msg->part->partition,
                                   .offset = msg->offset,
                                   .time = msg->time_us}};
    dl_lake_position position;
    dl_line_note note;
    dl_status status;
    dl_record rec;

    dlc_message_note(&note, msg);
    if (note.n > 0 && dl_line_note_position(&position, &note)) {
        m.position = &position;
        if (dl_lake_writer_has(wa->w, msg->part->partition, &position)) {
            status = dl_lake_writer_repeat(wa->w, &position, &m.coord, err);
            return status == DL_INVALID ? DL_OK : status;
        }
    }
    dl_record_judge(&rec, judge_of(s, wa, &note), msg->payload, msg->len,
                    msg->time_us);
    if (rec.verdict != DL_RECORD_GOOD) {
        return set_aside(s, wa, &rec, msg, &m, err);
    }
    note_key(&note, wa, &rec, msg);
    /* Nearly all notes are plain, which NULL says without a look at them. */
    m.note = note.n > 0 || note.key_kind != DL_LINE_KEY_SAME ? &note : NULL;
    status = dl_lake_writer_append_message(wa->w, rec.event_time, rec.line,
                                           rec.line_len, &m, err);
    s->base.pending_bytes += rec.line_len;
    return status == DL_INVALID ? DL_OK : status;
}

static dl_status lake_advance(dlc_sink *sink, dlc_part *part, int64_t next,
                              dl_error *err)
{
    ware *wa = part->sink_data;
    dl_status status =
        dl_lake_writer_advance(wa->w, part->partition, next, err);

    (void)sink;
    return status == DL_INVALID ? DL_OK : status;
}

/* Return the bytes the next commit would write. */
static size_t pending(const sink_lake *s)
{
    size_t bytes = 0;

    for (const ware *wa = s->wares; wa != NULL; wa = wa->next) {
        bytes += dl_lake_writer_pending(wa->w);
    }
    return bytes;
}

static bool lake_wants_commit(dlc_sink *sink, int64_t now_us, bool caught_up)
{
    const sink_lake *s = (const sink_lake *)sink;
    const dl_config_lake *lake = &s->cfg->lake;
    int64_t age_ms = (now_us - s->committed_us) / 1000;

    if (age_ms < lake->commit_ms &&
        s->base.pending_bytes < (size_t)lake->backlog_bytes) {
        return false;
    }
    /* Half of it is worth a sync already, so that readers of a stream just
     * below our limit need not wait for the whole. */
    return (caught_up || age_ms >= lake->backlog_ms ||
            s->base.pending_bytes >= (size_t)lake->backlog_bytes / 2) &&
           pending(s) > 0;
}

/* Publish what the newest commit of WA did. */
static void publish_commit(ware *wa)
{
    const dl_lake_writer_stats *numbers = dl_lake_writer_numbers(wa->w);

    dl_stats_observe(wa->commit_seconds, numbers->last_commit_us);
    dl_stats_set(wa->commits_total, (int64_t)numbers->commits);
    dl_stats_set(wa->records, wa->records_before + (int64_t)numbers->records);
    dl_stats_set(wa->bytes, wa->bytes_before + (int64_t)numbers->bytes);
}

static dl_status lake_commit(dlc_sink *sink, dl_error *err)
{
    sink_lake *s = (sink_lake *)sink;
    dl_status first = DL_OK;

    for (ware *wa = s->wares; wa != NULL; wa = wa->next) {
        dl_error other = {0};
        dl_status status;

        if (dl_lake_writer_pending(wa->w) == 0) {
            continue;
        }
        status = dl_lake_writer_commit(wa->w, dl_time_now(), &other);
        if (status == DL_OK) {
            publish_commit(wa);
        }
        else if (first == DL_OK) {
            first = status;
            *err = other;
            (void)dl_wrap(err, "dataset %s", wa->name);
        }
    }
    s->base.pending_bytes = 0;
    s->committed_us = dl_time_monotonic_us();
    return first;
}

static int64_t lake_next(dlc_sink *sink, const dlc_part *part)
{
    const ware *wa = part->sink_data;

    (void)sink;
    return dl_lake_writer_next(wa->w, part->partition);
}

static void lake_drop(dlc_sink *sink, dlc_part *const *parts, int n)
{
    (void)sink;
    (void)parts;
    (void)n; /* the writer keeps its lock and its offsets */
}

/* Publish what does not move with commits. */
static void publish_tick(sink_lake *s, ware *wa)
{
    const dl_lake_writer_stats *numbers = dl_lake_writer_numbers(wa->w);

    dl_stats_set(wa->open_parts, (int64_t)numbers->open_parts);
    for (int r = 0; r < DL_LAKE_REASONS; r++) {
        if (numbers->rejects[r] == 0) {
            continue;
        }
        if (wa->rejects[r] == NULL) {
            wa->rejects[r] = dl_stats_slot(
                s->stats, DL_STATS_COUNTER, "datalake_dead_letters_total",
                apr_psprintf(s->pool, "topic=\"%s\",reason=\"%s\"",
                             wa->dataset->topic,
                             dl_lake_reason_name((dl_lake_reason)r)));
        }
        dl_stats_set(wa->rejects[r], (int64_t)numbers->rejects[r]);
    }
}

static dl_status lake_tick(dlc_sink *sink, dl_error *err)
{
    sink_lake *s = (sink_lake *)sink;
    int64_t now = dl_time_monotonic_us();
    struct statvfs volume;
    dl_status first = DL_OK;

    if (now < s->tick_us) {
        return DL_OK;
    }
    s->tick_us = now + DL_SECOND_US;
    for (ware *wa = s->wares; wa != NULL; wa = wa->next) {
        dl_error other = {0};
        dl_status status = dl_lake_writer_tick(wa->w, dl_time_now(), &other);

        publish_tick(s, wa);
        if (status != DL_OK && first == DL_OK) {
            first = status;
            *err = other;
        }
    }
    if (statvfs(s->cfg->lake.path, &volume) == 0) {
        dl_stats_set(s->free_bytes,
                     (int64_t)(volume.f_bavail * volume.f_frsize));
    }
    return first;
}

static dl_status lake_seal(dlc_sink *sink, dl_error *err)
{
    sink_lake *s = (sink_lake *)sink;

    for (ware *wa = s->wares; wa != NULL; wa = wa->next) {
        DL_TRY(dl_lake_writer_seal(wa->w, dl_time_now(), err));
        publish_tick(s, wa);
    }
    dl_log(DL_LOG_NOTICE, "DL0730 lake: open parts sealed");
    return DL_OK;
}

static dl_status lake_reload(dlc_sink *sink, const dl_dataset_set *set,
                             dl_error *err)
{
    sink_lake *s = (sink_lake *)sink;

    (void)err;
    for (ware *wa = s->wares; wa != NULL; wa = wa->next) {
        const dl_dataset *ds = dl_dataset_find(set, wa->name);

        if (ds != NULL) {
            wa->dataset = ds;
            wa->judge = dl_judge_create(ds, s->pool);
            look_after(s, wa);
        }
    }
    return DL_OK;
}

static dl_status lake_renew(dlc_sink *sink, dlc_part *const *parts, int n,
                            const char *cluster, dl_error *err)
{
    if (n == 0) {
        return DL_OK;
    }
    (void)sink;
    DL_TRY(dl_lake_writer_new_generation(((ware *)parts[0]->sink_data)->w,
                                         cluster, err));
    for (int i = 0; i < n; i++) {
        set_part(parts[i], parts[i]->sink_data);
    }
    return DL_OK;
}

static void lake_close(dlc_sink *sink)
{
    (void)sink; /* the writers go with their pools */
}

static const dlc_sink_calls lake_calls = {.take = lake_take,
                                          .put = lake_put,
                                          .advance = lake_advance,
                                          .wants_commit = lake_wants_commit,
                                          .commit = lake_commit,
                                          .forget = NULL,
                                          .next = lake_next,
                                          .durable = NULL,
                                          .drop = lake_drop,
                                          .tick = lake_tick,
                                          .seal = lake_seal,
                                          .reload = lake_reload,
                                          .renew = lake_renew,
                                          .close = lake_close};

dl_status dlc_sink_lake_create(dlc_sink **sink, const dl_config *cfg,
                               dl_stats *stats, dl_error *err, apr_pool_t *pool)
{
    sink_lake *s = apr_pcalloc(pool, sizeof *s);

    s->base.name = "lake";
    s->base.calls = &lake_calls;
    s->cfg = cfg;
    s->stats = stats;
    s->pool = pool;
    s->free_bytes =
        dl_stats_slot(stats, DL_STATS_GAUGE, "datalake_lake_free_bytes", "");
    DL_TRY(dlc_indexer_create(&s->indexer, cfg, stats, err, pool));
    *sink = &s->base;
    return DL_OK;
}
