/* dl_record.c - The judge: scan, fields, event time, in that order.
 *
 * What has to be checked is worked out once per dataset: most optional fields
 * need no look at all.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_record.h"

#include <stdio.h>
#include <string.h>

#include "dl_buf.h"
#include "dl_field_value.h"
#include "dl_record_rows.h"

/* A field the judge has to look at. */
typedef struct check {
    int field;         /* its index and slot */
    const dl_field *f; /* its declaration */
} check;

/* Text of a field without its escapes. */
typedef struct plain_text {
    uint64_t serial;  /* of the record it belongs to */
    const char *text; /* in the judge's memory */
    size_t len;       /* its bytes */
} plain_text;

struct dl_judge {
    const dl_dataset *ds; /* whose records */
    dl_json_slice *slots; /* of its shape */
    char *scratch;        /* the canonical line */
    char *plain;          /* texts without escapes */
    size_t plain_used;    /* bytes of it in use by this record */
    plain_text *texts;    /* of each field */
    uint64_t serial;      /* of the record at hand */
    int n_checks;         /* fields to look at */
    const check *checks;  /* which */
    int n_choices;        /* fields with alternates */
    const check *choices; /* which */
    dl_judge *children[DL_DATASET_CHILDREN]; /* of objects in arrays */
};

/* The same, all zero. */
static void *get_zeroed(size_t size, apr_pool_t *pool)
{
    return memset(dl_buf_memory(size, pool), 0, size);
}

dl_judge *dl_judge_create(const dl_dataset *ds, apr_pool_t *pool)
{
    dl_judge *judge = apr_pcalloc(pool, sizeof *judge);
    size_t n = (size_t)ds->n_fields;
    check *checks = apr_palloc(pool, n * sizeof *checks);
    check *choices = apr_palloc(pool, n * sizeof *choices);

    for (int i = 0; i < ds->n_fields; i++) {
        const dl_field *f = &ds->fields[i];

        if (f->required || f->max_chars > 0 || f->type == DL_FIELD_DEC) {
            checks[judge->n_checks++] = (check){i, f};
        }
        if (f->n_alternates > 0) {
            choices[judge->n_choices++] = (check){i, f};
        }
    }
    judge->ds = ds;
    judge->checks = checks;
    judge->choices = choices;
    judge->slots = get_zeroed(
        (size_t)dl_json_shape_slots(ds->shape) * sizeof *judge->slots, pool);
    judge->texts = get_zeroed(n * sizeof *judge->texts, pool);
    judge->scratch = dl_buf_memory(DL_JSON_MAX_BYTES + DL_JSON_SLACK, pool);
    judge->plain = dl_buf_memory(DL_JSON_MAX_BYTES, pool);
    for (int i = 0; i < ds->n_children; i++) {
        judge->children[i] = dl_judge_create(ds->children[i].items, pool);
    }
    return judge;
}

const dl_dataset *dl_judge_dataset(const dl_judge *judge)
{
    return judge->ds;
}

dl_judge *dl_judge_child(const dl_judge *judge, int child)
{
    return judge->children[child];
}

const char *dl_verdict_name(dl_verdict verdict)
{
    static const char *const names[DL_VERDICTS] = {
        "good",    "not-json", "not-object", "encoding",
        "too-big", "schema",   "bad-time"};

    return (unsigned)verdict < DL_VERDICTS ? names[verdict] : "unknown";
}

/* Refuse REC for a mistake of the text. */
static bool refuse_text(dl_record *rec, dl_json_fault fault,
                        const dl_json_result *result)
{
    static const dl_verdict verdicts[] = {
        [DL_JSON_FINE] = DL_RECORD_GOOD,
        [DL_JSON_SYNTAX] = DL_RECORD_NOT_JSON,
        [DL_JSON_NOT_OBJECT] = DL_RECORD_NOT_OBJECT,
        [DL_JSON_ENCODING] = DL_RECORD_ENCODING,
        [DL_JSON_TOO_BIG] = DL_RECORD_TOO_BIG};

    rec->verdict = verdicts[fault];
    snprintf(rec->detail, sizeof rec->detail, "%s at byte %u", result->reason,
             result->offset);
    return false;
}

static bool refuse_field(dl_record *rec, dl_verdict verdict, const dl_field *f,
                         const char *reason)
{
    rec->verdict = verdict;
    snprintf(rec->detail, sizeof rec->detail, "%.60s %s", f->path, reason);
    return false;
}

