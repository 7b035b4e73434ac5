/* ktopic - creates, deletes, trims and measures topics for the tests.
 *
 * usage: ktopic BROKERS create TOPIC PARTITIONS [NAME=VALUE]...
 *        ktopic BROKERS delete TOPIC
 *        ktopic BROKERS trim TOPIC PARTITION OFFSET
 *        ktopic BROKERS watermarks TOPIC    prints PARTITION LOW HIGH
 *        ktopic BROKERS set TOPIC NAME=VALUE
 *
 * Each returns after the broker has done it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

enum {
    TIMEOUT_MS = 20000
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "ktopic: %s: %s\n", what, why);
    exit(1);
}

/* Options that make an admin request wait for the broker's work. */
static rd_kafka_AdminOptions_t *patient(rd_kafka_t *rk)
{
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_ANY);
    char why[256];

    if (rd_kafka_AdminOptions_set_operation_timeout(options, TIMEOUT_MS, why,
                                                    sizeof why) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail("operation timeout", why);
    }
    return options;
}

/* The answer to the request whose replies QUEUE gets. */
static rd_kafka_event_t *answer(rd_kafka_queue_t *queue, const char *topic)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);

    if (event == NULL) {
        fail(topic, "no answer from the broker");
    }
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail(topic, rd_kafka_event_error_string(event));
    }
    return event;
}

static void check(const rd_kafka_topic_result_t *result)
{
    if (rd_kafka_topic_result_error(result) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail(rd_kafka_topic_result_name(result),
             rd_kafka_err2str(rd_kafka_topic_result_error(result)));
    }
}

static const rd_kafka_metadata_topic_t *
describe(const rd_kafka_metadata_t **metadata, rd_kafka_t *rk,
         const char *topic)
{
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(rk, 0, rkt, metadata, TIMEOUT_MS);

    rd_kafka_topic_destroy(rkt);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail(topic, rd_kafka_err2str(code));
    }
    return &(*metadata)->topics[0];
}

static void pause_a_moment(void)
{
    const struct timespec moment = {.tv_nsec = 20000000L};

    nanosleep(&moment, NULL);
}

/* Wait until the broker knows TOPIC with PARTITIONS led partitions; 0: until
 * it does not know it. */
static void await(rd_kafka_t *rk, const char *topic, int partitions)
{
    for (int turn = 0; turn < TIMEOUT_MS / 20; turn++) {
        const rd_kafka_metadata_t *metadata = NULL;
        const rd_kafka_metadata_topic_t *t = describe(&metadata, rk, topic);
        int led = 0;

        for (int i = 0; i < t->partition_cnt; i++) {
            led += t->partitions[i].leader >= 0;
        }
        rd_kafka_metadata_destroy(metadata);
        if (led == partitions) {
            return;
        }
        pause_a_moment();
    }
    fail(topic, "the broker did not finish in time");
}

static void create(rd_kafka_t *rk, rd_kafka_queue_t *queue, int argc,
                   char **argv)
{
    char why[256];
    int partitions = (int)strtol(argv[4], NULL, 10);
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(argv[3], partitions, 1, why, sizeof why);
    rd_kafka_AdminOptions_t *options = patient(rk);
    rd_kafka_event_t *event = NULL;
    size_t n = 0;

    if (topic == NULL) {
        fail(argv[3], why);
    }
    for (int i = 5; i < argc; i++) {
        char *value = strchr(argv[i], '=');

        if (value == NULL) {
            fail(argv[i], "a setting is NAME=VALUE");
        }
        *value++ = '\0';
        rd_kafka_NewTopic_set_config(topic, argv[i], value);
    }
    rd_kafka_CreateTopics(rk, &topic, 1, options, queue);
    event = answer(queue, argv[3]);
    check(rd_kafka_CreateTopics_result_topics(
        rd_kafka_event_CreateTopics_result(event), &n)[0]);
    rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(topic);
    await(rk, argv[3], partitions);
}

static void delete (rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv)
{
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(argv[3]);
    rd_kafka_AdminOptions_t *options = patient(rk);
    rd_kafka_event_t *event = NULL;
    size_t n = 0;

    rd_kafka_DeleteTopics(rk, &topic, 1, options, queue);
    event = answer(queue, argv[3]);
    check(rd_kafka_DeleteTopics_result_topics(
        rd_kafka_event_DeleteTopics_result(event), &n)[0]);
    rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_DeleteTopic_destroy(topic);
    await(rk, argv[3], 0);
}

