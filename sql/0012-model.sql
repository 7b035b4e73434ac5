-- 0012-model.sql - What was trained.
--
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE IF NOT EXISTS model (
  id CHAR(36) NOT NULL COMMENT 'UUID of the model, the one of its job',
  target VARCHAR(16) NOT NULL COMMENT 'What it predicts: completed, amount',
  version INT NOT NULL COMMENT 'Number of it among those of its target, from 1',
  algorithm VARCHAR(32) NOT NULL COMMENT 'How it was trained: xgboost',
  trained_at DATETIME(6) NOT NULL COMMENT 'When, UTC',
  n_train BIGINT NOT NULL COMMENT 'Rows it learned from',
  n_test BIGINT NOT NULL COMMENT 'Rows it was judged by',
  metrics TEXT NOT NULL COMMENT 'How good it is, a JSON object',
  details TEXT NOT NULL COMMENT 'The result of its job, a JSON object',
  lake_version VARCHAR(64) NOT NULL COMMENT 'State of the lake it was made of',
  PRIMARY KEY (id),
  UNIQUE KEY model_version (target, version),
  KEY model_trained_at (trained_at, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='One trained model; its file says which is current';

CREATE TABLE IF NOT EXISTS model_target (
  target VARCHAR(16) NOT NULL COMMENT 'What can be trained',
  PRIMARY KEY (target)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  COMMENT='Locked by whoever asks for a training, so that only one is asked for';

INSERT INTO model_target (target)
VALUES ('completed'), ('amount')
ON DUPLICATE KEY UPDATE target = VALUES(target);
