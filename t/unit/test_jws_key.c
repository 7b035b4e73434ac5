/* test_jws_key.c - RS256, ES256 and EdDSA: vectors of the RFCs, keys from
 * files, algorithms bound to keys, JWK Sets, the cache of right signatures.
 *
 * Keys, tokens and signatures of the RFCs are written out by hand.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_base64.h"
#include "dl_jws.h"
#include "dl_jws_cache.h"
#include "dl_jws_key.h"
#include "dl_keyset.h"

#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_general.h>

/* RFC 7515, appendix A.2: RS256. */
#define A2_N                                                                   \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-"    \
    "4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2"   \
    "jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-"               \
    "KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_"        \
    "I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4"  \
    "FRWyuXpoQ"
#define A_PAYLOAD                                                              \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv" \
    "bS9pc19yb290Ijp0cnVlfQ"
#define A2_SIGNATURE                                                           \
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4"  \
    "Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"  \
    "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn"  \
    "6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI"  \
    "8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"

/* RFC 7515, appendix A.3: ES256. */
#define A3_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define A3_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define A3_SIGNATURE                                                           \
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKT" \
    "UJqPP3-Kg6NU1Q"

/* RFC 7520, sections 3.3 and 4.1: RS256. */
#define R41_N                                                                  \
    "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTD" \
    "vNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5yd" \
    "QLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bT" \
    "wJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwd" \
    "q_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"
#define R41_SIGNED                                                             \
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9" \
    ".SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9" \
    "vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXI" \
    "gZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9" \
    "mZiB0by4"
#define R41_SIGNATURE                                                          \
    "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U" \
    "4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0Rn" \
    "ltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9Uzp" \
    "ERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4" \
    "uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg"

/* RFC 8037, appendix A: EdDSA. */
#define ED_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define ED_SIGNATURE                                                           \
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7" \
    "sVvpAr_MuM0KAg"
#define ED_SIGNED "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"

/* The private key of RFC 8037, appendix A.1, as PKCS #8. */
#define ED_PEM                                                                 \
    "-----BEGIN PRIVATE KEY-----\n"                                            \
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"       \
    "-----END PRIVATE KEY-----\n"

/* Keys made for this test. */
#define EC_PEM                                                                 \
    "-----BEGIN PRIVATE KEY-----\n"                                            \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNAmdmqPlOtgp5oQ2\n"       \
    "R2P4HMTTLsmlz1rSAGe55lPhXk6hRANCAARXDfed2EiWei91d0Zj0C5OmCO3ecLB\n"       \
    "KdaB10zzwjGd6tcA49eprnH72m/BuX43i1N7W4eEVFq2Qca0FbS9gq2N\n"               \
    "-----END PRIVATE KEY-----\n"

#define EC_PUBLIC_PEM                                                          \
    "-----BEGIN PUBLIC KEY-----\n"                                             \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEVw33ndhIlnovdXdGY9AuTpgjt3nC\n"       \
    "wSnWgddM88IxnerXAOPXqa5x+9pvwbl+N4tTe1uHhFRatkHGtBW0vYKtjQ==\n"           \
    "-----END PUBLIC KEY-----\n"

#define ED_OWN_PEM                                                             \
    "-----BEGIN PRIVATE KEY-----\n"                                            \
    "MC4CAQAwBQYDK2VwBCIEIHy0xNB43wzchHuGnf2vPJB1trdg/KDsajLlDFkM4HEY\n"       \
    "-----END PRIVATE KEY-----\n"

#define P384_PEM                                                               \
    "-----BEGIN PRIVATE KEY-----\n"                                            \
    "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDD6psLUu7ig9YryctfH\n"       \
    "h1PtOo/95UxXlkQJGcO6WtqBtl+k+KFeL8jyYjdu+07O0GKhZANiAARAM4NiG9K6\n"       \
    "dNUWFQjYduJaEjmQ0FLuMpEkhMI2Feo4Yz2V5iqCui6SUJjIlGPoa/xW4DD7iuAA\n"       \
    "k5pMzLQvIn7Ib4s452Bqrl3TqM6leTc3jiaeMBUzlMO2G4To9wl6fVA=\n"               \
    "-----END PRIVATE KEY-----\n"

