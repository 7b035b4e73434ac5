/* mdl_data_page.c - Finding the records of one page.
 *
 * Without filters nothing is read: the places follow from the lines each day
 * has.  With filters lines are read until the page is full and the next match
 * is seen, and further as long as the count is worth it.  Sorted, all matches
 * are read; a heap keeps those that can still be on the page.
 *
 * Memory: 16 bytes a record of the page; sorted, about 300 bytes for each
 * match up to the end of the page, 30 MB at MDL_DATA_SORT_MAX.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_data.h"

#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_number.h"

/* The longest escape: a pair of surrogates. */
#define ESCAPE_MAX 12

/* How long a count may go on when nobody insists on it. */
#define AUTO_COUNT_US 1000000

/* Lines between two looks at clock and connection. */
#define LOOK_EVERY 1024

/* Look after the request of FIND, whose N-th line is being read.
 * DL_TIMEOUT: its time is over; DL_IO: nobody waits for it any more. */
static dl_status look_up(const mdl_data_find *find, uint64_t n, dl_error *err)
{
    if (n % LOOK_EVERY != 0) {
        return DL_OK;
    }
    if (find->q->r->connection->aborted) {
        return dl_fail(err, DL_IO, 0, "the client is gone");
    }
    return apr_time_now() > find->q->deadline
               ? dl_fail(err, DL_TIMEOUT, 0, "the search took too long")
               : DL_OK;
}

/* --- All records ----------------------------------------------------------- */

static dl_status find_plain(mdl_data_page *page, const mdl_data_find *find,
                            dl_error *err)
{
    mdl_walk *walk =
        mdl_walk_create(find->snap, &find->range, find->q->r->pool);
    uint64_t skip = find->skip;
    uint64_t total = 0;

    if (find->count != MDL_DATA_COUNT_NONE && find->known < 0) {
        mdl_walk_range all = find->range;

        all.behind = (mdl_place){DL_DAY_NONE, 0};
        DL_TRY(mdl_walk_count(
            &total, mdl_walk_create(find->snap, &all, find->q->r->pool), err));
        page->count = (int64_t)total;
    }
    DL_TRY(mdl_walk_skip(&skip, walk, err));
    page->end = mdl_walk_place(walk);
    while (page->n < find->size) {
        uint64_t one = 1;

        DL_TRY(mdl_walk_skip(&one, walk, err));
        if (one > 0) {
            return DL_OK;
        }
        page->end = page->places[page->n++] = mdl_walk_place(walk);
    }
    skip = 1;
    DL_TRY(mdl_walk_skip(&skip, walk, err));
    page->more = skip == 0;
    return DL_OK;
}

/* --- Matches in order of date and line ------------------------------------- */

/* What is known of the matches so far. */
typedef struct tally {
    uint64_t lines;   /* read */
    uint64_t matches; /* among them */
    int64_t started;  /* monotonic time */
} tally;

/* Whether more lines have to be read for PAGE of FIND. */
static bool goes_on(const mdl_data_page *page, const mdl_data_find *find,
                    const tally *t)
{
    if (!page->more) {
        return true;
    }
    if (find->range.behind.day != DL_DAY_NONE ||
        find->count == MDL_DATA_COUNT_NONE) {
        return false;
    }
    return find->count == MDL_DATA_COUNT_EXACT || t->lines % LOOK_EVERY != 0 ||
           dl_time_monotonic_us() - t->started < AUTO_COUNT_US;
}

/* Take the match at PLACE, the N-th, for PAGE. */
static void take_match(mdl_data_page *page, const mdl_data_find *find,
                       uint64_t n, mdl_place place)
{
    if (n <= find->skip) {
        page->end = place;
    }
    else if (page->n < find->size) {
        page->end = page->places[page->n++] = place;
    }
    else {
        page->more = true;
    }
}

