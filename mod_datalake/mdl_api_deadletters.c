/* mdl_api_deadletters.c - GET /api/deadletters/, GET and DELETE
 * /api/deadletters/{id}/: what could not be stored, and what nobody wants.
 *
 * A page ends early when its values are large, so that no answer is.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_letter_write.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_list.h"
#include "mdl_page.h"
#include "mdl_problem.h"
#include "mdl_site.h"
#include "mdl_wh.h"

/* A page ends behind the dead letter with which its text is so long. */
#define PAGE_FULL ((size_t)4 * 1024 * 1024)
#define PAGE_MAX  (PAGE_FULL + DL_LETTER_TEXT + 4096)

enum {
    TOPIC,
    REASON,
    STATE,
    FROM,
    TO,
    LIMIT,
    CURSOR
};

static const char *const reasons[] = {"not-json", "not-object", "encoding",
                                      "too-big",  "schema",     "bad-time",
                                      NULL};

static const char *const states[] = {"open", "redriven", "discarded", NULL};

const mdl_param mdl_api_deadletters_params[] = {
    [TOPIC] = {.name = "topic",
               .type = MDL_PARAM_TEXT,
               .min = 1,
               .max = 249,
               .summary = "Only those of this topic"},
    [REASON] = {.name = "reason",
                .type = MDL_PARAM_ENUM,
                .choices = reasons,
                .summary = "Only those set aside for this reason"},
    [STATE] = {.name = "state",
               .type = MDL_PARAM_ENUM,
               .choices = states,
               .summary = "Only those with which this was done"},
    [FROM] = {.name = "from",
              .type = MDL_PARAM_TIME,
              .summary = "Only those received from this time on"},
    [TO] = {.name = "to",
            .type = MDL_PARAM_TIME,
            .end = true,
            .summary = "Only those received before this time; a date: to its "
                       "end"},
    MDL_PAGE_LIMIT(LIMIT, "50"),
    MDL_PAGE_CURSOR(CURSOR),
    {.name = NULL}};

const mdl_param mdl_api_deadletter_params[] = {
    {.name = "id",
     .type = MDL_PARAM_INT,
     .in_path = true,
     .min = 1,
     .max = INT64_C(9007199254740991),
     .summary = "Number of the dead letter"},
    {.name = NULL}};

/* --- The list ------------------------------------------------------------- */

/* One page. */
typedef struct letter_list {
    mdl_list list;
    dl_letter_page page; /* what is read: one more than the page */
    apr_pool_t *pool;    /* of one dead letter */
} letter_list;

static dl_status write_row(void *context, const dl_letter *letter,
                           dl_error *err)
{
    letter_list *letters = context;
    mdl_list *list = &letters->list;
    char id[MDL_LIST_ID];

    (void)err;
    list->more = list->more || list->buf->len >= PAGE_FULL;
    if (mdl_list_takes(list)) {
        apr_pool_clear(letters->pool);
        dl_letter_write(&list->w, letter, letters->pool);
        apr_snprintf(id, sizeof id, "%" PRId64, letter->id);
        mdl_list_took(list, letter->received_at, id);
    }
    return DL_OK;
}

static dl_status read_list(struct dl_wh *wh, void *context, dl_error *err)
{
    letter_list *letters = context;

    mdl_list_begin(&letters->list, "results", PAGE_MAX);
    return dl_letter_read(wh, &letters->page, write_row, letters, err);
}

static const char *text_or_empty(const mdl_value *value)
{
    return value->given ? value->text : "";
}

/* Set where LETTERS begins, as Q says. */
static int open_list(letter_list *letters, mdl_request *q)
{
    const mdl_value *v = q->values;
    dl_letter_page *page = &letters->page;
    int status;

    *page =
        (dl_letter_page){.topic = text_or_empty(&v[TOPIC]),
                         .reason = text_or_empty(&v[REASON]),
                         .state = text_or_empty(&v[STATE]),
                         .from = v[FROM].given ? v[FROM].time : DL_TIME_NONE,
                         .to = v[TO].given ? v[TO].time : DL_TIME_NONE};
    status = mdl_list_open(
        &letters->list, q,
        apr_psprintf(q->r->pool, "%s\x1f%s\x1f%s\x1f%" PRId64 "\x1f%" PRId64,
                     page->topic, page->reason, page->state, page->from,
                     page->to),
        LIMIT, CURSOR);
    page->before = letters->list.before;
    page->before_id = apr_atoi64(letters->list.before_id);
    page->max = letters->list.rows + 1;
    return status;
}

