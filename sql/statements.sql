-- statements.sql - Every statement that C runs, by name.
--
-- The Makefile turns this file into build/gen/dl_statements.h.  Only what
-- MariaDB, MySQL 8 and TiDB share is written here.

-- --- Each connection (dl_wh.c) ---------------------------------------------

-- STMT_SESSION_NAMES: text is UTF-8 and compared byte for byte
SET NAMES utf8mb4 COLLATE utf8mb4_bin;

-- STMT_SESSION_MODE: UTC, and an error rather than a bent value
SET autocommit = 1, time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY';

-- STMT_SESSION_WRITER: a writer sees what others have committed
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;

-- STMT_SESSION_READER: a transaction of a reader is one snapshot
SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;

-- STMT_SESSION_LIMIT_MARIADB: no statement of a request runs longer, seconds
SET max_statement_time = 30;

-- STMT_SESSION_LIMIT_MYSQL: the same for MySQL and TiDB, milliseconds
SET max_execution_time = 30000;

-- STMT_VERSION: which engine is it
SELECT VERSION();

-- STMT_BEGIN: open a transaction with a consistent snapshot
START TRANSACTION WITH CONSISTENT SNAPSHOT;

-- STMT_START: open a transaction that sees what others commit
START TRANSACTION;

-- STMT_COMMIT: end a transaction; its result is always looked at
COMMIT;

-- STMT_ROLLBACK: give a transaction up
ROLLBACK;

-- --- Schema (dl_wh_migrate.c) ----------------------------------------------

-- STMT_MIGRATE_LOCK: one migration at a time
SELECT GET_LOCK('datalake_migrate', 60);

-- STMT_MIGRATE_UNLOCK: the end of it
SELECT RELEASE_LOCK('datalake_migrate');

-- STMT_SCHEMA_EXISTS: has any migration been applied
SELECT COUNT(*) FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_name = 'schema_version';

-- STMT_SCHEMA_VERSION: the newest migration
SELECT COALESCE(MAX(version), 0) FROM schema_version;

-- STMT_SCHEMA_RECORD: a migration has been applied
INSERT INTO schema_version (version, name, applied_at) VALUES (?, ?, ?)
ON DUPLICATE KEY UPDATE name = VALUES(name), applied_at = VALUES(applied_at);

-- STMT_ACCOUNTS_MARK: which text of accounts.sql gave the rights
SELECT name FROM schema_version WHERE version = 0;

-- STMT_RATE_BASE: the base currency is worth itself
INSERT INTO currency_rate (base, currency, valid_from, rate)
VALUES (?, ?, '1970-01-01', 1)
ON DUPLICATE KEY UPDATE rate = VALUES(rate);

-- --- Accounts, log-ins, their changes (dl_identity*.c) ----------------------

-- STMT_ACCOUNT_FIND: an account by its name, without case
SELECT id, username, role, is_active, consent_given, epoch, created_at,
last_login_at, deleted_at, erase_after, email
FROM app_user WHERE username = ?;

-- STMT_ACCOUNT_FIND_ID: the same by its number
SELECT id, username, role, is_active, consent_given, epoch, created_at,
last_login_at, deleted_at, erase_after, email
FROM app_user WHERE id = ?;

-- STMT_ACCOUNT_LIST: all of them
SELECT id, username, role, is_active, consent_given, epoch, created_at,
last_login_at, deleted_at, erase_after, email
FROM app_user ORDER BY id;

-- STMT_ACCOUNT_PASSWORD: what a log-in is compared with
SELECT password_hash FROM app_user WHERE id = ?;

-- STMT_ACCOUNT_ADD: a new account
INSERT INTO app_user (username, password_hash, email, role, consent_given,
consent_date, consent_version, is_active, epoch, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, TRUE, 0, ?);

-- STMT_CONSENT_ADD: what the account decided, by policy of the operator
INSERT INTO consent_event (user_id, consent_given, consent_version, at, source)
VALUES (?, ?, ?, ?, 'policy');

-- STMT_ACCOUNT_LOCK: an account that is about to change
SELECT role, is_active, deleted_at FROM app_user WHERE id = ? FOR UPDATE;

-- STMT_ADMIN_LOCK: who could still administer
SELECT id FROM app_user
WHERE role = 'admin' AND is_active = TRUE AND deleted_at IS NULL
ORDER BY id FOR UPDATE;

-- STMT_ACCOUNT_SET_ROLE: another role, from the next request on
UPDATE app_user SET role = ?, epoch = epoch + 1 WHERE id = ?;

-- STMT_ACCOUNT_SET_ACTIVE: disable or enable
UPDATE app_user SET is_active = ?, epoch = epoch + 1 WHERE id = ?;

-- STMT_ACCOUNT_UNDELETE: take a deletion back
UPDATE app_user SET is_active = TRUE, deleted_at = NULL, erase_after = NULL,
epoch = epoch + 1 WHERE id = ?;

-- STMT_ACCOUNT_SET_PASSWORD: another password
UPDATE app_user SET password_hash = ?, epoch = epoch + 1 WHERE id = ?;

-- STMT_ACCOUNT_LOGIN: the account logged in
UPDATE app_user SET last_login_at = ? WHERE id = ?;

-- STMT_SESSION_ADD: a log-in whose tokens can be revoked
INSERT INTO session (sid, user_id, expires_at) VALUES (?, ?, ?);

-- STMT_SESSION_LOCK: the account of a log-in that is not revoked
SELECT user_id FROM session WHERE sid = ? AND revoked_at IS NULL FOR UPDATE;

-- STMT_SESSION_REVOKE: end all tokens of a log-in
UPDATE session SET revoked_at = ? WHERE sid = ? AND revoked_at IS NULL;

-- STMT_SESSION_REVOKE_ALL: end all tokens of an account
UPDATE session SET revoked_at = ? WHERE user_id = ? AND revoked_at IS NULL;

-- STMT_SESSION_REVOKED: log-ins whose tokens are refused though they run
SELECT sid, expires_at FROM session
WHERE user_id = ? AND revoked_at IS NOT NULL AND expires_at > ?
ORDER BY sid LIMIT ?;

-- STMT_IDENTITY_CHANGE_ADD: tell the mirrors, in the change's transaction
INSERT INTO identity_change (user_id, at) VALUES (?, ?);

-- STMT_IDENTITY_CHANGE_LIST: what the mirrors have not seen
SELECT id, user_id, at FROM identity_change
WHERE id > ? AND at >= ? ORDER BY id LIMIT ?;
