/* dlc_ctl_audit.c - datalakectl audit verify: is the audit log what was
 * written?
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_audit_verify.h"
#include "dl_config.h"
#include "dl_statements.h"
#include "dl_wh.h"
#include "dlc_audit_retire.h"
#include "dlc_ctl.h"
#include "dlc_directives.h"
#include "dlc_progress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_tables.h>

/* Faults that are told one by one; the rest is counted. */
#define TOLD 200

/* A verification. */
typedef struct audit_run {
    dlc_ctl *ctl;              /* the run */
    dl_json_writer w;          /* the answer in JSON */
    dlc_progress bar;          /* on a terminal */
    int told;                  /* faults so far */
    bool offline;              /* --offline */
    bool away;                 /* the warehouse could not be asked */
    dl_wh *wh;                 /* the warehouse, NULL: not asked */
    dl_time before;            /* entries before this may be gone */
    dl_error failed;           /* what the warehouse said in between */
    apr_array_header_t *heads; /* dl_audit_head */
} audit_run;

/* --- Heads ---------------------------------------------------------------- */

/* Add the rows of SQL, whose columns CHAIN, LENGTH and HASH stand at the
 * places in AT, to the heads. */
static dl_status add_heads(audit_run *run, dl_wh *wh, const char *sql,
                           const unsigned at[3], dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_prepare(&st, wh, sql, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        dl_audit_head head = {.length = dl_wh_int(st, at[1])};
        size_t len;
        const char *hash = dl_wh_text(st, at[2], &len);

        apr_cpystrn(head.chain, dl_wh_text(st, at[0], NULL), sizeof head.chain);
        memcpy(head.value, hash,
               len < sizeof head.value ? len : sizeof head.value);
        APR_ARRAY_PUSH(run->heads, dl_audit_head) = head;
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    return DL_OK;
}

static int compare_heads(const void *a, const void *b)
{
    const dl_audit_head *one = a;
    const dl_audit_head *other = b;
    int order = strcmp(one->chain, other->chain);

    return order != 0
               ? order
               : (one->length > other->length) - (one->length < other->length);
}

/* Read what the warehouse remembers: the heads, and how far files were
 * loaded. */
static dl_status read_heads(audit_run *run, const dl_config *cfg, dl_error *err)
{
    static const unsigned of_heads[] = {0, 1, 2};
    static const unsigned of_files[] = {0, 3, 4};

    DL_TRY(dl_wh_connect(&run->wh, cfg, DL_WH_JOBS, err, run->ctl->pool));
    DL_TRY(dl_wh_schema_check(run->wh, err));
    DL_TRY(add_heads(run, run->wh, STMT_AUDIT_HEADS, of_heads, err));
    DL_TRY(add_heads(run, run->wh, STMT_AUDIT_FILES, of_files, err));
    qsort(run->heads->elts, (size_t)run->heads->nelts, sizeof(dl_audit_head),
          compare_heads);
    return DL_OK;
}

/* The same; a warehouse that is away is noted. */
static dl_status ask_warehouse(audit_run *run, const dl_config *cfg,
                               dl_error *err)
{
    dl_status status;

    if (run->offline) {
        return DL_OK;
    }
    status = read_heads(run, cfg, err);
    if (status == DL_UNAVAILABLE) {
        run->away = true;
        run->heads->nelts = 0;
        if (!run->ctl->json) {
            fprintf(stderr, "The warehouse is away: chains that were computed "
                            "anew are not found.\n");
        }
        return DL_OK;
    }
    return status;
}

/* Whether the first LENGTH lines of CHAIN may be gone: the warehouse has no
 * entry of them that is young.  A dl_audit_check.is_old. */
static bool is_old(void *context, const char *chain, int64_t length)
{
    audit_run *run = context;
    bool young = true;

    if (run->before == DL_TIME_NONE ||
        dlc_audit_young(&young, run->wh, chain, length, run->before,
                        &run->failed) != DL_OK) {
        return false;
    }
    return !young;
}

/* --- Telling -------------------------------------------------------------- */

static void write_fault(dl_json_writer *w, const char *where, int64_t line,
                        const char *what)
{
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "where");
    dl_json_write_text(w, where);
    dl_json_write_key(w, "line");
    dl_json_write_int(w, line);
    dl_json_write_key(w, "what");
    dl_json_write_text(w, what);
    dl_json_write_object_end(w);
}

static void tell_fault(void *context, const char *where, int64_t line,
                       const char *what)
{
    audit_run *run = context;

    if (run->told++ >= TOLD) {
        return;
    }
    if (run->ctl->json) {
        write_fault(&run->w, where, line, what);
        return;
    }
    dlc_progress_end(&run->bar);
    printf("%s%s", dlc_colour(stdout, DLC_COLOUR_RED), where);
    if (line > 0) {
        printf(" line %lld", (long long)line);
    }
    printf("%s: %s\n", dlc_colour(stdout, DLC_COLOUR_NONE), what);
}

static void tell_progress(void *context, int64_t bytes)
{
    audit_run *run = context;

    dlc_progress_update(&run->bar, bytes);
}

