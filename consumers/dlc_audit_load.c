/* dlc_audit_load.c - Turns: gather lines, store them, move the positions.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_audit_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_tables.h>

#include "dl_audit_folder.h"
#include "dl_log.h"
#include "dlc_audit_store.h"

/* Bounds of a turn. */
#define LINES 2000
#define BYTES 4194304

/* Lines younger than this wait: another child may still write older ones.  The
 * web server writes reads after 0.4 s, and its disk may be slow. */
#define HOLD_US INT64_C(900000)

/* Between two heads of a chain. */
#define HEAD_US INT64_C(60000000)

struct dlc_audit_load {
    dlc_audit_store *store; /* the warehouse */
    int dir_fd;             /* the folder */
    apr_pool_t *pool;       /* of the whole */
    apr_pool_t *files_pool; /* of the files: cleared when they are reread */
    apr_hash_t *files;      /* dlc_audit_place by file, NULL: not read */
    apr_pool_t *turn;       /* of a turn */
    const struct dl_json_shape *shape; /* of a line */
    dl_time good;           /* of the last turn that went well, or 0 */
    int64_t head_us;        /* when the heads are due, monotonic */
    dl_stats_value *lag;    /* age of the oldest line not stored */
    dl_stats_value *stored; /* lines stored */
};

/* What a turn has gathered. */
typedef struct gathered {
    apr_array_header_t *rows;          /* dlc_audit_row */
    apr_array_header_t *moves;         /* dlc_audit_move */
    size_t bytes;                      /* of the lines */
    dl_time oldest;                    /* of the lines that wait */
    dl_time horizon;                   /* younger lines wait */
    bool more;                         /* the bounds were met */
    const struct dl_json_shape *shape; /* of a line */
} gathered;

static apr_status_t close_folder(void *data)
{
    close(((dlc_audit_load *)data)->dir_fd);
    return APR_SUCCESS;
}

dl_status dlc_audit_load_create(dlc_audit_load **load, const dl_config *cfg,
                                const char *dir, dl_stats *stats, dl_error *err,
                                apr_pool_t *pool)
{
    dlc_audit_load *made = apr_pcalloc(pool, sizeof *made);

    made->pool = pool;
    made->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (made->dir_fd < 0) {
        return dl_fail(err, DL_IO, errno, "cannot open the audit folder %s",
                       dir);
    }
    apr_pool_cleanup_register(pool, made, close_folder, apr_pool_cleanup_null);
    apr_pool_create(&made->files_pool, pool);
    apr_pool_create(&made->turn, pool);
    made->lag = dl_stats_slot(stats, DL_STATS_GAUGE_US,
                              "datalake_audit_lag_seconds", "");
    made->stored =
        dl_stats_slot(stats, DL_STATS_COUNTER, "datalake_warehouse_rows_total",
                      "table=\"audit_entry\"");
    DL_TRY(dl_audit_shape_create(&made->shape, err, pool));
    DL_TRY(dlc_audit_store_create(&made->store, cfg, err, pool));
    *load = made;
    return DL_OK;
}

/* --- Files ---------------------------------------------------------------- */

/* The place of LISTED's file, made when it is new. */
static dlc_audit_place *place_of(dlc_audit_load *load,
                                 const dl_audit_listed *listed)
{
    const char *key =
        apr_psprintf(load->turn, "%s.%06d", listed->chain, (int)listed->number);
    dlc_audit_place *place =
        apr_hash_get(load->files, key, APR_HASH_KEY_STRING);

    if (place == NULL) {
        place = apr_pcalloc(load->files_pool, sizeof *place);
        place->file = apr_pstrdup(load->files_pool, key);
        memcpy(place->chain, listed->chain, sizeof place->chain);
        apr_hash_set(load->files, place->file, APR_HASH_KEY_STRING, place);
    }
    return place;
}

/* Say that the next line of MOVE's file is passed over. */
static void pass_over(const dlc_audit_move *move, const dl_error *err)
{
    dl_log(DL_LOG_ERROR, "DL0750 audit: %s line %lld: %s", move->place->file,
           (long long)move->length + 1, err->text);
}

/* Take LINE of MOVE's file into FOUND: an entry that is old enough, a header
 * or an end.  False: it has to wait. */
