/* dl_lake_behind.c - A ring of blocks, and who writes them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_behind.h"

#include "dl_lake_format.h"
#include "dl_thread.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

struct dl_lake_behind {
    const dl_lake_io *io;                  /* system calls */
    size_t size;                           /* of a buffer */
    pthread_t thread;                      /* when started */
    pthread_mutex_t mutex;                 /* guards all that follows */
    pthread_cond_t change;                 /* something below has changed */
    dl_lake_aligned queue[DL_LAKE_BEHIND]; /* a ring; the first is under way */
    int first, n;                          /* where it begins, how many */
    char *spare[DL_LAKE_BEHIND + 1];       /* buffers to use again */
    int n_spare;                           /* how many */
    bool started;                          /* the thread runs */
    bool stop;                             /* it has to end */
    bool cached;                           /* no writes past the page cache */
    bool used;                             /* since the last trim */
    dl_error failure;                      /* why nothing is written */
};

dl_lake_behind *dl_lake_behind_create(const dl_lake_io *io, size_t size)
{
    dl_lake_behind *b = calloc(1, sizeof *b);

    if (b == NULL) {
        abort();
    }
    b->io = io;
    b->size = size;
    pthread_mutex_init(&b->mutex, NULL);
    pthread_cond_init(&b->change, NULL);
    return b;
}

/* --- The thread ----------------------------------------------------------- */

/* Write BLOCK through the page cache and have the kernel begin with it. */
static dl_status write_cached(dl_lake_behind *b, const dl_lake_aligned *block,
                              dl_error *err)
{
    DL_TRY(dl_lake_file_write(b->io, block->fd, block->data, block->len,
                              block->at, err));
    /* Advice only: the commit syncs. */
    (void)b->io->sync_file_range(block->fd, (off_t)block->at, (off_t)block->len,
                                 SYNC_FILE_RANGE_WRITE);
    return DL_OK;
}

static dl_status write_block(dl_lake_behind *b, const dl_lake_aligned *block,
                             dl_error *err)
{
    dl_status status;

    if (block->direct_fd < 0) {
        return write_cached(b, block, err);
    }
    status = dl_lake_blocks_write(b->io, block, err);
    if (status != DL_UNSUPPORTED) {
        return status;
    }
    pthread_mutex_lock(&b->mutex);
    b->cached = true;
    pthread_mutex_unlock(&b->mutex);
    return write_cached(b, block, err);
}

/* Keep or free the buffer of BLOCK; the mutex is held. */
static void give_back(dl_lake_behind *b, const dl_lake_aligned *block)
{
    if (block->size == b->size && b->n_spare < DL_LAKE_BEHIND + 1) {
        b->spare[b->n_spare++] = block->data;
    }
    else {
        free(block->data);
    }
}

/* Write the first block of the queue; the mutex is held before and after. */
static void do_first(dl_lake_behind *b)
{
    dl_lake_aligned block = b->queue[b->first];
    bool failed = b->failure.status != DL_OK;
    dl_error err = {.status = DL_OK};
    dl_status status = DL_OK;

    pthread_mutex_unlock(&b->mutex);
    if (!failed) {
        status = write_block(b, &block, &err);
        DL_LAKE_CRASH("append-flushed");
    }
    pthread_mutex_lock(&b->mutex);
    if (status != DL_OK) {
        b->failure = err;
        b->failure.status = status;
    }
    give_back(b, &block);
    b->first = (b->first + 1) % DL_LAKE_BEHIND;
    b->n--;
    pthread_cond_broadcast(&b->change);
}

static void *run(void *data)
{
    dl_lake_behind *b = data;

    pthread_mutex_lock(&b->mutex);
    while (b->n > 0 || !b->stop) {
        if (b->n > 0) {
            do_first(b);
        }
        else {
            pthread_cond_wait(&b->change, &b->mutex);
        }
    }
    pthread_mutex_unlock(&b->mutex);
    return NULL;
}

/* Start the thread if it does not run. */
static void start(dl_lake_behind *b)
{
    b->started = b->started || dl_thread_start(&b->thread, run, b,
                                               "works behind", NULL) == DL_OK;
}

/* --- What the writer calls ------------------------------------------------ */

/* Wait until nothing is under way; the mutex is held. */
static void drain(dl_lake_behind *b)
{
    while (b->n > 0) {
        pthread_cond_wait(&b->change, &b->mutex);
    }
}

static void free_spares(dl_lake_behind *b)
{
    while (b->n_spare > 0) {
        free(b->spare[--b->n_spare]);
    }
}

void dl_lake_behind_destroy(dl_lake_behind *b)
{
    if (b == NULL) {
        return;
    }
    pthread_mutex_lock(&b->mutex);
    b->stop = true;
    pthread_cond_broadcast(&b->change);
    pthread_mutex_unlock(&b->mutex);
    if (b->started) {
        (void)pthread_join(b->thread, NULL);
    }
    free_spares(b);
    pthread_cond_destroy(&b->change);
    pthread_mutex_destroy(&b->mutex);
    free(b);
}

char *dl_lake_behind_buffer(dl_lake_behind *b)
{
    char *buffer = NULL;

    pthread_mutex_lock(&b->mutex);
    if (b->n_spare > 0) {
        buffer = b->spare[--b->n_spare];
    }
    pthread_mutex_unlock(&b->mutex);
    if (buffer == NULL) {
        buffer = aligned_alloc(DL_LAKE_BLOCK, b->size);
    }
    if (buffer == NULL) {
        abort();
    }
    return buffer;
}

dl_status dl_lake_behind_put(dl_lake_behind *b, const dl_lake_aligned *block,
                             dl_error *err)
{
    dl_status status;

    start(b);
    pthread_mutex_lock(&b->mutex);
    b->used = true;
    while (b->n == DL_LAKE_BEHIND) {
        pthread_cond_wait(&b->change, &b->mutex);
    }
    b->queue[(b->first + b->n) % DL_LAKE_BEHIND] = *block;
    b->n++;
    if (!b->started) {
        do_first(b); /* no thread to be had: as if it had been quick */
    }
    pthread_cond_broadcast(&b->change);
    status = b->failure.status;
    if (status != DL_OK) {
        *err = b->failure;
    }
    pthread_mutex_unlock(&b->mutex);
    return status;
}

dl_status dl_lake_behind_wait(dl_lake_behind *b, dl_error *err)
{
    dl_status status;

    pthread_mutex_lock(&b->mutex);
    drain(b);
    status = b->failure.status;
    if (status != DL_OK && err != NULL) {
        *err = b->failure;
    }
    pthread_mutex_unlock(&b->mutex);
    return status;
}

void dl_lake_behind_clear(dl_lake_behind *b)
{
    pthread_mutex_lock(&b->mutex);
    drain(b);
    b->failure = (dl_error){.status = DL_OK};
    pthread_mutex_unlock(&b->mutex);
}

bool dl_lake_behind_cached(dl_lake_behind *b)
{
    bool cached;

    pthread_mutex_lock(&b->mutex);
    cached = b->cached;
    pthread_mutex_unlock(&b->mutex);
    return cached;
}

void dl_lake_behind_trim(dl_lake_behind *b)
{
    pthread_mutex_lock(&b->mutex);
    if (!b->used && b->n == 0) {
        free_spares(b);
    }
    b->used = false;
    pthread_mutex_unlock(&b->mutex);
}
