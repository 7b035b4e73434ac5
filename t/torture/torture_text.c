/* torture_text.c - Keys, tokens, texts and settings while memory runs out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "torture.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "dl_audit.h"
#include "dl_audit_redact.h"
#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_form.h"
#include "dl_grant.h"
#include "dl_json_values.h"
#include "dl_json_write.h"
#include "dl_jws_key.h"
#include "dl_record.h"
#include "dl_stats.h"
#include "dl_token.h"

#define NOW    1779096600
#define SECRET "0123456789abcdef0123456789ABCDEF"

/* --- Tokens and keys ------------------------------------------------------ */

static const dl_token_rules rules = {"datalake", "datalake"};

/* Issue a token under KEYS, verify it, and have a changed one refused. */
static dl_status issue_and_verify(bool *right, const dl_keyset *keys,
                                  dl_error *err)
{
    dl_claims claims = {.user_id = 7,
                        .issued_at = NOW,
                        .expires_at = NOW + 600,
                        .auth_time = NOW,
                        .role = DL_ROLE_USER,
                        .type = DL_TOKEN_ACCESS,
                        .username = "alice",
                        .sid = "s-1",
                        .jti = "j-1"};
    dl_claims found = {.user_id = 0};
    dl_error ignored = {0};
    char token[DL_JWS_TEXT];
    dl_token_query query = {token, 0, DL_TOKEN_ACCESS, NOW};

    DL_TRY(dl_token_issue(token, &query.len, keys, &rules, &claims, err));
    DL_TRY(dl_token_verify(&found, keys, &rules, &query, err));
    *right = strcmp(found.username, "alice") == 0 && found.user_id == 7;
    token[query.len - 5] ^= 1;
    *right = dl_token_verify(&found, keys, &rules, &query, &ignored) != DL_OK &&
             *right;
    return DL_OK;
}

torture_verdict torture_token(dl_error *err, const char *folder,
                              apr_pool_t *pool)
{
    bool right = false;
    dl_keyset *keys;
    dl_status status = dl_keyset_create(&keys, "a", SECRET, 32, err, pool);

    (void)folder;
    if (status == DL_OK) {
        status = issue_and_verify(&right, keys, err);
    }
    return torture_judge(status, err, right);
}

/* Write TEXT to a file of FOLDER that only we may read; return its name. */
static const char *put_file(const char *folder, const char *name,
                            const char *text, apr_pool_t *pool)
{
    const char *path = apr_pstrcat(pool, folder, "/", name, NULL);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        abort();
    }
    close(fd);
    return path;
}

torture_verdict torture_key_file(dl_error *err, const char *folder,
                                 apr_pool_t *pool)
{
    const char *path =
        put_file(folder, "key",
                 "# two keys\nkid a 0123456789abcdef0123456789ABCDEF\n"
                 "kid b fedcba9876543210FEDCBA9876543210\n",
                 pool);
    bool right = false;
    dl_keyset *keys;
    dl_status status = dl_keyset_load(&keys, path, err, pool);

    if (status == DL_OK) {
        status = issue_and_verify(&right, keys, err);
        right = right && dl_keyset_count(keys) == 2;
    }
    return torture_judge(status, err, right);
}

/* A new Ed25519 key as PEM, in POOL. */
static const char *new_key(apr_pool_t *pool)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *out = BIO_new(BIO_s_mem());
    const char *pem;
    char *data;
    long len;

    if (key == NULL || out == NULL ||
        PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) != 1) {
        abort();
    }
    len = BIO_get_mem_data(out, &data);
    pem = apr_pstrmemdup(pool, data, (apr_size_t)len);
    BIO_free(out);
    EVP_PKEY_free(key);
    return pem;
}

torture_verdict torture_key_pem(dl_error *err, const char *folder,
                                apr_pool_t *pool)
{
    bool right = false;
    dl_keyset *keys;
    const char *path;
    const char *published = NULL;
    dl_status status;

    torture_pause();
    path = put_file(folder, "key", new_key(pool), pool);
    torture_go();
    status = dl_keyset_load(&keys, path, err, pool);
    if (status == DL_OK) {
        status = issue_and_verify(&right, keys, err);
    }
    if (status == DL_OK) {
        status = dl_keyset_publish(&published, keys, err, pool);
        right = right && published != NULL &&
                strstr(published, "\"EdDSA\"") != NULL &&
                strstr(published, "\"d\"") == NULL;
    }
    return torture_judge(status, err, right);
}

/* --- Texts ---------------------------------------------------------------- */

