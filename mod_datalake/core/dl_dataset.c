/* dl_dataset.c - The set of datasets: load, find, untyped ones.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_dataset.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "dl_file.h"

/* The largest declaration, and the longest name. */
enum {
    MAX_FILE = 1 << 20,
    MAX_NAME = 100
};

bool dl_dataset_name_ok(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t len = strlen(name);

    return len > 0 && len <= MAX_NAME && *name >= 'a' && *name <= 'z' &&
           strspn(name, allowed) == len;
}

dl_status dl_dataset_create_untyped(const dl_dataset **ds, const char *name,
                                    const dl_zone *zone, dl_error *err,
                                    apr_pool_t *result_pool)
{
    static const char *const paths[] = {"timestamp"};
    static const dl_field fields[] = {
        {.path = "timestamp", .type = DL_FIELD_TIME, .alternate_slot = 1}};
    dl_dataset *made = apr_pcalloc(result_pool, sizeof *made);

    if (!dl_dataset_name_ok(name)) {
        return dl_fail(err, DL_INVALID, 0,
                       "'%.100s' cannot be a dataset: must be 1 to 100 of a-z "
                       "0-9 _ - that begin with a letter",
                       name);
    }
    DL_TRY(dl_json_shape_create(&made->shape, paths, 1, err, result_pool));
    made->name = made->topic = apr_pstrdup(result_pool, name);
    made->description = "";
    made->partitions = 1;
    made->kafka_retention_days = 7;
    made->n_fields = 1;
    made->fields = fields;
    made->key_field = -1;
    made->clock_field = -1;
    made->time_formats = DL_TIME_UNIX | DL_TIME_RFC3339 | DL_TIME_LOCAL;
    made->zone = zone;
    *ds = made;
    return DL_OK;
}

const dl_dataset *dl_dataset_create_event(const dl_dataset *of,
                                          apr_pool_t *pool)
{
    static const char *const paths[] = {"at"};
    static const dl_field fields[] = {
        {.path = "at", .type = DL_FIELD_TIME, .alternate_slot = 1}};
    dl_dataset *made = apr_pcalloc(pool, sizeof *made);
    dl_error err;

    if (dl_json_shape_create(&made->shape, paths, 1, &err, pool) != DL_OK) {
        abort(); /* one short path is a shape */
    }
    made->name = of->name;
    made->topic = of->topic;
    made->description = "";
    made->n_fields = 1;
    made->fields = fields;
    made->key_field = -1;
    made->clock_field = -1;
    made->time_formats = DL_TIME_UNIX | DL_TIME_RFC3339;
    made->zone = of->zone;
    return made;
}

bool dl_dataset_is_time(const dl_dataset *ds, int i)
{
    return i == ds->time_field && ds->clock_field < 0;
}

const dl_dataset *dl_dataset_find(const dl_dataset_set *set, const char *name)
{
    for (int i = 0; i < set->n; i++) {
        if (strcmp(set->datasets[i]->name, name) == 0) {
            return set->datasets[i];
        }
    }
    return NULL;
}

const dl_dataset **dl_dataset_with_tables(int *n, const dl_dataset_set *set,
                                          apr_pool_t *pool)
{
    size_t room = (size_t)set->n * (1 + DL_DATASET_CHILDREN);
    const dl_dataset **found = apr_palloc(pool, (room + 1) * sizeof *found);

    *n = 0;
    for (int i = 0; i < set->n; i++) {
        const dl_dataset *ds = set->datasets[i];

        if (ds->table != NULL) {
            found[(*n)++] = ds;
        }
        for (int k = 0; k < ds->n_children; k++) {
            found[(*n)++] = ds->children[k].items;
        }
    }
    return found;
}

const dl_dataset *dl_dataset_find_topic(const dl_dataset_set *set,
                                        const char *topic)
{
    for (int i = 0; i < set->n; i++) {
        if (strcmp(set->datasets[i]->topic, topic) == 0) {
            return set->datasets[i];
        }
    }
    return NULL;
}

int dl_dataset_field(const dl_dataset *ds, const char *path)
{
    for (int i = 0; i < ds->n_fields; i++) {
        if (strcmp(ds->fields[i].path, path) == 0) {
            return i;
        }
    }
    return -1;
}

static int compare_names(const void *a, const void *b)
{
    const char *const *left = a;
    const char *const *right = b;

    return strcmp(*left, *right);
}

static bool is_declaration(const char *name)
{
    size_t len = strlen(name);

    return name[0] != '.' && len > 5 && strcmp(name + len - 5, ".json") == 0;
}

static apr_status_t close_dir(void *dir)
{
    return closedir(dir) == 0 ? APR_SUCCESS : APR_EGENERAL;
}

