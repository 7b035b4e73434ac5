/* fuzz_base64.c - base64url: one text for each row of bytes, and back.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dl_base64.h"

const char *const fuzz_seeds[] = {"",         "AA", "AAA",  "AAAA", "_-9z",
                                  "Zm9vYmFy", "AB", "AA==", NULL};

const char *const fuzz_words[] = {"=", "+",  "/", "-",    "_",
                                  " ", "\n", "A", "\xC3", NULL};

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    char *text = malloc(DL_BASE64_LENGTH(len) + 1);
    unsigned char *bytes = malloc(len * 3 / 4 + 1);
    unsigned char *again = malloc(DL_BASE64_LENGTH(len) * 3 / 4 + 1);
    size_t n;
    size_t back;

    (void)pool;
    n = dl_base64_encode(text, data, len);
    fuzz_check(n == DL_BASE64_LENGTH(len), "a text has the length it must");
    fuzz_check(dl_base64_decode(again, &back, text, n) && back == len &&
                   memcmp(again, data, len) == 0,
               "bytes come back");
    if (dl_base64_decode(bytes, &n, (const char *)data, len)) {
        back = dl_base64_encode(text, bytes, n);
        fuzz_check(back == len && memcmp(text, data, len) == 0,
                   "a text that is taken is the only one for its bytes");
    }
    free(text);
    free(bytes);
    free(again);
}
