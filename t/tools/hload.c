/* hload - asks URLs of 127.0.0.1 again and again and says how long it took.
 *
 * usage: hload [-c CONNECTIONS] [-r RATE] [-s SECONDS] [-H HEADER]... PORT PATH
 *
 * With -r requests are due at fixed moments, RATE a second, and the time of
 * each is counted from the moment it was due, so a server that stalls is not
 * spared (no coordinated omission).  Without it each connection asks again as
 * soon as it was answered.  -H adds a header line; @FILE takes the value of an
 * Authorization: Bearer header from FILE.  A PATH of the form @FILE stands for
 * the lines of FILE, which are asked for in turn.  Prints one line:
 *
 *   requests=N errors=N seconds=S p50_us=N p99_us=N max_us=N bytes=N again=N
 *
 * bytes is the length of the last body.  Any status but 200 is an error.  A
 * server may close a connection it keeps at any moment, also while a request
 * travels to it (event does when all its threads are busy): the request is
 * then sent once more on a new connection, as RFC 9112 9.3.1 lets a client do,
 * its time counted from when it was due; again is how often.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dl_time.h"

#define CONNECTIONS_MAX 256
#define HEAD_MAX        8192
#define SAMPLES_MAX     8000000

/* What a chunked body ends with; one that has it inside, at the very end of
 * what is read at once, is cut short. */
#define END     "\r\n0\r\n\r\n"
#define END_LEN (sizeof END - 1)

/* One connection. */
typedef struct line {
    int fd;              /* its socket, -1: none */
    bool busy;           /* a request is under way */
    bool kept;           /* it has brought an answer before */
    const char *request; /* what was asked last */
    int64_t due_us;      /* when that request was due */
    char head[HEAD_MAX]; /* what came of the header so far */
    size_t head_len;     /* its bytes */
    int64_t body_left;   /* body bytes to come; -1: still in the header */
    bool good;           /* the status was 200 */
    bool chunked;        /* the body ends with the last chunk */
    char tail[END_LEN];  /* last bytes that came of it */
} line;

/* The whole run. */
typedef struct load {
    struct sockaddr_in address;
    char **requests; /* what is asked for in turn, whole requests */
    size_t n_requests;
    size_t next_request;
    int connections;
    double rate;
    double seconds;
    int epoll;
    line lines[CONNECTIONS_MAX];
    uint32_t *samples; /* microseconds of each answer */
    size_t done;
    size_t errors;
    size_t again; /* requests sent once more */
    int64_t bytes;
} load;

static _Noreturn void die(const char *what)
{
    perror(what);
    _exit(1);
}

/* Connect L anew. */
static void line_open(load *run, line *l)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = l}};
    int one = 1;

    if (l->fd >= 0) {
        close(l->fd);
    }
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&run->address,
                             sizeof run->address) != 0) {
        die("connect");
    }
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, l->fd, &event) != 0) {
        die("epoll_ctl");
    }
    l->busy = false;
    l->kept = false;
}

