/* mdl_api_version.c - GET /api/audit/version/: a day's records, as they stand
 * now or stood after an earlier commit.
 *
 * Records are sent byte for byte as stored.  The first stretch of lines is
 * read before the status line goes out, so a damaged day is 503; damage
 * further on cuts the connection.  Memory is one stretch (dl_lake_reader.h)
 * and one brigade, whatever the day's size.  CSV reads the day twice: its
 * columns are the names its records have.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include <string.h>

#include <apr_strings.h>

#include "dl_csv.h"
#include "dl_json.h"
#include "dl_lake_files.h"
#include "dl_lake_reader.h"
#include "dl_log.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_grant.h"
#include "mdl_http.h"
#include "mdl_problem.h"
#include "mdl_record.h"
#include "mdl_site.h"

/* Room for one record with _dl, and for its row: every byte a quotation
 * mark, and a comma a column. */
#define ROW_MAX ((size_t)2 * DL_JSON_MAX_BYTES + 65536)

enum {
    DATE,
    DATASET,
    VERSION,
    AS_OF,
    META
};

const mdl_param mdl_api_version_params[] = {
    [DATE] = {.name = "date",
              .type = MDL_PARAM_DATE,
              .resource = true,
              .required = true,
              .summary = "Which day"},
    [DATASET] = {.name = "dataset",
                 .type = MDL_PARAM_TEXT,
                 .resource = true,
                 .min = 1,
                 .max = 255,
                 .fallback = "transaction_log",
                 .summary = "Whose day"},
    [VERSION] = {.name = "version",
                 .type = MDL_PARAM_INT,
                 .min = 1,
                 .max = INT64_MAX,
                 .summary = "As after this commit of the day"},
    [AS_OF] = {.name = "as_of",
               .type = MDL_PARAM_TIME,
               .summary = "As after the last commit until then"},
    [META] = {.name = "meta",
              .type = MDL_PARAM_BOOL,
              .fallback = "false",
              .summary = "Add _dl, where each record came from"},
    {.name = NULL}};

/* One day on its way out. */
typedef struct day_stream {
    mdl_request *q;      /* the request */
    dl_lake_scan *scan;  /* the lines */
    dl_lake_scan *first; /* the same, to find columns; NULL: not CSV */
    mdl_stream *out;     /* the answer; NULL until the first lines are read */
    dl_buf *row;         /* scratch for a row, and for a record with _dl */
    dl_csv *csv;         /* columns; NULL: not CSV */
    const char *topic;   /* the dataset's name, which is the topic's */
    const char *name;    /* "dataset/date.json" */
    dl_time begun;       /* first commit of the day */
    uint64_t lines;      /* lines sent so far */
    bool array;          /* JSON array, else a line each */
} day_stream;

/* Send what stands between two records, or before the first one. */
static dl_status write_before(day_stream *day, dl_error *err)
{
    const char *text = day->lines == 0 ? "[" : ",";

    day->lines++;
    if (!day->array) {
        return DL_OK;
    }
    return mdl_stream_write(day->out, text, 1, err);
}

/* Send what stands behind the last record. */
static dl_status write_end(day_stream *day, dl_error *err)
{
    if (!day->array) {
        return DL_OK;
    }
    return day->lines == 0 ? mdl_stream_write(day->out, "[]", 2, err)
                           : mdl_stream_write(day->out, "]", 1, err);
}

/* --- Records as they stand --------------------------------------------------
 */

/* Send the LEN bytes of whole lines at DATA as elements of an array. */
static dl_status write_elements(day_stream *day, const char *data, size_t len,
                                dl_error *err)
{
    const char *end = data + len;

    while (data < end) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        size_t n = (size_t)((newline != NULL ? newline : end) - data);

        DL_TRY(write_before(day, err));
        DL_TRY(mdl_stream_write(day->out, data, n, err));
        data += n + 1;
    }
    return DL_OK;
}

