/* dl_token.c - Claims: one table of members says how each is read.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_token.h"

#include "dl_flat.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#define TIME_MAX 253402300799 /* 9999-12-31T23:59:59Z */

/* The members of a payload, index of CLAIM_NAMES. */
enum claim {
    CLAIM_ISS,
    CLAIM_AUD,
    CLAIM_SUB,
    CLAIM_JTI,
    CLAIM_SID,
    CLAIM_TOKEN_TYPE,
    CLAIM_ROLE,
    CLAIM_USER_ID,
    CLAIM_EXP,
    CLAIM_IAT,
    CLAIM_AUTH_TIME,
    CLAIM_NBF,
    CLAIMS
};

/* In order of enum claim; strings before CLAIM_USER_ID, numbers from it on;
 * only the last is optional. */
static const char *const CLAIM_NAMES[CLAIMS] = {
    "iss",  "aud",     "sub", "jti", "sid",       "token_type",
    "role", "user_id", "exp", "iat", "auth_time", "nbf"};

static const char *const TYPE_NAMES[] = {"access", "refresh"};

/* The claims of a payload as text. */
typedef struct claim_texts {
    dl_flat_slice of[CLAIMS]; /* text NULL: absent */
} claim_texts;

static int find_claim(dl_flat_slice name)
{
    for (int i = 0; i < CLAIMS; i++) {
        if (dl_flat_equals(name, CLAIM_NAMES[i])) {
            return i;
        }
    }
    return -1;
}

/* Collect the claims of LEN bytes of PAYLOAD, each of its kind, all there. */
static dl_status collect(claim_texts *out, const char *payload, size_t len,
                         dl_error *err)
{
    dl_flat walk;
    dl_flat_member member;

    memset(out, 0, sizeof *out);
    dl_flat_open(&walk, payload, len);
    while (dl_flat_next(&member, &walk)) {
        int i = find_claim(member.name);

        if (i >= 0 && member.kind != (i < CLAIM_USER_ID ? DL_FLAT_STRING
                                                        : DL_FLAT_NUMBER)) {
            return dl_fail(err, DL_INVALID, 0, "claim %s is of a wrong type",
                           CLAIM_NAMES[i]);
        }
        if (i >= 0) {
            out->of[i] = member.value;
        }
    }
    if (!dl_flat_ended(&walk)) {
        return dl_fail(err, DL_INVALID, 0,
                       "the payload is not a flat object of claims");
    }
    for (int i = 0; i < CLAIM_NBF; i++) {
        if (out->of[i].text == NULL) {
            return dl_fail(err, DL_INVALID, 0, "claim %s is missing",
                           CLAIM_NAMES[i]);
        }
    }
    return DL_OK;
}

/* Set *VALUE to the number of SLICE, a fraction cut off; false: outside 0 to
 * MAX. */
static bool to_number(int64_t *value, dl_flat_slice slice, int64_t max)
{
    int64_t sum = 0;

    for (size_t i = 0; i < slice.len && slice.text[i] != '.'; i++) {
        if (slice.text[i] == '-' || sum > max / 10) {
            return false;
        }
        sum = sum * 10 + (slice.text[i] - '0');
    }
    *value = sum;
    return sum <= max;
}

/* Copy a text of 1 to MAX bytes to OUT, which has room for one more. */
static dl_status copy_text(char *out, const claim_texts *texts, int claim,
                           size_t max, dl_error *err)
{
    dl_flat_slice slice = texts->of[claim];

    if (slice.len == 0 || slice.len > max) {
        return dl_fail(err, DL_INVALID, 0, "claim %s has %zu bytes",
                       CLAIM_NAMES[claim], slice.len);
    }
    memcpy(out, slice.text, slice.len);
    out[slice.len] = '\0';
    return DL_OK;
}

static dl_status copy_id(char *out, const claim_texts *texts, int claim,
                         dl_error *err)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789_-";

    DL_TRY(copy_text(out, texts, claim, DL_TOKEN_ID_MAX, err));
    if (strspn(out, allowed) != strlen(out)) {
        return dl_fail(err, DL_INVALID, 0, "claim %s is no id",
                       CLAIM_NAMES[claim]);
    }
    return DL_OK;
}

static dl_status read_time(int64_t *out, const claim_texts *texts, int claim,
                           dl_error *err)
{
    if (!to_number(out, texts->of[claim], TIME_MAX)) {
        return dl_fail(err, DL_INVALID, 0, "claim %s is no time",
                       CLAIM_NAMES[claim]);
    }
    return DL_OK;
}

/* Read what names the account and the log-in. */
static dl_status read_subject(dl_claims *claims, const claim_texts *texts,
                              dl_error *err)
{
    dl_flat_slice role = texts->of[CLAIM_ROLE];

    DL_TRY(copy_text(claims->username, texts, CLAIM_SUB, DL_USERNAME_MAX, err));
    DL_TRY(copy_id(claims->jti, texts, CLAIM_JTI, err));
    DL_TRY(copy_id(claims->sid, texts, CLAIM_SID, err));
    if (!to_number(&claims->user_id, texts->of[CLAIM_USER_ID], INT32_MAX) ||
        claims->user_id < 1 ||
        memchr(texts->of[CLAIM_USER_ID].text, '.',
               texts->of[CLAIM_USER_ID].len) != NULL) {
        return dl_fail(err, DL_INVALID, 0, "claim user_id is no account");
    }
    if (!dl_role_parse(&claims->role, role.text, role.len)) {
        return dl_fail(err, DL_INVALID, 0, "claim role is no role");
    }
    return DL_OK;
}

