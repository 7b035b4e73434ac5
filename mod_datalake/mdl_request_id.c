/* mdl_request_id.c - Making request ids.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_request_id.h"

#include <stdatomic.h>
#include <stdint.h>

#include <apr_general.h>

static uint64_t seed[2];
static _Atomic uint64_t count;

/* A bijection of 64 bits that spreads neighbours (splitmix64). */
static uint64_t mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static void put_hex(char *out, uint64_t value)
{
    static const char digits[] = "0123456789abcdef";
    int i;

    for (i = 15; i >= 0; i--) {
        out[i] = digits[value & 15];
        value >>= 4;
    }
}

void mdl_request_id_start(void)
{
    apr_generate_random_bytes((unsigned char *)seed, sizeof seed);
}

void mdl_request_id_make(char out[MDL_REQUEST_ID_TEXT])
{
    uint64_t n = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);

    put_hex(out, mix(seed[0] + n));
    put_hex(out + 16, mix(seed[1] ^ n));
    out[32] = '\0';
}
