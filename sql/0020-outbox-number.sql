-- 0020-outbox-number.sql - Changes get their numbers from the program that
-- sends them, so that requests need not wait for each other.
--
-- Events of the former form keep their numbers and their order.  The table is
-- replaced first and filled then: what is written meanwhile is in the new one
-- or waits for the change of names.  A row counts from where numbers are, so
-- that a relay of before, which still runs, gives none that is too low.
--
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE IF NOT EXISTS change_outbox_next (
  id BIGINT NOT NULL AUTO_INCREMENT
    COMMENT 'Increasing in the order of changes that had a row in common',
  change_id BIGINT NULL
    COMMENT 'Its number: increasing in its topic; NULL: it has none yet',
  topic VARCHAR(100) NOT NULL COMMENT 'Where the event goes',
  `key` VARCHAR(255) NOT NULL COMMENT 'Key of its message',
  `value` MEDIUMTEXT NOT NULL COMMENT 'The event, a JSON object',
  created_at DATETIME(6) NOT NULL COMMENT 'When the change was made, UTC',
  sent_at DATETIME(6) NULL
    COMMENT 'When the broker had it, UTC; NULL: it waits',
  PRIMARY KEY (id),
  KEY change_outbox_sent (sent_at, change_id)
) /*T![auto_id_cache] AUTO_ID_CACHE=1 */
  ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='One change of rows, written in its transaction; goes a day later';

SET @change = (SELECT IF(COUNT(*) > 0, 'SELECT 0', 'RENAME TABLE
  change_outbox TO change_outbox_old, change_outbox_next TO change_outbox')
  FROM information_schema.columns WHERE table_schema = DATABASE()
  AND table_name = 'change_outbox' AND column_name = 'change_id');
PREPARE outbox_change FROM @change;
EXECUTE outbox_change;
DEALLOCATE PREPARE outbox_change;

SET @change = (SELECT IF(COUNT(*) = 0, 'SELECT 0', 'INSERT INTO change_outbox
  (id, change_id, topic, `key`, `value`, created_at, sent_at)
  SELECT id, id, topic, `key`, `value`, created_at, sent_at
  FROM change_outbox_old
  ON DUPLICATE KEY UPDATE change_id = VALUES(change_id)')
  FROM information_schema.tables WHERE table_schema = DATABASE()
  AND table_name = 'change_outbox_old');
PREPARE outbox_change FROM @change;
EXECUTE outbox_change;
DEALLOCATE PREPARE outbox_change;

SET @change = (SELECT CONCAT('ALTER TABLE change_outbox AUTO_INCREMENT = ',
  COALESCE(MAX(last_id), 0) + 1) FROM change_topic);
PREPARE outbox_change FROM @change;
EXECUTE outbox_change;
DEALLOCATE PREPARE outbox_change;

DROP TABLE IF EXISTS change_outbox_old;

DROP TABLE IF EXISTS change_outbox_next;

ALTER TABLE change_topic MODIFY last_id BIGINT NOT NULL
  COMMENT 'Number of the newest';

ALTER TABLE change_topic COMMENT =
  'Changes of a topic get their numbers one after another';
