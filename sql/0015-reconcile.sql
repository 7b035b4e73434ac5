-- 0015-reconcile.sql - The comparison of broker, lake and warehouse each day.
--
-- SPDX-License-Identifier: Apache-2.0

INSERT INTO schedule (name, calendar, time_zone)
VALUES ('reconcile', '*-*-* 03:00', 'UTC')
ON DUPLICATE KEY UPDATE name = VALUES(name);
