/* dlc_ctl_migrate.c - datalakectl migrate: bring the warehouse to our schema.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh.h"
#include "dlc_ctl.h"

#include <stdio.h>

/* Told each step by dl_wh_migrate. */
static void say(void *context, const char *sentence)
{
    const dlc_ctl *ctl = context;

    if (!ctl->json) {
        puts(sentence);
    }
}

static dl_status migrate(dlc_ctl *ctl, int *before, int *after, dl_error *err)
{
    dl_wh_migration_options options = {.say = say, .context = ctl};
    dl_wh *wh;

    DL_TRY(dlc_ctl_config(&options.cfg, ctl, err));
    DL_TRY(dlc_ctl_datasets(&options.set, ctl, err));
    DL_TRY(dl_wh_connect(&wh, options.cfg, DL_WH_MIGRATE, err, ctl->pool));
    DL_TRY(dl_wh_schema_version(before, wh, err));
    DL_TRY(dl_wh_migrate(wh, &options, err, ctl->pool));
    return dl_wh_schema_version(after, wh, err);
}

int dlc_ctl_migrate(dlc_ctl *ctl, int argc, const char *const *argv)
{
    int before = 0;
    int after = 0;
    dlc_positionals rest;
    dl_error err = {0};
    dl_json_writer w = dlc_ctl_json(ctl);
    int exit_status = dlc_ctl_parse(&rest, ctl, NULL, argc, argv);

    if (exit_status < 0) {
        exit_status = dlc_ctl_want(ctl, &rest, 0, 0);
    }
    if (exit_status >= 0) {
        return exit_status;
    }
    if (migrate(ctl, &before, &after, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    if (ctl->json) {
        dl_json_write_object_begin(&w);
        dl_json_write_key(&w, "before");
        dl_json_write_int(&w, before);
        dl_json_write_key(&w, "after");
        dl_json_write_int(&w, after);
        dl_json_write_object_end(&w);
        return dlc_ctl_print_json(ctl, &w);
    }
    printf(before == after ? "The schema is at version %d.\n"
                           : "The schema is now at version %d.\n",
           after);
    return DLC_CTL_OK;
}
