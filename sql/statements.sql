-- statements.sql - Every statement that C runs, by name.
--
-- The Makefile turns this file into build/gen/dl_statements.h.  Only what
-- MariaDB, MySQL 8 and TiDB share is written here.

-- --- Each connection (dl_wh.c) ---------------------------------------------

-- STMT_SESSION_NAMES: text is UTF-8 and compared byte for byte
SET NAMES utf8mb4 COLLATE utf8mb4_bin;

-- STMT_SESSION_MODE: UTC, and an error rather than a bent value
SET autocommit = 1, time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY';

-- STMT_SESSION_ISOLATION: a statement sees what others have committed
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;

-- STMT_SESSION_LIMIT_MARIADB: no statement of a request runs longer, seconds
SET max_statement_time = 30;

-- STMT_SESSION_LIMIT_MYSQL: the same for MySQL and TiDB, milliseconds
SET max_execution_time = 30000;

-- STMT_VERSION: which engine is it
SELECT VERSION();

-- STMT_PING: is anybody there
SELECT 1;

-- STMT_START: open a transaction that sees what others commit
START TRANSACTION;

-- STMT_SNAPSHOT_NEXT: the next transaction alone sees one moment
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;

-- STMT_SNAPSHOT: open it; the moment is now
START TRANSACTION WITH CONSISTENT SNAPSHOT;

-- STMT_COMMIT: end a transaction; its result is always looked at
COMMIT;

-- STMT_ROLLBACK: give a transaction up
ROLLBACK;

-- --- Schema (dl_wh_migrate.c) ----------------------------------------------

-- STMT_MIGRATE_LOCK: one migration at a time
SELECT GET_LOCK('datalake_migrate', 60);

-- STMT_MIGRATE_UNLOCK: the end of it
SELECT RELEASE_LOCK('datalake_migrate');

-- STMT_SCHEMA_EXISTS: has any migration been applied
SELECT COUNT(*) FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_name = 'schema_version';

-- STMT_SCHEMA_VERSION: the newest migration
SELECT COALESCE(MAX(version), 0) FROM schema_version;

-- STMT_SCHEMA_RECORD: a migration has been applied
INSERT INTO schema_version (version, name, applied_at) VALUES (?, ?, ?)
ON DUPLICATE KEY UPDATE name = VALUES(name), applied_at = VALUES(applied_at);

-- STMT_ACCOUNTS_MARK: which text of accounts.sql gave the rights
SELECT name FROM schema_version WHERE version = 0;

-- STMT_RATE_BASE: the base currency is worth itself
INSERT INTO currency_rate (base, currency, valid_from, rate)
VALUES (?, ?, '1970-01-01', 1)
ON DUPLICATE KEY UPDATE rate = VALUES(rate);

-- --- Accounts, log-ins, their changes (dl_identity*.c) ----------------------

-- STMT_ACCOUNT_FIND: an account by its name, without case
SELECT id, username, role, is_active, consent_given, epoch, created_at,
last_login_at, deleted_at, erase_after, email
FROM app_user WHERE username = ?;

-- STMT_ACCOUNT_FIND_ID: the same by its number
SELECT id, username, role, is_active, consent_given, epoch, created_at,
last_login_at, deleted_at, erase_after, email
FROM app_user WHERE id = ?;

-- STMT_ACCOUNT_LIST: all of them
SELECT id, username, role, is_active, consent_given, epoch, created_at,
last_login_at, deleted_at, erase_after, email
FROM app_user ORDER BY id;

-- STMT_ACCOUNT_PASSWORD: what a log-in is compared with
SELECT password_hash FROM app_user WHERE id = ?;

-- STMT_ACCOUNT_ADD: a new account
INSERT INTO app_user (username, password_hash, email, role, consent_given,
consent_date, consent_version, is_active, epoch, created_at, first_name,
last_name, address)
VALUES (?, ?, ?, ?, ?, ?, ?, TRUE, 0, ?, ?, ?, ?);

-- STMT_ACCOUNT_TAKEN: a row when a name or an e-mail address is in use
SELECT id FROM app_user WHERE username = ?
UNION ALL SELECT id FROM app_user WHERE email = ? LIMIT 1;

-- STMT_CONSENT_ADD: what the account decided, and how
INSERT INTO consent_event (user_id, consent_given, consent_version, at, source)
VALUES (?, ?, ?, ?, ?);

-- STMT_CONSENT_SET: consent given or withdrawn, from the next request on
UPDATE app_user SET consent_given = ?, consent_date = ?, consent_version = ?,
epoch = epoch + 1 WHERE id = ?;

-- STMT_CONSENT_LIST: what an account decided, newest first
SELECT id, consent_given, consent_version, at, source FROM consent_event
WHERE user_id = ? AND id < ? ORDER BY id DESC LIMIT ?;

-- STMT_PROFILE: what an account says about itself
SELECT first_name, last_name, address, consent_date, consent_version
FROM app_user WHERE id = ?;

-- STMT_PROFILE_SET: another e-mail address, name or address
UPDATE app_user SET email = ?, first_name = ?, last_name = ?, address = ?
WHERE id = ?;

-- STMT_ACCOUNT_LOCK: an account that is about to change
SELECT role, is_active, deleted_at, epoch FROM app_user WHERE id = ?
FOR UPDATE;

-- STMT_ADMIN_LOCK: who could still administer
SELECT id FROM app_user
WHERE role = 'admin' AND is_active = TRUE AND deleted_at IS NULL
ORDER BY id FOR UPDATE;

-- STMT_ACCOUNT_SET_ROLE: another role, from the next request on
UPDATE app_user SET role = ?, epoch = epoch + 1 WHERE id = ?;

-- STMT_ACCOUNT_SET_ACTIVE: disable or enable
UPDATE app_user SET is_active = ?, epoch = epoch + 1 WHERE id = ?;

-- STMT_ACCOUNT_DELETE: refused from the next request on, erased later
UPDATE app_user SET is_active = FALSE, deleted_at = ?, erase_after = ?,
epoch = epoch + 1 WHERE id = ?;

-- STMT_JOB_ADD: work for the jobs daemon
INSERT INTO job (id, kind, created_by, created_at, not_before, parameters)
VALUES (?, ?, ?, ?, ?, ?);

-- STMT_JOB_LIST: the jobs of an account, page by page
SELECT j.id, j.kind, j.state, j.done, j.total, u.username, j.created_at,
j.started_at, j.finished_at, j.parameters, j.result, j.error_code,
j.error_detail, j.created_by, j.cancel_asked
FROM job j LEFT JOIN app_user u ON u.id = j.created_by
WHERE j.created_by = ? AND j.id > ? ORDER BY j.id LIMIT ?;

-- STMT_JOB_PAGE_OWN: an account's jobs, newest first
SELECT j.id, j.kind, j.state, j.done, j.total, u.username, j.created_at,
j.started_at, j.finished_at, j.parameters, j.result, j.error_code,
j.error_detail, j.created_by, j.cancel_asked
FROM job j LEFT JOIN app_user u ON u.id = j.created_by
WHERE j.created_by = ? AND (? = '' OR j.kind = ?) AND (? = '' OR j.state = ?)
AND j.created_at <= ? AND (j.created_at < ? OR j.id < ?)
ORDER BY j.created_at DESC, j.id DESC LIMIT ?;

-- STMT_JOB_PAGE_ALL: everybody's jobs, newest first
SELECT j.id, j.kind, j.state, j.done, j.total, u.username, j.created_at,
j.started_at, j.finished_at, j.parameters, j.result, j.error_code,
j.error_detail, j.created_by, j.cancel_asked
FROM job j LEFT JOIN app_user u ON u.id = j.created_by
WHERE (? = '' OR j.kind = ?) AND (? = '' OR j.state = ?)
AND j.created_at <= ? AND (j.created_at < ? OR j.id < ?)
ORDER BY j.created_at DESC, j.id DESC LIMIT ?;

-- STMT_JOB_FIND: one job
SELECT j.id, j.kind, j.state, j.done, j.total, u.username, j.created_at,
j.started_at, j.finished_at, j.parameters, j.result, j.error_code,
j.error_detail, j.created_by, j.cancel_asked
FROM job j LEFT JOIN app_user u ON u.id = j.created_by
WHERE j.id = ?;

-- STMT_JOB_COUNT: jobs of a kind that are not over
SELECT COUNT(*) FROM job WHERE kind = ? AND state IN ('queued', 'running');

-- STMT_JOB_GATE: who adds a job that has to be alone goes through here, one
-- after the other
SELECT name FROM schedule ORDER BY name LIMIT 1 FOR UPDATE;

-- STMT_JOB_UNDER_WAY: the oldest job of a kind that is not over
SELECT id FROM job WHERE kind = ? AND state IN ('queued', 'running')
ORDER BY created_at, id LIMIT 1;

-- STMT_JOB_CANCEL: a queued job need not begin; what an attempt kept for the
-- next one is no result
UPDATE job SET state = 'cancelled', finished_at = ?, cancel_asked = TRUE,
result = NULL
WHERE id = ? AND state = 'queued' AND kind <> 'erase';

-- STMT_JOB_ASK_CANCEL: a running job is to stop where it can
UPDATE job SET cancel_asked = TRUE
WHERE id = ? AND state = 'running' AND kind <> 'erase';

-- STMT_JOB_WAITING: jobs of a kind that may be taken up, oldest first
SELECT id, attempt FROM job WHERE kind = ?
AND ((state = 'queued' AND (not_before IS NULL OR not_before <= ?))
OR (state = 'running' AND lease_until <= ?)) ORDER BY created_at LIMIT 8;

-- STMT_JOB_TAKE: this one is ours
UPDATE job SET state = 'running', owner = ?, lease_until = ?,
attempt = attempt + 1, started_at = COALESCE(started_at, ?)
WHERE id = ? AND attempt = ?
AND (state = 'queued' OR (state = 'running' AND lease_until <= ?));

-- STMT_JOB_TAKEN: what we have taken
SELECT attempt, COALESCE(created_by, 0), done, COALESCE(total, -1), parameters,
result, cancel_asked FROM job WHERE id = ? AND owner = ?;

