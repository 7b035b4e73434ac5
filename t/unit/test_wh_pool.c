/* test_wh_pool.c - When the breaker of a warehouse pool opens, and when not.
 *
 * The server is a few flags: dl_wh.h's calls are defined here.  What happens
 * is told by what was asked, not by the clock, but for one lower bound.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_wh_pool.h"

#include "tap.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dl_thread.h"
#include "dl_time.h"
#include "mdl_metrics.h"

#define SECOND_US INT64_C(1000000)

/* How the server behaves, and what it was asked. */
static struct server {
    pthread_mutex_t mutex;  /* guards it */
    pthread_cond_t changed; /* something below did */
    int silent;             /* 1: says nothing on old connections */
    int deaf;               /* 1: says nothing to new ones, for deaf_us */
    int64_t deaf_us;        /* until such a one is given up */
    int full;               /* 1: has too many connections */
    int away;               /* 1: refuses */
    int pings, unanswered;  /* questions on the keeper's own connection */
    int connects, failed;   /* new ones, and those that did not come up */
    int released;           /* 1: the test lets a request go */
} server = {.mutex = PTHREAD_MUTEX_INITIALIZER, .deaf_us = SECOND_US};

/* A connection: one end of a pair of sockets. */
struct dl_wh {
    int fd[2]; /* ours, the server's */
};

static apr_status_t hang_up(void *data)
{
    struct dl_wh *wh = data;

    close(wh->fd[0]);
    close(wh->fd[1]);
    return APR_SUCCESS;
}

static void count(int *what)
{
    pthread_mutex_lock(&server.mutex);
    (*what)++;
    pthread_cond_broadcast(&server.changed);
    pthread_mutex_unlock(&server.mutex);
}

static int flag(const int *what)
{
    int value;

    pthread_mutex_lock(&server.mutex);
    value = *what;
    pthread_mutex_unlock(&server.mutex);
    return value;
}

static void set(int *what, int value)
{
    pthread_mutex_lock(&server.mutex);
    *what = value;
    pthread_mutex_unlock(&server.mutex);
}

/* --- dl_wh.h and what else the pool calls --------------------------------- */

dl_status dl_wh_connect_heard(dl_wh **wh, bool *heard,
                              const dl_wh_target *target, dl_error *err,
                              apr_pool_t *pool)
{
    (void)target;
    count(&server.connects);
    *heard = flag(&server.full) != 0;
    if (flag(&server.deaf) != 0) {
        dl_thread_sleep(server.deaf_us);
    }
    if (*heard || flag(&server.deaf) != 0 || flag(&server.away) != 0) {
        count(&server.failed);
        return dl_fail(err, DL_UNAVAILABLE, 0, "no connection");
    }
    *heard = true;
    *wh = apr_pcalloc(pool, sizeof **wh);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, (*wh)->fd) != 0) {
        abort();
    }
    apr_pool_cleanup_register(pool, *wh, hang_up, apr_pool_cleanup_null);
    return DL_OK;
}

int dl_wh_socket(const dl_wh *wh)
{
    return wh->fd[0];
}

dl_status dl_wh_ping(dl_wh *wh, dl_error *err)
{
    (void)wh;
    count(&server.pings);
    return flag(&server.away) != 0 ? dl_fail(err, DL_UNAVAILABLE, 0, "lost")
                                   : DL_OK;
}

dl_status dl_wh_pong(bool *answered, dl_wh *wh, int wait_ms, dl_error *err)
{
    (void)wh;
    (void)err;
    *answered = flag(&server.silent) == 0;
    if (!*answered) {
        count(&server.unanswered);
        dl_thread_sleep(wait_ms * INT64_C(1000));
    }
    return DL_OK;
}

dl_status dl_wh_begin(dl_wh *wh, dl_error *err)
{
    (void)wh;
    (void)err;
    return DL_OK;
}

dl_status dl_wh_commit(dl_wh *wh, dl_error *err)
{
    return dl_wh_begin(wh, err);
}

void dl_wh_rollback(dl_wh *wh)
{
    (void)wh;
}

bool dl_wh_lost(const dl_wh *wh)
{
    (void)wh;
    return false;
}

void mdl_metrics_publish(const mdl_metrics_child *child)
{
    (void)child;
}

/* --- Requests --------------------------------------------------------------
 */

static apr_pool_t *root;
static mdl_wh_pool *pool;