/* Send all lines from the LEN bytes at DATA, which were read already, on. */
static dl_status write_plain(day_stream *day, const char *data, size_t len,
                             dl_error *err)
{
    while (data != NULL) {
        if (day->array) {
            DL_TRY(write_elements(day, data, len, err));
        }
        else {
            DL_TRY(mdl_stream_write(day->out, data, len, err));
        }
        DL_TRY(dl_lake_scan_chunk(&data, &len, day->scan, err));
    }
    return write_end(day, err);
}

/* --- Records with _dl -------------------------------------------------------
 */

/* Make LINE with _dl as its last member in the row buffer. */
static dl_status make_row(day_stream *day, const dl_lake_line *line,
                          dl_error *err)
{
    mdl_record form = {.topic = day->topic, .meta = true};

    day->row->len = 0;
    return mdl_record_write(day->row, &form, line, day->q->values[DATE].day,
                            err);
}

/* Send LINE with _dl as its last member. */
static dl_status write_line(day_stream *day, const dl_lake_line *line,
                            dl_error *err)
{
    DL_TRY(make_row(day, line, err));
    DL_TRY(write_before(day, err));
    DL_TRY(mdl_stream_write(day->out, day->row->data, day->row->len, err));
    return day->array ? DL_OK : mdl_stream_write(day->out, "\n", 1, err);
}

/* Send all lines from LINE, which was read already, on. */
static dl_status write_with_meta(day_stream *day, dl_lake_line *line,
                                 dl_error *err)
{
    while (line->text != NULL) {
        DL_TRY(write_line(day, line, err));
        DL_TRY(dl_lake_scan_next(line, day->scan, err));
    }
    return write_end(day, err);
}

/* --- Records as CSV ---------------------------------------------------------
 */

/* Set *TEXT and *LEN to LINE, with _dl when that is asked for. */
static dl_status whole_record(const char **text, size_t *len, day_stream *day,
                              const dl_lake_line *line, dl_error *err)
{
    *text = line->text;
    *len = line->len;
    if (!day->q->values[META].flag) {
        return DL_OK;
    }
    DL_TRY(make_row(day, line, err));
    *text = day->row->data;
    *len = day->row->len;
    return DL_OK;
}

/* Find the columns of all records. */
static dl_status learn_columns(day_stream *day, dl_error *err)
{
    dl_lake_scan *scan = day->first;
    dl_lake_line line;
    const char *text;
    size_t len;

    day->csv = dl_csv_create(day->q->r->pool);
    DL_TRY(dl_lake_scan_next(&line, scan, err));
    while (line.text != NULL) {
        DL_TRY(whole_record(&text, &len, day, &line, err));
        DL_TRY(dl_csv_learn(day->csv, text, len, err));
        DL_TRY(dl_lake_scan_next(&line, scan, err));
    }
    return DL_OK;
}

/* Send all lines from LINE, which was read already, on. */
static dl_status write_csv(day_stream *day, dl_lake_line *line, dl_error *err)
{
    dl_buf *out = mdl_answer_buf(day->q, ROW_MAX);
    const char *text;
    size_t len;

    DL_TRY(dl_csv_header(out, day->csv, err));
    DL_TRY(mdl_stream_write(day->out, out->data, out->len, err));
    while (line->text != NULL) {
        out->len = 0;
        DL_TRY(whole_record(&text, &len, day, line, err));
        DL_TRY(dl_csv_row(out, day->csv, text, len, err));
        DL_TRY(mdl_stream_write(day->out, out->data, out->len, err));
        DL_TRY(dl_lake_scan_next(line, day->scan, err));
    }
    return DL_OK;
}

/* --- The request ------------------------------------------------------------
 */

