/* test_jws.c - The signature layer: vectors of the RFCs, strict segments,
 * strict header, keys.
 *
 * Tokens are written out by hand; headers of hostile ones are encoded here
 * with the text beside them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_base64.h"
#include "dl_jws.h"

#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_general.h>

/* RFC 7515, appendix A.1. */
#define A1_HEADER "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
#define A1_PAYLOAD                                                             \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv" \
    "bS9pc19yb290Ijp0cnVlfQ"
#define A1_SIGNATURE "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define A1_KEY                                                                 \
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUu" \
    "TwjAzZr1Z9CAow"
#define A1_TOKEN A1_HEADER "." A1_PAYLOAD "." A1_SIGNATURE

/* RFC 7520, section 4.4. */
#define R44_KEY "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"
#define R44_KID "018c0ae5-4d9b-471b-bfd6-eef314bc7037"
#define R44_TOKEN                                                              \
    "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJj" \
    "NzAzNyJ9."                                                                \
    "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9v" \
    "ci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIg" \
    "ZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9m" \
    "ZiB0by4."                                                                 \
    "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0"

static const char SECRET[] = "Qm8vLx0p3nZ5rT7uW9yB1dF4gH6jK2lM";

/* A set with the one key KID whose bytes are the base64url text KEY. */
static dl_keyset *key_of_text(const char *kid, const char *text,
                              apr_pool_t *pool)
{
    char bytes[256];
    size_t len = 0;
    dl_keyset *keys = NULL;

    if (!dl_base64_decode(bytes, &len, text, strlen(text)) ||
        dl_keyset_create(&keys, kid, bytes, len, NULL, pool) != DL_OK) {
        return NULL;
    }
    return keys;
}

static dl_status verify(const dl_keyset *keys, const char *token)
{
    char payload[DL_JWS_PAYLOAD_MAX + 1];
    size_t len;

    return dl_jws_verify(payload, &len, keys, token, strlen(token), NULL);
}

/* Verify a token made of the text HEADER, "{}" and a signature that is right
 * for whatever the header says: only the header can be refused. */
static dl_status with_header(const dl_keyset *keys, const char *header)
{
    /* Signing goes through a set of its own, over the same secret, whose
     * output is cut open: the MAC covers "HEADER.PAYLOAD" only, so a forged
     * header needs the MAC of its own text.  A wrong signature would hide
     * the header's verdict, therefore the sentence is looked at. */
    char token[DL_JWS_MAX * 3];
    char payload[DL_JWS_PAYLOAD_MAX + 1];
    size_t used = dl_base64_encode(token, header, strlen(header));
    size_t len;
    dl_error err = {0};

    snprintf(token + used, sizeof token - used, ".e30.%s", A1_SIGNATURE);
    if (dl_jws_verify(payload, &len, keys, token, strlen(token), &err) ==
        DL_OK) {
        return DL_OK;
    }
    /* Getting as far as the signature means the header was believed. */
    return strcmp(err.text, "the signature is wrong") == 0 ? DL_CONFLICT
                                                           : DL_INVALID;
}

static void test_vectors(apr_pool_t *pool)
{
    dl_keyset *keys = key_of_text("default", A1_KEY, pool);
    dl_keyset *keys44 = key_of_text(R44_KID, R44_KEY, pool);
    char payload[DL_JWS_PAYLOAD_MAX + 1];
    size_t len = 0;

    is_int(dl_jws_verify(payload, &len, keys, A1_TOKEN, strlen(A1_TOKEN), NULL),
           DL_OK, "the token of RFC 7515 A.1 is accepted");
    is_str(payload,
           "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n "
           "\"http://example.com/is_root\":true}",
           "its payload comes out as it was signed");
    is_int((long long)len, 70, "with its length");
    is_int(verify(keys, A1_TOKEN), DL_OK,
           "the same thread accepts it a second time");
    is_int(verify(keys44, R44_TOKEN), DL_OK,
           "the token of RFC 7520 4.4 with a kid is accepted");
    is_int(verify(keys, R44_TOKEN), DL_INVALID,
           "a token whose kid is not ours is refused");
    is_int(verify(keys44, A1_TOKEN), DL_INVALID,
           "a token of another key is refused");
}

