-- accounts.sql - Who may do what in the warehouse.
--
-- datalakectl migrate runs this when its own account may make accounts.
-- {ingest}, {api} and {jobs} become quoted account names, {X.password} the
-- quoted password from X's file, {db} the quoted database; a line with
-- {table} runs once for each table of a declared dataset.  None of the three
-- has FILE, SUPER or GRANT.  What an account could do before is taken away
-- first, so these lines are all of its rights.
--
-- SPDX-License-Identifier: Apache-2.0

CREATE USER IF NOT EXISTS {ingest} IDENTIFIED BY {ingest.password};
ALTER USER {ingest} IDENTIFIED BY {ingest.password};
REVOKE ALL PRIVILEGES, GRANT OPTION FROM {ingest};
GRANT CREATE TEMPORARY TABLES ON {db}.* TO {ingest};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.{table} TO {ingest};
GRANT SELECT, INSERT, UPDATE ON {db}.sink_offset TO {ingest};
GRANT SELECT, INSERT, UPDATE ON {db}.row_count TO {ingest};
GRANT SELECT, INSERT ON {db}.dead_letter TO {ingest};
GRANT SELECT, INSERT, UPDATE ON {db}.product TO {ingest};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.spend_user TO {ingest};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.spend_second TO {ingest};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.product_sale TO {ingest};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.product_total TO {ingest};
GRANT SELECT, INSERT, DELETE ON {db}.rollup_adjust TO {ingest};
GRANT SELECT ON {db}.currency_rate TO {ingest};
GRANT SELECT ON {db}.schema_version TO {ingest};

CREATE USER IF NOT EXISTS {api} IDENTIFIED BY {api.password};
ALTER USER {api} IDENTIFIED BY {api.password};
REVOKE ALL PRIVILEGES, GRANT OPTION FROM {api};
GRANT SELECT ON {db}.api_watermark TO {api};
GRANT SELECT ON {db}.api_transaction TO {api};
GRANT SELECT ON {db}.api_spend_user TO {api};
GRANT SELECT ON {db}.api_spend_second TO {api};
GRANT SELECT ON {db}.api_product_sale TO {api};
GRANT SELECT ON {db}.api_product_total TO {api};
GRANT SELECT ON {db}.api_product TO {api};
GRANT SELECT ON {db}.api_adjust TO {api};
GRANT SELECT, UPDATE ON {db}.dead_letter TO {api};
GRANT SELECT ON {db}.schema_version TO {api};
GRANT SELECT, INSERT, UPDATE ON {db}.app_user TO {api};
GRANT SELECT, INSERT, UPDATE ON {db}.session TO {api};
GRANT SELECT, INSERT ON {db}.identity_change TO {api};
GRANT SELECT, INSERT ON {db}.consent_event TO {api};
GRANT SELECT, INSERT, UPDATE ON {db}.refresh_token TO {api};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.access_grant TO {api};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.quota_window TO {api};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.idempotency_key TO {api};
GRANT SELECT, UPDATE, DELETE ON {db}.network_log TO {api};
GRANT SELECT, UPDATE, DELETE ON {db}.social_post TO {api};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.social_comment TO {api};
GRANT SELECT, UPDATE, DELETE ON {db}.client_transaction TO {api};
GRANT SELECT, UPDATE ON {db}.client TO {api};
GRANT SELECT, INSERT, UPDATE ON {db}.row_count TO {api};
GRANT SELECT ON {db}.audit_entry TO {api};
GRANT SELECT, INSERT, UPDATE ON {db}.job TO {api};
GRANT SELECT, UPDATE ON {db}.schedule TO {api};
GRANT SELECT ON {db}.model TO {api};
GRANT SELECT, UPDATE ON {db}.model_target TO {api};
GRANT SELECT, INSERT ON {db}.pipeline_run TO {api};
GRANT INSERT ON {db}.change_outbox TO {api};

CREATE USER IF NOT EXISTS {jobs} IDENTIFIED BY {jobs.password};
ALTER USER {jobs} IDENTIFIED BY {jobs.password};
REVOKE ALL PRIVILEGES, GRANT OPTION FROM {jobs};
GRANT SELECT, UPDATE, DELETE ON {db}.{table} TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.sink_offset TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.row_count TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.dead_letter TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.dead_letter_position TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.collector_state TO {jobs};
GRANT SELECT, DELETE ON {db}.product TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.spend_user TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.spend_second TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.product_sale TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.product_total TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.rollup_adjust TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.currency_rate TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.app_user TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.session TO {jobs};
GRANT SELECT, INSERT, DELETE ON {db}.identity_change TO {jobs};
GRANT SELECT, INSERT, DELETE ON {db}.consent_event TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.refresh_token TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.access_grant TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.quota_window TO {jobs};
GRANT SELECT, DELETE ON {db}.idempotency_key TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.audit_entry TO {jobs};
GRANT SELECT, INSERT, DELETE ON {db}.audit_head TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.audit_file TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.job TO {jobs};
GRANT SELECT, INSERT, UPDATE ON {db}.schedule TO {jobs};
GRANT SELECT, INSERT ON {db}.model TO {jobs};
GRANT SELECT, UPDATE ON {db}.model_target TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.pipeline_run TO {jobs};
GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.users_notification TO {jobs};
GRANT SELECT, UPDATE, DELETE ON {db}.change_outbox TO {jobs};
GRANT SELECT, INSERT, UPDATE ON {db}.change_topic TO {jobs};
GRANT SELECT, UPDATE ON {db}.change_relay TO {jobs};
GRANT SELECT ON {db}.api_watermark TO {jobs};
GRANT SELECT ON {db}.schema_version TO {jobs};
