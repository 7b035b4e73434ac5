/* dlc_collect_file.c - The reader of files: CSV, JSON, lines, one file at a
 * time, in chunks of a buffer.
 *
 * A file is read to its end before another one is taken, so that turns are
 * few.  When following, a file that is left (renamed, removed) is read until
 * nobody has added to it for a while; then its last line is whole, too.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_collect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "dl_combined.h"
#include "dl_encoding.h"
#include "dl_split.h"
#include "dl_time.h"
#include "dlc_collect_files.h"

/* Bytes read at once, and room of the buffer. */
#define CHUNK ((size_t)256 * 1024)
#define ROOM  (DL_SPLIT_MAX + 2 * CHUNK)

/* Between two looks for files, when following. */
#define LOOK_US INT64_C(2000000)

/* The columns of a file, twice: rows that are given may still have the old
 * ones when new ones come. */
typedef struct header {
    dl_mapping_columns columns; /* names */
    apr_pool_t *pool;           /* of them */
} header;

/* A reader of files. */
typedef struct file_reader {
    dlc_collect_reader seen;              /* for the collector */
    const dl_config_source *source;       /* its section */
    dlc_collect_files *files;             /* all files */
    dlc_collect_tracked *file;            /* the one being read, or NULL */
    const char *resume;                   /* item to begin with, or NULL */
    bool follow;                          /* there is no end */
    char left_item[DLC_COLLECT_ITEM];     /* the file that was left last */
    char left_text[DLC_COLLECT_POSITION]; /* how far it was read */
    dl_split_kind kind;                   /* of the text */
    dl_split_cells cells;                 /* of a row */
    char *buffer;                         /* ROOM bytes */
    size_t at;                            /* the next row begins there */
    size_t end;                           /* bytes in BUFFER */
    bool ended;                           /* the end of the file was seen */
    dl_encoding encoding;                 /* of the text */
    dl_buf *decoded;                      /* a row in UTF-8, where it is not */
    dl_buf *room;                         /* for fields of a log line */
    dl_cell fields[DL_COMBINED_COLUMNS];  /* of a log line */
    header headers[2];                    /* columns */
    int which;                            /* of them */
    bool fresh;                           /* columns have to be read */
    int64_t look_us;                      /* monotonic time of the next look */
} file_reader;

/* --- The buffer ----------------------------------------------------------- */

/* Forget what is in the buffer. */
static void empty_buffer(file_reader *r)
{
    r->at = 0;
    r->end = 0;
    r->ended = false;
}

/* Read on; *MORE: something came. */
static dl_status fill_buffer(bool *more, file_reader *r, dl_error *err)
{
    off_t from = (off_t)(r->file->offset + (r->end - r->at));
    ssize_t n;

    if (r->at > 0) {
        memmove(r->buffer, r->buffer + r->at, r->end - r->at);
        r->end -= r->at;
        r->at = 0;
    }
    do {
        n = pread(r->file->fd, r->buffer + r->end,
                  ROOM - r->end < CHUNK ? ROOM - r->end : CHUNK, from);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return dl_fail(err, DL_IO, errno, "cannot read %s", r->file->path);
    }
    if (n > 0 && r->follow && !dlc_collect_files_same(r->file)) {
        n = 0; /* it was written anew: at_end() finds that, too */
    }
    r->end += (size_t)n;
    r->ended = n == 0;
    *more = n > 0;
    return DL_OK;
}

/* Step over USED bytes with LINES line ends. */
static void step(file_reader *r, size_t used, uint64_t lines)
{
    r->at += used;
    r->file->offset += used;
    r->file->line += lines;
    if (r->file->checked < 256) {
        dlc_collect_files_mark(r->file);
    }
}

static dl_split_input input_of(const file_reader *r, bool whole)
{
    return (dl_split_input){r->buffer + r->at, r->end - r->at, whole};
}

/* Bytes of a byte order mark at the start of the file, which what is not read
 * of the buffer begins with. */