/* Set *NAMES to the declarations in the folder PATH, sorted. */
static dl_status list_files(apr_array_header_t **names, const char *path,
                            dl_error *err, apr_pool_t *pool)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    if (dir == NULL) {
        return dl_fail(err, DL_IO, errno, "[datasets] dir: cannot open %s",
                       path);
    }
    apr_pool_cleanup_register(pool, dir, close_dir, apr_pool_cleanup_null);
    *names = apr_array_make(pool, 8, sizeof(char *));
    /* The stream is ours alone, which is all readdir asks for.  NOLINT is
     * for a check that cannot know it. */
    while ((entry = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        if (is_declaration(entry->d_name)) {
            APR_ARRAY_PUSH(*names, const char *) =
                apr_pstrdup(pool, entry->d_name);
        }
    }
    apr_pool_cleanup_run(pool, dir, close_dir);
    qsort((*names)->elts, (size_t)(*names)->nelts, sizeof(char *),
          compare_names);
    return DL_OK;
}

/* Append DS to the array LIST; refuse a topic that has a dataset. */
static dl_status add_dataset(apr_array_header_t *list, const dl_dataset *ds,
                             const char *file, dl_error *err)
{
    dl_dataset_set sofar = {
        .n = list->nelts, .datasets = (const dl_dataset **)(void *)list->elts};
    const dl_dataset *other = dl_dataset_find_topic(&sofar, ds->topic);

    if (other != NULL) {
        return dl_fail(err, DL_INVALID, 0,
                       "%s: topic %s is that of dataset %s already", file,
                       ds->topic, other->name);
    }
    APR_ARRAY_PUSH(list, const dl_dataset *) = ds;
    return DL_OK;
}

/* Append the dataset declared in the file NAME of CFG's folder to LIST. */
static dl_status load_file(apr_array_header_t *list, const dl_config *cfg,
                           const char *name, const dl_zone *zone, dl_error *err,
                           apr_pool_t *pool)
{
    dl_dataset_source source = {
        .file = apr_pstrcat(pool, cfg->datasets.dir, "/", name, NULL),
        .zone = zone};
    const dl_dataset *ds;

    DL_TRY(dl_file_load(&source.text, &source.len, source.file, MAX_FILE, err,
                        pool));
    DL_TRY(dl_dataset_parse(&ds, &source, err, pool));
    return add_dataset(list, ds, source.file, err);
}

static int compare_datasets(const void *a, const void *b)
{
    const dl_dataset *const *left = a;
    const dl_dataset *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

const char *dl_field_type_text(dl_field_type type)
{
    static const char *const texts[] = {
        [DL_FIELD_STR] = "str",   [DL_FIELD_INT] = "int",
        [DL_FIELD_DEC] = "dec",   [DL_FIELD_NUM] = "num",
        [DL_FIELD_BOOL] = "bool", [DL_FIELD_TIME] = "time",
        [DL_FIELD_DATE] = "date", [DL_FIELD_ANY] = "any"};

    return texts[type];
}

dl_status dl_dataset_load_all(dl_dataset_set **set, const dl_config *cfg,
                              dl_error *err, apr_pool_t *result_pool)
{
    apr_array_header_t *list =
        apr_array_make(result_pool, 8, sizeof(const dl_dataset *));
    dl_dataset_set *made = apr_pcalloc(result_pool, sizeof *made);
    apr_array_header_t *names;
    const dl_zone *zone;

    DL_TRY(dl_zone_load(&zone, cfg->datasets.event_zone, err, result_pool));
    DL_TRY(list_files(&names, cfg->datasets.dir, err, result_pool));
    for (int i = 0; i < names->nelts; i++) {
        DL_TRY(load_file(list, cfg, APR_ARRAY_IDX(names, i, const char *), zone,
                         err, result_pool));
    }
    made->n = list->nelts;
    made->datasets = (const dl_dataset **)(void *)list->elts;
    for (int i = 0; i < cfg->datasets.topics.n; i++) {
        const char *name = cfg->datasets.topics.names[i];
        const dl_dataset *ds;

        /* A topic may get its declaration later: that one wins. */
        if (dl_dataset_find(made, name) != NULL) {
            continue;
        }
        DL_TRY(dl_dataset_create_untyped(&ds, name, zone, err, result_pool));
        DL_TRY(add_dataset(list, ds, cfg->file, err));
        made->n = list->nelts;
        made->datasets = (const dl_dataset **)(void *)list->elts;
    }
    qsort(made->datasets, (size_t)made->n, sizeof *made->datasets,
          compare_datasets);
    *set = made;
    return DL_OK;
}
