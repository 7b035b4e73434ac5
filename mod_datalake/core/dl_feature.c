/* dl_feature.c - Names, and the way from a transaction to columns.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_feature.h"

#include <math.h>
#include <string.h>

static const char *const targets[] = {"completed", "amount"};

static const char *const numbers[] = {"amount", "quantity", "customer_rating",
                                      "hour", "weekday"};

static const char *const texts[] = {"currency", "transaction_type",
                                    "payment_method", "product_category",
                                    "country"};

const char *dl_target_name(dl_target target)
{
    return targets[target];
}

bool dl_target_find(dl_target *target, const char *name)
{
    for (int i = 0; i < DL_TARGETS; i++) {
        if (strcmp(targets[i], name) == 0) {
            *target = (dl_target)i;
            return true;
        }
    }
    return false;
}

unsigned dl_target_numbers(dl_target target)
{
    unsigned all = (1U << DL_FEATURE_NUMBERS) - 1;

    return target == DL_TARGET_AMOUNT ? all & ~(1U << DL_FEATURE_AMOUNT) : all;
}

const char *dl_feature_number_name(int i)
{
    return numbers[i];
}

const char *dl_feature_text_name(int i)
{
    return texts[i];
}

void dl_feature_clear(dl_feature_row *row)
{
    for (int i = 0; i < DL_FEATURE_NUMBERS; i++) {
        row->number[i] = NAN;
    }
    memset(row->text, 0, sizeof row->text);
}

void dl_feature_set_time(dl_feature_row *row, dl_time t)
{
    dl_day day = dl_time_day(t);
    int64_t hour = (t - dl_day_start(day)) / DL_SECOND_US / 3600;

    row->number[DL_FEATURE_HOUR] = (float)hour;
    /* 1970-01-01 was a Thursday. */
    row->number[DL_FEATURE_WEEKDAY] = (float)(((day % 7) + 7 + 3) % 7);
}

float dl_feature_decimal(dl_decimal d)
{
    return (float)((double)d.units / 1e10);
}

int dl_feature_columns(const dl_feature_layout *layout)
{
    return dl_feature_first_column(layout, DL_FEATURE_TEXTS);
}

int dl_feature_first_column(const dl_feature_layout *layout, int i)
{
    int column = 0;

    for (int number = 0; number < DL_FEATURE_NUMBERS; number++) {
        column += (layout->numbers >> number & 1) != 0 ? 1 : 0;
    }
    for (int text = 0; text < i; text++) {
        column += layout->n[text] + 1;
    }
    return column;
}

int dl_feature_place(const dl_feature_layout *layout, int i,
                     dl_feature_value value)
{
    int at = 0;

    while (at < layout->n[i] &&
           (layout->value[i][at].len != value.len ||
            memcmp(layout->value[i][at].text, value.text, value.len) != 0)) {
        at++;
    }
    return at;
}

void dl_feature_fill(float *columns, const dl_feature_layout *layout,
                     const dl_feature_row *row)
{
    float *out = columns;

    for (int i = 0; i < DL_FEATURE_NUMBERS; i++) {
        if ((layout->numbers >> i & 1) != 0) {
            *out++ = row->number[i];
        }
    }
    for (int i = 0; i < DL_FEATURE_TEXTS; i++) {
        bool missing = row->text[i].text == NULL;

        for (int value = 0; value <= layout->n[i]; value++) {
            out[value] = missing ? NAN : 0;
        }
        if (!missing) {
            out[dl_feature_place(layout, i, row->text[i])] = 1;
        }
        out += layout->n[i] + 1;
    }
}
