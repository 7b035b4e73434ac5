-- 0021-row-count.sql - How many rows tables have, kept with their rows.
--
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE IF NOT EXISTS row_count (
  name VARCHAR(64) NOT NULL COMMENT 'Of the table',
  slot INT NOT NULL
    COMMENT 'Who counts: a partition''s loader, from 1,000,000 on connections
that delete; -1: what was there before anybody counted',
  n BIGINT NOT NULL COMMENT 'Rows that were added, less those deleted',
  PRIMARY KEY (name, slot)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='The sum of a table''s slots is its rows, if it has slot -1';