/* Use the first alternate that is there where a field itself is not. */
static void choose_alternates(dl_judge *judge)
{
    for (int i = 0; i < judge->n_choices; i++) {
        const check *choice = &judge->choices[i];
        dl_json_slice *slot = &judge->slots[choice->field];
        int next = choice->f->alternate_slot;

        for (int k = 0; k < choice->f->n_alternates; k++) {
            if (slot->kind > DL_JSON_NULL) {
                break;
            }
            if (judge->slots[next + k].kind > DL_JSON_NULL) {
                *slot = judge->slots[next + k];
            }
        }
    }
}

/* Whether the characters of SLICE fit into F. */
static bool text_fits(const dl_field *f, dl_json_slice slice)
{
    size_t chars = slice.len;

    if (chars <= f->max_chars) {
        return true;
    }
    chars = dl_json_count_chars(slice.text, slice.len);
    return chars - (slice.escaped != 0 ? dl_field_escape_chars(slice) : 0) <=
           f->max_chars;
}

/* Judge one field. */
static bool check_field(dl_record *rec, const dl_judge *judge, const check *c)
{
    dl_json_slice slice = judge->slots[c->field];
    const dl_field *f = c->f;

    if (slice.kind <= DL_JSON_NULL) {
        return !f->required || refuse_field(rec, DL_RECORD_SCHEMA, f,
                                            slice.kind == DL_JSON_NULL
                                                ? "is null and required"
                                                : "is missing and required");
    }
    if (f->max_chars > 0 && slice.kind == DL_JSON_STRING &&
        !text_fits(f, slice)) {
        rec->too_long = true;
        return refuse_field(rec, DL_RECORD_SCHEMA, f,
                            "has more characters than its column holds");
    }
    if (f->type == DL_FIELD_DEC && dl_field_decimal_overflows(slice)) {
        return refuse_field(rec, DL_RECORD_SCHEMA, f,
                            "has more than 18 digits before the point");
    }
    if (f->required && !dl_field_well_typed(judge->ds, f, slice)) {
        char reason[80];

        snprintf(reason, sizeof reason, "is %s and must be %s",
                 dl_json_kind_name((dl_json_kind)slice.kind),
                 dl_field_type_name(f));
        return refuse_field(rec, DL_RECORD_SCHEMA, f, reason);
    }
    return true;
}

/* Refuse REC for an object in the array of child CHILD that has a text which
 * does not fit. */
static bool check_children(dl_record *rec, const dl_judge *judge, int child)
{
    dl_record_rows rows;
    dl_record row;

    dl_record_rows_begin(&rows, rec, child);
    while (dl_record_rows_each(&row, &rows)) {
        if (row.too_long) {
            return refuse_field(
                rec, DL_RECORD_SCHEMA,
                &judge->ds->fields[judge->ds->children[child].field],
                "has an object with more characters than a column holds");
        }
    }
    return true;
}

/* Set *T to the event time of REC that stands in two fields of DS. */
static bool get_log_time(dl_time *t, const dl_record *rec, const dl_dataset *ds)
{
    const char *date;
    const char *clock;
    size_t n_date;
    size_t n_clock;

    return dl_record_text(&date, &n_date, rec, ds->time_field) &&
           dl_record_text(&clock, &n_clock, rec, ds->clock_field) &&
           dl_time_parse_log(t, date, n_date, clock, n_clock);
}

/* Work out the event time of REC and refuse a bad one. */
static bool set_event_time(dl_record *rec, const dl_judge *judge,
                           dl_time kafka_time)
{
    const dl_dataset *ds = judge->ds;
    const dl_field *f = &ds->fields[ds->time_field];
    dl_json_slice slice = judge->slots[ds->time_field];
    bool has_kafka = kafka_time >= 0 && kafka_time < DL_TIME_END;

    if (slice.kind <= DL_JSON_NULL) {
        if (!has_kafka) {
            return refuse_field(rec, DL_RECORD_BAD_TIME, f,
                                "is missing, and so is Kafka's timestamp");
        }
        rec->event_time = kafka_time;
    }
    else if (ds->clock_field >= 0) {
        if (!get_log_time(&rec->event_time, rec, ds)) {
            return refuse_field(rec, DL_RECORD_BAD_TIME, f,
                                "is no day such as 20/Jan/2023 with a time "
                                "such as 11:37:58");
        }
    }
    else if (!dl_field_time(&rec->event_time, slice, ds->time_formats,
                            ds->zone)) {
        return refuse_field(rec, DL_RECORD_BAD_TIME, f,
                            "is no time of the years 1970 to 9999 in a "
                            "declared form");
    }
    if (has_kafka && rec->event_time - kafka_time > DL_RECORD_FUTURE_US) {
        return refuse_field(rec, DL_RECORD_BAD_TIME, f,
                            "is more than 24 h after Kafka's timestamp");
    }
    rec->day = dl_time_day(rec->event_time);
    return true;
}

