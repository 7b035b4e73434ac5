/* dl_zone.h - From a local time of an IANA zone to an instant.
 *
 * Reads the TZif files (RFC 8536) of the system itself, because localtime()
 * and TZ belong to the whole process.  The zone "UTC" needs no file.
 *
 * Thread: a loaded zone is never changed, any thread may use it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_ZONE_H
#define DL_ZONE_H

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_time.h"

/* One zone with its history and its rule for the future. */
typedef struct dl_zone dl_zone;

/* Set *ZONE to the zone NAME ("Europe/Paris", "UTC"), living in RESULT_POOL.
 * DL_INVALID: NAME is not made of letters, digits, _ + - and / or climbs;
 * DL_NOT_FOUND: the system has no such zone; DL_CORRUPT: its file breaks
 * the format.  Thread: any. */
DL_MUSTCHECK dl_status dl_zone_load(const dl_zone **zone, const char *name,
                                    dl_error *err, apr_pool_t *result_pool);

/* Set *ZONE from the LEN bytes of a TZif file at DATA, as dl_zone_load does;
 * for tests and fuzzing.  Thread: any. */
DL_MUSTCHECK dl_status dl_zone_decode(const dl_zone **zone, const void *data,
                                      size_t len, dl_error *err,
                                      apr_pool_t *result_pool);

/* Return the instant at which the clocks of ZONE show LOCAL (a time read as
 * if it were UTC).  Shown twice: the first of the two.  Never shown, because
 * clocks were put forward: the instant that many seconds after the change.
 * Thread: any. */
dl_time dl_zone_instant(const dl_zone *zone, dl_time local);

/* Return the seconds ZONE is ahead of UTC at the instant T.  Thread: any. */
int32_t dl_zone_offset_s(const dl_zone *zone, dl_time t);

#endif
