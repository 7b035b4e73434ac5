/* dl_lake_manifest.h - Which sealed parts exist.
 *
 * FORMAT.md 8.  A dl_lake_manifest is what one state of the file means; a
 * reader's never changes, the writer's moves on with what it appends.
 *
 * Thread: the owner of the object; one that never changes, any.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_MANIFEST_H
#define DL_LAKE_MANIFEST_H

#include "dl_lake_io.h"
#include "dl_lake_part.h"
#include "dl_sha256.h"

/* The SHA-256 of a day up to a part. */
typedef struct dl_lake_sum {
    dl_day day;                           /* of which day */
    uint32_t number;                      /* up to and with this part */
    unsigned char digest[DL_SHA256_SIZE]; /* the sum */
    unsigned char state[DL_SHA256_STATE]; /* where it goes on, if has_state */
    bool has_state;                       /* whether STATE is known */
} dl_lake_sum;

/* A day that was removed. */
typedef struct dl_lake_removed {
    dl_day day;      /* which day */
    uint32_t number; /* up to and with this part */
    uint64_t joined; /* uids of joined files that had been given away */
} dl_lake_removed;

/* What a manifest says. */
typedef struct dl_lake_manifest {
    uint64_t id;              /* of the dataset */
    uint64_t number;          /* of the file, 0: there is none yet */
    uint64_t length;          /* bytes of whole frames */
    uint64_t bytes;           /* of all parts together */
    uint64_t records;         /* of all parts together */
    int n_parts;              /* entries of PARTS */
    int parts_size;           /* room in it */
    dl_lake_part *parts;      /* by day and number; malloc */
    int n_sums;               /* entries of SUMS */
    int sums_size;            /* room in it */
    dl_lake_sum *sums;        /* by day, one each; malloc */
    int n_removed;            /* entries of REMOVED */
    int removed_size;         /* room in it */
    dl_lake_removed *removed; /* by day, one each; malloc */
} dl_lake_manifest;

/* Where a manifest lies. */
typedef struct dl_lake_manifest_place {
    const dl_lake_io *io; /* system calls */
    int meta;             /* folder _lake/DATASET */
    int manifests;        /* its folder m/ */
    const char *dataset;  /* name */
} dl_lake_manifest_place;

/* Make *M empty; its arrays are freed with POOL. */
void dl_lake_manifest_begin(dl_lake_manifest *m, apr_pool_t *pool);

/* Set *NUMBER to the number in CURRENT, 0 when there is no such file. */
DL_MUSTCHECK dl_status dl_lake_manifest_current(
    uint64_t *number, const dl_lake_manifest_place *place, dl_error *err);

/* Fill *M, which is empty, from manifest NUMBER.  With LENGTH 0 its end is
 * found and *M stands behind the last whole frame; else exactly LENGTH bytes
 * are read.  DL_NOT_FOUND: no such file; DL_CORRUPT: it is damaged. */
DL_MUSTCHECK dl_status dl_lake_manifest_load(
    dl_lake_manifest *m, const dl_lake_manifest_place *place, uint64_t number,
    uint64_t length, dl_error *err, apr_pool_t *scratch_pool);

/* Set *FIRST to the first of the parts of DAY in M and return how many there
 * are. */
int dl_lake_manifest_day(const dl_lake_part **first, const dl_lake_manifest *m,
                         dl_day day);

/* The part of M that stands for part NUMBER of DAY, or NULL. */
const dl_lake_part *dl_lake_manifest_covers(const dl_lake_manifest *m,
                                            dl_day day, uint32_t number);

/* The sum of DAY, or NULL. */
const dl_lake_sum *dl_lake_manifest_sum(const dl_lake_manifest *m, dl_day day);

/* The newest removal of DAY, or NULL. */
const dl_lake_removed *dl_lake_manifest_removed(const dl_lake_manifest *m,
                                                dl_day day);

/* The uid of the next joined file: none was ever given away twice. */
uint64_t dl_lake_manifest_joined_uid(const dl_lake_manifest *m);

/* Write that the sealed parts of DAY are removed behind M, durably, and let M
 * say so.  Conditions and failures as dl_lake_manifest_append. */
DL_MUSTCHECK dl_status dl_lake_manifest_remove(
    dl_lake_manifest *m, const dl_lake_manifest_place *place, dl_day day,
    dl_error *err);

/* Write the N PARTS and, where it is not NULL, SUM behind M, durably, and let
 * M say so; write the file anew when it has grown too much.  The caller holds
 * the flock of m/ and M is what the file says.  After a failure neither M nor
 * what the file means has changed. */
DL_MUSTCHECK dl_status dl_lake_manifest_append(
    dl_lake_manifest *m, const dl_lake_manifest_place *place,
    const dl_lake_part *parts, int n, const dl_lake_sum *sum, dl_error *err);

#endif
