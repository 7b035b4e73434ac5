/* dl_lake_pin.c - Holding one committed state of a dataset.
 *
 * The head names the state: its log number and its manifest.  The journal has
 * all of it, up to that number.  Between reading one and the other the journal
 * may rotate past the number or the manifest may be written anew; then it is
 * all done again.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_pinning.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include <apr_strings.h>

/* How often it is tried when files are replaced at that moment. */
#define TRIES 50

/* --- Journal -------------------------------------------------------------- */

static dl_status read_file(uint8_t **data, size_t *len, const dl_lake_io *io,
                           int dir, const char *name, dl_error *err)
{
    dl_status status;
    uint64_t size = 0;
    int fd;

    *data = NULL;
    DL_TRY(dl_lake_file_open(&fd, io, dir, name, O_RDONLY, err));
    status = dl_lake_file_size(&size, io, fd, err);
    if (status == DL_OK) {
        *data = malloc((size_t)size + 1);
        if (*data == NULL) {
            abort();
        }
        status = dl_lake_file_read(io, fd, *data, (size_t)size, 0, err);
    }
    io->close(fd);
    if (status != DL_OK) {
        free(*data);
        *data = NULL;
    }
    *len = (size_t)size;
    return status;
}

/* Return the bytes of the journal of LEN bytes at DATA up to and with the
 * record LSN, 0 when it is not there. */
static size_t journal_until(const uint8_t *data, size_t len, uint64_t lsn)
{
    dl_lake_in in = dl_lake_in_make(data, len);
    const uint8_t *payload;
    size_t n;

    while (dl_lake_get_frame(&payload, &n, &in)) {
        dl_lake_in record = dl_lake_in_make(payload, n);
        uint8_t type = dl_lake_get_u8(&record);

        if (type != DL_LAKE_TYPE_HEADER && dl_lake_get_varint(&record) == lsn &&
            !record.bad) {
            return (size_t)(in.p - data);
        }
    }
    return 0;
}

static dl_status replay(dl_lake_pin *pin, uint64_t lsn, dl_error *err,
                        apr_pool_t *pool)
{
    dl_lake_in in;
    uint8_t *data;
    size_t len;
    dl_status status;

    DL_TRY(read_file(&data, &len, pin->io, pin->meta, DL_LAKE_JOURNAL, err));
    len = journal_until(data, len, lsn);
    if (len == 0) {
        free(data);
        return dl_fail(err, DL_RETRY, 0, "the journal of %s has moved on",
                       pin->about.dataset);
    }
    dl_lake_state_begin(&pin->state, 0, pool);
    in = dl_lake_in_make(data, len);
    status =
        dl_lake_journal_replay(&pin->state, &in, pin->about.dataset, err, pool);
    free(data);
    return status;
}

/* --- Manifest ------------------------------------------------------------- */

static apr_status_t free_bytes(void *bytes)
{
    free(bytes);
    return APR_SUCCESS;
}

static dl_status read_manifest(dl_lake_pin *pin, uint64_t word, dl_error *err,
                               apr_pool_t *pool)
{
    uint64_t number = word >> DL_LAKE_LENGTH_BITS;
    uint64_t length = word & ((1ull << DL_LAKE_LENGTH_BITS) - 1);
    char name[DL_LAKE_PATH_MAX];
    size_t len;

    dl_lake_manifest_begin(&pin->manifest, pool);
    pin->manifest_text = NULL;
    if (number == 0) {
        return DL_OK;
    }
    DL_TRY(dl_lake_manifest_load(&pin->manifest, &pin->place, number, length,
                                 err, pool));
    dl_lake_number_name(name, number);
    DL_TRY(read_file(&pin->manifest_text, &len, pin->io, pin->place.manifests,
                     name, err));
    apr_pool_cleanup_register(pool, pin->manifest_text, free_bytes,
                              apr_pool_cleanup_null);
    if (len < length) {
        return dl_fail(err, DL_CORRUPT, 0, "manifest %s of %s was cut", name,
                       pin->about.dataset);
    }
    pin->manifest.number = number;
    pin->manifest.length = length;
    return DL_OK;
}

/* --- The state ------------------------------------------------------------ */

/* Take out of the state what the manifest has: it was sealed meanwhile. */
static void drop_listed(dl_lake_pin *pin)
{
    for (int i = 0; i < pin->state.n_parts;) {
        const dl_lake_part *part = pin->state.parts[i];

        if (dl_lake_manifest_covers(&pin->manifest, part->day, part->number) !=
            NULL) {
            dl_lake_state_take(&pin->state, part->day);
        }
        else {
            i++;
        }
    }
}

static dl_status take_once(dl_lake_pin *pin, dl_error *err, apr_pool_t *pool)
{
    dl_lake_view view;

    DL_TRY(dl_lake_head_read(&view, pin->head, err, pool));
    DL_TRY(read_manifest(pin, view.manifest, err, pool));
    DL_TRY(replay(pin, view.lsn, err, pool));
    drop_listed(pin);
    return DL_OK;
}

