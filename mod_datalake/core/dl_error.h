/* dl_error.h - What a function that can fail returns and says.
 *
 * A failure is a value: the function returns a dl_status, and fills the
 * dl_error its caller keeps on the stack.  The sentence names thing and
 * reason, without a full stop and without "error:".  Exactly two switches
 * give a status a meaning: mdl_http.c (to HTTP) and dlc_loop.c (retry, set
 * aside, stop).
 *
 * Thread: any; a dl_error belongs to the thread on whose stack it lies.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_ERROR_H
#define DL_ERROR_H

/* A result that has to be looked at. */
#define DL_MUSTCHECK __attribute__((warn_unused_result))

/* What came of a call. */
typedef enum dl_status {
    DL_OK = 0,      /* done */
    DL_NOT_FOUND,   /* the thing asked for is not there */
    DL_INVALID,     /* the caller's input breaks a rule */
    DL_LIMIT,       /* the input is larger than a stated bound */
    DL_CORRUPT,     /* stored bytes contradict their checksum or format */
    DL_IO,          /* a system call failed; os_error says how */
    DL_NO_SPACE,    /* disk, quota or file table full: try again later */
    DL_BUSY,        /* somebody else holds it: lock, lease, slot */
    DL_RETRY,       /* lost a race (deadlock, lock wait): do it again now */
    DL_UNAVAILABLE, /* a dependency is away: back off and try again */
    DL_CONFLICT,    /* it exists already, or its owner has changed */
    DL_TIMEOUT,     /* the time allowed is over */
    DL_UNSUPPORTED, /* written by a newer program, or not built in */
    DL_INTERNAL     /* our own mistake */
} dl_status;

/* Room for one sentence and its NUL. */
#define DL_ERROR_TEXT 400

/* One failure.  Owns nothing, nobody frees it. */
typedef struct dl_error {
    dl_status status;         /* DL_OK until a call failed */
    int os_error;             /* errno of the failed call, or 0 */
    char text[DL_ERROR_TEXT]; /* the sentence, "" until a call failed */
} dl_error;

/* Fill ERR (may be NULL) with STATUS, OS_ERROR and the sentence made from
 * FORMAT; a non-zero OS_ERROR appends ": " and its system text.  Return
 * STATUS, so that "return dl_fail(...)" is the usual form.  Too long a
 * sentence is cut.  Thread: any. */
dl_status dl_fail(dl_error *err, dl_status status, int os_error,
                  const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Put the fact made from FORMAT and ": " before the sentence of ERR; return
 * its status.  For callers that know a file name or an offset.
 * Thread: any. */
dl_status dl_wrap(dl_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The short name of STATUS in lower case ("not-found"), for logs and JSON.
 * Static text.  Thread: any. */
const char *dl_status_name(dl_status status);

/* Pass a failure of CALL on to the caller. */
#define DL_TRY(call)                                                           \
    do {                                                                       \
        dl_status dl_try_status = (call);                                      \
        if (dl_try_status != DL_OK) {                                          \
            return dl_try_status;                                              \
        }                                                                      \
    } while (0)

#ifdef DL_ANALYZER
/* An analyzer sees one file at a time: tell it that these two never return
 * DL_OK. */
static inline dl_status dl_analyzed(dl_status returned, dl_status status)
{
    (void)returned;
    return status;
}
#define dl_fail(err, status, ...)                                              \
    dl_analyzed(dl_fail((err), (status), __VA_ARGS__), (status))
#define dl_wrap(err, ...) dl_analyzed(dl_wrap((err), __VA_ARGS__), DL_INTERNAL)
#endif

#endif
