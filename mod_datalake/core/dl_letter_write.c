/* dl_letter_write.c - A dead letter as a JSON object.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_letter_write.h"

#include <stdbool.h>

#include <apr_base64.h>

#include "dl_utf8.h"

static bool is_utf8(const char *text, size_t len)
{
    const unsigned char *at = (const unsigned char *)text;

    while (len > 0) {
        size_t n = dl_utf8_check(at, len);

        if (n == 0) {
            return false;
        }
        at += n;
        len -= n;
    }
    return true;
}

static void write_value(dl_json_writer *w, const dl_letter *letter,
                        apr_pool_t *scratch_pool)
{
    bool plain = is_utf8(letter->value, letter->value_len);
    int len = (int)letter->value_len;
    char *text;

    dl_json_write_key(w, "value");
    if (plain) {
        dl_json_write_string(w, letter->value, letter->value_len);
    }
    else {
        text = apr_palloc(scratch_pool, (size_t)apr_base64_encode_len(len));
        apr_base64_encode_binary(text, (const unsigned char *)letter->value,
                                 len);
        dl_json_write_text(w, text);
    }
    dl_json_write_key(w, "encoding");
    dl_json_write_text(w, plain ? "utf-8" : "base64");
}

void dl_letter_write(dl_json_writer *w, const dl_letter *letter,
                     apr_pool_t *scratch_pool)
{
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "id");
    dl_json_write_int(w, letter->id);
    dl_json_write_key(w, "topic");
    dl_json_write_text(w, letter->topic);
    dl_json_write_key(w, "partition");
    dl_json_write_int(w, letter->partition);
    dl_json_write_key(w, "offset");
    dl_json_write_int(w, letter->offset);
    dl_json_write_key(w, "key");
    dl_json_write_text(w, letter->key);
    dl_json_write_key(w, "reason");
    dl_json_write_text(w, letter->reason);
    dl_json_write_key(w, "detail");
    dl_json_write_text(w, letter->detail);
    write_value(w, letter, scratch_pool);
    dl_json_write_key(w, "state");
    dl_json_write_text(w, letter->state);
    dl_json_write_key(w, "attempts");
    dl_json_write_int(w, letter->attempts);
    dl_json_write_key(w, "received_at");
    dl_json_write_time(w, letter->received_at);
    dl_json_write_key(w, "replay_id");
    dl_json_write_text(w, letter->replay_id);
    dl_json_write_object_end(w);
}
