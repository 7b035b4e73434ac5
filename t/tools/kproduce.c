/* kproduce - produces messages to Kafka exactly as a test writes them down.
 *
 * usage: kproduce [-o] [-r RATE] [-X NAME=VALUE]... BROKERS TOPIC [FILE]
 *
 * One line of FILE (standard input when absent) is one message:
 *   PARTITION TAB TIMESTAMP_MS TAB KEY TAB HEADERS TAB VALUE
 * `-` stands for "none" in each field: the partitioner chooses, the time is
 * now, there is no key, no header, no value.  \xNN is a byte, \e the empty
 * text.  HEADERS is NAME=VALUE,NAME=VALUE.  Every message is acknowledged by
 * the broker (acks=all, idempotent) or the program fails.  -o prints PARTITION
 * and OFFSET of each message, in the order of the lines; -r spreads the
 * messages over time, RATE a second.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

/* Where a message went; filled in by the delivery report. */
typedef struct place {
    int32_t partition;
    int64_t offset;
} place;

typedef struct producer {
    rd_kafka_t *rk;
    const char *topic;
    place *places; /* one a line, in order; moves only before it is full */
    size_t capacity;
    size_t sent;
    size_t failed;
} producer;

enum {
    FIELDS = 5,
    MAX_PLACES = 1 << 25
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "kproduce: %s: %s\n", what, why);
    exit(1);
}

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *message,
                      void *opaque)
{
    producer *p = opaque;
    place *at = &p->places[(size_t)message->_private];

    (void)rk;
    at->partition = message->partition;
    at->offset = message->offset;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        p->failed++;
        fprintf(stderr, "kproduce: line %zu: %s\n",
                (size_t)message->_private + 1, rd_kafka_err2str(message->err));
    }
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return (int)tolower((unsigned char)c) - 'a' + 10;
}

/* Decode TEXT in place; return its length, or -1 for "none". */
static ssize_t decode(char *text)
{
    char *out = text;

    if (strcmp(text, "-") == 0) {
        return -1;
    }
    for (const char *in = text; *in != '\0'; in++) {
        if (in[0] == '\\' && in[1] == 'e') {
            in++;
        }
        else if (in[0] == '\\' && in[1] == 'x' && in[2] != '\0' &&
                 in[3] != '\0') {
            *out++ = (char)(hex(in[2]) * 16 + hex(in[3]));
            in += 3;
        }
        else {
            *out++ = *in;
        }
    }
    return out - text;
}

static rd_kafka_headers_t *headers(char *text)
{
    rd_kafka_headers_t *list = NULL;
    char *save = NULL;

    if (strcmp(text, "-") == 0) {
        return NULL;
    }
    list = rd_kafka_headers_new(4);
    for (char *pair = strtok_r(text, ",", &save); pair != NULL;
         pair = strtok_r(NULL, ",", &save)) {
        char *value = strchr(pair, '=');
        ssize_t name_len = 0;
        ssize_t value_len = 0;

        if (value == NULL) {
            fail(pair, "a header is NAME=VALUE");
        }
        *value++ = '\0';
        name_len = decode(pair);
        value_len = decode(value);
        rd_kafka_header_add(list, pair, name_len, value_len < 0 ? NULL : value,
                            value_len);
    }
    return list;
}

/* Cut LINE at its first four tabs into FIELD. */
static void split(char *field[FIELDS], char *line)
{
    field[0] = line;
    for (int i = 1; i < FIELDS; i++) {
        char *tab = strchr(field[i - 1], '\t');

        if (tab == NULL) {
            fail(line, "five fields, separated by tabs, make a message");
        }
        *tab = '\0';
        field[i] = tab + 1;
    }
}

