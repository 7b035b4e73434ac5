/* index.c - How fast an index is made, how large it is, how sharp.
 *
 *     build/bench/index FILE [BLOCK_BYTES]
 *
 * FILE holds lines of transaction_log, a day of `build/tools/lake_make` for
 * example.  Its lines are read into memory, up to 512 MiB, and indexed by
 * text alone and with numbers, times and keys, best of five rounds each by
 * processor time.  Prints MB/s of one core, the size as a share of the data,
 * how many bits of the rows are set.  Run it at the top of the tree.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_index_build.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <apr_general.h>

#include "dl_file.h"
#include "dl_gram.h"

/* Most bytes of the file that are looked at. */
#define MOST ((size_t)512 << 20)

/* Bytes added at once, cut to whole lines. */
#define CHUNK ((size_t)256 << 10)

/* What a sink saw. */
typedef struct seen {
    size_t bytes; /* of all segments */
} seen;

static double cpu_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static dl_status count(void *context, const uint8_t *data, size_t len,
                       dl_error *err)
{
    seen *s = context;

    (void)data;
    (void)err;
    s->bytes += len;
    return DL_OK;
}

/* Read whole lines of FILE. */
static char *read_lines(size_t *len, const char *file)
{
    int fd = open(file, O_RDONLY);
    char *data = malloc(MOST);
    ssize_t n = 1;

    *len = 0;
    if (fd < 0 || data == NULL) {
        perror(file);
        exit(EXIT_FAILURE);
    }
    while (n > 0 && *len < MOST) {
        n = read(fd, data + *len, MOST - *len);
        *len += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    while (*len > 0 && data[*len - 1] != '\n') {
        (*len)--;
    }
    return data;
}

/* Index the LEN bytes at DATA; return MB/s and add to SEEN. */
static double build(seen *s, const dl_lake_index_plan *wanted, const char *data,
                    size_t len, apr_pool_t *pool)
{
    dl_lake_index_plan plan = *wanted;
    dl_lake_index_builder *builder;
    dl_status status = DL_OK;
    double begin = cpu_s();
    dl_error err = {0};
    size_t at = 0;

    plan.sink = count;
    plan.context = s;
    s->bytes = 0;
    dl_lake_index_builder_create(&builder, &plan, pool);
    while (at < len && status == DL_OK) {
        size_t n = len - at < CHUNK ? len - at : CHUNK;

        while (data[at + n - 1] != '\n') {
            n--;
        }
        status = dl_lake_index_builder_add(builder, data + at, n, &err);
        at += n;
    }
    if (status != DL_OK || dl_lake_index_builder_end(builder, &err) != DL_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(EXIT_FAILURE);
    }
    return (double)len / 1e6 / (cpu_s() - begin);
}

static void report(const char *name, const dl_lake_index_plan *plan,
                   const char *data, size_t len)
{
    double best = 0;
    seen s = {0};

    for (int round = 0; round < 5; round++) {
        apr_pool_t *pool;
        double rate;

        apr_pool_create(&pool, NULL);
        rate = build(&s, plan, data, len, pool);
        best = rate > best ? rate : best;
        apr_pool_destroy(pool);
    }
    printf("index %s block=%u data_mb=%.0f mb_per_s=%.0f size=%.2f%%\n", name,
           plan->block_bytes, (double)len / 1e6, best,
           100.0 * (double)s.bytes / (double)len);
}

/* Print the share of rows that a block of BYTES has. */
static void report_density(const char *data, size_t len, size_t bytes)
{
    static uint8_t marks[DL_GRAM_ROWS];
    static uint64_t bits[DL_GRAM_WORDS];
    char *folded = malloc(dl_gram_room(len < bytes ? len : bytes));
    int set = 0;

    if (folded == NULL) {
        abort();
    }
    bytes = len < bytes ? len : bytes;
    dl_gram_mark(marks, folded, dl_gram_fold(folded, data, bytes));
    dl_gram_pack(bits, marks);
    for (int i = 0; i < DL_GRAM_WORDS; i++) {
        set += __builtin_popcountll(bits[i]);
    }
    free(folded);
    printf("index density=%.3f\n", (double)set / DL_GRAM_ROWS);
}

int main(int argc, char **argv)
{
    dl_dataset_source source = {.file = "conf/datasets/transaction_log.json"};
    dl_lake_index_plan plan = {.uid = 1, .blocks = DL_LAKE_INDEX_BLOCKS};
    const dl_dataset *ds;
    dl_error err = {0};
    apr_pool_t *pool;
    char *data;
    size_t len;

    if (argc < 2) {
        fprintf(stderr, "usage: index FILE [BLOCK_BYTES]\n");
        return 2;
    }
    plan.block_bytes =
        argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : DL_LAKE_INDEX_NORMAL;
    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS ||
        dl_zone_load(&source.zone, "UTC", &err, pool) != DL_OK ||
        dl_file_load(&source.text, &source.len, source.file, 1 << 20, &err,
                     pool) != DL_OK ||
        dl_dataset_parse(&ds, &source, &err, pool) != DL_OK) {
        fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILURE;
    }
    data = read_lines(&len, argv[1]);
    report("text", &plan, data, len);
    if (dl_lake_columns_create(&plan.columns, ds, &err, pool) != DL_OK) {
        fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILURE;
    }
    report("all", &plan, data, len);
    report_density(data, len, plan.block_bytes);
    free(data);
    apr_terminate();
    return 0;
}
