/* dlc_simulate_value.c - A transaction as JSON, compact or as Python's
 * json.dumps writes it (blanks after , and :, every non-ASCII character as
 * \uXXXX).
 *
 * Appends through a bare pointer: the longest value stays far below
 * DLC_VALUE_MAX, because every text comes from our own tables.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_simulate_draw.h"

#include <string.h>

/* Where the next byte goes, and how. */
typedef struct value_writer {
    char *at;    /* next byte */
    bool python; /* style */
    bool first;  /* no member of this object yet */
} value_writer;

static void put(value_writer *w, const char *text)
{
    size_t len = strlen(text);

    memcpy(w->at, text, len);
    w->at += len;
}

static void put_number(value_writer *w, int64_t value)
{
    char digits[20];
    int n = 0;

    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (n > 0) {
        *w->at++ = digits[--n];
    }
}

static void put_unit(value_writer *w, uint32_t unit)
{
    static const char hex[] = "0123456789abcdef";

    put(w, "\\u");
    for (int shift = 12; shift >= 0; shift -= 4) {
        *w->at++ = hex[unit >> shift & 15];
    }
}

/* Write the character at TEXT as \uXXXX; return its bytes. */
static size_t put_escaped(value_writer *w, const unsigned char *text)
{
    size_t len = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    uint32_t code = text[0] & (0xffU >> (len + 1));

    for (size_t i = 1; i < len; i++) {
        code = code << 6 | (text[i] & 0x3fU);
    }
    if (code > 0xffff) {
        put_unit(w, 0xd800 + ((code - 0x10000) >> 10));
        put_unit(w, 0xdc00 + (code & 0x3ff));
    }
    else {
        put_unit(w, code);
    }
    return len;
}

static void put_characters(value_writer *w, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    while (*at != '\0') {
        if (*at >= 0x80 && w->python) {
            at += put_escaped(w, at);
            continue;
        }
        if (*at == '"' || *at == '\\') {
            *w->at++ = '\\';
        }
        *w->at++ = (char)*at++;
    }
}

static void put_string(value_writer *w, const char *text)
{
    *w->at++ = '"';
    put_characters(w, text);
    *w->at++ = '"';
}

/* Begin the member NAME. */
static void put_name(value_writer *w, const char *name)
{
    if (!w->first) {
        put(w, w->python ? ", " : ",");
    }
    w->first = false;
    *w->at++ = '"';
    put(w, name);
    put(w, w->python ? "\": " : "\":");
}

static void put_member(value_writer *w, const char *name, const char *text)
{
    put_name(w, name);
    put_string(w, text);
}

static void put_open(value_writer *w, const char *name)
{
    put_name(w, name);
    *w->at++ = '{';
    w->first = true;
}

static void put_close(value_writer *w)
{
    *w->at++ = '}';
    w->first = false;
}

/* Hundredths as 12.50, or as 12 where there are none and WHOLE. */
static void put_money(value_writer *w, int64_t hundredths, bool whole)
{
    put_number(w, hundredths / 100);
    if (!whole || hundredths % 100 != 0) {
        *w->at++ = '.';
        *w->at++ = (char)('0' + hundredths / 10 % 10);
        *w->at++ = (char)('0' + hundredths % 10);
    }
}

/* The event time with offset: the clock there, then the offset. */
static void put_offset_time(value_writer *w, const dlc_transaction *tx)
{
    static const int minutes[] = {120, -300, 330, 540, 60, -480};
    static const char *const texts[] = {"+02:00", "-05:00", "+05:30",
                                        "+09:00", "+01:00", "-08:00"};
    size_t i = (size_t)tx->number % 6;
    char text[DL_TIME_TEXT];

    dl_time_format(text, tx->at + (int64_t)minutes[i] * 60 * DL_SECOND_US);
    text[26] = '\0';
    *w->at++ = '"';
    put(w, text);
    put(w, texts[i]);
    *w->at++ = '"';
}

static void put_unix_time(value_writer *w, dl_time at)
{
    int64_t unit = DL_SECOND_US / 10;

    put_number(w, at / DL_SECOND_US);
    *w->at++ = '.';
    for (; unit > 0; unit /= 10) {
        *w->at++ = (char)('0' + at / unit % 10);
    }
}

static void put_time(value_writer *w, const dlc_transaction *tx, unsigned form)
{
    char text[DL_TIME_TEXT];

    if (form == DLC_TIMES_MISSING) {
        return;
    }
    put_name(w, "timestamp");
    if (form == DLC_TIMES_UNIX) {
        put_unix_time(w, tx->at);
    }
    else if (form == DLC_TIMES_OFFSET) {
        put_offset_time(w, tx);
    }
    else if (form == DLC_TIMES_LOCAL) {
        dl_time_format_sql(text, tx->at);
        put_string(w, text);
    }
    else {
        dl_time_format(text, tx->at);
        put_string(w, text);
    }
}

