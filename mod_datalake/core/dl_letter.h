/* dl_letter.h - Dead letters as the warehouse lists them (table dead_letter).
 *
 *     open -> redriven | discarded
 *
 * A dead letter is a message that could not be stored as a record.  Its row
 * has what people want to see of it: the value is cut after DL_LETTER_VALUE
 * bytes, and a place says where in the quarantine of the lake the whole of it
 * is (dl_lake_quarantine.h).
 *
 * Thread: the connection's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LETTER_H
#define DL_LETTER_H

#include <stddef.h>
#include <stdint.h>

#include "dl_error.h"
#include "dl_time.h"

struct dl_wh;

/* Bytes of a value that a row keeps. */
#define DL_LETTER_VALUE 65536

/* Bytes of a key that a row keeps. */
#define DL_LETTER_KEY 1024

/* Where the whole of it is. */
typedef struct dl_letter_place {
    uint64_t lake; /* life of the dataset; 0: not in quarantine, but a record
                      of the lake that the warehouse refused */
    uint64_t file; /* number of the quarantine file */
    uint64_t at;   /* first byte in it */
} dl_letter_place;

/* One dead letter.  Texts live in the statement and are dead after the call
 * that got them. */
typedef struct dl_letter {
    int64_t id;            /* its number */
    const char *topic;     /* where it came from */
    int32_t generation;    /* life of the topic */
    int32_t partition;     /* of the topic */
    int64_t offset;        /* in the partition */
    const char *key;       /* NULL: none, or not UTF-8 */
    const char *reason;    /* not-json, ... */
    const char *detail;    /* what was wrong */
    const char *value;     /* the bytes received, perhaps cut */
    size_t value_len;      /* how many there are */
    int64_t size;          /* how many there were */
    const char *state;     /* open, redriven, discarded */
    int64_t attempts;      /* how often it was sent again */
    dl_time received_at;   /* Kafka's timestamp */
    const char *replay_id; /* of the last attempt; NULL: none */
    dl_letter_place place; /* where the whole of it is */
} dl_letter;

/* Receives one dead letter; a return other than DL_OK ends the walk and is
 * passed on.  It must not use the connection. */
typedef dl_status dl_letter_each(void *context, const dl_letter *letter,
                                 dl_error *err);

/* A page of dead letters, newest first. */
typedef struct dl_letter_page {
    const char *topic;  /* of this topic; "": of any */
    const char *reason; /* for this reason; "": for any */
    const char *state;  /* in this state; "": in any */
    dl_time from;       /* received then or later; DL_TIME_NONE: ever */
    dl_time to;         /* received before; DL_TIME_NONE: ever */
    dl_time before;     /* older than this; DL_TIME_NONE: the newest */
    int64_t before_id;  /* ... or as old, with an id before this one */
    int max;            /* at most so many */
} dl_letter_page;

/* Call EACH with the dead letters of PAGE, by received_at and id, both
 * falling. */
DL_MUSTCHECK dl_status dl_letter_read(struct dl_wh *wh,
                                      const dl_letter_page *page,
                                      dl_letter_each *each, void *context,
                                      dl_error *err);

/* Call EACH with the dead letter ID.  DL_NOT_FOUND: there is none. */
DL_MUSTCHECK dl_status dl_letter_find(struct dl_wh *wh, int64_t id,
                                      dl_letter_each *each, void *context,
                                      dl_error *err);

/* Mark ID as discarded.  DL_CONFLICT: it is not open, or somebody is sending
 * it again (dl_letter_send.h). */
DL_MUSTCHECK dl_status dl_letter_discard(struct dl_wh *wh, int64_t id,
                                         dl_error *err);

#endif
