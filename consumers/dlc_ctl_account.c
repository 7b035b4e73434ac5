/* dlc_ctl_account.c - Passwords come from files or the terminal alone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_ctl_account.h"

#include "dl_config.h"
#include "dl_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* A password, a line end and one byte that tells "too long". */
#define ROOM (DL_PASSWORD_MAX + 3)

/* The mirrors look every 250 ms and need a moment to read (architecture 6). */
#define MIRROR_S 1

dl_status dlc_ctl_accounts(dl_wh **wh, dlc_ctl *ctl, dl_error *err)
{
    const dl_config *cfg;

    DL_TRY(dlc_ctl_config(&cfg, ctl, err));
    DL_TRY(dl_wh_connect(wh, cfg, DL_WH_JOBS, err, ctl->pool));
    return dl_wh_schema_check(*wh, err);
}

dl_status dlc_ctl_account_open(dl_wh **wh, dl_account *account, dlc_ctl *ctl,
                               const char *username, dl_error *err)
{
    DL_TRY(dlc_ctl_accounts(wh, ctl, err));
    if (dl_identity_find(account, *wh, username, err) == DL_NOT_FOUND) {
        return dl_fail(err, DL_NOT_FOUND, 0, "there is no account \"%.100s\"",
                       username);
    }
    return err->status;
}

void dlc_ctl_account_changed(void)
{
    struct timespec pause = {MIRROR_S, 0};

    nanosleep(&pause, NULL);
}

/* Cut one line end off the *LEN bytes of TEXT. */
static void cut_line_end(const char *text, size_t *len)
{
    if (*len > 0 && text[*len - 1] == '\n') {
        --*len;
    }
    if (*len > 0 && text[*len - 1] == '\r') {
        --*len;
    }
}

static dl_status read_file(char out[ROOM], size_t *len, const char *path,
                           dl_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat info;
    ssize_t got;

    if (fd < 0) {
        return dl_fail(err, DL_IO, errno, "cannot open password file %s", path);
    }
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
        (info.st_mode & S_IRWXO) != 0) {
        fprintf(stderr,
                "warning: password file %s is open to everybody; chmod o-rwx "
                "it\n",
                path);
    }
    got = read(fd, out, ROOM);
    close(fd);
    if (got < 0) {
        return dl_fail(err, DL_IO, errno, "cannot read password file %s", path);
    }
    *len = (size_t)got;
    cut_line_end(out, len);
    return DL_OK;
}

/* Ask with PROMPT on the terminal TTY, without echo. */
static dl_status ask(char out[ROOM], size_t *len, int tty, const char *prompt,
                     dl_error *err)
{
    struct termios old;
    struct termios quiet;
    ssize_t got;

    if (tcgetattr(tty, &old) != 0) {
        return dl_fail(err, DL_IO, errno, "cannot set up the terminal");
    }
    quiet = old;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(tty, TCSAFLUSH, &quiet);
    dprintf(tty, "%s", prompt);
    got = read(tty, out, ROOM);
    tcsetattr(tty, TCSAFLUSH, &old);
    dprintf(tty, "\n");
    if (got <= 0) {
        return dl_fail(err, DL_INVALID, 0, "no password was typed");
    }
    *len = (size_t)got;
    cut_line_end(out, len);
    return DL_OK;
}

static dl_status ask_twice(char out[ROOM], size_t *len, int tty, dl_error *err)
{
    char again[ROOM];
    size_t again_len = 0;
    bool same;

    DL_TRY(ask(out, len, tty, "New password: ", err));
    DL_TRY(ask(again, &again_len, tty, "The same again: ", err));
    same = *len == again_len && memcmp(out, again, again_len) == 0;
    dl_secret_wipe(again, sizeof again);
    if (!same) {
        return dl_fail(err, DL_INVALID, 0, "the two passwords differ");
    }
    return DL_OK;
}

static dl_status read_terminal(char out[ROOM], size_t *len, dl_error *err)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
    dl_status status;

    if (tty < 0) {
        return dl_fail(err, DL_INVALID, 0,
                       "there is no terminal to ask for a password: give "
                       "--password-file FILE");
    }
    status = ask_twice(out, len, tty, err);
    close(tty);
    return status;
}

dl_status dlc_ctl_password_hash(char out[DL_PASSWORD_HASH],
                                const char *username, const char *file,
                                dl_error *err)
{
    char password[ROOM] = "";
    size_t len = 0;
    dl_status status = file != NULL ? read_file(password, &len, file, err)
                                    : read_terminal(password, &len, err);

    if (status == DL_OK) {
        status = dl_password_check(password, len, username, err);
    }
    if (status == DL_OK) {
        status = dl_password_hash(out, password, len, err);
    }
    dl_secret_wipe(password, sizeof password);
    return status;
}
