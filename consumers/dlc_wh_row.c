/* dlc_wh_row.c - Format, split and read rows.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_wh_row.h"

#include <stdio.h>
#include <string.h>

/* Most bytes of a value that is not a text. */
#define NUMBER_ROOM 400

size_t dlc_wh_row_bound(const dlc_wh_table *table, const dlc_wh_input *input)
{
    size_t parent = input->parent == NULL ? 0 : input->parent->line_len;

    return (input->rec->line_len + parent) * 2 + input->origin.len * 2 +
           (size_t)table->n * NUMBER_ROOM;
}

static char *put_null(char *out)
{
    *out++ = '\\';
    *out++ = 'N';
    return out;
}

static char *put_text(char *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '\t' || c == '\n' || c == '\\' || c == '\0') {
            *out++ = '\\';
            c = (char)(c == '\t'   ? 't'
                       : c == '\n' ? 'n'
                       : c == '\0' ? '0'
                                   : '\\');
        }
        *out++ = c;
    }
    return out;
}

static char *put_int(char *out, int64_t value)
{
    char digits[24];
    size_t n = 0;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        digits[n++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        *out++ = '-';
    }
    while (n > 0) {
        *out++ = digits[--n];
    }
    return out;
}

static char *put_time(char *out, dl_time t)
{
    dl_time_format_sql(out, t);
    return out + DL_TIME_SQL - 1;
}

/* Write the number text of field FIELD when it is short enough to be one. */
static char *put_number(char *out, const dl_record *rec, int field)
{
    const char *text;
    size_t len;

    if (!dl_record_number(&text, &len, rec, field) || len >= NUMBER_ROOM) {
        return put_null(out);
    }
    memcpy(out, text, len);
    return out + len;
}

static char *put_date(char *out, const dl_record *rec, int field)
{
    dl_day day;

    if (!dl_record_date(&day, rec, field)) {
        return put_null(out);
    }
    dl_day_format(out, day);
    return out + DL_DAY_TEXT - 1;
}

static char *put_field(char *out, const dl_record *rec, dl_field_type type,
                       int field)
{
    const char *text;
    size_t len;
    int64_t number;
    dl_decimal decimal;
    dl_time when;
    bool flag;

    switch (type) {
    case DL_FIELD_STR:
        return dl_record_text(&text, &len, rec, field)
                   ? put_text(out, text, len)
                   : put_null(out);
    case DL_FIELD_INT:
        return dl_record_int(&number, rec, field) ? put_int(out, number)
                                                  : put_null(out);
    case DL_FIELD_DEC:
        return dl_record_decimal(&decimal, rec, field)
                   ? out + dl_decimal_format_sql(out, decimal)
                   : put_null(out);
    case DL_FIELD_NUM:
        return put_number(out, rec, field);
    case DL_FIELD_BOOL:
        return dl_record_bool(&flag, rec, field) ? put_int(out, flag)
                                                 : put_null(out);
    case DL_FIELD_TIME:
        return dl_record_time(&when, rec, field) ? put_time(out, when)
                                                 : put_null(out);
    case DL_FIELD_DATE:
        return put_date(out, rec, field);
    case DL_FIELD_ANY:
        return rec->field[field].kind > DL_JSON_NULL
                   ? put_text(out, rec->field[field].text,
                              rec->field[field].len)
                   : put_null(out);
    }
    return put_null(out);
}

/* Write the amount in the base currency, or NULL. */
static char *put_base(char *out, const dlc_wh_table *table,
                      const dlc_wh_input *input)
{
    const dl_record *rec = input->rec;
    int amount_at = table->at.amount;
    int currency_at = table->at.currency;
    const char *currency;
    size_t len;
    dl_decimal amount;

    if (amount_at < 0 || currency_at < 0 ||
        !dl_record_decimal(&amount, rec, table->columns[amount_at].field) ||
        !dl_record_text(&currency, &len, rec,
                        table->columns[currency_at].field) ||
        !dl_wh_rate_convert(&amount, input->rates, amount, currency, len,
                            rec->day)) {
        return put_null(out);
    }
    return out + dl_decimal_format_sql(out, amount);
}

void dlc_wh_row_hash(char out[DL_SHA256_TEXT], dl_sha256 *sum,
                     const dl_dataset *ds, const dl_record *rec)
{
    for (int i = 0; i < ds->n_hash; i++) {
        char length[24];
        const char *text;
        size_t len;

        if (dl_record_text(&text, &len, rec, ds->hash[i])) {
            char *end = put_int(length, (int64_t)len);

            *end++ = ':';
            dl_sha256_add(sum, length, (size_t)(end - length));
            dl_sha256_add(sum, text, len);
        }
        else {
            dl_sha256_add(sum, "-", 1);
        }
        dl_sha256_add(sum, ",", 1);
    }
    dl_sha256_text(out, sum);
}

int64_t dlc_wh_row_id(const dl_coord *coord)
{
    return (int64_t)(coord->generation & 0xfff) << 51 |
           (int64_t)(coord->partition & 0x7ff) << 40 |
           (coord->offset & INT64_C(0xffffffffff));
}

