/* dl_lake_notes.h - The notes of a trail's entry, written and read.
 *
 * An entry's notes are runs of lines with the same headers and the same kind
 * of key (FORMAT.md 4).  The writer is told of lines whose note is not the
 * plain one, no headers and the line's own key, and of what ends such a run;
 * an entry of plain lines has no notes and costs nothing.
 *
 * Memory: a writer's noting is about 7 KB and what an entry can have, from
 * the first line of a commit that is not plain to the commit's end; a
 * reader's is 30 KB.
 *
 * Thread: the owner of the object.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_NOTES_H
#define DL_LAKE_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_lake_bytes.h"
#include "dl_line_note.h"

/* --- Writing -------------------------------------------------------------- */

typedef struct dl_lake_noting dl_lake_noting; /* notes being built */

/* Tell *RESULT (NULL: nothing to note so far; made when it is needed) that the
 * line behind LINES others of the entry has NOTE, NULL being the plain one. */
void dl_lake_noting_add(dl_lake_noting **result, uint32_t lines,
                        const dl_line_note *note);

/* Whether an entry with NOTING (or NULL) has no room for NOTE (or NULL). */
bool dl_lake_noting_full(const dl_lake_noting *noting,
                         const dl_line_note *note);

/* Bytes that the notes in NOTING (or NULL) have so far. */
size_t dl_lake_noting_pending(const dl_lake_noting *noting);

/* End the entry of LINES lines: add its notes to OUT, if it has any, and begin
 * the next one.  NOTING may be NULL. */
void dl_lake_noting_close(dl_lake_noting *noting, uint32_t lines,
                          dl_lake_bytes *out);

/* Forget all and give the memory back; *RESULT is NULL then. */
void dl_lake_noting_free(dl_lake_noting **result);

/* --- Reading -------------------------------------------------------------- */

typedef struct dl_lake_noted dl_lake_noted; /* notes being read */

/* Return room for reading notes, freed with POOL. */
dl_lake_noted *dl_lake_noted_create(apr_pool_t *pool);

/* Begin reading the notes IN, which is what is left of an entry of LINES lines
 * behind its coordinates, and stays until they are read. */
void dl_lake_noted_begin(dl_lake_noted *noted, dl_lake_in in, uint64_t lines);

/* Return the note of the next line, which lives with NOTED until the next
 * call; NULL when the notes are malformed or there is no such line. */
const dl_line_note *dl_lake_noted_next(dl_lake_noted *noted);

/* Whether all lines were taken and the notes were used exactly. */
bool dl_lake_noted_at_end(const dl_lake_noted *noted);

#endif
