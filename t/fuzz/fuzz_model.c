/* fuzz_model.c - A model file with bytes changed and its checksum mended:
 * refused, or one that answers, in finite steps, inside its bounds.
 *
 * The input is a row of changes to a good file of three bytes each: where
 * (high byte, low byte) and what is added there.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "dl_crc.h"
#include "dl_lake_bytes.h"
#include "dl_model.h"

const char *const fuzz_seeds[] = {"", "\1\x40\1", "\1\1\1\1\x50\2", NULL};

const char *const fuzz_words[] = {"\1\x60\1", "\1\x10\x80", "\2\1\xFF", NULL};

/* Put a good file into OUT. */
static void make_good(dl_lake_bytes *out)
{
    static const dl_model_node nodes[] = {
        {0 | DL_MODEL_LEFT, 100, 1, 2}, {3, 12, 3, 4},
        {DL_MODEL_LEAF, 2, 0, 0},       {DL_MODEL_LEAF, 1, 0, 0},
        {DL_MODEL_LEAF, -1, 0, 0},      {DL_MODEL_LEAF, 0.5F, 0, 0}};
    static const uint32_t sizes[] = {5, 1};
    static const dl_model_rate rates[] = {{{'U', 'S', 'D'}, 0, {0}}};
    dl_model model = {.id = "01234567-89ab-cdef-0123-456789abcdef",
                      .version = 1,
                      .base = 0,
                      .layout = {.numbers = 31},
                      .currency = "EUR",
                      .n_rates = 1,
                      .rates = rates,
                      .n_trees = 2,
                      .sizes = sizes,
                      .nodes = nodes,
                      .details = "{}",
                      .details_len = 2};

    for (int i = 0; i < DL_FEATURE_TEXTS; i++) {
        model.layout.n[i] = 2;
        model.layout.value[i][0] = (dl_feature_value){"EUR", 3};
        model.layout.value[i][1] = (dl_feature_value){"", 0};
    }
    dl_model_format(out, &model);
}

/* Ask MODEL about rows of all kinds. */
static void ask(const dl_model *model)
{
    dl_feature_row row;
    dl_prediction out;
    dl_decimal amount;

    dl_feature_clear(&row);
    dl_model_predict(&out, model, &row);
    for (int i = 0; i < DL_FEATURE_NUMBERS; i++) {
        row.number[i] = (float)(i * 50);
    }
    for (int i = 0; i < DL_FEATURE_TEXTS; i++) {
        row.text[i] = (dl_feature_value){"EUR", 3};
    }
    dl_model_predict(&out, model, &row);
    fuzz_check(!isnan(out.margin), "an answer is a number");
    fuzz_check(out.probability >= 0 && out.probability <= 1,
               "a probability is one");
    (void)dl_model_convert(&amount, model, dl_decimal_of_int(3),
                           (dl_feature_value){"USD", 3}, 20000);
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    dl_lake_bytes *bytes = apr_pcalloc(pool, sizeof *bytes);
    dl_lake_bytes *back = apr_pcalloc(pool, sizeof *back);
    const dl_model *model;
    dl_error err;

    dl_lake_bytes_own(bytes, pool);
    dl_lake_bytes_own(back, pool);
    make_good(bytes);
    for (size_t i = 0; i + 3 <= len; i += 3) {
        size_t at = ((size_t)data[i] << 8 | data[i + 1]) % bytes->len;

        bytes->data[at] = (uint8_t)(bytes->data[at] + data[i + 2]);
    }
    (void)dl_lake_put_u32(bytes->data + 8,
                          dl_crc32c(0, bytes->data + 12, bytes->len - 12));
    fuzz_check(dl_model_parse(&model, data, len, &err, pool) == DL_CORRUPT ||
                   len > 12,
               "a few bytes are no model");
    if (dl_model_parse(&model, bytes->data, bytes->len, &err, pool) != DL_OK) {
        return;
    }
    ask(model);
    dl_model_format(back, model);
    fuzz_check(back->len == bytes->len &&
                   memcmp(back->data, bytes->data, back->len) == 0,
               "what is read is written the same");
}
