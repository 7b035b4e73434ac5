/* dl_sha256.h - SHA-256 in pieces, by OpenSSL.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_SHA256_H
#define DL_SHA256_H

#include <stddef.h>

#include <apr_pools.h>

/* Bytes of a digest, and room for its lower case hexadecimal text and NUL. */
#define DL_SHA256_SIZE 32
#define DL_SHA256_TEXT 65

/* Bytes of a sum's saved state. */
#define DL_SHA256_STATE 112

/* A sum under way. */
typedef struct dl_sha256 dl_sha256;

/* Return a sum over nothing yet; its memory is freed with POOL.  Out of
 * memory ends the process.  Thread: the owner. */
dl_sha256 *dl_sha256_create(apr_pool_t *pool);

/* Add the LEN bytes at DATA.  Thread: the owner. */
void dl_sha256_add(dl_sha256 *sum, const void *data, size_t len);

/* Write the digest of all bytes added so far to OUT and begin anew.
 * Thread: the owner. */
void dl_sha256_digest(unsigned char out[DL_SHA256_SIZE], dl_sha256 *sum);

/* The same as lower case hexadecimal text.  Thread: the owner. */
void dl_sha256_text(char out[DL_SHA256_TEXT], dl_sha256 *sum);

/* Write the state of SUM to OUT, so that the sum can go on later without its
 * bytes: eight words, the byte count, the bytes of the unfinished block, zeros
 * behind; little-endian.  SUM goes on as it was.  Thread: the owner. */
void dl_sha256_save(unsigned char out[DL_SHA256_STATE], const dl_sha256 *sum);

/* Set SUM to the state dl_sha256_save wrote to IN; any 112 bytes are taken, the
 * caller guards them with a checksum.  Thread: the owner. */
void dl_sha256_load(dl_sha256 *sum, const unsigned char in[DL_SHA256_STATE]);

#endif