torture_verdict torture_json(dl_error *err, const char *folder,
                             apr_pool_t *pool)
{
    static const char text[] =
        "{\"a\":1,\"b\":[2,{\"c\":\"\\u00e9\"}],\"d\":4,\"e\":5,\"f\":6,"
        "\"g\":7,\"h\":8,\"i\":9,\"j\":10,\"k\":11,\"l\":12,\"m\":13,"
        "\"n\":14,\"o\":15,\"p\":16}";
    dl_json_values all;
    dl_json_fault fault =
        dl_json_values_read(&all, text, sizeof text - 1, pool);
    uint32_t at = dl_json_values_member(&all, 0, "p");

    (void)err;
    (void)folder;
    return fault == DL_JSON_FINE && at > 0 &&
                   strcmp(all.values[at].text, "16") == 0 &&
                   dl_json_values_read(&all, "{\"a\":1,\"a\":2}", 13, pool) ==
                       DL_JSON_SYNTAX
               ? TORTURE_RIGHT
               : TORTURE_WRONG;
}

torture_verdict torture_json_write(dl_error *err, const char *folder,
                                   apr_pool_t *pool)
{
    dl_buf *buf = dl_buf_create(1 << 20, pool);
    dl_json_writer w;
    dl_status status;

    (void)folder;
    dl_json_writer_begin(&w, buf);
    dl_json_write_array_begin(&w);
    for (int i = 0; i < 20000; i++) {
        dl_json_write_text(&w, "caf\xC3\xA9\n");
    }
    dl_json_write_array_end(&w);
    status = dl_json_writer_finish(&w, err);
    return torture_judge(status, err,
                         buf->len == 20000 * 10 + 1 &&
                             buf->data[buf->len - 1] == ']');
}

torture_verdict torture_form(dl_error *err, const char *folder,
                             apr_pool_t *pool)
{
    static const char text[] = "a=%C3%A9+b&c";
    char out[sizeof text + 1];
    dl_form form;
    dl_form_field field;

    (void)err;
    (void)folder;
    (void)pool;
    dl_form_begin(&form, text, sizeof text - 1, out);
    return dl_form_next(&field, &form) == DL_FORM_FIELD &&
                   strcmp(field.text, "\xC3\xA9 b") == 0 &&
                   dl_form_next(&field, &form) == DL_FORM_FIELD &&
                   dl_form_next(&field, &form) == DL_FORM_END
               ? TORTURE_RIGHT
               : TORTURE_WRONG;
}

torture_verdict torture_date(dl_error *err, const char *folder,
                             apr_pool_t *pool)
{
    static const char text[] = "2026-05-18T11:30:00+02:00";
    const dl_zone *zone;
    bool missing = false;
    dl_time t = 0;
    dl_status status = dl_zone_load(&zone, "Europe/Paris", err, pool);

    (void)folder;
    return torture_judge(
        status, err,
        status == DL_OK &&
            dl_time_parse_rfc3339(&t, &missing, text, sizeof text - 1) &&
            t == NOW * INT64_C(1000000) && dl_zone_offset_s(zone, t) == 7200);
}

torture_verdict torture_grant(dl_error *err, const char *folder,
                              apr_pool_t *pool)
{
    unsigned char bytes[200];
    dl_grant_set set = {.bytes = bytes, .max = sizeof bytes, .len = 0};
    dl_grant grant = {.level = DL_LEVEL_READ, .expires_at = DL_TIME_NONE};
    dl_resource day;
    dl_status status = dl_resource_parse(&grant.resource,
                                         "transaction_log/2026-05-*", 25, err);

    (void)folder;
    (void)pool;
    if (status == DL_OK) {
        status =
            dl_resource_parse(&day, "transaction_log/2026-05-18.json", 31, err);
    }
    return torture_judge(
        status, err,
        status == DL_OK && dl_grant_set_add(&set, &grant) &&
            dl_grant_set_allows(NULL, &set, &day, DL_LEVEL_READ, 0) &&
            !dl_grant_set_allows(NULL, &set, &day, DL_LEVEL_WRITE, 0));
}