static dl_status take(dl_lake_pin *pin, dl_error *err, apr_pool_t *pool)
{
    dl_status status = DL_RETRY;
    apr_pool_t *own = NULL;

    for (int i = 0; i < TRIES; i++) {
        if (own != NULL) {
            apr_pool_destroy(own);
        }
        apr_pool_create(&own, pool);
        status = take_once(pin, err, own);
        /* not found: the manifest was written anew and the old one removed */
        if (status != DL_RETRY && status != DL_NOT_FOUND) {
            return status;
        }
    }
    return dl_fail(err, DL_BUSY, 0,
                   "%s: journal and manifest do not stand still",
                   pin->about.dataset);
}

static void fill_about(dl_lake_pin *pin, apr_pool_t *pool)
{
    const dl_lake_state *state = &pin->state;
    dl_lake_next *next =
        apr_palloc(pool, DL_LAKE_PARTITIONS_MAX * sizeof *next);
    dl_lake_pinned *about = &pin->about;

    about->id = state->id;
    about->lsn = state->lsn;
    about->generation = state->generation;
    about->cluster = state->cluster;
    about->last_commit =
        state->last_commit_ms > 0 ? state->last_commit_ms * 1000 : DL_TIME_NONE;
    about->records = pin->manifest.records;
    about->bytes = pin->manifest.bytes;
    for (int i = 0; i < state->n_parts; i++) {
        about->records += state->parts[i]->records;
        about->bytes += state->parts[i]->bytes;
    }
    for (int32_t p = 0; p < DL_LAKE_PARTITIONS_MAX; p++) {
        if (state->next[p] >= 0) {
            next[about->n_next++] =
                (dl_lake_next){.partition = p, .next = state->next[p]};
        }
    }
    about->next = next;
}

/* --- Opening -------------------------------------------------------------- */

static apr_status_t close_pin(void *context)
{
    const dl_lake_pin *pin = context;
    int fds[] = {pin->root, pin->data,    pin->meta,           pin->idx,
                 pin->open, pin->compact, pin->place.manifests};

    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            pin->io->close(fds[i]);
        }
    }
    return APR_SUCCESS;
}

static dl_status open_folders(dl_lake_pin *pin, const char *root, dl_error *err)
{
    const dl_lake_io *io = pin->io;
    char path[DL_LAKE_NAME_MAX + 16];

    pin->root =
        io->openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (pin->root < 0) {
        return dl_fail(err, dl_lake_errno_status(errno), errno,
                       "cannot open lake %s", root);
    }
    snprintf(path, sizeof path, "%s/%s", DL_LAKE_META, pin->about.dataset);
    DL_TRY(dl_lake_dir_open(&pin->meta, io, pin->root, path, 0, err));
    DL_TRY(dl_lake_dir_open(&pin->data, io, pin->root, pin->about.dataset, 0,
                            err));
    DL_TRY(dl_lake_dir_open(&pin->idx, io, pin->meta, DL_LAKE_IDX, 0, err));
    DL_TRY(dl_lake_dir_open(&pin->open, io, pin->meta, DL_LAKE_OPEN, 0, err));
    DL_TRY(dl_lake_dir_open(&pin->place.manifests, io, pin->meta,
                            DL_LAKE_MANIFESTS, 0, err));
    return dl_lake_dir_open(&pin->compact, io, pin->meta, DL_LAKE_COMPACT, 1,
                            err);
}

dl_status dl_lake_pin_take(dl_lake_pin **result, const char *root,
                           const char *dataset, dl_error *err, apr_pool_t *pool)
{
    dl_lake_pin *pin = apr_pcalloc(pool, sizeof *pin);

    if (!dl_lake_name_valid(dataset)) {
        return dl_fail(err, DL_NOT_FOUND, 0, "no such dataset");
    }
    pin->io = &dl_lake_io_real;
    pin->about.dataset = apr_pstrdup(pool, dataset);
    pin->root = pin->data = pin->meta = pin->idx = pin->open = -1;
    pin->compact = pin->place.manifests = -1;
    apr_pool_cleanup_register(pool, pin, close_pin, apr_pool_cleanup_null);
    DL_TRY(open_folders(pin, root, err));
    pin->place.io = pin->io;
    pin->place.meta = pin->meta;
    pin->place.dataset = pin->about.dataset;
    DL_TRY(dl_lake_lock(pin->io, pin->compact, LOCK_SH, DL_LAKE_COMPACT, err));
    DL_TRY(dl_lake_head_open(&pin->head, pin->io, pin->meta, err, pool));
    DL_TRY(take(pin, err, pool));
    fill_about(pin, pool);
    *result = pin;
    return DL_OK;
}

const dl_lake_pinned *dl_lake_pin_about(const dl_lake_pin *pin)
{
    return &pin->about;
}
