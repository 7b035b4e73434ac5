/* mdl_quota.c - Limits of each route, counting, and what callers are told.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_quota.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include <httpd.h>

#include <http_main.h>

#include <apr_strings.h>

#include "dl_time.h"
#include "mdl_caller.h"
#include "mdl_config.h"
#include "mdl_problem.h"
#include "mdl_quota_table.h"
#include "mdl_shm.h"
#include "mdl_site.h"
#include "mdl_window_open.h"

/* How long after a cold start a request waits for the windows from before, and
 * how long it sleeps between two looks. */
#define PAST_WAIT_US (INT64_C(2) * DL_SECOND_US)
#define PAST_LOOK_NS 2000000L

/* Bytes of RateLimit: three members of 40 at most. */
#define TOLD_MAX 128

/* What a request has taken, for mdl_quota_finish. */
typedef struct mdl_quota_ticket {
    mdl_caller caller;            /* whose windows */
    const mdl_quota_limit *limit; /* of the route and his role */
} mdl_quota_ticket;

/* --- Start ---------------------------------------------------------------- */

/* Set *NUMBER to that of the policy NAME, registered if it is new. */
static dl_status register_policy(uint32_t *number, mdl_quota_shared *shared,
                                 const char *name, dl_error *err)
{
    uint32_t i;

    for (i = 0; i < MDL_QUOTA_POLICIES; i++) {
        if (shared->policy[i][0] == '\0') {
            apr_cpystrn(shared->policy[i], name, MDL_QUOTA_POLICY);
        }
        if (strcmp(shared->policy[i], name) == 0) {
            *number = i;
            return DL_OK;
        }
    }
    return dl_fail(err, DL_LIMIT, 0,
                   "DataLakeQuota: more than %d different paths",
                   MDL_QUOTA_POLICIES);
}

static const char *tell_policy(const mdl_quota_limits *limits, apr_pool_t *pool)
{
    const char *text =
        apr_psprintf(pool, "\"hour\";q=%u;w=%d", (unsigned)limits->calls,
                     MDL_QUOTA_WINDOW_S);

    if (limits->rows > 0) {
        text = apr_psprintf(pool, "%s, \"rows\";q=%u;w=%d", text,
                            (unsigned)limits->rows, MDL_QUOTA_WINDOW_S);
    }
    if (limits->kib > 0) {
        text = apr_psprintf(pool, "%s, \"kib\";q=%u;w=%d", text,
                            (unsigned)limits->kib, MDL_QUOTA_WINDOW_S);
    }
    return text;
}

/* Fill the limits of all roles for TEMPLATE. */
static dl_status fill_limits(mdl_quota_limit limits[MDL_QUOTA_ROLES],
                             const mdl_quota *quota,
                             const apr_array_header_t *rules,
                             const char *template, dl_error *err)
{
    apr_pool_t *pool = rules->pool;
    int role;

    for (role = 0; role < MDL_QUOTA_ROLES; role++) {
        const mdl_quota_rule *rule =
            mdl_quota_rule_find(rules, template, (mdl_quota_role)role);

        limits[role].limits = rule->limits;
        limits[role].told = tell_policy(&rule->limits, pool);
        DL_TRY(register_policy(&limits[role].policy, quota->shared,
                               rule->policy, err));
    }
    return DL_OK;
}

static dl_status fill_routes(mdl_quota *quota, const apr_array_header_t *rules,
                             dl_error *err, apr_pool_t *pool)
{
    int i;

    quota->routes =
        apr_pcalloc(pool, sizeof *quota->routes * (size_t)mdl_route_count);
    for (i = 0; i < mdl_route_count; i++) {
        DL_TRY(fill_limits(quota->routes[i], quota, rules,
                           mdl_route_table[i].template, err));
    }
    return fill_limits(quota->v1, quota, rules, "/v1/me/quota", err);
}

/* Whether RULES limit UNIT. */
static bool limit_unit(const apr_array_header_t *rules, mdl_quota_unit unit)
{
    int i;

    for (i = 0; i < rules->nelts; i++) {
        const mdl_quota_limits *limits =
            &APR_ARRAY_IDX(rules, i, const mdl_quota_rule).limits;

        if ((unit == MDL_QUOTA_ROWS && limits->rows > 0) ||
            (unit == MDL_QUOTA_KIB && limits->kib > 0)) {
            return true;
        }
    }
    return unit == MDL_QUOTA_CALLS;
}

