/* dl_lake_compact_roll.h - Finishing compactions that were cut short.
 *
 * Shared by the compaction and the recovery of a writer only.
 *
 * Thread: the holder of the lock of m/, or the writer before it publishes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_COMPACT_ROLL_H
#define DL_LAKE_COMPACT_ROLL_H

#include "dl_lake_manifest.h"

/* Look at every folder in COMPACT: exchange one whose whole file M names and
 * DATA does not have, then remove what is left in COMPACT (FORMAT.md 12).
 * DATA is the folder of the dataset. */
DL_MUSTCHECK dl_status dl_lake_compact_roll(const dl_lake_manifest *m,
                                            const dl_lake_manifest_place *place,
                                            int data, int compact,
                                            dl_error *err);

/* Remove FOLDER in the folder ABOVE with the files in it.  That it is not
 * there is fine. */
DL_MUSTCHECK dl_status dl_lake_folder_remove(const dl_lake_io *io, int above,
                                             const char *folder, dl_error *err);

#endif
