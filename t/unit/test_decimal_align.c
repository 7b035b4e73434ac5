/* test_decimal_align.c - A decimal may lie anywhere in a pool.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_decimal.h"

#include "tap.h"

#include <stdint.h>

/* A row as callers put it into a pool. */
typedef struct row {
    int64_t first;    /* moves the decimal off 16 bytes */
    dl_decimal value; /* the decimal */
} row;

int main(void)
{
    is_int(_Alignof(dl_decimal), 8,
           "a decimal asks for 8 bytes, as a pool has");
    is_int(sizeof(row), 24, "so a row with one has no hole");
    return done();
}
