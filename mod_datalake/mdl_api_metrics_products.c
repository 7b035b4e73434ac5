/* mdl_api_metrics_products.c - GET /api/metrics/top-products/.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include "mdl_api.h"
#include "mdl_spend.h"

enum {
    X = MDL_SPEND_OWN
};

const mdl_param mdl_api_top_products_params[] = {
    MDL_SPEND_PARAMS,
    [X] = {.name = "x",
           .alias = "top",
           .type = MDL_PARAM_INT,
           .min = 1,
           .max = 1000,
           .fallback = "5",
           .summary = "How many products"},
    {.name = NULL}};

/* What this metric reads. */
typedef struct ranking {
    int x;                   /* how many were asked for */
    dl_wh_products products; /* best first */
} ranking;

static dl_status read_ranking(struct dl_wh *wh, void *context, dl_error *err)
{
    mdl_spend *spend = context;
    ranking *top = spend->own;

    return dl_wh_top_products(&top->products, wh, &spend->selection, top->x,
                              err, spend->q->r->pool);
}

static void write_ranking(dl_json_writer *w, mdl_spend *spend)
{
    const dl_wh_products *products = &((ranking *)spend->own)->products;
    int i;

    dl_json_write_array_begin(w);
    for (i = 0; i < products->n; i++) {
        const dl_wh_product *product = &products->rows[i];

        dl_json_write_object_begin(w);
        dl_json_write_key(w, "product_id");
        dl_json_write_text(w, product->product_id);
        dl_json_write_key(w, "product");
        dl_json_write_text(w, product->name);
        dl_json_write_key(w, "quantity");
        dl_json_write_int(w, product->quantity);
        dl_json_write_key(w, "total");
        dl_json_write_int(w, product->total);
        dl_json_write_object_end(w);
    }
    dl_json_write_array_end(w);
}

int mdl_api_top_products(mdl_request *q)
{
    static const mdl_spend_kind kind = {
        "top-products", MDL_METRICS_TOP_PRODUCTS, read_ranking, write_ranking};
    ranking top = {.x = (int)q->values[X].number};
    mdl_spend spend;
    int status = mdl_spend_parse(&spend, q);

    if (status != OK) {
        return status;
    }
    spend.own = &top;
    mdl_spend_bind(&spend, "x", q->values[X].text);
    return mdl_spend_answer(&spend, &kind);
}
