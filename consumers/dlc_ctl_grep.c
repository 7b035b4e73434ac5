/* dlc_ctl_grep.c - datalakectl grep: lines that hold a text, without regard to
 * case.
 *
 * The match is that of the API: dl_search over the whole text of a line, as
 * /api/fulltext_search/ does, or over its values, as /api/search/ does.  An
 * index beside a part is used where there is one.  Exit statuses are those of
 * grep(1): 0 found, 1 nothing found, 2 anything else.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_grant.h"
#include "dl_json.h"
#include "dl_lake_reader.h"
#include "dl_line_meta.h"
#include "dl_search.h"
#include "dlc_ctl_read.h"
#include "dlc_progress.h"

/* Exit statuses of grep(1). */
enum {
    GREP_FOUND = 0,
    GREP_NOTHING = 1,
    GREP_FAILED = 2
};

/* Bytes of a line with _dl, at most, and of what stands around it. */
#define ROW_MAX ((size_t)DL_JSON_MAX_BYTES + 8192)

/* A search on the command line. */
typedef struct grepping {
    const dlc_ctl *ctl; /* the run */
    dl_lake *lake;      /* what is searched */
    dl_search *search;  /* the text */
    dl_lake_hint *hint; /* the same, for indexes */
    bool values;        /* look at values alone */
    bool count;         /* print counts alone */
    bool number;        /* print where each line stands */
    bool meta;          /* print _dl */
    int64_t most;       /* stop after so many */
    int64_t found;      /* so far */
    int64_t in_day;     /* in the day at hand */
    dl_json_writer w;   /* a line of the answer in JSON */
    dl_buf *row;        /* a line with _dl */
} grepping;

static bool is_done(const grepping *g)
{
    return g->found >= g->most || ferror(stdout) != 0;
}

static bool matches(const grepping *g, const dl_lake_line *line)
{
    return g->values ? dl_search_values(g->search, line->text, line->len)
                     : dl_search_text(g->search, line->text, line->len);
}

/* --- Output ---------------------------------------------------------------- */

/* Begin an element of the answer in JSON with the name of its day. */
static void begin_element(grepping *g, const dlc_target *day)
{
    char text[DL_RESOURCE_MAX + 1];
    dl_resource resource;

    dl_resource_of_day(&resource, text, day->dataset, day->day);
    dl_json_write_object_begin(&g->w);
    dl_json_write_key(&g->w, "resource");
    dl_json_write_string(&g->w, resource.text, resource.len);
}

static void end_element(grepping *g, bool first)
{
    dl_json_write_object_end(&g->w);
    dlc_read_flush(&g->w, first ? "[" : ",\n");
}

/* Set *TEXT and *LEN to what is printed of LINE. */
static dl_status whole_line(const char **text, size_t *len, grepping *g,
                            const dlc_target *day, const dl_lake_line *line,
                            dl_error *err)
{
    *text = line->text;
    *len = line->len;
    if (!g->meta) {
        return DL_OK;
    }
    g->row->len = 0;
    DL_TRY(dl_line_meta_append(g->row, day->dataset, day->day, line, err));
    *text = g->row->data;
    *len = g->row->len;
    return DL_OK;
}

static dl_status print_line(grepping *g, const dlc_target *day,
                            const dl_lake_line *line, dl_error *err)
{
    const char *text;
    size_t len;

    DL_TRY(whole_line(&text, &len, g, day, line, err));
    if (g->ctl->json) {
        begin_element(g, day);
        dlc_read_write_number(&g->w, "line", line->line);
        dl_json_write_key(&g->w, "record");
        dl_json_write_raw(&g->w, text, len);
        end_element(g, g->found == 1);
        return DL_OK;
    }
    if (g->number) {
        char date[DL_DAY_TEXT];

        dl_day_format(date, day->day);
        printf("%s%s/%s:%" PRIu64 ":%s", dlc_colour(stdout, DLC_COLOUR_GREEN),
               day->dataset, date, line->line,
               dlc_colour(stdout, DLC_COLOUR_NONE));
    }
    fwrite(text, 1, len, stdout);
    putchar('\n');
    return DL_OK;
}

