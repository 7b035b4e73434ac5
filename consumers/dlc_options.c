/* dlc_options.c - Reading a command line by a table.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_options.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_MAX 32

/* The command line while it is read. */
typedef struct options_state {
    const dlc_option *table; /* what may come */
    bool seen[OPTIONS_MAX];  /* rows that came already */
    const char *const *argv; /* the strings */
    int argc;                /* how many */
    int at;                  /* index of the current one */
} options_state;

static bool digits_only(const char *text)
{
    return *text != '\0' && strspn(text, "0123456789") == strlen(text);
}

static dl_status set_int(const dlc_option *option, const char *text,
                         dl_error *err)
{
    bool minus = text[0] == '-';
    long long value;

    errno = 0;
    value = strtoll(text, NULL, 10);
    if (!digits_only(text + minus) || errno != 0 || value < option->min ||
        value > option->max) {
        return dl_fail(err, DL_INVALID, 0,
                       "--%s must be a whole number from %lld to %lld, not "
                       "\"%.40s\"",
                       option->name, (long long)option->min,
                       (long long)option->max, text);
    }
    *(int64_t *)option->target = value;
    return DL_OK;
}

/* 0 to 1 in millionths, exactly: "0.05" is 50000. */
static dl_status set_share(const dlc_option *option, const char *text,
                           dl_error *err)
{
    const char *at = text;
    int64_t value = *at - '0';
    bool good = (*at == '0' || *at == '1') && (at[1] == '\0' || at[1] == '.');
    int64_t unit = 100000;

    if (good && at[1] == '.') {
        good = at[2] != '\0';
    }
    value *= 1000000;
    for (at += good && at[1] == '.' ? 2 : 1; good && *at != '\0'; at++) {
        good = *at >= '0' && *at <= '9' && unit > 0;
        value += (*at - '0') * unit;
        unit /= 10;
    }
    if (!good || value > 1000000) {
        return dl_fail(err, DL_INVALID, 0,
                       "--%s must be a share from 0 to 1 with at most six "
                       "digits, not \"%.40s\"",
                       option->name, text);
    }
    *(int64_t *)option->target = value;
    return DL_OK;
}

static dl_status set_duration(const dlc_option *option, const char *text,
                              dl_error *err)
{
    static const char units[] = "smhd";
    static const int64_t seconds[] = {1, 60, 3600, 86400};
    size_t digits = strspn(text, "0123456789");
    const char *unit = text[digits] == '\0' ? units : NULL;
    long long value;

    if (text[digits] != '\0' && text[digits + 1] == '\0') {
        unit = strchr(units, text[digits]);
    }
    errno = 0;
    value = strtoll(text, NULL, 10);
    if (digits == 0 || digits > 12 || unit == NULL || errno != 0 ||
        value * seconds[unit - units] < option->min ||
        value * seconds[unit - units] > option->max) {
        return dl_fail(err, DL_INVALID, 0,
                       "--%s must be a time like 90s, 15m, 6h or 30d from "
                       "%llds to %llds, not \"%.40s\"",
                       option->name, (long long)option->min,
                       (long long)option->max, text);
    }
    *(int64_t *)option->target = value * seconds[unit - units];
    return DL_OK;
}

static dl_status set_value(const dlc_option *option, const char *text,
                           dl_error *err)
{
    if (text[0] == '\0') {
        return dl_fail(err, DL_INVALID, 0, "--%s wants a value, not \"\"",
                       option->name);
    }
    switch (option->kind) {
    case DLC_OPTION_FLAG:
        break;
    case DLC_OPTION_TEXT:
        *(const char **)option->target = text;
        break;
    case DLC_OPTION_INT:
        return set_int(option, text, err);
    case DLC_OPTION_SHARE:
        return set_share(option, text, err);
    case DLC_OPTION_DURATION:
        return set_duration(option, text, err);
    }
    return DL_OK;
}

/* The row whose name is the LEN bytes of NAME, or -1. */
static int find_name(const dlc_option *table, const char *name, size_t len)
{
    for (int i = 0; table[i].name != NULL; i++) {
        if (strlen(table[i].name) == len &&
            memcmp(table[i].name, name, len) == 0) {
            return i;
        }
    }
    return -1;
}

static int find_letter(const dlc_option *table, char letter)
{
    for (int i = 0; table[i].name != NULL; i++) {
        if (table[i].letter != 0 && table[i].letter == letter) {
            return i;
        }
    }
    return -1;
}

/* Apply row I with VALUE, or with the next string when VALUE is NULL. */
static dl_status apply(options_state *state, int i, const char *value,
                       dl_error *err)
{
    const dlc_option *option = &state->table[i];

    if (state->seen[i]) {
        return dl_fail(err, DL_INVALID, 0, "--%s is given twice", option->name);
    }
    state->seen[i] = true;
    if (option->kind == DLC_OPTION_FLAG) {
        if (value != NULL) {
            return dl_fail(err, DL_INVALID, 0, "--%s takes no value",
                           option->name);
        }
        *(bool *)option->target = true;
        return DL_OK;
    }
    if (value == NULL && state->at + 1 < state->argc) {
        value = state->argv[++state->at];
    }
    if (value == NULL) {
        return dl_fail(err, DL_INVALID, 0, "--%s wants a value: %s",
                       option->name, option->argument);
    }
    return set_value(option, value, err);
}

static dl_status read_option(options_state *state, const char *text,
                             dl_error *err)
{
    const char *equals = NULL;
    int i = -1;

    if (text[1] == '-') {
        equals = strchr(text, '=');
        i = find_name(state->table, text + 2,
                      equals != NULL ? (size_t)(equals - text - 2)
                                     : strlen(text + 2));
    }
    else if (text[2] == '\0') {
        i = find_letter(state->table, text[1]);
    }
    if (i < 0) {
        return dl_fail(err, DL_INVALID, 0, "unknown option \"%.60s\"", text);
    }
    return apply(state, i, equals != NULL ? equals + 1 : NULL, err);
}

dl_status dlc_options_parse(dlc_positionals *rest, const dlc_option *table,
                            int argc, const char *const *argv, dl_error *err)
{
    options_state state = {.table = table, .argv = argv, .argc = argc};
    bool ended = false;

    rest->n = 0;
    for (state.at = 0; state.at < argc; state.at++) {
        const char *text = argv[state.at];

        if (!ended && strcmp(text, "--") == 0) {
            ended = true;
        }
        else if (!ended && text[0] == '-' && text[1] != '\0') {
            DL_TRY(read_option(&state, text, err));
        }
        else if (rest->n == (int)(sizeof rest->text / sizeof rest->text[0])) {
            return dl_fail(err, DL_INVALID, 0, "too many arguments");
        }
        else {
            rest->text[rest->n++] = text;
        }
    }
    return DL_OK;
}

void dlc_options_print(FILE *out, const dlc_option *table)
{
    for (; table->name != NULL; table++) {
        char left[64];

        snprintf(left, sizeof left, "%c%c%s--%s%s%s",
                 table->letter != 0 ? '-' : ' ',
                 table->letter != 0 ? table->letter : ' ',
                 table->letter != 0 ? ", " : "  ", table->name,
                 table->argument != NULL ? " " : "",
                 table->argument != NULL ? table->argument : "");
        fprintf(out, "  %-32s %s\n", left, table->help);
    }
}
