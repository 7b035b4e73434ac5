/* mdl_throttle.c - The two counters and their keys.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_throttle.h"

#include <string.h>

#include <httpd.h>

#include <apr_network_io.h>
#include <apr_strings.h>

#include "dl_token.h"
#include "mdl_problem.h"
#include "mdl_window_open.h"

/* Most bytes that name an address: the /64 of IPv6. */
#define ADDRESS_MAX 8

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

/* Write what names ADDRESS to OUT and return its length. */
static size_t put_address(unsigned char out[ADDRESS_MAX],
                          const apr_sockaddr_t *address)
{
    const unsigned char *bytes = address->ipaddr_ptr;

    if (address->family == APR_INET) {
        memcpy(out, bytes, 4);
        return 4;
    }
#if APR_HAVE_IPV6
    if (IN6_IS_ADDR_V4MAPPED(&address->sa.sin6.sin6_addr)) {
        memcpy(out, bytes + 12, 4);
        return 4;
    }
#endif
    memcpy(out, bytes, ADDRESS_MAX);
    return ADDRESS_MAX;
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
    unsigned char subject[ADDRESS_MAX + DL_USERNAME_MAX + 1];
    size_t len = put_address(subject, q->r->useragent_addr);
    const char *c;

    subject[len++] = 0;
    for (c = username; *c != '\0' && len < sizeof subject; c++) {
        bool upper = *c >= 'A' && *c <= 'Z';

        subject[len++] = (unsigned char)(upper ? *c + ('a' - 'A') : *c);
    }
    mdl_window_key_make(key, logins, subject, len);
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
    unsigned char subject[ADDRESS_MAX];
    size_t len = put_address(subject, q->r->useragent_addr);
    mdl_window_state state;
    mdl_window_key key;

    mdl_window_key_make(&key, registrations, subject, len);
    return mdl_window_take(&state, registrations, &key,
                           MDL_THROTTLE_REGISTRATIONS, 1, now_s())
               ? OK
               : refuse(q, &state, "registrations");
}
