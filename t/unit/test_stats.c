/* test_stats.c - A page of numbers is written, found, read and printed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_stats.h"

#include "dl_stats_page.h"
#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

/* Return the Prometheus text of the folder FD. */
static const char *rendered(int fd, apr_pool_t *pool)
{
    dl_buf *out = dl_buf_create(1 << 20, pool);
    dl_error err = {0};

    if (dl_stats_render(out, fd, &err, pool) != DL_OK) {
        return apr_pstrdup(pool, err.text);
    }
    return apr_pstrmemdup(pool, out->data == NULL ? "" : out->data, out->len);
}

static void test_page(const char *dir, int fd, apr_pool_t *pool)
{
    dl_stats *stats;
    dl_error err = {0};
    dl_stats_value *messages;
    dl_stats_value *age;
    dl_stats_value *took;
    const char *text;
    int64_t value;

    is_int(dl_stats_create(&stats, dir, "tester", "tester-a", &err, pool),
           DL_OK, "a page is made");
    messages =
        dl_stats_slot(stats, DL_STATS_COUNTER, "datalake_kafka_messages_total",
                      "sink=\"lake\",topic=\"x\"");
    ok(messages == dl_stats_slot(stats, DL_STATS_COUNTER,
                                 "datalake_kafka_messages_total",
                                 "sink=\"lake\",topic=\"x\""),
       "the same name and labels are the same slot");
    dl_stats_add(messages, 40);
    dl_stats_add(messages, 2);
    age = dl_stats_slot(stats, DL_STATS_GAUGE_US, "datalake_audit_lag_seconds",
                        "");
    dl_stats_set(age, 1500000);
    took =
        dl_stats_slot(stats, DL_STATS_HISTOGRAM,
                      "datalake_lake_commit_duration_seconds", "dataset=\"x\"");
    dl_stats_observe(took, 1000);
    dl_stats_observe(took, 1001);
    dl_stats_observe(took, 60000000);
    dl_stats_observe(took, -5);
    text = rendered(fd, pool);
    ok(strstr(text, "datalake_kafka_messages_total{sink=\"lake\",topic=\"x\"} "
                    "42\n") != NULL,
       "a counter is printed with its labels");
    ok(strstr(text, "# TYPE datalake_kafka_messages_total counter\n") != NULL,
       "a name has its type");
    ok(strstr(text, "datalake_audit_lag_seconds 1.500000\n") != NULL,
       "microseconds are printed as seconds, without braces when unlabelled");
    ok(strstr(text, "datalake_lake_commit_duration_seconds_bucket{dataset="
                    "\"x\",le=\"0.001\"} "
                    "2\n") != NULL,
       "a bucket holds values up to and with its bound");
    ok(strstr(text, "le=\"0.002\"} 3\n") != NULL, "buckets add up");
    ok(strstr(text, "le=\"+Inf\"} 4\n") != NULL, "the last has no bound");
    ok(strstr(text, "datalake_lake_commit_duration_seconds_sum{dataset=\"x\"} "
                    "60.002001\n") != NULL,
       "the sum is in seconds");
    ok(strstr(text, "datalake_build_info{contract=\"1.0.0\",program=\"tester\","
                    "version=\"") != NULL,
       "the program's version is there");
    ok(dl_stats_find(&value, fd, "datalake_kafka_messages_total", "topic=\"x\"",
                     pool) &&
           value == 42,
       "a value is found by name and label");
    ok(!dl_stats_find(&value, fd, "datalake_kafka_messages_total",
                      "topic=\"y\"", pool),
       "an absent label is not found");
    dl_stats_set(age, DL_STATS_ABSENT);
    ok(strstr(rendered(fd, pool), "datalake_audit_lag_seconds") == NULL,
       "an absent gauge is not printed");
}

