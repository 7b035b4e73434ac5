/* dl_model.c - Models: the file in order of MODEL.md, and the way down trees.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_model.h"

#include <math.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_crc.h"
#include "dl_lake_bytes.h"

#define MAGIC     "DLMODEL1"
#define MAGIC_LEN 8
#define ID_LEN    (DL_MODEL_ID - 1)

/* The magic and the checksum. */
#define HEAD_LEN (MAGIC_LEN + 4)

/* Bytes of a rate and of a node. */
#define RATE_LEN 23
#define NODE_LEN 16

/* The largest DECIMAL(28,10), in units. */
#define UNITS_MAX ((__int128)999999999999999999 * 10000000000 + 9999999999)

static float float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* --- Reading -------------------------------------------------------------- */

/* Copy LEN bytes of IN to OUT; zeros when they are not there. */
static void get_copy(void *out, dl_lake_in *in, size_t len)
{
    const uint8_t *from = dl_lake_get_raw(in, len);

    memset(out, 0, len);
    if (from != NULL) {
        memcpy(out, from, len);
    }
}

static void parse_texts(dl_feature_layout *layout, dl_lake_in *in)
{
    for (int i = 0; i < DL_FEATURE_TEXTS; i++) {
        int n = dl_lake_get_u8(in);

        if (n > DL_FEATURE_VALUES) {
            in->bad = true;
        }
        for (int at = 0; at < n && !in->bad; at++) {
            dl_feature_value *value = &layout->value[i][at];

            value->text = (const char *)dl_lake_get_text(&value->len, in);
            if (value->len > DL_FEATURE_VALUE_MAX) {
                in->bad = true;
            }
        }
        layout->n[i] = in->bad ? 0 : n;
    }
}

static bool is_currency(const char *text)
{
    for (int i = 0; i < 3; i++) {
        if (text[i] < 'A' || text[i] > 'Z') {
            return false;
        }
    }
    return true;
}

/* Get N rates into RATES. */
static void parse_rates(dl_model_rate *rates, uint32_t n, dl_lake_in *in)
{
    for (uint32_t i = 0; i < n && !in->bad; i++) {
        dl_model_rate *rate = &rates[i];
        uint64_t low;

        get_copy(rate->currency, in, 3);
        rate->from = (dl_day)dl_lake_get_u32(in);
        low = dl_lake_get_u64(in);
        rate->rate.units =
            (__int128)((unsigned __int128)dl_lake_get_u64(in) << 64 | low);
        if (!is_currency(rate->currency) || rate->rate.units > UNITS_MAX ||
            rate->rate.units < -UNITS_MAX) {
            in->bad = true;
        }
    }
}

/* Whether node AT of a tree of SIZE nodes leads somewhere. */
static bool node_is_sound(const dl_model_node *node, uint32_t at, uint32_t size,
                          int columns)
{
    if (!isfinite(node->value)) {
        return false;
    }
    if (node->split == DL_MODEL_LEAF) {
        return node->left == 0 && node->right == 0;
    }
    return (node->split & ~DL_MODEL_LEFT) < (uint32_t)columns &&
           node->left > at && node->left < size && node->right > at &&
           node->right < size;
}

static void parse_nodes(dl_model_node *nodes, const dl_model *model,
                        dl_lake_in *in)
{
    int columns = dl_feature_columns(&model->layout);
    dl_model_node *node = nodes;

    for (uint32_t tree = 0; tree < model->n_trees; tree++) {
        for (uint32_t at = 0; at < model->sizes[tree] && !in->bad; at++) {
            node->split = dl_lake_get_u32(in);
            node->value = float_of(dl_lake_get_u32(in));
            node->left = dl_lake_get_u32(in);
            node->right = dl_lake_get_u32(in);
            if (!node_is_sound(node, at, model->sizes[tree], columns)) {
                in->bad = true;
            }
            node++;
        }
    }
}

/* Whether N things of SIZE bytes can stand in what is left of IN. */
static bool fits(const dl_lake_in *in, uint64_t n, size_t size)
{
    return !in->bad && n <= (uint64_t)(in->end - in->p) / size;
}

