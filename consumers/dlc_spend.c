/* dlc_spend.c - Add transactions up under the keys of the rollup tables.
 *
 * Keys are the columns in order of the table's primary key, texts ended by a
 * NUL (no text holds one), numbers big-endian with the sign bit turned, so
 * that the order of bytes is the order of the table's rows.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_spend.h"

#include "dl_decimal.h"
#include "dl_statements.h"
#include "dl_wh.h"
#include "dl_wh_words.h"
#include "dlc_spend_name.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

/* Rows of the three forms of an upsert. */
#define FORMS 3
static const unsigned form_rows[FORMS] = {128, 16, 1};

struct dlc_spend {
    dlc_tally *user;   /* spend_user */
    dlc_tally *second; /* spend_second */
    dlc_tally *sale;   /* product_sale, and product_total without the day */
    dlc_names names;   /* product */
};

dlc_spend *dlc_spend_create(void)
{
    dlc_spend *spend = calloc(1, sizeof *spend);

    if (spend == NULL) {
        abort();
    }
    spend->user = dlc_tally_create();
    spend->second = dlc_tally_create();
    spend->sale = dlc_tally_create();
    return spend;
}

void dlc_spend_destroy(dlc_spend *spend)
{
    if (spend != NULL) {
        dlc_tally_destroy(spend->user);
        dlc_tally_destroy(spend->second);
        dlc_tally_destroy(spend->sale);
        dlc_names_clear(&spend->names);
        free(spend);
    }
}

/* --- Keys ------------------------------------------------------------------
 */

/* A key being made; a text that does not fit is cut, which cannot happen:
 * columns are far shorter. */
typedef struct key {
    unsigned char bytes[DLC_TALLY_KEY]; /* so far */
    size_t len;                         /* of them */
} key;

static void key_text(key *k, dlc_text text, const char *missing)
{
    if (text.text == NULL) {
        text = (dlc_text){missing, strlen(missing)};
    }
    if (text.len > sizeof k->bytes - k->len - 1) {
        text.len = sizeof k->bytes - k->len - 1;
    }
    memcpy(k->bytes + k->len, text.text, text.len);
    k->len += text.len;
    k->bytes[k->len++] = '\0';
}

static void key_number(key *k, int64_t value)
{
    uint64_t ordered = (uint64_t)value ^ (UINT64_C(1) << 63);

    for (int shift = 56; shift >= 0; shift -= 8) {
        k->bytes[k->len++] = (unsigned char)(ordered >> shift);
    }
}

/* Append currency (upper case), type and status of ROW. */
static void key_kind(key *k, const dlc_spend_row *row)
{
    size_t from = k->len;

    key_text(k, row->currency, "");
    for (size_t i = from; i < k->len; i++) {
        if (k->bytes[i] >= 'a' && k->bytes[i] <= 'z') {
            k->bytes[i] = (unsigned char)(k->bytes[i] - 32);
        }
    }
    key_text(k, row->type, "unknown");
    key_text(k, row->status, "");
}

static dlc_text key_take_text(const unsigned char **at)
{
    dlc_text text = {(const char *)*at, strlen((const char *)*at)};

    *at += text.len + 1;
    return text;
}

static int64_t key_take_number(const unsigned char **at)
{
    uint64_t ordered = 0;

    for (int i = 0; i < 8; i++) {
        ordered = ordered << 8 | *(*at)++;
    }
    return (int64_t)(ordered ^ (UINT64_C(1) << 63));
}

static dl_time second_of(dl_time t)
{
    dl_time rest = t % DL_SECOND_US;

    return t - (rest < 0 ? rest + DL_SECOND_US : rest);
}

void dlc_spend_add(dlc_spend *spend, const dlc_spend_row *row, int sign)
{
    key k;

    k.len = 0;
    key_number(&k, second_of(row->time));
    key_kind(&k, row);
    dlc_tally_add(spend->second, k.bytes, k.len, &row->sums, sign);
    if (row->user_id.text != NULL) {
        k.len = 0;
        key_text(&k, row->user_id, "");
        key_kind(&k, row);
        key_text(&k, row->category, "unknown");
        dlc_tally_add(spend->user, k.bytes, k.len, &row->sums, sign);
    }
    if (row->product_id.text != NULL) {
        k.len = 0;
        key_text(&k, row->product_id, "");
        key_number(&k, dl_time_day(row->time));
        key_kind(&k, row);
        dlc_tally_add(spend->sale, k.bytes, k.len, &row->sums, sign);
        if (row->product_name.text != NULL && sign > 0) {
            dlc_names_add(&spend->names, row->product_id, row->product_name,
                          &row->coord);
        }
    }
}

