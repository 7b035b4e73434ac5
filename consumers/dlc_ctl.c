/* dlc_ctl.c - Configuration on demand, failures, usage.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_ctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

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
