/* dl_grant_store.h - Grants in the warehouse (table access_grant).
 *
 * The two functions that change a grant run inside a transaction of the
 * caller and insert the row of identity_change that the mirrors wait for: with
 * the commit every server learns of it within a second.
 *
 * Every function may also return what dl_wh.h says of a lost connection
 * (DL_UNAVAILABLE) and of a deadlock (DL_RETRY).
 *
 * Thread: the one of the connection, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_GRANT_STORE_H
#define DL_GRANT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dl_error.h"
#include "dl_grant.h"
#include "dl_token.h"

struct dl_wh;

/* A grant to be stored. */
typedef struct dl_grant_new {
    int64_t user_id;      /* whose it will be */
    const char *resource; /* of what, checked by dl_resource_parse */
    dl_level level;       /* how much; not NONE */
    dl_time expires_at;   /* DL_TIME_NONE: never */
    int64_t granted_by;   /* account that gives it; 0: the server */
    dl_time granted_at;   /* now */
} dl_grant_new;

/* Store GRANT; set *REPLACED to whether the account had one of that resource,
 * whose level and end are replaced. */
DL_MUSTCHECK dl_status dl_grant_put(bool *replaced, struct dl_wh *wh,
                                    const dl_grant_new *grant, dl_error *err);

/* Take the grant of RESOURCE from account USER_ID.  DL_NOT_FOUND: it has
 * none of that very text. */
DL_MUSTCHECK dl_status dl_grant_delete(struct dl_wh *wh, int64_t user_id,
                                       const char *resource, dl_error *err);

/* Add to SET the grants of account USER_ID that have not ended at NOW, and set
 * *COMPLETE to whether all of them are in it. */
DL_MUSTCHECK dl_status dl_grant_load(dl_grant_set *set, bool *complete,
                                     struct dl_wh *wh, int64_t user_id,
                                     dl_time now, dl_error *err);

/* A stored grant as it is listed. */
typedef struct dl_grant_row {
    char username[DL_USERNAME_MAX + 1];   /* whose it is */
    char resource[DL_RESOURCE_MAX + 1];   /* of what */
    dl_level level;                       /* how much */
    dl_time expires_at;                   /* DL_TIME_NONE: never */
    char granted_by[DL_USERNAME_MAX + 1]; /* who gave it; "": the server, or
                                             nobody who is still there */
    dl_time granted_at;                   /* when it was given */
} dl_grant_row;

/* Which grants are listed, and from where on. */
typedef struct dl_grant_query {
    int64_t user_id;            /* of this account; 0: of all */
    const char *resource;       /* of this very text; "": of any */
    const char *after_username; /* behind this name, "" at first */
    const char *after_resource; /* and behind this resource of that name */
} dl_grant_query;

/* Room for grants that the caller gives. */
typedef struct dl_grant_list {
    dl_grant_row *rows; /* the caller's array */
    size_t max;         /* its length */
    size_t n;           /* set by the call: rows filled */
} dl_grant_list;

/* Fill LIST with the first grants of QUERY, ended ones too, by username (as
 * the database orders names, without case) and resource. */
DL_MUSTCHECK dl_status dl_grant_read(dl_grant_list *list, struct dl_wh *wh,
                                     const dl_grant_query *query,
                                     dl_error *err);

#endif
