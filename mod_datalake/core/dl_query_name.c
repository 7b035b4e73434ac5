/* dl_query_name.c - Names of filters, taken apart.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_query_name.h"

#include <stdbool.h>
#include <string.h>

#include <apr_strings.h>

/* One way to write an operator. */
typedef struct suffix {
    const char *text;
    dl_query_op op;
} suffix;

static const suffix SUFFIXES[] = {{"__gt", DL_QUERY_GT},
                                  {"__gte", DL_QUERY_GTE},
                                  {"__lt", DL_QUERY_LT},
                                  {"__lte", DL_QUERY_LTE},
                                  {"__ne", DL_QUERY_NE},
                                  {"__in", DL_QUERY_IN},
                                  {"__contains", DL_QUERY_CONTAINS}};

/* How some fields may be written as well. */
static const suffix OLD_SUFFIXES[] = {
    {"_gt", DL_QUERY_GT}, {"_lt", DL_QUERY_LT}, {"_eq", DL_QUERY_EQ}};
static const char *const OLD_FIELDS[] = {"amount", "customer_rating", "rating"};

/* Short names of fields. */
static const struct {
    const char *name;
    const char *path;
} ALIASES[] = {{"country", "location.country"}, {"rating", "customer_rating"}};

#define N(array) (sizeof(array) / sizeof((array)[0]))

const char *dl_query_name_path(const dl_dataset *ds, const char *name)
{
    size_t i;

    for (i = 0; i < N(ALIASES) && dl_dataset_field(ds, name) < 0; i++) {
        if (strcmp(ALIASES[i].name, name) == 0 &&
            dl_dataset_field(ds, ALIASES[i].path) >= 0) {
            return ALIASES[i].path;
        }
    }
    return name;
}

/* Set *NAME to NAME without one of the N SUFFIXES, and *OP to what it says;
 * false when it has none. */
static bool cut_suffix(const char **name, dl_query_op *op,
                       const suffix *suffixes, size_t n, apr_pool_t *pool)
{
    size_t len = strlen(*name);
    size_t i;

    for (i = 0; i < n; i++) {
        size_t tail = strlen(suffixes[i].text);

        if (len > tail && strcmp(*name + len - tail, suffixes[i].text) == 0) {
            *name = apr_pstrmemdup(pool, *name, len - tail);
            *op = suffixes[i].op;
            return true;
        }
    }
    return false;
}

void dl_query_name_read(const char **path, dl_query_op *op,
                        const dl_dataset *ds, const char *name,
                        apr_pool_t *pool)
{
    const char *old = name;
    dl_query_op old_op = DL_QUERY_EQ;
    size_t i;

    *op = DL_QUERY_EQ;
    *path = name;
    if (dl_dataset_field(ds, name) < 0 &&
        !cut_suffix(path, op, SUFFIXES, N(SUFFIXES), pool) &&
        cut_suffix(&old, &old_op, OLD_SUFFIXES, N(OLD_SUFFIXES), pool)) {
        for (i = 0; i < N(OLD_FIELDS); i++) {
            if (strcmp(OLD_FIELDS[i], old) == 0) {
                *path = old;
                *op = old_op;
            }
        }
    }
    *path = dl_query_name_path(ds, *path);
}
