/* dl_lake_frames.c - Reading the file of a cold day.
 *
 * FORMAT.md 21.  A place in the lines says which frame it is in; a page of the
 * directory says where that stands.  What the directory cannot tell is found
 * by one walk over the file, whose result stays with the opened file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_frames.h"

#include "dl_crc.h"
#include "dl_lake_frames_inside.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

/* Bytes of frames that are read at once, at most. */
#define RUN_BYTES ((size_t)4 * DL_LAKE_FRAME_STORED)

void dl_lake_frames_name(char out[DL_LAKE_PATH_MAX], uint64_t uid)
{
    snprintf(out, DL_LAKE_PATH_MAX, "%016" PRIx64 ".frames", uid);
}

/* --- The directory ---------------------------------------------------------- */

static uint64_t count_frames(uint64_t bytes)
{
    return (bytes >> DL_LAKE_FRAME_SHIFT) +
           ((bytes & (DL_LAKE_FRAME_TEXT - 1)) != 0 ? 1 : 0);
}

/* Whether HEADER is that of the directory of PART. */
static bool header_fits(const uint8_t *header, const dl_lake_part *part)
{
    uint8_t wanted[DL_LAKE_FRAMES_HEADER];

    dl_lake_frames_header(wanted, part);
    return memcmp(header, wanted, sizeof wanted) == 0;
}

static uint64_t directory_bytes(const dl_lake_frames *f)
{
    uint64_t pages = (f->n + DL_LAKE_FRAMES_EACH - 1) / DL_LAKE_FRAMES_EACH;

    return DL_LAKE_FRAMES_HEADER + pages * DL_LAKE_FRAMES_PAGE;
}

/* Open the directory of F, and leave it closed if it is not one of F. */
static void open_directory(dl_lake_frames *f, int meta)
{
    char path[sizeof DL_LAKE_IDX + DL_LAKE_PATH_MAX];
    char name[DL_LAKE_PATH_MAX];
    uint8_t header[DL_LAKE_FRAMES_HEADER];
    dl_error ignored;
    uint64_t size;

    dl_lake_frames_name(name, f->part.uid);
    snprintf(path, sizeof path, DL_LAKE_IDX "/%s", name);
    if (dl_lake_file_open(&f->directory_fd, f->io, meta, path, O_RDONLY,
                          &ignored) != DL_OK) {
        f->directory_fd = -1;
        return;
    }
    f->had_directory = true;
    if (dl_lake_file_size(&size, f->io, f->directory_fd, &ignored) != DL_OK ||
        size != directory_bytes(f) ||
        dl_lake_file_read(f->io, f->directory_fd, header, sizeof header, 0,
                          &ignored) != DL_OK ||
        !header_fits(header, &f->part)) {
        f->io->close(f->directory_fd);
        f->directory_fd = -1;
    }
}

void dl_lake_frames_open(dl_lake_frames **frames, const dl_lake_io *io,
                         int meta, int fd, const dl_lake_part *part)
{
    dl_lake_frames *f = calloc(1, sizeof *f);

    if (f == NULL) {
        abort();
    }
    f->io = io;
    f->fd = fd;
    f->part = *part;
    f->n = count_frames(part->bytes);
    atomic_init(&f->ends, NULL);
    pthread_mutex_init(&f->mutex, NULL);
    open_directory(f, meta);
    *frames = f;
}

void dl_lake_frames_close(dl_lake_frames *frames)
{
    if (frames == NULL) {
        return;
    }
    if (frames->directory_fd >= 0) {
        frames->io->close(frames->directory_fd);
    }
    free(atomic_load(&frames->ends));
    pthread_mutex_destroy(&frames->mutex);
    free(frames);
}

/* --- Where frames stand ----------------------------------------------------- */

