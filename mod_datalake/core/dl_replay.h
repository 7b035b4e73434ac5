/* dl_replay.h - A stored record as it is sent once more: its event time is
 * now, everything else as it is stored.
 *
 * Thread: the owner of the replay.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_REPLAY_H
#define DL_REPLAY_H

#include <stddef.h>

#include <apr_pools.h>

#include "dl_buf.h"
#include "dl_dataset.h"
#include "dl_error.h"
#include "dl_time.h"

/* What tells a record that is sent again from others. */
#define DL_REPLAY_ORIGIN_HEADER "dl-origin"
#define DL_REPLAY_ORIGIN        "repush"
#define DL_REPLAY_ID_HEADER     "dl-replay-id"

/* Makes records of one dataset; holds 1 MiB of scratch from the first record
 * on. */
typedef struct dl_replay dl_replay;

/* Return one for DS, which outlives it, in POOL. */
dl_replay *dl_replay_create(const dl_dataset *ds, apr_pool_t *pool);

/* A record to be sent. */
typedef struct dl_replay_record {
    const char *key; /* of the message; NULL: the record has none */
    size_t key_len;  /* bytes of KEY */
    dl_buf *value;   /* its bytes */
} dl_replay_record;

/* Set *RECORD to the LEN bytes of the stored line at TEXT with the event time
 * NOW; it lives until the next call.  A time that the record did not have
 * becomes its last member.  DL_CORRUPT: the line is no record; DL_LIMIT: the
 * record would be too big. */
DL_MUSTCHECK dl_status dl_replay_line(dl_replay_record *record,
                                      dl_replay *replay, const char *text,
                                      size_t len, dl_time now, dl_error *err);

#endif
