/* dl_lake_bytes.c - Little-endian fields, varints, frames, joined checksums.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_bytes.h"

#include "dl_crc.h"
#include "dl_lake_format.h"

#include <stdlib.h>
#include <string.h>

static apr_status_t free_bytes(void *context)
{
    dl_lake_bytes_free(context);
    return APR_SUCCESS;
}

void dl_lake_bytes_own(dl_lake_bytes *bytes, apr_pool_t *pool)
{
    memset(bytes, 0, sizeof *bytes);
    apr_pool_cleanup_register(pool, bytes, free_bytes, apr_pool_cleanup_null);
}

void dl_lake_bytes_free(dl_lake_bytes *bytes)
{
    free(bytes->data);
    bytes->data = NULL;
    bytes->len = bytes->size = 0;
}

uint8_t *dl_lake_bytes_room(dl_lake_bytes *bytes, size_t more)
{
    size_t size = bytes->size < 64 ? 64 : bytes->size;
    uint8_t *data;

    if (bytes->data != NULL && more <= bytes->size - bytes->len) {
        return bytes->data + bytes->len;
    }
    while (size < bytes->len + more) {
        size *= 2;
    }
    data = realloc(bytes->data, size);
    if (data == NULL) {
        abort();
    }
    bytes->data = data;
    bytes->size = size;
    return bytes->data + bytes->len;
}

uint8_t *dl_lake_put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    return p + 2;
}

uint8_t *dl_lake_put_u32(uint8_t *p, uint32_t v)
{
    p = dl_lake_put_u16(p, (uint16_t)v);
    return dl_lake_put_u16(p, (uint16_t)(v >> 16));
}

uint8_t *dl_lake_put_u64(uint8_t *p, uint64_t v)
{
    p = dl_lake_put_u32(p, (uint32_t)v);
    return dl_lake_put_u32(p, (uint32_t)(v >> 32));
}

void dl_lake_add_u8(dl_lake_bytes *bytes, uint8_t v)
{
    *dl_lake_bytes_room(bytes, 1) = v;
    bytes->len += 1;
}

void dl_lake_add_u32(dl_lake_bytes *bytes, uint32_t v)
{
    dl_lake_put_u32(dl_lake_bytes_room(bytes, 4), v);
    bytes->len += 4;
}

void dl_lake_add_u64(dl_lake_bytes *bytes, uint64_t v)
{
    dl_lake_put_u64(dl_lake_bytes_room(bytes, 8), v);
    bytes->len += 8;
}

void dl_lake_add_varint(dl_lake_bytes *bytes, uint64_t v)
{
    uint8_t *p = dl_lake_bytes_room(bytes, 10);

    bytes->len += (size_t)(dl_lake_put_varint(p, v) - p);
}

void dl_lake_add_zigzag(dl_lake_bytes *bytes, int64_t v)
{
    dl_lake_add_varint(bytes, dl_lake_zigzag(v));
}

void dl_lake_add_raw(dl_lake_bytes *bytes, const void *data, size_t len)
{
    if (len > 0) {
        memcpy(dl_lake_bytes_room(bytes, len), data, len);
        bytes->len += len;
    }
}

void dl_lake_add_text(dl_lake_bytes *bytes, const void *data, size_t len)
{
    dl_lake_add_varint(bytes, len);
    dl_lake_add_raw(bytes, data, len);
}

size_t dl_lake_frame_begin(dl_lake_bytes *bytes)
{
    size_t at = bytes->len;

    dl_lake_bytes_room(bytes, DL_LAKE_FRAME_HEADER);
    bytes->len += DL_LAKE_FRAME_HEADER;
    return at;
}

void dl_lake_frame_end(dl_lake_bytes *bytes, size_t at)
{
    uint8_t *frame = bytes->data + at;
    uint32_t len = (uint32_t)(bytes->len - at - DL_LAKE_FRAME_HEADER);
    uint32_t crc;

    dl_lake_put_u32(frame, DL_LAKE_FRAME_MAGIC);
    dl_lake_put_u32(frame + 4, len);
    crc = dl_crc32c(0, frame + 4, 4);
    crc = dl_crc32c(crc, frame + DL_LAKE_FRAME_HEADER, len);
    dl_lake_put_u32(frame + 8, crc);
}

dl_lake_in dl_lake_in_make(const void *data, size_t len)
{
    dl_lake_in in = {data, data, false};

    if (len > 0) {
        in.end = in.p + len;
    }
    return in;
}

const uint8_t *dl_lake_get_raw(dl_lake_in *in, size_t len)
{
    const uint8_t *p = in->p;

    if (in->bad || len > (size_t)(in->end - in->p)) {
        in->bad = true;
        return NULL;
    }
    in->p += len;
    return p;
}

uint8_t dl_lake_get_u8(dl_lake_in *in)
{
    const uint8_t *p = dl_lake_get_raw(in, 1);

    return p == NULL ? 0 : p[0];
}

static uint64_t get_little(dl_lake_in *in, size_t n)
{
    const uint8_t *p = dl_lake_get_raw(in, n);
    uint64_t v = 0;

    while (p != NULL && n > 0) {
        n--;
        v = (v << 8) | p[n];
    }
    return v;
}

uint16_t dl_lake_get_u16(dl_lake_in *in)
{
    return (uint16_t)get_little(in, 2);
}

uint32_t dl_lake_get_u32(dl_lake_in *in)
{
    return (uint32_t)get_little(in, 4);
}

uint64_t dl_lake_get_u64(dl_lake_in *in)
{
    return get_little(in, 8);
}

uint64_t dl_lake_get_varint(dl_lake_in *in)
{
    uint64_t v = 0;
    unsigned shift = 0;

    while (!in->bad && in->p < in->end && shift <= 63) {
        uint8_t byte = *in->p++;

        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            in->bad = (byte == 0 && shift > 0) || (shift == 63 && byte > 1);
            return in->bad ? 0 : v;
        }
        shift += 7;
    }
    in->bad = true;
    return 0;
}

uint64_t dl_lake_get_bounded(dl_lake_in *in, uint64_t max)
{
    uint64_t v = dl_lake_get_varint(in);

    if (v > max) {
        in->bad = true;
        return 0;
    }
    return v;
}

int64_t dl_lake_get_zigzag(dl_lake_in *in)
{
    return dl_lake_unzigzag(dl_lake_get_varint(in));
}

const uint8_t *dl_lake_get_text(size_t *len, dl_lake_in *in)
{
    const uint8_t *p;

    *len = (size_t)dl_lake_get_varint(in);
    p = dl_lake_get_raw(in, *len);
    if (p == NULL) {
        *len = 0;
    }
    return p;
}

bool dl_lake_get_frame(const uint8_t **payload, size_t *len, dl_lake_in *in)
{
    dl_lake_in at = *in;
    uint32_t magic = dl_lake_get_u32(&at);
    const uint8_t *start = at.p;
    uint32_t size = dl_lake_get_u32(&at);
    uint32_t crc = dl_lake_get_u32(&at);
    const uint8_t *data;

    if (at.bad || magic != DL_LAKE_FRAME_MAGIC || size == 0 ||
        size > DL_LAKE_FRAME_MAX) {
        return false;
    }
    data = dl_lake_get_raw(&at, size);
    if (data == NULL || dl_crc32c(dl_crc32c(0, start, 4), data, size) != crc) {
        return false;
    }
    *payload = data;
    *len = size;
    *in = at;
    return true;
}

bool dl_lake_frame_follows(dl_lake_in in)
{
    static const uint8_t magic[4] = {'D', 'L', 'F', '1'};
    const uint8_t *payload;
    size_t len;

    while (in.end - in.p > 1) {
        in.p++;
        in.p = memmem(in.p, (size_t)(in.end - in.p), magic, sizeof magic);
        if (in.p == NULL) {
            return false;
        }
        if (dl_lake_get_frame(&payload, &len, &in)) {
            return true;
        }
    }
    return false;
}

/* --- Joining checksums ----------------------------------------------------
 * A CRC is a remainder of polynomials over two elements.  Appending n zero
 * bytes multiplies by x^(8n) modulo the polynomial; bit 31 is x^0. */

#define POLYNOMIAL 0x82f63b78u

static uint32_t multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    uint32_t bit;

    for (bit = 1u << 31; bit != 0; bit >>= 1) {
        if ((a & bit) != 0) {
            product ^= b;
        }
        b = (b & 1) != 0 ? (b >> 1) ^ POLYNOMIAL : b >> 1;
    }
    return product;
}

uint32_t dl_lake_crc_join(uint32_t crc_a, uint32_t crc_b, uint64_t len_b)
{
    uint32_t factor = 1u << 31;
    uint32_t power = 1u << 23; /* x^8: one zero byte */

    while (len_b > 0) {
        if ((len_b & 1) != 0) {
            factor = multiply(factor, power);
        }
        power = multiply(power, power);
        len_b >>= 1;
    }
    return multiply(factor, crc_a) ^ crc_b;
}
