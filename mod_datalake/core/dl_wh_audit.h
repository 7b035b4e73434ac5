/* dl_wh_audit.h - Asking the audit log in the warehouse.
 *
 * Thread: the owner of the connection.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_WH_AUDIT_H
#define DL_WH_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_json_write.h"
#include "dl_time.h"

struct dl_wh;

/* Bytes of texts after which a page ends. */
#define DL_WH_AUDIT_BYTES 1048576

/* Which entries are asked for. */
typedef struct dl_wh_audit_query {
    const char *user;     /* of this account's name; NULL: of all */
    const char *resource; /* of this resource; NULL: of all */
    const char *method;   /* with this method; NULL: all */
    dl_time from;         /* not before; DL_TIME_NONE: no bound */
    dl_time to;           /* before; DL_TIME_NONE: no bound */
    int64_t before;       /* with smaller ids; 0: no bound */
    bool with_resource;   /* only those that have a resource */
    int limit;            /* at most so many */
} dl_wh_audit_query;

/* One entry; texts are NULL where the contract has null. */
typedef struct dl_wh_audit_row {
    int64_t id;               /* ascending in time */
    dl_time timestamp;        /* when it was answered */
    const char *user;         /* account by name */
    int64_t user_id;          /* account by id; 0: none */
    const char *address;      /* of the client */
    const char *method;       /* HTTP method */
    const char *endpoint;     /* path */
    const char *query_params; /* JSON object; NULL: none */
    const char *body;         /* without secrets */
    const char *resource;     /* what was accessed */
    const char *action;       /* read, write, delete, grant, login, export */
    int64_t status;           /* HTTP status */
    int64_t bytes;            /* of the answer */
    int64_t duration_ms;      /* to the answer */
    const char *request_id;   /* X-Request-Id */
} dl_wh_audit_row;

/* A page of entries. */
typedef struct dl_wh_audit_page {
    dl_wh_audit_row *rows; /* newest first */
    int n;                 /* how many */
    bool more;             /* older ones follow */
} dl_wh_audit_page;

/* Set *PAGE to the newest entries QUERY asks for, fewer than its limit when
 * their texts pass DL_WH_AUDIT_BYTES.  Lives in RESULT_POOL.  Errors as
 * dl_wh_run. */
DL_MUSTCHECK dl_status dl_wh_audit_list(dl_wh_audit_page *page,
                                        struct dl_wh *wh,
                                        const dl_wh_audit_query *query,
                                        dl_error *err, apr_pool_t *result_pool);

/* Write ROW as the contract's entry (2.4), one object. */
void dl_wh_audit_write(dl_json_writer *w, const dl_wh_audit_row *row);

/* Write ROW as an entry of the access log: user, action, resource,
 * timestamp. */
void dl_wh_audit_write_access(dl_json_writer *w, const dl_wh_audit_row *row);

#endif
