/* dl_grant.h - What a grant names, and what it covers.
 *
 *   resource   what is granted                             covers
 *   D          the dataset D                               D, its days, and
 *                                                          prefixes D/...*
 *   D/YYYY-MM-DD.json   one day of D                       that day
 *   P*         everything whose name begins with P         datasets, days and
 *                                                          prefixes from P on
 *   *          the same with nothing before it             all, tables too
 *   table:T    the table T of the warehouse                that table
 *
 * No longer prefix than * covers a table.  A resource is covered as a whole
 * or not at all; levels are read < write < admin, each holds the ones below.
 * Grants only add: what one of them covers no other takes away.
 *
 * A grant set is the grants of one account, packed into bytes that can lie in
 * shared memory: of each grant when it ends (8 bytes), kind, level, length of
 * the text, and the text.
 *
 * Pure.  Thread: any; a set belongs to its owner.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_GRANT_H
#define DL_GRANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dl_error.h"
#include "dl_time.h"

/* How much a grant allows; each level holds the ones before it. */
typedef enum dl_level {
    DL_LEVEL_NONE,  /* nothing; no grant has it */
    DL_LEVEL_READ,  /* "read" */
    DL_LEVEL_WRITE, /* "write" */
    DL_LEVEL_ADMIN  /* "admin": also to grant read and write to others */
} dl_level;

/* The name of LEVEL as the contract writes it; "none" for none.  Static
 * text. */
const char *dl_level_name(dl_level level);

/* Set *LEVEL to the level named by LEN bytes of TEXT, never to NONE; false,
 * *LEVEL untouched, when there is none of that exact name. */
bool dl_level_parse(dl_level *level, const char *text, size_t len);

/* The four forms of a resource. */
typedef enum dl_resource_kind {
    DL_RESOURCE_DATASET, /* D */
    DL_RESOURCE_DAY,     /* D/YYYY-MM-DD.json */
    DL_RESOURCE_PREFIX,  /* P*, P may be empty */
    DL_RESOURCE_TABLE    /* table:T */
} dl_resource_kind;

/* No resource has a longer text: a dataset of 100 bytes and a day. */
#define DL_RESOURCE_MAX 116

/* A resource, well formed.  Points into the text it was parsed from. */
typedef struct dl_resource {
    dl_resource_kind kind; /* its form */
    const char *text;      /* as written, not ended by a NUL */
    size_t len;            /* bytes of text */
    size_t name_len;       /* of them the dataset's, the prefix's without *, or
                              the table's, which is the end of text */
} dl_resource;

/* Set *RESOURCE to what the LEN bytes of TEXT name.  DL_INVALID: they are none
 * of the four forms; the sentence says what is. */
DL_MUSTCHECK dl_status dl_resource_parse(dl_resource *resource,
                                         const char *text, size_t len,
                                         dl_error *err);

/* Set *RESOURCE to the whole dataset NAME (as dl_dataset_name_ok), which is
 * not copied. */
void dl_resource_of_dataset(dl_resource *resource, const char *name);

/* Set *RESOURCE to DAY of the dataset NAME; its text is written to OUT. */
void dl_resource_of_day(dl_resource *resource, char out[DL_RESOURCE_MAX + 1],
                        const char *name, dl_day day);

/* Return whether who holds HOLDS has the whole of WANTS. */
bool dl_resource_covers(const dl_resource *holds, const dl_resource *wants);

/* One grant of an account. */
typedef struct dl_grant {
    dl_resource resource; /* of what */
    dl_level level;       /* how much */
    dl_time expires_at;   /* first instant without it; DL_TIME_NONE: never */
} dl_grant;

/* The grants of an account, packed. */
typedef struct dl_grant_set {
    unsigned char *bytes; /* the owner's */
    size_t max;           /* bytes there is room for */
    size_t len;           /* bytes used */
} dl_grant_set;

/* Append GRANT to SET.  False: there is no room, SET is as before. */
bool dl_grant_set_add(dl_grant_set *set, const dl_grant *grant);

/* Set *GRANT to the one at *AT (0 at first) of SET, pointing into it, and *AT
 * behind it.  False: there is none left. */
bool dl_grant_set_next(dl_grant *grant, size_t *at, const dl_grant_set *set);

/* Return whether a grant of SET that has not ended at NOW covers WANTS with
 * LEVEL or more; *RULE (may be NULL) is then the one that lasts longest. */
bool dl_grant_set_allows(dl_grant *rule, const dl_grant_set *set,
                         const dl_resource *wants, dl_level level, dl_time now);

/* Return whether SET may allow to read some day of the dataset NAME at NOW:
 * when it does not, no day of it need be looked at. */
bool dl_grant_set_touches(const dl_grant_set *set, const char *name,
                          dl_time now);

/* Return a number of those grants of SET that hold at NOW: whoever holds
 * others has, but for chance, another number. */
uint64_t dl_grant_set_hash(const dl_grant_set *set, dl_time now);

#endif
