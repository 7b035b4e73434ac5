-- 0016-retention.sql - Accounts that nobody uses are deleted by a schedule.
--
-- SPDX-License-Identifier: Apache-2.0

INSERT INTO schedule (name, calendar, time_zone)
VALUES ('inactive-accounts', '*-*-* 00:00', 'Europe/Paris')
ON DUPLICATE KEY UPDATE name = VALUES(name);
