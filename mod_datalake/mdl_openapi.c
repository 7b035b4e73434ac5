/* mdl_openapi.c - The document around the operations.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_openapi.h"

#include <ctype.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_dataset.h"
#include "dl_json_write.h"
#include "mdl_openapi_answer.h"
#include "mdl_openapi_sample.h"
#include "mdl_openapi_schema.h"
#include "mdl_openapi_words.h"
#include "mdl_route.h"

/* A document is some hundred KB. */
#define DOCUMENT_MAX ((size_t)4 * 1024 * 1024)

/* The version of the contract that is described. */
#define CONTRACT_VERSION "1.0.0"

/* What holds for every operation. */
static const char about[] =
    "Answers of a data lake that runs inside Apache httpd.\n\n"
    "**Access.** Log in at `/user/login`, then send `Authorization: Bearer` "
    "and the access token. `x-access` of an operation is the right it needs; "
    "403 names a missing one in the member `missing`.\n\n"
    "**Paths.** A final slash is optional. Every GET answers HEAD too, and "
    "OPTIONS answers 204 with `Allow`; another method is 405, one that nobody "
    "knows 501.\n\n"
    "**Parameters.** One that is unknown, repeated, empty or out of range is "
    "400; `Prefer: handling=lenient` lets unknown ones pass. Members of a body "
    "that are unknown are 422.\n\n"
    "**Errors** are RFC 9457 problems; `type` is the address of the "
    "explanation, `errors` names what is wrong, `request_id` finds the log "
    "line.\n\n"
    "**Quota.** `RateLimit` tells what is left of the hour; 429 has "
    "`Retry-After`.\n\n"
    "**Values.** Times are UTC with six digits. Money is exact: "
    "`decimals=string` prints it as text. Integers above 2^53 are strings.\n\n"
    "**Lists** take `limit` and `cursor`; the next page is in `Link` and in "
    "`next_cursor`.";

static void write_info(dl_json_writer *w)
{
    dl_json_write_key(w, "info");
    dl_json_write_object_begin(w);
    mdl_openapi_text(w, "title", "mod_datalake");
    mdl_openapi_text(w, "version", CONTRACT_VERSION);
    mdl_openapi_text(w, "summary", "A data lake behind Kafka, served by httpd");
    mdl_openapi_text(w, "description", about);
    mdl_openapi_raw(w, "license",
                    "{\"name\":\"Apache 2.0\",\"identifier\":\"Apache-2.0\"}");
    dl_json_write_object_end(w);
}

/* The tag of the words of ROW; "" when it has none. */
static const char *tag_of(const mdl_route *row)
{
    const mdl_words *words = mdl_words_find(row->doc);

    return words != NULL ? words->tag : "";
}

/* Whether a row before ROW has its tag. */
static bool tag_is_known(const mdl_route *row)
{
    const mdl_route *other;

    for (other = mdl_route_table; other < row; other++) {
        if (strcmp(tag_of(other), tag_of(row)) == 0) {
            return true;
        }
    }
    return false;
}

/* Write the tags in the order in which rows come to them. */
static void write_tags(dl_json_writer *w)
{
    const mdl_words_part *tag;
    int i;

    dl_json_write_key(w, "tags");
    dl_json_write_array_begin(w);
    for (i = 0; i < mdl_route_count; i++) {
        const char *name = tag_of(&mdl_route_table[i]);

        for (tag = mdl_words_tags(); tag->name != NULL; tag++) {
            if (strcmp(tag->name, name) == 0 &&
                !tag_is_known(&mdl_route_table[i])) {
                dl_json_write_object_begin(w);
                mdl_openapi_text(w, "name", tag->name);
                mdl_openapi_text(w, "description", tag->json);
                dl_json_write_object_end(w);
            }
        }
    }
    dl_json_write_array_end(w);
}

/* --- Operations ----------------------------------------------------------- */

/* RESOURCE of a row, "a|table + b", as grants at LEVEL: "grant(a,read)+
 * grant(b,read)". */
