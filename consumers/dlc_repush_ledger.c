/* dlc_repush_ledger.c - A ledger in the database.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_repush_ledger.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_json_values.h"

/* A number of the ledger. */
typedef struct number {
    const char *name; /* as JSON has it */
    size_t at;        /* in the struct */
} number;

#define NUMBER(member)                                                         \
    {                                                                          \
#member, offsetof(dlc_repush_ledger, member)                           \
    }

static const number NUMBERS[] = {
    NUMBER(as_of),   NUMBER(behind), NUMBER(to),     NUMBER(since),
    NUMBER(lines),   NUMBER(sent),   NUMBER(failed), NUMBER(matched),
    NUMBER(replays), NUMBER(total)};

#define N_NUMBERS (sizeof NUMBERS / sizeof NUMBERS[0])

dl_status dlc_repush_ledger_load(dlc_repush_ledger *ledger,
                                 const dlc_work *work, dl_error *err,
                                 apr_pool_t *scratch_pool)
{
    const char *text = dlc_work_claim(work)->state_text;
    dl_json_values all;
    size_t i;

    memset(ledger, 0, sizeof *ledger);
    if (text == NULL) {
        return DL_OK;
    }
    if (dl_json_values_read(&all, text, strlen(text), scratch_pool) !=
        DL_JSON_FINE) {
        return dl_fail(err, DL_CORRUPT, 0, "the job's state is damaged");
    }
    for (i = 0; i < N_NUMBERS; i++) {
        uint32_t at = dl_json_values_member(&all, 0, NUMBERS[i].name);
        int64_t value;

        if (at == 0 || all.values[at].kind != DL_JSON_NUMBER) {
            return dl_fail(err, DL_CORRUPT, 0, "the job's state has no %s",
                           NUMBERS[i].name);
        }
        value = apr_atoi64(all.values[at].text);
        memcpy((char *)ledger + NUMBERS[i].at, &value, sizeof value);
    }
    return DL_OK;
}

dl_status dlc_repush_ledger_keep(const dlc_repush_ledger *ledger,
                                 dlc_work *work, dl_error *err)
{
    char text[DLC_REPUSH_LEDGER_TEXT];
    dl_job_progress progress = {
        .done = ledger->lines, .total = ledger->total, .state_text = text};
    size_t len = 0;
    bool cancelled;
    dl_wh *wh;
    size_t i;

    for (i = 0; i < N_NUMBERS; i++) {
        int64_t value;

        memcpy(&value, (const char *)ledger + NUMBERS[i].at, sizeof value);
        len +=
            (size_t)snprintf(text + len, sizeof text - len, "%c\"%s\":%" PRId64,
                             i == 0 ? '{' : ',', NUMBERS[i].name, value);
    }
    snprintf(text + len, sizeof text - len, "}");
    dlc_work_tell(work, ledger->lines, ledger->total);
    DL_TRY(dlc_work_wh(&wh, work, err));
    return dl_job_tell(&cancelled, wh, dlc_work_claim(work), &progress,
                       dl_time_now(), err);
}

void dlc_repush_ledger_result(dlc_work_outcome *outcome,
                              const dlc_repush_ledger *ledger)
{
    int64_t matched =
        ledger->matched + ledger->sent + ledger->failed + ledger->replays;

    snprintf(outcome->result, sizeof outcome->result,
             "{\"matched\":%" PRId64 ",\"sent\":%" PRId64 ",\"failed\":%" PRId64
             ",\"skipped_replays\":%" PRId64 "}",
             matched, ledger->sent, ledger->failed, ledger->replays);
}