/* Send one line; waits while librdkafka's queue is full. */
static void send_line(producer *p, char *line)
{
    char *field[FIELDS];
    ssize_t key_len = 0;
    ssize_t value_len = 0;
    rd_kafka_headers_t *list = NULL;
    rd_kafka_vu_t vu[8];
    size_t n = 0;
    rd_kafka_error_t *error = NULL;

    split(field, line);
    key_len = decode(field[2]);
    list = headers(field[3]);
    value_len = decode(field[4]);
    if (p->sent >= p->capacity) {
        fail(p->topic, "more than 33 million messages at once");
    }
    vu[n].vtype = RD_KAFKA_VTYPE_TOPIC;
    vu[n++].u.cstr = p->topic;
    vu[n].vtype = RD_KAFKA_VTYPE_PARTITION;
    vu[n++].u.i32 = strcmp(field[0], "-") == 0
                        ? RD_KAFKA_PARTITION_UA
                        : (int32_t)strtol(field[0], NULL, 10);
    vu[n].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    vu[n++].u.i64 =
        strcmp(field[1], "-") == 0 ? 0 : strtoll(field[1], NULL, 10);
    vu[n].vtype = RD_KAFKA_VTYPE_KEY;
    vu[n].u.mem.ptr = key_len < 0 ? NULL : field[2];
    vu[n++].u.mem.size = key_len < 0 ? 0 : (size_t)key_len;
    vu[n].vtype = RD_KAFKA_VTYPE_VALUE;
    vu[n].u.mem.ptr = value_len < 0 ? NULL : field[4];
    vu[n++].u.mem.size = value_len < 0 ? 0 : (size_t)value_len;
    vu[n].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    vu[n++].u.i = RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK;
    vu[n].vtype = RD_KAFKA_VTYPE_OPAQUE;
    vu[n++].u.ptr = (void *)p->sent++;
    if (list != NULL) {
        vu[n].vtype = RD_KAFKA_VTYPE_HEADERS;
        vu[n++].u.headers = list;
    }
    error = rd_kafka_produceva(p->rk, vu, n);
    if (error != NULL) {
        fail(p->topic, rd_kafka_error_string(error));
    }
    rd_kafka_poll(p->rk, 0);
}

/* Wait until message number DONE is due at RATE a second since BEGIN. */
static void pace(const struct timespec *begin, size_t done, double rate)
{
    double due = (double)done / rate;
    struct timespec until = *begin;

    until.tv_sec += (time_t)due;
    until.tv_nsec += (long)((due - (double)(time_t)due) * 1e9);
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static void send_all(producer *p, FILE *in, double rate)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len = 0;
    struct timespec begin;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    while ((len = getline(&line, &size, in)) > 0) {
        if (line[len - 1] == '\n') {
            line[len - 1] = '\0';
        }
        if (rate > 0) {
            pace(&begin, p->sent, rate);
        }
        send_line(p, line);
    }
    free(line);
    if (rd_kafka_flush(p->rk, 60000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail(p->topic, "not acknowledged within 60 s");
    }
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[256];

    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) !=
        RD_KAFKA_CONF_OK) {
        fail(name, why);
    }
}

static void set_option(rd_kafka_conf_t *conf, char *option)
{
    char *value = strchr(option, '=');

    if (value == NULL) {
        fail(option, "a setting is NAME=VALUE");
    }
    *value++ = '\0';
    set(conf, option, value);
}

int main(int argc, char **argv)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    producer p = {.capacity = MAX_PLACES};
    bool offsets = false;
    double rate = 0;
    FILE *in = stdin;
    char why[256];
    int option = 0;

    set(conf, "acks", "all");
    set(conf, "enable.idempotence", "true");
    set(conf, "compression.codec", "lz4");
    set(conf, "linger.ms", "2");
    set(conf, "log_level", "3");
    set(conf, "message.max.bytes", "20000000");
    set(conf, "queue.buffering.max.messages", "200000");
    set(conf, "topic.metadata.propagation.max.ms", "3000");
    while ((option = getopt(argc, argv, "or:X:")) != -1) {
        switch (option) {
        case 'o':
            offsets = true;
            break;
        case 'r':
            rate = strtod(optarg, NULL);
            break;
        case 'X':
            set_option(conf, optarg);
            break;
        default:
            return 2;
        }
    }
    if (argc - optind < 2) {
        fail("usage", "kproduce [-o] [-r RATE] [-X NAME=VALUE]... BROKERS "
                      "TOPIC [FILE]");
    }
    set(conf, "bootstrap.servers", argv[optind]);
    p.topic = argv[optind + 1];
    if (argc - optind > 2 && (in = fopen(argv[optind + 2], "re")) == NULL) {
        fail(argv[optind + 2], "cannot be opened");
    }
    /* Address space only: a page is touched when a line needs it. */
    p.places = calloc(p.capacity, sizeof *p.places);
    if (p.places == NULL) {
        fail(p.topic, "out of memory");
    }
    rd_kafka_conf_set_opaque(conf, &p);
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    p.rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (p.rk == NULL) {
        fail(p.topic, why);
    }
    send_all(&p, in, rate);
    for (size_t i = 0; offsets && i < p.sent; i++) {
        printf("%" PRId32 " %" PRId64 "\n", p.places[i].partition,
               p.places[i].offset);
    }
    rd_kafka_destroy(p.rk);
    free(p.places);
    return p.failed != 0;
}
