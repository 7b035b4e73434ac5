/* dl_lake_runs.c - Coordinates without their lines, and runs of them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_runs.h"

#include "dl_lake_scanning.h"

/* Runs that are being put together at once.  A power of two: a partition has
 * the place of its number modulo this, and whoever comes into a place ends the
 * run that was there. */
#define PLACES 1024

/* --- Lines ----------------------------------------------------------------- */

/* Hand out the lines of STRETCH, which was planned last. */
static dl_status take_stretch(dl_lake_scan *scan,
                              const dl_lake_stretch *stretch,
                              dl_lake_coord_taker *take, void *context,
                              dl_error *err)
{
    dl_coord c;
    uint64_t i;

    scan->next_line = stretch->line;
    for (i = 0; i < stretch->skip + stretch->lines; i++) {
        DL_TRY(dl_lake_scan_next_coord(&c, scan, err));
        if (i >= stretch->skip) {
            DL_TRY(take(context, stretch->line + i - stretch->skip, &c, err));
        }
    }
    return DL_OK;
}

dl_status dl_lake_coords_walk(dl_lake_snapshot *snap, dl_day day,
                              dl_lake_coord_taker *take, void *context,
                              dl_error *err, apr_pool_t *scratch_pool)
{
    const dl_lake_range range = {
        .day = day, .as_of = DL_TIME_NONE, .with_coords = true};
    dl_lake_stretch stretch;
    dl_lake_scan *scan;
    dl_status status;

    DL_TRY(dl_lake_scan_open(&scan, snap, &range, err, scratch_pool));
    do {
        DL_TRY(dl_lake_scan_plan(&stretch, scan, err));
        if (stretch.lines == 0) {
            return DL_OK;
        }
        status = take_stretch(scan, &stretch, take, context, err);
        dl_lake_stretch_release(&stretch);
    } while (status == DL_OK);
    return status;
}

/* --- Runs ------------------------------------------------------------------ */

/* Runs of a day that are being put together. */
typedef struct gathering {
    dl_lake_run_taker *take;  /* who gets them */
    void *context;            /* of TAKE */
    dl_day day;               /* of the lake */
    dl_lake_run runs[PLACES]; /* by partition; next 0: none */
} gathering;

static dl_status add_line(void *context, uint64_t line, const dl_coord *c,
                          dl_error *err)
{
    gathering *g = context;
    dl_lake_run *run = &g->runs[c->partition & (PLACES - 1)];
    dl_day broker_day =
        c->time == DL_TIME_NONE ? DL_DAY_NONE : dl_time_day(c->time);

    (void)line;
    if (run->next == c->offset && run->partition == c->partition &&
        run->generation == c->generation && run->broker_day == broker_day &&
        run->next > 0) {
        run->next++;
        return DL_OK;
    }
    if (run->next > 0) {
        DL_TRY(g->take(g->context, run, err));
    }
    *run = (dl_lake_run){.generation = c->generation,
                         .partition = c->partition,
                         .first = c->offset,
                         .next = c->offset + 1,
                         .day = g->day,
                         .broker_day = broker_day};
    return DL_OK;
}

/* Hand out what is left. */
static dl_status end_runs(gathering *g, dl_error *err)
{
    int i;

    for (i = 0; i < PLACES; i++) {
        if (g->runs[i].next > 0) {
            DL_TRY(g->take(g->context, &g->runs[i], err));
            g->runs[i].next = 0;
        }
    }
    return DL_OK;
}

dl_status dl_lake_runs_walk(dl_lake_snapshot *snap, dl_lake_run_taker *take,
                            void *context, dl_error *err,
                            apr_pool_t *scratch_pool)
{
    gathering *g = apr_pcalloc(scratch_pool, sizeof *g);
    dl_status status = DL_OK;
    apr_pool_t *iterpool;
    int i;

    g->take = take;
    g->context = context;
    apr_pool_create(&iterpool, scratch_pool);
    for (i = 0; status == DL_OK && i < dl_lake_days(snap); i++) {
        apr_pool_clear(iterpool);
        g->day = dl_lake_day_at(snap, i)->day;
        status = dl_lake_coords_walk(snap, g->day, add_line, g, err, iterpool);
        if (status == DL_OK) {
            status = end_runs(g, err);
        }
    }
    apr_pool_destroy(iterpool);
    return status;
}
