/* dl_anchor.h - Two bytes at a fixed distance, looked for in a long text.
 *
 * What is looked for in gigabytes is first looked for by the two of its bytes
 * that are the rarest; where both stand, it is compared whole (dl_needle.c).
 * There is one function for each kind of processor and all find the same;
 * which one runs is chosen once.
 *
 * Thread: any, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_ANCHOR_H
#define DL_ANCHOR_H

#include <stddef.h>
#include <stdint.h>

/* Two bytes.  Byte I stands at P if (text[P + at[I]] | mask[I]) == value[I]:
 * the bits of the mask are those in which upper and lower case differ. */
typedef struct dl_anchors {
    size_t at[2];     /* places, counted from P; at[0] <= at[1] */
    uint8_t mask[2];  /* bits that do not matter */
    uint8_t value[2]; /* the other bits, those of the mask set */
} dl_anchors;

/* A function that returns the first P >= FROM of the LEN bytes at TEXT at
 * which both ANCHORS stand, LEN if there is none. */
typedef size_t dl_anchor_scan(const dl_anchors *anchors,
                              const unsigned char *text, size_t len,
                              size_t from);

/* Find by the fastest function that this processor has. */
dl_anchor_scan dl_anchor_find;

/* One of the functions. */
typedef struct dl_anchor_kind {
    const char *name;     /* "avx2", "sse2", "bytes" */
    dl_anchor_scan *scan; /* the function */
} dl_anchor_kind;

/* Set *KINDS to the functions that this processor can run, the fastest first;
 * return how many.  Static. */
int dl_anchor_kinds(const dl_anchor_kind **kinds);

/* Return how many of the LEN bytes at TEXT are newlines. */
size_t dl_anchor_lines(const char *text, size_t len);

#endif
