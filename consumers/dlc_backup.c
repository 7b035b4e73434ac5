/* dlc_backup.c - Making a backup while everything runs.
 *
 * First one snapshot of the warehouse, then, once the lake has reached its
 * offsets, a pin on each dataset: from there on nothing that happens changes
 * what is copied, however long that takes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_backup.h"
#include "dlc_backup_events.h"

#include "dl_config.h"
#include "dl_json_write.h"
#include "dl_lake.h"
#include "dl_lake_copy.h"
#include "dl_lake_io.h"
#include "dl_statements.h"
#include "dl_wh.h"
#include "dl_wh_dump.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_tables.h>

/* How long the lake may take to reach the warehouse, and how often it is
 * looked at. */
#define WAIT_MS 60000
#define LOOK_MS 20

/* Where the models lie, below the lake's folder (MODEL.md). */
#define MODELS "_models"

/* Most bytes of backup.json. */
#define ABOUT_MAX ((size_t)16 << 20)

/* An offset that a sink has reached. */
typedef struct reached {
    const char *sink;   /* "warehouse" or "rollup" */
    const char *topic;  /* of which topic */
    int64_t partition;  /* of it */
    int64_t generation; /* life of the topic */
    int64_t next;       /* first offset it has not */
} reached;

/* A backup under way. */
typedef struct backup {
    const dlc_backup_job *job;      /* what was asked for */
    dlc_backup_done *done;          /* numbers */
    dl_wh *wh;                      /* in its snapshot */
    int n_reached;                  /* entries of REACHED */
    reached *reached;               /* by the warehouse */
    const dl_wh_dump_table *tables; /* of the warehouse */
    uint64_t *rows;                 /* of each table */
    dl_buf *events;                 /* the file of their numbers */
    const char *const *datasets;    /* names, done->datasets of them */
    dl_lake_pin **pins;             /* of each */
    FILE *sums;                     /* SHA256SUMS.new */
    dlc_progress bar;               /* over the bytes of the lake */
    uint64_t bytes;                 /* copied so far */
    int out;                        /* the file being written */
    dl_sha256 *sum;                 /* over it */
    apr_pool_t *pool;               /* lives as long */
} backup;

static const char *below(const backup *b, const char *name)
{
    return apr_pstrcat(b->pool, b->job->dir, "/", name, NULL);
}

/* --- The folder ----------------------------------------------------------- */

static dl_status folder_make(const char *path, dl_error *err)
{
    if (mkdir(path, 0700) != 0) {
        return dl_fail(err, errno == EEXIST ? DL_CONFLICT : DL_IO, errno,
                       "cannot make %s", path);
    }
    return DL_OK;
}

static dl_status folder_begin(const backup *b, dl_error *err)
{
    const char *dir = b->job->dir;
    const struct dirent *entry;
    DIR *listed;

    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        return dl_fail(err, DL_IO, errno, "cannot make %s", dir);
    }
    listed = opendir(dir);
    if (listed == NULL) {
        return dl_fail(err, DL_IO, errno, "cannot list %s", dir);
    }
    while ((entry = readdir(listed)) != NULL) { /* NOLINT: DIR is ours */
        if (strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0) {
            closedir(listed);
            return dl_fail(err, DL_CONFLICT, 0, "%s is not empty", dir);
        }
    }
    closedir(listed);
    DL_TRY(folder_make(below(b, DLC_BACKUP_LAKE), err));
    return folder_make(below(b, DLC_BACKUP_WAREHOUSE), err);
}

static apr_status_t close_sums(void *context)
{
    backup *b = context;

    if (b->sums != NULL) {
        fclose(b->sums);
    }
    return APR_SUCCESS;
}

static dl_status sums_begin(backup *b, dl_error *err)
{
    const char *path = below(b, DLC_BACKUP_SUMS ".new");

    b->sums = fopen(path, "wxe");
    if (b->sums == NULL) {
        return dl_fail(err, DL_IO, errno, "cannot make %s", path);
    }
    apr_pool_cleanup_register(b->pool, b, close_sums, apr_pool_cleanup_null);
    return DL_OK;
}

