/* mdl_openapi_sample.c - Examples as people type them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_openapi_sample.h"

#include <ctype.h>
#include <string.h>

#include <apr_strings.h>

#include "mdl_openapi_schema.h"

const char *mdl_openapi_method(const mdl_route *route)
{
    static const struct {
        unsigned bit;
        const char *name;
    } methods[] = {{MDL_METHOD_GET, "GET"},
                   {MDL_METHOD_POST, "POST"},
                   {MDL_METHOD_PUT, "PUT"},
                   {MDL_METHOD_PATCH, "PATCH"},
                   {MDL_METHOD_DELETE, "DELETE"}};
    size_t i = 0;

    while (i + 1 < sizeof methods / sizeof methods[0] &&
           (route->methods & methods[i].bit) == 0) {
        i++;
    }
    return methods[i].name;
}

static bool is_segment(const mdl_route *route, const char *name)
{
    size_t len = strlen(name);
    const char *at = strchr(route->template, '{');

    for (; at != NULL; at = strchr(at, '{')) {
        at++;
        if (strncmp(at, name, len) == 0 && at[len] == '}') {
            return true;
        }
    }
    return false;
}

/* The value of the segment that begins with NAME and ends in '}'. */
static const char *segment_value(const mdl_words *words, const char *name)
{
    const mdl_words_value *value;

    for (value = words->values; value != NULL && value->name != NULL; value++) {
        size_t len = strlen(value->name);

        if (strncmp(value->name, name, len) == 0 && name[len] == '}') {
            return value->text;
        }
    }
    return "x";
}

/* The path of the example. */
static const char *path_of(const mdl_route *route, const mdl_words *words,
                           apr_pool_t *pool)
{
    const char *at = route->template;
    const char *path = "";

    while (*at != '\0') {
        size_t len = strcspn(at, "{");

        path = apr_pstrcat(pool, path, apr_pstrmemdup(pool, at, len), NULL);
        at += len;
        if (*at == '{') {
            path = apr_pstrcat(pool, path, segment_value(words, at + 1), NULL);
            at += strcspn(at, "}") + 1;
        }
    }
    return path;
}

/* The query of the example with its '?', or "". */
static const char *query_of(const mdl_route *route, const mdl_words *words,
                            apr_pool_t *pool)
{
    const mdl_words_value *value;
    const char *query = "";

    for (value = words->values; value != NULL && value->name != NULL; value++) {
        if (!is_segment(route, value->name)) {
            query = apr_pstrcat(pool, query, *query == '\0' ? "?" : "&",
                                value->name, "=", value->text, NULL);
        }
    }
    return query;
}

static bool wants_token(const mdl_route *route)
{
    return route->class != MDL_CLASS_PUBLIC &&
           route->class != MDL_CLASS_ANONYMOUS &&
           route->class != MDL_CLASS_SCRAPER;
}

/* TEXT between apostrophes of a shell. */
static const char *shell_quote(const char *text, apr_pool_t *pool)
{
    const char *quoted = "'";

    while (*text != '\0') {
        size_t len = strcspn(text, "'");

        quoted = apr_pstrcat(pool, quoted, apr_pstrmemdup(pool, text, len),
                             text[len] == '\'' ? "'\\''" : "", NULL);
        text += len + (text[len] == '\'' ? 1 : 0);
    }
    return apr_pstrcat(pool, quoted, "'", NULL);
}

static const char *curl_of(const mdl_route *route, const mdl_words *words,
                           apr_pool_t *pool)
{
    const char *method = mdl_openapi_method(route);
    const char *body = words->body;

    return apr_pstrcat(
        pool, "curl -sS",
        strcmp(method, "GET") == 0 ? ""
                                   : apr_pstrcat(pool, " -X ", method, NULL),
        " \"$DATALAKE_URL", path_of(route, words, pool),
        query_of(route, words, pool), "\"",
        wants_token(route) ? " \\\n  -H \"Authorization: Bearer $TOKEN\"" : "",
        body != NULL ? " \\\n  -H 'Content-Type: application/json' \\\n  -d "
                     : "",
        body != NULL ? shell_quote(body, pool) : "", NULL);
}

/* METHOD in lower case, as the functions of requests are called. */
static const char *lower(const char *method, apr_pool_t *pool)
{
    char *text = apr_pstrdup(pool, method);
    char *at;

    for (at = text; *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    return text;
}

static const char *python_of(const mdl_route *route, const mdl_words *words,
                             apr_pool_t *pool)
{
    const char *method = lower(mdl_openapi_method(route), pool);

    return apr_pstrcat(
        pool, "import os\n\nimport requests\n\nanswer = requests.", method,
        "(\n    os.environ[\"DATALAKE_URL\"] + \"", path_of(route, words, pool),
        query_of(route, words, pool), "\",\n",
        wants_token(route) ? "    headers={\"Authorization\": \"Bearer \" + "
                             "os.environ[\"TOKEN\"]},\n"
                           : "",
        words->python != NULL ? "    json=" : "",
        words->python != NULL ? words->python : "",
        words->python != NULL ? ",\n" : "",
        "    timeout=60,\n)\nprint(answer.status_code, answer.text)\n", NULL);
}

static void write_sample(dl_json_writer *w, const char *language,
                         const char *label, const char *source)
{
    dl_json_write_object_begin(w);
    mdl_openapi_text(w, "lang", language);
    mdl_openapi_text(w, "label", label);
    mdl_openapi_text(w, "source", source);
    dl_json_write_object_end(w);
}

void mdl_openapi_samples(dl_json_writer *w, const mdl_route *route,
                         const mdl_words *words, apr_pool_t *pool)
{
    dl_json_write_array_begin(w);
    write_sample(w, "Shell", "curl", curl_of(route, words, pool));
    write_sample(w, "Python", "Python", python_of(route, words, pool));
    dl_json_write_array_end(w);
}
