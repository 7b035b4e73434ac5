/* dlc_ctl_doctor.c - datalakectl doctor: is everything there, and what to do.
 *
 * A check is a row: its name and a function that finds out.  A check that
 * fails says what to do next.  Nothing is changed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_identity.h"
#include "dl_jws.h"
#include "dl_statements.h"
#include "dl_wh.h"
#include "dlc_ctl.h"
#include "dlc_directives.h"
#include "dlc_kafka.h"
#include "dlc_letters_copy.h"
#include "dlc_progress.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <apr_strings.h>

#define ANSWER_MS  3000
#define SPACE_LEFT ((uint64_t)1 << 30)

/* How a check ended. */
typedef enum doctor_state {
    DOCTOR_OK,      /* as it should be */
    DOCTOR_WARNING, /* works, but look at it */
    DOCTOR_FAILED,  /* does not work */
    DOCTOR_AWAY     /* a dependency does not answer */
} doctor_state;

/* The checks' shared state and results. */
typedef struct doctor {
    dlc_ctl *ctl;              /* configuration, pool */
    const dl_config *cfg;      /* loaded before the first check */
    const dl_dataset_set *set; /* likewise */
    dl_json_writer w;          /* with --json */
    int failed;                /* checks that failed */
    int away;                  /* of those, for a dependency */
} doctor;

/* What a check found. */
typedef struct finding {
    doctor_state state; /* how it is */
    const char *detail; /* what was seen */
    const char *advice; /* what to do, NULL: nothing */
} finding;

/* Finds out; the sentences live in the pool of DOC. */
typedef finding check_function(doctor *doc);

/* One check. */
typedef struct doctor_check {
    const char *name;    /* what is looked at */
    check_function *run; /* how */
} doctor_check;

static finding good(const char *detail)
{
    return (finding){DOCTOR_OK, detail, NULL};
}

static finding failed(const doctor *doc, const dl_error *err,
                      const char *advice)
{
    return (finding){err->status == DL_UNAVAILABLE || err->status == DL_TIMEOUT
                         ? DOCTOR_AWAY
                         : DOCTOR_FAILED,
                     apr_pstrdup(doc->ctl->pool, err->text), advice};
}

/* --- Checks --------------------------------------------------------------- */

static finding check_declarations(doctor *doc)
{
    return good(apr_psprintf(doc->ctl->pool, "%d in %s", doc->set->n,
                             doc->cfg->datasets.dir));
}

static finding check_folder(const doctor *doc, const char *path,
                            const char *what)
{
    apr_pool_t *pool = doc->ctl->pool;
    struct stat info;

    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return (finding){DOCTOR_FAILED,
                         apr_psprintf(pool, "%s is no folder", path),
                         apr_psprintf(pool,
                                      "make it, owned by the account that "
                                      "runs the daemons, or change %s",
                                      what)};
    }
    if (access(path, W_OK | X_OK) != 0) {
        return (finding){DOCTOR_WARNING,
                         apr_psprintf(pool,
                                      "%s is not writable for this "
                                      "account",
                                      path),
                         "run doctor as the account of the daemons"};
    }
    return good(path);
}

static finding check_lake(doctor *doc)
{
    const char *path = doc->cfg->lake.path;
    finding found = check_folder(doc, path, "[lake] path");
    struct statvfs space;
    uint64_t left;

    if (found.state == DOCTOR_FAILED || statvfs(path, &space) != 0) {
        return found;
    }
    left = (uint64_t)space.f_bavail * space.f_frsize;
    found.detail = apr_psprintf(doc->ctl->pool, "%s, %" PRIu64 " MiB free",
                                path, left / 1048576);
    if (left < SPACE_LEFT && found.state == DOCTOR_OK) {
        found.state = DOCTOR_WARNING;
        found.advice = "make room: writing pauses when the disk is full";
    }
    return found;
}

static finding check_run(doctor *doc)
{
    return check_folder(doc, doc->cfg->run.dir, "[run] dir");
}

/* Whether TOPIC is there. */
static finding check_topic(doctor *doc, rd_kafka_t *rk, const char *topic)
{
    int32_t partitions;
    dl_error err = {0};
    dl_status status =
        dlc_kafka_partitions(&partitions, rk, topic, ANSWER_MS, &err);

    if (status == DL_NOT_FOUND) {
        return (finding){
            DOCTOR_FAILED,
            apr_psprintf(doc->ctl->pool, "topic %s does not exist", topic),
            "run: datalakectl topics"};
    }
    if (status != DL_OK) {
        return failed(doc, &err,
                      "start the broker, or correct [kafka] brokers");
    }
    return good("it exists");
}

