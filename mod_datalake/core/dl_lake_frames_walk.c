/* dl_lake_frames_walk.c - From frame to frame of a cold day's file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_frames_inside.h"

#include "dl_crc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

/* Bytes of the file that are looked at at once. */
#define WINDOW (1u << 20)

/* A walk. */
typedef struct walk {
    const dl_lake_frames *f; /* over which */
    uint8_t *window;         /* WINDOW bytes */
    size_t len;              /* bytes in it */
    size_t used;             /* of them passed */
    uint64_t at;             /* where the window ends in the file */
    uint32_t crc;            /* of the file so far */
} walk;

/* Have a whole frame in the window, or all that is left. */
static dl_status fill(walk *w, dl_error *err)
{
    uint64_t rest = w->f->part.stored_bytes - w->at;
    size_t len;

    if (w->len - w->used >= DL_LAKE_FRAME_STORED || rest == 0) {
        return DL_OK;
    }
    memmove(w->window, w->window + w->used, w->len - w->used);
    w->len -= w->used;
    w->used = 0;
    len = rest < WINDOW - w->len ? (size_t)rest : WINDOW - w->len;
    DL_TRY(dl_lake_file_read(w->f->io, w->f->fd, w->window + w->len, len, w->at,
                             err));
    w->crc = dl_crc32c(w->crc, w->window + w->len, len);
    w->len += len;
    w->at += len;
    return DL_OK;
}

/* Pass frame NUMBER and set *END to where it ends. */
static dl_status pass_frame(uint64_t *end, walk *w, uint64_t number,
                            dl_error *err)
{
    uint64_t rest = w->f->part.bytes - (number << DL_LAKE_FRAME_SHIFT);
    uint64_t text = rest < DL_LAKE_FRAME_TEXT ? rest : DL_LAKE_FRAME_TEXT;
    const uint8_t *from;
    size_t left;
    size_t size;

    DL_TRY(fill(w, err));
    from = w->window + w->used;
    left = w->len - w->used;
    size = ZSTD_findFrameCompressedSize(from, left);
    if (ZSTD_isError(size) || size > DL_LAKE_FRAME_STORED ||
        ZSTD_getFrameContentSize(from, left) != text) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "frame %" PRIu64 " of part %016" PRIx64 " is damaged",
                       number, w->f->part.uid);
    }
    w->used += size;
    *end = w->at - (w->len - w->used);
    return DL_OK;
}

static dl_status pass_all(uint64_t *ends, walk *w, dl_error *err)
{
    uint64_t i;

    for (i = 0; i < w->f->n; i++) {
        DL_TRY(pass_frame(&ends[i], w, i, err));
    }
    if (w->used != w->len || w->at != w->f->part.stored_bytes) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "there is more than the frames of part %016" PRIx64,
                       w->f->part.uid);
    }
    return DL_OK;
}

dl_status dl_lake_frames_walk(uint64_t **ends, const dl_lake_frames *f,
                              uint32_t *crc, dl_error *err)
{
    walk w = {.f = f, .window = malloc(WINDOW)};
    dl_status status;

    if (f->n > f->part.stored_bytes) {
        free(w.window);
        return dl_fail(err, DL_CORRUPT, 0,
                       "part %016" PRIx64 " has more frames than bytes",
                       f->part.uid);
    }
    *ends = malloc(((size_t)f->n + 1) * sizeof **ends);
    if (w.window == NULL || *ends == NULL) {
        abort();
    }
    status = pass_all(*ends, &w, err);
    free(w.window);
    if (status != DL_OK) {
        free(*ends);
        *ends = NULL;
        return status;
    }
    if (crc != NULL) {
        *crc = w.crc;
    }
    return DL_OK;
}

/* --- Checking --------------------------------------------------------------- */

/* Whether page NUMBER of the directory of F says what ENDS says. */
static dl_status check_page(const dl_lake_frames *f, uint64_t number,
                            const uint64_t *ends, dl_error *err)
{
    uint8_t page[DL_LAKE_FRAMES_PAGE];
    uint8_t wanted[DL_LAKE_FRAMES_PAGE];

    DL_TRY(dl_lake_file_read(f->io, f->directory_fd, page, sizeof page,
                             DL_LAKE_FRAMES_HEADER + number * sizeof page,
                             err));
    dl_lake_frames_page(wanted, number, ends, f->n);
    if (memcmp(page, wanted, sizeof page) != 0) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "page %" PRIu64 " of the directory is wrong", number);
    }
    return DL_OK;
}

static dl_status check_directory(const dl_lake_frames *f, const uint64_t *ends,
                                 dl_error *err)
{
    uint64_t i;

    if (f->directory_fd < 0) {
        return f->had_directory ? dl_fail(err, DL_CORRUPT, 0,
                                          "the directory is not of this file")
                                : DL_OK;
    }
    for (i = 0; i * DL_LAKE_FRAMES_EACH < f->n; i++) {
        DL_TRY(check_page(f, i, ends, err));
    }
    return DL_OK;
}

dl_status dl_lake_frames_verify(bool *directory, dl_lake_frames *frames,
                                dl_error *err)
{
    dl_status status;
    uint64_t *ends;
    uint64_t size;
    uint32_t crc = 0;

    *directory = false;
    DL_TRY(dl_lake_file_size(&size, frames->io, frames->fd, err));
    if (size != frames->part.stored_bytes) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "%" PRIu64 " bytes, %" PRIu64 " were written", size,
                       frames->part.stored_bytes);
    }
    DL_TRY(dl_lake_frames_walk(&ends, frames, &crc, err));
    status = crc == frames->part.stored_crc
                 ? check_directory(frames, ends, err)
                 : dl_fail(err, DL_CORRUPT, 0, "the file has a wrong checksum");
    *directory = crc == frames->part.stored_crc && status != DL_OK;
    free(ends);
    return status;
}