static void trim(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(1);
    rd_kafka_DeleteRecords_t *records = NULL;
    rd_kafka_AdminOptions_t *options = patient(rk);

    rd_kafka_topic_partition_list_add(list, argv[3],
                                      (int32_t)strtol(argv[4], NULL, 10))
        ->offset = strtoll(argv[5], NULL, 10);
    records = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(rk, &records, 1, options, queue);
    rd_kafka_event_destroy(answer(queue, argv[3]));
    rd_kafka_DeleteRecords_destroy(records);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_topic_partition_list_destroy(list);
}

/* Return whether TOPIC has VALUE for its setting NAME. */
static bool has(rd_kafka_t *rk, rd_kafka_queue_t *queue,
                rd_kafka_ConfigResource_t *topic, const char *name,
                const char *value)
{
    rd_kafka_AdminOptions_t *options = patient(rk);
    rd_kafka_event_t *event = NULL;
    const rd_kafka_ConfigEntry_t **entries;
    bool found = false;
    size_t n = 0;

    rd_kafka_DescribeConfigs(rk, &topic, 1, options, queue);
    event = answer(queue, name);
    entries = rd_kafka_ConfigResource_configs(
        rd_kafka_DescribeConfigs_result_resources(
            rd_kafka_event_DescribeConfigs_result(event), &n)[0],
        &n);
    for (size_t i = 0; i < n; i++) {
        const char *now = rd_kafka_ConfigEntry_value(entries[i]);

        found = found ||
                (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0 &&
                 now != NULL && strcmp(now, value) == 0);
    }
    rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    return found;
}

/* Give the topic one setting; its others become the broker's. */
static void set(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv)
{
    rd_kafka_ConfigResource_t *topic =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, argv[3]);
    rd_kafka_AdminOptions_t *options = patient(rk);
    char *value = strchr(argv[4], '=');

    if (value == NULL) {
        fail(argv[4], "a setting is NAME=VALUE");
    }
    *value++ = '\0';
    rd_kafka_ConfigResource_set_config(topic, argv[4], value);
    rd_kafka_AlterConfigs(rk, &topic, 1, options, queue);
    rd_kafka_event_destroy(answer(queue, argv[3]));
    for (int turn = 0; !has(rk, queue, topic, argv[4], value); turn++) {
        if (turn == TIMEOUT_MS / 20) {
            fail(argv[3], "the broker did not finish in time");
        }
        pause_a_moment();
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(topic);
}

static void watermarks(rd_kafka_t *rk, const char *topic)
{
    const rd_kafka_metadata_t *metadata = NULL;
    const rd_kafka_metadata_topic_t *t = describe(&metadata, rk, topic);

    for (int32_t i = 0; i < t->partition_cnt; i++) {
        int64_t low = 0;
        int64_t high = 0;
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
            rk, topic, i, &low, &high, TIMEOUT_MS);

        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            fail(topic, rd_kafka_err2str(code));
        }
        printf("%" PRId32 " %" PRId64 " %" PRId64 "\n", i, low, high);
    }
    rd_kafka_metadata_destroy(metadata);
}

int main(int argc, char **argv)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *rk = NULL;
    rd_kafka_queue_t *queue = NULL;
    char why[256];

    if (argc < 4) {
        fail("usage", "ktopic BROKERS create|delete|trim|set|watermarks TOPIC");
    }
    if (rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], why,
                          sizeof why) != RD_KAFKA_CONF_OK) {
        fail(argv[1], why);
    }
    rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (rk == NULL) {
        fail(argv[1], why);
    }
    queue = rd_kafka_queue_new(rk);
    if (strcmp(argv[2], "create") == 0 && argc > 4) {
        create(rk, queue, argc, argv);
    }
    else if (strcmp(argv[2], "delete") == 0) {
        delete (rk, queue, argv);
    }
    else if (strcmp(argv[2], "trim") == 0 && argc > 5) {
        trim(rk, queue, argv);
    }
    else if (strcmp(argv[2], "set") == 0 && argc > 4) {
        set(rk, queue, argv);
    }
    else if (strcmp(argv[2], "watermarks") == 0) {
        watermarks(rk, argv[3]);
    }
    else {
        fail(argv[2], "unknown command, or too few arguments");
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
    return 0;
}
