/* dl_wh.c - Connect, run text statements, load from memory.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_private.h"

#include "dl_config.h"
#include "dl_secret.h"
#include "dl_statements.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <apr_strings.h>
#include <errmsg.h>

/* The only name the loader's LOAD DATA may use; sql/statements.sql has it. */
#define LOAD_NAME "datalake"

/* How long a connection of API may take to get its settings. */
#define SETUP_US INT64_C(1000000)

/* Seconds a silent server is waited for; 0: for ever. */
static const unsigned silence_s[] = {
    [DL_WH_MIGRATE] = 0,
    [DL_WH_INGEST] = 20,
    [DL_WH_API] = 60,
    [DL_WH_JOBS] = 60,
};

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void library_start(void)
{
    if (mysql_library_init(0, NULL, NULL) != 0) {
        abort();
    }
}

static const dl_config_account *account_of(const dl_config_warehouse *where,
                                           dl_wh_role role)
{
    switch (role) {
    case DL_WH_MIGRATE:
        return &where->migrate;
    case DL_WH_INGEST:
        return &where->ingest;
    case DL_WH_API:
        return &where->api;
    case DL_WH_JOBS:
        return &where->jobs;
    }
    abort();
}

dl_status dl_wh_target_load(const dl_wh_target **target,
                            const struct dl_config *cfg, dl_wh_role role,
                            dl_error *err, apr_pool_t *pool)
{
    dl_wh_target *made = apr_pcalloc(pool, sizeof *made);
    dl_secret *password = NULL;

    made->role = role;
    made->where = &cfg->warehouse;
    made->account = account_of(&cfg->warehouse, role);
    if (made->account->password_file[0] != '\0') {
        DL_TRY(
            dl_secret_load(&password, made->account->password_file, err, pool));
    }
    made->password = password;
    *target = made;
    return DL_OK;
}

static int load_init(void **state, const char *name, void *wh_given)
{
    dl_wh *wh = wh_given;

    *state = wh;
    wh->data_read = 0;
    return wh->data != NULL && strcmp(name, LOAD_NAME) == 0 ? 0 : 1;
}

static int load_read(void *state, char *out, unsigned max)
{
    dl_wh *wh = state;
    size_t n = wh->data_len - wh->data_read;

    if (n > max) {
        n = max;
    }
    memcpy(out, wh->data + wh->data_read, n);
    wh->data_read += n;
    return (int)n;
}

static void load_end(void *state)
{
    (void)state;
}

static int load_error(void *state, char *out, unsigned max)
{
    (void)state;
    (void)snprintf(out, max, "the server asked for a file it may not have");
    return 1; /* any number but 0 */
}

