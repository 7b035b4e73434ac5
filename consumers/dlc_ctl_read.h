/* dlc_ctl_read.h - What the subcommands that read the lake share.
 *
 * ls, cat, grep, stat and versions read through the same library as httpd
 * does, and need neither httpd nor Kafka nor the warehouse: only the settings
 * and the lake's folder.  They see committed states alone and disturb no
 * writer.
 *
 * Thread: the one main thread.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_CTL_READ_H
#define DLC_CTL_READ_H

#include "dl_lake.h"
#include "dlc_ctl.h"

/* A dataset, or a day of it. */
typedef struct dlc_target {
    const char *dataset; /* its name */
    dl_day day;          /* DL_DAY_NONE: all its days */
    const char *text;    /* as it was typed */
} dlc_target;

/* Read the options by TABLE and open the lake into *LAKE; a reader of standard
 * output that goes away ends the program without a word.  Return -1 to go on,
 * else the exit status. */
int dlc_read_begin(dl_lake **lake, dlc_positionals *rest, dlc_ctl *ctl,
                   const dlc_option *table, int argc, const char *const *argv);

/* Set *TARGET from TEXT, "DATASET", "DATASET/DATE" or "DATASET/DATE.json";
 * with NEED_DAY the first is refused.  Return -1 to go on, else the exit
 * status. */
int dlc_read_target(dlc_target *target, const dlc_ctl *ctl, const char *text,
                    bool need_day);

/* dlc_read_begin, and *TARGET from the one word behind the options: a day.
 * Return likewise. */
int dlc_read_day(dl_lake **lake, dlc_target *target, dlc_ctl *ctl,
                 const dlc_option *table, int argc, const char *const *argv);

/* Set *TIME from TEXT, the value of the option NAME, as clients write times
 * (contract 1.3).  Return -1 to go on, else the exit status. */
int dlc_read_time(dl_time *time, const dlc_ctl *ctl, const char *name,
                  const char *text);

/* Return "DATASET/DATE" in POOL. */
const char *dlc_read_name(const char *dataset, dl_day day, apr_pool_t *pool);

/* Put NAME before the sentence of ERR and fail as dlc_ctl_fail. */
int dlc_read_fail(const dlc_ctl *ctl, const char *name, const dl_error *err);

/* Write the member NAME of a number to W. */
void dlc_read_write_number(dl_json_writer *w, const char *name, uint64_t value);

/* Print BEFORE and what W holds, and empty W: false when that cannot be
 * printed or W has failed. */
bool dlc_read_flush(dl_json_writer *w, const char *before);

#endif
