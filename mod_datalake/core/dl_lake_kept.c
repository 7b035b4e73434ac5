/* dl_lake_kept.c - Keeping the blocks that were read last.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_kept.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct dl_lake_kept_block {
    dl_lake_kept *kept;   /* whose it is */
    dl_lake_kept_key key; /* which it is */
    bool ready;           /* its bytes are right */
    int references;       /* to it */
    uint64_t used;        /* when it was asked for last */
    char *data;           /* its bytes; malloc */
    size_t size;          /* room there */
};

struct dl_lake_kept {
    pthread_mutex_t mutex;                   /* guards all below */
    uint64_t asked;                          /* times, so far */
    dl_lake_kept_block blocks[DL_LAKE_KEPT]; /* the blocks */
};

dl_lake_kept *dl_lake_kept_create(void)
{
    dl_lake_kept *kept = calloc(1, sizeof *kept);
    int i;

    if (kept == NULL) {
        abort();
    }
    pthread_mutex_init(&kept->mutex, NULL);
    for (i = 0; i < DL_LAKE_KEPT; i++) {
        kept->blocks[i].kept = kept;
    }
    return kept;
}

void dl_lake_kept_destroy(dl_lake_kept *kept)
{
    int i;

    for (i = 0; i < DL_LAKE_KEPT; i++) {
        free(kept->blocks[i].data);
    }
    pthread_mutex_destroy(&kept->mutex);
    free(kept);
}

static bool is_same(const dl_lake_kept_key *a, const dl_lake_kept_key *b)
{
    return a->uid == b->uid && a->at == b->at && a->bytes == b->bytes &&
           a->dataset == b->dataset;
}

dl_lake_kept_block *dl_lake_kept_find(dl_lake_kept *kept,
                                      const dl_lake_kept_key *key)
{
    dl_lake_kept_block *found = NULL;
    int i;

    pthread_mutex_lock(&kept->mutex);
    for (i = 0; i < DL_LAKE_KEPT && found == NULL; i++) {
        dl_lake_kept_block *block = &kept->blocks[i];

        if (block->ready && is_same(&block->key, key)) {
            found = block;
            found->references++;
            found->used = ++kept->asked;
        }
    }
    pthread_mutex_unlock(&kept->mutex);
    return found;
}

dl_lake_kept_block *dl_lake_kept_take(dl_lake_kept *kept,
                                      const dl_lake_kept_key *key)
{
    dl_lake_kept_block *oldest = NULL;
    int i;

    if (key->bytes > DL_LAKE_KEPT_BYTES) {
        return NULL;
    }
    pthread_mutex_lock(&kept->mutex);
    for (i = 0; i < DL_LAKE_KEPT; i++) {
        dl_lake_kept_block *block = &kept->blocks[i];

        if (block->references == 0 &&
            (oldest == NULL || block->used < oldest->used)) {
            oldest = block;
        }
    }
    if (oldest != NULL) {
        oldest->ready = false;
        oldest->key = *key;
        oldest->references = 1;
        oldest->used = ++kept->asked;
    }
    pthread_mutex_unlock(&kept->mutex);
    if (oldest != NULL && oldest->size < key->bytes) {
        free(oldest->data);
        oldest->size = (size_t)key->bytes;
        oldest->data = malloc(oldest->size);
        if (oldest->data == NULL) {
            abort();
        }
    }
    return oldest;
}

void dl_lake_kept_ready(dl_lake_kept_block *block)
{
    pthread_mutex_lock(&block->kept->mutex);
    block->ready = true;
    pthread_mutex_unlock(&block->kept->mutex);
}

char *dl_lake_kept_data(const dl_lake_kept_block *block)
{
    return block->data;
}

void dl_lake_kept_release(dl_lake_kept_block *block)
{
    if (block != NULL) {
        pthread_mutex_lock(&block->kept->mutex);
        block->references--;
        pthread_mutex_unlock(&block->kept->mutex);
    }
}
