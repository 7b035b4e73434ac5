/* dlc_collect_record.c - Rows mapped and looked through for their key.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_collect_record.h"

#include <string.h>

#include "dl_buf.h"
#include "dl_json.h"
#include "dl_log.h"
#include "dl_mapping.h"

struct dlc_collect_maker {
    const dl_config_source *source;    /* its section */
    dl_mapping *mapping;               /* what it says */
    bool plain;                        /* JSON objects stay as they are */
    const dl_mapping_columns *columns; /* those of PLAN */
    dl_mapping_plan *plan;             /* the mapping of these */
    apr_pool_t *plan_pool;             /* of PLAN */
    dl_buf *value;                     /* of a mapped row */
    const char *key_path;              /* the key; NULL: there is none */
    const dl_json_shape *shape;        /* picks it out */
    char *scratch;                     /* of a scan */
    char *key;                         /* with its escapes undone */
    dl_error fault;                    /* why a row cannot be mapped */
};

/* Room for a key; a longer one counts as none. */
#define KEY_MAX ((size_t)4096)

/* Read mapping and transforms of SOURCE. */
static dl_status create_mapping(dl_mapping **mapping,
                                const dl_config_source *source, dl_error *err,
                                apr_pool_t *pool)
{
    dl_mapping_transform *transforms = apr_palloc(
        pool, ((size_t)source->n_transforms + 1) * sizeof *transforms);
    dl_mapping_rules rules = {.mapping = source->mapping,
                              .transforms = transforms,
                              .n = source->n_transforms};
    dl_error why = {0};
    dl_status status;

    for (int i = 0; i < source->n_transforms; i++) {
        transforms[i] = (dl_mapping_transform){source->transforms[i].member,
                                               source->transforms[i].text};
    }
    status = dl_mapping_create(mapping, &rules, &why, pool);
    if (status != DL_OK) {
        return dl_fail(err, status, 0, "[source %s]: %s", source->name,
                       why.text);
    }
    return DL_OK;
}

dl_status dlc_collect_maker_create(dlc_collect_maker **maker,
                                   const dl_config_source *source,
                                   const dl_dataset *ds, dl_error *err,
                                   apr_pool_t *pool)
{
    dlc_collect_maker *m = apr_pcalloc(pool, sizeof *m);

    m->source = source;
    DL_TRY(create_mapping(&m->mapping, source, err, pool));
    m->plain = dl_mapping_plain(m->mapping);
    if (ds->key_field >= 0) {
        m->key_path = ds->fields[ds->key_field].path;
        DL_TRY(dl_json_shape_create(&m->shape, &m->key_path, 1, err, pool));
    }
    else {
        DL_TRY(dl_json_shape_create(&m->shape, NULL, 0, err, pool));
    }
    m->value = dl_buf_create(DL_SPLIT_MAX * 2, pool);
    m->scratch = dl_buf_memory(DL_JSON_MAX_BYTES + DL_JSON_SLACK, pool);
    m->key = dl_buf_memory(KEY_MAX, pool);
    apr_pool_create(&m->plan_pool, pool);
    *maker = m;
    return DL_OK;
}

/* Learn COLUMNS. */
static dl_status bind_columns(dlc_collect_maker *m, const dlc_collect_row *row,
                              dl_error *err)
{
    const char *missing = NULL;

    apr_pool_clear(m->plan_pool);
    m->columns = NULL;
    DL_TRY(dl_mapping_bind(&m->plan, &missing, m->mapping, row->columns, err,
                           m->plan_pool));
    if (missing != NULL) {
        dl_log(DL_LOG_WARNING,
               "DL0916 source %s: %s has no column \"%.100s\", which mapping "
               "names; its member is left out",
               m->source->name, row->place, missing);
    }
    if (m->key_path != NULL) {
        dl_mapping_pick(m->plan, m->key_path);
    }
    m->columns = row->columns;
    return DL_OK;
}

/* Set the value of RECORD; its fault when ROW cannot be mapped. */
static dl_status map_row(dlc_collect_record *record, dlc_collect_maker *m,
                         const dlc_collect_row *row, dl_error *err)
{
    dl_status status;

    if (row->columns == NULL && m->plain) {
        record->value = row->object;
        record->len = row->object_len;
        return DL_OK;
    }
    if (row->columns != NULL && row->columns != m->columns) {
        DL_TRY(bind_columns(m, row, err));
    }
    m->value->len = 0;
    status = row->columns != NULL
                 ? dl_mapping_write(m->value, m->plan, row->cells, &m->fault)
                 : dl_mapping_write_json(m->value, m->mapping, row->object,
                                         row->object_len, &m->fault);
    if (status != DL_OK) {
        record->fault = m->fault.text;
        return DL_OK;
    }
    record->value = m->value->data;
    record->len = m->value->len;
    return DL_OK;
}

/* Set the key of RECORD from its value; MAPPED: which was made of cells. */
static void find_key(dlc_collect_record *record, dlc_collect_maker *m,
                     bool mapped)
{
    dl_json_slice slot = {.kind = DL_JSON_ABSENT};
    dl_json_result result;
    size_t at;
    size_t len;

    if (record->len > DL_JSON_MAX_BYTES) {
        record->fault = "it is longer than 1 MiB";
        return;
    }
    if (mapped && dl_mapping_picked(&at, &len, m->plan)) {
        if (len > 0 && len <= KEY_MAX) {
            record->key = record->value + at;
            record->key_len = len;
        }
        return;
    }
    if (dl_json_scan(&result, &slot, m->shape, m->scratch, record->value,
                     record->len) != DL_JSON_FINE) {
        record->fault = result.reason;
        return;
    }
    if (slot.len > KEY_MAX || slot.len == 0 ||
        (slot.kind != DL_JSON_STRING && slot.kind != DL_JSON_NUMBER)) {
        return;
    }
    record->key = slot.text;
    record->key_len = slot.len;
    if (slot.escaped != 0) {
        record->key_len = dl_json_unescape(m->key, slot);
        record->key = m->key;
    }
}

dl_status dlc_collect_maker_make(dlc_collect_record *record,
                                 dlc_collect_maker *maker,
                                 const dlc_collect_row *row, dl_error *err)
{
    record->key = maker->source->name;
    record->key_len = strlen(maker->source->name);
    record->fault = row->broken;
    if (record->fault == NULL) {
        DL_TRY(map_row(record, maker, row, err));
    }
    if (record->fault == NULL) {
        find_key(record, maker, row->columns != NULL);
    }
    if (record->fault != NULL) {
        record->value = row->raw;
        record->len = row->raw_len;
    }
    return DL_OK;
}
