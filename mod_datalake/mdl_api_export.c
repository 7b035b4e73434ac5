/* mdl_api_export.c - GET /user/me/export: all that is kept about an account.
 *
 * The account is read before the status line goes out, so a warehouse that is
 * away is 503; the lists follow page by page, each read with a connection of
 * its own, so memory is one page whatever there is and no connection waits for
 * the client.  A page that fails cuts the connection.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_grant_store.h"
#include "dl_job_write.h"
#include "dl_log.h"
#include "dl_wh_audit.h"
#include "mdl_access.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_me.h"
#include "mdl_quota.h"
#include "mdl_site.h"

/* Rows of a page: small ones, and those with texts. */
#define PAGE       50
#define PAGE_LARGE 10

/* Bytes of a page in JSON, at most: texts of DL_WH_AUDIT_BYTES, escaped. */
#define PAGE_MAX ((size_t)8 * 1024 * 1024)

/* An export on its way out. */
typedef struct export
{
    mdl_request *q;
    mdl_stream *out;      /* the answer; NULL until the account is read */
    dl_json_writer w;     /* writes the whole text, page by page */
    dl_json_writer begin; /* w before the page under way */
    dl_buf *buf;          /* the page */
    apr_pool_t *pool;     /* what the page is made of */
    int n;                /* jobs in it */
    bool more;            /* a page follows */
    int64_t before;       /* the next page begins below this id */
    char after[DL_RESOURCE_MAX + 1];      /* or behind this key */
    int64_t from_before;                  /* before, as the page began */
    char from_after[DL_RESOURCE_MAX + 1]; /* after likewise */
}
export;

/* Write one page to x->w, set more and where the next one begins. */
typedef dl_status page_writer(struct dl_wh *wh, export *x, dl_error *err);

/* One list of the export. */
typedef struct section {
    const char *name;   /* its member */
    page_writer *write; /* NULL: it is empty */
} section;

/* --- Pages -----------------------------------------------------------------
 */

static dl_status write_consents(struct dl_wh *wh, export *x, dl_error *err)
{
    dl_consent rows[PAGE];
    dl_consents page = {.rows = rows, .max = PAGE};
    size_t i;

    DL_TRY(
        dl_profile_consents(&page, wh, x->q->identity.user_id, x->before, err));
    for (i = 0; i < page.n; i++) {
        mdl_me_write_consent(&x->w, &rows[i]);
    }
    if (page.n > 0) {
        x->before = rows[page.n - 1].id;
    }
    x->more = page.n == PAGE;
    return DL_OK;
}

static dl_status write_grants(struct dl_wh *wh, export *x, dl_error *err)
{
    dl_grant_row rows[PAGE];
    dl_grant_list page = {.rows = rows, .max = PAGE};
    dl_grant_query query = {.user_id = x->q->identity.user_id,
                            .resource = "",
                            .after_username = "",
                            .after_resource = x->after};
    size_t i;

    DL_TRY(dl_grant_read(&page, wh, &query, err));
    for (i = 0; i < page.n; i++) {
        dl_json_write_object_begin(&x->w);
        mdl_access_write_row(&x->w, &rows[i]);
        dl_json_write_object_end(&x->w);
    }
    if (page.n > 0) {
        apr_cpystrn(x->after, rows[page.n - 1].resource, sizeof x->after);
    }
    x->more = page.n == PAGE;
    return DL_OK;
}

static dl_status write_job(void *context, const dl_job *job, dl_error *err)
{
    export *x = context;

    (void)err;
    dl_job_write(&x->w, job);
    apr_cpystrn(x->after, job->id, sizeof x->after);
    x->n++;
    return DL_OK;
}

static dl_status write_jobs(struct dl_wh *wh, export *x, dl_error *err)
{
    dl_job_query query = {.user_id = x->q->identity.user_id,
                          .after = x->from_after,
                          .max = PAGE_LARGE};

    x->n = 0;
    DL_TRY(dl_job_list(wh, &query, write_job, x, err));
    x->more = x->n == PAGE_LARGE;
    return DL_OK;
}

static dl_status write_audit(struct dl_wh *wh, export *x, dl_error *err)
{
    dl_wh_audit_query query = {.user = x->q->identity.username,
                               .from = DL_TIME_NONE,
                               .to = DL_TIME_NONE,
                               .before = x->before == INT64_MAX ? 0 : x->before,
                               .limit = PAGE};
    dl_wh_audit_page page;
    int i;

    DL_TRY(dl_wh_audit_list(&page, wh, &query, err, x->pool));
    for (i = 0; i < page.n; i++) {
        dl_wh_audit_write(&x->w, &page.rows[i]);
        x->before = page.rows[i].id;
    }
    x->more = page.more;
    return DL_OK;
}

