/* dl_jws_key.c - Keys of OpenSSL, and signatures as JWS writes them.
 *
 * OpenSSL leaves its errors in a queue of the thread, which httpd's TLS would
 * take for its own; so every failure ends with ERR_clear_error.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_jws_key.h"

#include "dl_base64.h"
#include "dl_json_write.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#define RSA_LEAST 2048
#define RSA_MOST  4096

/* Bytes of an ES256 signature: two numbers of 32. */
#define ES256_HALF   32
#define ES256_LENGTH 64

/* Most bytes of an ES256 signature in DER. */
#define ES256_DER 80

/* Bytes of an Ed25519 signature. */
#define EDDSA_LENGTH 64

/* What a key is for. */
typedef enum key_kind {
    KIND_RS256, /* RSA */
    KIND_ES256, /* EC on P-256 */
    KIND_EDDSA  /* Ed25519 */
} key_kind;

static const char *const KIND_NAMES[] = {"RS256", "ES256", "EdDSA"};

struct dl_jws_key {
    EVP_PKEY *pkey;                            /* owned */
    key_kind kind;                             /* decides the algorithm */
    bool private;                              /* can sign */
    size_t length;                             /* of a signature */
    unsigned char fingerprint[DL_FINGERPRINT]; /* of the public part */
};

static apr_status_t free_pkey(void *pkey)
{
    EVP_PKEY_free(pkey);
    return APR_SUCCESS;
}

/* Fail with DL_INTERNAL after a call of OpenSSL. */
static dl_status crypto_failed(dl_error *err, const char *what)
{
    ERR_clear_error();
    return dl_fail(err, DL_INTERNAL, 0, "libcrypto cannot %s", what);
}

/* --- What a key is -------------------------------------------------------- */

static dl_status judge_rsa(dl_jws_key *key, dl_error *err)
{
    int bits = EVP_PKEY_get_bits(key->pkey);

    if (bits < RSA_LEAST || bits > RSA_MOST) {
        return dl_fail(err, DL_INVALID, 0,
                       "an RSA key must have %d to %d bits, this has %d",
                       RSA_LEAST, RSA_MOST, bits);
    }
    key->kind = KIND_RS256;
    key->length = (size_t)(bits + 7) / 8;
    return DL_OK;
}

static dl_status judge_ec(dl_jws_key *key, dl_error *err)
{
    char group[64] = "";

    if (EVP_PKEY_get_utf8_string_param(key->pkey, OSSL_PKEY_PARAM_GROUP_NAME,
                                       group, sizeof group, NULL) != 1 ||
        strcmp(group, "prime256v1") != 0) {
        ERR_clear_error();
        return dl_fail(err, DL_INVALID, 0,
                       "an EC key must be on the curve P-256");
    }
    key->kind = KIND_ES256;
    key->length = ES256_LENGTH;
    return DL_OK;
}

/* Set kind and length of KEY. */
static dl_status judge_kind(dl_jws_key *key, dl_error *err)
{
    if (EVP_PKEY_is_a(key->pkey, "RSA")) {
        return judge_rsa(key, err);
    }
    if (EVP_PKEY_is_a(key->pkey, "EC")) {
        return judge_ec(key, err);
    }
    if (EVP_PKEY_is_a(key->pkey, "ED25519")) {
        key->kind = KIND_EDDSA;
        key->length = EDDSA_LENGTH;
        return DL_OK;
    }
    return dl_fail(err, DL_INVALID, 0,
                   "a key must be RSA, EC on P-256, or Ed25519");
}

/* Refuse a key whose numbers do not belong together. */
static dl_status check_numbers(const dl_jws_key *key, dl_error *err)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key->pkey, NULL);
    bool good = context != NULL && EVP_PKEY_public_check(context) == 1 &&
                (!key->private || EVP_PKEY_pairwise_check(context) == 1);

    EVP_PKEY_CTX_free(context);
    if (!good) {
        ERR_clear_error();
        return dl_fail(err, DL_INVALID, 0,
                       "the key's numbers do not belong together");
    }
    return DL_OK;
}

static dl_status take_fingerprint(dl_jws_key *key, dl_error *err)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key->pkey, &der);
    bool done = len > 0 && EVP_Digest(der, (size_t)len, key->fingerprint, NULL,
                                      EVP_sha256(), NULL) == 1;

    OPENSSL_free(der);
    return done ? DL_OK : crypto_failed(err, "hash a key");
}

