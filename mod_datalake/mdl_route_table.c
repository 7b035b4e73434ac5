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
    /* Accounts (contract 2.1). */
    ROUTE(POST, "/user/register", PUBLIC, NULL, JSON, 0,
          NULL, &mdl_api_register_form_body, mdl_api_register_form,
          "register-form"),
    ROUTE(POST, "/v1/register", PUBLIC, NULL, JSON, 0,
          NULL, &mdl_api_register_body, mdl_api_register, "register"),
    ROUTE(POST, "/register", PUBLIC, NULL, JSON, 0,
          NULL, &mdl_api_register_body, mdl_api_register, "register"),
    ROUTE(GET, "/user/me", USER, NULL, JSON, 1,
          NULL, NULL, mdl_api_me, "me"),
    ROUTE(PATCH, "/user/me", USER, NULL, JSON, 1,
          NULL, &mdl_api_me_body, mdl_api_me_change, "me-change"),
    ROUTE(DELETE, "/user/me", USER, NULL, JSON, 1,
          NULL, NULL, mdl_api_me_delete, "me-delete"),
    ROUTE(GET, "/user/me/export", USER, NULL, JSON, 1,
          NULL, NULL, mdl_api_export, "export"),
    ROUTE(GET, "/user/me/consent", USER, NULL, JSON, 1,
          NULL, NULL, mdl_api_consent, "consent"),
    ROUTE(PUT, "/user/me/consent", USER, NULL, JSON, 1,
          NULL, &mdl_api_consent_body, mdl_api_consent_put, "consent-put"),

    /* Tokens (contract 2.2). */
    ROUTE(POST, "/user/login", PUBLIC, NULL, JSON, 0,
          NULL, &mdl_api_login_body, mdl_api_login, "log-in"),
    ROUTE(POST, "/v1/token", PUBLIC, NULL, JSON, 0,
          NULL, &mdl_api_login_body, mdl_api_login, "log-in"),
    ROUTE(POST, "/token", PUBLIC, NULL, JSON, 0,
          NULL, &mdl_api_login_body, mdl_api_login, "log-in"),
    ROUTE(POST, "/api/token/", PUBLIC, NULL, JSON, 0,
          NULL, &mdl_api_login_body, mdl_api_login_short, "log-in-short"),
    ROUTE(POST, "/api/token/refresh/", PUBLIC, NULL, JSON, 0,
          NULL, &mdl_api_refresh_body, mdl_api_refresh, "token-refresh"),
    ROUTE(POST, "/api/token/revoke/", PUBLIC, NULL, JSON, 0,
          NULL, &mdl_api_revoke_body, mdl_api_revoke, "token-revoke"),
    ROUTE(GET, "/.well-known/jwks.json", PUBLIC, NULL, JSON, 0,
          NULL, NULL, mdl_api_jwks, "jwks"),

    /* Quota (contract 2.4). */
    ROUTE(GET, "/v1/me/quota", USER, NULL, JSON, 0,
          NULL, NULL, mdl_api_quota, "quota"),
    ROUTE(GET, "/me/quota", USER, NULL, JSON, 0,
          NULL, NULL, mdl_api_quota, "quota"),

    /* Grants (contract 2.3); bodies name what is accessed, so the handlers
     * decide. */
    ROUTE(POST, "/api/access/grant/", USER, NULL, JSON, 1,
          NULL, &mdl_api_access_grant_body, mdl_api_access_grant,
          "access-grant"),
    ROUTE(POST, "/api/access/revoke/", USER, NULL, JSON, 1,
          NULL, &mdl_api_access_revoke_body, mdl_api_access_revoke,
          "access-revoke"),
    ROUTE(DELETE, "/api/access/revoke/", USER, NULL, JSON, 1,
          mdl_api_access_delete_params, &mdl_api_access_delete_body,
          mdl_api_access_delete, "access-revoke-delete"),
    ROUTE(GET, "/api/access/", USER, NULL, JSON, 1,
          mdl_api_access_list_params, NULL, mdl_api_access_list,
          "access-list"),
    ROUTE(POST, "/api/access/check/", USER, NULL, JSON, 1,
          NULL, &mdl_api_access_check_body, mdl_api_access_check,
          "access-check"),

    /* The audit log (contract 2.4). */
    ROUTE(GET, "/api/audit/", AUDITOR, NULL, F, 1,
          mdl_api_audit_params, NULL, mdl_api_audit, "audit-log"),
    ROUTE(GET, "/api/audit/access-log/", AUDITOR, NULL, F, 1,
          mdl_api_audit_params, NULL, mdl_api_access_log, "access-log"),

    /* Transactions: metrics (contract 3.1), each with its second spelling. */
    ROUTE(GET, "/api/metrics/top-products/", READ, "transaction_log|table",
          JSON, 1, mdl_api_top_products_params, NULL, mdl_api_top_products,
          "top-products"),
    ROUTE(GET, "/api/metrics/top_products/", READ, "transaction_log|table",
          JSON, 1, mdl_api_top_products_params, NULL, mdl_api_top_products,
          "top-products"),
    ROUTE(GET, "/api/metrics/total-by-user/", READ, "transaction_log|table",
          JSON, 1, mdl_api_users_params, NULL, mdl_api_total_by_user, "total-by-user"),
    ROUTE(GET, "/api/metrics/total_by_user/", READ, "transaction_log|table",
          JSON, 1, mdl_api_users_params, NULL, mdl_api_total_by_user_type,
          "total-by-user-and-type"),
    ROUTE(GET, "/api/metrics/last-5min/", READ, "transaction_log|table",
          JSON, 1, mdl_api_window_params, NULL, mdl_api_window, "last-minutes"),
    ROUTE(GET, "/api/metrics/last5min/", READ, "transaction_log|table",
          JSON, 1, mdl_api_window_params, NULL, mdl_api_window, "last-minutes"),

    /* Transactions: lake reads (contract 3.2). */
    ROUTE(GET, "/api/audit/resources/", READ_OR_AUDITOR, "{dataset}", JSON, 1,
          mdl_api_dataset_days_params, NULL, mdl_api_dataset_days,
          "dataset-days"),
    ROUTE(GET, "/api/resources/", USER, NULL, JSON, 1,
          mdl_api_resources_params, NULL, mdl_api_resources, "resources"),
    ROUTE(GET, "/api/audit/version/", READ, "{dataset}/{date}", F, 1,
          mdl_api_version_params, NULL, mdl_api_version, "day-version"),
    ROUTE(GET, "/api/data/", READ, "{resource}", F, 1,
          mdl_api_data_params, NULL, mdl_api_data, "data"),
    ROUTE(GET, "/api/fulltext_search/{text}", READ, "{dataset}", JSON, 1,
          mdl_api_fulltext_params, NULL, mdl_api_fulltext, "fulltext"),
    ROUTE(GET, "/api/search/", USER, NULL, JSON, 1,
          mdl_api_search_params, NULL, mdl_api_search, "search"),

    /* Transactions: repush (contract 3.4). */
    ROUTE(POST, "/api/repush/transaction/", WRITE, "transaction_log", JSON, 1,
          NULL, &mdl_api_repush_body, mdl_api_repush, "repush"),
    ROUTE(GET, "/api/repush/check/", READ, "transaction_log", JSON, 1,
          mdl_api_repush_check_params, NULL, mdl_api_repush_check,
          "repush-check"),
    /* Transactions: models (contract 3.5). */
    ROUTE(POST, "/api/train/", WRITE, "transaction_log", JSON, 1,
          NULL, &mdl_api_train_body, mdl_api_train, "train"),
    ROUTE(GET, "/api/models/", READ, "transaction_log", JSON, 1,
          mdl_api_models_params, NULL, mdl_api_models, "models"),
    ROUTE(POST, "/api/predict/", READ, "transaction_log", JSON, 1,
          NULL, &mdl_api_predict_body, mdl_api_predict, "predict"),

    /* Operations (contract 8). */
    ROUTE(GET, "/", PUBLIC, NULL, ANY, 0,
          NULL, NULL, mdl_api_home, "home"),
    ROUTE(GET, "/docs", PUBLIC, NULL, ANY, 0,
          NULL, NULL, mdl_api_docs, "docs"),
    ROUTE(GET, "/swagger/", PUBLIC, NULL, ANY, 0,
          NULL, NULL, mdl_api_docs, "docs"),
    ROUTE(GET, "/api/docs/", PUBLIC, NULL, ANY, 0,
          NULL, NULL, mdl_api_docs, "docs"),
    ROUTE(GET, "/redoc", PUBLIC, NULL, ANY, 0,
          NULL, NULL, mdl_api_redoc, "redoc"),
    ROUTE(GET, "/api/redoc/", PUBLIC, NULL, ANY, 0,
          NULL, NULL, mdl_api_redoc, "redoc"),
    ROUTE(GET, "/static/{file}", PUBLIC, NULL, ANY, 0,
          NULL, NULL, mdl_api_static, "static-file"),
    ROUTE(GET, "/problems/{slug}", PUBLIC, NULL, JSON, 0,
          NULL, NULL, mdl_api_problem, "problem-type"),
    ROUTE(GET, "/openapi.json", PUBLIC, NULL, JSON, 0,
          NULL, NULL, mdl_api_openapi, "description"),
    ROUTE(GET, "/api/schema/", PUBLIC, NULL, JSON, 0,
          NULL, NULL, mdl_api_openapi, "description"),
    ROUTE(GET, "/api/v1/health/", PUBLIC, NULL, JSON, 0,
          NULL, NULL, mdl_api_health, "health"),
    ROUTE(GET, "/health/live", PUBLIC, NULL, JSON, 0,
          NULL, NULL, mdl_api_live, "live"),
    ROUTE(GET, "/health/ready", PUBLIC, NULL, JSON, 0,
          NULL, NULL, mdl_api_ready, "ready"),
    ROUTE(GET, "/api/datasets/", USER, NULL, JSON, 1,
          mdl_api_datasets_params, NULL, mdl_api_datasets, "datasets"),
    ROUTE(GET, "/api/datasets/{dataset}/", READ, "{dataset}", JSON, 1,
          mdl_api_dataset_params, NULL, mdl_api_dataset, "dataset"),
    ROUTE(GET, "/api/lineage/record/", READ, "{dataset}", JSON, 1,
          mdl_api_lineage_params, NULL, mdl_api_lineage, "lineage"),
    ROUTE(GET, "/api/deadletters/", ADMIN, NULL, JSON, 1,
          mdl_api_deadletters_params, NULL, mdl_api_deadletters,
          "deadletters"),
    ROUTE(GET, "/api/deadletters/{id}/", ADMIN, NULL, JSON, 1,
          mdl_api_deadletter_params, NULL, mdl_api_deadletter, "deadletter"),
    ROUTE(DELETE, "/api/deadletters/{id}/", ADMIN, NULL, JSON, 1,
          mdl_api_deadletter_params, NULL, mdl_api_deadletter_discard,
          "deadletter-discard"),
    ROUTE(GET, "/api/ingest/reconcile/", ADMIN, NULL, JSON, 1,
          mdl_api_reconcile_params, NULL, mdl_api_reconcile, "reconcile"),
    ROUTE(GET, "/api/jobs/", USER, NULL, JSON, 1,
          mdl_api_jobs_params, NULL, mdl_api_jobs, "jobs"),
    ROUTE(GET, "/api/jobs/{id}/", USER, NULL, JSON, 1,
          NULL, NULL, mdl_api_job, "job"),
    ROUTE(DELETE, "/api/jobs/{id}/", USER, NULL, JSON, 1,
          NULL, NULL, mdl_api_job_cancel, "job-cancel"),
    ROUTE(GET, "/sse/jobs/{id}/", USER, NULL, EVENTS, 1,
          NULL, NULL, mdl_api_job_events, "job-events"),
    ROUTE(GET, "/api/schedules/", ADMIN, NULL, JSON, 1,
          mdl_api_schedules_params, NULL, mdl_api_schedules, "schedules"),
    ROUTE(POST, "/api/schedules/{name}/run", ADMIN, NULL, JSON, 1,
          NULL, &mdl_api_schedule_run_body, mdl_api_schedule_run,
          "schedule-run"),
    ROUTE(GET, "/metrics", SCRAPER, NULL, TEXT, 0,
          NULL, NULL, mdl_api_prometheus, "prometheus"),
};
/* clang-format on */

const int mdl_route_count =
    (int)(sizeof mdl_route_table / sizeof mdl_route_table[0]);
