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
    case DL_SOURCE_MYSQL:
    case DL_SOURCE_SOCKET:
        break;
    }
    return dl_fail(err, DL_UNSUPPORTED, 0,
                   "source %s: its type is not built in", plan->source->name);
}
