/* dl_lake_column.c - The columns of a dataset and their names.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_column.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_crc.h"
#include "dl_lake_bytes.h"

/* Formats in which a time that is not the event time may stand. */
#define ANY_TIME (DL_TIME_UNIX | DL_TIME_RFC3339 | DL_TIME_LOCAL)

/* Years at which a zone is looked at for its sum, each four times. */
#define FIRST_YEAR 1970
#define LAST_YEAR  2069

/* --- Names ----------------------------------------------------------------- */

/* Return whether FIELD of DS has a column of KIND. */
static bool has_column(const dl_dataset *ds, int field,
                       dl_lake_column_kind kind)
{
    switch (ds->fields[field].type) {
    case DL_FIELD_INT:
    case DL_FIELD_DEC:
    case DL_FIELD_NUM:
        return kind == DL_LAKE_COLUMN_NUMBERS;
    case DL_FIELD_TIME:
    case DL_FIELD_DATE:
        return kind == DL_LAKE_COLUMN_TIMES;
    case DL_FIELD_STR:
        return kind == DL_LAKE_COLUMN_KEYS && ds->fields[field].key;
    case DL_FIELD_BOOL:
    case DL_FIELD_ANY:
        break;
    }
    return false;
}

/* Return the formats in which the time FIELD of DS may stand. */
static unsigned formats_of(const dl_dataset *ds, int field)
{
    if (dl_dataset_is_time(ds, field)) {
        return ds->time_formats;
    }
    return ds->fields[field].type == DL_FIELD_DATE ? DL_TIME_DATE : ANY_TIME;
}

/* Return a sum of how ZONE is ahead of UTC through the years. */
static uint32_t sum_of_zone(const dl_zone *zone)
{
    uint32_t crc = 0;

    for (int year = FIRST_YEAR; year <= LAST_YEAR; year++) {
        uint8_t offsets[16];

        for (int i = 0; i < 4; i++) {
            dl_time t = dl_day_start(dl_day_of(year, 1 + 3 * i, 1));

            dl_lake_put_u32(offsets + (size_t)4 * (size_t)i,
                            (uint32_t)dl_zone_offset_s(zone, t));
        }
        crc = dl_crc32c(crc, offsets, sizeof offsets);
    }
    return crc;
}

const char *dl_lake_column_name(const dl_dataset *ds, int field,
                                dl_lake_column_kind kind,
                                apr_pool_t *result_pool)
{
    const dl_field *f = &ds->fields[field];
    const char *name = f->path;

    if (!has_column(ds, field, kind)) {
        return NULL;
    }
    for (int i = 0; i < f->n_alternates; i++) {
        name = apr_pstrcat(result_pool, name, "\"", f->alternates[i], NULL);
    }
    if (kind == DL_LAKE_COLUMN_TIMES) {
        unsigned formats = formats_of(ds, field);

        name = (formats & DL_TIME_LOCAL) != 0
                   ? apr_psprintf(result_pool, "%u %08x\"%s", formats,
                                  sum_of_zone(ds->zone), name)
                   : apr_psprintf(result_pool, "%u\"%s", formats, name);
    }
    return name;
}

/* --- All of a dataset ------------------------------------------------------ */

/* What is being put together. */
typedef struct maker {
    const dl_dataset *ds;    /* whose columns */
    dl_lake_columns *made;   /* the result */
    dl_lake_column *columns; /* of it */
    const char **paths;      /* of the slots so far */
    apr_pool_t *pool;        /* of the result */
} maker;

/* Return the slot of PATH, new or not. */
static int slot_of(maker *m, const char *path)
{
    int i;

    for (i = 0; i < m->made->n_slots; i++) {
        if (strcmp(m->paths[i], path) == 0) {
            return i;
        }
    }
    m->paths[m->made->n_slots++] = path;
    return i;
}

/* Make the slots of all fields that have a column in order of the
 * declaration, in which the scanner guesses members. */
static void add_slots(maker *m)
{
    for (int i = 0; i < m->ds->n_fields; i++) {
        if (has_column(m->ds, i, DL_LAKE_COLUMN_NUMBERS) ||
            has_column(m->ds, i, DL_LAKE_COLUMN_TIMES) ||
            has_column(m->ds, i, DL_LAKE_COLUMN_KEYS)) {
            (void)slot_of(m, m->ds->fields[i].path);
        }
    }
}

/* Add the column of KIND of FIELD, if it has one and there is room. */
static void add_column(maker *m, int field, dl_lake_column_kind kind)
{
    const dl_field *f = &m->ds->fields[field];
    const char *name = dl_lake_column_name(m->ds, field, kind, m->pool);
    dl_lake_column *column = &m->columns[m->made->n];
    int *slots;

    if (name == NULL || m->made->n == DL_LAKE_COLUMNS) {
        return;
    }
    column->kind = kind;
    column->name = name;
    column->n_slots = 1 + f->n_alternates;
    slots = apr_palloc(m->pool, (size_t)column->n_slots * sizeof *slots);
    slots[0] = slot_of(m, f->path);
    for (int i = 1; i < column->n_slots; i++) {
        slots[i] = slot_of(m, f->alternates[i - 1]);
    }
    column->slots = slots;
    column->formats = formats_of(m->ds, field);
    column->zone = m->ds->zone;
    m->made->n++;
}

dl_status dl_lake_columns_create(const dl_lake_columns **columns,
                                 const dl_dataset *ds, dl_error *err,
                                 apr_pool_t *result_pool)
{
    maker m = {.ds = ds, .pool = result_pool};
    int paths = 0;

    m.made = apr_pcalloc(result_pool, sizeof *m.made);
    m.columns =
        apr_pcalloc(result_pool, (DL_LAKE_COLUMNS + 1) * sizeof *m.columns);
    m.made->columns = m.columns;
    for (int i = 0; i < ds->n_fields; i++) {
        paths += 1 + ds->fields[i].n_alternates;
    }
    m.paths = apr_pcalloc(result_pool, (size_t)paths * sizeof *m.paths);
    add_slots(&m);
    if (ds->clock_field < 0) {
        add_column(&m, ds->time_field, DL_LAKE_COLUMN_TIMES);
    }
    for (int i = 0; i < ds->n_fields; i++) {
        add_column(&m, i, DL_LAKE_COLUMN_KEYS);
    }
    for (int i = 0; i < ds->n_fields; i++) {
        add_column(&m, i, DL_LAKE_COLUMN_NUMBERS);
        if (i != ds->time_field) {
            add_column(&m, i, DL_LAKE_COLUMN_TIMES);
        }
    }
    DL_TRY(dl_json_shape_create(&m.made->shape, m.paths, m.made->n_slots, err,
                                result_pool));
    *columns = m.made;
    return DL_OK;
}

dl_json_slice dl_lake_column_value(const dl_lake_column *column,
                                   const dl_json_slice *slots)
{
    dl_json_slice slice = slots[column->slots[0]];

    for (int i = 1; slice.kind <= DL_JSON_NULL && i < column->n_slots; i++) {
        dl_json_slice other = slots[column->slots[i]];

        slice = other.kind > DL_JSON_NULL ? other : slice;
    }
    return slice;
}
