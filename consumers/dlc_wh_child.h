/* dlc_wh_child.h - Rows of tables that follow another: the objects in an array
 * of a record.
 *
 * They are made when the record's row is, wait beside it in the chunk, and are
 * stored in its transaction: added where the row is new, in place of those of
 * the row before where it supersedes one, not at all where it is not stored.
 * Of two objects of a record with one key the last counts.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_WH_CHILD_H
#define DLC_WH_CHILD_H

#include "dlc_wh_fact.h"
#include "dlc_wh_row.h"

/* Add the rows of the children of INPUT's record to CHUNK, in which LINE is
 * its row, the last one.  Thread: who fills the chunk. */
void dlc_wh_child_put(dlc_wh_chunk *chunk, dlc_wh_line *line,
                      const dlc_wh_input *input);

/* Store the children of the lines of CHUNK that are not out, in the open
 * transaction.  STAGED: their records are in the staging table and may have
 * superseded others.  DL_INTERNAL: the database refuses a row that was judged
 * good.  Thread: FACT's. */
DL_MUSTCHECK dl_status dlc_wh_child_store(dlc_wh_fact *fact,
                                          const dlc_wh_chunk *chunk,
                                          bool staged, dl_error *err);

#endif
