/* dl_log.h - Log lines through a sink the running program installs.
 *
 * The tag comes first (DL0123: unique, never reused, listed in the manual),
 * then who (dataset, partition, offset), then what.  Never a payload, a token
 * or a password.  httpd installs a sink over ap_log_error, daemons one that
 * writes a line to standard error.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LOG_H
#define DL_LOG_H

/* How loud a line is. */
typedef enum dl_log_level {
    DL_LOG_ERROR,   /* something of ours failed and a person should look */
    DL_LOG_WARNING, /* works, but not as it should */
    DL_LOG_NOTICE,  /* start, stop, reload: normal and rare */
    DL_LOG_INFO,    /* a client's mistake, one rejected record */
    DL_LOG_DEBUG    /* for us */
} dl_log_level;

/* Receives one line without newline; called on the thread that logs.  MESSAGE
 * is dead when the call returns; CONTEXT is what dl_log_install was given. */
typedef void dl_log_sink(void *context, dl_log_level level,
                         const char *message);

/* Send all lines up to and with LEVEL to SINK; NULL restores the default,
 * which writes "level: message" to standard error.  Thread: start only. */
void dl_log_install(dl_log_sink *sink, void *context, dl_log_level level);

/* Log the line made from FORMAT, which begins with its tag, at LEVEL.  Cut
 * after 1,000 bytes; bytes below 0x20 are written as '?'.  Thread: any. */
void dl_log(dl_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
