/* dl_feature.h - What a model looks at: numbers and texts of one transaction.
 *
 * The trainer reads them from the lake, httpd from a request; both turn them
 * into the columns of a model by a layout (MODEL.md 3).
 *
 * Thread: any, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_FEATURE_H
#define DL_FEATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dl_decimal.h"
#include "dl_time.h"

/* What is predicted. */
typedef enum dl_target {
    DL_TARGET_COMPLETED, /* "completed": whether status is completed */
    DL_TARGET_AMOUNT,    /* "amount": the amount in the base currency */
    DL_TARGETS           /* how many there are */
} dl_target;

/* The numbers, in order of columns. */
enum dl_feature_number {
    DL_FEATURE_AMOUNT,   /* in the base currency */
    DL_FEATURE_QUANTITY, /* quantity */
    DL_FEATURE_RATING,   /* customer_rating */
    DL_FEATURE_HOUR,     /* of timestamp, UTC */
    DL_FEATURE_WEEKDAY,  /* likewise, 0 Monday */
    DL_FEATURE_NUMBERS   /* how many there are */
};

/* The texts, in order of columns. */
enum dl_feature_text {
    DL_FEATURE_CURRENCY, /* currency */
    DL_FEATURE_TYPE,     /* transaction_type */
    DL_FEATURE_METHOD,   /* payment_method */
    DL_FEATURE_CATEGORY, /* product_category */
    DL_FEATURE_COUNTRY,  /* country */
    DL_FEATURE_TEXTS     /* how many there are */
};

/* Most values of a text that have a column of their own, and their bytes. */
#define DL_FEATURE_VALUES    64
#define DL_FEATURE_VALUE_MAX 255

/* Most columns of a model. */
#define DL_FEATURE_COLUMNS                                                     \
    (DL_FEATURE_NUMBERS + DL_FEATURE_TEXTS * (DL_FEATURE_VALUES + 1))

/* Some bytes. */
typedef struct dl_feature_value {
    const char *text; /* NULL: missing */
    size_t len;       /* bytes of it */
} dl_feature_value;

/* One transaction. */
typedef struct dl_feature_row {
    float number[DL_FEATURE_NUMBERS];        /* NaN: missing */
    dl_feature_value text[DL_FEATURE_TEXTS]; /* text NULL: missing */
} dl_feature_row;

/* How rows become columns. */
typedef struct dl_feature_layout {
    unsigned numbers;        /* bit i: number i is an input */
    int n[DL_FEATURE_TEXTS]; /* values of each text with a column */
    dl_feature_value value[DL_FEATURE_TEXTS][DL_FEATURE_VALUES]; /* them */
} dl_feature_layout;

/* Return the name of TARGET; static. */
const char *dl_target_name(dl_target target);

/* Set *TARGET to the one called NAME; false: there is none. */
bool dl_target_find(dl_target *target, const char *name);

/* Return the numbers that TARGET looks at, for a layout. */
unsigned dl_target_numbers(dl_target target);

/* Return the name of number I; static. */
const char *dl_feature_number_name(int i);

/* Return the name of text I; static. */
const char *dl_feature_text_name(int i);

/* Let everything of ROW be missing. */
void dl_feature_clear(dl_feature_row *row);

/* Set hour and weekday of ROW by the timestamp T. */
void dl_feature_set_time(dl_feature_row *row, dl_time t);

/* Return D as models see it. */
float dl_feature_decimal(dl_decimal d);

/* Return how many columns LAYOUT has. */
int dl_feature_columns(const dl_feature_layout *layout);

/* Return the first column of text I. */
int dl_feature_first_column(const dl_feature_layout *layout, int i);

/* Return the place of VALUE, which is not missing, among the columns of text
 * I: layout->n[I] when it has none of its own. */
int dl_feature_place(const dl_feature_layout *layout, int i,
                     dl_feature_value value);

/* Fill COLUMNS, of which LAYOUT has dl_feature_columns, from ROW; NaN:
 * missing. */
void dl_feature_fill(float *columns, const dl_feature_layout *layout,
                     const dl_feature_row *row);

#endif