/* Set *KEY to what PKEY is, which it owns from now on. */
static dl_status create(dl_jws_key **key, EVP_PKEY *pkey, bool private,
                        dl_error *err, apr_pool_t *pool)
{
    dl_jws_key *made = apr_pcalloc(pool, sizeof *made);

    apr_pool_cleanup_register(pool, pkey, free_pkey, apr_pool_cleanup_null);
    made->pkey = pkey;
    made->private = private;
    DL_TRY(judge_kind(made, err));
    DL_TRY(check_numbers(made, err));
    DL_TRY(take_fingerprint(made, err));
    *key = made;
    return DL_OK;
}

const char *dl_jws_key_algorithm(const dl_jws_key *key)
{
    return KIND_NAMES[key->kind];
}

bool dl_jws_key_signs(const dl_jws_key *key)
{
    return key->private;
}

size_t dl_jws_key_length(const dl_jws_key *key)
{
    return key->length;
}

const unsigned char *dl_jws_key_fingerprint(const dl_jws_key *key)
{
    return key->fingerprint;
}

/* --- PEM ------------------------------------------------------------------ */

/* Called for an encrypted key: there is no passphrase, and nobody to ask. */
static int no_passphrase(char *buf, int size, int writing, void *unused)
{
    (void)writing;
    (void)unused;
    if (size > 0) {
        buf[0] = '\0';
    }
    return -1;
}

dl_status dl_jws_key_parse(dl_jws_key **key, const char *pem, size_t len,
                           dl_error *err, apr_pool_t *result_pool)
{
    bool private = len > 0 && memmem(pem, len, "PRIVATE KEY-----", 16) != NULL;
    BIO *in = BIO_new_mem_buf(pem, (int)len);
    EVP_PKEY *pkey = NULL;

    if (in == NULL) {
        return crypto_failed(err, "read a key");
    }
    pkey = private ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL)
                   : PEM_read_bio_PUBKEY(in, NULL, no_passphrase, NULL);
    BIO_free(in);
    if (pkey == NULL) {
        ERR_clear_error();
        return dl_fail(err, DL_INVALID, 0,
                       "not a PEM key without passphrase; make one with: "
                       "openssl genpkey -algorithm ed25519");
    }
    return create(key, pkey, private, err, result_pool);
}

/* --- Signatures ----------------------------------------------------------- */

/* The digest of KEY's algorithm; Ed25519 brings its own. */
static const char *digest_of(const dl_jws_key *key)
{
    return key->kind == KIND_EDDSA ? NULL : "SHA256";
}

/* Write the number N to OUT, ES256_HALF bytes. */
static bool put_number(unsigned char *out, const BIGNUM *n)
{
    return BN_bn2binpad(n, out, ES256_HALF) == ES256_HALF;
}

/* Write the two numbers of the DER signature to OUT. */
static bool es256_from_der(unsigned char out[ES256_LENGTH],
                           const unsigned char *der, size_t len)
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
    bool done = sig != NULL && put_number(out, ECDSA_SIG_get0_r(sig)) &&
                put_number(out + ES256_HALF, ECDSA_SIG_get0_s(sig));

    ECDSA_SIG_free(sig);
    return done;
}

/* Write the signature IN as DER to OUT and return its length, 0: it failed. */
static size_t es256_to_der(unsigned char out[ES256_DER],
                           const unsigned char in[ES256_LENGTH])
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(in, ES256_HALF, NULL);
    BIGNUM *s = BN_bin2bn(in + ES256_HALF, ES256_HALF, NULL);
    unsigned char *end = out;
    int len = 0;

    if (sig == NULL || r == NULL || s == NULL ||
        ECDSA_SIG_set0(sig, r, s) != 1) {
        BN_free(r);
        BN_free(s);
    }
    else {
        len = i2d_ECDSA_SIG(sig, &end);
    }
    ECDSA_SIG_free(sig);
    return len > 0 ? (size_t)len : 0;
}

/* Sign INPUT as OpenSSL writes it. */
static bool sign_raw(unsigned char *out, size_t *out_len, const dl_jws_key *key,
                     const dl_jws_input *input)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done =
        context != NULL &&
        EVP_DigestSignInit_ex(context, NULL, digest_of(key), NULL, NULL,
                              key->pkey, NULL) == 1 &&
        EVP_DigestSign(context, out, out_len, input->data, input->len) == 1;

    EVP_MD_CTX_free(context);
    return done;
}

dl_status dl_jws_key_sign(unsigned char out[DL_SIGNATURE_MAX], size_t *out_len,
                          const dl_jws_key *key, const dl_jws_input *input,
                          dl_error *err)
{
    unsigned char der[ES256_DER];
    size_t der_len = sizeof der;

    if (!key->private) {
        return dl_fail(err, DL_INTERNAL, 0, "the key has no private part");
    }
    if (key->kind == KIND_ES256) {
        if (!sign_raw(der, &der_len, key, input) ||
            !es256_from_der(out, der, der_len)) {
            return crypto_failed(err, "sign");
        }
        *out_len = ES256_LENGTH;
        return DL_OK;
    }
    *out_len = DL_SIGNATURE_MAX;
    return sign_raw(out, out_len, key, input) ? DL_OK
                                              : crypto_failed(err, "sign");
}

