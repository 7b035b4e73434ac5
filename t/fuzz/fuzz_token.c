/* fuzz_token.c - Tokens: what is not signed is refused, what is signed is
 * judged, and claims that are taken can be issued again.
 *
 * The first byte chooses: '0' the rest is a token as it came, '1' a payload
 * that we sign, '2' a header in front of a good payload.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dl_base64.h"
#include "dl_token.h"

#define NOW 1779096600

#define GOOD                                                                   \
    "{\"iss\":\"datalake\",\"aud\":\"datalake\",\"sub\":\"alice\",\"role\":"   \
    "\"user\",\"token_type\":\"access\",\"jti\":\"j-1\",\"sid\":\"s-1\","      \
    "\"iat\":1779096600,\"auth_time\":1779096600,\"user_id\":7,\"exp\":"       \
    "1779098400}"

const char *const fuzz_seeds[] = {
    "0eyJhbGciOiJIUzI1NiJ9.e30.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "0eyJhbGciOiJub25lIn0.e30.",
    "1" GOOD,
    "2{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"a\"}",
    "2{\"alg\":\"none\"}",
    NULL};

const char *const fuzz_words[] = {".",
                                  "=",
                                  "\"exp\":",
                                  "\"nbf\":",
                                  "null",
                                  "1e400",
                                  "-1",
                                  "\"sub\"",
                                  "\\u0000",
                                  "\xC3\xA9",
                                  "\xEF\xBB\xBF",
                                  "{",
                                  "\"crit\":[]",
                                  ",",
                                  "\"kid\":\"a\"",
                                  "9223372036854775808",
                                  NULL};

static const dl_token_rules rules = {"datalake", "datalake"};
static dl_keyset *keys;

static void make_keys(void)
{
    static apr_pool_t *pool;
    dl_error err = {0};

    fuzz_check(apr_pool_create(&pool, NULL) == APR_SUCCESS &&
                   dl_keyset_create(&keys, "a",
                                    "0123456789abcdef0123456789ABCDEF", 32,
                                    &err, pool) == DL_OK,
               "a key is a key");
}

/* Judge the LEN bytes of TOKEN; return whether it was taken into CLAIMS. */
static bool judge(dl_claims *claims, const char *token, size_t len)
{
    dl_token_query query = {token, len, DL_TOKEN_ACCESS, NOW};
    dl_error err = {0};
    dl_status status = dl_token_verify(claims, keys, &rules, &query, &err);

    fuzz_check(status == DL_OK || status == DL_INVALID,
               "a token is good or bad, nothing else");
    fuzz_check(status == DL_OK || err.text[0] != '\0',
               "the log learns why it is bad");
    return status == DL_OK;
}

/* CLAIMS were taken: they keep the rules, and are claims again. */
static void check_claims(const dl_claims *claims)
{
    char token[DL_JWS_TEXT];
    dl_claims again;
    dl_error err = {0};
    size_t len;

    fuzz_check(claims->expires_at > NOW && claims->user_id >= 1 &&
                   claims->issued_at <= NOW + DL_TOKEN_LEEWAY_S &&
                   claims->username[0] != '\0' && claims->sid[0] != '\0' &&
                   claims->type == DL_TOKEN_ACCESS,
               "what is taken keeps the rules");
    fuzz_check(dl_token_issue(token, &len, keys, &rules, claims, &err) == DL_OK,
               "it can be issued again");
    fuzz_check(judge(&again, token, len) &&
                   strcmp(again.username, claims->username) == 0 &&
                   again.user_id == claims->user_id &&
                   again.expires_at == claims->expires_at,
               "and means the same");
}

/* A token of the LEN bytes of HEADER and our payload, with a signature of
 * another key: never taken. */
static void try_header(const char *header, size_t len)
{
    char token[DL_JWS_TEXT + 8192];
    dl_claims claims;
    size_t at = dl_base64_encode(token, header, len);

    token[at++] = '.';
    at += dl_base64_encode(token + at, GOOD, sizeof GOOD - 1);
    token[at++] = '.';
    memset(token + at, 'A', 43);
    fuzz_check(!judge(&claims, token, at + 43),
               "a signature of zeros is refused");
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    const char *text = (const char *)data + 1;
    char token[DL_JWS_TEXT];
    dl_claims claims;
    dl_error err = {0};
    size_t token_len;

    (void)pool;
    if (keys == NULL) {
        make_keys();
    }
    if (len < 1) {
        return;
    }
    if (data[0] == '1') {
        if (dl_jws_sign(token, &token_len, keys, text, len - 1, &err) ==
                DL_OK &&
            judge(&claims, token, token_len)) {
            check_claims(&claims);
        }
    }
    else if (data[0] == '2') {
        try_header(text, len - 1);
    }
    else {
        fuzz_check(!judge(&claims, text, len - 1),
                   "nobody guesses a signature");
    }
}
