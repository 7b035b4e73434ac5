/* mdl_api.h - Index of all handlers; each stands in the file named after its
 * resource.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_API_H
#define MDL_API_H

#include "mdl_body.h"
#include "mdl_route.h"

/* mdl_api_register.c: POST /user/register; POST /v1/register, /register. */
mdl_handler mdl_api_register_form;
mdl_handler mdl_api_register;
extern const mdl_body mdl_api_register_form_body;
extern const mdl_body mdl_api_register_body;

/* mdl_api_me.c: GET, PATCH, DELETE /user/me. */
mdl_handler mdl_api_me;
mdl_handler mdl_api_me_change;
mdl_handler mdl_api_me_delete;
extern const mdl_body mdl_api_me_body;

/* mdl_api_export.c: GET /user/me/export. */
mdl_handler mdl_api_export;

/* mdl_api_consent.c: GET, PUT /user/me/consent. */
mdl_handler mdl_api_consent;
mdl_handler mdl_api_consent_put;
extern const mdl_body mdl_api_consent_body;

/* mdl_api_login.c: POST /user/login, /v1/token, /token; POST /api/token/. */
mdl_handler mdl_api_login;
mdl_handler mdl_api_login_short;
extern const mdl_body mdl_api_login_body;

/* mdl_api_refresh.c: POST /api/token/refresh/, POST /api/token/revoke/. */
mdl_handler mdl_api_refresh;
mdl_handler mdl_api_revoke;
extern const mdl_body mdl_api_refresh_body;
extern const mdl_body mdl_api_revoke_body;

/* mdl_api_jwks.c: GET /.well-known/jwks.json. */
mdl_handler mdl_api_jwks;

/* mdl_api_access_change.c: POST /api/access/grant/, POST and DELETE
 * /api/access/revoke/. */
mdl_handler mdl_api_access_grant;
mdl_handler mdl_api_access_revoke;
mdl_handler mdl_api_access_delete;
extern const mdl_body mdl_api_access_grant_body;
extern const mdl_body mdl_api_access_revoke_body;
extern const mdl_body mdl_api_access_delete_body;
extern const mdl_param mdl_api_access_delete_params[];

/* mdl_api_access.c: GET /api/access/, POST /api/access/check/. */
mdl_handler mdl_api_access_list;
mdl_handler mdl_api_access_check;
extern const mdl_param mdl_api_access_list_params[];
extern const mdl_body mdl_api_access_check_body;

/* mdl_api_home.c: GET / -> 307 /docs. */
mdl_handler mdl_api_home;

/* mdl_api_openapi.c: GET /openapi.json. */
mdl_handler mdl_api_openapi;

/* mdl_api_docs.c: GET /docs, GET /redoc, GET /static/{file}. */
mdl_handler mdl_api_docs;
mdl_handler mdl_api_redoc;
mdl_handler mdl_api_static;

/* mdl_api_problem.c: GET /problems/{slug}. */
mdl_handler mdl_api_problem;

/* mdl_api_live.c: GET /health/live. */
mdl_handler mdl_api_live;

/* mdl_api_health.c: GET /api/v1/health/, GET /health/ready. */
mdl_handler mdl_api_health;
mdl_handler mdl_api_ready;

/* mdl_api_datasets.c: GET /api/datasets/, GET /api/datasets/{dataset}/. */
mdl_handler mdl_api_datasets;
mdl_handler mdl_api_dataset;
extern const mdl_param mdl_api_datasets_params[];
extern const mdl_param mdl_api_dataset_params[];

/* mdl_api_lineage.c: GET /api/lineage/record/. */
mdl_handler mdl_api_lineage;
extern const mdl_param mdl_api_lineage_params[];

/* mdl_api_reconcile.c: GET /api/ingest/reconcile/. */
mdl_handler mdl_api_reconcile;
extern const mdl_param mdl_api_reconcile_params[];

/* mdl_api_jobs.c: GET /api/jobs/, GET and DELETE /api/jobs/{id}/. */
mdl_handler mdl_api_jobs;
mdl_handler mdl_api_job;
mdl_handler mdl_api_job_cancel;
extern const mdl_param mdl_api_jobs_params[];
extern const mdl_param mdl_api_job_params[]; /* of one job, as the next */

/* mdl_api_deadletters.c: GET /api/deadletters/, GET and DELETE
 * /api/deadletters/{id}/. */
mdl_handler mdl_api_deadletters;
mdl_handler mdl_api_deadletter;
mdl_handler mdl_api_deadletter_discard;
extern const mdl_param mdl_api_deadletters_params[];
extern const mdl_param mdl_api_deadletter_params[];

/* mdl_api_job_events.c: GET /sse/jobs/{id}/. */
mdl_handler mdl_api_job_events;
/* mdl_api_redrive.c: POST /api/deadletters/{id}/redrive/. */
mdl_handler mdl_api_redrive;
extern const mdl_body mdl_api_redrive_body;

/* mdl_api_redrive_many.c: POST /api/deadletters/redrive/. */
mdl_handler mdl_api_redrive_many;
extern const mdl_body mdl_api_redrive_many_body;

