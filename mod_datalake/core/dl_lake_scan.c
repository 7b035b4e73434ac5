/* dl_lake_scan.c - Walking the lines of one day.
 *
 * FORMAT.md 14, steps 4 and 5.  The trail says how the bytes are cut into
 * entries and what their checksums are; the day's limits are counted in lines
 * of the whole day, so that parts may be joined under a scan.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_reading.h"

#include "dl_crc.h"
#include "dl_lake_trail.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Bytes of lines that are read at once, unless one entry is longer. */
#define STRETCH 262144u

/* Entries of a stretch. */
#define ENTRIES 1024

/* What is kept of an entry until its lines are read. */
typedef struct taken {
    uint64_t bytes;    /* of its lines */
    uint64_t records;  /* lines */
    uint32_t crc;      /* of its lines */
    size_t coords;     /* where its coordinates begin in scan->coords */
    size_t coords_len; /* bytes of them */
} taken;

struct dl_lake_scan {
    dl_lake_snapshot *snap;    /* what the limits come from */
    apr_pool_t *pool;          /* lives as long as the scan */
    apr_pool_t *layout_pool;   /* for snapshot and parts of the layout */
    dl_lake_snapshot *layout;  /* where the files are now */
    dl_lake_day day;           /* the day within the limits */
    bool with_coords;          /* asked for */
    const dl_lake_part *parts; /* of the layout */
    int n_parts;               /* entries of it */
    int part;                  /* the one being read */
    uint64_t part_start;       /* lines of the day before it */
    int data_fd;               /* it, -1: closed */
    int trail_fd;              /* its trail */
    dl_lake_trail_walk walk;   /* over its trail */
    bool has_held;             /* HELD was taken from the trail, not used */
    dl_lake_trail_entry held;  /* the next entry */
    uint64_t line;             /* lines of the day that were taken */
    uint64_t skip;             /* lines to leave out at the next stretch */
    char *data;                /* the stretch; malloc */
    size_t size;               /* room in it */
    size_t len;                /* bytes of it */
    size_t at;                 /* next byte for dl_lake_scan_next */
    uint64_t next_line;        /* number of that line */
    taken entries[ENTRIES];    /* of the stretch */
    int n_entries;             /* how many */
    int entry;                 /* whose coordinates are being read */
    uint64_t entry_left;       /* lines of it left */
    dl_lake_bytes coords;      /* coordinates of the stretch */
    dl_lake_coords reading;    /* where they are being read */
};

/* --- Files ---------------------------------------------------------------- */

static void close_files(dl_lake_scan *scan)
{
    const dl_lake_io *io = dl_lake_calls(scan->snap->lake);

    if (scan->data_fd >= 0) {
        io->close(scan->data_fd);
        io->close(scan->trail_fd);
    }
    scan->data_fd = scan->trail_fd = -1;
}

static apr_status_t close_scan(void *context)
{
    dl_lake_scan *scan = context;

    close_files(scan);
    free(scan->data);
    return APR_SUCCESS;
}

