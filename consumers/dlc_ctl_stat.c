/* dlc_ctl_stat.c - datalakectl stat: what a day is made of.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include <apr_strings.h>

#include "dl_lake_files.h"
#include "dlc_ctl_read.h"
#include "dlc_progress.h"

/* One day, looked at. */
typedef struct looking {
    const dlc_ctl *ctl;               /* the run */
    dlc_target target;                /* which day */
    bool quick;                       /* without the sum over its bytes */
    dl_lake_day day;                  /* what it holds */
    char sha256[DL_LAKE_SHA256_TEXT]; /* of its bytes */
    const dl_lake_files *files;       /* its parts */
    int n;                            /* how many */
} looking;

static dl_status look(looking *l, dl_lake *lake, dl_error *err)
{
    apr_pool_t *pool = l->ctl->pool;
    dl_lake_snapshot *snap;

    DL_TRY(dl_lake_snapshot_open(&snap, lake, l->target.dataset, err, pool));
    DL_TRY(dl_lake_day_find(&l->day, snap, l->target.day, err));
    DL_TRY(dl_lake_day_files(&l->files, &l->n, snap, l->target.day, err, pool));
    return l->quick
               ? DL_OK
               : dl_lake_day_sha256(l->sha256, snap, l->target.day, err, pool);
}

/* --- For people ------------------------------------------------------------ */

static void print_time(const char *name, dl_time time)
{
    char text[DL_TIME_TEXT];

    dl_time_format(text, time);
    printf("%-14s%s\n", name, text);
}

static void print_part(const dl_lake_files *files)
{
    const dl_lake_part *part = &files->part;
    bool open = part->state == DL_LAKE_PART_OPEN;

    printf("\npart %u", part->first);
    if (part->number != part->first) {
        printf(" to %u", part->number);
    }
    printf(": %s%s%s\n",
           dlc_colour(stdout, open ? DLC_COLOUR_YELLOW : DLC_COLOUR_GREEN),
           dl_lake_part_state_name(part->state),
           dlc_colour(stdout, DLC_COLOUR_NONE));
    printf("  %-12s%s\n", "file", files->data);
    printf("  %-12s%016" PRIx64 "\n", "uid", part->uid);
    printf("  %-12s%" PRIu64 "\n", "bytes", part->bytes);
    printf("  %-12s%" PRIu64 "\n", "records", part->records);
    printf("  %-12s%" PRIu64 "\n", "commits", part->commits);
    printf("  %-12s%08" PRIx32 "\n", "crc", part->crc);
    printf("  %-12s%s, %" PRIu64 " bytes\n", "trail", files->trail,
           part->trail_len);
    if (files->index == NULL) {
        printf("  %-12s-\n", "index");
        return;
    }
    printf("  %-12s%s, %" PRIu64 " bytes (%.1f %%)\n", "index", files->index,
           files->index_bytes,
           100.0 * (double)files->index_bytes /
               (double)(part->bytes > 0 ? part->bytes : 1));
}

static void print_day(const looking *l)
{
    int i;

    printf("%-14s%s\n", "day",
           dlc_read_name(l->target.dataset, l->target.day, l->ctl->pool));
    printf("%-14s%" PRIu64 "\n", "version", l->day.version);
    printf("%-14s%" PRIu64 "\n", "bytes", l->day.bytes);
    printf("%-14s%" PRIu64 "\n", "records", l->day.records);
    print_time("first time", l->day.first_time);
    print_time("last time", l->day.last_time);
    if (!l->quick) {
        printf("%-14s%s\n", "sha256", l->sha256);
    }
    for (i = 0; i < l->n; i++) {
        print_part(&l->files[i]);
    }
}

/* --- For programs ---------------------------------------------------------- */

static void write_text(dl_json_writer *w, const char *name, const char *text)
{
    dl_json_write_key(w, name);
    dl_json_write_text(w, text);
}

static void write_time(dl_json_writer *w, const char *name, dl_time time)
{
    dl_json_write_key(w, name);
    dl_json_write_time(w, time);
}

static void write_part(dl_json_writer *w, const dl_lake_files *files,
                       apr_pool_t *pool)
{
    const dl_lake_part *part = &files->part;

    dl_json_write_object_begin(w);
    dlc_read_write_number(w, "first", part->first);
    dlc_read_write_number(w, "last", part->number);
    write_text(w, "state", dl_lake_part_state_name(part->state));
    write_text(w, "file", files->data);
    write_text(w, "uid", apr_psprintf(pool, "%016" PRIx64, part->uid));
    dlc_read_write_number(w, "bytes", part->bytes);
    dlc_read_write_number(w, "records", part->records);
    dlc_read_write_number(w, "commits", part->commits);
    write_time(w, "first_commit", part->first_commit_ms * 1000);
    write_time(w, "last_commit", part->last_commit_ms * 1000);
    write_text(w, "crc", apr_psprintf(pool, "%08" PRIx32, part->crc));
    write_text(w, "trail", files->trail);
    dlc_read_write_number(w, "trail_bytes", part->trail_len);
    write_text(w, "index", files->index);
    dlc_read_write_number(w, "index_bytes", files->index_bytes);
    dl_json_write_object_end(w);
}

static int print_json(const looking *l)
{
    dl_json_writer w = dlc_ctl_json(l->ctl);
    int i;

    dl_json_write_object_begin(&w);
    write_text(&w, "dataset", l->target.dataset);
    dl_json_write_key(&w, "date");
    dl_json_write_day(&w, l->target.day);
    dlc_read_write_number(&w, "version", l->day.version);
    dlc_read_write_number(&w, "bytes", l->day.bytes);
    dlc_read_write_number(&w, "records", l->day.records);
    write_time(&w, "first_time", l->day.first_time);
    write_time(&w, "last_time", l->day.last_time);
    write_text(&w, "sha256", l->quick ? NULL : l->sha256);
    dl_json_write_key(&w, "parts");
    dl_json_write_array_begin(&w);
    for (i = 0; i < l->n; i++) {
        write_part(&w, &l->files[i], l->ctl->pool);
    }
    dl_json_write_array_end(&w);
    dl_json_write_object_end(&w);
    return dlc_ctl_print_json(l->ctl, &w);
}

int dlc_ctl_stat(dlc_ctl *ctl, int argc, const char *const *argv)
{
    looking l = {.ctl = ctl};
    const dlc_option table[] = {{"quick", 'q', DLC_OPTION_FLAG, &l.quick, 0, 0,
                                 NULL,
                                 "read no lines: leave the sum over them out"},
                                {.name = NULL}};
    dl_error err = {.status = DL_OK};
    dl_lake *lake;
    int status = dlc_read_day(&lake, &l.target, ctl, table, argc, argv);

    if (status >= 0) {
        return status;
    }
    if (look(&l, lake, &err) != DL_OK) {
        return dlc_read_fail(ctl, l.target.text, &err);
    }
    if (ctl->json) {
        return print_json(&l);
    }
    print_day(&l);
    return DLC_CTL_OK;
}
