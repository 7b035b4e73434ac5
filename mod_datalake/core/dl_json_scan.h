/* dl_json_scan.h - Inside the scanner: its state and the steps it shares.
 *
 * For dl_json.c (the grammar) and dl_json_escape.c (characters) only.
 *
 * A text is copied only from its first change on.  `pending` is the first
 * byte of the text not yet copied to the scratch; what stands before it is
 * already there, `copied` bytes of it.  So a byte at p of the text has place
 * copied + (p - pending) of the canonical line, whether or not anything was
 * copied yet, and slots are kept as places in the scratch until it is known
 * where the line lies.
 *
 * Each step takes the next byte and returns the one behind what it read, or
 * NULL when it failed: so the position stays in a register.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_JSON_SCAN_H
#define DL_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "dl_json.h"

/* A scan under way. */
typedef struct dl_json_scanner {
    const unsigned char *end;     /* behind the last byte of the text */
    const unsigned char *pending; /* the first byte not copied */
    char *scratch;                /* the line, when it is copied */
    size_t copied;                /* bytes of it that stand there */
    dl_json_slice *slots;         /* what was picked out */
    int values;                   /* seen so far */
    int depth;                    /* open objects and arrays */
    dl_json_fault fault;          /* the first mistake */
    const char *reason;           /* its text, static */
    const unsigned char *at;      /* its byte */
} dl_json_scanner;

/* Note FAULT at P and return NULL.  Thread: any. */
const unsigned char *dl_json_fail(dl_json_scanner *s, const unsigned char *p,
                                  dl_json_fault fault, const char *reason);

/* Note that the grammar does not allow the byte at P, for REASON unless it is
 * not UTF-8 or the text ends there; return NULL.  Thread: any. */
const unsigned char *dl_json_fail_syntax(dl_json_scanner *s,
                                         const unsigned char *p,
                                         const char *reason);

/* Read what stands at P inside a string and is not plain: an escape (sets
 * *ESCAPED when it stays), characters past ASCII; or fail.  Thread: any. */
const unsigned char *dl_json_scan_special(dl_json_scanner *s,
                                          const unsigned char *p,
                                          uint8_t *escaped);

/* Return the place of P in the canonical line.  Thread: any. */
static inline char *dl_json_place(const dl_json_scanner *s,
                                  const unsigned char *p)
{
    return s->scratch + s->copied + (p - s->pending);
}

/* Copy what is pending before P.  Thread: any. */
static inline void dl_json_copy(dl_json_scanner *s, const unsigned char *p)
{
    size_t n = (size_t)(p - s->pending);
    char *to = s->scratch + s->copied;

    if (n <= 32 && s->end - s->pending >= 32) {
        /* A fixed size is a few moves; the slack takes what is too much. */
        memcpy(to, s->pending, 32);
    }
    else {
        memcpy(to, s->pending, n);
    }
    s->copied += n;
    s->pending = p;
}

#endif