static size_t mark_size(const file_reader *r)
{
    return r->end - r->at >= 3 &&
                   memcmp(r->buffer + r->at, "\xEF\xBB\xBF", 3) == 0
               ? 3
               : 0;
}

/* --- Columns -------------------------------------------------------------- */

/* Make room for a row of LEN bytes in UTF-8. */
static void begin_decoding(file_reader *r, size_t len)
{
    r->decoded->len = 0;
    /* It has room for the longest row. */
    (void)!dl_buf_reserve(r->decoded, 3 * len + 1, NULL);
}

/* Set *TEXT and *LEN, a part of such a row, to the same in UTF-8. */
static void decode(const char **text, size_t *len, file_reader *r)
{
    size_t from = r->decoded->len;

    if (dl_encoding_decode(r->decoded, r->encoding, *text, *len, NULL) ==
        DL_OK) {
        *text = r->decoded->data + from;
        *len = r->decoded->len - from;
    }
}

/* Take the fields of the row at hand as names. */
static void take_names(file_reader *r)
{
    header *h = &r->headers[r->which ^ 1];
    const char **names;

    apr_pool_clear(h->pool);
    names = apr_palloc(h->pool, ((size_t)r->cells.n + 1) * sizeof *names);
    for (int i = 0; i < r->cells.n; i++) {
        dl_cell *cell = &r->cells.cells[i];

        if (r->encoding != DL_ENCODING_UTF8) {
            begin_decoding(r, cell->len);
            decode(&cell->text, &cell->len, r);
        }
        names[i] = apr_pstrmemdup(h->pool, cell->text, cell->len);
    }
    h->columns.names = names;
    h->columns.n = r->cells.n;
    r->which ^= 1;
}

/* Read the columns at the start of the file into the buffer and the header;
 * *FOUND: they are there. */
static dl_status read_header(bool *found, file_reader *r, dl_error *err)
{
    uint64_t offset = r->file->offset;
    uint64_t line = r->file->line;
    dl_split_row row;
    dl_status status;
    bool more = true;

    r->file->offset = 0;
    r->file->line = 1;
    empty_buffer(r);
    for (;;) {
        dl_split_input input;

        r->at = mark_size(r);
        input = input_of(r, r->ended && !r->follow);
        *found = dl_split_next(&row, &r->cells, DL_SPLIT_CSV, &input);
        if (*found || !more || r->end == ROOM) {
            break;
        }
        r->at = 0;
        DL_TRY(fill_buffer(&more, r, err));
    }
    r->file->offset = offset;
    r->file->line = line;
    if (*found && row.broken != NULL) {
        return dl_fail(err, DL_INVALID, 0, "%s has no line of names: %s",
                       r->file->path, row.broken);
    }
    if (*found) {
        take_names(r);
        status = dl_mapping_check_columns(&r->headers[r->which].columns, err);
        if (status != DL_OK) {
            return dl_wrap(err, "%s", r->file->path);
        }
        if (offset < r->at + row.used) {
            r->file->offset = r->at + row.used;
            r->file->line = 1 + row.lines;
        }
    }
    empty_buffer(r);
    return DL_OK;
}

/* Pass over a byte order mark at the start of the file. */
static void pass_mark(file_reader *r)
{
    if (r->file->offset == 0 && mark_size(r) > 0) {
        step(r, mark_size(r), 0);
    }
}

/* --- Rows ----------------------------------------------------------------- */

/* Give the fields of CSV. */
static void give_cells(dlc_collect_row *out, file_reader *r)
{
    out->columns = &r->headers[r->which].columns;
    out->cells = r->cells.cells;
    if (out->broken == NULL && r->cells.n != out->columns->n) {
        out->broken = "it has not as many fields as there are names";
    }
    if (out->broken == NULL && r->encoding != DL_ENCODING_UTF8) {
        begin_decoding(r, out->raw_len);
        for (int i = 0; i < r->cells.n; i++) {
            decode(&r->cells.cells[i].text, &r->cells.cells[i].len, r);
        }
    }
}

