/* dlc_ctl_job.c - datalakectl job, datalakectl schedule.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_ctl_job.h"
#include "dl_job_write.h"
#include "dl_token.h"
#include "dl_wh.h"
#include "dlc_ctl.h"
#include "dlc_ctl_account.h"
#include "dlc_progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Jobs and schedules that a list shows. */
#define JOBS_MAX      1000
#define SCHEDULES_MAX 64

/* Between two looks at a job that is watched. */
#define LOOK_NS 250000000

/* Looks at a job that nobody takes before that is said: five seconds. */
#define LOOKS_WAITING 20

/* What the command line asks for. */
typedef struct job_request {
    dlc_ctl *ctl;      /* the run */
    dl_wh *wh;         /* to the warehouse */
    const char *word;  /* behind the verb: id or name; NULL */
    const char *state; /* --state */
    const char *kind;  /* --kind */
    dl_json_writer w;  /* with --json */
    int exit_status;   /* what the program returns */
} job_request;

/* One verb. */
typedef struct job_verb {
    const char *name; /* as it is typed */
    bool wants_word;  /* an id or a name follows */
    dl_status (*run)(job_request *request, dl_error *err); /* does it */
} job_verb;

/* --- Jobs ----------------------------------------------------------------- */

static void print_job(const dl_job *job)
{
    char created[DL_TIME_TEXT];

    dl_time_format(created, job->created_at);
    printf("%s  ", job->id);
    dlc_ctl_print_text(job->kind, 12);
    dlc_ctl_print_text(job->state, 10);
    dlc_ctl_print_text(job->created_by != NULL ? job->created_by : "-", 16);
    printf("%.19sZ  %lld", created, (long long)job->done);
    if (job->total >= 0) {
        printf("/%lld", (long long)job->total);
    }
    if (job->error_detail != NULL) {
        printf("  %s", job->error_detail);
    }
    putchar('\n');
}

/* Print JOB, or write it. */
static dl_status give_job(void *context, const dl_job *job, dl_error *err)
{
    job_request *request = context;

    (void)err;
    if (request->ctl->json) {
        dl_job_write(&request->w, job);
    }
    else {
        print_job(job);
    }
    return DL_OK;
}

static dl_status job_list(job_request *request, dl_error *err)
{
    dl_job_page page = {.kind = request->kind != NULL ? request->kind : "",
                        .state = request->state != NULL ? request->state : "",
                        .before = DL_TIME_NONE,
                        .before_id = "",
                        .max = JOBS_MAX};

    dl_json_write_array_begin(&request->w);
    DL_TRY(dl_job_read(request->wh, &page, give_job, request, err));
    dl_json_write_array_end(&request->w);
    return DL_OK;
}

static dl_status job_show(job_request *request, dl_error *err)
{
    return dl_job_find(request->wh, request->word, give_job, request, err);
}

static dl_status job_cancel(job_request *request, dl_error *err)
{
    DL_TRY(dl_job_cancel(request->wh, request->word, dl_time_now(), err));
    return job_show(request, err);
}

/* What is seen of a job that is watched. */
typedef struct sight {
    bool over;     /* it has ended */
    bool begun;    /* somebody has taken it */
    bool well;     /* ... as it should */
    int64_t done;  /* units of work */
    int64_t total; /* in all; -1: not known */
} sight;

static dl_status see_job(void *context, const dl_job *job, dl_error *err)
{
    sight *seen = context;

    (void)err;
    seen->over = job->finished_at != DL_TIME_NONE;
    seen->begun = strcmp(job->state, "queued") != 0;
    seen->well = strcmp(job->state, "succeeded") == 0;
    seen->done = job->done;
    seen->total = job->total;
    return DL_OK;
}

/* Say that job ID waits for somebody to take it. */
static void tell_waiting(const job_request *request, const char *id)
{
    fprintf(stderr, "datalakectl %s: %s waits: does datalake-jobs run?\n",
            request->ctl->command->name, id);
}

