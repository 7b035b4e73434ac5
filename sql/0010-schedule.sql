-- 0010-schedule.sql - What is done again and again, and how it went.
--
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE IF NOT EXISTS schedule (
  name VARCHAR(64) NOT NULL COMMENT 'What is done',
  calendar VARCHAR(100) NOT NULL
    COMMENT 'When, as dl_calendar reads it: *-*-* 02:00',
  time_zone VARCHAR(64) NOT NULL COMMENT 'Whose clocks: Europe/Paris',
  enabled BOOLEAN NOT NULL DEFAULT TRUE COMMENT 'Whether it is done at all',
  next_run DATETIME(6) NULL COMMENT 'When it is due, UTC; NULL: not known yet',
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='Work that the calendar asks for';

CREATE TABLE IF NOT EXISTS pipeline_run (
  run_id BIGINT NOT NULL AUTO_INCREMENT COMMENT 'Number of the run',
  name VARCHAR(64) NOT NULL COMMENT 'Which schedule',
  state ENUM('Succeeded','InProgress','Failed') NOT NULL
    COMMENT 'How it went',
  `trigger` ENUM('calendar','api','ctl') NOT NULL COMMENT 'Who asked for it',
  started_at DATETIME(6) NOT NULL COMMENT 'When it was asked for, UTC',
  finished_at DATETIME(6) NULL COMMENT 'When it ended, UTC',
  detail VARCHAR(512) NULL COMMENT 'What came of it, in a sentence',
  job_id CHAR(36) NULL COMMENT 'The job that does it',
  PRIMARY KEY (run_id),
  KEY pipeline_run_name (name, run_id),
  KEY pipeline_run_job (job_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='One run of a schedule';

INSERT INTO schedule (name, calendar, time_zone)
VALUES ('compact', '*-*-* 02:00', 'UTC'),
('retention', '*-*-* 00:00', 'Europe/Paris')
ON DUPLICATE KEY UPDATE name = VALUES(name);