/* Some frames, one behind another in the file. */
typedef struct run {
    uint64_t first;                      /* number of the first */
    int n;                               /* how many, at least one */
    uint64_t at;                         /* where it begins */
    size_t bytes;                        /* of all of them */
    uint32_t sizes[DL_LAKE_FRAMES_EACH]; /* of each */
} run;

/* Take SIZE, that of the next frame, into RUN; false: it does not fit any
 * more. */
static bool take_frame(run *r, uint32_t size)
{
    if (r->n > 0 && r->bytes + size > RUN_BYTES) {
        return false;
    }
    r->sizes[r->n++] = size;
    r->bytes += size;
    return true;
}

/* Set *R to frames of F from r->first to LAST by the directory; false: it does
 * not say. */
static bool run_of_page(run *r, const dl_lake_frames *f, uint64_t last)
{
    uint64_t number = r->first / DL_LAKE_FRAMES_EACH;
    uint64_t end = last - number * DL_LAKE_FRAMES_EACH;
    uint64_t from = r->first - number * DL_LAKE_FRAMES_EACH;
    uint8_t page[DL_LAKE_FRAMES_PAGE];
    dl_error ignored;
    dl_lake_in in;
    uint64_t i;

    if (f->directory_fd < 0 ||
        dl_lake_file_read(f->io, f->directory_fd, page, sizeof page,
                          DL_LAKE_FRAMES_HEADER + number * sizeof page,
                          &ignored) != DL_OK) {
        return false;
    }
    in = dl_lake_in_make(page + sizeof page - 4, 4);
    if (dl_lake_frames_page_crc(number, page) != dl_lake_get_u32(&in)) {
        return false;
    }
    in = dl_lake_in_make(page, sizeof page - 4);
    r->at = dl_lake_get_u64(&in);
    for (i = 0; i <= end && i < DL_LAKE_FRAMES_EACH; i++) {
        uint32_t size = dl_lake_get_u32(&in);

        if (size == 0 || size > DL_LAKE_FRAME_STORED) {
            return false;
        }
        if (i < from) {
            r->at += size;
        }
        else if (!take_frame(r, size)) {
            break;
        }
    }
    return r->at <= f->part.stored_bytes &&
           r->bytes <= f->part.stored_bytes - r->at;
}

/* Set *R likewise by what a walk over the file has found. */
static void run_of_walk(run *r, const uint64_t *ends, uint64_t last)
{
    uint64_t i;

    r->at = r->first == 0 ? 0 : ends[r->first - 1];
    for (i = r->first; i <= last && r->n < DL_LAKE_FRAMES_EACH; i++) {
        uint64_t begin = i == 0 ? 0 : ends[i - 1];

        if (!take_frame(r, (uint32_t)(ends[i] - begin))) {
            break;
        }
    }
}

/* Return where the frames of F end in its file, found by a walk. */
static dl_status walked(const uint64_t **ends, dl_lake_frames *f, dl_error *err)
{
    dl_status status = DL_OK;
    uint64_t *found;

    pthread_mutex_lock(&f->mutex);
    *ends = atomic_load(&f->ends);
    if (*ends == NULL) {
        status = dl_lake_frames_walk(&found, f, NULL, err);
        if (status == DL_OK) {
            atomic_store_explicit(&f->ends, found, memory_order_release);
            *ends = found;
        }
    }
    pthread_mutex_unlock(&f->mutex);
    return status;
}

/* Set *R to where some of the frames FIRST to LAST of F stand, from FIRST
 * on. */
static dl_status find_run(run *r, dl_lake_frames *f, uint64_t first,
                          uint64_t last, dl_error *err)
{
    const uint64_t *ends = atomic_load_explicit(&f->ends, memory_order_acquire);

    *r = (run){.first = first};
    if (ends == NULL && run_of_page(r, f, last)) {
        return DL_OK;
    }
    if (ends == NULL) {
        DL_TRY(walked(&ends, f, err));
    }
    *r = (run){.first = first};
    run_of_walk(r, ends, last);
    return DL_OK;
}

