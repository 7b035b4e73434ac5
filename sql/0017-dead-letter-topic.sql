-- 0017-dead-letter-topic.sql - Which dead letters were written to the topic of
-- their own.
--
-- SPDX-License-Identifier: Apache-2.0

SET @change = (SELECT IF(COUNT(*) > 0, 'SELECT 0', 'ALTER TABLE dead_letter
  ADD COLUMN copied_at DATETIME(6) NULL
  COMMENT ''When it was written to dlq.TOPIC, UTC; NULL: not yet''')
  FROM information_schema.columns WHERE table_schema = DATABASE()
  AND table_name = 'dead_letter' AND column_name = 'copied_at');
PREPARE letter_change FROM @change;
EXECUTE letter_change;
DEALLOCATE PREPARE letter_change;

SET @change = (SELECT IF(COUNT(*) > 0, 'SELECT 0', 'ALTER TABLE dead_letter
  ADD KEY dead_letter_copied_at (topic, copied_at, id)')
  FROM information_schema.statistics WHERE table_schema = DATABASE()
  AND table_name = 'dead_letter' AND index_name = 'dead_letter_copied_at');
PREPARE letter_change FROM @change;
EXECUTE letter_change;
DEALLOCATE PREPARE letter_change;