#define RSA_1024_PEM                                                           \
    "-----BEGIN PUBLIC KEY-----\n"                                             \
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDtOa1kfzdjH1IxqwOy1MPwMw9i\n"       \
    "MA9UMXiflWJkMVy9P+byBs7BCfKCg3qa8iub4icdry0BuEAhOZ0LN/wiSjvwxs6i\n"       \
    "9Pp7n7jC2u10pM1whcNTPMGKqAZuRMqpPd+sn/u0D2ow1p00xpu7p7qne26p2vV6\n"       \
    "C23m1cQK3bPiGexF+wIDAQAB\n"                                               \
    "-----END PUBLIC KEY-----\n"

static const char SECRET[] = "Qm8vLx0p3nZ5rT7uW9yB1dF4gH6jK2lM";

/* --- Helpers -------------------------------------------------------------- */

/* A public key of an RFC, or NULL. */
static dl_jws_key *import(const dl_jwk *jwk, apr_pool_t *pool)
{
    dl_jws_key *key = NULL;

    return dl_jws_key_import(&key, jwk, NULL, pool) == DL_OK ? key : NULL;
}

/* Whether the base64url SIGNATURE is KEY's over TEXT. */
static bool verifies(const dl_jws_key *key, const char *text,
                     const char *signature)
{
    unsigned char bytes[DL_SIGNATURE_MAX + 3];
    dl_jws_input input = {text, strlen(text)};
    size_t len = 0;

    return dl_base64_decode(bytes, &len, signature, strlen(signature)) &&
           dl_jws_key_verify(key, &input, bytes, len, NULL) == DL_OK;
}

/* Write TEXT to a file with MODE and load it as a key file. */
static dl_status load(dl_keyset **keys, const char *text, unsigned mode,
                      dl_error *err, apr_pool_t *pool)
{
    char path[] = "/tmp/test_jws_key.XXXXXX";
    int fd = mkstemp(path);
    dl_status status;

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
        fchmod(fd, mode) != 0) {
        return DL_INTERNAL;
    }
    close(fd);
    status = dl_keyset_load(keys, path, err, pool);
    unlink(path);
    return status;
}

/* The same for a JWKS file, added to a set with one secret. */
static dl_status add_jwks(dl_keyset **keys, const char *text, unsigned mode,
                          dl_error *err, apr_pool_t *pool)
{
    char path[] = "/tmp/test_jws_key.XXXXXX";
    int fd = mkstemp(path);
    dl_status status;

    if (dl_keyset_create(keys, "hs", SECRET, 32, err, pool) != DL_OK ||
        fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
        fchmod(fd, mode) != 0) {
        return DL_INTERNAL;
    }
    close(fd);
    status = dl_keyset_add_jwks(*keys, path, err, pool);
    unlink(path);
    return status;
}

/* The verdict of KEYS on TOKEN. */
static dl_status verify(const dl_keyset *keys, const char *token)
{
    char payload[DL_JWS_PAYLOAD_MAX + 1];
    size_t len;

    return dl_jws_verify(payload, &len, keys, token, strlen(token), NULL);
}

/* The verdict of KEYS on TOKEN with the header HEADER put in its place. */
static dl_status with_header(const dl_keyset *keys, const char *token,
                             const char *header)
{
    char text[DL_JWS_TEXT];
    size_t len = dl_base64_encode(text, header, strlen(header));
    const char *rest = strchr(token, '.');

    snprintf(text + len, sizeof text - len, "%s", rest != NULL ? rest : "");
    return verify(keys, text);
}

/* --- Tests ---------------------------------------------------------------- */

