/* mdl_api_consent.c - GET, PUT /user/me/consent: what the account agreed to.
 *
 * Without consent every other route is 403 from the next request on; these
 * stay open, so that it can be given again.  The history shows the newest
 * HISTORY decisions, newest first; the export has all of them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include "dl_identity_within.h"
#include "mdl_account.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_me.h"
#include "mdl_site.h"

/* Decisions that are shown, and read at once. */
#define HISTORY 1000
#define PAGE    50

/* Bytes of the answer: about 130 for a decision. */
#define ANSWER_MAX 262144

enum {
    GIVEN
};

static const mdl_member consent_members[] = {
    [GIVEN] = {.name = "consent_given",
               .type = MDL_MEMBER_BOOL,
               .required = true,
               .summary = "true gives consent, false withdraws it"},
    {.name = NULL}};

const mdl_body mdl_api_consent_body = {.members = consent_members,
                                       .media = MDL_MEDIA_JSON,
                                       .limit = MDL_BODY_SMALL};

/* One visit to the warehouse. */
typedef struct visit {
    mdl_request *q;
    dl_buf *buf; /* the answer */
    bool stale;  /* If-Match names another state */
} visit;

/* Write the decisions of account ID. */
static dl_status write_history(dl_json_writer *w, struct dl_wh *wh, int64_t id,
                               dl_error *err)
{
    dl_consent rows[PAGE];
    dl_consents page = {.rows = rows, .max = PAGE};
    int64_t before = INT64_MAX;
    int shown = 0;
    size_t i;

    do {
        DL_TRY(dl_profile_consents(&page, wh, id, before, err));
        for (i = 0; i < page.n; i++) {
            mdl_me_write_consent(w, &rows[i]);
            before = rows[i].id;
            shown++;
        }
    } while (page.n == PAGE && shown < HISTORY);
    return DL_OK;
}

/* Make the answer as the warehouse says now. */
static dl_status make_answer(struct dl_wh *wh, visit *v, dl_error *err)
{
    int64_t id = v->q->identity.user_id;
    dl_profile profile;
    dl_json_writer w;

    DL_TRY(dl_profile_read(&profile, wh, id, err));
    v->buf->len = 0;
    dl_json_writer_begin(&w, v->buf);
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "consent_given");
    dl_json_write_bool(&w, profile.account.consent);
    dl_json_write_key(&w, "consent_date");
    dl_json_write_time(&w, profile.consent_date);
    dl_json_write_key(&w, "consent_version");
    dl_json_write_text(&w, profile.consent_version);
    dl_json_write_key(&w, "history");
    dl_json_write_array_begin(&w);
    DL_TRY(write_history(&w, wh, id, err));
    dl_json_write_array_end(&w);
    dl_json_write_object_end(&w);
    return dl_json_writer_finish(&w, err);
}

static dl_status read_consent(struct dl_wh *wh, void *context, dl_error *err)
{
    return make_answer(wh, context, err);
}

/* Whether If-Match lets the consent of V, which is locked, be changed. */
static dl_status check_state(struct dl_wh *wh, visit *v, dl_error *err)
{
    char etag[MDL_ETAG_TEXT];

    v->stale = false;
    if (apr_table_get(v->q->r->headers_in, "If-Match") == NULL) {
        return DL_OK;
    }
    DL_TRY(make_answer(wh, v, err));
    mdl_answer_etag(etag, v->buf->data, v->buf->len);
    v->stale = !mdl_answer_may_change(v->q, etag);
    return v->stale
               ? dl_fail(err, DL_CONFLICT, 0, "If-Match names another state")
               : DL_OK;
}

static dl_status put_consent(struct dl_wh *wh, void *context, dl_error *err)
{
    visit *v = context;

    DL_TRY(dl_profile_lock(wh, v->q->identity.user_id, err));
    DL_TRY(check_state(wh, v, err));
    DL_TRY(dl_identity_consent_within(wh, v->q->identity.user_id,
                                      v->q->members[GIVEN].flag, dl_time_now(),
                                      err));
    return make_answer(wh, v, err);
}

int mdl_api_consent(mdl_request *q)
{
    visit v = {.q = q, .buf = mdl_answer_buf(q, ANSWER_MAX)};
    dl_error err;

    if (mdl_wh_read(q->site->wh, read_consent, &v, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return mdl_answer_state(q, v.buf);
}

int mdl_api_consent_put(mdl_request *q)
{
    visit v = {.q = q, .buf = mdl_answer_buf(q, ANSWER_MAX)};
    dl_error err;
    dl_status status = mdl_wh_write(q->site->wh, put_consent, &v, &err);

    mdl_account_refresh(q->site, q->identity.user_id);
    if (status == DL_CONFLICT && v.stale) {
        return mdl_me_refuse_stale(q);
    }
    if (status != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return mdl_answer_buffer(q, v.buf);
}
