/* dlc_progress.c - Drawing the bar.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_progress.h"

#include "dl_time.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WIDTH    40
#define PAUSE_US 100000

void dlc_progress_begin(dlc_progress *bar, const char *what, int64_t total,
                        bool quiet)
{
    bar->shown = !quiet && total > 0 && isatty(STDERR_FILENO) == 1;
    bar->what = what;
    bar->total = total;
    bar->started_us = dl_time_monotonic_us();
    bar->next_us = 0;
}

void dlc_progress_update(dlc_progress *bar, int64_t done)
{
    static const char full[] = "########################################";
    int64_t now = dl_time_monotonic_us();
    int64_t took_us = now - bar->started_us;
    int filled;

    if (!bar->shown || (now < bar->next_us && done < bar->total)) {
        return;
    }
    bar->next_us = now + PAUSE_US;
    done = done < bar->total ? done : bar->total;
    filled = (int)(done * WIDTH / bar->total);
    fprintf(stderr, "\r[%.*s%*s] %3lld %%  %lld %s, %lld/s ", filled, full,
            WIDTH - filled, "", (long long)(done * 100 / bar->total),
            (long long)done, bar->what,
            (long long)(took_us > 0 ? done * 1000000 / took_us : 0));
    fflush(stderr);
}

void dlc_progress_end(dlc_progress *bar)
{
    if (bar->shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    bar->shown = false;
}

const char *dlc_colour(FILE *out, dlc_colour_name colour)
{
    static const char *const codes[] = {"\033[0m", "\033[32m", "\033[33m",
                                        "\033[31m"};
    /* Programs that use colours have one thread here. */
    const char *off = getenv("NO_COLOR"); /* NOLINT(concurrency-mt-unsafe) */

    if (isatty(fileno(out)) != 1 || (off != NULL && off[0] != '\0')) {
        return "";
    }
    return codes[colour];
}
