/* dlc_letters_doubt.c - Attempts in doubt against the messages of a topic.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_letters_doubt.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "dl_letter_send.h"
#include "dl_log.h"
#include "dlc_topic_scan.h"

/* Clocks may differ by so much. */
#define SLACK_US (INT64_C(5) * DL_SECOND_US)

/* One attempt. */
typedef struct doubt {
    dl_letter_attempt attempt; /* which */
    bool found;                /* its message is there */
} doubt;

/* What is in doubt of one topic. */
typedef struct topic {
    const char *name;   /* of it */
    dl_time from;       /* when the first of them was taken */
    apr_hash_t *doubts; /* doubt by replay id */
} topic;

/* All of it. */
typedef struct doubts {
    apr_pool_t *pool;   /* of all here */
    apr_hash_t *topics; /* topic by name */
} doubts;

static dl_status take(void *context, const dl_letter_doubt *one, dl_error *err)
{
    doubts *all = context;
    topic *t = apr_hash_get(all->topics, one->topic, APR_HASH_KEY_STRING);
    doubt *d = apr_pcalloc(all->pool, sizeof *d);

    (void)err;
    if (t == NULL) {
        t = apr_palloc(all->pool, sizeof *t);
        t->name = apr_pstrdup(all->pool, one->topic);
        t->from = one->taken;
        t->doubts = apr_hash_make(all->pool);
        apr_hash_set(all->topics, t->name, APR_HASH_KEY_STRING, t);
    }
    d->attempt = one->attempt;
    t->from = one->taken < t->from ? one->taken : t->from;
    apr_hash_set(t->doubts, d->attempt.replay_id, APR_HASH_KEY_STRING, d);
    return DL_OK;
}

static dl_status look(void *context, const dlc_topic_message *message,
                      dl_error *err)
{
    const topic *t = context;
    size_t len;
    const char *id = dlc_topic_header(&len, message, DL_LETTER_REPLAY_HEADER);
    doubt *d =
        id == NULL ? NULL : apr_hash_get(t->doubts, id, (apr_ssize_t)len);

    (void)err;
    if (d != NULL) {
        d->found = true;
    }
    return DL_OK;
}

/* Tell what was found out about T. */
static dl_status tell(dl_wh *wh, const topic *t, dl_error *err,
                      apr_pool_t *pool)
{
    int found = 0;

    for (apr_hash_index_t *i = apr_hash_first(pool, t->doubts); i != NULL;
         i = apr_hash_next(i)) {
        const doubt *d = apr_hash_this_val(i);

        found += d->found ? 1 : 0;
        DL_TRY(d->found ? dl_letter_sent(wh, &d->attempt, err)
                        : dl_letter_back(wh, &d->attempt, err));
    }
    dl_log(DL_LOG_NOTICE,
           "DL0865 %s: of %u dead letters in doubt %d were sent, the others "
           "are open",
           t->name, apr_hash_count(t->doubts), found);
    return DL_OK;
}

static dl_status resolve(dl_wh *wh, const dl_config *cfg, topic *t,
                         dl_error *err, apr_pool_t *pool)
{
    const dlc_topic_range range = {.topic = t->name,
                                   .from = t->from - SLACK_US};
    dl_status status = dlc_topic_scan(cfg, &range, look, t, err, pool);

    /* A topic that is gone has none of them. */
    return status == DL_OK || status == DL_NOT_FOUND ? tell(wh, t, err, pool)
                                                     : status;
}

dl_status dlc_letters_doubt(dl_wh *wh, const dl_config *cfg, dl_error *err,
                            apr_pool_t *scratch_pool)
{
    doubts all = {scratch_pool, apr_hash_make(scratch_pool)};

    DL_TRY(dl_letter_doubts(wh, dl_time_now(), take, &all, err));
    for (apr_hash_index_t *i = apr_hash_first(scratch_pool, all.topics);
         i != NULL; i = apr_hash_next(i)) {
        DL_TRY(resolve(wh, cfg, apr_hash_this_val(i), err, scratch_pool));
    }
    return DL_OK;
}