/* Get the trees of MODEL from IN; it is bad when they are not sound. */
static void parse_trees(dl_model *model, dl_lake_in *in, apr_pool_t *pool)
{
    dl_model_node *nodes;
    uint32_t *sizes;
    uint64_t all = 0;

    model->n_trees = dl_lake_get_u32(in);
    if (model->n_trees == 0 || model->n_trees > DL_MODEL_TREES ||
        !fits(in, model->n_trees, sizeof *sizes)) {
        in->bad = true;
        return;
    }
    sizes = apr_palloc(pool, model->n_trees * sizeof *sizes);
    for (uint32_t i = 0; i < model->n_trees; i++) {
        sizes[i] = dl_lake_get_u32(in);
        all += sizes[i];
        in->bad = in->bad || sizes[i] == 0;
    }
    if (all > DL_MODEL_NODES || !fits(in, all, NODE_LEN)) {
        in->bad = true;
        return;
    }
    nodes = apr_palloc(pool, (size_t)all * sizeof *nodes);
    model->sizes = sizes;
    model->nodes = nodes;
    parse_nodes(nodes, model, in);
}

static void parse_inputs(dl_model *model, dl_lake_in *in, apr_pool_t *pool)
{
    dl_model_rate *rates;

    model->layout.numbers = dl_lake_get_u8(in);
    if (model->layout.numbers >= 1U << DL_FEATURE_NUMBERS) {
        in->bad = true;
    }
    parse_texts(&model->layout, in);
    get_copy(model->currency, in, 3);
    model->n_rates = dl_lake_get_u32(in);
    if (!is_currency(model->currency) || model->n_rates > DL_MODEL_RATES ||
        !fits(in, model->n_rates, RATE_LEN)) {
        in->bad = true;
        return;
    }
    rates = apr_palloc(pool, (model->n_rates + 1) * sizeof *rates);
    parse_rates(rates, model->n_rates, in);
    model->rates = rates;
}

dl_status dl_model_parse(const dl_model **model, const void *data, size_t len,
                         dl_error *err, apr_pool_t *result_pool)
{
    dl_model *made = apr_pcalloc(result_pool, sizeof *made);
    dl_lake_in in = dl_lake_in_make(data, len);
    const uint8_t *magic = dl_lake_get_raw(&in, MAGIC_LEN);
    uint32_t crc = dl_lake_get_u32(&in);
    unsigned target;
    const uint8_t *details;

    if (in.bad || memcmp(magic, MAGIC, MAGIC_LEN) != 0 ||
        crc != dl_crc32c(0, in.p, len - HEAD_LEN)) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "no model, or one whose checksum is wrong");
    }
    get_copy(made->id, &in, ID_LEN);
    target = dl_lake_get_u8(&in);
    made->version = dl_lake_get_u32(&in);
    made->base = float_of(dl_lake_get_u32(&in));
    in.bad = in.bad || target >= DL_TARGETS || !isfinite(made->base) ||
             memchr(made->id, '\0', ID_LEN) != NULL;
    made->target = in.bad ? DL_TARGET_COMPLETED : (dl_target)target;
    parse_inputs(made, &in, result_pool);
    if (!in.bad) {
        parse_trees(made, &in, result_pool);
    }
    details = dl_lake_get_text(&made->details_len, &in);
    if (in.bad || in.p != in.end || made->details_len > DL_MODEL_DETAILS) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "a model with a field out of bounds");
    }
    made->details =
        apr_pstrmemdup(result_pool, (const char *)details, made->details_len);
    *model = made;
    return DL_OK;
}

/* --- Writing -------------------------------------------------------------- */

static void format_inputs(dl_lake_bytes *out, const dl_model *model)
{
    dl_lake_add_u8(out, (uint8_t)model->layout.numbers);
    for (int i = 0; i < DL_FEATURE_TEXTS; i++) {
        dl_lake_add_u8(out, (uint8_t)model->layout.n[i]);
        for (int at = 0; at < model->layout.n[i]; at++) {
            dl_lake_add_text(out, model->layout.value[i][at].text,
                             model->layout.value[i][at].len);
        }
    }
    dl_lake_add_raw(out, model->currency, 3);
    dl_lake_add_u32(out, model->n_rates);
    for (uint32_t i = 0; i < model->n_rates; i++) {
        unsigned __int128 units = (unsigned __int128)model->rates[i].rate.units;

        dl_lake_add_raw(out, model->rates[i].currency, 3);
        dl_lake_add_u32(out, (uint32_t)model->rates[i].from);
        dl_lake_add_u64(out, (uint64_t)units);
        dl_lake_add_u64(out, (uint64_t)(units >> 64));
    }
}

