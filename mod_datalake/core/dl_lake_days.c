/* dl_lake_days.c - The days of a snapshot, and their SHA-256.
 *
 * FORMAT.md 14, step 3: a day is its sealed entries, then its open part.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_reading.h"

#include <stdio.h>
#include <string.h>

/* --- Days ----------------------------------------------------------------- */

static void add_part(dl_lake_day *day, const dl_lake_part *part)
{
    if (day->version == 0) {
        day->first_time = part->first_time;
        day->last_time = part->last_time;
    }
    if (part->first_time < day->first_time) {
        day->first_time = part->first_time;
    }
    if (part->last_time > day->last_time) {
        day->last_time = part->last_time;
    }
    day->day = part->day;
    day->bytes += part->bytes;
    day->records += part->records;
    day->version += part->commits;
}

/* The open part of DAY that SHARED's manifest does not have yet, or NULL. */
static const dl_lake_part *open_part(const dl_lake_shared *shared, dl_day day)
{
    const dl_lake_part *part = dl_lake_view_find(&shared->view, day);

    if (part == NULL || dl_lake_manifest_covers(&shared->sealed->manifest, day,
                                                part->number) != NULL) {
        return NULL;
    }
    return part;
}

void dl_lake_parts_of(dl_lake_parts *parts, const dl_lake_snapshot *snap,
                      dl_day day)
{
    parts->open = open_part(snap->shared, day);
    parts->n_sealed = dl_lake_manifest_day(
        &parts->sealed, &snap->shared->sealed->manifest, day);
}

const dl_lake_part *dl_lake_parts_at(const dl_lake_parts *parts, int i)
{
    if (i < parts->n_sealed) {
        return &parts->sealed[i];
    }
    return i == parts->n_sealed ? parts->open : NULL;
}

void dl_lake_day_parts(const dl_lake_part **parts, int *n,
                       const dl_lake_snapshot *snap, dl_day day,
                       apr_pool_t *pool)
{
    const dl_lake_part *part;
    dl_lake_part *all;
    dl_lake_parts some;

    dl_lake_parts_of(&some, snap, day);
    all = apr_palloc(pool, (size_t)(some.n_sealed + 1) * sizeof *all);
    for (*n = 0; (part = dl_lake_parts_at(&some, *n)) != NULL; (*n)++) {
        all[*n] = *part;
    }
    *parts = all;
}

dl_status dl_lake_day_find(dl_lake_day *found, dl_lake_snapshot *snap,
                           dl_day day, dl_error *err)
{
    const dl_lake_part *part;
    dl_lake_parts parts;
    int i;

    memset(found, 0, sizeof *found);
    dl_lake_parts_of(&parts, snap, day);
    for (i = 0; (part = dl_lake_parts_at(&parts, i)) != NULL; i++) {
        add_part(found, part);
    }
    if (found->version == 0) {
        return dl_fail(err, DL_NOT_FOUND, 0, "no such day");
    }
    return DL_OK;
}

bool dl_lake_piece_at(dl_lake_piece *piece, const dl_lake_snapshot *snap,
                      dl_day day, int i)
{
    const dl_lake_part *part;
    dl_lake_parts parts;

    dl_lake_parts_of(&parts, snap, day);
    part = dl_lake_parts_at(&parts, i);
    if (part == NULL) {
        return false;
    }
    piece->uid = part->uid;
    piece->records = part->records;
    piece->born_ms = part->first_commit_ms;
    return true;
}

/* Add PART to the last of the N DAYS, or begin the next with it; return how
 * many they are then. */
static int add_day(dl_lake_day *days, int n, const dl_lake_part *part)
{
    if (n == 0 || days[n - 1].day != part->day) {
        memset(&days[n++], 0, sizeof *days);
    }
    add_part(&days[n - 1], part);
    return n;
}

void dl_lake_make_days(dl_lake_shared *shared)
{
    const dl_lake_view *view = &shared->view;
    const dl_lake_manifest *m = &shared->sealed->manifest;
    dl_lake_day *days;
    int open = 0;
    int n = 0;
    int i;

    if (shared->days != NULL) {
        return;
    }
    days = apr_palloc(shared->pool,
                      (size_t)(m->n_parts + view->n_parts + 1) * sizeof *days);
    for (i = 0; i <= m->n_parts; i++) {
        while (open < view->n_parts &&
               (i == m->n_parts || view->parts[open].day < m->parts[i].day)) {
            const dl_lake_part *part = &view->parts[open++];

            if (dl_lake_manifest_covers(m, part->day, part->number) == NULL) {
                n = add_day(days, n, part);
            }
        }
        if (i < m->n_parts) {
            n = add_day(days, n, &m->parts[i]);
        }
    }
    shared->days = days;
    shared->n_days = n;
}