dl_status dl_jws_key_verify(const dl_jws_key *key, const dl_jws_input *input,
                            const unsigned char *signature, size_t len,
                            dl_error *err)
{
    unsigned char der[ES256_DER];
    EVP_MD_CTX *context;
    bool good = len == key->length;

    if (good && key->kind == KIND_ES256) {
        len = es256_to_der(der, signature);
        signature = der;
        good = len > 0;
    }
    context = good ? EVP_MD_CTX_new() : NULL;
    good =
        context != NULL &&
        EVP_DigestVerifyInit_ex(context, NULL, digest_of(key), NULL, NULL,
                                key->pkey, NULL) == 1 &&
        EVP_DigestVerify(context, signature, len, input->data, input->len) == 1;
    EVP_MD_CTX_free(context);
    if (!good) {
        ERR_clear_error();
        return dl_fail(err, DL_INVALID, 0, "the signature is wrong");
    }
    return DL_OK;
}

dl_status dl_jws_key_derive(unsigned char out[32], const dl_jws_key *key,
                            const char *purpose, dl_error *err)
{
    unsigned char *der = NULL;
    int len = key->private ? i2d_PrivateKey(key->pkey, &der) : 0;
    unsigned char *made =
        len > 0 ? HMAC(EVP_sha256(), der, len, (const unsigned char *)purpose,
                       strlen(purpose), out, NULL)
                : NULL;

    OPENSSL_clear_free(der, len > 0 ? (size_t)len : 0);
    return made != NULL ? DL_OK : crypto_failed(err, "derive a key");
}

/* --- JWK ------------------------------------------------------------------ */

/* Most bytes of one number of a JWK. */
#define NUMBER_MAX 512

/* One decoded number of a JWK. */
typedef struct jwk_number {
    unsigned char bytes[NUMBER_MAX]; /* big-endian */
    size_t len;                      /* how many */
} jwk_number;

/* Decode TEXT, the member NAME; LEN 0: any length, else exactly that. */
static dl_status take_number(jwk_number *out, const char *name,
                             const char *text, size_t len, dl_error *err)
{
    size_t text_len = text != NULL ? strlen(text) : 0;

    out->len = 0;
    if (text_len == 0 || text_len > DL_BASE64_LENGTH(NUMBER_MAX) ||
        !dl_base64_decode(out->bytes, &out->len, text, text_len) ||
        (len != 0 && out->len != len)) {
        return dl_fail(err, DL_INVALID, 0,
                       "member %s is missing or no base64url of the right "
                       "length",
                       name);
    }
    return DL_OK;
}

/* Make the key of PARAMS, which TYPE names; NULL: it cannot be one. */
static EVP_PKEY *make_pkey(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(context);
    return pkey;
}

static EVP_PKEY *make_rsa(const jwk_number *n, const jwk_number *e)
{
    BIGNUM *bn_n = BN_bin2bn(n->bytes, (int)n->len, NULL);
    BIGNUM *bn_e = BN_bin2bn(e->bytes, (int)e->len, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;

    if (bn_n != NULL && bn_e != NULL && build != NULL &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn_n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, bn_e) == 1) {
        params = OSSL_PARAM_BLD_to_param(build);
    }
    if (params != NULL) {
        pkey = make_pkey("RSA", params);
    }
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(bn_n);
    BN_free(bn_e);
    return pkey;
}

static dl_status import_rsa(EVP_PKEY **pkey, const dl_jwk *jwk, dl_error *err)
{
    jwk_number n;
    jwk_number e;

    DL_TRY(take_number(&n, "n", jwk->n, 0, err));
    DL_TRY(take_number(&e, "e", jwk->e, 0, err));
    *pkey = make_rsa(&n, &e);
    return DL_OK;
}

static dl_status import_ec(EVP_PKEY **pkey, const dl_jwk *jwk, dl_error *err)
{
    char group[] = "prime256v1";
    unsigned char point[1 + 2 * ES256_HALF] = {4}; /* not compressed */
    jwk_number x;
    jwk_number y;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point,
                                          sizeof point),
        OSSL_PARAM_construct_end()};

    if (jwk->crv == NULL || strcmp(jwk->crv, "P-256") != 0) {
        return dl_fail(err, DL_INVALID, 0,
                       "an EC key must be on the curve P-256");
    }
    DL_TRY(take_number(&x, "x", jwk->x, ES256_HALF, err));
    DL_TRY(take_number(&y, "y", jwk->y, ES256_HALF, err));
    memcpy(point + 1, x.bytes, ES256_HALF);
    memcpy(point + 1 + ES256_HALF, y.bytes, ES256_HALF);
    *pkey = make_pkey("EC", params);
    return DL_OK;
}

