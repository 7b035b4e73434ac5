/* mdl_audit.c - From a request to its line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_audit.h"

#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_audit.h"
#include "dl_audit_redact.h"
#include "dl_log.h"
#include "mdl_audit_log.h"
#include "mdl_metrics.h"
#include "mdl_problem.h"
#include "mdl_request.h"
#include "mdl_site.h"

/* Bytes of a line beside the texts of the request. */
#define LINE_ROOM 2048

/* Longest name of an account that a log-in can have tried. */
#define USER_MAX DL_USERNAME_MAX

/* Longest resource that is named in full. */
#define RESOURCE_MAX 512

/* Longest wait for the disk. */
#define WAIT_US INT64_C(30000000)

/* What the audit log has with a request. */
typedef struct mdl_audit_state {
    size_t room;   /* reserved, 0: none */
    bool durable;  /* reserved on the volume, not in the buffer */
    bool answered; /* the answer has begun */
    bool logged;   /* the line is out */
    int status;    /* of the answer */
    int64_t bytes; /* of its body */
} mdl_audit_state;

static mdl_audit_state *state_of(mdl_request *q)
{
    if (q->audit == NULL) {
        q->audit = apr_pcalloc(q->r->pool, sizeof *q->audit);
    }
    return q->audit;
}

/* --- What is logged ------------------------------------------------------- */

static bool is_action(const mdl_request *q, const char *action)
{
    return strcmp(mdl_audit_action(q), action) == 0;
}

/* Whether Q, answered with STATUS, belongs into the log. */
static bool is_logged(const mdl_request *q, int status)
{
    if (q == NULL || q->site == NULL || q->site->audit == NULL ||
        q->r->prev != NULL || q->r->main != NULL) {
        return false;
    }
    if (q->identity.known || is_action(q, "login")) {
        return true;
    }
    if (q->route == NULL) {
        return false;
    }
    switch (q->route->class) {
    case MDL_CLASS_PUBLIC:
        return q->r->method_number != M_GET;
    case MDL_CLASS_ANONYMOUS:
        return status < HTTP_BAD_REQUEST;
    case MDL_CLASS_NONE:
    case MDL_CLASS_USER:
    case MDL_CLASS_READ:
    case MDL_CLASS_WRITE:
    case MDL_CLASS_READ_OR_AUDITOR:
    case MDL_CLASS_AUDITOR:
    case MDL_CLASS_ADMIN:
    case MDL_CLASS_SCRAPER:
        break;
    }
    return false;
}

/* --- Room ----------------------------------------------------------------- */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* An upper bound of the bytes of Q's line: an ASCII escape of a byte has six
 * characters, and the query is JSON text inside of JSON text. */
static size_t bound(const mdl_request *q)
{
    const request_rec *r = q->r;
    size_t room = LINE_ROOM + 6 * strlen(r->uri);

    if (r->args != NULL) {
        room += smaller(64 + 16 * strlen(r->args),
                        (size_t)(2 * DL_AUDIT_QUERY_MAX));
    }
    if (r->method_number != M_GET) {
        room += (size_t)(6 * (DL_AUDIT_BODY_MAX + USER_MAX + RESOURCE_MAX));
    }
    return smaller(room, DL_AUDIT_LINE_MAX);
}

static dl_status reserve(mdl_request *q, bool durable, dl_error *err)
{
    mdl_audit_state *state = state_of(q);
    size_t room = bound(q);

    DL_TRY(mdl_audit_log_reserve(q->site->audit, room, durable, err));
    state->room = room;
    state->durable = durable;
    return DL_OK;
}

static void release(mdl_request *q)
{
    mdl_audit_state *state = q->audit;

    if (state != NULL && state->room > 0) {
        mdl_audit_log_release(q->site->audit, state->room, state->durable);
        state->room = 0;
    }
}

/* Whether nobody may be answered before the line of Q is on disk. */
static bool is_durable(const mdl_request *q)
{
    return !is_action(q, "read");
}

int mdl_audit_reserve(mdl_request *q)
{
    dl_error err = {0};

    if (!is_logged(q, HTTP_OK) || state_of(q)->room > 0 ||
        reserve(q, is_durable(q), &err) == DL_OK) {
        return OK;
    }
    return mdl_problem(q, MDL_PROBLEM_STORAGE_FULL,
                       "There is no room for the audit entry.");
}

