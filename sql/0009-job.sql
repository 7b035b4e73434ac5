-- 0009-job.sql - Work that outlives a request.
--
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE IF NOT EXISTS job (
  id CHAR(36) NOT NULL COMMENT 'UUID of the job',
  kind VARCHAR(16) NOT NULL
    COMMENT 'repush-all, train, redrive, hubeau, weather-csv, erase, schedule',
  state ENUM('queued','running','succeeded','failed','cancelled') NOT NULL
    DEFAULT 'queued' COMMENT 'Where it stands',
  created_by INT NULL COMMENT 'Account that asked; NULL: the server',
  created_at DATETIME(6) NOT NULL COMMENT 'When it was asked for, UTC',
  not_before DATETIME(6) NULL COMMENT 'Earliest start, UTC; NULL: at once',
  started_at DATETIME(6) NULL COMMENT 'When it was first taken up, UTC',
  finished_at DATETIME(6) NULL COMMENT 'When it ended, UTC',
  done BIGINT NOT NULL DEFAULT 0 COMMENT 'Units of work done',
  total BIGINT NULL COMMENT 'Units of work in all, NULL: not known',
  parameters TEXT NOT NULL COMMENT 'What was asked, a JSON object',
  result MEDIUMTEXT NULL COMMENT 'What came of it, a JSON object',
  error_code VARCHAR(64) NULL COMMENT 'Why it failed, in a word',
  error_detail VARCHAR(512) NULL COMMENT 'Why it failed, in a sentence',
  attempt INT NOT NULL DEFAULT 0 COMMENT 'How often it was taken up',
  owner VARCHAR(100) NULL COMMENT 'Who works on it',
  lease_until DATETIME(6) NULL COMMENT 'When another may take it, UTC',
  cancel_asked BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'Somebody wants it ended',
  PRIMARY KEY (id),
  KEY job_state (state, not_before),
  KEY job_created_by (created_by, created_at),
  KEY job_created_at (created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='One piece of long work and what became of it';
