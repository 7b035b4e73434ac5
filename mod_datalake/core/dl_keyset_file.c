/* dl_keyset_file.c - Reading the key file, whose forms dl_jws.h tells.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_keyset.h"

#include "dl_secret.h"

#include <stdio.h>
#include <string.h>

#define PEM_BEGIN "-----BEGIN "
#define PEM_END   "-----END "

/* Secrets printed in documentation; a copy of one is no secret. */
static const char *const SAMPLES[] = {
    "a-string-secret-at-least-256-bits-long",
    "your-256-bit-secret",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    ("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcg"
     "UuTwjAzZr1Z9CAow"),
    "GawgguFyGrWKav7AX4VKUg",
    "0123456789abcdef0123456789abcdef",
    "abcdefghijklmnopqrstuvwxyz012345",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
};

/* Fingerprints of public keys whose private parts are printed there. */
static const char *const SAMPLE_PAIRS[] = {
    /* RFC 7515 A.2 and A.3 */
    "6fd13c2435a361e7c588cd17f55f5ad3df0177a66c1727a6a200845f4d7ab88c",
    "2bd1bb0c44a897c30a7aa0991cde38d8062fe441de50da0f46825344f602e827",
    /* RFC 7517 A.2 */
    "51b944cdfa544d4c3273aa6bf350625a7dd53bbb6a71723274f538b19a207760",
    "ad32320cf6c596d884b05381ba573aba8ddd5749b4de8f4a23a79f9a89ddaeb2",
    /* RFC 7520 3.4 */
    "627771f25da426d1f9ae315e42106d700b1529850eee1592acf39603959d795d",
    /* RFC 8037 A.1 */
    "06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9",
    /* a token debugger on the web: RSA and P-256 */
    "f56c8b01227f62ddbc16eb29a6ac0b310e276760a5e06302fa881a35146f6bc7",
    "a40f0f2e2974dc76a82df6ffe08ed0d79955c79e7ad0c20d97ae8f9246ade1c1",
};

static bool is_sample(const char *data, size_t len)
{
    for (size_t i = 0; i < sizeof SAMPLES / sizeof SAMPLES[0]; i++) {
        if (strlen(SAMPLES[i]) == len && memcmp(SAMPLES[i], data, len) == 0) {
            return true;
        }
    }
    return false;
}

dl_status dl_keyset_check_sample(const dl_jws_key *pair, dl_error *err)
{
    const unsigned char *fingerprint = dl_jws_key_fingerprint(pair);
    char text[2 * DL_FINGERPRINT + 1];

    for (size_t i = 0; i < DL_FINGERPRINT; i++) {
        snprintf(text + 2 * i, 3, "%02x", fingerprint[i]);
    }
    for (size_t i = 0; i < sizeof SAMPLE_PAIRS / sizeof SAMPLE_PAIRS[0]; i++) {
        if (strcmp(SAMPLE_PAIRS[i], text) == 0) {
            return dl_fail(err, DL_INVALID, 0,
                           "the key is a sample from documentation");
        }
    }
    return DL_OK;
}

/* Where the reading of a file stands. */
typedef struct key_text {
    const char *at;  /* the next line */
    const char *end; /* behind the last byte */
    int line;        /* number of the line that was taken last */
} key_text;

/* Part of the text. */
typedef struct key_line {
    const char *text; /* its first byte */
    size_t len;       /* its bytes, without the line end */
} key_line;

static bool begins(const key_line *line, const char *text)
{
    size_t len = strlen(text);

    return line->len >= len && memcmp(line->text, text, len) == 0;
}

/* Take the next line of FILE; false at the end. */
static bool take_line(key_line *line, key_text *file)
{
    const char *stop;

    if (file->at >= file->end) {
        return false;
    }
    stop = memchr(file->at, '\n', (size_t)(file->end - file->at));
    line->text = file->at;
    line->len = (size_t)((stop != NULL ? stop : file->end) - file->at);
    file->at = stop != NULL ? stop + 1 : file->end;
    file->line++;
    if (line->len > 0 && line->text[line->len - 1] == '\r') {
        line->len--;
    }
    return true;
}

