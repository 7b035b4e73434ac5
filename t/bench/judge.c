/* judge.c - How many records a second one core judges.
 *
 *     build/bench/judge [SECONDS]
 *
 * Judges 1,000 generated records of about 650 bytes with every member of
 * transaction_log, again and again: compact ones, which are canonical as they
 * are, and ones with Python's spaces and \u escapes, which are copied.
 * Prints a line each: records per second of processor time and ns a record,
 * best of five rounds.  Run
 * it at the top of the tree.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr_general.h>

#include "dl_file.h"

enum {
    RECORDS = 1000,
    ROOM = 1200
};

/* Records, one behind the other. */
typedef struct corpus {
    char text[RECORDS][ROOM]; /* each one */
    size_t len[RECORDS];      /* its bytes */
    size_t bytes;             /* of all */
} corpus;

static const char compact[] =
    "{\"transaction_id\":\"7f3a%08x-4c1d-11ee-be56-0242ac120002\","
    "\"timestamp\":%d.25,\"user_id\":\"u%06d\",\"user_name\":\"Ana\xC3\xAFs "
    "Dupont\",\"product_id\":\"p%04d\",\"product\":\"desk lamp\",\"amount\":"
    "%d.90,\"currency\":\"EUR\",\"transaction_type\":\"purchase\",\"status\":"
    "\"completed\",\"payment_method\":\"credit_card\",\"product_category\":"
    "\"home\",\"quantity\":%d,\"location\":{\"city\":\"Lyon\",\"country\":"
    "\"France\"},\"shipping_address\":{\"street\":\"12 rue Mercire\",\"zip\":"
    "\"69002\",\"city\":\"Lyon\",\"country\":\"France\"},\"device_info\":{"
    "\"os\":\"Android\",\"browser\":\"Firefox\",\"ip_address\":\"192.0.2.17\"},"
    "\"customer_rating\":4,\"discount_code\":null,\"tax_amount\":9.98,"
    "\"thread\":3,\"message_number\":%d,\"timestamp_of_reception_log\":"
    "\"2023-05-19T09:43:45\"}";

/* Write FROM to TO with a space behind , and : outside strings. */
static size_t put_spaces(char *to, const char *from)
{
    bool inside = false;
    size_t n = 0;

    for (; *from != '\0'; from++) {
        to[n++] = *from;
        inside ^= *from == '"';
        if (!inside && (*from == ',' || *from == ':')) {
            to[n++] = ' ';
        }
    }
    return n;
}

static void fill(corpus *c, bool spaces)
{
    c->bytes = 0;
    for (int i = 0; i < RECORDS; i++) {
        char text[ROOM];

        snprintf(text, sizeof text, compact, (unsigned)i * 2654435761u,
                 1684489425 + i * 7, i * 37 % 1000000, i * 13 % 10000,
                 i % 500 + 1, i % 9 + 1, i);
        if (spaces) {
            c->len[i] = put_spaces(c->text[i], text);
        }
        else {
            c->len[i] = strlen(text);
            memcpy(c->text[i], text, c->len[i]);
        }
        c->bytes += c->len[i];
    }
}

/* Microseconds of processor time this thread has used: other work on the
 * machine does not count. */
static int64_t cpu_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Judge C for SECONDS; return the records a second. */
static double measure(dl_judge *judge, const corpus *c, double seconds)
{
    int64_t begin = cpu_us();
    int64_t now = begin;
    int64_t judged = 0;
    dl_record rec;

    while ((double)(now - begin) < seconds * 1e6) {
        for (int i = 0; i < RECORDS; i++) {
            dl_record_judge(&rec, judge, c->text[i], c->len[i],
                            1779096600000000);
            if (rec.verdict != DL_RECORD_GOOD) {
                printf("refused: %s\n", rec.detail);
                exit(EXIT_FAILURE);
            }
        }
        judged += RECORDS;
        now = cpu_us();
    }
    return (double)judged * 1e6 / (double)(now - begin);
}

static void report(const char *name, dl_judge *judge, const corpus *c,
                   double seconds)
{
    double best = 0;

    for (int round = 0; round < 5; round++) {
        double rate = measure(judge, c, seconds);

        best = rate > best ? rate : best;
    }
    printf("judge %s bytes=%zu records_per_s=%.0f ns=%.0f\n", name,
           c->bytes / RECORDS, best, 1e9 / best);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
    dl_dataset_source source = {.file = "conf/datasets/transaction_log.json"};
    dl_error err = {0};
    const dl_dataset *ds;
    apr_pool_t *pool;
    corpus *c;
    dl_judge *judge;

    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS ||
        dl_zone_load(&source.zone, "UTC", &err, pool) != DL_OK ||
        dl_file_load(&source.text, &source.len, source.file, 1 << 20, &err,
                     pool) != DL_OK ||
        dl_dataset_parse(&ds, &source, &err, pool) != DL_OK) {
        fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILURE;
    }
    c = malloc(sizeof *c);
    if (c == NULL) {
        abort();
    }
    judge = dl_judge_create(ds, pool);
    fill(c, false);
    report("compact", judge, c, seconds);
    fill(c, true);
    report("spaces", judge, c, seconds);
    free(c);
    apr_terminate();
    return 0;
}
