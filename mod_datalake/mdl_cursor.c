/* mdl_cursor.c - Writes and reads signed page cursors.
 *
 * The layout is in mdl_cursor.h.  What is signed is
 *   "cursor" 0 route 0 parameters 0 | version | made at | position
 * so that no two bindings give the same bytes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_cursor.h"

#include <string.h>

#include <apr_strings.h>

#define VERSION    1
#define HEAD_BYTES 9 /* version, made at */
#define MAC_BYTES  16

#define BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING

/* The longest cursor in bytes, before and as base64 text. */
#define RAW_MAX  (HEAD_BYTES + MDL_CURSOR_POSITION_MAX + MAC_BYTES)
#define TEXT_MAX (RAW_MAX / 3 * 4 + 4)

/* Set MAC to the signature of the LEN bytes of RAW under BINDING. */
static void sign(unsigned char mac[MAC_BYTES], const mdl_cursor_key *key,
                 const mdl_cursor_binding *binding, const unsigned char *raw,
                 size_t len)
{
    crypto_auth_hmacsha256_state state = key->begun;
    unsigned char full[crypto_auth_hmacsha256_BYTES];

    crypto_auth_hmacsha256_update(&state, (const unsigned char *)"cursor", 7);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)binding->route,
                                  strlen(binding->route) + 1);
    crypto_auth_hmacsha256_update(&state,
                                  (const unsigned char *)binding->parameters,
                                  strlen(binding->parameters) + 1);
    crypto_auth_hmacsha256_update(&state, raw, len);
    crypto_auth_hmacsha256_final(&state, full);
    memcpy(mac, full, MAC_BYTES);
}

void mdl_cursor_key_derive(mdl_cursor_key *key, const void *secret, size_t len)
{
    static const unsigned char purpose[] = "datalake page cursor 1";
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, secret, len);
    crypto_auth_hmacsha256_update(&state, purpose, sizeof(purpose));
    crypto_auth_hmacsha256_final(&state, key->bytes);
    crypto_auth_hmacsha256_init(&key->begun, key->bytes, sizeof(key->bytes));
}

const char *mdl_cursor_encode(const mdl_cursor_key *key,
                              const mdl_cursor_binding *binding,
                              const char *position, size_t len, dl_time now,
                              apr_pool_t *result_pool)
{
    unsigned char raw[RAW_MAX];
    size_t signed_len = HEAD_BYTES + len;
    uint64_t made = (uint64_t)(now / 1000000);
    char *text;
    size_t size;
    int i;

    raw[0] = VERSION;
    for (i = 0; i < 8; i++) {
        raw[1 + i] = (unsigned char)(made >> (56 - 8 * i));
    }
    memcpy(raw + HEAD_BYTES, position, len);
    sign(raw + signed_len, key, binding, raw, signed_len);
    size = sodium_base64_encoded_len(signed_len + MAC_BYTES, BASE64);
    text = apr_palloc(result_pool, size);
    sodium_bin2base64(text, size, raw, signed_len + MAC_BYTES, BASE64);
    return text;
}

/* True when a cursor made at the seconds in RAW is still accepted at NOW; one
 * from the future is not ours. */
static int fresh(const unsigned char *raw, dl_time now)
{
    uint64_t made = 0;
    int64_t age_s;
    int i;

    for (i = 0; i < 8; i++) {
        made = made << 8 | raw[1 + i];
    }
    age_s = now / 1000000 - (int64_t)made;
    return age_s >= -60 && age_s < MDL_CURSOR_LIFE_S;
}

dl_status mdl_cursor_decode(const char **position, const mdl_cursor_key *key,
                            const mdl_cursor_binding *binding, const char *text,
                            dl_time now, apr_pool_t *result_pool)
{
    unsigned char raw[RAW_MAX];
    unsigned char mac[MAC_BYTES];
    size_t len = 0;
    size_t signed_len;
    const char *end = NULL;
    size_t text_len = strlen(text);

    if (text_len > TEXT_MAX ||
        sodium_base642bin(raw, sizeof(raw), text, text_len, NULL, &len, &end,
                          BASE64) != 0 ||
        end != text + text_len || len < HEAD_BYTES + MAC_BYTES) {
        return DL_INVALID;
    }
    signed_len = len - MAC_BYTES;
    sign(mac, key, binding, raw, signed_len);
    if (sodium_memcmp(mac, raw + signed_len, MAC_BYTES) != 0 ||
        raw[0] != VERSION || fresh(raw, now) == 0) {
        return DL_INVALID;
    }
    *position = apr_pstrmemdup(result_pool, (const char *)raw + HEAD_BYTES,
                               signed_len - HEAD_BYTES);
    return DL_OK;
}
