/* dlc_ctl_ls.c - datalakectl ls: the datasets of the lake, and their days.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "dlc_ctl_read.h"

/* Bytes of a name's column. */
#define NAME_WIDTH 32

/* One listing. */
typedef struct listing {
    const dlc_ctl *ctl; /* the run */
    dl_lake *lake;      /* what is listed */
    bool long_form;     /* sizes and times too */
    dl_json_writer *w;  /* the answer in JSON */
} listing;

static void print_time(dl_time time)
{
    char text[DL_TIME_TEXT];

    if (time == DL_TIME_NONE) {
        fputs("  -", stdout);
        return;
    }
    dl_time_format(text, time);
    printf("  %s", text);
}

static void write_time(dl_json_writer *w, const char *name, dl_time time)
{
    dl_json_write_key(w, name);
    dl_json_write_time(w, time);
}

/* --- Days ----------------------------------------------------------------- */

static void write_day(dl_json_writer *w, const char *dataset,
                      const dl_lake_day *day)
{
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "dataset");
    dl_json_write_text(w, dataset);
    dl_json_write_key(w, "date");
    dl_json_write_day(w, day->day);
    dlc_read_write_number(w, "bytes", day->bytes);
    dlc_read_write_number(w, "records", day->records);
    dlc_read_write_number(w, "version", day->version);
    write_time(w, "first_time", day->first_time);
    write_time(w, "last_time", day->last_time);
    dl_json_write_object_end(w);
}

static void tell_day(const listing *l, const char *dataset,
                     const dl_lake_day *day)
{
    const char *name = dlc_read_name(dataset, day->day, l->ctl->pool);

    if (l->ctl->json) {
        write_day(l->w, dataset, day);
        return;
    }
    if (!l->long_form) {
        puts(name);
        return;
    }
    dlc_ctl_print_text(name, NAME_WIDTH);
    printf("%14" PRIu64 " %12" PRIu64 " %9" PRIu64, day->bytes, day->records,
           day->version);
    print_time(day->first_time);
    print_time(day->last_time);
    putchar('\n');
}

static void tell_days_head(const listing *l)
{
    if (!l->ctl->json && l->long_form) {
        dlc_ctl_print_text("day", NAME_WIDTH);
        printf("%14s %12s %9s  %-27s  %s\n", "bytes", "records", "version",
               "first time", "last time");
    }
}

static dl_status list_days(const listing *l, const dlc_target *target,
                           dl_error *err)
{
    dl_lake_snapshot *snap;
    dl_lake_day day;
    int i;

    DL_TRY(dl_lake_snapshot_open(&snap, l->lake, target->dataset, err,
                                 l->ctl->pool));
    if (target->day != DL_DAY_NONE) {
        DL_TRY(dl_lake_day_find(&day, snap, target->day, err));
        tell_days_head(l);
        tell_day(l, target->dataset, &day);
        return DL_OK;
    }
    tell_days_head(l);
    for (i = 0; i < dl_lake_days(snap); i++) {
        tell_day(l, target->dataset, dl_lake_day_at(snap, i));
    }
    return DL_OK;
}

/* --- Datasets ------------------------------------------------------------- */

static void write_dataset(dl_json_writer *w, const char *name,
                          dl_lake_snapshot *snap)
{
    const dl_lake_totals *totals = dl_lake_snapshot_totals(snap);
    int n = dl_lake_days(snap);

    dl_json_write_object_begin(w);
    dl_json_write_key(w, "dataset");
    dl_json_write_text(w, name);
    dlc_read_write_number(w, "days", (uint64_t)n);
    dlc_read_write_number(w, "bytes", totals->bytes);
    dlc_read_write_number(w, "records", totals->records);
    dlc_read_write_number(w, "commits", totals->commits);
    dl_json_write_key(w, "first_date");
    dl_json_write_day(w, n > 0 ? dl_lake_day_at(snap, 0)->day : DL_DAY_NONE);
    dl_json_write_key(w, "last_date");
    dl_json_write_day(w,
                      n > 0 ? dl_lake_day_at(snap, n - 1)->day : DL_DAY_NONE);
    write_time(w, "last_commit", totals->last_commit);
    dl_json_write_object_end(w);
}

static void tell_dataset(const listing *l, const char *name,
                         dl_lake_snapshot *snap)
{
    const dl_lake_totals *totals = dl_lake_snapshot_totals(snap);

    if (l->ctl->json) {
        write_dataset(l->w, name, snap);
        return;
    }
    if (!l->long_form) {
        puts(name);
        return;
    }
    dlc_ctl_print_text(name, NAME_WIDTH);
    printf("%14" PRIu64 " %12" PRIu64 " %9d", totals->bytes, totals->records,
           dl_lake_days(snap));
    print_time(totals->last_commit);
    putchar('\n');
}

static dl_status list_datasets(const listing *l, dl_error *err)
{
    const char *const *names;
    dl_lake_snapshot *snap;
    int n;
    int i;

    DL_TRY(dl_lake_datasets(&names, &n, l->lake, err, l->ctl->pool));
    if (!l->ctl->json && l->long_form) {
        dlc_ctl_print_text("dataset", NAME_WIDTH);
        printf("%14s %12s %9s  %s\n", "bytes", "records", "days",
               "last commit");
    }
    for (i = 0; i < n; i++) {
        dl_status status =
            dl_lake_snapshot_open(&snap, l->lake, names[i], err, l->ctl->pool);

        if (status == DL_OK) {
            tell_dataset(l, names[i], snap);
        }
        else if (status != DL_NOT_FOUND) { /* its writer has never run */
            return status;
        }
    }
    return DL_OK;
}

int dlc_ctl_ls(dlc_ctl *ctl, int argc, const char *const *argv)
{
    dl_json_writer w = dlc_ctl_json(ctl);
    listing l = {.ctl = ctl, .w = &w};
    const dlc_option table[] = {{"long", 'l', DLC_OPTION_FLAG, &l.long_form, 0,
                                 0, NULL, "sizes, versions and times too"},
                                {.name = NULL}};
    dl_error err = {.status = DL_OK};
    dlc_positionals rest;
    dlc_target target = {.day = DL_DAY_NONE};
    int status = dlc_read_begin(&l.lake, &rest, ctl, table, argc, argv);

    if (status < 0) {
        status = dlc_ctl_want(ctl, &rest, 0, 1);
    }
    if (status < 0 && rest.n == 1) {
        status = dlc_read_target(&target, ctl, rest.text[0], false);
    }
    if (status >= 0) {
        return status;
    }
    dl_json_write_array_begin(&w);
    if ((rest.n == 0 ? list_datasets(&l, &err)
                     : list_days(&l, &target, &err)) != DL_OK) {
        return rest.n == 0 ? dlc_ctl_fail(ctl, &err)
                           : dlc_read_fail(ctl, rest.text[0], &err);
    }
    dl_json_write_array_end(&w);
    return ctl->json ? dlc_ctl_print_json(ctl, &w) : DLC_CTL_OK;
}