static void test_segments(apr_pool_t *pool)
{
    dl_keyset *keys = key_of_text("default", A1_KEY, pool);
    char long_token[DL_JWS_MAX + 100];

    is_int(verify(keys, ""), DL_INVALID, "no token is refused");
    is_int(verify(keys, A1_HEADER), DL_INVALID, "one segment is refused");
    is_int(verify(keys, A1_HEADER "." A1_PAYLOAD), DL_INVALID,
           "two segments are refused");
    is_int(verify(keys, A1_HEADER "." A1_PAYLOAD "."), DL_INVALID,
           "an empty signature is refused");
    is_int(verify(keys, A1_HEADER ".." A1_SIGNATURE), DL_INVALID,
           "an empty payload is refused");
    is_int(verify(keys, "." A1_PAYLOAD "." A1_SIGNATURE), DL_INVALID,
           "an empty header is refused");
    is_int(verify(keys, A1_TOKEN "."), DL_INVALID,
           "a fourth segment is refused, even an empty one");
    is_int(verify(keys, A1_TOKEN ".e30.e30"), DL_INVALID,
           "five segments are refused");
    is_int(verify(keys, " " A1_TOKEN), DL_INVALID,
           "a blank before it is refused");
    is_int(verify(keys, A1_TOKEN " "), DL_INVALID,
           "a blank behind it is refused");
    is_int(verify(keys, "\"" A1_TOKEN "\""), DL_INVALID,
           "a quoted token is refused");
    is_int(verify(keys, A1_TOKEN "="), DL_INVALID, "padding is refused");
    is_int(verify(keys,
                  A1_HEADER "." A1_PAYLOAD ".dBjftJeZ4CVP+mB92K27uhbUJU1p1r/"
                            "wW1gFWFOEjXk"),
           DL_INVALID, "the alphabet with + and / is refused");
    is_int(verify(keys, A1_HEADER "." A1_PAYLOAD ".dBjftJeZ4CVP-"
                                  "mB92K27uhbUJU1p1r_wW1gFWFOEjXl"),
           DL_INVALID, "a signature with unused bits set is refused");
    is_int(verify(keys, A1_HEADER "." A1_PAYLOAD ".dBjftJeZ4CVP-"
                                  "mB92K27uhbUJU1p1r_wW1gFWFOEjX"),
           DL_INVALID, "a cut signature is refused");
    is_int(verify(keys, A1_HEADER "." A1_PAYLOAD ".eBjftJeZ4CVP-"
                                  "mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
           DL_INVALID, "a changed signature is refused");
    is_int(verify(keys, A1_HEADER ".e30." A1_SIGNATURE), DL_INVALID,
           "a changed payload is refused");
    is_int(verify(keys, A1_HEADER ".e31." A1_SIGNATURE), DL_INVALID,
           "a payload with unused bits set is refused");
    is_int(verify(keys, "{\"protected\":\"" A1_HEADER "\"}"), DL_INVALID,
           "the JSON form is refused");
    is_int(verify(keys, A1_HEADER "\xe3\x80\x82" A1_PAYLOAD
                                  "\xe3\x80\x82" A1_SIGNATURE),
           DL_INVALID, "ideographic full stops are no dots");
    memset(long_token, 'A', sizeof long_token - 1);
    long_token[sizeof long_token - 1] = '\0';
    memcpy(long_token + 40, ".", 1);
    memcpy(long_token + sizeof long_token - 45, ".", 1);
    is_int(verify(keys, long_token), DL_INVALID,
           "a token of more than 4096 bytes is refused");
}

static void test_algorithms(apr_pool_t *pool)
{
    dl_keyset *keys = key_of_text("default", A1_KEY, pool);

    is_int(with_header(keys, "{\"alg\":\"HS256\"}"), DL_CONFLICT,
           "HS256 alone gets as far as the signature");
    is_int(with_header(keys, "{\"alg\":\"none\"}"), DL_INVALID,
           "alg none is refused before the signature");
    is_int(with_header(keys, "{\"alg\":\"None\"}"), DL_INVALID,
           "alg None is refused");
    is_int(with_header(keys, "{\"alg\":\"\"}"), DL_INVALID,
           "an empty alg is refused");
    is_int(with_header(keys, "{\"alg\":null}"), DL_INVALID,
           "alg null is refused");
    is_int(with_header(keys, "{\"alg\":0}"), DL_INVALID, "alg 0 is refused");
    is_int(with_header(keys, "{\"alg\":[\"HS256\"]}"), DL_INVALID,
           "alg as an array is refused");
    is_int(with_header(keys, "{\"alg\":{}}"), DL_INVALID,
           "alg as an object is refused");
    is_int(with_header(keys, "{}"), DL_INVALID, "a header without alg");
    is_int(with_header(keys, "{\"typ\":\"JWT\"}"), DL_INVALID,
           "a header with typ alone is refused");
    is_int(with_header(keys, "{\"alg\":\"HS384\"}"), DL_INVALID,
           "HS384 is refused with a key for HS256");
    is_int(with_header(keys, "{\"alg\":\"RS256\"}"), DL_INVALID,
           "RS256 is refused with a key for HS256");
    is_int(with_header(keys, "{\"alg\":\"hs256\"}"), DL_INVALID,
           "hs256 in lower case is refused");
    is_int(with_header(keys, "{\"alg\":\"HS256 \"}"), DL_INVALID,
           "HS256 and a space is refused");
    is_int(with_header(keys, "{\"alg\":\"HS256\\u0000\"}"), DL_INVALID,
           "HS256 and an escaped NUL is refused");
    is_int(with_header(keys, "{\"alg\":\"HS256\",\"alg\":\"HS256\"}"),
           DL_INVALID, "alg twice is refused, even equal ones");
    is_int(with_header(keys, "{\"alg\":\"HS256\",\"alg\":\"none\"}"),
           DL_INVALID, "alg twice with different values is refused");
}

static void test_headers(apr_pool_t *pool)
{
    dl_keyset *keys = key_of_text("default", A1_KEY, pool);

    is_int(with_header(keys, "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"),
           DL_CONFLICT, "typ JWT is accepted");
    is_int(with_header(keys, "{\"alg\":\"HS256\",\"typ\":\"JWE\"}"), DL_INVALID,
           "another typ is refused");
    is_int(with_header(keys, "{\"alg\":\"HS256\",\"kid\":\"default\"}"),
           DL_CONFLICT, "the kid of the key is accepted");
    is_int(with_header(keys, "{\"alg\":\"HS256\",\"kid\":\"Default\"}"),
           DL_INVALID, "a kid in another case is refused");
    is_int(with_header(keys, "{\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}"),
           DL_INVALID, "a kid that is a path is refused");
    is_int(with_header(keys, "{\"alg\":\"HS256\",\"kid\":\"' OR 1=1 --\"}"),
           DL_INVALID, "a kid that is SQL is refused");
    is_int(with_header(keys, "{\"alg\":\"HS256\",\"kid\":\"default\\u0000\"}"),
           DL_INVALID, "a kid with an escaped NUL is refused");
    is_int(with_header(keys, "{\"alg\":\"HS256\",\"kid\":1}"), DL_INVALID,
           "a kid that is a number is refused");
    is_int(with_header(keys, "{\"alg\":\"HS256\",\"kid\":[\"default\"]}"),
           DL_INVALID, "a kid that is an array is refused");
    is_int(with_header(keys, "{\"alg\":\"HS256\",\"kid\":\"default\","
                             "\"kid\":\"default\"}"),
           DL_INVALID, "kid twice is refused");
    is_int(with_header(keys, "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\"}}"),
           DL_INVALID, "jwk is refused");
    is_int(with_header(keys, "{\"alg\":\"HS256\",\"jku\":\"https://e.org\"}"),
           DL_INVALID, "jku is refused");
    is_int(with_header(keys, "{\"alg\":\"HS256\",\"x5u\":\"https://e.org\"}"),
           DL_INVALID, "x5u is refused");
    is_int(with_header(keys, "{\"alg\":\"HS256\",\"crit\":[]}"), DL_INVALID,
           "crit is refused, even empty");
    is_int(with_header(keys, "{\"alg\":\"HS256\",\"b64\":false}"), DL_INVALID,
           "b64 is refused");
    is_int(with_header(keys, "{\"alg\":\"HS256\",\"zip\":\"DEF\"}"), DL_INVALID,
           "zip is refused");
    is_int(with_header(keys, "{\"alg\":\"HS256\",\"cty\":\"JWT\"}"), DL_INVALID,
           "cty is refused");
    is_int(with_header(keys, "{\"alg\":\"HS256\",}"), DL_INVALID,
           "a comma at the end is refused");
    is_int(with_header(keys, "{\"alg\":\"HS256\"}}"), DL_INVALID,
           "something behind the header is refused");
    is_int(with_header(keys, "[\"HS256\"]"), DL_INVALID,
           "a header that is an array is refused");
    is_int(with_header(keys, "\xef\xbb\xbf{\"alg\":\"HS256\"}"), DL_INVALID,
           "a byte order mark is refused");
    is_int(with_header(keys, "{\"alg\":\"HS256\",\"kid\":\""
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                             "\"}"),
           DL_INVALID, "a header of more than 256 bytes is refused");
}

static void test_signing(apr_pool_t *pool)
{
    dl_keyset *keys = NULL;
    char token[DL_JWS_TEXT];
    char payload[DL_JWS_PAYLOAD_MAX + 1] = "";
    char big[DL_JWS_PAYLOAD_MAX + 1];
    size_t len = 0;

    is_int(dl_keyset_create(&keys, "k1", SECRET, 32, NULL, pool), DL_OK,
           "a secret of 32 bytes makes a key");
    is_int(dl_jws_sign(token, &len, keys, "{\"a\":1}", 7, NULL), DL_OK,
           "a payload is signed");
    is_int((long long)strlen(token), (long long)len,
           "the length counts the token");
    is_int(verify(keys, token), DL_OK, "what was signed is accepted");
    is_int(dl_jws_verify(payload, &len, keys, token, len, NULL), DL_OK,
           "by its length too");
    is_str(payload, "{\"a\":1}", "and gives the payload back");
    memset(big, 'x', sizeof big);
    is_int(dl_jws_sign(token, &len, keys, big, sizeof big, NULL), DL_LIMIT,
           "a payload that makes too long a token is refused");
}

/* Write TEXT to a file with MODE and load it. */
static dl_status load(dl_keyset **keys, const char *text, unsigned mode,
                      dl_error *err, apr_pool_t *pool)
{
    char path[] = "/tmp/test_jws.XXXXXX";
    int fd = mkstemp(path);
    dl_status status;

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
        fchmod(fd, mode) != 0) {
        return DL_INTERNAL;
    }
    close(fd);
    status = dl_keyset_load(keys, path, err, pool);
    unlink(path);
    return status;
}

