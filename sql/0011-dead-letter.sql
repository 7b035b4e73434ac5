-- 0011-dead-letter.sql - How the lists of quarantine grow, and what sending a
-- dead letter again has to know.
--
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE IF NOT EXISTS dead_letter_position (
  dataset VARCHAR(100) NOT NULL COMMENT 'Dataset whose quarantine is listed',
  lake_id BIGINT NOT NULL COMMENT 'Life of the dataset it counts in',
  `file` BIGINT NOT NULL COMMENT 'Number of the quarantine file',
  place BIGINT NOT NULL COMMENT 'First byte that is not listed yet',
  PRIMARY KEY (dataset)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='How far the quarantine of a dataset is listed in dead_letter';

SET @change = (SELECT IF(COUNT(*) > 0, 'SELECT 0', 'ALTER TABLE dead_letter
  ADD COLUMN size BIGINT NULL
  COMMENT ''Bytes received; NULL: as many as value has'' AFTER value')
  FROM information_schema.columns WHERE table_schema = DATABASE()
  AND table_name = 'dead_letter' AND column_name = 'size');
PREPARE letter_change FROM @change;
EXECUTE letter_change;
DEALLOCATE PREPARE letter_change;

SET @change = (SELECT IF(COUNT(*) > 0, 'SELECT 0', 'ALTER TABLE dead_letter
  ADD COLUMN lake_id BIGINT NULL
  COMMENT ''Life of the dataset whose quarantine has it; NULL: the lake has it
  as a record'' AFTER size')
  FROM information_schema.columns WHERE table_schema = DATABASE()
  AND table_name = 'dead_letter' AND column_name = 'lake_id');
PREPARE letter_change FROM @change;
EXECUTE letter_change;
DEALLOCATE PREPARE letter_change;

SET @change = (SELECT IF(COUNT(*) > 0, 'SELECT 0', 'ALTER TABLE dead_letter
  ADD COLUMN `file` BIGINT NULL
  COMMENT ''Number of the quarantine file that has it'' AFTER lake_id')
  FROM information_schema.columns WHERE table_schema = DATABASE()
  AND table_name = 'dead_letter' AND column_name = 'file');
PREPARE letter_change FROM @change;
EXECUTE letter_change;
DEALLOCATE PREPARE letter_change;

SET @change = (SELECT IF(COUNT(*) > 0, 'SELECT 0', 'ALTER TABLE dead_letter
  ADD COLUMN place BIGINT NULL COMMENT ''Its first byte there'' AFTER `file`')
  FROM information_schema.columns WHERE table_schema = DATABASE()
  AND table_name = 'dead_letter' AND column_name = 'place');
PREPARE letter_change FROM @change;
EXECUTE letter_change;
DEALLOCATE PREPARE letter_change;

SET @change = (SELECT IF(COUNT(*) > 0, 'SELECT 0', 'ALTER TABLE dead_letter
  ADD COLUMN taken_until DATETIME(6) NULL
  COMMENT ''Until then somebody is sending it again, UTC''')
  FROM information_schema.columns WHERE table_schema = DATABASE()
  AND table_name = 'dead_letter' AND column_name = 'taken_until');
PREPARE letter_change FROM @change;
EXECUTE letter_change;
DEALLOCATE PREPARE letter_change;

DROP VIEW IF EXISTS api_dead_letter;
