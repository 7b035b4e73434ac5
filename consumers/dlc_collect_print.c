/* dlc_collect_print.c - A dry run: records on the terminal instead of in Kafka.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_collect_run.h"

#include <inttypes.h>
#include <stdio.h>

#include "dlc_collect_record.h"

dl_status dlc_collect_run_print(dlc_collect_run *run, dl_error *err,
                                apr_pool_t *pool)
{
    const dlc_collect_memory memory = {.n = 0};
    const dlc_collect_plan plan = {
        .source = run->source, .memory = &memory, .preview = true};
    dlc_collect_reader *reader;
    dlc_collect_maker *maker;

    DL_TRY(dlc_collect_maker_create(&maker, run->source, run->ds, err, pool));
    DL_TRY(dlc_collect_reader_create(&reader, &plan, err, pool));
    while (*run->stop == 0) {
        dlc_collect_got got;
        dlc_collect_row row = {.raw = NULL};
        dlc_collect_record record;

        DL_TRY(reader->calls->next(&got, &row, reader, err));
        if (got == DLC_COLLECT_END) {
            break;
        }
        if (got != DLC_COLLECT_ROW) {
            continue;
        }
        DL_TRY(dlc_collect_maker_make(&record, maker, &row, err));
        if (record.fault != NULL) {
            fprintf(stderr, "%s:%" PRIu64 ": %s\n", row.place, row.line,
                    record.fault);
        }
        printf("%.*s\t%.*s\n", (int)record.key_len, record.key, (int)record.len,
               record.value);
    }
    return DL_OK;
}