/* --- The text --------------------------------------------------------------
 */

/* A page, and who writes it. */
typedef struct page_visit {
    export *x;
    page_writer *write;
} page_visit;

static dl_status write_head(struct dl_wh *wh, export *x, dl_error *err)
{
    dl_profile profile;

    DL_TRY(dl_profile_read(&profile, wh, x->q->identity.user_id, err));
    dl_json_write_object_begin(&x->w);
    dl_json_write_key(&x->w, "exported_at");
    dl_json_write_time(&x->w, dl_time_now());
    dl_json_write_key(&x->w, "account");
    mdl_me_write(&x->w, &profile);
    return DL_OK;
}

/* Whether the page had room; its containers are still open. */
static dl_status check_page(const export *x, dl_error *err)
{
    return x->w.status == DL_OK ? DL_OK
                                : dl_fail(err, x->w.status, 0,
                                          "a page of the export is too big");
}

/* Called again when a connection was lost: everything begins anew. */
static dl_status read_page(struct dl_wh *wh, void *context, dl_error *err)
{
    page_visit *v = context;
    export *x = v->x;

    x->buf->len = 0;
    x->w = x->begin;
    x->before = x->from_before;
    memcpy(x->after, x->from_after, sizeof x->after);
    x->more = false;
    apr_pool_clear(x->pool);
    DL_TRY(v->write(wh, x, err));
    return check_page(x, err);
}

static dl_status make_page(export *x, page_writer *write, dl_error *err)
{
    page_visit v = {x, write};

    x->begin = x->w;
    x->from_before = x->before;
    memcpy(x->from_after, x->after, sizeof x->after);
    return mdl_wh_read(x->q->site->wh, read_page, &v, err);
}

/* Send what the writer has written so far. */
static dl_status send_page(export *x, dl_error *err)
{
    DL_TRY(check_page(x, err));
    DL_TRY(mdl_stream_write(x->out, x->buf->data, x->buf->len, err));
    x->buf->len = 0;
    return DL_OK;
}

static dl_status send_section(export *x, const section *s, dl_error *err)
{
    x->before = INT64_MAX;
    x->after[0] = '\0';
    dl_json_write_key(&x->w, s->name);
    dl_json_write_array_begin(&x->w);
    DL_TRY(send_page(x, err));
    if (s->write != NULL) {
        do {
            DL_TRY(make_page(x, s->write, err));
            DL_TRY(send_page(x, err));
        } while (x->more);
    }
    dl_json_write_array_end(&x->w);
    return DL_OK;
}

/* Send all but the account. */
static dl_status send_lists(export *x, dl_error *err)
{
    static const section consents = {"consents", write_consents};
    static const section grants = {"grants", write_grants};
    static const section audit = {"audit", write_audit};
    static const section jobs = {"jobs", write_jobs};
    static const section views = {"visualizations", NULL};

    DL_TRY(send_section(x, &consents, err));
    DL_TRY(send_section(x, &grants, err));
    dl_json_write_key(&x->w, "quota");
    mdl_quota_write(&x->w, x->q);
    DL_TRY(send_section(x, &audit, err));
    DL_TRY(send_section(x, &jobs, err));
    DL_TRY(send_section(x, &views, err));
    dl_json_write_object_end(&x->w);
    return send_page(x, err);
}

int mdl_api_export(mdl_request *q)
{
    export *x = apr_pcalloc(q->r->pool, sizeof *x);
    dl_status status = DL_OK;
    dl_error err = {DL_OK, 0, ""};

    if (mdl_me_require_fresh(q) != OK) {
        return HTTP_UNAUTHORIZED;
    }
    x->q = q;
    x->buf = mdl_answer_buf(q, PAGE_MAX);
    apr_pool_create(&x->pool, q->r->pool);
    dl_json_writer_begin(&x->w, x->buf);
    if (make_page(x, write_head, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    mdl_answer_header(q, "Content-Disposition",
                      "attachment; filename=\"datalake-account.json\"");
    x->out = mdl_stream_open(q, NULL);
    if (mdl_stream_wanted(x->out)) {
        status = send_lists(x, &err);
    }
    if (status != DL_OK && q->r->connection->aborted == 0) {
        dl_log(DL_LOG_ERROR, "DL1040: the export of account %" PRId64 ": %s",
               q->identity.user_id, err.text);
    }
    return mdl_stream_close(x->out, status != DL_OK);
}
