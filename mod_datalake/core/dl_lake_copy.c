/* dl_lake_copy.c - Copying what a pin holds.
 *
 * FORMAT.md, Copies, in its order.  A file that never changes is linked when that
 * was asked for and works; what the writer of the copy would go on writing is
 * always copied, up to its committed length.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_pinning.h"

#include "dl_crc.h"
#include "dl_lake_idx.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

/* Bytes copied at once. */
#define BLOCK (1u << 20)

/* A copy under way. */
typedef struct copy {
    const dl_lake_pin *pin;     /* what is copied */
    const dl_lake_copying *job; /* how */
    const dl_lake_io *io;       /* system calls */
    int root;                   /* folder of the new lake */
    int meta;                   /* its _lake/DATASET */
    int data;                   /* its DATASET */
    char *block;                /* BLOCK bytes */
    dl_sha256 *sum;             /* over the file at hand */
    apr_pool_t *pool;           /* for names */
} copy;

/* One file. */
typedef struct one {
    int from;          /* folder it is in, of the old lake */
    int to;            /* folder it comes to */
    const char *name;  /* its name in both */
    const char *above; /* the folder, below the lake, for the list */
    uint64_t bytes;    /* to copy; ALL: the whole file */
    bool changes;      /* the writer goes on with it: never linked */
    bool has_crc;      /* whether CRC is known */
    uint32_t crc;      /* of the bytes */
} one;

#define ALL UINT64_MAX

/* --- A file --------------------------------------------------------------- */

/* Read BYTES of IN, sum them up, and write them to OUT unless it is -1. */
static dl_status pass(uint32_t *crc, copy *c, int in, int out, uint64_t bytes,
                      dl_error *err)
{
    *crc = 0;
    for (uint64_t done = 0; done < bytes;) {
        size_t len = bytes - done < BLOCK ? (size_t)(bytes - done) : BLOCK;

        DL_TRY(dl_lake_file_read(c->io, in, c->block, len, done, err));
        if (out >= 0) {
            DL_TRY(dl_lake_file_write(c->io, out, c->block, len, done, err));
        }
        *crc = dl_crc32c(*crc, c->block, len);
        dl_sha256_add(c->sum, c->block, len);
        done += len;
        if (c->job->progress != NULL) {
            c->job->progress(c->job->context, len);
        }
    }
    return DL_OK;
}

/* Have the file in the new folder: *OUT is open for its bytes, or -1 when it
 * is a link. */
static dl_status make(int *out, const copy *c, const one *f, dl_error *err)
{
    *out = -1;
    if (c->job->link && !f->changes &&
        c->io->linkat(f->from, f->name, f->to, f->name, 0) == 0) {
        return DL_OK;
    }
    return dl_lake_file_open(out, c->io, f->to, f->name,
                             O_WRONLY | O_CREAT | O_EXCL, err);
}

static dl_status copy_open(copy *c, const one *f, int in, dl_error *err)
{
    uint64_t bytes = f->bytes;
    dl_status status;
    uint32_t crc = 0;
    int out;

    if (bytes == ALL) {
        DL_TRY(dl_lake_file_size(&bytes, c->io, in, err));
    }
    DL_TRY(make(&out, c, f, err));
    status = pass(&crc, c, in, out, bytes, err);
    if (out >= 0) {
        c->io->close(out);
    }
    DL_TRY(status);
    if (f->has_crc && crc != f->crc) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "%s/%s has not the checksum it was committed with",
                       f->above, f->name);
    }
    return DL_OK;
}

/* Copy F and tell of it.  DL_NOT_FOUND: it is not there. */
static dl_status copy_file(copy *c, const one *f, dl_error *err)
{
    char sum[DL_SHA256_TEXT];
    dl_status status;
    int in;

    DL_TRY(dl_lake_file_open(&in, c->io, f->from, f->name, O_RDONLY, err));
    c->sum = dl_sha256_create(c->pool);
    status = copy_open(c, f, in, err);
    c->io->close(in);
    dl_sha256_text(sum, c->sum);
    DL_TRY(status);
    return c->job->file(c->job->context,
                        apr_pstrcat(c->pool, f->above, "/", f->name, NULL), sum,
                        err);
}

