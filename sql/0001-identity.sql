-- 0001-identity.sql - Accounts, log-ins, and the stream of their changes.
--
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE IF NOT EXISTS schema_version (
  version INT NOT NULL COMMENT 'Number of the migration',
  name VARCHAR(100) NOT NULL COMMENT 'File name of the migration',
  applied_at DATETIME(6) NOT NULL COMMENT 'When it was applied, UTC',
  PRIMARY KEY (version)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='One row for each migration the database has';

CREATE TABLE IF NOT EXISTS app_user (
  id INT NOT NULL AUTO_INCREMENT COMMENT 'Account number',
  username VARCHAR(100) COLLATE utf8mb4_unicode_ci NOT NULL
    COMMENT 'Name for log-in, unique without case',
  password_hash VARCHAR(255) NOT NULL COMMENT 'Argon2id in its text form',
  email VARCHAR(254) COLLATE utf8mb4_unicode_ci NULL
    COMMENT 'Address, unique without case',
  first_name VARCHAR(100) NULL COMMENT 'Given name',
  last_name VARCHAR(100) NULL COMMENT 'Family name',
  address VARCHAR(255) NULL COMMENT 'Postal address',
  role ENUM('user','admin','auditor') NOT NULL DEFAULT 'user'
    COMMENT 'What the account may do by itself',
  consent_given BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'Consent stands',
  consent_date DATETIME(6) NULL COMMENT 'When it was last given or taken',
  consent_version VARCHAR(20) NOT NULL DEFAULT 'v1.0'
    COMMENT 'Text it refers to',
  is_active BOOLEAN NOT NULL DEFAULT TRUE COMMENT 'May log in',
  epoch INT NOT NULL DEFAULT 0
    COMMENT 'Raised to end every token issued before',
  created_at DATETIME(6) NOT NULL COMMENT 'When the account was made, UTC',
  last_login_at DATETIME(6) NULL COMMENT 'Last log-in by password, UTC',
  deleted_at DATETIME(6) NULL COMMENT 'When deletion was asked for, UTC',
  erase_after DATETIME(6) NULL COMMENT 'When the row is erased, UTC',
  PRIMARY KEY (id),
  UNIQUE KEY app_user_username (username),
  UNIQUE KEY app_user_email (email)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  /*T![auto_id_cache] AUTO_ID_CACHE=1 */
  COMMENT='One account of the API';

CREATE TABLE IF NOT EXISTS consent_event (
  id BIGINT NOT NULL AUTO_INCREMENT COMMENT 'Number of the event',
  user_id INT NOT NULL COMMENT 'Account that decided',
  consent_given BOOLEAN NOT NULL COMMENT 'Given or withdrawn',
  consent_version VARCHAR(20) NOT NULL COMMENT 'Text it refers to',
  at DATETIME(6) NOT NULL COMMENT 'When, UTC',
  source ENUM('form','policy','user') NOT NULL COMMENT 'How it came',
  PRIMARY KEY (id),
  KEY consent_event_user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  /*T![auto_id_cache] AUTO_ID_CACHE=1 */
  COMMENT='One decision of an account about consent';

CREATE TABLE IF NOT EXISTS session (
  sid CHAR(36) NOT NULL COMMENT 'Id of the log-in, claim sid of its tokens',
  user_id INT NOT NULL COMMENT 'Account that logged in',
  expires_at DATETIME(6) NOT NULL COMMENT 'End of its last token, UTC',
  revoked_at DATETIME(6) NULL COMMENT 'When it was revoked, UTC',
  PRIMARY KEY (sid),
  KEY session_user_id (user_id),
  KEY session_expires_at (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='One log-in; revoking it ends all its tokens';

CREATE TABLE IF NOT EXISTS identity_change (
  id BIGINT NOT NULL AUTO_INCREMENT
    COMMENT 'Rises, with holes; becomes visible out of order',
  user_id INT NOT NULL COMMENT 'Account that changed',
  at DATETIME(6) NOT NULL COMMENT 'When, UTC',
  PRIMARY KEY (id),
  KEY identity_change_at (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  /*T![auto_id_cache] AUTO_ID_CACHE=1 */
  COMMENT='One change of an account, its grants or log-ins, for the mirrors';
