/* datalake-warehouse.c - The daemon that loads Kafka topics into the warehouse.
 *
 * Several processes share the partitions as a group with fixed members; the
 * database fences a member that was thought dead (rule E4).  With --assign one
 * process reads all partitions without a group.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_daemon.h"
#include "dlc_sink.h"

/* Datasets without a table stay in the lake. */
static bool has_table(const dl_dataset *ds)
{
    return ds->table != NULL;
}

int main(int argc, char **argv)
{
    static bool alone;
    static const dlc_option more[] = {
        {"assign", 0, DLC_OPTION_FLAG, &alone, 0, 0, NULL,
         "read all partitions without joining the group"},
        {.name = NULL}};
    static const dlc_program program = {
        .name = "datalake-warehouse",
        .sink = "warehouse",
        .sentence = "load the records of Kafka topics into the warehouse",
        .more = more,
        .alone = &alone,
        /* A database takes some 150 MB/s at most, and the sink has buffers of
         * its own: 331 MB with the whole buffer. */
        .buffer_part = 4,
        .grouped = true,
        .sink_create = dlc_sink_warehouse_create,
        .wants = has_table};

    return dlc_daemon_main(&program, argc, (const char *const *)argv);
}
