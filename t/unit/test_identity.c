/* test_identity.c - Names of accounts and e-mail addresses: what is one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_identity.h"

#include "tap.h"

#include <stdlib.h>

/* Whether TEXT passes CHECK, from a copy that ends where TEXT does. */
static bool passes(dl_status (*check)(const char *, size_t, dl_error *),
                   const char *text, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    dl_error err;
    dl_status status;

    memcpy(copy, text, len);
    status = check(copy, len, &err);
    free(copy);
    return status == DL_OK;
}

static bool is_name(const char *text)
{
    return passes(dl_identity_check_username, text, strlen(text));
}

static bool is_email(const char *text)
{
    return passes(dl_identity_check_email, text, strlen(text));
}

static void test_names(void)
{
    char text[102];

    ok(is_name("abc"), "three letters are a name");
    ok(!is_name("ab"), "two are not");
    ok(is_name("A.b_c@d+e-9"), "each kind of character");
    ok(!is_name("a b"), "a space is none");
    ok(!is_name("a/b"), "nor is a slash");
    ok(!is_name("\xC3\xA4nne"), "nor an umlaut");
    ok(!passes(dl_identity_check_username, "abc\0d", 5), "nor a NUL");
    memset(text, 'x', 101);
    text[101] = '\0';
    ok(!is_name(text), "101 letters are no name");
    text[100] = '\0';
    ok(is_name(text), "100 are one");
}

static void test_emails(void)
{
    char text[300];

    ok(is_email("a@example.org"), "an address");
    ok(is_email("o'neil+tag@mail.example.co.uk"), "one with signs");
    ok(is_email("first.last@x-y.org"), "one with dots and a hyphen");
    ok(!is_email(""), "nothing is none");
    ok(!is_email("@example.org"), "a name is needed");
    ok(!is_email("a@"), "a host is needed");
    ok(!is_email("a@b"), "a host has a dot");
    ok(!is_email("a@b..c"), "but no two in a row");
    ok(!is_email("a@.b.c"), "nor one in front");
    ok(!is_email("a@b.c."), "nor one at the end");
    ok(!is_email(".a@b.c"), "no name begins with one");
    ok(!is_email("a@b@c.d"), "one @ is enough");
    ok(!is_email("a b@c.d"), "a space is none");
    ok(!is_email("\"a b\"@c.d"), "nor are quotes");
    ok(!is_email("a@b.c\n"), "nor a newline");
    ok(!is_email("a@b.c,d@e.f"), "nor a list");
    ok(!is_email("a@b_c.d"), "no host has an underscore");
    ok(!is_email("\xC3\xA4@b.c"), "ASCII alone");
    ok(!passes(dl_identity_check_email, "a\0@b.cd", 7), "no NUL");
    memset(text, 'x', sizeof text);
    memcpy(text + 64, "@b.c", 5);
    ok(is_email(text), "a name of 64 bytes");
    memcpy(text, "xx", 2);
    memmove(text + 1, text, 69);
    ok(!is_email(text), "one of 65 is none");
    memset(text, 'x', sizeof text);
    memcpy(text, "a@", 2);
    for (int i = 60; i < 255; i += 60) {
        text[i] = '.';
    }
    text[254] = '\0';
    ok(is_email(text), "254 bytes");
    text[254] = 'x';
    text[255] = '\0';
    ok(!is_email(text), "255 are too many");
}

int main(void)
{
    test_names();
    test_emails();
    return done();
}