/* --- Lines ------------------------------------------------------------------ */

/* What unpacking needs. */
typedef struct unpacking {
    const dl_lake_frames *frames; /* of which file */
    ZSTD_DCtx *zstd;              /* the decoder */
    uint8_t *packed;              /* RUN_BYTES */
    uint8_t *text;                /* a frame that is wanted in part */
} unpacking;

static void begin_unpacking(unpacking *u, const dl_lake_frames *f)
{
    u->frames = f;
    u->zstd = ZSTD_createDCtx();
    u->packed = malloc(RUN_BYTES);
    u->text = malloc(DL_LAKE_FRAME_TEXT);
    if (u->zstd == NULL || u->packed == NULL || u->text == NULL) {
        abort();
    }
}

static void end_unpacking(unpacking *u)
{
    ZSTD_freeDCtx(u->zstd);
    free(u->packed);
    free(u->text);
}

/* Bytes of lines in frame NUMBER of F. */
static size_t text_of(const dl_lake_frames *f, uint64_t number)
{
    uint64_t rest = f->part.bytes - (number << DL_LAKE_FRAME_SHIFT);

    return rest < DL_LAKE_FRAME_TEXT ? (size_t)rest : DL_LAKE_FRAME_TEXT;
}

/* What is wanted of the lines. */
typedef struct wanted {
    char *to;    /* where the next byte goes */
    size_t len;  /* bytes left */
    uint64_t at; /* place of the next byte */
} wanted;

/* Unpack frame NUMBER, the SIZE bytes at FROM, and take what is wanted of it. */
static dl_status unpack_frame(wanted *want, unpacking *u, uint64_t number,
                              const uint8_t *from, size_t size, dl_error *err)
{
    size_t skip = (size_t)(want->at & (DL_LAKE_FRAME_TEXT - 1));
    size_t all = text_of(u->frames, number);
    size_t len = all - skip < want->len ? all - skip : want->len;
    bool whole = len == all;
    char *to = whole ? want->to : (char *)u->text;

    if (ZSTD_decompressDCtx(u->zstd, to, all, from, size) != all) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "frame %" PRIu64 " of part %016" PRIx64 " is damaged",
                       number, u->frames->part.uid);
    }
    if (!whole) {
        memcpy(want->to, to + skip, len);
    }
    want->to += len;
    want->len -= len;
    want->at += len;
    return DL_OK;
}

/* Read the frames of R and take what is wanted of them. */
static dl_status unpack_run(wanted *want, unpacking *u, const run *r,
                            dl_error *err)
{
    const dl_lake_frames *f = u->frames;
    const uint8_t *from = u->packed;
    int i;

    DL_TRY(dl_lake_file_read(f->io, f->fd, u->packed, r->bytes, r->at, err));
    for (i = 0; i < r->n; i++) {
        DL_TRY(unpack_frame(want, u, r->first + (uint64_t)i, from, r->sizes[i],
                            err));
        from += r->sizes[i];
    }
    return DL_OK;
}

dl_status dl_lake_frames_read(dl_lake_frames *frames, void *to, size_t len,
                              uint64_t at, dl_error *err)
{
    wanted want = {.to = to, .len = len, .at = at};
    dl_status status = DL_OK;
    unpacking u;

    if (at > frames->part.bytes || len > frames->part.bytes - at) {
        return dl_fail(err, DL_CORRUPT, 0, "the part ends before %" PRIu64,
                       at + len);
    }
    if (len == 0) {
        return DL_OK;
    }
    begin_unpacking(&u, frames);
    while (status == DL_OK && want.len > 0) {
        run r;

        status = find_run(&r, frames, want.at >> DL_LAKE_FRAME_SHIFT,
                          (want.at + want.len - 1) >> DL_LAKE_FRAME_SHIFT, err);
        if (status == DL_OK) {
            status = unpack_run(&want, &u, &r, err);
        }
    }
    end_unpacking(&u);
    return status;
}
