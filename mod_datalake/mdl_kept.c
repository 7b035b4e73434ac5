/* mdl_kept.c - Keeps answers in the child's cache under the count of changes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_kept.h"

#include <stdatomic.h>
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_time.h"
#include "mdl_commit.h"
#include "mdl_page.h"
#include "mdl_shm.h"
#include "mdl_site.h"

/* Between the parts of a key. */
#define SEPARATOR "\x1f"

/* Bytes of a validator at the begin of what is kept. */
#define ETAG_LEN (MDL_ETAG_TEXT - 1)

/* Changes of objects by requests of this server; set at start. */
static _Atomic uint64_t *changes;

dl_status mdl_kept_open(const server_rec *server, dl_error *err)
{
    void *memory;

    DL_TRY(mdl_shm_open(&memory, "changes", sizeof *changes, server, err));
    changes = memory;
    return DL_OK;
}

void mdl_kept_changed(void)
{
    atomic_fetch_add(changes, 1);
}

uint64_t mdl_kept_changes(void)
{
    return atomic_load(changes);
}

int mdl_kept_begin(mdl_kept *kept, mdl_request *q,
                   const mdl_cursor_binding *binding, int n)
{
    const char *position = NULL;
    const char *id;
    int status;

    *kept = (mdl_kept){
        .q = q, .binding = *binding, .before = DL_TIME_NONE, .before_id = ""};
    if (n < 0) {
        return OK;
    }
    status = mdl_page_open(&position, q, binding, n);
    if (status != OK || position == NULL) {
        return status;
    }
    id = strchr(position, ' ');
    if (id == NULL) {
        return mdl_page_refuse(q, n);
    }
    kept->before = apr_atoi64(position);
    kept->before_id = id + 1;
    return OK;
}

const char *mdl_kept_next(const mdl_kept *kept, dl_time at, const char *id)
{
    return mdl_page_next(
        kept->q, &kept->binding,
        apr_psprintf(kept->q->r->pool, "%" PRId64 " %s", at, id));
}

bool mdl_kept_find(mdl_kept *kept)
{
    mdl_request *q = kept->q;
    apr_pool_t *pool = q->r->pool;
    mdl_stamp state = mdl_commit_stamp(q->site->commit, pool);
    mdl_cache_verdict found;

    kept->key = apr_psprintf(
        pool,
        "%" PRIu64 SEPARATOR "%s" SEPARATOR "%s" SEPARATOR "%" PRId64 " %s",
        mdl_kept_changes(), kept->binding.route, kept->binding.parameters,
        kept->before, kept->before_id);
    kept->since_us = dl_time_monotonic_us();
    /* Without a loader's counter only its age ends an answer. */
    kept->stamp =
        apr_psprintf(pool, "%" PRId64, state.counted != 0 ? state.value : -1);
    found = mdl_cache_find(&kept->answer, q->site->cache, kept->key,
                           kept->stamp, pool);
    if (found == MDL_CACHE_ALONE) {
        kept->key = NULL;
    }
    return found == MDL_CACHE_HIT;
}

int mdl_kept_send(const mdl_kept *kept)
{
    const mdl_cache_answer *answer = &kept->answer;
    char etag[MDL_ETAG_TEXT];

    memcpy(etag, answer->body, ETAG_LEN);
    etag[ETAG_LEN] = '\0';
    if (answer->cursor != NULL) {
        mdl_answer_link_next(kept->q, answer->cursor);
    }
    return mdl_answer_unchanged(kept->q, etag)
               ? mdl_answer_not_modified(kept->q)
               : mdl_answer_json(kept->q, answer->body + ETAG_LEN,
                                 answer->len - ETAG_LEN);
}

int mdl_kept_keep(mdl_kept *kept, const char etag[MDL_ETAG_TEXT],
                  const char *body, size_t len, const char *cursor)
{
    char *whole = apr_palloc(kept->q->r->pool, ETAG_LEN + len);

    memcpy(whole, etag, ETAG_LEN);
    memcpy(whole + ETAG_LEN, body, len);
    kept->answer =
        (mdl_cache_answer){whole, ETAG_LEN + len, cursor, kept->since_us};
    if (kept->key != NULL) {
        mdl_cache_put(kept->q->site->cache, kept->key, kept->stamp,
                      &kept->answer);
    }
    return mdl_kept_send(kept);
}

void mdl_kept_forget(const mdl_kept *kept)
{
    if (kept->key != NULL) {
        mdl_cache_abandon(kept->q->site->cache, kept->key);
    }
}
