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