/* Whether a rule of any server limits UNIT: one keeper serves them all. */
static bool is_limited(mdl_quota_unit unit)
{
    const server_rec *server;

    for (server = ap_server_conf; server != NULL; server = server->next) {
        if (limit_unit(mdl_config_get(server)->quota_rules, unit)) {
            return true;
        }
    }
    return false;
}

/* Open the tables that count UNIT. */
static dl_status open_unit(mdl_quota *quota, mdl_quota_unit unit,
                           const char *name, const server_rec *server,
                           dl_error *err, apr_pool_t *pool)
{
    static const char *const units[MDL_QUOTA_UNITS] = {"calls", "rows", "kib"};
    static const char *const owners[MDL_QUOTA_OWNERS] = {"accounts",
                                                         "addresses"};
    int owner;

    for (owner = 0; owner < MDL_QUOTA_OWNERS; owner++) {
        mdl_window_kind kind = {.name =
                                    apr_pstrcat(pool, name, " ", units[unit],
                                                " ", owners[owner], NULL),
                                .places = mdl_config_get(server)->quota_windows,
                                .length_s = MDL_QUOTA_WINDOW_S};

        DL_TRY(mdl_window_open(&quota->windows[unit][owner], &kind, server, err,
                               pool));
    }
    return DL_OK;
}

static dl_status open_windows(mdl_quota *quota, const char *name,
                              const server_rec *server, dl_error *err,
                              apr_pool_t *pool)
{
    int unit;

    for (unit = 0; unit < MDL_QUOTA_UNITS; unit++) {
        if (is_limited((mdl_quota_unit)unit)) {
            DL_TRY(open_unit(quota, (mdl_quota_unit)unit, name, server, err,
                             pool));
        }
    }
    return DL_OK;
}

dl_status mdl_quota_open(mdl_quota **quota, const char *name,
                         const server_rec *server, dl_error *err,
                         apr_pool_t *pool)
{
    mdl_quota *made = apr_pcalloc(pool, sizeof *made);
    const mdl_config *config = mdl_config_get(server);
    /* A table of another size begins empty and asks for its past again. */
    const char *full =
        apr_psprintf(pool, "quota %s %d", name, config->quota_windows);
    void *memory;

    DL_TRY(mdl_shm_open(&memory, full, sizeof *made->shared, server, err));
    made->shared = memory;
    if (made->shared->opened_us == 0) {
        made->shared->opened_us = dl_time_monotonic_us();
    }
    DL_TRY(open_windows(made, full, server, err, pool));
    DL_TRY(fill_routes(made, config->quota_rules, err, pool));
    *quota = made;
    return DL_OK;
}

/* --- Keys ----------------------------------------------------------------- */

mdl_windows *mdl_quota_windows_of(const mdl_quota *quota, mdl_quota_unit unit,
                                  const mdl_caller *caller)
{
    return quota->windows[unit][caller->kind == MDL_CALLER_ACCOUNT
                                    ? MDL_QUOTA_ACCOUNTS
                                    : MDL_QUOTA_ADDRESSES];
}

void mdl_quota_key(mdl_window_key *key, const mdl_windows *w,
                   const mdl_caller *caller, uint32_t policy)
{
    uint64_t subject[3] = {caller->kind, caller->value, policy};

    mdl_window_key_make(key, w, subject, sizeof subject);
    key->label[0] = caller->value;
    key->label[1] = caller->kind | ((uint64_t)policy << 8);
}

void mdl_quota_label(mdl_caller *caller, uint32_t *policy,
                     const uint64_t label[2])
{
    caller->value = label[0];
    caller->kind = label[1] & 0xFF;
    *policy = (uint32_t)(label[1] >> 8) % MDL_QUOTA_POLICIES;
}

static mdl_quota_role role_of(const mdl_request *q)
{
    if (!q->identity.known) {
        return MDL_QUOTA_ANONYMOUS;
    }
    switch (q->identity.role) {
    case DL_ROLE_ADMIN:
        return MDL_QUOTA_ADMIN;
    case DL_ROLE_AUDITOR:
        return MDL_QUOTA_AUDITOR;
    case DL_ROLE_USER:
        break;
    }
    return MDL_QUOTA_USER;
}

static void find_caller(mdl_caller *caller, const mdl_request *q)
{
    if (q->identity.known) {
        mdl_caller_account(caller, q->identity.user_id);
    }
    else {
        mdl_caller_address(caller, q->r->useragent_addr);
    }
}