/* Write the LEN bytes of DATA as NAME in _lake/DATASET. */
static dl_status write_own(copy *c, const char *name, const void *data,
                           size_t len, dl_error *err)
{
    char sum[DL_SHA256_TEXT];
    dl_status status;
    int fd;

    DL_TRY(dl_lake_file_open(&fd, c->io, c->meta, name,
                             O_WRONLY | O_CREAT | O_EXCL, err));
    status = dl_lake_file_write(c->io, fd, data, len, 0, err);
    c->io->close(fd);
    DL_TRY(status);
    c->sum = dl_sha256_create(c->pool);
    dl_sha256_add(c->sum, data, len);
    dl_sha256_text(sum, c->sum);
    return c->job->file(c->job->context,
                        apr_pstrcat(c->pool, DL_LAKE_META "/",
                                    c->pin->about.dataset, "/", name, NULL),
                        sum, err);
}

/* The path of FOLDER in _lake/DATASET, below the lake. */
static const char *meta_path(const copy *c, const char *folder)
{
    return apr_pstrcat(c->pool, DL_LAKE_META "/", c->pin->about.dataset, "/",
                       folder, NULL);
}

/* --- Parts and trails ----------------------------------------------------- */

static dl_status copy_trail(copy *c, const dl_lake_part *part, int to,
                            dl_error *err)
{
    char name[DL_LAKE_PATH_MAX];
    one f = {.from = c->pin->idx,
             .to = to,
             .name = name,
             .above = meta_path(c, DL_LAKE_IDX),
             .bytes = part->trail_len,
             .changes = part->state == DL_LAKE_PART_OPEN,
             .has_crc = true,
             .crc = part->trail_crc};

    dl_lake_trail_name(name, part->uid);
    return copy_file(c, &f, err);
}

/* Copy the file of a part that is in the manifest. */
static dl_status copy_listed(copy *c, const dl_lake_part *part, dl_error *err)
{
    char folder[DL_LAKE_PATH_MAX];
    char name[DL_LAKE_PATH_MAX];
    one f = {.name = name,
             .bytes = dl_lake_part_file_bytes(part),
             .has_crc = true,
             .crc = dl_lake_part_file_crc(part)};
    dl_status status;

    dl_lake_day_folder(folder, part->day);
    dl_lake_part_name(name, part);
    f.above = apr_pstrcat(c->pool, c->pin->about.dataset, "/", folder, NULL);
    DL_TRY(dl_lake_dir_open(&f.from, c->io, c->pin->data, folder, 0, err));
    status = dl_lake_dir_open(&f.to, c->io, c->data, folder, 1, err);
    if (status == DL_OK) {
        status = copy_file(c, &f, err);
        c->io->close(f.to);
    }
    c->io->close(f.from);
    return status;
}

/* Copy the file of a part that is not: from open/, or from its day's folder
 * when it was sealed since. */
static dl_status copy_growing(copy *c, const dl_lake_part *part, int to,
                              dl_error *err)
{
    char folder[DL_LAKE_PATH_MAX];
    char name[DL_LAKE_PATH_MAX];
    one f = {.from = c->pin->open,
             .to = to,
             .name = name,
             .above = meta_path(c, DL_LAKE_OPEN),
             .bytes = part->bytes,
             .changes = true,
             .has_crc = true,
             .crc = part->crc};
    dl_status status;

    dl_lake_part_name(name, part);
    status = copy_file(c, &f, err);
    if (status != DL_NOT_FOUND) {
        return status;
    }
    dl_lake_day_folder(folder, part->day);
    DL_TRY(dl_lake_dir_open(&f.from, c->io, c->pin->data, folder, 0, err));
    status = copy_file(c, &f, err);
    c->io->close(f.from);
    return status;
}

static dl_status copy_parts(copy *c, int open, int idx, dl_error *err,
                            apr_pool_t *iterpool)
{
    const dl_lake_manifest *m = &c->pin->manifest;
    const dl_lake_state *state = &c->pin->state;

    c->pool = iterpool;
    for (int i = 0; i < m->n_parts; i++) {
        apr_pool_clear(iterpool);
        DL_TRY(copy_listed(c, &m->parts[i], err));
        DL_TRY(copy_trail(c, &m->parts[i], idx, err));
    }
    for (int i = 0; i < state->n_parts; i++) {
        apr_pool_clear(iterpool);
        DL_TRY(copy_growing(c, state->parts[i], open, err));
        DL_TRY(copy_trail(c, state->parts[i], idx, err));
    }
    return DL_OK;
}

