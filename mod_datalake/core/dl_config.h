/* dl_config.h - datalake.ini: what both sides or only the daemons need.
 *
 * One row of one table (dl_config.c) is one setting: section, key, type,
 * member, default, bounds, sentence.  conf/datalake.ini and the manual page
 * datalake.ini(5) name the same rows; a test compares all three.  A setting
 * is here or an httpd directive, never both.
 *
 * Every mistake is told as "FILE:LINE: [section] key = value: must be ...".
 * Paths that do not begin with / are taken from the folder of the file.
 *
 * Thread: a loaded dl_config is never changed, any thread may read it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_CONFIG_H
#define DL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_ini.h"

/* The file that is read when nothing else is named. */
#define DL_CONFIG_FILE "/etc/datalake/datalake.ini"

/* A list of names. */
typedef struct dl_config_list {
    int n;                    /* how many */
    const char *const *names; /* in order of the file */
} dl_config_list;

/* One account of the warehouse. */
typedef struct dl_config_account {
    const char *user;          /* its name */
    const char *password_file; /* absolute path; "" when it has no password */
} dl_config_account;

/* [lake] */
typedef struct dl_config_lake {
    const char *path;      /* the lake's root */
    int64_t seal_age_s;    /* a part is sealed when it is this old */
    int64_t seal_size;     /* ... or holds this many bytes */
    int64_t commit_ms;     /* between commits, caught up */
    int64_t backlog_ms;    /* between commits, under backlog */
    int64_t backlog_bytes; /* ... or when this many bytes wait */
    int64_t index_bytes;   /* bytes of a block of an index; 0: none is made */
    int64_t zstd_after;    /* days a past day stays as it is before it is
                              compressed; 0: for ever */
} dl_config_lake;

/* [warehouse] */
typedef struct dl_config_warehouse {
    const char *host;           /* name or address; "" with a socket */
    int64_t port;               /* TCP port */
    const char *socket;         /* path of the local socket, "" for TCP */
    const char *database;       /* name of the schema */
    const char *base_currency;  /* three capital letters */
    dl_config_account migrate;  /* may change the schema */
    dl_config_account ingest;   /* loads records */
    dl_config_account api;      /* what httpd uses */
    dl_config_account jobs;     /* what jobs use */
    int64_t connect_timeout_ms; /* for a connection to come up */
    int64_t load_rows;          /* rows of one chunk, at most */
    int64_t load_bytes;         /* bytes of one chunk, at most */
    int64_t commit_ms;          /* between commits, caught up */
    int64_t backlog_ms;         /* between commits, under backlog */
    int64_t rollup_ms;          /* between two runs of the rollups */
    bool local_infile;          /* try LOAD DATA LOCAL before INSERT */
    bool accept_unsafe_flush;   /* start though commits are not flushed */
} dl_config_warehouse;

/* [kafka] */
typedef struct dl_config_kafka {
    const char *brokers;        /* host:port, comma list */
    const char *group;          /* consumer group of the warehouse */
    const char *group_instance; /* fixed member name, "" for none */
    int64_t buffer_bytes;       /* fetched ahead by one program, at most */
    int64_t fetch_bytes;        /* one answer of a broker, at most */
    int64_t session_timeout_ms; /* a silent member is dead after this */
    int64_t dead_letter_share;  /* per cent of dead letters in a window of
                                 * messages that stops a partition;
                                 * 100: never */
    int64_t dead_letter_window; /* messages of that window */
    bool dead_letter_topics;    /* they go to dlq.TOPIC, too */
} dl_config_kafka;

/* [datasets] */
typedef struct dl_config_datasets {
    const char *dir;        /* folder of the declarations */
    const char *event_zone; /* zone of event times that have none */
    dl_config_list topics;  /* untyped topics */
} dl_config_datasets;

/* [erasure] */
typedef struct dl_config_erasure {
    int64_t grace_s;      /* a deleted account can come back for this long */
    int64_t inactivity_s; /* an account that nobody used goes after this */
} dl_config_erasure;

/* How long a dataset is kept. */
typedef struct dl_config_kept {
    const char *dataset; /* its name */
    int64_t days;        /* as long as this; 0: for ever */
} dl_config_kept;

