/* mdl_openapi_answer.c - Answers by status.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_openapi_answer.h"

#include <stdio.h>
#include <string.h>

#include "mdl_format.h"
#include "mdl_openapi_schema.h"
#include "mdl_problem.h"

/* The id in examples. */
#define EXAMPLE_ID "0f6c2a9d41e84b7c9a3d5e6f70812345"

/* What a row must be like for a problem to come without being named in the
 * words; a set of bits, any of which is enough. */
enum rule {
    ALWAYS = 1,        /* any route */
    BODY = 2,          /* takes a body */
    NO_BODY = 4,       /* takes none */
    SEGMENT = 8,       /* has a {segment} */
    NEGOTIATED = 16,   /* has a format to choose */
    TOKEN = 32,        /* looks at a token */
    RIGHT = 64,        /* wants a role or grant */
    CONSENT = 128,     /* is closed to accounts without consent */
    COUNTED = 256,     /* takes from the quota */
    CHANGES = 512,     /* changes something, so it is audited before it is
                          answered */
    MATCH = 1024,      /* reads If-Match */
    IDEMPOTENT = 2048, /* reads Idempotency-Key */
    ACCOUNTS = 4096    /* asks the warehouse about an account at times */
};

/* clang-format off */
static const unsigned rules[MDL_PROBLEM_COUNT] = {
    [MDL_PROBLEM_MALFORMED_REQUEST] = ALWAYS,
    [MDL_PROBLEM_MALFORMED_JSON] = BODY,
    [MDL_PROBLEM_INVALID_PARAMETER] = ALWAYS,
    [MDL_PROBLEM_UNEXPECTED_BODY] = NO_BODY,
    [MDL_PROBLEM_UNAUTHORIZED] = TOKEN,
    [MDL_PROBLEM_FORBIDDEN] = RIGHT,
    [MDL_PROBLEM_CONSENT_WITHDRAWN] = CONSENT,
    [MDL_PROBLEM_NOT_FOUND] = SEGMENT,
    [MDL_PROBLEM_NOT_ACCEPTABLE] = NEGOTIATED,
    [MDL_PROBLEM_REQUEST_TIMEOUT] = BODY,
    [MDL_PROBLEM_CONFLICT] = IDEMPOTENT,
    [MDL_PROBLEM_PRECONDITION_FAILED] = MATCH,
    [MDL_PROBLEM_BODY_TOO_LARGE] = BODY,
    [MDL_PROBLEM_URI_TOO_LONG] = ALWAYS,
    [MDL_PROBLEM_UNSUPPORTED_MEDIA_TYPE] = BODY,
    [MDL_PROBLEM_EXPECTATION] = ALWAYS,
    [MDL_PROBLEM_VALIDATION] = BODY,
    [MDL_PROBLEM_IDEMPOTENCY_MISMATCH] = IDEMPOTENT,
    [MDL_PROBLEM_QUOTA_EXCEEDED] = COUNTED,
    [MDL_PROBLEM_INTERNAL] = ALWAYS,
    [MDL_PROBLEM_WAREHOUSE_UNAVAILABLE] = ACCOUNTS,
    [MDL_PROBLEM_OVERLOADED] = ALWAYS,
    [MDL_PROBLEM_DEADLINE] = ACCOUNTS,
    [MDL_PROBLEM_HTTP_VERSION] = ALWAYS,
    [MDL_PROBLEM_STORAGE_FULL] = CHANGES,
};

/* Every status, in order, with the header its problems have. */
static const struct {
    int status;
    const char *header;
} statuses[] = {
    {200, NULL}, {201, NULL}, {202, NULL}, {204, NULL}, {304, NULL},
    {307, NULL}, {400, NULL}, {401, "WWW-Authenticate"},
    {403, "WWW-Authenticate"}, {404, NULL}, {406, NULL}, {408, NULL},
    {409, NULL}, {412, NULL}, {413, NULL}, {414, NULL},
    {415, "Accept-Post"}, {417, NULL}, {422, NULL}, {426, NULL},
    {429, "Retry-After"}, {500, NULL}, {503, "Retry-After"}, {505, NULL},
    {507, "Retry-After"},
};
/* clang-format on */