static void test_key_files(apr_pool_t *pool)
{
    static const char two[] =
        "# signs first\nkid new-1 Zb4nT8qL1vR6wX3yK9mP2sD5fG7hJ0cA\n\n"
        "kid old_1 Qm8vLx0p3nZ5rT7uW9yB1dF4gH6jK2lM\n";
    dl_keyset *keys = NULL;
    dl_keyset *one = NULL;
    char token[DL_JWS_TEXT];
    size_t len;
    dl_error err = {0};

    is_int(load(&one, "Qm8vLx0p3nZ5rT7uW9yB1dF4gH6jK2lM\n", 0600, &err, pool),
           DL_OK, "a file with one secret is a key");
    is_str(dl_keyset_kid(one, 0), "default", "its kid is default");
    is_int(load(&keys, two, 0640, &err, pool), DL_OK,
           "a file with two lines is two keys, the group may read it");
    is_int(dl_keyset_count(keys), 2, "both are counted");
    is_str(dl_keyset_kid(keys, 0), "new-1", "the first line signs");
    ok(dl_jws_sign(token, &len, keys, "{}", 2, NULL) == DL_OK &&
           verify(keys, token) == DL_OK,
       "a token of the first key is accepted");
    is_int(verify(one, token), DL_INVALID, "a set without that kid refuses it");
    is_int(load(&keys, two, 0644, &err, pool), DL_INVALID,
           "a file that everybody may read is refused");
    ok(strstr(err.text, "chmod o-rwx") != NULL, "and says what to do");
    is_int(load(&keys, "short\n", 0600, &err, pool), DL_INVALID,
           "a key under 32 bytes is refused");
    is_int(load(&keys, "", 0600, &err, pool), DL_INVALID,
           "an empty file is refused");
    is_int(load(&keys, "your-256-bit-secret\n", 0600, &err, pool), DL_INVALID,
           "a sample of documentation is refused");
    is_int(
        load(&keys, "a-string-secret-at-least-256-bits-long", 0600, &err, pool),
        DL_INVALID, "a long sample is refused");
    is_int(load(&keys, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0600,
                &err, pool),
           DL_INVALID, "one byte over and over is refused");
    is_int(load(&keys, "kid a/b Qm8vLx0p3nZ5rT7uW9yB1dF4gH6jK2lM\n", 0600, &err,
                pool),
           DL_INVALID, "a kid with a slash is refused");
    is_int(load(&keys,
                "kid a Qm8vLx0p3nZ5rT7uW9yB1dF4gH6jK2lM\n"
                "kid a Zb4nT8qL1vR6wX3yK9mP2sD5fG7hJ0cA\n",
                0600, &err, pool),
           DL_INVALID, "a kid twice is refused");
    ok(strstr(err.text, ":2: ") != NULL, "with the number of the line");
    is_int(dl_keyset_load(&keys, "/nonexistent/key", &err, pool), DL_NOT_FOUND,
           "a file that is not there is DL_NOT_FOUND");
    is_int(dl_keyset_load(&keys, "/tmp", &err, pool), DL_INVALID,
           "a folder is refused");
}

int main(void)
{
    apr_pool_t *pool;

    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return EXIT_FAILURE;
    }
    test_vectors(pool);
    test_segments(pool);
    test_algorithms(pool);
    test_headers(pool);
    test_signing(pool);
    test_key_files(pool);
    apr_terminate();
    return done();
}
