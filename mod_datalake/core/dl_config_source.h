/* dl_config_source.h - [source NAME] of datalake.ini: what datalake-collect
 * reads.
 *
 * A section is a source; its keys depend on its type, and those of another
 * type may not stand there.  Which there are, and what they must be, is a
 * table, as that of dl_config.h.  mapping and transform.MEMBER are kept as
 * texts: dl_mapping.h reads them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_CONFIG_SOURCE_H
#define DL_CONFIG_SOURCE_H

#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_ini.h"

struct dl_config;

/* Most characters of the name of a source. */
#define DL_SOURCE_NAME 40

/* Most transforms of a source. */
#define DL_SOURCE_TRANSFORMS 64

/* What a source is. */
typedef enum dl_source_type {
    DL_SOURCE_FILE,   /* "file": files that match a path */
    DL_SOURCE_SQLITE, /* "sqlite": a table of an SQLite file */
    DL_SOURCE_MYSQL,  /* "mysql": a table of MariaDB or MySQL */
    DL_SOURCE_SOCKET  /* "socket": lines from the network */
} dl_source_type;

/* How files are written. */
typedef enum dl_source_format {
    DL_SOURCE_CSV,     /* "csv": a header, then rows */
    DL_SOURCE_JSON,    /* "json": one array of objects */
    DL_SOURCE_NDJSON,  /* "ndjson": an object a line */
    DL_SOURCE_COMBINED /* "combined": log lines of Apache */
} dl_source_format;

/* In which encoding. */
typedef enum dl_source_encoding {
    DL_SOURCE_UTF_8,       /* "utf-8" */
    DL_SOURCE_ISO_8859_1,  /* "iso-8859-1" */
    DL_SOURCE_WINDOWS_1252 /* "windows-1252" */
} dl_source_encoding;

/* What a socket understands. */
typedef enum dl_source_protocol {
    DL_SOURCE_TCP,       /* "tcp": lines of JSON objects */
    DL_SOURCE_SYSLOG_UDP /* "syslog-udp": a message a datagram */
} dl_source_protocol;

/* transform.MEMBER = TEXT. */
typedef struct dl_source_transform {
    const char *member; /* what stands behind the first dot */
    const char *text;   /* right of the equals sign */
    int line;           /* of the file, for messages */
} dl_source_transform;

/* One source. */
typedef struct dl_config_source {
    const char *name;     /* behind "source " in the brackets */
    int line;             /* of its first key, for messages */
    const char *dataset;  /* where its records go; never "" */
    int64_t type;         /* a dl_source_type */
    const char *path;     /* file: absolute, may hold * ? [];
                                  * sqlite: absolute */
    int64_t format;       /* file: a dl_source_format */
    int64_t separator;    /* file: the byte between fields of csv */
    int64_t encoding;     /* file: a dl_source_encoding */
    const char *dsn_file; /* mysql: absolute path of a file with a DSN */
    const char *table;    /* sqlite, mysql: its name */
    const char *key;      /* sqlite, mysql: its increasing column */
    int64_t settle_ms;    /* mysql: how long a smaller key than one that is
                           * there may take to appear; 0: none does */
    const char *listen;   /* socket: ADDRESS:PORT */
    int64_t protocol;     /* socket: a dl_source_protocol */
    int64_t idle_ms;      /* socket: a sender that was silent for so long
                           * makes room for one that waits */
    int64_t rate;         /* records a second, at most; 0: no bound */
    const char *mapping;  /* as written; "": equal names */
    int n_transforms;     /* how many */
    dl_source_transform *transforms; /* in order of the file */
    unsigned given;                  /* bit i: row i of the table was given */
} dl_config_source;

/* Fill the source of SECTION ("source NAME"), which is made when it is new, in
 * CFG by ENTRY; paths are taken from FOLDER.  DL_INVALID: a mistake, with file
 * and line.  Thread: the owner of POOL. */
DL_MUSTCHECK dl_status dl_config_source_apply(struct dl_config *cfg,
                                              const dl_ini_entry *entry,
                                              const char *folder, dl_error *err,
                                              apr_pool_t *pool);

/* Check the sources of CFG when all is read: what must stand there, and what
 * must not.  DL_INVALID as above.  Thread: any. */
DL_MUSTCHECK dl_status dl_config_source_check(const struct dl_config *cfg,
                                              dl_error *err);

/* Return the source NAME of CFG, or NULL.  Thread: any. */
const dl_config_source *dl_config_source_find(const struct dl_config *cfg,
                                              const char *name);

struct dl_config_row;

/* Return the N-th row of the table of keys from 0, or NULL behind the last;
 * its section is "source".  Static.  Thread: any. */
const struct dl_config_row *dl_config_source_row_at(int n);

#endif