static void format_trees(dl_lake_bytes *out, const dl_model *model)
{
    size_t all = 0;

    dl_lake_add_u32(out, model->n_trees);
    for (uint32_t i = 0; i < model->n_trees; i++) {
        dl_lake_add_u32(out, model->sizes[i]);
        all += model->sizes[i];
    }
    for (size_t i = 0; i < all; i++) {
        dl_lake_add_u32(out, model->nodes[i].split);
        dl_lake_add_u32(out, bits_of(model->nodes[i].value));
        dl_lake_add_u32(out, model->nodes[i].left);
        dl_lake_add_u32(out, model->nodes[i].right);
    }
}

void dl_model_format(dl_lake_bytes *out, const dl_model *model)
{
    size_t start = out->len;

    dl_lake_add_raw(out, MAGIC, MAGIC_LEN);
    dl_lake_add_u32(out, 0);
    dl_lake_add_raw(out, model->id, ID_LEN);
    dl_lake_add_u8(out, (uint8_t)model->target);
    dl_lake_add_u32(out, model->version);
    dl_lake_add_u32(out, bits_of(model->base));
    format_inputs(out, model);
    format_trees(out, model);
    dl_lake_add_text(out, model->details, model->details_len);
    (void)dl_lake_put_u32(out->data + start + MAGIC_LEN,
                          dl_crc32c(0, out->data + start + HEAD_LEN,
                                    out->len - start - HEAD_LEN));
}

/* --- Asking --------------------------------------------------------------- */

/* Set CODE to CURRENCY in capital letters; false: it is not three letters. */
static bool code_of(char code[3], dl_feature_value currency)
{
    if (currency.text == NULL || currency.len != 3) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        char c = currency.text[i];

        code[i] = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    return is_currency(code);
}

/* The rate of CODE that is valid on DAY, or NULL. */
static const dl_model_rate *find_rate(const dl_model *model, const char *code,
                                      dl_day day)
{
    uint32_t low = 0;
    uint32_t high = model->n_rates;

    while (low < high) { /* the first one behind (code, day) */
        uint32_t middle = low + (high - low) / 2;
        const dl_model_rate *rate = &model->rates[middle];
        int order = memcmp(rate->currency, code, 3);

        if (order < 0 || (order == 0 && rate->from <= day)) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low > 0 && memcmp(model->rates[low - 1].currency, code, 3) == 0
               ? &model->rates[low - 1]
               : NULL;
}

bool dl_model_convert(dl_decimal *out, const dl_model *model, dl_decimal amount,
                      dl_feature_value currency, dl_day day)
{
    dl_decimal result = amount;
    const dl_model_rate *rate;
    char code[3];

    if (!code_of(code, currency)) {
        return false;
    }
    if (memcmp(code, model->currency, 3) != 0) {
        rate = find_rate(model, code, day == DL_DAY_NONE ? INT32_MAX : day);
        if (rate == NULL || !dl_decimal_mul(&result, amount, rate->rate)) {
            return false;
        }
    }
    if (result.units > UNITS_MAX || result.units < -UNITS_MAX) {
        return false;
    }
    *out = result;
    return true;
}

float dl_model_margin(const dl_model *model, const float *columns)
{
    const dl_model_node *root = model->nodes;
    float sum = model->base;

    for (uint32_t tree = 0; tree < model->n_trees; tree++) {
        const dl_model_node *node = root;

        while (node->split != DL_MODEL_LEAF) {
            float value = columns[node->split & ~DL_MODEL_LEFT];
            bool left = isnan(value) ? (node->split & DL_MODEL_LEFT) != 0
                                     : value < node->value;

            node = root + (left ? node->left : node->right);
        }
        sum += node->value;
        root += model->sizes[tree];
    }
    return sum;
}

float dl_model_probability(float margin)
{
    float x = -margin > 88.7F ? 88.7F : -margin;

    return 1.0F / (expf(x) + 1.0F + 1e-16F);
}

void dl_model_predict(dl_prediction *out, const dl_model *model,
                      const dl_feature_row *row)
{
    float columns[DL_FEATURE_COLUMNS];

    memset(out, 0, sizeof *out);
    dl_feature_fill(columns, &model->layout, row);
    out->margin = dl_model_margin(model, columns);
    if (model->target == DL_TARGET_COMPLETED) {
        out->probability = dl_model_probability(out->margin);
        out->is_true = out->probability >= 0.5F;
    }
}
