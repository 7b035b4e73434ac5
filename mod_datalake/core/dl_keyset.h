/* dl_keyset.h - The inside of a key set, for dl_keyset.c and dl_jws.c alone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_KEYSET_H
#define DL_KEYSET_H

#include <stddef.h>

#include "dl_error.h"
#include "dl_jws.h"

/* Bytes of an HS256 signature. */
#define DL_HS256_BYTES 32

/* Index of the key whose kid is the LEN bytes of KID, or -1.  Thread: any. */
int dl_keyset_find(const dl_keyset *keys, const char *kid, size_t len);

/* The JWS name of the algorithm of key I.  Static.  Thread: any. */
const char *dl_keyset_algorithm(const dl_keyset *keys, int i);

/* Write the MAC of LEN bytes of DATA under key I to OUT, with the calling
 * thread's context.  DL_INTERNAL: the crypto library failed.  Thread: any. */
DL_MUSTCHECK dl_status dl_keyset_mac(unsigned char out[DL_HS256_BYTES],
                                     const dl_keyset *keys, int i,
                                     const void *data, size_t len,
                                     dl_error *err);

#endif
