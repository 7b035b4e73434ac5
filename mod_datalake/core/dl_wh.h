/* dl_wh.h - One connection to the warehouse: MariaDB, MySQL 8 or TiDB.
 *
 * Only statements of sql/statements.sql are run, by the names the Makefile
 * makes of them.  SELECT, INSERT, UPDATE and DELETE are prepared, once per
 * connection; transaction control and LOAD DATA go as text.  There is no
 * automatic reconnect: after DL_UNAVAILABLE a connection is dead, and its
 * owner closes it and opens another one when it wants to.
 *
 * What a failure of the server becomes:
 *
 *     DL_UNAVAILABLE  refused, lost, timed out, shutting down, read-only
 *     DL_RETRY        deadlock, lock wait, write conflict: roll back, again
 *     DL_CONFLICT     a unique key has the value already
 *     DL_INVALID      a value does not fit its column
 *     DL_NO_SPACE     the server's disk or the table is full
 *     DL_TIMEOUT      the statement's time limit is over
 *     DL_UNSUPPORTED  rights, unknown table, syntax: the schema is not ours
 *     DL_INTERNAL     everything else
 *
 * Every connection speaks utf8mb4 with binary comparison, UTC and strict SQL
 * mode, READ COMMITTED: each statement sees what others have committed.  Who
 * wants one moment for several statements calls dl_wh_begin_snapshot.  Outside
 * of a transaction each statement commits by itself.
 *
 * Thread: one at a time for each connection, any thread; the first connection
 * may be opened by any thread.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_WH_H
#define DL_WH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_decimal.h"
#include "dl_error.h"
#include "dl_time.h"

struct dl_config;

/* As whom to connect; the ini file has user and password file of each. */
typedef enum dl_wh_role {
    DL_WH_MIGRATE, /* makes tables and accounts; never at run time */
    DL_WH_INGEST,  /* loads facts, rollups and offsets */
    DL_WH_API,     /* reads views, writes identity */
    DL_WH_JOBS     /* rates, dead-letter lists, retention */
} dl_wh_role;

/* What the server is, asked once at connect. */
typedef enum dl_wh_engine {
    DL_WH_MARIADB, /* MariaDB */
    DL_WH_MYSQL,   /* MySQL 8 */
    DL_WH_TIDB     /* TiDB: smaller loads, see sql.md */
} dl_wh_engine;

/* One connection. */
typedef struct dl_wh dl_wh;

/* One prepared statement of a connection; lives as long as it. */
typedef struct dl_wh_stmt dl_wh_stmt;

/* Where and as whom to connect, password included: read once, before
 * privileges are dropped.  Never changed afterwards, any thread may read it. */
typedef struct dl_wh_target dl_wh_target;

/* Set *TARGET to the account of ROLE in the [warehouse] of CFG, which has to
 * live as long.  DL_INVALID, DL_NOT_FOUND or DL_IO: the password file is open
 * to others, or cannot be read.  Lives in POOL; the password is wiped with
 * it. */
DL_MUSTCHECK dl_status dl_wh_target_load(const dl_wh_target **target,
                                         const struct dl_config *cfg,
                                         dl_wh_role role, dl_error *err,
                                         apr_pool_t *pool);

/* Set *TARGET to the server and account that the first line of FILE names, for
 * role API (it has to be allowed to SELECT, no more):
 *
 *     mysql://USER:PASSWORD@HOST:PORT/DATABASE
 *
 * Password and port may be left out; an address of IPv6 stands in brackets; in
 * user and password %40 stands for @ and so on.  DL_INVALID: it is no such line, or
 * others may read it; DL_NOT_FOUND or DL_IO: it cannot be read.  Lives in
 * POOL; the password is wiped with it. */
DL_MUSTCHECK dl_status dl_wh_target_foreign(const dl_wh_target **target,
                                            const char *file, dl_error *err,
                                            apr_pool_t *pool);

/* Connect to TARGET and set *WH to the connection; it is closed with POOL.
 * API waits 1 s for the connection and 1 s more until its settings hold, the
 * others as long as the ini says.  INGEST gives a silent server up after 20 s,
 * MIGRATE never, the others after 60 s; a statement of API may run for 30 s.
 * DL_UNAVAILABLE: nobody answers, or too many connections.  DL_UNSUPPORTED:
 * the account is refused or the database is not there. */
DL_MUSTCHECK dl_status dl_wh_connect_target(dl_wh **wh,
                                            const dl_wh_target *target,
                                            dl_error *err, apr_pool_t *pool);

/* The same, and set *HEARD to whether the server said anything, if only that it
 * has too many connections. */
DL_MUSTCHECK dl_status dl_wh_connect_heard(dl_wh **wh, bool *heard,
                                           const dl_wh_target *target,
                                           dl_error *err, apr_pool_t *pool);

/* dl_wh_target_load and dl_wh_connect_target in one, for programs. */
DL_MUSTCHECK dl_status dl_wh_connect(dl_wh **wh, const struct dl_config *cfg,
                                     dl_wh_role role, dl_error *err,
                                     apr_pool_t *pool);

