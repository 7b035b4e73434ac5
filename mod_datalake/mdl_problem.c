/* mdl_problem.c - The problem types and what a request says about its own.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_problem.h"

#include <stdarg.h>
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "mdl_framing.h"
#include "mdl_problem_body.h"
#include "mdl_request.h"

/* clang-format off */
static const mdl_problem_type types[MDL_PROBLEM_COUNT] = {
    [MDL_PROBLEM_NONE] = {500, 0, "internal", "Internal error", ""},
    [MDL_PROBLEM_MALFORMED_REQUEST] = {400, 0, "malformed-request",
        "Malformed request",
        "The request breaks the rules of HTTP: framing, a header, the host, "
        "or an escape in the path. The connection is closed."},
    [MDL_PROBLEM_MALFORMED_JSON] = {400, 0, "malformed-json",
        "Malformed JSON",
        "The body is not JSON in UTF-8, names a member twice, or is nested "
        "too deeply. The members offset and reason say where and why."},
    [MDL_PROBLEM_INVALID_PARAMETER] = {400, 0, "invalid-parameter",
        "Invalid parameter",
        "A parameter is unknown, repeated, empty, of the wrong type or out "
        "of range. Each entry of errors names one parameter and its fault."},
    [MDL_PROBLEM_UNEXPECTED_BODY] = {400, 0, "unexpected-body",
        "Unexpected body",
        "The route takes no body with this method. Send the request without "
        "one."},
    [MDL_PROBLEM_UNAUTHORIZED] = {401, 0, "unauthorized", "Unauthorized",
        "The route needs a valid access token of an active account, sent as "
        "Authorization: Bearer. One text serves every cause."},
    [MDL_PROBLEM_INVALID_CREDENTIALS] = {401, 0, "invalid-credentials",
        "Invalid credentials",
        "Name or password is wrong, or the account is not active. One text "
        "serves every cause."},
    [MDL_PROBLEM_REAUTHENTICATION] = {401, 0, "reauthentication-required",
        "Log-in too old",
        "The route asks for a log-in that is at most five minutes old. Log in "
        "again and repeat the request with the new token."},
    [MDL_PROBLEM_FORBIDDEN] = {403, 0, "forbidden", "Forbidden",
        "The account lacks a role or grant. The member missing names the "
        "right that is needed."},
    [MDL_PROBLEM_CONSENT_WITHDRAWN] = {403, 0, "consent-required",
        "Consent required",
        "The account has not given its consent, or has withdrawn it (403); a "
        "registration must give it (422). Give it with PUT /user/me/consent."},
    [MDL_PROBLEM_NOT_FOUND] = {404, 0, "not-found", "Not found",
        "No route or object has this name, or it belongs to another "
        "account."},
    [MDL_PROBLEM_METHOD_NOT_ALLOWED] = {405, 0, "method-not-allowed",
        "Method not allowed",
        "The resource exists, but not with this method. Allow lists those it "
        "has."},
    [MDL_PROBLEM_NOT_ACCEPTABLE] = {406, 0, "not-acceptable",
        "Not acceptable",
        "The Accept header excludes every format of the route."},
    [MDL_PROBLEM_REQUEST_TIMEOUT] = {408, 0, "request-timeout",
        "Request time-out",
        "Header or body arrived too slowly. The connection is closed."},
    [MDL_PROBLEM_CONFLICT] = {409, 0, "conflict", "Conflict",
        "The name is taken, the object exists, or the same work is under "
        "way; then the member job holds its address."},
    [MDL_PROBLEM_PRECONDITION_FAILED] = {412, 0, "precondition-failed",
        "Precondition failed",
        "If-Match does not name the present state of the object. Read it "
        "again."},
    [MDL_PROBLEM_BODY_TOO_LARGE] = {413, 0, "body-too-large",
        "Body too large",
        "The body is longer than the route allows: 64 KiB on identity, "
        "access and configuration routes, 1 MiB elsewhere."},
    [MDL_PROBLEM_URI_TOO_LONG] = {414, 0, "uri-too-long", "URI too long",
        "The request line holds more than 8190 bytes."},
    [MDL_PROBLEM_UNSUPPORTED_MEDIA_TYPE] = {415, 0, "unsupported-media-type",
        "Unsupported media type",
        "The route does not take this Content-Type, or a Content-Encoding "
        "was sent. Accept-Post lists what it takes."},
    [MDL_PROBLEM_EXPECTATION] = {417, 0, "expectation", "Expectation failed",
        "Expect can only be 100-continue."},
    [MDL_PROBLEM_VALIDATION] = {422, 0, "validation", "Invalid content",
        "The body is well-formed, but a member is missing, unknown, of the "
        "wrong type or out of range. Each entry of errors points at one."},
    [MDL_PROBLEM_CONSENT_REQUIRED] = {422, 0, "consent-required",
        "Consent required",
        "A registration must give consent: send consent_given true."},
    [MDL_PROBLEM_IDEMPOTENCY_MISMATCH] = {422, 0, "idempotency-mismatch",
        "Idempotency-Key used before",
        "The key was sent before with another body. Use a new key for a new "
        "request."},
    [MDL_PROBLEM_UPGRADE_REQUIRED] = {426, 0, "upgrade-required",
        "Upgrade required",
        "The route speaks WebSocket, version 13, over HTTP/1.1."},
    [MDL_PROBLEM_QUOTA_EXCEEDED] = {429, 0, "quota-exceeded",
        "Quota exceeded",
        "The calls of this hour are used up. RateLimit says how many there "
        "are; try again after Retry-After seconds."},
    [MDL_PROBLEM_LOGIN_THROTTLED] = {429, 0, "login-throttled",
        "Too many attempts",
        "Too many log-ins failed for this name from this address, or too many "
        "accounts were registered from it. Try again after Retry-After "
        "seconds."},
    [MDL_PROBLEM_TOO_MANY_CONNECTIONS] = {429, 5, "too-many-connections",
        "Too many connections",
        "The account has as many open streams as it may. Close one, or try "
        "again after Retry-After seconds."},
    [MDL_PROBLEM_INTERNAL] = {500, 0, "internal", "Internal error",
        "The server made a mistake. Its log has the cause under the "
        "request_id of the answer."},
    [MDL_PROBLEM_METHOD_NOT_IMPLEMENTED] = {501, 0, "method-not-implemented",
        "Method not implemented",
        "The server knows GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS."},
    [MDL_PROBLEM_WAREHOUSE_UNAVAILABLE] = {503, 5, "warehouse-unavailable",
        "Warehouse unavailable",
        "The database does not answer in time. Try again after Retry-After "
        "seconds; lake reads go on meanwhile."},
    [MDL_PROBLEM_LAKE_UNAVAILABLE] = {503, 5, "lake-unavailable",
        "Lake unavailable",
        "The lake cannot be read. Try again after Retry-After seconds."},
    [MDL_PROBLEM_BROKER_UNAVAILABLE] = {503, 5, "broker-unavailable",
        "Broker unavailable",
        "Kafka does not answer. Nothing was sent; try again after "
        "Retry-After seconds."},
    [MDL_PROBLEM_OVERLOADED] = {503, 1, "overloaded", "Overloaded",
        "The server has more work than it can do in time. Try again after "
        "Retry-After seconds."},
    [MDL_PROBLEM_DEADLINE] = {503, 5, "deadline", "Deadline passed",
        "The answer was not complete within the time a request may take. "
        "Ask for less at once."},
    [MDL_PROBLEM_HTTP_VERSION] = {505, 0, "http-version",
        "HTTP version not supported",
        "The server speaks HTTP/1.0, HTTP/1.1 and, over TLS, HTTP/2."},
    [MDL_PROBLEM_STORAGE_FULL] = {507, 60, "storage-full", "Storage full",
        "There is no room to store what was sent. Nothing was stored; try "
        "again after Retry-After seconds."},
};
/* clang-format on */

