/* mdl_body.h - The one reader of request bodies: typed members, checked before
 * the handler runs.
 *
 * A row that takes a body names its members in a table, as parameters are
 * (mdl_param.h).  What the table does not name is 422 validation, as is a
 * member that is missing, of the wrong type or out of range; all faults are
 * told at once, each as one errors[] entry with a JSON pointer and a code:
 *
 *   unknown  repeated  required  wrong-type  too-short  too-long
 *   out-of-range  not-a-choice  not-a-time  time-zone-missing
 *   control-character (bidirectional marks too)
 *
 * Before that stand, in the order of the contract: 415 (the media type, any
 * Content-Encoding), 413 (by Content-Length before anything is read, else
 * while reading), 400 malformed-json with offset and reason (syntax, UTF-8,
 * a name twice, depth 64, 10,000 values) or, for a form, 400
 * invalid-parameter for a field that is sent twice.
 *
 *   enum { GRANT_USERNAME, GRANT_RESOURCE, GRANT_ACCESS };
 *   static const mdl_member grant_members[] = {
 *       [GRANT_USERNAME] = {.name = "username", .type = MDL_MEMBER_TEXT,
 *                           .required = true, .min = 3, .max = 100},
 *       ...
 *       {.name = NULL}};
 *   const mdl_body mdl_api_grant_body = {.members = grant_members,
 *       .media = MDL_MEDIA_JSON, .limit = MDL_BODY_SMALL};
 *
 * and the handler reads q->members[GRANT_USERNAME].text.
 *
 * Thread: tables are constant; values belong to one request.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_BODY_H
#define MDL_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dl_time.h"

struct dl_json_value;
struct dl_json_values;
struct mdl_request;

/* Most bytes of a body on identity, access and configuration routes. */
#define MDL_BODY_SMALL 65536

/* Most bytes of a body elsewhere. */
#define MDL_BODY_LARGE 1048576

/* Media types a row takes; a set of bits. */
enum mdl_media {
    MDL_MEDIA_JSON = 1, /* application/json */
    MDL_MEDIA_FORM = 2  /* application/x-www-form-urlencoded */
};

/* What a member must be. */
typedef enum mdl_member_type {
    MDL_MEMBER_TEXT, /* string without control characters, min..max bytes */
    MDL_MEMBER_INT,  /* whole number without fraction or exponent, min..max */
    MDL_MEMBER_BOOL, /* true or false */
    MDL_MEMBER_TIME, /* string or number as contract 1.3 reads times */
    MDL_MEMBER_ENUM, /* string, one of choices, exactly as written */
    MDL_MEMBER_ANY   /* any value but null; text and len are its JSON */
} mdl_member_type;

/* One member of a body. */
typedef struct mdl_member {
    const char *name;           /* its name */
    const char *alias;          /* second name, NULL: none */
    mdl_member_type type;       /* what it must be */
    bool required;              /* absent: 422 */
    bool nullable;              /* null is taken, as absent with is_null */
    bool ignored;               /* taken and not looked at */
    bool secret;                /* its value never leaves the request: "***" in
                                   the audit log */
    bool free_text;             /* TEXT: control characters are the handler's
                                   business (passwords) */
    bool end;                   /* a TIME that ends a range: a date means the
                                   end of that day */
    bool characters;            /* TEXT: min and max count characters, of up
                                   to 4 bytes each */
    int64_t min, max;           /* INT: values.  TEXT: bytes; max 0 means 255 */
    const char *const *choices; /* ENUM: texts, ends in NULL */
    const char *summary;        /* for the API description */
} mdl_member;

/* The body of one row. */
typedef struct mdl_body {
    const mdl_member *members; /* ends in a row without name */
    unsigned media;            /* bits of mdl_media */
    size_t limit;              /* most bytes: MDL_BODY_SMALL or _LARGE */
    bool not_empty;            /* at least one member has to be given */
    bool repeatable;           /* Idempotency-Key is honoured */
    bool optional;             /* no body at all is taken as {}, whatever the
                                  media type */
} mdl_body;

/* A checked member.  Only what belongs to its type means anything. */
typedef struct mdl_member_value {
    bool given;       /* it was sent and is not null */
    bool is_null;     /* it was sent as null */
    const char *text; /* TEXT, ENUM: decoded, ends in NUL; ANY: its JSON, which
                         does not */
    size_t len;       /* bytes of text; a free_text may hold NULs */
    int64_t number;   /* INT */
    bool flag;        /* BOOL */
    int choice;       /* ENUM: index into choices */
    dl_time time;     /* TIME */
} mdl_member_value;

/* The body as it came; in r->pool. */
typedef struct mdl_body_text {
    const char *text; /* its bytes; NULL: none was read */
    size_t len;       /* how many */
    unsigned media;   /* the bit of mdl_media it was sent as */
} mdl_body_text;

/* Read and judge the body of Q: fills Q's body and members.  Returns 0 (OK),
 * or the status of a problem that has been set.  Reads at most limit bytes and
 * one more; allocates at most three times as much and 480 KiB (10,000 values),
 * wiped with the request.  Thread: the request's. */
int mdl_body_parse(struct mdl_request *q);

/* Report that the member MEMBER has a value only a handler can refuse: 422
 * validation with one errors[] entry of CODE and DETAIL (both static or in the
 * request's pool).  Returns the status.  Thread: the request's. */
int mdl_body_refuse(struct mdl_request *q, const mdl_member *member,
                    const char *code, const char *detail);

/* An object inside the value of a member. */
typedef struct mdl_body_inside {
    const struct dl_json_values *values; /* which it is one of */
    uint32_t at;                         /* its index there */
    const mdl_member *rows; /* what it may have; no ANY, ends in a row without
                               name */
    const char *pointer;    /* JSON pointer to it in the body: "/user" */
} mdl_body_inside;

/* Judge INSIDE as the members of a body are, by the same rules, and keep its
 * members in OUT, one for each row.  Returns 0 (OK), or the status of the
 * faults told.  Thread: the request's. */
int mdl_body_judge_inside(mdl_member_value *out, struct mdl_request *q,
                          const mdl_body_inside *inside);

/* Set *NUMBER to VALUE, a whole number in any form of JSON (5, 5.0, 5e0) that
 * fits; else return false.  Thread: any. */
bool mdl_body_whole(int64_t *number, const struct dl_json_value *value);

#endif
