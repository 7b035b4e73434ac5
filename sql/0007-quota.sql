-- 0007-quota.sql - Used quotas, and answers kept for repeated requests.
--
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE IF NOT EXISTS quota_window (
  subject VARCHAR(100) NOT NULL COMMENT 'Account by id, or address',
  policy VARCHAR(20) NOT NULL COMMENT 'Policy the window belongs to',
  window_start DATETIME(6) NOT NULL COMMENT 'When it began, UTC',
  used BIGINT NOT NULL COMMENT 'Units taken since then',
  PRIMARY KEY (subject, policy),
  KEY quota_window_window_start (window_start)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='Quota windows as a server last wrote them, for its next start';

CREATE TABLE IF NOT EXISTS idempotency_key (
  owner VARCHAR(100) NOT NULL COMMENT 'Account by id, or address',
  `key` VARCHAR(255) NOT NULL COMMENT 'Idempotency-Key as sent',
  body_hash BINARY(32) NOT NULL COMMENT 'SHA-256 of route and body',
  status INT NULL COMMENT 'HTTP status of the answer; NULL: still running',
  answer MEDIUMBLOB NULL COMMENT 'Body of the answer',
  expires_at DATETIME(6) NOT NULL
    COMMENT 'End of the row, UTC; of the claim while it is still running',
  PRIMARY KEY (owner, `key`),
  KEY idempotency_key_expires_at (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='One answered request that may be repeated with the same key';
