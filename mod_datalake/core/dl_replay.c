/* dl_replay.c - The event time of a stored record, exchanged.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_replay.h"

#include <stdio.h>
#include <string.h>

/* Room for a time as a record has it. */
#define TIME_TEXT 64

struct dl_replay {
    const dl_dataset *ds; /* whose records */
    dl_json_slice *slots; /* of its shape */
    char *scratch;        /* for a scan */
    char *key;            /* of the record, as text */
    dl_buf *value;        /* the record */
};

dl_replay *dl_replay_create(const dl_dataset *ds, apr_pool_t *pool)
{
    dl_replay *replay = apr_pcalloc(pool, sizeof *replay);

    replay->ds = ds;
    replay->slots = apr_pcalloc(pool, (size_t)dl_json_shape_slots(ds->shape) *
                                          sizeof *replay->slots);
    replay->scratch = dl_buf_memory(DL_JSON_MAX_BYTES + DL_JSON_SLACK, pool);
    replay->key = dl_buf_memory(DL_JSON_MAX_BYTES, pool);
    replay->value = dl_buf_create(DL_JSON_MAX_BYTES, pool);
    return replay;
}

/* Write NOW to OUT, with quotes if need be, as records of DS have times. */
static dl_status write_time(char out[TIME_TEXT], const dl_dataset *ds,
                            dl_time now, dl_error *err)
{
    char text[DL_TIME_TEXT];

    dl_time_format(text, now);
    if ((ds->time_formats & DL_TIME_RFC3339) != 0) {
        snprintf(out, TIME_TEXT, "\"%s\"", text);
    }
    else if ((ds->time_formats & DL_TIME_UNIX) != 0) {
        snprintf(out, TIME_TEXT, "%lld.%06lld", (long long)(now / DL_SECOND_US),
                 (long long)(now % DL_SECOND_US));
    }
    else if ((ds->time_formats & DL_TIME_DATE) != 0) {
        snprintf(out, TIME_TEXT, "\"%.10s\"", text);
    }
    else {
        return dl_fail(err, DL_UNSUPPORTED, 0,
                       "dataset %s: a new event time cannot be written",
                       ds->name);
    }
    return DL_OK;
}

/* Set RECORD's key from its slot. */
static void take_key(dl_replay_record *record, dl_replay *replay)
{
    const dl_json_slice *slot;

    record->key = NULL;
    record->key_len = 0;
    if (replay->ds->key_field < 0) {
        return;
    }
    slot = &replay->slots[replay->ds->key_field];
    if (slot->kind == DL_JSON_STRING) {
        record->key_len = dl_json_unescape(replay->key, *slot);
        record->key = replay->key;
    }
    else if (slot->kind == DL_JSON_NUMBER) {
        memcpy(replay->key, slot->text, slot->len);
        record->key_len = slot->len;
        record->key = replay->key;
    }
}

/* A part of the line that is exchanged for another text. */
typedef struct exchange {
    size_t from, to;      /* of the line */
    const char *before;   /* put in front of the time */
    const char *text;     /* the time */
    const char *behind;   /* put behind it */
    const char *name;     /* of a member that is new; "": none */
    const char *name_end; /* put behind it */
} exchange;

/* Write the line of RESULT with E to the buffer of REPLAY. */
static dl_status write_line(dl_replay *replay, const dl_json_result *result,
                            const exchange *e, dl_error *err)
{
    const char *texts[] = {e->before, e->name, e->name_end, e->text, e->behind};
    size_t i;

    replay->value->len = 0;
    DL_TRY(dl_buf_append(replay->value, result->line, e->from, err));
    for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        DL_TRY(dl_buf_append(replay->value, texts[i], strlen(texts[i]), err));
    }
    return dl_buf_append(replay->value, result->line + e->to,
                         result->line_len - e->to, err);
}

/* Write the line of RESULT with the event time TIME. */
static dl_status set_time(dl_replay *replay, const dl_json_result *result,
                          const char *time, dl_error *err)
{
    const dl_field *field = &replay->ds->fields[replay->ds->time_field];
    const dl_json_slice *slot = &replay->slots[replay->ds->time_field];
    size_t quote = slot->kind == DL_JSON_STRING ? 1 : 0;
    exchange e = {
        .before = "", .text = time, .behind = "", .name = "", .name_end = ""};

    if (slot->kind != DL_JSON_ABSENT) {
        e.from = (size_t)(slot->text - result->line) - quote;
        e.to = e.from + slot->len + 2 * quote;
    }
    else if (strchr(field->path, '.') != NULL) {
        return dl_fail(err, DL_UNSUPPORTED, 0,
                       "dataset %s: a record has no event time",
                       replay->ds->name);
    }
    else {
        e.from = e.to = result->line_len - 1;
        e.before = result->line_len > 2 ? ",\"" : "\"";
        e.name = field->path;
        e.name_end = "\":";
    }
    return write_line(replay, result, &e, err);
}

dl_status dl_replay_line(dl_replay_record *record, dl_replay *replay,
                         const char *text, size_t len, dl_time now,
                         dl_error *err)
{
    char time[TIME_TEXT];
    dl_json_result result;

    DL_TRY(write_time(time, replay->ds, now, err));
    if (len > DL_JSON_MAX_BYTES ||
        dl_json_scan(&result, replay->slots, replay->ds->shape, replay->scratch,
                     text, len) != DL_JSON_FINE) {
        return dl_fail(err, DL_CORRUPT, 0, "a stored line is no record");
    }
    take_key(record, replay);
    record->value = replay->value;
    return set_time(replay, &result, time, err);
}