-- STMT_JOB_TELL: how far it is, and another lease
UPDATE job SET done = ?, total = ?, result = COALESCE(?, result), lease_until = ?
WHERE id = ? AND owner = ? AND attempt = ? AND state = 'running';

-- STMT_JOB_ASKED: whether its end was asked for
SELECT cancel_asked FROM job WHERE id = ?;

-- STMT_JOB_FINISH: how it ended
UPDATE job SET state = ?, finished_at = ?, done = ?,
total = COALESCE(?, total), result = ?, error_code = ?, error_detail = ?,
owner = NULL, lease_until = NULL
WHERE id = ? AND owner = ? AND attempt = ? AND state = 'running';

-- STMT_JOB_GIVE_BACK: somebody else may go on
UPDATE job SET state = 'queued', owner = NULL, lease_until = NULL
WHERE id = ? AND owner = ? AND attempt = ? AND state = 'running';

-- STMT_MODEL_LOCK: nobody else asks for a training of this target meanwhile
SELECT target FROM model_target WHERE target = ? FOR UPDATE;

-- STMT_MODEL_TRAINING: the training of a target that is not over
SELECT id FROM job WHERE kind = 'train' AND state IN ('queued', 'running')
AND parameters LIKE ? ORDER BY created_at LIMIT 1;

-- STMT_MODEL_LAST: the highest version of a target
SELECT COALESCE(MAX(version), 0) FROM model WHERE target = ?;

