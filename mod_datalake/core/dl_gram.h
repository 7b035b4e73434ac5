/* dl_gram.h - The four-byte rows of a text, each a row of a small table.
 *
 * FORMAT.md 18: what a line is for an index - decoded, folded - and which
 * rows its grams lie in; and which rows every line has that holds a text.
 *
 * Thread: any, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_GRAM_H
#define DL_GRAM_H

#include <stddef.h>
#include <stdint.h>

/* Rows, and words with a bit for each. */
#define DL_GRAM_ROWS  32768
#define DL_GRAM_WORDS (DL_GRAM_ROWS / 64)

/* Bytes of a gram. */
#define DL_GRAM 4

/* Return how many bytes dl_gram_fold may write for LEN. */
size_t dl_gram_room(size_t len);

/* Write the text of the line of LEN bytes at LINE (without newline), \u
 * escapes decoded, case folded, to OUT, which has dl_gram_room(LEN); return
 * its length.  Bytes that are not UTF-8 stay. */
size_t dl_gram_fold(char *out, const char *line, size_t len);

/* Set to 1 in MARKS, a byte a row, the rows of the grams of the LEN bytes of
 * folded text at TEXT. */
void dl_gram_mark(uint8_t marks[DL_GRAM_ROWS], const char *text, size_t len);

/* Set in BITS the rows that are 1 in MARKS, and clear the others. */
void dl_gram_pack(uint64_t bits[DL_GRAM_WORDS],
                  const uint8_t marks[DL_GRAM_ROWS]);

/* Write to ROWS, which has room for MAX, rows that every line has whose text,
 * or a value in which, holds the LEN bytes of UTF-8 at TEXT without regard to
 * case; return how many.  0: the text says nothing. */
int dl_gram_rows(uint16_t *rows, int max, const char *text, size_t len);

#endif
