/* dl_record.h - The one pure judge of a Kafka value, for both sinks.
 *
 * The verdict depends on the bytes, the declaration and Kafka's timestamp
 * alone: no clock, no locale, no environment.  A replay therefore chooses
 * the same verdict and the same day.
 *
 * Rules, in this order:
 *   too-big     over 1 MiB, 64 levels or 10,000 values
 *   encoding    not UTF-8, or an escaped lone surrogate
 *   not-json    breaks the grammar (an empty value does)
 *   not-object  JSON, but not an object
 *   schema      a required field is missing, null or ill-typed; a text has
 *               more characters than its column; a decimal more than 18
 *               digits before the point
 *   bad-time    the event time is unreadable, outside the years 1970..9999,
 *               or more than 24 h after Kafka's timestamp
 * An ill-typed optional field does not matter here: the lake keeps it, its
 * converter below returns false, its column is NULL.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_RECORD_H
#define DL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_dataset.h"
#include "dl_decimal.h"
#include "dl_json.h"
#include "dl_time.h"

/* An event may lie this far after Kafka's timestamp. */
#define DL_RECORD_FUTURE_US DL_DAY_US

/* Room for the detail and its NUL. */
#define DL_RECORD_DETAIL 160

/* What a value is worth. */
typedef enum dl_verdict {
    DL_RECORD_GOOD = 0,   /* it is stored */
    DL_RECORD_NOT_JSON,   /* "not-json" */
    DL_RECORD_NOT_OBJECT, /* "not-object" */
    DL_RECORD_ENCODING,   /* "encoding" */
    DL_RECORD_TOO_BIG,    /* "too-big" */
    DL_RECORD_SCHEMA,     /* "schema" */
    DL_RECORD_BAD_TIME    /* "bad-time" */
} dl_verdict;

/* How many verdicts there are. */
#define DL_VERDICTS 7

/* Return the name of VERDICT as in the contract; "good" for a good one.
 * Static.  Thread: any. */
const char *dl_verdict_name(dl_verdict verdict);

/* One judged value.  Everything it points to is valid until the next call
 * with the same judge, as long as the payload is. */
typedef struct dl_record {
    dl_verdict verdict;            /* what it is worth */
    char detail[DL_RECORD_DETAIL]; /* why it is bad, "" when good; names
                                    * members and offsets, never a value */
    bool too_long;                 /* it is bad for a text that is longer than
                                    * its column */
    const char *line;              /* the canonical line, no newline */
    uint32_t line_len;             /* its bytes */
    const dl_json_slice *field;    /* field i of the dataset, in the line */
    dl_time event_time;            /* Kafka's timestamp where it has none */
    dl_day day;                    /* UTC day of event_time */
    struct dl_judge *judge;        /* who judged it; for the converters */
} dl_record;

/* Judges the records of one dataset and owns the memory for that. */
typedef struct dl_judge dl_judge;

/* Return a judge for DS, in POOL; it holds two buffers of 1 MiB, touched as
 * far as records need them.  Thread: each thread has its own. */
dl_judge *dl_judge_create(const dl_dataset *ds, apr_pool_t *pool);

/* Return whose records JUDGE judges.  Thread: any. */
const dl_dataset *dl_judge_dataset(const dl_judge *judge);

/* Return the judge of the objects in the array CHILD of the dataset (from 0);
 * it is JUDGE's.  Thread: the owner of JUDGE. */
dl_judge *dl_judge_child(const dl_judge *judge, int child);

/* Judge the LEN bytes of PAYLOAD (NULL with 0), a value with Kafka's
 * timestamp KAFKA_TIME (DL_TIME_NONE or negative: it has none), into REC.
 * Never fails and never allocates.  REC->line and below are set only when it
 * is good.  Thread: the owner of JUDGE. */
void dl_record_judge(dl_record *rec, dl_judge *judge, const void *payload,
                     size_t len, dl_time kafka_time);

/* Set *TEXT and *LEN to the characters of string field FIELD of the good
 * record REC; false: absent, null or ill-typed.  Valid as long as REC.
 * Thread: the owner of the judge. */
bool dl_record_text(const char **text, size_t *len, const dl_record *rec,
                    int field);

/* Set *VALUE to int field FIELD; false as dl_record_text, or out of the
 * bounds of its type.  Thread: any. */
bool dl_record_int(int64_t *value, const dl_record *rec, int field);

/* Set *VALUE to decimal field FIELD; false as dl_record_text.
 * Thread: any. */
bool dl_record_decimal(dl_decimal *value, const dl_record *rec, int field);

/* Set *TEXT and *LEN to the number text of field FIELD (num, dec, int);
 * false as dl_record_text.  Thread: any. */
bool dl_record_number(const char **text, size_t *len, const dl_record *rec,
                      int field);

/* Set *VALUE to bool field FIELD; false as dl_record_text.  Thread: any. */
bool dl_record_bool(bool *value, const dl_record *rec, int field);

/* Set *VALUE to time field FIELD; false as dl_record_text.  The field that is
 * the event time gives REC->event_time, also when absent.  Thread: any. */
bool dl_record_time(dl_time *value, const dl_record *rec, int field);

/* Set *VALUE to date field FIELD; false as dl_record_text.  Thread: any. */
bool dl_record_date(dl_day *value, const dl_record *rec, int field);

#endif
