/* dlc_ctl_retention.c - datalakectl retention: what goes, or would go.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_ctl.h"
#include "dlc_retention.h"

#include <inttypes.h>
#include <stdio.h>

/* What is being told. */
typedef struct telling {
    const dlc_ctl *ctl; /* the run */
    dl_json_writer w;   /* the answer in JSON */
    uint64_t items;     /* told so far */
} telling;

static void told(void *context, const dlc_retention_item *item)
{
    telling *t = context;

    t->items++;
    if (!t->ctl->json) {
        printf("%s%s%s: %" PRIu64 "\n", item->what,
               item->of[0] != '\0' ? " " : "", item->of, item->records);
        return;
    }
    dl_json_write_object_begin(&t->w);
    dl_json_write_key(&t->w, "what");
    dl_json_write_text(&t->w, item->what);
    dl_json_write_key(&t->w, "of");
    item->of[0] != '\0' ? dl_json_write_text(&t->w, item->of)
                        : dl_json_write_null(&t->w);
    dl_json_write_key(&t->w, "records");
    dl_json_write_int(&t->w, (int64_t)item->records);
    dl_json_write_object_end(&t->w);
}

static dl_status retain(dlc_retention *run, dlc_ctl *ctl, dl_error *err)
{
    DL_TRY(dlc_ctl_config(&run->cfg, ctl, err));
    DL_TRY(dlc_ctl_datasets(&run->set, ctl, err));
    DL_TRY(dl_wh_connect(&run->wh, run->cfg, DL_WH_JOBS, err, ctl->pool));
    DL_TRY(dl_wh_schema_check(run->wh, err));
    run->now = dl_time_now();
    DL_TRY(dlc_retention_remove(run, err, ctl->pool));
    return dlc_retention_accounts(run, err, ctl->pool);
}

int dlc_ctl_retention(dlc_ctl *ctl, int argc, const char *const *argv)
{
    telling t = {.ctl = ctl, .w = dlc_ctl_json(ctl)};
    dlc_retention run = {.context = &t, .told = told};
    const dlc_option table[] = {{"dry-run", 0, DLC_OPTION_FLAG, &run.dry_run, 0,
                                 0, NULL, "tell what would go, change nothing"},
                                {.name = NULL}};
    dlc_positionals rest;
    dl_error err = {0};
    int exit_status = dlc_ctl_parse(&rest, ctl, table, argc, argv);

    if (exit_status < 0) {
        exit_status = dlc_ctl_want(ctl, &rest, 0, 0);
    }
    if (exit_status >= 0) {
        return exit_status;
    }
    dl_json_write_array_begin(&t.w);
    if (retain(&run, ctl, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    dl_json_write_array_end(&t.w);
    if (ctl->json) {
        return dlc_ctl_print_json(ctl, &t.w);
    }
    if (t.items == 0) {
        puts(run.dry_run ? "nothing would go" : "nothing went");
    }
    return DLC_CTL_OK;
}
