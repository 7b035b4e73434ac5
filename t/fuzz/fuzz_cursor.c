/* fuzz_cursor.c - Page cursors: ours come back for their list alone, others
 * never.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include <apr_strings.h>

#include "mdl_cursor.h"

const char *const fuzz_seeds[] = {
    "1580.75\nalice", "AQAAAABqCxJYMTU4MC43NQphbGljZQAAAAAAAAAAAAAAAAAAAAAA",
    "", NULL};

const char *const fuzz_words[] = {"=", "-", "_", "\n", "A", "\xFF", NULL};

#define NOW INT64_C(1779096600000000)

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    static const mdl_cursor_binding list = {"/api/resources/", "limit=5"};
    static const mdl_cursor_binding other = {"/api/resources/", "limit=6"};
    static mdl_cursor_key key;
    const char *text = apr_pstrmemdup(pool, (const char *)data, len);
    size_t text_len = strlen(text);
    const char *position = NULL;
    const char *made;
    char *bent;

    mdl_cursor_key_derive(&key, "0123456789abcdef0123456789ABCDEF", 32);
    fuzz_check(mdl_cursor_decode(&position, &key, &list, text, NOW, pool) ==
                   DL_INVALID,
               "nobody guesses a cursor");
    if (text_len > MDL_CURSOR_POSITION_MAX) {
        return;
    }
    made = mdl_cursor_encode(&key, &list, text, text_len, NOW, pool);
    fuzz_check(mdl_cursor_decode(&position, &key, &list, made, NOW, pool) ==
                       DL_OK &&
                   strcmp(position, text) == 0,
               "a cursor comes back");
    fuzz_check(mdl_cursor_decode(&position, &key, &other, made, NOW, pool) ==
                       DL_INVALID &&
                   mdl_cursor_decode(&position, &key, &list, made,
                                     NOW + MDL_CURSOR_LIFE_S * 1000000,
                                     pool) == DL_INVALID,
               "not for another list, not for ever");
    bent = apr_pstrdup(pool, made);
    bent[len > 0 ? data[0] % strlen(made) : 0] ^= 1;
    fuzz_check(mdl_cursor_decode(&position, &key, &list, bent, NOW, pool) ==
                   DL_INVALID,
               "nor with a character changed");
}
