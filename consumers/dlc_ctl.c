/* dlc_ctl.c - Configuration on demand, failures, usage, JSON.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_ctl.h"

#include "dl_config.h"
#include "dl_dataset.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

dl_status dlc_ctl_config(const dl_config **cfg, dlc_ctl *ctl, dl_error *err)
{
    if (ctl->cfg == NULL) {
        DL_TRY(dl_config_load(&ctl->cfg, ctl->config_path, err, ctl->pool));
    }
    *cfg = ctl->cfg;
    return DL_OK;
}

dl_status dlc_ctl_datasets(const dl_dataset_set **set, dlc_ctl *ctl,
                           dl_error *err)
{
    const dl_config *cfg;

    DL_TRY(dlc_ctl_config(&cfg, ctl, err));
    if (ctl->datasets == NULL) {
        DL_TRY(dl_dataset_load_all(&ctl->datasets, cfg, err, ctl->pool));
    }
    *set = ctl->datasets;
    return DL_OK;
}

dl_status dlc_ctl_dataset(const dl_dataset **dataset, dlc_ctl *ctl,
                          const char *name, dl_error *err)
{
    const dl_dataset_set *set;
    const char *names = "";

    DL_TRY(dlc_ctl_datasets(&set, ctl, err));
    *dataset = dl_dataset_find(set, name);
    if (*dataset != NULL) {
        return DL_OK;
    }
    for (int i = 0; i < set->n; i++) {
        names = apr_pstrcat(ctl->pool, names, i > 0 ? ", " : "",
                            set->datasets[i]->name, NULL);
    }
    return dl_fail(err, DL_NOT_FOUND, 0,
                   "there is no dataset \"%.60s\"; there are: %s", name, names);
}

int dlc_ctl_fail(const dlc_ctl *ctl, const dl_error *err)
{
    fprintf(stderr, "datalakectl%s%s: %s\n",
            ctl->command->name[0] != '\0' ? " " : "", ctl->command->name,
            err->text);
    return err->status == DL_UNAVAILABLE || err->status == DL_TIMEOUT
               ? DLC_CTL_AWAY
               : DLC_CTL_FAILED;
}

int dlc_ctl_usage(const dlc_ctl *ctl, const char *format, ...)
{
    va_list args;
    const char *space = ctl->command->name[0] != '\0' ? " " : "";

    fprintf(stderr, "datalakectl%s%s: ", space, ctl->command->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nusage: datalakectl [-c FILE] [--json]%s%s %s\n", space,
            ctl->command->name, ctl->command->usage);
    return DLC_CTL_USAGE;
}

/* Print the help of the subcommand with the options of TABLE. */
static void print_help(const dlc_ctl *ctl, const dlc_option *table)
{
    printf("usage: datalakectl [-c FILE] [--json] %s %s\n\n%s.\n\n",
           ctl->command->name, ctl->command->usage, ctl->command->sentence);
    dlc_options_print(stdout, table);
}

int dlc_ctl_parse(dlc_positionals *rest, dlc_ctl *ctl, const dlc_option *table,
                  int argc, const char *const *argv)
{
    bool help = false;
    dlc_option all[32] = {
        {"config", 'c', DLC_OPTION_TEXT, &ctl->config_path, 0, 0, "FILE",
         "read FILE instead of $DATALAKE_CONFIG"},
        {"json", 0, DLC_OPTION_FLAG, &ctl->json, 0, 0, NULL,
         "print what a program can read"},
        {"help", 0, DLC_OPTION_FLAG, &help, 0, 0, NULL, "print this help"},
    };
    dl_error err = {0};

    for (int n = 3; table != NULL && table->name != NULL; table++) {
        all[n++] = *table;
        if (table->letter == 'c') {
            all[0].letter = 0; /* grep -c counts, behind the name */
        }
    }
    if (dlc_options_parse(rest, all, argc, argv, &err) != DL_OK) {
        return dlc_ctl_usage(ctl, "%s", err.text);
    }
    if (help) {
        print_help(ctl, all);
        return DLC_CTL_OK;
    }
    return -1;
}

int dlc_ctl_want(const dlc_ctl *ctl, const dlc_positionals *rest, int min,
                 int max)
{
    if (rest->n < min) {
        return dlc_ctl_usage(ctl, "an argument is missing");
    }
    if (rest->n > max) {
        return dlc_ctl_usage(ctl, "unexpected argument \"%.60s\"",
                             rest->text[max]);
    }
    return -1;
}

dl_json_writer dlc_ctl_json(const dlc_ctl *ctl)
{
    dl_json_writer w;

    dl_json_writer_begin(&w, dl_buf_create(DLC_CTL_JSON_MAX, ctl->pool));
    return w;
}

int dlc_ctl_print_json(const dlc_ctl *ctl, const dl_json_writer *w)
{
    dl_error err = {0};

    if (dl_json_writer_finish(w, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    fwrite(w->buf->data, 1, w->buf->len, stdout);
    putchar('\n');
    return DLC_CTL_OK;
}

void dlc_ctl_print_text(const char *text, int width)
{
    int used = (int)strlen(text);

    /* Columns are aligned by bytes; a cell never runs into the next. */
    printf("%s%*s", text, used < width ? width - used : 1, "");
}