static void print_count(grepping *g, const dlc_target *day, bool first)
{
    if (g->ctl->json) {
        begin_element(g, day);
        dlc_read_write_number(&g->w, "count", (uint64_t)g->in_day);
        end_element(g, first);
        return;
    }
    printf("%s:%" PRId64 "\n",
           dlc_read_name(day->dataset, day->day, g->ctl->pool), g->in_day);
}

/* --- Searching ------------------------------------------------------------- */

static dl_status take_line(grepping *g, const dlc_target *day,
                           const dl_lake_line *line, dl_error *err)
{
    g->found++;
    g->in_day++;
    return g->count ? DL_OK : print_line(g, day, line, err);
}

/* Search SCAN stretch by stretch. */
static dl_status search_lines(grepping *g, dl_lake_scan *scan,
                              const dlc_target *day, dl_error *err)
{
    dl_search_lines lines;
    dl_search_line found;
    const char *data;
    size_t len;

    DL_TRY(dl_lake_scan_chunk(&data, &len, scan, err));
    while (data != NULL) {
        dl_search_lines_begin(&lines, data, len, dl_lake_scan_chunk_line(scan));
        while (!is_done(g) &&
               dl_search_lines_next(&found, &lines, g->search, g->values)) {
            const dl_lake_line line = {
                .text = found.text, .len = found.len, .line = found.line};

            DL_TRY(take_line(g, day, &line, err));
        }
        if (is_done(g)) {
            return DL_OK;
        }
        DL_TRY(dl_lake_scan_chunk(&data, &len, scan, err));
    }
    return DL_OK;
}

/* Search SCAN line by line, with coordinates. */
static dl_status search_with_meta(grepping *g, dl_lake_scan *scan,
                                  const dlc_target *day, dl_error *err)
{
    dl_lake_line line;

    DL_TRY(dl_lake_scan_next(&line, scan, err));
    while (line.text != NULL && !is_done(g)) {
        if (matches(g, &line)) {
            DL_TRY(take_line(g, day, &line, err));
        }
        DL_TRY(dl_lake_scan_next(&line, scan, err));
    }
    return DL_OK;
}

static dl_status search_day(grepping *g, dl_lake_snapshot *snap,
                            const dlc_target *day, dl_error *err)
{
    dl_lake_range range = {.day = day->day,
                           .as_of = DL_TIME_NONE,
                           .with_coords = g->meta,
                           .hint = g->hint};
    dl_lake_scan *scan;
    apr_pool_t *pool;

    apr_pool_create(&pool, g->ctl->pool);
    g->in_day = 0;
    DL_TRY(dl_lake_scan_open(&scan, snap, &range, err, pool));
    DL_TRY(g->meta ? search_with_meta(g, scan, day, err)
                   : search_lines(g, scan, day, err));
    if (g->count && g->in_day > 0) {
        print_count(g, day, g->found == g->in_day);
    }
    apr_pool_destroy(pool);
    return DL_OK;
}

static dl_status search_target(grepping *g, const dlc_target *target,
                               dl_error *err)
{
    dl_lake_snapshot *snap;
    dlc_target day = *target;
    int i;

    DL_TRY(dl_lake_snapshot_open(&snap, g->lake, target->dataset, err,
                                 g->ctl->pool));
    if (target->day != DL_DAY_NONE) {
        return search_day(g, snap, target, err);
    }
    for (i = 0; i < dl_lake_days(snap) && !is_done(g); i++) {
        day.day = dl_lake_day_at(snap, i)->day;
        DL_TRY(search_day(g, snap, &day, err));
    }
    return DL_OK;
}

