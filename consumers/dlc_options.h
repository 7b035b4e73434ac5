/* dlc_options.h - Command-line options as a table, for every program here.
 *
 * An option is "--name VALUE", "--name=VALUE", or "--name" for a flag, with an
 * optional one-letter form ("-c FILE").  "--" ends them.  Options may stand
 * before, between and behind the positional arguments.  A mistake is a
 * sentence that names the option and what would be right.
 *
 * Thread: start only.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_OPTIONS_H
#define DLC_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

#include "dl_error.h"

/* Kind of an option's value and of what target points to. */
typedef enum dlc_option_kind {
    DLC_OPTION_FLAG,    /* no value; bool */
    DLC_OPTION_TEXT,    /* any non-empty text; const char * (not copied) */
    DLC_OPTION_INT,     /* whole number in [min, max]; int64_t */
    DLC_OPTION_SHARE,   /* 0 to 1 with at most 6 digits; int64_t millionths */
    DLC_OPTION_DURATION /* 90, 90s, 15m, 6h or 30d; int64_t seconds */
} dlc_option_kind;

/* One option.  A table has at most 32 and ends with .name = NULL. */
typedef struct dlc_option {
    const char *name;     /* without the dashes; NULL ends the table */
    char letter;          /* one-letter form, or 0 */
    dlc_option_kind kind; /* what the value is and target points to */
    void *target;         /* gets the value; untouched when not given */
    int64_t min;          /* least value of INT, DURATION */
    int64_t max;          /* greatest value of INT, DURATION */
    const char *argument; /* name of the value in the help, NULL: a flag */
    const char *help;     /* one sentence without a full stop */
} dlc_option;

/* The arguments that are no options. */
typedef struct dlc_positionals {
    const char *text[16]; /* the caller's argv strings, in order */
    int n;                /* how many */
} dlc_positionals;

/* Read the ARGC strings of ARGV (without the program's name) by TABLE: set the
 * targets and collect the rest in REST.  DL_INVALID: unknown option, missing,
 * unwanted or wrong value, an option twice, more than 16 positionals; targets
 * may then be set in part. */
DL_MUSTCHECK dl_status dlc_options_parse(dlc_positionals *rest,
                                         const dlc_option *table, int argc,
                                         const char *const *argv,
                                         dl_error *err);

/* Print the options of TABLE, a line each, to OUT. */
void dlc_options_print(FILE *out, const dlc_option *table);

#endif