/* Room for the line of Q, which was refused before any was reserved: nothing
 * was changed, so the buffer will do. */
static bool find_room(mdl_request *q)
{
    dl_error err = {0};

    return state_of(q)->room > 0 || reserve(q, is_durable(q), &err) == DL_OK ||
           reserve(q, false, &err) == DL_OK;
}

/* --- The line ------------------------------------------------------------- */

/* The text of the parameter NAME (LEN bytes) of Q, or NULL. */
static const char *parameter(const mdl_request *q, const char *name, size_t len)
{
    const mdl_param *params = q->route->params;
    int i;

    for (i = 0; params != NULL && q->values != NULL && params[i].name != NULL;
         i++) {
        if (strlen(params[i].name) == len &&
            strncmp(params[i].name, name, len) == 0) {
            return q->values[i].text;
        }
    }
    return NULL;
}

/* What Q accesses, its row's resource filled in; NULL: nothing, or it is not
 * known. */
static const char *resource_of(const mdl_request *q)
{
    const char *at = q->route != NULL ? q->route->resource : NULL;
    const char *made = "";

    if (q->subject.resource != NULL || at == NULL) {
        return q->subject.resource;
    }
    while (*at != '\0') {
        size_t literal = strcspn(at, "{|");
        size_t len = strcspn(at + literal, "}");
        const char *name = at + literal + 1;
        const char *text = "";

        if (at[literal] == '|') {
            len = strlen("|table");
        }
        else if (at[literal] == '{') {
            text = parameter(q, name, len - 1);
            len += 1;
        }
        if (text == NULL) {
            return NULL;
        }
        made = apr_pstrcat(
            q->r->pool, made, apr_pstrmemdup(q->r->pool, at, literal), text,
            at[literal] == '{' && strncmp(name, "date}", 5) == 0 ? ".json" : "",
            NULL);
        at += literal + len;
    }
    return made;
}

static dl_audit_text text_of(const char *text)
{
    dl_audit_text made = {text, text == NULL ? 0 : strlen(text)};

    return made;
}

/* Names of the members of Q's row that are secret; ends in NULL. */
static const char *const *secret_names(const mdl_request *q)
{
    const mdl_member *member;
    const char **names;
    int n = 0;

    if (q->route == NULL || q->route->body == NULL) {
        return NULL;
    }
    for (member = q->route->body->members; member->name != NULL; member++) {
        n += member->secret ? 2 : 0;
    }
    names = apr_pcalloc(q->r->pool, sizeof *names * ((size_t)n + 1));
    n = 0;
    for (member = q->route->body->members; member->name != NULL; member++) {
        if (member->secret) {
            names[n++] = member->name;
        }
        if (member->secret && member->alias != NULL) {
            names[n++] = member->alias;
        }
    }
    return names;
}

/* Set TEXT to the body of Q without secrets. */
static dl_status take_body(dl_audit_text *text, mdl_request *q, dl_error *err)
{
    const dl_audit_body body = {
        .text = q->body.text,
        .len = q->body.len,
        .media = q->body.media == MDL_MEDIA_JSON   ? DL_AUDIT_JSON
                 : q->body.media == MDL_MEDIA_FORM ? DL_AUDIT_FORM
                                                   : DL_AUDIT_OTHER,
        .names = secret_names(q)};
    dl_buf *out;

    if (q->body.text == NULL || q->body.len == 0) {
        return DL_OK;
    }
    /* "***" may stand for less, so a body can grow. */
    out = dl_buf_create(4 * body.len + 64, q->r->pool);
    DL_TRY(dl_audit_redact_body(out, &body, err, q->r->pool));
    text->text = out->data;
    text->len = out->len;
    return DL_OK;
}

/* Set TEXT to the query of Q without secrets. */
static dl_status take_query(dl_audit_text *text, mdl_request *q, dl_error *err)
{
    const char *args = q->r->args;
    dl_buf *out;

    if (args == NULL || *args == '\0') {
        return DL_OK;
    }
    out = dl_buf_create(8 * strlen(args) + DL_AUDIT_QUERY_MAX, q->r->pool);
    DL_TRY(dl_audit_redact_query(out, args, strlen(args), err));
    text->text = out->data;
    text->len = out->len;
    return DL_OK;
}

