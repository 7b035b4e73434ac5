/* mdl_access.c - Accounts, resources and rights as /api/access/ sees them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_access.h"

#include <string.h>
#include <strings.h>

#include <httpd.h>

#include "dl_grant_name.h"
#include "mdl_config.h"
#include "mdl_grant.h"
#include "mdl_http.h"
#include "mdl_lake.h"
#include "mdl_problem.h"

/* --- Accounts ------------------------------------------------------------- */

/* What a look at the warehouse wants and brings. */
typedef struct visit {
    const char *username;
    dl_account *account;
} visit;

static dl_status read_account(struct dl_wh *wh, void *context, dl_error *err)
{
    const visit *v = context;

    return dl_identity_find(v->account, wh, v->username, err);
}

int mdl_access_find_account(dl_account *account, mdl_request *q,
                            const char *username)
{
    visit v = {username, account};
    dl_error err;
    /* The database would take "alice " for alice. */
    dl_status status =
        dl_identity_check_username(username, strlen(username), &err);

    if (status == DL_OK) {
        status = mdl_wh_read(q->site->wh, read_account, &v, &err);
    }
    if (status == DL_NOT_FOUND || status == DL_INVALID ||
        (status == DL_OK && account->deleted_at != DL_TIME_NONE)) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
                           "There is no account of that name.");
    }
    return status == DL_OK ? OK : mdl_http_fail(q, MDL_WAREHOUSE, &err);
}

/* --- Resources ------------------------------------------------------------ */

int mdl_access_check_resource(mdl_request *q, const dl_resource *resource)
{
    dl_grant_names names = {.declared = q->site->datasets};
    dl_error err = {DL_OK, 0, ""};

    /* Most resources are found without a look at the lake. */
    if (dl_grant_exists(&names, resource)) {
        return OK;
    }
    if (resource->kind != DL_RESOURCE_TABLE) {
        if (mdl_lake_datasets(&names.lake, &names.n_lake, q->site->lake, &err,
                              q->r->pool) != DL_OK) {
            return mdl_http_fail(q, MDL_LAKE, &err);
        }
        if (dl_grant_exists(&names, resource)) {
            return OK;
        }
    }
    return mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
                       "There is no such dataset or table.");
}

/* --- Rights --------------------------------------------------------------- */

int mdl_access_may_change(mdl_request *q, const dl_resource *resource,
                          dl_level level, const char *username)
{
    int status = mdl_grant_load(q);

    if (status != OK) {
        return status;
    }
    if (level == DL_LEVEL_ADMIN && q->identity.role != DL_ROLE_ADMIN) {
        return mdl_grant_refuse(q, "role admin");
    }
    status = mdl_grant_require(q, resource, DL_LEVEL_ADMIN, false);
    if (status == OK && level != DL_LEVEL_NONE &&
        strcasecmp(username, q->identity.username) == 0) {
        return mdl_grant_refuse(q, "a grant by another account");
    }
    return status;
}

/* --- Answers -------------------------------------------------------------- */

void mdl_access_write_row(dl_json_writer *w, const dl_grant_row *row)
{
    dl_json_write_key(w, "username");
    dl_json_write_text(w, row->username);
    dl_json_write_key(w, "resource");
    dl_json_write_text(w, row->resource);
    dl_json_write_key(w, "access");
    dl_json_write_text(w, dl_level_name(row->level));
    dl_json_write_key(w, "expires_at");
    dl_json_write_time(w, row->expires_at);
    dl_json_write_key(w, "granted_by");
    dl_json_write_text(w, row->granted_by[0] != '\0' ? row->granted_by : NULL);
    dl_json_write_key(w, "granted_at");
    dl_json_write_time(w, row->granted_at);
}

/* --- New accounts --------------------------------------------------------- */

dl_status mdl_access_give_defaults(struct dl_wh *wh, const mdl_site *site,
                                   int64_t user_id, dl_error *err)
{
    const mdl_config *config = site->config;
    dl_grant_new grant = {.user_id = user_id,
                          .expires_at = DL_TIME_NONE,
                          .granted_at = dl_time_now()};
    bool replaced;
    int i;

    for (i = 0; i < config->n_default_grants; i++) {
        grant.resource = config->default_grants[i].resource;
        grant.level = config->default_grants[i].level;
        DL_TRY(dl_grant_put(&replaced, wh, &grant, err));
    }
    return DL_OK;
}