/* Wait for the end of job ID, with a bar on a terminal. */
static dl_status watch(bool *well, const job_request *request, const char *id,
                       dl_error *err)
{
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    dlc_progress bar;
    bool begun = false;
    sight seen = {.over = false};
    int looks = 0;

    for (;;) {
        DL_TRY(dl_job_find(request->wh, id, see_job, &seen, err));
        if (seen.over) {
            break;
        }
        if (!seen.begun && ++looks == LOOKS_WAITING) {
            tell_waiting(request, id);
        }
        if (!begun && seen.total > 0) {
            dlc_progress_begin(&bar, "units", seen.total, request->ctl->json);
            begun = true;
        }
        if (begun) {
            dlc_progress_update(&bar, seen.done);
        }
        nanosleep(&pause, NULL);
    }
    if (begun) {
        dlc_progress_end(&bar);
    }
    *well = seen.well;
    return DL_OK;
}

static dl_status job_watch(job_request *request, dl_error *err)
{
    bool well;

    DL_TRY(watch(&well, request, request->word, err));
    request->exit_status = well ? DLC_CTL_OK : DLC_CTL_FAILED;
    return job_show(request, err);
}

/* --- Schedules ------------------------------------------------------------ */

static void print_schedule(const dl_schedule *schedule,
                           const dl_schedule_run *runs, int n)
{
    char next[DL_TIME_TEXT] = "never";
    char last[DL_TIME_TEXT];

    if (schedule->enabled && schedule->next_run != DL_TIME_NONE) {
        dl_time_format(next, schedule->next_run);
    }
    dlc_ctl_print_text(schedule->name, 16);
    dlc_ctl_print_text(schedule->calendar, 20);
    dlc_ctl_print_text(schedule->time_zone, 16);
    printf("next %.19s", next);
    if (n > 0) {
        dl_time_format(last, runs[0].started_at);
        printf("  last %.19s %s%s%s", last, runs[0].state,
               runs[0].detail[0] != '\0' ? ": " : "", runs[0].detail);
    }
    putchar('\n');
}

static dl_status schedule_list(job_request *request, dl_error *err)
{
    static dl_schedule schedules[SCHEDULES_MAX];
    dl_schedule_run runs[DL_SCHEDULE_RUNS];
    int n;
    int i;

    DL_TRY(
        dl_schedule_list(schedules, &n, SCHEDULES_MAX, request->wh, "", err));
    dl_json_write_array_begin(&request->w);
    for (i = 0; i < n; i++) {
        int n_runs;

        DL_TRY(dl_schedule_runs(runs, &n_runs, request->wh, schedules[i].name,
                                err));
        if (request->ctl->json) {
            dl_schedule_write(&request->w, &schedules[i], runs, n_runs);
        }
        else {
            print_schedule(&schedules[i], runs, n_runs);
        }
    }
    dl_json_write_array_end(&request->w);
    return DL_OK;
}

/* Queue the run of CALL in a transaction. */
static dl_status start_run(dl_wh *wh, dl_schedule_call *call, dl_error *err)
{
    dl_status status;

    DL_TRY(dl_wh_begin(wh, err));
    status = dl_schedule_start(wh, call, err);
    if (status == DL_OK) {
        return dl_wh_commit(wh, err);
    }
    dl_wh_rollback(wh);
    return status;
}

static dl_status schedule_run(job_request *request, dl_error *err)
{
    char job_id[DL_JOB_ID];
    dl_schedule_call call = {.name = request->word,
                             .trigger = "ctl",
                             .job_id = job_id,
                             .now = dl_time_now()};
    bool well;

    dl_token_new_id(job_id);
    DL_TRY(start_run(request->wh, &call, err));
    DL_TRY(watch(&well, request, job_id, err));
    request->exit_status = well ? DLC_CTL_OK : DLC_CTL_FAILED;
    return dl_job_find(request->wh, job_id, give_job, request, err);
}

/* --- The command line ----------------------------------------------------- */

