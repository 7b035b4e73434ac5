/* dlc_progress.h - A progress bar and colours, on a terminal only.
 *
 * On anything but a terminal every call here does nothing, so that logs and
 * pipes stay clean.
 *
 * Thread: one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_PROGRESS_H
#define DLC_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* One bar on standard error.  Made on the stack by dlc_progress_begin. */
typedef struct dlc_progress {
    bool shown;         /* standard error is a terminal */
    const char *what;   /* the word behind the numbers; static */
    int64_t total;      /* 100 % */
    int64_t started_us; /* monotonic */
    int64_t next_us;    /* draw again from then on */
} dlc_progress;

/* Begin a bar over TOTAL things called WHAT; drawn when QUIET is false and
 * standard error is a terminal. */
void dlc_progress_begin(dlc_progress *bar, const char *what, int64_t total,
                        bool quiet);

/* Draw the bar for DONE things, at most ten times a second. */
void dlc_progress_update(dlc_progress *bar, int64_t done);

/* Take the bar off the terminal. */
void dlc_progress_end(dlc_progress *bar);

/* Colours that dlc_colour knows. */
typedef enum dlc_colour_name {
    DLC_COLOUR_NONE,   /* back to normal */
    DLC_COLOUR_GREEN,  /* good */
    DLC_COLOUR_YELLOW, /* look at it */
    DLC_COLOUR_RED     /* bad */
} dlc_colour_name;

/* The text that switches OUT to COLOUR; "" when OUT is no terminal or NO_COLOR
 * is set.  Static. */
const char *dlc_colour(FILE *out, dlc_colour_name colour);

#endif
