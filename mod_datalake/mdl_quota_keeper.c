/* mdl_quota_keeper.c - Windows to the warehouse, and back at a cold start.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_quota_keeper.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dl_log.h"
#include "dl_time.h"
#include "dl_wh_idempotency.h"
#include "dl_wh_quota.h"
#include "mdl_quota_table.h"

/* Between two turns, and between two savings: together below 10 s, so that a
 * crash loses no more. */
#define TURN_MS 250
#define SAVE_US (INT64_C(9500) * 1000)

/* Windows of one transaction, and of one reading. */
#define PAGE     200
#define LOAD_MAX 65536

/* Servers with windows of their own that one child remembers; more than that
 * would only be kept twice. */
#define KEPT_MAX 64

/* At a stop: how long to wait for the child that is writing. */
#define STOP_US (INT64_C(300) * 1000)

/* A window in microseconds. */
#define WINDOW_US (INT64_C(1) * MDL_QUOTA_WINDOW_S * DL_SECOND_US)

/* What follows the policy's name in quota_window, by unit. */
static const char *const suffixes[MDL_QUOTA_UNITS] = {"", "#rows", "#kib"};

_Static_assert(MDL_QUOTA_POLICY + 5 <= DL_WH_QUOTA_POLICY,
               "policy and suffix fit into a row");
_Static_assert(MDL_CALLER_TEXT <= DL_WH_QUOTA_SUBJECT,
               "a caller fits into a row");

/* The thread of one child. */
typedef struct keeper {
    mdl_quota *quota;
    mdl_wh_pool *pool;
    int64_t saved_us; /* monotonic time of the last saving */
    bool failing;     /* it did not work; logged once */
    dl_wh_quota_row rows[PAGE];
    mdl_window_entry entries[PAGE]; /* what rows were made of */
    size_t n;                       /* of both */
} keeper;

/* --- Saving --------------------------------------------------------------- */

static void make_row(dl_wh_quota_row *row, const keeper *k,
                     const mdl_window_entry *entry, mdl_quota_unit unit)
{
    mdl_caller caller;
    uint32_t policy;

    mdl_quota_label(&caller, &policy, entry->label);
    mdl_caller_format(row->subject, &caller);
    snprintf(row->policy, sizeof row->policy, "%s%s",
             k->quota->shared->policy[policy], suffixes[unit]);
    row->began = (entry->ends_s - MDL_QUOTA_WINDOW_S) * DL_SECOND_US;
    row->used = entry->used;
}

static dl_status save_page(struct dl_wh *wh, void *context, dl_error *err)
{
    const keeper *k = context;
    size_t i;

    for (i = 0; i < k->n; i++) {
        DL_TRY(dl_wh_quota_save(wh, &k->rows[i], err));
    }
    return DL_OK;
}

/* Delete windows that have ended, and answers kept for long enough. */
static dl_status forget_page(struct dl_wh *wh, void *context, dl_error *err)
{
    (void)context;
    DL_TRY(dl_wh_claim_forget(wh, dl_time_now(), err));
    return dl_wh_quota_forget(wh, dl_time_now() - WINDOW_US, err);
}

/* Write the page of K; what cannot be written stays to be written. */
static dl_status write_page(keeper *k, mdl_windows *w, dl_error *err)
{
    size_t i;

    if (k->n == 0 || mdl_wh_write(k->pool, save_page, k, err) == DL_OK) {
        return DL_OK;
    }
    for (i = 0; i < k->n; i++) {
        mdl_window_unsaved(w, &k->entries[i]);
    }
    return err->status;
}

/* Write the changed windows of W, which count UNIT. */
static dl_status save_table(keeper *k, mdl_windows *w, mdl_quota_unit unit,
                            dl_error *err)
{
    uint64_t position = 0;

    do {
        k->n = 0;
        while (k->n < PAGE &&
               mdl_window_changed(&k->entries[k->n], w, &position,
                                  (int64_t)time(NULL))) {
            make_row(&k->rows[k->n], k, &k->entries[k->n], unit);
            k->n++;
        }
        DL_TRY(write_page(k, w, err));
    } while (k->n == PAGE);
    return DL_OK;
}

static dl_status save_all(keeper *k, dl_error *err)
{
    int unit;
    int owner;

    for (unit = 0; unit < MDL_QUOTA_UNITS; unit++) {
        for (owner = 0; owner < MDL_QUOTA_OWNERS; owner++) {
            mdl_windows *w = k->quota->windows[unit][owner];

            if (w != NULL) {
                DL_TRY(save_table(k, w, (mdl_quota_unit)unit, err));
            }
        }
    }
    return mdl_wh_write(k->pool, forget_page, k, err);
}

/* Save, and tell when that stops or begins to work. */
static void save(keeper *k)
{
    dl_error err;
    bool failed = save_all(k, &err) != DL_OK;

    if (failed && !k->failing) {
        dl_log(DL_LOG_WARNING,
               "DL1130 quota windows cannot be written down: %s", err.text);
    }
    else if (!failed && k->failing) {
        dl_log(DL_LOG_NOTICE, "DL1131 quota windows are written down again");
    }
    k->failing = failed;
    k->saved_us = dl_time_monotonic_us();
}

/* --- Loading -------------------------------------------------------------- */

/* Set *UNIT and *POLICY to those of the name TEXT; false for one that no rule
 * has any more. */