static dl_status open_under(int *fd, const dl_lake_io *io, int dir,
                            const char *folder, const char *name, dl_error *err)
{
    char path[3 * DL_LAKE_PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return dl_lake_file_open(fd, io, dir, path, O_RDONLY, err);
}

static dl_status open_data(int *fd, const dl_lake_io *io,
                           const dl_lake_dataset *dataset,
                           const dl_lake_part *part, dl_error *err)
{
    char folder[DL_LAKE_PATH_MAX];
    char prepared[DL_LAKE_PATH_MAX + 8];
    char name[DL_LAKE_PATH_MAX];
    dl_status status = DL_NOT_FOUND;

    dl_lake_day_folder(folder, part->day);
    dl_lake_part_name(name, part);
    if (part->state <= DL_LAKE_PART_SEALED) {
        status = open_under(fd, io, dataset->meta, DL_LAKE_OPEN, name, err);
    }
    if (status == DL_NOT_FOUND) {
        status = open_under(fd, io, dataset->data, folder, name, err);
    }
    if (status == DL_NOT_FOUND) {
        /* A compaction exchanges first and publishes then. */
        snprintf(prepared, sizeof prepared, "%s/%s", DL_LAKE_COMPACT, folder);
        status = open_under(fd, io, dataset->meta, prepared, name, err);
    }
    return status;
}

static dl_status open_files(dl_lake_scan *scan, const dl_lake_part *part,
                            dl_error *err)
{
    const dl_lake_io *io = dl_lake_calls(scan->snap->lake);
    const dl_lake_dataset *dataset = scan->snap->dataset;
    char name[DL_LAKE_PATH_MAX];
    dl_status status;

    close_files(scan);
    DL_TRY(open_data(&scan->data_fd, io, dataset, part, err));
    dl_lake_trail_name(name, part->uid);
    status =
        open_under(&scan->trail_fd, io, dataset->meta, DL_LAKE_IDX, name, err);
    if (status != DL_OK) {
        io->close(scan->data_fd);
        scan->data_fd = -1;
        return status;
    }
    scan->walk.fd = scan->trail_fd;
    scan->walk.part = *part;
    return DL_OK;
}

/* --- Layout: where the lines of the day are now --------------------------- */

static dl_status take_layout(dl_lake_scan *scan, dl_error *err)
{
    const struct timespec moment = {.tv_nsec = 1000000};

    nanosleep(&moment, NULL);
    apr_pool_clear(scan->layout_pool);
    scan->layout = scan->snap;
    return dl_lake_snapshot_open(&scan->layout, scan->snap->lake,
                                 scan->snap->dataset->name, err,
                                 scan->layout_pool);
}

/* The part of the layout with line LINE (from 0) of the day; false: none. */
static bool choose_part(dl_lake_scan *scan, uint64_t line)
{
    scan->part_start = 0;
    for (scan->part = 0; scan->part < scan->n_parts; scan->part++) {
        uint64_t records = scan->parts[scan->part].records;

        if (line < scan->part_start + records) {
            return true;
        }
        scan->part_start += records;
    }
    return false;
}

/* Open the part with line LINE; on DL_NOT_FOUND its files have moved on. */
static dl_status open_at_line(dl_lake_scan *scan, uint64_t line, dl_error *err)
{
    dl_lake_trail_entry *entry = &scan->held;
    bool found;

    dl_lake_day_parts(&scan->parts, &scan->n_parts, scan->layout, scan->day.day,
                      scan->layout_pool);
    if (!choose_part(scan, line)) {
        return dl_fail(err, DL_CORRUPT, 0, "line %llu is in no part",
                       (unsigned long long)line + 1);
    }
    DL_TRY(open_files(scan, &scan->parts[scan->part], err));
    DL_TRY(dl_lake_trail_seek(&scan->walk, DL_LAKE_BY_RECORDS,
                              line - scan->part_start + 1, err));
    do {
        DL_TRY(dl_lake_trail_next(entry, &found, &scan->walk, err));
        if (!found) {
            return dl_fail(err, DL_CORRUPT, 0, "trail ends before line %llu",
                           (unsigned long long)line + 1);
        }
    } while (scan->part_start + scan->walk.records <= line);
    scan->has_held = true;
    scan->line = scan->part_start + scan->walk.records - entry->records;
    scan->skip = line - scan->line;
    return DL_OK;
}

/* Times that files may move on while one line is looked for. */
#define TRIES 20

static dl_status go_to_line(dl_lake_scan *scan, uint64_t line, dl_error *err)
{
    dl_status status = open_at_line(scan, line, err);
    int tries;

    for (tries = 0; tries < TRIES && status == DL_NOT_FOUND; tries++) {
        DL_TRY(take_layout(scan, err));
        status = open_at_line(scan, line, err);
    }
    if (status == DL_NOT_FOUND) {
        return dl_fail(err, DL_CORRUPT, 0, "a part of the day is missing");
    }
    return status;
}

/* --- Limits: version and as_of -------------------------------------------- */

/* Set *COMMITS to how many commits of the part being walked ended at or
 * before MS. */
static dl_status commits_until(uint64_t *commits, dl_lake_trail_walk *walk,
                               int64_t ms, dl_error *err)
{
    dl_lake_trail_entry entry;
    bool found = true;

    DL_TRY(dl_lake_trail_seek(walk, DL_LAKE_BY_MS, (uint64_t)ms + 1, err));
    *commits = 0;
    while (found && walk->ms <= ms) {
        *commits = walk->commits;
        DL_TRY(dl_lake_trail_next(&entry, &found, walk, err));
    }
    return DL_OK;
}

/* Count in scan->day the lines of PART up to the bound of RANGE, which lies
 * in it. */
static dl_status count_within(dl_lake_scan *scan, const dl_lake_part *part,
                              const dl_lake_range *range, dl_error *err)
{
    uint64_t want = range->version - scan->day.version;
    dl_lake_trail_walk *walk = &scan->walk;
    dl_lake_trail_entry entry;
    bool found = true;

    DL_TRY(open_files(scan, part, err));
    if (range->version == 0) {
        DL_TRY(commits_until(&want, walk, range->as_of / 1000, err));
    }
    if (want == 0) {
        return DL_OK;
    }
    DL_TRY(dl_lake_trail_seek(walk, DL_LAKE_BY_COMMITS, want, err));
    while (found && walk->commits < want) {
        DL_TRY(dl_lake_trail_next(&entry, &found, walk, err));
    }
    scan->day.version += want;
    scan->day.bytes += walk->bytes;
    scan->day.records += walk->records;
    return DL_OK;
}

static bool is_within(const dl_lake_scan *scan, const dl_lake_part *part,
                      const dl_lake_range *range)
{
    if (range->version != 0) {
        return scan->day.version + part->commits <= range->version;
    }
    return range->as_of == DL_TIME_NONE ||
           part->last_commit_ms * 1000 <= range->as_of;
}

static dl_status set_limits(dl_lake_scan *scan, const dl_lake_range *range,
                            dl_error *err)
{
    int i;

    dl_lake_day_parts(&scan->parts, &scan->n_parts, scan->layout, range->day,
                      scan->layout_pool);
    scan->day.version = scan->day.bytes = scan->day.records = 0;
    for (i = 0; i < scan->n_parts; i++) {
        const dl_lake_part *part = &scan->parts[i];

        if (!is_within(scan, part, range)) {
            DL_TRY(count_within(scan, part, range, err));
            break;
        }
        scan->day.version += part->commits;
        scan->day.bytes += part->bytes;
        scan->day.records += part->records;
    }
    if (scan->day.version == 0 ||
        (range->version != 0 && scan->day.version < range->version)) {
        return dl_fail(err, DL_INVALID, 0, "no such version");
    }
    return DL_OK;
}

static dl_status find_limits(dl_lake_scan *scan, const dl_lake_range *range,
                             dl_error *err)
{
    dl_status status = set_limits(scan, range, err);
    int tries;

    for (tries = 0; tries < TRIES && status == DL_NOT_FOUND; tries++) {
        DL_TRY(take_layout(scan, err));
        status = set_limits(scan, range, err);
    }
    if (status == DL_INVALID) {
        return dl_fail(err, DL_NOT_FOUND, 0, "no such version of the day");
    }
    if (status == DL_NOT_FOUND) {
        return dl_fail(err, DL_CORRUPT, 0, "a part of the day is missing");
    }
    return status;
}

dl_status dl_lake_scan_open(dl_lake_scan **result, dl_lake_snapshot *snap,
                            const dl_lake_range *range, dl_error *err,
                            apr_pool_t *result_pool)
{
    dl_lake_scan *scan;
    uint64_t from = range->from_line > 0 ? range->from_line - 1 : 0;
    dl_lake_day all;

    if (range->version != 0 && range->as_of != DL_TIME_NONE) {
        return dl_fail(err, DL_INVALID, 0, "version and as_of together");
    }
    DL_TRY(dl_lake_day_find(&all, snap, range->day, err));
    scan = apr_pcalloc(result_pool, sizeof *scan);
    scan->snap = scan->layout = snap;
    scan->pool = result_pool;
    apr_pool_create(&scan->layout_pool, result_pool);
    scan->day = all;
    scan->with_coords = range->with_coords;
    scan->data_fd = scan->trail_fd = -1;
    dl_lake_bytes_own(&scan->coords, result_pool);
    dl_lake_trail_begin(&scan->walk, dl_lake_calls(snap->lake), -1,
                        &(dl_lake_part){.uid = 0}, result_pool);
    apr_pool_cleanup_register(result_pool, scan, close_scan,
                              apr_pool_cleanup_null);
    if (range->version != 0 || range->as_of != DL_TIME_NONE) {
        DL_TRY(find_limits(scan, range, err));
    }
    if (from >= scan->day.records) {
        scan->line = scan->day.records;
    }
    else {
        DL_TRY(go_to_line(scan, from, err));
    }
    *result = scan;
    return DL_OK;
}

const dl_lake_day *dl_lake_scan_day(const dl_lake_scan *scan)
{
    return &scan->day;
}

/* --- Stretches ------------------------------------------------------------ */

static void take_entry(dl_lake_scan *scan)
{
    const dl_lake_trail_entry *entry = &scan->held;
    taken *t = &scan->entries[scan->n_entries++];

    t->bytes = entry->bytes;
    t->records = entry->records;
    t->crc = entry->crc;
    t->coords = scan->coords.len;
    t->coords_len = scan->with_coords ? entry->coords_len : 0;
    dl_lake_add_raw(&scan->coords, entry->coords, t->coords_len);
    scan->len += entry->bytes;
    scan->line += entry->records;
    scan->has_held = false;
}

/* Take entries until the stretch is full, the part or the limit ends. */
static dl_status take_entries(uint64_t *at, dl_lake_scan *scan, dl_error *err)
{
    bool found = true;

    scan->len = 0;
    scan->n_entries = 0;
    scan->coords.len = 0;
    *at = scan->walk.bytes - scan->held.bytes;
    while (scan->has_held && scan->n_entries < ENTRIES &&
           scan->line < scan->day.records &&
           (scan->len == 0 || scan->len + scan->held.bytes <= STRETCH)) {
        take_entry(scan);
        if (scan->line == scan->day.records) {
            return DL_OK; /* what follows may be newer than the snapshot */
        }
        DL_TRY(dl_lake_trail_next(&scan->held, &found, &scan->walk, err));
        scan->has_held = found;
    }
    return DL_OK;
}

static dl_status check_entries(const dl_lake_scan *scan, dl_error *err)
{
    const char *data = scan->data;
    int i;

    for (i = 0; i < scan->n_entries; i++) {
        const taken *t = &scan->entries[i];

        if (dl_crc32c(0, data, t->bytes) != t->crc ||
            data[t->bytes - 1] != '\n') {
            return dl_fail(err, DL_CORRUPT, 0,
                           "lines before %llu have a wrong checksum",
                           (unsigned long long)scan->line + 1);
        }
        data += t->bytes;
    }
    return DL_OK;
}

static dl_status read_stretch(dl_lake_scan *scan, uint64_t at, dl_error *err)
{
    if (scan->len > scan->size) {
        free(scan->data);
        scan->size = scan->len < STRETCH ? STRETCH : scan->len;
        scan->data = malloc(scan->size);
        if (scan->data == NULL) {
            abort();
        }
    }
    DL_TRY(dl_lake_file_read(dl_lake_calls(scan->snap->lake), scan->data_fd,
                             scan->data, scan->len, at, err));
    return check_entries(scan, err);
}

static void begin_coords(dl_lake_scan *scan)
{
    const taken *t = &scan->entries[scan->entry];
    dl_lake_trail_entry entry = {.coords_len = t->coords_len};

    /* Without with_coords none were decoded. */
    if (scan->entry < scan->n_entries && scan->coords.data != NULL) {
        entry.coords = scan->coords.data + t->coords;
        scan->entry_left = t->records;
        dl_lake_coords_begin(&scan->reading, &entry);
    }
}

static dl_status next_coord(dl_coord *c, dl_lake_scan *scan, dl_error *err)
{
    while (scan->entry_left == 0 && scan->entry + 1 < scan->n_entries) {
        scan->entry++;
        begin_coords(scan);
    }
    if (!dl_lake_coords_next(c, &scan->reading)) {
        return dl_fail(err, DL_CORRUPT, 0, "coordinates of line %llu are bad",
                       (unsigned long long)scan->next_line);
    }
    scan->entry_left--;
    return DL_OK;
}

static dl_status skip_lines(dl_lake_scan *scan, dl_error *err)
{
    dl_coord ignored;

    for (; scan->skip > 0; scan->skip--) {
        const char *from = scan->data + scan->at;
        const char *end = memchr(from, '\n', scan->len - scan->at);

        if (end == NULL) {
            return dl_fail(err, DL_CORRUPT, 0, "an entry has too few lines");
        }
        if (scan->with_coords) {
            DL_TRY(next_coord(&ignored, scan, err));
        }
        scan->at = (size_t)(end + 1 - scan->data);
        scan->next_line++;
    }
    return DL_OK;
}

/* Have the next stretch in scan->data; scan->len is 0 at the end. */
static dl_status load_stretch(dl_lake_scan *scan, dl_error *err)
{
    uint64_t first;
    uint64_t at;

    scan->len = scan->at = 0;
    if (scan->line >= scan->day.records) {
        return DL_OK;
    }
    if (!scan->has_held) {
        DL_TRY(go_to_line(scan, scan->line, err));
    }
    first = scan->line;
    DL_TRY(take_entries(&at, scan, err));
    DL_TRY(read_stretch(scan, at, err));
    scan->next_line = first + 1;
    scan->entry = 0;
    begin_coords(scan);
    return skip_lines(scan, err);
}

dl_status dl_lake_scan_chunk(const char **data, size_t *len, dl_lake_scan *scan,
                             dl_error *err)
{
    DL_TRY(load_stretch(scan, err));
    *len = scan->len - scan->at;
    *data = *len == 0 ? NULL : scan->data + scan->at;
    scan->at = scan->len;
    return DL_OK;
}

uint64_t dl_lake_scan_chunk_line(const dl_lake_scan *scan)
{
    return scan->next_line;
}

dl_status dl_lake_scan_next(dl_lake_line *line, dl_lake_scan *scan,
                            dl_error *err)
{
    const char *from;
    const char *end;

    memset(line, 0, sizeof *line);
    if (scan->at == scan->len) {
        DL_TRY(load_stretch(scan, err));
        if (scan->len == 0) {
            return DL_OK;
        }
    }
    from = scan->data + scan->at;
    end = memchr(from, '\n', scan->len - scan->at);
    if (end == NULL) {
        return dl_fail(err, DL_CORRUPT, 0, "a line does not end");
    }
    line->text = from;
    line->len = (size_t)(end - from);
    line->line = scan->next_line++;
    if (scan->with_coords) {
        DL_TRY(next_coord(&line->coord, scan, err));
    }
    scan->at = (size_t)(end + 1 - scan->data);
    return DL_OK;
}