static void test_vectors(apr_pool_t *pool)
{
    const dl_jwk rsa = {.kty = "RSA", .n = A2_N, .e = "AQAB"};
    const dl_jwk rsa41 = {.kty = "RSA", .n = R41_N, .e = "AQAB"};
    const dl_jwk ec = {.kty = "EC", .crv = "P-256", .x = A3_X, .y = A3_Y};
    const dl_jwk okp = {.kty = "OKP", .crv = "Ed25519", .x = ED_X};
    const char *rsa_signed = "eyJhbGciOiJSUzI1NiJ9." A_PAYLOAD;
    const char *ec_signed = "eyJhbGciOiJFUzI1NiJ9." A_PAYLOAD;
    dl_jws_key *key = import(&rsa, pool);

    ok(key != NULL, "the RSA key of RFC 7515 A.2 is a key");
    is_str(dl_jws_key_algorithm(key), "RS256", "for RS256");
    ok(!dl_jws_key_signs(key), "that cannot sign");
    ok(verifies(key, rsa_signed, A2_SIGNATURE), "its signature is right");
    ok(!verifies(key, ec_signed, A2_SIGNATURE), "but for nothing else");
    ok(!verifies(key, rsa_signed, A3_SIGNATURE), "nor is another's");
    key = import(&rsa41, pool);
    ok(key != NULL && verifies(key, R41_SIGNED, R41_SIGNATURE),
       "the signature of RFC 7520 4.1 is right");
    ok(key != NULL && !verifies(key, R41_SIGNED "x", R41_SIGNATURE),
       "but for nothing else");
    key = import(&ec, pool);
    ok(key != NULL, "the EC key of RFC 7515 A.3 is a key");
    is_str(dl_jws_key_algorithm(key), "ES256", "for ES256");
    ok(verifies(key, ec_signed, A3_SIGNATURE), "its signature is right");
    ok(!verifies(key, rsa_signed, A3_SIGNATURE), "but for nothing else");
    key = import(&okp, pool);
    ok(key != NULL, "the Ed25519 key of RFC 8037 A.2 is a key");
    is_str(dl_jws_key_algorithm(key), "EdDSA", "for EdDSA");
    ok(verifies(key, ED_SIGNED, ED_SIGNATURE), "its signature is right");
    ok(!verifies(key, ED_SIGNED "x", ED_SIGNATURE), "but for nothing else");
    ok(!verifies(key, ED_SIGNED, A3_SIGNATURE), "nor is another's");
}

static void test_zero_signatures(apr_pool_t *pool)
{
    const dl_jwk ec = {.kty = "EC", .crv = "P-256", .x = A3_X, .y = A3_Y};
    const dl_jws_key *key = import(&ec, pool);
    const char *text = "eyJhbGciOiJFUzI1NiJ9." A_PAYLOAD;
    dl_jws_input input = {text, strlen(text)};
    unsigned char zero[64] = {0};
    unsigned char order[64] = {0xFF, 0xFF, 0xFF, 0xFF, 0,    0,    0,    0,
                               0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                               0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84,
                               0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51};

    is_int(dl_jws_key_verify(key, &input, zero, 64, NULL), DL_INVALID,
           "an ES256 signature of zeros is refused");
    memcpy(order + 32, order, 32);
    is_int(dl_jws_key_verify(key, &input, order, 64, NULL), DL_INVALID,
           "one of twice the group's order is refused");
    is_int(dl_jws_key_verify(key, &input, zero, 63, NULL), DL_INVALID,
           "63 bytes are refused");
    is_int(dl_jws_key_verify(key, &input, zero, 0, NULL), DL_INVALID,
           "none is refused");
}

static void test_private_vector(apr_pool_t *pool)
{
    dl_jws_key *key = NULL;
    unsigned char out[DL_SIGNATURE_MAX];
    char text[DL_BASE64_LENGTH(64) + 1];
    size_t len = 0;
    dl_jws_input input = {ED_SIGNED, strlen(ED_SIGNED)};

    is_int(dl_jws_key_parse(&key, ED_PEM, strlen(ED_PEM), NULL, pool), DL_OK,
           "the private key of RFC 8037 A.1 is read from PEM");
    ok(dl_jws_key_signs(key), "it signs");
    is_int(dl_jws_key_sign(out, &len, key, &input, NULL), DL_OK,
           "the text of A.4");
    dl_base64_encode(text, out, len);
    is_str(text, ED_SIGNATURE, "as the RFC does");
}

