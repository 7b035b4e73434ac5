/* lake_watch - waits until a dataset of a lake has so many committed records.
 *
 * usage: lake_watch ROOT DATASET RECORDS [SECONDS]
 *
 * Looks every 2 ms, as a reader of the published lengths.  Prints the wall
 * clock in seconds when the first record was seen and when all were, or fails
 * after SECONDS (60).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake.h"
#include "dl_time.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <apr_general.h>

/* Committed records of DATASET below ROOT now; 0 while there is no lake. */
static unsigned long long records_now(dl_lake **lake, char **argv,
                                      apr_pool_t *pool, apr_pool_t *scratch)
{
    dl_lake_snapshot *snap;
    dl_error err = {0};

    if (*lake == NULL && dl_lake_open(lake, argv[1], &err, pool) != DL_OK) {
        *lake = NULL;
        return 0;
    }
    if (dl_lake_snapshot_open(&snap, *lake, argv[2], &err, scratch) != DL_OK) {
        return 0;
    }
    return dl_lake_snapshot_totals(snap)->records;
}

/* Whether the lake of ARGV had as many records as wanted in time. */
static bool watch(char **argv, apr_pool_t *pool, apr_pool_t *scratch)
{
    unsigned long long want = strtoull(argv[3], NULL, 10);
    long long seconds = argv[4] != NULL ? strtoll(argv[4], NULL, 10) : 60;
    dl_time end = dl_time_now() + seconds * INT64_C(1000000);
    dl_lake *lake = NULL;
    dl_time first = 0;

    while (dl_time_now() < end) {
        unsigned long long n = records_now(&lake, argv, pool, scratch);

        first = first == 0 && n > 0 ? dl_time_now() : first;
        if (n >= want) {
            printf("%.6f %.6f %llu\n", (double)first / 1e6,
                   (double)dl_time_now() / 1e6, n);
            return true;
        }
        apr_pool_clear(scratch);
        usleep(2000);
    }
    fprintf(stderr, "lake_watch: fewer than %llu records in time\n", want);
    return false;
}

int main(int argc, char **argv)
{
    apr_pool_t *pool;
    apr_pool_t *scratch;
    bool seen;

    if (argc < 4 || apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS ||
        apr_pool_create(&scratch, pool) != APR_SUCCESS) {
        fprintf(stderr, "usage: lake_watch ROOT DATASET RECORDS [SECONDS]\n");
        return 2;
    }
    seen = watch(argv, pool, scratch);
    apr_pool_destroy(pool);
    apr_terminate();
    return seen ? 0 : 1;
}
