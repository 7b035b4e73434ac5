/* dl_json_values.h - All values of a small JSON text as one flat array.
 *
 * For request bodies, of which every member counts: an unknown one is refused,
 * a repeated one too.  The grammar is dl_json.h's, with its bounds (depth 64,
 * 10,000 values); beyond it no object may name a member twice, compared by the
 * characters the names stand for.
 *
 * The array is in the order of the text.  A value is followed by what is in
 * it; `next` leads past that to the next value beside it:
 *
 *   {"a":1,"b":[2,{"c":3}],"d":4}
 *    0     1    2    3 4 5      6     values[2].next is 6
 *
 * So the members of an object at I are I + 1, then each next, while below
 * values[I].next.
 *
 * Memory: one block of at most 64 bytes for each value and the length of the
 * text, from malloc, wiped and freed with the pool, since bodies hold
 * passwords.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_JSON_VALUES_H
#define DL_JSON_VALUES_H

#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_json.h"

/* One value. */
typedef struct dl_json_value {
    const char *name;    /* of a member, without escapes, then a NUL; else
                            NULL */
    const char *text;    /* of a string, without escapes, or of a number, as
                            received; then a NUL; else NULL */
    uint32_t name_len;   /* bytes of name, which may hold a NUL */
    uint32_t len;        /* bytes of text, which may hold a NUL */
    uint32_t first, end; /* where it stands in the text: its first byte, the
                            byte behind its last */
    uint32_t name_first; /* where its name's quotation mark stands */
    uint32_t parent;     /* index of what it is in; the first: 0 */
    uint32_t next;       /* index behind it and all in it */
    uint8_t kind;        /* a dl_json_kind */
} dl_json_value;

/* All values of a text. */
typedef struct dl_json_values {
    const dl_json_value *values; /* the first is the whole */
    uint32_t n;                  /* how many */
    const char *reason;          /* static: what is wrong, NULL: nothing */
    uint32_t offset;             /* the byte of the text at which it is */
} dl_json_values;

/* Read the LEN bytes at TEXT into OUT.  DL_JSON_FINE: it is an object.
 * DL_JSON_NOT_OBJECT: it is well-formed, but something else, and OUT has no
 * values.  Other faults: reason and offset say what and where; a name that
 * comes twice is DL_JSON_SYNTAX.  The values live in POOL.
 * Thread: the pool's. */
dl_json_fault dl_json_values_read(dl_json_values *out, const char *text,
                                  size_t len, apr_pool_t *pool);

/* Return the index of the member NAME of the object at OBJECT in VALUES, or 0
 * when it has none.  Thread: any. */
uint32_t dl_json_values_member(const dl_json_values *values, uint32_t object,
                               const char *name);

#endif