static int compare_uids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Copy what else lies in idx/ about sealed parts.  One that goes meanwhile is
 * no loss: all of it can be made again. */
static dl_status copy_remarks(copy *c, int to, dl_error *err,
                              apr_pool_t *iterpool)
{
    const dl_lake_manifest *m = &c->pin->manifest;
    apr_pool_t *pool = c->pool;
    uint64_t *uids = apr_palloc(pool, ((size_t)m->n_parts + 1) * sizeof *uids);
    dl_lake_idx idx;

    for (int i = 0; i < m->n_parts; i++) {
        uids[i] = m->parts[i].uid;
    }
    qsort(uids, (size_t)m->n_parts, sizeof *uids, compare_uids);
    DL_TRY(dl_lake_idx_read(&idx, c->io, c->pin->meta, err, pool));
    c->pool = iterpool;
    for (int i = 0; i < idx.n; i++) {
        const dl_lake_idx_file *file = &idx.files[i];
        one f = {
            .from = c->pin->idx, .to = to, .name = file->name, .bytes = ALL};
        dl_status status;

        if (file->kind == DL_LAKE_IDX_TRAIL || file->kind == DL_LAKE_IDX_HALF ||
            file->kind == DL_LAKE_IDX_GROW || file->kind == DL_LAKE_IDX_OTHER ||
            bsearch(&file->uid, uids, (size_t)m->n_parts, sizeof *uids,
                    compare_uids) == NULL) {
            continue;
        }
        apr_pool_clear(iterpool);
        f.above = meta_path(c, DL_LAKE_IDX);
        status = copy_file(c, &f, err);
        if (status != DL_OK && status != DL_NOT_FOUND) {
            return status;
        }
    }
    return DL_OK;
}

/* --- Quarantine, manifest, journal ---------------------------------------- */

static dl_status copy_quarantine(copy *c, int from, int to, dl_error *err)
{
    const dl_lake_quarantine *q = &c->pin->state.quarantine;

    for (uint64_t number = 1; number <= q->number; number++) {
        char name[DL_LAKE_PATH_MAX];
        one f = {.from = from,
                 .to = to,
                 .name = name,
                 .above = meta_path(c, DL_LAKE_QUARANTINE),
                 .bytes = number == q->number ? q->length : ALL,
                 .changes = number == q->number};
        dl_status status;

        dl_lake_number_name(name, number);
        status = copy_file(c, &f, err);
        if (status != DL_OK &&
            (status != DL_NOT_FOUND || number == q->number)) {
            return status;
        }
    }
    return DL_OK;
}

static dl_status copy_manifest(copy *c, int to, dl_error *err)
{
    const dl_lake_manifest *m = &c->pin->manifest;
    char name[DL_LAKE_PATH_MAX];
    char text[24];
    one f = {.from = c->pin->place.manifests,
             .to = to,
             .name = name,
             .above = meta_path(c, DL_LAKE_MANIFESTS),
             .bytes = m->length,
             .changes = true};
    char sum[DL_SHA256_TEXT];
    dl_status status;
    int fd;

    if (m->number == 0) {
        return DL_OK;
    }
    dl_lake_number_name(name, m->number);
    DL_TRY(dl_lake_file_open(&fd, c->io, to, name, O_WRONLY | O_CREAT | O_EXCL,
                             err));
    /* as it was read: the file may have been replaced since */
    status = dl_lake_file_write(c->io, fd, c->pin->manifest_text,
                                (size_t)m->length, 0, err);
    c->io->close(fd);
    DL_TRY(status);
    c->sum = dl_sha256_create(c->pool);
    dl_sha256_add(c->sum, c->pin->manifest_text, (size_t)m->length);
    dl_sha256_text(sum, c->sum);
    DL_TRY(c->job->file(c->job->context,
                        apr_pstrcat(c->pool, f.above, "/", name, NULL), sum,
                        err));
    snprintf(text, sizeof text, "%llu\n", (unsigned long long)m->number);
    return write_own(c, DL_LAKE_CURRENT, text, strlen(text), err);
}

static dl_status write_journal(copy *c, dl_error *err)
{
    const dl_lake_state *state = &c->pin->state;
    dl_lake_bytes *bytes = apr_pcalloc(c->pool, sizeof *bytes);

    dl_lake_bytes_own(bytes, c->pool);
    dl_lake_header_add(bytes, 'J', state->id, state->journal,
                       c->pin->about.dataset);
    dl_lake_checkpoint_add(bytes, state);
    return write_own(c, DL_LAKE_JOURNAL, bytes->data, bytes->len, err);
}

