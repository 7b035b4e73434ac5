/* mdl_audit_log.c - The writing thread and what workers hand to it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_audit_log.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dl_audit_cut.h"
#include "dl_audit_file.h"
#include "dl_buf.h"
#include "dl_log.h"
#include "dl_thread.h"
#include "dl_time.h"
#include "mdl_thread.h"

#define TICK_US  INT64_C(400000)     /* between syncs of the buffer */
#define RETRY_US INT64_C(200000)     /* between tries while there is no room */
#define TAKE_US  INT64_C(20000000)   /* between looks for killed children */
#define OLD_US   INT64_C(3600000000) /* ... for what was kept long enough */

/* A durable line on its way.  Owned by the thread once it was handed over;
 * the worker reads `state` under the mutex. */
typedef struct waiting {
    struct waiting *next; /* handed over after it */
    mdl_audit_line line;  /* its text stands behind the struct */
    bool durable;         /* on disk */
    bool left;            /* the worker waits no more: free it */
} waiting;

/* A line in the buffer, its text behind it. */
typedef struct buffered {
    uint32_t len;    /* bytes of its text */
    uint32_t sealed; /* ... of its sealed part */
} buffered;

struct mdl_audit_log {
    mdl_audit_log_options options; /* how it was opened */
    pthread_mutex_t mutex;         /* guards everything below but drain */
    pthread_cond_t work;           /* the thread has something to do */
    pthread_cond_t done;           /* lines became durable */
    pthread_t thread;              /* the writer */
    apr_pool_t *pool;              /* the writer's */
    dl_audit_file *file;           /* room is taken under the mutex */
    waiting *first;                /* durable lines, oldest first */
    waiting **last;                /* where the next one goes */
    dl_buf *fill;                  /* the half being filled */
    size_t promised;               /* bytes of it that are reserved */
    dl_buf *drain;                 /* the half being written: the writer's */
    size_t drained;                /* bytes of it that are written */
    int64_t retry_us;              /* no try to make room before this */
    bool full;                     /* the volume was full at the last try */
    _Atomic bool stop;             /* the child ends; set under the mutex */
};

/* --- Workers -------------------------------------------------------------- */

/* Take ROOM on the volume.  The mutex is held. */
static dl_status reserve_file(mdl_audit_log *log, size_t room, dl_error *err)
{
    int64_t now = dl_time_monotonic_us();
    dl_status status;

    if (log->full && now < log->retry_us) {
        return dl_fail(err, DL_NO_SPACE, 0, "the audit volume is full");
    }
    status = dl_audit_file_reserve(log->file, (int64_t)room, err);
    if (status == DL_OK && log->full) {
        dl_log(DL_LOG_NOTICE, "DL1161 audit: there is room again");
    }
    if (status != DL_OK && !log->full) {
        dl_log(DL_LOG_ERROR, "DL1160 audit: %s", err->text);
    }
    log->full = status != DL_OK;
    log->retry_us = now + RETRY_US;
    return status == DL_OK ? DL_OK : DL_NO_SPACE;
}

dl_status mdl_audit_log_reserve(mdl_audit_log *log, size_t room, bool durable,
                                dl_error *err)
{
    dl_status status = DL_OK;

    pthread_mutex_lock(&log->mutex);
    if (durable) {
        status = reserve_file(log, room, err);
    }
    else if (log->fill->len + log->promised + room + sizeof(buffered) >
             log->fill->max) {
        status = dl_fail(err, DL_NO_SPACE, 0, "the audit buffer is full");
    }
    else {
        log->promised += room + sizeof(buffered);
    }
    pthread_mutex_unlock(&log->mutex);
    return status;
}

void mdl_audit_log_release(mdl_audit_log *log, size_t room, bool durable)
{
    pthread_mutex_lock(&log->mutex);
    if (durable) {
        dl_audit_file_release(log->file, (int64_t)room);
    }
    else {
        log->promised -= room + sizeof(buffered);
    }
    pthread_mutex_unlock(&log->mutex);
}

