/* dl_keyset_jwks.c - JWK Sets (RFC 7517): public keys in, public keys out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_keyset.h"

#include "dl_buf.h"
#include "dl_file.h"
#include "dl_json_write.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include <apr_strings.h>
#include <jansson.h>

/* Most bytes of a JWKS file, and of the text that is published. */
#define JWKS_MAX 65536

/* --- In ------------------------------------------------------------------- */

static apr_status_t free_json(void *json)
{
    json_decref(json);
    return APR_SUCCESS;
}

/* Who can write the file can let anybody in. */
static dl_status check_mode(const char *path, dl_error *err)
{
    struct stat info;

    if (stat(path, &info) != 0) {
        return dl_fail(err, errno == ENOENT ? DL_NOT_FOUND : DL_IO, errno,
                       "cannot open %s", path);
    }
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return dl_fail(err, DL_INVALID, 0,
                       "%s can be written by others (mode %03o): chmod go-w %s",
                       path, (unsigned)(info.st_mode & 0777), path);
    }
    return DL_OK;
}

/* The text of member NAME of JWK, or NULL: absent or no string. */
static const char *text_of(const json_t *jwk, const char *name)
{
    return json_string_value(json_object_get(jwk, name));
}

/* Refuse what a set of public keys must not hold. */
static dl_status check_public(const json_t *jwk, dl_error *err)
{
    static const char *const private_members[] = {"d",  "p",  "q",   "dp",
                                                  "dq", "qi", "oth", "k"};
    const char *use = text_of(jwk, "use");

    for (size_t i = 0; i < sizeof private_members / sizeof private_members[0];
         i++) {
        if (json_object_get(jwk, private_members[i]) != NULL) {
            return dl_fail(err, DL_INVALID, 0,
                           "member %s is secret; it belongs into the file of "
                           "DataLakeTokenKeyFile",
                           private_members[i]);
        }
    }
    if (json_object_get(jwk, "use") != NULL &&
        (use == NULL || strcmp(use, "sig") != 0)) {
        return dl_fail(err, DL_INVALID, 0, "use must be \"sig\"");
    }
    return DL_OK;
}

static dl_status add_jwk(dl_keyset *keys, const json_t *jwk, dl_error *err,
                         apr_pool_t *pool)
{
    const char *name = text_of(jwk, "kid");
    const char *alg = text_of(jwk, "alg");
    dl_jwk members = {text_of(jwk, "kty"), text_of(jwk, "crv"),
                      text_of(jwk, "n"),   text_of(jwk, "e"),
                      text_of(jwk, "x"),   text_of(jwk, "y")};
    dl_jws_key *pair;
    dl_kid kid;

    if (name == NULL || members.kty == NULL) {
        return dl_fail(err, DL_INVALID, 0, "kid and kty must be there");
    }
    kid = (dl_kid){name, strlen(name)};
    DL_TRY(check_public(jwk, err));
    DL_TRY(dl_jws_key_import(&pair, &members, err, pool));
    if (json_object_get(jwk, "alg") != NULL &&
        (alg == NULL || strcmp(alg, dl_jws_key_algorithm(pair)) != 0)) {
        return dl_fail(err, DL_INVALID, 0, "alg must be \"%s\" for this key",
                       dl_jws_key_algorithm(pair));
    }
    DL_TRY(dl_keyset_check_sample(pair, err));
    return dl_keyset_add_pair(keys, &kid, pair, err);
}

/* Set *ARRAY to the member keys of the LEN bytes of TEXT, in POOL. */
static dl_status parse_set(const json_t **array, const char *text, size_t len,
                           dl_error *err, apr_pool_t *pool)
{
    json_error_t where;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);

    if (root == NULL) {
        return dl_fail(err, DL_INVALID, 0, "line %d: %s", where.line,
                       where.text);
    }
    apr_pool_cleanup_register(pool, root, free_json, apr_pool_cleanup_null);
    *array = json_object_get(root, "keys");
    if (!json_is_array(*array)) {
        return dl_fail(err, DL_INVALID, 0,
                       "must be an object with an array \"keys\"");
    }
    return DL_OK;
}

dl_status dl_keyset_add_jwks(dl_keyset *keys, const char *path, dl_error *err,
                             apr_pool_t *pool)
{
    const json_t *array = NULL;
    const char *text = NULL;
    size_t len = 0;

    DL_TRY(check_mode(path, err));
    DL_TRY(dl_file_load(&text, &len, path, JWKS_MAX, err, pool));
    if (parse_set(&array, text, len, err, pool) != DL_OK) {
        return dl_wrap(err, "%s", path);
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (add_jwk(keys, json_array_get(array, i), err, pool) != DL_OK) {
            return dl_wrap(err, "%s: keys[%zu]", path, i);
        }
    }
    return DL_OK;
}

/* --- Out ------------------------------------------------------------------ */

static dl_status publish_key(dl_json_writer *w, const dl_keyset *keys, int i,
                             dl_error *err)
{
    const dl_jws_key *pair = dl_keyset_pair(keys, i);

    dl_json_write_object_begin(w);
    DL_TRY(dl_jws_key_export(w, pair, err));
    dl_json_write_key(w, "use");
    dl_json_write_text(w, "sig");
    dl_json_write_key(w, "alg");
    dl_json_write_text(w, dl_jws_key_algorithm(pair));
    dl_json_write_key(w, "kid");
    dl_json_write_text(w, dl_keyset_kid(keys, i));
    dl_json_write_object_end(w);
    return DL_OK;
}

/* Write the set of all pairs of KEYS to W and their number to *N. */
static dl_status publish_all(int *n, dl_json_writer *w, const dl_keyset *keys,
                             dl_error *err)
{
    *n = 0;
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "keys");
    dl_json_write_array_begin(w);
    for (int i = 0; i < dl_keyset_count(keys); i++) {
        if (dl_keyset_pair(keys, i) != NULL) {
            DL_TRY(publish_key(w, keys, i, err));
            ++*n;
        }
    }
    dl_json_write_array_end(w);
    dl_json_write_object_end(w);
    return dl_json_writer_finish(w, err);
}

dl_status dl_keyset_publish(const char **text, const dl_keyset *keys,
                            dl_error *err, apr_pool_t *result_pool)
{
    apr_pool_t *scratch;
    dl_json_writer w;
    dl_status status;
    dl_buf *buf;
    int n;

    apr_pool_create(&scratch, result_pool);
    buf = dl_buf_create(JWKS_MAX, scratch);
    dl_json_writer_begin(&w, buf);
    status = publish_all(&n, &w, keys, err);
    *text = status == DL_OK && n > 0
                ? apr_pstrmemdup(result_pool, buf->data, buf->len)
                : NULL;
    apr_pool_destroy(scratch);
    return status;
}
