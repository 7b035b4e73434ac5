/* fuzz_form.c - Forms: fields inside their room, UTF-8, and the same again
 * when they are escaped.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dl_form.h"

const char *const fuzz_seeds[] = {
    "username=alice&password=correct+horse", "a=%C3%A9&b=&=c&&d", "a=%00&b=%ff",
    "grant_type=password&scope=&client_id=x", NULL};

const char *const fuzz_words[] = {"&",   "=",   "%",    "%00", "+",    "%26",
                                  "%3D", "%zz", "\xFF", "%F0", "&&&&", NULL};

/* The LEN bytes at TEXT, each escaped, behind the AT bytes of OUT; return how
 * many there are then. */
static size_t escape_text(char *out, size_t at, const char *text, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        out[at++] = '%';
        out[at++] = digits[(unsigned char)text[i] >> 4];
        out[at++] = digits[text[i] & 15];
    }
    return at;
}

/* The field NAME=VALUE of FIELD with every byte escaped, into OUT. */
static size_t escape(char *out, const dl_form_field *field)
{
    size_t at = escape_text(out, 0, field->name, field->name_len);

    out[at++] = '=';
    return escape_text(out, at, field->text, field->len);
}

/* SIZE bytes of memory. */
static char *take(size_t size)
{
    char *memory = malloc(size);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

/* Escape FIELD and read it again. */
static void check_again(const dl_form_field *field)
{
    size_t room = 3 * (field->name_len + field->len) + 8;
    char *text = take(room);
    char *out = take(room);
    dl_form form;
    dl_form_field again;

    dl_form_begin(&form, text, escape(text, field), out);
    fuzz_check(dl_form_next(&again, &form) == DL_FORM_FIELD &&
                   again.name_len == field->name_len &&
                   again.len == field->len &&
                   memcmp(again.name, field->name, field->name_len) == 0 &&
                   memcmp(again.text, field->text, field->len) == 0,
               "an escaped field is the same field");
    free(text);
    free(out);
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    char *out = take(len + 2);
    dl_form form;
    dl_form_field field;
    int n = 0;

    (void)pool;
    dl_form_begin(&form, (const char *)data, len, out);
    while (dl_form_next(&field, &form) == DL_FORM_FIELD) {
        fuzz_check(++n <= DL_FORM_FIELDS, "the number of fields is bounded");
        fuzz_check(field.name >= out &&
                       field.name + field.name_len <= field.text &&
                       field.text + field.len < out + len + 2,
                   "a field lies in the room it was given");
        fuzz_check(field.name[field.name_len] == '\0' &&
                       field.text[field.len] == '\0',
                   "name and value end with a NUL");
        check_again(&field);
    }
    free(out);
}
