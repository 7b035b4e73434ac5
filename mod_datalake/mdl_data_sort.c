/* mdl_data_sort.c - Matches in another order than that of date and line.
 *
 * All matches are read; a heap keeps those that can still be on the page, and
 * the cursor names the value and the place of the last of them, so that a page
 * behind it needs a heap of its own size alone.
 *
 * Time: one reading of all lines that can match, for each page.  Memory: about
 * 300 bytes for each match on the page and before it up to the one the cursor
 * names; 3 MB at the deepest page= (MDL_DATA_DEPTH), 300 kB with a cursor, and
 * 30 MB at MDL_DATA_SORT_MAX, for the cursor in use-cursor alone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_data.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_number.h"

/* The longest escape: a pair of surrogates. */
#define ESCAPE_MAX 12

typedef mdl_data_rank ranked; /* one match that may be on the page */

/* The matches that may be on the page, the last of them first. */
typedef struct heap {
    const mdl_data_query *data;
    int n;
    int max;
    ranked **items;
    apr_pool_t *pool;
} heap;

int mdl_data_place_order(mdl_place a, mdl_place b)
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
    return mdl_data_place_order(a->place, b->place);
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
    page->last = h->n > 0 ? h->items[0] : NULL;
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

/* Take the match whose value has been read, at PLACE, into H unless it lies
 * before the page; return whether it does not. */
static bool take_match(heap *h, const mdl_data_find *find, mdl_place place)
{
    ranked item;

    set_ranked(&item, dl_query_value(find->data->query, find->data->sort),
               place);
    if (find->after != NULL && compare_ranked(h, &item, find->after) <= 0) {
        return false;
    }
    offer(h, &item);
    return true;
}

/* Offer all matches of FIND to H; count in *BEHIND those that do not lie
 * before the page, in *MATCHES all. */
static dl_status read_matches(uint64_t *matches, uint64_t *behind, heap *h,
                              const mdl_data_find *find, dl_error *err)
{
    mdl_walk *walk =
        mdl_walk_create(find->snap, &find->range, find->q->r->pool);
    uint64_t lines = 0;

    for (;;) {
        dl_lake_line line;
        dl_day day;

        DL_TRY(mdl_data_look(find, lines++, err));
        DL_TRY(mdl_walk_next(&line, &day, walk, err));
        if (line.text == NULL) {
            return DL_OK;
        }
        if (!dl_query_match(find->data->query, line.text, line.len)) {
            continue;
        }
        if (++*matches > MDL_DATA_SORT_MAX) {
            return dl_fail(err, DL_LIMIT, 0, "too many matches to sort");
        }
        *behind += take_match(h, find, (mdl_place){day, line.line}) ? 1 : 0;
    }
}

/* DL_LIMIT: without reading any it is clear that there are too many. */
static dl_status check_size(const mdl_data_find *find, dl_error *err)
{
    uint64_t n = 0;

    if (dl_query_filters(find->data->query) > 0) {
        return DL_OK;
    }
    DL_TRY(mdl_walk_count(
        &n, mdl_walk_create(find->snap, &find->range, find->q->r->pool), err));
    return n > MDL_DATA_SORT_MAX
               ? dl_fail(err, DL_LIMIT, 0, "too many matches to sort")
               : DL_OK;
}

dl_status mdl_data_sort(mdl_data_page *page, const mdl_data_find *find,
                        dl_error *err)
{
    /* Behind more there is no page. */
    uint64_t skip =
        find->skip < MDL_DATA_SORT_MAX ? find->skip : MDL_DATA_SORT_MAX;
    heap h = {.data = find->data,
              .max = (int)skip + find->size,
              .pool = find->q->r->pool};
    uint64_t matches = 0;
    uint64_t behind = 0;

    DL_TRY(check_size(find, err));
    h.items = apr_palloc(h.pool, sizeof(ranked *) * ((size_t)h.max + 1));
    DL_TRY(read_matches(&matches, &behind, &h, find, err));
    if (find->count != MDL_DATA_COUNT_NONE) {
        page->count = (int64_t)matches;
    }
    page->more = behind > (uint64_t)h.max;
    empty_heap(page, &h, skip);
    return DL_OK;
}

/* --- Cursors --------------------------------------------------------------- */

const char *mdl_data_rank_format(const mdl_data_rank *rank, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%" PRId32 " %" PRIu64 " %u %u %.*s",
                        rank->place.day, rank->place.line,
                        (unsigned)rank->key.kind, (unsigned)rank->key.escaped,
                        (int)rank->key.len, rank->text);
}

bool mdl_data_rank_read(mdl_data_rank *rank, const char *text)
{
    unsigned kind;
    unsigned escaped;
    int at = 0;

    memset(rank, 0, sizeof *rank);
    if (sscanf(text, "%" SCNd32 " %" SCNu64 " %u %u%n", &rank->place.day,
               &rank->place.line, &kind, &escaped, &at) != 4 ||
        text[at] != ' ' || strlen(text + at + 1) > sizeof rank->text) {
        return false;
    }
    rank->key.kind = (uint8_t)kind;
    rank->key.escaped = escaped != 0 ? 1 : 0;
    rank->key.len = (uint32_t)strlen(text + at + 1);
    rank->key.text = rank->text;
    memcpy(rank->text, text + at + 1, rank->key.len);
    return kind <= (unsigned)DL_JSON_ARRAY;
}
