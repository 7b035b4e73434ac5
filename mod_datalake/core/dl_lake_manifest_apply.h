/* dl_lake_manifest_apply.h - What a record does to a manifest's meaning.
 *
 * Shared by reading and writing halves of the manifest only.
 *
 * Thread: the owner of the manifest.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_MANIFEST_APPLY_H
#define DL_LAKE_MANIFEST_APPLY_H

#include "dl_lake_manifest.h"

/* Let M have PART instead of what stood for its numbers. */
void dl_lake_manifest_apply_part(dl_lake_manifest *m, const dl_lake_part *part);

/* Let M have REMOVED instead of the parts and the sum of its day. */
void dl_lake_manifest_apply_removed(dl_lake_manifest *m,
                                    const dl_lake_removed *removed);

/* Let M have SUM instead of the sum of its day. */
void dl_lake_manifest_apply_sum(dl_lake_manifest *m, const dl_lake_sum *sum);

#endif
