/* dlc_collect_socket.c - Lines that others send: JSON over TCP, syslog over
 * UDP.
 *
 * Nothing is stored, so there are no positions.  Senders are bounded: at most
 * CLIENTS connections (more wait until one is closed; when all are taken, one
 * that was silent for the source's idle time is), at most LINE bytes of a line.  Datagrams
 * that the kernel had no room for, and lines that a reset cut off, are counted.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <apr_strings.h>
#include <linux/sock_diag.h>

#include "dl_syslog.h"
#include "dl_time.h"
#include "dlc_collect.h"

/* Most connections, most bytes of a line, bytes read at once. */
#define CLIENTS 64
#define LINE    ((size_t)256 * 1024)
#define CHUNK   ((size_t)16 * 1024)

/* A datagram's bytes, at most, and those of what waits in the kernel. */
#define DATAGRAM ((size_t)65536)
#define WAITING  (8 << 20)

/* How long next() waits. */
#define WAIT_MS 500

/* One connection. */
typedef struct socket_client {
    int fd;           /* -1: free */
    char *data;       /* what came; malloc */
    size_t size;      /* room there */
    size_t at;        /* the next line begins there */
    size_t end;       /* bytes there */
    size_t searched;  /* so many have no line end */
    bool skipping;    /* the rest of a line that was too long comes */
    bool closing;     /* nothing more comes; what is there is a line */
    int64_t heard_us; /* monotonic time of the last byte */
} socket_client;

/* A reader. */
typedef struct socket_reader {
    dlc_collect_reader seen;          /* for the collector */
    const dl_config_source *source;   /* its section */
    bool follow;                      /* there is no end */
    int fd;                           /* listens, or receives; -1: not yet */
    socket_client clients[CLIENTS];   /* connections */
    int turn;                         /* whose line is looked for first */
    char *datagram;                   /* DATAGRAM bytes */
    dl_buf *room;                     /* for what is made of it */
    dl_cell cells[DL_SYSLOG_COLUMNS]; /* of it */
    int64_t lost;                     /* lines, since somebody asked */
    uint32_t dropped;                 /* datagrams, as the kernel counts */
} socket_reader;

static const dl_mapping_columns syslog_columns = {dl_syslog_names,
                                                  DL_SYSLOG_COLUMNS};

/* --- Opening -------------------------------------------------------------- */

/* Set *FOUND to the address in LISTEN, "ADDRESS:PORT" or "[ADDRESS]:PORT". */
static dl_status find_address(struct addrinfo **found, const char *listen,
                              int type, dl_error *err)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = type};
    char host[64];
    const char *colon = strrchr(listen, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - listen);
    bool brackets = len > 1 && *listen == '[' && listen[len - 1] == ']';

    if (len == 0 || len >= sizeof host) {
        return dl_fail(err, DL_INVALID, 0, "listen = %s: must be ADDRESS:PORT",
                       listen);
    }
    (void)snprintf(host, sizeof host, "%.*s", (int)(brackets ? len - 2 : len),
                   listen + (brackets ? 1 : 0));
    if (getaddrinfo(host, colon + 1, &hints, found) != 0) {
        return dl_fail(err, DL_INVALID, 0,
                       "listen = %s: must be a numeric ADDRESS:PORT", listen);
    }
    return DL_OK;
}

/* Bind FD to ADDRESS and listen there, if that is what it does. */
static int bind_to(int fd, const struct addrinfo *address)
{
    int one = 1;
    int waiting = WAITING;

    if (address->ai_socktype == SOCK_DGRAM) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &waiting, sizeof waiting);
        return bind(fd, address->ai_addr, address->ai_addrlen);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    return bind(fd, address->ai_addr, address->ai_addrlen) != 0
               ? -1
               : listen(fd, CLIENTS);
}