static finding check_topics(doctor *doc)
{
    static const dlc_kafka_setting settings[] = {{NULL, NULL, 0}};
    apr_pool_t *pool = doc->ctl->pool;
    dl_error err = {0};
    rd_kafka_conf_t *conf;
    rd_kafka_t *rk;

    if (dlc_kafka_conf_create(&conf, doc->cfg, "datalakectl", settings, &err) !=
            DL_OK ||
        dlc_kafka_open(&rk, RD_KAFKA_PRODUCER, conf, &err, pool) != DL_OK) {
        return failed(doc, &err, "look at [kafka] brokers");
    }
    for (int i = 0; i < doc->set->n; i++) {
        const char *topic = doc->set->datasets[i]->topic;
        finding found = check_topic(doc, rk, topic);

        if (found.state == DOCTOR_OK && doc->cfg->kafka.dead_letter_topics) {
            found = check_topic(
                doc, rk, apr_pstrcat(pool, DLC_LETTERS_PREFIX, topic, NULL));
        }
        if (found.state != DOCTOR_OK) {
            return found;
        }
    }
    return good(
        apr_psprintf(pool, "%d at %s", doc->set->n, doc->cfg->kafka.brokers));
}

/* Connect as ROLE and see that the schema fits. */
static finding check_account(doctor *doc, dl_wh_role role, const char *name)
{
    dl_error err = {0};
    dl_wh *wh;

    if (dl_wh_connect(&wh, doc->cfg, role, &err, doc->ctl->pool) != DL_OK) {
        return failed(doc, &err,
                      err.status == DL_UNAVAILABLE
                          ? "start the server, or correct [warehouse]"
                          : "run: datalakectl migrate (it makes the "
                            "accounts), or correct [warehouse]");
    }
    if (dl_wh_schema_check(wh, &err) != DL_OK) {
        return failed(doc, &err, "run: datalakectl migrate");
    }
    return good(apr_psprintf(doc->ctl->pool, "%s as %s, schema %d",
                             doc->cfg->warehouse.database, name,
                             dl_wh_schema_known()));
}

static finding check_ingest(doctor *doc)
{
    return check_account(doc, DL_WH_INGEST, doc->cfg->warehouse.ingest.user);
}

static finding check_api(doctor *doc)
{
    return check_account(doc, DL_WH_API, doc->cfg->warehouse.api.user);
}

static finding check_jobs(doctor *doc)
{
    return check_account(doc, DL_WH_JOBS, doc->cfg->warehouse.jobs.user);
}

static finding check_durability(doctor *doc)
{
    const char *flush = NULL;
    const char *local = NULL;
    dl_error err = {0};
    dl_wh *wh;

    if (dl_wh_connect(&wh, doc->cfg, DL_WH_JOBS, &err, doc->ctl->pool) !=
            DL_OK ||
        dl_wh_ask(&flush, wh, STMT_FLUSH_SETTING, &err, doc->ctl->pool) !=
            DL_OK ||
        dl_wh_ask(&local, wh, STMT_LOCAL_SETTING, &err, doc->ctl->pool) !=
            DL_OK) {
        return failed(doc, &err, "see the rows above");
    }
    if (flush == NULL || strcmp(flush, "1") != 0) {
        return (finding){
            DOCTOR_FAILED,
            "innodb_flush_log_at_trx_commit is not 1: a crash of the server "
            "loses what was committed",
            "set it to 1 at the server"};
    }
    if (local == NULL || strcmp(local, "1") != 0) {
        return (finding){DOCTOR_WARNING,
                         "local_infile is off: loading falls back to INSERT",
                         "set local_infile = ON at the server"};
    }
    return good("commits are flushed, LOAD DATA LOCAL is allowed");
}

/* Counts active administrators. */
static dl_status count_admin(void *context, const dl_account *account,
                             dl_error *err)
{
    int *n = context;

    (void)err;
    *n += account->role == DL_ROLE_ADMIN && account->active ? 1 : 0;
    return DL_OK;
}

static finding check_admin(doctor *doc)
{
    dl_error err = {0};
    dl_wh *wh;
    int n = 0;

    if (dl_wh_connect(&wh, doc->cfg, DL_WH_JOBS, &err, doc->ctl->pool) !=
            DL_OK ||
        dl_identity_list(wh, count_admin, &n, &err) != DL_OK) {
        return failed(doc, &err, "see the rows above");
    }
    if (n == 0) {
        return (finding){DOCTOR_WARNING, "there is no active administrator",
                         "run: datalakectl user add NAME --role admin"};
    }
    return good(apr_psprintf(doc->ctl->pool, "%d active", n));
}

