/* dl_lake_cluster.c - What only the journal knows: the Kafka cluster.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_journal.h"
#include "dl_lake_reading.h"

#include <fcntl.h>
#include <string.h>

#include <apr_strings.h>

/* Set FILE to the journal in the folder META. */
static dl_status read_journal(dl_lake_bytes *file, const dl_lake_io *io,
                              int meta, dl_error *err)
{
    dl_status status;
    uint64_t size;
    int fd;

    DL_TRY(dl_lake_file_open(&fd, io, meta, DL_LAKE_JOURNAL, O_RDONLY, err));
    status = dl_lake_file_size(&size, io, fd, err);
    if (status == DL_OK) {
        status = dl_lake_file_read(io, fd, dl_lake_bytes_room(file, size + 1),
                                   size, 0, err);
        file->len = size;
    }
    io->close(fd);
    return status;
}

dl_status dl_lake_cluster(const char **cluster, dl_lake_snapshot *snap,
                          dl_error *err, apr_pool_t *result_pool)
{
    dl_lake_state *state;
    dl_lake_bytes *file;
    apr_pool_t *pool;
    dl_status status;
    dl_lake_in in;

    apr_pool_create(&pool, result_pool);
    state = apr_palloc(pool, sizeof *state);
    file = apr_palloc(pool, sizeof *file);
    dl_lake_bytes_own(file, pool);
    dl_lake_state_begin(state, 0, pool);
    status =
        read_journal(file, dl_lake_calls(snap->lake), snap->dataset->meta, err);
    if (status == DL_OK) {
        in = dl_lake_in_make(file->data, file->len);
        status =
            dl_lake_journal_replay(state, &in, snap->dataset->name, err, pool);
    }
    if (status == DL_OK) {
        *cluster = apr_pstrdup(result_pool, state->cluster);
    }
    apr_pool_destroy(pool);
    return status;
}
