/* lake_dump - Print what a dataset of a lake holds, for tests.
 *
 * lake_dump ROOT DATASET prints, for each committed record
 *     R day line generation partition offset sha256-of-the-line
 * and for each record set aside
 *     Q generation partition offset reason sha256-of-the-payload
 * separated by tabs.  With a third argument "lines" the text of each line
 * stands instead of its sum; with "notes" its text stands there, and behind
 * each R a row
 *     N kind-of-key key name=value ...
 * and for repeats that were dropped rows
 *     D generation partition offset number source epoch position
 * Exit status 1 when anything cannot be read.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_quarantine.h"
#include "dl_lake_reader.h"
#include "dl_sha256.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

/* What is printed, and how. */
typedef struct dump {
    apr_pool_t *pool; /* lives as long as the program */
    dl_sha256 *sum;   /* for lines and payloads */
    bool lines;       /* text instead of sums */
    bool notes;       /* and what stood beside it */
} dump;

static void print_sum(dump *d, const void *data, size_t len)
{
    char text[DL_SHA256_TEXT];

    if (d->lines) {
        printf("%.*s\n", (int)len, (const char *)data);
        return;
    }
    dl_sha256_add(d->sum, data, len);
    dl_sha256_text(text, d->sum);
    printf("%s\n", text);
}

static void print_note(const dl_line_note *note)
{
    static const char *const kinds[] = {"same", "none", "kept", "long"};

    if (note == NULL) {
        return;
    }
    printf("N\t%s\t%.*s", kinds[note->key_kind], (int)note->key_len,
           note->key == NULL ? "" : note->key);
    for (int i = 0; i < note->n; i++) {
        const dl_line_header *header = &note->headers[i];

        printf("\t%.*s=%.*s", (int)header->name_len, header->name,
               (int)header->len, header->value);
    }
    printf("\n");
}

static void print_repeats(const dl_lake_set_aside *q)
{
    printf("D\t%d\t%d\t%lld\t%llu\t%.*s\t%llu\t%llu\n", q->coord.generation,
           q->coord.partition, (long long)q->coord.offset,
           (unsigned long long)q->repeats, (int)q->last.source_len,
           q->last.source, (unsigned long long)q->last.epoch,
           (unsigned long long)q->last.position);
}

static dl_status dump_day(dump *d, dl_lake_snapshot *snap, dl_day day,
                          dl_error *err, apr_pool_t *pool)
{
    dl_lake_range range = {.day = day,
                           .as_of = DL_TIME_NONE,
                           .with_coords = true,
                           .with_notes = d->notes};
    char text[DL_DAY_TEXT];
    dl_lake_scan *scan;
    dl_lake_line line;

    dl_day_format(text, day);
    DL_TRY(dl_lake_scan_open(&scan, snap, &range, err, pool));
    DL_TRY(dl_lake_scan_next(&line, scan, err));
    while (line.text != NULL) {
        printf("R\t%s\t%llu\t%d\t%d\t%lld\t", text,
               (unsigned long long)line.line, line.coord.generation,
               line.coord.partition, (long long)line.coord.offset);
        print_sum(d, line.text, line.len);
        print_note(line.note);
        DL_TRY(dl_lake_scan_next(&line, scan, err));
    }
    return DL_OK;
}

static dl_status dump_aside(dump *d, dl_lake_snapshot *snap, dl_error *err)
{
    dl_lake_quarantine_walk *walk;
    dl_lake_set_aside q;

    DL_TRY(dl_lake_quarantine_open(&walk, snap, NULL, err, d->pool));
    if (d->notes) {
        dl_lake_quarantine_with_repeats(walk);
    }
    DL_TRY(dl_lake_quarantine_next(&q, walk, err));
    while (q.payload != NULL) {
        if (q.repeats > 0) {
            print_repeats(&q);
            DL_TRY(dl_lake_quarantine_next(&q, walk, err));
            continue;
        }
        printf("Q\t%d\t%d\t%lld\t%s\t", q.coord.generation, q.coord.partition,
               (long long)q.coord.offset, dl_lake_reason_name(q.reason));
        print_sum(d, q.payload, q.len);
        DL_TRY(dl_lake_quarantine_next(&q, walk, err));
    }
    return DL_OK;
}

static dl_status dump_dataset(dump *d, const char *root, const char *dataset,
                              dl_error *err)
{
    dl_lake_snapshot *snap;
    apr_pool_t *iterpool;
    dl_lake *lake;
    int i;

    DL_TRY(dl_lake_open(&lake, root, err, d->pool));
    DL_TRY(dl_lake_snapshot_open(&snap, lake, dataset, err, d->pool));
    apr_pool_create(&iterpool, d->pool);
    for (i = 0; i < dl_lake_days(snap); i++) {
        apr_pool_clear(iterpool);
        DL_TRY(dump_day(d, snap, dl_lake_day_at(snap, i)->day, err, iterpool));
    }
    return dump_aside(d, snap, err);
}

int main(int argc, char **argv)
{
    dump d = {.notes = argc == 4 && strcmp(argv[3], "notes") == 0};
    dl_error err = {.status = DL_OK};
    dl_status status;

    d.lines = d.notes || (argc == 4 && strcmp(argv[3], "lines") == 0);
    if (argc != 3 && !d.lines) {
        fprintf(stderr, "usage: lake_dump ROOT DATASET [lines|notes]\n");
        return 2;
    }
    apr_initialize();
    apr_pool_create(&d.pool, NULL);
    d.sum = dl_sha256_create(d.pool);
    status = dump_dataset(&d, argv[1], argv[2], &err);
    if (status != DL_OK) {
        fprintf(stderr, "lake_dump: %s: %s\n", dl_status_name(status),
                err.text);
    }
    apr_pool_destroy(d.pool);
    apr_terminate();
    return status == DL_OK && fflush(stdout) == 0 ? 0 : 1;
}
