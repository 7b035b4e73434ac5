/* test_token.c - What a payload must say to be believed.
 *
 * Payloads are written out by hand and signed here, so that the claims alone
 * decide.  "Now" is 2026-05-18T09:30:00Z = 1779096600.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_token.h"

#include "tap.h"

#include <stdlib.h>

#include <apr_general.h>

#define NOW 1779096600

/* The claims but for the last one given, which ends the object. */
#define NAMES                                                                  \
    "{\"iss\":\"datalake\",\"aud\":\"datalake\",\"sub\":\"alice\","            \
    "\"role\":\"user\",\"token_type\":\"access\",\"jti\":\"j-1\","             \
    "\"sid\":\"0f6c1e9a-5b6d-4c1e-9d52-3f1f8c9f0a77\","
#define TIMES "\"iat\":1779096600,\"auth_time\":1779096600,"
#define WHO   "\"user_id\":7,"
#define GOOD  NAMES TIMES WHO "\"exp\":1779098400}"

static dl_keyset *keys;
static const dl_token_rules RULES = {"datalake", "datalake"};

/* Sign PAYLOAD and verify it as an access token at NOW. */
static dl_status verify_into(dl_claims *claims, const char *payload,
                             dl_error *err)
{
    char token[DL_JWS_TEXT];
    dl_token_query query = {token, 0, DL_TOKEN_ACCESS, NOW};

    if (dl_jws_sign(token, &query.len, keys, payload, strlen(payload), err) !=
        DL_OK) {
        return DL_INTERNAL;
    }
    return dl_token_verify(claims, keys, &RULES, &query, err);
}

static dl_status verify(const char *payload)
{
    dl_claims claims;

    return verify_into(&claims, payload, NULL);
}

/* Report that PAYLOAD is refused with the sentence REASON. */
static void refused(const char *payload, const char *reason, const char *name)
{
    dl_claims claims;
    dl_error err = {0};

    if (verify_into(&claims, payload, &err) != DL_INVALID) {
        ok(false, name);
        return;
    }
    is_str(err.text, reason, name);
}

static void test_good(void)
{
    dl_claims claims = {0};

    is_int(verify_into(&claims, GOOD, NULL), DL_OK, "a good token is accepted");
    is_str(claims.username, "alice", "sub is the account's name");
    is_int(claims.user_id, 7, "user_id is read");
    is_int(claims.role, DL_ROLE_USER, "role is read");
    is_int(claims.type, DL_TOKEN_ACCESS, "token_type is read");
    is_int(claims.expires_at, 1779098400, "exp is read");
    is_int(claims.issued_at, NOW, "iat is read");
    is_int(claims.auth_time, NOW, "auth_time is read");
    is_str(claims.sid, "0f6c1e9a-5b6d-4c1e-9d52-3f1f8c9f0a77", "sid is read");
    is_str(claims.jti, "j-1", "jti is read");
    is_int(verify(NAMES TIMES WHO "\"exp\":1779098400,\"scope\":\"x\","
                                  "\"admin\":true,\"z\":null}"),
           DL_OK, "members we do not know are ignored");
    is_int(verify(" " NAMES " " TIMES "\n" WHO "\t\"exp\" : 1779098400 } "),
           DL_OK, "white space between tokens is JSON");
}

static void test_expiry(void)
{
    refused(NAMES TIMES WHO "\"exp\":1779096599}", "the token has expired",
            "exp a second ago is refused");
    refused(NAMES TIMES WHO "\"exp\":1779096600}", "the token has expired",
            "exp now is refused");
    is_int(verify(NAMES TIMES WHO "\"exp\":1779096601}"), DL_OK,
           "exp in a second is accepted");
    refused(NAMES TIMES WHO "\"x\":1}", "claim exp is missing",
            "a token without exp is refused");
    refused(NAMES TIMES WHO "\"exp\":\"1779098400\"}",
            "claim exp is of a wrong type", "exp as a string is refused");
    refused(NAMES TIMES WHO "\"exp\":null}", "claim exp is of a wrong type",
            "exp null is refused");
    refused(NAMES TIMES WHO "\"exp\":-1}", "claim exp is no time",
            "a negative exp is refused");
    refused(NAMES TIMES WHO "\"exp\":1e400}",
            "the payload is not a flat object of claims",
            "exp 1e400 is refused");
    refused(NAMES TIMES WHO "\"exp\":9223372036854775808}",
            "claim exp is no time", "exp 2^63 is refused");
    refused(NAMES TIMES WHO "\"exp\":253402300800}", "claim exp is no time",
            "exp past the year 9999 is refused");
    is_int(verify(NAMES TIMES WHO "\"exp\":1779098400.75}"), DL_OK,
           "a fraction of a second is cut off");
}

