/* dlc_wh_key.c - Values to bytes to a hash.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_wh_key.h"

#include <stdlib.h>
#include <string.h>

/* Digits of a number that is no decimal. */
#define NUMBER_ROOM 64

/* --- Values --------------------------------------------------------------- */

/* Add the LEN bytes at DATA to SUM, so that no other bytes look the same. */
static void add(dl_sha256 *sum, const void *data, size_t len)
{
    dl_sha256_add(sum, &len, sizeof len);
    dl_sha256_add(sum, data, len);
}

static bool add_text(dl_sha256 *sum, const dl_record *rec, int field,
                     bool exact)
{
    const char *text;
    size_t len;

    if (!dl_record_text(&text, &len, rec, field)) {
        return false;
    }
    while (!exact && len > 0 && text[len - 1] == ' ') {
        len--;
    }
    add(sum, text, len);
    return true;
}

/* Add a number of a column DOUBLE. */
static bool add_double(dl_sha256 *sum, const dl_record *rec, int field)
{
    char digits[NUMBER_ROOM];
    const char *text;
    double value;
    size_t len;

    if (!dl_record_number(&text, &len, rec, field) || len >= sizeof digits) {
        return false;
    }
    memcpy(digits, text, len);
    digits[len] = '\0';
    value = strtod(digits, NULL) + 0.0; /* no -0 */
    add(sum, &value, sizeof value);
    return true;
}

/* Add a value that is a whole number in memory. */
static bool add_whole(dl_sha256 *sum, const dl_record *rec, int field,
                      dl_field_type type)
{
    int64_t value = 0;
    dl_time when = 0;
    dl_day day = 0;
    bool flag = false;
    bool there = type == DL_FIELD_INT    ? dl_record_int(&value, rec, field)
                 : type == DL_FIELD_TIME ? dl_record_time(&when, rec, field)
                 : type == DL_FIELD_DATE ? dl_record_date(&day, rec, field)
                                         : dl_record_bool(&flag, rec, field);

    if (there) {
        value += when + day + (flag ? 1 : 0); /* one of them */
        add(sum, &value, sizeof value);
    }
    return there;
}

/* Add what the column of FIELD has of REC; false: NULL. */
static bool add_field(dl_sha256 *sum, const dl_record *rec, int field,
                      bool exact)
{
    dl_field_type type = dl_judge_dataset(rec->judge)->fields[field].type;
    dl_decimal decimal;

    switch (type) {
    case DL_FIELD_STR:
        return add_text(sum, rec, field, exact);
    case DL_FIELD_NUM:
        return add_double(sum, rec, field);
    case DL_FIELD_DEC:
        if (!dl_record_decimal(&decimal, rec, field)) {
            return false;
        }
        add(sum, &decimal.units, sizeof decimal.units);
        return true;
    case DL_FIELD_INT:
    case DL_FIELD_TIME:
    case DL_FIELD_DATE:
    case DL_FIELD_BOOL:
        return add_whole(sum, rec, field, type);
    case DL_FIELD_ANY:
        break;
    }
    if (rec->field[field].kind <= DL_JSON_NULL) {
        return false;
    }
    add(sum, rec->field[field].text, rec->field[field].len);
    return true;
}

bool dlc_wh_key_make(dlc_wh_key *key, dl_sha256 *sum, const dl_record *rec,
                     const dlc_wh_key_fields *fields, int kind)
{
    unsigned char digest[DL_SHA256_SIZE];
    bool all = true;

    dl_sha256_add(sum, &kind, sizeof kind);
    for (int i = 0; i < fields->n; i++) {
        if (!add_field(sum, rec, fields->at[i], fields->exact)) {
            dl_sha256_add(sum, "-", 1);
            all = false;
        }
    }
    dl_sha256_digest(digest, sum);
    memcpy(key->bytes, digest, sizeof key->bytes);
    return all;
}

/* --- Columns -------------------------------------------------------------- */

/* Add FIELD to FIELDS, in order, unless it is there; false: no room. */
static bool add_to(dlc_wh_key_fields *fields, int field)
{
    int at = 0;

    while (at < fields->n && fields->at[at] < field) {
        at++;
    }
    if (at < fields->n && fields->at[at] == field) {
        return true;
    }
    if (fields->n == DLC_WH_KEY_FIELDS) {
        return false;
    }
    memmove(&fields->at[at + 1], &fields->at[at],
            (size_t)(fields->n - at) * sizeof fields->at[0]);
    fields->at[at] = field;
    fields->n++;
    return true;
}

/* Add what the unique column NAME is made of. */
static bool add_column(dlc_wh_key_fields *fields, const dl_dataset *ds,
                       const char *name)
{
    bool hash = ds->hash_column != NULL && strcmp(name, ds->hash_column) == 0;
    bool good = true;

    fields->exact = fields->exact || hash;
    for (int i = 0; hash && good && i < ds->n_hash; i++) {
        good = add_to(fields, ds->hash[i]);
    }
    for (int i = 0; !hash && i < ds->n_fields; i++) {
        if (ds->fields[i].column != NULL &&
            strcmp(ds->fields[i].column, name) == 0) {
            return add_to(fields, i);
        }
    }
    return good && hash;
}

bool dlc_wh_key_unique(dlc_wh_key_fields *fields, const dl_dataset *ds)
{
    bool good = true;

    fields->n = 0;
    fields->exact = false;
    for (int i = 0; good && i < ds->n_unique; i++) {
        good = add_column(fields, ds, ds->unique[i]);
    }
    return good && fields->n > 0;
}