/* mdl_api_schedules.c: GET /api/schedules/, POST /api/schedules/{name}/run. */
mdl_handler mdl_api_schedules;
mdl_handler mdl_api_schedule_run;
extern const mdl_param mdl_api_schedules_params[];
extern const mdl_body mdl_api_schedule_run_body;

/* mdl_api_train.c: POST /api/train/. */
mdl_handler mdl_api_train;
extern const mdl_body mdl_api_train_body;

/* mdl_api_models.c: GET /api/models/. */
mdl_handler mdl_api_models;
extern const mdl_param mdl_api_models_params[];

/* mdl_api_predict.c: POST /api/predict/. */
mdl_handler mdl_api_predict;
extern const mdl_body mdl_api_predict_body;

/* mdl_api_quota.c: GET /v1/me/quota, /me/quota. */
mdl_handler mdl_api_quota;

/* mdl_api_prometheus.c: GET /metrics. */
mdl_handler mdl_api_prometheus;

/* mdl_api_metrics_products.c: GET /api/metrics/top-products/. */
mdl_handler mdl_api_top_products;
extern const mdl_param mdl_api_top_products_params[];

/* mdl_api_metrics_users.c: GET /api/metrics/total-by-user/ and
 * /api/metrics/total_by_user/. */
mdl_handler mdl_api_total_by_user;
mdl_handler mdl_api_total_by_user_type;
extern const mdl_param mdl_api_users_params[];

/* mdl_api_metrics_window.c: GET /api/metrics/last-5min/. */
mdl_handler mdl_api_window;
extern const mdl_param mdl_api_window_params[];

/* mdl_api_resources.c: GET /api/audit/resources/, GET /api/resources/. */
mdl_handler mdl_api_dataset_days;
mdl_handler mdl_api_resources;
extern const mdl_param mdl_api_dataset_days_params[];
extern const mdl_param mdl_api_resources_params[];

/* mdl_api_audit.c: GET /api/audit/, GET /api/audit/access-log/. */
mdl_handler mdl_api_audit;
mdl_handler mdl_api_access_log;
extern const mdl_param mdl_api_audit_params[];

/* mdl_api_data.c: GET /api/data/. */
mdl_handler mdl_api_data;
extern const mdl_param mdl_api_data_params[];

/* mdl_api_fulltext.c: GET /api/fulltext_search/{text}. */
mdl_handler mdl_api_fulltext;
extern const mdl_param mdl_api_fulltext_params[];

/* mdl_api_search.c: GET /api/search/. */
mdl_handler mdl_api_search;
extern const mdl_param mdl_api_search_params[];

/* mdl_api_version.c: GET /api/audit/version/. */
mdl_handler mdl_api_version;
extern const mdl_param mdl_api_version_params[];

/* mdl_api_repush_all.c: POST /api/repush/all/. */
mdl_handler mdl_api_repush_all;
extern const mdl_body mdl_api_repush_all_body;

/* mdl_api_repush.c: POST /api/repush/transaction/, GET /api/repush/check/. */
mdl_handler mdl_api_repush;
mdl_handler mdl_api_repush_check;
extern const mdl_body mdl_api_repush_body;
extern const mdl_param mdl_api_repush_check_params[];

/* mdl_api_welcome.c: GET /v1/. */
mdl_handler mdl_api_welcome;

/* mdl_api_counts.c: GET /v1/logs/count, /v1/social/count,
 * /v1/transactions/count, and without /v1. */
mdl_handler mdl_api_log_count;
mdl_handler mdl_api_post_count;
mdl_handler mdl_api_payment_count;

/* mdl_api_logs.c: GET /v1/logs/{ip}, /logs/{ip}. */
mdl_handler mdl_api_logs;
extern const mdl_param mdl_api_log_params[];

/* mdl_api_posts.c: GET /v1/social/{post_id}, /v1/social/user/{user_id}, and
 * without /v1. */
mdl_handler mdl_api_post;
mdl_handler mdl_api_user_posts;
extern const mdl_param mdl_api_post_params[];
extern const mdl_param mdl_api_user_posts_params[];

/* mdl_api_clients.c: GET /v1/transactions/{client_id}, and without /v1. */
mdl_handler mdl_api_client;
extern const mdl_param mdl_api_client_params[];

/* mdl_api_logs_change.c: PUT, DELETE /v1/logs/{ip}, /logs/{ip}. */
mdl_handler mdl_api_log_change;
mdl_handler mdl_api_log_delete;
extern const mdl_param mdl_api_log_change_params[];
extern const mdl_body mdl_api_log_body;

/* mdl_api_posts_change.c: PUT, DELETE /v1/social/{post_id},
 * /social/{post_id}. */
mdl_handler mdl_api_post_change;
mdl_handler mdl_api_post_delete;
extern const mdl_param mdl_api_post_change_params[];
extern const mdl_body mdl_api_post_body;

/* mdl_api_clients_change.c: PUT, DELETE /v1/transactions/{client_id},
 * /transactions/{client_id}. */
mdl_handler mdl_api_client_change;
mdl_handler mdl_api_client_delete;
extern const mdl_param mdl_api_client_change_params[];
extern const mdl_body mdl_api_client_body;

#endif
