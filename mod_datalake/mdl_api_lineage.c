/* mdl_api_lineage.c - GET /api/lineage/record/: from a record to its message,
 * its place in the lake, its row, and back.
 *
 * Asked for by key, the newest message with it is told and the others are its
 * copies; asked for by partition and offset, that message is.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include <string.h>

#include <apr_strings.h>

#include "dl_dataset.h"
#include "dl_grant.h"
#include "dl_json_write.h"
#include "dl_lake_locate.h"
#include "dl_lake_reader.h"
#include "dl_sha256.h"
#include "dl_wh_sink.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_key.h"
#include "mdl_lake.h"
#include "mdl_problem.h"
#include "mdl_site.h"

/* No answer is larger: MDL_KEY_COPIES copies, a key of 1 MiB as JSON writes
 * it, twice. */
#define ANSWER_MAX ((size_t)16 * 1024 * 1024)

enum {
    DATASET,
    ID,
    PARTITION,
    OFFSET
};

const mdl_param mdl_api_lineage_params[] = {
    MDL_PARAM_DATASET(DATASET, "Whose record"),
    [ID] = {.name = "id",
            .type = MDL_PARAM_TEXT,
            .min = 1,
            .max = 1024,
            .summary = "Its business key; or partition and offset"},
    [PARTITION] = {.name = "partition",
                   .type = MDL_PARAM_INT,
                   .min = 0,
                   .max = INT32_MAX,
                   .summary = "Partition of its message"},
    [OFFSET] = {.name = "offset",
                .type = MDL_PARAM_INT,
                .min = 0,
                .max = INT64_MAX,
                .summary = "Offset of its message"},
    {.name = NULL}};

/* One request. */
typedef struct lineage {
    mdl_request *q;           /* httpd's side of it */
    const dl_dataset *ds;     /* whose record; NULL: nobody declares it */
    const char *name;         /* of the dataset */
    dl_lake_snapshot *snap;   /* the state that is answered from */
    dl_lake_location at;      /* the record */
    const dl_line_note *note; /* what its message had beside it */
    const char *key;          /* its key, NULL: none */
    mdl_copies copies;        /* all with this key, itself too */
    const char *table;        /* of its rows, NULL: none */
    const char *row;          /* what makes its row there unique */
    bool present;             /* there is such a row */
    bool current;             /* it came from this very message */
} lineage;

/* --- Finding ---------------------------------------------------------------- */

/* Set *SPOT to the record that was asked for. */
static dl_status find_spot(dl_lake_spot *spot, lineage *l, dl_error *err)
{
    const mdl_value *values = l->q->values;
    const dl_lake_totals *totals = dl_lake_snapshot_totals(l->snap);

    if (values[ID].given) {
        DL_TRY(mdl_key_find(&l->copies, l->q, l->snap, l->ds, values[ID].text,
                            err));
        if (l->copies.n == 0) {
            return dl_fail(err, DL_NOT_FOUND, 0, "no record has this key");
        }
        *spot = l->copies.all[0].spot;
        return DL_OK;
    }
    return dl_lake_locate_offset(
        spot, l->snap,
        &(dl_coord){.generation = totals->generation,
                    .partition = (int32_t)values[PARTITION].number,
                    .offset = values[OFFSET].number},
        err, l->q->r->pool);
}

static dl_status find_record(lineage *l, dl_error *err)
{
    dl_lake_line line;
    dl_lake_spot spot = {.line = 0};

    DL_TRY(mdl_lake_snapshot(&l->snap, l->q->site->lake, l->name, err,
                             l->q->r->pool));
    DL_TRY(find_spot(&spot, l, err));
    DL_TRY(dl_lake_locate_line(&l->at, l->snap, &spot, err, l->q->r->pool));
    DL_TRY(dl_lake_line_note(&line, l->snap, spot.day, spot.line, err,
                             l->q->r->pool));
    l->note = line.note;
    if (l->ds == NULL || l->ds->key_field < 0) {
        return DL_OK;
    }
    l->key = mdl_key_of(l->q, l->ds, l->at.text, l->at.len);
    if (l->copies.all != NULL || l->key == NULL) {
        return DL_OK;
    }
    return mdl_key_find(&l->copies, l->q, l->snap, l->ds, l->key, err);
}

