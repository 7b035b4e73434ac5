/* dl_fold.c - Case folding by table, in both directions.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_fold.h"

#include "dl_fold_table.h"

uint32_t dl_fold(uint32_t code)
{
    uint32_t page = code >> 8;

    if (page >= DL_FOLD_INDEX || dl_fold_index[page] == 0) {
        return code;
    }
    return dl_fold_map[dl_fold_index[page] - 1][code & 255];
}

int dl_fold_origins(uint32_t out[DL_FOLD_ORIGINS], uint32_t folded)
{
    int low = 0;
    int high = DL_FOLD_PAIRS;
    int n = 0;

    out[n++] = folded;
    while (low < high) {
        int middle = low + (high - low) / 2;

        if (dl_fold_pairs[middle][0] < folded) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    while (n < DL_FOLD_ORIGINS && low < DL_FOLD_PAIRS &&
           dl_fold_pairs[low][0] == folded) {
        out[n++] = dl_fold_pairs[low++][1];
    }
    return n;
}

const char *dl_fold_version(void)
{
    return DL_FOLD_VERSION;
}