static void test_kinds(apr_pool_t *pool)
{
    dl_jwk jwk = {.kty = "EC", .crv = "P-384", .x = A3_X, .y = A3_Y};
    dl_jws_key *key = NULL;

    is_int(dl_jws_key_import(&key, &jwk, NULL, pool), DL_INVALID,
           "another curve is refused");
    jwk = (dl_jwk){.kty = "EC", .crv = "P-256", .x = A3_X, .y = A3_X};
    is_int(dl_jws_key_import(&key, &jwk, NULL, pool), DL_INVALID,
           "a point beside the curve is refused");
    jwk = (dl_jwk){.kty = "EC", .crv = "P-256", .x = A3_X};
    is_int(dl_jws_key_import(&key, &jwk, NULL, pool), DL_INVALID,
           "half a point is refused");
    jwk = (dl_jwk){.kty = "OKP", .crv = "X25519", .x = ED_X};
    is_int(dl_jws_key_import(&key, &jwk, NULL, pool), DL_INVALID,
           "X25519 is refused");
    jwk = (dl_jwk){.kty = "RSA", .n = A3_X, .e = "AQAB"};
    is_int(dl_jws_key_import(&key, &jwk, NULL, pool), DL_INVALID,
           "an RSA key of 256 bits is refused");
    jwk = (dl_jwk){.kty = "RSA", .n = A2_N "=", .e = "AQAB"};
    is_int(dl_jws_key_import(&key, &jwk, NULL, pool), DL_INVALID,
           "padding is refused");
    jwk = (dl_jwk){.kty = "oct"};
    is_int(dl_jws_key_import(&key, &jwk, NULL, pool), DL_INVALID,
           "a secret is no key here");
    is_int(dl_jws_key_parse(&key, P384_PEM, strlen(P384_PEM), NULL, pool),
           DL_INVALID, "another curve in PEM is refused");
    is_int(
        dl_jws_key_parse(&key, RSA_1024_PEM, strlen(RSA_1024_PEM), NULL, pool),
        DL_INVALID, "an RSA key of 1024 bits is refused");
}

static void test_files(apr_pool_t *pool)
{
    dl_keyset *keys = NULL;
    dl_keyset *both = NULL;
    char token[DL_JWS_TEXT];
    size_t len;
    dl_error err = {0};

    is_int(load(&keys, EC_PEM, 0600, &err, pool), DL_OK,
           "a file that is a private key is a key");
    is_str(dl_keyset_kid(keys, 0), "default", "its kid is default");
    is_int(dl_jws_sign(token, &len, keys, "{}", 2, NULL), DL_OK, "it signs");
    is_int(verify(keys, token), DL_OK, "and verifies what it signed");
    is_int(load(&both,
                "# new\nkid new\n" ED_OWN_PEM "\nkid old\n" EC_PUBLIC_PEM
                "kid hs Qm8vLx0p3nZ5rT7uW9yB1dF4gH6jK2lM\n",
                0640, &err, pool),
           DL_OK, "keys of three kinds stand in one file");
    is_int(dl_keyset_count(both), 3, "all are counted");
    is_str(dl_keyset_algorithm(both, 0), "EdDSA", "the first signs by EdDSA");
    is_str(dl_keyset_algorithm(both, 1), "ES256", "the second is ES256");
    is_str(dl_keyset_algorithm(both, 2), "HS256", "the third is a secret");
    is_int(dl_jws_sign(token, &len, both, "{}", 2, NULL), DL_OK, "it signs");
    is_int(verify(both, token), DL_OK, "and verifies");
    is_int(verify(keys, token), DL_INVALID, "a set without that kid does not");
    is_int(load(&keys, "kid a\n" EC_PUBLIC_PEM, 0600, &err, pool), DL_INVALID,
           "a first key that cannot sign is refused");
    is_int(load(&keys, EC_PEM, 0644, &err, pool), DL_INVALID,
           "a private key that everybody may read is refused");
    is_int(load(&keys, ED_PEM, 0600, &err, pool), DL_INVALID,
           "the key of an RFC is refused");
    ok(strstr(err.text, "sample") != NULL, "and says why");
    is_int(load(&keys, "kid a\n-----BEGIN PRIVATE KEY-----\nMC4C\n", 0600, &err,
                pool),
           DL_INVALID, "a key without its end is refused");
    is_int(load(&keys, "kid a\nkid b\n" EC_PEM, 0600, &err, pool), DL_INVALID,
           "a kid without a key is refused");
    ok(strstr(err.text, ":2: ") != NULL, "with the number of the line");
    is_int(
        load(&keys, "kid a\n" EC_PEM "kid a\n" EC_PUBLIC_PEM, 0600, &err, pool),
        DL_INVALID, "a kid twice is refused");
}

