/* dlc_ctl_read.c - Targets, times and the opened lake.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_ctl_read.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_config.h"
#include "dl_lake_part.h"

int dlc_read_begin(dl_lake **lake, dlc_positionals *rest, dlc_ctl *ctl,
                   const dlc_option *table, int argc, const char *const *argv)
{
    dl_error err = {.status = DL_OK};
    const dl_config *cfg;
    int exit_status = dlc_ctl_parse(rest, ctl, table, argc, argv);

    if (exit_status >= 0) {
        return exit_status;
    }
    signal(SIGPIPE, SIG_DFL); /* also where it was left ignored */
    if (dlc_ctl_config(&cfg, ctl, &err) != DL_OK ||
        dl_lake_open(lake, cfg->lake.path, &err, ctl->pool) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    return -1;
}

int dlc_read_target(dlc_target *target, const dlc_ctl *ctl, const char *text,
                    bool need_day)
{
    const char *slash = strchr(text, '/');
    size_t len;

    target->text = text;
    target->day = DL_DAY_NONE;
    target->dataset =
        slash == NULL ? text
                      : apr_pstrmemdup(ctl->pool, text, (size_t)(slash - text));
    if (!dl_lake_name_valid(target->dataset)) {
        return dlc_ctl_usage(ctl, "\"%.60s\" is no name of a dataset",
                             target->dataset);
    }
    if (slash == NULL) {
        return need_day ? dlc_ctl_usage(ctl, "a day is missing: %.60s/DATE",
                                        target->dataset)
                        : -1;
    }
    len = strlen(slash + 1);
    if (len > 5 && strcmp(slash + 1 + len - 5, ".json") == 0) {
        len -= 5;
    }
    if (!dl_day_parse(&target->day, slash + 1, len)) {
        return dlc_ctl_usage(ctl, "the day must be YYYY-MM-DD, not \"%.60s\"",
                             slash + 1);
    }
    return -1;
}

int dlc_read_day(dl_lake **lake, dlc_target *target, dlc_ctl *ctl,
                 const dlc_option *table, int argc, const char *const *argv)
{
    dlc_positionals rest;
    int status = dlc_read_begin(lake, &rest, ctl, table, argc, argv);

    if (status < 0) {
        status = dlc_ctl_want(ctl, &rest, 1, 1);
    }
    return status >= 0 ? status
                       : dlc_read_target(target, ctl, rest.text[0], true);
}

int dlc_read_time(dl_time *time, const dlc_ctl *ctl, const char *name,
                  const char *text)
{
    bool whole_day;
    bool zone_missing = false;

    if (!dl_time_parse_asked(time, &whole_day, &zone_missing, text,
                             strlen(text)) ||
        zone_missing) {
        return dlc_ctl_usage(ctl,
                             "--%s must be a time with a zone, as "
                             "2026-05-18T09:30:00Z, or a date, not \"%.60s\"",
                             name, text);
    }
    return -1;
}

const char *dlc_read_name(const char *dataset, dl_day day, apr_pool_t *pool)
{
    char date[DL_DAY_TEXT];

    dl_day_format(date, day);
    return apr_pstrcat(pool, dataset, "/", date, NULL);
}

int dlc_read_fail(const dlc_ctl *ctl, const char *name, const dl_error *err)
{
    dl_error full = *err;

    (void)dl_wrap(&full, "%s", name);
    return dlc_ctl_fail(ctl, &full);
}

void dlc_read_write_number(dl_json_writer *w, const char *name, uint64_t value)
{
    dl_json_write_key(w, name);
    dl_json_write_int(w, (int64_t)value);
}

bool dlc_read_flush(dl_json_writer *w, const char *before)
{
    dl_error err;
    bool written = dl_json_writer_finish(w, &err) == DL_OK;

    if (written) {
        fputs(before, stdout);
        fwrite(w->buf->data, 1, w->buf->len, stdout);
    }
    w->buf->len = 0;
    dl_json_writer_begin(w, w->buf);
    return written && ferror(stdout) == 0;
}
