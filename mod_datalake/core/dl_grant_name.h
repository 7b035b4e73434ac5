/* dl_grant_name.h - Which datasets and tables a grant can name, and which
 * table belongs to which dataset.
 *
 * A dataset exists when it is declared, when the lake has it, or when the
 * contract names it: a grant may come before the first record.  Its table is
 * the one its declaration names; the contract's pair stands in for a dataset
 * without a declaration.
 *
 * Thread: any; nothing here has state.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_GRANT_NAME_H
#define DL_GRANT_NAME_H

#include <stdbool.h>

#include "dl_dataset.h"
#include "dl_grant.h"

/* Where names are looked for. */
typedef struct dl_grant_names {
    const dl_dataset_set *declared; /* the declarations; may be NULL */
    const char *const *lake;        /* datasets of the lake, may be NULL */
    int n_lake;                     /* how many */
} dl_grant_names;

/* Return the table of DATASET, or NULL when it has none.  DECLARED may be
 * NULL. */
const char *dl_grant_table(const dl_dataset_set *declared, const char *dataset);

/* Return whether TABLE holds what the market routes show, which may be open to
 * everybody. */
bool dl_grant_is_market_table(const char *table);

/* Return whether what RESOURCE names is there: its dataset, a dataset its
 * prefix begins, its table.  The day itself need not exist. */
bool dl_grant_exists(const dl_grant_names *names, const dl_resource *resource);

#endif