static const char *grants_of(const char *resource, const char *level,
                             apr_pool_t *pool)
{
    const char *grants = "";

    while (*resource != '\0') {
        size_t len = strcspn(resource, " ");
        size_t name = strcspn(resource, " |");

        if (name > 0 && *resource != '+') {
            grants = apr_psprintf(pool, "%s%sgrant(%.*s,%s)", grants,
                                  *grants != '\0' ? "+" : "", (int)name,
                                  resource, level);
        }
        resource += len;
        resource += strspn(resource, " ");
    }
    return grants;
}

/* The right that ROUTE needs, as the contract writes it. */
static const char *access_of(const mdl_route *route, apr_pool_t *pool)
{
    switch (route->class) {
    case MDL_CLASS_PUBLIC:
        return "public";
    case MDL_CLASS_ANONYMOUS:
        return "anonymous";
    case MDL_CLASS_USER:
        return "user";
    case MDL_CLASS_READ:
        return grants_of(route->resource, "read", pool);
    case MDL_CLASS_WRITE:
        return grants_of(route->resource, "write", pool);
    case MDL_CLASS_READ_OR_AUDITOR:
        return apr_pstrcat(pool, grants_of(route->resource, "read", pool),
                           "|auditor", NULL);
    case MDL_CLASS_AUDITOR:
        return "auditor";
    case MDL_CLASS_ADMIN:
    case MDL_CLASS_SCRAPER:
        return "admin";
    case MDL_CLASS_NONE:
        break;
    }
    return "nobody";
}

static const char *security_of(const mdl_route *route)
{
    switch (route->class) {
    case MDL_CLASS_PUBLIC:
        return "[]";
    case MDL_CLASS_ANONYMOUS:
    case MDL_CLASS_SCRAPER:
        return "[{},{\"bearer\":[]}]";
    case MDL_CLASS_USER:
    case MDL_CLASS_READ:
    case MDL_CLASS_WRITE:
    case MDL_CLASS_READ_OR_AUDITOR:
    case MDL_CLASS_AUDITOR:
    case MDL_CLASS_ADMIN:
    case MDL_CLASS_NONE:
        break;
    }
    return "[{\"bearer\":[]}]";
}

/* A name for ROW that no other has: its key, with a number when an earlier
 * row has the same words; *FIRST is that row, or ROW. */
static const char *name_of(const mdl_route *row, const mdl_route **first,
                           apr_pool_t *pool)
{
    const mdl_route *other;
    char *name = apr_pstrdup(pool, row->doc);
    char *at;
    int before = 0;

    *first = row;
    for (other = mdl_route_table; other < row; other++) {
        if (strcmp(other->doc, row->doc) == 0) {
            *first = before == 0 ? other : *first;
            before++;
        }
    }
    for (at = name; *at != '\0'; at++) {
        if (*at == '-') {
            *at = '_';
        }
    }
    return before == 0 ? name : apr_psprintf(pool, "%s_%d", name, before + 1);
}

static void write_operation(dl_json_writer *w, const mdl_route *row,
                            const mdl_words *words, apr_pool_t *pool)
{
    const mdl_route *first;
    const char *name = name_of(row, &first, pool);
    const char *access = access_of(row, pool);
    const char *says = apr_pstrcat(
        pool, words->description, *words->description != '\0' ? "\n\n" : "",
        first != row
            ? apr_pstrcat(pool, "The same as ", mdl_openapi_method(first), " `",
                          first->template, "`. ", NULL)
            : "",
        "Access: `", access, "`.", NULL);

    dl_json_write_object_begin(w);
    dl_json_write_key(w, "tags");
    dl_json_write_array_begin(w);
    dl_json_write_text(w, words->tag);
    dl_json_write_array_end(w);
    mdl_openapi_text(w, "summary", words->summary);
    mdl_openapi_text(w, "description", says);
    mdl_openapi_text(w, "operationId", name);
    mdl_openapi_raw(w, "security", security_of(row));
    mdl_openapi_text(w, "x-access", access);
    dl_json_write_key(w, "parameters");
    mdl_openapi_parameters(w, row, words);
    if (row->body != NULL) {
        dl_json_write_key(w, "requestBody");
        mdl_openapi_body(w, row, words);
    }
    dl_json_write_key(w, "responses");
    mdl_openapi_answers(w, row, words);
    dl_json_write_key(w, "x-codeSamples");
    mdl_openapi_samples(w, row, words, pool);
    dl_json_write_object_end(w);
}