/* Give the fields of the log line in OUT->object. */
static void give_fields(dlc_collect_row *out, file_reader *r)
{
    static const dl_mapping_columns columns = {.names = dl_combined_names,
                                               .n = DL_COMBINED_COLUMNS};

    out->columns = &columns;
    out->cells = r->fields;
    if (out->broken == NULL &&
        !dl_combined_parse(r->fields, r->room, out->object, out->object_len)) {
        out->broken = "it is no line of Apache's common or combined format";
    }
}

/* Give ROW, which begins behind the bytes that are read. */
static void give(dlc_collect_row *out, file_reader *r, const dl_split_row *row)
{
    out->raw = row->text;
    out->raw_len = row->len;
    out->broken = row->broken;
    out->line = r->file->line + row->before;
    out->place = r->file->path;
    if (r->kind == DL_SPLIT_CSV) {
        give_cells(out, r);
    }
    else {
        out->columns = NULL;
        out->object = row->text;
        out->object_len = row->len;
        if (r->encoding != DL_ENCODING_UTF8) {
            begin_decoding(r, row->len);
            decode(&out->object, &out->object_len, r);
        }
        if (r->source->format == DL_SOURCE_COMBINED) {
            give_fields(out, r);
        }
    }
    step(r, row->used, row->lines);
    r->file->skipping = row->cut;
    out->number = r->file->offset;
}

/* Pass over the rest of a long row; false: more of it comes. */
static bool skip(file_reader *r, bool whole)
{
    const dl_split_input input = input_of(r, whole);
    size_t used;
    uint64_t lines;

    r->file->skipping = !dl_split_skip(&used, &lines, r->kind, &input);
    step(r, used, lines);
    return !r->file->skipping;
}

/* Find a row in what is left of the file, reading on; *GOT says whether there
 * is one, DLC_COLLECT_NONE: the file is at its end. */
static dl_status find_row(dlc_collect_got *got, dlc_collect_row *out,
                          file_reader *r, bool whole, dl_error *err)
{
    bool more = true;

    for (;;) {
        const bool last = whole && r->ended;
        dl_split_input input;
        dl_split_row row;

        pass_mark(r);
        if (!r->file->skipping || skip(r, last)) {
            input = input_of(r, last);
            if (dl_split_next(&row, &r->cells, r->kind, &input)) {
                give(out, r, &row);
                *got = DLC_COLLECT_ROW;
                return DL_OK;
            }
            if (row.used > 0) {
                step(r, row.used, row.lines);
            }
        }
        if (!more || (last && r->at == r->end)) {
            *got = DLC_COLLECT_NONE;
            return DL_OK;
        }
        DL_TRY(fill_buffer(&more, r, err));
        more = more || (whole && !last);
    }
}

/* --- Files ---------------------------------------------------------------- */

/* Go to FILE. */
static dl_status take_file(file_reader *r, dlc_collect_tracked *file,
                           dl_error *err)
{
    DL_TRY(dlc_collect_files_open(file, err));
    r->file = file;
    r->fresh = r->kind == DL_SPLIT_CSV;
    empty_buffer(r);
    return DL_OK;
}

/* The file is read to its end, for now or for good. */
static void leave_file(file_reader *r)
{
    dlc_collect_tracked *file = r->file;

    dlc_collect_files_tell(r->left_item, r->left_text, file);
    if (!r->follow || dlc_collect_files_quiet(file)) {
        file->done = true;
        dlc_collect_files_close(file);
    }
    r->file = NULL;
}

/* Look which files there are, when it is time to. */
static dl_status look(file_reader *r, dl_error *err)
{
    int64_t now = dl_time_monotonic_us();

    if (r->look_us != 0 && (!r->follow || now < r->look_us)) {
        return DL_OK;
    }
    r->look_us = now + LOOK_US;
    return dlc_collect_files_look(r->files, r->file, err);
}