static bool take_line(gathered *found, dlc_audit_move *move,
                      const dl_audit_line *line, apr_pool_t *pool)
{
    dlc_audit_row row;
    dl_error err = {0};
    bool match;

    if (line->kind != DL_AUDIT_ENTRY) {
        move->finished = line->kind == DL_AUDIT_END;
        return true;
    }
    if (dl_audit_decode(&row.entry, &match, found->shape, line, &err, pool) !=
        DL_OK) {
        pass_over(move, &err);
        return true;
    }
    if (row.entry.timestamp > found->horizon) {
        if (row.entry.timestamp < found->oldest) {
            found->oldest = row.entry.timestamp;
        }
        return false;
    }
    row.place = move->place;
    row.sequence = move->length + 1;
    APR_ARRAY_PUSH(found->rows, dlc_audit_row) = row;
    found->bytes += line->len;
    return true;
}

static bool is_full(const gathered *found)
{
    return found->rows->nelts >= LINES || found->bytes >= BYTES;
}

/* Read on in READER for MOVE, into FOUND; *END: up to the end of the file. */
static dl_status read_lines(bool *end, gathered *found, dlc_audit_move *move,
                            dl_audit_reader *reader, dl_error *err,
                            apr_pool_t *pool)
{
    *end = false;
    while (!is_full(found)) {
        dl_audit_line line;
        const char *text;
        size_t len;

        DL_TRY(dl_audit_reader_next(&text, &len, reader, err));
        if (text == NULL) {
            *end = true;
            return DL_OK;
        }
        if (dl_audit_line_parse(&line, text, len, err) != DL_OK) {
            pass_over(move, err);
            memcpy(line.value, move->hash, sizeof line.value);
        }
        else if (!take_line(found, move, &line, pool)) {
            return DL_OK;
        }
        move->length++;
        move->position = dl_audit_reader_position(reader);
        memcpy(move->hash, line.value, sizeof move->hash);
    }
    found->more = true;
    return DL_OK;
}

/* Where the chain of PLACE stands before its first file's first line: the
 * header says it, since files may be gone. */
static dl_status begin_file(dlc_audit_move *move, dl_audit_reader *reader,
                            dl_error *err, apr_pool_t *pool)
{
    dl_audit_header header;
    dl_audit_line line;
    const char *text;
    size_t len;

    DL_TRY(dl_audit_reader_next(&text, &len, reader, err));
    if (text == NULL) {
        return DL_OK;
    }
    DL_TRY(dl_audit_line_parse(&line, text, len, err));
    DL_TRY(dl_audit_header_decode(&header, &line, err, pool));
    move->length = header.lines + 1;
    move->position = dl_audit_reader_position(reader);
    memcpy(move->hash, line.value, sizeof move->hash);
    return DL_OK;
}

/* Read LISTED on from its place into FOUND. */
static dl_status gather_file(gathered *found, dlc_audit_load *load,
                             const dl_audit_listed *listed, dl_error *err)
{
    dlc_audit_place *place = place_of(load, listed);
    dlc_audit_move move = {
        .place = place, .position = place->position, .length = place->length};
    dl_audit_reader *reader;
    bool end = false;

    if (place->finished || place->broken) {
        return DL_OK;
    }
    memcpy(move.hash, place->hash, sizeof move.hash);
    DL_TRY(dl_audit_reader_open(&reader, load->dir_fd, listed->name,
                                place->position, err, load->turn));
    if (place->position == 0) {
        DL_TRY(begin_file(&move, reader, err, load->turn));
    }
    if (move.position > 0) {
        DL_TRY(read_lines(&end, found, &move, reader, err, load->turn));
    }
    if (move.position > place->position) {
        /* What a crash of the machine could take back is not believed. */
        DL_TRY(dl_audit_reader_sync(reader, err));
        APR_ARRAY_PUSH(found->moves, dlc_audit_move) = move;
    }
    else if (end && listed->stage == DL_AUDIT_FINISHED) {
        place->finished = true; /* nothing will come any more */
    }
    dl_audit_reader_close(reader);
    return DL_OK;
}

/* The same; what is wrong with the file is logged once. */
static void gather_one(gathered *found, dlc_audit_load *load,
                       const dl_audit_listed *listed)
{
    dl_error err = {0};
    dl_status status = gather_file(found, load, listed, &err);

    if (status == DL_OK || status == DL_NOT_FOUND) {
        return; /* renamed meanwhile: the next turn finds it */
    }
    dl_log(DL_LOG_ERROR, "DL0751 audit: %s: %s", listed->name, err.text);
    if (status == DL_CORRUPT || status == DL_UNSUPPORTED) {
        place_of(load, listed)->broken = true;
    }
}

