-- 0013-multi.sql - Web server logs, clients and their payments.
--
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE IF NOT EXISTS network_log (
  id BIGINT NOT NULL COMMENT 'Made of the coordinates of its record',
  IP_Address VARCHAR(45) NOT NULL COMMENT 'Who asked, as received',
  `Date` VARCHAR(255) NOT NULL COMMENT 'Day as received: 20/Jan/2023',
  `Time` VARCHAR(255) NOT NULL COMMENT 'Time of day as received: 11:37:58',
  Method VARCHAR(255) NULL COMMENT 'GET, POST, ...',
  URL VARCHAR(2048) NULL COMMENT 'What was asked for',
  HTTP_Version VARCHAR(255) NULL COMMENT 'HTTP/1.1, ...',
  Status_Code VARCHAR(255) NULL COMMENT 'Answer, digits',
  Response_Size VARCHAR(255) NULL COMMENT 'Bytes of it, digits',
  `timestamp` DATETIME(6) NOT NULL COMMENT 'Date and Time, UTC',
  line_hash CHAR(64) NOT NULL
    COMMENT 'SHA-256 of the eight members as received; no change touches it',
  src_generation INT NOT NULL COMMENT 'Generation of its record',
  src_partition INT NOT NULL COMMENT 'Partition of it',
  src_offset BIGINT NOT NULL COMMENT 'Offset of it',
  src_time DATETIME(6) NOT NULL COMMENT 'Kafka timestamp of it, UTC',
  PRIMARY KEY (id),
  UNIQUE KEY network_log_line_hash (line_hash),
  UNIQUE KEY network_log_src (src_generation, src_partition, src_offset),
  KEY network_log_ip (IP_Address, `timestamp`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='One line of a web server''s log; an equal line is the same row';

CREATE TABLE IF NOT EXISTS client (
  client_id BIGINT NOT NULL COMMENT 'Business key',
  nom VARCHAR(255) NULL COMMENT 'Name',
  email VARCHAR(255) NULL COMMENT 'E-mail address',
  date_inscription VARCHAR(255) NULL COMMENT 'Since when, as received',
  src_generation INT NOT NULL COMMENT 'Generation of the last record',
  src_partition INT NOT NULL COMMENT 'Partition of it',
  src_offset BIGINT NOT NULL COMMENT 'Offset of it',
  src_time DATETIME(6) NOT NULL COMMENT 'Kafka timestamp of it, UTC',
  PRIMARY KEY (client_id),
  UNIQUE KEY client_src (src_generation, src_partition, src_offset)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='One client as the latest record describes it';

CREATE TABLE IF NOT EXISTS client_transaction (
  transaction_id BIGINT NOT NULL COMMENT 'Business key',
  client_id BIGINT NOT NULL COMMENT 'Who paid',
  montant DECIMAL(28,10) NULL COMMENT 'Amount',
  date_transaction DATETIME(6) NOT NULL COMMENT 'When, UTC',
  src_generation INT NOT NULL COMMENT 'Generation of the last record',
  src_partition INT NOT NULL COMMENT 'Partition of it',
  src_offset BIGINT NOT NULL COMMENT 'Offset of it',
  src_time DATETIME(6) NOT NULL COMMENT 'Kafka timestamp of it, UTC',
  PRIMARY KEY (transaction_id),
  UNIQUE KEY client_transaction_src (src_generation, src_partition, src_offset),
  KEY client_transaction_client (client_id, date_transaction)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='One payment as its latest record describes it';

CREATE TABLE IF NOT EXISTS social_post (
  post_id VARCHAR(64) NOT NULL COMMENT 'Business key',
  user_id VARCHAR(64) NOT NULL COMMENT 'Who wrote it',
  name VARCHAR(255) NULL COMMENT 'Name of that user',
  followers INT NULL COMMENT 'How many follow that user',
  content TEXT NULL COMMENT 'What was written, up to 16,383 characters',
  `timestamp` DATETIME(6) NOT NULL COMMENT 'When, UTC',
  likes INT NULL COMMENT 'How many like it',
  src_generation INT NOT NULL COMMENT 'Generation of the last record',
  src_partition INT NOT NULL COMMENT 'Partition of it',
  src_offset BIGINT NOT NULL COMMENT 'Offset of it',
  src_time DATETIME(6) NOT NULL COMMENT 'Kafka timestamp of it, UTC',
  PRIMARY KEY (post_id),
  UNIQUE KEY social_post_src (src_generation, src_partition, src_offset),
  KEY social_post_user (user_id, `timestamp`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='One post as its latest record describes it';

CREATE TABLE IF NOT EXISTS social_comment (
  post_id VARCHAR(64) NOT NULL COMMENT 'To which post',
  comment_id VARCHAR(64) NOT NULL COMMENT 'Key within the post',
  `user` VARCHAR(255) NULL COMMENT 'Who wrote it',
  `text` TEXT NULL COMMENT 'What, up to 16,383 characters',
  `timestamp` DATETIME(6) NULL COMMENT 'When, UTC',
  PRIMARY KEY (post_id, comment_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='One comment; it comes, changes and goes with the row of its post';
