/* dlc_collect.c - The readers there are, by the type of a source.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_collect.h"

dl_status dlc_collect_reader_create(dlc_collect_reader **reader,
                                    const dlc_collect_plan *plan, dl_error *err,
                                    apr_pool_t *pool)
{
    switch ((dl_source_type)plan->source->type) {
    case DL_SOURCE_FILE:
        return dlc_collect_file_create(reader, plan, err, pool);
    case DL_SOURCE_SQLITE:
        return dlc_collect_sqlite_create(reader, plan, err, pool);
    case DL_SOURCE_MYSQL:
        return dlc_collect_mysql_create(reader, plan, err, pool);
    case DL_SOURCE_SOCKET:
        return dlc_collect_socket_create(reader, plan, err, pool);
    }
    return dl_fail(err, DL_INTERNAL, 0, "source %s: its type is unknown",
                   plan->source->name);
}
