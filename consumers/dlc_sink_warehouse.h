/* dlc_sink_warehouse.h - What the files of the warehouse sink share; nobody
 * else includes it.
 *
 * dlc_sink_warehouse.c        put, commit, forget
 * dlc_sink_warehouse_lanes.c  connections with their threads
 * dlc_sink_warehouse_parts.c  partitions come, go and begin anew
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_SINK_WAREHOUSE_H
#define DLC_SINK_WAREHOUSE_H

#include "dl_config.h"
#include "dl_record.h"
#include "dl_sha256.h"
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

/* Connections that load beside each other under backlog. */
#define DLC_WH_LANES 2

/* A connection with its thread, and what its next transaction stores.  A
 * partition belongs to one lane, so that its rows and its offset are one
 * transaction, in order. */
typedef struct dlc_wh_lane {
    dlc_wh_fact fact;      /* the connection */
    dlc_wh_loader *loader; /* its thread */
    dlc_wh_batch *batch;   /* being filled */
} dlc_wh_lane;

/* The sink. */
typedef struct dlc_warehouse {
    dlc_sink sink;                   /* what the loop sees; first member */
    const dl_config *cfg;            /* [warehouse] */
    dl_stats *stats;                 /* the daemon's numbers */
    apr_pool_t *pool;                /* of the process */
    dlc_wh_lane lanes[DLC_WH_LANES]; /* the first is always there */
    int n_lanes;                     /* in use now */
    int64_t single_us;               /* until then one lane, after a failure */
    dlc_wh_rollup *rollup;           /* the rollups' thread */
    const dl_wh_rates *rates;        /* NULL: to be loaded */
    apr_pool_t *rates_pool;          /* they live here */
    dl_sha256 *sum;                  /* for hashes in rows */
    dlc_wh_known *known;             /* datasets met, malloc */
    int n_known;                     /* of them */
    dlc_wh_part **parts;             /* taken ones, malloc */
    int n_parts;                     /* of them */
    int64_t rows;                    /* of the batches being filled */
    int64_t began_us;                /* when its first message came, 0: none */
    int64_t committed_us;            /* when the last one was handed over */
    size_t filling;                  /* bytes of chunks being filled */
    bool trimmed;                    /* memory was given back */
    bool refills;                    /* for a rebuild */
} dlc_warehouse;

/* --- dlc_sink_warehouse_lanes.c --- */

/* Start the threads of all lanes.  DL_INTERNAL: no thread. */
DL_MUSTCHECK dl_status dlc_warehouse_lanes_start(dlc_warehouse *w,
                                                 dlc_wh_loader_options *with,
                                                 dl_error *err);

/* Wait for the threads and end them; transactions that are open are given
 * up. */
void dlc_warehouse_lanes_stop(dlc_warehouse *w);

/* Close all connections and free what lanes hold; the threads have ended. */
void dlc_warehouse_lanes_free(dlc_warehouse *w);

/* Return the lane of P. */
dlc_wh_lane *dlc_warehouse_lane(dlc_warehouse *w, const dlc_wh_part *p);

/* Use two lanes from now on when a transaction had ROWS enough to be worth it,
 * one when it had few or something went wrong lately; waits until all is
 * committed when that changes. */
void dlc_warehouse_lanes_choose(dlc_warehouse *w, int64_t rows);

/* Use one lane for the next minute: what failed may have been a race of two.
 * Nothing is pending. */
void dlc_warehouse_lanes_single(dlc_warehouse *w);

/* Wait until no thread has anything to do. */
void dlc_warehouse_lanes_wait(dlc_warehouse *w);

/* Wait until the chunks of all lanes are at most BYTES. */
void dlc_warehouse_lanes_wait_below(dlc_warehouse *w, size_t bytes);

/* Return how many batches the busiest lane has to commit. */
int dlc_warehouse_lanes_batches(dlc_warehouse *w);

/* Return the bytes of the sums being filled. */
size_t dlc_warehouse_lanes_spend(const dlc_warehouse *w);

/* Make the staging table of TABLE, which is new, on each connection. */
DL_MUSTCHECK dl_status dlc_warehouse_lanes_table(dlc_warehouse *w,
                                                 const dlc_wh_table *table,
                                                 dl_error *err);

/* --- dlc_sink_warehouse_parts.c, dlc_sink_warehouse.c ---
 *
 * The calls of dlc_sink.h that are made in dlc_sink_warehouse_parts.c.  Each
 * waits for the loader first.
 *
 * Take the N partitions PARTS at the offsets of sink_offset.  One whose table
 * is not there or waits for a rebuild is left at DLC_PART_CLOSED.  A failure
 * takes none of them. */
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
