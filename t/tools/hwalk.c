/* hwalk - asks one URL of 127.0.0.1, then the next page of each answer, until
 * there is none.
 *
 * usage: hwalk [-n PAGES] [-o FILE] [-H HEADER]... PORT PATH
 *
 * Goes on by the header Link with rel="next", on one connection.  -n ends after
 * so many pages; -H adds a header line, @FILE takes the value of an
 * Authorization: Bearer header from FILE; -o writes DATE:LINE for each element
 * {"file":"DATE.json","line":LINE,...} of the answers.  Prints one line:
 *
 *   pages=N hits=N cut=N bytes=N seconds=S first_us=N max_us=N
 *
 * hits are the elements with a file, cut the pages with X-Truncated.  Any
 * status but 200 ends it with status 1.
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
#include <sys/socket.h>
#include <unistd.h>

#include "dl_time.h"

#define HEAD_MAX 16384
#define BODY_MAX ((size_t)64 * 1048576)

/* The walk. */
typedef struct walk {
    int fd;                  /* the connection */
    char headers[HEAD_MAX];  /* of each request */
    char path[HEAD_MAX];     /* of the next one, "": none */
    char head[HEAD_MAX + 1]; /* of the answer */
    char *body;              /* the answer, BODY_MAX bytes */
    size_t len;              /* bytes of it */
    FILE *out;               /* places go there; NULL: nowhere */
    size_t pages, hits, cut; /* so far */
    uint64_t bytes;          /* of bodies */
    int64_t first_us;        /* of the first page */
    int64_t max_us;          /* of the slowest one */
} walk;

static _Noreturn void die(const char *what)
{
    perror(what);
    _exit(1);
}

static void send_request(const walk *w)
{
    char request[2 * HEAD_MAX + 64];
    int len = snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n", w->path,
                       w->headers);

    if (send(w->fd, request, (size_t)len, MSG_NOSIGNAL) != len) {
        die("send");
    }
}

/* Read until the header is whole; the beginning of the body is then in
 * w->body.  Return the bytes of the body. */
static size_t read_head(walk *w)
{
    size_t n = 0;
    char *end = NULL;
    const char *length;

    while (end == NULL) {
        ssize_t got = recv(w->fd, w->head + n, HEAD_MAX - n, 0);

        if (got <= 0) {
            die("recv");
        }
        n += (size_t)got;
        w->head[n] = '\0';
        end = strstr(w->head, "\r\n\r\n");
    }
    w->len = n - (size_t)(end + 4 - w->head);
    memcpy(w->body, end + 4, w->len);
    end[2] = '\0';
    length = strcasestr(w->head, "\r\nContent-Length:");
    if (strncmp(w->head, "HTTP/1.1 200", 12) != 0 || length == NULL) {
        fprintf(stderr, "%s: %.*s\n", w->path, (int)strcspn(w->head, "\r"),
                w->head);
        _exit(1);
    }
    return strtoull(length + 17, NULL, 10);
}

static void read_answer(walk *w)
{
    size_t all = read_head(w);

    if (all > BODY_MAX) {
        errno = EFBIG;
        die("answer");
    }
    while (w->len < all) {
        ssize_t got = recv(w->fd, w->body + w->len, all - w->len, 0);

        if (got <= 0) {
            die("recv");
        }
        w->len += (size_t)got;
    }
}

/* Count the elements with a file, and write where they are. */
static void count_hits(walk *w)
{
    static const char mark[] = "{\"file\":\"";
    const char *at = w->body;
    const char *end = w->body + w->len;

    while ((at = memmem(at, (size_t)(end - at), mark, sizeof mark - 1)) !=
           NULL) {
        at += sizeof mark - 1;
        w->hits++;
        if (w->out != NULL) {
            fprintf(w->out, "%.10s:%" PRIu64 "\n", at,
                    (uint64_t)strtoull(at + 24, NULL, 10));
        }
    }
}

/* Set the path to that of the next page. */
static void take_next(walk *w)
{
    const char *link = strcasestr(w->head, "\r\nLink: <");
    const char *end = link == NULL ? NULL : strchr(link, '>');
    const char *from = link == NULL ? NULL : link + 9;

    w->path[0] = '\0';
    if (end == NULL || strncmp(end, ">; rel=\"next\"", 13) != 0) {
        return;
    }
    if (strncmp(from, "http://", 7) == 0) {
        from = strchr(from + 7, '/');
    }
    snprintf(w->path, sizeof w->path, "%.*s", (int)(end - from), from);
}

static void take_page(walk *w)
{
    int64_t begin_us = dl_time_monotonic_us();
    int64_t took_us;

    send_request(w);
    read_answer(w);
    took_us = dl_time_monotonic_us() - begin_us;
    w->first_us = w->pages == 0 ? took_us : w->first_us;
    w->max_us = took_us > w->max_us ? took_us : w->max_us;
    w->pages++;
    w->bytes += w->len;
    w->cut += strcasestr(w->head, "\r\nX-Truncated:") != NULL ? 1 : 0;
    w->body[w->len] = '\0';
    count_hits(w);
    take_next(w);
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
    if (file != NULL && fgets(token, sizeof token, file) != NULL) {
        fclose(file);
    }
    else {
        die(text + 1);
    }
    token[strcspn(token, "\r\n")] = '\0';
    snprintf(headers + len, size - len, "Authorization: Bearer %s\r\n", token);
}

static void connect_to(walk *w, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1;

    address.sin_port = htons((uint16_t)strtol(port, NULL, 10));
    w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (w->fd < 0 ||
        connect(w->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        die("connect");
    }
    setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

int main(int argc, char **argv)
{
    static walk w;
    size_t most = SIZE_MAX;
    int64_t begin_us;
    int option;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    while ((option = getopt(argc, argv, "n:o:H:")) != -1) {
        if (option == 'n') {
            most = strtoull(optarg, NULL, 10);
        }
        else if (option == 'o') {
            w.out = fopen(optarg, "w");
        }
        else if (option == 'H') {
            add_header(w.headers, sizeof w.headers, optarg);
        }
    }
    w.body = malloc(BODY_MAX + 1);
    if (argc - optind != 2 || w.body == NULL) {
        fprintf(stderr, "usage: hwalk [-n PAGES] [-o FILE] [-H HEADER]... "
                        "PORT PATH\n");
        return 2;
    }
    connect_to(&w, argv[optind]);
    snprintf(w.path, sizeof w.path, "%s", argv[optind + 1]);
    begin_us = dl_time_monotonic_us();
    while (w.path[0] != '\0' && w.pages < most) {
        take_page(&w);
    }
    printf("pages=%zu hits=%zu cut=%zu bytes=%" PRIu64
           " seconds=%.6f first_us=%" PRId64 " max_us=%" PRId64 "\n",
           w.pages, w.hits, w.cut, w.bytes,
           (double)(dl_time_monotonic_us() - begin_us) / 1e6, w.first_us,
           w.max_us);
    return w.out != NULL && fclose(w.out) != 0 ? 1 : 0;
}
