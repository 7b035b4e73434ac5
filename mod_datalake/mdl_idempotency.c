/* mdl_idempotency.c - Claiming, keeping and repeating answers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_idempotency.h"

#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_log.h"
#include "dl_sha256.h"
#include "dl_wh_idempotency.h"
#include "mdl_caller.h"
#include "mdl_config.h"
#include "mdl_format.h"
#include "mdl_header.h"
#include "mdl_http.h"
#include "mdl_problem.h"
#include "mdl_site.h"

/* How long an answer is given again. */
#define KEEP_US (INT64_C(24) * 3600 * DL_SECOND_US)

/* How long a claim outlives the deadline of its request. */
#define GRACE_US (INT64_C(30) * DL_SECOND_US)

/* The longest body that is kept; MEDIUMBLOB holds 16 MiB. */
#define BODY_MAX 1048576

/* What Q has claimed. */
typedef struct mdl_idempotency {
    dl_wh_claim claim;
    char owner[MDL_CALLER_TEXT];
    bool kept; /* nothing is left to be given up */
} mdl_idempotency;

/* What a transaction needs. */
typedef struct errand {
    const mdl_request *q;
    const dl_wh_claim *claim;
    dl_wh_claim_found found;
    dl_wh_claim_answer answer;
} errand;

/* --- The claim ------------------------------------------------------------ */

/* Write to OUT a hash of what Q asks for, keyed with the secret of the server:
 * the key stands before and, hashed again, around the text. */
static void hash_request(unsigned char out[DL_SHA256_SIZE],
                         const mdl_request *q)
{
    const mdl_cursor_key *key = &q->site->cursor_key;
    const char *args = q->r->args != NULL ? q->r->args : "";
    dl_sha256 *sum = dl_sha256_create(q->r->pool);
    unsigned char inner[DL_SHA256_SIZE];
    int i;

    dl_sha256_add(sum, key->bytes, sizeof key->bytes);
    dl_sha256_add(sum, q->route->doc, strlen(q->route->doc) + 1);
    for (i = 0; i < q->resource->n_segments; i++) {
        const char *text = q->path.segment[i].text;

        if (q->resource->segments[i][0] == '{') { /* not an alias's words */
            dl_sha256_add(sum, text, strlen(text) + 1);
        }
    }
    dl_sha256_add(sum, args, strlen(args) + 1);
    dl_sha256_add(sum, q->body.len > 0 ? q->body.text : "", q->body.len);
    dl_sha256_digest(inner, sum);
    dl_sha256_add(sum, key->bytes, sizeof key->bytes);
    dl_sha256_add(sum, inner, sizeof inner);
    dl_sha256_digest(out, sum);
}

static void name_owner(char owner[MDL_CALLER_TEXT], const mdl_request *q)
{
    mdl_caller caller;

    if (q->identity.known) {
        mdl_caller_account(&caller, q->identity.user_id);
    }
    else {
        mdl_caller_address(&caller, q->r->useragent_addr);
    }
    mdl_caller_format(owner, &caller);
}

static dl_status take_claim(struct dl_wh *wh, void *context, dl_error *err)
{
    errand *e = context;

    return dl_wh_claim_take(&e->found, &e->answer, wh, e->claim, err,
                            e->q->r->pool);
}

/* --- Giving an answer again ----------------------------------------------- */

/* Cut the line *AT stands on off TEXT (a copy), of which *LEN bytes are left;
 * NULL for an empty one. */
static const char *take_line(char **at, size_t *len)
{
    char *line = *at;
    char *end = memchr(line, '\n', *len);

    if (end == NULL) {
        return NULL;
    }
    *end = '\0';
    *len -= (size_t)(end + 1 - line);
    *at = end + 1;
    return *line != '\0' ? line : NULL;
}

static int repeat(mdl_request *q, const dl_wh_claim_answer *kept)
{
    char *at = apr_pstrmemdup(q->r->pool, kept->text, kept->len);
    mdl_answer answer = {.status = kept->status};
    const char *location;
    size_t len = kept->len;

    answer.content_type = take_line(&at, &len);
    answer.cache = take_line(&at, &len);
    location = take_line(&at, &len);
    if (location != NULL) {
        mdl_answer_header(q, "Location", location);
    }
    answer.data = at;
    answer.len = len;
    return mdl_answer_send(q, &answer);
}