/* Close WH now; its statements are dead.  Idempotent. */
void dl_wh_close(dl_wh *wh);

/* Return the descriptor of the connection, -1 when it is closed.  Who shuts a
 * dup() of it down wakes a call that hangs: it returns DL_UNAVAILABLE. */
int dl_wh_socket(const dl_wh *wh);

/* Do just that: the call of another thread that hangs on WH returns.  WH must
 * not be closed meanwhile.  Thread: any. */
void dl_wh_abort(dl_wh *wh);

/* Ask the server of WH for a sign of life, without waiting for it: dl_wh_pong
 * does, and until it has answered nothing else may be run on WH, which has no
 * unread rows.  DL_UNAVAILABLE: the connection is lost. */
DL_MUSTCHECK dl_status dl_wh_ping(dl_wh *wh, dl_error *err);

/* Wait for the answer to dl_wh_ping for at most WAIT_MS, and set *ANSWERED to
 * whether it came; when it did not, ask again or close WH.  DL_UNAVAILABLE:
 * the connection is lost. */
DL_MUSTCHECK dl_status dl_wh_pong(bool *answered, dl_wh *wh, int wait_ms,
                                  dl_error *err);

/* Return whether the connection has been lost: close it. */
bool dl_wh_lost(const dl_wh *wh);

/* Return what the server is. */
dl_wh_engine dl_wh_engine_of(const dl_wh *wh);

/* Run the text statement SQL (a STMT_ constant: transaction control), and set
 * *AFFECTED (may be NULL) to its affected rows.  Rows it returns are thrown
 * away. */
DL_MUSTCHECK dl_status dl_wh_exec(dl_wh *wh, const char *sql,
                                  uint64_t *affected, dl_error *err);

/* Set *VALUE to the first column of the only row that SQL returns, as text in
 * POOL, or to NULL when there is no row or the value is NULL. */
DL_MUSTCHECK dl_status dl_wh_ask(const char **value, dl_wh *wh, const char *sql,
                                 dl_error *err, apr_pool_t *pool);

/* Begin a transaction: each statement sees what others have committed. */
DL_MUSTCHECK dl_status dl_wh_begin(dl_wh *wh, dl_error *err);

/* Begin a transaction whose statements all see the moment of this call: for
 * who reads with more than one, of which the second relies on the first.  Costs
 * one round trip more. */
DL_MUSTCHECK dl_status dl_wh_begin_snapshot(dl_wh *wh, dl_error *err);

/* Commit the transaction.  DL_UNAVAILABLE leaves open whether it happened
 * (rule E6). */
DL_MUSTCHECK dl_status dl_wh_commit(dl_wh *wh, dl_error *err);

/* Give the transaction up.  When that fails WH counts as lost: the server
 * rolls back by itself once the connection is closed. */
void dl_wh_rollback(dl_wh *wh);

/* Set *ST to the statement SQL of WH, prepared at the first call and found
 * again later by its text, which is copied.  Its parameters are unbound. */
DL_MUSTCHECK dl_status dl_wh_prepare(dl_wh_stmt **st, dl_wh *wh,
                                     const char *sql, dl_error *err);

/* Bind parameter I (from 0, not checked) of ST to NULL for the next dl_wh_run,
 * as a parameter that is not bound is anyway. */
void dl_wh_bind_null(dl_wh_stmt *st, unsigned i);

/* Likewise to the number VALUE. */
void dl_wh_bind_int(dl_wh_stmt *st, unsigned i, int64_t value);

/* Likewise to the LEN bytes of TEXT, which is not copied and has to live until
 * dl_wh_run; a NULL TEXT binds NULL. */
void dl_wh_bind_text(dl_wh_stmt *st, unsigned i, const char *text, size_t len);

/* Likewise to TEXT, which ends with a NUL byte, is not copied and has to live
 * until dl_wh_run; a NULL TEXT binds NULL. */
void dl_wh_bind_str(dl_wh_stmt *st, unsigned i, const char *text);

/* Likewise to the LEN bytes of DATA, of no character set; they are not copied
 * and have to live until dl_wh_run. */
void dl_wh_bind_bytes(dl_wh_stmt *st, unsigned i, const void *data, size_t len);

/* Likewise to T in UTC with microseconds; DL_TIME_NONE binds NULL. */
void dl_wh_bind_time(dl_wh_stmt *st, unsigned i, dl_time t);

/* Likewise to DAY; DL_DAY_NONE binds NULL. */
void dl_wh_bind_day(dl_wh_stmt *st, unsigned i, dl_day day);

/* Likewise to VALUE with up to ten digits after the point. */
void dl_wh_bind_decimal(dl_wh_stmt *st, unsigned i, dl_decimal value);

/* Run ST with what is bound, then unbind all.  Rows that another statement of
 * this connection had not read yet are thrown away. */
DL_MUSTCHECK dl_status dl_wh_run(dl_wh_stmt *st, dl_error *err);