static dl_status sums_add(backup *b, const char *folder, const char *path,
                          const char *sum, dl_error *err)
{
    if (fprintf(b->sums, "%s  %s%s%s\n", sum, folder,
                folder[0] != '\0' ? "/" : "", path) < 0) {
        return dl_fail(err, DL_IO, errno, "cannot write %s", DLC_BACKUP_SUMS);
    }
    b->done->files++;
    return DL_OK;
}

/* Have all on the disk, then the list. */
static dl_status sums_end(backup *b, dl_error *err)
{
    const char *from = below(b, DLC_BACKUP_SUMS ".new");
    const char *to = below(b, DLC_BACKUP_SUMS);
    FILE *sums = b->sums;
    int fd;

    b->sums = NULL;
    if (fclose(sums) != 0) {
        return dl_fail(err, DL_IO, errno, "cannot write %s", from);
    }
    DL_TRY(
        dl_lake_dir_open(&fd, &dl_lake_io_real, AT_FDCWD, b->job->dir, 0, err));
    dl_lake_all_sync(&dl_lake_io_real, fd, b->job->dir);
    if (rename(from, to) != 0) {
        close(fd);
        return dl_fail(err, DL_IO, errno, "cannot make %s", to);
    }
    dl_lake_dir_sync(&dl_lake_io_real, fd, b->job->dir);
    close(fd);
    return DL_OK;
}

/* --- One moment ----------------------------------------------------------- */