/* Send the request of L. */
static bool line_send(line *l)
{
    size_t len = strlen(l->request);

    l->busy = true;
    l->head_len = 0;
    l->body_left = -1;
    return send(l->fd, l->request, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* The connection of L is closed: open it anew, and send its request once more
 * if the one that was closed had been kept and brought nothing of the answer. */
static void line_closed(load *run, line *l)
{
    bool again = l->busy && l->kept && l->head_len == 0;
    bool lost = l->busy;

    line_open(run, l);
    if (again) {
        run->again++;
        lost = !line_send(l);
    }
    if (lost) {
        run->errors++;
        l->busy = false;
    }
}

/* Send the next request, which was due at DUE_US, on L. */
static void line_ask(load *run, line *l, int64_t due_us)
{
    l->request = run->requests[run->next_request];
    l->due_us = due_us;
    run->next_request = (run->next_request + 1) % run->n_requests;
    if (!line_send(l)) {
        line_closed(run, l);
    }
}

/* The answer of L is whole. */
static void line_done(load *run, line *l)
{
    int64_t took_us = dl_time_monotonic_us() - l->due_us;

    l->busy = false;
    l->kept = true;
    run->errors += l->good ? 0 : 1;
    if (run->done < SAMPLES_MAX) {
        run->samples[run->done++] =
            took_us > UINT32_MAX ? UINT32_MAX : (uint32_t)took_us;
    }
}

/* Look whether the header of L is complete; *REST is then how many bytes
 * behind it have come. */
static bool head_complete(load *run, line *l, size_t *rest)
{
    const char *end;
    const char *length;

    l->head[l->head_len] = '\0';
    end = strstr(l->head, "\r\n\r\n");
    if (end == NULL) {
        return false;
    }
    *rest = l->head_len - (size_t)(end + 4 - l->head);
    l->good = strncmp(l->head, "HTTP/1.1 200", 12) == 0;
    length = strcasestr(l->head, "\r\nTransfer-Encoding: chunked");
    l->chunked = length != NULL && length < end;
    if (l->chunked) {
        l->body_left = 0;
        memset(l->tail, 0, END_LEN);
        return true;
    }
    length = strcasestr(l->head, "\r\nContent-Length:");
    if (length == NULL || length > end) {
        errno = EPROTO;
        die("no Content-Length");
    }
    l->body_left = strtoll(length + 17, NULL, 10);
    run->bytes = l->body_left;
    return true;
}

/* Whether the chunked body of L ends with the LEN bytes of DATA. */
static bool chunks_end(line *l, const char *data, size_t len)
{
    char last[2 * END_LEN];
    size_t n = len < END_LEN ? len : END_LEN;

    memcpy(last, l->tail, END_LEN);
    memcpy(last + END_LEN, data + len - n, n);
    memcpy(l->tail, last + n, END_LEN);
    return memcmp(l->tail, END, END_LEN) == 0;
}

/* Read what has come on L. */
static void line_read(load *run, line *l)
{
    char buffer[65536];
    bool in_head = l->body_left < 0;
    char *to = in_head ? l->head + l->head_len : buffer;
    size_t room = in_head ? HEAD_MAX - 1 - l->head_len : sizeof buffer;
    ssize_t n = recv(l->fd, to, room, 0);
    size_t rest = (size_t)n;

    if (n <= 0 || !l->busy) {
        line_closed(run, l);
        return;
    }
    if (in_head) {
        l->head_len += (size_t)n;
        if (!head_complete(run, l, &rest)) {
            return;
        }
    }
    if (l->chunked) {
        if (chunks_end(l, to + (size_t)n - rest, rest)) {
            line_done(run, l);
        }
        return;
    }
    l->body_left -= (int64_t)rest;
    if (l->body_left <= 0) {
        line_done(run, l);
    }
}

/* Return an idle connection, or NULL. */
static line *idle_line(load *run)
{
    for (int i = 0; i < run->connections; i++) {
        if (!run->lines[i].busy) {
            return &run->lines[i];
        }
    }
    return NULL;
}

/* Send what is due at NOW_US; DUE_US is the moment of the next request. */
static int64_t ask_due(load *run, int64_t now_us, int64_t due_us)
{
    line *l = idle_line(run);

    while (l != NULL && due_us <= now_us) {
        line_ask(run, l, run->rate > 0 ? due_us : now_us);
        due_us += run->rate > 0 ? (int64_t)(1e6 / run->rate) : 0;
        l = idle_line(run);
    }
    return due_us;
}

static void run_load(load *run)
{
    struct epoll_event events[CONNECTIONS_MAX];
    int64_t begin_us = dl_time_monotonic_us();
    int64_t end_us = begin_us + (int64_t)(run->seconds * 1e6);
    int64_t due_us = begin_us;
    int64_t now_us = begin_us;

    while (now_us < end_us) {
        int wait_ms = 100;
        int n;

        due_us = ask_due(run, now_us, due_us);
        if (run->rate > 0 && idle_line(run) != NULL) {
            wait_ms = (int)((due_us - now_us) / 1000);
        }
        n = epoll_wait(run->epoll, events, CONNECTIONS_MAX, wait_ms);
        for (int i = 0; i < n; i++) {
            line_read(run, events[i].data.ptr);
        }
        now_us = dl_time_monotonic_us();
    }
    run->seconds = (double)(now_us - begin_us) / 1e6;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void report(load *run)
{
    size_t n = run->done;

    qsort(run->samples, n, sizeof *run->samples, compare);
    printf("requests=%zu errors=%zu seconds=%.3f p50_us=%u p99_us=%u "
           "max_us=%u bytes=%" PRId64 " again=%zu\n",
           n, run->errors, run->seconds, n > 0 ? run->samples[n / 2] : 0,
           n > 0 ? run->samples[n - 1 - n / 100] : 0,
           n > 0 ? run->samples[n - 1] : 0, run->bytes, run->again);
}

/* Append the header line TEXT, or the token in the file that @TEXT names. */
static void add_header(char *headers, size_t size, const char *text)
{
    size_t len = strlen(headers);
    char token[4096] = "";
    FILE *file;

    if (text[0] != '@') {
        snprintf(headers + len, size - len, "%s\r\n", text);
        return;
    }
    file = fopen(text + 1, "r");
    if (file == NULL || fgets(token, sizeof token, file) == NULL) {
        die(text + 1);
    }
    fclose(file);
    token[strcspn(token, "\r\n")] = '\0';
    snprintf(headers + len, size - len, "Authorization: Bearer %s\r\n", token);
}

static void add_request(load *run, const char *path, const char *headers)
{
    size_t size = strlen(path) + strlen(headers) + 64;

    run->requests =
        realloc(run->requests, (run->n_requests + 1) * sizeof *run->requests);
    if (run->requests == NULL ||
        (run->requests[run->n_requests] = malloc(size)) == NULL) {
        die("hload");
    }
    snprintf(run->requests[run->n_requests++], size,
             "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n", path, headers);
}

/* Add a request for each line of FILE. */
static void add_requests(load *run, const char *name, const char *headers)
{
    FILE *file = fopen(name, "r");
    char *path = NULL;
    size_t room = 0;

    if (file == NULL) {
        die(name);
    }
    while (getline(&path, &room, file) > 0) {
        path[strcspn(path, "\r\n")] = '\0';
        add_request(run, path, headers);
    }
    free(path);
    fclose(file);
    if (run->n_requests == 0) {
        die("no path");
    }
}

int main(int argc, char **argv)
{
    static load run = {.connections = 4, .seconds = 10};
    static char headers[HEAD_MAX - 1024];
    int option;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    while ((option = getopt(argc, argv, "c:r:s:H:")) != -1) {
        switch (option) {
        case 'c':
            run.connections = (int)strtol(optarg, NULL, 10);
            break;
        case 'r':
            run.rate = strtod(optarg, NULL);
            break;
        case 's':
            run.seconds = strtod(optarg, NULL);
            break;
        case 'H':
            add_header(headers, sizeof headers, optarg);
            break;
        default:
            return 2;
        }
    }
    if (argc - optind != 2 || run.connections < 1 ||
        run.connections > CONNECTIONS_MAX) {
        fprintf(stderr, "usage: hload [-c CONNECTIONS] [-r RATE] [-s SECONDS] "
                        "[-H HEADER]... PORT PATH\n");
        return 2;
    }
    run.address.sin_family = AF_INET;
    run.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    run.address.sin_port = htons((uint16_t)strtol(argv[optind], NULL, 10));
    if (argv[optind + 1][0] == '@') {
        add_requests(&run, argv[optind + 1] + 1, headers);
    }
    else {
        add_request(&run, argv[optind + 1], headers);
    }
    run.samples = malloc(SAMPLES_MAX * sizeof *run.samples);
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (run.samples == NULL || run.epoll < 0) {
        die("hload");
    }
    for (int i = 0; i < run.connections; i++) {
        run.lines[i].fd = -1;
        line_open(&run, &run.lines[i]);
    }
    run_load(&run);
    report(&run);
    return run.errors > 0 ? 1 : 0;
}