/* Set the scan of DAY, and when the day began, to what the request asks for. */
static dl_status open_day(day_stream *day, dl_error *err)
{
    mdl_request *q = day->q;
    dl_lake_range range = {
        .day = q->values[DATE].day,
        .version =
            q->values[VERSION].given ? (uint64_t)q->values[VERSION].number : 0,
        .as_of = q->values[AS_OF].given ? q->values[AS_OF].time : DL_TIME_NONE,
        .with_coords = q->values[META].flag};
    dl_lake_snapshot *snap;

    DL_TRY(
        mdl_lake_snapshot(&snap, q->site->lake, day->topic, err, q->r->pool));
    DL_TRY(dl_lake_scan_open(&day->scan, snap, &range, err, q->r->pool));
    day->begun = dl_lake_day_begun(snap, range.day, q->r->pool);
    return q->format == MDL_FORMAT_CSV && !q->r->header_only
               ? dl_lake_scan_open(&day->first, snap, &range, err, q->r->pool)
               : DL_OK;
}

/* Tell which state of the day is answered; return whether the client has it.
 */
static bool unchanged(const day_stream *day)
{
    const dl_lake_day *state = dl_lake_scan_day(day->scan);
    apr_pool_t *pool = day->q->r->pool;
    const char *identity = apr_psprintf(
        pool, "%s %" PRId64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %d %" PRIx64,
        day->name, day->begun, state->version, state->bytes, state->records,
        day->q->values[META].flag ? 1 : 0, mdl_grant_mark(day->q));
    char etag[MDL_ETAG_TEXT];

    mdl_answer_header(day->q, "X-Version",
                      apr_psprintf(pool, "%" PRIu64, state->version));
    mdl_answer_etag(etag, identity, strlen(identity));
    return mdl_answer_unchanged(day->q, etag);
}

/* Send everything from the first lines, LINE or the LEN bytes at DATA, on. */
static dl_status write_day(day_stream *day, dl_lake_line *line,
                           const char *data, size_t len, dl_error *err)
{
    if (!mdl_stream_wanted(day->out)) {
        return DL_OK;
    }
    if (day->csv != NULL) {
        return write_csv(day, line, err);
    }
    return day->q->values[META].flag ? write_with_meta(day, line, err)
                                     : write_plain(day, data, len, err);
}

/* Read the first lines, then begin the answer and send everything. */
static int send_day(day_stream *day)
{
    bool by_line = day->q->values[META].flag || day->first != NULL;
    dl_error err = {DL_OK, 0, ""};
    dl_lake_line line = {.text = NULL};
    const char *data = NULL;
    size_t len = 0;
    dl_status status = day->first != NULL ? learn_columns(day, &err) : DL_OK;

    if (status == DL_OK) {
        status = by_line ? dl_lake_scan_next(&line, day->scan, &err)
                         : dl_lake_scan_chunk(&data, &len, day->scan, &err);
    }
    if (status != DL_OK) {
        return mdl_http_fail(day->q, MDL_LAKE, &err);
    }
    day->q->rows = dl_lake_scan_day(day->scan)->records;
    day->out = mdl_stream_open(day->q, NULL);
    status = write_day(day, &line, data, len, &err);
    if (status != DL_OK && day->q->r->connection->aborted == 0) {
        dl_log(DL_LOG_ERROR, "DL1120: %s: %s", day->name, err.text);
    }
    return mdl_stream_close(day->out, status != DL_OK);
}

int mdl_api_version(mdl_request *q)
{
    char date[DL_DAY_TEXT];
    day_stream day = {.q = q,
                      .topic = q->values[DATASET].text,
                      .array = q->format == MDL_FORMAT_JSON};
    dl_error err = {DL_OK, 0, ""};
    dl_status status;

    if (q->values[VERSION].given && q->values[AS_OF].given) {
        return mdl_param_refuse(q, &mdl_api_version_params[AS_OF], "exclusive",
                                "version and as_of exclude each other");
    }
    dl_day_format(date, q->values[DATE].day);
    day.name = apr_pstrcat(q->r->pool, day.topic, "/", date, ".json", NULL);
    day.row = mdl_answer_buf(q, ROW_MAX);
    status = open_day(&day, &err);
    if (status == DL_NOT_FOUND) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
                           "There is no such day or version.");
    }
    if (status != DL_OK) {
        return mdl_http_fail(q, MDL_LAKE, &err);
    }
    if (unchanged(&day)) {
        return mdl_answer_not_modified(q);
    }
    return send_day(&day);
}
