/* dl_lake_message.c - A message by its coordinates.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_message.h"

#include "dl_lake_locate.h"

static dl_status not_there(const dl_coord *coord, dl_error *err)
{
    return dl_fail(err, DL_NOT_FOUND, 0,
                   "the lake does not have the message of partition %d, offset "
                   "%lld",
                   coord->partition, (long long)coord->offset);
}

static dl_status find_aside(dl_lake_message *message, dl_lake_snapshot *snap,
                            const dl_lake_quarantine_place *place,
                            const dl_coord *coord, dl_error *err,
                            apr_pool_t *pool)
{
    dl_lake_quarantine_walk *walk;
    dl_lake_set_aside q;

    DL_TRY(dl_lake_quarantine_open(&walk, snap, place, err, pool));
    DL_TRY(dl_lake_quarantine_next(&q, walk, err));
    if (q.payload == NULL || q.coord.generation != coord->generation ||
        q.coord.partition != coord->partition ||
        q.coord.offset != coord->offset) {
        return not_there(coord, err);
    }
    *message = (dl_lake_message){q.key, q.key_len, q.payload, q.len};
    return DL_OK;
}

dl_status dl_lake_message_find(dl_lake_message *message, dl_lake_snapshot *snap,
                               const dl_lake_quarantine_place *place,
                               const dl_coord *coord, dl_error *err,
                               apr_pool_t *result_pool)
{
    dl_lake_location found;
    dl_lake_spot spot;

    if (place->lake != 0) {
        return find_aside(message, snap, place, coord, err, result_pool);
    }
    DL_TRY(dl_lake_locate_offset(&spot, snap, coord, err, result_pool));
    DL_TRY(dl_lake_locate_line(&found, snap, &spot, err, result_pool));
    *message = (dl_lake_message){NULL, 0, found.text, found.len};
    return DL_OK;
}
