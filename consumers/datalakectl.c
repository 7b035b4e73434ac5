/* datalakectl.c - The operator's program: one table of subcommands.
 *
 * The table is the help, the dispatch, and what the manual page is tested
 * against.  What a subcommand does stands in dlc_ctl_NAME.c.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <apr_general.h>

/* clang-format off */
static const dlc_ctl_command COMMANDS[] = {
    {"audit", "verify [--offline]",
     "Check that the audit log is what was written", dlc_ctl_audit},
    {"backup", "DIR [--link] | --verify DIR",
     "Copy lake and warehouse of one moment while everything runs",
     dlc_ctl_backup},
    {"cat", "DATASET/DATE [--version N | --as-of TIME] [--from-line N] "
     "[--meta]",
     "Print the lines of a day, as they stand or stood", dlc_ctl_cat},
    {"compact", "[DATASET...]",
     "Make one file of each past day of the lake", dlc_ctl_compact},
    {"doctor", "", "Check every dependency and say what to do",
     dlc_ctl_doctor},
    {"fsck", "[DATASET...]",
     "Check that every byte of the lake is what was committed",
     dlc_ctl_fsck},
    {"grep", "TEXT [DATASET[/DATE]...] [--count] [--line-number] [--values] "
     "[--max-count N] [--meta]",
     "Print the lines that hold a text, without regard to case",
     dlc_ctl_grep},
    {"index", "build [--all] [DATASET...] | verify [DATASET...] | "
     "drop [DATASET...]",
     "Make, check or remove the indexes that searches and filters use",
     dlc_ctl_index},
    {"job", "list [--state STATE] [--kind KIND] | show ID | watch ID | "
     "cancel ID | run train completed|amount [RESOURCE] | "
     "run redrive ID... | run redrive [--topic TOPIC] [--reason REASON] "
     "[--from TIME] [--to TIME] | run repush-all [WORDS OF replay]",
     "Look at long work, begin it, wait for it, or ask for its end",
     dlc_ctl_job},
    {"ls", "[DATASET[/DATE]] [--long]", "List datasets, or the days of one",
     dlc_ctl_ls},
    {"migrate", "", "Bring the warehouse to the schema of this program",
     dlc_ctl_migrate},
    {"model", "list | use ID",
     "List what was trained, or choose the model that answers", dlc_ctl_model},
    {"notify", "add ADDRESS [--name NAME] | list | remove ADDRESS",
     "Look after who is mailed when a run of a schedule fails",
     dlc_ctl_notify},
    {"rates", "FILE",
     "Load exchange rates (base,currency,valid_from,rate) and convert anew",
     dlc_ctl_rates},
    {"rebuild-warehouse", "[--dataset NAME] [--without-lost]",
     "Empty the tables of the warehouse and fill them from the lake",
     dlc_ctl_rebuild},
    {"reconcile", "[--date DATE] [--deep] TOPIC",
     "Compare broker, lake, warehouse and dead letters", dlc_ctl_reconcile},
    {"replay", "[--dry-run] [--from TIME] [--to TIME] [--rate N] "
     "[FIELD=VALUE...]",
     "Have stored transactions sent once more, by a job", dlc_ctl_replay},
    {"restore", "DIR [--replace]",
     "Make lake and warehouse what a backup has", dlc_ctl_restore},
    {"resume", "DATASET...",
     "Let the daemons go on with a topic that was cut or made anew",
     dlc_ctl_resume},
    {"retention", "[--dry-run]",
     "Remove what was kept for long enough, or tell what would go",
     dlc_ctl_retention},
    {"schedule", "list | run NAME",
     "Show what is done again and again, or do it now", dlc_ctl_schedule},
    {"schema", "duckdb|spark|trino DATASET",
     "Print the table definition of a dataset for another engine",
     dlc_ctl_schema},
    {"seal", "[DATASET...]",
     "Move what is open into the folders that other programs read",
     dlc_ctl_seal},
    {"stat", "DATASET/DATE [--quick]",
     "Print what a day holds and which files it is made of", dlc_ctl_stat},
    {"token", "NAME [--ttl SECONDS] [--key-file FILE] | --revoke SID",
     "Print an access token of an account, or end the tokens of a log-in",
     dlc_ctl_token},
    {"topics", "[--replication N]",
     "Make the Kafka topics of all declared datasets", dlc_ctl_topics},
    {"user", "add NAME --role user|auditor|admin [--password-file FILE] "
     "[--email ADDRESS] | list | passwd NAME [--password-file FILE] | "
     "role NAME ROLE | disable NAME | enable NAME | undelete NAME",
     "Make, list and change accounts", dlc_ctl_user},
    {"versions", "DATASET/DATE [--since TIME] [--limit N]",
     "Print the states a day went through, one per commit",
     dlc_ctl_versions},
    {NULL, NULL, NULL, NULL},
};
/* clang-format on */