/* Search all datasets. */
static dl_status search_lake(grepping *g, dl_error *err)
{
    const char *const *names;
    int n;
    int i;

    DL_TRY(dl_lake_datasets(&names, &n, g->lake, err, g->ctl->pool));
    for (i = 0; i < n && !is_done(g); i++) {
        dlc_target target = {.dataset = names[i], .day = DL_DAY_NONE};
        dl_status status = search_target(g, &target, err);

        if (status != DL_OK && status != DL_NOT_FOUND) {
            return dl_wrap(err, "%s", names[i]);
        }
    }
    return DL_OK;
}

static dl_status search_all(grepping *g, const dlc_target *targets, int n,
                            dl_error *err)
{
    int i;

    if (n == 0) {
        return search_lake(g, err);
    }
    for (i = 0; i < n && !is_done(g); i++) {
        if (search_target(g, &targets[i], err) != DL_OK) {
            return dl_wrap(err, "%s", targets[i].dataset);
        }
    }
    return DL_OK;
}

/* --- The command ----------------------------------------------------------- */

static dl_status prepare(grepping *g, const char *text, dl_error *err)
{
    apr_pool_t *pool = g->ctl->pool;

    DL_TRY(dl_search_create(&g->search, text, strlen(text), err, pool));
    dl_lake_hint_create(&g->hint, pool);
    dl_search_hint(g->search, g->hint, g->values);
    dl_json_writer_begin(&g->w, dl_buf_create(ROW_MAX, pool));
    g->row = dl_buf_create(ROW_MAX, pool);
    return DL_OK;
}

static int run(grepping *g, const dlc_positionals *rest,
               const dlc_target *targets)
{
    dl_error err = {.status = DL_OK};
    dl_status status;

    if (prepare(g, rest->text[0], &err) != DL_OK) {
        return dlc_ctl_usage(g->ctl, "%s", err.text);
    }
    status = search_all(g, targets, rest->n - 1, &err);
    if (g->ctl->json) {
        puts(g->found == 0 ? "[]" : "]");
    }
    if (status != DL_OK) {
        (void)dlc_ctl_fail(g->ctl, &err);
        return GREP_FAILED;
    }
    return g->found > 0 ? GREP_FOUND : GREP_NOTHING;
}

int dlc_ctl_grep(dlc_ctl *ctl, int argc, const char *const *argv)
{
    grepping g = {.ctl = ctl, .most = INT64_MAX};
    const dlc_option table[] = {{"count", 'c', DLC_OPTION_FLAG, &g.count, 0, 0,
                                 NULL,
                                 "print how many lines of each day hold it"},
                                {"line-number", 'n', DLC_OPTION_FLAG, &g.number,
                                 0, 0, NULL, "print where each line stands"},
                                {"max-count", 'm', DLC_OPTION_INT, &g.most, 1,
                                 INT64_MAX, "N", "stop after N lines"},
                                {"meta", 0, DLC_OPTION_FLAG, &g.meta, 0, 0,
                                 NULL, "add _dl, where each record came from"},
                                {"values", 'v', DLC_OPTION_FLAG, &g.values, 0,
                                 0, NULL, "look at values alone, not at names"},
                                {.name = NULL}};
    dlc_target targets[sizeof(((dlc_positionals *)0)->text) / sizeof(char *)] =
        {{.day = DL_DAY_NONE}};
    dlc_positionals rest;
    int status = dlc_read_begin(&g.lake, &rest, ctl, table, argc, argv);
    int i;

    if (status >= 0) {
        return status == DLC_CTL_OK ? status : GREP_FAILED;
    }
    status =
        dlc_ctl_want(ctl, &rest, 1, (int)(sizeof targets / sizeof *targets));
    for (i = 1; status < 0 && i < rest.n; i++) {
        status = dlc_read_target(&targets[i - 1], ctl, rest.text[i], false);
    }
    return status >= 0 ? status : run(&g, &rest, targets);
}
