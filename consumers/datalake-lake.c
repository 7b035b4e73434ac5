/* datalake-lake.c - The daemon that appends Kafka topics to the lake.
 *
 * One process writes a dataset (its lock is held for life), so it reads all
 * partitions of its datasets by assign(), without a group; several processes
 * share the datasets by --datasets.  The story of a message is in README.md.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_daemon.h"
#include "dlc_sink.h"

static dl_status create_sink(dlc_sink **sink, const dl_config *cfg,
                             const dl_dataset_set *set, dl_stats *stats,
                             dl_error *err, apr_pool_t *pool)
{
    (void)set; /* a dataset is opened when its first partition is taken */
    return dlc_sink_lake_create(sink, cfg, stats, err, pool);
}

int main(int argc, char **argv)
{
    static const dlc_program program = {
        .name = "datalake-lake",
        .sink = "lake",
        .sentence = "append the records of Kafka topics to the lake",
        .buffer_part = 1,
        .sink_create = create_sink};

    return dlc_daemon_main(&program, argc, (const char *const *)argv);
}
