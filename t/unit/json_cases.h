/* json_cases.h - A JSON text, what comes of it, and why; and running them.
 *
 * A text that is taken is also checked for its line: canonicalising it again
 * must change nothing.  A text is held in memory of exactly its size, so that
 * AddressSanitizer sees a byte too far.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_CASES_H
#define JSON_CASES_H

#include "dl_json.h"

#include "tap.h"

#include <stdlib.h>

#include <apr_general.h>

/* One case. */
typedef struct json_case {
    dl_json_fault fault; /* what is wrong with it */
    const char *text;    /* the text */
    size_t len;          /* its bytes, a NUL may be among them */
    const char *name;    /* the sentence */
} json_case;

/* A row: DL_JSON_ is put before FAULT. */
#define CASE(fault, text, name)                                                \
    {                                                                          \
        DL_JSON_##fault, text, sizeof(text) - 1, name                          \
    }

/* Scan LEN bytes of TEXT; put the line into *LINE, freed by the caller. */
static dl_json_fault json_case_scan(char **line, size_t *line_len,
                                    const dl_json_shape *shape,
                                    const char *text, size_t len)
{
    char *copy = malloc(len == 0 ? 1 : len);
    char *scratch = malloc(len + DL_JSON_SLACK);
    dl_json_slice slots[1];
    dl_json_result result = {0};
    dl_json_fault fault;

    if (copy == NULL || scratch == NULL) {
        abort();
    }
    memcpy(copy, text, len);
    fault = dl_json_scan(&result, slots, shape, scratch, copy, len);
    *line = NULL;
    if (fault == DL_JSON_FINE) {
        *line = malloc(result.line_len);
        if (*line == NULL) {
            abort();
        }
        memcpy(*line, result.line, result.line_len);
        *line_len = result.line_len;
    }
    free(copy);
    free(scratch);
    return fault;
}

/* Whether the line of C is canonical, or C is refused as it must be. */
static bool json_case_holds(const json_case *c, const dl_json_shape *shape)
{
    char *line;
    char *again;
    size_t len = 0;
    size_t again_len = 0;
    dl_json_fault fault = json_case_scan(&line, &len, shape, c->text, c->len);
    bool same = fault == c->fault;

    if (fault == DL_JSON_FINE) {
        fault = json_case_scan(&again, &again_len, shape, line, len);
        same = same && fault == DL_JSON_FINE && again_len == len &&
               memcmp(line, again, len) == 0 && memchr(line, '\n', len) == NULL;
        free(again);
    }
    free(line);
    return same;
}

/* Run the N CASES; return main's exit status.  DL_PLANT=N makes the
 * expectation of case N wrong, so that a test can see it reported. */
static int json_cases_run(const json_case *cases, size_t n)
{
    static const char *const paths[] = {"a"};
    const char *planted = getenv("DL_PLANT");
    const dl_json_shape *shape;
    apr_pool_t *pool;
    dl_error err;

    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS ||
        dl_json_shape_create(&shape, paths, 1, &err, pool) != DL_OK) {
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < n; i++) {
        json_case one = cases[i];

        if (planted != NULL && strtoul(planted, NULL, 10) == i) {
            one.fault =
                one.fault == DL_JSON_FINE ? DL_JSON_SYNTAX : DL_JSON_FINE;
        }
        ok(json_case_holds(&one, shape), one.name);
    }
    apr_terminate();
    return done();
}

#endif
