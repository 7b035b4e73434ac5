/* dl_lake_copy.h - A copy of one committed state of a dataset.
 *
 * A pin holds the state that was published last: what is written behind it
 * does not matter, and nothing that it names is joined or removed until the
 * pin goes (FORMAT.md, Copies).  A copy is a lake of its own: the writer that
 * opens it recovers and goes on at exactly the pinned offsets.
 *
 * Thread: the owner of the pin.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_COPY_H
#define DL_LAKE_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "dl_lake.h"
#include "dl_sha256.h"

typedef struct dl_lake_pin dl_lake_pin; /* one state that is held */

/* What a pin holds. */
typedef struct dl_lake_pinned {
    const char *dataset;      /* its name */
    uint64_t id;              /* of the dataset */
    uint64_t lsn;             /* newest log number of the state */
    int32_t generation;       /* life of the topic */
    const char *cluster;      /* Kafka cluster, "" unknown */
    dl_time last_commit;      /* of the state, DL_TIME_NONE: none */
    uint64_t records;         /* lines of all days */
    uint64_t bytes;           /* bytes of all days */
    int n_next;               /* entries of NEXT */
    const dl_lake_next *next; /* next offsets, by partition */
} dl_lake_pinned;

/* Told of each file of a copy when it is complete: PATH below the folder of
 * the copied lake, and its sum.  A failure ends the copy. */
typedef dl_status dl_lake_copied_file(void *context, const char *path,
                                      const char sum[DL_SHA256_TEXT],
                                      dl_error *err);

/* What is to be copied, and where. */
typedef struct dl_lake_copying {
    const char *target;        /* folder of the new lake; exists */
    bool link;                 /* link what never changes, if it can be */
    dl_lake_copied_file *file; /* told of each file */
    void (*progress)(void *context,
                     uint64_t bytes); /* told of BYTES more; or NULL */
    void *context;                    /* first argument of both */
} dl_lake_copying;

/* Hold the newest published state of DATASET of the lake at ROOT until POOL is
 * cleared; waits for a compaction that is under way.  DL_NOT_FOUND: no such
 * dataset; DL_CORRUPT: head, manifest or journal is damaged; DL_BUSY: the
 * journal was replaced again and again. */
DL_MUSTCHECK dl_status dl_lake_pin_take(dl_lake_pin **pin, const char *root,
                                        const char *dataset, dl_error *err,
                                        apr_pool_t *pool);

/* What PIN holds; lives as long as it. */
const dl_lake_pinned *dl_lake_pin_about(const dl_lake_pin *pin);

/* Copy the state of PIN as JOB says, every part and trail compared with its
 * checksum.  What is left of a copy that failed is the caller's to remove;
 * nothing is synced.  DL_CORRUPT: a file is not what was committed;
 * DL_CONFLICT: the target has the dataset already; DL_NO_SPACE, DL_IO. */
DL_MUSTCHECK dl_status dl_lake_copy(const dl_lake_pin *pin,
                                    const dl_lake_copying *job, dl_error *err,
                                    apr_pool_t *scratch_pool);

#endif
