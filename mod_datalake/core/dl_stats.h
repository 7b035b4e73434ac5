/* dl_stats.h - A program's numbers in a page of memory that others may read.
 *
 * Each daemon owns one page, the file RUN/INSTANCE.stats, which it maps and
 * writes with plain atomic stores; httpd's /metrics and health routes read
 * the pages of all living programs.  A page is memory shared on one machine,
 * not a file format: writer and reader check its magic word, which changes
 * with the layout.  A page is made under a temporary name and renamed when
 * it is complete, so a reader sees an old page or a whole new one.  A page
 * whose program no longer lives (pid and start time) is not read.
 *
 * Names and labels are those of the contract, section 8.1, with the prefix
 * datalake_.  A label set is text: `sink="lake",topic="x"`.
 *
 * Thread: any for slots and their values; see each function for the rest.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_STATS_H
#define DL_STATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_buf.h"
#include "dl_error.h"

/* What a slot counts and how it is printed. */
typedef enum dl_stats_type {
    DL_STATS_COUNTER,    /* only rises; printed as it is */
    DL_STATS_COUNTER_US, /* only rises; microseconds, printed as seconds */
    DL_STATS_GAUGE,      /* rises and falls; printed as it is */
    DL_STATS_GAUGE_US,   /* rises and falls; microseconds, printed as seconds */
    DL_STATS_HISTOGRAM   /* durations; fed by dl_stats_observe */
} dl_stats_type;

/* A slot with this value is not printed: a gauge whose thing is gone. */
#define DL_STATS_ABSENT INT64_MIN

/* Upper bounds of a histogram: 1, 2, 5 ms ... 10 s; the last bucket has no
 * bound. */
#define DL_STATS_BUCKETS 14

/* Values of a slot: [0] is the value, of a histogram the count; then its sum
 * in microseconds and its buckets (each counts its own range only). */
#define DL_STATS_VALUES (2 + DL_STATS_BUCKETS)

/* A page that this program writes. */
typedef struct dl_stats dl_stats;

/* One value of a slot, in the page. */
typedef _Atomic int64_t dl_stats_value;

/* Create the page RUN_DIR/INSTANCE.stats of PROGRAM, replacing an older one,
 * and set *STATS to it.  It already holds build_info and the process_* slots.
 * It goes with POOL, the file too.  DL_IO: the folder cannot be written.
 * Thread: the owner from now on. */
DL_MUSTCHECK dl_status dl_stats_create(dl_stats **stats, const char *run_dir,
                                       const char *program,
                                       const char *instance, dl_error *err,
                                       apr_pool_t *pool);

/* Return the slot NAME (with its datalake_ prefix) and LABELS ("" for none),
 * made on the first call with value 0.  Never NULL: when the page is full, or
 * STATS is NULL, a slot that nobody reads is returned, and the former is
 * logged once.  Thread: any. */
dl_stats_value *dl_stats_slot(dl_stats *stats, dl_stats_type type,
                              const char *name, const char *labels);

/* Add one duration of MICROSECONDS (negative ones count as 0) to the histogram
 * SLOT.  Thread: any. */
void dl_stats_observe(dl_stats_value *slot, int64_t microseconds);

/* Add MORE to a counter.  Thread: any. */
static inline void dl_stats_add(dl_stats_value *slot, int64_t more)
{
    atomic_fetch_add_explicit(slot, more, memory_order_relaxed);
}

/* Set a gauge.  Thread: any. */
static inline void dl_stats_set(dl_stats_value *slot, int64_t value)
{
    atomic_store_explicit(slot, value, memory_order_relaxed);
}

/* Return the value of a slot.  Thread: any. */
static inline int64_t dl_stats_get(const dl_stats_value *slot)
{
    return atomic_load_explicit(slot, memory_order_relaxed);
}

/* Bring the process_* slots up to date (processor time, memory, descriptors).
 * Once a second is enough.  Thread: the owner. */
void dl_stats_process_update(dl_stats *stats);

/* Samples on their way to a Prometheus text. */
typedef struct dl_stats_samples dl_stats_samples;

/* Return an empty collection in POOL.  Thread: the owner. */
dl_stats_samples *dl_stats_samples_create(apr_pool_t *pool);

/* Add one sample: VALUES has DL_STATS_VALUES members for a histogram, else
 * one.  NAME and LABELS are copied.  A sample with the same name and labels is
 * added to (counters, histograms) or replaced (gauges).  Thread: the owner. */
void dl_stats_samples_add(dl_stats_samples *samples, dl_stats_type type,
                          const char *name, const char *labels,
                          const int64_t *values);

/* Add the samples of every page of a living program in the folder DIRFD; -1
 * adds nothing.  Pages that are damaged, dead or of another version are left
 * out.  DL_IO: the folder cannot be read.  Thread: the owner. */
DL_MUSTCHECK dl_status dl_stats_samples_load(dl_stats_samples *samples,
                                             int dirfd, dl_error *err,
                                             apr_pool_t *scratch_pool);

/* Append SAMPLES as Prometheus text to OUT: the names of the contract in
 * alphabetical order, each with its HELP and TYPE line, labels in alphabetical
 * order.  DL_LIMIT: OUT is full.  Thread: the owner. */
DL_MUSTCHECK dl_status dl_stats_samples_render(dl_buf *out,
                                               dl_stats_samples *samples,
                                               dl_error *err);

/* Append the Prometheus text of all living programs of the folder DIRFD to
 * OUT: load and render in one call.  Thread: any. */
DL_MUSTCHECK dl_status dl_stats_render(dl_buf *out, int dirfd, dl_error *err,
                                       apr_pool_t *scratch_pool);

/* Set *VALUE to the sum over all living programs of DIRFD of the slots NAME
 * whose labels contain LABEL ("" matches all).  Return false, *VALUE 0, when
 * there is none.  Thread: any. */
bool dl_stats_find(int64_t *value, int dirfd, const char *name,
                   const char *label, apr_pool_t *scratch_pool);

/* As dl_stats_find, but the largest value instead of the sum.  Thread: any. */
bool dl_stats_find_max(int64_t *value, int dirfd, const char *name,
                       const char *label, apr_pool_t *scratch_pool);

/* Return whether the process PID runs and was started at START, clock ticks
 * since boot (0: not known, pid alone decides).  Thread: any. */
bool dl_stats_process_lives(int64_t pid, int64_t start);

#endif
