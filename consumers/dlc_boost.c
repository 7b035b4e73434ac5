/* dlc_boost.c - Rows to XGBoost, trees back.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_boost.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include <jansson.h>
#include <xgboost/c_api.h>

/* Rows that XGBoost is given at once, and those that are compared. */
#define BATCH    ((size_t)8192)
#define COMPARED ((size_t)4096)

/* One training. */
typedef struct boosting {
    const dlc_boost_input *in; /* the caller's */
    DMatrixHandle proxy;       /* the rows in hand, for XGBoost */
    size_t next;               /* first row that was not given yet */
    float *values;             /* BATCH rows */
    float *labels;             /* what they should be */
    bool left_off;             /* somebody wants us to stop */
} boosting;

static dl_status failed(dl_error *err, const char *what)
{
    return dl_fail(err, DL_INTERNAL, 0, "XGBoost: %s: %.300s", what,
                   XGBGetLastError());
}

static apr_status_t matrix_free(void *data)
{
    (void)XGDMatrixFree(data);
    return APR_SUCCESS;
}

static apr_status_t booster_free(void *data)
{
    (void)XGBoosterFree(data);
    return APR_SUCCESS;
}

/* --- Rows ----------------------------------------------------------------- */

/* Describe N rows of COLUMNS floats at DATA as XGBoost wants it; COLUMNS 0:
 * one number each. */
static void describe(char *out, size_t size, const float *data, size_t n,
                     int columns)
{
    char shape[48];

    snprintf(shape, sizeof shape, columns > 0 ? "[%zu,%d]" : "[%zu]", n,
             columns);
    snprintf(out, size,
             "{\"data\":[%zu,true],\"shape\":%s,\"typestr\":\"<f4\","
             "\"version\":3}",
             (size_t)data, shape);
}

/* Fill VALUES and LABELS with up to MAX rows from NEXT; return how many. */
static size_t fill(boosting *b, size_t max)
{
    size_t n = 0;

    while (n < max && b->next < b->in->n) {
        b->labels[n] = b->in->fill(b->in->context, b->next++,
                                   b->values + n * (size_t)b->in->columns);
        n++;
    }
    return n;
}

static void start_rows(DataIterHandle handle)
{
    boosting *b = handle;

    b->next = 0;
}

/* Give XGBoost the next rows; 0: there are none. */
static int next_rows(DataIterHandle handle)
{
    boosting *b = handle;
    char text[256];
    size_t n;

    b->left_off = b->left_off || !b->in->round(b->in->context, 0);
    n = b->left_off ? 0 : fill(b, BATCH);
    if (n == 0) {
        return 0;
    }
    describe(text, sizeof text, b->values, n, b->in->columns);
    if (XGProxyDMatrixSetDataDense(b->proxy, text) != 0) {
        return 0;
    }
    describe(text, sizeof text, b->labels, n, 0);
    return XGDMatrixSetInfoFromInterface(b->proxy, "label", text) == 0 ? 1 : 0;
}

/* Set *MATRIX to all rows. */
static dl_status make_matrix(DMatrixHandle *matrix, boosting *b, dl_error *err,
                             apr_pool_t *pool)
{
    const char *config =
        apr_psprintf(pool, "{\"missing\":NaN,\"nthread\":%d,\"max_bin\":256}",
                     b->in->threads);
    bst_ulong rows;

    if (XGProxyDMatrixCreate(&b->proxy) != 0) {
        return failed(err, "rows");
    }
    apr_pool_cleanup_register(pool, b->proxy, matrix_free,
                              apr_pool_cleanup_null);
    if (XGQuantileDMatrixCreateFromCallback(b, b->proxy, NULL, start_rows,
                                            next_rows, config, matrix) != 0) {
        return b->left_off ? DL_OK : failed(err, "rows");
    }
    apr_pool_cleanup_register(pool, *matrix, matrix_free,
                              apr_pool_cleanup_null);
    if (!b->left_off &&
        (XGDMatrixNumRow(*matrix, &rows) != 0 || rows != b->in->n)) {
        return failed(err, "some rows were not taken");
    }
    return DL_OK;
}

/* --- Rounds --------------------------------------------------------------- */

static dl_status make_booster(BoosterHandle *booster, DMatrixHandle matrix,
                              const dlc_boost_input *in, dl_error *err,
                              apr_pool_t *pool)
{
    const char *const parameters[][2] = {
        {"objective", in->target == DL_TARGET_COMPLETED ? "binary:logistic"
                                                        : "reg:squarederror"},
        {"tree_method", "hist"},
        {"max_depth", "6"},
        {"max_bin", "256"},
        {"eta", "0.1"},
        {"seed", "0"},
        {"base_score", "0.5"},
        {"verbosity", "0"},
        {"nthread", apr_itoa(pool, in->threads)}};

    if (XGBoosterCreate(&matrix, 1, booster) != 0) {
        return failed(err, "begin");
    }
    apr_pool_cleanup_register(pool, *booster, booster_free,
                              apr_pool_cleanup_null);
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
        if (XGBoosterSetParam(*booster, parameters[i][0], parameters[i][1]) !=
            0) {
            return failed(err, parameters[i][0]);
        }
    }
    return DL_OK;
}

