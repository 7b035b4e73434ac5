/* dl_grant_name.c - The pairs of the contract, and names that exist.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_grant_name.h"

#include <string.h>

/* The datasets of the contract and their tables. */
static const struct pair {
    const char *dataset;
    const char *table; /* NULL: none that a grant can name */
    bool market;       /* shown by the market routes */
} PAIRS[] = {
    {"transaction_log", "transaction_record", false},
    {"network_logs", "network_log", false},
    {"social_posts", "social_post", false},
    {"transactions", "client_transaction", false},
    {"clients", NULL, false},
    {"piezo_raw", "piezo_level", false},
    {"meteo_raw", "weather_day", false},
    {"rawticker", "ticker", true},
    {"rawtrade", "trade", true},
    {"rawarticle", "article", true},
    {"rawalert", "alert", true},
    {"sentiment", "sentiment", true},
    {"prediction", "prediction", true},
};

#define N_PAIRS (sizeof PAIRS / sizeof PAIRS[0])

const char *dl_grant_table(const dl_dataset_set *declared, const char *dataset)
{
    const dl_dataset *ds =
        declared != NULL ? dl_dataset_find(declared, dataset) : NULL;

    if (ds != NULL && ds->declared) {
        return ds->table;
    }
    for (size_t i = 0; i < N_PAIRS; i++) {
        if (strcmp(PAIRS[i].dataset, dataset) == 0) {
            return PAIRS[i].table;
        }
    }
    return NULL;
}

bool dl_grant_is_market_table(const char *table)
{
    for (size_t i = 0; i < N_PAIRS; i++) {
        if (PAIRS[i].market && strcmp(PAIRS[i].table, table) == 0) {
            return true;
        }
    }
    return false;
}

/* What is looked for: the name, or what one begins with. */
typedef struct wanted {
    const char *text; /* not ended by a NUL */
    size_t len;       /* its bytes */
    bool whole;       /* nothing may follow */
} wanted;

static bool matches(const wanted *want, const char *name)
{
    return name != NULL && strncmp(name, want->text, want->len) == 0 &&
           (!want->whole || name[want->len] == '\0');
}

static bool table_exists(const dl_grant_names *names, const wanted *want)
{
    const dl_dataset_set *declared = names->declared;

    for (size_t i = 0; i < N_PAIRS; i++) {
        if (matches(want, PAIRS[i].table)) {
            return true;
        }
    }
    for (int i = 0; declared != NULL && i < declared->n; i++) {
        if (matches(want, declared->datasets[i]->table)) {
            return true;
        }
    }
    return false;
}

static bool dataset_exists(const dl_grant_names *names, const wanted *want)
{
    const dl_dataset_set *declared = names->declared;

    for (size_t i = 0; i < N_PAIRS; i++) {
        if (matches(want, PAIRS[i].dataset)) {
            return true;
        }
    }
    for (int i = 0; declared != NULL && i < declared->n; i++) {
        if (matches(want, declared->datasets[i]->name)) {
            return true;
        }
    }
    for (int i = 0; i < names->n_lake; i++) {
        if (matches(want, names->lake[i])) {
            return true;
        }
    }
    return false;
}

bool dl_grant_exists(const dl_grant_names *names, const dl_resource *resource)
{
    wanted want = {resource->text, resource->name_len, true};
    const char *slash = memchr(resource->text, '/', resource->len);

    if (resource->kind == DL_RESOURCE_TABLE) {
        want.text = resource->text + resource->len - resource->name_len;
        return table_exists(names, &want);
    }
    if (resource->kind == DL_RESOURCE_PREFIX) {
        want.whole = slash != NULL;
        if (slash != NULL) {
            want.len = (size_t)(slash - resource->text);
        }
    }
    return want.len == 0 || dataset_exists(names, &want);
}
