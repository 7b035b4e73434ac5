/* test_token_cache.c - What is remembered of a token, and what is not.
 *
 * "Now" is 2026-05-18T09:30:00Z = 1779096600.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_token_cache.h"

#include "tap.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#define NOW     1779096600
#define PLACES  64
#define MANY    400
#define THREADS 4

static dl_keyset *keys;
static const dl_token_rules RULES = {"datalake", "datalake"};

/* A token as it was sent. */
typedef struct sent {
    char text[DL_JWS_TEXT];
    size_t len;
} sent;

static sent tokens[MANY];

/* Issue to OUT a token of account ID. */
static void issue(sent *out, int64_t id)
{
    dl_claims claims = {.user_id = id,
                        .issued_at = NOW,
                        .expires_at = NOW + 1800,
                        .auth_time = NOW,
                        .role = DL_ROLE_USER,
                        .type = DL_TOKEN_ACCESS,
                        .username = "alice"};

    dl_token_new_id(claims.sid);
    dl_token_new_id(claims.jti);
    if (dl_token_issue(out->text, &out->len, keys, &RULES, &claims, NULL) !=
        DL_OK) {
        fprintf(stderr, "no token\n");
        exit(1);
    }
}

/* Put TOKEN before CACHE at NOW. */
static dl_status ask(dl_claims *claims, dl_token_cache *cache,
                     const sent *token, int64_t now)
{
    const dl_token_query query = {token->text, token->len, DL_TOKEN_ACCESS,
                                  now};

    return dl_token_cache_verify(claims, cache, &query, NULL);
}

static dl_token_cache *make_cache(apr_pool_t *pool)
{
    dl_token_cache *cache = NULL;

    if (dl_token_cache_create(&cache, keys, &RULES, PLACES, NULL, pool) !=
        DL_OK) {
        fprintf(stderr, "no cache\n");
        exit(1);
    }
    return cache;
}

static void test_again(apr_pool_t *pool)
{
    dl_token_cache *cache = make_cache(pool);
    dl_claims first = {0};
    dl_claims again = {0};
    dl_token_query query;

    is_int(ask(&first, cache, &tokens[0], NOW), DL_OK, "a token is verified");
    is_int(ask(&again, cache, &tokens[0], NOW + 1799), DL_OK,
           "and known until its last second");
    ok(again.user_id == first.user_id && strcmp(again.sid, first.sid) == 0 &&
           strcmp(again.jti, first.jti) == 0 &&
           strcmp(again.username, "alice") == 0,
       "with the same claims");
    is_int(ask(&again, cache, &tokens[0], NOW + 1800), DL_INVALID,
           "then it has expired, known or not");
    is_int(ask(&again, cache, &tokens[0], NOW - 31), DL_INVALID,
           "and it is not valid yet when the clock goes back");
    query =
        (dl_token_query){tokens[0].text, tokens[0].len, DL_TOKEN_REFRESH, NOW};
    is_int(dl_token_cache_verify(&again, cache, &query, NULL), DL_INVALID,
           "a known access token is no refresh token");
}

/* Every byte counts, wherever it stands. */
static void test_changed(apr_pool_t *pool)
{
    dl_token_cache *cache = make_cache(pool);
    sent token = tokens[0];
    dl_claims claims;
    int accepted = 0;

    is_int(ask(&claims, cache, &token, NOW), DL_OK, "a token is known");
    for (size_t i = 0; i < token.len; i++) {
        char right = token.text[i];

        token.text[i] = right == 'A' ? 'B' : 'A';
        accepted += ask(&claims, cache, &token, NOW) == DL_OK ? 1 : 0;
        token.text[i] = right;
    }
    is_int(accepted, 0, "with any byte changed it is refused");
    token.len--;
    is_int(ask(&claims, cache, &token, NOW), DL_INVALID, "nor a byte shorter");
    token.len = 7;
    is_int(ask(&claims, cache, &token, NOW), DL_INVALID,
           "nor when it is shorter than what chooses a place");
    token.len = tokens[0].len;
    memmove(token.text + 1, token.text, token.len);
    token.len++;
    is_int(ask(&claims, cache, &token, NOW), DL_INVALID, "nor a byte longer");
}

/* Ask for all tokens; return how many were judged wrongly. */
static int ask_all(dl_token_cache *cache)
{
    int wrong = 0;

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) {
            dl_claims claims = {0};

            wrong += ask(&claims, cache, &tokens[i], NOW) == DL_OK &&
                             claims.user_id == i + 1
                         ? 0
                         : 1;
        }
    }
    return wrong;
}

static void *run(void *cache)
{
    return ask_all(cache) == 0 ? cache : NULL;
}

static void test_many(apr_pool_t *pool)
{
    dl_token_cache *cache = make_cache(pool);
    pthread_t thread[THREADS];
    int wrong = 0;

    is_int(ask_all(cache), 0, "more tokens than places: each says its own");
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&thread[i], NULL, run, cache) != 0) {
            abort();
        }
    }
    for (int i = 0; i < THREADS; i++) {
        void *back = NULL;

        pthread_join(thread[i], &back);
        wrong += back == cache ? 0 : 1;
    }
    is_int(wrong, 0, "and so for threads that ask at the same time");
}

/* A token too long to be kept is judged all the same. */
static void test_long(apr_pool_t *pool)
{
    static char payload[DL_JWS_PAYLOAD_MAX];
    dl_token_cache *cache = make_cache(pool);
    dl_claims claims;
    sent token;
    int n = snprintf(
        payload, sizeof payload,
        "{\"iss\":\"datalake\",\"aud\":\"datalake\",\"sub\":\"alice\","
        "\"role\":\"user\",\"token_type\":\"access\",\"jti\":\"j\","
        "\"sid\":\"s\",\"iat\":%d,\"auth_time\":%d,\"nbf\":%d,\"user_id\":7,"
        "\"exp\":%d,\"more\":\"%0900d\"}",
        NOW, NOW, NOW, NOW + 60, 1);

    is_int(dl_jws_sign(token.text, &token.len, keys, payload, (size_t)n, NULL),
           DL_OK, "a long token is signed");
    ok(token.len > DL_TOKEN_CACHE_TEXT, "it is too long to be kept");
    is_int(ask(&claims, cache, &token, NOW), DL_OK, "and is accepted");
    is_int(ask(&claims, cache, &token, NOW), DL_OK, "and again");
    is_int(claims.not_before, NOW, "with its nbf");
}

int main(void)
{
    apr_pool_t *pool;

    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return 1;
    }
    if (dl_keyset_create(&keys, "k1", "0123456789abcdefghijklmnopqrstuv", 32,
                         NULL, pool) != DL_OK) {
        return 1;
    }
    for (int i = 0; i < MANY; i++) {
        issue(&tokens[i], i + 1);
    }
    test_again(pool);
    test_changed(pool);
    test_many(pool);
    test_long(pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