/* Compare what has to be equal. */
static dl_status check_place(const claim_texts *texts,
                             const dl_token_rules *rules, dl_token_type type,
                             dl_error *err)
{
    if (!dl_flat_equals(texts->of[CLAIM_ISS], rules->issuer)) {
        return dl_fail(err, DL_INVALID, 0, "claim iss is another issuer");
    }
    if (!dl_flat_equals(texts->of[CLAIM_AUD], rules->audience)) {
        return dl_fail(err, DL_INVALID, 0, "claim aud is another audience");
    }
    if (!dl_flat_equals(texts->of[CLAIM_TOKEN_TYPE], TYPE_NAMES[type])) {
        return dl_fail(err, DL_INVALID, 0, "claim token_type is not %s",
                       TYPE_NAMES[type]);
    }
    return DL_OK;
}

static dl_status read_times(dl_claims *claims, const claim_texts *texts,
                            dl_error *err)
{
    claims->not_before = 0;
    DL_TRY(read_time(&claims->expires_at, texts, CLAIM_EXP, err));
    DL_TRY(read_time(&claims->issued_at, texts, CLAIM_IAT, err));
    DL_TRY(read_time(&claims->auth_time, texts, CLAIM_AUTH_TIME, err));
    return texts->of[CLAIM_NBF].text == NULL
               ? DL_OK
               : read_time(&claims->not_before, texts, CLAIM_NBF, err);
}

dl_status dl_token_judge_times(const dl_claims *claims, int64_t now,
                               dl_error *err)
{
    if (now >= claims->expires_at) {
        return dl_fail(err, DL_INVALID, 0, "the token has expired");
    }
    if (claims->issued_at > now + DL_TOKEN_LEEWAY_S ||
        claims->auth_time > now + DL_TOKEN_LEEWAY_S ||
        claims->not_before > now + DL_TOKEN_LEEWAY_S) {
        return dl_fail(err, DL_INVALID, 0, "the token is not valid yet");
    }
    return DL_OK;
}

dl_status dl_token_verify(dl_claims *claims, const dl_keyset *keys,
                          const dl_token_rules *rules,
                          const dl_token_query *query, dl_error *err)
{
    char payload[DL_JWS_PAYLOAD_MAX + 1];
    size_t len = 0;
    claim_texts texts;

    DL_TRY(dl_jws_verify(payload, &len, keys, query->text, query->len, err));
    DL_TRY(collect(&texts, payload, len, err));
    DL_TRY(check_place(&texts, rules, query->type, err));
    claims->type = query->type;
    DL_TRY(read_subject(claims, &texts, err));
    DL_TRY(read_times(claims, &texts, err));
    return dl_token_judge_times(claims, query->now, err);
}

/* Whether TEXT can stand between quotes as it is. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < 0x20 || *text > 0x7e || *text == '"' || *text == '\\') {
            return false;
        }
    }
    return true;
}

static dl_status check_issue(const dl_token_rules *rules,
                             const dl_claims *claims, dl_error *err)
{
    if (!is_plain(rules->issuer) || !is_plain(rules->audience)) {
        return dl_fail(err, DL_INVALID, 0,
                       "issuer and audience must be printable ASCII without "
                       "quotes and backslashes");
    }
    if (claims->username[0] == '\0' || !is_plain(claims->username) ||
        claims->sid[0] == '\0' || !is_plain(claims->sid) ||
        claims->jti[0] == '\0' || !is_plain(claims->jti) ||
        claims->user_id < 1 || claims->expires_at <= claims->issued_at ||
        claims->expires_at > TIME_MAX || claims->auth_time < 0) {
        return dl_fail(err, DL_INVALID, 0, "the claims cannot be verified");
    }
    return DL_OK;
}

dl_status dl_token_issue(char out[DL_JWS_TEXT], size_t *len,
                         const dl_keyset *keys, const dl_token_rules *rules,
                         const dl_claims *claims, dl_error *err)
{
    char payload[DL_JWS_PAYLOAD_MAX + 1];
    int n;

    DL_TRY(check_issue(rules, claims, err));
    n = snprintf(payload, sizeof payload,
                 "{\"iss\":\"%s\",\"aud\":\"%s\",\"sub\":\"%s\",\"user_id\":"
                 "%lld,\"role\":\"%s\",\"token_type\":\"%s\",\"iat\":%lld,"
                 "\"exp\":%lld,\"auth_time\":%lld,\"jti\":\"%s\",\"sid\":"
                 "\"%s\"}",
                 rules->issuer, rules->audience, claims->username,
                 (long long)claims->user_id, dl_role_name(claims->role),
                 TYPE_NAMES[claims->type], (long long)claims->issued_at,
                 (long long)claims->expires_at, (long long)claims->auth_time,
                 claims->jti, claims->sid);
    if (n < 0 || n > DL_JWS_PAYLOAD_MAX) {
        return dl_fail(err, DL_LIMIT, 0, "the claims have more than %d bytes",
                       DL_JWS_PAYLOAD_MAX);
    }
    return dl_jws_sign(out, len, keys, payload, (size_t)n, err);
}

void dl_token_new_id(char out[DL_TOKEN_ID_MAX + 1])
{
    unsigned char b[16] = {0};

    if (sodium_init() < 0) {
        abort();
    }
    randombytes_buf(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(out, DL_TOKEN_ID_MAX + 1,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
             "%02x%02x%02x%02x%02x%02x",
             b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
             b[11], b[12], b[13], b[14], b[15]);
}