static dl_status import_okp(EVP_PKEY **pkey, const dl_jwk *jwk, dl_error *err)
{
    jwk_number x;

    if (jwk->crv == NULL || strcmp(jwk->crv, "Ed25519") != 0) {
        return dl_fail(err, DL_INVALID, 0, "an OKP key must be Ed25519");
    }
    DL_TRY(take_number(&x, "x", jwk->x, 32, err));
    *pkey =
        EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, x.bytes, x.len);
    return DL_OK;
}

dl_status dl_jws_key_import(dl_jws_key **key, const dl_jwk *jwk, dl_error *err,
                            apr_pool_t *result_pool)
{
    EVP_PKEY *pkey = NULL;

    if (strcmp(jwk->kty, "RSA") == 0) {
        DL_TRY(import_rsa(&pkey, jwk, err));
    }
    else if (strcmp(jwk->kty, "EC") == 0) {
        DL_TRY(import_ec(&pkey, jwk, err));
    }
    else if (strcmp(jwk->kty, "OKP") == 0) {
        DL_TRY(import_okp(&pkey, jwk, err));
    }
    if (pkey == NULL) {
        ERR_clear_error();
        return dl_fail(err, DL_INVALID, 0,
                       "kty must be RSA, EC or OKP, and its numbers a key");
    }
    return create(key, pkey, false, err, result_pool);
}

/* Write the member NAME with LEN bytes of DATA in base64url. */
static void write_bytes(dl_json_writer *w, const char *name, const void *data,
                        size_t len)
{
    char text[DL_BASE64_LENGTH(NUMBER_MAX) + 1];
    size_t text_len = dl_base64_encode(text, data, len);

    dl_json_write_key(w, name);
    dl_json_write_string(w, text, text_len);
}

/* Write the member NAME with the number PARAM of KEY, PAD bytes long or, with
 * 0, as short as it is. */
static bool write_number(dl_json_writer *w, const char *name,
                         const dl_jws_key *key, const char *param, int pad)
{
    unsigned char bytes[NUMBER_MAX];
    BIGNUM *n = NULL;
    int len = -1;

    if (EVP_PKEY_get_bn_param(key->pkey, param, &n) == 1 &&
        BN_num_bytes(n) <= NUMBER_MAX) {
        len = BN_bn2binpad(n, bytes, pad != 0 ? pad : BN_num_bytes(n));
    }
    BN_free(n);
    if (len > 0) {
        write_bytes(w, name, bytes, (size_t)len);
    }
    return len > 0;
}

static bool export_rsa(dl_json_writer *w, const dl_jws_key *key)
{
    dl_json_write_key(w, "kty");
    dl_json_write_text(w, "RSA");
    return write_number(w, "n", key, OSSL_PKEY_PARAM_RSA_N, 0) &&
           write_number(w, "e", key, OSSL_PKEY_PARAM_RSA_E, 0);
}

static bool export_ec(dl_json_writer *w, const dl_jws_key *key)
{
    dl_json_write_key(w, "kty");
    dl_json_write_text(w, "EC");
    dl_json_write_key(w, "crv");
    dl_json_write_text(w, "P-256");
    return write_number(w, "x", key, OSSL_PKEY_PARAM_EC_PUB_X, ES256_HALF) &&
           write_number(w, "y", key, OSSL_PKEY_PARAM_EC_PUB_Y, ES256_HALF);
}

static bool export_okp(dl_json_writer *w, const dl_jws_key *key)
{
    unsigned char bytes[32];
    size_t len = sizeof bytes;

    dl_json_write_key(w, "kty");
    dl_json_write_text(w, "OKP");
    dl_json_write_key(w, "crv");
    dl_json_write_text(w, "Ed25519");
    if (EVP_PKEY_get_raw_public_key(key->pkey, bytes, &len) != 1) {
        return false;
    }
    write_bytes(w, "x", bytes, len);
    return true;
}

dl_status dl_jws_key_export(dl_json_writer *w, const dl_jws_key *key,
                            dl_error *err)
{
    bool done = false;

    switch (key->kind) {
    case KIND_RS256:
        done = export_rsa(w, key);
        break;
    case KIND_ES256:
        done = export_ec(w, key);
        break;
    case KIND_EDDSA:
        done = export_okp(w, key);
        break;
    }
    return done ? DL_OK : crypto_failed(err, "write a key");
}
