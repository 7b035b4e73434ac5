/* dl_dataset.h - Datasets are declared, not coded.
 *
 * conf/datasets/NAME.json declares one: its topic, event time, fields, table.
 * conf/dataset.schema.json is the JSON Schema of such a file.  Whatever can
 * be derived from it is: validation of records, the day a record lies in,
 * the loader's columns.  A topic named only in [datasets] topics is an
 * untyped dataset: no fields but the event time (member "timestamp").
 *
 * Thread: a loaded set is never changed, any thread may read it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_DATASET_H
#define DL_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dl_json.h"
#include "dl_zone.h"

/* Most fields that indexes have a list of. */
#define DL_DATASET_KEYS 4

/* What the value of a field is.  A number may come as a JSON string in number
 * syntax. */
typedef enum dl_field_type {
    DL_FIELD_STR,  /* "str": a string */
    DL_FIELD_INT,  /* "int", "long": a whole number of 32 or 64 bits */
    DL_FIELD_DEC,  /* "dec": an exact decimal, DECIMAL(28,10) */
    DL_FIELD_NUM,  /* "num": any number, DOUBLE */
    DL_FIELD_BOOL, /* "bool": true or false */
    DL_FIELD_TIME, /* "time": an instant in one of the formats below */
    DL_FIELD_DATE, /* "date": a string YYYY-MM-DD */
    DL_FIELD_ANY   /* "any": whatever it is, kept as JSON */
} dl_field_type;

/* Return how a declaration writes TYPE: "str".  Thread: any. */
const char *dl_field_type_text(dl_field_type type);

/* Forms an event time may have; a set of bits. */
enum dl_time_format {
    DL_TIME_UNIX = 1,    /* "unix": seconds with fraction, a number */
    DL_TIME_RFC3339 = 2, /* "rfc3339": with a zone */
    DL_TIME_LOCAL = 4,   /* "local": the same without one, in event_zone */
    DL_TIME_DATE = 8,    /* "date": YYYY-MM-DD, the start of that day, UTC */
    DL_TIME_LOG = 16     /* "log": 20/Jan/2023 and, in another field, 11:37:58,
                            UTC */
};

/* What the warehouse does with a key it has already. */
typedef enum dl_repeat_rule {
    DL_REPEAT_SUPERSEDE, /* "supersede": the later Kafka time wins */
    DL_REPEAT_IGNORE     /* "ignore": the first one stays */
} dl_repeat_rule;

/* One field of a dataset. */
typedef struct dl_field {
    const char *path; /* dotted member path, the name of the field */
    int n_alternates; /* further paths, used when path is absent */
    const char *const *alternates; /* or null, in this order */
    int alternate_slot;            /* slot of the first of them in the shape */
    dl_field_type type;            /* of the value */
    bool required;                 /* a record without it is refused */
    bool key;                      /* a str that indexes have a list of, so
                                    * that equal ones are found at once; the
                                    * topic's key is one always */
    uint32_t max_chars;            /* a longer text is refused; 0: any length */
    int64_t min, max;              /* of an int */
    const char *column;            /* of the table; NULL: in the lake only */
} dl_field;

/* Objects in an array of a record that are rows of a table of their own, which
 * follows the row of the record. */
typedef struct dl_child {
    int field;                      /* the array, a field of type any */
    const struct dl_dataset *items; /* an object of it as a record: fields,
                                     * table, unique; no topic, no event time.
                                     * Its table has the unique columns of the
                                     * record's, too */
} dl_child;

/* Most of them a dataset has. */
#define DL_DATASET_CHILDREN 2

