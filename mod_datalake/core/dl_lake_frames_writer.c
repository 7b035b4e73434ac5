/* dl_lake_frames_writer.c - Writing the file of a cold day and its directory.
 *
 * FORMAT.md 21.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_frames_inside.h"

#include "dl_crc.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

/* How hard zstd tries: 7 to 9 times smaller at 300 MB/s and more. */
#define LEVEL 3

/* Written when so much waits. */
#define OUT (1u << 20)

/* Bytes that may wait for the disk: a sync of the lake's writer that has to
 * take them along stays short. */
#define DIRTY (8u << 20)

struct dl_lake_frames_writer {
    const dl_lake_io *io; /* system calls */
    int fd;               /* the file */
    int directory_fd;     /* its directory */
    ZSTD_CCtx *pack;      /* encoder */
    ZSTD_DCtx *unpack;    /* decoder, to compare */
    uint8_t *text;        /* a frame unpacked */
    uint8_t *out;         /* OUT bytes and a frame */
    size_t len;           /* of OUT in use */
    uint64_t written;     /* bytes of the file before OUT */
    uint32_t crc;         /* of them */
    uint64_t *ends;       /* where each frame ends */
    uint64_t n;           /* frames */
    uint64_t size;        /* room in ENDS */
};

/* --- The directory's form ---------------------------------------------------- */

void dl_lake_frames_header(uint8_t header[DL_LAKE_FRAMES_HEADER],
                           const dl_lake_part *part)
{
    uint8_t *p = header;

    memset(header, 0, DL_LAKE_FRAMES_HEADER);
    p = dl_lake_put_u32(p, DL_LAKE_FRAMES_MAGIC);
    p = dl_lake_put_u16(p, DL_LAKE_VERSION);
    p = dl_lake_put_u16(p, 0);
    p = dl_lake_put_u64(p, part->uid);
    p = dl_lake_put_u64(p, part->bytes);
    p = dl_lake_put_u64(p, part->stored_bytes);
    p = dl_lake_put_u32(p, DL_LAKE_FRAME_TEXT);
    p = dl_lake_put_u32(p, part->crc);
    (void)dl_lake_put_u32(p, part->stored_crc);
    (void)dl_lake_put_u32(header + DL_LAKE_FRAMES_HEADER - 4,
                          dl_crc32c(0, header, DL_LAKE_FRAMES_HEADER - 4));
}

uint32_t dl_lake_frames_page_crc(uint64_t number,
                                 const uint8_t page[DL_LAKE_FRAMES_PAGE])
{
    uint8_t text[4];

    (void)dl_lake_put_u32(text, (uint32_t)number);
    return dl_crc32c(dl_crc32c(0, text, sizeof text), page,
                     DL_LAKE_FRAMES_PAGE - 4);
}

void dl_lake_frames_page(uint8_t page[DL_LAKE_FRAMES_PAGE], uint64_t number,
                         const uint64_t *ends, uint64_t n)
{
    uint64_t first = number * DL_LAKE_FRAMES_EACH;
    uint64_t at = first == 0 ? 0 : ends[first - 1];
    uint8_t *p = page;
    uint64_t i;

    memset(page, 0, DL_LAKE_FRAMES_PAGE);
    p = dl_lake_put_u64(p, at);
    for (i = first; i < n && i < first + DL_LAKE_FRAMES_EACH; i++) {
        p = dl_lake_put_u32(p, (uint32_t)(ends[i] - at));
        at = ends[i];
    }
    (void)dl_lake_put_u32(page + DL_LAKE_FRAMES_PAGE - 4,
                          dl_lake_frames_page_crc(number, page));
}

/* --- Frames ------------------------------------------------------------------- */

dl_lake_frames_writer *dl_lake_frames_writer_create(const dl_lake_io *io,
                                                    int fd, int directory_fd)
{
    dl_lake_frames_writer *w = calloc(1, sizeof *w);

    if (w == NULL) {
        abort();
    }
    w->io = io;
    w->fd = fd;
    w->directory_fd = directory_fd;
    w->pack = ZSTD_createCCtx();
    w->unpack = ZSTD_createDCtx();
    w->text = malloc(DL_LAKE_FRAME_TEXT);
    w->out = malloc(OUT + DL_LAKE_FRAME_STORED);
    if (w->pack == NULL || w->unpack == NULL || w->text == NULL ||
        w->out == NULL ||
        ZSTD_isError(
            ZSTD_CCtx_setParameter(w->pack, ZSTD_c_compressionLevel, LEVEL)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(w->pack, ZSTD_c_checksumFlag, 1))) {
        abort();
    }
    return w;
}

