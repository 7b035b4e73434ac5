/* dlc_ctl.h - What the subcommands of datalakectl share.
 *
 * A subcommand is a row of the table in datalakectl.c and a function
 * dlc_ctl_NAME in dlc_ctl_*.c.  It gets what followed its name, reads its
 * options with dlc_ctl_parse, prints its answer to standard output (JSON when
 * ctl->json) and sentences for people to standard error, and returns the
 * exit status.  Configuration and declarations are loaded at the first use.
 *
 * Thread: the one main thread.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_CTL_H
#define DLC_CTL_H

#include <stdbool.h>
#include <sys/types.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_json_write.h"
#include "dlc_options.h"

/* Exit statuses, documented in datalakectl(8). */
enum {
    DLC_CTL_OK = 0,     /* done */
    DLC_CTL_FAILED = 1, /* it failed, or a check found something */
    DLC_CTL_USAGE = 2,  /* the command line is wrong */
    DLC_CTL_AWAY = 3    /* a dependency (warehouse, Kafka) is away */
};

struct dl_config;
struct dl_dataset;
struct dl_dataset_set;
typedef struct dlc_ctl dlc_ctl;

/* One subcommand: a row of the table in datalakectl.c. */
typedef struct dlc_ctl_command {
    const char *name;     /* as it is typed; NULL ends the table */
    const char *usage;    /* what follows the name */
    const char *sentence; /* what it does, without a full stop */
    int (*run)(dlc_ctl *ctl, int argc,
               const char *const *argv); /* ARGV begins behind the name */
} dlc_ctl_command;

/* One run of datalakectl. */
struct dlc_ctl {
    const dlc_ctl_command *command;  /* the row that runs */
    const char *config_path;         /* -c FILE, or NULL for the default */
    bool json;                       /* --json: print for programs */
    struct dl_config *cfg;           /* NULL until dlc_ctl_config */
    struct dl_dataset_set *datasets; /* NULL until dlc_ctl_datasets */
    apr_pool_t *pool;                /* life of the run */
};

/* Set *CFG to the configuration, loading it at the first call.
 * Errors as dl_config_load. */
DL_MUSTCHECK dl_status dlc_ctl_config(const struct dl_config **cfg,
                                      dlc_ctl *ctl, dl_error *err);

/* Set *SET to the declared datasets, loading them at the first call.
 * Errors as dl_dataset_load_all. */
DL_MUSTCHECK dl_status dlc_ctl_datasets(const struct dl_dataset_set **set,
                                        dlc_ctl *ctl, dl_error *err);

/* Set *DATASET to the dataset NAME or alias.  DL_NOT_FOUND: none; the sentence
 * lists the names that exist. */
DL_MUSTCHECK dl_status dlc_ctl_dataset(const struct dl_dataset **dataset,
                                       dlc_ctl *ctl, const char *name,
                                       dl_error *err);

/* Print the sentence of ERR to standard error; return the exit status that
 * fits its status. */
int dlc_ctl_fail(const dlc_ctl *ctl, const dl_error *err);

/* Print the sentence made from FORMAT and the usage of the subcommand to
 * standard error; return DLC_CTL_USAGE. */
