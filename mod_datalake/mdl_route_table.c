/* mdl_route_table.c - Every route this module serves, one row each.
 *
 * Order: contract.  What the columns mean: mdl_route.h.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_api.h"
#include "mdl_param.h"
#include "mdl_route.h"

/* clang-format off */
#define ROUTE MDL_ROUTE

const mdl_route mdl_route_table[] = {
    /* Transactions: metrics (contract 3.1), each with its second spelling. */
    ROUTE(GET, "/api/metrics/top-products/", USER, JSON, 1,
          mdl_api_top_products_params, mdl_api_top_products,
          "List the products sold most"),
    ROUTE(GET, "/api/metrics/top_products/", USER, JSON, 1,
          mdl_api_top_products_params, mdl_api_top_products,
          "List the products sold most"),
    ROUTE(GET, "/api/metrics/total-by-user/", USER, JSON, 1,
          mdl_api_users_params, mdl_api_total_by_user,
          "List what each user has spent, by category and type"),
    ROUTE(GET, "/api/metrics/total_by_user/", USER, JSON, 1,
          mdl_api_users_params, mdl_api_total_by_user_type,
          "List what each user has spent in each transaction type"),
    ROUTE(GET, "/api/metrics/last-5min/", USER, JSON, 1,
          mdl_api_window_params, mdl_api_window,
          "Sum up the last minutes"),
    ROUTE(GET, "/api/metrics/last5min/", USER, JSON, 1,
          mdl_api_window_params, mdl_api_window,
          "Sum up the last minutes"),

    /* Transactions: lake reads (contract 3.2). */
    ROUTE(GET, "/api/audit/resources/", USER, JSON, 1,
          mdl_api_dataset_days_params, mdl_api_dataset_days,
          "List the days of a dataset"),
    ROUTE(GET, "/api/resources/", USER, JSON, 1,
          mdl_api_resources_params, mdl_api_resources,
          "List the days of all datasets"),
    ROUTE(GET, "/api/audit/version/", USER, LINES, 1,
          mdl_api_version_params, mdl_api_version,
          "Read a day as it was at a version or a time"),

    /* Operations (contract 8). */
    ROUTE(GET, "/", PUBLIC, ANY, 0, NULL, mdl_api_home,
          "Redirect to the documentation"),
    ROUTE(GET, "/problems/{slug}", PUBLIC, JSON, 0, NULL, mdl_api_problem,
          "Describe a problem type"),
    ROUTE(GET, "/api/v1/health/", PUBLIC, JSON, 0, NULL, mdl_api_health,
          "Say which dependencies are up"),
    ROUTE(GET, "/health/live", PUBLIC, JSON, 0, NULL, mdl_api_live,
          "Say that the server answers"),
    ROUTE(GET, "/health/ready", PUBLIC, JSON, 0, NULL, mdl_api_ready,
          "Say whether to send requests here"),
    ROUTE(GET, "/metrics", SCRAPER, TEXT, 0, NULL, mdl_api_prometheus,
          "Print the numbers for Prometheus"),
};
/* clang-format on */

const int mdl_route_count =
    (int)(sizeof mdl_route_table / sizeof mdl_route_table[0]);