static const dlc_ctl_command MYSELF = {"", "COMMAND [ARGUMENTS]", "", NULL};

static void print_help(const dlc_option *table)
{
    puts("usage: datalakectl [-c FILE] [--json] COMMAND [ARGUMENTS]\n\n"
         "Runs and looks after a data lake.  Commands:\n");
    for (const dlc_ctl_command *row = COMMANDS; row->name != NULL; row++) {
        printf("  %s %s\n      %s.\n", row->name, row->usage, row->sentence);
    }
    puts("\nOptions:\n");
    dlc_options_print(stdout, table);
    puts("\nExit status: 0 done, 1 failed or something found, 2 wrong command "
         "line,\n3 the warehouse or Kafka is away; of grep 0 found, 1 nothing "
         "found, 2 failed.\nSee datalakectl(8).");
}

static const dlc_ctl_command *find_command(const char *name)
{
    for (const dlc_ctl_command *row = COMMANDS; row->name != NULL; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

/* The number of strings of ARGV before the command's name: options of our own
 * and the value of -c. */
static int count_own(int argc, const char *const *argv)
{
    int n = 0;

    while (n < argc && argv[n][0] == '-' && strcmp(argv[n], "--") != 0) {
        bool takes_value =
            strcmp(argv[n], "-c") == 0 || strcmp(argv[n], "--config") == 0;

        n += takes_value && n + 1 < argc ? 2 : 1;
    }
    return n;
}

static int run(dlc_ctl *ctl, int argc, const char *const *argv)
{
    bool help = false;
    bool version = false;
    const dlc_option table[] = {
        {"config", 'c', DLC_OPTION_TEXT, &ctl->config_path, 0, 0, "FILE",
         "read FILE instead of $DATALAKE_CONFIG"},
        {"json", 0, DLC_OPTION_FLAG, &ctl->json, 0, 0, NULL,
         "print what a program can read"},
        {"help", 'h', DLC_OPTION_FLAG, &help, 0, 0, NULL, "print this help"},
        {"version", 'V', DLC_OPTION_FLAG, &version, 0, 0, NULL,
         "print the version"},
        {.name = NULL}};
    int own = count_own(argc, argv);
    dlc_positionals rest;
    dl_error err = {0};

    ctl->command = &MYSELF;
    if (dlc_options_parse(&rest, table, own, argv, &err) != DL_OK) {
        return dlc_ctl_usage(ctl, "%s", err.text);
    }
    if (help || version) {
        version ? (void)puts("datalakectl " DL_VERSION) : print_help(table);
        return DLC_CTL_OK;
    }
    if (own >= argc) {
        return dlc_ctl_usage(ctl, "a command is missing; see --help");
    }
    ctl->command = find_command(argv[own]);
    if (ctl->command == NULL) {
        ctl->command = &MYSELF;
        return dlc_ctl_usage(ctl, "unknown command \"%.60s\"; see --help",
                             argv[own]);
    }
    return ctl->command->run(ctl, argc - own - 1, argv + own + 1);
}

int main(int argc, char **argv)
{
    const char *const *strings = (const char *const *)argv;
    const struct rlimit no_core = {0, 0};
    dlc_ctl ctl = {.command = NULL};
    int exit_status;

    /* Passwords and keys pass through here: a crash leaves no copy. */
    if (argc < 1 || setrlimit(RLIMIT_CORE, &no_core) != 0 ||
        apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&ctl.pool, NULL) != APR_SUCCESS) {
        return DLC_CTL_FAILED;
    }
    exit_status = run(&ctl, argc - 1, strings + 1);
    apr_pool_destroy(ctl.pool);
    apr_terminate();
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        fputs("datalakectl: cannot write to standard output\n", stderr);
        return DLC_CTL_FAILED;
    }
    return exit_status;
}