/* A new pool, with a connection for a request and one for the keeper. */
static void open_pool(void)
{
    dl_error err;

    server.silent = server.deaf = server.full = server.away = 0;
    server.released = server.pings = server.unanswered = server.connects =
        server.failed = 0;
    server.deaf_us = SECOND_US;
    apr_pool_create(&root, NULL);
    if (mdl_wh_pool_open(&pool, (const dl_wh_target *)&server, 2, &err, root) !=
        DL_OK) {
        abort();
    }
    while (flag(&server.connects) < 2) {
        dl_thread_sleep(1000);
    }
}

static void close_pool(void)
{
    apr_pool_destroy(root);
}

static int is_open(void)
{
    mdl_wh_state state;

    mdl_wh_pool_state(&state, pool);
    return state.breaker_open;
}

/* Wait until *COUNTER is N at least. */
static void until(const int *counter, int n)
{
    pthread_mutex_lock(&server.mutex);
    while (*counter < n) {
        pthread_cond_wait(&server.changed, &server.mutex);
    }
    pthread_mutex_unlock(&server.mutex);
}

/* A request that is inside the server until the number at CONTEXT is as large
 * as the test wants, or, without one, until its socket is shut. */
typedef struct waiting {
    const int *counter; /* NULL: none */
    int n;              /* its value */
    int quiet;          /* 1: nobody is answered from its begin on */
    int loud;           /* 1: all are, from its end on */
} waiting;

/* Let the server say nothing to anybody, if QUIET. */
static void hush(int quiet)
{
    set(&server.silent, quiet);
    set(&server.deaf, quiet);
}

static dl_status hang(struct dl_wh *wh, void *context, dl_error *err)
{
    const waiting *w = context;
    char byte;

    if (w->counter == NULL) {
        return read(wh->fd[0], &byte, 1) == 0
                   ? dl_fail(err, DL_UNAVAILABLE, 0, "shut")
                   : DL_OK;
    }
    if (w->quiet != 0) {
        hush(1);
    }
    until(w->counter, w->n);
    if (w->loud != 0) {
        hush(0);
    }
    return DL_OK;
}

static dl_status request(const int *counter, int n)
{
    waiting w = {counter, n, 0, 0};
    dl_error err;

    return mdl_wh_read(pool, hang, &w, &err);
}

/* --- Tests ------------------------------------------------------------------
 */

static void test_busy_with_one(void)
{
    open_pool();
    is_int(request(&server.pings, 2), DL_OK,
           "a long request is asked about and not cut");
    is_int(is_open(), 0, "... the breaker stays closed");
    is_int(flag(&server.connects), 2, "... and no connection was made for it");
    close_pool();
}

static void test_old_connections_silent(void)
{
    open_pool();
    set(&server.silent, 1);
    is_int(request(&server.connects, 3), DL_OK,
           "a server that answers new connections alone is alive");
    is_int(is_open(), 0, "... the breaker stays closed");
    close_pool();
}

/* A request of another thread, as WAITING says. */
static void *another(void *given)
{
    dl_error err;

    if (mdl_wh_read(pool, hang, given, &err) != DL_OK) {
        abort();
    }
    return NULL;
}

/* Start it as THREAD, and go on when it has its connection. */
static void start(pthread_t *thread, waiting *w)
{
    mdl_wh_state state = {0};

    if (pthread_create(thread, NULL, another, w) != 0) {
        abort();
    }
    while (state.busy == 0) {
        dl_thread_sleep(1000);
        mdl_wh_pool_state(&state, pool);
    }
}

static void test_another_request_answers(void)
{
    waiting answered = {&server.unanswered, 3, 0, 1};
    waiting w = {&server.pings, 2, 1, 0};
    pthread_t thread;
    dl_error err;

    open_pool();
    start(&thread, &answered);
    is_int(mdl_wh_read(pool, hang, &w, &err), DL_OK,
           "an answer to any request is a sign of life");
    is_int(is_open(), 0, "... the breaker stays closed");
    pthread_join(thread, NULL);
    close_pool();
}

