-- 0018-collector.sql - How far collectors have read their sources.
--
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE IF NOT EXISTS collector_state (
  collector VARCHAR(64) NOT NULL COMMENT 'Name of the source',
  item VARCHAR(255) NOT NULL
    COMMENT 'What of it: a file, a table; turn: the one that is read now',
  `position` VARCHAR(255) NOT NULL COMMENT 'Where the collector goes on',
  updated_at DATETIME(6) NOT NULL COMMENT 'Since when, UTC',
  PRIMARY KEY (collector, item)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='How far an item of a source is with the broker';