void dl_lake_frames_writer_free(dl_lake_frames_writer *w)
{
    ZSTD_freeCCtx(w->pack);
    ZSTD_freeDCtx(w->unpack);
    free(w->text);
    free(w->out);
    free(w->ends);
    free(w);
}

/* Write what waits and let the disk begin. */
static dl_status flush(dl_lake_frames_writer *w, dl_error *err)
{
    DL_TRY(dl_lake_file_write(w->io, w->fd, w->out, w->len, w->written, err));
    (void)w->io->sync_file_range(w->fd, (off_t)w->written, (off_t)w->len,
                                 SYNC_FILE_RANGE_WRITE);
    if (w->written >= DIRTY) {
        (void)w->io->sync_file_range(
            w->fd, (off_t)(w->written - DIRTY), (off_t)w->len,
            SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                SYNC_FILE_RANGE_WAIT_AFTER);
    }
    w->crc = dl_crc32c(w->crc, w->out, w->len);
    w->written += w->len;
    w->len = 0;
    return DL_OK;
}

static void note_end(dl_lake_frames_writer *w)
{
    if (w->n == w->size) {
        w->size = w->size == 0 ? 1024 : 2 * w->size;
        w->ends = realloc(w->ends, w->size * sizeof *w->ends);
        if (w->ends == NULL) {
            abort();
        }
    }
    w->ends[w->n++] = w->written + w->len;
}

static dl_status add_frame(dl_lake_frames_writer *w, const char *data,
                           size_t len, dl_error *err)
{
    uint8_t *to = w->out + w->len;
    size_t size = ZSTD_compress2(w->pack, to, DL_LAKE_FRAME_STORED, data, len);

    if (ZSTD_isError(size) ||
        ZSTD_decompressDCtx(w->unpack, w->text, DL_LAKE_FRAME_TEXT, to, size) !=
            len ||
        memcmp(w->text, data, len) != 0) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "a frame does not give its lines back");
    }
    w->len += size;
    note_end(w);
    return w->len >= OUT ? flush(w, err) : DL_OK;
}

dl_status dl_lake_frames_writer_add(dl_lake_frames_writer *w, const void *data,
                                    size_t len, dl_error *err)
{
    const char *from = data;

    while (len > 0) {
        size_t n = len < DL_LAKE_FRAME_TEXT ? len : DL_LAKE_FRAME_TEXT;

        DL_TRY(add_frame(w, from, n, err));
        from += n;
        len -= n;
    }
    return DL_OK;
}

/* --- The end ------------------------------------------------------------------ */

static dl_status write_directory(dl_lake_frames_writer *w,
                                 const dl_lake_part *part, dl_error *err)
{
    dl_lake_bytes bytes = {.data = NULL};
    dl_status status;
    uint64_t i;

    dl_lake_frames_header(dl_lake_bytes_room(&bytes, DL_LAKE_FRAMES_HEADER),
                          part);
    bytes.len += DL_LAKE_FRAMES_HEADER;
    for (i = 0; i * DL_LAKE_FRAMES_EACH < w->n; i++) {
        dl_lake_frames_page(dl_lake_bytes_room(&bytes, DL_LAKE_FRAMES_PAGE), i,
                            w->ends, w->n);
        bytes.len += DL_LAKE_FRAMES_PAGE;
    }
    status = dl_lake_file_write(w->io, w->directory_fd, bytes.data, bytes.len,
                                0, err);
    dl_lake_bytes_free(&bytes);
    return status;
}

dl_status dl_lake_frames_writer_end(dl_lake_part *part,
                                    dl_lake_frames_writer *w, dl_error *err)
{
    DL_TRY(flush(w, err));
    part->stored_bytes = w->written;
    part->stored_crc = w->crc;
    return write_directory(w, part, err);
}