/* Add the key in PEM that FILE goes on with as KID. */
static dl_status add_pem(dl_keyset *keys, const dl_kid *kid, key_text *file,
                         dl_error *err, apr_pool_t *pool)
{
    const char *begin = file->at;
    dl_jws_key *pair;
    key_line line;

    if (!take_line(&line, file) || !begins(&line, PEM_BEGIN)) {
        return dl_fail(err, DL_INVALID, 0,
                       "behind \"kid KID\" there must be a secret, or a key "
                       "in PEM on the next line");
    }
    do {
        if (!take_line(&line, file)) {
            return dl_fail(err, DL_INVALID, 0, "the key in PEM has no end");
        }
    } while (!begins(&line, PEM_END));
    DL_TRY(
        dl_jws_key_parse(&pair, begin, (size_t)(file->at - begin), err, pool));
    DL_TRY(dl_keyset_check_sample(pair, err));
    return dl_keyset_add_pair(keys, kid, pair, err);
}

/* Add the key of LINE, which begins with "kid ", and of what follows it. */
static dl_status add_key(dl_keyset *keys, const key_line *line, key_text *file,
                         dl_error *err, apr_pool_t *pool)
{
    dl_kid kid = {line->text + 4, line->len - 4};
    const char *blank = memchr(kid.text, ' ', kid.len);
    const char *secret;
    size_t len;

    if (blank == NULL) {
        return add_pem(keys, &kid, file, err, pool);
    }
    kid.len = (size_t)(blank - kid.text);
    secret = blank + 1;
    len = line->len - (size_t)(secret - line->text);
    if (memchr(secret, ' ', len) != NULL || memchr(secret, '\t', len) != NULL) {
        return dl_fail(err, DL_INVALID, 0, "a secret must not hold blanks");
    }
    if (is_sample(secret, len)) {
        return dl_fail(err, DL_INVALID, 0,
                       "the secret is a sample from documentation");
    }
    return dl_keyset_add_secret(keys, &kid, secret, len, err, pool);
}

static dl_status load_lines(dl_keyset *keys, key_text *file, dl_error *err,
                            apr_pool_t *pool)
{
    key_line line;

    while (take_line(&line, file)) {
        if (line.len == 0 || line.text[0] == '#') {
            continue;
        }
        if (!begins(&line, "kid ")) {
            return dl_fail(err, DL_INVALID, 0,
                           "must be \"kid KID SECRET\", \"kid KID\" before a "
                           "key in PEM, empty, or a # comment");
        }
        DL_TRY(add_key(keys, &line, file, err, pool));
    }
    return DL_OK;
}

/* Load a file that holds one secret and nothing else. */
static dl_status load_secret(dl_keyset *keys, const dl_secret *file,
                             const dl_kid *kid, dl_error *err, apr_pool_t *pool)
{
    if (is_sample(file->data, file->len)) {
        return dl_fail(err, DL_INVALID, 0,
                       "the secret is a sample from documentation");
    }
    return dl_keyset_add_secret(keys, kid, file->data, file->len, err, pool);
}

dl_status dl_keyset_load(dl_keyset **keys, const char *path, dl_error *err,
                         apr_pool_t *result_pool)
{
    static const dl_kid unnamed = {"default", 7};
    dl_secret *file;
    key_text text = {NULL, NULL, 0};
    key_line all;
    dl_status status;

    DL_TRY(dl_secret_load(&file, path, err, result_pool));
    DL_TRY(dl_keyset_begin(keys, err, result_pool));
    all = (key_line){file->data, file->len};
    text.at = file->data;
    text.end = file->data + file->len;
    if (begins(&all, "#") || begins(&all, "kid ")) {
        status = load_lines(*keys, &text, err, result_pool);
    }
    else if (begins(&all, PEM_BEGIN)) {
        status = add_pem(*keys, &unnamed, &text, err, result_pool);
    }
    else if (load_secret(*keys, file, &unnamed, err, result_pool) != DL_OK) {
        return dl_wrap(err, "%s", path);
    }
    else {
        return DL_OK;
    }
    if (status != DL_OK) {
        return dl_wrap(err, "%s:%d", path, text.line);
    }
    if (dl_keyset_count(*keys) == 0) {
        return dl_fail(err, DL_INVALID, 0, "%s: no line \"kid KID SECRET\"",
                       path);
    }
    return DL_OK;
}
