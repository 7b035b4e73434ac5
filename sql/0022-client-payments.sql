-- 0022-client-payments.sql - A page of a client's payments is read from one
-- index, without the rows themselves.
--
-- SPDX-License-Identifier: Apache-2.0

SET @change = (SELECT IF(COUNT(*) > 0, 'SELECT 0', 'ALTER TABLE client_transaction
  ADD KEY client_transaction_page (client_id, date_transaction, transaction_id, montant)')
  FROM information_schema.statistics WHERE table_schema = DATABASE()
  AND table_name = 'client_transaction' AND index_name = 'client_transaction_page');
PREPARE payment_change FROM @change;
EXECUTE payment_change;
DEALLOCATE PREPARE payment_change;

SET @change = (SELECT IF(COUNT(*) = 0, 'SELECT 0', 'ALTER TABLE client_transaction
  DROP KEY client_transaction_client')
  FROM information_schema.statistics WHERE table_schema = DATABASE()
  AND table_name = 'client_transaction' AND index_name = 'client_transaction_client');
PREPARE payment_change FROM @change;
EXECUTE payment_change;
DEALLOCATE PREPARE payment_change;