static void test_silent(void)
{
    int64_t begun_us;
    int64_t took_us;

    open_pool();
    hush(1);
    begun_us = dl_time_monotonic_us();
    is_int(request(NULL, 0), DL_UNAVAILABLE,
           "a server that says nothing at all: the request returns");
    took_us = dl_time_monotonic_us() - begun_us;
    is_int(is_open(), 1, "... the breaker is open");
    ok(took_us >= 1900000, "... and not before three questions");
    printf("# open after %.2f s\n", (double)took_us / 1e6);
    is_int(flag(&server.pings), 1, "... one on the keeper's connection");
    ok(flag(&server.connects) >= 3, "... one by a new one");
    is_int(request(NULL, 0), DL_UNAVAILABLE, "the next one is sent away");
    is_int(flag(&server.pings), 1, "... without a question");
    hush(0);
    while (is_open() != 0) {
        dl_thread_sleep(10000);
    }
    ok(true, "the first connection that comes up closes the breaker");
    is_int(request(&server.connects, 1), DL_OK, "... and requests pass");
    close_pool();
}

static void test_late(void)
{
    open_pool();
    server.deaf_us = 1300000;
    hush(1);
    is_int(request(&server.failed, 2), DL_OK,
           "a time-out that ends late does not count");
    close_pool();
}

static void test_refused(void)
{
    open_pool();
    set(&server.away, 1);
    is_int(request(NULL, 0), DL_UNAVAILABLE,
           "a server that refuses: the request returns");
    is_int(is_open(), 1, "... the breaker is open");
    is_int(flag(&server.pings), 1, "... after one question");
    close_pool();
}

static void test_full(void)
{
    waiting long_one = {&server.released, 1, 0, 0};
    dl_status status = DL_OK;
    pthread_t thread;

    open_pool();
    start(&thread, &long_one);
    set(&server.full, 1);
    while (flag(&server.failed) < 3) {
        status = request(&server.connects, 0);
    }
    is_int(status, DL_UNAVAILABLE,
           "a full server: who needs one more connection is sent away");
    is_int(is_open(), 0, "... the breaker stays closed, however often");
    set(&server.silent, 1);
    until(&server.failed, flag(&server.failed) + 3);
    is_int(is_open(), 0, "... nor when it says nothing else");
    count(&server.released);
    pthread_join(thread, NULL);
    is_int(request(&server.connects, 0), DL_OK, "... what works is used");
    close_pool();
}

static void test_check(void)
{
    dl_error err;

    open_pool();
    dl_thread_sleep(SECOND_US + 100000); /* what was heard gets old */
    while (mdl_wh_check(pool, &err) != DL_OK) {
    }
    ok(flag(&server.pings) >= 1, "health asks, and is answered");
    is_int(flag(&server.connects), 2, "... without a new connection");
    dl_thread_sleep(SECOND_US + 100000);
    set(&server.silent, 1);
    is_int(mdl_wh_check(pool, &err), DL_UNAVAILABLE,
           "no answer within its 200 ms: it says so");
    close_pool();
}

/* Nobody was inside the server when it went silent: the breaker is opened by
 * a question of health, while each connection of requests waits for one. */
static void test_all_idle(void)
{
    waiting other = {&server.released, 1, 0, 0};
    mdl_wh_state state;
    pthread_t thread;
    int64_t until_us;
    dl_error err;

    open_pool();
    start(&thread, &other);
    while (request(&server.connects, 3) != DL_OK) { /* two at once */
    }
    count(&server.released);
    pthread_join(thread, NULL);
    mdl_wh_pool_state(&state, pool);
    is_int(state.idle, 2, "no place for a connection is without one");
    dl_thread_sleep(SECOND_US + 100000); /* what was heard gets old */
    hush(1);
    is_int(mdl_wh_check(pool, &err), DL_UNAVAILABLE,
           "all connections are idle, health hears nothing");
    until(&server.failed, MDL_WH_FAILURES - 1);
    while (is_open() == 0) {
        dl_thread_sleep(1000);
    }
    ok(true, "... the breaker opens");
    hush(0);
    until_us = dl_time_monotonic_us() + 20 * SECOND_US;
    while (is_open() != 0 && dl_time_monotonic_us() < until_us) {
        dl_thread_sleep(10000);
    }
    is_int(is_open(), 0, "... and finds a place to try again, so it closes");
    is_int(request(&server.connects, 1), DL_OK, "... and requests pass");
    close_pool();
}

int main(void)
{
    apr_initialize();
    test_busy_with_one();
    test_old_connections_silent();
    test_another_request_answers();
    test_silent();
    test_late();
    test_refused();
    test_full();
    test_check();
    test_all_idle();
    apr_terminate();
    return done();
}
