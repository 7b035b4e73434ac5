/* mdl_day.c - Stretch by stretch from the lake to the stream.
 *
 * Lines as they stand are verified in memory and then sent out of their file
 * (mdl_stream_pass); an array is the same bytes with commas for newlines, so
 * both have a length that is known before.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_day.h"

#include <limits.h>
#include <string.h>

#include <ap_mpm.h>

#include "dl_csv.h"
#include "dl_json.h"
#include "dl_lake_stretch.h"
#include "dl_log.h"
#include "mdl_answer.h"
#include "mdl_client.h"
#include "mdl_http.h"
#include "mdl_places.h"
#include "mdl_problem.h"
#include "mdl_record.h"
#include "mdl_shm.h"

/* Bytes of rows that are passed on at once. */
#define BATCH ((size_t)65536)

/* Room for them and one record more with _dl, as a row: every byte a quotation
 * mark, and a comma a column. */
#define ROWS_MAX (BATCH + (size_t)2 * DL_JSON_MAX_BYTES + 65536)

/* Places there are at most. */
#define PLACES 512

/* Set at start, constant in the children. */
static _Atomic uint64_t *places;

/* One day on its way out. */
typedef struct sending {
    const mdl_day *day;      /* which */
    dl_lake_stretch stretch; /* lines at hand */
    dl_lake_room room;       /* has them */
    const char *data;        /* the first of them; NULL: no more */
    size_t len;              /* bytes of them */
    uint64_t lines;          /* lines up to and with them */
    mdl_stream *out;         /* the answer; NULL until it has begun */
    dl_buf *rows;            /* what is made of lines */
    dl_csv *csv;             /* columns; NULL: not CSV */
    dl_lake_line line;       /* line at hand, with coordinates */
} sending;

/* --- Lines ----------------------------------------------------------------- */

static apr_status_t end_sending(void *context)
{
    sending *s = context;

    dl_lake_stretch_release(&s->stretch);
    dl_lake_room_free(&s->room);
    return APR_SUCCESS;
}

/* Have the next lines of SCAN at hand. */
static dl_status next_lines(sending *s, dl_lake_scan *scan, dl_error *err)
{
    dl_lake_stretch_release(&s->stretch);
    s->data = NULL;
    DL_TRY(dl_lake_scan_plan(&s->stretch, scan, err));
    s->lines += s->stretch.lines;
    return s->stretch.lines == 0
               ? DL_OK
               : dl_lake_stretch_read(&s->data, &s->len, &s->stretch, &s->room,
                                      err);
}

static bool has_meta(const sending *s)
{
    return s->day->range.with_coords;
}

/* Have the first lines at hand, in the way in which they will be sent. */
static dl_status first_lines(sending *s, dl_error *err)
{
    s->lines = 0;
    return has_meta(s) ? dl_lake_scan_next(&s->line, s->day->scan, err)
                       : next_lines(s, s->day->scan, err);
}

/* Send what was made so far, once it is enough. */
static dl_status send_rows(sending *s, size_t enough, dl_error *err)
{
    mdl_piece piece = {.data = s->rows->data, .len = s->rows->len, .fd = -1};

    if (s->rows->len < enough) {
        return DL_OK;
    }
    s->rows->len = 0;
    return mdl_stream_pass(s->out, &piece, err);
}

/* --- As they stand --------------------------------------------------------- */

static dl_status send_lines(sending *s, dl_error *err)
{
    while (s->data != NULL) {
        mdl_piece piece = {.data = s->data, .len = s->len};
        uint64_t at = 0;

        piece.fd = dl_lake_stretch_file(&at, &s->stretch, &s->room, s->data);
        piece.at = (apr_off_t)at;
        DL_TRY(mdl_stream_pass(s->out, &piece, err));
        DL_TRY(next_lines(s, s->day->scan, err));
    }
    return DL_OK;
}

/* Make commas of the newlines of ROWS, and of the very last one, if LAST, the
 * end of the array. */
static void join_lines(dl_buf *rows, bool last)
{
    char *at = rows->data;
    char *end = at + rows->len;

    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        *at++ = ',';
    }
    if (last) {
        end[-1] = ']';
    }
}

