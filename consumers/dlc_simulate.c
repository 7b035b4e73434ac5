/* dlc_simulate.c - The order in which a thread makes its records.
 *
 * Good ones are numbered 0, 1, 2 ... in each thread; the bad ones of a thread
 * are spread evenly between them.  Nothing here looks at a clock.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_simulate.h"

#include "dlc_simulate_draw.h"

#include <stdlib.h>
#include <string.h>

/* Bad records are drawn from numbers no good one has. */
#define BAD_BASE ((int64_t)1 << 40)

struct dlc_simulator {
    const dlc_simulate_plan *plan; /* what to make */
    int thread;                    /* which part of it */
    int64_t good;                  /* good ones to make */
    int64_t bad;                   /* bad ones to make */
    int64_t made_good;             /* good ones made */
    int64_t made_bad;              /* bad ones made */
    dlc_transaction tx;            /* the one that was drawn last */
    char value[DLC_VALUE_MAX];     /* a good value */
    char *big;                     /* a bad value, DLC_BAD_MAX bytes */
};

/* Part of N things that THREAD of THREADS gets. */
static int64_t part_of(int64_t n, int thread, int threads)
{
    return n / threads + (thread < n % threads ? 1 : 0);
}

int64_t dlc_simulate_share(const dlc_simulate_plan *plan, int thread)
{
    return part_of(plan->count, thread, plan->threads) +
           part_of(plan->bad * DLC_BAD_KINDS, thread, plan->threads);
}

static apr_status_t free_big(void *data)
{
    free(data);
    return APR_SUCCESS;
}

dlc_simulator *dlc_simulator_create(const dlc_simulate_plan *plan, int thread,
                                    apr_pool_t *pool)
{
    dlc_simulator *sim = apr_pcalloc(pool, sizeof *sim);

    sim->plan = plan;
    sim->thread = thread;
    sim->good = part_of(plan->count, thread, plan->threads);
    sim->bad = part_of(plan->bad * DLC_BAD_KINDS, thread, plan->threads);
    if (sim->bad > 0) {
        sim->big = malloc(DLC_BAD_MAX);
        if (sim->big == NULL) {
            abort();
        }
        apr_pool_cleanup_register(pool, sim->big, free_big,
                                  apr_pool_cleanup_null);
    }
    return sim;
}

/* One of the plan's forms of time, in turn. */
static unsigned form_of(const dlc_simulate_plan *plan, int64_t number)
{
    unsigned left = plan->times;
    int n = (int)(number % __builtin_popcount(left));

    while (n-- > 0) {
        left &= left - 1;
    }
    return left & -left;
}

static dlc_simulate_style style_of(const dlc_simulate_plan *plan,
                                   int64_t number)
{
    if (plan->style != DLC_STYLE_MIXED) {
        return plan->style;
    }
    return number % 5 == 3 ? DLC_STYLE_PYTHON : DLC_STYLE_COMPACT;
}

static void make_good(dlc_simulated *out, dlc_simulator *sim)
{
    int64_t number = sim->made_good++;

    out->resent =
        dlc_transaction_draw(&sim->tx, sim->plan, sim->thread, number);
    out->len =
        dlc_transaction_write(sim->value, &sim->tx, style_of(sim->plan, number),
                              form_of(sim->plan, number));
    out->value = sim->value;
    out->bad = -1;
}

static void make_bad(dlc_simulated *out, dlc_simulator *sim)
{
    /* The number over all threads: kinds follow each other. */
    int64_t all = sim->made_bad++ * sim->plan->threads + sim->thread;

    out->bad = (int)(all % DLC_BAD_KINDS);
    out->resent = false;
    dlc_transaction_draw(&sim->tx, sim->plan, sim->thread,
                         BAD_BASE + sim->made_bad);
    out->len = dlc_bad_write(sim->big, &sim->tx, out->bad, all / DLC_BAD_KINDS);
    out->value = sim->big;
}

bool dlc_simulator_next(dlc_simulated *out, dlc_simulator *sim)
{
    bool due =
        sim->made_bad < sim->bad &&
        (sim->made_good == sim->good ||
         sim->made_good * (sim->bad + 1) >= (sim->made_bad + 1) * sim->good);

    if (due) {
        make_bad(out, sim);
    }
    else if (sim->made_good < sim->good) {
        make_good(out, sim);
    }
    else {
        return false;
    }
    out->key = sim->tx.id;
    out->key_len = strlen(sim->tx.id);
    return true;
}
