/* dl_lake_part.h - What is known of a part, and how its files are called.
 *
 * The same numbers describe a part in the journal, the manifest and the head
 * (FORMAT.md 6, 8, 9).
 *
 * Thread: any.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_PART_H
#define DL_LAKE_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dl_lake_bytes.h"
#include "dl_lake_format.h"
#include "dl_time.h"

/* Where a part stands. */
typedef enum dl_lake_part_state {
    DL_LAKE_PART_OPEN = 0,   /* grows in open/ */
    DL_LAKE_PART_SEALED = 1, /* complete, not yet in the manifest */
    DL_LAKE_PART_LISTED = 2, /* in the manifest, as D.N.json */
    DL_LAKE_PART_WHOLE = 3,  /* in the manifest, as D.json */
    DL_LAKE_PART_COLD = 4    /* in the manifest, as D.json.zst */
} dl_lake_part_state;

/* One part, or several that were joined. */
typedef struct dl_lake_part {
    uint64_t uid;             /* number in the dataset, never used again */
    dl_day day;               /* its day */
    uint32_t first;           /* first part number it stands for */
    uint32_t number;          /* last part number, its own when not joined */
    dl_lake_part_state state; /* where it stands */
    uint64_t bytes;           /* committed bytes of lines */
    uint64_t records;         /* committed lines */
    uint64_t commits;         /* commits that changed it */
    int64_t first_commit_ms;  /* time of its first commit */
    int64_t last_commit_ms;   /* time of its newest commit */
    dl_time first_time;       /* smallest event time */
    dl_time last_time;        /* largest event time */
    uint32_t crc;             /* running crc of the part */
    uint32_t trail_crc;       /* running crc of the trail */
    uint64_t trail_len;       /* bytes of the trail */
    uint64_t stored_bytes;    /* of the file of a cold day, else 0 */
    uint32_t stored_crc;      /* of the file of a cold day, else 0 */
} dl_lake_part;

/* Write the name of P in its folder: D.N.json, D.json when it is whole,
 * D.json.zst when it is cold. */
void dl_lake_part_name(char out[DL_LAKE_PATH_MAX], const dl_lake_part *p);

/* Whether P is the whole file of its day, cold or not. */
static inline bool dl_lake_part_is_whole(const dl_lake_part *p)
{
    return p->state >= DL_LAKE_PART_WHOLE;
}

/* The bytes that the file of P has on the disk, once it is sealed. */
static inline uint64_t dl_lake_part_file_bytes(const dl_lake_part *p)
{
    return p->state == DL_LAKE_PART_COLD ? p->stored_bytes : p->bytes;
}

/* The checksum that the file of P has, likewise. */
static inline uint32_t dl_lake_part_file_crc(const dl_lake_part *p)
{
    return p->state == DL_LAKE_PART_COLD ? p->stored_crc : p->crc;
}

/* Write the name of the folder of DAY: dt=D. */
void dl_lake_day_folder(char out[DL_LAKE_PATH_MAX], dl_day day);

/* Write the name of the trail of UID in idx/. */
void dl_lake_trail_name(char out[DL_LAKE_PATH_MAX], uint64_t uid);

/* Write NUMBER as the ten digits of a manifest's or quarantine file's name. */
void dl_lake_number_name(char out[DL_LAKE_PATH_MAX], uint64_t number);

/* Add the part state of P, journal form (FORMAT.md 6). */
void dl_lake_part_add(dl_lake_bytes *bytes, const dl_lake_part *p);

/* Get a part state, journal form, into *P. */
void dl_lake_part_get(dl_lake_part *p, dl_lake_in *in);

/* Whether NAME may be the name of a dataset. */
bool dl_lake_name_valid(const char *name);

#endif
