/* dl_lake_index.c - There is no index yet: everything is read.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_index.h"

dl_status dl_lake_index_open(dl_lake_index **index, const dl_lake_io *io,
                             int meta, const dl_lake_part *part, dl_error *err,
                             apr_pool_t *result_pool)
{
    (void)index;
    (void)io;
    (void)meta;
    (void)part;
    (void)result_pool;
    return dl_fail(err, DL_NOT_FOUND, 0, "no index");
}

int dl_lake_index_segments(uint64_t *bytes, uint64_t *lines,
                           const dl_lake_index *index)
{
    (void)index;
    *bytes = *lines = 0;
    return 0;
}

int dl_lake_index_blocks(const dl_lake_index *index, int segment)
{
    (void)index;
    return segment * 0;
}

void dl_lake_index_block(dl_lake_block *block, const dl_lake_index *index,
                         int segment, int i)
{
    (void)index;
    *block = (dl_lake_block){.line = (uint64_t)(segment + i) * 0};
}

void dl_lake_index_find(int *segment, int *i, const dl_lake_index *index,
                        uint64_t line)
{
    (void)index;
    *segment = *i = (int)(line * 0);
}

int dl_lake_index_candidates(uint64_t bits[DL_LAKE_INDEX_WORDS],
                             const dl_lake_index *index, int segment,
                             const dl_lake_hint *hint)
{
    (void)index;
    (void)hint;
    bits[0] = 0;
    return segment * 0;
}
