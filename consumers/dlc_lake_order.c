/* dlc_lake_order.c - The records of a dataset in the order of their commits.
 *
 * The time of a commit names it (core/FORMAT.md 6), so the days that have the
 * smallest time next are those it changed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_lake_order.h"

#include "dl_lake_history.h"
#include "dl_lake_reader.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

/* Notes of a commit that are told apart; there are few. */
#define NOTES_KEPT 8

/* Days whose lines stay open for reading. */
#define SCANS_MAX 64

/* A day, and how far it was read. */
typedef struct ordered_day {
    dl_day day;               /* which one */
    bool begun;               /* its history is open */
    bool ended;               /* it has no more commits */
    apr_pool_t *pool;         /* of its history */
    dl_lake_history *history; /* its commits */
    dl_lake_day_version next; /* the next one; before it began its time only */
    uint64_t line;            /* lines that were read */
    apr_pool_t *scan_pool;    /* of its scan */
    dl_lake_scan *scan;       /* behind line LINE, NULL: closed */
    uint64_t used;            /* when it was last read */
} ordered_day;

struct dlc_lake_order {
    dl_lake_snapshot *snap;               /* what is read */
    apr_pool_t *pool;                     /* of the walk */
    apr_pool_t *notes;                    /* of the notes of a commit */
    dl_line_note room;                    /* for one that is compared */
    const dl_line_note *kept[NOTES_KEPT]; /* some that the commit has */
    int n_kept;                           /* how many */
    int n_days;                           /* days */
    ordered_day *days;                    /* they */
    int n_scans;                          /* of them open for reading */
    uint64_t uses;                        /* counts for ordered_day.used */
    char *text;                           /* lines of the commit, malloc */
    size_t text_len, text_size;           /* bytes of it, room */
    dlc_lake_record *records;             /* of the commit, malloc */
    size_t n_records, max_records;        /* how many, room */
};

static apr_status_t free_order(void *data)
{
    dlc_lake_order *o = data;

    free(o->text);
    free(o->records);
    return APR_SUCCESS;
}

dl_status dlc_lake_order_open(dlc_lake_order **order, dl_lake_snapshot *snap,
                              dl_error *err, apr_pool_t *pool)
{
    dlc_lake_order *o = apr_pcalloc(pool, sizeof *o);

    (void)err;
    o->snap = snap;
    o->pool = pool;
    o->n_days = dl_lake_days(snap);
    o->days = apr_pcalloc(pool, ((size_t)o->n_days + 1) * sizeof *o->days);
    apr_pool_create(&o->notes, pool);
    apr_pool_cleanup_register(pool, o, free_order, apr_pool_cleanup_null);
    for (int i = 0; i < o->n_days; i++) {
        ordered_day *d = &o->days[i];
        dl_lake_piece piece = {.born_ms = 0};

        d->day = dl_lake_day_at(snap, i)->day;
        d->ended = !dl_lake_piece_at(&piece, snap, d->day, 0);
        d->next.time = piece.born_ms * 1000;
    }
    *order = o;
    return DL_OK;
}

/* --- Days ----------------------------------------------------------------- */

static dl_status next_commit(ordered_day *d, dl_error *err)
{
    bool found;

    DL_TRY(dl_lake_history_next(&d->next, &found, d->history, err));
    if (!found) {
        d->ended = true;
        apr_pool_destroy(d->pool);
        d->pool = NULL;
    }
    return DL_OK;
}

static dl_status begin_day(dlc_lake_order *o, ordered_day *d, dl_error *err)
{
    d->begun = true;
    apr_pool_create(&d->pool, o->pool);
    DL_TRY(dl_lake_history_open(&d->history, o->snap, d->day, DL_TIME_NONE, err,
                                d->pool));
    return next_commit(d, err);
}

/* The day with the earliest commit next, NULL: there is none. */
static ordered_day *first_day(const dlc_lake_order *o)
{
    ordered_day *first = NULL;

    for (int i = 0; i < o->n_days; i++) {
        ordered_day *d = &o->days[i];

        if (!d->ended && (first == NULL || d->next.time < first->next.time)) {
            first = d;
        }
    }
    return first;
}

/* --- Lines ---------------------------------------------------------------- */

static void close_scan(dlc_lake_order *o, ordered_day *d)
{
    if (d->scan != NULL) {
        apr_pool_destroy(d->scan_pool);
        d->scan = NULL;
        o->n_scans--;
    }
}

static void close_oldest(dlc_lake_order *o)
{
    ordered_day *oldest = NULL;

    for (int i = 0; i < o->n_days; i++) {
        ordered_day *d = &o->days[i];

        if (d->scan != NULL && (oldest == NULL || d->used < oldest->used)) {
            oldest = d;
        }
    }
    if (oldest != NULL) {
        close_scan(o, oldest);
    }
}

static dl_status open_scan(dlc_lake_order *o, ordered_day *d, dl_error *err)
{
    const dl_lake_range range = {.day = d->day,
                                 .as_of = DL_TIME_NONE,
                                 .from_line = d->line + 1,
                                 .with_notes = true};

    d->used = ++o->uses;
    if (d->scan != NULL) {
        return DL_OK;
    }
    if (o->n_scans == SCANS_MAX) {
        close_oldest(o);
    }
    apr_pool_create(&d->scan_pool, o->pool);
    DL_TRY(dl_lake_scan_open(&d->scan, o->snap, &range, err, d->scan_pool));
    o->n_scans++;
    return DL_OK;
}

