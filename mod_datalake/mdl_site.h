/* mdl_site.h - What the requests of one server are served from.
 *
 * Made in post_config from the server's directives and datalake.ini, while
 * httpd may still be root: keys are read, folders are opened.  Each child then
 * opens what must not cross a fork.  Servers with equal settings share the
 * parts that are equal: mirror and quota by warehouse, the pool by account.
 *
 * Thread: written at start and at child start, constant afterwards.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_SITE_H
#define MDL_SITE_H

#include <stdbool.h>

#include <httpd.h>

#include "dl_error.h"
#include "dl_token.h"
#include "mdl_cache.h"
#include "mdl_commit.h"
#include "mdl_config.h"
#include "mdl_cursor.h"
#include "mdl_kafka.h"
#include "mdl_lake.h"
#include "mdl_models.h"
#include "mdl_wh.h"

struct dl_config;
struct dl_dataset_set;
struct dl_token_cache;
struct dl_wh_target;
struct mdl_mirror;
struct dl_audit_key;
struct mdl_audit_log;
struct mdl_openapi;
struct mdl_web;
struct mdl_quota;

/* One server's part. */
typedef struct mdl_site {
    const mdl_config *config;              /* its directives */
    const struct dl_config *ini;           /* what DataLakeConfig says */
    const struct dl_dataset_set *datasets; /* the declared datasets */
    dl_keyset *keys;                       /* of DataLakeTokenKeyFile and
                                              DataLakeJWKSFile */
    const char *jwks;                      /* their public parts as a JWK Set;
                                              NULL: there are only secrets */
    dl_token_rules rules;                  /* issuer and audience */
    const struct mdl_web *web;             /* the files of DataLakeWebDir */
    const struct mdl_openapi *openapi;     /* the API description */
    mdl_cursor_key cursor_key;             /* signs cursors, from the keys */
    int lake_fd;  /* the lake's root, opened at start; -1: cannot be opened */
    int run_fd;   /* [run] dir likewise */
    int audit_fd; /* DataLakeAuditDir likewise */
    const struct dl_audit_key *audit_key; /* of DataLakeAuditKeyFile */
    struct mdl_audit_log *audit;          /* this child's; NULL in the parent */
    struct mdl_mirror *mirror;            /* accounts, in shared memory */
    struct mdl_quota *quota;              /* who has called how often, there */
    const struct dl_wh_target *wh_target; /* account api, with password */
    struct dl_token_cache *tokens;        /* this child's; NULL in the parent */
    mdl_wh_pool *wh;                      /* this child's; NULL in the parent */
    mdl_cache *cache;                     /* this child's; NULL in the parent */
    mdl_lake *lake;                       /* this child's; NULL in the parent */
    mdl_commit *commit;                   /* this child's; NULL in the parent */
    mdl_kafka *kafka;                     /* this child's; NULL in the parent */
    mdl_models *models;                   /* this child's; NULL in the parent */
    bool open; /* the members of this child are there */
} mdl_site;

/* Set *SITE to what SERVER serves from; *SITE is NULL when DataLakeEngine is
 * off.  DL_INVALID and others: a sentence naming file and reason.  Lives in
 * POOL.  Thread: start only. */
DL_MUSTCHECK dl_status mdl_site_create(mdl_site **site, server_rec *server,
                                       dl_error *err, apr_pool_t *pool);

/* Open the folders of SITE, of SERVER, its mirror and its quota, as long as
 * httpd may still be root.  A folder that cannot be opened is logged, and is 503 later.
 * DL_IO: no shared memory.  Lives in POOL.  Thread: start only. */
DL_MUSTCHECK dl_status mdl_site_prepare(mdl_site *site,
                                        const server_rec *server, dl_error *err,
                                        apr_pool_t *pool);

/* Give SITE its own memory of verified tokens, freed with CHILD_POOL; before
 * one of the two calls below.  DL_UNAVAILABLE: no memory.  Thread: child start
 * only. */
DL_MUSTCHECK dl_status mdl_site_open_tokens(mdl_site *site, dl_error *err,
                                            apr_pool_t *child_pool);

/* Open in this child what SITE needs; what it opens is closed with
 * CHILD_POOL.  A dependency that is away is no failure.  DL_INTERNAL: no
 * thread.  Thread: child start only. */
DL_MUSTCHECK dl_status mdl_site_open(mdl_site *site, dl_error *err,
                                     apr_pool_t *child_pool);

/* Give SITE what this child has opened for OTHER.  Thread: child start
 * only. */
void mdl_site_share(mdl_site *site, const mdl_site *other);

/* Return the site of SERVER, or NULL where DataLakeEngine is off.
 * Thread: any. */
mdl_site *mdl_site_get(const server_rec *server);

#endif