void mdl_audit_log_put(mdl_audit_log *log, const mdl_audit_line *line)
{
    buffered head = {(uint32_t)line->len, (uint32_t)line->sealed};
    bool half;

    pthread_mutex_lock(&log->mutex);
    log->promised -= line->room + sizeof head;
    half = log->fill->len < log->fill->max / 2;
    /* Its room was taken, so both fit. */
    if (dl_buf_append(log->fill, &head, sizeof head, NULL) != DL_OK ||
        dl_buf_append(log->fill, line->text, line->len, NULL) != DL_OK) {
        abort();
    }
    if (half && log->fill->len >= log->fill->max / 2) {
        pthread_cond_signal(&log->work);
    }
    pthread_mutex_unlock(&log->mutex);
}

/* Return a copy of LINE that can be handed over. */
static waiting *waiting_create(const mdl_audit_line *line)
{
    waiting *w = calloc(1, sizeof *w + line->len);

    if (w == NULL) {
        abort();
    }
    w->line = *line;
    w->line.text = memcpy(w + 1, line->text, line->len);
    return w;
}

dl_status mdl_audit_log_commit(mdl_audit_log *log, const mdl_audit_line *line,
                               int64_t wait_us, dl_error *err)
{
    struct timespec until =
        dl_thread_timespec(dl_time_monotonic_us() + wait_us);
    waiting *w = waiting_create(line);
    int waited = 0;

    pthread_mutex_lock(&log->mutex);
    *log->last = w;
    log->last = &w->next;
    pthread_cond_signal(&log->work);
    while (!w->durable && waited == 0) {
        waited = pthread_cond_timedwait(&log->done, &log->mutex, &until);
    }
    if (!w->durable) {
        w->left = true;
        pthread_mutex_unlock(&log->mutex);
        return dl_fail(err, DL_TIMEOUT, 0, "the audit line is not on disk yet");
    }
    pthread_mutex_unlock(&log->mutex);
    free(w);
    return DL_OK;
}

/* --- The thread ----------------------------------------------------------- */

/* What one round writes. */
typedef struct round_work {
    waiting *lines; /* durable lines */
    size_t room;    /* on the volume, taken for lines of the buffer */
} round_work;

/* End the process: nobody knows what is on disk. */
static void give_up(const dl_error *err)
{
    dl_log(DL_LOG_ERROR, "DL1162 audit: %s: this child ends", err->text);
    abort();
}

/* Add LINE to the block, writing the block first when it is full; false: the
 * volume does not take it. */
static bool append(mdl_audit_log *log, const mdl_audit_line *line)
{
    dl_error err = {0};

    if (dl_audit_file_append(log->file, line->text, line->len, line->sealed,
                             &err) == DL_OK) {
        return true;
    }
    return dl_audit_file_write(log->file, &err) == DL_OK &&
           dl_audit_file_append(log->file, line->text, line->len, line->sealed,
                                &err) == DL_OK;
}

/* Wait for work; then fill ROUND.  False: stop, and nothing is left. */
static bool take(round_work *round, mdl_audit_log *log, int64_t *tick_us)
{
    struct timespec until = dl_thread_timespec(*tick_us);
    bool more;

    pthread_mutex_lock(&log->mutex);
    while (!log->stop && log->first == NULL &&
           log->fill->len < log->fill->max / 2 &&
           pthread_cond_timedwait(&log->work, &log->mutex, &until) == 0) {
        continue;
    }
    *round = (round_work){.lines = log->first};
    log->first = NULL;
    log->last = &log->first;
    if (log->drained == log->drain->len) {
        dl_buf *empty = log->drain;

        empty->len = 0;
        log->drained = 0;
        log->drain = log->fill;
        log->fill = empty;
    }
    more = !log->stop || round->lines != NULL || log->drain->len > 0;
    pthread_mutex_unlock(&log->mutex);
    *tick_us = dl_time_monotonic_us() + TICK_US;
    return more;
}

