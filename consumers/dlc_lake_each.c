/* dlc_lake_each.c - One scan a day.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_lake_each.h"

static dl_status each_of_day(dl_lake_scan *scan, dlc_lake_visit *visit,
                             void *context, dl_error *err)
{
    dl_lake_line line;

    DL_TRY(dl_lake_scan_next(&line, scan, err));
    while (line.text != NULL) {
        DL_TRY(visit(context, &line, err));
        DL_TRY(dl_lake_scan_next(&line, scan, err));
    }
    return DL_OK;
}

dl_status dlc_lake_each(dl_lake_snapshot *snap, dlc_lake_visit *visit,
                        void *context, dl_error *err, apr_pool_t *scratch_pool)
{
    apr_pool_t *iterpool;

    apr_pool_create(&iterpool, scratch_pool);
    for (int i = 0; i < dl_lake_days(snap); i++) {
        const dl_lake_range range = {.day = dl_lake_day_at(snap, i)->day,
                                     .as_of = DL_TIME_NONE,
                                     .with_coords = true,
                                     .with_notes = true};
        dl_lake_scan *scan;

        apr_pool_clear(iterpool);
        DL_TRY(dl_lake_scan_open(&scan, snap, &range, err, iterpool));
        DL_TRY(each_of_day(scan, visit, context, err));
    }
    apr_pool_destroy(iterpool);
    return DL_OK;
}
