/* dl_lake_bytes.h - Putting and getting the fields of lake files.
 *
 * Writers add fields to a growing dl_lake_bytes; readers get them from a
 * dl_lake_in, whose flag says at the end whether all of them were there and
 * well formed, so that a decoder reads like the table in FORMAT.md.
 *
 * Thread: the owner of the object.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_BYTES_H
#define DL_LAKE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

/* Growing bytes from malloc, so that AddressSanitizer sees their edges. */
typedef struct dl_lake_bytes {
    uint8_t *data; /* NULL until the first byte */
    size_t len;    /* bytes in use */
    size_t size;   /* bytes allocated */
} dl_lake_bytes;

/* Have BYTES freed with POOL.  Call once, before the first use. */
void dl_lake_bytes_own(dl_lake_bytes *bytes, apr_pool_t *pool);

/* Return where MORE bytes may be written behind bytes->len; out of memory
 * ends the process. */
uint8_t *dl_lake_bytes_room(dl_lake_bytes *bytes, size_t more);

/* Give the memory back and be empty. */
void dl_lake_bytes_free(dl_lake_bytes *bytes);

/* Write V as a varint at P; return the byte behind it.  At most 10 bytes. */
static inline uint8_t *dl_lake_put_varint(uint8_t *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

/* The unsigned number that stands for N. */
static inline uint64_t dl_lake_zigzag(int64_t n)
{
    return ((uint64_t)n << 1) ^ (n < 0 ? UINT64_MAX : 0);
}

/* The signed number that V stands for. */
static inline int64_t dl_lake_unzigzag(uint64_t v)
{
    return (int64_t)((v >> 1) ^ (0 - (v & 1)));
}

/* Write V at P, little-endian; return the byte behind it. */
uint8_t *dl_lake_put_u16(uint8_t *p, uint16_t v);
/* As dl_lake_put_u16, four bytes. */
uint8_t *dl_lake_put_u32(uint8_t *p, uint32_t v);
/* As dl_lake_put_u16, eight bytes. */
uint8_t *dl_lake_put_u64(uint8_t *p, uint64_t v);

/* Add one byte. */
void dl_lake_add_u8(dl_lake_bytes *bytes, uint8_t v);
/* Add four bytes, little-endian. */
void dl_lake_add_u32(dl_lake_bytes *bytes, uint32_t v);
/* Add eight bytes, little-endian. */
void dl_lake_add_u64(dl_lake_bytes *bytes, uint64_t v);
/* Add a varint. */
void dl_lake_add_varint(dl_lake_bytes *bytes, uint64_t v);
/* Add a zigzag. */
void dl_lake_add_zigzag(dl_lake_bytes *bytes, int64_t v);
/* Add LEN bytes as they are. */
void dl_lake_add_raw(dl_lake_bytes *bytes, const void *data, size_t len);
/* Add a text: its length, then its bytes. */
void dl_lake_add_text(dl_lake_bytes *bytes, const void *data, size_t len);

/* Begin a frame in BYTES; return its place for dl_lake_frame_end. */
size_t dl_lake_frame_begin(dl_lake_bytes *bytes);

/* End the frame that began at AT: what was added since is its payload. */
void dl_lake_frame_end(dl_lake_bytes *bytes, size_t at);

/* Bytes being read.  Once BAD is set every further field is 0 or empty. */
typedef struct dl_lake_in {
    const uint8_t *p;   /* next byte */
    const uint8_t *end; /* behind the last one */
    bool bad;           /* a field was missing or malformed */
} dl_lake_in;

/* Return a reader of the LEN bytes at DATA. */
dl_lake_in dl_lake_in_make(const void *data, size_t len);

/* Get one byte. */
uint8_t dl_lake_get_u8(dl_lake_in *in);
/* Get two bytes, little-endian. */
uint16_t dl_lake_get_u16(dl_lake_in *in);
/* Get four bytes, little-endian. */
uint32_t dl_lake_get_u32(dl_lake_in *in);
/* Get eight bytes, little-endian. */
uint64_t dl_lake_get_u64(dl_lake_in *in);
/* Get a varint; a longer form than needed is bad. */
uint64_t dl_lake_get_varint(dl_lake_in *in);
/* Get a varint that must be at most MAX. */
uint64_t dl_lake_get_bounded(dl_lake_in *in, uint64_t max);
/* Get a zigzag. */
int64_t dl_lake_get_zigzag(dl_lake_in *in);
/* Get LEN bytes where they stand; NULL when bad. */
const uint8_t *dl_lake_get_raw(dl_lake_in *in, size_t len);
/* Get a text where it stands, *LEN its length; NULL when bad. */
const uint8_t *dl_lake_get_text(size_t *len, dl_lake_in *in);

/* Set *PAYLOAD and *LEN to the payload of the frame at IN and step behind it.
 * False when no whole frame with a right checksum stands there; IN is then
 * untouched and not bad. */
bool dl_lake_get_frame(const uint8_t **payload, size_t *len, dl_lake_in *in);

/* Whether a whole frame with a right checksum stands anywhere behind the
 * first byte of IN: then what is broken at its start is no torn tail. */
bool dl_lake_frame_follows(dl_lake_in in);

/* The CRC32C of A followed by B, from CRC_A, CRC_B and the length of B. */
uint32_t dl_lake_crc_join(uint32_t crc_a, uint32_t crc_b, uint64_t len_b);

#endif