/* Set *MORE to whether ST stands on a next row now; false ends the result. */
DL_MUSTCHECK dl_status dl_wh_fetch(bool *more, dl_wh_stmt *st, dl_error *err);

/* Throw away what is left of the result of ST.  dl_wh_run does it too. */
void dl_wh_finish(dl_wh_stmt *st);

/* Return whether column COL (from 0, not checked) of the row ST stands on is
 * NULL.  This and what follows is valid until the next fetch. */
bool dl_wh_is_null(const dl_wh_stmt *st, unsigned col);

/* Return column COL as a number, of a text what it begins with; 0 when it is
 * NULL or a time. */
int64_t dl_wh_int(const dl_wh_stmt *st, unsigned col);

/* Return column COL as text that ends with a NUL byte, and set *LEN (may be
 * NULL) to its bytes; "" when it is NULL, an integer or a time.  It belongs to
 * ST. */
const char *dl_wh_text(const dl_wh_stmt *st, unsigned col, size_t *len);

/* Copy column COL of ST, whose text ends in no NUL of its own, to OUT of SIZE
 * bytes, with a NUL behind it; NULL becomes "".  DL_INTERNAL: it does not fit.
 * Thread: ST's. */
DL_MUSTCHECK dl_status dl_wh_copy_text(char *out, size_t size,
                                       const dl_wh_stmt *st, unsigned col,
                                       dl_error *err);

/* Return column COL as an instant in UTC, of a date its midnight; DL_TIME_NONE
 * when it is NULL or neither date nor time. */
dl_time dl_wh_time(const dl_wh_stmt *st, unsigned col);

/* Return the day of column COL; DL_DAY_NONE when it is NULL or neither date
 * nor time. */
dl_day dl_wh_day(const dl_wh_stmt *st, unsigned col);

/* Return column COL as a decimal, digits past the tenth cut off; zero when it
 * is NULL or a time. */
dl_decimal dl_wh_decimal(const dl_wh_stmt *st, unsigned col);

/* Return how many rows the last dl_wh_run of ST changed; matched rows that
 * already had the values do not count. */
uint64_t dl_wh_affected(const dl_wh_stmt *st);

/* Return the id that the last dl_wh_run of ST made, 0 when it made none. */
int64_t dl_wh_insert_id(const dl_wh_stmt *st);

/* What the server says about a load. */
typedef struct dl_wh_load_result {
    uint64_t affected; /* rows stored */
    unsigned warnings; /* values or rows the server objected to */
} dl_wh_load_result;

/* Run the text statement SQL, a LOAD DATA LOCAL INFILE whose file is DATA of
 * LEN bytes, and set *RESULT, untouched when it fails but for AFFECTED.  Only a
 * connection of role INGEST can, and it serves no other file.  DL_UNSUPPORTED:
 * LOCAL is off at the server. */
DL_MUSTCHECK dl_status dl_wh_load(dl_wh_load_result *result, dl_wh *wh,
                                  const char *sql, const void *data, size_t len,
                                  dl_error *err);

/* --- Schema: dl_wh_migrate.c ---------------------------------------------- */

/* The number of the newest migration this program knows. */
int dl_wh_schema_known(void);

/* Set *VERSION to the newest migration the database has, 0 for none. */
DL_MUSTCHECK dl_status dl_wh_schema_version(int *version, dl_wh *wh,
                                            dl_error *err);

/* Check that the database has exactly our schema or an older one that this
 * program can wait for.  DL_UNSUPPORTED: it is newer, or older ("run
 * datalakectl migrate"). */
DL_MUSTCHECK dl_status dl_wh_schema_check(dl_wh *wh, dl_error *err);

/* What dl_wh_migrate tells as it goes: one sentence; may be NULL. */
typedef void dl_wh_say(void *context, const char *sentence);

struct dl_dataset_set;

/* What dl_wh_migrate works with. */
typedef struct dl_wh_migration_options {
    const struct dl_config *cfg;      /* accounts, base currency */
    const struct dl_dataset_set *set; /* tables the accounts may use */
    int until;      /* stop behind this migration, without accounts; 0: all */
    dl_wh_say *say; /* told of each step, or NULL */
    void *context;  /* first argument of SAY */
} dl_wh_migration_options;

/* Bring the database of WH (role MIGRATE) to our schema: each missing
 * migration in order, recorded in schema_version; run again it changes
 * nothing.  Then make sure that [warehouse] base_currency has rate 1, and,
 * when the account may, that the accounts ingest, api and jobs of cfg exist
 * with the passwords of their files and exactly the rights of sql/accounts.sql
 * on the tables of set and ours.  say is called with context for each step.
 * POOL holds what is made on the way.  DL_UNSUPPORTED: the schema is newer
 * than this program. */
DL_MUSTCHECK dl_status dl_wh_migrate(dl_wh *wh,
                                     const dl_wh_migration_options *options,
                                     dl_error *err, apr_pool_t *pool);

#endif
