/* dlc_ctl_resume.c - datalakectl resume: end a stop that waits for a person.
 *
 * A daemon stops a partition whose offset left the broker's watermarks, or
 * whose topic was made anew, and alarms (rule E3).  Going on may mean that
 * records are missing for ever, so a person says it: the topics are written to
 * [run] dir/PROGRAM.resume and the daemon is told by SIGHUP.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_config.h"
#include "dl_dataset.h"
#include "dlc_ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <apr_strings.h>

static const char *const PROGRAMS[] = {"datalake-lake", "datalake-warehouse"};

#define TAKEN_TRIES 100
#define TAKEN_NS    100000000

dl_status dlc_ctl_daemon_pid(pid_t *pid, dlc_ctl *ctl, const char *program,
                             dl_error *err)
{
    const dl_config *cfg;
    const char *path;
    char text[32] = "";
    int fd;
    ssize_t got;

    DL_TRY(dlc_ctl_config(&cfg, ctl, err));
    path = apr_pstrcat(ctl->pool, cfg->run.dir, "/", program, ".pid", NULL);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return dl_fail(err, errno == ENOENT ? DL_NOT_FOUND : DL_IO, errno,
                       "cannot open %s", path);
    }
    got = read(fd, text, sizeof text - 1);
    close(fd);
    *pid = got > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
    if (*pid <= 1 || (kill(*pid, 0) != 0 && errno == ESRCH)) {
        return dl_fail(err, DL_NOT_FOUND, 0, "%s does not run", program);
    }
    return DL_OK;
}

/* Append the topics of SET that REST names (all when it names none) to PATH. */
static dl_status write_topics(const char *path, const dl_dataset_set *set,
                              const dlc_positionals *rest, dl_error *err)
{
    FILE *file = fopen(path, "ae");

    if (file == NULL) {
        return dl_fail(err, DL_IO, errno, "cannot open %s", path);
    }
    for (int i = 0; i < rest->n; i++) {
        fprintf(file, "%s\n", dl_dataset_find(set, rest->text[i])->topic);
    }
    if (fclose(file) != 0) {
        return dl_fail(err, DL_IO, errno, "cannot write %s", path);
    }
    return DL_OK;
}

/* Wait until the daemon has taken PATH. */
static dl_status wait_taken(const char *path, const char *program,
                            dl_error *err)
{
    const struct timespec pause = {0, TAKEN_NS};

    for (int i = 0; i < TAKEN_TRIES; i++) {
        if (access(path, F_OK) != 0) {
            return DL_OK;
        }
        nanosleep(&pause, NULL);
    }
    return dl_fail(err, DL_TIMEOUT, 0, "%s did not take %s", program, path);
}

static dl_status resume_program(bool *told, dlc_ctl *ctl, const char *program,
                                const dlc_positionals *rest, dl_error *err)
{
    const dl_config *cfg;
    const dl_dataset_set *set;
    const char *path;
    pid_t pid = 0;
    dl_status status = dlc_ctl_daemon_pid(&pid, ctl, program, err);

    *told = false;
    if (status == DL_NOT_FOUND) {
        return DL_OK;
    }
    DL_TRY(status);
    DL_TRY(dlc_ctl_config(&cfg, ctl, err));
    DL_TRY(dlc_ctl_datasets(&set, ctl, err));
    path = apr_pstrcat(ctl->pool, cfg->run.dir, "/", program, ".resume", NULL);
    DL_TRY(write_topics(path, set, rest, err));
    if (kill(pid, SIGHUP) != 0) {
        return dl_fail(err, DL_IO, errno, "cannot signal %s (pid %d)", program,
                       (int)pid);
    }
    DL_TRY(wait_taken(path, program, err));
    *told = true;
    if (!ctl->json) {
        printf("%s goes on\n", program);
    }
    return DL_OK;
}

static dl_status resume(dlc_ctl *ctl, const dlc_positionals *rest,
                        dl_error *err)
{
    int n = 0;

    for (int i = 0; i < rest->n; i++) {
        const dl_dataset *ds;

        DL_TRY(dlc_ctl_dataset(&ds, ctl, rest->text[i], err));
    }
    for (size_t i = 0; i < sizeof PROGRAMS / sizeof PROGRAMS[0]; i++) {
        bool told = false;

        DL_TRY(resume_program(&told, ctl, PROGRAMS[i], rest, err));
        n += told ? 1 : 0;
    }
    if (n == 0) {
        return dl_fail(err, DL_UNAVAILABLE, 0,
                       "neither datalake-lake nor datalake-warehouse runs "
                       "here; start them first");
    }
    return DL_OK;
}

int dlc_ctl_resume(dlc_ctl *ctl, int argc, const char *const *argv)
{
    dlc_positionals rest;
    dl_error err = {0};
    int exit_status = dlc_ctl_parse(&rest, ctl, NULL, argc, argv);

    if (exit_status < 0) {
        exit_status = dlc_ctl_want(ctl, &rest, 1, 16);
    }
    if (exit_status >= 0) {
        return exit_status;
    }
    if (resume(ctl, &rest, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    return DLC_CTL_OK;
}