static void test_binding(apr_pool_t *pool)
{
    dl_keyset *keys = NULL;
    char token[DL_JWS_TEXT];
    size_t len;

    is_int(load(&keys,
                "kid ec\n" EC_PEM "kid ed\n" ED_OWN_PEM
                "kid hs Qm8vLx0p3nZ5rT7uW9yB1dF4gH6jK2lM\n",
                0600, NULL, pool),
           DL_OK, "given a set of three kinds of keys");
    is_int(dl_jws_sign(token, &len, keys, "{}", 2, NULL), DL_OK,
           "and a token of the first");
    is_int(verify(keys, token), DL_OK, "it is accepted");
    is_int(with_header(keys, token, "{\"alg\":\"ES256\",\"kid\":\"ed\"}"),
           DL_INVALID, "under another kid it is refused");
    is_int(with_header(keys, token, "{\"alg\":\"EdDSA\",\"kid\":\"ec\"}"),
           DL_INVALID, "with another alg it is refused");
    is_int(with_header(keys, token, "{\"alg\":\"HS256\",\"kid\":\"ec\"}"),
           DL_INVALID, "with HS256 it is refused");
    is_int(with_header(keys, token, "{\"alg\":\"HS256\",\"kid\":\"hs\"}"),
           DL_INVALID, "with the kid of the secret, too");
    is_int(with_header(keys, token, "{\"alg\":\"ES256\"}"), DL_INVALID,
           "without kid it is refused");
    is_int(with_header(keys, token, "{\"alg\":\"es256\",\"kid\":\"ec\"}"),
           DL_INVALID, "es256 in lower case is refused");
    is_int(with_header(keys, token, "{\"alg\":\"none\",\"kid\":\"ec\"}"),
           DL_INVALID, "none is refused");
    token[len - 40] = token[len - 40] == 'A' ? 'B' : 'A';
    is_int(verify(keys, token), DL_INVALID, "a changed signature is refused");
}

static void test_jwks(apr_pool_t *pool)
{
    dl_keyset *keys = NULL;
    dl_keyset *again = NULL;
    const char *text = NULL;
    dl_error err = {0};

    dl_keyset_create(&keys, "hs", SECRET, 32, NULL, pool) == DL_OK ? (void)0
                                                                   : abort();
    is_int(dl_keyset_publish(&text, keys, &err, pool), DL_OK,
           "a set of secrets is published");
    ok(text == NULL, "as nothing");
    is_int(load(&keys, "kid a\n" EC_PEM "kid b\n" ED_OWN_PEM, 0600, &err, pool),
           DL_OK, "given two private keys");
    is_int(dl_keyset_publish(&text, keys, &err, pool), DL_OK,
           "their public parts are published");
    ok(text != NULL && strstr(text, "\"d\"") == NULL,
       "without private members");
    is_int(add_jwks(&again, text != NULL ? text : "", 0644, &err, pool), DL_OK,
           "what is published can be read");
    is_int(dl_keyset_count(again), 3, "both keys of it");
    is_str(dl_keyset_algorithm(again, 1), "ES256", "one is ES256");
    is_str(dl_keyset_algorithm(again, 2), "EdDSA", "the other EdDSA");
    is_int(add_jwks(&again, text != NULL ? text : "", 0664, &err, pool),
           DL_INVALID, "a file that others may write is refused");
    is_int(add_jwks(&again, "{\"keys\":[]}", 0644, &err, pool), DL_OK,
           "an empty set is a set");
    is_int(add_jwks(&again, "[]", 0644, &err, pool), DL_INVALID,
           "an array is none");
    is_int(add_jwks(&again,
                    "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"x\","
                    "\"k\":\"AAAA\"}]}",
                    0644, &err, pool),
           DL_INVALID, "a secret in it is refused");
    is_int(add_jwks(&again,
                    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
                    "\"kid\":\"x\",\"x\":\"" ED_X "\"}]}",
                    0644, &err, pool),
           DL_INVALID, "the key of an RFC is refused");
    ok(strstr(err.text, "sample") != NULL, "and says why");
    is_int(add_jwks(&again,
                    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
                    "\"kid\":\"x\",\"x\":\"AAAA\"}]}",
                    0644, &err, pool),
           DL_INVALID, "a key that is too short is refused");
    is_int(dl_keyset_add_jwks(again, "/nonexistent", &err, pool), DL_NOT_FOUND,
           "a file that is not there is DL_NOT_FOUND");
}

