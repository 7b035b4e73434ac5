/* dlc_ctl_cat.c - datalakectl cat: the lines of a day, as they stand or stood.
 *
 * The bytes are those of GET /api/audit/version/, NDJSON, or JSON with
 * --json.  Memory: one stretch of lines, whatever the day's size.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "dl_json.h"
#include "dl_lake_reader.h"
#include "dl_line_meta.h"
#include "dlc_ctl_read.h"

/* Bytes of a line with _dl, at most. */
#define ROW_MAX ((size_t)DL_JSON_MAX_BYTES + 4096)

/* What is printed. */
typedef struct catting {
    const dlc_ctl *ctl;  /* the run */
    dlc_target target;   /* which day */
    dl_lake_range range; /* which lines */
    uint64_t lines;      /* printed so far */
} catting;

/* Print the LEN bytes of one record at TEXT. */
static void print_record(catting *c, const char *text, size_t len)
{
    if (c->ctl->json) {
        putchar(c->lines == 0 ? '[' : ',');
    }
    fwrite(text, 1, len, stdout);
    if (!c->ctl->json) {
        putchar('\n');
    }
    c->lines++;
}

static dl_status print_with_meta(catting *c, dl_lake_scan *scan, dl_error *err)
{
    dl_buf *row = dl_buf_create(ROW_MAX, c->ctl->pool);
    dl_lake_line line;

    DL_TRY(dl_lake_scan_next(&line, scan, err));
    while (line.text != NULL && ferror(stdout) == 0) {
        row->len = 0;
        DL_TRY(dl_line_meta_append(row, c->target.dataset, c->target.day, &line,
                                   err));
        print_record(c, row->data, row->len);
        DL_TRY(dl_lake_scan_next(&line, scan, err));
    }
    return DL_OK;
}

/* Print the LEN bytes of whole lines at DATA as elements of an array. */
static void print_elements(catting *c, const char *data, size_t len)
{
    const char *end = data + len;

    while (data < end) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        size_t n = (size_t)((newline != NULL ? newline : end) - data);

        print_record(c, data, n);
        data += n + 1;
    }
}

static dl_status print_plain(catting *c, dl_lake_scan *scan, dl_error *err)
{
    const char *data;
    size_t len;

    DL_TRY(dl_lake_scan_chunk(&data, &len, scan, err));
    while (data != NULL && ferror(stdout) == 0) {
        if (c->ctl->json) {
            print_elements(c, data, len);
        }
        else {
            fwrite(data, 1, len, stdout);
        }
        DL_TRY(dl_lake_scan_chunk(&data, &len, scan, err));
    }
    return DL_OK;
}

static dl_status print_day(catting *c, dl_lake *lake, dl_error *err)
{
    dl_lake_snapshot *snap;
    dl_lake_scan *scan;

    DL_TRY(dl_lake_snapshot_open(&snap, lake, c->target.dataset, err,
                                 c->ctl->pool));
    c->range.day = c->target.day;
    DL_TRY(dl_lake_scan_open(&scan, snap, &c->range, err, c->ctl->pool));
    DL_TRY(c->range.with_coords ? print_with_meta(c, scan, err)
                                : print_plain(c, scan, err));
    if (c->ctl->json) {
        fputs(c->lines == 0 ? "[]\n" : "]\n", stdout);
    }
    return DL_OK;
}

int dlc_ctl_cat(dlc_ctl *ctl, int argc, const char *const *argv)
{
    catting c = {.ctl = ctl, .range = {.as_of = DL_TIME_NONE}};
    int64_t version = 0;
    int64_t from_line = 1;
    const char *as_of = NULL;
    const dlc_option table[] = {
        {"as-of", 0, DLC_OPTION_TEXT, &as_of, 0, 0, "TIME",
         "as after the last commit until then"},
        {"from-line", 0, DLC_OPTION_INT, &from_line, 1, INT64_MAX, "N",
         "begin with line N, from 1"},
        {"meta", 0, DLC_OPTION_FLAG, &c.range.with_coords, 0, 0, NULL,
         "add _dl, where each record came from"},
        {"version", 0, DLC_OPTION_INT, &version, 1, INT64_MAX, "N",
         "as after the N-th commit of the day"},
        {.name = NULL}};
    dl_error err = {.status = DL_OK};
    dl_lake *lake;
    int status = dlc_read_day(&lake, &c.target, ctl, table, argc, argv);

    if (status < 0 && as_of != NULL) {
        status = version != 0
                     ? dlc_ctl_usage(ctl, "--version and --as-of exclude each "
                                          "other")
                     : dlc_read_time(&c.range.as_of, ctl, "as-of", as_of);
    }
    if (status >= 0) {
        return status;
    }
    c.range.version = (uint64_t)version;
    c.range.from_line = (uint64_t)from_line;
    return print_day(&c, lake, &err) == DL_OK
               ? DLC_CTL_OK
               : dlc_read_fail(ctl, c.target.text, &err);
}