static void options_set(dl_wh *wh, const dl_config_warehouse *where)
{
    unsigned connect_s = (unsigned)((where->connect_timeout_ms + 999) / 1000);
    unsigned silence = silence_s[wh->role];
    unsigned local = wh->role == DL_WH_INGEST ? 1 : 0;
    my_bool reconnect = 0;

    if (wh->role == DL_WH_API || connect_s < 1) {
        connect_s = 1;
    }
    mysql_options(wh->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    if (silence > 0) {
        mysql_options(wh->mysql, MYSQL_OPT_READ_TIMEOUT, &silence);
        mysql_options(wh->mysql, MYSQL_OPT_WRITE_TIMEOUT, &silence);
    }
    mysql_options(wh->mysql, MYSQL_OPT_LOCAL_INFILE, &local);
    mysql_options(wh->mysql, MYSQL_OPT_RECONNECT, &reconnect);
    mysql_options(wh->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_set_local_infile_handler(wh->mysql, load_init, load_read, load_end,
                                   load_error, wh);
}

static dl_status engine_detect(dl_wh *wh, dl_error *err, apr_pool_t *pool)
{
    const char *version;

    DL_TRY(dl_wh_ask(&version, wh, STMT_VERSION, err, pool));
    if (version != NULL && strstr(version, "TiDB") != NULL) {
        wh->engine = DL_WH_TIDB;
    }
    else if (version != NULL && strstr(version, "MariaDB") != NULL) {
        wh->engine = DL_WH_MARIADB;
    }
    else {
        wh->engine = DL_WH_MYSQL;
    }
    return DL_OK;
}

static dl_status session_setup(dl_wh *wh, dl_error *err, apr_pool_t *pool)
{
    DL_TRY(dl_wh_exec(wh, STMT_SESSION_NAMES, NULL, err));
    DL_TRY(dl_wh_exec(wh, STMT_SESSION_MODE, NULL, err));
    DL_TRY(engine_detect(wh, err, pool));
    DL_TRY(dl_wh_exec(wh, STMT_SESSION_ISOLATION, NULL, err));
    if (wh->role != DL_WH_API) {
        return DL_OK;
    }
    return dl_wh_exec(wh,
                      wh->engine == DL_WH_MARIADB ? STMT_SESSION_LIMIT_MARIADB
                                                  : STMT_SESSION_LIMIT_MYSQL,
                      NULL, err);
}

static apr_status_t close_cleanup(void *wh)
{
    dl_wh_close(wh);
    return APR_SUCCESS;
}

/* Whether the last failure of WH is one that its server told. */
static bool told_by_server(const dl_wh *wh)
{
    unsigned number = mysql_errno(wh->mysql);

    return number != 0 && (number < CR_MIN_ERROR || number >= 3000);
}

dl_status dl_wh_connect_heard(dl_wh **wh, bool *heard,
                              const dl_wh_target *target, dl_error *err,
                              apr_pool_t *pool)
{
    dl_wh *made = apr_pcalloc(pool, sizeof *made);
    const dl_config_warehouse *where = target->where;
    bool local = where->socket[0] != '\0';
    dl_status status;

    (void)pthread_once(&library_once, library_start);
    *heard = false;
    made->role = target->role;
    made->pool = pool;
    made->mysql = mysql_init(NULL);
    if (made->mysql == NULL) {
        return dl_fail(err, DL_INTERNAL, 0, "no memory for a connection");
    }
    apr_pool_cleanup_register(pool, made, close_cleanup, apr_pool_cleanup_null);
    options_set(made, where);
    if (mysql_real_connect(
            made->mysql, local ? NULL : where->host, target->account->user,
            target->password != NULL ? target->password->data : NULL,
            where->database, local ? 0 : (unsigned)where->port,
            local ? where->socket : NULL, 0) == NULL) {
        status = dl_wh_fail(made, err, "cannot reach the warehouse");
        *heard = told_by_server(made);
        dl_wh_close(made);
        return status;
    }
    if (made->role == DL_WH_API) {
        made->until_us = dl_time_monotonic_us() + SETUP_US;
    }
    status = session_setup(made, err, pool);
    *heard = status == DL_OK || told_by_server(made);
    made->until_us = 0;
    *wh = status == DL_OK ? made : *wh;
    return status;
}

dl_status dl_wh_connect_target(dl_wh **wh, const dl_wh_target *target,
                               dl_error *err, apr_pool_t *pool)
{
    bool heard;

    return dl_wh_connect_heard(wh, &heard, target, err, pool);
}

dl_status dl_wh_connect(dl_wh **wh, const struct dl_config *cfg,
                        dl_wh_role role, dl_error *err, apr_pool_t *pool)
{
    const dl_wh_target *target;

    DL_TRY(dl_wh_target_load(&target, cfg, role, err, pool));
    return dl_wh_connect_target(wh, target, err, pool);
}

void dl_wh_close(dl_wh *wh)
{
    if (wh->mysql != NULL) {
        dl_wh_stmt_close_all(wh);
        mysql_close(wh->mysql);
        wh->mysql = NULL;
    }
    wh->lost = true;
}

int dl_wh_socket(const dl_wh *wh)
{
    return wh->mysql != NULL ? (int)mysql_get_socket(wh->mysql) : -1;
}

void dl_wh_abort(dl_wh *wh)
{
    int fd = dl_wh_socket(wh);

    if (fd >= 0) {
        (void)shutdown(fd, SHUT_RDWR);
    }
}

bool dl_wh_lost(const dl_wh *wh)
{
    return wh->lost;
}

dl_wh_engine dl_wh_engine_of(const dl_wh *wh)
{
    return wh->engine;
}

/* Return whether the server of WH sends something within WAIT_MS. */
static bool readable(const dl_wh *wh, int wait_ms)
{
    struct pollfd at = {dl_wh_socket(wh), POLLIN, 0};

    return poll(&at, 1, wait_ms) > 0;
}

/* Send SQL, and read how its result begins, by WH's own time. */
static int query(dl_wh *wh, const char *sql)
{
    int64_t left_us = wh->until_us - dl_time_monotonic_us();

    if (wh->until_us == 0) {
        return mysql_real_query(wh->mysql, sql, strlen(sql));
    }
    if (mysql_send_query(wh->mysql, sql, strlen(sql)) != 0) {
        return 1;
    }
    if (!readable(wh, left_us > 0 ? (int)(left_us / 1000) : 0)) {
        dl_wh_abort(wh); /* so that reading fails at once */
    }
    return mysql_read_query_result(wh->mysql);
}

/* Send SQL and leave its result on the connection. */
static dl_status text_run(dl_wh *wh, const char *sql, dl_error *err)
{
    if (wh->mysql == NULL || wh->lost) {
        return dl_fail(err, DL_UNAVAILABLE, 0, "the connection is closed");
    }
    if (wh->active != NULL) {
        dl_wh_finish(wh->active);
    }
    if (query(wh, sql) != 0) {
        char what[64];

        (void)snprintf(what, sizeof what, "%.60s", sql);
        return dl_wh_fail(wh, err, what);
    }
    return DL_OK;
}

dl_status dl_wh_ping(dl_wh *wh, dl_error *err)
{
    if (wh->mysql == NULL || wh->lost) {
        return dl_fail(err, DL_UNAVAILABLE, 0, "the connection is closed");
    }
    return mysql_send_query(wh->mysql, STMT_PING, strlen(STMT_PING)) == 0
               ? DL_OK
               : dl_wh_fail(wh, err, "asking for a sign of life");
}

dl_status dl_wh_pong(bool *answered, dl_wh *wh, int wait_ms, dl_error *err)
{
    MYSQL_RES *rows;

    *answered = readable(wh, wait_ms);
    if (!*answered) {
        return DL_OK;
    }
    if (mysql_read_query_result(wh->mysql) != 0) {
        return dl_wh_fail(wh, err, "waiting for a sign of life");
    }
    rows = mysql_store_result(wh->mysql);
    if (rows == NULL) {
        return dl_wh_fail(wh, err, "reading a sign of life");
    }
    mysql_free_result(rows);
    return DL_OK;
}

dl_status dl_wh_exec(dl_wh *wh, const char *sql, uint64_t *affected,
                     dl_error *err)
{
    MYSQL_RES *rows;

    DL_TRY(text_run(wh, sql, err));
    rows = mysql_store_result(wh->mysql);
    if (rows == NULL && mysql_field_count(wh->mysql) > 0) {
        return dl_wh_fail(wh, err, "reading a result");
    }
    if (affected != NULL) {
        *affected = mysql_affected_rows(wh->mysql);
    }
    mysql_free_result(rows);
    return DL_OK;
}

dl_status dl_wh_ask(const char **value, dl_wh *wh, const char *sql,
                    dl_error *err, apr_pool_t *pool)
{
    MYSQL_RES *rows;
    MYSQL_ROW row;

    *value = NULL;
    DL_TRY(text_run(wh, sql, err));
    rows = mysql_store_result(wh->mysql);
    if (rows == NULL) {
        return mysql_field_count(wh->mysql) > 0
                   ? dl_wh_fail(wh, err, "reading a result")
                   : DL_OK;
    }
    row = mysql_fetch_row(rows);
    if (row != NULL && row[0] != NULL) {
        *value = apr_pstrdup(pool, row[0]);
    }
    mysql_free_result(rows);
    return DL_OK;
}

dl_status dl_wh_begin(dl_wh *wh, dl_error *err)
{
    return dl_wh_exec(wh, STMT_START, NULL, err);
}

dl_status dl_wh_begin_snapshot(dl_wh *wh, dl_error *err)
{
    DL_TRY(dl_wh_exec(wh, STMT_SNAPSHOT_NEXT, NULL, err));
    return dl_wh_exec(wh, STMT_SNAPSHOT, NULL, err);
}

dl_status dl_wh_commit(dl_wh *wh, dl_error *err)
{
    return dl_wh_exec(wh, STMT_COMMIT, NULL, err);
}

void dl_wh_rollback(dl_wh *wh)
{
    dl_error ignored;

    if (dl_wh_exec(wh, STMT_ROLLBACK, NULL, &ignored) != DL_OK) {
        wh->lost = true; /* the server rolls back when the connection goes */
    }
}

dl_status dl_wh_load(dl_wh_load_result *result, dl_wh *wh, const char *sql,
                     const void *data, size_t len, dl_error *err)
{
    dl_status status;

    wh->data = data;
    wh->data_len = len;
    status = dl_wh_exec(wh, sql, &result->affected, err);
    wh->data = NULL;
    if (status != DL_OK) {
        return status;
    }
    result->warnings = mysql_warning_count(wh->mysql);
    return DL_OK;
}
