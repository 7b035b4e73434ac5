-- 0004-spend.sql - Rollups of transaction_record, behind by a watermark.
--
-- A rollup is exact for the rows below the watermark (sink_offset, sink
-- 'rollup'): rollup + rows past the watermark + the rows of rollup_adjust
-- whose coordinates lie below the watermark = the truth, at every moment.
-- Keys: a missing currency or status is '', a missing type or category
-- 'unknown'; currency is upper case; rows without user_id are not in
-- spend_user, rows without product_id not in product_sale.
--
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE IF NOT EXISTS spend_user (
  user_id VARCHAR(64) NOT NULL COMMENT 'Who paid',
  currency VARCHAR(8) NOT NULL COMMENT 'Currency, upper case',
  transaction_type VARCHAR(255) NOT NULL COMMENT 'Kind of transaction',
  status VARCHAR(255) NOT NULL COMMENT 'State of the transaction',
  product_category VARCHAR(64) NOT NULL COMMENT 'Category or unknown',
  n BIGINT NOT NULL COMMENT 'Transactions',
  amount DECIMAL(38,10) NOT NULL COMMENT 'Sum in the currency',
  amount_base DECIMAL(38,10) NOT NULL COMMENT 'Converted sum',
  unconverted BIGINT NOT NULL COMMENT 'Amounts without a rate',
  quantity BIGINT NOT NULL COMMENT 'Sum of quantity, missing = 1',
  PRIMARY KEY (user_id, currency, transaction_type, status, product_category)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='Spend of one user in one category, type, status and currency';

CREATE TABLE IF NOT EXISTS spend_second (
  second DATETIME NOT NULL COMMENT 'Second of the event time, UTC',
  currency VARCHAR(8) NOT NULL COMMENT 'Currency, upper case',
  transaction_type VARCHAR(255) NOT NULL COMMENT 'Kind of transaction',
  status VARCHAR(255) NOT NULL COMMENT 'State of the transaction',
  n BIGINT NOT NULL COMMENT 'Transactions',
  amount DECIMAL(38,10) NOT NULL COMMENT 'Sum in the currency',
  amount_base DECIMAL(38,10) NOT NULL COMMENT 'Converted sum',
  unconverted BIGINT NOT NULL COMMENT 'Amounts without a rate',
  quantity BIGINT NOT NULL COMMENT 'Sum of quantity, missing = 1',
  PRIMARY KEY (second, currency, transaction_type, status)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='Spend of one second in one type, status and currency';

CREATE TABLE IF NOT EXISTS product_sale (
  product_id VARCHAR(64) NOT NULL COMMENT 'What was bought',
  day DATE NOT NULL COMMENT 'Event date, UTC',
  currency VARCHAR(8) NOT NULL COMMENT 'Currency, upper case',
  transaction_type VARCHAR(255) NOT NULL COMMENT 'Kind of transaction',
  status VARCHAR(255) NOT NULL COMMENT 'State of the transaction',
  n BIGINT NOT NULL COMMENT 'Transactions',
  amount DECIMAL(38,10) NOT NULL COMMENT 'Sum in the currency',
  amount_base DECIMAL(38,10) NOT NULL COMMENT 'Converted sum',
  unconverted BIGINT NOT NULL COMMENT 'Amounts without a rate',
  quantity BIGINT NOT NULL COMMENT 'Sum of quantity, missing = 1',
  PRIMARY KEY (product_id, day, currency, transaction_type, status)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='Sales of one product on one day in one type, status and currency';

CREATE TABLE IF NOT EXISTS product_total (
  product_id VARCHAR(64) NOT NULL COMMENT 'What was bought',
  currency VARCHAR(8) NOT NULL COMMENT 'Currency, upper case',
  transaction_type VARCHAR(255) NOT NULL COMMENT 'Kind of transaction',
  status VARCHAR(255) NOT NULL COMMENT 'State of the transaction',
  n BIGINT NOT NULL COMMENT 'Transactions',
  quantity BIGINT NOT NULL COMMENT 'Sum of quantity, missing = 1',
  PRIMARY KEY (product_id, currency, transaction_type, status)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='product_sale over all days: the ranking costs the same each year';

CREATE TABLE IF NOT EXISTS rollup_adjust (
  topic VARCHAR(249) NOT NULL COMMENT 'Topic of the row concerned',
  generation INT NOT NULL COMMENT 'Generation of the row concerned',
  `partition` INT NOT NULL COMMENT 'Partition of the row concerned',
  `offset` BIGINT NOT NULL COMMENT 'Offset of the row concerned',
  revision BIGINT NOT NULL
    COMMENT '0: the row was superseded; else the load of rates that did it',
  second DATETIME NOT NULL COMMENT 'Second of its event time, UTC',
  user_id VARCHAR(64) NULL COMMENT 'Its user',
  product_id VARCHAR(64) NULL COMMENT 'Its product',
  currency VARCHAR(8) NOT NULL COMMENT 'Its currency, upper case',
  transaction_type VARCHAR(255) NOT NULL COMMENT 'Its type',
  status VARCHAR(255) NOT NULL COMMENT 'Its status',
  product_category VARCHAR(64) NOT NULL COMMENT 'Its category or unknown',
  n INT NOT NULL COMMENT 'To add to n: -1, or 0 after a load of rates',
  amount DECIMAL(28,10) NOT NULL COMMENT 'To add to amount',
  amount_base DECIMAL(28,10) NOT NULL COMMENT 'To add to amount_base',
  unconverted INT NOT NULL COMMENT 'To add to unconverted',
  quantity BIGINT NOT NULL COMMENT 'To add to quantity',
  PRIMARY KEY (topic, generation, `partition`, `offset`, revision)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='What the rollups still have to take back, once the watermark has passed the row';
