/* dl_config.c - The table of settings and how a file fills it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "dl_config_source.h"
#include "dl_setting.h"

/* A row: what others see, and where the value goes. */
typedef struct row {
    dl_config_row seen;   /* section, key, default, rule, sentence */
    dl_setting_type type; /* how it is written */
    size_t offset;        /* of the member in dl_config */
    int64_t min, max;     /* of numbers; least length of a path */
} row;

#define MEMBER(path) offsetof(dl_config, path)
#define MIB          ((int64_t)1 << 20)
#define GIB          ((int64_t)1 << 30)
#define HOUR_MS      ((int64_t)3600 * 1000)

/* What days of retention must be. */
#define KEPT_MUST_BE                                                           \
    "off, or a time of whole days from 1 d to 36500 d, such as 90 d"

/* clang-format off */
static const row rows[] = {
{{"lake", "path", "/var/lib/datalake/lake",
  "a path",
  "Folder of the lake; on a local disk."},
 DL_SETTING_PATH, MEMBER(lake.path), 1, 0},
{{"lake", "seal_age", "15 min",
  "a time from 1 s to 30 d, such as 15 min",
  "A part is sealed, and so seen by Spark, Trino and DuckDB, at this age."},
 DL_SETTING_SECONDS, MEMBER(lake.seal_age_s), 1, (int64_t)30 * 86400},
{{"lake", "seal_size", "1 GiB",
  "a size from 64 KiB to 16 GiB, such as 1 GiB",
  "A part is sealed at this size."},
 DL_SETTING_SIZE, MEMBER(lake.seal_size), 65536, 16 * GIB},
{{"lake", "commit_interval", "100 ms",
  "a time from 10 ms to 60 s, such as 100 ms",
  "Time between two commits of the lake when it is caught up."},
 DL_SETTING_MILLIS, MEMBER(lake.commit_ms), 10, 60000},
{{"lake", "backlog_interval", "1 s",
  "a time from 10 ms to 60 s, such as 1 s",
  "Time between two commits of the lake under backlog."},
 DL_SETTING_MILLIS, MEMBER(lake.backlog_ms), 10, 60000},
{{"lake", "backlog_size", "64 MiB",
  "a size from 1 MiB to 1 GiB, such as 64 MiB",
  "The lake commits at this many waiting bytes, whatever the time."},
 DL_SETTING_SIZE, MEMBER(lake.backlog_bytes), MIB, GIB},
{{"lake", "index", "normal",
  "off, thin, normal or dense",
  "How sharp the indexes are that searches and filters use: about 4, 7 or 9 % "
  "of the data."},
 DL_SETTING_INDEX, MEMBER(lake.index_bytes), 0, 0},
{{"lake", "zstd_after", "off",
  "off, or a time from 1 d to 36500 d, such as 90 d",
  "The nightly compaction makes days that are older than this D.json.zst; see "
  "datalake-jobs(8) for who reads them."},
 DL_SETTING_DAYS, MEMBER(lake.zstd_after), 1, 36500},
{{"warehouse", "host", "127.0.0.1",
  "a host name or address",
  "Server of the warehouse; not used with a socket."},
 DL_SETTING_WORD, MEMBER(warehouse.host), 0, 0},
{{"warehouse", "port", "3306",
  "a whole number from 1 to 65535",
  "TCP port of the warehouse; not used with a socket."},
 DL_SETTING_INT, MEMBER(warehouse.port), 1, 65535},
{{"warehouse", "socket", "",
  "a path, or nothing for TCP",
  "Local socket of the warehouse."},
 DL_SETTING_PATH, MEMBER(warehouse.socket), 0, 0},
{{"warehouse", "database", "datalake",
  "a name without white space",
  "Database of the warehouse."},
 DL_SETTING_WORD, MEMBER(warehouse.database), 0, 0},
{{"warehouse", "base_currency", "EUR",
  "three letters, such as EUR",
  "Currency that sums are converted to."},
 DL_SETTING_CURRENCY, MEMBER(warehouse.base_currency), 0, 0},
{{"warehouse", "migrate_user", "datalake_migrate",
  "a name without white space",
  "Account that may change the schema."},
 DL_SETTING_WORD, MEMBER(warehouse.migrate.user), 0, 0},
{{"warehouse", "migrate_password_file", "",
  "a path, or nothing for no password",
  "File with its password."},
 DL_SETTING_PATH, MEMBER(warehouse.migrate.password_file), 0, 0},
{{"warehouse", "ingest_user", "datalake_ingest",
  "a name without white space",
  "Account that loads records."},
 DL_SETTING_WORD, MEMBER(warehouse.ingest.user), 0, 0},
{{"warehouse", "ingest_password_file", "",
  "a path, or nothing for no password",
  "File with its password."},
 DL_SETTING_PATH, MEMBER(warehouse.ingest.password_file), 0, 0},
{{"warehouse", "api_user", "datalake_api",
  "a name without white space",
  "Account of httpd."},
 DL_SETTING_WORD, MEMBER(warehouse.api.user), 0, 0},
{{"warehouse", "api_password_file", "",
  "a path, or nothing for no password",
  "File with its password."},
 DL_SETTING_PATH, MEMBER(warehouse.api.password_file), 0, 0},
{{"warehouse", "jobs_user", "datalake_jobs",
  "a name without white space",
  "Account of datalakectl."},
 DL_SETTING_WORD, MEMBER(warehouse.jobs.user), 0, 0},
{{"warehouse", "jobs_password_file", "",
  "a path, or nothing for no password",
  "File with its password."},
 DL_SETTING_PATH, MEMBER(warehouse.jobs.password_file), 0, 0},
{{"warehouse", "connect_timeout", "5 s",
  "a time from 100 ms to 60 s, such as 5 s",
  "Time a connection may take to come up; httpd waits 1 s at most."},
 DL_SETTING_MILLIS, MEMBER(warehouse.connect_timeout_ms), 100, 60000},
{{"warehouse", "load_rows", "20000",
  "a whole number from 1 to 200000",
  "Rows that are loaded by one statement, at most."},
 DL_SETTING_INT, MEMBER(warehouse.load_rows), 1, 200000},
{{"warehouse", "load_size", "16 MiB",
  "a size from 1 MiB to 64 MiB, such as 16 MiB",
  "Bytes that are loaded by one statement, at most."},
 DL_SETTING_SIZE, MEMBER(warehouse.load_bytes), MIB, 64 * MIB},
{{"warehouse", "commit_interval", "200 ms",
  "a time from 10 ms to 60 s, such as 200 ms",
  "Time between two commits of the warehouse when it is caught up."},
 DL_SETTING_MILLIS, MEMBER(warehouse.commit_ms), 10, 60000},
{{"warehouse", "backlog_interval", "1 s",
  "a time from 10 ms to 60 s, such as 1 s",
  "Time between two commits of the warehouse under backlog."},
 DL_SETTING_MILLIS, MEMBER(warehouse.backlog_ms), 10, 60000},
{{"warehouse", "rollup_interval", "1 s",
  "a time from 100 ms to 60 s, such as 1 s",
  "Time between two updates of the rollups."},
 DL_SETTING_MILLIS, MEMBER(warehouse.rollup_ms), 100, 60000},
{{"warehouse", "local_infile", "on",
  "on or off",
  "Load by LOAD DATA LOCAL where the server allows it; off: by INSERT."},
 DL_SETTING_SWITCH, MEMBER(warehouse.local_infile), 0, 0},
{{"warehouse", "accept_unsafe_flush", "off",
  "on or off",
  "Start though innodb_flush_log_at_trx_commit is not 1: a crash of the "
  "server may then lose what was committed."},
 DL_SETTING_SWITCH, MEMBER(warehouse.accept_unsafe_flush), 0, 0},
{{"kafka", "brokers", "127.0.0.1:9092",
  "a comma list of host:port without white space",
  "Brokers to begin with."},
 DL_SETTING_WORD, MEMBER(kafka.brokers), 0, 0},
{{"kafka", "group", "datalake-warehouse",
  "a name without white space",
  "Consumer group of datalake-warehouse."},
 DL_SETTING_WORD, MEMBER(kafka.group), 0, 0},
{{"kafka", "group_instance", "datalake-warehouse-1",
  "a name, or nothing for a member that comes and goes",
  "Fixed name of this member of the group; each instance has its own."},
 DL_SETTING_TEXT, MEMBER(kafka.group_instance), 0, 0},
{{"kafka", "session_timeout", "10 s",
  "a time from 6 s to 30 min, such as 10 s",
  "A member of the group is dead when it was silent for this long."},
 DL_SETTING_MILLIS, MEMBER(kafka.session_timeout_ms), 6000, HOUR_MS / 2},
{{"kafka", "buffer_size", "32 MiB",
  "a size from 1 MiB to 1 GiB, such as 32 MiB",
  "Bytes a program fetches ahead from Kafka, at most."},
 DL_SETTING_SIZE, MEMBER(kafka.buffer_bytes), MIB, GIB},
{{"kafka", "fetch_size", "8 MiB",
  "a size from 1 MiB to 100 MiB, such as 8 MiB",
  "Bytes of one answer of a broker, at most."},
 DL_SETTING_SIZE, MEMBER(kafka.fetch_bytes), MIB, 100 * MIB},
{{"kafka", "dead_letter_share", "50",
  "a whole number from 1 to 100, in per cent",
  "A partition stops when more than this share of a window of messages is "
  "refused; 100: never."},
 DL_SETTING_INT, MEMBER(kafka.dead_letter_share), 1, 100},
{{"kafka", "dead_letter_window", "10000",
  "a whole number from 100 to 10000000",
  "Messages of a partition that dead_letter_share looks at."},
 DL_SETTING_INT, MEMBER(kafka.dead_letter_window), 100, 10000000},
{{"kafka", "dead_letter_topics", "off",
  "on or off",
  "Dead letters are written to the topics dlq.TOPIC, too, which datalakectl "
  "topics makes."},
 DL_SETTING_SWITCH, MEMBER(kafka.dead_letter_topics), 0, 0},
{{"datasets", "dir", "datasets",
  "a path",
  "Folder of the declarations, one NAME.json each."},
 DL_SETTING_PATH, MEMBER(datasets.dir), 1, 0},
{{"datasets", "event_zone", "UTC",
  "a time zone of this system, such as UTC or Europe/Paris",
  "Zone of event times that have none."},
 DL_SETTING_ZONE, MEMBER(datasets.event_zone), 0, 0},
{{"datasets", "topics", "",
  "a comma list of names of a-z, 0-9, '_' and '-' that begin with a letter",
  "Topics without declaration that become datasets of the same name."},
 DL_SETTING_TOPICS, MEMBER(datasets.topics), 0, 0},
{{"retention", "rawticker", "90 d",
  KEPT_MUST_BE,
  "Days of rawticker are removed after this time, in lake and table."},
 DL_SETTING_DAYS, MEMBER(retention.rawticker), 1, 36500},
{{"retention", "rawtrade", "90 d",
  KEPT_MUST_BE,
  "Days of rawtrade are removed after this time, in lake and table."},
 DL_SETTING_DAYS, MEMBER(retention.rawtrade), 1, 36500},
{{"retention", "rawarticle", "90 d",
  KEPT_MUST_BE,
  "Days of rawarticle are removed after this time, in lake and table."},
 DL_SETTING_DAYS, MEMBER(retention.rawarticle), 1, 36500},
{{"retention", "rawalert", "90 d",
  KEPT_MUST_BE,
  "Days of rawalert are removed after this time, in lake and table."},
 DL_SETTING_DAYS, MEMBER(retention.rawalert), 1, 36500},
{{"retention", "sentiment", "90 d",
  KEPT_MUST_BE,
  "Days of sentiment are removed after this time, in lake and table."},
 DL_SETTING_DAYS, MEMBER(retention.sentiment), 1, 36500},
{{"retention", "prediction", "90 d",
  KEPT_MUST_BE,
  "Days of prediction are removed after this time, in lake and table."},
 DL_SETTING_DAYS, MEMBER(retention.prediction), 1, 36500},
{{"retention", "audit", "365 d",
  KEPT_MUST_BE,
  "Entries of the audit log leave the warehouse and their files after this "
  "time."},
 DL_SETTING_DAYS, MEMBER(retention.audit), 1, 36500},
{{"erasure", "grace", "30 d",
  "a time from 0 s to 3650 d, such as 30 d",
  "A deleted account is erased after this time, and comes back until then."},
 DL_SETTING_SECONDS, MEMBER(erasure.grace_s), 0, INT64_C(3650) * 86400},
{{"erasure", "inactivity", "365 d",
  "a time from 1 d to 3650 d, such as 365 d",
  "An account that nobody used for this time is deleted; the last active "
  "administrator is not."},
 DL_SETTING_SECONDS, MEMBER(erasure.inactivity_s), 86400,
 INT64_C(3650) * 86400},
{{"jobs", "schedule", "2",
  "a whole number from 0 to 16",
  "Runs of schedules that one datalake-jobs works on at once; 0: none."},
 DL_SETTING_INT, MEMBER(jobs.schedule), 0, 16},
{{"jobs", "repush_all", "1",
  "a whole number from 0 to 1",
  "Repushes that one datalake-jobs works on at once; 0: none."},
 DL_SETTING_INT, MEMBER(jobs.repush_all), 0, 1},
{{"jobs", "redrive", "1",
  "a whole number from 0 to 16",
  "Redrives of dead letters that one datalake-jobs works on at once; 0: none."},
 DL_SETTING_INT, MEMBER(jobs.redrive), 0, 16},
{{"jobs", "train", "1",
  "a whole number from 0 to 1",
  "Trainings that one datalake-jobs works on at once; 0: none."},
 DL_SETTING_INT, MEMBER(jobs.train), 0, 1},
{{"train", "rows", "500000",
  "a whole number from 100 to 20000000",
  "Transactions that a model is made of, at most; of more, a sample by id "
  "between half of this and all of it."},
 DL_SETTING_INT, MEMBER(train.rows), 100, 20000000},
{{"train", "threads", "1",
  "a whole number from 1 to 64",
  "Processors a training may use; the same number gives the same model."},
 DL_SETTING_INT, MEMBER(train.threads), 1, 64},
{{"notify", "smtp_url", "",
  "smtp://HOST or smtps://HOST, with :PORT behind it or without, or nothing",
  "Server that takes mails about failed runs of schedules; nothing: no mail."},
 DL_SETTING_SMTP, MEMBER(notify.smtp_url), 0, 0},
{{"notify", "smtp_user", "",
  "a name, or nothing",
  "Name of datalake-jobs at that server; nothing: it gives none."},
 DL_SETTING_TEXT, MEMBER(notify.smtp_user), 0, 0},
{{"notify", "smtp_password_file", "",
  "a path, or nothing without smtp_user",
  "File with its password."},
 DL_SETTING_PATH, MEMBER(notify.smtp_password_file), 0, 0},
{{"notify", "from", "",
  "an address such as datalake@example.org, or nothing without smtp_url",
  "Sender of the mails."},
 DL_SETTING_ADDRESS, MEMBER(notify.from), 0, 0},
{{"run", "dir", "/run/datalake",
  "a path",
  "Folder of the running programs: process ids and pages of numbers."},
 DL_SETTING_PATH, MEMBER(run.dir), 1, 0},
{{"run", "httpd_conf", "/etc/apache2/mods-enabled/datalake.conf",
  "a path",
  "File of httpd with the DataLake directives, where datalakectl token finds "
  "key file, issuer and audience."},
 DL_SETTING_PATH, MEMBER(run.httpd_conf), 1, 0},
};
/* clang-format on */