const mdl_problem_type *mdl_problem_type_of(mdl_slug slug)
{
    return (unsigned)slug < MDL_PROBLEM_COUNT ? &types[slug] : &types[0];
}

mdl_slug mdl_problem_find(const char *text)
{
    int i;

    for (i = 1; i < MDL_PROBLEM_COUNT; i++) {
        if (strcmp(types[i].slug, text) == 0) {
            return (mdl_slug)i;
        }
    }
    return MDL_PROBLEM_NONE;
}

/* The first row of a status is the one that fits when nothing is known. */
mdl_slug mdl_problem_of_status(int status)
{
    int i;

    if (status == HTTP_SERVICE_UNAVAILABLE) {
        return MDL_PROBLEM_OVERLOADED;
    }
    for (i = 1; i < MDL_PROBLEM_COUNT; i++) {
        if (types[i].status == status) {
            return (mdl_slug)i;
        }
    }
    return MDL_PROBLEM_NONE;
}

static mdl_problem_state *state_of(mdl_request *q)
{
    if (q->problem == NULL) {
        q->problem = apr_pcalloc(q->r->pool, sizeof *q->problem);
    }
    return q->problem;
}

int mdl_problem(mdl_request *q, mdl_slug slug, const char *format, ...)
{
    const mdl_problem_type *type = mdl_problem_type_of(slug);
    mdl_problem_state *state = state_of(q);
    va_list args;

    va_start(args, format);
    state->detail = apr_pvsprintf(q->r->pool, format, args);
    va_end(args);
    state->slug = slug;
    if (q->body.text == NULL) {
        mdl_framing_leave_body(q->r);
    }
    if (type->retry_after_s > 0) {
        apr_table_setn(q->r->err_headers_out, "Retry-After",
                       apr_itoa(q->r->pool, type->retry_after_s));
    }
    return type->status;
}

/* Return the next free entry of errors[], or NULL. */
static mdl_problem_error *next_error(mdl_request *q)
{
    mdl_problem_state *state = state_of(q);

    return state->n_errors < MDL_PROBLEM_ERRORS
               ? &state->errors[state->n_errors++]
               : NULL;
}

void mdl_problem_parameter(mdl_request *q, const char *name, const char *code,
                           const char *format, ...)
{
    mdl_problem_error *error = next_error(q);
    va_list args;

    if (error == NULL) {
        return;
    }
    error->parameter = name;
    error->code = code;
    va_start(args, format);
    error->detail = apr_pvsprintf(q->r->pool, format, args);
    va_end(args);
}

void mdl_problem_pointer(mdl_request *q, const char *pointer, const char *code,
                         const char *format, ...)
{
    mdl_problem_error *error = next_error(q);
    va_list args;

    if (error == NULL) {
        return;
    }
    error->pointer = pointer;
    error->code = code;
    va_start(args, format);
    error->detail = apr_pvsprintf(q->r->pool, format, args);
    va_end(args);
}

void mdl_problem_member(mdl_request *q, const char *name, const char *value)
{
    mdl_problem_state *state = state_of(q);

    if (state->n_members < MDL_PROBLEM_MEMBERS) {
        state->members[state->n_members].name = name;
        state->members[state->n_members++].value = value;
    }
}

void mdl_problem_member_int(mdl_request *q, const char *name, uint32_t value)
{
    mdl_problem_state *state = state_of(q);

    if (state->n_members < MDL_PROBLEM_MEMBERS) {
        state->members[state->n_members].name = name;
        state->members[state->n_members].value = NULL;
        state->members[state->n_members++].number = value;
    }
}