/* Whether TEXT is a state of a job. */
static bool is_state(const char *text)
{
    static const char *const states[] = {"queued", "running", "succeeded",
                                         "failed", "cancelled"};
    size_t i;

    for (i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strcmp(text, states[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Find the verb of REST in VERBS; -1: go on with *VERB. */
static int find_verb(const job_verb **verb, job_request *request,
                     const job_verb *verbs, const dlc_positionals *rest)
{
    const job_verb *at = verbs;
    int exit_status = dlc_ctl_want(request->ctl, rest, 1, 2);

    if (exit_status >= 0) {
        return exit_status;
    }
    while (at->name != NULL && strcmp(at->name, rest->text[0]) != 0) {
        at++;
    }
    if (at->name == NULL) {
        return dlc_ctl_usage(request->ctl, "unknown verb \"%.40s\"",
                             rest->text[0]);
    }
    *verb = at;
    request->word = at->wants_word && rest->n > 1 ? rest->text[1] : NULL;
    return dlc_ctl_want(request->ctl, rest, at->wants_word ? 2 : 1,
                        at->wants_word ? 2 : 1);
}

/* Do what REST says by VERBS. */
static int run_verb(job_request *request, const job_verb *verbs,
                    const dlc_positionals *rest)
{
    const job_verb *verb = NULL;
    dl_error err = {.status = DL_OK};
    int exit_status = find_verb(&verb, request, verbs, rest);

    if (exit_status >= 0 || verb == NULL) {
        return exit_status;
    }
    request->w = dlc_ctl_json(request->ctl);
    if (dlc_ctl_accounts(&request->wh, request->ctl, &err) != DL_OK ||
        verb->run(request, &err) != DL_OK) {
        return dlc_ctl_fail(request->ctl, &err);
    }
    if (request->ctl->json) {
        int printed = dlc_ctl_print_json(request->ctl, &request->w);

        if (printed != DLC_CTL_OK) {
            return printed;
        }
    }
    return request->exit_status;
}

int dlc_ctl_job_follow(dlc_ctl *ctl, dl_wh *wh, const char *id)
{
    job_request request = {
        .ctl = ctl, .wh = wh, .word = id, .w = dlc_ctl_json(ctl)};
    dl_error err = {.status = DL_OK};

    if (job_watch(&request, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    if (ctl->json) {
        int printed = dlc_ctl_print_json(ctl, &request.w);

        if (printed != DLC_CTL_OK) {
            return printed;
        }
    }
    return request.exit_status;
}

int dlc_ctl_job(dlc_ctl *ctl, int argc, const char *const *argv)
{
    static const job_verb verbs[] = {{"list", false, job_list},
                                     {"show", true, job_show},
                                     {"watch", true, job_watch},
                                     {"cancel", true, job_cancel},
                                     {NULL, false, NULL}};
    job_request request = {.ctl = ctl};
    const dlc_option table[] = {
        {"state", 0, DLC_OPTION_TEXT, &request.state, 0, 0, "STATE",
         "list jobs that are queued, running, succeeded, failed or cancelled"},
        {"kind", 0, DLC_OPTION_TEXT, &request.kind, 0, 0, "KIND",
         "list jobs that do this"},
        {.name = NULL}};
    dlc_positionals rest;
    int exit_status;

    if (argc > 0 && strcmp(argv[0], "run") == 0) {
        return dlc_ctl_job_run(ctl, argc - 1, argv + 1);
    }
    exit_status = dlc_ctl_parse(&rest, ctl, table, argc, argv);
    if (exit_status < 0 && request.state != NULL && !is_state(request.state)) {
        exit_status = dlc_ctl_usage(
            ctl,
            "--state must be queued, running, succeeded, failed or "
            "cancelled, not \"%.40s\"",
            request.state);
    }
    return exit_status >= 0 ? exit_status : run_verb(&request, verbs, &rest);
}

int dlc_ctl_schedule(dlc_ctl *ctl, int argc, const char *const *argv)
{
    static const job_verb verbs[] = {{"list", false, schedule_list},
                                     {"run", true, schedule_run},
                                     {NULL, false, NULL}};
    job_request request = {.ctl = ctl};
    dlc_positionals rest;
    int exit_status = dlc_ctl_parse(&rest, ctl, NULL, argc, argv);

    return exit_status >= 0 ? exit_status : run_verb(&request, verbs, &rest);
}