int mdl_api_deadletters(mdl_request *q)
{
    letter_list letters;
    dl_error err;
    int status = open_list(&letters, q);

    if (status != OK) {
        return status;
    }
    apr_pool_create(&letters.pool, q->r->pool);
    if (mdl_wh_read(q->site->wh, read_list, &letters, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return mdl_list_send(&letters.list);
}

/* --- One dead letter ------------------------------------------------------ */

/* A dead letter as it was found. */
typedef struct found_letter {
    mdl_request *q;
    int64_t id;   /* which */
    dl_buf *buf;  /* it, written */
    bool open;    /* nothing was done with it yet */
    bool gone;    /* it is discarded already */
    bool stale;   /* If-Match names another state of it */
    bool refused; /* it cannot be discarded */
} found_letter;

static dl_status write_one(void *context, const dl_letter *letter,
                           dl_error *err)
{
    found_letter *found = context;
    dl_json_writer w;

    found->open = strcmp(letter->state, "open") == 0;
    found->gone = strcmp(letter->state, "discarded") == 0;
    found->buf->len = 0;
    dl_json_writer_begin(&w, found->buf);
    dl_letter_write(&w, letter, found->q->r->pool);
    return dl_json_writer_finish(&w, err);
}

static dl_status find_one(struct dl_wh *wh, void *context, dl_error *err)
{
    found_letter *found = context;

    return dl_letter_find(wh, found->id, write_one, found, err);
}

static dl_status discard_one(struct dl_wh *wh, void *context, dl_error *err)
{
    found_letter *found = context;
    char etag[MDL_ETAG_TEXT];
    dl_status status;

    DL_TRY(find_one(wh, found, err));
    mdl_answer_etag(etag, found->buf->data, found->buf->len);
    found->stale = !mdl_answer_may_change(found->q, etag);
    found->refused = !found->open && !found->gone;
    if (found->stale || !found->open) {
        return DL_OK;
    }
    status = dl_letter_discard(wh, found->id, err);
    found->refused = status == DL_CONFLICT;
    return found->refused ? DL_OK : status;
}

/* Begin to look for the dead letter that Q names. */
static found_letter look_for(mdl_request *q)
{
    found_letter found = {.q = q,
                          .id = q->values[0].number,
                          .buf = mdl_answer_buf(q, DL_LETTER_TEXT)};

    return found;
}

/* Say what is wrong with FOUND after STATUS; OK: nothing. */
static int judge(const found_letter *found, dl_status status,
                 const dl_error *err)
{
    if (status == DL_NOT_FOUND) {
        return mdl_problem(found->q, MDL_PROBLEM_NOT_FOUND,
                           "There is no such dead letter.");
    }
    return status == DL_OK ? OK : mdl_http_fail(found->q, MDL_WAREHOUSE, err);
}

int mdl_api_deadletter(mdl_request *q)
{
    found_letter found = look_for(q);
    dl_error err;
    int status =
        judge(&found, mdl_wh_read(q->site->wh, find_one, &found, &err), &err);

    return status == OK ? mdl_answer_state(q, found.buf) : status;
}

int mdl_api_deadletter_discard(mdl_request *q)
{
    found_letter found = look_for(q);
    dl_error err;
    mdl_answer answer = {.status = HTTP_NO_CONTENT};
    int status = judge(
        &found, mdl_wh_write(q->site->wh, discard_one, &found, &err), &err);

    if (status != OK) {
        return status;
    }
    if (found.stale) {
        return mdl_problem(q, MDL_PROBLEM_PRECONDITION_FAILED,
                           "If-Match does not name its present state.");
    }
    if (found.refused) {
        return mdl_problem(q, MDL_PROBLEM_CONFLICT,
                           "The dead letter was sent again, or is being sent.");
    }
    return mdl_answer_send(q, &answer);
}