static dl_status find_matches(mdl_data_page *page, const mdl_data_find *find,
                              dl_error *err)
{
    mdl_walk *walk =
        mdl_walk_create(find->snap, &find->range, find->q->r->pool);
    tally t = {.started = dl_time_monotonic_us()};

    while (goes_on(page, find, &t)) {
        dl_lake_line line;
        dl_day day;

        DL_TRY(look_up(find, t.lines, err));
        DL_TRY(mdl_walk_next(&line, &day, walk, err));
        if (line.text == NULL) {
            /* A later page does not know what lay before it. */
            if (find->range.behind.day == DL_DAY_NONE &&
                find->count != MDL_DATA_COUNT_NONE) {
                page->count = (int64_t)t.matches;
            }
            return DL_OK;
        }
        t.lines++;
        if (dl_query_match(find->data->query, line.text, line.len)) {
            take_match(page, find, ++t.matches, (mdl_place){day, line.line});
        }
    }
    return DL_OK;
}

/* Count all matches for a page that began behind a cursor. */
static dl_status count_matches(mdl_data_page *page, const mdl_data_find *find,
                               dl_error *err)
{
    mdl_data_find all = *find;
    mdl_data_page unused = {.places = NULL, .count = -1};

    all.range.behind = (mdl_place){DL_DAY_NONE, 0};
    all.size = 0;
    all.skip = 0;
    DL_TRY(find_matches(&unused, &all, err));
    page->count = unused.count;
    return DL_OK;
}

/* --- Matches in another order ----------------------------------------------
 */

/* One match that may be on the page. */
typedef struct ranked {
    mdl_place place;              /* where it lies */
    dl_json_slice key;            /* its value; text is below */
    char text[MDL_DATA_SORT_KEY]; /* the value, cut */
} ranked;

/* The matches that may be on the page, the last of them first. */
typedef struct heap {
    const mdl_data_query *data;
    int n;
    int max;
    ranked **items;
    apr_pool_t *pool;
} heap;

static int compare_places(mdl_place a, mdl_place b)
{
    if (a.day != b.day) {
        return a.day < b.day ? -1 : 1;
    }
    return a.line < b.line ? -1 : a.line > b.line ? 1 : 0;
}

static int compare_ranked(const heap *h, const ranked *a, const ranked *b)
{
    int order = dl_query_compare(h->data->query, h->data->sort, a->key, b->key);

    if (order != 0) {
        return h->data->descending ? -order : order;
    }
    return compare_places(a->place, b->place);
}

/* Return how many bytes of the string SLICE make its beginning, at most
 * MDL_DATA_SORT_KEY and no part of an escape. */
static uint32_t measure_text(dl_json_slice slice)
{
    uint32_t n = 0;

    if (slice.len <= MDL_DATA_SORT_KEY) {
        return slice.len;
    }
    while (slice.escaped != 0 && n <= MDL_DATA_SORT_KEY - ESCAPE_MAX) {
        uint32_t pair = slice.text[n] == '\\' && slice.text[n + 1] == 'u';

        n += slice.text[n] != '\\' ? 1 : pair != 0 ? 6 : 2;
    }
    return slice.escaped != 0 ? n : MDL_DATA_SORT_KEY;
}

/* Fill ITEM with the value SLICE of the line at PLACE. */
static void set_ranked(ranked *item, dl_json_slice slice, mdl_place place)
{
    item->place = place;
    item->key = slice;
    item->key.len = 0;
    item->key.text = item->text;
    if (slice.kind == DL_JSON_STRING) {
        item->key.len = measure_text(slice);
        memcpy(item->text, slice.text, item->key.len);
    }
    else if (slice.kind == DL_JSON_NUMBER) {
        item->key.len = (uint32_t)dl_number_cut(item->text, MDL_DATA_SORT_KEY,
                                                slice.text, slice.len);
    }
}

/* Put the item at I of H where it belongs, towards the leaves. */
static void sift_down(heap *h, int i)
{
    for (;;) {
        int last = i;
        int child;
        ranked *swapped;

        for (child = 2 * i + 1; child <= 2 * i + 2 && child < h->n; child++) {
            if (compare_ranked(h, h->items[child], h->items[last]) > 0) {
                last = child;
            }
        }
        if (last == i) {
            return;
        }
        swapped = h->items[i];
        h->items[i] = h->items[last];
        h->items[last] = swapped;
        i = last;
    }
}

