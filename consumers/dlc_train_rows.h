/* dlc_train_rows.h - The newest record of each transaction, in bounded memory.
 *
 * Records come in any order; of each id the one that is later (src_time,
 * generation, partition, offset) is kept, as numbers of fixed size: a text is
 * its number in a list of the texts seen.
 *
 * The bound: when there are more ids than fit, those whose hash is in the
 * upper half of what is still taken go, and never come back.  What remains is
 * a sample by id alone, whatever the order, and the same in a second run:
 * between half of the limit and all of it.
 *
 * Thread: the owner, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_TRAIN_ROWS_H
#define DLC_TRAIN_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_feature.h"
#include "dl_lake.h"

/* Bytes of the hash of an id. */
#define DLC_TRAIN_HASH 16

/* Most different values of a text that are told apart; the others are
 * DLC_TRAIN_REST. */
#define DLC_TRAIN_WORDS 16384

/* Numbers of a text that is missing, and of one too many. */
#define DLC_TRAIN_MISSING 0
#define DLC_TRAIN_REST    (DLC_TRAIN_WORDS + 1)

/* What is known of status. */
enum dlc_train_status {
    DLC_TRAIN_NOT_COMPLETED = 0, /* it is something else */
    DLC_TRAIN_COMPLETED = 1,     /* it is completed */
    DLC_TRAIN_NO_STATUS = 2      /* it is missing */
};

/* One transaction. */
typedef struct dlc_train_row {
    uint8_t id[DLC_TRAIN_HASH];       /* hash of transaction_id */
    dl_coord coord;                   /* where it came from */
    float number[DL_FEATURE_NUMBERS]; /* NaN: missing */
    uint16_t word[DL_FEATURE_TEXTS];  /* numbers of texts, from 1 */
    uint8_t status;                   /* a dlc_train_status */
    bool is_test;                     /* it belongs to the test set */
} dlc_train_row;

/* All of them. */
typedef struct dlc_train_rows dlc_train_rows;

/* Return room for at most LIMIT (at least 2) rows; its memory is freed with
 * POOL. */
dlc_train_rows *dlc_train_rows_create(size_t limit, apr_pool_t *pool);

/* Set id and is_test of ROW by the LEN bytes of the transaction_id at TEXT. */
void dlc_train_row_name(dlc_train_row *row, const char *text, size_t len);

/* Whether ROW, whose id is set, can be kept at all: nothing else of it need be
 * known otherwise. */
bool dlc_train_rows_wants(const dlc_train_rows *rows, const dlc_train_row *row);

/* Return the number of VALUE, which is not missing, among the values of text
 * I. */
uint16_t dlc_train_rows_word(dlc_train_rows *rows, int i,
                             dl_feature_value value);

/* Return value NUMBER (1 to DLC_TRAIN_WORDS) of text I. */
dl_feature_value dlc_train_rows_value(const dlc_train_rows *rows, int i,
                                      int number);

/* Return how many different values of text I have a number. */
int dlc_train_rows_words(const dlc_train_rows *rows, int i);

/* Keep ROW, unless a later one of its id is there. */
void dlc_train_rows_add(dlc_train_rows *rows, const dlc_train_row *row);

/* Return how many rows there are. */
size_t dlc_train_rows_count(const dlc_train_rows *rows);

/* Return row I, in order of the first record of its id. */
const dlc_train_row *dlc_train_rows_at(const dlc_train_rows *rows, size_t i);

#endif