static dl_status send_array(sending *s, dl_error *err)
{
    uint64_t all = dl_lake_scan_day(s->day->scan)->records;

    DL_TRY(mdl_stream_write(s->out, "[", 1, err));
    while (s->data != NULL) {
        s->rows->len = 0;
        DL_TRY(dl_buf_append(s->rows, s->data, s->len, err));
        join_lines(s->rows, s->lines == all);
        DL_TRY(send_rows(s, 0, err));
        DL_TRY(next_lines(s, s->day->scan, err));
    }
    return DL_OK;
}

/* --- With _dl -------------------------------------------------------------- */

/* Append the line at hand with _dl to the rows. */
static dl_status add_with_meta(sending *s, dl_buf *rows, dl_error *err)
{
    mdl_record form = {.topic = s->day->dataset, .meta = true};

    return mdl_record_write(rows, &form, &s->line, s->day->range.day, err);
}

static dl_status send_with_meta(sending *s, dl_error *err)
{
    bool array = s->day->q->format == MDL_FORMAT_JSON;

    while (s->line.text != NULL) {
        if (array) {
            DL_TRY(dl_buf_append(s->rows, s->lines++ == 0 ? "[" : ",", 1, err));
        }
        DL_TRY(add_with_meta(s, s->rows, err));
        if (!array) {
            DL_TRY(dl_buf_append(s->rows, "\n", 1, err));
        }
        DL_TRY(send_rows(s, BATCH, err));
        DL_TRY(dl_lake_scan_next(&s->line, s->day->scan, err));
    }
    if (array) {
        DL_TRY(dl_buf_append(s->rows, s->lines == 0 ? "[]" : "]",
                             s->lines == 0 ? 2 : 1, err));
    }
    return send_rows(s, 1, err);
}

/* --- CSV ------------------------------------------------------------------- */

/* Learn from, or make rows of, the records in the LEN bytes of lines at
 * DATA. */
static dl_status take_csv(sending *s, bool learn, const char *data, size_t len,
                          dl_error *err)
{
    const char *end = data + len;

    while (data < end) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        size_t n = (size_t)((newline != NULL ? newline : end) - data);

        if (learn) {
            DL_TRY(dl_csv_learn(s->csv, data, n, err));
        }
        else {
            DL_TRY(dl_csv_row(s->rows, s->csv, data, n, err));
            DL_TRY(send_rows(s, BATCH, err));
        }
        data += n + 1;
    }
    return DL_OK;
}

/* Learn from, or make rows of, the line at hand with _dl. */
static dl_status take_csv_with_meta(sending *s, dl_buf *whole, bool learn,
                                    dl_error *err)
{
    whole->len = 0;
    DL_TRY(add_with_meta(s, whole, err));
    return take_csv(s, learn, whole->data, whole->len, err);
}

/* Find the columns of all records. */
static dl_status learn_columns(sending *s, dl_error *err)
{
    const mdl_day *day = s->day;
    apr_pool_t *pool = day->q->r->pool;
    dl_buf *whole = mdl_answer_buf(day->q, ROWS_MAX);
    dl_lake_scan *scan;
    uint64_t line = 0;

    s->csv = dl_csv_create(pool);
    DL_TRY(dl_lake_scan_open(&scan, day->snap, &day->range, err, pool));
    for (;;) {
        DL_TRY(has_meta(s) ? dl_lake_scan_next(&s->line, scan, err)
                           : next_lines(s, scan, err));
        if (has_meta(s) ? s->line.text == NULL : s->data == NULL) {
            return DL_OK;
        }
        if ((!has_meta(s) || line++ % 256 == 0) && mdl_client_gone(day->q)) {
            return dl_fail(err, DL_IO, 0, "the client is gone");
        }
        DL_TRY(has_meta(s) ? take_csv_with_meta(s, whole, true, err)
                           : take_csv(s, true, s->data, s->len, err));
    }
}

