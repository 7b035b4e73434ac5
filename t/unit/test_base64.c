/* test_base64.c - Base64url both ways: the vectors of RFC 4648, and what is
 * not strict.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_base64.h"

#include "tap.h"

/* Decode TEXT; NULL when it is refused. */
static const char *decode(const char *text)
{
    static char out[64];
    size_t len = 0;

    if (!dl_base64_decode(out, &len, text, strlen(text))) {
        return NULL;
    }
    out[len] = '\0';
    return out;
}

static const char *encode(const char *text)
{
    static char out[64];

    dl_base64_encode(out, text, strlen(text));
    return out;
}

static void test_vectors(void)
{
    is_str(encode(""), "", "no bytes are no characters");
    is_str(encode("f"), "Zg", "one byte is two characters");
    is_str(encode("fo"), "Zm8", "two bytes are three");
    is_str(encode("foo"), "Zm9v", "three bytes are four");
    is_str(encode("foobar"), "Zm9vYmFy", "and so on");
    is_str(encode("\xfb\xff\xbf"), "-_-_", "the last two characters are - _");
    is_str(decode(""), "", "no characters are no bytes");
    is_str(decode("Zg"), "f", "two characters are one byte");
    is_str(decode("Zm8"), "fo", "three are two");
    is_str(decode("Zm9vYg"), "foob", "six are four");
    is_str(decode("Zm9vYmFy"), "foobar", "eight are six");
    is_str(decode("-_-_"), "\xfb\xff\xbf", "- and _ are read");
}

static void test_refusals(void)
{
    is_str(decode("Z"), NULL, "one character is too few");
    is_str(decode("Zm9vY"), NULL, "so are five");
    is_str(decode("Zg=="), NULL, "padding is refused");
    is_str(decode("Zh"), NULL, "four unused bits have to be zero");
    is_str(decode("Zm9"), NULL, "two unused bits have to be zero");
    is_str(decode("Zm9+"), NULL, "+ is of the other alphabet");
    is_str(decode("Zm9/"), NULL, "/ is of the other alphabet");
    is_str(decode(" Zm9v"), NULL, "a blank is refused");
    is_str(decode("Zm\n9v"), NULL, "a newline is refused");
    is_str(decode("Zm9\xff"), NULL, "a byte past 0x7f is refused");
}

int main(void)
{
    test_vectors();
    test_refusals();
    return done();
}