-- STMT_MODEL_ADD: a model that was trained
INSERT INTO model (id, target, version, algorithm, trained_at, n_train, n_test,
metrics, details, lake_version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- STMT_MODEL_PAGE: models, newest first
SELECT id, target, version, algorithm, trained_at, n_train, n_test, metrics,
details, lake_version FROM model
WHERE trained_at <= ? AND (trained_at < ? OR id < ?)
ORDER BY trained_at DESC, id DESC LIMIT ?;

-- STMT_MODEL_FIND: one model
SELECT id, target, version, algorithm, trained_at, n_train, n_test, metrics,
details, lake_version FROM model WHERE id = ?;

-- STMT_SCHEDULE_LIST: schedules by name, page by page
SELECT name, calendar, time_zone, enabled, next_run FROM schedule
WHERE name > ? ORDER BY name LIMIT ?;

-- STMT_SCHEDULE_FIND: one schedule
SELECT name, calendar, time_zone, enabled, next_run FROM schedule
WHERE name = ?;

-- STMT_SCHEDULE_RUNS: the last runs of a schedule, newest first
SELECT run_id, state, `trigger`, started_at, finished_at, detail, job_id
FROM pipeline_run WHERE name = ? ORDER BY run_id DESC LIMIT ?;

-- STMT_SCHEDULE_RUNNING: the run of a schedule that is under way
SELECT run_id, COALESCE(job_id, '') FROM pipeline_run
WHERE name = ? AND state = 'InProgress'
ORDER BY run_id DESC
LIMIT 1;

-- STMT_SCHEDULE_LOCK: no other run of it begins meanwhile
SELECT name FROM schedule WHERE name = ? FOR UPDATE;

-- STMT_SCHEDULE_MOVE: the next time it is due, unless another was faster
UPDATE schedule SET next_run = ? WHERE name = ?
AND (next_run = ? OR (next_run IS NULL AND ? IS NULL));

-- STMT_RUN_BEGIN: a run of a schedule
INSERT INTO pipeline_run (name, state, `trigger`, started_at, job_id)
VALUES (?, 'InProgress', ?, ?, ?);

-- STMT_RUN_END: how it went
UPDATE pipeline_run SET state = ?, finished_at = ?, detail = ?
WHERE job_id = ? AND state = 'InProgress';

-- STMT_RUN_CANCELLED: runs whose job was cancelled before it began
UPDATE pipeline_run p JOIN job j ON j.id = p.job_id
SET p.state = 'Failed', p.finished_at = j.finished_at, p.detail = 'cancelled'
WHERE p.state = 'InProgress' AND j.state = 'cancelled';

-- STMT_NOTIFY_ADDRESSES: who is told of failed runs
SELECT email FROM users_notification ORDER BY email LIMIT ?;

-- STMT_NOTIFY_LIST: the same for the operator, with their names
SELECT email, name FROM users_notification ORDER BY email;

-- STMT_NOTIFY_ADD: one more; an address that is there gets the name
INSERT INTO users_notification (email, name) VALUES (?, ?)
ON DUPLICATE KEY UPDATE name = VALUES(name);

-- STMT_NOTIFY_REMOVE: one less
DELETE FROM users_notification WHERE email = ?;

-- STMT_RUN_UNMAILED: failed runs of late that nobody is mailing; those that
-- were tried stay in sight until they are given up
SELECT run_id, name, `trigger`, started_at, finished_at, COALESCE(detail, ''),
COALESCE(job_id, '') FROM pipeline_run
WHERE state = 'Failed' AND mailed_at IS NULL AND finished_at >= ?
AND (finished_at >= ? OR mail_after IS NOT NULL)
AND (mail_after IS NULL OR mail_after <= ?)
ORDER BY finished_at, run_id LIMIT 20;

-- STMT_RUN_MAIL_TAKE: one program mails it
UPDATE pipeline_run SET mail_after = ? WHERE run_id = ? AND mailed_at IS NULL
AND (mail_after IS NULL OR mail_after <= ?);

-- STMT_RUN_MAIL_LEAVE: it could not be mailed; unless another has taken it
UPDATE pipeline_run SET mail_after = ? WHERE run_id = ? AND mail_after = ?;

-- STMT_RUN_MAILED: the server has the mail
UPDATE pipeline_run SET mailed_at = ? WHERE run_id = ? AND mailed_at IS NULL;

-- STMT_RUN_MAIL_DROP: it could not be mailed for too long
UPDATE pipeline_run SET mail_after = NULL WHERE run_id = ?
AND mailed_at IS NULL AND mail_after IS NOT NULL;

-- STMT_JOB_COUNTS: how many jobs there are
SELECT kind, state, COUNT(*) FROM job GROUP BY kind, state;

-- STMT_TABLE_BYTES: what the tables take, as far as the account may see them
SELECT table_name, COALESCE(data_length, 0) + COALESCE(index_length, 0)
FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE';

-- STMT_SCHEDULE_SUCCESSES: when each schedule last went well
SELECT name, MAX(finished_at) FROM pipeline_run WHERE state = 'Succeeded'
GROUP BY name;

-- STMT_JOB_FORGET: jobs that ended long ago
DELETE FROM job WHERE finished_at < ? ORDER BY finished_at LIMIT 1000;

-- STMT_JOB_CANCEL_ERASE: an account that was to be erased stays
UPDATE job SET state = 'cancelled', finished_at = ?
WHERE created_by = ? AND kind = 'erase' AND state = 'queued';

-- STMT_ACCOUNT_UNDELETE: take a deletion back
UPDATE app_user SET is_active = TRUE, deleted_at = NULL, erase_after = NULL,
epoch = epoch + 1 WHERE id = ?;

-- STMT_ACCOUNT_SET_PASSWORD: another password
UPDATE app_user SET password_hash = ?, epoch = epoch + 1 WHERE id = ?;

-- STMT_ACCOUNT_LOGIN: the account logged in
UPDATE app_user SET last_login_at = ? WHERE id = ?;

-- STMT_SESSION_ADD: a log-in whose tokens can be revoked
INSERT INTO session (sid, user_id, expires_at) VALUES (?, ?, ?);

-- STMT_SESSION_LOCK: the account of a log-in that is not revoked
SELECT user_id FROM session WHERE sid = ? AND revoked_at IS NULL FOR UPDATE;

-- STMT_SESSION_REVOKE: end all tokens of a log-in
UPDATE session SET revoked_at = ? WHERE sid = ? AND revoked_at IS NULL;

-- STMT_SESSION_REVOKE_ALL: end all tokens of an account
UPDATE session SET revoked_at = ? WHERE user_id = ? AND revoked_at IS NULL;

-- STMT_SESSION_REVOKED: log-ins whose tokens are refused though they run
SELECT sid, expires_at FROM session
WHERE user_id = ? AND revoked_at IS NOT NULL AND expires_at > ?
ORDER BY sid LIMIT ?;

-- --- Log-ins (dl_login.c): locked in the order account, session, token --------

-- STMT_LOGIN_FIND: whom a log-in is tried for, without case
SELECT id, username, role, is_active, deleted_at, password_hash, epoch
FROM app_user WHERE username = ?;

-- STMT_SESSION_EXTEND: a log-in whose last token ends later
UPDATE session SET expires_at = ? WHERE sid = ?;

-- STMT_SESSION_STATE: whether one log-in was revoked
SELECT revoked_at FROM session WHERE sid = ?;

-- STMT_REFRESH_ADD: a refresh token that is given out
INSERT INTO refresh_token (jti, sid, user_id, expires_at) VALUES (?, ?, ?, ?);

-- STMT_REFRESH_LOCK: a refresh token that is to be exchanged
SELECT sid, user_id, used_at FROM refresh_token WHERE jti = ? FOR UPDATE;

-- STMT_REFRESH_USE: it has been exchanged
UPDATE refresh_token SET used_at = ? WHERE jti = ?;

-- STMT_IDENTITY_CHANGE_ADD: tell the mirrors, in the change's transaction
INSERT INTO identity_change (user_id, at) VALUES (?, ?);

-- STMT_IDENTITY_CHANGE_LIST: what the mirrors have not seen
SELECT id, user_id, at FROM identity_change
WHERE id > ? AND at >= ? ORDER BY id LIMIT ?;

-- --- Grants (dl_grant_store.c) ----------------------------------------------

-- STMT_GRANT_PUT: give a right, or another level and end to one that is there
INSERT INTO access_grant (user_id, resource, access, expires_at, granted_by,
  granted_at)
VALUES (?, ?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE access = VALUES(access),
  expires_at = VALUES(expires_at), granted_by = VALUES(granted_by),
  granted_at = VALUES(granted_at);

-- STMT_GRANT_DELETE: take a right away
DELETE FROM access_grant WHERE user_id = ? AND resource = ?;

-- STMT_GRANT_LOAD: what an account may do now
SELECT resource, access, expires_at FROM access_grant
WHERE user_id = ? AND (expires_at IS NULL OR expires_at > ?)
ORDER BY resource LIMIT ?;

-- STMT_GRANT_LIST: the rights of all accounts, page by page.  One statement a
-- filter: MariaDB forgets a column of ORDER BY for good when one execution of
-- a prepared statement finds it equal to a parameter
SELECT u.username, g.resource, g.access, g.expires_at, b.username, g.granted_at
FROM app_user u JOIN access_grant g ON g.user_id = u.id
LEFT JOIN app_user b ON b.id = g.granted_by
WHERE u.username >= ? AND (u.username > ? OR g.resource > ?)
ORDER BY u.username, g.resource LIMIT ?;

-- STMT_GRANT_LIST_RESOURCE: those on one resource
SELECT u.username, g.resource, g.access, g.expires_at, b.username, g.granted_at
FROM app_user u JOIN access_grant g ON g.user_id = u.id
LEFT JOIN app_user b ON b.id = g.granted_by
WHERE g.resource = ? AND u.username > ?
ORDER BY u.username LIMIT ?;

-- STMT_GRANT_LIST_USER: those of one account
SELECT u.username, g.resource, g.access, g.expires_at, b.username, g.granted_at
FROM app_user u JOIN access_grant g ON g.user_id = u.id
LEFT JOIN app_user b ON b.id = g.granted_by
WHERE u.id = ? AND g.resource > ?
ORDER BY g.resource LIMIT ?;

-- STMT_GRANT_FIND: the one of both
SELECT u.username, g.resource, g.access, g.expires_at, b.username, g.granted_at
FROM app_user u JOIN access_grant g ON g.user_id = u.id
LEFT JOIN app_user b ON b.id = g.granted_by
WHERE u.id = ? AND g.resource = ? LIMIT ?;

-- --- Rates (dl_wh_rates.c) ---------------------------------------------------

-- STMT_RATES: all rates to one base currency
SELECT currency, valid_from, rate FROM currency_rate
WHERE base = ?
ORDER BY currency, valid_from;

-- STMT_RATES_REVISION: how many loads of rates there were
SELECT next_offset FROM sink_offset
WHERE sink = 'rates' AND topic = '' AND `partition` = 0;

-- --- Rollups (dlc_spend.c): the VALUES group is repeated for many rows -------

-- STMT_SPEND_USER_PUT: add to a user's spend
INSERT INTO spend_user (user_id, currency, transaction_type, status,
  product_category, n, amount, amount_base, unconverted, quantity)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE n = n + VALUES(n), amount = amount + VALUES(amount),
  amount_base = amount_base + VALUES(amount_base),
  unconverted = unconverted + VALUES(unconverted),
  quantity = quantity + VALUES(quantity);

-- STMT_SPEND_SECOND_PUT: add to a second's spend
INSERT INTO spend_second (second, currency, transaction_type, status,
  n, amount, amount_base, unconverted, quantity)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE n = n + VALUES(n), amount = amount + VALUES(amount),
  amount_base = amount_base + VALUES(amount_base),
  unconverted = unconverted + VALUES(unconverted),
  quantity = quantity + VALUES(quantity);

-- STMT_PRODUCT_SALE_PUT: add to a product's sales of a day
INSERT INTO product_sale (product_id, day, currency, transaction_type, status,
  n, amount, amount_base, unconverted, quantity)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE n = n + VALUES(n), amount = amount + VALUES(amount),
  amount_base = amount_base + VALUES(amount_base),
  unconverted = unconverted + VALUES(unconverted),
  quantity = quantity + VALUES(quantity);

-- STMT_PRODUCT_TOTAL_PUT: add to a product's sales of all days
INSERT INTO product_total (product_id, currency, transaction_type, status,
  n, quantity)
VALUES (?, ?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE n = n + VALUES(n), quantity = quantity + VALUES(quantity);

-- STMT_PRODUCT_PUT: the newest name of a product; the name goes first, because
-- assignments are made from left to right
INSERT INTO product (product_id, name, updated_at, src_generation,
  src_partition, src_offset)
VALUES (?, ?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE
  name = IF(VALUES(updated_at) > updated_at OR (VALUES(updated_at) = updated_at
    AND (VALUES(src_generation) > src_generation OR
    (VALUES(src_generation) = src_generation AND
    (VALUES(src_partition) > src_partition OR
    (VALUES(src_partition) = src_partition AND
    VALUES(src_offset) >= src_offset))))), VALUES(name), name),
  src_offset = IF(VALUES(updated_at) > updated_at OR
    (VALUES(updated_at) = updated_at
    AND (VALUES(src_generation) > src_generation OR
    (VALUES(src_generation) = src_generation AND
    (VALUES(src_partition) > src_partition OR
    (VALUES(src_partition) = src_partition AND
    VALUES(src_offset) >= src_offset))))), VALUES(src_offset), src_offset),
  src_partition = IF(VALUES(updated_at) > updated_at OR
    (VALUES(updated_at) = updated_at
    AND (VALUES(src_generation) > src_generation OR
    (VALUES(src_generation) = src_generation AND
    VALUES(src_partition) >= src_partition))),
    VALUES(src_partition), src_partition),
  src_generation = IF(VALUES(updated_at) > updated_at OR
    (VALUES(updated_at) = updated_at AND
    VALUES(src_generation) >= src_generation),
    VALUES(src_generation), src_generation),
  updated_at = IF(VALUES(updated_at) > updated_at, VALUES(updated_at),
    updated_at);

-- --- Changes of rows by requests (dl_outbox.c) -----------------------------

-- STMT_OUTBOX_ADD: an event, in the transaction of its change
INSERT INTO change_outbox (topic, `key`, `value`, created_at)
VALUES (?, ?, ?, ?);

-- STMT_OUTBOX_NEW: events without a number; of two that have a row in common
-- the first is seen first
SELECT id, topic FROM change_outbox
WHERE sent_at IS NULL AND change_id IS NULL AND id > ? ORDER BY id LIMIT ?;

-- STMT_OUTBOX_OWNER: whose turn it is, which nobody takes meanwhile
SELECT owner FROM change_relay WHERE name = 'outbox' FOR UPDATE;

-- STMT_OUTBOX_RESERVE: the next numbers of a topic; the last of them comes with
-- the answer
INSERT INTO change_topic (topic, last_id) VALUES (?, ?)
ON DUPLICATE KEY UPDATE
  last_id = LAST_INSERT_ID(GREATEST(last_id + ?, VALUES(last_id)));

-- STMT_OUTBOX_NUMBER: sixteen events get their numbers, once; a place that is
-- not needed has another event again
UPDATE change_outbox SET change_id = CASE id
  WHEN ? THEN ? WHEN ? THEN ? WHEN ? THEN ? WHEN ? THEN ?
  WHEN ? THEN ? WHEN ? THEN ? WHEN ? THEN ? WHEN ? THEN ?
  WHEN ? THEN ? WHEN ? THEN ? WHEN ? THEN ? WHEN ? THEN ?
  WHEN ? THEN ? WHEN ? THEN ? WHEN ? THEN ? WHEN ? THEN ? END
WHERE id IN (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  AND change_id IS NULL;

-- STMT_OUTBOX_TOPICS: numbers go on behind those that there are
INSERT INTO change_topic (topic, last_id)
SELECT topic, MAX(change_id) FROM change_outbox
WHERE change_id IS NOT NULL GROUP BY topic
ON DUPLICATE KEY UPDATE last_id = GREATEST(last_id, VALUES(last_id));

-- STMT_OUTBOX_WAITING: events that no broker has confirmed
SELECT change_id, topic, `key`, `value`, created_at FROM change_outbox
WHERE sent_at IS NULL AND change_id > 0 ORDER BY change_id LIMIT ?;

-- STMT_OUTBOX_SENT: the broker has them
UPDATE change_outbox SET sent_at = ?
WHERE sent_at IS NULL AND change_id >= ? AND change_id <= ? AND topic = ?;

-- STMT_OUTBOX_REMOVE: some that were sent long ago
DELETE FROM change_outbox WHERE sent_at < ?
ORDER BY sent_at, change_id LIMIT 1000;

-- STMT_OUTBOX_LEASE: who sends events, and until when
UPDATE change_relay SET owner = ?, lease_until = ?
WHERE name = 'outbox' AND (owner = ? OR lease_until <= ?);

-- --- Templates of a declared table (dlc_wh_table.c): {words} are filled in ---

-- STMT_TABLE_COLUMNS: what the database says about a table
SELECT column_name, column_type, collation_name
FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = ?
ORDER BY ordinal_position;

-- STMT_WORD_LATER: is the new record s later than the row f
(s.src_time > f.src_time OR (s.src_time = f.src_time AND
(s.src_generation > f.src_generation OR (s.src_generation = f.src_generation AND
(s.src_partition > f.src_partition OR (s.src_partition = f.src_partition AND
s.src_offset > f.src_offset))))));

-- STMT_LOAD: a chunk of rows from the client's memory
LOAD DATA LOCAL INFILE 'datalake' INTO TABLE {into} CHARACTER SET utf8mb4 ({columns});

-- STMT_INSERT: the same where LOCAL is off; the rows follow
INSERT INTO {into} ({columns}) VALUES;

-- STMT_STAGING_CREATE: a table of this session to compare a chunk in
CREATE TEMPORARY TABLE IF NOT EXISTS {staging} ({definition},
PRIMARY KEY (src_generation, src_partition, src_offset), KEY staging_key ({key}))
ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- STMT_STAGING_DROP: away with it
DROP TEMPORARY TABLE IF EXISTS {staging};

-- STMT_STAGING_EMPTY: the next chunk
DELETE FROM {staging};

-- STMT_DEEP_ROWS: the offsets that rows of a partition are made of
SELECT src_offset FROM {table}
WHERE src_generation = ? AND src_partition = ? AND src_offset >= ?
  AND src_offset < ?
ORDER BY src_offset
LIMIT 50000;

-- STMT_TABLE_EMPTY: some rows of a table that is emptied before a rebuild
DELETE FROM {table} LIMIT 20000;

-- STMT_CHANGE_LOCK: rows that a request is about to change (dl_change.c)
SELECT src_generation, src_partition, src_offset
FROM {table} WHERE {where} FOR UPDATE;

-- STMT_CHANGE_UPDATE: what of their columns the event has; the key, what was
-- loaded
UPDATE {table} SET {set} WHERE {where} AND ({below});

-- STMT_CHANGE_DELETE: the same of an event that deletes
DELETE FROM {table} WHERE {where} AND ({below});

-- STMT_CHANGE_CHILD_DELETE: rows that follow them
DELETE {child} FROM {child} JOIN {table} ON {child_match}
WHERE {where} AND ({below});

-- STMT_CHANGE_CHILD_ADD: another such row
INSERT INTO {child} ({columns})
SELECT {values} FROM {table} WHERE {where} AND ({below})
ON DUPLICATE KEY UPDATE {assign};

-- STMT_WORD_IS: a row whose key this is
`{table}`.`{column}` = ?;

-- STMT_WORD_IS_TEXT: the same of a text, whose spaces at the end = passes over
`{table}`.`{column}` = ? AND OCTET_LENGTH(`{table}`.`{column}`) = ?;

-- STMT_WORD_SET: a column, if the event has it: one text for all events, so
-- that a connection prepares it once
`{column}` = CASE WHEN ? THEN ? ELSE `{column}` END;

-- STMT_WORD_SET_ONE: the only column that the event has
`{column}` = ?;

-- STMT_WORD_SET_TIME: an event time of which records have day and time of day;
-- either may be another
`{column}` = TIMESTAMP(DATE(CASE WHEN ? THEN ? ELSE `{column}` END),
TIME(CASE WHEN ? THEN ? ELSE `{column}` END));

-- STMT_WORD_BELOW: of generations before that of the event, all is loaded
src_generation < ?;

-- STMT_WORD_BELOW_PART: of that one, what lies below an offset
OR (src_generation = ? AND src_partition = ? AND src_offset < ?);

-- STMT_REPEATS: known keys, and whether the new row is later; the known rows
-- are locked, because an INSERT ... SELECT reads them without a lock
SELECT s.src_offset, CASE WHEN {later} THEN 1 ELSE 0 END
FROM {staging} s JOIN {table} f ON {match}
FOR UPDATE;

-- STMT_ADJUST_ADD: what the rollups have to take back; the parameter is the topic
INSERT INTO rollup_adjust (topic, generation, `partition`, `offset`, revision,
  second, user_id, product_id, currency, transaction_type, status,
  product_category, n, amount, amount_base, unconverted, quantity)
SELECT ?, f.src_generation, f.src_partition, f.src_offset, 0,
  DATE_FORMAT(f.`timestamp`, '%Y-%m-%d %H:%i:%s'), f.user_id, f.product_id,
  UPPER(COALESCE(f.currency, '')), COALESCE(f.transaction_type, 'unknown'),
  COALESCE(f.status, ''), COALESCE(f.product_category, 'unknown'), -1,
  -COALESCE(f.amount, 0), -COALESCE(f.amount_base, 0),
  -CASE WHEN f.amount IS NOT NULL AND f.amount_base IS NULL THEN 1 ELSE 0 END,
  -COALESCE(f.quantity, 1)
FROM {staging} s JOIN {table} f ON {match}
WHERE {later};

-- STMT_SUPERSEDE: later rows replace the known ones, in every column
UPDATE {table} f JOIN {staging} s ON {match}
SET {assign}
WHERE {later};

-- STMT_STAGING_ADD: rows with new keys
INSERT INTO {table} ({columns})
SELECT {values} FROM {staging} s LEFT JOIN {table} f ON {match}
WHERE f.src_offset IS NULL;

-- STMT_CHILD_CLEAR: objects of records that a chunk has just stored
DELETE c FROM {child} c JOIN {staging} s ON {child_match}
JOIN {table} f ON {match}
WHERE f.src_generation = s.src_generation AND f.src_partition = s.src_partition
  AND f.src_offset = s.src_offset;

-- STMT_SPEND_RANGE: what the rows of an offset range add to the rollups
SELECT src_offset, `timestamp`, user_id, product_id, product_name, currency,
  transaction_type, status, product_category, amount, amount_base, quantity,
  src_time
FROM {table}
WHERE src_generation = ? AND src_partition = ? AND src_offset >= ?
  AND src_offset < ?
ORDER BY src_offset
LIMIT 50000;

-- --- The fact transaction (dlc_wh_fact.c, dlc_wh_split.c) ---------------------

-- STMT_FLUSH_SETTING: is a commit durable
SELECT @@innodb_flush_log_at_trx_commit;

-- STMT_LOCK_WAIT_SHORT: two connections of ours load: one that waits for the
-- other must not wait long
SET SESSION innodb_lock_wait_timeout = 2;

-- STMT_LOCK_WAIT_USUAL: one is alone again
SET SESSION innodb_lock_wait_timeout = DEFAULT;

-- STMT_SAVEPOINT: before a chunk
SAVEPOINT chunk;

-- STMT_SAVEPOINT_BACK: the chunk never was
ROLLBACK TO SAVEPOINT chunk;

-- STMT_OFFSETS: where the partitions of a topic stand
SELECT `partition`, next_offset, generation, cluster_id FROM sink_offset
WHERE sink = ? AND topic = ?;

-- STMT_OFFSET_LOCK: keep a partition for this transaction
SELECT next_offset, generation, cluster_id FROM sink_offset
WHERE sink = 'warehouse' AND topic = ? AND `partition` = ?
FOR UPDATE;

-- STMT_OFFSET_ADD: the first record of a partition
INSERT INTO sink_offset (sink, topic, `partition`, next_offset, generation,
  cluster_id)
VALUES (?, ?, ?, ?, ?, ?);

-- STMT_OFFSET_MOVE: compare and set, exactly one row or we have lost it
UPDATE sink_offset SET next_offset = ?
WHERE sink = ? AND topic = ? AND `partition` = ? AND generation = ?
  AND next_offset = ?;

-- STMT_REBUILD_OFFSET: nothing of a partition is loaded, or in the rollups
INSERT INTO sink_offset (sink, topic, `partition`, next_offset, generation,
  cluster_id)
VALUES (?, ?, ?, 0, 0, ?)
ON DUPLICATE KEY UPDATE next_offset = 0, generation = 0,
  cluster_id = VALUES(cluster_id);

-- STMT_REBUILD_MARK: the tables of a topic are not complete, and will have what
-- lies below this
INSERT INTO sink_offset (sink, topic, `partition`, next_offset, generation,
  cluster_id)
VALUES ('rebuild', ?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE next_offset = VALUES(next_offset),
  generation = VALUES(generation), cluster_id = VALUES(cluster_id);

-- STMT_REBUILD_DONE: they are complete
DELETE FROM sink_offset WHERE sink = 'rebuild' AND topic = ?;

-- STMT_REBUILD_OPEN: whether the tables of a topic wait for a rebuild
SELECT COUNT(*) FROM sink_offset
WHERE sink = 'rebuild' AND topic = ?;

-- STMT_REBUILD_LEFT: partitions whose rollups are behind, and what they still
-- have to take back; the parameters are the topic
SELECT COUNT(*) + (SELECT COUNT(*) FROM rollup_adjust WHERE topic = ?)
FROM sink_offset f LEFT JOIN sink_offset r ON r.sink = 'rollup'
  AND r.topic = f.topic AND r.`partition` = f.`partition`
WHERE f.sink = 'warehouse' AND f.topic = ?
  AND (COALESCE(r.next_offset, 0) <> f.next_offset
  OR COALESCE(r.generation, 0) <> f.generation);

-- STMT_REBUILD_EVENTS: change events of a topic, with their numbers
SELECT id, change_id FROM change_outbox WHERE topic = ?;

-- STMT_REBUILD_EVENT: one of them
SELECT `value` FROM change_outbox WHERE id = ?;

-- STMT_OFFSET_RENEW: an operator accepts a topic that was made anew
UPDATE sink_offset SET next_offset = 0, generation = ?, cluster_id = ?
WHERE sink = 'warehouse' AND topic = ? AND `partition` = ? AND generation = ?;

-- STMT_DEAD_LETTER_ADD: a row that the database refused
INSERT INTO dead_letter (topic, generation, `partition`, `offset`, reason,
  detail, value, received_at, size)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- --- Dead letters (dl_letter.c, dlc_letters_store.c) --------------------------

-- STMT_LETTER_PAGE: dead letters, newest first
SELECT id, topic, generation, `partition`, `offset`, `key`, reason, detail,
  value, size, state, attempts, received_at, replay_id, lake_id, `file`, place
FROM dead_letter
WHERE (? = '' OR topic = ?) AND (? = '' OR reason = ?) AND (? = '' OR state = ?)
AND received_at >= ? AND received_at < ?
AND received_at <= ? AND (received_at < ? OR id < ?)
ORDER BY received_at DESC, id DESC LIMIT ?;

-- STMT_LETTER_FIND: one dead letter
SELECT id, topic, generation, `partition`, `offset`, `key`, reason, detail,
  value, size, state, attempts, received_at, replay_id, lake_id, `file`, place
FROM dead_letter WHERE id = ?;

-- STMT_LETTER_DISCARD: nobody wants it any more, unless it is being sent
UPDATE dead_letter SET state = 'discarded'
WHERE id = ? AND state = 'open' AND taken_until IS NULL;

-- STMT_LETTER_TAKE: nobody else sends it again meanwhile
UPDATE dead_letter SET attempts = attempts + 1, replay_id = ?, taken_until = ?
WHERE id = ? AND state = 'open' AND taken_until IS NULL;

-- STMT_LETTER_SENT: the broker has it
UPDATE dead_letter SET state = 'redriven', taken_until = NULL
WHERE id = ? AND replay_id = ? AND state = 'open';

-- STMT_LETTER_BACK: the broker does not have it
UPDATE dead_letter SET taken_until = NULL
WHERE id = ? AND replay_id = ? AND state = 'open';

-- STMT_LETTER_DOUBTS: sent perhaps; who sent them died or heard nothing
SELECT id, topic, replay_id, taken_until FROM dead_letter
WHERE taken_until <= ? ORDER BY taken_until LIMIT 1000;

-- STMT_LETTER_LAST: the newest one; what comes later is not a job's business
SELECT COALESCE(MAX(id), 0) FROM dead_letter;

-- STMT_LETTER_LEFT: what is left of those a job is about, and was discarded
SELECT COUNT(CASE WHEN state = 'open' THEN 1 END), COUNT(taken_until),
COUNT(CASE WHEN state = 'discarded' THEN 1 END) FROM dead_letter
WHERE state IN ('open', 'discarded') AND id >= ? AND id <= ?
AND (? = '' OR topic = ?) AND (? = '' OR reason = ?)
AND received_at >= ? AND received_at < ?;

-- STMT_LETTER_NEXT: the next of them that nobody is sending
SELECT id, topic, generation, `partition`, `offset`, COALESCE(lake_id, 0),
  COALESCE(`file`, 0), COALESCE(place, 0) FROM dead_letter
WHERE state = 'open' AND id >= ? AND id <= ?
AND (? = '' OR topic = ?) AND (? = '' OR reason = ?)
AND received_at >= ? AND received_at < ? AND taken_until IS NULL
ORDER BY id LIMIT 200;

-- STMT_LETTER_ADD: a record of quarantine; listed before, its place alone
INSERT INTO dead_letter (topic, generation, `partition`, `offset`, `key`,
  reason, detail, value, size, received_at, lake_id, `file`, place)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE lake_id = VALUES(lake_id), `file` = VALUES(`file`),
  place = VALUES(place), size = VALUES(size);

-- STMT_LETTER_UNCOPIED: those that were not written to a topic of their own
SELECT id, generation, `partition`, `offset`, reason, COALESCE(lake_id, 0),
  COALESCE(`file`, 0), COALESCE(place, 0) FROM dead_letter
WHERE topic = ? AND copied_at IS NULL ORDER BY id LIMIT 100;

-- STMT_LETTER_COPIED: the broker has it there
UPDATE dead_letter SET copied_at = ? WHERE id = ?;

-- STMT_LETTER_COPY_LOCK: one program at a time writes them
SELECT GET_LOCK(CONCAT('datalake_copy_', LEFT(DATABASE(), 40)), 0);

-- STMT_LETTER_COPY_UNLOCK: now another may
SELECT RELEASE_LOCK(CONCAT('datalake_copy_', LEFT(DATABASE(), 40)));

-- STMT_LETTER_OPEN: how many wait for somebody, by topic
SELECT topic, COUNT(*) FROM dead_letter WHERE state = 'open' GROUP BY topic;

-- STMT_LETTER_PLACE: how far the quarantine of a dataset is listed
SELECT lake_id, `file`, place FROM dead_letter_position WHERE dataset = ?;

-- STMT_LETTER_PLACE_ADD: it is listed for the first time
INSERT INTO dead_letter_position (dataset, lake_id, `file`, place)
VALUES (?, ?, ?, ?);

-- STMT_LETTER_PLACE_MOVE: compare and set, exactly one row or it is another's
UPDATE dead_letter_position SET lake_id = ?, `file` = ?, place = ?
WHERE dataset = ? AND lake_id = ? AND `file` = ? AND place = ?;

-- --- Rollups and their watermark (dlc_wh_advance.c) -------------------------

-- STMT_WATERMARK: how far the rollups are
SELECT next_offset, generation FROM sink_offset
WHERE sink = 'rollup' AND topic = ? AND `partition` = ?;

-- STMT_WATERMARK_MOVE: compare and set, exactly one row or we have lost it
UPDATE sink_offset SET next_offset = ?, generation = ?
WHERE sink = 'rollup' AND topic = ? AND `partition` = ? AND generation = ?
  AND next_offset = ?;

-- STMT_ADJUST_READ: adjustments below the watermark
SELECT `offset`, second, user_id, product_id, currency, transaction_type,
  status, product_category, n, amount, amount_base, unconverted, quantity,
  revision
FROM rollup_adjust
WHERE topic = ? AND generation = ? AND `partition` = ? AND `offset` < ?
ORDER BY `offset`, revision
LIMIT 2000;

-- STMT_ADJUST_DELETE_TO: they are in the rollups now
DELETE FROM rollup_adjust
WHERE topic = ? AND generation = ? AND `partition` = ?
  AND (`offset` < ? OR (`offset` = ? AND revision <= ?));

-- STMT_ADJUST_KEYS: adjustments inside a gap that is read from the facts
SELECT `offset`, revision FROM rollup_adjust
WHERE topic = ? AND generation = ? AND `partition` = ? AND `offset` >= ?
  AND `offset` < ?
ORDER BY `offset`, revision
LIMIT 256;

-- STMT_ADJUST_DELETE: one of them
DELETE FROM rollup_adjust
WHERE topic = ? AND generation = ? AND `partition` = ? AND `offset` = ?
  AND revision = ?;

-- --- datalakectl doctor -----------------------------------------------------

-- STMT_LOCAL_SETTING: may a client send a file
SELECT @@local_infile;

-- --- Spend metrics (dl_wh_metrics.c): rollup, tail past the watermark, and
-- adjustments below it, in one statement of one snapshot.  {tail} becomes
-- STMT_WORD_RANGE as often as needed, joined by OR: each a range of the primary
-- key, unused ones -1.  (A join with the watermarks would use two columns of
-- that key and read whole partitions.)  A list is '*' or texts joined by
-- commas; a currency of '' is all, converted. --------------------------------

-- STMT_WORD_RANGE: the facts of one partition past the watermark
(src_generation = ? AND src_partition = ? AND src_offset >= ?);

-- STMT_METRIC_WATERMARK: how far the rollups are, and which generation is new
SELECT f.`partition`, COALESCE(r.generation, 0), COALESCE(r.next_offset, 0),
  f.generation
FROM api_watermark f LEFT JOIN api_watermark r
  ON r.sink = 'rollup' AND r.topic = f.topic AND r.`partition` = f.`partition`
WHERE f.sink = 'warehouse' AND f.topic = ?
ORDER BY f.`partition`;

-- STMT_METRIC_POSITION: a number that rises with each commit and each rollup
SELECT CAST(COALESCE(SUM(next_offset), 0) + COALESCE(SUM(generation), 0)
  + (SELECT COUNT(*) FROM api_adjust) AS SIGNED)
FROM api_watermark WHERE topic = ? OR sink = 'rates';

-- STMT_METRIC_WINDOW: the rollup's part of a window of event time; three plain
-- sums cost half of one over a UNION
SELECT CAST(COALESCE(SUM(n), 0) AS SIGNED), COALESCE(SUM(amount), 0),
  COALESCE(SUM(amount_base), 0), CAST(COALESCE(SUM(unconverted), 0) AS SIGNED)
FROM api_spend_second
WHERE second >= ? AND second < ?
  AND (? = '*' OR FIND_IN_SET(status, ?) > 0)
  AND (? = '*' OR FIND_IN_SET(transaction_type, ?) > 0)
  AND (? = '' OR currency = ?);

-- STMT_METRIC_WINDOW_TAIL: the tail's part
SELECT COUNT(*), COALESCE(SUM(amount), 0), COALESCE(SUM(amount_base), 0),
  CAST(COALESCE(SUM(CASE WHEN amount IS NOT NULL AND amount_base IS NULL
    THEN 1 ELSE 0 END), 0) AS SIGNED)
FROM api_transaction
WHERE `timestamp` >= ? AND `timestamp` < ?
  AND (? = '*' OR FIND_IN_SET(status, ?) > 0)
  AND (? = '*' OR FIND_IN_SET(transaction_type, ?) > 0)
  AND (? = '' OR currency = ?)
  AND ({tail});

-- STMT_METRIC_WINDOW_ADJUST: what the rollup still has to take back of it
SELECT CAST(COALESCE(SUM(a.n), 0) AS SIGNED), COALESCE(SUM(a.amount), 0),
  COALESCE(SUM(a.amount_base), 0), CAST(COALESCE(SUM(a.unconverted), 0) AS SIGNED)
FROM api_adjust a JOIN api_watermark w
    ON w.sink = 'rollup' AND w.topic = a.topic AND w.`partition` = a.`partition`
WHERE a.topic = ? AND (a.generation < w.generation OR
  (a.generation = w.generation AND a.`offset` < w.next_offset))
  AND a.second >= ? AND a.second < ?
  AND (? = '*' OR FIND_IN_SET(a.status, ?) > 0)
  AND (? = '*' OR FIND_IN_SET(a.transaction_type, ?) > 0)
  AND (? = '' OR a.currency = ?);

-- STMT_METRIC_PRODUCTS: the products sold most, by the newest name that the
-- rollup or the tail has: a place of 66 characters that sorts, then the name.
-- The tail is read once, for the names of all its rows and the sums of those
-- selected
SELECT x.product_id,
  COALESCE(CASE WHEN p.name IS NULL OR LEFT(x.newest, 66) > CONCAT(
      CAST(p.updated_at AS CHAR(26)), LPAD(p.src_generation, 10, '0'),
      LPAD(p.src_partition, 10, '0'), LPAD(p.src_offset, 20, '0'))
    THEN SUBSTRING(x.newest, 67) END, p.name, x.product_id),
  CAST(x.quantity AS SIGNED), CAST(x.n AS SIGNED)
FROM (
  SELECT product_id, SUM(quantity) AS quantity, SUM(n) AS n,
    MAX(newest) AS newest
  FROM (
    SELECT product_id, SUM(quantity) AS quantity, SUM(n) AS n, NULL AS newest
    FROM api_product_total
    WHERE (? = '*' OR FIND_IN_SET(status, ?) > 0)
    AND (? = '*' OR FIND_IN_SET(transaction_type, ?) > 0)
    AND (? = '' OR currency = ?)
    GROUP BY product_id
    UNION ALL
    SELECT product_id,
      SUM(CASE WHEN (? = '*' OR FIND_IN_SET(status, ?) > 0)
        AND (? = '*' OR FIND_IN_SET(transaction_type, ?) > 0)
        AND (? = '' OR currency = ?)
        THEN quantity ELSE 0 END),
      SUM(CASE WHEN (? = '*' OR FIND_IN_SET(status, ?) > 0)
        AND (? = '*' OR FIND_IN_SET(transaction_type, ?) > 0)
        AND (? = '' OR currency = ?)
        THEN 1 ELSE 0 END),
      MAX(CASE WHEN product_name IS NULL THEN NULL ELSE CONCAT(
        CAST(src_time AS CHAR(26)), LPAD(src_generation, 10, '0'),
        LPAD(src_partition, 10, '0'), LPAD(src_offset, 20, '0'),
        product_name) END)
    FROM api_transaction
    WHERE product_id IS NOT NULL
    AND ({tail})
    GROUP BY product_id
    UNION ALL
    SELECT a.product_id, SUM(a.quantity), SUM(a.n), NULL
    FROM api_adjust a JOIN api_watermark w
    ON w.sink = 'rollup' AND w.topic = a.topic AND w.`partition` = a.`partition`
  WHERE a.topic = ? AND (a.generation < w.generation OR
    (a.generation = w.generation AND a.`offset` < w.next_offset))
    AND a.product_id IS NOT NULL
    AND (? = '*' OR FIND_IN_SET(a.status, ?) > 0)
    AND (? = '*' OR FIND_IN_SET(a.transaction_type, ?) > 0)
    AND (? = '' OR a.currency = ?)
    GROUP BY a.product_id
  ) u
  GROUP BY product_id
  HAVING SUM(n) > 0
  ORDER BY quantity DESC, product_id
  LIMIT ?
) x LEFT JOIN api_product p ON p.product_id = x.product_id
ORDER BY x.quantity DESC, x.product_id;

-- STMT_METRIC_USERS: users by what they spent, behind one of them
SELECT user_id, SUM(CASE WHEN ? = '' THEN amount_base ELSE amount END) AS total,
  CAST(SUM(CASE WHEN ? = '' THEN unconverted ELSE 0 END) AS SIGNED)
FROM (
  SELECT user_id, SUM(n) AS n, SUM(amount) AS amount,
    SUM(amount_base) AS amount_base, SUM(unconverted) AS unconverted
  FROM api_spend_user
  WHERE user_id >= ?
    AND (? = '*' OR FIND_IN_SET(status, ?) > 0)
    AND (? = '*' OR FIND_IN_SET(transaction_type, ?) > 0)
    AND (? = '' OR currency = ?)
  GROUP BY user_id
  UNION ALL
  SELECT user_id, COUNT(*) AS n, SUM(COALESCE(amount, 0)) AS amount,
    SUM(COALESCE(amount_base, 0)) AS amount_base,
    SUM(CASE WHEN amount IS NOT NULL AND amount_base IS NULL THEN 1 ELSE 0 END)
      AS unconverted
  FROM api_transaction
  WHERE user_id >= ?
    AND (? = '*' OR FIND_IN_SET(status, ?) > 0)
    AND (? = '*' OR FIND_IN_SET(transaction_type, ?) > 0)
    AND (? = '' OR currency = ?)
    AND ({tail})
  GROUP BY user_id
  UNION ALL
  SELECT a.user_id, SUM(a.n) AS n, SUM(a.amount) AS amount,
    SUM(a.amount_base) AS amount_base, SUM(a.unconverted) AS unconverted
  FROM api_adjust a JOIN api_watermark w
    ON w.sink = 'rollup' AND w.topic = a.topic AND w.`partition` = a.`partition`
  WHERE a.topic = ? AND (a.generation < w.generation OR
    (a.generation = w.generation AND a.`offset` < w.next_offset))
    AND a.user_id >= ?
    AND (? = '*' OR FIND_IN_SET(a.status, ?) > 0)
    AND (? = '*' OR FIND_IN_SET(a.transaction_type, ?) > 0)
    AND (? = '' OR a.currency = ?)
  GROUP BY a.user_id
) u
GROUP BY user_id
HAVING SUM(n) > 0
  AND (? = 1 OR total < CAST(? AS DECIMAL(38,10))
    OR (total = CAST(? AS DECIMAL(38,10)) AND user_id > ?))
ORDER BY total DESC, user_id
LIMIT ?;

-- STMT_METRIC_USER_TYPES: users and types in order, behind one of them
SELECT user_id, transaction_type, SUM(CASE WHEN ? = '' THEN amount_base ELSE amount END) AS total,
  CAST(SUM(CASE WHEN ? = '' THEN unconverted ELSE 0 END) AS SIGNED)
FROM (
  SELECT user_id, transaction_type, SUM(n) AS n, SUM(amount) AS amount,
    SUM(amount_base) AS amount_base, SUM(unconverted) AS unconverted
  FROM api_spend_user
  WHERE user_id >= ?
    AND (? = '*' OR FIND_IN_SET(status, ?) > 0)
    AND (? = '*' OR FIND_IN_SET(transaction_type, ?) > 0)
    AND (? = '' OR currency = ?)
  GROUP BY user_id, transaction_type
  UNION ALL
  SELECT user_id, transaction_type, COUNT(*) AS n, SUM(COALESCE(amount, 0)) AS amount,
    SUM(COALESCE(amount_base, 0)) AS amount_base,
    SUM(CASE WHEN amount IS NOT NULL AND amount_base IS NULL THEN 1 ELSE 0 END)
      AS unconverted
  FROM api_transaction
  WHERE user_id >= ?
    AND (? = '*' OR FIND_IN_SET(status, ?) > 0)
    AND (? = '*' OR FIND_IN_SET(transaction_type, ?) > 0)
    AND (? = '' OR currency = ?)
    AND ({tail})
  GROUP BY user_id, transaction_type
  UNION ALL
  SELECT a.user_id, a.transaction_type, SUM(a.n) AS n, SUM(a.amount) AS amount,
    SUM(a.amount_base) AS amount_base, SUM(a.unconverted) AS unconverted
  FROM api_adjust a JOIN api_watermark w
    ON w.sink = 'rollup' AND w.topic = a.topic AND w.`partition` = a.`partition`
  WHERE a.topic = ? AND (a.generation < w.generation OR
    (a.generation = w.generation AND a.`offset` < w.next_offset))
    AND a.user_id >= ?
    AND (? = '*' OR FIND_IN_SET(a.status, ?) > 0)
    AND (? = '*' OR FIND_IN_SET(a.transaction_type, ?) > 0)
    AND (? = '' OR a.currency = ?)
  GROUP BY a.user_id, a.transaction_type
) u
GROUP BY user_id, transaction_type
HAVING SUM(n) > 0
  AND (? = 1 OR user_id > ? OR (user_id = ? AND transaction_type > ?))
ORDER BY user_id, transaction_type
LIMIT ?;

-- STMT_METRIC_SHARES: what 32 users spent, by type and category
SELECT user_id, transaction_type, product_category,
  SUM(CASE WHEN ? = '' THEN amount_base ELSE amount END) AS total,
  CAST(SUM(CASE WHEN ? = '' THEN unconverted ELSE 0 END) AS SIGNED)
FROM (
  SELECT user_id, transaction_type, product_category, SUM(n) AS n, SUM(amount) AS amount,
    SUM(amount_base) AS amount_base, SUM(unconverted) AS unconverted
  FROM api_spend_user
  WHERE user_id IN (
      ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
      ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    AND (? = '*' OR FIND_IN_SET(status, ?) > 0)
    AND (? = '*' OR FIND_IN_SET(transaction_type, ?) > 0)
    AND (? = '' OR currency = ?)
  GROUP BY user_id, transaction_type, product_category
  UNION ALL
  SELECT user_id, transaction_type, product_category, COUNT(*) AS n, SUM(COALESCE(amount, 0)) AS amount,
    SUM(COALESCE(amount_base, 0)) AS amount_base,
    SUM(CASE WHEN amount IS NOT NULL AND amount_base IS NULL THEN 1 ELSE 0 END)
      AS unconverted
  FROM api_transaction
  WHERE user_id IN (
      ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
      ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    AND (? = '*' OR FIND_IN_SET(status, ?) > 0)
    AND (? = '*' OR FIND_IN_SET(transaction_type, ?) > 0)
    AND (? = '' OR currency = ?)
    AND ({tail})
  GROUP BY user_id, transaction_type, product_category
  UNION ALL
  SELECT a.user_id, a.transaction_type, a.product_category, SUM(a.n) AS n, SUM(a.amount) AS amount,
    SUM(a.amount_base) AS amount_base, SUM(a.unconverted) AS unconverted
  FROM api_adjust a JOIN api_watermark w
    ON w.sink = 'rollup' AND w.topic = a.topic AND w.`partition` = a.`partition`
  WHERE a.topic = ? AND (a.generation < w.generation OR
    (a.generation = w.generation AND a.`offset` < w.next_offset))
    AND a.user_id IN (
      ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
      ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    AND (? = '*' OR FIND_IN_SET(a.status, ?) > 0)
    AND (? = '*' OR FIND_IN_SET(a.transaction_type, ?) > 0)
    AND (? = '' OR a.currency = ?)
  GROUP BY a.user_id, a.transaction_type, a.product_category
) u
GROUP BY user_id, transaction_type, product_category
HAVING SUM(n) > 0
ORDER BY user_id, transaction_type, product_category;

-- --- The audit log (dlc_audit_store.c, dl_wh_audit.c, dlc_ctl_audit.c) ---------

-- STMT_AUDIT_FILES: how far the files are loaded
SELECT chain, file, position, length, hash FROM audit_file;

-- STMT_AUDIT_LAST: the newest entry
SELECT COALESCE(MAX(id), 0) FROM audit_entry;

-- STMT_AUDIT_ADD: entries; the VALUES group is repeated for many
INSERT INTO audit_entry (id, `timestamp`, `user`, user_id, address, method,
  endpoint, query_params, body, resource, action, status, bytes, duration_ms,
  request_id, chain, sequence)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- STMT_AUDIT_FILE_ADD: the first lines of a file are loaded
INSERT INTO audit_file (chain, file, position, length, hash)
VALUES (?, ?, ?, ?, ?);

-- STMT_AUDIT_FILE_MOVE: compare and set, exactly one row or another loads too
UPDATE audit_file SET position = ?, length = ?, hash = ?
WHERE chain = ? AND file = ? AND position = ?;

-- STMT_AUDIT_HEAD_ADD: where a chain stands now
INSERT INTO audit_head (chain, at, length, hash) VALUES (?, ?, ?, ?);

-- STMT_AUDIT_HEADS: where the chains stood, for the verifier
SELECT chain, length, hash FROM audit_head ORDER BY chain, length;

-- STMT_AUDIT_YOUNG: whether one of a chain's first lines is too young to go
SELECT EXISTS (SELECT 1 FROM audit_entry
  WHERE chain = ? AND sequence <= ? AND `timestamp` >= ?);

-- STMT_AUDIT_FILE_FORGET: a file that was kept for long enough is gone
DELETE FROM audit_file WHERE chain = ? AND file = ? AND length = ?;

-- STMT_AUDIT_HEADS_FORGET: ... and so are the heads of its lines
DELETE FROM audit_head WHERE chain = ? AND length <= ?;

-- STMT_AUDIT_LIST: a page of entries, newest first
SELECT id, `timestamp`, `user`, user_id, address, method, endpoint,
  query_params, body, resource, action, status, bytes, duration_ms, request_id
FROM audit_entry
WHERE id < ? AND `timestamp` >= ? AND `timestamp` < ?
  AND (? IS NULL OR method = ?) AND (? = 0 OR resource IS NOT NULL)
ORDER BY id DESC LIMIT ?;

-- STMT_AUDIT_LIST_USER: the same of one account, by its index
SELECT id, `timestamp`, `user`, user_id, address, method, endpoint,
  query_params, body, resource, action, status, bytes, duration_ms, request_id
FROM audit_entry
WHERE `user` = ? AND id < ? AND `timestamp` >= ? AND `timestamp` < ?
  AND (? IS NULL OR resource = ?)
  AND (? IS NULL OR method = ?) AND (? = 0 OR resource IS NOT NULL)
ORDER BY id DESC LIMIT ?;

-- STMT_AUDIT_LIST_RESOURCE: the same of one resource, by its index
SELECT id, `timestamp`, `user`, user_id, address, method, endpoint,
  query_params, body, resource, action, status, bytes, duration_ms, request_id
FROM audit_entry
WHERE resource = ? AND id < ? AND `timestamp` >= ? AND `timestamp` < ?
  AND (? IS NULL OR method = ?)
ORDER BY id DESC LIMIT ?;

-- --- Loads of rates (dlc_rates.c) --------------------------------------------

-- STMT_RATES_LOCK: no loader commits rows of a topic meanwhile
SELECT `partition` FROM sink_offset
WHERE sink = 'warehouse' AND topic = ?
FOR UPDATE;

-- STMT_RATE_PUT: one rate
INSERT INTO currency_rate (base, currency, valid_from, rate)
VALUES (?, ?, ?, ?)
ON DUPLICATE KEY UPDATE rate = VALUES(rate);

-- STMT_RATES_RAISE: loaders read their rates anew
UPDATE sink_offset SET next_offset = next_offset + 1
WHERE sink = 'rates' AND topic = '' AND `partition` = 0;

-- STMT_WATERMARKS_LOCK: no rollup moves meanwhile
SELECT `partition`, generation, next_offset FROM sink_offset
WHERE sink = 'rollup' AND topic = ?
FOR UPDATE;

-- STMT_RATE_DAY: the next day that has rows
SELECT MIN(`timestamp`) FROM {table} WHERE `timestamp` >= ?;

-- STMT_RATE_ROWS: the rows of a day, to see which amounts change
SELECT src_generation, src_partition, src_offset, `timestamp`, user_id,
  product_id, currency, transaction_type, status, product_category, amount,
  amount_base
FROM {table}
WHERE `timestamp` >= ? AND `timestamp` < ? AND amount IS NOT NULL
FOR UPDATE;

-- STMT_RATE_APPLY: convert the rows of a day and currency anew; a parameter is
-- a text, which would make the product a double without the CAST
UPDATE {table} SET amount_base = CASE
  WHEN ABS(ROUND(amount * CAST(? AS DECIMAL(28,10)), 10)) >
    999999999999999999.9999999999 THEN NULL
  ELSE ROUND(amount * CAST(? AS DECIMAL(28,10)), 10) END
WHERE `timestamp` >= ? AND `timestamp` < ? AND UPPER(currency) = ?;

-- STMT_RATE_ADJUST: the difference of a row past the watermark
INSERT INTO rollup_adjust (topic, generation, `partition`, `offset`, revision,
  second, user_id, product_id, currency, transaction_type, status,
  product_category, n, amount, amount_base, unconverted, quantity)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, 0);

-- --- Quota windows (dl_wh_quota.c) -------------------------------------------

-- STMT_QUOTA_SAVE: a window as the server has it; the later one of two stays
INSERT INTO quota_window (subject, policy, window_start, used)
VALUES (?, ?, ?, ?)
ON DUPLICATE KEY UPDATE
used = IF(VALUES(window_start) > window_start, VALUES(used),
GREATEST(used, VALUES(used))),
window_start = GREATEST(window_start, VALUES(window_start));

-- STMT_QUOTA_LOAD: the windows that still run, those that matter most first
SELECT subject, policy, window_start, used FROM quota_window
WHERE window_start > ? ORDER BY used DESC, subject, policy LIMIT ?;

-- STMT_QUOTA_FORGET: windows that have ended
DELETE FROM quota_window WHERE window_start < ? ORDER BY window_start LIMIT 1000;

-- --- Answers under Idempotency-Key (dl_wh_idempotency.c) ---------------------

-- STMT_IDEMPOTENCY_EXPIRE: make room where a claim or an answer has expired
DELETE FROM idempotency_key WHERE owner = ? AND `key` = ? AND expires_at <= ?;

-- STMT_IDEMPOTENCY_CLAIM: this request is the first one
INSERT INTO idempotency_key (owner, `key`, body_hash, status, answer,
expires_at) VALUES (?, ?, ?, NULL, NULL, ?);

-- STMT_IDEMPOTENCY_FIND: what the first one asked for, and what it got
SELECT body_hash, status, answer FROM idempotency_key
WHERE owner = ? AND `key` = ?;

-- STMT_IDEMPOTENCY_KEEP: the answer, unless the claim is another's by now
UPDATE idempotency_key SET status = ?, answer = ?, expires_at = ?
WHERE owner = ? AND `key` = ? AND status IS NULL AND expires_at = ?;

-- STMT_IDEMPOTENCY_DROP: nothing came of it; the next one is the first
DELETE FROM idempotency_key
WHERE owner = ? AND `key` = ? AND status IS NULL AND expires_at = ?;

-- STMT_IDEMPOTENCY_FORGET: what has expired
DELETE FROM idempotency_key WHERE expires_at < ?
ORDER BY expires_at LIMIT 1000;

-- --- What the warehouse has of a topic (dl_wh_sink.c) -----------------------

-- STMT_SINK_PROGRESS: how far the warehouse is in each partition of a topic
SELECT `partition`, generation, next_offset FROM api_watermark
WHERE sink = 'warehouse' AND topic = ?
ORDER BY `partition`;

-- STMT_SINK_LOADED: what counts as loaded of two topics when rows are changed:
-- while a rebuild is under way, all that it is going to load
SELECT topic, `partition`, generation, next_offset FROM api_watermark
WHERE sink IN ('warehouse', 'rebuild') AND topic IN (?, ?);

-- STMT_SINK_REFUSED: records that passed and that the database refused, as far
-- as nobody has decided about them; the lake has them as records
SELECT COUNT(*) FROM dead_letter
WHERE topic = ? AND generation = ? AND lake_id IS NULL AND state = 'open'
  AND detail = ? AND received_at >= ? AND received_at < ?;

-- STMT_SINK_TRANSACTION: the message a transaction's row came from
SELECT src_generation, src_partition, src_offset FROM api_transaction
WHERE transaction_id = ?;

-- STMT_SINK_LOG: the same of a line of a web server, by its hash
SELECT src_generation, src_partition, src_offset FROM network_log
WHERE line_hash = ?;

-- STMT_SINK_POST: the same of a post
SELECT src_generation, src_partition, src_offset FROM social_post
WHERE post_id = ?;

-- STMT_SINK_PAYMENT: the same of a client's transaction
SELECT src_generation, src_partition, src_offset FROM client_transaction
WHERE transaction_id = ?;

-- STMT_SINK_CLIENT: the same of a client
SELECT src_generation, src_partition, src_offset FROM client
WHERE client_id = ?;

-- --- The multi-source lake (dl_wh_logs.c, dl_wh_posts.c, dl_wh_clients.c) --

-- STMT_LOG_NEWEST: the newest lines of logs of an address
SELECT id, `timestamp`, IP_Address, `Date`, `Time`, Method, URL, HTTP_Version,
  Status_Code, Response_Size
FROM network_log
WHERE IP_Address = ? ORDER BY `timestamp` DESC, id DESC LIMIT ?;

-- STMT_LOG_PAGE: those behind one of them
SELECT id, `timestamp`, IP_Address, `Date`, `Time`, Method, URL, HTTP_Version,
  Status_Code, Response_Size
FROM network_log
WHERE IP_Address = ? AND `timestamp` <= ? AND (`timestamp` < ? OR id < ?)
ORDER BY `timestamp` DESC, id DESC LIMIT ?;

-- STMT_POST_FIND: one post and its comments
SELECT 0 AS is_comment, post_id, user_id AS who, content AS words, `timestamp`,
  name, followers, likes
FROM social_post WHERE post_id = ?
UNION ALL
SELECT 1, post_id, `user`, `text`, `timestamp`, comment_id, NULL, NULL
FROM social_comment WHERE post_id = ?;

-- STMT_POST_PAGE: posts of a user, newest first
SELECT 0, post_id, user_id, content, `timestamp`, name, followers, likes
FROM social_post
WHERE user_id = ? AND `timestamp` <= ? AND (`timestamp` < ? OR post_id < ?)
ORDER BY `timestamp` DESC, post_id DESC LIMIT ?;

-- STMT_POST_COMMENTS: the comments of the same posts
SELECT 1, c.post_id, c.`user`, c.`text`, c.`timestamp`, c.comment_id,
  NULL, NULL
FROM (SELECT post_id, `timestamp` FROM social_post
  WHERE user_id = ? AND `timestamp` <= ? AND (`timestamp` < ? OR post_id < ?)
  ORDER BY `timestamp` DESC, post_id DESC LIMIT ?) p
JOIN social_comment c ON c.post_id = p.post_id
ORDER BY p.`timestamp` DESC, p.post_id DESC;

-- STMT_CLIENT_NEWEST: the newest payments of a client and who it is
SELECT 4 AS kind, t.transaction_id, t.montant, t.date_transaction, c.nom,
  c.email, c.date_inscription
FROM client_transaction t LEFT JOIN client c ON c.client_id = t.client_id
WHERE t.client_id = ?
ORDER BY t.date_transaction DESC, t.transaction_id DESC LIMIT ?;

-- STMT_CLIENT_VIEW: how many payments a client has, who it is, the newest
-- payment, a page of them, whichever it is
SELECT 0 AS kind, COUNT(*) AS id, NULL AS montant, NULL AS happened, NULL AS nom,
  NULL AS email, NULL AS since
FROM client_transaction WHERE client_id = ?
UNION ALL
SELECT 1, client_id, NULL, NULL, nom, email, date_inscription
FROM client WHERE client_id = ?
UNION ALL
(SELECT 2, transaction_id, montant, date_transaction, NULL, NULL, NULL
FROM client_transaction WHERE client_id = ?
ORDER BY date_transaction DESC, transaction_id DESC LIMIT 1)
UNION ALL
(SELECT 3, transaction_id, montant, date_transaction, NULL, NULL, NULL
FROM client_transaction
WHERE client_id = ? AND date_transaction <= ?
AND (date_transaction < ? OR transaction_id < ?)
ORDER BY date_transaction DESC, transaction_id DESC LIMIT ?);

-- STMT_ROWS_ADD: a partition has brought rows, in their transaction
INSERT INTO row_count (name, slot, n) VALUES (?, ?, ?)
ON DUPLICATE KEY UPDATE n = n + VALUES(n);

-- STMT_ROWS_REMOVED: rows that were deleted, a negative number, in the
-- transaction; few connections meet in a slot
INSERT INTO row_count (name, slot, n)
VALUES (?, 1000000 + CONNECTION_ID() % 64, ?)
ON DUPLICATE KEY UPDATE n = n + VALUES(n);

-- STMT_ROWS_READ: how many rows a table has; 0: nobody knows
SELECT CAST(COALESCE(SUM(n), 0) AS SIGNED),
  COUNT(CASE WHEN slot = -1 THEN 1 END)
FROM row_count WHERE name = ?;

-- STMT_ROWS_BEFORE: rows that nobody has counted, the same at every moment
SELECT (SELECT COUNT(*) FROM {table})
  - (SELECT CAST(COALESCE(SUM(n), 0) AS SIGNED) FROM row_count
     WHERE name = ? AND slot <> -1);

-- STMT_ROWS_BASE: that many there were
INSERT INTO row_count (name, slot, n) VALUES (?, -1, ?)
ON DUPLICATE KEY UPDATE n = VALUES(n);

-- STMT_ROWS_FORGET: the table is emptied
DELETE FROM row_count WHERE name = ?;

-- STMT_COUNT_LOGS: how many lines of logs there are
SELECT COUNT(*) FROM network_log;

-- STMT_COUNT_POSTS: how many posts
SELECT COUNT(*) FROM social_post;

-- STMT_COUNT_PAYMENTS: how many payments
SELECT COUNT(*) FROM client_transaction;

-- --- Tables of others that are collected (datalake-collect) ----------------

-- STMT_FOREIGN_PAGE: the next rows of a table, also in SQLite
SELECT {columns} FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT ?;

-- STMT_FOREIGN_TOP: the greatest key that can be seen
SELECT MAX({key}) FROM {table};

-- STMT_FOREIGN_VALUE: a column of it as text
CAST({column} AS CHAR);

-- STMT_FOREIGN_COLUMNS: the columns of a table of SQLite
PRAGMA table_info({table});

-- --- Backup (dl_wh_dump.c, dl_wh_fill.c) -----------------------------------

-- STMT_DUMP_TABLES: what is backed up, and the next id of each
SELECT table_name, auto_increment FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'
AND table_name <> 'schema_version' ORDER BY table_name;

-- STMT_DUMP_OFFSETS: what the warehouse has
SELECT sink, topic, `partition`, generation, next_offset FROM sink_offset
ORDER BY sink, topic, `partition`;

-- STMT_DUMP: all rows of a table
SELECT {columns} FROM {table};

-- STMT_DUMP_EMPTY: make room for others, some at a time
DELETE FROM {table} LIMIT 20000;

-- STMT_DUMP_NEXT_ID: ids that were given away are not given again
ALTER TABLE {table} AUTO_INCREMENT = {columns};

-- STMT_RESTORE_FOUND: whether a database is in use already
SELECT (SELECT COUNT(*) FROM app_user) + (SELECT COUNT(*) FROM sink_offset)
+ (SELECT COUNT(*) FROM job) + (SELECT COUNT(*) FROM audit_entry);

-- STMT_RESTORE_EPOCHS: no token from before a restore is good behind it
UPDATE app_user SET epoch = epoch + 100000;

-- STMT_RESTORE_SESSIONS: nor does a log-in go on
UPDATE session SET revoked_at = UTC_TIMESTAMP(6) WHERE revoked_at IS NULL;

-- STMT_RESTORE_TOLD: whoever remembers accounts is told
INSERT INTO identity_change (user_id, at)
SELECT id, UTC_TIMESTAMP(6) FROM app_user;

-- --- Retention (dlc_retention*.c) ------------------------------------------

-- STMT_RETIRE_JOBS: jobs that ended long ago, how many
SELECT COUNT(*) FROM job WHERE finished_at < ?;

-- STMT_RETIRE_LETTERS: dead letters that were received long ago
DELETE FROM dead_letter WHERE received_at < ? ORDER BY received_at LIMIT 1000;

-- STMT_RETIRE_LETTERS_COUNT: how many
SELECT COUNT(*) FROM dead_letter WHERE received_at < ?;

-- STMT_RETIRE_AUDIT: entries that were kept for long enough
DELETE FROM audit_entry WHERE `timestamp` < ? ORDER BY `timestamp` LIMIT 1000;

-- STMT_RETIRE_AUDIT_COUNT: how many
SELECT COUNT(*) FROM audit_entry WHERE `timestamp` < ?;

-- STMT_RETIRE_KEYS_COUNT: answers that nobody can ask for any more, how many
SELECT COUNT(*) FROM idempotency_key WHERE expires_at < ?;

-- STMT_RETIRE_ACCOUNTS: accounts that nobody used, page by page
SELECT id FROM app_user
WHERE deleted_at IS NULL AND COALESCE(last_login_at, created_at) < ?
AND id > ? ORDER BY id LIMIT ?;

-- STMT_RETIRE_COUNT: rows of a dataset that are old enough, how many
SELECT COUNT(*) FROM {table} WHERE {time} < ?;

-- STMT_RETIRE_PLAIN: away with them, where nothing was added up
DELETE FROM {table} WHERE {time} < ? ORDER BY {time} LIMIT 1000;

-- STMT_RETIRE_LOCK: rows that are old enough and that the rollups have seen;
-- the parameters are the topic and the time
SELECT f.src_generation, f.src_partition, f.src_offset FROM {table} f
WHERE EXISTS (SELECT 1 FROM sink_offset o
  WHERE o.sink = 'rollup' AND o.topic = ? AND o.`partition` = f.src_partition
  AND (o.generation > f.src_generation OR
    (o.generation = f.src_generation AND o.next_offset > f.src_offset)))
AND f.{time} < ? ORDER BY f.{time} LIMIT 1000
FOR UPDATE;

-- STMT_RETIRE_LOCK_PLAIN: rows that are old enough and in no rollup
SELECT f.src_generation, f.src_partition, f.src_offset FROM {table} f
WHERE f.{time} < ? ORDER BY f.{time} LIMIT 1000 FOR UPDATE;

-- STMT_RETIRE_CHILD: the rows that follow one
DELETE {child} FROM {child} JOIN {table} ON {child_match}
WHERE {table}.src_generation = ? AND {table}.src_partition = ?
AND {table}.src_offset = ?;

-- STMT_RETIRE_ADJUST: what the rollups have to take back for one row; the
-- parameters are topic, revision and the row's place
INSERT INTO rollup_adjust (topic, generation, `partition`, `offset`, revision,
  second, user_id, product_id, currency, transaction_type, status,
  product_category, n, amount, amount_base, unconverted, quantity)
SELECT ?, f.src_generation, f.src_partition, f.src_offset, ?,
  DATE_FORMAT(f.`timestamp`, '%Y-%m-%d %H:%i:%s'), f.user_id, f.product_id,
  UPPER(COALESCE(f.currency, '')), COALESCE(f.transaction_type, 'unknown'),
  COALESCE(f.status, ''), COALESCE(f.product_category, 'unknown'), -1,
  -COALESCE(f.amount, 0), -COALESCE(f.amount_base, 0),
  -CASE WHEN f.amount IS NOT NULL AND f.amount_base IS NULL THEN 1 ELSE 0 END,
  -COALESCE(f.quantity, 1)
FROM {table} f
WHERE f.src_generation = ? AND f.src_partition = ? AND f.src_offset = ?;

-- STMT_RETIRE_ROW: the row itself
DELETE FROM {table}
WHERE src_generation = ? AND src_partition = ? AND src_offset = ?;

-- --- Collectors (dlc_collect_state.c) ----------------------------------------

-- STMT_COLLECTOR_LOAD: what a source's collector remembers
SELECT item, `position` FROM collector_state WHERE collector = ? ORDER BY item;

-- STMT_COLLECTOR_SAVE: an item is with the broker up to here
INSERT INTO collector_state (collector, item, `position`, updated_at)
VALUES (?, ?, ?, ?)
ON DUPLICATE KEY UPDATE `position` = VALUES(`position`), updated_at = VALUES(updated_at);

-- STMT_COLLECTOR_FORGET: an item is gone for good
DELETE FROM collector_state WHERE collector = ? AND item = ?;