static void test_two_pages(const char *dir, int fd, apr_pool_t *pool)
{
    dl_stats *one;
    dl_stats *two;
    dl_error err = {0};
    int64_t value;

    if (dl_stats_create(&one, dir, "tester", "one", &err, pool) != DL_OK ||
        dl_stats_create(&two, dir, "tester", "two", &err, pool) != DL_OK) {
        ok(false, err.text);
        return;
    }
    dl_stats_add(
        dl_stats_slot(one, DL_STATS_COUNTER, "datalake_kafka_bytes_total", ""),
        3);
    dl_stats_add(
        dl_stats_slot(two, DL_STATS_COUNTER, "datalake_kafka_bytes_total", ""),
        4);
    dl_stats_set(dl_stats_slot(one, DL_STATS_GAUGE, "datalake_g", "a=\"1\""),
                 3);
    dl_stats_set(dl_stats_slot(two, DL_STATS_GAUGE, "datalake_g", "a=\"2\""),
                 4);
    ok(strstr(rendered(fd, pool), "datalake_kafka_bytes_total 7\n") != NULL,
       "equal counters of two programs are added");
    ok(strstr(rendered(fd, pool), "datalake_g") == NULL,
       "a name outside the contract is not printed");
    ok(dl_stats_find_max(&value, fd, "datalake_g", "", pool) && value == 4,
       "the largest of several labels is found");
    ok(dl_stats_slot(NULL, DL_STATS_GAUGE, "datalake_g", "") != NULL,
       "without a page there is still a slot");
}

/* Write to a page that claims another process and start. */
static void test_dead(const char *dir, int fd, apr_pool_t *pool)
{
    static dl_stats_page page;
    const char *path = apr_pstrcat(pool, dir, "/dead.stats", NULL);
    int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int64_t value;

    page.magic = DL_STATS_MAGIC;
    page.pid = getpid();
    page.start = dl_stats_process_start(getpid());
    snprintf(page.cells[0].name, sizeof page.cells[0].name, "datalake_dead");
    page.used = 1;
    ok(write(out, &page, sizeof page) == (ssize_t)sizeof page,
       "a page is laid out by hand");
    ok(dl_stats_find(&value, fd, "datalake_dead", "", pool),
       "it is read while its process lives");
    page.start--;
    ok(pwrite(out, &page, sizeof page, 0) == (ssize_t)sizeof page,
       "its start is changed");
    ok(!dl_stats_find(&value, fd, "datalake_dead", "", pool),
       "a pid used again by another process does not revive a page");
    page.start++;
    page.magic++;
    ok(pwrite(out, &page, sizeof page, 0) == (ssize_t)sizeof page,
       "its magic word is changed");
    ok(!dl_stats_find(&value, fd, "datalake_dead", "", pool),
       "a page of another layout is left out");
    ok(ftruncate(out, 100) == 0, "it is cut");
    ok(!dl_stats_find(&value, fd, "datalake_dead", "", pool),
       "a cut page is left out");
    close(out);
    unlink(path);
    ok(!dl_stats_process_lives(0, 0) && !dl_stats_process_lives(-1, 0),
       "pids below 1 do not live");
}

static void test_full(const char *dir, apr_pool_t *pool)
{
    dl_stats *stats;
    dl_error err = {0};
    dl_stats_value *last = NULL;

    if (dl_stats_create(&stats, dir, "tester", "full", &err, pool) != DL_OK) {
        ok(false, err.text);
        return;
    }
    for (int i = 0; i < DL_STATS_SLOTS + 10; i++) {
        last = dl_stats_slot(stats, DL_STATS_GAUGE, "datalake_many",
                             apr_psprintf(pool, "n=\"%d\"", i));
        dl_stats_set(last, i);
    }
    ok(last == dl_stats_slot(NULL, DL_STATS_GAUGE, "x", ""),
       "a full page gives a slot that nobody reads");
}

int main(void)
{
    char dir[] = "/tmp/dl-stats-XXXXXX";
    apr_pool_t *pool;
    int fd;

    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS || mkdtemp(dir) == NULL) {
        return EXIT_FAILURE;
    }
    fd = open(dir, O_RDONLY | O_DIRECTORY);
    test_page(dir, fd, pool);
    apr_pool_clear(pool);
    is_str(rendered(fd, pool), "", "the page goes with its pool");
    test_two_pages(dir, fd, pool);
    test_dead(dir, fd, pool);
    test_full(dir, pool);
    apr_terminate();
    ok(rmdir(dir) == 0, "nothing is left behind");
    close(fd);
    return done();
}