static void put_user(value_writer *w, const dlc_transaction *tx)
{
    put_name(w, "user_id");
    put(w, "\"user-");
    put_number(w, 10000 + tx->user);
    *w->at++ = '"';
    put_name(w, "user_name");
    *w->at++ = '"';
    put_characters(w, dlc_user_first(tx->user));
    *w->at++ = ' ';
    put_characters(w, dlc_user_last(tx->user));
    *w->at++ = '"';
}

static void put_product(value_writer *w, const dlc_transaction *tx)
{
    put_member(w, "product_id", tx->product->id);
    if ((tx->left_out & DLC_NO_PRODUCT) == 0) {
        put_member(w, "product", tx->product->name);
    }
    if ((tx->left_out & DLC_NO_PRODUCT_NAME) == 0) {
        put_member(w, "product_name", tx->product->name);
    }
    if ((tx->left_out & DLC_NO_CATEGORY) == 0) {
        put_member(w, "product_category", tx->product->category);
    }
    if ((tx->left_out & DLC_NO_QUANTITY) == 0) {
        put_name(w, "quantity");
        put_number(w, tx->quantity);
    }
}

static void put_payment(value_writer *w, const dlc_transaction *tx)
{
    bool whole = strcmp(tx->currency, "JPY") == 0;
    bool quoted = tx->number % 17 == 5;

    put_name(w, "amount");
    put(w, quoted ? "\"" : "");
    put_money(w, tx->amount, whole);
    put(w, quoted ? "\"" : "");
    put_member(w, "currency", tx->currency);
    put_member(w, "transaction_type", tx->type);
    put_member(w, "status", tx->status);
    if ((tx->left_out & DLC_NO_METHOD) == 0) {
        put_member(w, "payment_method", tx->method);
    }
    if ((tx->left_out & DLC_NO_TAX) == 0) {
        put_name(w, "tax_amount");
        put_money(w, tx->tax, whole);
    }
    put_name(w, "discount_code");
    if (tx->discount != NULL) {
        put_string(w, tx->discount);
    }
    else {
        put(w, "null");
    }
}

static void put_places(value_writer *w, const dlc_transaction *tx)
{
    if ((tx->left_out & DLC_NO_LOCATION) == 0) {
        put_open(w, "location");
        put_member(w, "city", tx->city->city);
        put_member(w, "country", tx->city->country);
        put_close(w);
    }
    if ((tx->left_out & DLC_NO_SHIPPING) == 0) {
        put_open(w, "shipping_address");
        put_name(w, "street");
        *w->at++ = '"';
        put_number(w, tx->house);
        *w->at++ = ' ';
        put_characters(w, tx->shipping->street);
        *w->at++ = '"';
        put_member(w, "zip", tx->shipping->zip);
        put_member(w, "city", tx->shipping->city);
        put_member(w, "country", tx->shipping->country);
        put_close(w);
    }
}

static void put_device(value_writer *w, const dlc_transaction *tx)
{
    if ((tx->left_out & DLC_NO_DEVICE) != 0) {
        return;
    }
    put_open(w, "device_info");
    put_member(w, "os", tx->os);
    put_member(w, "browser", tx->browser);
    put_name(w, "ip_address");
    *w->at++ = '"';
    for (int shift = 24; shift >= 0; shift -= 8) {
        put_number(w, tx->ip >> shift & 255);
        *w->at++ = shift > 0 ? '.' : '"';
    }
    put_close(w);
}

/* What the demo producer of the replaced system added. */
static void put_origin(value_writer *w, const dlc_transaction *tx)
{
    char text[DL_TIME_SQL];

    if ((tx->left_out & DLC_NO_RATING) == 0) {
        put_name(w, "customer_rating");
        if (tx->rating > 0) {
            put_number(w, tx->rating);
        }
        else {
            put(w, "null");
        }
    }
    put_name(w, "thread");
    put_number(w, tx->thread);
    put_name(w, "message_number");
    put_number(w, tx->number);
    dl_time_format_sql(text, tx->at + 1500 + (dl_time)tx->house * 7919);
    put_member(w, "timestamp_of_reception_log", text);
}

size_t dlc_transaction_write(char *out, const dlc_transaction *tx,
                             dlc_simulate_style style, unsigned form)
{
    value_writer w = {out, style == DLC_STYLE_PYTHON, true};

    *w.at++ = '{';
    put_member(&w, "transaction_id", tx->id);
    put_time(&w, tx, form);
    put_user(&w, tx);
    put_product(&w, tx);
    put_payment(&w, tx);
    put_places(&w, tx);
    put_device(&w, tx);
    put_origin(&w, tx);
    *w.at++ = '}';
    return (size_t)(w.at - out);
}
