/* mdl_data_page.c - Finding the records of one page.
 *
 * Without filters nothing is read: the places follow from the lines each day
 * has.  With filters see mdl_data_match.c, with sort= mdl_data_sort.c.
 *
 * Memory: 16 bytes a record of the page.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_data.h"

#include <string.h>

#include <httpd.h>

#include "mdl_client.h"

/* Lines between two looks at clock and connection, under a megabyte. */
#define LOOK_EVERY 1024

dl_status mdl_data_look(const mdl_data_find *find, uint64_t n, dl_error *err)
{
    if (n == 0 || n % LOOK_EVERY != 0) {
        return DL_OK;
    }
    if (mdl_client_gone(find->q)) {
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
        return mdl_data_sort(page, find, err);
    }
    return dl_query_filters(find->data->query) == 0
               ? find_plain(page, find, err)
               : mdl_data_match(page, find, err);
}
