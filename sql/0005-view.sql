-- 0005-view.sql - What the API's account may read of the warehouse.
--
-- SPDX-License-Identifier: Apache-2.0

CREATE OR REPLACE VIEW api_watermark AS
  SELECT sink, topic, `partition`, next_offset, generation FROM sink_offset;

CREATE OR REPLACE VIEW api_transaction AS
  SELECT transaction_id, `timestamp`, user_id, product_id, product_name, amount,
         UPPER(COALESCE(currency, '')) AS currency, amount_base,
         COALESCE(transaction_type, 'unknown') AS transaction_type,
         COALESCE(status, '') AS status,
         COALESCE(product_category, 'unknown') AS product_category,
         COALESCE(quantity, 1) AS quantity,
         src_generation, src_partition, src_offset, src_time
  FROM transaction_record;

CREATE OR REPLACE VIEW api_spend_user AS
  SELECT user_id, currency, transaction_type, status, product_category,
         n, amount, amount_base, unconverted, quantity
  FROM spend_user;

CREATE OR REPLACE VIEW api_spend_second AS
  SELECT second, currency, transaction_type, status,
         n, amount, amount_base, unconverted, quantity
  FROM spend_second;

CREATE OR REPLACE VIEW api_product_sale AS
  SELECT product_id, day, currency, transaction_type, status,
         n, amount, amount_base, unconverted, quantity
  FROM product_sale;

CREATE OR REPLACE VIEW api_product_total AS
  SELECT product_id, currency, transaction_type, status, n, quantity
  FROM product_total;

CREATE OR REPLACE VIEW api_product AS
  SELECT product_id, name, updated_at, src_generation, src_partition, src_offset
  FROM product;

CREATE OR REPLACE VIEW api_adjust AS
  SELECT topic, generation, `partition`, `offset`, second, user_id, product_id,
         currency, transaction_type, status, product_category,
         n, amount, amount_base, unconverted, quantity
  FROM rollup_adjust;

CREATE OR REPLACE VIEW api_dead_letter AS
  SELECT id, topic, generation, `partition`, `offset`, `key`, reason, detail,
         value, state, attempts, received_at, replay_id
  FROM dead_letter;
