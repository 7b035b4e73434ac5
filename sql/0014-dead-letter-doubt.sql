-- 0014-dead-letter-doubt.sql - Dead letters of which nobody knows whether they
-- were sent again are found at once.
--
-- SPDX-License-Identifier: Apache-2.0

SET @change = (SELECT IF(COUNT(*) > 0, 'SELECT 0', 'ALTER TABLE dead_letter
  ADD KEY dead_letter_taken_until (taken_until)')
  FROM information_schema.statistics WHERE table_schema = DATABASE()
  AND table_name = 'dead_letter' AND index_name = 'dead_letter_taken_until');
PREPARE letter_change FROM @change;
EXECUTE letter_change;
DEALLOCATE PREPARE letter_change;