static dl_status run_rounds(boosting *b, BoosterHandle booster,
                            DMatrixHandle matrix, dl_error *err)
{
    for (int i = 0; i < DLC_BOOST_ROUNDS && !b->left_off; i++) {
        if (XGBoosterUpdateOneIter(booster, i, matrix) != 0) {
            return failed(err, "round");
        }
        b->left_off = !b->in->round(b->in->context, i + 1);
    }
    return DL_OK;
}

/* --- Trees ---------------------------------------------------------------- */

/* The arrays of one tree, as XGBoost writes them. */
typedef struct written_tree {
    const json_t *left, *right, *column, *value, *missing_left, *gain;
    size_t n; /* nodes, some of which nothing leads to */
} written_tree;

static bool read_tree(written_tree *tree, const json_t *from)
{
    size_t n;

    tree->left = json_object_get(from, "left_children");
    tree->right = json_object_get(from, "right_children");
    tree->column = json_object_get(from, "split_indices");
    tree->value = json_object_get(from, "split_conditions");
    tree->missing_left = json_object_get(from, "default_left");
    tree->gain = json_object_get(from, "loss_changes");
    tree->n = n = json_array_size(tree->left);
    return n > 0 && json_array_size(tree->right) == n &&
           json_array_size(tree->column) == n &&
           json_array_size(tree->value) == n &&
           json_array_size(tree->missing_left) == n &&
           json_array_size(tree->gain) == n;
}

static int64_t whole_at(const json_t *array, size_t i)
{
    const json_t *value = json_array_get(array, i);

    if (json_is_boolean(value)) {
        return json_is_true(value) ? 1 : 0;
    }
    return json_integer_value(value);
}

/* Write the nodes of TREE to NODES (room for tree->n), a node before its
 * children; FROM (as large) is for the numbers they had.  Return how many; 0:
 * the tree is not one. */
static uint32_t copy_tree(dl_model_node *nodes, uint32_t *from,
                          const written_tree *tree, double *gain)
{
    uint32_t n = 1;

    from[0] = 0;
    for (uint32_t at = 0; at < n; at++) {
        uint32_t old = from[at];
        int64_t left = whole_at(tree->left, old);
        int64_t right = whole_at(tree->right, old);
        int64_t column = whole_at(tree->column, old);
        dl_model_node *node = &nodes[at];

        node->value =
            (float)json_number_value(json_array_get(tree->value, old));
        node->split = DL_MODEL_LEAF;
        node->left = node->right = 0;
        if (left < 0) {
            continue;
        }
        if (left >= (int64_t)tree->n || right < 0 ||
            right >= (int64_t)tree->n || n + 2 > tree->n || column < 0 ||
            column >= DL_FEATURE_COLUMNS) {
            return 0;
        }
        node->split =
            (uint32_t)column |
            (whole_at(tree->missing_left, old) != 0 ? DL_MODEL_LEFT : 0);
        node->left = n;
        from[n++] = (uint32_t)left;
        node->right = n;
        from[n++] = (uint32_t)right;
        gain[column] += json_number_value(json_array_get(tree->gain, old));
    }
    return n;
}

/* Set the trees of MODEL to the array TREES. */
static bool copy_trees(dl_model *model, double *gain, const json_t *trees,
                       apr_pool_t *pool)
{
    size_t n = json_array_size(trees);
    uint32_t *sizes = apr_palloc(pool, (n + 1) * sizeof *sizes);
    size_t room = 0;
    size_t used = 0;
    written_tree tree;
    dl_model_node *nodes;
    uint32_t *from;

    for (size_t i = 0; i < n; i++) {
        if (!read_tree(&tree, json_array_get(trees, i))) {
            return false;
        }
        room += tree.n;
    }
    nodes = apr_palloc(pool, (room + 1) * sizeof *nodes);
    from = apr_palloc(pool, (room + 1) * sizeof *from);
    for (size_t i = 0; i < n; i++) {
        (void)read_tree(&tree, json_array_get(trees, i));
        sizes[i] = copy_tree(nodes + used, from, &tree, gain);
        if (sizes[i] == 0) {
            return false;
        }
        used += sizes[i];
    }
    model->n_trees = (uint32_t)n;
    model->sizes = sizes;
    model->nodes = nodes;
    return n > 0;
}