/* --- All ------------------------------------------------------------------ */

/* Run STEP between the old and the new folder NAME of _lake/DATASET. */
static dl_status in_folder(copy *c, const char *name,
                           dl_status (*step)(copy *, int, int, dl_error *),
                           dl_error *err)
{
    dl_status status;
    int from;
    int to;

    DL_TRY(dl_lake_dir_open(&to, c->io, c->meta, name, 1, err));
    status = dl_lake_dir_open(&from, c->io, c->pin->meta, name, 0, err);
    if (status == DL_OK) {
        status = step(c, from, to, err);
        c->io->close(from);
    }
    c->io->close(to);
    return status == DL_NOT_FOUND && step == copy_quarantine &&
                   c->pin->state.quarantine.number == 0
               ? DL_OK
               : status;
}

static dl_status manifest_step(copy *c, int from, int to, dl_error *err)
{
    (void)from;
    return copy_manifest(c, to, err);
}

static dl_status parts_step(copy *c, int idx, dl_error *err)
{
    apr_pool_t *pool = c->pool;
    apr_pool_t *iterpool;
    dl_status status;
    int open;

    DL_TRY(dl_lake_dir_open(&open, c->io, c->meta, DL_LAKE_OPEN, 1, err));
    apr_pool_create(&iterpool, pool);
    status = copy_parts(c, open, idx, err, iterpool);
    c->io->close(open);
    c->pool = pool;
    if (status == DL_OK) {
        status = copy_remarks(c, idx, err, iterpool);
        c->pool = pool;
    }
    apr_pool_destroy(iterpool);
    return status;
}

static dl_status copy_all(copy *c, dl_error *err)
{
    dl_status status;
    int idx;

    DL_TRY(dl_lake_dir_open(&idx, c->io, c->meta, DL_LAKE_IDX, 1, err));
    status = parts_step(c, idx, err);
    c->io->close(idx);
    DL_TRY(status);
    DL_TRY(in_folder(c, DL_LAKE_QUARANTINE, copy_quarantine, err));
    DL_TRY(in_folder(c, DL_LAKE_MANIFESTS, manifest_step, err));
    return write_journal(c, err);
}

/* Make the folders of the dataset, which must not be there. */
static dl_status make_folders(copy *c, dl_error *err)
{
    const char *dataset = c->pin->about.dataset;
    const char *meta = apr_pstrcat(c->pool, DL_LAKE_META "/", dataset, NULL);
    int above;

    DL_TRY(dl_lake_dir_open(&above, c->io, c->root, DL_LAKE_META, 1, err));
    c->io->close(above);
    if (c->io->mkdirat(c->root, dataset, DL_LAKE_DIR_MODE) != 0 ||
        c->io->mkdirat(c->root, meta, DL_LAKE_DIR_MODE) != 0) {
        return dl_fail(
            err, errno == EEXIST ? DL_CONFLICT : dl_lake_errno_status(errno),
            errno, "cannot make the folders of %s", dataset);
    }
    DL_TRY(dl_lake_dir_open(&c->meta, c->io, c->root, meta, 0, err));
    return dl_lake_dir_open(&c->data, c->io, c->root, dataset, 0, err);
}

static void close_copy(const copy *c)
{
    int fds[] = {c->root, c->meta, c->data};

    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            c->io->close(fds[i]);
        }
    }
    free(c->block);
}

dl_status dl_lake_copy(const dl_lake_pin *pin, const dl_lake_copying *job,
                       dl_error *err, apr_pool_t *scratch_pool)
{
    copy c = {.pin = pin,
              .job = job,
              .io = pin->io,
              .root = -1,
              .meta = -1,
              .data = -1,
              .pool = scratch_pool};
    dl_status status;

    c.block = malloc(BLOCK);
    if (c.block == NULL) {
        abort();
    }
    status = dl_lake_dir_open(&c.root, c.io, AT_FDCWD, job->target, 0, err);
    if (status == DL_OK) {
        status = make_folders(&c, err);
    }
    if (status == DL_OK) {
        status = copy_all(&c, err);
    }
    close_copy(&c);
    return status;
}
