/* dlc_ctl_backup.c - datalakectl backup, restore.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_backup.h"
#include "dlc_ctl.h"

#include <inttypes.h>
#include <stdio.h>

static void write_number(dl_json_writer *w, const char *name, uint64_t value)
{
    dl_json_write_key(w, name);
    dl_json_write_int(w, (int64_t)value);
}

/* Tell what was done, in JSON or as the sentence that VERB begins. */
static int answer(const dlc_ctl *ctl, const char *verb,
                  const dlc_backup_done *done)
{
    dl_json_writer w = dlc_ctl_json(ctl);

    if (!ctl->json) {
        printf("%s: %" PRIu64 " records of %d datasets, %" PRIu64
               " rows of %d tables, %d files\n",
               verb, done->records, done->datasets, done->rows, done->tables,
               done->files);
        return DLC_CTL_OK;
    }
    dl_json_write_object_begin(&w);
    write_number(&w, "datasets", (uint64_t)done->datasets);
    write_number(&w, "records", done->records);
    write_number(&w, "bytes", done->bytes);
    write_number(&w, "tables", (uint64_t)done->tables);
    write_number(&w, "rows", done->rows);
    write_number(&w, "files", (uint64_t)done->files);
    write_number(&w, "behind", done->behind);
    dl_json_write_object_end(&w);
    return dlc_ctl_print_json(ctl, &w);
}

/* Read the folder and the settings into JOB; -1: go on. */
static int begin(dlc_backup_job *job, dlc_ctl *ctl, const dlc_option *table,
                 int argc, const char *const *argv)
{
    dlc_positionals rest;
    dl_error err = {0};
    int exit_status = dlc_ctl_parse(&rest, ctl, table, argc, argv);

    if (exit_status < 0) {
        exit_status = dlc_ctl_want(ctl, &rest, 1, 1);
    }
    if (exit_status >= 0) {
        return exit_status;
    }
    job->dir = rest.text[0];
    job->quiet = ctl->json;
    if (dlc_ctl_config(&job->cfg, ctl, &err) != DL_OK ||
        dlc_ctl_datasets(&job->set, ctl, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    return -1;
}

static int verify(const dlc_ctl *ctl, const dlc_backup_job *job)
{
    dlc_backup_done done;
    dl_error err = {0};

    if (dlc_backup_verify(&done, job, &err, ctl->pool) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    if (ctl->json) {
        return answer(ctl, "", &done);
    }
    printf("%d files, %" PRIu64 " bytes: all as they were written\n",
           done.files, done.bytes);
    return DLC_CTL_OK;
}

int dlc_ctl_backup(dlc_ctl *ctl, int argc, const char *const *argv)
{
    dlc_backup_job job = {.dir = NULL};
    bool only_verify = false;
    const dlc_option table[] = {
        {"link", 0, DLC_OPTION_FLAG, &job.link, 0, 0, NULL,
         "link files that never change instead of copying them"},
        {"verify", 0, DLC_OPTION_FLAG, &only_verify, 0, 0, NULL,
         "compare the backup in DIR with its checksums"},
        {.name = NULL}};
    dlc_backup_done done;
    dl_error err = {0};
    int exit_status = begin(&job, ctl, table, argc, argv);

    if (exit_status >= 0) {
        return exit_status;
    }
    if (only_verify) {
        return job.link ? dlc_ctl_usage(ctl, "--verify links nothing")
                        : verify(ctl, &job);
    }
    if (dlc_backup_make(&done, &job, &err, ctl->pool) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    return answer(ctl, "backed up", &done);
}

int dlc_ctl_restore(dlc_ctl *ctl, int argc, const char *const *argv)
{
    dlc_backup_job job = {.dir = NULL};
    const dlc_option table[] = {{"replace", 0, DLC_OPTION_FLAG, &job.replace, 0,
                                 0, NULL,
                                 "remove what lake and warehouse have"},
                                {.name = NULL}};
    dlc_backup_done done;
    dl_error err = {0};
    int exit_status = begin(&job, ctl, table, argc, argv);

    if (exit_status >= 0) {
        return exit_status;
    }
    if (dlc_restore(&done, &job, &err, ctl->pool) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    return answer(ctl, "restored", &done);
}
