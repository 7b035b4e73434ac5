/* dl_wh_idempotency.c - Claims, answers, and what has expired.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_idempotency.h"

#include <string.h>

#include <apr_strings.h>

#include "dl_statements.h"

static void bind_key(dl_wh_stmt *st, unsigned at, const dl_wh_claim *claim)
{
    dl_wh_bind_str(st, at, claim->owner);
    dl_wh_bind_str(st, at + 1, claim->key);
}

/* Delete what stands under the key of CLAIM and has expired. */
static dl_status make_room(dl_wh *wh, const dl_wh_claim *claim, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_IDEMPOTENCY_EXPIRE, err));
    bind_key(st, 0, claim);
    dl_wh_bind_time(st, 2, dl_time_now());
    return dl_wh_run(st, err);
}

static dl_status insert(dl_wh *wh, const dl_wh_claim *claim, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_IDEMPOTENCY_CLAIM, err));
    bind_key(st, 0, claim);
    dl_wh_bind_bytes(st, 2, claim->body_hash, sizeof claim->body_hash);
    dl_wh_bind_time(st, 3, claim->expires_at);
    return dl_wh_run(st, err);
}

/* Judge the row ST stands on. */
static dl_wh_claim_found judge(dl_wh_claim_answer *answer, dl_wh_stmt *st,
                               const dl_wh_claim *claim, apr_pool_t *pool)
{
    size_t len;
    const char *hash = dl_wh_text(st, 0, &len);
    const char *text;

    if (len != sizeof claim->body_hash ||
        memcmp(hash, claim->body_hash, len) != 0) {
        return DL_WH_CLAIM_OTHER;
    }
    if (dl_wh_is_null(st, 1)) {
        return DL_WH_CLAIM_RUNNING;
    }
    answer->status = (int)dl_wh_int(st, 1);
    text = dl_wh_text(st, 2, &answer->len);
    answer->text = apr_pstrmemdup(pool, text, answer->len);
    return DL_WH_CLAIM_ANSWERED;
}

dl_status dl_wh_claim_take(dl_wh_claim_found *found, dl_wh_claim_answer *answer,
                           dl_wh *wh, const dl_wh_claim *claim, dl_error *err,
                           apr_pool_t *pool)
{
    dl_status status;
    dl_wh_stmt *st;
    bool more = false;

    *found = DL_WH_CLAIM_MINE;
    DL_TRY(make_room(wh, claim, err));
    status = insert(wh, claim, err);
    if (status != DL_CONFLICT) {
        return status;
    }
    DL_TRY(dl_wh_prepare(&st, wh, STMT_IDEMPOTENCY_FIND, err));
    bind_key(st, 0, claim);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (!more) { /* given up just now */
        return dl_fail(err, DL_RETRY, 0, "the claim has gone");
    }
    *found = judge(answer, st, claim, pool);
    dl_wh_finish(st);
    return DL_OK;
}

dl_status dl_wh_claim_keep(dl_wh *wh, const dl_wh_claim *claim,
                           const dl_wh_claim_answer *answer, dl_time until,
                           dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_IDEMPOTENCY_KEEP, err));
    dl_wh_bind_int(st, 0, answer->status);
    dl_wh_bind_bytes(st, 1, answer->text, answer->len);
    dl_wh_bind_time(st, 2, until);
    bind_key(st, 3, claim);
    dl_wh_bind_time(st, 5, claim->expires_at);
    DL_TRY(dl_wh_run(st, err));
    if (dl_wh_affected(st) != 1) {
        return dl_fail(err, DL_NOT_FOUND, 0, "the claim has expired");
    }
    return DL_OK;
}

dl_status dl_wh_claim_drop(dl_wh *wh, const dl_wh_claim *claim, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_IDEMPOTENCY_DROP, err));
    bind_key(st, 0, claim);
    dl_wh_bind_time(st, 2, claim->expires_at);
    return dl_wh_run(st, err);
}

dl_status dl_wh_claim_forget(dl_wh *wh, dl_time before, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_IDEMPOTENCY_FORGET, err));
    dl_wh_bind_time(st, 0, before);
    return dl_wh_run(st, err);
}