static bool find_policy(uint32_t *policy, int *unit, const keeper *k,
                        const char *text)
{
    size_t len = strcspn(text, "#");
    uint32_t i;

    *unit = 0;
    while (*unit < MDL_QUOTA_UNITS &&
           strcmp(suffixes[*unit], text + len) != 0) {
        *unit += 1;
    }
    for (i = 0; *unit < MDL_QUOTA_UNITS && i < MDL_QUOTA_POLICIES; i++) {
        const char *name = k->quota->shared->policy[i];

        if (strlen(name) == len && strncmp(name, text, len) == 0) {
            *policy = i;
            return true;
        }
    }
    return false;
}

/* Add ROW to the windows in memory. */
static void join_row(const keeper *k, const dl_wh_quota_row *row)
{
    mdl_window_key key;
    mdl_caller caller;
    mdl_windows *w;
    uint32_t policy;
    int unit;

    if (!mdl_caller_parse(&caller, row->subject) || row->used <= 0 ||
        !find_policy(&policy, &unit, k, row->policy)) {
        return;
    }
    w = mdl_quota_windows_of(k->quota, (mdl_quota_unit)unit, &caller);
    if (w == NULL) {
        return;
    }
    mdl_quota_key(&key, w, &caller, policy);
    mdl_window_restore(
        w, &key,
        row->used < MDL_WINDOW_MOST ? (uint32_t)row->used : MDL_WINDOW_MOST,
        row->began / DL_SECOND_US + MDL_QUOTA_WINDOW_S, (int64_t)time(NULL));
}

static dl_status read_rows(struct dl_wh *wh, void *context, dl_error *err)
{
    return dl_wh_quota_load(context, wh, dl_time_now() - WINDOW_US, err);
}

/* Add what ROWS hold, unless another thread does. */
static void join(const keeper *k, const dl_wh_quota_rows *rows)
{
    _Atomic int *past = &k->quota->shared->past;
    int before = atomic_load(past);
    size_t i;

    if (before == MDL_QUOTA_JOINING || before == MDL_QUOTA_JOINED ||
        !atomic_compare_exchange_strong(past, &before, MDL_QUOTA_JOINING)) {
        return;
    }
    for (i = 0; i < rows->n; i++) {
        join_row(k, &rows->rows[i]);
    }
    atomic_store(past, MDL_QUOTA_JOINED);
    dl_log(DL_LOG_INFO, "DL1132 %zu quota windows from before the start count",
           rows->n);
}

/* Ask the warehouse for the windows from before the cold start. */
static void load(const keeper *k)
{
    dl_wh_quota_rows rows = {.max = LOAD_MAX};
    int unknown = MDL_QUOTA_UNKNOWN;
    dl_error err;

    rows.rows = malloc(rows.max * sizeof *rows.rows);
    if (rows.rows != NULL &&
        mdl_wh_read(k->pool, read_rows, &rows, &err) == DL_OK) {
        join(k, &rows);
    }
    else {
        (void)atomic_compare_exchange_strong(&k->quota->shared->past, &unknown,
                                             MDL_QUOTA_AWAY);
    }
    free(rows.rows);
}

/* --- The thread ----------------------------------------------------------- */

static bool has_past(const keeper *k)
{
    int past = atomic_load(&k->quota->shared->past);

    return past == MDL_QUOTA_JOINING || past == MDL_QUOTA_JOINED;
}

static void take_turn(void *context)
{
    keeper *k = context;

    if (!mdl_election_hold(&k->quota->shared->election)) {
        return;
    }
    if (!has_past(k)) {
        load(k);
    }
    else if (dl_time_monotonic_us() - k->saved_us >= SAVE_US) {
        save(k);
    }
}

/* The last one to stop writes what is left.  Another child that is writing at
 * this moment may have passed the windows this one has changed since. */
static void stop(void *context)
{
    const struct timespec look = {0, 10000000L};
    keeper *k = context;
    int64_t until_us = dl_time_monotonic_us() + STOP_US;

    while (!mdl_election_hold(&k->quota->shared->election)) {
        if (dl_time_monotonic_us() >= until_us) {
            return;
        }
        (void)nanosleep(&look, NULL);
    }
    if (has_past(k)) {
        save(k);
    }
    mdl_election_resign(&k->quota->shared->election);
}

/* Whether this child keeps the windows of QUOTA already, for another server;
 * remembers that it does.  Thread: child start only. */
static bool is_kept(const mdl_quota *quota)
{
    static const mdl_quota_shared *kept[KEPT_MAX];
    static size_t n;
    size_t i;

    for (i = 0; i < n; i++) {
        if (kept[i] == quota->shared) {
            return true;
        }
    }
    if (n < KEPT_MAX) {
        kept[n++] = quota->shared;
    }
    return false;
}

dl_status mdl_quota_keeper_start(mdl_quota *quota, mdl_wh_pool *pool,
                                 dl_error *err, apr_pool_t *child_pool)
{
    keeper *k;
    mdl_turns_work work = {.name = "keeps quota windows",
                           .every_ms = TURN_MS,
                           .turn = take_turn,
                           .stop = stop};

    if (is_kept(quota)) {
        return DL_OK;
    }
    k = apr_pcalloc(child_pool, sizeof *k);
    work.context = k;
    k->quota = quota;
    k->pool = pool;
    k->saved_us = dl_time_monotonic_us();
    return mdl_turns_start(&work, err, child_pool);
}
