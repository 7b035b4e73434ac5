-- 0008-audit.sql - The audit log as it can be asked, and its chains' heads.
--
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE IF NOT EXISTS audit_entry (
  id BIGINT NOT NULL COMMENT 'Number of the entry, ascending in time',
  `timestamp` DATETIME(6) NOT NULL COMMENT 'When the request was answered, UTC',
  `user` VARCHAR(100) NULL COMMENT 'Account by name',
  user_id INT NULL COMMENT 'Account by id',
  address VARCHAR(45) NOT NULL DEFAULT '' COMMENT 'Address of the client',
  method VARCHAR(16) NOT NULL COMMENT 'HTTP method',
  endpoint VARCHAR(2048) NOT NULL COMMENT 'Path as it was sent',
  query_params TEXT NULL COMMENT 'Query as a JSON object',
  body TEXT NULL COMMENT 'Body up to 4096 bytes, secrets replaced',
  resource VARCHAR(255) NULL COMMENT 'What was accessed',
  action VARCHAR(16) NOT NULL
    COMMENT 'read, write, delete, grant, login or export',
  status INT NOT NULL COMMENT 'HTTP status of the answer',
  bytes BIGINT NOT NULL COMMENT 'Bytes of the answer',
  duration_ms BIGINT NOT NULL COMMENT 'Milliseconds to the answer',
  request_id VARCHAR(36) NOT NULL COMMENT 'X-Request-Id of the answer',
  chain VARCHAR(64) NOT NULL COMMENT 'Chain of the entry',
  sequence BIGINT NOT NULL COMMENT 'Its line in the chain, from 1',
  PRIMARY KEY (id),
  UNIQUE KEY audit_entry_place (chain, sequence),
  KEY audit_entry_user (`user`, id),
  KEY audit_entry_resource (resource, id),
  KEY audit_entry_timestamp (`timestamp`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='One entry of the audit log, loaded from the chained files';

CREATE TABLE IF NOT EXISTS audit_head (
  chain VARCHAR(64) NOT NULL COMMENT 'Chain',
  at DATETIME(6) NOT NULL COMMENT 'When its head was taken, UTC',
  length BIGINT NOT NULL COMMENT 'Lines up to the head',
  hash BINARY(32) NOT NULL COMMENT 'Chain value of the last of them',
  PRIMARY KEY (chain, at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='Heads of the audit chains, which a rebuilt chain cannot meet';

CREATE TABLE IF NOT EXISTS audit_file (
  chain VARCHAR(64) NOT NULL COMMENT 'Chain',
  file VARCHAR(255) NOT NULL COMMENT 'Its file: chain and number',
  position BIGINT NOT NULL COMMENT 'Bytes loaded from the file',
  length BIGINT NOT NULL COMMENT 'Lines of the chain loaded',
  hash BINARY(32) NOT NULL COMMENT 'Chain value of the last of them',
  PRIMARY KEY (chain, file)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='How far each audit file is loaded, moved with its entries';