static void sift_up(heap *h, int i)
{
    while (i > 0 && compare_ranked(h, h->items[i], h->items[(i - 1) / 2]) > 0) {
        ranked *swapped = h->items[i];

        h->items[i] = h->items[(i - 1) / 2];
        h->items[(i - 1) / 2] = swapped;
        i = (i - 1) / 2;
    }
}

/* Offer ITEM to H, which copies it if it may be on the page. */
static void offer(heap *h, const ranked *item)
{
    ranked *kept;

    if (h->n == h->max) {
        if (h->max == 0 || compare_ranked(h, item, h->items[0]) >= 0) {
            return;
        }
        kept = h->items[0];
        *kept = *item;
        kept->key.text = kept->text;
        sift_down(h, 0);
        return;
    }
    kept = apr_palloc(h->pool, sizeof *kept);
    *kept = *item;
    kept->key.text = kept->text;
    h->items[h->n++] = kept;
    sift_up(h, h->n - 1);
}

/* Take the items of H, last one first, to their places in PAGE. */
static void empty_heap(mdl_data_page *page, heap *h, uint64_t skip)
{
    page->n = (uint64_t)h->n > skip ? h->n - (int)skip : 0;
    while (h->n > 0) {
        ranked *last = h->items[0];

        if ((uint64_t)h->n > skip) {
            page->places[(uint64_t)h->n - skip - 1] = last->place;
        }
        h->items[0] = h->items[--h->n];
        sift_down(h, 0);
    }
}

static dl_status find_sorted(mdl_data_page *page, const mdl_data_find *find,
                             dl_error *err)
{
    mdl_walk *walk =
        mdl_walk_create(find->snap, &find->range, find->q->r->pool);
    heap h = {.data = find->data,
              .max = (int)find->skip + find->size,
              .pool = find->q->r->pool};
    uint64_t lines = 0;
    uint64_t matches = 0;

    h.items = apr_palloc(h.pool, sizeof(ranked *) * ((size_t)h.max + 1));
    for (;;) {
        dl_lake_line line;
        ranked item;
        dl_day day;

        DL_TRY(look_up(find, lines++, err));
        DL_TRY(mdl_walk_next(&line, &day, walk, err));
        if (line.text == NULL) {
            break;
        }
        if (!dl_query_match(find->data->query, line.text, line.len)) {
            continue;
        }
        if (++matches > MDL_DATA_SORT_MAX) {
            return dl_fail(err, DL_LIMIT, 0, "too many matches to sort");
        }
        set_ranked(&item, dl_query_value(find->data->query, find->data->sort),
                   (mdl_place){day, line.line});
        offer(&h, &item);
    }
    if (find->count != MDL_DATA_COUNT_NONE) {
        page->count = (int64_t)matches;
    }
    page->more = matches > (uint64_t)h.max;
    empty_heap(page, &h, find->skip);
    return DL_OK;
}

/* --- The page --------------------------------------------------------------- */

dl_status mdl_data_page_find(mdl_data_page *page, const mdl_data_find *find,
                             dl_error *err)
{
    memset(page, 0, sizeof *page);
    page->end = find->range.behind;
    page->count = find->count == MDL_DATA_COUNT_NONE ? -1 : find->known;
    page->places = apr_palloc(find->q->r->pool,
                              sizeof *page->places * ((size_t)find->size + 1));
    if (find->data->sort >= 0) {
        return find_sorted(page, find, err);
    }
    if (dl_query_filters(find->data->query) == 0) {
        return find_plain(page, find, err);
    }
    DL_TRY(find_matches(page, find, err));
    if (find->count != MDL_DATA_COUNT_NONE && page->count < 0 &&
        find->range.behind.day != DL_DAY_NONE && find->known < 0) {
        DL_TRY(count_matches(page, find, err));
    }
    return DL_OK;
}
