/* fuzz_body.c - Bodies as flat arrays: what is taken is a tree without a name
 * twice, and jansson takes it too.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include <jansson.h>

#include "dl_json_values.h"

const char *const fuzz_seeds[] = {
    "{\"username\":\"alice\",\"password\":\"correct horse\"}",
    "{\"a\":1,\"b\":[2,{\"c\":3}],\"d\":4}",
    "{\"a\":{\"a\":{\"a\":null}},\"b\":true,\"c\":-1.5e-3}",
    "{\"\\u0061\":1,\"a\":2}",
    " [1,2] ",
    NULL};

const char *const fuzz_words[] = {"{",
                                  "}",
                                  "[",
                                  "]",
                                  ",",
                                  ":",
                                  "\"",
                                  "\\u0061",
                                  "\\ud83d",
                                  "null",
                                  "1e9",
                                  "\"a\":1,",
                                  "\xEF\xBB\xBF",
                                  "\0",
                                  "\xFF",
                                  NULL};

/* What must hold for value I of ALL. */
static void check_value(const dl_json_values *all, uint32_t i, size_t len)
{
    const dl_json_value *value = &all->values[i];
    const dl_json_value *in = &all->values[value->parent];

    fuzz_check(value->next > i && value->next <= all->n,
               "next leads on, inside the array");
    fuzz_check(value->first < value->end && value->end <= len,
               "a value stands in the text");
    fuzz_check(i == 0 ||
                   (value->parent < i && value->next <= in->next &&
                    (in->kind == DL_JSON_OBJECT || in->kind == DL_JSON_ARRAY)),
               "a value is in the one before it that holds it");
    fuzz_check((value->name != NULL) == (i > 0 && in->kind == DL_JSON_OBJECT),
               "members have names, others none");
    fuzz_check(value->name == NULL || value->name[value->name_len] == '\0',
               "a name ends with a NUL");
    fuzz_check(value->text == NULL || value->text[value->len] == '\0',
               "a text ends with a NUL");
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    const char *text = (const char *)data;
    dl_json_values all;
    dl_json_fault fault = dl_json_values_read(&all, text, len, pool);
    json_t *other;

    fuzz_check(fault == DL_JSON_FINE || fault == DL_JSON_NOT_OBJECT ||
                   all.reason != NULL,
               "a bad body has a reason");
    fuzz_check(all.offset <= len, "and a place in it");
    if (fault != DL_JSON_FINE) {
        return;
    }
    for (uint32_t i = 0; i < all.n; i++) {
        check_value(&all, i, len);
        if (i < 200 && all.values[i].name != NULL &&
            strlen(all.values[i].name) == all.values[i].name_len) {
            fuzz_check(dl_json_values_member(&all, all.values[i].parent,
                                             all.values[i].name) == i,
                       "a member is found by its name, and is the only one");
        }
    }
    other =
        json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    /* jansson refuses numbers it cannot hold and \u0000 in names. */
    if (other != NULL) {
        fuzz_check(json_is_object(other) && json_object_size(other) <= all.n,
                   "an object for both");
        json_decref(other);
    }
}