torture_verdict torture_audit_line(dl_error *err, const char *folder,
                                   apr_pool_t *pool)
{
    static const char body[] = "{\"a\":[1,2],\"password\":\"canary\"}";
    const dl_audit_body redact = {
        .text = body, .len = sizeof body - 1, .media = DL_AUDIT_JSON};
    dl_audit_entry entry = {.timestamp = NOW * INT64_C(1000000),
                            .method = "GET",
                            .endpoint = "/x",
                            .action = "read",
                            .request_id = "0123456789abcdef0123456789abcdef",
                            .status = 200};
    dl_buf *buf = dl_buf_create(DL_AUDIT_LINE_MAX, pool);
    dl_buf *kept = dl_buf_create(DL_AUDIT_LINE_MAX, pool);
    const struct dl_json_shape *shape;
    dl_audit_entry found;
    dl_audit_line line;
    bool match = false;
    size_t sealed;
    dl_status status = dl_audit_redact_body(kept, &redact, err, pool);

    (void)folder;
    entry.text[DL_AUDIT_ADDRESS] = (dl_audit_text){"::1", 3};
    if (status == DL_OK) {
        entry.text[DL_AUDIT_BODY] = (dl_audit_text){kept->data, kept->len};
        status = dl_audit_encode(buf, &sealed, &entry, err);
    }
    if (status == DL_OK) {
        status = dl_audit_line_parse(&line, buf->data, buf->len - 1, err);
    }
    if (status == DL_OK) {
        status = dl_audit_shape_create(&shape, err, pool);
    }
    if (status == DL_OK) {
        status = dl_audit_decode(&found, &match, shape, &line, err, pool);
    }
    return torture_judge(
        status, err, match && memmem(buf->data, buf->len, "canary", 6) == NULL);
}

/* --- Settings ------------------------------------------------------------- */

torture_verdict torture_config(dl_error *err, const char *folder,
                               apr_pool_t *pool)
{
    const char *path =
        put_file(folder, "datalake.ini",
                 "[lake]\npath = lake\nseal_age = 5 s\n[datasets]\n"
                 "topics = clicks, views\n",
                 pool);
    dl_config *cfg = NULL;
    dl_status status = dl_config_load(&cfg, path, err, pool);

    return torture_judge(status, err,
                         status == DL_OK && cfg->lake.seal_age_s == 5 &&
                             cfg->datasets.topics.n == 2);
}

static const char declaration[] =
    "{\"dataset\":\"shop\",\"description\":\"x\",\"topic\":{\"partitions\":1,"
    "\"retention_days\":1},\"event_time\":{\"member\":\"timestamp\","
    "\"formats\":[\"unix\",\"rfc3339\"]},\"table\":{\"name\":\"t\","
    "\"unique\":[\"id\"],\"on_repeat\":\"supersede\"},\"fields\":[{\"member\":"
    "\"id\","
    "\"type\":\"str\",\"required\":true,\"column\":\"id\",\"max\":64},"
    "{\"member\":\"timestamp\",\"type\":\"time\"},{\"member\":\"amount\","
    "\"type\":\"dec\"}]}";

static dl_status declare(const dl_dataset **ds, dl_error *err, apr_pool_t *pool)
{
    dl_dataset_source source = {.file = "shop.json",
                                .text = declaration,
                                .len = sizeof declaration - 1};

    DL_TRY(dl_zone_load(&source.zone, "UTC", err, pool));
    return dl_dataset_parse(ds, &source, err, pool);
}

torture_verdict torture_declaration(dl_error *err, const char *folder,
                                    apr_pool_t *pool)
{
    const dl_dataset *ds = NULL;
    dl_status status = declare(&ds, err, pool);

    (void)folder;
    return torture_judge(status, err,
                         status == DL_OK && ds->n_fields == 3 &&
                             strcmp(ds->name, "shop") == 0);
}

torture_verdict torture_record(dl_error *err, const char *folder,
                               apr_pool_t *pool)
{
    static const char good[] =
        "{\"id\":\"a\",\"timestamp\":1779096600,\"amount\":\"49.90\"}";
    static const char bad[] = "{\"timestamp\":1779096600}";
    const dl_dataset *ds = NULL;
    dl_judge *judge;
    dl_record rec;
    dl_status status;
    bool right;

    (void)folder;
    torture_pause();
    status = declare(&ds, err, pool);
    torture_go();
    if (ds == NULL) {
        return TORTURE_WRONG;
    }
    judge = dl_judge_create(ds, pool);
    dl_record_judge(&rec, judge, good, sizeof good - 1, NOW * INT64_C(1000000));
    right = rec.verdict == DL_RECORD_GOOD;
    dl_record_judge(&rec, judge, bad, sizeof bad - 1, NOW * INT64_C(1000000));
    return torture_judge(status, err, right && rec.verdict != DL_RECORD_GOOD);
}

torture_verdict torture_stats(dl_error *err, const char *folder,
                              apr_pool_t *pool)
{
    dl_buf *out = dl_buf_create(1 << 20, pool);
    dl_stats *stats;
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dl_status status =
        dl_stats_create(&stats, folder, "datalake-x", "x", err, pool);

    if (status == DL_OK) {
        dl_stats_set(dl_stats_slot(stats, DL_STATS_GAUGE,
                                   "datalake_kafka_lag_records",
                                   "sink=\"lake\""),
                     42);
        status = dl_stats_render(out, dir, err, pool);
    }
    close(dir);
    return torture_judge(status, err,
                         status == DL_OK &&
                             memmem(out->data, out->len, "} 42\n", 5) != NULL);
}