/* Act on what was found under the key of Q. */
static int judge(bool *done, mdl_request *q, const errand *e)
{
    switch (e->found) {
    case DL_WH_CLAIM_MINE:
        return OK;
    case DL_WH_CLAIM_ANSWERED:
        *done = true;
        return repeat(q, &e->answer);
    case DL_WH_CLAIM_RUNNING:
        return mdl_problem(q, MDL_PROBLEM_CONFLICT,
                           "The first request with this Idempotency-Key is "
                           "still under way.");
    case DL_WH_CLAIM_OTHER:
        break;
    }
    return mdl_problem(q, MDL_PROBLEM_IDEMPOTENCY_MISMATCH,
                       "This Idempotency-Key was used for another request.");
}

int mdl_idempotency_begin(bool *done, mdl_request *q)
{
    const char *key = apr_table_get(q->r->headers_in, "Idempotency-Key");
    errand e = {.q = q};
    mdl_idempotency *made;
    dl_error err;
    int status;

    *done = false;
    if (key == NULL || q->route->body == NULL || !q->route->body->repeatable) {
        return OK;
    }
    if (!mdl_header_is_key(key)) {
        return mdl_problem(q, MDL_PROBLEM_MALFORMED_REQUEST,
                           "Idempotency-Key must be 1 to 255 visible ASCII "
                           "characters.");
    }
    made = apr_pcalloc(q->r->pool, sizeof *made);
    name_owner(made->owner, q);
    made->claim.owner = made->owner;
    made->claim.key = key;
    made->claim.expires_at =
        dl_time_now() + q->site->config->read_limit_s * (int64_t)DL_SECOND_US +
        GRACE_US;
    hash_request(made->claim.body_hash, q);
    e.claim = &made->claim;
    if (mdl_wh_write(q->site->wh, take_claim, &e, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    status = judge(done, q, &e);
    if (status == OK && !*done) {
        q->idempotency = made;
    }
    return status;
}

/* --- Keeping -------------------------------------------------------------- */

static dl_status keep_answer(struct dl_wh *wh, void *context, dl_error *err)
{
    const errand *e = context;

    return dl_wh_claim_keep(wh, e->claim, &e->answer, dl_time_now() + KEEP_US,
                            err);
}

static dl_status drop_claim(struct dl_wh *wh, void *context, dl_error *err)
{
    const errand *e = context;

    return dl_wh_claim_drop(wh, e->claim, err);
}

void mdl_idempotency_keep(mdl_request *q, const mdl_answer *answer)
{
    const char *location = apr_table_get(q->r->headers_out, "Location");
    errand e = {.q = q};
    const char *head;
    size_t head_len;
    dl_error err;
    char *text;

    if (q->idempotency == NULL || answer->status / 100 > 2 ||
        answer->len > BODY_MAX) {
        return;
    }
    head =
        apr_pstrcat(q->r->pool,
                    answer->content_type != NULL ? answer->content_type
                                                 : mdl_format_type(q->format),
                    "\n", answer->cache != NULL ? answer->cache : "", "\n",
                    location != NULL ? location : "", "\n", NULL);
    head_len = strlen(head);
    text = apr_palloc(q->r->pool, head_len + answer->len + 1);
    memcpy(text, head, head_len);
    if (answer->len > 0) {
        memcpy(text + head_len, answer->data, answer->len);
    }
    e.claim = &q->idempotency->claim;
    e.answer.status = answer->status == 0 ? HTTP_OK : answer->status;
    e.answer.text = text;
    e.answer.len = head_len + answer->len;
    q->idempotency->kept = true;
    if (mdl_wh_write(q->site->wh, keep_answer, &e, &err) != DL_OK) {
        /* What was asked for has happened; until its claim expires nobody can
         * do it again. */
        dl_log(DL_LOG_WARNING, "DL1140 request %s: its answer is not kept: %s",
               q->id, err.text);
    }
}

void mdl_idempotency_end(mdl_request *q)
{
    errand e = {.q = q};
    dl_error err;

    if (q->idempotency == NULL || q->idempotency->kept) {
        return;
    }
    q->idempotency->kept = true;
    e.claim = &q->idempotency->claim;
    if (mdl_wh_write(q->site->wh, drop_claim, &e, &err) != DL_OK) {
        dl_log(DL_LOG_WARNING, "DL1141 request %s: its claim runs on: %s",
               q->id, err.text);
    }
}
