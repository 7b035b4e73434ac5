/* dl_lake_pinning.h - The inside of a pin, for its own files.
 *
 * dl_lake_pin.c takes the state, dl_lake_copy.c copies it.
 *
 * Thread: the owner of the pin.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_PINNING_H
#define DL_LAKE_PINNING_H

#include "dl_lake_copy.h"
#include "dl_lake_head.h"
#include "dl_lake_io.h"
#include "dl_lake_journal.h"
#include "dl_lake_manifest.h"

struct dl_lake_pin {
    const dl_lake_io *io;         /* system calls */
    dl_lake_pinned about;         /* for the caller */
    int root;                     /* folder of the lake */
    int data;                     /* folder DATASET */
    int meta;                     /* folder _lake/DATASET */
    int idx;                      /* its idx/ */
    int open;                     /* its open/ */
    int compact;                  /* its compact/, locked for sharing */
    dl_lake_manifest_place place; /* its m/ */
    dl_lake_head *head;           /* mapped */
    dl_lake_manifest manifest;    /* what is sealed */
    uint8_t *manifest_text;       /* its bytes, malloc; NULL: there is none */
    dl_lake_state state;          /* the rest, without what is in MANIFEST */
};

#endif
