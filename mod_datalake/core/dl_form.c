/* dl_form.c - Splitting and decoding a form.
 *
 * A decoded name or value is never longer than what it came from, and the '='
 * or '&' behind it pays for its NUL; only the last one needs a byte more.  A
 * field without '=' has nothing to pay for a second NUL: its empty value is
 * the end of its name.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_form.h"

#include <string.h>

#include "dl_utf8.h"

/* The value of the hex digit C, or -1. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_utf8(const char *text, size_t len)
{
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = at + len;

    while (at < end) {
        size_t width = dl_utf8_check(at, (size_t)(end - at));

        if (width == 0) {
            return false;
        }
        at += width;
    }
    return true;
}

/* Decode from AT to END to the output of FORM; set *TEXT and *LEN to it. */
static dl_form_step decode(const char **text, size_t *len, dl_form *form,
                           const char *at, const char *end)
{
    char *out = form->out;

    while (at < end) {
        if (*at != '%') {
            *out = ' ';
            if (*at != '+') {
                *out = *at;
            }
            out++;
            at++;
            continue;
        }
        if (end - at < 3 || hex_value(at[1]) < 0 || hex_value(at[2]) < 0) {
            return DL_FORM_ESCAPE;
        }
        *(unsigned char *)out++ =
            (unsigned char)(hex_value(at[1]) << 4 | hex_value(at[2]));
        at += 3;
    }
    *text = form->out;
    *len = (size_t)(out - form->out);
    *out = '\0';
    form->out = out + 1;
    return is_utf8(*text, *len) ? DL_FORM_FIELD : DL_FORM_ENCODING;
}

void dl_form_begin(dl_form *form, const char *text, size_t len, char *out)
{
    form->at = text;
    form->end = text + len;
    form->out = out;
    form->n = 0;
}

dl_form_step dl_form_next(dl_form_field *field, dl_form *form)
{
    const char *end;
    const char *equals;
    dl_form_step step;

    while (form->at < form->end && *form->at == '&') {
        form->at++;
    }
    if (form->at == form->end) {
        return DL_FORM_END;
    }
    if (form->n++ == DL_FORM_FIELDS) {
        return DL_FORM_TOO_MANY;
    }
    end = memchr(form->at, '&', (size_t)(form->end - form->at));
    end = end == NULL ? form->end : end;
    equals = memchr(form->at, '=', (size_t)(end - form->at));
    equals = equals == NULL ? end : equals;
    step = decode(&field->name, &field->name_len, form, form->at, equals);
    if (step == DL_FORM_FIELD && equals == end) {
        field->text = field->name + field->name_len;
        field->len = 0;
    }
    else if (step == DL_FORM_FIELD) {
        step = decode(&field->text, &field->len, form, equals + 1, end);
    }
    form->at = end;
    return step;
}