void dl_record_judge(dl_record *rec, dl_judge *judge, const void *payload,
                     size_t len, dl_time kafka_time)
{
    dl_json_result result;
    dl_json_fault fault;

    judge->serial++;
    judge->plain_used = 0;
    rec->judge = judge;
    rec->verdict = DL_RECORD_GOOD;
    rec->detail[0] = '\0';
    rec->too_long = false;
    rec->field = judge->slots;
    fault = dl_json_scan(&result, judge->slots, judge->ds->shape,
                         judge->scratch, payload, len);
    if (fault != DL_JSON_FINE) {
        refuse_text(rec, fault, &result);
        return;
    }
    rec->line = result.line;
    rec->line_len = result.line_len;
    choose_alternates(judge);
    for (int i = 0; i < judge->n_checks; i++) {
        if (!check_field(rec, judge, &judge->checks[i])) {
            return;
        }
    }
    for (int i = 0; i < judge->ds->n_children; i++) {
        if (!check_children(rec, judge, i)) {
            return;
        }
    }
    if (judge->ds->time_field >= 0) {
        set_event_time(rec, judge, kafka_time);
    }
}

bool dl_record_text(const char **text, size_t *len, const dl_record *rec,
                    int field)
{
    dl_json_slice slice = rec->field[field];
    dl_judge *judge = rec->judge;
    plain_text *known = &judge->texts[field];

    if (slice.kind != DL_JSON_STRING) {
        return false;
    }
    if (slice.escaped == 0) {
        *text = slice.text;
        *len = slice.len;
        return true;
    }
    if (known->serial != judge->serial) {
        known->serial = judge->serial;
        known->text = judge->plain + judge->plain_used;
        known->len = dl_json_unescape(judge->plain + judge->plain_used, slice);
        judge->plain_used += known->len;
    }
    *text = known->text;
    *len = known->len;
    return true;
}

bool dl_record_int(int64_t *value, const dl_record *rec, int field)
{
    return dl_field_int(value, &rec->judge->ds->fields[field],
                        rec->field[field]);
}

bool dl_record_decimal(dl_decimal *value, const dl_record *rec, int field)
{
    dl_json_slice slice = rec->field[field];

    return dl_field_is_number(slice) &&
           dl_decimal_parse(value, slice.text, slice.len);
}

bool dl_record_number(const char **text, size_t *len, const dl_record *rec,
                      int field)
{
    dl_json_slice slice = rec->field[field];

    if (!dl_field_is_number(slice)) {
        return false;
    }
    *text = slice.text;
    *len = slice.len;
    return true;
}

bool dl_record_bool(bool *value, const dl_record *rec, int field)
{
    uint8_t kind = rec->field[field].kind;

    if (kind != DL_JSON_TRUE && kind != DL_JSON_FALSE) {
        return false;
    }
    *value = kind == DL_JSON_TRUE;
    return true;
}

bool dl_record_time(dl_time *value, const dl_record *rec, int field)
{
    const dl_dataset *ds = rec->judge->ds;

    if (dl_dataset_is_time(ds, field)) {
        *value = rec->event_time;
        return true;
    }
    return dl_field_time(value, rec->field[field],
                         DL_TIME_UNIX | DL_TIME_RFC3339 | DL_TIME_LOCAL,
                         ds->zone);
}

bool dl_record_date(dl_day *value, const dl_record *rec, int field)
{
    dl_json_slice slice = rec->field[field];

    return slice.kind == DL_JSON_STRING && slice.escaped == 0 &&
           dl_day_parse(value, slice.text, slice.len);
}
