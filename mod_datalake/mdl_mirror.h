/* mdl_mirror.h - Accounts in shared memory, so that a request need not ask
 * the warehouse who is calling.
 *
 *   mirror   one per warehouse and httpd, shared by all children
 *   place    one account; places come in sets of 8, the set is chosen by the
 *            account's id, the place least recently used makes room
 *
 * Reading takes no lock: a place has a sequence number that is odd while it
 * is written, and its words are atomic.  Writers hold the lock of the set,
 * which is the pid of its holder; the lock of a dead process is taken over.
 * What does not fit is looked up again: the mirror never answers for an
 * account it does not hold, so it fails closed.
 *
 * A look-up races with changes.  Therefore the looker takes a mark first and
 * mdl_mirror_put drops what it brings when any change was applied since.
 *
 * Two clocks say how far a place can be trusted: the mirror's contact, set by
 * the watcher (mdl_watcher.h) each time it has seen all changes, and the
 * place's own look-up.  The later one counts.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_MIRROR_H
#define MDL_MIRROR_H

#include <stdbool.h>
#include <stdint.h>

#include <httpd.h>

#include "dl_error.h"
#include "dl_time.h"
#include "dl_token.h"
#include "mdl_turns.h"

/* Revoked log-ins that one place remembers. */
#define MDL_MIRROR_REVOKED 16

/* Bytes of packed grants (dl_grant.h) in one place: some twenty grants.  With
 * DataLakeIdentityAccounts this bounds what grants take of a server. */
#define MDL_MIRROR_GRANTS 512

/* One account as the mirror holds it. */
typedef struct mdl_account {
    int64_t user_id;                      /* id; never 0 */
    int64_t epoch;                        /* rises with each change */
    uint64_t revoked[MDL_MIRROR_REVOKED]; /* mdl_mirror_hash of their sids */
    uint32_t n_revoked;                   /* how many of them */
    uint8_t role;                         /* a dl_role */
    bool active;                          /* false: disabled, deleted, none */
    bool crowded;                         /* more log-ins are revoked than fit:
                                             the warehouse has to be asked */
    bool consent;                         /* false: withdrawn */
    bool all_grants;                      /* false: it has more than fit, the
                                             warehouse has to be asked */
    char username[DL_USERNAME_MAX + 1];   /* as it was registered */
    uint16_t grants_len;                  /* bytes used of grants */
    unsigned char grants[MDL_MIRROR_GRANTS]; /* a dl_grant_set; last, so that
                                                what is unused is not read */
} mdl_account;

/* The mirror. */
typedef struct mdl_mirror mdl_mirror;

/* Changes that are remembered as seen. */
#define MDL_MIRROR_SEEN 1024

/* What the watcher keeps in shared memory beside the places; opaque but for
 * mdl_watcher.c. */
typedef struct mdl_mirror_watch {
    mdl_election election;     /* which child watches */
    _Atomic int64_t newest_at; /* dl_time of the newest change seen */
    _Atomic int64_t seen[MDL_MIRROR_SEEN]; /* ids applied lately, a ring */
    _Atomic uint32_t n_seen;               /* ids ever put into it */
} mdl_mirror_watch;

/* Set *MIRROR to the mirror NAME with room for about ACCOUNTS accounts, kept
 * over graceful restarts.  Lives in POOL, its places in shared memory.
 * DL_IO: no shared memory.  Thread: start only. */
DL_MUSTCHECK dl_status mdl_mirror_open(mdl_mirror **mirror, const char *name,
                                       int accounts, const server_rec *server,
                                       dl_error *err, apr_pool_t *pool);

/* Copy the account USER_ID to ACCOUNT and set *AGE_US to the time since it is
 * known to be right.  False: it is not here.  Thread: any. */
bool mdl_mirror_find(mdl_account *account, int64_t *age_us, mdl_mirror *mirror,
                     int64_t user_id);

/* Return the mark to take before a look-up.  Thread: any. */
uint64_t mdl_mirror_mark(mdl_mirror *mirror);

/* Keep ACCOUNT, looked up after MARK was taken; dropped when a change was
 * applied since.  Thread: any. */
void mdl_mirror_put(mdl_mirror *mirror, const mdl_account *account,
                    uint64_t mark);

/* Say that accounts have changed; look-ups under way will not be kept.  To be
 * called before mdl_mirror_drop or a fresh look-up.  Thread: any. */
void mdl_mirror_change(mdl_mirror *mirror);

/* Forget the account USER_ID.  Returns whether it was here.  Thread: any. */
bool mdl_mirror_drop(mdl_mirror *mirror, int64_t user_id);

/* Say that all changes up to now have been applied.  Thread: the watcher. */
void mdl_mirror_touch(mdl_mirror *mirror);

/* The watcher's part.  Thread: any. */
mdl_mirror_watch *mdl_mirror_watch_of(mdl_mirror *mirror);

/* The number under which the log-in SID is remembered.  Thread: any. */
uint64_t mdl_mirror_hash(const char *sid);

#endif
