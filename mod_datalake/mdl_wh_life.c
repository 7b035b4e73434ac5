/* mdl_wh_life.c - Whether the server of a pool lives: what it is asked when
 * nothing has been heard of it, and what comes of its silence.
 *
 * The rule is told in mdl_wh.h.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_wh_pool.h"

#include <sys/socket.h>

#include "dl_time.h"

#define STALL_US   (MDL_WH_STALL_MS * INT64_C(1000))
#define TICK_MS    100     /* of time that counts, however late it ends */
#define PING_TICKS 7       /* that an answer on our connection may take */
#define LATE_US    1200000 /* a connection is given up after 1 s */
#define LATE_MAX   2       /* late failures in a row that do not count */

void mdl_wh_alive(mdl_wh_pool *pool)
{
    pool->failures = 0;
    pool->late = 0;
    pool->alive_us = dl_time_monotonic_us();
}

void mdl_wh_cut_since(mdl_wh_pool *pool, int64_t before_us, dl_status cut)
{
    int i;

    for (i = 0; i < pool->max; i++) {
        mdl_wh_slot *s = &pool->slot[i];

        if (s->state == MDL_WH_SLOT_BUSY && s->since_us < before_us &&
            s->cut == MDL_WH_NO_CUT) {
            s->cut = cut;
            shutdown(s->socket, SHUT_RDWR);
        }
    }
}

int mdl_wh_stalled(const mdl_wh_pool *pool, int64_t now_us)
{
    int i;

    if (pool->alive_us > now_us - STALL_US) {
        return 0;
    }
    for (i = 0; i < pool->max; i++) {
        const mdl_wh_slot *s = &pool->slot[i];

        if (s->state == MDL_WH_SLOT_BUSY && s->since_us < now_us - STALL_US &&
            s->cut == MDL_WH_NO_CUT) {
            return 1;
        }
    }
    return 0;
}

/* --- Questions ------------------------------------------------------------
 */

mdl_wh_answer mdl_wh_connect(mdl_wh_slot *s, mdl_wh_pool *pool, dl_error *err)
{
    int64_t begun_us = dl_time_monotonic_us();
    bool heard = false;

    if (mdl_wh_slot_connect(s, &heard, pool->target, err) == DL_OK) {
        return MDL_WH_ANSWERED;
    }
    if (heard) {
        return MDL_WH_REFUSED;
    }
    return dl_time_monotonic_us() - begun_us > LATE_US ? MDL_WH_LATE
                                                       : MDL_WH_SILENT;
}

/* Ask on the connection of the keeper.  Without an answer it is closed: the
 * answer may still come.  The mutex is not held. */
static mdl_wh_answer ask_watch(mdl_wh_slot *watch, dl_error *err)
{
    bool answered = false;
    dl_status status = dl_wh_ping(watch->wh, err);
    int i;

    for (i = 0; i < PING_TICKS && status == DL_OK && !answered; i++) {
        status = dl_wh_pong(&answered, watch->wh, TICK_MS, err);
    }
    if (status == DL_OK && answered) {
        return MDL_WH_ANSWERED;
    }
    if (status == DL_OK) {
        dl_fail(err, DL_UNAVAILABLE, 0, "no answer within %d ms",
                PING_TICKS * TICK_MS);
    }
    mdl_wh_slot_close(watch);
    return MDL_WH_SILENT;
}

void mdl_wh_heard(mdl_wh_pool *pool, mdl_wh_answer answer, const char *why)
{
    if (answer == MDL_WH_ANSWERED || answer == MDL_WH_REFUSED) {
        mdl_wh_alive(pool);
    }
    else if (answer == MDL_WH_SILENT || pool->late >= LATE_MAX) {
        mdl_wh_failed(pool, why);
    }
    else {
        pool->late++;
    }
}

void mdl_wh_ask(mdl_wh_pool *pool)
{
    dl_error err = {DL_OK, 0, ""};
    mdl_wh_answer answer;

    pool->asking_us = dl_time_monotonic_us();
    if (mdl_wh_stalled(pool, pool->asking_us) != 0) {
        mdl_wh_failed(pool, "a request is not answered");
    }
    while (pool->stop == 0 && pool->state == MDL_WH_BREAKER_CLOSED &&
           pool->alive_us < pool->asking_us) {
        pthread_mutex_unlock(&pool->mutex);
        answer = pool->watch.wh != NULL
                     ? ask_watch(&pool->watch, &err)
                     : mdl_wh_connect(&pool->watch, pool, &err);
        pthread_mutex_lock(&pool->mutex);
        if (pool->alive_us < pool->asking_us) {
            mdl_wh_heard(pool, answer, err.text);
        }
    }
    if (pool->state == MDL_WH_BREAKER_OPEN) {
        mdl_wh_cut_since(pool, INT64_MAX, DL_UNAVAILABLE);
    }
    pool->asked = 0;
    pool->asking_us = 0;
    pthread_cond_broadcast(&pool->available);
}
