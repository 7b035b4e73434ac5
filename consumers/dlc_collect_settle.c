/* dlc_collect_settle.c - Looks at the greatest key of a table, and how old they
 * are.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_collect_settle.h"

void dlc_collect_settle_begin(dlc_collect_settle *s, int64_t settle_ms)
{
    *s = (dlc_collect_settle){
        .settle_us = settle_ms * 1000, .first_top = -1, .sure = -1};
}

bool dlc_collect_settle_due(const dlc_collect_settle *s, int64_t now_us)
{
    return s->settle_us > 0 &&
           (!s->looked || now_us - s->looks[s->last].at_us >=
                              s->settle_us / DLC_COLLECT_SETTLE_LOOKS);
}

/* Learn from the looks that are old enough at NOW_US. */
static void ripen(dlc_collect_settle *s, int64_t now_us)
{
    for (int i = 0; i < DLC_COLLECT_SETTLE_LOOKS; i++) {
        const dlc_collect_look *look = &s->looks[i];

        if (look->at_us != 0 && now_us - look->at_us >= s->settle_us &&
            look->top > s->sure) {
            s->sure = look->top;
        }
    }
}

void dlc_collect_settle_look(dlc_collect_settle *s, int64_t top, int64_t now_us)
{
    /* The one that is overwritten is old enough: they lie SETTLE / LOOKS
     * apart. */
    ripen(s, now_us);
    if (!s->looked) {
        s->first_top = top;
    }
    s->looked = true;
    s->last = (s->last + 1) % DLC_COLLECT_SETTLE_LOOKS;
    s->looks[s->last] = (dlc_collect_look){.top = top, .at_us = now_us};
}

void dlc_collect_settle_read(dlc_collect_settle *s, int64_t now_us)
{
    ripen(s, now_us);
}

bool dlc_collect_settle_may(const dlc_collect_settle *s, int64_t key,
                            int64_t last)
{
    return s->settle_us == 0 || key <= s->sure || key == last + 1;
}

bool dlc_collect_settle_later(const dlc_collect_settle *s, int64_t key)
{
    return key > s->first_top;
}
