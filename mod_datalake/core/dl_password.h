/* dl_password.h - Passwords: rules, Argon2id hashes, reading them safely.
 *
 * Hashes are Argon2id version 1.3 with 19 MiB, 2 passes, 1 lane, as libsodium
 * writes them ("$argon2id$v=19$m=19456,t=2,p=1$...").  A hash takes about
 * 20 ms and 19 MiB: callers that answer the network stand behind a semaphore.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_PASSWORD_H
#define DL_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#include "dl_error.h"

/* Bounds of a password in bytes. */
#define DL_PASSWORD_MIN 8
#define DL_PASSWORD_MAX 256

/* Room for a hash and its NUL (libsodium's crypto_pwhash_STRBYTES). */
#define DL_PASSWORD_HASH 128

/* Check LEN bytes of PASSWORD for the account USERNAME (may be NULL): 8 to 256
 * bytes, no NUL, not the name itself.  DL_INVALID with the reason.
 * Thread: any. */
DL_MUSTCHECK dl_status dl_password_check(const char *password, size_t len,
                                         const char *username, dl_error *err);

/* Write the hash of LEN bytes of PASSWORD, with a fresh salt, to OUT.
 * DL_UNAVAILABLE: not enough memory.  Thread: any. */
DL_MUSTCHECK dl_status dl_password_hash(char out[DL_PASSWORD_HASH],
                                        const char *password, size_t len,
                                        dl_error *err);

/* Set *MATCH to whether LEN bytes of PASSWORD give HASH.  HASH NULL is an
 * unknown account: the same work is done, the answer is false.
 * DL_UNAVAILABLE: not enough memory.  Thread: any. */
DL_MUSTCHECK dl_status dl_password_verify(bool *match, const char *hash,
                                          const char *password, size_t len,
                                          dl_error *err);

#endif
