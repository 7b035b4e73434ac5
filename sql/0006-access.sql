-- 0006-access.sql - Refresh tokens, and who may do what with which resource.
--
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE IF NOT EXISTS refresh_token (
  jti CHAR(36) NOT NULL COMMENT 'Id of the token, claim jti',
  sid CHAR(36) NOT NULL COMMENT 'Log-in it belongs to',
  user_id INT NOT NULL COMMENT 'Account it belongs to',
  expires_at DATETIME(6) NOT NULL COMMENT 'End of its life, UTC',
  used_at DATETIME(6) NULL COMMENT 'When it was exchanged, UTC',
  PRIMARY KEY (jti),
  KEY refresh_token_sid (sid),
  KEY refresh_token_user_id (user_id),
  KEY refresh_token_expires_at (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='One refresh token; a second use of it ends its log-in';

CREATE TABLE IF NOT EXISTS access_grant (
  user_id INT NOT NULL COMMENT 'Account that may',
  resource VARCHAR(255) NOT NULL
    COMMENT 'dataset, dataset/YYYY-MM-DD.json, prefix*, or table:name',
  access ENUM('read','write','admin') NOT NULL COMMENT 'What it may do',
  expires_at DATETIME(6) NULL COMMENT 'End of the grant, UTC; NULL: none',
  granted_by INT NULL COMMENT 'Account that gave it; NULL: the server',
  granted_at DATETIME(6) NOT NULL COMMENT 'When it was given, UTC',
  PRIMARY KEY (user_id, resource),
  KEY access_grant_resource (resource)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='One right of one account on one resource';
