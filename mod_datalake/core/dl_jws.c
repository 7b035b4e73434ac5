/* dl_jws.c - Compact tokens: cut into segments, judge the header, check.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_jws.h"

#include "dl_base64.h"
#include "dl_flat.h"
#include "dl_keyset.h"

#include <stdio.h>
#include <string.h>

#define HEADER_MAX 256

/* A token cut at its dots. */
typedef struct jws_segments {
    dl_flat_slice header;    /* before the first dot */
    dl_flat_slice payload;   /* between them */
    dl_flat_slice signature; /* behind the second */
    size_t signed_len;       /* header, dot and payload */
} jws_segments;

/* The three members a header may have. */
typedef struct jws_header {
    dl_flat_slice alg; /* required */
    dl_flat_slice typ; /* optional */
    dl_flat_slice kid; /* optional with a single key */
} jws_header;

static dl_status cut(jws_segments *out, const char *token, size_t len,
                     dl_error *err)
{
    const char *end = token + len;
    const char *first;
    const char *second;

    if (len > DL_JWS_MAX) {
        return dl_fail(err, DL_INVALID, 0, "the token has more than %d bytes",
                       DL_JWS_MAX);
    }
    first = memchr(token, '.', len);
    second = first == NULL ? NULL
                           : memchr(first + 1, '.', (size_t)(end - first - 1));
    if (second == NULL ||
        memchr(second + 1, '.', (size_t)(end - second - 1)) != NULL) {
        return dl_fail(err, DL_INVALID, 0,
                       "the token has not exactly three segments");
    }
    out->header = (dl_flat_slice){token, (size_t)(first - token)};
    out->payload = (dl_flat_slice){first + 1, (size_t)(second - first - 1)};
    out->signature = (dl_flat_slice){second + 1, (size_t)(end - second - 1)};
    out->signed_len = (size_t)(second - token);
    if (out->header.len == 0 || out->payload.len == 0) {
        return dl_fail(err, DL_INVALID, 0, "a segment is empty");
    }
    return DL_OK;
}

/* Where HEADER keeps the member NAME, or NULL: not one of the three. */
static dl_flat_slice *find_member(jws_header *header, dl_flat_slice name)
{
    if (dl_flat_equals(name, "alg")) {
        return &header->alg;
    }
    if (dl_flat_equals(name, "typ")) {
        return &header->typ;
    }
    return dl_flat_equals(name, "kid") ? &header->kid : NULL;
}

static dl_status parse_header(jws_header *out, const char *text, size_t len,
                              dl_error *err)
{
    dl_flat walk;
    dl_flat_member member;

    memset(out, 0, sizeof *out);
    dl_flat_open(&walk, text, len);
    while (dl_flat_next(&member, &walk)) {
        dl_flat_slice *slot = find_member(out, member.name);

        if (slot == NULL || member.kind != DL_FLAT_STRING) {
            return dl_fail(err, DL_INVALID, 0,
                           "the header has more than alg, typ and kid, or "
                           "one of them is no string");
        }
        *slot = member.value;
    }
    if (!dl_flat_ended(&walk)) {
        return dl_fail(err, DL_INVALID, 0,
                       "the header is not a flat object of plain strings");
    }
    return DL_OK;
}

/* Set *I to the key that HEADER names, whose algorithm it must name too. */
static dl_status find_key(int *i, const dl_keyset *keys,
                          const jws_header *header, dl_error *err)
{
    if (header->typ.text != NULL && !dl_flat_equals(header->typ, "JWT")) {
        return dl_fail(err, DL_INVALID, 0, "the header's typ is not JWT");
    }
    if (header->kid.text != NULL) {
        *i = dl_keyset_find(keys, header->kid.text, header->kid.len);
    }
    else {
        *i = dl_keyset_count(keys) == 1 ? 0 : -1;
    }
    if (*i < 0) {
        return dl_fail(err, DL_INVALID, 0, "no key has the header's kid");
    }
    if (!dl_flat_equals(header->alg, dl_keyset_algorithm(keys, *i))) {
        return dl_fail(err, DL_INVALID, 0,
                       "the header's alg is not that of its key");
    }
    return DL_OK;
}

/* Check the signature of SEGMENTS by key I. */
static dl_status check_signature(const jws_segments *segments,
                                 const dl_keyset *keys, int i, dl_error *err)
{
    unsigned char signature[DL_SIGNATURE_MAX + 3];
    dl_jws_input input = {segments->header.text, segments->signed_len};
    size_t want = dl_keyset_length(keys, i);
    size_t len = 0;

    if (segments->signature.len != DL_BASE64_LENGTH(want) ||
        !dl_base64_decode(signature, &len, segments->signature.text,
                          segments->signature.len) ||
        len != want) {
        return dl_fail(err, DL_INVALID, 0,
                       "the signature is not %zu bytes of base64url", want);
    }
    return dl_keyset_verify(keys, i, &input, signature, err);
}

dl_status dl_jws_verify(char out[DL_JWS_PAYLOAD_MAX + 1], size_t *out_len,
                        const dl_keyset *keys, const char *token, size_t len,
                        dl_error *err)
{
    char text[HEADER_MAX];
    size_t text_len = 0;
    jws_segments segments = {{NULL, 0}, {NULL, 0}, {NULL, 0}, 0};
    jws_header header;
    int key = -1;

    DL_TRY(cut(&segments, token, len, err));
    if (segments.header.len > DL_BASE64_LENGTH(HEADER_MAX) ||
        !dl_base64_decode(text, &text_len, segments.header.text,
                          segments.header.len)) {
        return dl_fail(err, DL_INVALID, 0,
                       "the header is not up to %d bytes of base64url",
                       HEADER_MAX);
    }
    DL_TRY(parse_header(&header, text, text_len, err));
    DL_TRY(find_key(&key, keys, &header, err));
    if (segments.payload.len > DL_BASE64_LENGTH(DL_JWS_PAYLOAD_MAX) ||
        !dl_base64_decode(out, out_len, segments.payload.text,
                          segments.payload.len)) {
        return dl_fail(err, DL_INVALID, 0,
                       "the payload is not up to %d bytes of base64url",
                       DL_JWS_PAYLOAD_MAX);
    }
    out[*out_len] = '\0';
    return check_signature(&segments, keys, key, err);
}

dl_status dl_jws_sign(char out[DL_JWS_TEXT], size_t *out_len,
                      const dl_keyset *keys, const void *payload, size_t len,
                      dl_error *err)
{
    char header[HEADER_MAX];
    unsigned char signature[DL_SIGNATURE_MAX];
    size_t signature_len = dl_keyset_length(keys, 0);
    size_t used;

    int n = snprintf(header, sizeof header,
                     "{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
                     dl_keyset_algorithm(keys, 0), dl_keyset_kid(keys, 0));
    if (DL_BASE64_LENGTH((size_t)n) + DL_BASE64_LENGTH(len) +
                DL_BASE64_LENGTH(signature_len) + 2 >
            DL_JWS_MAX ||
        len > DL_JWS_PAYLOAD_MAX) {
        return dl_fail(err, DL_LIMIT, 0,
                       "the token would have more than %d bytes", DL_JWS_MAX);
    }
    used = dl_base64_encode(out, header, (size_t)n);
    out[used++] = '.';
    used += dl_base64_encode(out + used, payload, len);
    DL_TRY(dl_keyset_sign(signature, keys, 0, &(dl_jws_input){out, used}, err));
    out[used++] = '.';
    used += dl_base64_encode(out + used, signature, signature_len);
    *out_len = used;
    return DL_OK;
}