/* Ask the warehouse for the row. */
static dl_status find_row(struct dl_wh *wh, void *context, dl_error *err)
{
    lineage *l = context;
    dl_wh_source source;
    dl_status status = dl_wh_sink_row(&source, wh, l->table, l->row, err);

    l->present = status == DL_OK;
    l->current = l->present && source.offset == l->at.coord.offset &&
                 source.partition == l->at.coord.partition &&
                 source.generation == l->at.coord.generation;
    return status == DL_NOT_FOUND ? DL_OK : status;
}

/* --- Writing ---------------------------------------------------------------- */

static void write_number(dl_json_writer *w, const char *name, uint64_t value)
{
    dl_json_write_key(w, name);
    dl_json_write_int(w, (int64_t)value);
}

static void write_resource(dl_json_writer *w, const lineage *l, dl_day day)
{
    char text[DL_RESOURCE_MAX + 1];
    dl_resource resource;

    dl_resource_of_day(&resource, text, l->name, day);
    dl_json_write_key(w, "resource");
    dl_json_write_string(w, resource.text, resource.len);
}

/* Write the key that the message had. */
static void write_key(dl_json_writer *w, const lineage *l)
{
    switch (l->note->key_kind) {
    case DL_LINE_KEY_SAME:
        dl_json_write_text(w, l->key);
        return;
    case DL_LINE_KEY_KEPT:
        dl_json_write_string(w, l->note->key, l->note->key_len);
        return;
    case DL_LINE_KEY_NONE:
    case DL_LINE_KEY_LONG:
        dl_json_write_null(w);
        return;
    }
}

/* Whether a header behind the one at place I of NOTE has its name. */
static bool comes_again(const dl_line_note *note, int i)
{
    const dl_line_header *header = &note->headers[i];
    int k;

    for (k = i + 1; k < note->n; k++) {
        if (note->headers[k].name_len == header->name_len &&
            memcmp(note->headers[k].name, header->name, header->name_len) ==
                0) {
            return true;
        }
    }
    return false;
}

/* Write the headers of the message, of several of one name the last. */
static void write_headers(dl_json_writer *w, const lineage *l)
{
    const dl_line_note *note = l->note;
    int i;

    dl_json_write_key(w, "headers");
    dl_json_write_object_begin(w);
    for (i = 0; i < note->n; i++) {
        const dl_line_header *header = &note->headers[i];

        if (!comes_again(note, i)) {
            dl_json_write_key(w, apr_pstrmemdup(l->q->r->pool, header->name,
                                                header->name_len));
            dl_json_write_string(w, header->value, header->len);
        }
    }
    dl_json_write_object_end(w);
}

static void write_kafka(dl_json_writer *w, const lineage *l)
{
    dl_json_write_key(w, "kafka");
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "topic");
    dl_json_write_text(w, l->ds != NULL ? l->ds->topic : l->name);
    write_number(w, "partition", (uint64_t)l->at.coord.partition);
    write_number(w, "offset", (uint64_t)l->at.coord.offset);
    dl_json_write_key(w, "timestamp");
    dl_json_write_time(w, l->at.coord.time);
    dl_json_write_key(w, "key");
    write_key(w, l);
    write_headers(w, l);
    dl_json_write_object_end(w);
}

static void write_lake(dl_json_writer *w, const lineage *l)
{
    dl_sha256 *sum = dl_sha256_create(l->q->r->pool);
    char digest[DL_SHA256_TEXT];

    dl_sha256_add(sum, l->at.text, l->at.len);
    dl_sha256_text(digest, sum);
    dl_json_write_key(w, "lake");
    dl_json_write_object_begin(w);
    write_resource(w, l, l->at.spot.day);
    write_number(w, "line", l->at.spot.line);
    write_number(w, "byte_start", l->at.byte_start);
    write_number(w, "byte_end", l->at.byte_end);
    write_number(w, "version", l->at.version);
    dl_json_write_key(w, "sha256");
    dl_json_write_text(w, digest);
    dl_json_write_object_end(w);
}

static void write_row(dl_json_writer *w, const lineage *l)
{
    dl_json_write_key(w, "warehouse");
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "table");
    dl_json_write_text(w, l->table);
    dl_json_write_key(w, "present");
    dl_json_write_bool(w, l->present);
    dl_json_write_key(w, "current");
    dl_json_write_bool(w, l->current);
    dl_json_write_object_end(w);
}

/* Write NAME: what the message's header HEADER says, else ABSENT. */
static void write_header(dl_json_writer *w, const lineage *l, const char *name,
                         const char *header, const char *absent)
{
    const char *value;
    size_t len;

    dl_json_write_key(w, name);
    if (dl_line_note_find(&value, &len, l->note, header)) {
        dl_json_write_string(w, value, len);
    }
    else {
        dl_json_write_text(w, absent);
    }
}

