/* datalake-jobs.c - The daemon that does the work no request may wait for.
 *
 * Its main thread loads the audit log into the warehouse, where it can be
 * asked; others work on jobs (dlc_work.h), list dead letters (dlc_letters.h),
 * send change events (dlc_outbox.h) and mail failed runs (dlc_notify.h).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_audit_load.h"
#include "dlc_daemon.h"
#include "dlc_directives.h"
#include "dlc_job_numbers.h"
#include "dlc_letters.h"
#include "dlc_letters_copy.h"
#include "dlc_notify.h"
#include "dlc_outbox.h"
#include "dlc_redrive.h"
#include "dlc_repush.h"
#include "dlc_schedule.h"
#include "dlc_train.h"
#include "dlc_work.h"

#include "dl_log.h"
#include "dl_repush.h"
#include "dl_schedule.h"
#include "dl_time.h"
#include "dl_wh_model.h"

#include <time.h>

/* What jobs there are. */
static const dlc_work_kind kinds[] = {
    {DL_SCHEDULE_KIND, 2, dlc_schedule_run, dlc_schedule_ended},
    {DL_REPUSH_KIND, 1, dlc_repush_run, NULL},
    {DL_TRAIN_KIND, 1, dlc_train_run, NULL},
    {"redrive", 1, dlc_redrive_run, NULL}};

/* Between turns, in microseconds: when all is well; at first and at most while
 * the warehouse is away. */
#define TURN_US  INT64_C(150000)
#define AWAY_US  INT64_C(500000)
#define LIMIT_US INT64_C(5000000)

/* Sleep for US, or until a signal comes. */
static void rest(int64_t us)
{
    struct timespec pause = {us / DL_SECOND_US, us % DL_SECOND_US * 1000};

    (void)nanosleep(&pause, NULL);
}

/* Say once that the warehouse is away, or back; return how long to rest.  That
 * another program was faster (DL_CONFLICT) is neither: it has stored them. */
static int64_t judge(int64_t *away_us, dl_status status, const dl_error *err)
{
    if (status == DL_OK || status == DL_RETRY || status == DL_CONFLICT) {
        if (*away_us != 0) {
            dl_log(DL_LOG_NOTICE, "DL0753 audit: entries are stored again");
        }
        *away_us = 0;
        return TURN_US;
    }
    if (*away_us == 0) {
        dl_log(DL_LOG_ERROR, "DL0752 audit: entries wait in their files: %s",
               err->text);
    }
    *away_us = *away_us == 0 ? AWAY_US : *away_us * 2;
    *away_us = *away_us > LIMIT_US ? LIMIT_US : *away_us;
    return *away_us;
}

static dl_status serve(const dlc_service *service, dl_error *err,
                       apr_pool_t *pool)
{
    dlc_directives directives;
    dlc_audit_load *load;
    dlc_job_numbers *numbers;
    dlc_work_plan plan = {.kinds = kinds,
                          .n = (int)(sizeof kinds / sizeof kinds[0]),
                          .tick = dlc_schedule_tick,
                          .cfg = service->cfg,
                          .stats = service->stats};
    int64_t away_us = 0;

    DL_TRY(dlc_directives_load(&directives, service->cfg->run.httpd_conf, err,
                               pool));
    DL_TRY(dlc_audit_load_create(&load, service->cfg, directives.audit_dir,
                                 service->stats, err, pool));
    DL_TRY(dlc_workers_create(&plan, err, pool));
    DL_TRY(dlc_job_numbers_create(&numbers, service->cfg, service->stats, err,
                                  pool));
    DL_TRY(dlc_letters_create(service->cfg, service->stats, err, pool));
    DL_TRY(dlc_letters_copy_create(service->cfg, service->stats, err, pool));
    DL_TRY(dlc_outbox_create(service->cfg, service->stats, err, pool));
    DL_TRY(dlc_notify_create(service->cfg, err, pool));
    while (service->wishes->stop == 0) {
        bool more = false;
        dl_error failed = {0};
        dl_status status = dlc_audit_load_turn(&more, load, &failed);
        int64_t pause = judge(&away_us, status, &failed);

        if (away_us == 0) {
            dlc_job_numbers_turn(numbers);
        }
        service->alive(service->context, away_us == 0
                                             ? "loading the audit log"
                                             : "waiting for the warehouse");
        if (!more && service->wishes->stop == 0) {
            rest(pause);
        }
    }
    if (dlc_audit_load_finish(load, err) != DL_OK) {
        dl_log(DL_LOG_WARNING, "DL0754 audit: the last heads are missing: %s",
               err->text);
    }
    return DL_OK;
}

/* The folder has to be there: it is httpd's. */
static dl_status check(const dl_config *cfg, dl_error *err, apr_pool_t *pool)
{
    dlc_directives directives;

    return dlc_directives_load(&directives, cfg->run.httpd_conf, err, pool);
}

int main(int argc, char **argv)
{
    static const dlc_program program = {
        .name = "datalake-jobs",
        .sink = "jobs",
        .sentence =
            "do the work no request may wait for: jobs, schedules, dead "
            "letters, the audit log",
        .serve = serve,
        .check = check};

    return dlc_daemon_main(&program, argc, (const char *const *)argv);
}