static finding check_key(doctor *doc)
{
    dlc_directives directives;
    dl_keyset *keys;
    dl_error err = {0};

    if (dlc_directives_load(&directives, doc->cfg->run.httpd_conf, &err,
                            doc->ctl->pool) != DL_OK ||
        dl_keyset_load(&keys, directives.key_file, &err, doc->ctl->pool) !=
            DL_OK) {
        return failed(doc, &err,
                      "make one, readable for root and the daemons' group: "
                      "openssl rand -base64 48 > FILE; chmod 640 FILE; name "
                      "it in DataLakeTokenKeyFile");
    }
    return good(apr_psprintf(doc->ctl->pool, "%s, kid %s signs, %d in all",
                             directives.key_file, dl_keyset_kid(keys, 0),
                             dl_keyset_count(keys)));
}

static finding check_daemon(const doctor *doc, const char *program)
{
    dl_error err = {0};
    pid_t pid = 0;

    if (dlc_ctl_daemon_pid(&pid, doc->ctl, program, &err) != DL_OK) {
        return (finding){
            DOCTOR_WARNING, "does not run",
            apr_psprintf(doc->ctl->pool,
                         "start it: systemctl start %s, or %s -c %s", program,
                         program, doc->cfg->file)};
    }
    return good(apr_psprintf(doc->ctl->pool, "runs, pid %d", (int)pid));
}

static finding check_lake_daemon(doctor *doc)
{
    return check_daemon(doc, "datalake-lake");
}

static finding check_warehouse_daemon(doctor *doc)
{
    return check_daemon(doc, "datalake-warehouse");
}

static finding check_jobs_daemon(doctor *doc)
{
    return check_daemon(doc, "datalake-jobs");
}

static const doctor_check CHECKS[] = {
    {"declarations", check_declarations},
    {"lake", check_lake},
    {"run folder", check_run},
    {"topics", check_topics},
    {"account ingest", check_ingest},
    {"account api", check_api},
    {"account jobs", check_jobs},
    {"durability", check_durability},
    {"administrator", check_admin},
    {"token key", check_key},
    {"datalake-lake", check_lake_daemon},
    {"datalake-warehouse", check_warehouse_daemon},
    {"datalake-jobs", check_jobs_daemon}};

/* --- Telling -------------------------------------------------------------- */

static const char *const STATE_NAMES[] = {"ok", "warning", "failed", "away"};

static void print_finding(const char *name, const finding *found)
{
    static const dlc_colour_name colours[] = {
        DLC_COLOUR_GREEN, DLC_COLOUR_YELLOW, DLC_COLOUR_RED, DLC_COLOUR_RED};

    fputs(dlc_colour(stdout, colours[found->state]), stdout);
    dlc_ctl_print_text(STATE_NAMES[found->state], 8);
    fputs(dlc_colour(stdout, DLC_COLOUR_NONE), stdout);
    dlc_ctl_print_text(name, 20);
    puts(found->detail);
    if (found->advice != NULL) {
        printf("%28s-> %s\n", "", found->advice);
    }
}

static void write_finding(dl_json_writer *w, const char *name,
                          const finding *found)
{
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "check");
    dl_json_write_text(w, name);
    dl_json_write_key(w, "state");
    dl_json_write_text(w, STATE_NAMES[found->state]);
    dl_json_write_key(w, "detail");
    dl_json_write_text(w, found->detail);
    dl_json_write_key(w, "advice");
    dl_json_write_text(w, found->advice);
    dl_json_write_object_end(w);
}

static void examine(doctor *doc)
{
    dl_json_write_array_begin(&doc->w);
    for (size_t i = 0; i < sizeof CHECKS / sizeof CHECKS[0]; i++) {
        finding found = CHECKS[i].run(doc);

        doc->failed += found.state >= DOCTOR_FAILED ? 1 : 0;
        doc->away += found.state == DOCTOR_AWAY ? 1 : 0;
        if (doc->ctl->json) {
            write_finding(&doc->w, CHECKS[i].name, &found);
        }
        else {
            print_finding(CHECKS[i].name, &found);
        }
    }
    dl_json_write_array_end(&doc->w);
}

int dlc_ctl_doctor(dlc_ctl *ctl, int argc, const char *const *argv)
{
    doctor doc = {.ctl = ctl, .w = dlc_ctl_json(ctl)};
    dlc_positionals rest;
    dl_error err = {0};
    int exit_status = dlc_ctl_parse(&rest, ctl, NULL, argc, argv);

    if (exit_status < 0) {
        exit_status = dlc_ctl_want(ctl, &rest, 0, 0);
    }
    if (exit_status >= 0) {
        return exit_status;
    }
    if (dlc_ctl_config(&doc.cfg, ctl, &err) != DL_OK ||
        dlc_ctl_datasets(&doc.set, ctl, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    examine(&doc);
    if (ctl->json && dlc_ctl_print_json(ctl, &doc.w) != DLC_CTL_OK) {
        return DLC_CTL_FAILED;
    }
    if (doc.failed == 0) {
        return DLC_CTL_OK;
    }
    return doc.failed == doc.away ? DLC_CTL_AWAY : DLC_CTL_FAILED;
}
