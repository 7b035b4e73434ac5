/* mdl_password.c - The places, and the two calls that need one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_password.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <httpd.h>

#include <ap_mpm.h>

#include "dl_time.h"
#include "mdl_hasher.h"
#include "mdl_shm.h"

/* How long one sleeps at most before it looks whether a holder has died. */
#define LOOK_US 100000

/* The segment.  A place is 0 when it is free, else pid << 32 | monotonic
 * second of its taking. */
typedef struct segment {
    _Atomic uint64_t work[MDL_PASSWORD_PLACES]; /* who hashes */
    _Atomic uint64_t queue[MDL_PASSWORD_QUEUE]; /* who waits to */
    _Atomic uint32_t turn; /* rises when a place of work gets free; the word
                              that waiting requests sleep on */
} segment;

/* Set at start, constant in the children. */
static segment *shared;
static int queue_length = MDL_PASSWORD_QUEUE;

/* The waiting places this server can spare: a quarter of its workers. */
static int count_queue(void)
{
    int daemons = 0;
    int threads = 0;
    int spare;

    (void)ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &daemons);
    (void)ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    spare = (daemons > 0 ? daemons : 1) * (threads > 0 ? threads : 1) / 4;
    return spare < 1                    ? 1
           : spare < MDL_PASSWORD_QUEUE ? spare
                                        : MDL_PASSWORD_QUEUE;
}

dl_status mdl_password_open(const server_rec *server, dl_error *err)
{
    void *memory;

    DL_TRY(mdl_shm_open(&memory, "passwords", sizeof(segment), server, err));
    shared = memory;
    queue_length = count_queue();
    return DL_OK;
}

/* --- Places --------------------------------------------------------------- */

/* Sleep until shared->turn is no longer TURN, for LIMIT_US at most. */
static void sleep_on_turn(uint32_t turn, int64_t limit_us)
{
    struct timespec limit = {.tv_sec = limit_us / DL_SECOND_US,
                             .tv_nsec = limit_us % DL_SECOND_US * 1000};

    (void)syscall(SYS_futex, &shared->turn, FUTEX_WAIT, turn, &limit, NULL, 0);
}

void mdl_password_leave(const mdl_password_place *place)
{
    mdl_places_give(&place->held);
    atomic_fetch_add(&shared->turn, 1);
    (void)syscall(SYS_futex, &shared->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Take a place to work in; false when all are taken. */
static bool take_work(mdl_password_place *mine)
{
    return mdl_places_take(&mine->held, shared->work, MDL_PASSWORD_PLACES,
                           MDL_PASSWORD_HELD_S);
}

/* Wait for a place to work in; false when there is none in time. */
static bool await_work(mdl_password_place *mine)
{
    int64_t end = dl_time_monotonic_us() + INT64_C(1000) * MDL_PASSWORD_WAIT_MS;

    for (;;) {
        uint32_t turn = atomic_load(&shared->turn);
        int64_t left = end - dl_time_monotonic_us();

        if (take_work(mine)) {
            return true;
        }
        if (left <= 0) {
            return false;
        }
        sleep_on_turn(turn, left < LOOK_US ? left : LOOK_US);
    }
}

dl_status mdl_password_enter(mdl_password_place *place, dl_error *err)
{
    mdl_held waiting;
    bool entered;

    if (take_work(place)) {
        return DL_OK;
    }
    if (!mdl_places_take(&waiting, shared->queue, queue_length,
                         MDL_PASSWORD_HELD_S)) {
        return dl_fail(err, DL_UNAVAILABLE, 0,
                       "%d requests wait for a password hash already",
                       queue_length);
    }
    entered = await_work(place);
    mdl_places_give(&waiting);
    if (!entered) {
        return dl_fail(err, DL_UNAVAILABLE, 0,
                       "no place for a password hash within %d ms",
                       MDL_PASSWORD_WAIT_MS);
    }
    return DL_OK;
}

/* --- Hashes --------------------------------------------------------------- */

/* What a thread of mdl_hasher.h is asked for. */
typedef struct request {
    char *out;            /* where the hash goes; NULL: compare */
    const char *hash;     /* to compare with; NULL: nobody's */
    const char *password; /* LEN bytes */
    size_t len;           /* of password */
    bool match;           /* the outcome of a comparison */
    dl_status status;     /* of the work */
    dl_error *err;        /* ... and why */
} request;

static void serve(void *data)
{
    request *r = data;

    r->status = r->out != NULL
                    ? dl_password_hash(r->out, r->password, r->len, r->err)
                    : dl_password_verify(&r->match, r->hash, r->password,
                                         r->len, r->err);
}

void mdl_password_start(apr_pool_t *child_pool)
{
    mdl_hasher_start(MDL_PASSWORD_PLACES, child_pool);
}

dl_status mdl_password_hash(char out[DL_PASSWORD_HASH], const char *password,
                            size_t len, dl_error *err)
{
    mdl_password_place mine = {{NULL, 0}};
    request r = {.password = password, .len = len, .err = err};

    r.out = out;
    DL_TRY(mdl_password_enter(&mine, err));
    mdl_hasher_do(serve, &r);
    mdl_password_leave(&mine);
    return r.status;
}

dl_status mdl_password_compare(bool *match, const char *hash,
                               const char *password, size_t len, dl_error *err)
{
    request r = {.hash = hash, .password = password, .len = len, .err = err};

    mdl_hasher_do(serve, &r);
    *match = r.status == DL_OK && r.match;
    return r.status;
}
