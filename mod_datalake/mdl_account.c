/* mdl_account.c - Account and revoked log-ins, read in one visit.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_account.h"

#include <string.h>

#include <apr_strings.h>

#include "dl_grant_store.h"
#include "dl_identity.h"
#include "dl_login.h"
#include "mdl_metrics.h"
#include "mdl_site.h"

/* What one visit wants and brings. */
typedef struct visit {
    int64_t user_id;
    const char *sid;     /* of the log-in that is asked for */
    mdl_account account; /* the whole account, or */
    bool revoked;        /* whether that log-in is revoked, or */
    dl_grant_set *set;   /* where all its grants go, and */
    bool complete;       /* whether they fit */
} visit;

static dl_status read_sessions(dl_session_list *list, struct dl_wh *wh,
                               int64_t user_id, bool *crowded, dl_error *err)
{
    dl_status status =
        dl_identity_revoked(list, wh, user_id, dl_time_now(), err);

    *crowded = status == DL_LIMIT;
    return *crowded ? DL_OK : status;
}

static dl_status read_grants(mdl_account *account, struct dl_wh *wh,
                             dl_error *err)
{
    dl_grant_set set = {.bytes = account->grants,
                        .max = sizeof account->grants};

    DL_TRY(dl_grant_load(&set, &account->all_grants, wh, account->user_id,
                         dl_time_now(), err));
    account->grants_len = (uint16_t)set.len;
    return DL_OK;
}

static dl_status read_account(struct dl_wh *wh, void *context, dl_error *err)
{
    visit *v = context;
    mdl_account *account = &v->account;
    dl_session sessions[MDL_MIRROR_REVOKED];
    dl_session_list list = {.rows = sessions, .max = MDL_MIRROR_REVOKED};
    dl_account row;
    dl_status status;
    size_t i;

    memset(account, 0, sizeof *account);
    account->user_id = v->user_id;
    status = dl_identity_find_id(&row, wh, v->user_id, err);
    if (status == DL_NOT_FOUND) {
        return DL_OK;
    }
    DL_TRY(status);
    DL_TRY(read_sessions(&list, wh, v->user_id, &account->crowded, err));
    account->epoch = row.epoch;
    account->role = (uint8_t)row.role;
    account->active = row.active;
    account->consent = row.consent;
    DL_TRY(read_grants(account, wh, err));
    apr_cpystrn(account->username, row.username, sizeof account->username);
    for (i = 0; i < list.n; i++) {
        account->revoked[i] = mdl_mirror_hash(sessions[i].sid);
    }
    account->n_revoked = (uint32_t)list.n;
    return DL_OK;
}

static dl_status read_revoked(struct dl_wh *wh, void *context, dl_error *err)
{
    visit *v = context;

    return dl_login_is_revoked(&v->revoked, wh, v->sid, err);
}

static dl_status read_all_grants(struct dl_wh *wh, void *context, dl_error *err)
{
    visit *v = context;

    v->set->len = 0;
    return dl_grant_load(v->set, &v->complete, wh, v->user_id, dl_time_now(),
                         err);
}

static dl_status make_visit(visit *v, mdl_wh_pool *pool, mdl_wh_reader *reader,
                            dl_error *err)
{
    dl_status status = mdl_wh_read(pool, reader, v, err);

    mdl_metrics_query(MDL_METRICS_IDENTITY, status == DL_OK
                                                ? MDL_METRICS_ANSWERED
                                                : MDL_METRICS_FAILED);
    return status;
}

dl_status mdl_account_load(mdl_account *account, mdl_mirror *mirror,
                           mdl_wh_pool *pool, int64_t user_id, dl_error *err)
{
    visit v = {.user_id = user_id};
    uint64_t mark = mdl_mirror_mark(mirror);

    DL_TRY(make_visit(&v, pool, read_account, err));
    mdl_mirror_put(mirror, &v.account, mark);
    *account = v.account;
    return DL_OK;
}

void mdl_account_refresh(const struct mdl_site *site, int64_t user_id)
{
    mdl_mirror_change(site->mirror);
    (void)mdl_mirror_drop(site->mirror, user_id);
}

dl_status mdl_account_check_session(bool *revoked, mdl_wh_pool *pool,
                                    const char *sid, dl_error *err)
{
    visit v = {.sid = sid};

    DL_TRY(make_visit(&v, pool, read_revoked, err));
    *revoked = v.revoked;
    return DL_OK;
}

dl_status mdl_account_load_grants(dl_grant_set *set, bool *complete,
                                  mdl_wh_pool *pool, int64_t user_id,
                                  dl_error *err)
{
    visit v = {.user_id = user_id, .set = set};

    DL_TRY(make_visit(&v, pool, read_all_grants, err));
    *complete = v.complete;
    return DL_OK;
}