static void print_sum(const audit_run *run, const dl_audit_checked *seen)
{
    if (run->told > TOLD) {
        printf("... and %d more.\n", run->told - TOLD);
    }
    printf("%d chains in %d files, %d of them being written; %lld lines, %lld "
           "entries; %lld heads compared; %lld faults.\n",
           seen->chains, seen->files, seen->open, (long long)seen->lines,
           (long long)seen->entries, (long long)seen->heads,
           (long long)seen->faults);
    if (seen->cuts > 0 || seen->gone > 0) {
        printf("The first files of %d chains and all files of %d others were "
               "kept for long enough and are gone.\n",
               seen->cuts, seen->gone);
    }
    if (seen->faults > 0) {
        puts("The log is not what was written. Keep the folder as it is, copy "
             "it and the tables\naudit_entry, audit_head and audit_file "
             "elsewhere, and find out who could write there:\nthe entries in "
             "the warehouse are those that were loaded when they were new. "
             "See\ndatalakectl(8).");
    }
    else {
        puts("The log is what was written.");
    }
}

static void write_sum(audit_run *run, const dl_audit_checked *seen)
{
    const struct {
        const char *name;
        int64_t value;
    } members[] = {{"chains", seen->chains},   {"files", seen->files},
                   {"open", seen->open},       {"lines", seen->lines},
                   {"entries", seen->entries}, {"heads", seen->heads},
                   {"cuts", seen->cuts},       {"gone", seen->gone},
                   {"found", seen->faults}};

    dl_json_write_array_end(&run->w);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        dl_json_write_key(&run->w, members[i].name);
        dl_json_write_int(&run->w, members[i].value);
    }
    dl_json_write_key(&run->w, "warehouse");
    dl_json_write_bool(&run->w, !run->offline && !run->away);
    dl_json_write_object_end(&run->w);
}

/* --- The command ---------------------------------------------------------- */

/* Check the folder DIR, open as FD, under KEY into *SEEN. */
static dl_status verify(dl_audit_checked *seen, audit_run *run, int fd,
                        const dl_audit_key *key, dl_error *err)
{
    const dl_audit_check check = {.dir_fd = fd,
                                  .key = key,
                                  .heads =
                                      (const dl_audit_head *)run->heads->elts,
                                  .n_heads = run->heads->nelts,
                                  .context = run,
                                  .fault = tell_fault,
                                  .is_old = is_old,
                                  .progress = tell_progress};
    int64_t bytes = 0;
    dl_status status;

    DL_TRY(dl_audit_folder_bytes(&bytes, fd, err, run->ctl->pool));
    dlc_progress_begin(&run->bar, "bytes", bytes, run->ctl->json);
    status = dl_audit_verify(seen, &check, err, run->ctl->pool);
    dlc_progress_end(&run->bar);
    if (status == DL_OK && run->failed.status != DL_OK) {
        *err = run->failed;
        status = err->status;
    }
    return status;
}

static dl_status audit_verify(dl_audit_checked *seen, audit_run *run,
                              dl_error *err)
{
    const dl_audit_key *key;
    const dl_config *cfg;
    dlc_directives directives;
    dl_status status;
    int fd;

    DL_TRY(dlc_ctl_config(&cfg, run->ctl, err));
    DL_TRY(dlc_directives_load(&directives, cfg->run.httpd_conf, err,
                               run->ctl->pool));
    DL_TRY(dl_audit_key_load(&key, directives.audit_key_file, err,
                             run->ctl->pool));
    DL_TRY(ask_warehouse(run, cfg, err));
    run->before = cfg->retention.audit == 0
                      ? DL_TIME_NONE
                      : dl_time_now() - cfg->retention.audit * DL_DAY_US;
    fd = open(directives.audit_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return dl_fail(err, DL_IO, errno, "cannot open the audit folder %s",
                       directives.audit_dir);
    }
    status = verify(seen, run, fd, key, err);
    close(fd);
    return status;
}

int dlc_ctl_audit(dlc_ctl *ctl, int argc, const char *const *argv)
{
    audit_run run = {.ctl = ctl, .w = dlc_ctl_json(ctl)};
    const dlc_option table[] = {
        {"offline", 0, DLC_OPTION_FLAG, &run.offline, 0, 0, NULL,
         "do not ask the warehouse where the chains stood"},
        {.name = NULL}};
    dl_audit_checked seen = {.chains = 0};
    dlc_positionals rest;
    dl_error err = {0};
    int exit_status = dlc_ctl_parse(&rest, ctl, table, argc, argv);

    if (exit_status < 0) {
        exit_status = dlc_ctl_want(ctl, &rest, 1, 1);
    }
    if (exit_status >= 0) {
        return exit_status;
    }
    if (strcmp(rest.text[0], "verify") != 0) {
        return dlc_ctl_usage(ctl, "audit %s: only verify is known",
                             rest.text[0]);
    }
    run.heads = apr_array_make(ctl->pool, 64, sizeof(dl_audit_head));
    dl_json_write_object_begin(&run.w);
    dl_json_write_key(&run.w, "faults");
    dl_json_write_array_begin(&run.w);
    if (audit_verify(&seen, &run, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    write_sum(&run, &seen);
    if (!ctl->json) {
        print_sum(&run, &seen);
    }
    else if (dlc_ctl_print_json(ctl, &run.w) != DLC_CTL_OK) {
        return DLC_CTL_FAILED;
    }
    if (seen.faults > 0) {
        return DLC_CTL_FAILED;
    }
    return run.away ? DLC_CTL_AWAY : DLC_CTL_OK;
}