static void write_origin(dl_json_writer *w, const lineage *l)
{
    dl_json_write_key(w, "origin");
    dl_json_write_object_begin(w);
    write_header(w, l, "origin", "dl-origin", "unknown");
    write_header(w, l, "replay_id", "dl-replay-id", NULL);
    write_header(w, l, "request_id", "dl-request-id", NULL);
    dl_json_write_object_end(w);
}

/* Whether COPY is the record itself. */
static bool is_itself(const lineage *l, const mdl_copy *copy)
{
    return copy->spot.day == l->at.spot.day &&
           copy->spot.line == l->at.spot.line;
}

static void write_copies(dl_json_writer *w, const lineage *l)
{
    int i;

    dl_json_write_key(w, "copies");
    dl_json_write_array_begin(w);
    for (i = 0; i < l->copies.n; i++) {
        const mdl_copy *copy = &l->copies.all[i];

        if (!is_itself(l, copy)) {
            dl_json_write_object_begin(w);
            write_number(w, "partition", (uint64_t)copy->coord.partition);
            write_number(w, "offset", (uint64_t)copy->coord.offset);
            write_resource(w, l, copy->spot.day);
            write_number(w, "line", copy->spot.line);
            dl_json_write_object_end(w);
        }
    }
    dl_json_write_array_end(w);
}

static int answer(const lineage *l)
{
    dl_buf *buf = mdl_answer_buf(l->q, ANSWER_MAX);
    dl_error err;
    dl_json_writer w;

    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "dataset");
    dl_json_write_text(&w, l->name);
    dl_json_write_key(&w, "key");
    dl_json_write_text(&w, l->key);
    write_kafka(&w, l);
    write_lake(&w, l);
    write_row(&w, l);
    write_origin(&w, l);
    write_copies(&w, l);
    dl_json_write_object_end(&w);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return mdl_http_fail(l->q, MDL_OURSELVES, &err);
    }
    return mdl_answer_buffer(l->q, buf);
}

/* --- The request ------------------------------------------------------------ */

/* Judge which parameters came together. */
static int check(const lineage *l)
{
    mdl_request *q = l->q;
    bool by_place = q->values[PARTITION].given || q->values[OFFSET].given;

    if (q->values[ID].given && by_place) {
        return mdl_param_refuse(q, &mdl_api_lineage_params[ID], "exclusive",
                                "id excludes partition and offset");
    }
    if (!q->values[ID].given && !q->values[PARTITION].given) {
        return mdl_param_refuse(
            q, &mdl_api_lineage_params[by_place ? PARTITION : ID], "required",
            "id, or partition and offset, is needed");
    }
    if (q->values[PARTITION].given && !q->values[OFFSET].given) {
        return mdl_param_refuse(q, &mdl_api_lineage_params[OFFSET], "required",
                                "partition needs offset");
    }
    if (q->values[ID].given && l->ds == NULL) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND, "%s",
                           "No dataset of this name declares a key; records "
                           "of others are found by partition and offset.");
    }
    if (q->values[ID].given && l->ds->key_field < 0) {
        return mdl_param_refuse(
            q, &mdl_api_lineage_params[ID], "no-key",
            "the dataset declares no key; ask by partition and offset");
    }
    return OK;
}

int mdl_api_lineage(mdl_request *q)
{
    lineage l = {.q = q, .name = q->values[DATASET].text};
    dl_error err = {DL_OK, 0, ""};
    dl_status status;
    int refused;

    l.ds = dl_dataset_find(q->site->datasets, l.name);
    refused = check(&l);
    if (refused != OK) {
        return refused;
    }
    status = find_record(&l, &err);
    if (status == DL_NOT_FOUND) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND, "%s",
                           "The lake has no such record.");
    }
    if (status != DL_OK) {
        return mdl_http_fail(q, MDL_LAKE, &err);
    }
    if (l.ds != NULL && l.ds->table != NULL && dl_wh_sink_knows(l.ds->table)) {
        l.table = l.ds->table;
        l.row = mdl_key_row(q, l.ds, l.at.text, l.at.len);
    }
    if (l.row != NULL) {
        if (mdl_wh_read(q->site->wh, find_row, &l, &err) != DL_OK) {
            return mdl_http_fail(q, MDL_WAREHOUSE, &err);
        }
    }
    return answer(&l);
}
