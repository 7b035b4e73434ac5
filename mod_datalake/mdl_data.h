/* mdl_data.h - GET /api/data/: the parts its files share.
 *
 *   mdl_api_data.c     parameters, the request, its answer
 *   mdl_data_query.c   parameters -> dl_query
 *   mdl_data_page.c    the records of one page: where they are, how many
 *   mdl_data_match.c   the same with filters
 *   mdl_data_sort.c    the same in another order
 *   mdl_data_send.c    the records of one page: read and sent
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_DATA_H
#define MDL_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "dl_dataset.h"
#include "dl_error.h"
#include "dl_query.h"
#include "mdl_request.h"
#include "mdl_walk.h"

/* The rows of its parameter table. */
enum {
    MDL_DATA_RESOURCE,
    MDL_DATA_PAGE,
    MDL_DATA_PAGE_SIZE,
    MDL_DATA_CURSOR,
    MDL_DATA_FIELDS,
    MDL_DATA_SORT,
    MDL_DATA_COUNT,
    MDL_DATA_META,
    MDL_DATA_FILTERS
};

/* Values of count=. */
enum {
    MDL_DATA_COUNT_AUTO,
    MDL_DATA_COUNT_EXACT,
    MDL_DATA_COUNT_NONE
};

/* The largest page x page_size; beyond it a cursor has to be used. */
#define MDL_DATA_DEPTH 10000

/* Most matches that are sorted. */
#define MDL_DATA_SORT_MAX 100000

/* Bytes of a value by which records are sorted; what is equal so far keeps
 * the order of date and line. */
#define MDL_DATA_SORT_KEY 256

/* What is asked for. */
typedef struct mdl_data_query {
    const dl_dataset *ds;         /* whose records */
    dl_query *query;              /* filters and columns, ready */
    int n_fields;                 /* columns of the projection; 0: all */
    int fields[DL_QUERY_COLUMNS]; /* the columns */
    const dl_lake_hint *hint;     /* what all matches have; NULL: nothing */
    int sort;                     /* column of the order, -1: date and line */
    bool descending;              /* the order is turned round */
    dl_day first, last;           /* days that can hold matches */
} mdl_data_query;

/* Fill DATA from the parameters of Q, whose resource has been checked.
 * Returns OK or the status of a problem: 400, 404. */
int mdl_data_query_read(mdl_data_query *data, mdl_request *q);

/* A match with the value by which it is sorted. */
typedef struct mdl_data_rank {
    mdl_place place;              /* where it lies */
    dl_json_slice key;            /* its value, cut; the text is below */
    char text[MDL_DATA_SORT_KEY]; /* of the value */
} mdl_data_rank;

/* A page. */
typedef struct mdl_data_page {
    int n;                     /* records found for it */
    mdl_place *places;         /* where they lie */
    bool more;                 /* there are matches behind it */
    mdl_place end;             /* where the next page goes on behind */
    const mdl_data_rank *last; /* the same when sorted; NULL: no match */
    int64_t count;             /* all matches, -1: not known */
} mdl_data_page;

/* How a page is to be found. */
typedef struct mdl_data_find {
    mdl_request *q;             /* the request */
    const mdl_data_query *data; /* what is asked for */
    dl_lake_snapshot *snap;     /* the state */
    mdl_walk_range range;       /* days, place, state */
    const mdl_data_rank *after; /* sorted: the last match before those that
                                   count; NULL: none */
    uint64_t skip;              /* matches in front of the page */
    int size;                   /* records of a page, at most */
    int count;                  /* a MDL_DATA_COUNT_ */
    int64_t known;              /* all matches, -1: not known yet */
} mdl_data_find;

/* Fill PAGE as FIND asks; it lives in the request's pool.  DL_TIMEOUT: the
 * deadline of the request has passed; DL_LIMIT: more than MDL_DATA_SORT_MAX
 * matches would have to be sorted; else as mdl_walk_next. */
DL_MUSTCHECK dl_status mdl_data_page_find(mdl_data_page *page,
                                          const mdl_data_find *find,
                                          dl_error *err);

/* The part of it for filters, in order of date and line; fails likewise. */
DL_MUSTCHECK dl_status mdl_data_match(mdl_data_page *page,
                                      const mdl_data_find *find, dl_error *err);

/* The part of it for sort=; fails likewise. */
DL_MUSTCHECK dl_status mdl_data_sort(mdl_data_page *page,
                                     const mdl_data_find *find, dl_error *err);

/* Look after the request of FIND, whose N-th line is being read.  DL_TIMEOUT:
 * its time is over; DL_IO: nobody waits for it any more. */
DL_MUSTCHECK dl_status mdl_data_look(const mdl_data_find *find, uint64_t n,
                                     dl_error *err);

/* Return below, at or above 0 as A lies before, at or behind B. */
int mdl_data_place_order(mdl_place a, mdl_place b);

/* Return RANK as text, for a cursor, in POOL. */
const char *mdl_data_rank_format(const mdl_data_rank *rank, apr_pool_t *pool);

/* Set *RANK to what TEXT says; false: it is none. */
bool mdl_data_rank_read(mdl_data_rank *rank, const char *text);

/* A page that was found. */
typedef struct mdl_data_sent {
    const mdl_data_query *what; /* what was asked for */
    const mdl_data_find *find;  /* how it was found */
    const mdl_data_page *page;  /* the page */
    const char *cursor;         /* of the next one, NULL: there is none */
} mdl_data_sent;

/* Answer Q with the page SENT in the format of Q.  Returns OK, or the status
 * of a problem. */
int mdl_data_send(mdl_request *q, const mdl_data_sent *sent);

#endif
