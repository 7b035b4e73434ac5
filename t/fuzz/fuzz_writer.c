/* fuzz_writer.c - Whatever text the writer is given, it writes JSON.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dl_json.h"
#include "dl_json_write.h"

const char *const fuzz_seeds[] = {"plain", "\"\\/\b\f\n\r\t\x01\x7f",
                                  "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80",
                                  "\xFF\xC3\xED\xA0\x80", NULL};

const char *const fuzz_words[] = {"\x80", "\xF4\x90\x80\x80", "\\u",
                                  "\"",   "\xE2\x80\xA8",     NULL};

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    static const char *const paths[] = {"a", "n"};
    dl_buf *buf = dl_buf_create(6 * len + 200, pool);
    const dl_json_shape *shape;
    dl_json_result result;
    dl_json_slice slots[2];
    dl_json_writer w;
    double number = 0;
    char *scratch;

    memcpy(&number, data, len < sizeof number ? len : sizeof number);
    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "a");
    dl_json_write_string(&w, (const char *)data, len);
    dl_json_write_key(&w, "n");
    dl_json_write_number(&w, number > 1e30 || number < -1e30 ? 0 : number,
                         (int)(len % 10));
    dl_json_write_object_end(&w);
    fuzz_check(dl_json_writer_finish(&w, NULL) == DL_OK, "there is room");
    fuzz_check(dl_json_shape_create(&shape, paths, 2, NULL, pool) == DL_OK,
               "the shape is made");
    scratch = malloc(buf->len + DL_JSON_SLACK);
    fuzz_check(dl_json_scan(&result, slots, shape, scratch, buf->data,
                            buf->len) == DL_JSON_FINE,
               "what is written is JSON");
    fuzz_check(slots[0].kind == DL_JSON_STRING, "a string is one");
    free(scratch);
}