enum {
    N_ROWS = sizeof rows / sizeof rows[0]
};

const dl_config_row *dl_config_row_at(int n)
{
    return n >= 0 && n < N_ROWS ? &rows[n].seen : NULL;
}

/* Return the row of SECTION and KEY; or NULL, with *SECTION_KNOWN. */
static const row *find_row(bool *section_known, const char *section,
                           const char *key)
{
    *section_known = false;
    for (int i = 0; i < N_ROWS; i++) {
        if (strcmp(rows[i].seen.section, section) != 0) {
            continue;
        }
        *section_known = true;
        if (strcmp(rows[i].seen.key, key) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

/* The sections or, of SECTION, the keys there are: "a, b, c". */
static const char *list_names(const char *section, apr_pool_t *pool)
{
    const char *list = "";
    const char *last = "";

    for (int i = 0; i < N_ROWS; i++) {
        const dl_config_row *seen = &rows[i].seen;
        const char *name = section == NULL ? seen->section : seen->key;

        if ((section != NULL && strcmp(seen->section, section) != 0) ||
            strcmp(name, last) == 0) {
            continue;
        }
        list = apr_pstrcat(pool, list, *list == '\0' ? "" : ", ", name, NULL);
        last = name;
    }
    return list;
}

/* Fill the member of R in CFG from TEXT. */
static bool set_member(dl_config *cfg, const row *r, const char *text,
                       const char *folder, apr_pool_t *pool)
{
    dl_setting setting = {
        .type = r->type, .min = r->min, .max = r->max, .folder = folder};

    return dl_setting_parse((char *)cfg + r->offset, &setting, text, pool);
}

/* Keep the dataset that ENTRY of [retention] names as long as it says. */
static dl_status keep_dataset(dl_config *cfg, const dl_ini_entry *entry,
                              dl_error *err, apr_pool_t *pool)
{
    const dl_setting days = {.type = DL_SETTING_DAYS, .min = 1, .max = 36500};
    int n = cfg->retention.n_others;
    dl_config_kept *others = apr_palloc(pool, ((size_t)n + 1) * sizeof *others);

    for (int i = 0; i < n; i++) {
        others[i] = cfg->retention.others[i];
        if (strcmp(others[i].dataset, entry->key) == 0) {
            return dl_fail(err, DL_INVALID, 0,
                           "%s:%d: [retention] %s: must stand once", cfg->file,
                           entry->line, entry->key);
        }
    }
    others[n].dataset = entry->key;
    if (!dl_setting_parse(&others[n].days, &days, entry->value, pool)) {
        return dl_fail(err, DL_INVALID, 0,
                       "%s:%d: [retention] %s = %.60s: must be " KEPT_MUST_BE,
                       cfg->file, entry->line, entry->key, entry->value);
    }
    cfg->retention.others = others;
    cfg->retention.n_others = n + 1;
    return DL_OK;
}

/* Apply ENTRY; SEEN[i] is the line of an earlier entry of row i, or 0. */
static dl_status apply_entry(dl_config *cfg, int *seen,
                             const dl_ini_entry *entry, const char *folder,
                             dl_error *err, apr_pool_t *pool)
{
    bool section_known;
    const row *r;

    if (strncmp(entry->section, "source ", strlen("source ")) == 0) {
        return dl_config_source_apply(cfg, entry, folder, err, pool);
    }
    r = find_row(&section_known, entry->section, entry->key);
    if (!section_known) {
        return dl_fail(
            err, DL_INVALID, 0,
            "%s:%d: [%.60s]: there is no such section, must be one "
            "of %s",
            cfg->file, entry->line, entry->section,
            apr_pstrcat(pool, list_names(NULL, pool), ", source NAME", NULL));
    }
    if (r == NULL && strcmp(entry->section, "retention") == 0) {
        return keep_dataset(cfg, entry, err, pool);
    }
    if (r == NULL) {
        return dl_fail(err, DL_INVALID, 0,
                       "%s:%d: [%s] %.60s: there is no such key, must be one "
                       "of %s",
                       cfg->file, entry->line, entry->section, entry->key,
                       list_names(entry->section, pool));
    }
    if (seen[r - rows] != 0) {
        return dl_fail(err, DL_INVALID, 0,
                       "%s:%d: [%s] %s: must stand once, and is in line %d",
                       cfg->file, entry->line, entry->section, entry->key,
                       seen[r - rows]);
    }
    seen[r - rows] = entry->line;
    if (!set_member(cfg, r, entry->value, folder, pool)) {
        /* Somebody may have written a password into an URL. */
        return dl_fail(err, DL_INVALID, 0, "%s:%d: [%s] %s = %.60s: must be %s",
                       cfg->file, entry->line, entry->section, entry->key,
                       r->type == DL_SETTING_SMTP ? "..." : entry->value,
                       r->seen.must_be);
    }
    return DL_OK;
}

/* Whether what belongs together in [notify] is there. */
static dl_status check_notify(const dl_config *cfg, dl_error *err)
{
    const dl_config_notify *n = &cfg->notify;

    if (n->smtp_url[0] != '\0' && n->from[0] == '\0') {
        return dl_fail(err, DL_INVALID, 0,
                       "%s: [notify] from: must stand beside smtp_url",
                       cfg->file);
    }
    if ((n->smtp_user[0] == '\0') != (n->smtp_password_file[0] == '\0')) {
        return dl_fail(err, DL_INVALID, 0,
                       "%s: [notify] smtp_user and smtp_password_file: must "
                       "both stand there, or none",
                       cfg->file);
    }
    return DL_OK;
}

/* The folder of FILE, absolute where the current one is known. */
static const char *folder_of(const char *file, apr_pool_t *pool)
{
    const char *slash = strrchr(file, '/');
    const char *folder =
        slash == NULL ? "."
                      : apr_pstrmemdup(pool, file, (size_t)(slash - file));
    char *here;

    if (file[0] == '/') {
        return folder;
    }
    here = getcwd(NULL, 0);
    if (here != NULL) {
        folder = strcmp(folder, ".") == 0
                     ? apr_pstrdup(pool, here)
                     : apr_pstrcat(pool, here, "/", folder, NULL);
        free(here);
    }
    return folder;
}

dl_status dl_config_apply(dl_config **cfg, const dl_ini *ini, dl_error *err,
                          apr_pool_t *result_pool)
{
    dl_config *made = apr_pcalloc(result_pool, sizeof *made);
    const char *folder = folder_of(ini->file, result_pool);
    int seen[N_ROWS] = {0};

    made->file = ini->file;
    for (int i = 0; i < N_ROWS; i++) {
        if (!set_member(made, &rows[i], rows[i].seen.default_text, folder,
                        result_pool)) {
            return dl_fail(err, DL_INTERNAL, 0, "the default of [%s] %s",
                           rows[i].seen.section, rows[i].seen.key);
        }
    }
    for (int i = 0; i < ini->n; i++) {
        DL_TRY(apply_entry(made, seen, &ini->entries[i], folder, err,
                           result_pool));
    }
    DL_TRY(dl_config_source_check(made, err));
    DL_TRY(check_notify(made, err));
    *cfg = made;
    return DL_OK;
}

dl_status dl_config_load(dl_config **cfg, const char *path, dl_error *err,
                         apr_pool_t *result_pool)
{
    dl_ini *ini;

    if (path == NULL) {
        /* At start and reload nothing changes the environment. */
        path = getenv("DATALAKE_CONFIG"); /* NOLINT(concurrency-mt-unsafe) */
    }
    if (path == NULL || *path == '\0') {
        path = DL_CONFIG_FILE;
    }
    DL_TRY(dl_ini_load(&ini, path, err, result_pool));
    return dl_config_apply(cfg, ini, err, result_pool);
}

int64_t dl_config_retention_days(const dl_config *cfg, const char *dataset)
{
    const dl_config_retention *kept = &cfg->retention;
    const dl_config_kept market[] = {
        {"rawticker", kept->rawticker},   {"rawtrade", kept->rawtrade},
        {"rawarticle", kept->rawarticle}, {"rawalert", kept->rawalert},
        {"sentiment", kept->sentiment},   {"prediction", kept->prediction}};

    for (size_t i = 0; i < sizeof market / sizeof market[0]; i++) {
        if (strcmp(market[i].dataset, dataset) == 0) {
            return market[i].days;
        }
    }
    for (int i = 0; i < kept->n_others; i++) {
        if (strcmp(kept->others[i].dataset, dataset) == 0) {
            return kept->others[i].days;
        }
    }
    return 0;
}
