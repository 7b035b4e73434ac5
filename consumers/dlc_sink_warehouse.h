/* dlc_sink_warehouse.h - What the files of the warehouse sink share; nobody
 * else includes it.
 *
 * dlc_sink_warehouse.c        put, commit, forget
 * dlc_sink_warehouse_parts.c  partitions come, go and begin anew
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_SINK_WAREHOUSE_H
#define DLC_SINK_WAREHOUSE_H

#include "dl_config.h"
#include "dl_record.h"
#include "dl_wh_rates.h"
#include "dlc_sink.h"
#include "dlc_wh_loader.h"

/* One partition.  The place comes first: loader and rollups see only it. */
typedef struct dlc_wh_part {
    dlc_wh_place place;  /* what the transactions need */
    dl_judge *judge;     /* of its dataset */
    dlc_wh_chunk *chunk; /* being filled, or NULL */
    int64_t first;       /* first offset of this batch, -1: none */
    int64_t next;        /* where it continues, -1: no row yet */
    bool foreign;        /* its offsets count in another cluster */
} dlc_wh_part;

/* A dataset that has been met. */
typedef struct dlc_wh_known {
    const dl_dataset *dataset; /* its declaration */
    const dlc_wh_table *table; /* NULL: it has none */
    dl_stats_value *rows;      /* counts its rows */
    dl_judge *judge;           /* of this thread */
} dlc_wh_known;

/* The sink. */
typedef struct dlc_warehouse {
    dlc_sink sink;            /* what the loop sees; first member */
    const dl_config *cfg;     /* [warehouse] */
    dl_stats *stats;          /* the daemon's numbers */
    apr_pool_t *pool;         /* of the process */
    dlc_wh_fact fact;         /* the loader's connection */
    dlc_wh_loader *loader;    /* its thread */
    dlc_wh_rollup *rollup;    /* the rollups' thread */
    const dl_wh_rates *rates; /* NULL: to be loaded */
    apr_pool_t *rates_pool;   /* they live here */
    dlc_wh_known *known;      /* datasets met, malloc */
    int n_known;              /* of them */
    dlc_wh_part **parts;      /* taken ones, malloc */
    int n_parts;              /* of them */
    dlc_wh_batch *batch;      /* being filled */
    int64_t began_us;         /* when its first message came, 0: none */
    int64_t committed_us;     /* when the last one was handed over */
    int64_t put_us;           /* when the last message came */
    size_t filling;           /* bytes of chunks being filled */
    bool trimmed;             /* memory was given back */
} dlc_warehouse;

/* The calls of dlc_sink.h that are made in dlc_sink_warehouse_parts.c.  Each
 * waits for the loader first.
 *
 * Take the N partitions PARTS at the offsets of sink_offset.  One whose table
 * is not there is left at DLC_PART_CLOSED.  A failure takes none of them. */
DL_MUSTCHECK dl_status dlc_warehouse_take(dlc_sink *sink,
                                          dlc_part *const *parts, int n,
                                          const char *cluster, dl_error *err);

/* Give the N partitions PARTS up. */
void dlc_warehouse_drop(dlc_sink *sink, dlc_part *const *parts, int n);

/* Begin the next generation of the N partitions PARTS of one topic on CLUSTER,
 * in sink_offset too. */
DL_MUSTCHECK dl_status dlc_warehouse_renew(dlc_sink *sink,
                                           dlc_part *const *parts, int n,
                                           const char *cluster, dl_error *err);

/* Use the declarations of SET for the partitions that are taken. */
DL_MUSTCHECK dl_status dlc_warehouse_reload(dlc_sink *sink,
                                            const dl_dataset_set *set,
                                            dl_error *err);

/* Load the rates when they are not; waits for the loader then. */
DL_MUSTCHECK dl_status dlc_warehouse_rates_load(dlc_warehouse *w,
                                                dl_error *err);

/* Forget all that is not durable, and a failure of the loader. */
void dlc_warehouse_forget(dlc_sink *sink);

/* Pass a failure of a thread on, after forgetting. */
DL_MUSTCHECK dl_status dlc_warehouse_check(dlc_warehouse *w, dl_error *err);

#endif
