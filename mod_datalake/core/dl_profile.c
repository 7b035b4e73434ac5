/* dl_profile.c - Reading and writing the personal part of an account.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_profile.h"

#include <string.h>

#include "dl_statements.h"
#include "dl_wh.h"

/* Columns of STMT_PROFILE. */
enum profile_column {
    COLUMN_FIRST_NAME,
    COLUMN_LAST_NAME,
    COLUMN_ADDRESS,
    COLUMN_CONSENT_DATE,
    COLUMN_CONSENT_VERSION
};

static dl_status read_row(dl_profile *profile, const dl_wh_stmt *st,
                          dl_error *err)
{
    profile->consent_date = dl_wh_time(st, COLUMN_CONSENT_DATE);
    DL_TRY(dl_wh_copy_text(profile->first_name, sizeof profile->first_name, st,
                           COLUMN_FIRST_NAME, err));
    DL_TRY(dl_wh_copy_text(profile->last_name, sizeof profile->last_name, st,
                           COLUMN_LAST_NAME, err));
    DL_TRY(dl_wh_copy_text(profile->address, sizeof profile->address, st,
                           COLUMN_ADDRESS, err));
    return dl_wh_copy_text(profile->consent_version,
                           sizeof profile->consent_version, st,
                           COLUMN_CONSENT_VERSION, err);
}

dl_status dl_profile_read(dl_profile *profile, dl_wh *wh, int64_t id,
                          dl_error *err)
{
    dl_wh_stmt *st;
    bool more = false;
    dl_status status;

    DL_TRY(dl_identity_find_id(&profile->account, wh, id, err));
    DL_TRY(dl_wh_prepare(&st, wh, STMT_PROFILE, err));
    dl_wh_bind_int(st, 0, id);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (!more) {
        return dl_fail(err, DL_NOT_FOUND, 0, "there is no such account");
    }
    status = read_row(profile, st, err);
    dl_wh_finish(st);
    return status;
}

dl_status dl_profile_lock(dl_wh *wh, int64_t id, dl_error *err)
{
    dl_wh_stmt *st;
    bool more = false;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_ACCOUNT_LOCK, err));
    dl_wh_bind_int(st, 0, id);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (!more) {
        return dl_fail(err, DL_NOT_FOUND, 0, "there is no such account");
    }
    dl_wh_finish(st);
    return DL_OK;
}

/* Bind TEXT to parameter I; "" is NULL. */
static void bind_optional(dl_wh_stmt *st, unsigned i, const char *text)
{
    dl_wh_bind_str(st, i, text[0] == '\0' ? NULL : text);
}

dl_status dl_profile_write(dl_wh *wh, const dl_profile *profile, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_PROFILE_SET, err));
    bind_optional(st, 0, profile->account.email);
    bind_optional(st, 1, profile->first_name);
    bind_optional(st, 2, profile->last_name);
    bind_optional(st, 3, profile->address);
    dl_wh_bind_int(st, 4, profile->account.id);
    if (dl_wh_run(st, err) != DL_OK) {
        return err->status == DL_CONFLICT
                   ? dl_fail(err, DL_CONFLICT, 0, "the e-mail address is taken")
                   : err->status;
    }
    return DL_OK;
}

dl_status dl_profile_taken(bool *taken, dl_wh *wh, const char *username,
                           const char *email, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_ACCOUNT_TAKEN, err));
    dl_wh_bind_str(st, 0, username);
    dl_wh_bind_str(st, 1, email);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(taken, st, err));
    dl_wh_finish(st);
    return DL_OK;
}

static dl_status read_consent(dl_consent *row, const dl_wh_stmt *st,
                              dl_error *err)
{
    row->id = dl_wh_int(st, 0);
    row->given = dl_wh_int(st, 1) != 0;
    row->at = dl_wh_time(st, 3);
    DL_TRY(dl_wh_copy_text(row->version, sizeof row->version, st, 2, err));
    return dl_wh_copy_text(row->source, sizeof row->source, st, 4, err);
}

dl_status dl_profile_consents(dl_consents *consents, dl_wh *wh, int64_t id,
                              int64_t before, dl_error *err)
{
    dl_wh_stmt *st;
    bool more = false;

    consents->n = 0;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_CONSENT_LIST, err));
    dl_wh_bind_int(st, 0, id);
    dl_wh_bind_int(st, 1, before);
    dl_wh_bind_int(st, 2, (int64_t)consents->max);
    DL_TRY(dl_wh_run(st, err));
    for (;;) {
        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more || consents->n == consents->max) {
            dl_wh_finish(st);
            return DL_OK;
        }
        DL_TRY(read_consent(&consents->rows[consents->n], st, err));
        consents->n++;
    }
}