static void *grow(void *data, size_t *size, size_t need, size_t each)
{
    size_t more = *size < 1024 ? 1024 : *size;

    if (need <= *size) {
        return data;
    }
    while (more < need) {
        more *= 2;
    }
    data = realloc(data, more * each);
    if (data == NULL) {
        abort();
    }
    *size = more;
    return data;
}

/* Add NAME of FROM to TO, if it is there. */
static void keep_header(dl_line_note *to, const dl_line_note *from,
                        const char *name)
{
    const char *value;
    size_t len;

    if (dl_line_note_find(&value, &len, from, name)) {
        to->headers[to->n++] = (dl_line_header){
            .name = name, .name_len = strlen(name), .value = value, .len = len};
    }
}

static bool same_note(const dl_line_note *a, const dl_line_note *b)
{
    if (a->n != b->n) {
        return false;
    }
    for (int i = 0; i < a->n; i++) {
        if (a->headers[i].name != b->headers[i].name ||
            a->headers[i].len != b->headers[i].len ||
            memcmp(a->headers[i].value, b->headers[i].value,
                   a->headers[i].len) != 0) {
            return false;
        }
    }
    return true;
}

/* Return a copy of NOTE, which later ones are compared with. */
static const dl_line_note *add_note(dlc_lake_order *o, const dl_line_note *note)
{
    dl_line_note *copy = apr_pmemdup(o->notes, note, sizeof *note);

    for (int i = 0; i < copy->n; i++) {
        copy->headers[i].value = apr_pstrmemdup(
            o->notes, note->headers[i].value, note->headers[i].len);
    }
    if (o->n_kept < NOTES_KEPT) {
        o->kept[o->n_kept++] = copy;
    }
    return copy;
}

/* Return what of NOTE the warehouse asks for, if that is one that was kept
 * before, the same. */
static const dl_line_note *keep_note(dlc_lake_order *o,
                                     const dl_line_note *note)
{
    dl_line_note *kept = &o->room;

    if (note->n == 0) {
        return NULL;
    }
    kept->n = 0;
    keep_header(kept, note, "dl-origin");
    keep_header(kept, note, "dl-event");
    if (kept->n == 0) {
        return NULL;
    }
    for (int i = 0; i < o->n_kept; i++) {
        if (same_note(kept, o->kept[i])) {
            return o->kept[i];
        }
    }
    return add_note(o, kept);
}

static void keep_line(dlc_lake_order *o, const dl_lake_line *line)
{
    dlc_lake_record *r;

    o->records =
        grow(o->records, &o->max_records, o->n_records + 1, sizeof *o->records);
    o->text = grow(o->text, &o->text_size, o->text_len + line->len, 1);
    memcpy(o->text + o->text_len, line->text, line->len);
    r = &o->records[o->n_records++];
    r->text = NULL; /* when all are there: they may move */
    r->len = line->len;
    r->coord = line->coord;
    r->note = keep_note(o, line->note);
    o->text_len += line->len;
}

/* Take what the next commit put into D. */
static dl_status take_lines(dlc_lake_order *o, ordered_day *d, dl_error *err)
{
    DL_TRY(open_scan(o, d, err));
    while (d->line < d->next.records) {
        dl_lake_line line;

        DL_TRY(dl_lake_scan_next(&line, d->scan, err));
        if (line.text == NULL) {
            return dl_fail(err, DL_CORRUPT, 0, "a day ends before line %llu",
                           (unsigned long long)d->next.records);
        }
        keep_line(o, &line);
        d->line++;
    }
    DL_TRY(next_commit(d, err));
    if (d->ended) {
        close_scan(o, d);
    }
    return DL_OK;
}

/* --- Commits -------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const dl_coord *x = &((const dlc_lake_record *)a)->coord;
    const dl_coord *y = &((const dlc_lake_record *)b)->coord;

    if (x->partition != y->partition) {
        return x->partition < y->partition ? -1 : 1;
    }
    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Begin the day with the earliest commit, as long as it has not begun; *TIME is
 * that of the commit, DL_TIME_NONE: there is none. */
static dl_status find_commit(dl_time *time, dlc_lake_order *o, dl_error *err)
{
    ordered_day *first = first_day(o);

    while (first != NULL && !first->begun) {
        DL_TRY(begin_day(o, first, err));
        first = first_day(o);
    }
    *time = first == NULL ? DL_TIME_NONE : first->next.time;
    for (int i = 0; i < o->n_days; i++) {
        ordered_day *d = &o->days[i];

        if (!d->ended && !d->begun && d->next.time == *time) {
            DL_TRY(begin_day(o, d, err));
        }
    }
    return DL_OK;
}

dl_status dlc_lake_order_next(const dlc_lake_record **records, size_t *n,
                              dlc_lake_order *o, dl_error *err)
{
    const char *text;
    dl_time time;

    apr_pool_clear(o->notes);
    o->n_kept = 0;
    o->text_len = o->n_records = 0;
    DL_TRY(find_commit(&time, o, err));
    for (int i = 0; i < o->n_days; i++) {
        ordered_day *d = &o->days[i];

        if (!d->ended && d->begun && d->next.time == time) {
            DL_TRY(take_lines(o, d, err));
        }
    }
    text = o->text;
    for (size_t i = 0; i < o->n_records; i++) {
        o->records[i].text = text;
        text += o->records[i].len;
    }
    if (o->n_records > 1) {
        qsort(o->records, o->n_records, sizeof *o->records, compare);
    }
    *records = o->records;
    *n = o->n_records;
    return DL_OK;
}
