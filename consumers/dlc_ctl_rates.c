/* dlc_ctl_rates.c - datalakectl rates: load exchange rates.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_config.h"
#include "dl_wh.h"
#include "dlc_ctl.h"
#include "dlc_rates.h"

#include <stdio.h>

static dl_status rates_load(dlc_rates_done *done, dlc_ctl *ctl,
                            const char *file, dl_error *err)
{
    const dl_config *cfg;
    dlc_rates_load load = {0};
    dl_wh *wh;

    DL_TRY(dlc_ctl_config(&cfg, ctl, err));
    DL_TRY(dlc_ctl_datasets(&load.set, ctl, err));
    DL_TRY(dlc_rates_read(&load.rates, &load.n, file, err, ctl->pool));
    load.base = cfg->warehouse.base_currency;
    DL_TRY(dl_wh_connect(&wh, cfg, DL_WH_JOBS, err, ctl->pool));
    DL_TRY(dl_wh_schema_check(wh, err));
    return dlc_rates_apply(done, wh, &load, err, ctl->pool);
}

int dlc_ctl_rates(dlc_ctl *ctl, int argc, const char *const *argv)
{
    dlc_rates_done done;
    dlc_positionals rest;
    dl_error err = {0};
    dl_json_writer w = dlc_ctl_json(ctl);
    int exit_status = dlc_ctl_parse(&rest, ctl, NULL, argc, argv);

    if (exit_status < 0) {
        exit_status = dlc_ctl_want(ctl, &rest, 1, 1);
    }
    if (exit_status >= 0) {
        return exit_status;
    }
    if (rates_load(&done, ctl, rest.text[0], &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    if (ctl->json) {
        dl_json_write_object_begin(&w);
        dl_json_write_key(&w, "rates");
        dl_json_write_int(&w, done.rates);
        dl_json_write_key(&w, "days");
        dl_json_write_int(&w, done.days);
        dl_json_write_key(&w, "rows");
        dl_json_write_int(&w, done.rows);
        dl_json_write_object_end(&w);
        return dlc_ctl_print_json(ctl, &w);
    }
    printf("Stored %d rates; converted %lld rows of %d days anew.\n",
           done.rates, (long long)done.rows, done.days);
    return DLC_CTL_OK;
}
