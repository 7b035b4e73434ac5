/* tap.h - Just enough TAP for unit tests: ok, is_int, is_str, done.
 *
 * Each test program includes it once.  A test is a sentence.  done() prints
 * the plan and gives main its exit status.  Thread: one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tap_count;
static int tap_failed;

/* Report whether PASSED under the sentence NAME; return PASSED. */
static inline bool ok(bool passed, const char *name)
{
    tap_count++;
    if (!passed) {
        tap_failed++;
    }
    printf("%sok %d - %s\n", passed ? "" : "not ", tap_count, name);
    return passed;
}

/* Report whether GOT equals WANT. */
static inline bool is_int(long long got, long long want, const char *name)
{
    if (!ok(got == want, name)) {
        printf("#   got %lld, want %lld\n", got, want);
        return false;
    }
    return true;
}

/* Report whether the strings GOT and WANT are equal; NULL equals NULL. */
static inline bool is_str(const char *got, const char *want, const char *name)
{
    bool same =
        got == NULL || want == NULL ? got == want : strcmp(got, want) == 0;

    if (!ok(same, name)) {
        printf("#   got  '%s'\n#   want '%s'\n", got ? got : "(null)",
               want ? want : "(null)");
    }
    return same;
}

/* Print the plan; return the exit status of the program. */
static inline int done(void)
{
    printf("1..%d\n", tap_count);
    return tap_failed == 0 && tap_count > 0 ? 0 : 1;
}

#endif
