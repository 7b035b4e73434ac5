/* test_form.c - Fields of a form, decoded, and what is refused.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_form.h"

#include "tap.h"

#include <stdlib.h>

static char out[4000];
static dl_form form;
static dl_form_field field;

/* The first step over a copy of TEXT of the exact size. */
static dl_form_step first(const char *text)
{
    static char *copy;
    size_t len = strlen(text);

    free(copy);
    copy = malloc(len > 0 ? len : 1);
    memcpy(copy, text, len);
    dl_form_begin(&form, copy, len, out);
    return dl_form_next(&field, &form);
}

static void test_fields(void)
{
    is_int(first("username=alice&password=a+b%26c%3D"), DL_FORM_FIELD,
           "the first field is found");
    is_str(field.name, "username", "with its name");
    is_str(field.text, "alice", "and its value");
    is_int(dl_form_next(&field, &form), DL_FORM_FIELD, "and the second");
    is_str(field.text, "a b&c=", "plus is a space, an escape a byte");
    is_int(dl_form_next(&field, &form), DL_FORM_END, "then there is none");
    is_int(first("&&x&=y&"), DL_FORM_FIELD, "empty fields are skipped");
    is_str(field.name, "x", "a field without '=' has its name");
    is_str(field.text, "", "and an empty value");
    is_int(dl_form_next(&field, &form), DL_FORM_FIELD,
           "a field without name is one");
    is_str(field.name, "", "of an empty name");
    is_int(first(""), DL_FORM_END, "an empty form has no field");
    is_int(first("a=b=c"), DL_FORM_FIELD, "the first '=' counts");
    is_str(field.text, "b=c", "the second belongs to the value");
    is_int(first("p=a%00b"), DL_FORM_FIELD, "a NUL is read");
    is_int((long long)field.len, 3, "and counts");
}

static void test_room(void)
{
    static const char text[] = "&a&b&c";
    char *exact = malloc(sizeof text + 1);

    dl_form_begin(&form, text, sizeof text - 1, exact);
    exact[sizeof text] = '#';
    while (dl_form_next(&field, &form) == DL_FORM_FIELD) {
        is_str(field.text, "", "a field without '=' is empty");
    }
    is_int(exact[sizeof text], '#',
           "and takes no more room than the form has bytes, and two");
    free(exact);
}

static void test_faults(void)
{
    char many[400] = "";

    is_int(first("a=%4"), DL_FORM_ESCAPE, "a cut-off escape is refused");
    is_int(first("a=%zz"), DL_FORM_ESCAPE, "one without digits, too");
    is_int(first("%=1"), DL_FORM_ESCAPE, "in a name as well");
    is_int(first("a=%C3%28"), DL_FORM_ENCODING,
           "bytes that are not UTF-8 are refused");
    is_int(first("a=\xED\xA0\x80"), DL_FORM_ENCODING,
           "a surrogate is no UTF-8");
    for (int i = 0; i <= DL_FORM_FIELDS; i++) {
        strncat(many, "a=1&", sizeof many - strlen(many) - 1);
    }
    is_int(first(many), DL_FORM_FIELD, "of many fields the first is found");
    for (int i = 1; i < DL_FORM_FIELDS; i++) {
        if (dl_form_next(&field, &form) != DL_FORM_FIELD) {
            ok(false, "64 fields are found");
        }
    }
    is_int(dl_form_next(&field, &form), DL_FORM_TOO_MANY,
           "the 65th is refused");
}

int main(void)
{
    test_fields();
    test_room();
    test_faults();
    return done();
}