static char *put_column(char *out, const dlc_wh_table *table,
                        const dlc_wh_column *column, const dlc_wh_input *input)
{
    switch (column->origin) {
    case DLC_WH_FIELD:
        return put_field(out, input->rec,
                         table->dataset->fields[column->field].type,
                         column->field);
    case DLC_WH_GENERATION:
        return put_int(out, input->coord.generation);
    case DLC_WH_PARTITION:
        return put_int(out, input->coord.partition);
    case DLC_WH_OFFSET:
        return put_int(out, input->coord.offset);
    case DLC_WH_TIME:
        return put_time(out, input->coord.time);
    case DLC_WH_ORIGIN:
        return input->origin.text != NULL
                   ? put_text(out, input->origin.text, input->origin.len)
                   : put_null(out);
    case DLC_WH_AMOUNT_BASE:
        return put_base(out, table, input);
    case DLC_WH_EVENT:
        return put_time(out, input->rec->event_time);
    case DLC_WH_HASH:
        dlc_wh_row_hash(out, input->sum, table->dataset, input->rec);
        return out + DL_SHA256_TEXT - 1;
    case DLC_WH_ID:
        return put_int(out, dlc_wh_row_id(&input->coord));
    case DLC_WH_PARENT:
        return put_field(
            out, input->parent,
            dl_judge_dataset(input->parent->judge)->fields[column->field].type,
            column->field);
    }
    return put_null(out);
}

char *dlc_wh_row_format(char *out, const dlc_wh_table *table,
                        const dlc_wh_input *input)
{
    for (int i = 0; i < table->n; i++) {
        out = put_column(out, table, &table->columns[i], input);
        *out++ = '\t';
    }
    out[-1] = '\n';
    return out;
}

void dlc_wh_row_split(dlc_text *columns, const dlc_wh_table *table,
                      const char *row, size_t len)
{
    const char *end = row + len;

    for (int i = 0; i < table->n; i++) {
        const char *stop = memchr(row, '\t', (size_t)(end - row));

        if (stop == NULL) {
            stop = end - 1; /* the newline */
        }
        columns[i].text = row;
        columns[i].len = (size_t)(stop - row);
        if (columns[i].len == 2 && row[0] == '\\' && row[1] == 'N') {
            columns[i] = (dlc_text){NULL, 0};
        }
        row = stop + 1;
    }
}

/* Return TEXT without escapes; a copy is made at *SCRATCH, which moves. */
static dlc_text unescape(dlc_text text, char **scratch)
{
    char *to = *scratch;

    if (text.text == NULL || memchr(text.text, '\\', text.len) == NULL) {
        return text;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.text[i];

        if (c == '\\' && i + 1 < text.len) {
            c = text.text[++i];
            c = (char)(c == 't' ? '\t' : c == 'n' ? '\n' : c);
        }
        *to++ = c;
    }
    text.text = *scratch;
    text.len = (size_t)(to - *scratch);
    *scratch = to;
    return text;
}

static dlc_text column_at(const dlc_text *columns, int at, char **scratch)
{
    return at < 0 ? (dlc_text){NULL, 0} : unescape(columns[at], scratch);
}

static void spend_sums(dlc_sums *sums, const dlc_wh_table *table,
                       const dlc_text *columns)
{
    dlc_text amount = {NULL, 0};
    dlc_text base = {NULL, 0};
    dlc_text quantity = {NULL, 0};
    dl_decimal value;

    amount = table->at.amount < 0 ? amount : columns[table->at.amount];
    base = table->at.amount_base < 0 ? base : columns[table->at.amount_base];
    quantity = table->at.quantity < 0 ? quantity : columns[table->at.quantity];
    memset(sums, 0, sizeof *sums);
    sums->n = 1;
    sums->quantity = 1;
    if (amount.text != NULL &&
        dl_decimal_parse(&value, amount.text, amount.len)) {
        sums->amount = value.units;
        sums->unconverted = base.text == NULL ? 1 : 0;
    }
    if (base.text != NULL && dl_decimal_parse(&value, base.text, base.len)) {
        sums->base = value.units;
    }
    if (quantity.text != NULL &&
        dl_decimal_parse(&value, quantity.text, quantity.len)) {
        sums->quantity = (int64_t)(value.units / 10000000000);
    }
}

void dlc_wh_row_spend(dlc_spend_row *spend, const dlc_wh_table *table,
                      const dlc_text *columns, const dl_coord *coord,
                      char *scratch)
{
    const dlc_wh_spend_columns *at = &table->at;
    bool no_zone;

    spend->time = coord->time;
    if (at->time >= 0 && columns[at->time].text != NULL) {
        (void)dl_time_parse_rfc3339(&spend->time, &no_zone,
                                    columns[at->time].text,
                                    columns[at->time].len);
    }
    spend->user_id = column_at(columns, at->user_id, &scratch);
    spend->product_id = column_at(columns, at->product_id, &scratch);
    spend->product_name = column_at(columns, at->product_name, &scratch);
    spend->currency = column_at(columns, at->currency, &scratch);
    spend->type = column_at(columns, at->type, &scratch);
    spend->status = column_at(columns, at->status, &scratch);
    spend->category = column_at(columns, at->category, &scratch);
    spend->coord = *coord;
    spend_sums(&spend->sums, table, columns);
}

char *dlc_wh_row_literal(char *out, const dlc_wh_table *table,
                         const dlc_text *columns)
{
    *out++ = '(';
    for (int i = 0; i < table->n; i++) {
        if (columns[i].text == NULL) {
            /* The row goes on, so no NUL.
             * NOLINTNEXTLINE(bugprone-not-null-terminated-result) */
            memcpy(out, "NULL", 4);
            out += 4;
        }
        else {
            *out++ = '\'';
            for (size_t j = 0; j < columns[i].len; j++) {
                if (columns[i].text[j] == '\'') {
                    *out++ = '\\';
                }
                *out++ = columns[i].text[j];
            }
            *out++ = '\'';
        }
        *out++ = ',';
    }
    out[-1] = ')';
    return out;
}