/* FILE cannot be read for ERR, of STATUS: the others go on without it. */
static void set_aside(dlc_collect_got *got, file_reader *r,
                      dlc_collect_tracked *file, dl_status status,
                      const dl_error *err)
{
    if (file == r->file) {
        dlc_collect_files_tell(r->left_item, r->left_text, file);
        r->file = NULL;
    }
    dlc_collect_files_aside(r->files, file, status, err);
    *got = DLC_COLLECT_NONE;
}

/* Begin with FILE, or wait or end without one; RESUMED: its turn is under
 * way. */
static dl_status begin_file(dlc_collect_got *got, file_reader *r,
                            dlc_collect_tracked *file, bool resumed,
                            dl_error *err)
{
    dl_status status;

    if (file == NULL) {
        *got = r->follow ? DLC_COLLECT_NONE : DLC_COLLECT_END;
        return r->follow ? DL_OK : dlc_collect_files_failed(r->files, err);
    }
    status = take_file(r, file, err);
    if (status == DL_NOT_FOUND) {
        /* It was replaced since we looked. */
        file->done = true;
        r->look_us = 0;
        *got = DLC_COLLECT_NONE;
        return DL_OK;
    }
    if (status != DL_OK) {
        set_aside(got, r, file, status, err);
        return DL_OK;
    }
    *got = resumed && !file->anew ? DLC_COLLECT_ROW : DLC_COLLECT_TURN;
    return DL_OK;
}

/* Choose the first file. */
static dl_status choose(dlc_collect_got *got, file_reader *r, dl_error *err)
{
    dlc_collect_tracked *file = NULL;
    bool resumed;

    DL_TRY(look(r, err));
    if (r->resume != NULL) {
        file = dlc_collect_files_find(r->files, r->resume);
        r->resume = NULL;
    }
    resumed = file != NULL;
    if (!resumed) {
        file = dlc_collect_files_next(r->files, NULL);
    }
    return begin_file(got, r, file, resumed, err);
}

/* Read on in the file. */
static dl_status read_on(dlc_collect_got *got, dlc_collect_row *row,
                         file_reader *r, dl_error *err)
{
    if (r->fresh) {
        bool found;

        DL_TRY(read_header(&found, r, err));
        r->fresh = !found;
        if (!found) {
            *got = DLC_COLLECT_NONE;
            return DL_OK;
        }
    }
    return find_row(got, row, r, !r->follow || dlc_collect_files_quiet(r->file),
                    err);
}

/* The end of the file was reached, for now: *GOT says what is next. */
static dl_status at_end(dlc_collect_got *got, file_reader *r, dl_error *err)
{
    dlc_collect_tracked *file = r->file;
    dlc_collect_tracked *next;

    if (r->follow) {
        dl_status status = dlc_collect_files_open(file, err);

        if (status != DL_OK) {
            set_aside(got, r, file, status, err);
            return DL_OK;
        }
        file->waited = file->offset + (r->end - r->at);
        if (file->anew) {
            empty_buffer(r);
            r->fresh = r->kind == DL_SPLIT_CSV;
            *got = DLC_COLLECT_TURN;
            return DL_OK;
        }
        DL_TRY(look(r, err));
    }
    next = dlc_collect_files_next(r->files, file);
    if (r->follow && next == NULL && !dlc_collect_files_quiet(file)) {
        *got = DLC_COLLECT_NONE;
        return DL_OK;
    }
    leave_file(r);
    return begin_file(got, r, next, false, err);
}

static dl_status reader_next(dlc_collect_got *got, dlc_collect_row *row,
                             dlc_collect_reader *reader, dl_error *err)
{
    file_reader *r = (file_reader *)(void *)reader;
    dl_status status;

    if (r->file == NULL) {
        DL_TRY(choose(got, r, err));
        if (*got != DLC_COLLECT_ROW) {
            return DL_OK;
        }
    }
    r->file->anew = false;
    status = read_on(got, row, r, err);
    if (status != DL_OK) {
        set_aside(got, r, r->file, status, err);
        return DL_OK;
    }
    r->file->failed = r->file->failed && *got != DLC_COLLECT_ROW;
    return *got == DLC_COLLECT_NONE ? at_end(got, r, err) : DL_OK;
}

