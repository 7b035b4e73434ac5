/* token_time - how long a token takes to verify, and whether the time of a
 * refusal tells where a signature is wrong.
 *
 * usage: token_time [MEASUREMENTS]     (200000)
 *
 * An HS256 token as a log-in issues it is verified MEASUREMENTS times, by its
 * signature and from the memory of a child.  Then tokens whose signature is
 * wrong in its first byte, or in its last whole one, take turns at random;
 * Welch's t of the two is near 0 when the comparison takes the same time
 * wherever the first difference is, and grows with the square root of the
 * number of measurements otherwise.  Times above the 90th percentile, which
 * are interruptions, are left out of both (as dudect does).  A third class has
 * the right signature: it differs from a refusal by design, for the claims are
 * read then, so here only its MAC is checked.  Prints one line:
 *
 *   verify_p50_us=N verify_p99_us=N again_p50_us=N where_t=N right_t=N
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr_general.h>
#include <sodium.h>

#include "dl_token.h"
#include "dl_token_cache.h"

#define NOW 1779096600

/* Bytes of a kept measurement's share: 90 of 100. */
#define KEPT 90

/* What one measurement was of. */
enum class {
    WRONG_FIRST, /* the signature's first byte */
    WRONG_LAST,  /* its last but one character */
    RIGHT,       /* the signature */
    CLASSES
};

/* A token as it was sent. */
typedef struct sent {
    char text[DL_JWS_TEXT];
    size_t len;
} sent;

/* Measurements of one class, in nanoseconds. */
typedef struct sample {
    double *ns;
    size_t n;
} sample;

static dl_keyset *keys;
static const dl_token_rules RULES = {"datalake", "datalake"};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "token_time: %s\n", what);
    exit(1);
}

static void *take(size_t bytes)
{
    void *memory = malloc(bytes);

    if (memory == NULL) {
        die("no memory");
    }
    return memory;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The value below which PERCENT of S are; sorts S. */
static double percentile(sample *s, size_t percent)
{
    qsort(s->ns, s->n, sizeof *s->ns, compare);
    return s->ns[(s->n - 1) * percent / 100];
}

static void issue(sent *out)
{
    dl_claims claims = {.user_id = 7,
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
        die("no token");
    }
}

/* --- How long --------------------------------------------------------------
 */

/* Verify TOKEN N times, from CACHE unless it is NULL, into S. */
static void measure(sample *s, const sent *token, dl_token_cache *cache,
                    size_t n)
{
    const dl_token_query query = {token->text, token->len, DL_TOKEN_ACCESS,
                                  NOW};
    dl_claims claims;

    for (s->n = 0; s->n < n; s->n++) {
        int64_t began = now_ns();
        dl_status status =
            cache != NULL
                ? dl_token_cache_verify(&claims, cache, &query, NULL)
                : dl_token_verify(&claims, keys, &RULES, &query, NULL);

        s->ns[s->n] = (double)(now_ns() - began);
        if (status != DL_OK) {
            die("a right token was refused");
        }
    }
}

/* --- Where ----------------------------------------------------------------- */

/* Measure one refusal or acceptance of TOKEN by its MAC. */
static double once(const sent *token, bool right)
{
    char payload[DL_JWS_PAYLOAD_MAX + 1];
    size_t len = 0;
    int64_t began = now_ns();
    dl_status status =
        dl_jws_verify(payload, &len, keys, token->text, token->len, NULL);
    int64_t ended = now_ns();

    if ((status == DL_OK) != right) {
        die("a token was judged wrongly");
    }
    return (double)(ended - began);
}

/* Welch's t of A and B, both without what is above LIMIT. */
static double welch(const sample *a, const sample *b, double limit)
{
    const sample *of[2] = {a, b};
    double mean[2];
    double part[2];

    for (int k = 0; k < 2; k++) {
        double sum = 0;
        double squares = 0;
        size_t n = 0;

        for (size_t i = 0; i < of[k]->n; i++) {
            if (of[k]->ns[i] <= limit) {
                sum += of[k]->ns[i];
                squares += of[k]->ns[i] * of[k]->ns[i];
                n++;
            }
        }
        mean[k] = sum / (double)n;
        part[k] = (squares / (double)n - mean[k] * mean[k]) / (double)(n - 1);
    }
    return (mean[0] - mean[1]) / sqrt(part[0] + part[1]);
}

/* Fill S with N measurements of classes that take turns at random. */
static void race(sample s[CLASSES], const sent *token, size_t n)
{
    sent class[CLASSES];
    sent now = *token;
    size_t signature = (size_t)(strrchr(token->text, '.') + 1 - token->text);

    for (int k = 0; k < CLASSES; k++) {
        class[k] = *token;
        s[k].n = 0;
    }
    class[WRONG_FIRST].text[signature] =
        token->text[signature] == 'A' ? 'B' : 'A';
    class[WRONG_LAST].text[token->len - 2] =
        token->text[token->len - 2] == 'A' ? 'B' : 'A';
    for (size_t i = 0; i < n; i++) {
        uint32_t k = randombytes_uniform(CLASSES);

        /* From one place: where a text lies has a time of its own. */
        memcpy(now.text, class[k].text, token->len);
        s[k].ns[s[k].n++] = once(&now, k == RIGHT);
    }
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;
    dl_token_cache *cache = NULL;
    sample s[CLASSES];
    sample all;
    apr_pool_t *pool;
    sent token;
    double p50;
    double p99;
    double again;
    double limit;

    if (n < 100 || apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS ||
        dl_keyset_create(&keys, "default", "Qm8vLx0p3nZ5rT7uW9yB1dF4gH6jK2lM",
                         32, NULL, pool) != DL_OK ||
        dl_token_cache_create(&cache, keys, &RULES, 64, NULL, pool) != DL_OK) {
        die("cannot start");
    }
    for (int k = 0; k < CLASSES; k++) {
        s[k].ns = take(n * sizeof(double));
    }
    all.ns = take(n * sizeof(double));
    issue(&token);
    measure(&all, &token, NULL, n / 10); /* warm */
    measure(&all, &token, NULL, n);
    p50 = percentile(&all, 50);
    p99 = percentile(&all, 99);
    measure(&all, &token, cache, n);
    again = percentile(&all, 50);
    race(s, &token, n);
    memcpy(all.ns, s[WRONG_FIRST].ns, s[WRONG_FIRST].n * sizeof(double));
    all.n = s[WRONG_FIRST].n;
    limit = percentile(&all, KEPT);
    printf("verify_p50_us=%.1f verify_p99_us=%.1f again_p50_us=%.2f "
           "where_t=%.1f right_t=%.1f\n",
           p50 / 1000, p99 / 1000, again / 1000,
           welch(&s[WRONG_FIRST], &s[WRONG_LAST], limit),
           welch(&s[WRONG_FIRST], &s[RIGHT], limit));
    for (int k = 0; k < CLASSES; k++) {
        free(s[k].ns);
    }
    free(all.ns);
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