/* Take room on the volume for the next line of the buffer. */
static bool reserve_line(mdl_audit_log *log, size_t len)
{
    dl_error err = {0};
    bool got;

    pthread_mutex_lock(&log->mutex);
    got = reserve_file(log, len, &err) == DL_OK;
    pthread_mutex_unlock(&log->mutex);
    return got;
}

/* Append the lines of the buffer, as far as there is room for them. */
static void append_buffered(round_work *round, mdl_audit_log *log)
{
    while (log->drained < log->drain->len) {
        buffered head;
        mdl_audit_line line;

        memcpy(&head, log->drain->data + log->drained, sizeof head);
        line = (mdl_audit_line){.text = log->drain->data + log->drained +
                                        sizeof head,
                                .len = head.len,
                                .sealed = head.sealed};
        if (!reserve_line(log, line.len)) {
            return;
        }
        round->room += line.len;
        if (!append(log, &line)) {
            return;
        }
        log->drained += sizeof head + head.len;
    }
}

/* Write the block and make it durable, however long that lasts: its lines
 * have their room, so only a fault of the volume can be in the way. */
static void make_durable(mdl_audit_log *log)
{
    dl_error err = {0};
    bool told = false;

    while (dl_audit_file_write(log->file, &err) != DL_OK) {
        if (!told) {
            dl_log(DL_LOG_ERROR, "DL1163 audit: %s: trying on", err.text);
        }
        told = true;
        if (log->stop) {
            give_up(&err);
        }
        dl_thread_sleep(RETRY_US);
    }
    if (dl_audit_file_sync(log->file, &err) != DL_OK) {
        give_up(&err);
    }
}

/* Tell the workers whose lines are on disk. */
static void settle(round_work *round, mdl_audit_log *log)
{
    dl_error err = {0};
    waiting *next;

    pthread_mutex_lock(&log->mutex);
    if (dl_audit_file_settle(log->file, &err) != DL_OK) {
        give_up(&err);
    }
    dl_audit_file_release(log->file, (int64_t)round->room);
    for (waiting *w = round->lines; w != NULL; w = next) {
        next = w->next;
        dl_audit_file_release(log->file, (int64_t)w->line.room);
        w->durable = true;
        if (w->left) {
            free(w);
        }
    }
    pthread_cond_broadcast(&log->done);
    pthread_mutex_unlock(&log->mutex);
}

/* Write one ROUND. */
static void work_off(round_work *round, mdl_audit_log *log)
{
    bool any = round->lines != NULL;

    for (waiting *w = round->lines; w != NULL; w = w->next) {
        while (!append(log, &w->line)) {
            make_durable(log);
        }
    }
    append_buffered(round, log);
    if (any || round->room > 0) {
        make_durable(log);
        settle(round, log);
    }
}

/* End the files of children that were killed, now and then. */
static void take_over(mdl_audit_log *log, int64_t *next_us)
{
    dl_error err = {0};
    apr_pool_t *pool;

    if (dl_time_monotonic_us() < *next_us) {
        return;
    }
    *next_us = dl_time_monotonic_us() + TAKE_US;
    apr_pool_create(&pool, log->pool);
    if (dl_audit_take_over(NULL, log->options.dir_fd, log->options.key, &err,
                           pool) != DL_OK) {
        dl_log(DL_LOG_ERROR, "DL1164 audit: %s", err.text);
    }
    apr_pool_destroy(pool);
}

static void tell_gone(void *context, const dl_audit_gone *gone)
{
    char newest[DL_TIME_TEXT];

    (void)context;
    dl_time_format(newest, gone->newest);
    dl_log(DL_LOG_NOTICE,
           "DL1320 audit: %s: %d files of %lld entries up to %s were kept for "
           "long enough and are removed%s",
           gone->chain, gone->files, (long long)gone->entries, newest,
           gone->whole ? ", nothing is left of it" : "");
}