void dlc_spend_merge(dlc_spend *spend, const dlc_spend *from)
{
    dlc_tally_merge(spend->user, from->user);
    dlc_tally_merge(spend->second, from->second);
    dlc_tally_merge(spend->sale, from->sale);
    for (size_t i = 0; i < from->names.n; i++) {
        const dlc_name *name = &from->names.rows[i];

        dlc_names_add(&spend->names, name->product_id, name->name,
                      &name->coord);
    }
}

size_t dlc_spend_bytes(const dlc_spend *spend)
{
    return dlc_tally_bytes(spend->user) + dlc_tally_bytes(spend->second) +
           dlc_tally_bytes(spend->sale) + spend->names.bytes +
           spend->names.room * sizeof *spend->names.rows;
}

bool dlc_spend_is_empty(const dlc_spend *spend)
{
    return dlc_tally_count(spend->second) == 0;
}

/* --- Writing ---------------------------------------------------------------
 */

/* Binds one item from parameter AT on. */
typedef void item_bind(dl_wh_stmt *st, unsigned at, const dlc_tally_item *item);

/* One table to write. */
typedef struct target {
    const char *sql;         /* upsert of one row */
    unsigned columns;        /* parameters of a row */
    item_bind *bind;         /* binds one */
    const char *form[FORMS]; /* the upsert for form_rows rows */
} target;

/* The tables of a writer. */
enum {
    USER,
    SECOND,
    SALE,
    TOTAL,
    NAME,
    TARGETS
};

struct dlc_spend_writer {
    dl_wh *wh;               /* the connection */
    target targets[TARGETS]; /* by table */
};

static void bind_text(dl_wh_stmt *st, unsigned at, dlc_text text)
{
    dl_wh_bind_text(st, at, text.text, text.len);
}

/* Bind the sums of all tables but product_total. */
static void bind_sums(dl_wh_stmt *st, unsigned at, const dlc_sums *sums)
{
    dl_wh_bind_int(st, at, sums->n);
    dl_wh_bind_decimal(st, at + 1, (dl_decimal){sums->amount});
    dl_wh_bind_decimal(st, at + 2, (dl_decimal){sums->base});
    dl_wh_bind_int(st, at + 3, sums->unconverted);
    dl_wh_bind_int(st, at + 4, sums->quantity);
}

static void bind_user(dl_wh_stmt *st, unsigned at, const dlc_tally_item *item)
{
    const unsigned char *k = item->key;

    for (unsigned i = 0; i < 5; i++) {
        bind_text(st, at + i, key_take_text(&k));
    }
    bind_sums(st, at + 5, item->sums);
}

static void bind_second(dl_wh_stmt *st, unsigned at, const dlc_tally_item *item)
{
    const unsigned char *k = item->key;

    dl_wh_bind_time(st, at, key_take_number(&k));
    for (unsigned i = 1; i < 4; i++) {
        bind_text(st, at + i, key_take_text(&k));
    }
    bind_sums(st, at + 4, item->sums);
}

static void bind_sale(dl_wh_stmt *st, unsigned at, const dlc_tally_item *item)
{
    const unsigned char *k = item->key;

    bind_text(st, at, key_take_text(&k));
    dl_wh_bind_day(st, at + 1, (dl_day)key_take_number(&k));
    for (unsigned i = 2; i < 5; i++) {
        bind_text(st, at + i, key_take_text(&k));
    }
    bind_sums(st, at + 5, item->sums);
}

static void bind_total(dl_wh_stmt *st, unsigned at, const dlc_tally_item *item)
{
    const unsigned char *k = item->key;

    for (unsigned i = 0; i < 4; i++) {
        bind_text(st, at + i, key_take_text(&k));
    }
    dl_wh_bind_int(st, at + 4, item->sums->n);
    dl_wh_bind_int(st, at + 5, item->sums->quantity);
}

dlc_spend_writer *dlc_spend_writer_create(struct dl_wh *wh, apr_pool_t *pool)
{
    static const target tables[TARGETS] = {
        [USER] = {STMT_SPEND_USER_PUT, 10, bind_user, {0}},
        [SECOND] = {STMT_SPEND_SECOND_PUT, 9, bind_second, {0}},
        [SALE] = {STMT_PRODUCT_SALE_PUT, 10, bind_sale, {0}},
        [TOTAL] = {STMT_PRODUCT_TOTAL_PUT, 6, bind_total, {0}},
        [NAME] = {STMT_PRODUCT_PUT, 6, NULL, {0}},
    };
    dlc_spend_writer *writer = apr_pcalloc(pool, sizeof *writer);

    writer->wh = wh;
    memcpy(writer->targets, tables, sizeof tables);
    for (int i = 0; i < TARGETS; i++) {
        for (int form = 0; form < FORMS; form++) {
            writer->targets[i].form[form] =
                dl_wh_words_repeat(tables[i].sql, form_rows[form], pool);
        }
    }
    return writer;
}

