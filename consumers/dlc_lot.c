/* dlc_lot.c - Records put in order by partition.
 *
 * A list runs through the records of each partition.  Partitions from LISTS on
 * share lists; within one the order is that of arrival, which is all that
 * matters.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_lot.h"

#include <string.h>

#include "dl_buf.h"

/* Lists; a power of two. */
#define LISTS 256

/* A record that waits. */
typedef struct held {
    dlc_producer_record record;                   /* it, in BYTES */
    dlc_producer_header headers[DLC_LOT_HEADERS]; /* likewise */
    int32_t partition;                            /* where to */
    int next;                                     /* of its list; -1: none */
} held;

/* A list of them. */
typedef struct list {
    int first; /* -1: it is empty */
    int last;  /* of one that is not */
} list;

struct dlc_lot {
    held *items;       /* DLC_LOT_RECORDS */
    int n;             /* of them */
    int left;          /* of these, not passed */
    char *bytes;       /* DLC_LOT_BYTES */
    size_t used;       /* of them */
    list lists[LISTS]; /* by partition */
    int at;            /* the list that is given */
};

/* Forget everything. */
static void clear(dlc_lot *lot)
{
    lot->n = 0;
    lot->left = 0;
    lot->used = 0;
    lot->at = 0;
    for (int i = 0; i < LISTS; i++) {
        lot->lists[i].first = -1;
    }
}

dlc_lot *dlc_lot_create(apr_pool_t *pool)
{
    dlc_lot *lot = apr_pcalloc(pool, sizeof *lot);

    lot->items = apr_palloc(pool, DLC_LOT_RECORDS * sizeof *lot->items);
    lot->bytes = dl_buf_memory(DLC_LOT_BYTES, pool);
    clear(lot);
    return lot;
}

int dlc_lot_count(const dlc_lot *lot)
{
    return lot->left;
}

/* Return a copy of the LEN bytes at DATA; NULL when that is. */
static const void *keep(dlc_lot *lot, const void *data, size_t len)
{
    char *to = lot->bytes + lot->used;

    if (data == NULL) {
        return NULL;
    }
    memcpy(to, data, len);
    lot->used += len;
    return to;
}

bool dlc_lot_add(dlc_lot *lot, const dlc_producer_record *record,
                 int32_t partition)
{
    list *in = &lot->lists[partition & (LISTS - 1)];
    size_t need = record->key_len + record->len;
    held *h = &lot->items[lot->n];

    for (int i = 0; i < record->n_headers; i++) {
        need += record->headers[i].len;
    }
    if (lot->n == DLC_LOT_RECORDS || record->n_headers > DLC_LOT_HEADERS ||
        lot->left < lot->n || need > DLC_LOT_BYTES - lot->used) {
        return false;
    }
    h->record = *record;
    h->record.key = keep(lot, record->key, record->key_len);
    h->record.value = keep(lot, record->value, record->len);
    for (int i = 0; i < record->n_headers; i++) {
        h->headers[i] = record->headers[i];
        h->headers[i].value =
            keep(lot, record->headers[i].value, record->headers[i].len);
    }
    h->record.headers = h->headers;
    h->partition = partition;
    h->next = -1;
    if (in->first < 0) {
        in->first = lot->n;
    }
    else {
        lot->items[in->last].next = lot->n;
    }
    in->last = lot->n++;
    lot->left++;
    return true;
}

bool dlc_lot_next(dlc_producer_record *record, int32_t *partition, dlc_lot *lot)
{
    const held *h;

    if (lot->left == 0) {
        return false;
    }
    while (lot->lists[lot->at].first < 0) {
        lot->at++;
    }
    h = &lot->items[lot->lists[lot->at].first];
    *record = h->record;
    *partition = h->partition;
    return true;
}

void dlc_lot_pass(dlc_lot *lot)
{
    list *in = &lot->lists[lot->at];

    in->first = lot->items[in->first].next;
    if (--lot->left == 0) {
        clear(lot);
    }
}