static dl_status send_csv(sending *s, dl_error *err)
{
    dl_lake_scan *scan = s->day->scan;
    dl_buf *whole = mdl_answer_buf(s->day->q, ROWS_MAX);

    DL_TRY(dl_csv_header(s->rows, s->csv, err));
    while (has_meta(s) && s->line.text != NULL) {
        DL_TRY(take_csv_with_meta(s, whole, false, err));
        DL_TRY(dl_lake_scan_next(&s->line, scan, err));
    }
    while (!has_meta(s) && s->data != NULL) {
        DL_TRY(take_csv(s, false, s->data, s->len, err));
        DL_TRY(next_lines(s, scan, err));
    }
    return send_rows(s, 1, err);
}

/* --- Places ---------------------------------------------------------------- */

dl_status mdl_day_open(const server_rec *server, dl_error *err)
{
    void *memory;

    DL_TRY(mdl_shm_open(&memory, "long days", sizeof *places * PLACES, server,
                        err));
    places = memory;
    return DL_OK;
}

/* How many may send at once: half of the server's threads. */
static int places_there(void)
{
    int threads = 0;
    int children = 0;
    int n;

    (void)ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    (void)ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &children);
    n = (threads > 0 ? threads : 1) * children / 2;
    return n < 1 ? 1 : n < PLACES ? n : PLACES;
}

static apr_status_t leave(void *data)
{
    mdl_places_give(data);
    return APR_SUCCESS;
}

/* Take a place for S, when it needs one, for as long as it lasts. */
static bool take_place(const sending *s)
{
    request_rec *r = s->day->q->r;
    mdl_held *held;

    if (r->header_only ||
        dl_lake_scan_day(s->day->scan)->bytes <= MDL_DAY_LONG) {
        return true;
    }
    held = apr_palloc(r->pool, sizeof *held);
    if (!mdl_places_take(held, places, places_there(), INT_MAX)) {
        return false;
    }
    apr_pool_cleanup_register(r->pool, held, leave, apr_pool_cleanup_null);
    return true;
}

/* --- The answer ------------------------------------------------------------ */

/* Send everything from the lines at hand on. */
static dl_status send_all(sending *s, dl_error *err)
{
    const dl_lake_day *state = dl_lake_scan_day(s->day->scan);
    bool array = s->day->q->format == MDL_FORMAT_JSON;

    if (s->csv == NULL && !has_meta(s)) {
        mdl_stream_expect(s->out, (apr_off_t)state->bytes + (array ? 1 : 0));
    }
    if (!mdl_stream_wanted(s->out)) {
        return DL_OK;
    }
    if (s->csv != NULL) {
        return send_csv(s, err);
    }
    if (has_meta(s)) {
        return send_with_meta(s, err);
    }
    return array ? send_array(s, err) : send_lines(s, err);
}

/* Have the first lines, and the columns, at hand. */
static dl_status prepare(sending *s, dl_error *err)
{
    mdl_request *q = s->day->q;

    if (q->format == MDL_FORMAT_CSV && !q->r->header_only) {
        DL_TRY(learn_columns(s, err));
    }
    return first_lines(s, err);
}

int mdl_day_send(const mdl_day *day)
{
    request_rec *r = day->q->r;
    sending *s = apr_pcalloc(r->pool, sizeof *s);
    dl_error err = {DL_OK, 0, ""};
    dl_status status;

    s->day = day;
    s->rows = mdl_answer_buf(day->q, ROWS_MAX);
    apr_pool_cleanup_register(r->pool, s, end_sending, apr_pool_cleanup_null);
    if (!take_place(s)) {
        return mdl_problem(day->q, MDL_PROBLEM_OVERLOADED,
                           "%d long answers are being sent already.",
                           places_there());
    }
    status = prepare(s, &err);
    if (status != DL_OK) {
        return r->connection->aborted ? OK
                                      : mdl_http_fail(day->q, MDL_LAKE, &err);
    }
    day->q->rows = dl_lake_scan_day(day->scan)->records;
    s->out = mdl_stream_open(day->q, NULL);
    status = send_all(s, &err);
    if (status != DL_OK && r->connection->aborted == 0) {
        if (!mdl_stream_began(s->out)) {
            return mdl_http_fail(day->q, MDL_LAKE, &err);
        }
        dl_log(DL_LOG_ERROR, "DL1120: %s: %s", day->name, err.text);
    }
    return mdl_stream_close(s->out, status != DL_OK);
}