/* Gather lines of all files into FOUND. */
static dl_status gather(gathered *found, dlc_audit_load *load, dl_error *err)
{
    const dl_audit_listed *list;
    dl_time now = dl_time_now();
    int n;

    *found = (gathered){
        .rows = apr_array_make(load->turn, 256, sizeof(dlc_audit_row)),
        .moves = apr_array_make(load->turn, 16, sizeof(dlc_audit_move)),
        .oldest = now,
        .shape = load->shape,
        .horizon = now - HOLD_US};
    DL_TRY(dl_audit_folder_list(&list, &n, load->dir_fd, err, load->turn));
    for (int i = 0; i < n && !is_full(found); i++) {
        if (list[i].stage != DL_AUDIT_NEW) {
            gather_one(found, load, &list[i]);
        }
    }
    return DL_OK;
}

static int compare_rows(const void *a, const void *b)
{
    const dlc_audit_row *one = a;
    const dlc_audit_row *other = b;
    dl_time x = one->entry.timestamp;
    dl_time y = other->entry.timestamp;

    if (x != y) {
        return x < y ? -1 : 1;
    }
    return one->sequence < other->sequence ? -1 : 1;
}

/* --- Turns ---------------------------------------------------------------- */

/* Read from the warehouse where all files stand. */
static dl_status read_places(dlc_audit_load *load, dl_error *err)
{
    apr_hash_t *files;

    apr_pool_clear(load->files_pool);
    load->files = NULL;
    DL_TRY(dlc_audit_store_places(&files, load->store, err, load->files_pool));
    load->files = files;
    return DL_OK;
}

/* Remember that MOVES were stored. */
static void apply(const apr_array_header_t *moves)
{
    for (int i = 0; i < moves->nelts; i++) {
        const dlc_audit_move *move = &APR_ARRAY_IDX(moves, i, dlc_audit_move);
        dlc_audit_place *place = move->place;

        place->position = move->position;
        place->length = move->length;
        memcpy(place->hash, move->hash, sizeof place->hash);
        place->finished = move->finished;
        place->known = true;
        place->head_due = true;
    }
}

/* Show how old the oldest line is that is not stored. */
static void show_lag(dlc_audit_load *load, const gathered *found, bool stored)
{
    dl_time oldest = found->oldest;

    if (stored) {
        load->good = dl_time_now();
    }
    else if (load->good != 0 && load->good < oldest) {
        oldest = load->good; /* it may not even have been looked at */
    }
    for (int i = 0; !stored && i < found->rows->nelts; i++) {
        dl_time t =
            APR_ARRAY_IDX(found->rows, i, dlc_audit_row).entry.timestamp;

        oldest = t < oldest ? t : oldest;
    }
    dl_stats_set(load->lag, dl_time_now() - oldest);
}

/* Store the heads of the chains that have grown, when they are due. */
static dl_status store_heads(dlc_audit_load *load, dl_error *err)
{
    int64_t now = dl_time_monotonic_us();

    if (now < load->head_us) {
        return DL_OK;
    }
    DL_TRY(dlc_audit_store_heads(load->store, load->files, err, load->turn));
    load->head_us = now + HEAD_US;
    return DL_OK;
}

/* The turn itself. */
static dl_status store_turn(gathered *found, dlc_audit_load *load,
                            dl_error *err)
{
    if (load->files == NULL) {
        DL_TRY(read_places(load, err));
    }
    DL_TRY(gather(found, load, err));
    if (found->moves->nelts > 0) {
        qsort(found->rows->elts, (size_t)found->rows->nelts,
              sizeof(dlc_audit_row), compare_rows);
        DL_TRY(
            dlc_audit_store_rows(load->store, found->rows, found->moves, err));
        apply(found->moves);
        dl_stats_add(load->stored, found->rows->nelts);
    }
    return store_heads(load, err);
}

dl_status dlc_audit_load_turn(bool *more, dlc_audit_load *load, dl_error *err)
{
    gathered found = {.oldest = dl_time_now()};
    dl_status status;

    apr_pool_clear(load->turn);
    found.rows = apr_array_make(load->turn, 1, sizeof(dlc_audit_row));
    status = store_turn(&found, load, err);
    show_lag(load, &found, status == DL_OK);
    if (status != DL_OK) {
        /* Whether it was stored or not, the warehouse knows. */
        dlc_audit_store_close(load->store);
        load->files = NULL;
    }
    *more = found.more;
    return status;
}

dl_status dlc_audit_load_finish(dlc_audit_load *load, dl_error *err)
{
    apr_pool_clear(load->turn);
    return load->files == NULL ? DL_OK
                               : dlc_audit_store_heads(load->store, load->files,
                                                       err, load->turn);
}