static void reader_tell(char item[DLC_COLLECT_ITEM],
                        char text[DLC_COLLECT_POSITION],
                        const dlc_collect_reader *reader)
{
    const file_reader *r = (const file_reader *)(const void *)reader;

    if (r->file != NULL) {
        dlc_collect_files_tell(item, text, r->file);
        return;
    }
    apr_cpystrn(item, r->left_item, DLC_COLLECT_ITEM);
    apr_cpystrn(text, r->left_text, DLC_COLLECT_POSITION);
}

static bool reader_left(char item[DLC_COLLECT_ITEM],
                        char text[DLC_COLLECT_POSITION],
                        const dlc_collect_reader *reader)
{
    const file_reader *r = (const file_reader *)(const void *)reader;

    apr_cpystrn(item, r->left_item, DLC_COLLECT_ITEM);
    apr_cpystrn(text, r->left_text, DLC_COLLECT_POSITION);
    return *item != '\0';
}

static bool reader_fresh(char item[DLC_COLLECT_ITEM],
                         char text[DLC_COLLECT_POSITION],
                         dlc_collect_reader *reader)
{
    file_reader *r = (file_reader *)(void *)reader;

    return r->follow && dlc_collect_files_fresh(item, text, r->files);
}

static bool reader_gone(char item[DLC_COLLECT_ITEM], dlc_collect_reader *reader)
{
    file_reader *r = (file_reader *)(void *)reader;

    return dlc_collect_files_gone(item, r->files, r->file);
}

static void reader_progress(int64_t *done, int64_t *total,
                            const dlc_collect_reader *reader)
{
    const file_reader *r = (const file_reader *)(const void *)reader;

    dlc_collect_files_progress(done, total, r->files);
}

static apr_status_t free_buffer(void *memory)
{
    free(memory);
    return APR_SUCCESS;
}

dl_status dlc_collect_file_create(dlc_collect_reader **reader,
                                  const dlc_collect_plan *plan, dl_error *err,
                                  apr_pool_t *pool)
{
    static const dlc_collect_reader_calls calls = {.next = reader_next,
                                                   .tell = reader_tell,
                                                   .left = reader_left,
                                                   .fresh = reader_fresh,
                                                   .gone = reader_gone,
                                                   .progress = reader_progress};
    static const dl_split_kind kinds[] = {DL_SPLIT_CSV, DL_SPLIT_JSON,
                                          DL_SPLIT_LINES, DL_SPLIT_LINES};
    static const dl_encoding encodings[] = {
        DL_ENCODING_UTF8, DL_ENCODING_LATIN1, DL_ENCODING_WINDOWS_1252};
    file_reader *r = apr_pcalloc(pool, sizeof *r);

    (void)err;
    r->seen.calls = &calls;
    r->seen.positions = true;
    r->source = plan->source;
    r->follow = plan->follow;
    r->resume = plan->memory->item;
    r->kind = kinds[plan->source->format];
    r->encoding = encodings[plan->source->encoding];
    r->decoded = dl_buf_create(3 * DL_SPLIT_MAX + 1, pool);
    r->room = dl_buf_create(3 * DL_SPLIT_MAX + 64, pool);
    dlc_collect_files_create(&r->files, plan, pool);
    dl_split_cells_create(&r->cells, (char)plan->source->separator, pool);
    apr_pool_create(&r->headers[0].pool, pool);
    apr_pool_create(&r->headers[1].pool, pool);
    r->buffer = malloc(ROOM);
    if (r->buffer == NULL) {
        abort();
    }
    apr_pool_cleanup_register(pool, r->buffer, free_buffer,
                              apr_pool_cleanup_null);
    *reader = &r->seen;
    return DL_OK;
}
