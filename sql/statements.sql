-- statements.sql - Every statement that C runs, by name.
--
-- The Makefile turns this file into build/gen/dl_statements.h.  Only what
-- MariaDB, MySQL 8 and TiDB share is written here.

-- STMT_BEGIN: open a transaction with a consistent snapshot
START TRANSACTION WITH CONSISTENT SNAPSHOT;

-- STMT_COMMIT: end a transaction; its result is always looked at
COMMIT;

-- STMT_ROLLBACK: give a transaction up
ROLLBACK;