/* Whether a row before ROW has its template. */
static bool is_known(const mdl_route *row)
{
    const mdl_route *other;

    for (other = mdl_route_table; other < row; other++) {
        if (strcmp(other->template, row->template) == 0) {
            return true;
        }
    }
    return false;
}

/* Write all operations of FIRST's template. */
static dl_status write_path(dl_json_writer *w, const mdl_route *first,
                            dl_error *err, apr_pool_t *pool)
{
    const mdl_route *end = mdl_route_table + mdl_route_count;
    const mdl_route *row;

    dl_json_write_key(w, first->template);
    dl_json_write_object_begin(w);
    for (row = first; row < end; row++) {
        const mdl_words *words = mdl_words_find(row->doc);
        char *method = apr_pstrdup(pool, mdl_openapi_method(row));
        char *at;

        if (strcmp(row->template, first->template) != 0) {
            continue;
        }
        if (words == NULL) {
            return dl_fail(err, DL_INTERNAL, 0, "route %s has no words",
                           row->template);
        }
        for (at = method; *at != '\0'; at++) {
            *at = (char)tolower((unsigned char)*at);
        }
        dl_json_write_key(w, method);
        write_operation(w, row, words, pool);
    }
    dl_json_write_object_end(w);
    return DL_OK;
}

static dl_status write_paths(dl_json_writer *w, dl_error *err, apr_pool_t *pool)
{
    int i;

    dl_json_write_key(w, "paths");
    dl_json_write_object_begin(w);
    for (i = 0; i < mdl_route_count; i++) {
        if (!is_known(&mdl_route_table[i])) {
            DL_TRY(write_path(w, &mdl_route_table[i], err, pool));
        }
    }
    dl_json_write_object_end(w);
    return DL_OK;
}

/* --- Components ----------------------------------------------------------- */

static void write_parts(dl_json_writer *w, const mdl_words_part *part)
{
    for (; part->name != NULL; part++) {
        mdl_openapi_raw(w, part->name, part->json);
    }
}

/* The JSON Schema of a field of TYPE; a number may be a text too. */
static const char *field_type(dl_field_type type)
{
    switch (type) {
    case DL_FIELD_STR:
        return "{\"type\":[\"string\",\"null\"]}";
    case DL_FIELD_INT:
    case DL_FIELD_DEC:
    case DL_FIELD_NUM:
        return "{\"type\":[\"number\",\"string\",\"null\"]}";
    case DL_FIELD_BOOL:
        return "{\"type\":[\"boolean\",\"null\"]}";
    case DL_FIELD_TIME:
        return "{\"type\":[\"string\",\"number\",\"null\"]}";
    case DL_FIELD_DATE:
        return "{\"type\":[\"string\",\"null\"]}";
    case DL_FIELD_ANY:
        break;
    }
    return "{}";
}

/* Write the schema of DATASET's records: its members at the top level, as
 * they are declared; nested ones are named in the description. */
