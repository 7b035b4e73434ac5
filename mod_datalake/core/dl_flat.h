/* dl_flat.h - Walk the small JSON objects that tokens are made of.
 *
 * The grammar is smaller than JSON on purpose, so that nothing in a token can
 * be read in two ways: one object whose values are strings of printable ASCII
 * without escapes, numbers without exponent, true, false or null; no objects
 * or arrays inside, at most DL_FLAT_MEMBERS members, no name twice.  White
 * space between tokens is allowed.
 *
 * Thread: any; a walk belongs to the thread on whose stack it lies.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_FLAT_H
#define DL_FLAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Most members of an object. */
#define DL_FLAT_MEMBERS 24

/* What a value is. */
typedef enum dl_flat_kind {
    DL_FLAT_STRING, /* the text stands between the quotes */
    DL_FLAT_NUMBER, /* -?digits, perhaps with a fraction */
    DL_FLAT_LITERAL /* true, false or null */
} dl_flat_kind;

/* Part of the text that is walked; not NUL-terminated. */
typedef struct dl_flat_slice {
    const char *text; /* NULL: absent */
    size_t len;       /* its bytes */
} dl_flat_slice;

/* One member. */
typedef struct dl_flat_member {
    dl_flat_slice name;  /* between its quotes */
    dl_flat_slice value; /* between its quotes when it is a string */
    dl_flat_kind kind;   /* of the value */
} dl_flat_member;

/* A walk.  Set up by dl_flat_open; members are private. */
typedef struct dl_flat {
    const char *at;                       /* next byte */
    const char *end;                      /* behind the last byte */
    int n;                                /* members seen */
    bool ended;                           /* the object was closed, well */
    dl_flat_slice names[DL_FLAT_MEMBERS]; /* of the members seen */
} dl_flat;

/* Begin WALK over LEN bytes of TEXT, which must outlive it. */
void dl_flat_open(dl_flat *walk, const char *text, size_t len);

/* Set *MEMBER to the next member; false at the end and at the first breach of
 * the grammar, which dl_flat_ended tells apart. */
bool dl_flat_next(dl_flat_member *member, dl_flat *walk);

/* Whether the whole text was one object of this grammar, after dl_flat_next
 * returned false. */
bool dl_flat_ended(const dl_flat *walk);

/* Whether SLICE is there and equals TEXT. */
bool dl_flat_equals(dl_flat_slice slice, const char *text);

#endif
