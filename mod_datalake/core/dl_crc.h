/* dl_crc.h - CRC32C (Castagnoli), the checksum of what we put on disk.
 *
 * Uses the processor's instruction where it has one, a table elsewhere; both
 * give the same value.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_CRC_H
#define DL_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Return the CRC32C of the LEN bytes at DATA behind bytes whose CRC32C is CRC
 * (0: there are none).  dl_crc32c(0, "123456789", 9) is 0xe3069283.
 * Thread: any. */
uint32_t dl_crc32c(uint32_t crc, const void *data, size_t len);

/* The same by table alone, for tests.  Thread: any. */
uint32_t dl_crc32c_table(uint32_t crc, const void *data, size_t len);

#endif
