-- 0002-ingest.sql - Where the loader stands, and what it had to refuse.
--
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE IF NOT EXISTS sink_offset (
  sink VARCHAR(16) NOT NULL
    COMMENT 'warehouse: fact rows; rollup: watermark; rates: loads of rates',
  topic VARCHAR(249) NOT NULL COMMENT 'Kafka topic',
  `partition` INT NOT NULL COMMENT 'Kafka partition',
  next_offset BIGINT NOT NULL
    COMMENT 'First offset that is not in the tables yet',
  generation INT NOT NULL DEFAULT 0
    COMMENT 'Life of the topic that offsets count in',
  cluster_id VARCHAR(64) NOT NULL DEFAULT ''
    COMMENT 'Kafka cluster that offsets count in',
  PRIMARY KEY (sink, topic, `partition`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='Progress of one sink in one partition, moved with its rows';

CREATE TABLE IF NOT EXISTS dead_letter (
  id BIGINT NOT NULL AUTO_INCREMENT COMMENT 'Number of the dead letter',
  topic VARCHAR(249) NOT NULL COMMENT 'Kafka topic',
  generation INT NOT NULL DEFAULT 0 COMMENT 'Life of the topic',
  `partition` INT NOT NULL COMMENT 'Kafka partition',
  `offset` BIGINT NOT NULL COMMENT 'Kafka offset',
  `key` VARCHAR(1024) NULL
    COMMENT 'Kafka key, cut, NULL when absent or not UTF-8',
  reason VARCHAR(16) NOT NULL
    COMMENT 'not-json, not-object, encoding, too-big, schema or bad-time',
  detail VARCHAR(512) NOT NULL DEFAULT '' COMMENT 'What was wrong',
  value MEDIUMBLOB NOT NULL COMMENT 'The bytes received, cut after 64 KiB',
  state ENUM('open','redriven','discarded') NOT NULL DEFAULT 'open'
    COMMENT 'What became of it',
  attempts INT NOT NULL DEFAULT 0 COMMENT 'How often it was sent again',
  received_at DATETIME(6) NOT NULL COMMENT 'Kafka timestamp, UTC',
  replay_id CHAR(36) NULL COMMENT 'Header dl-replay-id of the last attempt',
  PRIMARY KEY (id),
  UNIQUE KEY dead_letter_place (topic, generation, `partition`, `offset`),
  KEY dead_letter_state (state, id),
  KEY dead_letter_received_at (received_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  /*T![auto_id_cache] AUTO_ID_CACHE=1 */
  COMMENT='One message that could not be stored as a record';
