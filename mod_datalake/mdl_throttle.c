/* mdl_throttle.c - The two counters and their keys.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_throttle.h"

#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_token.h"
#include "mdl_caller.h"
#include "mdl_problem.h"
#include "mdl_window_open.h"

/* Whose log-ins are counted: an address and a name in lower case. */
typedef struct login_subject {
    mdl_caller address;
    char username[DL_USERNAME_MAX]; /* zeros behind it */
} login_subject;

/* Set at start, constant in the children. */
static mdl_windows *logins;
static mdl_windows *registrations;

dl_status mdl_throttle_open(const server_rec *server, dl_error *err,
                            apr_pool_t *pool)
{
    static const mdl_window_kind login_kind = {
        "failed log-ins", MDL_THROTTLE_PLACES, MDL_THROTTLE_LOGINS_S};
    static const mdl_window_kind registration_kind = {
        "registrations", MDL_THROTTLE_PLACES, MDL_THROTTLE_REGISTRATIONS_S};

    DL_TRY(mdl_window_open(&logins, &login_kind, server, err, pool));
    return mdl_window_open(&registrations, &registration_kind, server, err,
                           pool);
}

/* Unix seconds of now: a request may have waited for its turn. */
static int64_t now_s(void)
{
    return apr_time_sec(apr_time_now());
}

/* Name the 429 of a counter that is full as STATE says. */
static int refuse(mdl_request *q, const mdl_window_state *state,
                  const char *what)
{
    apr_table_setn(q->r->err_headers_out, "Retry-After",
                   apr_psprintf(q->r->pool, "%" APR_INT64_T_FMT,
                                (apr_int64_t)state->reset_s));
    return mdl_problem(q, MDL_PROBLEM_LOGIN_THROTTLED,
                       "Too many %s from this address.", what);
}

/* --- Log-ins -------------------------------------------------------------- */

void mdl_throttle_login_key(mdl_window_key *key, const mdl_request *q,
                            const char *username)
{
    login_subject subject;
    size_t i;

    memset(&subject, 0, sizeof subject);
    mdl_caller_address(&subject.address, q->r->useragent_addr);
    for (i = 0; i < sizeof subject.username && username[i] != '\0'; i++) {
        bool upper = username[i] >= 'A' && username[i] <= 'Z';

        subject.username[i] =
            (char)(upper ? username[i] + ('a' - 'A') : username[i]);
    }
    mdl_window_key_make(key, logins, &subject, sizeof subject);
}

int mdl_throttle_login_check(mdl_request *q, const mdl_window_key *key)
{
    mdl_window_state state;

    mdl_window_peek(&state, logins, key, MDL_THROTTLE_LOGINS, now_s());
    return state.used < MDL_THROTTLE_LOGINS
               ? OK
               : refuse(q, &state, "failed log-ins for this name");
}

int mdl_throttle_login_take(mdl_request *q, const mdl_window_key *key)
{
    mdl_window_state state;

    return mdl_window_take(&state, logins, key, MDL_THROTTLE_LOGINS, 1, now_s())
               ? OK
               : refuse(q, &state, "failed log-ins for this name");
}

void mdl_throttle_login_forgive(const mdl_window_key *key)
{
    mdl_window_give(logins, key, 1, now_s());
}

/* --- Registrations -------------------------------------------------------- */

int mdl_throttle_registration(mdl_request *q)
{
    mdl_caller address;
    mdl_window_state state;
    mdl_window_key key;

    mdl_caller_address(&address, q->r->useragent_addr);
    mdl_window_key_make(&key, registrations, &address, sizeof address);
    return mdl_window_take(&state, registrations, &key,
                           MDL_THROTTLE_REGISTRATIONS, 1, now_s())
               ? OK
               : refuse(q, &state, "registrations");
}
