/* dlc_notify.c - Look, take, send, note.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_notify.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "dl_identity.h"
#include "dl_log.h"
#include "dl_statements.h"
#include "dl_time.h"
#include "dlc_chore.h"
#include "dlc_link.h"
#include "dlc_mail.h"
#include "dlc_smtp.h"

/* Between looks, in microseconds: for runs; for addresses, while there are
 * none; after a first failure; at most. */
#define LOOK_US   INT64_C(2000000)
#define NOBODY_US INT64_C(60000000)
#define AWAY_US   INT64_C(1000000)
#define LIMIT_US  INT64_C(60000000)

/* A run is taken for so long: longer than a mail may take. */
#define LEASE_US INT64_C(60000000)

/* A run of so long ago was given up by somebody, or is of no interest. */
#define OLD_US (7 * DL_DAY_US)

/* All. */
typedef struct notify {
    dlc_link *link;         /* to the warehouse */
    dlc_smtp_server server; /* of mails */
    int64_t unnoted;     /* a run that was mailed and is not noted; 0: none */
    int64_t away_us;     /* rest after the last failure; 0: all is well */
    int strange;         /* rows of users_notification without an address */
    bool gone;           /* no further mail goes in this turn */
    bool refused;        /* a mail did not go in this turn */
    dlc_chore *chore;    /* of the turn */
    apr_pool_t *scratch; /* likewise */
} notify;

/* --- Rows ----------------------------------------------------------------- */

/* Read the addresses that a mail can go to. */
static dl_status read_addresses(apr_array_header_t **to, notify *n, dl_wh *wh,
                                dl_error *err)
{
    bool more = false;
    dl_wh_stmt *st;

    *to = apr_array_make(n->scratch, 4, sizeof(const char *));
    n->strange = 0;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_NOTIFY_ADDRESSES, err));
    dl_wh_bind_int(st, 0, DLC_NOTIFY_ADDRESSES);
    DL_TRY(dl_wh_run(st, err));
    for (;;) {
        size_t len;
        const char *email;

        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more) {
            return DL_OK;
        }
        email = dl_wh_text(st, 0, &len);
        if (dl_identity_check_email(email, len, NULL) == DL_OK) {
            APR_ARRAY_PUSH(*to, const char *) =
                apr_pstrmemdup(n->scratch, email, len);
        }
        else {
            n->strange++;
        }
    }
}

/* Read failed runs that are to be mailed or given up. */
static dl_status read_runs(apr_array_header_t **runs, const notify *n,
                           dl_wh *wh, dl_time now, dl_error *err)
{
    bool more = false;
    dl_wh_stmt *st;

    *runs = apr_array_make(n->scratch, 4, sizeof(dlc_mail_run));
    DL_TRY(dl_wh_prepare(&st, wh, STMT_RUN_UNMAILED, err));
    dl_wh_bind_time(st, 0, now - OLD_US);
    dl_wh_bind_time(st, 1, now - DLC_NOTIFY_TRIED_S * DL_SECOND_US);
    dl_wh_bind_time(st, 2, now);
    DL_TRY(dl_wh_run(st, err));
    for (;;) {
        dlc_mail_run *run;

        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more) {
            return DL_OK;
        }
        run = apr_array_push(*runs);
        run->id = dl_wh_int(st, 0);
        run->name = apr_pstrdup(n->scratch, dl_wh_text(st, 1, NULL));
        run->trigger = apr_pstrdup(n->scratch, dl_wh_text(st, 2, NULL));
        run->started_at = dl_wh_time(st, 3);
        run->finished_at = dl_wh_time(st, 4);
        run->error = apr_pstrdup(n->scratch, dl_wh_text(st, 5, NULL));
        run->job_id = apr_pstrdup(n->scratch, dl_wh_text(st, 6, NULL));
    }
}

/* Take RUN for a while; *MINE: nobody else has. */
static dl_status take(bool *mine, dl_wh *wh, const dlc_mail_run *run,
                      dl_time now, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_RUN_MAIL_TAKE, err));
    dl_wh_bind_time(st, 0, now + LEASE_US);
    dl_wh_bind_int(st, 1, run->id);
    dl_wh_bind_time(st, 2, now);
    DL_TRY(dl_wh_run(st, err));
    *mine = dl_wh_affected(st) == 1;
    return DL_OK;
}

/* Give RUN, taken at NOW, back: somebody may send it at once. */
static dl_status give_back(dl_wh *wh, const dlc_mail_run *run, dl_time now,
                           dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_RUN_MAIL_LEAVE, err));
    dl_wh_bind_time(st, 0, now);
    dl_wh_bind_int(st, 1, run->id);
    dl_wh_bind_time(st, 2, now + LEASE_US);
    return dl_wh_run(st, err);
}

/* Note that the run that was mailed last was, if that is not done. */
static dl_status note(notify *n, dl_wh *wh, dl_error *err)
{
    dl_wh_stmt *st;

    if (n->unnoted == 0) {
        return DL_OK;
    }
    DL_TRY(dl_wh_prepare(&st, wh, STMT_RUN_MAILED, err));
    dl_wh_bind_time(st, 0, dl_time_now());
    dl_wh_bind_int(st, 1, n->unnoted);
    DL_TRY(dl_wh_run(st, err));
    n->unnoted = 0;
    return DL_OK;
}