static void test_not_yet(void)
{
    is_int(verify(NAMES WHO "\"iat\":1779096630,\"auth_time\":1779096630,"
                            "\"exp\":1779098400}"),
           DL_OK, "iat 30 s ahead of our clock is accepted");
    refused(NAMES WHO "\"iat\":1779096631,\"auth_time\":1779096600,"
                      "\"exp\":1779098400}",
            "the token is not valid yet", "iat 31 s ahead is refused");
    refused(NAMES WHO "\"iat\":1779096600,\"auth_time\":1779096631,"
                      "\"exp\":1779098400}",
            "the token is not valid yet", "auth_time 31 s ahead is refused");
    is_int(verify(NAMES TIMES WHO "\"nbf\":1779096630,\"exp\":1779098400}"),
           DL_OK, "nbf 30 s ahead is accepted");
    refused(NAMES TIMES WHO "\"nbf\":1779096631,\"exp\":1779098400}",
            "the token is not valid yet", "nbf 31 s ahead is refused");
    refused(NAMES TIMES WHO "\"nbf\":\"0\",\"exp\":1779098400}",
            "claim nbf is of a wrong type", "nbf as a string is refused");
}

static void test_place(void)
{
    refused("{\"iss\":\"other\",\"aud\":\"datalake\",\"sub\":\"alice\","
            "\"role\":\"user\",\"token_type\":\"access\",\"jti\":\"j\","
            "\"sid\":\"s\"," TIMES WHO "\"exp\":1779098400}",
            "claim iss is another issuer", "another issuer is refused");
    refused("{\"iss\":\"datalake\",\"aud\":\"other\",\"sub\":\"alice\","
            "\"role\":\"user\",\"token_type\":\"access\",\"jti\":\"j\","
            "\"sid\":\"s\"," TIMES WHO "\"exp\":1779098400}",
            "claim aud is another audience", "another audience is refused");
    refused("{\"iss\":\"datalake\",\"aud\":[\"datalake\"],\"sub\":\"alice\","
            "\"role\":\"user\",\"token_type\":\"access\",\"jti\":\"j\","
            "\"sid\":\"s\"," TIMES WHO "\"exp\":1779098400}",
            "the payload is not a flat object of claims",
            "aud as an array is refused");
    refused("{\"aud\":\"datalake\",\"sub\":\"alice\","
            "\"role\":\"user\",\"token_type\":\"access\",\"jti\":\"j\","
            "\"sid\":\"s\"," TIMES WHO "\"exp\":1779098400}",
            "claim iss is missing", "a token without iss is refused");
    refused("{\"iss\":\"datalake\",\"aud\":\"datalake\",\"sub\":\"alice\","
            "\"role\":\"user\",\"token_type\":\"refresh\",\"jti\":\"j\","
            "\"sid\":\"s\"," TIMES WHO "\"exp\":1779098400}",
            "claim token_type is not access",
            "a refresh token is no access token");
    refused("{\"iss\":\"datalake\",\"aud\":\"datalake\",\"sub\":\"alice\","
            "\"role\":\"root\",\"token_type\":\"access\",\"jti\":\"j\","
            "\"sid\":\"s\"," TIMES WHO "\"exp\":1779098400}",
            "claim role is no role", "an unknown role is refused");
}

static void test_subject(void)
{
    refused("{\"iss\":\"datalake\",\"aud\":\"datalake\",\"sub\":\"\","
            "\"role\":\"user\",\"token_type\":\"access\",\"jti\":\"j\","
            "\"sid\":\"s\"," TIMES WHO "\"exp\":1779098400}",
            "claim sub has 0 bytes", "an empty sub is refused");
    refused("{\"iss\":\"datalake\",\"aud\":\"datalake\",\"sub\":7,"
            "\"role\":\"user\",\"token_type\":\"access\",\"jti\":\"j\","
            "\"sid\":\"s\"," TIMES WHO "\"exp\":1779098400}",
            "claim sub is of a wrong type", "sub as a number is refused");
    refused("{\"iss\":\"datalake\",\"aud\":\"datalake\",\"sub\":\"a\","
            "\"role\":\"user\",\"token_type\":\"access\",\"jti\":\"j\","
            "\"sid\":\"a b\"," TIMES WHO "\"exp\":1779098400}",
            "claim sid is no id", "a sid with a blank is refused");
    refused("{\"iss\":\"datalake\",\"aud\":\"datalake\",\"sub\":\"a\","
            "\"role\":\"user\",\"token_type\":\"access\",\"jti\":\"j\","
            "\"sid\":\"0123456789012345678901234567890123456\"," TIMES WHO
            "\"exp\":1779098400}",
            "claim sid has 37 bytes", "a sid of 37 bytes is refused");
    refused(NAMES TIMES "\"user_id\":0,\"exp\":1779098400}",
            "claim user_id is no account", "user_id 0 is refused");
    refused(NAMES TIMES "\"user_id\":7.5,\"exp\":1779098400}",
            "claim user_id is no account", "user_id 7.5 is refused");
    refused(NAMES TIMES "\"user_id\":2147483648,\"exp\":1779098400}",
            "claim user_id is no account", "user_id 2^31 is refused");
    refused(NAMES TIMES "\"user_id\":\"7\",\"exp\":1779098400}",
            "claim user_id is of a wrong type", "user_id \"7\" is refused");
}