static bool is_counted(const mdl_request *q)
{
    return q->route->class != MDL_CLASS_PUBLIC && q->route->cost > 0;
}

/* --- Taking --------------------------------------------------------------- */

/* Wait until the windows from before a cold start count, or cannot be had. */
static void wait_for_past(mdl_quota_shared *shared)
{
    const struct timespec look = {0, PAST_LOOK_NS};
    int64_t until_us = shared->opened_us + PAST_WAIT_US;

    for (;;) {
        int past = atomic_load_explicit(&shared->past, memory_order_acquire);

        if (past == MDL_QUOTA_JOINED || past == MDL_QUOTA_AWAY ||
            dl_time_monotonic_us() >= until_us) {
            return;
        }
        (void)nanosleep(&look, NULL);
    }
}

/* Append the digits of N to AT; return the end.  This is in the way of every
 * request, and printf costs more than all the rest of a check. */
static char *append_number(char *at, uint64_t n)
{
    char digits[24];
    size_t len = 0;

    do {
        digits[len++] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    while (len > 0) {
        *at++ = digits[--len];
    }
    return at;
}

static char *append_text(char *at, const char *text)
{
    while (*text != '\0') {
        *at++ = *text++;
    }
    return at;
}

/* Append to AT the member NAME of RateLimit for STATE; return the end. */
static char *tell_state(char *at, const char *name,
                        const mdl_window_state *state)
{
    at = append_text(at, name);
    at = append_text(at, ";r=");
    at = append_number(
        at, state->used < state->limit ? state->limit - state->used : 0);
    at = append_text(at, ";t=");
    return append_number(at, (uint64_t)state->reset_s);
}

/* Name the problem that STATE's window of UNIT words is used up. */
static int refuse(mdl_request *q, const mdl_quota_limit *limit,
                  const mdl_window_state *state, const char *unit)
{
    request_rec *r = q->r;

    dl_stats_add(&q->site->quota->shared->rejected[limit->policy][role_of(q)],
                 1);
    apr_table_unset(r->err_headers_out, "WWW-Authenticate");
    apr_table_setn(r->err_headers_out, "Retry-After",
                   apr_itoa(r->pool, (int)state->reset_s));
    return mdl_problem(q, MDL_PROBLEM_QUOTA_EXCEEDED,
                       "The %u %s of this hour are used up; the next window "
                       "begins in %d seconds.",
                       (unsigned)state->limit, unit, (int)state->reset_s);
}

/* Judge rows and bytes, which were counted after earlier answers, and append
 * what is left of them to *TOLD. */
static int check_volume(char **told, mdl_request *q, int status, int64_t now_s)
{
    const mdl_quota_ticket *ticket = q->quota;
    const mdl_quota_limits *limits = &ticket->limit->limits;
    const struct {
        mdl_quota_unit unit;
        uint32_t limit;
        const char *name;
        const char *words;
    } volumes[] = {{MDL_QUOTA_ROWS, limits->rows, ", \"rows\"", "rows"},
                   {MDL_QUOTA_KIB, limits->kib, ", \"kib\"", "KiB"}};
    size_t i;

    for (i = 0; i < sizeof volumes / sizeof volumes[0]; i++) {
        const mdl_windows *w = mdl_quota_windows_of(
            q->site->quota, volumes[i].unit, &ticket->caller);
        mdl_window_state state;
        mdl_window_key key;

        if (volumes[i].limit == 0 || w == NULL) {
            continue;
        }
        mdl_quota_key(&key, w, &ticket->caller, ticket->limit->policy);
        mdl_window_peek(&state, w, &key, volumes[i].limit, now_s);
        *told = tell_state(*told, volumes[i].name, &state);
        if (state.used >= state.limit) {
            status = refuse(q, ticket->limit, &state, volumes[i].words);
        }
    }
    return status;
}

int mdl_quota_take(mdl_request *q, int status)
{
    const mdl_quota *quota = q->site->quota;
    int64_t now_s = apr_time_sec(apr_time_now());
    apr_table_t *out = q->r->err_headers_out;
    mdl_quota_ticket *ticket;
    mdl_window_state state;
    mdl_windows *calls;
    mdl_window_key key;
    char *told;
    char *end;
    bool fits;

    if (!is_counted(q)) {
        return status;
    }
    wait_for_past(quota->shared);
    ticket = apr_palloc(q->r->pool, sizeof *ticket);
    ticket->limit = &quota->routes[mdl_route_index(q->route)][role_of(q)];
    find_caller(&ticket->caller, q);
    calls = mdl_quota_windows_of(quota, MDL_QUOTA_CALLS, &ticket->caller);
    mdl_quota_key(&key, calls, &ticket->caller, ticket->limit->policy);
    fits = mdl_window_take(&state, calls, &key, ticket->limit->limits.calls,
                           q->route->cost, now_s);
    told = apr_palloc(q->r->pool, TOLD_MAX);
    end = tell_state(told, "\"hour\"", &state);
    if (!fits) {
        status = refuse(q, ticket->limit, &state, "calls");
    }
    else if (ticket->limit->limits.rows > 0 || ticket->limit->limits.kib > 0) {
        q->quota = ticket;
        status = check_volume(&end, q, status, now_s);
    }
    *end = '\0';
    apr_table_setn(out, "RateLimit-Policy", ticket->limit->told);
    apr_table_setn(out, "RateLimit", told);
    return status;
}

static void add_unit(const mdl_quota_ticket *ticket, mdl_windows *w,
                     uint64_t amount)
{
    mdl_window_state state;
    mdl_window_key key;

    if (w == NULL || amount == 0) {
        return;
    }
    mdl_quota_key(&key, w, &ticket->caller, ticket->limit->policy);
    mdl_window_add(&state, w, &key, 0,
                   amount < MDL_WINDOW_MOST ? (uint32_t)amount
                                            : MDL_WINDOW_MOST,
                   apr_time_sec(apr_time_now()));
}

void mdl_quota_finish(const mdl_request *q, uint64_t bytes)
{
    const mdl_quota_ticket *ticket = q->quota;

    if (ticket == NULL) {
        return;
    }
    if (ticket->limit->limits.rows > 0) {
        add_unit(ticket,
                 mdl_quota_windows_of(q->site->quota, MDL_QUOTA_ROWS,
                                      &ticket->caller),
                 q->rows);
    }
    if (ticket->limit->limits.kib > 0) {
        add_unit(ticket,
                 mdl_quota_windows_of(q->site->quota, MDL_QUOTA_KIB,
                                      &ticket->caller),
                 (bytes + 1023) / 1024);
    }
}

/* --- Telling -------------------------------------------------------------- */

static void write_member(dl_json_writer *w, const char *name, int64_t value)
{
    dl_json_write_key(w, name);
    dl_json_write_int(w, value);
}

void mdl_quota_write(dl_json_writer *w, const mdl_request *q)
{
    const mdl_quota *quota = q->site->quota;
    const mdl_quota_limit *limit = &quota->v1[role_of(q)];
    const mdl_windows *windows;
    mdl_window_state state;
    mdl_window_key key;
    mdl_caller caller;
    int64_t minutes;
    char text[16];

    wait_for_past(quota->shared);
    find_caller(&caller, q);
    windows = mdl_quota_windows_of(quota, MDL_QUOTA_CALLS, &caller);
    mdl_quota_key(&key, windows, &caller, limit->policy);
    mdl_window_peek(&state, windows, &key, limit->limits.calls,
                    apr_time_sec(apr_time_now()));
    minutes = (state.reset_s + 59) / 60;
    apr_snprintf(text, sizeof text, "%dm", (int)minutes);
    dl_json_write_object_begin(w);
    write_member(w, "limit", state.limit);
    write_member(w, "remaining",
                 state.used < state.limit ? state.limit - state.used : 0);
    write_member(w, "reset_in_minutes", minutes);
    dl_json_write_key(w, "reset_in");
    dl_json_write_text(w, minutes == 60 ? "1h" : text);
    dl_json_write_object_end(w);
}

void mdl_quota_collect(dl_stats_samples *samples, const mdl_quota *quota)
{
    char labels[96];
    int policy;
    int role;

    for (policy = 0; policy < MDL_QUOTA_POLICIES; policy++) {
        const char *name = quota->shared->policy[policy];

        for (role = 0; *name != '\0' && role < MDL_QUOTA_ROLES; role++) {
            int64_t n = dl_stats_get(&quota->shared->rejected[policy][role]);

            apr_snprintf(labels, sizeof labels, "policy=\"%s\",role=\"%s\"",
                         name, mdl_quota_role_name((mdl_quota_role)role));
            dl_stats_samples_add(samples, DL_STATS_COUNTER,
                                 "datalake_quota_rejections_total", labels, &n);
        }
    }
}
