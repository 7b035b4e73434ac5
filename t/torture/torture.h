/* torture.h - A scenario of core that can be run while its memory runs out.
 *
 * A scenario does something whole with core and looks at what came of it.
 * The engine (torture.c) runs it once to count its allocations, then once for
 * each of them in a process of its own, where that one fails.
 *
 * Thread: a scenario runs on one; core may start others.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TORTURE_H
#define TORTURE_H

#include <apr_pools.h>

#include "dl_error.h"

/* What a scenario came to. */
typedef enum torture_verdict {
    TORTURE_RIGHT,   /* it succeeded, and what it made is right */
    TORTURE_REFUSED, /* core said that it failed, and left nothing wrong */
    TORTURE_WRONG /* core said it was well, or left behind what it must not */
} torture_verdict;

/* Run a scenario; everything lives in POOL, files below FOLDER, which is empty
 * at first.  ERR is core's. */
typedef torture_verdict torture_scenario(dl_error *err, const char *folder,
                                         apr_pool_t *pool);

/* One scenario by its name. */
typedef struct torture_row {
    const char *name;      /* one word */
    torture_scenario *run; /* what it does */
} torture_row;

/* All of them; a row without a name ends the table. */
extern const torture_row torture_rows[];

/* No allocation fails any more: a scenario is going to look at what is left
 * behind. */
void torture_calm(void);

/* What follows is preparation: nothing is counted and nothing fails until
 * torture_go. */
void torture_pause(void);

/* The end of preparation. */
void torture_go(void);

/* Return RIGHT or WRONG by HOLDS when STATUS is DL_OK, else REFUSED; a refusal
 * without a sentence in ERR is WRONG. */
torture_verdict torture_judge(dl_status status, const dl_error *err, int holds);

/* The scenarios of the lake and its indexes, of keys, texts and settings. */
torture_scenario torture_lake_write;
torture_scenario torture_lake_keep;
torture_scenario torture_index;
torture_scenario torture_audit_file;
torture_scenario torture_token;
torture_scenario torture_key_file;
torture_scenario torture_key_pem;
torture_scenario torture_json;
torture_scenario torture_json_write;
torture_scenario torture_form;
torture_scenario torture_date;
torture_scenario torture_config;
torture_scenario torture_declaration;
torture_scenario torture_record;
torture_scenario torture_grant;
torture_scenario torture_audit_line;
torture_scenario torture_stats;

/* Those of foreign sources and of changes of rows. */
torture_scenario torture_mapping;
torture_scenario torture_split;
torture_scenario torture_log_line;
torture_scenario torture_source_config;
torture_scenario torture_change;

#endif