/* [retention]: days, 0: for ever */
typedef struct dl_config_retention {
    int64_t rawticker;            /* of that dataset */
    int64_t rawtrade;             /* of that dataset */
    int64_t rawarticle;           /* of that dataset */
    int64_t rawalert;             /* of that dataset */
    int64_t sentiment;            /* of that dataset */
    int64_t prediction;           /* of that dataset */
    int64_t audit;                /* of the audit log in the warehouse */
    int n_others;                 /* further datasets that are named */
    const dl_config_kept *others; /* they */
} dl_config_retention;

/* [jobs]: how many of a kind one datalake-jobs works on at once; 0: it leaves
 * them to others */
typedef struct dl_config_jobs {
    int64_t schedule;   /* runs of schedules */
    int64_t repush_all; /* repushes of a dataset */
    int64_t redrive;    /* redrives of dead letters */
    int64_t train;      /* trainings */
} dl_config_jobs;
/* [train] */
typedef struct dl_config_train {
    int64_t rows;    /* transactions a model is made of, at most */
    int64_t threads; /* at work on one */
} dl_config_train;

/* [notify]: mails about failed runs of schedules */
typedef struct dl_config_notify {
    const char *smtp_url;           /* smtp://HOST:PORT or smtps://...; "":
                                       no mail */
    const char *smtp_user;          /* our name at the server; "": none */
    const char *smtp_password_file; /* absolute path; "": none */
    const char *from;               /* the sender's address */
} dl_config_notify;

/* [run] */
typedef struct dl_config_run {
    const char *dir;        /* pids and pages of numbers of programs */
    const char *httpd_conf; /* httpd's file with the DataLake directives, from
                             * which datalakectl token takes its key */
} dl_config_run;

/* [source NAME]: what datalake-collect reads (dl_config_source.h) */
typedef struct dl_config_sources {
    int n;                          /* how many */
    struct dl_config_source *items; /* in order of the file */
} dl_config_sources;

/* Everything. */
typedef struct dl_config {
    const char *file;              /* the file it came from */
    dl_config_lake lake;           /* [lake] */
    dl_config_warehouse warehouse; /* [warehouse] */
    dl_config_kafka kafka;         /* [kafka] */
    dl_config_datasets datasets;   /* [datasets] */
    dl_config_erasure erasure;     /* [erasure] */
    dl_config_retention retention; /* [retention] */
    dl_config_jobs jobs;           /* [jobs] */
    dl_config_train train;         /* [train] */
    dl_config_notify notify;       /* [notify] */
    dl_config_run run;             /* [run] */
    dl_config_sources sources;     /* [source NAME] */
} dl_config;

/* One row of the table, as tests and manuals see it. */
typedef struct dl_config_row {
    const char *section;      /* without brackets */
    const char *key;          /* its name */
    const char *default_text; /* as it would stand in the file */
    const char *must_be;      /* what a value must be */
    const char *sentence;     /* what it is for */
} dl_config_row;

/* Set *CFG to what PATH says; PATH NULL: $DATALAKE_CONFIG, and without that
 * DL_CONFIG_FILE.  DL_NOT_FOUND or DL_IO: it cannot be read; DL_INVALID: a
 * mistake in it.  Lives in RESULT_POOL.  Thread: start or reload only
 * (reads the environment). */
DL_MUSTCHECK dl_status dl_config_load(dl_config **cfg, const char *path,
                                      dl_error *err, apr_pool_t *result_pool);

/* Set *CFG to what INI says.  DL_INVALID as above.  Thread: the owner of the
 * pool. */
DL_MUSTCHECK dl_status dl_config_apply(dl_config **cfg, const dl_ini *ini,
                                       dl_error *err, apr_pool_t *result_pool);

/* Return for how many days CFG keeps DATASET, in the lake and in its table; 0:
 * for ever.  Thread: any. */
int64_t dl_config_retention_days(const dl_config *cfg, const char *dataset);

/* Return the N-th row of the table from 0, or NULL behind the last, in order
 * of the manual.  Static.  Thread: any. */
const dl_config_row *dl_config_row_at(int n);

#endif
