/* mdl_password.h - Password hashes, two at a time in the whole server.
 *
 * A hash takes 19 MiB and about 20 ms of a core, on purpose.  So all children
 * together have MDL_PASSWORD_PLACES places to work in, and up to
 * MDL_PASSWORD_QUEUE places to wait in (never more than a quarter of the
 * workers): log-ins cannot eat the machine, and those who wait for one cannot
 * take every worker.  Who finds both full is told at once, and who has
 * waited for MDL_PASSWORD_WAIT_MS after that; both are DL_UNAVAILABLE, which
 * mdl_http_fail(q, MDL_OURSELVES, err) answers as 503 overloaded.
 *
 * A place belongs to a process.  It is free again when the process has died,
 * or has held it for MDL_PASSWORD_HELD_S.
 *
 * Call without a warehouse connection in hand: there are more requests than
 * connections.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_PASSWORD_H
#define MDL_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <httpd.h>

#include "dl_error.h"
#include "dl_password.h"
#include "mdl_places.h"

/* Hashes at a time in the whole server. */
#define MDL_PASSWORD_PLACES 2

/* Most requests that wait for a place. */
#define MDL_PASSWORD_QUEUE 32

/* How long one waits, in milliseconds. */
#define MDL_PASSWORD_WAIT_MS 2000

/* A place held for this many seconds is taken from its holder. */
#define MDL_PASSWORD_HELD_S 30

/* Make the places, kept over graceful restarts.  DL_IO: no shared memory.
 * Thread: start only (post_config). */
DL_MUSTCHECK dl_status mdl_password_open(const server_rec *server,
                                         dl_error *err);

/* Start this child's hashing threads (mdl_hasher.h).  Thread: child start
 * only. */
void mdl_password_start(apr_pool_t *child_pool);

/* A place that a request works in; its members are private. */
typedef struct mdl_password_place {
    mdl_held held; /* the place */
} mdl_password_place;

/* Take PLACE, waiting as told above; DL_OK: mdl_password_leave has to follow
 * on this thread.  For a caller who has more to do there than one hash.
 * DL_UNAVAILABLE: no place in time.  Thread: any. */
DL_MUSTCHECK dl_status mdl_password_enter(mdl_password_place *place,
                                          dl_error *err);

/* Give PLACE back.  Thread: the one that took it. */
void mdl_password_leave(const mdl_password_place *place);

/* Write the hash of LEN bytes of PASSWORD, with a fresh salt, to OUT.
 * DL_UNAVAILABLE: no place in time, or no memory.  Thread: any; may wait for
 * MDL_PASSWORD_WAIT_MS. */
DL_MUSTCHECK dl_status mdl_password_hash(char out[DL_PASSWORD_HASH],
                                         const char *password, size_t len,
                                         dl_error *err);

/* Set *MATCH to whether LEN bytes of PASSWORD give HASH; HASH NULL is an
 * unknown account: the same work, the answer is false.  The caller holds a
 * place.  DL_INTERNAL as dl_password_verify.  Thread: any; waits for a thread
 * of mdl_hasher.h to do it. */
DL_MUSTCHECK dl_status mdl_password_compare(bool *match, const char *hash,
                                            const char *password, size_t len,
                                            dl_error *err);

#endif