static dl_status items_write(dl_wh *wh, const target *to,
                             const dlc_tally_item *items, size_t n,
                             dl_error *err)
{
    int form = 0;

    while (n > 0) {
        dl_wh_stmt *st;

        if (n < form_rows[form]) {
            form++;
            continue;
        }
        DL_TRY(dl_wh_prepare(&st, wh, to->form[form], err));
        for (unsigned i = 0; i < form_rows[form]; i++) {
            to->bind(st, i * to->columns, &items[i]);
        }
        DL_TRY(dl_wh_run(st, err));
        items += form_rows[form];
        n -= form_rows[form];
    }
    return DL_OK;
}

static dl_status tally_write(dlc_spend_writer *writer, int table,
                             const dlc_tally *tally, dl_error *err)
{
    dlc_tally_item *items = dlc_tally_sorted(tally);
    dl_status status = items_write(writer->wh, &writer->targets[table], items,
                                   dlc_tally_count(tally), err);

    free(items);
    return status;
}

/* Return SALE without the days; the caller destroys it. */
static dlc_tally *days_fold(const dlc_tally *sale)
{
    dlc_tally *total = dlc_tally_create();
    dlc_tally_item *items = dlc_tally_sorted(sale);

    for (size_t i = 0; i < dlc_tally_count(sale); i++) {
        size_t product = strlen((const char *)items[i].key) + 1;
        size_t rest = items[i].len - product - 8;
        key k;

        memcpy(k.bytes, items[i].key, product);
        memcpy(k.bytes + product, items[i].key + product + 8, rest);
        dlc_tally_add(total, k.bytes, product + rest, items[i].sums, 1);
    }
    free(items);
    return total;
}

static void bind_name(dl_wh_stmt *st, unsigned at, const dlc_name *name)
{
    bind_text(st, at, name->product_id);
    bind_text(st, at + 1, name->name);
    dl_wh_bind_time(st, at + 2, name->coord.time);
    dl_wh_bind_int(st, at + 3, name->coord.generation);
    dl_wh_bind_int(st, at + 4, name->coord.partition);
    dl_wh_bind_int(st, at + 5, name->coord.offset);
}

static int name_order(const void *a, const void *b)
{
    const dlc_text *x = &(*(const dlc_name *const *)a)->product_id;
    const dlc_text *y = &(*(const dlc_name *const *)b)->product_id;
    int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);

    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static dl_status names_write(dlc_spend_writer *writer, const dlc_names *names,
                             dl_error *err)
{
    const target *to = &writer->targets[NAME];
    const dlc_name **sorted = malloc((names->n + 1) * sizeof(dlc_name *));
    size_t left = names->n;
    dl_status status = DL_OK;
    int form = 0;

    if (sorted == NULL) {
        abort();
    }
    for (size_t i = 0; i < names->n; i++) {
        sorted[i] = &names->rows[i];
    }
    qsort(sorted, names->n, sizeof *sorted, name_order);
    while (status == DL_OK && left > 0) {
        const dlc_name **rows = sorted + (names->n - left);
        dl_wh_stmt *st;

        if (left < form_rows[form]) {
            form++;
            continue;
        }
        status = dl_wh_prepare(&st, writer->wh, to->form[form], err);
        for (unsigned i = 0; status == DL_OK && i < form_rows[form]; i++) {
            bind_name(st, i * to->columns, rows[i]);
        }
        if (status == DL_OK) {
            status = dl_wh_run(st, err);
        }
        left -= form_rows[form];
    }
    free(sorted);
    return status;
}

dl_status dlc_spend_write(dlc_spend_writer *writer, const dlc_spend *spend,
                          dl_error *err)
{
    dlc_tally *total = days_fold(spend->sale);
    dl_status status = tally_write(writer, TOTAL, total, err);

    dlc_tally_destroy(total);
    DL_TRY(status);
    DL_TRY(tally_write(writer, USER, spend->user, err));
    DL_TRY(tally_write(writer, SECOND, spend->second, err));
    DL_TRY(tally_write(writer, SALE, spend->sale, err));
    return names_write(writer, &spend->names, err);
}
