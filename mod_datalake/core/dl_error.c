/* dl_error.c - Building the sentence of a failure.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void append_os_text(char *text, int os_error)
{
    char buffer[128];
    const char *message = strerror_r(os_error, buffer, sizeof buffer);
    size_t used = strlen(text);

    snprintf(text + used, DL_ERROR_TEXT - used, ": %s", message);
}

dl_status dl_fail(dl_error *err, dl_status status, int os_error,
                  const char *format, ...)
{
    va_list args;

    if (err == NULL) {
        return status;
    }
    err->status = status;
    err->os_error = os_error;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (os_error != 0) {
        append_os_text(err->text, os_error);
    }
    return status;
}

dl_status dl_wrap(dl_error *err, const char *format, ...)
{
    char fact[DL_ERROR_TEXT];
    char text[DL_ERROR_TEXT];
    va_list args;

    if (err == NULL) {
        return DL_INTERNAL;
    }
    va_start(args, format);
    vsnprintf(fact, sizeof fact, format, args);
    va_end(args);
    memcpy(text, err->text, sizeof text);
    snprintf(err->text, sizeof err->text, "%.180s: %.210s", fact, text);
    return err->status;
}

const char *dl_status_name(dl_status status)
{
    static const char *const names[] = {
        "ok",       "not-found", "invalid",     "limit",   "corrupt",
        "io",       "no-space",  "busy",        "retry",   "unavailable",
        "conflict", "timeout",   "unsupported", "internal"};

    if ((unsigned)status >= sizeof names / sizeof names[0]) {
        return "unknown";
    }
    return names[status];
}