/* Set *NATIVE to what XGBoost writes of BOOSTER. */
static dl_status save(dlc_boosted *out, BoosterHandle booster, dl_error *err,
                      apr_pool_t *pool)
{
    const char *text;
    bst_ulong len;

    if (XGBoosterSaveModelToBuffer(booster, "{\"format\":\"json\"}", &len,
                                   &text) != 0) {
        return failed(err, "save");
    }
    out->native = apr_pstrmemdup(pool, text, len);
    out->native_len = len;
    return DL_OK;
}

/* Set base and trees of MODEL from what XGBoost wrote. */
static dl_status take_trees(dl_model *model, dlc_boosted *out,
                            const dlc_boost_input *in, dl_error *err,
                            apr_pool_t *pool)
{
    json_error_t where;
    json_t *all = json_loadb(out->native, out->native_len, 0, &where);
    const json_t *learner = json_object_get(all, "learner");
    const json_t *trees = json_object_get(
        json_object_get(json_object_get(learner, "gradient_booster"), "model"),
        "trees");
    bool good = copy_trees(model, out->gain, trees, pool);

    /* base_score is 0.5, whose log odds are 0. */
    model->base = in->target == DL_TARGET_COMPLETED ? 0 : 0.5F;
    json_decref(all);
    return good ? DL_OK
                : dl_fail(err, DL_INTERNAL, 0,
                          "XGBoost wrote trees that are none");
}

/* --- Whether both agree --------------------------------------------------- */

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static dl_status compare(const dl_model *model, boosting *b,
                         BoosterHandle booster, dl_error *err, apr_pool_t *pool)
{
    DMatrixHandle matrix;
    const bst_ulong *shape;
    bst_ulong dimensions;
    const float *said;
    size_t n;

    b->next = 0;
    n = fill(b, COMPARED);
    if (XGDMatrixCreateFromMat(b->values, n, (bst_ulong)b->in->columns, NAN,
                               &matrix) != 0) {
        return failed(err, "rows");
    }
    apr_pool_cleanup_register(pool, matrix, matrix_free, apr_pool_cleanup_null);
    if (XGBoosterPredictFromDMatrix(
            booster, matrix,
            "{\"type\":1,\"training\":false,\"iteration_begin\":0,"
            "\"iteration_end\":0,\"strict_shape\":false}",
            &shape, &dimensions, &said) != 0 ||
        dimensions == 0 || shape[0] != n) {
        return failed(err, "predict");
    }
    for (size_t i = 0; i < n; i++) {
        float ours =
            dl_model_margin(model, b->values + i * (size_t)b->in->columns);

        if (bits_of(ours) != bits_of(said[i])) {
            return dl_fail(err, DL_INTERNAL, 0,
                           "row %zu is %.9g by XGBoost, %.9g by our trees", i,
                           (double)said[i], (double)ours);
        }
    }
    return DL_OK;
}

static dl_status boost(dlc_boosted *out, dl_model *model, boosting *b,
                       dl_error *err, apr_pool_t *pool)
{
    DMatrixHandle matrix = NULL;
    BoosterHandle booster;

    DL_TRY(make_matrix(&matrix, b, err, pool));
    if (b->left_off) {
        return DL_OK;
    }
    DL_TRY(make_booster(&booster, matrix, b->in, err, pool));
    DL_TRY(run_rounds(b, booster, matrix, err));
    if (b->left_off) {
        return DL_OK;
    }
    DL_TRY(save(out, booster, err, pool));
    DL_TRY(take_trees(model, out, b->in, err, pool));
    out->whole = true;
    return compare(model, b, booster, err, pool);
}

dl_status dlc_boost(dlc_boosted *out, dl_model *model,
                    const dlc_boost_input *input, dl_error *err,
                    apr_pool_t *pool)
{
    boosting b = {.in = input};
    apr_pool_t *handles;
    dl_status status;

    memset(out, 0, sizeof *out);
    b.values = malloc(BATCH * (size_t)input->columns * sizeof *b.values);
    b.labels = malloc(BATCH * sizeof *b.labels);
    if (b.values == NULL || b.labels == NULL) {
        abort();
    }
    /* XGBoost's things go now, what was learned stays. */
    apr_pool_create(&handles, pool);
    status = boost(out, model, &b, err, handles);
    if (status == DL_OK && out->whole) {
        size_t all = 0;

        for (uint32_t i = 0; i < model->n_trees; i++) {
            all += model->sizes[i];
        }
        out->native = apr_pmemdup(pool, out->native, out->native_len);
        model->sizes = apr_pmemdup(pool, model->sizes,
                                   model->n_trees * sizeof *model->sizes);
        model->nodes =
            apr_pmemdup(pool, model->nodes, all * sizeof *model->nodes);
    }
    apr_pool_destroy(handles);
    free(b.values);
    free(b.labels);
    return status;
}
