/* mdl_window.h - Fixed windows in shared memory: how much each key has used.
 *
 * A window begins with the first take of its key and lasts as long as all
 * windows of its table; what was used is forgotten when it ends.  One table
 * per subject (quota, failed log-ins, registrations), shared by all children
 * and kept over graceful restarts.
 *
 *   table   sets of 8 places; the set is chosen by the key's hash, which is
 *           keyed with a secret of the table, so nobody can aim at a set
 *   place   one key; used amount and end of its window share one 64-bit word,
 *           so that a check is one compare-and-set, without a lock
 *
 * Memory is bounded: 48 bytes a place.  A key that is new takes, under the
 * lock of its set, an empty place or one whose window has ended.  When all 8
 * windows run, the one with the least used makes room, and nothing that was
 * used is forgiven: the set remembers the largest amount it ever gave away
 * that could still count, and every key that is new to the set begins there.
 * So in a full table a key may be refused early, and never late; it costs 8
 * used-up keys in a set to take the whole limit from a ninth.
 *
 * Time is the wall clock in seconds.  When it is set back, a window ends one
 * length after the new present at the latest.
 *
 * Nothing here knows httpd: unit tests run it.  Thread: any, but for attach.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_WINDOW_H
#define MDL_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest limit, and the largest amount that is told apart. */
#define MDL_WINDOW_MOST ((UINT32_C(1) << 26) - 1)

/* Bytes of the secret that keys a table's hash. */
#define MDL_WINDOW_SECRET 16

/* One table as this process sees it. */
typedef struct mdl_windows {
    struct mdl_window_table *shared; /* the places */
    uint64_t n_sets;                 /* a power of two */
    uint32_t length_s;               /* how long each window lasts */
} mdl_windows;

/* Whose window. */
typedef struct mdl_window_key {
    uint64_t hash[2];  /* of the subject, by mdl_window_key_make */
    uint64_t label[2]; /* the owner's, given back by mdl_window_changed */
} mdl_window_key;

/* A window after a check. */
typedef struct mdl_window_state {
    uint32_t used;   /* amount used; above limit only where one may be */
    uint32_t limit;  /* what was asked for */
    int64_t reset_s; /* seconds until it ends, 1..length; length: not begun */
} mdl_window_state;

/* A window to be written down. */
typedef struct mdl_window_entry {
    uint64_t label[2]; /* of its key */
    uint32_t used;     /* amount used */
    int64_t ends_s;    /* unix second at which it ends */
    uint64_t place;    /* for mdl_window_unsaved */
} mdl_window_entry;

/* Return how many bytes a table of about PLACES places takes. */
size_t mdl_windows_size(int places);

/* Make W the table in MEMORY of mdl_windows_size(PLACES) bytes, zeroed or kept,
 * whose windows last LENGTH_S seconds.  SECRET is taken by a new table and
 * ignored by a kept one.  Thread: start only. */
void mdl_windows_attach(mdl_windows *w, void *memory, int places, int length_s,
                        const unsigned char secret[MDL_WINDOW_SECRET]);

/* Set KEY to the hash of the LEN bytes at SUBJECT, without label. */
void mdl_window_key_make(mdl_window_key *key, const mdl_windows *w,
                         const void *subject, size_t len);

/* Take COST from the window of KEY at NOW_S (unix seconds) if no more than
 * LIMIT is used afterwards, and fill STATE with what is used then.  False:
 * nothing was taken. */
bool mdl_window_take(mdl_window_state *state, mdl_windows *w,
                     const mdl_window_key *key, uint32_t limit, uint32_t cost,
                     int64_t now_s);

/* Take COST, whatever was used before; LIMIT is for STATE alone. */
void mdl_window_add(mdl_window_state *state, mdl_windows *w,
                    const mdl_window_key *key, uint32_t limit, uint32_t cost,
                    int64_t now_s);

/* Give COST of a take back, never below 0; nothing when the window has ended
 * or its place is another key's. */
void mdl_window_give(mdl_windows *w, const mdl_window_key *key, uint32_t cost,
                     int64_t now_s);

/* Fill STATE with the window of KEY, taking nothing. */
void mdl_window_peek(mdl_window_state *state, const mdl_windows *w,
                     const mdl_window_key *key, uint32_t limit, int64_t now_s);

/* Add to the window of KEY the USED amount of an earlier life of the server,
 * which counts until the unix second ENDS_S: the window ends then, too. */
void mdl_window_restore(mdl_windows *w, const mdl_window_key *key,
                        uint32_t used, int64_t ends_s, int64_t now_s);

/* Fill ENTRY with the next running window that has changed since it was last
 * returned, from *POSITION (0 at first) on, and move *POSITION behind it.
 * False: none is left.  Thread: one for each table, of all processes. */
bool mdl_window_changed(mdl_window_entry *entry, mdl_windows *w,
                        uint64_t *position, int64_t now_s);

/* Let the window of ENTRY be returned again: it could not be written.
 * Thread: as mdl_window_changed. */
void mdl_window_unsaved(mdl_windows *w, const mdl_window_entry *entry);

#endif
