/* mdl_param.h - Typed parameters: one row per parameter, checked before the
 * handler runs.
 *
 * A route's table names everything it takes from the query and from the
 * {segments} of its template.  What no row names is 400 invalid-parameter, as
 * is a value that is repeated, empty, of the wrong type or out of range; every
 * fault is one errors[] entry with parameter, code and detail:
 *
 *   unknown  repeated  empty  required  not-a-number  not-a-boolean
 *   not-a-date  not-a-time  time-zone-missing  not-a-choice  out-of-range
 *   not-an-address  not-a-uuid
 *   too-long  not-utf-8  cursor-invalid (the handler's word)
 *
 * "Prefer: handling=lenient" lets unknown query parameters pass; nothing else.
 * With a row of filters the handler says which those are.
 * Every route of more than one format takes format= without a row.
 *
 *   enum { TOP_X, TOP_CURRENCY };
 *   static const mdl_param top_params[] = {
 *       [TOP_X] = {.name = "x", .alias = "top", .type = MDL_PARAM_INT,
 *                  .fallback = "5", .min = 1, .max = 1000,
 *                  .summary = "How many products"},
 *       [TOP_CURRENCY] = {...},
 *       {.name = NULL}};
 *
 * and the handler reads q->values[TOP_X].number.
 *
 * Thread: tables are constant; values belong to one request.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_PARAM_H
#define MDL_PARAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dl_time.h"

struct mdl_request;

/* What a value must be. */
typedef enum mdl_param_type {
    MDL_PARAM_TEXT, /* UTF-8 without control bytes, min..max bytes */
    MDL_PARAM_INT,  /* ASCII digits with an optional '-', min..max */
    MDL_PARAM_DATE, /* YYYY-MM-DD, a day of the calendar */
    MDL_PARAM_TIME, /* contract 1.3: RFC 3339 with zone, date, unix s or ms */
    MDL_PARAM_BOOL, /* true or false */
    MDL_PARAM_ENUM, /* one of choices, exactly as written */
    MDL_PARAM_LIST, /* comma list of texts, each min..max bytes, or "*" */
    MDL_PARAM_RESOURCE, /* dataset, or dataset/YYYY-MM-DD.json */
    MDL_PARAM_FILTERS,  /* every parameter no other row names: the handler
                          knows them; at most MDL_PARAM_PAIRS, each once */
    MDL_PARAM_ADDRESS,  /* IPv4 or IPv6 */
    MDL_PARAM_UUID,     /* 8-4-4-4-12 hexadecimal digits of any case */
    MDL_PARAM_CURSOR    /* opaque text; the handler decodes it */
} mdl_param_type;

/* The row of dataset= at place N of a parameter table; WORDS say of what. */
#define MDL_PARAM_DATASET(n, words)                                            \
    [n] = {.name = "dataset",                                                  \
           .type = MDL_PARAM_TEXT,                                             \
           .resource = true,                                                   \
           .min = 1,                                                           \
           .max = 255,                                                         \
           .fallback = "transaction_log",                                      \
           .summary = words}

/* Most parameters that a row of filters takes. */
#define MDL_PARAM_PAIRS 32

/* What is said of a filter with a fault. */
#define MDL_PARAM_FILTER_TAKES                                                 \
    "takes one text, and a request at most 32 filters"

/* One parameter that a row of filters took. */
typedef struct mdl_param_pair {
    const char *name;  /* decoded */
    const char *value; /* decoded, UTF-8 without control bytes */
    size_t len;        /* bytes of value */
    const char *fault; /* code of what is wrong with it, NULL: nothing; only
                          with lenient */
} mdl_param_pair;

/* One parameter. */
typedef struct mdl_param {
    const char *name;           /* query name, or {name} of the template */
    const char *alias;          /* second query name, NULL: none */
    mdl_param_type type;        /* what it must be */
    bool in_path;               /* a {segment} of the template */
    bool required;              /* absent: 400 */
    bool resource;              /* names what is accessed: parsed before the
                                   access check (contract 1.1) */
    bool account;               /* names an account, and is a resource too:
                                   another one than the caller's is for role
                                   admin alone */
    bool end;                   /* a TIME that ends a range: a date means the
                                   end of that day */
    int64_t min, max;           /* INT: values.  TEXT, LIST: bytes; max 0
                                   means 255 */
    const char *fallback;       /* taken when absent, as if sent; NULL: the
                                   value is absent */
    const char *const *choices; /* ENUM: texts, ends in NULL */
    const char *summary;        /* for the API description */
} mdl_param;

/* A checked value.  Only the member of its type means anything. */
typedef struct mdl_value {
    bool given;               /* sent, or filled from fallback */
    bool sent;                /* the client sent it */
    const char *text;         /* decoded text, all types; NULL when absent */
    size_t len;               /* bytes of text */
    int64_t number;           /* INT */
    bool flag;                /* BOOL */
    int choice;               /* ENUM: index into choices */
    dl_day day;               /* DATE */
    dl_time time;             /* TIME */
    int n_items;              /* LIST: items, 0 with "*" */
    const char *const *items; /* LIST: the items */
    const char *canonical;    /* ADDRESS, UUID: its shortest lower-case form */
    bool all;                 /* LIST: it was "*" */
    int n_pairs;              /* FILTERS: entries of pairs */
    mdl_param_pair *pairs;    /* FILTERS: what was sent, in that order */
    bool lenient;             /* FILTERS: names that the handler does not know
                                 are to be passed over, with their faults */
} mdl_value;

/* Parse the parameters of Q's route that may name a resource: path segments
 * but numbers and UUIDs, and rows marked resource.  Returns 0 (OK), or the status of a problem that has
 * been set.  Thread: the request's. */
int mdl_param_parse_resource(struct mdl_request *q);

/* Parse the rest of the query and judge the whole of it.  Returns as above.
 * Thread: the request's. */
int mdl_param_parse(struct mdl_request *q);

/* Report that the query parameter NAME, which a row of filters took, is wrong:
 * 400 invalid-parameter as below. */
int mdl_param_refuse_named(struct mdl_request *q, const char *name,
                           const char *code, const char *detail);

/* Report under the name of PARAM that its value is wrong: 400
 * invalid-parameter with one errors[] entry of CODE and DETAIL (both static or
 * in the request's pool).  For faults only a handler can see, such as
 * cursor-invalid.  Returns the status, so "return mdl_param_refuse(...)".
 * Thread: the request's. */
int mdl_param_refuse(struct mdl_request *q, const mdl_param *param,
                     const char *code, const char *detail);

#endif