static void test_cache(apr_pool_t *pool)
{
    enum {
        TOKENS = 64
    };
    dl_keyset *keys = NULL;
    dl_jws_cache *cache = NULL;
    void *memory = calloc(1, dl_jws_cache_size(TOKENS));
    char token[DL_JWS_TEXT];
    char payload[32];
    size_t len;
    int good = 0;

    is_int(load(&keys, EC_PEM, 0600, NULL, pool), DL_OK, "given a key");
    is_int(dl_jws_cache_attach(&cache, memory, TOKENS, NULL, pool), DL_OK,
           "and a cache for 64 tokens");
    dl_keyset_remember(keys, cache);
    for (int i = 0; i < 4 * TOKENS; i++) {
        snprintf(payload, sizeof payload, "{\"i\":%d}", i);
        if (dl_jws_sign(token, &len, keys, payload, strlen(payload), NULL) ==
                DL_OK &&
            verify(keys, token) == DL_OK && verify(keys, token) == DL_OK) {
            good++;
        }
    }
    is_int(good, 4 * TOKENS, "256 tokens are accepted, twice each");
    token[len - 40] = token[len - 40] == 'A' ? 'B' : 'A';
    is_int(verify(keys, token), DL_INVALID,
           "a token that is known but for one character is refused");
    is_int(verify(keys, token), DL_INVALID, "the second time, too");
    free(memory);
}

static void test_cache_marks(apr_pool_t *pool)
{
    enum {
        TOKENS = 1024
    };
    dl_jws_key *a = NULL;
    dl_jws_key *b = NULL;
    dl_jws_cache *cache = NULL;
    void *memory = calloc(1, dl_jws_cache_size(TOKENS));
    dl_jws_input input = {"x.y", 3};
    unsigned char signature[64] = {1};
    dl_jws_mark mark;
    dl_jws_mark other;

    is_int(dl_jws_key_parse(&a, EC_PEM, strlen(EC_PEM), NULL, pool), DL_OK,
           "given a key");
    is_int(dl_jws_key_parse(&b, ED_OWN_PEM, strlen(ED_OWN_PEM), NULL, pool),
           DL_OK, "and another");
    is_int(dl_jws_cache_attach(&cache, memory, TOKENS, NULL, pool), DL_OK,
           "and a cache");
    dl_jws_cache_mark(&mark, cache, a, &input, signature, 64);
    ok(!dl_jws_cache_has(cache, &mark), "an empty cache knows nothing");
    dl_jws_cache_put(cache, &mark);
    ok(dl_jws_cache_has(cache, &mark), "what was put is known");
    dl_jws_cache_mark(&other, cache, b, &input, signature, 64);
    ok(!dl_jws_cache_has(cache, &other), "not for another key");
    signature[63] = 1;
    dl_jws_cache_mark(&other, cache, a, &input, signature, 64);
    ok(!dl_jws_cache_has(cache, &other), "nor with another signature");
    is_int(dl_jws_cache_attach(&cache, memory, TOKENS, NULL, pool), DL_OK,
           "a second process that attaches");
    ok(dl_jws_cache_has(cache, &mark), "knows it, too");
    free(memory);
}

static void test_derive(apr_pool_t *pool)
{
    dl_keyset *keys = NULL;
    unsigned char one[32];
    unsigned char two[32];

    is_int(load(&keys, EC_PEM, 0600, NULL, pool), DL_OK, "given an EC key");
    ok(dl_keyset_derive(one, keys, "a", NULL) == DL_OK &&
           dl_keyset_derive(two, keys, "a", NULL) == DL_OK,
       "32 bytes follow from it");
    ok(memcmp(one, two, 32) == 0, "each time the same");
    ok(dl_keyset_derive(two, keys, "b", NULL) == DL_OK &&
           memcmp(one, two, 32) != 0,
       "for another purpose, others");
}

int main(void)
{
    apr_pool_t *pool;

    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return EXIT_FAILURE;
    }
    test_vectors(pool);
    test_zero_signatures(pool);
    test_private_vector(pool);
    test_kinds(pool);
    test_files(pool);
    test_binding(pool);
    test_jwks(pool);
    test_cache(pool);
    test_cache_marks(pool);
    test_derive(pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
