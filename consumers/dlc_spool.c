/* dlc_spool.c - Append, read anywhere.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_spool.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

/* Bytes that wait to be written, and that are read at a time. */
#define WAITING ((size_t)64 << 10)
#define WINDOW  ((size_t)8 << 10)

struct dlc_spool {
    int fd;            /* the file */
    int64_t written;   /* bytes in it */
    size_t n;          /* bytes behind them, in WAITING */
    int64_t window_at; /* where WINDOW begins */
    size_t window_n;   /* bytes of it */
    char *waiting;     /* not written yet */
    char *window;      /* read last */
};

static dl_status io_failed(const char *what, dl_error *err)
{
    bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;

    return dl_fail(err, full ? DL_NO_SPACE : DL_IO, errno,
                   "a temporary file cannot be %s", what);
}

static apr_status_t close_file(void *data)
{
    const dlc_spool *s = data;

    (void)close(s->fd);
    return APR_SUCCESS;
}

dl_status dlc_spool_create(dlc_spool **spool, dl_error *err, apr_pool_t *pool)
{
    dlc_spool *s = apr_pcalloc(pool, sizeof *s);
    const char *folder = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe) */
    char *name = apr_pstrcat(
        pool, folder != NULL && *folder != '\0' ? folder : "/var/tmp",
        "/datalake-XXXXXX", NULL);

    s->fd = mkstemp(name);
    if (s->fd < 0) {
        return io_failed(apr_pstrcat(pool, "made as ", name, NULL), err);
    }
    (void)unlink(name);
    apr_pool_cleanup_register(pool, s, close_file, apr_pool_cleanup_null);
    s->waiting = apr_palloc(pool, WAITING);
    s->window = apr_palloc(pool, WINDOW);
    *spool = s;
    return DL_OK;
}

static dl_status write_all(dlc_spool *s, const char *data, size_t len,
                           dl_error *err)
{
    while (len > 0) {
        ssize_t n = pwrite(s->fd, data, len, s->written);

        if (n < 0 && errno != EINTR) {
            return io_failed("written", err);
        }
        n = n < 0 ? 0 : n;
        data += n;
        len -= (size_t)n;
        s->written += n;
    }
    return DL_OK;
}

static dl_status write_waiting(dlc_spool *s, dl_error *err)
{
    size_t n = s->n;

    s->n = 0;
    return write_all(s, s->waiting, n, err);
}

dl_status dlc_spool_add(int64_t *at, dlc_spool *spool, const void *data,
                        size_t len, dl_error *err)
{
    *at = dlc_spool_size(spool);
    if (len > WAITING - spool->n) {
        DL_TRY(write_waiting(spool, err));
    }
    if (len > WAITING) {
        return write_all(spool, data, len, err);
    }
    memcpy(spool->waiting + spool->n, data, len);
    spool->n += len;
    return DL_OK;
}

/* Read LEN bytes of the file at AT to DATA. */
static dl_status read_all(dlc_spool *s, char *data, size_t len, int64_t at,
                          dl_error *err)
{
    while (len > 0) {
        ssize_t n = pread(s->fd, data, len, at);

        if (n == 0) {
            errno = EIO;
        }
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return io_failed("read", err);
        }
        n = n < 0 ? 0 : n;
        data += n;
        len -= (size_t)n;
        at += n;
    }
    return DL_OK;
}

/* Have what lies at AT in the window. */
static dl_status move_window(dlc_spool *s, int64_t at, dl_error *err)
{
    size_t rest = (size_t)(s->written - at);
    size_t n = rest < WINDOW ? rest : WINDOW;

    s->window_n = 0;
    DL_TRY(read_all(s, s->window, n, at, err));
    s->window_at = at;
    s->window_n = n;
    return DL_OK;
}

dl_status dlc_spool_get(void *data, size_t len, dlc_spool *spool, int64_t at,
                        dl_error *err)
{
    if (at >= spool->written) {
        memcpy(data, spool->waiting + (at - spool->written), len);
        return DL_OK;
    }
    if (len > WINDOW) {
        return read_all(spool, data, len, at, err);
    }
    if (at < spool->window_at ||
        at + (int64_t)len > spool->window_at + (int64_t)spool->window_n) {
        DL_TRY(move_window(spool, at, err));
    }
    memcpy(data, spool->window + (at - spool->window_at), len);
    return DL_OK;
}

int64_t dlc_spool_size(const dlc_spool *spool)
{
    return spool->written + (int64_t)spool->n;
}
