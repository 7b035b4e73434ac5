-- 0019-outbox.sql - Changes of rows by requests, on their way to the lake.
--
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE IF NOT EXISTS change_outbox (
  id BIGINT NOT NULL
    COMMENT 'Increasing within a topic in the order of the changes',
  topic VARCHAR(100) NOT NULL COMMENT 'Where the event goes',
  `key` VARCHAR(255) NOT NULL COMMENT 'Key of its message',
  `value` MEDIUMTEXT NOT NULL COMMENT 'The event, a JSON object',
  created_at DATETIME(6) NOT NULL COMMENT 'When the change was made, UTC',
  sent_at DATETIME(6) NULL
    COMMENT 'When the broker had it, UTC; NULL: it waits',
  PRIMARY KEY (id),
  KEY change_outbox_sent (sent_at, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='One change of rows, written in its transaction; goes a day later';

CREATE TABLE IF NOT EXISTS change_topic (
  topic VARCHAR(100) NOT NULL COMMENT 'Whose events are numbered',
  last_id BIGINT NOT NULL
    COMMENT 'Id of the newest; locked from there to the commit of the change',
  PRIMARY KEY (topic)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='Changes of a topic get their ids one after another';

CREATE TABLE IF NOT EXISTS change_relay (
  name VARCHAR(32) NOT NULL COMMENT 'outbox',
  owner VARCHAR(100) NOT NULL COMMENT 'Who sends events',
  lease_until DATETIME(6) NOT NULL COMMENT 'When another may, UTC',
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='Who sends events at the time';

INSERT INTO change_relay (name, owner, lease_until)
VALUES ('outbox', '', '2000-01-01 00:00:00.000000')
ON DUPLICATE KEY UPDATE name = VALUES(name);