static void write_dataset(dl_json_writer *w, const dl_dataset *dataset)
{
    int i;

    dl_json_write_object_begin(w);
    mdl_openapi_text(w, "type", "object");
    mdl_openapi_text(w, "description", dataset->description);
    dl_json_write_key(w, "properties");
    dl_json_write_object_begin(w);
    for (i = 0; i < dataset->n_fields; i++) {
        if (strchr(dataset->fields[i].path, '.') == NULL) {
            mdl_openapi_raw(w, dataset->fields[i].path,
                            field_type(dataset->fields[i].type));
        }
    }
    dl_json_write_object_end(w);
    dl_json_write_key(w, "required");
    dl_json_write_array_begin(w);
    for (i = 0; i < dataset->n_fields; i++) {
        if (dataset->fields[i].required &&
            strchr(dataset->fields[i].path, '.') == NULL) {
            dl_json_write_text(w, dataset->fields[i].path);
        }
    }
    dl_json_write_array_end(w);
    dl_json_write_object_end(w);
}

static void write_datasets(dl_json_writer *w, const dl_dataset_set *datasets,
                           apr_pool_t *pool)
{
    int i;

    for (i = 0; i < datasets->n; i++) {
        const dl_dataset *dataset = datasets->datasets[i];

        if (dataset->declared) {
            dl_json_write_key(
                w, apr_pstrcat(pool, "Record.", dataset->name, NULL));
            write_dataset(w, dataset);
        }
    }
}

/* Write the header fields of requests under their names. */
static void write_request_headers(dl_json_writer *w)
{
    const mdl_words_part *part;

    for (part = mdl_words_parameters(); part->name != NULL; part++) {
        dl_json_write_key(w, part->name);
        dl_json_write_object_begin(w);
        mdl_openapi_text(w, "name", part->name);
        dl_json_write_raw(w, part->json + 1, strlen(part->json) - 2);
        dl_json_write_object_end(w);
    }
}

static void write_components(dl_json_writer *w, const dl_dataset_set *datasets,
                             apr_pool_t *pool)
{
    dl_json_write_key(w, "components");
    dl_json_write_object_begin(w);
    mdl_openapi_raw(w, "securitySchemes",
                    "{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\","
                    "\"bearerFormat\":\"JWT\",\"description\":\"An access "
                    "token of /user/login.\"}}");
    dl_json_write_key(w, "schemas");
    dl_json_write_object_begin(w);
    write_parts(w, mdl_words_schemas());
    write_datasets(w, datasets, pool);
    dl_json_write_object_end(w);
    dl_json_write_key(w, "headers");
    dl_json_write_object_begin(w);
    write_parts(w, mdl_words_headers());
    dl_json_write_object_end(w);
    dl_json_write_key(w, "parameters");
    dl_json_write_object_begin(w);
    write_request_headers(w);
    dl_json_write_object_end(w);
    dl_json_write_key(w, "examples");
    mdl_openapi_problem_examples(w);
    dl_json_write_object_end(w);
}

/* Write the document to BUF; scratch in POOL. */
static dl_status write_document(dl_buf *buf, const dl_dataset_set *datasets,
                                dl_error *err, apr_pool_t *pool)
{
    dl_json_writer w;

    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    mdl_openapi_text(&w, "openapi", "3.1.0");
    write_info(&w);
    mdl_openapi_raw(&w, "servers", "[{\"url\":\"/\"}]");
    write_tags(&w);
    DL_TRY(write_paths(&w, err, pool));
    write_components(&w, datasets, pool);
    dl_json_write_object_end(&w);
    return dl_json_writer_finish(&w, err);
}

dl_status mdl_openapi_make(mdl_openapi **document,
                           const struct dl_dataset_set *datasets, dl_error *err,
                           apr_pool_t *pool)
{
    mdl_openapi *made = apr_pcalloc(pool, sizeof *made);
    apr_pool_t *scratch;
    dl_status status;
    dl_buf *buf;

    apr_pool_create(&scratch, pool);
    buf = dl_buf_create(DOCUMENT_MAX, scratch);
    status = write_document(buf, datasets, err, scratch);
    if (status == DL_OK) {
        made->text = apr_pmemdup(pool, buf->data, buf->len);
        made->len = buf->len;
        mdl_answer_etag(made->etag, made->text, made->len);
        *document = made;
    }
    apr_pool_destroy(scratch);
    return status;
}
