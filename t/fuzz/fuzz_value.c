/* fuzz_value.c - Values of parameters: what is taken is inside its bounds.
 * The first byte chooses the type.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include <apr_strings.h>

#include "mdl_value.h"

static const char *const choices[] = {"read", "write", NULL};

static const mdl_param rows[] = {
    {.name = "text", .type = MDL_PARAM_TEXT, .max = 20},
    {.name = "int", .type = MDL_PARAM_INT, .min = -5, .max = 1000},
    {.name = "date", .type = MDL_PARAM_DATE},
    {.name = "time", .type = MDL_PARAM_TIME},
    {.name = "end", .type = MDL_PARAM_TIME, .end = true},
    {.name = "bool", .type = MDL_PARAM_BOOL},
    {.name = "enum", .type = MDL_PARAM_ENUM, .choices = choices},
    {.name = "list", .type = MDL_PARAM_LIST, .max = 8}};

#define N_ROWS (sizeof rows / sizeof rows[0])

const char *const fuzz_seeds[] = {"0caf\xC3\xA9",
                                  "1-5",
                                  "11000",
                                  "22026-05-18",
                                  "31684489425",
                                  "31684489425123",
                                  "32026-05-18T09:30:00.5+02:00",
                                  "42026-05-18",
                                  "5true",
                                  "6write",
                                  "7a,b,c",
                                  "7*",
                                  NULL};

const char *const fuzz_words[] = {"-", "0",    "9999", ",",  ":", "T",
                                  "Z", "+",    ".",    "e",  "*", "\xFF",
                                  " ", "true", "1",    "99", NULL};

static void check_value(const mdl_value *value, const mdl_param *row)
{
    char text[DL_DAY_TEXT];
    int i;

    if (row->type == MDL_PARAM_INT) {
        fuzz_check(value->number >= row->min && value->number <= row->max,
                   "a number is in its bounds");
    }
    else if (row->type == MDL_PARAM_DATE) {
        dl_day_format(text, value->day);
        fuzz_check(strcmp(text, value->text) == 0, "a day is itself");
    }
    else if (row->type == MDL_PARAM_TIME) {
        fuzz_check(value->time >= 0 && value->time <= DL_TIME_END,
                   "a time is in its bounds");
    }
    else if (row->type == MDL_PARAM_ENUM) {
        fuzz_check(strcmp(choices[value->choice], value->text) == 0,
                   "a choice is one of them");
    }
    for (i = 0; i < value->n_items; i++) {
        fuzz_check(*value->items[i] != '\0' && strlen(value->items[i]) <= 8,
                   "an item is in its bounds");
    }
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    const mdl_param *row;
    mdl_value value = {.given = true};
    const char *wanted = NULL;
    const char *fault;

    if (len == 0) {
        return;
    }
    row = &rows[data[0] % N_ROWS];
    value.text = apr_pstrmemdup(pool, (const char *)data + 1, len - 1);
    value.len = strlen(value.text);
    fault = mdl_value_parse(&value, &wanted, row, pool);
    if (fault == NULL) {
        check_value(&value, row);
    }
    else {
        fuzz_check(*fault != '\0' && wanted != NULL && *wanted != '\0',
                   "a fault has a code and words");
    }
}
