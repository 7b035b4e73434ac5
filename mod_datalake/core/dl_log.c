/* dl_log.c - The installed log sink and the default one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static const char *const level_names[] = {"error", "warning", "notice", "info",
                                          "debug"};

static void write_to_stderr(void *context, dl_log_level level,
                            const char *message)
{
    (void)context;
    fprintf(stderr, "%s: %s\n", level_names[level], message);
}

static dl_log_sink *installed_sink = write_to_stderr;
static void *installed_context;
static dl_log_level installed_level = DL_LOG_NOTICE;

void dl_log_install(dl_log_sink *sink, void *context, dl_log_level level)
{
    installed_sink = sink != NULL ? sink : write_to_stderr;
    installed_context = context;
    installed_level = level;
}

void dl_log(dl_log_level level, const char *format, ...)
{
    char line[1000];
    va_list args;
    char *byte;

    if (level > installed_level) {
        return;
    }
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (byte = line; *byte != '\0'; byte++) {
        if ((unsigned char)*byte < 0x20) {
            *byte = '?';
        }
    }
    installed_sink(installed_context, level, line);
}
