/* mdl_problem.h - Errors as the client sees them: RFC 9457 problem+json.
 *
 * Code names a problem and returns its HTTP status up to httpd; the body is
 * written by one place, the filter in mdl_filter_error.c, for our problems
 * and for those of httpd itself alike.  So an administrator's ErrorDocument
 * wins, whoever found the error.
 *
 *   return mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
 *                      "There is no day %s in %s.", date, dataset);
 *
 * The detail is a full sentence for people, made of text that a client may
 * see: never a path of the file system, SQL or a driver's words.
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_PROBLEM_H
#define MDL_PROBLEM_H

#include <stdint.h>

#include <apr_pools.h>

struct mdl_request;

/* The types of contract 1.2; each is one row of mdl_problem.c. */
typedef enum mdl_slug {
    MDL_PROBLEM_NONE = 0,               /* no problem named yet */
    MDL_PROBLEM_MALFORMED_REQUEST,      /* 400 */
    MDL_PROBLEM_MALFORMED_JSON,         /* 400 */
    MDL_PROBLEM_INVALID_PARAMETER,      /* 400 */
    MDL_PROBLEM_UNEXPECTED_BODY,        /* 400 */
    MDL_PROBLEM_UNAUTHORIZED,           /* 401 */
    MDL_PROBLEM_INVALID_CREDENTIALS,    /* 401, wrong log-in */
    MDL_PROBLEM_REAUTHENTICATION,       /* 401, log-in too old */
    MDL_PROBLEM_FORBIDDEN,              /* 403, member missing */
    MDL_PROBLEM_CONSENT_WITHDRAWN,      /* 403 consent-required */
    MDL_PROBLEM_NOT_FOUND,              /* 404 */
    MDL_PROBLEM_METHOD_NOT_ALLOWED,     /* 405, Allow */
    MDL_PROBLEM_NOT_ACCEPTABLE,         /* 406 */
    MDL_PROBLEM_REQUEST_TIMEOUT,        /* 408 */
    MDL_PROBLEM_CONFLICT,               /* 409 */
    MDL_PROBLEM_PRECONDITION_FAILED,    /* 412 */
    MDL_PROBLEM_BODY_TOO_LARGE,         /* 413 */
    MDL_PROBLEM_URI_TOO_LONG,           /* 414 */
    MDL_PROBLEM_UNSUPPORTED_MEDIA_TYPE, /* 415 */
    MDL_PROBLEM_EXPECTATION,            /* 417 */
    MDL_PROBLEM_VALIDATION,             /* 422 */
    MDL_PROBLEM_CONSENT_REQUIRED,       /* 422, at registration */
    MDL_PROBLEM_IDEMPOTENCY_MISMATCH,   /* 422, key with another body */
    MDL_PROBLEM_UPGRADE_REQUIRED,       /* 426 */
    MDL_PROBLEM_QUOTA_EXCEEDED,         /* 429, Retry-After by the caller */
    MDL_PROBLEM_LOGIN_THROTTLED,        /* 429, Retry-After by the caller */
    MDL_PROBLEM_TOO_MANY_CONNECTIONS,   /* 429, Retry-After */
    MDL_PROBLEM_INTERNAL,               /* 500 */
    MDL_PROBLEM_METHOD_NOT_IMPLEMENTED, /* 501, Allow */
    MDL_PROBLEM_WAREHOUSE_UNAVAILABLE,  /* 503, Retry-After */
    MDL_PROBLEM_LAKE_UNAVAILABLE,       /* 503, Retry-After */
    MDL_PROBLEM_BROKER_UNAVAILABLE,     /* 503, Retry-After */
    MDL_PROBLEM_OVERLOADED,             /* 503, Retry-After */
    MDL_PROBLEM_DEADLINE,               /* 503, Retry-After */
    MDL_PROBLEM_HTTP_VERSION,           /* 505 */
    MDL_PROBLEM_STORAGE_FULL,           /* 507, Retry-After */
    MDL_PROBLEM_COUNT                   /* how many there are */
} mdl_slug;

/* One type as /problems/{slug} describes it. */
typedef struct mdl_problem_type {
    int status;              /* HTTP status */
    int retry_after_s;       /* value of Retry-After, 0: no such header */
    const char *slug;        /* last part of type */
    const char *title;       /* title */
    const char *description; /* when it happens and what to do, sentences */
} mdl_problem_type;

/* Return the row of SLUG (not NONE).  Static.  Thread: any. */
const mdl_problem_type *mdl_problem_type_of(mdl_slug slug);

/* Return the type whose slug is TEXT, or MDL_PROBLEM_NONE.  Thread: any. */
mdl_slug mdl_problem_find(const char *text);

/* Return the type that fits an HTTP STATUS set by httpd or another module;
 * MDL_PROBLEM_NONE when none does.  Thread: any. */
mdl_slug mdl_problem_of_status(int status);

/* Name SLUG as the problem of Q, with the detail made from FORMAT, and set
 * the headers its row asks for.  A second call replaces the first.  Return
 * its HTTP status for the caller to return. */
int mdl_problem(struct mdl_request *q, mdl_slug slug, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Add one entry to errors[] of Q's problem, before or after mdl_problem():
 * about the query or path parameter NAME.  CODE and NAME live as long as the
 * request; the detail is made from FORMAT.  At most 20 are kept. */
void mdl_problem_parameter(struct mdl_request *q, const char *name,
                           const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same about the body's member at the JSON pointer POINTER. */
void mdl_problem_pointer(struct mdl_request *q, const char *pointer,
                         const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Add the member NAME (static) with the number VALUE: "offset" of
 * malformed-json.  Counts among those 4. */
void mdl_problem_member_int(struct mdl_request *q, const char *name,
                            uint32_t value);

/* Add the member NAME with the text VALUE (both live as long as the request)
 * to Q's problem: "missing" of forbidden, "job" of conflict.  At most 4. */
void mdl_problem_member(struct mdl_request *q, const char *name,
                        const char *value);

#endif
