/* dl_audit_redact.h - Bodies and queries as the audit log may keep them.
 *
 * The values of these names become "***", wherever they stand and however
 * they are written (case, '_' and '-' do not count): password,
 * current_password, token, access, refresh, access_token, refresh_token,
 * client_secret, authorization; and further names the caller gives.
 *
 * What cannot be understood is not kept: JSON that is not valid, a form whose
 * names are no names, another media type: the whole is "***".
 *
 * Thread: any; nothing here has state.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_AUDIT_REDACT_H
#define DL_AUDIT_REDACT_H

#include <stdbool.h>
#include <stddef.h>

#include "dl_buf.h"
#include "dl_error.h"

/* What a body was sent as. */
typedef enum dl_audit_media {
    DL_AUDIT_JSON, /* application/json */
    DL_AUDIT_FORM, /* application/x-www-form-urlencoded */
    DL_AUDIT_OTHER /* anything else */
} dl_audit_media;

/* A body that came in. */
typedef struct dl_audit_body {
    const char *text;         /* its bytes */
    size_t len;               /* how many, at most 1 MiB for JSON */
    dl_audit_media media;     /* what it was sent as */
    const char *const *names; /* further secret names, ends in NULL; or NULL */
} dl_audit_body;

/* Return whether the LEN bytes at NAME name a secret, by the list above or by
 * NAMES (ends in NULL, or NULL). */
bool dl_audit_is_secret(const char *name, size_t len, const char *const *names);

/* Append BODY without its secrets, cut to DL_AUDIT_BODY_MAX bytes at a
 * character, to OUT.  DL_LIMIT: OUT is full. */
DL_MUSTCHECK dl_status dl_audit_redact_body(dl_buf *out,
                                            const dl_audit_body *body,
                                            dl_error *err,
                                            apr_pool_t *scratch_pool);

/* Append the LEN bytes of the query string QUERY_TEXT as a JSON object in ASCII,
 * name to decoded value (an array of values where a name is repeated), without
 * secrets, to OUT.  What is past 64 pairs or DL_AUDIT_QUERY_MAX bytes is left
 * out and the member "..." says true.  DL_LIMIT: OUT is full. */
DL_MUSTCHECK dl_status dl_audit_redact_query(dl_buf *out,
                                             const char *query_text, size_t len,
                                             dl_error *err);

#endif