static void test_shape(void)
{
    static const char shape[] = "the payload is not a flat object of claims";

    refused(NAMES TIMES WHO "\"exp\":1779098400,\"exp\":1779098400}", shape,
            "a claim twice is refused, even with one value");
    refused(NAMES TIMES WHO "\"sub\":\"admin\",\"exp\":1779098400}", shape,
            "sub twice is refused");
    refused(NAMES TIMES WHO "\"x\":1,\"x\":1,\"exp\":1779098400}", shape,
            "a member we do not know is refused twice");
    refused("[]", shape, "an array is refused");
    refused("{}", "claim iss is missing", "an empty object is refused");
    refused("\xef\xbb\xbf" GOOD, shape, "a byte order mark is refused");
    refused(GOOD "x", shape, "something behind the object is refused");
    refused(GOOD GOOD, shape, "two objects are refused");
    refused(NAMES TIMES WHO "\"x\":\"\xff\",\"exp\":1779098400}", shape,
            "bad UTF-8 is refused");
    refused(NAMES TIMES WHO "\"x\":{\"a\":[[[[]]]]},\"exp\":1779098400}", shape,
            "depth is refused");
    refused(NAMES TIMES WHO "\"x\":\"\\u0061\",\"exp\":1779098400}", shape,
            "an escape is refused");
    refused(NAMES TIMES WHO "\"exp\":01779098400}", shape,
            "a leading zero is refused");
    refused(NAMES TIMES WHO "\"exp\":1779098400,}", shape,
            "a comma at the end is refused");
    refused(NAMES TIMES WHO "\"exp\":1779098400", shape,
            "an object without end is refused");
    refused(NAMES TIMES WHO "\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,"
                            "\"g\":1,\"h\":1,\"i\":1,\"j\":1,\"k\":1,\"l\":1,"
                            "\"m\":1,\"n\":1,\"exp\":1779098400}",
            shape, "25 members are refused");
}

static void test_issue(void)
{
    dl_claims claims = {.user_id = 12,
                        .issued_at = NOW,
                        .expires_at = NOW + 1800,
                        .auth_time = NOW - 5,
                        .role = DL_ROLE_ADMIN,
                        .type = DL_TOKEN_ACCESS,
                        .username = "root.admin@example.org"};
    dl_claims back = {0};
    char token[DL_JWS_TEXT];
    char other[DL_TOKEN_ID_MAX + 1];
    dl_token_query query = {token, 0, DL_TOKEN_ACCESS, NOW + 1799};

    dl_token_new_id(claims.sid);
    dl_token_new_id(claims.jti);
    dl_token_new_id(other);
    is_int((long long)strlen(other), 36, "an id has 36 characters");
    ok(strcmp(other, claims.sid) != 0 && other[14] == '4',
       "and is random, version 4");
    is_int(dl_token_issue(token, &query.len, keys, &RULES, &claims, NULL),
           DL_OK, "a token is issued");
    is_int(dl_token_verify(&back, keys, &RULES, &query, NULL), DL_OK,
           "what was issued is accepted until its last second");
    ok(back.user_id == 12 && back.role == DL_ROLE_ADMIN &&
           back.auth_time == NOW - 5 && strcmp(back.sid, claims.sid) == 0 &&
           strcmp(back.username, "root.admin@example.org") == 0,
       "with the claims it was issued for");
    query.now = NOW + 1800;
    is_int(dl_token_verify(&back, keys, &RULES, &query, NULL), DL_INVALID,
           "and refused from then on");
    query.now = NOW;
    query.type = DL_TOKEN_REFRESH;
    is_int(dl_token_verify(&back, keys, &RULES, &query, NULL), DL_INVALID,
           "an access token is no refresh token");
    claims.expires_at = claims.issued_at;
    is_int(dl_token_issue(token, &query.len, keys, &RULES, &claims, NULL),
           DL_INVALID, "a token that never lived is not issued");
    claims.expires_at = NOW + 5;
    memcpy(claims.username, "a\"b", 4);
    is_int(dl_token_issue(token, &query.len, keys, &RULES, &claims, NULL),
           DL_INVALID, "a name with a quote is not issued");
}

int main(void)
{
    apr_pool_t *pool;

    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS ||
        dl_keyset_create(&keys, "default", "Qm8vLx0p3nZ5rT7uW9yB1dF4gH6jK2lM",
                         32, NULL, pool) != DL_OK) {
        return EXIT_FAILURE;
    }
    test_good();
    test_expiry();
    test_not_yet();
    test_place();
    test_subject();
    test_shape();
    test_issue();
    apr_terminate();
    return done();
}
