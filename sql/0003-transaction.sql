-- 0003-transaction.sql - Currency rates, products, transactions.
--
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE IF NOT EXISTS currency_rate (
  base CHAR(3) NOT NULL COMMENT 'Currency that amounts are converted to',
  currency CHAR(3) NOT NULL COMMENT 'Currency of the amount, upper case',
  valid_from DATE NOT NULL COMMENT 'First event date (UTC) it is valid for',
  rate DECIMAL(28,10) NOT NULL COMMENT 'amount_base = amount x rate',
  PRIMARY KEY (base, currency, valid_from)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='One exchange rate, valid until the next valid_from';

INSERT INTO currency_rate (base, currency, valid_from, rate)
  VALUES ('EUR', 'EUR', '1970-01-01', 1)
  ON DUPLICATE KEY UPDATE rate = VALUES(rate);

-- Raised by each load of rates; the loader reads its rates anew then.
INSERT INTO sink_offset (sink, topic, `partition`, next_offset)
  VALUES ('rates', '', 0, 0)
  ON DUPLICATE KEY UPDATE next_offset = next_offset;

CREATE TABLE IF NOT EXISTS product (
  product_id VARCHAR(64) NOT NULL COMMENT 'Business key of the product',
  name VARCHAR(255) NOT NULL COMMENT 'Newest name a record gave it',
  updated_at DATETIME(6) NOT NULL
    COMMENT 'Kafka timestamp of that record, UTC',
  src_generation INT NOT NULL COMMENT 'Generation of that record',
  src_partition INT NOT NULL COMMENT 'Partition of that record',
  src_offset BIGINT NOT NULL COMMENT 'Offset of that record',
  PRIMARY KEY (product_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='One product by its newest name';

CREATE TABLE IF NOT EXISTS transaction_record (
  transaction_id VARCHAR(64) NOT NULL COMMENT 'Business key',
  `timestamp` DATETIME(6) NOT NULL COMMENT 'Event time, UTC',
  user_id VARCHAR(64) NULL COMMENT 'Who paid',
  user_name VARCHAR(255) NULL COMMENT 'Name of that user',
  product_id VARCHAR(64) NULL COMMENT 'What was bought',
  product_name VARCHAR(255) NULL COMMENT 'Its name in this record',
  amount DECIMAL(28,10) NULL COMMENT 'Amount in the record''s currency',
  currency VARCHAR(8) NULL COMMENT 'Currency as received',
  amount_base DECIMAL(28,10) NULL
    COMMENT 'Amount in the base currency; NULL: no rate or no amount',
  transaction_type VARCHAR(255) NULL
    COMMENT 'purchase, refund, payment, withdrawal or another text',
  status VARCHAR(255) NULL
    COMMENT 'completed, pending, failed, processing, cancelled or another',
  payment_method VARCHAR(255) NULL COMMENT 'How it was paid',
  product_category VARCHAR(64) NULL COMMENT 'Category of the product',
  quantity INT NULL COMMENT 'Pieces; NULL counts as 1',
  city VARCHAR(255) NULL COMMENT 'location.city',
  country VARCHAR(255) NULL COMMENT 'location.country',
  shipping_street VARCHAR(255) NULL COMMENT 'shipping_address.street',
  shipping_zip VARCHAR(255) NULL COMMENT 'shipping_address.zip',
  shipping_city VARCHAR(255) NULL COMMENT 'shipping_address.city',
  shipping_country VARCHAR(255) NULL COMMENT 'shipping_address.country',
  device_os VARCHAR(255) NULL COMMENT 'device_info.os',
  device_browser VARCHAR(255) NULL COMMENT 'device_info.browser',
  device_ip VARCHAR(255) NULL COMMENT 'device_info.ip_address',
  customer_rating INT NULL COMMENT 'Stars',
  discount_code VARCHAR(255) NULL COMMENT 'Voucher used',
  tax_amount DECIMAL(28,10) NULL COMMENT 'Tax in the amount',
  thread INT NULL COMMENT 'Producer thread',
  message_number INT NULL COMMENT 'Number within the thread',
  timestamp_of_reception_log VARCHAR(64) NULL COMMENT 'As received',
  origin VARCHAR(16) NULL COMMENT 'Header dl-origin of the last record',
  src_generation INT NOT NULL COMMENT 'Generation of the last record',
  src_partition INT NOT NULL COMMENT 'Partition of the last record',
  src_offset BIGINT NOT NULL COMMENT 'Offset of the last record',
  src_time DATETIME(6) NOT NULL COMMENT 'Kafka timestamp of it, UTC',
  PRIMARY KEY (src_generation, src_partition, src_offset),
  UNIQUE KEY transaction_record_id (transaction_id),
  KEY transaction_record_timestamp (`timestamp`),
  KEY transaction_record_user_id (user_id),
  KEY transaction_record_product_id (product_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='One transaction as its latest record describes it';