static bool reads_header(const mdl_words *words, const char *name)
{
    const char *const *at = words->parameters;

    for (; at != NULL && *at != NULL; at++) {
        if (strcmp(*at, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether accounts without consent may call ROUTE. */
static bool is_own_account(const mdl_route *route)
{
    return strncmp(route->template, "/user/", 6) == 0;
}

/* The bits of rule that ROUTE meets. */
static unsigned rules_of(const mdl_route *route, const mdl_words *words)
{
    bool open = route->class == MDL_CLASS_PUBLIC;
    bool reads = (route->methods & MDL_METHOD_GET) != 0;
    unsigned bits = ALWAYS;

    bits |= route->body != NULL ? BODY : NO_BODY;
    bits |= strchr(route->template, '{') != NULL ? SEGMENT : 0U;
    bits |= route->formats != MDL_FORMAT_ANY ? NEGOTIATED : 0U;
    bits |= open ? 0U : TOKEN | ACCOUNTS;
    bits |= open || is_own_account(route) ? 0U : CONSENT;
    bits |= open || route->class == MDL_CLASS_ANONYMOUS ||
                    route->class == MDL_CLASS_USER
                ? 0U
                : RIGHT;
    bits |= route->cost > 0 ? COUNTED : 0U;
    bits |= reads ? 0U : CHANGES;
    bits |= reads_header(words, "If-Match") ? MATCH : 0U;
    bits |= reads_header(words, "Idempotency-Key") ? IDEMPOTENT : 0U;
    return bits;
}

/* Whether the words name SLUG.  403 consent-required follows from the class
 * alone; named, it is the 422 of the same text. */
static bool is_named(const mdl_words *words, mdl_slug slug)
{
    const char *const *at = words->problems;
    const char *text = mdl_problem_type_of(slug)->slug;

    for (; at != NULL && *at != NULL; at++) {
        if (strcmp(*at, text) == 0) {
            return slug != MDL_PROBLEM_CONSENT_WITHDRAWN;
        }
    }
    return false;
}

/* Put into SLUGS the problems of STATUS that can come; return how many. */
static int problems_of(mdl_slug slugs[MDL_PROBLEM_COUNT], int status,
                       const mdl_route *route, const mdl_words *words)
{
    unsigned bits = rules_of(route, words);
    int n = 0;
    int i;

    for (i = 1; i < MDL_PROBLEM_COUNT; i++) {
        if (mdl_problem_type_of((mdl_slug)i)->status == status &&
            ((rules[i] & bits) != 0 || is_named(words, (mdl_slug)i))) {
            slugs[n++] = (mdl_slug)i;
        }
    }
    return n;
}

/* --- One answer ----------------------------------------------------------- */

static const mdl_words_answer *find_answer(const mdl_words *words, int status)
{
    const mdl_words_answer *answer;

    for (answer = words->answers; answer->status != 0; answer++) {
        if (answer->status == status) {
            return answer;
        }
    }
    return NULL;
}

static void write_header(dl_json_writer *w, const char *name)
{
    dl_json_write_key(w, name);
    mdl_openapi_reference(w, "headers", name);
}

static void write_headers(dl_json_writer *w, const mdl_route *route,
                          const mdl_words_answer *answer, const char *more)
{
    const char *const *at = answer != NULL ? answer->headers : NULL;

    dl_json_write_key(w, "headers");
    dl_json_write_object_begin(w);
    write_header(w, "X-Request-Id");
    if (route->cost > 0) {
        write_header(w, "RateLimit-Policy");
        write_header(w, "RateLimit");
    }
    for (; at != NULL && *at != NULL; at++) {
        write_header(w, *at);
    }
    if (more != NULL) {
        write_header(w, more);
    }
    dl_json_write_object_end(w);
}

/* Write one media TYPE of ANSWER; as lines and cells it is only a text. */
static void write_media(dl_json_writer *w, const char *type, bool structured,
                        const mdl_words_answer *answer)
{
    dl_json_write_key(w, type);
    dl_json_write_object_begin(w);
    mdl_openapi_raw(w, "schema",
                    structured ? answer->schema : "{\"type\":\"string\"}");
    if (structured) {
        mdl_openapi_raw(w, "example", answer->example);
    }
    dl_json_write_object_end(w);
}

/* Write the media types of ANSWER, which has a body. */
static void write_good_content(dl_json_writer *w, const mdl_route *route,
                               const mdl_words_answer *answer)
{
    unsigned bit;

    if (answer->media != NULL) {
        write_media(w, answer->media, true, answer);
        return;
    }
    for (bit = MDL_FORMAT_JSON; bit <= MDL_FORMAT_TEXT; bit <<= 1) {
        if ((route->formats & bit) != 0) {
            write_media(w, mdl_format_type(bit),
                        bit == MDL_FORMAT_JSON || bit == MDL_FORMAT_TEXT,
                        answer);
        }
    }
}

static void write_problem_content(dl_json_writer *w, const mdl_slug *slugs,
                                  int n)
{
    int i;

    dl_json_write_key(w, "application/problem+json");
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "schema");
    mdl_openapi_reference(w, "schemas", "Problem");
    dl_json_write_key(w, "examples");
    dl_json_write_object_begin(w);
    for (i = 0; i < n; i++) {
        const char *slug = mdl_problem_type_of(slugs[i])->slug;

        dl_json_write_key(w, slug);
        mdl_openapi_reference(w, "examples", slug);
    }
    dl_json_write_object_end(w);
    dl_json_write_object_end(w);
}

/* Write what ANSWER (or NULL) and the N problems of one status mean. */
static void write_says(dl_json_writer *w, const mdl_words_answer *answer,
                       const mdl_slug *slugs, int n)
{
    char says[1024];
    size_t len = 0;
    int i;

    says[0] = '\0';
    if (answer != NULL) {
        len = (size_t)snprintf(says, sizeof says, "%s", answer->says);
    }
    for (i = 0; i < n && len < sizeof says; i++) {
        len += (size_t)snprintf(says + len, sizeof says - len, "%s%s",
                                len > 0 ? " " : "",
                                mdl_problem_type_of(slugs[i])->title);
        len += len < sizeof says
                   ? (size_t)snprintf(says + len, sizeof says - len, ".")
                   : 0;
    }
    mdl_openapi_text(w, "description", says);
}

/* Write the bodies of ANSWER (or NULL) and of N problems. */
static void write_content(dl_json_writer *w, const mdl_route *route,
                          const mdl_words_answer *answer, const mdl_slug *slugs,
                          int n)
{
    bool good = answer != NULL && answer->schema != NULL;

    if (!good && n == 0) {
        return;
    }
    dl_json_write_key(w, "content");
    dl_json_write_object_begin(w);
    if (good) {
        write_good_content(w, route, answer);
    }
    if (n > 0) {
        write_problem_content(w, slugs, n);
    }
    dl_json_write_object_end(w);
}

void mdl_openapi_answers(dl_json_writer *w, const mdl_route *route,
                         const mdl_words *words)
{
    mdl_slug slugs[MDL_PROBLEM_COUNT];
    size_t i;

    dl_json_write_object_begin(w);
    for (i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        const mdl_words_answer *answer = find_answer(words, statuses[i].status);
        int n = problems_of(slugs, statuses[i].status, route, words);
        char status[16];

        if (answer == NULL && n == 0) {
            continue;
        }
        (void)snprintf(status, sizeof status, "%d", statuses[i].status);
        dl_json_write_key(w, status);
        dl_json_write_object_begin(w);
        write_says(w, answer, slugs, n);
        write_headers(w, route, answer, statuses[i].header);
        write_content(w, route, answer, slugs, n);
        dl_json_write_object_end(w);
    }
    dl_json_write_object_end(w);
}

/* --- Examples ------------------------------------------------------------- */

/* Write the problem TYPE as a client gets it. */
static void write_problem(dl_json_writer *w, const mdl_problem_type *type)
{
    char address[64];

    (void)snprintf(address, sizeof address, "/problems/%s", type->slug);
    dl_json_write_object_begin(w);
    mdl_openapi_text(w, "type", address);
    mdl_openapi_text(w, "title", type->title);
    dl_json_write_key(w, "status");
    dl_json_write_int(w, type->status);
    mdl_openapi_text(w, "detail", type->description);
    mdl_openapi_text(w, "instance", "/req/" EXAMPLE_ID);
    mdl_openapi_text(w, "request_id", EXAMPLE_ID);
    mdl_openapi_raw(w, "errors", "[]");
    dl_json_write_object_end(w);
}

void mdl_openapi_problem_examples(dl_json_writer *w)
{
    int i;

    dl_json_write_object_begin(w);
    for (i = 1; i < MDL_PROBLEM_COUNT; i++) {
        const mdl_problem_type *type = mdl_problem_type_of((mdl_slug)i);

        if (mdl_problem_find(type->slug) != (mdl_slug)i) {
            continue; /* a second status of the same text */
        }
        dl_json_write_key(w, type->slug);
        dl_json_write_object_begin(w);
        mdl_openapi_text(w, "summary", type->title);
        dl_json_write_key(w, "value");
        write_problem(w, type);
        dl_json_write_object_end(w);
    }
    dl_json_write_object_end(w);
}