int dl_lake_days(dl_lake_snapshot *snap)
{
    dl_lake_need_days(snap);
    return snap->shared->n_days;
}

const dl_lake_day *dl_lake_day_at(dl_lake_snapshot *snap, int i)
{
    return i >= 0 && i < dl_lake_days(snap) ? &snap->days[i] : NULL;
}

/* --- SHA-256 -------------------------------------------------------------- */

static void put_text(char out[DL_LAKE_SHA256_TEXT],
                     const unsigned char digest[DL_SHA256_SIZE])
{
    int i;

    for (i = 0; i < DL_SHA256_SIZE; i++) {
        snprintf(out + (size_t)(2 * i), 3, "%02x", (unsigned)digest[i]);
    }
}

static uint64_t records_up_to(const dl_lake_snapshot *snap, dl_day day,
                              uint32_t number)
{
    const dl_lake_part *part;
    uint64_t records = 0;
    int n = dl_lake_manifest_day(&part, &snap->shared->sealed->manifest, day);

    for (; n > 0; n--, part++) {
        if (part->number <= number) {
            records += part->records;
        }
    }
    return records;
}

/* The most that is known of the sum of DAY: from the manifest, or remembered.
 */
static void known_sum(dl_lake_known_sum *known, const dl_lake_snapshot *snap,
                      const dl_lake_day *day)
{
    const dl_lake_sum *sum =
        dl_lake_manifest_sum(&snap->shared->sealed->manifest, day->day);
    dl_lake_known_sum recalled;

    memset(known, 0, sizeof *known);
    if (sum != NULL && sum->has_state) {
        known->records = records_up_to(snap, day->day, sum->number);
        memcpy(known->state, sum->state, sizeof known->state);
    }
    if (dl_lake_sum_recall(&recalled, snap->lake, snap->dataset, day->day) &&
        recalled.records > known->records && recalled.records <= day->records) {
        *known = recalled;
    }
}

static dl_status add_rest(dl_sha256 *sum, dl_lake_snapshot *snap, dl_day day,
                          uint64_t from_line, dl_error *err, apr_pool_t *pool)
{
    dl_lake_range range = {
        .day = day, .as_of = DL_TIME_NONE, .from_line = from_line};
    dl_lake_scan *scan;
    const char *data;
    size_t len;

    DL_TRY(dl_lake_scan_open(&scan, snap, &range, err, pool));
    do {
        DL_TRY(dl_lake_scan_chunk(&data, &len, scan, err));
        dl_sha256_add(sum, data, len);
    } while (data != NULL);
    return DL_OK;
}

dl_status dl_lake_day_sha256(char out[DL_LAKE_SHA256_TEXT],
                             dl_lake_snapshot *snap, dl_day day, dl_error *err,
                             apr_pool_t *scratch_pool)
{
    unsigned char digest[DL_SHA256_SIZE];
    dl_sha256 *sum = dl_sha256_create(scratch_pool);
    dl_lake_known_sum known;
    dl_lake_day numbers;

    DL_TRY(dl_lake_day_find(&numbers, snap, day, err));
    known_sum(&known, snap, &numbers);
    if (known.records > 0) {
        dl_sha256_load(sum, known.state);
    }
    if (known.records < numbers.records) {
        DL_TRY(add_rest(sum, snap, day, known.records + 1, err, scratch_pool));
        known.records = numbers.records;
        dl_sha256_save(known.state, sum);
        dl_lake_sum_remember(snap->lake, snap->dataset, day, &known);
    }
    dl_sha256_digest(digest, sum);
    put_text(out, digest);
    return DL_OK;
}

/* --- Reasons -------------------------------------------------------------- */

static const char *const reason_names[DL_LAKE_REASONS] = {
    "not-json", "not-object", "encoding", "too-big",
    "schema",   "bad-time",   "other"};

const char *dl_lake_reason_name(dl_lake_reason reason)
{
    return (unsigned)reason < DL_LAKE_REASONS ? reason_names[reason] : "other";
}

dl_lake_reason dl_lake_reason_find(const char *name)
{
    int i;

    for (i = 0; i < DL_LAKE_OTHER; i++) {
        if (strcmp(reason_names[i], name) == 0) {
            return (dl_lake_reason)i;
        }
    }
    return DL_LAKE_OTHER;
}