/* Give RUN up for good; who does so says it. */
static dl_status give_up(dl_wh *wh, const dlc_mail_run *run, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_RUN_MAIL_DROP, err));
    dl_wh_bind_int(st, 0, run->id);
    DL_TRY(dl_wh_run(st, err));
    if (dl_wh_affected(st) == 1) {
        dl_log(DL_LOG_ERROR,
               "DL0962 notify: run %lld of %.64s failed and could not be "
               "mailed for a day: given up",
               (long long)run->id, run->name);
    }
    return DL_OK;
}

/* --- Sending -------------------------------------------------------------- */

static bool ends(void *context)
{
    return dlc_chore_stopping(context);
}

/* Say once that mails wait, and why; rest longer and longer. */
static void fall_back(notify *n, const char *why)
{
    if (n->away_us == 0) {
        dl_log(DL_LOG_WARNING,
               "DL0960 notify: mails about failed runs wait: %s", why);
    }
    n->away_us = n->away_us == 0 ? AWAY_US : n->away_us * 2;
    n->away_us = n->away_us > LIMIT_US ? LIMIT_US : n->away_us;
}

/* Mail RUN, which is ours since NOW, to all of TO. */
static dl_status mail_run(notify *n, dl_wh *wh, const dlc_mail_run *run,
                          const apr_array_header_t *to, dl_time now,
                          dl_error *err)
{
    dlc_smtp_mail mail = {.n = to->nelts,
                          .to = (const char *const *)(const void *)to->elts};
    dlc_smtp_outcome outcome;
    dl_error fault = {.status = DL_OK};
    dl_status status;

    mail.text = dlc_mail_text(&mail.len, run, n->server.from, now, n->scratch);
    status = dlc_smtp_send(&outcome, &n->server, &mail, ends, n->chore, &fault);
    if (status != DL_OK) {
        if (!n->refused && status != DL_RETRY) {
            fall_back(n, fault.text);
        }
        n->refused = true;
        n->gone = status != DL_INVALID;
        return give_back(wh, run, now, err);
    }
    n->unnoted = run->id;
    if (outcome.refused > 0) {
        dl_log(DL_LOG_WARNING,
               "DL0963 notify: run %lld of %.64s: %d of %d addresses were "
               "refused: %s",
               (long long)run->id, run->name, outcome.refused, mail.n,
               outcome.said);
    }
    if (n->strange > 0) {
        dl_log(DL_LOG_WARNING,
               "DL0964 notify: %d rows of users_notification hold no address: "
               "passed over",
               n->strange);
    }
    return note(n, wh, err);
}

/* Whether the next run is looked at in this turn. */
static bool goes_on(const notify *n)
{
    return !n->gone && !dlc_chore_stopping(n->chore);
}

/* Mail all runs that are due; set *PAUSE to when to look again. */
static dl_status mail_all(int64_t *pause, notify *n, dl_error *err)
{
    apr_array_header_t *to;
    apr_array_header_t *runs;
    dl_wh *wh;

    *pause = LOOK_US;
    DL_TRY(dlc_link_open(&wh, n->link, err));
    DL_TRY(note(n, wh, err));
    DL_TRY(read_addresses(&to, n, wh, err));
    if (to->nelts == 0) {
        *pause = NOBODY_US;
        return DL_OK;
    }
    DL_TRY(read_runs(&runs, n, wh, dl_time_now(), err));
    for (int i = 0; i < runs->nelts && goes_on(n); i++) {
        const dlc_mail_run *run = &APR_ARRAY_IDX(runs, i, dlc_mail_run);
        dl_time now = dl_time_now();
        bool mine = false;

        if (run->finished_at < now - DLC_NOTIFY_TRIED_S * DL_SECOND_US) {
            DL_TRY(give_up(wh, run, err));
            continue;
        }
        DL_TRY(take(&mine, wh, run, now, err));
        if (mine) {
            DL_TRY(mail_run(n, wh, run, to, now, err));
        }
    }
    return DL_OK;
}

static int64_t turn(void *context, dlc_chore *chore, apr_pool_t *scratch_pool)
{
    notify *n = context;
    dl_error err = {.status = DL_OK};
    int64_t pause;
    dl_status status;

    n->chore = chore;
    n->scratch = scratch_pool;
    n->refused = false;
    n->gone = false;
    status = mail_all(&pause, n, &err);
    if (status != DL_OK) {
        dlc_link_close(n->link);
        if (!n->refused) {
            fall_back(n, err.text);
        }
        return n->away_us == 0 ? AWAY_US : n->away_us;
    }
    if (n->refused) {
        return n->away_us;
    }
    if (n->away_us != 0) {
        dl_log(DL_LOG_NOTICE,
               "DL0961 notify: mails about failed runs go again");
    }
    n->away_us = 0;
    return pause;
}

dl_status dlc_notify_create(const dl_config *cfg, dl_error *err,
                            apr_pool_t *pool)
{
    const dl_config_notify *given = &cfg->notify;
    notify *n = apr_pcalloc(pool, sizeof *n);
    dlc_chore *chore;

    if (given->smtp_url[0] == '\0') {
        return DL_OK;
    }
    n->server = (dlc_smtp_server){
        .url = given->smtp_url, .user = given->smtp_user, .from = given->from};
    if (given->smtp_user[0] != '\0') {
        dl_secret *password;

        DL_TRY(dl_secret_load(&password, given->smtp_password_file, err, pool));
        n->server.password = password;
    }
    DL_TRY(dlc_smtp_init(err));
    DL_TRY(dlc_link_create(&n->link, cfg, err, pool));
    return dlc_chore_create(&chore, turn, n, AWAY_US, err, pool);
}