/* One dataset. */
typedef struct dl_dataset {
    const char *name;           /* also the lake's folder */
    const char *topic;          /* where its records come from */
    bool declared;              /* false: only named in [datasets] topics */
    const char *description;    /* a sentence; "" when not declared */
    int partitions;             /* of the topic, when we create it */
    int kafka_retention_days;   /* of the topic, when we create it */
    int n_fields;               /* fields */
    const dl_field *fields;     /* in order of the declaration */
    int key_field;              /* whose text is the Kafka key, -1: none */
    int time_field;             /* the event time, or with CLOCK_FIELD its day;
                                 * never -1 but in the items of a child */
    int clock_field;            /* the time of that day, -1: all is in
                                 * TIME_FIELD */
    const char *time_column;    /* column of such an event time; NULL: none */
    unsigned time_formats;      /* bits of dl_time_format */
    const dl_zone *zone;        /* of event times that have none */
    const char *table;          /* of the warehouse, NULL: none */
    int n_unique;               /* columns that make a row unique */
    const char *const *unique;  /* their names */
    dl_repeat_rule on_repeat;   /* what a repeated key does */
    const char *hash_column;    /* holds a hash of the fields below, as hex;
                                 * NULL: none */
    int n_hash;                 /* fields it is of */
    const int *hash;            /* their indexes */
    const char *id_column;      /* holds a number made of the record's Kafka
                                 * coordinates; NULL: none */
    const char *rollup;         /* name of the rollups it feeds, NULL: none */
    const char *changes_in;     /* dataset whose change events are about rows of
                                 * this one; NULL: its own are */
    int n_children;             /* arrays that are rows of other tables */
    const dl_child *children;   /* which */
    const dl_json_shape *shape; /* slot i is field i; alternates follow */
} dl_dataset;

/* All datasets, by name. */
typedef struct dl_dataset_set {
    int n;                       /* how many */
    const dl_dataset **datasets; /* sorted by name */
} dl_dataset_set;

/* Set *SET to all declarations in the folder CFG names and its untyped
 * topics.  DL_INVALID: "FILE:LINE: what is wrong, what would be right";
 * DL_IO: the folder cannot be read.  Lives in RESULT_POOL.  Thread: the owner
 * of the pool. */
DL_MUSTCHECK dl_status dl_dataset_load_all(dl_dataset_set **set,
                                           const dl_config *cfg, dl_error *err,
                                           apr_pool_t *result_pool);

/* The text of a declaration. */
typedef struct dl_dataset_source {
    const char *file;    /* for messages; its base name without .json must be
                          * the dataset's name */
    const char *text;    /* the declaration */
    size_t len;          /* its bytes */
    const dl_zone *zone; /* event_zone; kept by the dataset */
} dl_dataset_source;

/* Set *DS to what SOURCE declares.  DL_INVALID as above.  Lives in
 * RESULT_POOL.  Thread: the owner of the pool. */
DL_MUSTCHECK dl_status dl_dataset_parse(const dl_dataset **ds,
                                        const dl_dataset_source *source,
                                        dl_error *err, apr_pool_t *result_pool);

/* Set *DS to the untyped dataset of the topic NAME.  DL_INVALID: NAME cannot
 * be a dataset.  Lives in RESULT_POOL.  Thread: the owner of the pool. */
DL_MUSTCHECK dl_status dl_dataset_create_untyped(const dl_dataset **ds,
                                                 const char *name,
                                                 const dl_zone *zone,
                                                 dl_error *err,
                                                 apr_pool_t *result_pool);

/* Return a dataset in POOL by which change events of OF are judged (header
 * dl-event): nothing is required, their time is the member "at".
 * Thread: the owner of the pool. */
const dl_dataset *dl_dataset_create_event(const dl_dataset *of,
                                          apr_pool_t *pool);

/* Return the dataset called NAME, or NULL.  Thread: any. */
const dl_dataset *dl_dataset_find(const dl_dataset_set *set, const char *name);

/* Return the datasets of SET that have a table, and the items of children,
 * which have one; *N of them, in POOL.  Thread: the owner of the pool. */
const dl_dataset **dl_dataset_with_tables(int *n, const dl_dataset_set *set,
                                          apr_pool_t *pool);

/* Return the dataset fed by TOPIC, or NULL.  Thread: any. */
const dl_dataset *dl_dataset_find_topic(const dl_dataset_set *set,
                                        const char *topic);

/* Return the index of the field PATH in DS, or -1.  Thread: any. */
int dl_dataset_field(const dl_dataset *ds, const char *path);

/* Return whether field I of DS is its whole event time.  Thread: any. */
bool dl_dataset_is_time(const dl_dataset *ds, int i);

/* Return whether NAME can be a dataset: 1 to 100 of a-z 0-9 _ - that begin
 * with a letter.  Thread: any. */
bool dl_dataset_name_ok(const char *name);

#endif