/* Open the socket of R. */
static dl_status open_socket(socket_reader *r, dl_error *err)
{
    struct addrinfo *address = NULL;
    dl_status status = DL_OK;

    DL_TRY(find_address(
        &address, r->source->listen,
        r->source->protocol == DL_SOURCE_TCP ? SOCK_STREAM : SOCK_DGRAM, err));
    assert(address != NULL);
    r->fd = socket(address->ai_family,
                   address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (r->fd < 0 || bind_to(r->fd, address) != 0) {
        status = dl_fail(err, DL_UNAVAILABLE, errno, "cannot listen on %s",
                         r->source->listen);
        if (r->fd >= 0) {
            (void)close(r->fd);
        }
        r->fd = -1;
    }
    freeaddrinfo(address);
    return status;
}

/* --- TCP ------------------------------------------------------------------ */

/* Close connection C. */
static void close_client(socket_client *c)
{
    (void)close(c->fd);
    free(c->data);
    *c = (socket_client){.fd = -1};
}

/* Return a free connection, or the one that was silent longest and for long;
 * NULL: there is none. */
static socket_client *free_client(socket_reader *r)
{
    socket_client *oldest = &r->clients[0];

    for (int i = 0; i < CLIENTS; i++) {
        socket_client *c = &r->clients[i];

        if (c->fd < 0) {
            return c;
        }
        if (c->heard_us < oldest->heard_us) {
            oldest = c;
        }
    }
    return dl_time_monotonic_us() - oldest->heard_us <
                   r->source->idle_ms * INT64_C(1000)
               ? NULL
               : oldest;
}

/* Take a connection that waits, if there is room for it. */
static void accept_client(socket_reader *r)
{
    socket_client *c = free_client(r);

    if (c != NULL && c->fd >= 0) {
        r->lost += c->end > c->at ? 1 : 0;
        close_client(c);
    }
    if (c != NULL) {
        c->fd = accept4(r->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        c->heard_us = dl_time_monotonic_us();
    }
}

/* Make room for a chunk behind what C has. */
static void make_room(socket_client *c)
{
    if (c->at > 0) {
        memmove(c->data, c->data + c->at, c->end - c->at);
        c->end -= c->at;
        c->at = 0;
    }
    if (c->size - c->end < CHUNK) {
        c->size = c->end + 2 * CHUNK;
        c->data = realloc(c->data, c->size);
        if (c->data == NULL) {
            abort();
        }
    }
}

/* Take what has come to C. */
static void receive(socket_reader *r, socket_client *c)
{
    ssize_t n;

    make_room(c);
    n = recv(c->fd, c->data + c->end, CHUNK, 0);
    if (n > 0) {
        c->end += (size_t)n;
        c->heard_us = dl_time_monotonic_us();
    }
    else if (n == 0) {
        c->closing = true;
    }
    else if (errno != EAGAIN && errno != EINTR) {
        r->lost += c->end > c->at ? 1 : 0;
        close_client(c);
    }
}

/* Give the LEN bytes at TEXT; CUT: the rest of the line is left out. */
static void give_line(dlc_collect_row *row, const socket_reader *r,
                      const char *text, size_t len, bool cut)
{
    *row = (dlc_collect_row){.object = text,
                             .object_len = len,
                             .raw = text,
                             .raw_len = len,
                             .broken = cut ? "the line is too long" : NULL,
                             .place = r->source->listen};
}

/* Set ROW to the next line of C; false: there is none yet. */
static bool next_line(dlc_collect_row *row, const socket_reader *r,
                      socket_client *c)
{
    for (;;) {
        char *from = c->data + c->at;
        size_t have = c->end - c->at;
        char *newline = have > c->searched ? memchr(from + c->searched, '\n',
                                                    have - c->searched)
                                           : NULL;
        bool whole = newline != NULL || (c->closing && have > 0);
        size_t len = newline != NULL ? (size_t)(newline - from) : have;
        bool was_skipping = c->skipping;

        c->searched = whole ? 0 : have;
        if (!whole && have <= LINE && !(was_skipping && have > 0)) {
            return false;
        }
        c->at += len + (newline != NULL ? 1 : 0);
        c->searched = 0;
        c->skipping = !whole;
        if (!was_skipping && len > 0) {
            give_line(row, r, from, len < LINE ? len : LINE,
                      !whole || len > LINE);
            return true;
        }
    }
}

/* Set ROW to a line of any connection; false: there is none yet. */
static bool any_line(dlc_collect_row *row, socket_reader *r)
{
    for (int i = 0; i < CLIENTS; i++) {
        socket_client *c = &r->clients[(r->turn + i) % CLIENTS];

        if (c->fd >= 0 && c->data != NULL && next_line(row, r, c)) {
            r->turn = (r->turn + i + 1) % CLIENTS;
            return true;
        }
        if (c->fd >= 0 && c->closing) {
            close_client(c);
        }
    }
    return false;
}

/* Wait for something to come, and take it; return how many connections there
 * are. */
static int take_bytes(socket_reader *r)
{
    struct pollfd polled[CLIENTS + 1];
    socket_client *whose[CLIENTS];
    int n = 0;

    for (int i = 0; i < CLIENTS; i++) {
        if (r->clients[i].fd >= 0) {
            whose[n] = &r->clients[i];
            polled[n++] = (struct pollfd){r->clients[i].fd, POLLIN, 0};
        }
    }
    /* Who cannot be taken waits in the kernel. */
    polled[n] = (struct pollfd){r->fd, free_client(r) != NULL ? POLLIN : 0, 0};
    if (poll(polled, (nfds_t)n + 1, WAIT_MS) <= 0) {
        return n;
    }
    for (int i = 0; i < n; i++) {
        if (polled[i].revents != 0) {
            receive(r, whose[i]);
        }
    }
    if (polled[n].revents != 0) {
        accept_client(r);
        n++;
    }
    return n;
}

static void next_tcp(dlc_collect_got *got, dlc_collect_row *row,
                     socket_reader *r)
{
    int clients = 1;

    *got = DLC_COLLECT_ROW;
    if (any_line(row, r)) {
        return;
    }
    clients = take_bytes(r);
    if (any_line(row, r)) {
        return;
    }
    *got = clients == 0 && !r->follow ? DLC_COLLECT_END : DLC_COLLECT_NONE;
}

/* --- UDP ------------------------------------------------------------------ */

/* Count the datagrams for which the kernel had no room, as it counts them for
 * the socket, also when none has come since. */
static void count_dropped(socket_reader *r)
{
    uint32_t numbers[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof numbers;

    if (getsockopt(r->fd, SOL_SOCKET, SO_MEMINFO, numbers, &size) == 0) {
        r->lost += numbers[SK_MEMINFO_DROPS] - r->dropped;
        r->dropped = numbers[SK_MEMINFO_DROPS];
    }
}

static dl_status next_udp(dlc_collect_got *got, dlc_collect_row *row,
                          socket_reader *r, dl_error *err)
{
    struct pollfd polled = {r->fd, POLLIN, 0};
    ssize_t n = recv(r->fd, r->datagram, DATAGRAM, 0);

    if (n < 0 && poll(&polled, 1, WAIT_MS) > 0) {
        n = recv(r->fd, r->datagram, DATAGRAM, 0);
    }
    if (n < 0) {
        *got = r->follow ? DLC_COLLECT_NONE : DLC_COLLECT_END;
        return DL_OK;
    }
    *got = DLC_COLLECT_ROW;
    *row = (dlc_collect_row){.columns = &syslog_columns,
                             .cells = r->cells,
                             .raw = r->datagram,
                             .raw_len = (size_t)n,
                             .place = r->source->listen};
    return dl_syslog_parse(r->cells, r->room, r->datagram, (size_t)n,
                           dl_time_now(), err);
}

/* --- The reader ----------------------------------------------------------- */

static dl_status socket_next(dlc_collect_got *got, dlc_collect_row *row,
                             dlc_collect_reader *reader, dl_error *err)
{
    socket_reader *r = (socket_reader *)(void *)reader;

    if (r->fd < 0) {
        DL_TRY(open_socket(r, err));
    }
    if (r->source->protocol == DL_SOURCE_SYSLOG_UDP) {
        return next_udp(got, row, r, err);
    }
    next_tcp(got, row, r);
    return DL_OK;
}

static void socket_tell(char item[DLC_COLLECT_ITEM],
                        char text[DLC_COLLECT_POSITION],
                        const dlc_collect_reader *reader)
{
    (void)reader;
    *item = '\0';
    *text = '\0';
}

static void socket_progress(int64_t *done, int64_t *total,
                            const dlc_collect_reader *reader)
{
    (void)reader;
    *done = 0;
    *total = 0;
}

static int64_t socket_lost(dlc_collect_reader *reader)
{
    socket_reader *r = (socket_reader *)(void *)reader;
    int64_t lost;

    if (r->fd >= 0 && r->source->protocol == DL_SOURCE_SYSLOG_UDP) {
        count_dropped(r);
    }
    lost = r->lost;
    r->lost = 0;
    return lost;
}

static apr_status_t close_all(void *reader)
{
    socket_reader *r = reader;

    for (int i = 0; i < CLIENTS; i++) {
        if (r->clients[i].fd >= 0) {
            close_client(&r->clients[i]);
        }
    }
    if (r->fd >= 0) {
        (void)close(r->fd);
    }
    free(r->datagram);
    return APR_SUCCESS;
}

dl_status dlc_collect_socket_create(dlc_collect_reader **reader,
                                    const dlc_collect_plan *plan, dl_error *err,
                                    apr_pool_t *pool)
{
    static const dlc_collect_reader_calls calls = {.next = socket_next,
                                                   .tell = socket_tell,
                                                   .progress = socket_progress,
                                                   .lost = socket_lost};
    socket_reader *r = apr_pcalloc(pool, sizeof *r);
    struct addrinfo *address = NULL;

    DL_TRY(find_address(&address, plan->source->listen, SOCK_STREAM, err));
    assert(address != NULL);
    freeaddrinfo(address);
    r->seen.calls = &calls;
    r->source = plan->source;
    r->follow = plan->follow;
    r->fd = -1;
    r->room = dl_buf_create(9 * DATAGRAM, pool);
    r->datagram = malloc(DATAGRAM);
    if (r->datagram == NULL) {
        abort();
    }
    for (int i = 0; i < CLIENTS; i++) {
        r->clients[i].fd = -1;
    }
    apr_pool_cleanup_register(pool, r, close_all, apr_pool_cleanup_null);
    *reader = &r->seen;
    return DL_OK;
}