static dl_status reached_load(backup *b, dl_error *err)
{
    apr_array_header_t *all = apr_array_make(b->pool, 64, (int)sizeof(reached));
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_prepare(&st, b->wh, STMT_DUMP_OFFSETS, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        reached *r = apr_array_push(all);

        r->sink = apr_pstrdup(b->pool, dl_wh_text(st, 0, NULL));
        r->topic = apr_pstrdup(b->pool, dl_wh_text(st, 1, NULL));
        r->partition = dl_wh_int(st, 2);
        r->generation = dl_wh_int(st, 3);
        r->next = dl_wh_int(st, 4);
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    dl_wh_finish(st);
    b->reached = (reached *)(void *)all->elts;
    b->n_reached = all->nelts;
    return DL_OK;
}

static int64_t pinned_next(const dl_lake_pinned *about, int64_t partition)
{
    for (int i = 0; i < about->n_next; i++) {
        if (about->next[i].partition == partition) {
            return about->next[i].next;
        }
    }
    return 0;
}

/* Whether ABOUT has all that the warehouse has of its topic; what it has more
 * is added to *BEHIND. */
static bool is_ahead(const backup *b, const dl_lake_pinned *about,
                     uint64_t *behind)
{
    uint64_t more = 0;
    bool any = false;

    for (int i = 0; i < b->n_reached; i++) {
        const reached *r = &b->reached[i];
        int64_t next = pinned_next(about, r->partition);

        if (strcmp(r->sink, "warehouse") != 0 ||
            strcmp(r->topic, about->dataset) != 0) {
            continue;
        }
        if (r->generation > about->generation ||
            (r->generation == about->generation && r->next > next)) {
            return false;
        }
        any = true;
        more += (uint64_t)(next - r->next);
    }
    *behind += any ? more : 0;
    return true;
}

/* Pin DATASET once it has what the warehouse has. */
static dl_status pin(dl_lake_pin **result, const backup *b, const char *dataset,
                     dl_error *err)
{
    apr_pool_t *own;

    for (int waited = 0; waited < WAIT_MS; waited += LOOK_MS) {
        apr_pool_create(&own, b->pool);
        DL_TRY(dl_lake_pin_take(result, b->job->cfg->lake.path, dataset, err,
                                own));
        if (is_ahead(b, dl_lake_pin_about(*result), &b->done->behind)) {
            return DL_OK;
        }
        apr_pool_destroy(own);
        usleep(LOOK_MS * 1000);
    }
    return dl_fail(err, DL_TIMEOUT, 0,
                   "the lake has less of %s than the warehouse: start "
                   "datalake-lake, then try again",
                   dataset);
}

static dl_status moment(backup *b, dl_error *err)
{
    dl_lake *lake;

    DL_TRY(dl_wh_connect(&b->wh, b->job->cfg, DL_WH_MIGRATE, err, b->pool));
    DL_TRY(dl_wh_schema_check(b->wh, err));
    DL_TRY(
        dlc_backup_events_begin(&b->events, b->wh, b->job->cfg, err, b->pool));
    DL_TRY(reached_load(b, err));
    DL_TRY(
        dl_wh_dump_tables(&b->tables, &b->done->tables, b->wh, err, b->pool));
    b->rows =
        apr_pcalloc(b->pool, ((size_t)b->done->tables + 1) * sizeof *b->rows);
    DL_TRY(dl_lake_open(&lake, b->job->cfg->lake.path, err, b->pool));
    DL_TRY(
        dl_lake_datasets(&b->datasets, &b->done->datasets, lake, err, b->pool));
    b->pins = apr_pcalloc(b->pool, ((size_t)b->done->datasets + 1) *
                                       sizeof(dl_lake_pin *));
    for (int i = 0; i < b->done->datasets; i++) {
        const dl_lake_pinned *about;

        DL_TRY(pin(&b->pins[i], b, b->datasets[i], err));
        about = dl_lake_pin_about(b->pins[i]);
        b->done->records += about->records;
        b->done->bytes += about->bytes;
    }
    return DL_OK;
}

/* --- The lake ------------------------------------------------------------- */

static dl_status lake_file(void *context, const char *path,
                           const char sum[DL_SHA256_TEXT], dl_error *err)
{
    return sums_add(context, DLC_BACKUP_LAKE, path, sum, err);
}

static void lake_progress(void *context, uint64_t bytes)
{
    backup *b = context;

    b->bytes += bytes;
    dlc_progress_update(&b->bar, (int64_t)(b->bytes >> 20));
}

static dl_status lake_copy(backup *b, dl_error *err)
{
    const dl_lake_copying job = {.target = below(b, DLC_BACKUP_LAKE),
                                 .link = b->job->link,
                                 .file = lake_file,
                                 .progress = lake_progress,
                                 .context = b};
    dl_status status = DL_OK;
    apr_pool_t *iterpool;

    apr_pool_create(&iterpool, b->pool);
    dlc_progress_begin(&b->bar, "MB", (int64_t)(b->done->bytes >> 20),
                       b->job->quiet);
    for (int i = 0; status == DL_OK && i < b->done->datasets; i++) {
        apr_pool_clear(iterpool);
        status = dl_lake_copy(b->pins[i], &job, err, iterpool);
    }
    dlc_progress_end(&b->bar);
    return status;
}

/* --- Tables and backup.json ----------------------------------------------- */

static dl_status write_all(void *context, const char *data, size_t len,
                           dl_error *err)
{
    backup *b = context;

    dl_sha256_add(b->sum, data, len);
    while (len > 0) {
        ssize_t n = write(b->out, data, len);

        if (n < 0 && errno != EINTR) {
            return dl_fail(err, dl_lake_errno_status(errno), errno,
                           "cannot write to %s", b->job->dir);
        }
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return DL_OK;
}

static dl_status file_begin(backup *b, const char *name, dl_error *err)
{
    b->sum = dl_sha256_create(b->pool);
    b->out =
        open(below(b, name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (b->out < 0) {
        return dl_fail(err, dl_lake_errno_status(errno), errno,
                       "cannot make %s", below(b, name));
    }
    return DL_OK;
}

static dl_status file_end(backup *b, const char *name, dl_status status,
                          dl_error *err)
{
    char sum[DL_SHA256_TEXT];

    close(b->out);
    DL_TRY(status);
    dl_sha256_text(sum, b->sum);
    return sums_add(b, "", name, sum, err);
}

static dl_status file_write(backup *b, const char *name, const dl_buf *buf,
                            dl_error *err)
{
    DL_TRY(file_begin(b, name, err));
    return file_end(b, name, write_all(b, buf->data, buf->len, err), err);
}

/* Copy the model NAME out of the folder DIR, through BLOCK. */
static dl_status model_copy(backup *b, int dir, const char *name, char *block,
                            dl_error *err)
{
    const char *to =
        apr_pstrcat(b->pool, DLC_BACKUP_LAKE "/" MODELS "/", name, NULL);
    dl_status status = DL_OK;
    ssize_t n = 1;
    int in = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (in < 0) {
        return errno == ENOENT
                   ? DL_OK
                   : dl_fail(err, DL_IO, errno, "cannot open model %s", name);
    }
    status = file_begin(b, to, err);
    if (status != DL_OK) {
        close(in);
        return status;
    }
    while (status == DL_OK && n != 0) {
        n = read(in, block, DLC_BACKUP_BLOCK);
        if (n > 0) {
            status = write_all(b, block, (size_t)n, err);
        }
        else if (n < 0 && errno != EINTR) {
            status = dl_fail(err, DL_IO, errno, "cannot read model %s", name);
        }
    }
    close(in);
    return file_end(b, to, status, err);
}

/* Copy the models: after the snapshot, so that each model of its rows is
 * there.  A name that begins with a dot is one being made. */
static dl_status models_copy(backup *b, dl_error *err)
{
    const char *from =
        apr_pstrcat(b->pool, b->job->cfg->lake.path, "/" MODELS, NULL);
    char *block = apr_palloc(b->pool, DLC_BACKUP_BLOCK);
    dl_status status = DL_OK;
    const struct dirent *entry;
    DIR *listed = opendir(from);

    if (listed == NULL) {
        return errno == ENOENT
                   ? DL_OK
                   : dl_fail(err, DL_IO, errno, "cannot list %s", from);
    }
    status = folder_make(below(b, DLC_BACKUP_LAKE "/" MODELS), err);
    while (status == DL_OK &&
           (entry = readdir(listed)) != NULL) { /* NOLINT: DIR is ours */
        if (entry->d_name[0] != '.') {
            status = model_copy(b, dirfd(listed), entry->d_name, block, err);
        }
    }
    closedir(listed);
    return status;
}

static dl_status tables_dump(backup *b, dl_error *err)
{
    const dl_wh_dump_sink sink = {.take = write_all, .context = b};
    apr_pool_t *iterpool;

    apr_pool_create(&iterpool, b->pool);
    dlc_progress_begin(&b->bar, "tables", b->done->tables, b->job->quiet);
    for (int i = 0; i < b->done->tables; i++) {
        const char *name = apr_pstrcat(b->pool, DLC_BACKUP_WAREHOUSE "/",
                                       b->tables[i].name, ".tsv", NULL);
        dl_status status;

        apr_pool_clear(iterpool);
        DL_TRY(file_begin(b, name, err));
        status =
            dl_wh_dump(&b->rows[i], b->wh, &b->tables[i], &sink, err, iterpool);
        DL_TRY(file_end(b, name, status, err));
        b->done->rows += b->rows[i];
        dlc_progress_update(&b->bar, i + 1);
    }
    dlc_progress_end(&b->bar);
    dl_wh_rollback(b->wh);
    return DL_OK;
}

static void number(dl_json_writer *w, const char *name, int64_t value)
{
    dl_json_write_key(w, name);
    dl_json_write_int(w, value);
}

static void word(dl_json_writer *w, const char *name, const char *text)
{
    dl_json_write_key(w, name);
    dl_json_write_text(w, text);
}

/* Return the text OFFSETS, "PARTITION:NEXT ...", with one more. */
static const char *offset_append(const char *offsets, int64_t partition,
                                 int64_t next, apr_pool_t *pool)
{
    char one[64];

    snprintf(one, sizeof one, "%s%" PRId64 ":%" PRId64,
             offsets[0] != '\0' ? " " : "", partition, next);
    return apr_pstrcat(pool, offsets, one, NULL);
}

static void about_dataset(dl_json_writer *w, const dl_lake_pinned *about,
                          apr_pool_t *pool)
{
    const char *offsets = "";

    for (int i = 0; i < about->n_next; i++) {
        offsets = offset_append(offsets, about->next[i].partition,
                                about->next[i].next, pool);
    }
    dl_json_write_object_begin(w);
    word(w, "dataset", about->dataset);
    word(w, "cluster", about->cluster);
    number(w, "generation", about->generation);
    number(w, "records", (int64_t)about->records);
    number(w, "bytes", (int64_t)about->bytes);
    dl_json_write_key(w, "last_commit");
    dl_json_write_time(w, about->last_commit);
    word(w, "offsets", offsets);
    dl_json_write_object_end(w);
}

/* The offsets of one sink and topic, which begin with entry I of b->reached;
 * return the entry behind them. */
static int about_reached(dl_json_writer *w, const backup *b, int i)
{
    const reached *first = &b->reached[i];
    const char *offsets = "";

    for (; i < b->n_reached; i++) {
        const reached *r = &b->reached[i];

        if (strcmp(r->sink, first->sink) != 0 ||
            strcmp(r->topic, first->topic) != 0) {
            break;
        }
        offsets = offset_append(offsets, r->partition, r->next, b->pool);
    }
    dl_json_write_object_begin(w);
    word(w, "sink", first->sink);
    word(w, "topic", first->topic);
    number(w, "generation", first->generation);
    word(w, "offsets", offsets);
    dl_json_write_object_end(w);
    return i;
}

static void about_warehouse(dl_json_writer *w, const backup *b)
{
    dl_json_write_key(w, "offsets");
    dl_json_write_array_begin(w);
    for (int i = 0; i < b->n_reached;) {
        i = about_reached(w, b, i);
    }
    dl_json_write_array_end(w);
    dl_json_write_key(w, "tables");
    dl_json_write_array_begin(w);
    for (int i = 0; i < b->done->tables; i++) {
        dl_json_write_object_begin(w);
        word(w, "table", b->tables[i].name);
        number(w, "rows", (int64_t)b->rows[i]);
        number(w, "next_id", b->tables[i].next_id);
        dl_json_write_object_end(w);
    }
    dl_json_write_array_end(w);
}

static dl_status about_write(backup *b, dl_error *err)
{
    dl_buf *buf = dl_buf_create(ABOUT_MAX, b->pool);
    dl_json_writer w;

    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    number(&w, "format", DLC_BACKUP_FORMAT);
    word(&w, "program", DL_VERSION);
    number(&w, "schema", dl_wh_schema_known());
    dl_json_write_key(&w, "made_at");
    dl_json_write_time(&w, dl_time_now());
    dl_json_write_key(&w, "lake");
    dl_json_write_array_begin(&w);
    for (int i = 0; i < b->done->datasets; i++) {
        about_dataset(&w, dl_lake_pin_about(b->pins[i]), b->pool);
    }
    dl_json_write_array_end(&w);
    dl_json_write_key(&w, "warehouse");
    dl_json_write_object_begin(&w);
    about_warehouse(&w, b);
    dl_json_write_object_end(&w);
    dl_json_write_object_end(&w);
    DL_TRY(dl_json_writer_finish(&w, err));
    DL_TRY(dl_buf_append(buf, "\n", 1, err));
    return file_write(b, DLC_BACKUP_ABOUT, buf, err);
}

/* --- All ------------------------------------------------------------------ */

dl_status dlc_backup_make(dlc_backup_done *done, const dlc_backup_job *job,
                          dl_error *err, apr_pool_t *pool)
{
    backup b = {.job = job, .done = done};

    memset(done, 0, sizeof *done);
    apr_pool_create(&b.pool, pool);
    DL_TRY(folder_begin(&b, err));
    DL_TRY(sums_begin(&b, err));
    DL_TRY(moment(&b, err));
    DL_TRY(lake_copy(&b, err));
    DL_TRY(models_copy(&b, err));
    DL_TRY(tables_dump(&b, err));
    DL_TRY(file_write(&b, DLC_BACKUP_EVENTS, b.events, err));
    DL_TRY(about_write(&b, err));
    DL_TRY(sums_end(&b, err));
    apr_pool_destroy(b.pool);
    return DL_OK;
}