/* The name Q is logged under. */
static dl_audit_text user_of(const mdl_request *q)
{
    dl_audit_text text =
        text_of(q->identity.known ? q->identity.username : q->subject.user);

    text.len = smaller(text.len, USER_MAX);
    return text;
}

static dl_status make_line(mdl_audit_line *line, mdl_request *q, dl_error *err)
{
    const mdl_audit_state *state = q->audit;
    request_rec *r = q->r;
    dl_audit_entry entry = {
        .timestamp = dl_time_now(),
        .user_id = q->identity.known ? q->identity.user_id : 0,
        .method = r->method,
        .endpoint = r->uri,
        .action = mdl_audit_action(q),
        .request_id = q->id,
        .status = state->status,
        .bytes = state->bytes,
        .duration_ms = (apr_time_now() - r->request_time) / 1000};
    dl_buf *out = dl_buf_create(state->room, r->pool);

    DL_TRY(dl_buf_reserve(out, state->room, err));
    entry.resource = resource_of(q);
    if (entry.resource != NULL && strlen(entry.resource) > RESOURCE_MAX) {
        entry.resource = apr_pstrndup(r->pool, entry.resource, RESOURCE_MAX);
    }
    entry.text[DL_AUDIT_USER] = user_of(q);
    entry.text[DL_AUDIT_ADDRESS] = text_of(r->useragent_ip);
    DL_TRY(take_query(&entry.text[DL_AUDIT_QUERY_PARAMS], q, err));
    DL_TRY(take_body(&entry.text[DL_AUDIT_BODY], q, err));
    DL_TRY(dl_audit_encode(out, &line->sealed, &entry, err));
    line->text = out->data;
    line->len = out->len;
    line->room = state->room;
    return DL_OK;
}

/* Nobody is told what is not on disk: cut the connection of Q. */
static void cut_connection(mdl_request *q, const dl_error *err)
{
    dl_log(DL_LOG_ERROR, "DL1166 audit: request %s: %s: it gets no answer",
           q->id, err->text);
    q->r->connection->keepalive = AP_CONN_CLOSE;
    q->r->connection->aborted = 1;
}

/* Write the line of Q, whose room is there. */
static void log_request(mdl_request *q)
{
    mdl_audit_state *state = q->audit;
    mdl_audit_line line = {.text = NULL};
    dl_error err = {0};

    if (make_line(&line, q, &err) != DL_OK) {
        release(q);
        cut_connection(q, &err);
        return;
    }
    state->logged = true;
    state->room = 0;
    mdl_metrics_count(MDL_METRICS_AUDIT_ENTRIES);
    if (!state->durable) {
        mdl_audit_log_put(q->site->audit, &line);
    }
    else if (mdl_audit_log_commit(q->site->audit, &line, WAIT_US, &err) !=
             DL_OK) {
        cut_connection(q, &err);
    }
}

/* --- The answer ----------------------------------------------------------- */

bool mdl_audit_admit(mdl_request *q, int status)
{
    return !is_logged(q, status) || state_of(q)->answered || find_room(q);
}

void mdl_audit_answer(mdl_request *q, int status, apr_off_t bytes)
{
    mdl_audit_state *state;

    if (!is_logged(q, status) || state_of(q)->answered) {
        return;
    }
    state = q->audit;
    state->answered = true;
    state->status = status;
    state->bytes = q->r->header_only ? 0 : bytes;
    if (is_durable(q) && find_room(q)) {
        log_request(q);
    }
}

void mdl_audit_finish(mdl_request *q)
{
    mdl_audit_state *state;

    if (!is_logged(q, q->r->status)) {
        release(q);
        return;
    }
    state = state_of(q);
    if (!state->logged) {
        state->status = q->r->status;
        state->bytes = q->r->bytes_sent;
        if (find_room(q)) {
            log_request(q);
        }
        else {
            dl_log(DL_LOG_ERROR, "DL1167 audit: request %s is not logged",
                   q->id);
        }
    }
    release(q);
}
