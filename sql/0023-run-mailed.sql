-- 0023-run-mailed.sql - Who is told of failed runs, and which were told.
--
-- Runs that failed before are not mailed: they count as mailed when they ended.
--
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE IF NOT EXISTS users_notification (
  email VARCHAR(254) NOT NULL COMMENT 'Address that gets mails',
  name VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'Whose it is',
  PRIMARY KEY (email)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='Who is told of runs that failed';

SET @change = (SELECT IF(COUNT(*) > 0, 'SELECT 0', 'ALTER TABLE pipeline_run
  ADD COLUMN mailed_at DATETIME(6) NULL
  COMMENT ''When the mail server had the mail about its failure, UTC; NULL: not yet''')
  FROM information_schema.columns WHERE table_schema = DATABASE()
  AND table_name = 'pipeline_run' AND column_name = 'mailed_at');
PREPARE run_change FROM @change;
EXECUTE run_change;
DEALLOCATE PREPARE run_change;

SET @change = (SELECT IF(COUNT(*) > 0, 'SELECT 0', 'ALTER TABLE pipeline_run
  ADD COLUMN mail_after DATETIME(6) NULL
  COMMENT ''Not mailed before, UTC: to come, a program is at it; past, it was tried; NULL: neither''')
  FROM information_schema.columns WHERE table_schema = DATABASE()
  AND table_name = 'pipeline_run' AND column_name = 'mail_after');
PREPARE run_change FROM @change;
EXECUTE run_change;
DEALLOCATE PREPARE run_change;

SET @change = (SELECT IF(COUNT(*) > 0, 'SELECT 0', 'ALTER TABLE pipeline_run
  ADD KEY pipeline_run_mailed (state, mailed_at, finished_at)')
  FROM information_schema.statistics WHERE table_schema = DATABASE()
  AND table_name = 'pipeline_run' AND index_name = 'pipeline_run_mailed');
PREPARE run_change FROM @change;
EXECUTE run_change;
DEALLOCATE PREPARE run_change;

UPDATE pipeline_run SET mailed_at = COALESCE(finished_at, started_at)
WHERE state = 'Failed' AND mailed_at IS NULL;
