/* dlc_ctl_replay.c - datalakectl replay: have stored transactions sent once
 * more.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_json_write.h"
#include "dl_repush.h"
#include "dl_token.h"
#include "dl_utf8.h"
#include "dl_wh.h"
#include "dlc_ctl.h"
#include "dlc_ctl_account.h"
#include "dlc_ctl_job.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

/* What the command line asks for. */
typedef struct replay_request {
    bool dry_run;     /* --dry-run */
    const char *from; /* --from */
    const char *to;   /* --to */
    int64_t rate;     /* --rate */
} replay_request;

/* Whether PAIR, with VALUE behind its =, can be a member of a filter beside
 * those before it in REST; return -1 when it can, else the exit status. */
static int judge_pair(const dlc_ctl *ctl, const dlc_positionals *rest, int pair,
                      const char *value)
{
    const char *text = rest->text[pair];
    size_t len;
    int i;

    if (value == NULL || value == text) {
        return dlc_ctl_usage(ctl, "\"%.60s\" is not FIELD=VALUE", text);
    }
    if (!dl_utf8_check_text(text, strlen(text))) {
        return dlc_ctl_usage(ctl, "the filter \"%.*s\" is not UTF-8",
                             (int)(value - text), text);
    }
    len = (size_t)(value - text) + 1;
    for (i = 0; i < pair; i++) {
        if (strncmp(rest->text[i], text, len) == 0) {
            return dlc_ctl_usage(ctl, "%.*s is given twice", (int)len - 1,
                                 text);
        }
    }
    return -1;
}

/* Set *FILTER to the texts FIELD=VALUE of REST, NULL when there is none.
 * Return -1 to go on, else the exit status: a filter that is not understood
 * must not become none. */
static int read_filter(const char **filter, const dlc_ctl *ctl,
                       const dlc_positionals *rest)
{
    dl_buf *buf = dl_buf_create(DL_REPUSH_FILTER, ctl->pool);
    dl_json_writer w;
    dl_error err;
    int i;

    *filter = NULL;
    if (rest->n == 0) {
        return -1;
    }
    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    for (i = 0; i < rest->n; i++) {
        const char *text = rest->text[i];
        const char *value = strchr(text, '=');
        int exit_status = judge_pair(ctl, rest, i, value);

        if (exit_status >= 0 || value == NULL) {
            return exit_status;
        }
        dl_json_write_key(
            &w, apr_pstrmemdup(ctl->pool, text, (size_t)(value - text)));
        dl_json_write_text(&w, value + 1);
    }
    dl_json_write_object_end(&w);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return dlc_ctl_usage(ctl, "the filter has more than %d bytes",
                             DL_REPUSH_FILTER);
    }
    *filter = apr_pstrmemdup(ctl->pool, buf->data, buf->len);
    return -1;
}

/* Set ASKED to what REQUEST and REST say; as read_filter. */
static int read_asked(dl_repush *asked, const replay_request *request,
                      const dlc_ctl *ctl, const dlc_positionals *rest)
{
    int exit_status;

    asked->dry_run = request->dry_run;
    asked->rate = request->rate;
    exit_status = read_filter(&asked->filter, ctl, rest);
    if (exit_status < 0) {
        exit_status = dlc_ctl_read_time(&asked->from, ctl, "--from",
                                        request->from, false);
    }
    if (exit_status < 0) {
        exit_status =
            dlc_ctl_read_time(&asked->to, ctl, "--to", request->to, true);
    }
    if (exit_status < 0 && asked->from != DL_TIME_NONE &&
        asked->to != DL_TIME_NONE && asked->from >= asked->to) {
        exit_status = dlc_ctl_usage(ctl, "--to must lie behind --from");
    }
    return exit_status;
}

/* Judge ASKED before it is queued. */
static dl_status judge(const dl_repush *asked, dlc_ctl *ctl, dl_error *err)
{
    const dl_dataset *ds;
    dl_repush_fault fault;
    dl_query *query;

    DL_TRY(dlc_ctl_dataset(&ds, ctl, DL_REPUSH_DATASET, err));
    if (dl_repush_query(&query, asked, ds, &fault, ctl->pool) == DL_OK) {
        return DL_OK;
    }
    return dl_fail(err, DL_INVALID, 0, "%s: %s",
                   fault.name != NULL ? fault.name : "the filter",
                   fault.fault.detail);
}

/* Queue the job ID for ASKED. */
static dl_status queue_job(const char *id, const dl_repush *asked, dlc_ctl *ctl,
                           dl_error *err)
{
    const dl_job_new job = {.id = id,
                            .kind = DL_REPUSH_KIND,
                            .created_at = dl_time_now(),
                            .not_before = DL_TIME_NONE,
                            .parameters = dl_repush_write(asked, ctl->pool)};
    char running[DL_JOB_ID];
    dl_status status;
    dl_wh *wh;

    DL_TRY(dlc_ctl_accounts(&wh, ctl, err));
    DL_TRY(dl_wh_begin(wh, err));
    status = dl_job_add_alone(running, wh, &job, err);
    if (status == DL_OK) {
        return dl_wh_commit(wh, err);
    }
    dl_wh_rollback(wh);
    return status;
}

static int print_queued(dlc_ctl *ctl, const char *id, const dl_repush *asked)
{
    dl_json_writer w;

    if (!ctl->json) {
        printf("%s  queued%s; datalakectl job watch %s\n", id,
               asked->dry_run ? ", a dry run" : "", id);
        return DLC_CTL_OK;
    }
    w = dlc_ctl_json(ctl);
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "job_id");
    dl_json_write_text(&w, id);
    dl_json_write_key(&w, "replay_id");
    dl_json_write_text(&w, asked->replay_id);
    dl_json_write_key(&w, "dry_run");
    dl_json_write_bool(&w, asked->dry_run);
    dl_json_write_object_end(&w);
    return dlc_ctl_print_json(ctl, &w);
}

int dlc_ctl_replay_queue(char id[DL_JOB_ID], dl_repush *asked, dlc_ctl *ctl,
                         int argc, const char *const *argv)
{
    replay_request request = {.rate = DL_REPUSH_RATE};
    const dlc_option table[] = {
        {"dry-run", 0, DLC_OPTION_FLAG, &request.dry_run, 0, 0, NULL,
         "count what would be sent, and send nothing"},
        {"from", 0, DLC_OPTION_TEXT, &request.from, 0, 0, "TIME",
         "only records of this time or later"},
        {"to", 0, DLC_OPTION_TEXT, &request.to, 0, 0, "TIME",
         "only records before this time"},
        {"rate", 0, DLC_OPTION_INT, &request.rate, 0, 1000000, "N",
         "records a second (500; 0: as fast as it goes)"},
        {.name = NULL}};
    dl_error err = {.status = DL_OK};
    dlc_positionals rest;
    int exit_status = dlc_ctl_parse(&rest, ctl, table, argc, argv);

    if (exit_status < 0) {
        exit_status = read_asked(asked, &request, ctl, &rest);
    }
    if (exit_status >= 0) {
        return exit_status;
    }
    dl_token_new_id(asked->replay_id);
    dl_token_new_id(id);
    if (judge(asked, ctl, &err) != DL_OK ||
        queue_job(id, asked, ctl, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    return -1;
}

int dlc_ctl_replay(dlc_ctl *ctl, int argc, const char *const *argv)
{
    char id[DL_JOB_ID];
    dl_repush asked = {.filter = NULL};
    int exit_status = dlc_ctl_replay_queue(id, &asked, ctl, argc, argv);

    return exit_status >= 0 ? exit_status : print_queued(ctl, id, &asked);
}