int dlc_ctl_usage(const dlc_ctl *ctl, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Read the options of a subcommand by TABLE (NULL: none) and the common ones
 * (-c, --json, --help), which may stand behind the name too (-c not where TABLE
 * has that letter); the rest goes to REST.  Return -1 to go on, else the exit status to return at once (a usage
 * mistake, or --help). */
int dlc_ctl_parse(dlc_positionals *rest, dlc_ctl *ctl, const dlc_option *table,
                  int argc, const char *const *argv);

/* Require MIN to MAX positionals in REST; return -1 to go on, else the exit
 * status. */
int dlc_ctl_want(const dlc_ctl *ctl, const dlc_positionals *rest, int min,
                 int max);

/* Set *PID to the process of the daemon PROGRAM, by its file in [run] dir.
 * DL_NOT_FOUND: it does not run. */
DL_MUSTCHECK dl_status dlc_ctl_daemon_pid(pid_t *pid, dlc_ctl *ctl,
                                          const char *program, dl_error *err);

/* Most bytes of one JSON answer. */
#define DLC_CTL_JSON_MAX ((size_t)64 * 1048576)

/* Return a writer over a fresh buffer for an answer in JSON. */
dl_json_writer dlc_ctl_json(const dlc_ctl *ctl);

/* Print what W holds and a line end; return the exit status. */
int dlc_ctl_print_json(const dlc_ctl *ctl, const dl_json_writer *w);

/* Print TEXT and blanks up to WIDTH bytes, at least one. */
void dlc_ctl_print_text(const char *text, int width);

/* The subcommands, in files dlc_ctl_*.c.  ARGC and ARGV are what followed the
 * name; each says on standard error what failed and returns an exit status. */

/* Check that the audit log is what was written: 0 when it is. */
int dlc_ctl_audit(dlc_ctl *ctl, int argc, const char *const *argv);

/* Copy lake and warehouse of one moment, or verify such a copy. */
int dlc_ctl_backup(dlc_ctl *ctl, int argc, const char *const *argv);

/* Print the lines of a day, as they stand or stood. */
int dlc_ctl_cat(dlc_ctl *ctl, int argc, const char *const *argv);

/* Join the sealed parts of the past days of the datasets named, of all without
 * a name. */
int dlc_ctl_compact(dlc_ctl *ctl, int argc, const char *const *argv);

/* Check that everything is there, change nothing, print what to do: 0 when
 * nothing is wrong. */
int dlc_ctl_doctor(dlc_ctl *ctl, int argc, const char *const *argv);

/* Verify the lake of the datasets named, of all without a name. */
int dlc_ctl_fsck(dlc_ctl *ctl, int argc, const char *const *argv);

/* Print the lines that hold a text; exit statuses are those of grep(1). */
int dlc_ctl_grep(dlc_ctl *ctl, int argc, const char *const *argv);

/* List the datasets of the lake, or the days of one. */
int dlc_ctl_ls(dlc_ctl *ctl, int argc, const char *const *argv);

/* Make, check or remove the indexes of the datasets named, of all without a
 * name. */
int dlc_ctl_index(dlc_ctl *ctl, int argc, const char *const *argv);

/* List, show, watch or cancel jobs; watch: 0 when the job succeeded. */
int dlc_ctl_job(dlc_ctl *ctl, int argc, const char *const *argv);

/* List the schedules, or run one: 0 when it succeeded. */
int dlc_ctl_schedule(dlc_ctl *ctl, int argc, const char *const *argv);

/* Bring the warehouse to the schema of this program. */
int dlc_ctl_migrate(dlc_ctl *ctl, int argc, const char *const *argv);

/* List trained models, or let one be the current one of its target. */
int dlc_ctl_model(dlc_ctl *ctl, int argc, const char *const *argv);

/* Add, list or remove addresses that are mailed about failed runs. */
int dlc_ctl_notify(dlc_ctl *ctl, int argc, const char *const *argv);

/* Load exchange rates from a file. */
int dlc_ctl_rates(dlc_ctl *ctl, int argc, const char *const *argv);

/* dlc_ctl_replay.c: have stored transactions sent once more. */
int dlc_ctl_replay(dlc_ctl *ctl, int argc, const char *const *argv);

/* Fill the warehouse from the lake alone. */
int dlc_ctl_rebuild(dlc_ctl *ctl, int argc, const char *const *argv);

/* Compare what broker, lake, warehouse and dead letters have of a topic: 0 when
 * nothing is missing, double or refused. */
int dlc_ctl_reconcile(dlc_ctl *ctl, int argc, const char *const *argv);

/* Make lake and warehouse what a backup has. */
int dlc_ctl_restore(dlc_ctl *ctl, int argc, const char *const *argv);

/* Accept a topic that was made anew or lost messages; the daemons that run
 * are told. */
int dlc_ctl_resume(dlc_ctl *ctl, int argc, const char *const *argv);

/* Remove what was kept for long enough, or tell what would go. */
int dlc_ctl_retention(dlc_ctl *ctl, int argc, const char *const *argv);

/* Print the table definition of a dataset for DuckDB, Spark or Trino. */
int dlc_ctl_schema(dlc_ctl *ctl, int argc, const char *const *argv);

/* Seal the open parts of the datasets named, of all without a name. */
int dlc_ctl_seal(dlc_ctl *ctl, int argc, const char *const *argv);

/* Print what a day holds and which files it is made of. */
int dlc_ctl_stat(dlc_ctl *ctl, int argc, const char *const *argv);

/* Print an access token of an account, or revoke a log-in. */
int dlc_ctl_token(dlc_ctl *ctl, int argc, const char *const *argv);

/* Make the topics of the datasets that the broker does not have. */
int dlc_ctl_topics(dlc_ctl *ctl, int argc, const char *const *argv);

/* Make, list and change accounts. */
int dlc_ctl_user(dlc_ctl *ctl, int argc, const char *const *argv);

/* Print the states a day went through. */
int dlc_ctl_versions(dlc_ctl *ctl, int argc, const char *const *argv);

#endif
