/* dlc_topic_scan.h - Looking through a topic from a time on: what is there of
 * what we have sent, when nobody has heard the broker's word.
 *
 * Thread: the caller's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_TOPIC_SCAN_H
#define DLC_TOPIC_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dl_time.h"

/* Whence. */
typedef struct dlc_topic_range {
    const char *topic;    /* which */
    dl_time from;         /* messages of this time or later */
    const int64_t *first; /* or, of partition I below N_FIRST, from this
                             offset on; NULL: by time */
    int n_first;          /* how many */
} dlc_topic_range;

/* One message; dead after the call that got it. */
typedef struct dlc_topic_message {
    int32_t partition;  /* where it is */
    int64_t offset;     /* likewise */
    const void *native; /* of dlc_topic_header */
} dlc_topic_message;

/* Receives one message; a return other than DL_OK ends the walk and is passed
 * on. */
typedef dl_status
dlc_topic_each(void *context, const dlc_topic_message *message, dl_error *err);

/* Return the last header NAME of MESSAGE and set *LEN to its bytes; NULL: it
 * has none. */
const char *dlc_topic_header(size_t *len, const dlc_topic_message *message,
                             const char *name);

/* Call EACH with the messages of RANGE at the brokers of CFG, partition by
 * partition, up to what each had when it was begun.  Messages of a transaction
 * that is not committed are left out.  DL_UNAVAILABLE: the broker does not
 * answer for 10 s; DL_NOT_FOUND: no such topic. */
DL_MUSTCHECK dl_status dlc_topic_scan(const dl_config *cfg,
                                      const dlc_topic_range *range,
                                      dlc_topic_each *each, void *context,
                                      dl_error *err, apr_pool_t *scratch_pool);

#endif