static void tell_kept(void *context, const char *file, const char *why)
{
    (void)context;
    dl_log(DL_LOG_ERROR, "DL1321 audit: %s is old but stays: %s", file, why);
}

/* Begin the next file when this one is old, and remove those whose entries
 * were kept for long enough, now and then. */
static void retire(mdl_audit_log *log, int64_t *next_us)
{
    dl_audit_retiring old = {.dir_fd = log->options.dir_fd,
                             .key = log->options.key,
                             .before = dl_time_now() -
                                       log->options.kept_days * DL_DAY_US,
                             .gone = tell_gone,
                             .kept = tell_kept};
    round_work none = {.lines = NULL};
    dl_error err = {0};
    apr_pool_t *pool;

    if (dl_time_monotonic_us() < *next_us) {
        return;
    }
    *next_us = dl_time_monotonic_us() + OLD_US;
    settle(&none, log);
    if (log->options.kept_days == 0) {
        return;
    }
    apr_pool_create(&pool, log->pool);
    if (dl_audit_retire(&old, &err, pool) != DL_OK) {
        dl_log(DL_LOG_ERROR, "DL1322 audit: old files stay: %s", err.text);
    }
    apr_pool_destroy(pool);
}

static void *run(void *data)
{
    mdl_audit_log *log = data;
    int64_t tick_us = dl_time_monotonic_us() + TICK_US;
    int64_t take_us = 0;
    int64_t old_us = 0;
    dl_error err = {0};
    round_work round;

    take_over(log, &take_us);
    retire(log, &old_us);
    while (take(&round, log, &tick_us)) {
        work_off(&round, log);
        if (log->stop && round.lines == NULL && round.room == 0) {
            break; /* what is left finds no room */
        }
        take_over(log, &take_us);
        retire(log, &old_us);
    }
    if (dl_audit_file_end(log->file, "stopped", &err) != DL_OK) {
        dl_log(DL_LOG_ERROR, "DL1165 audit: %s", err.text);
    }
    return NULL;
}

/* --- Opening and stopping ------------------------------------------------- */

static apr_status_t stop_log(void *data)
{
    mdl_audit_log *log = data;

    pthread_mutex_lock(&log->mutex);
    log->stop = true;
    pthread_cond_signal(&log->work);
    pthread_mutex_unlock(&log->mutex);
    pthread_join(log->thread, NULL);
    apr_pool_destroy(log->pool);
    return APR_SUCCESS;
}

/* Return one half of the buffer, its memory taken now. */
static dl_buf *make_half(size_t bytes, apr_pool_t *pool)
{
    dl_buf *half = dl_buf_create(bytes, pool);

    if (dl_buf_reserve(half, bytes, NULL) != DL_OK) {
        abort();
    }
    return half;
}

dl_status mdl_audit_log_open(mdl_audit_log **log,
                             const mdl_audit_log_options *options,
                             dl_error *err, apr_pool_t *child_pool)
{
    const dl_audit_file_options file = {.dir_fd = options->dir_fd,
                                        .key = options->key};
    mdl_audit_log *made = apr_pcalloc(child_pool, sizeof *made);

    made->options = *options;
    /* The thread's own: httpd's pools belong to other threads. */
    made->pool = mdl_thread_pool();
    made->last = &made->first;
    made->fill = make_half(options->buffer / 2, child_pool);
    made->drain = make_half(options->buffer / 2, child_pool);
    made->file = dl_audit_file_create(&file, made->pool);
    mdl_thread_mutex_init(&made->mutex);
    dl_thread_cond_init(&made->work);
    dl_thread_cond_init(&made->done);
    DL_TRY(
        dl_thread_start(&made->thread, run, made, "writes the audit log", err));
    apr_pool_pre_cleanup_register(child_pool, made, stop_log);
    *log = made;
    return DL_OK;
}
