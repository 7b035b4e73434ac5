/* dlc_ctl_schema.c - datalakectl schema: table definitions for other engines.
 *
 * The declaration names members by dotted paths; engines want nested types.
 * A member that others reach into is a row of their columns.  Event times
 * stay text, because a dataset may hold several forms of them; the folder's
 * dt= is the day.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_config.h"
#include "dl_dataset.h"
#include "dlc_ctl.h"

#include <string.h>

#include <apr_strings.h>

#define COLUMNS_MAX 2000

/* One member as a column. */
typedef struct schema_column {
    const char *path;   /* dotted */
    dl_field_type type; /* of its value */
} schema_column;

/* The columns of a dataset. */
typedef struct schema_columns {
    int n;                             /* how many */
    schema_column column[COLUMNS_MAX]; /* in order of the declaration */
} schema_columns;

/* How an engine writes types. */
typedef struct schema_dialect {
    const char *name;     /* as it is typed */
    const char *types[8]; /* by dl_field_type */
    const char *quote;    /* around a name */
    const char *colon;    /* between name and type inside a row */
    const char *open;     /* begins a row type */
    const char *close;    /* ends it */
    void (*print)(const struct schema_dialect *dialect, const dl_dataset *ds,
                  const char *path, const schema_columns *columns,
                  apr_pool_t *pool); /* prints the definition */
} schema_dialect;

static void add_column(schema_columns *out, const char *path,
                       dl_field_type type)
{
    if (out->n < COLUMNS_MAX) {
        out->column[out->n++] = (schema_column){path, type};
    }
}

static void collect(schema_columns *out, const dl_dataset *ds)
{
    out->n = 0;
    for (int i = 0; i < ds->n_fields; i++) {
        const dl_field *field = &ds->fields[i];

        add_column(out, field->path, field->type);
        for (int k = 0; k < field->n_alternates; k++) {
            add_column(out, field->alternates[k], field->type);
        }
    }
}

/* Bytes of the first LEVELS names of PATH. */
static size_t prefix_len(const char *path, int levels)
{
    const char *at = path;

    while (levels-- > 0) {
        at += strcspn(at, ".");
        if (levels > 0 && *at == '.') {
            at++;
        }
    }
    return (size_t)(at - path);
}

/* Whether PATH begins with the LEN bytes of PREFIX as whole names. */
static bool reaches_into(const char *path, const char *prefix, size_t len)
{
    return strncmp(path, prefix, len) == 0 &&
           (path[len] == '\0' || path[len] == '.');
}

/* Whether column I is the first that begins with its own LEN bytes. */
static bool is_first(const schema_columns *columns, int i, size_t len)
{
    for (int k = 0; k < i; k++) {
        if (reaches_into(columns->column[k].path, columns->column[i].path,
                         len)) {
            return false;
        }
    }
    return true;
}

/* The type of what begins with the LEN bytes of column I, LEVELS names: a
 * plain type, or a row of the members under it. */
static const char *type_of(const schema_dialect *dialect,
                           const schema_columns *columns, int i, int levels,
                           apr_pool_t *pool)
{
    const char *path = columns->column[i].path;
    size_t len = prefix_len(path, levels);
    const char *text = dialect->open;
    int members = 0;

    for (int k = 0; k < columns->n; k++) {
        const char *other = columns->column[k].path;
        size_t all = prefix_len(other, levels + 1);

        if (!reaches_into(other, path, len) || other[len] == '\0' ||
            !is_first(columns, k, all)) {
            continue;
        }
        text =
            apr_pstrcat(pool, text, members++ > 0 ? ", " : "", dialect->quote,
                        apr_pstrmemdup(pool, other + len + 1, all - len - 1),
                        dialect->quote, dialect->colon,
                        type_of(dialect, columns, k, levels + 1, pool), NULL);
    }
    return members > 0 ? apr_pstrcat(pool, text, dialect->close, NULL)
                       : dialect->types[columns->column[i].type];
}

/* Call for each outermost member: its name and type. */
typedef void each_member(const char *name, const char *type, bool first);

static void walk(const schema_dialect *dialect, const schema_columns *columns,
                 each_member *each, apr_pool_t *pool)
{
    bool first = true;

    for (int i = 0; i < columns->n; i++) {
        const char *path = columns->column[i].path;
        size_t len = prefix_len(path, 1);

        if (is_first(columns, i, len)) {
            each(apr_pstrmemdup(pool, path, len),
                 type_of(dialect, columns, i, 1, pool), first);
            first = false;
        }
    }
}

/* TEXT with every quote C doubled. */
static const char *quoted(const char *text, char c, apr_pool_t *pool)
{
    char *out = apr_palloc(pool, strlen(text) * 2 + 1);
    char *at = out;

    for (; *text != '\0'; text++) {
        if (*text == c) {
            *at++ = c;
        }
        *at++ = *text;
    }
    *at = '\0';
    return out;
}

/* --- DuckDB --------------------------------------------------------------- */

static void duckdb_member(const char *name, const char *type, bool first)
{
    printf("%s\n    '%s': '%s'", first ? "" : ",", name, type);
}

static void print_duckdb(const schema_dialect *dialect, const dl_dataset *ds,
                         const char *path, const schema_columns *columns,
                         apr_pool_t *pool)
{
    printf("-- %s for DuckDB: sealed parts, always whole.\n"
           "-- An ill-typed optional member reads as NULL, as in the "
           "warehouse.  DuckDB takes a\n"
           "-- number through a double: exact up to 15 digits, and at any "
           "length when it came\n-- as a string.\n"
           "CREATE OR REPLACE VIEW \"%s\" AS SELECT * FROM read_json(\n"
           "  '%s/*/*.json*',\n"
           "  format = 'newline_delimited',\n"
           "  hive_partitioning = true,\n"
           "  hive_types = {'dt': DATE},\n"
           "  ignore_errors = true,\n"
           "  maximum_object_size = 2097152,\n"
           "  columns = {",
           ds->name, ds->name, quoted(path, '\'', pool));
    walk(dialect, columns, duckdb_member, pool);
    puts("\n  });");
}

/* --- Spark ---------------------------------------------------------------- */

static void spark_member(const char *name, const char *type, bool first)
{
    printf("%s\n  `%s` %s", first ? "" : ",", name, type);
}

static void print_spark(const schema_dialect *dialect, const dl_dataset *ds,
                        const char *path, const schema_columns *columns,
                        apr_pool_t *pool)
{
    printf("-- %s for Spark: sealed parts, always whole.\n"
           "CREATE TABLE IF NOT EXISTS `%s` (",
           ds->name, ds->name);
    walk(dialect, columns, spark_member, pool);
    printf(",\n  `dt` DATE\n)\nUSING json\nOPTIONS (mode 'PERMISSIVE')\n"
           "PARTITIONED BY (`dt`)\nLOCATION 'file:%s';\n"
           "-- again whenever days were added:\nMSCK REPAIR TABLE `%s`;\n",
           quoted(path, '\'', pool), ds->name);
}

/* --- Trino ---------------------------------------------------------------- */

static void trino_member(const char *name, const char *type, bool first)
{
    printf("%s\n  \"%s\" %s", first ? "" : ",", name, type);
}

static void print_trino(const schema_dialect *dialect, const dl_dataset *ds,
                        const char *path, const schema_columns *columns,
                        apr_pool_t *pool)
{
    printf("-- %s for Trino's Hive connector: sealed parts, always whole.\n"
           "CREATE TABLE IF NOT EXISTS hive.default.\"%s\" (",
           ds->name, ds->name);
    walk(dialect, columns, trino_member, pool);
    printf(",\n  \"dt\" date\n)\nWITH (\n  format = 'JSON',\n"
           "  external_location = 'file://%s',\n"
           "  partitioned_by = ARRAY['dt']\n);\n"
           "-- again whenever days were added:\n"
           "CALL hive.system.sync_partition_metadata('default', '%s', "
           "'FULL');\n",
           quoted(path, '\'', pool), ds->name);
}

/* Types in order of dl_field_type: str int dec num bool time date any. */
static const schema_dialect DIALECTS[] = {
    {"duckdb",
     {"VARCHAR", "BIGINT", "DECIMAL(28,10)", "DOUBLE", "BOOLEAN", "VARCHAR",
      "DATE", "JSON"},
     "\"",
     " ",
     "STRUCT(",
     ")",
     print_duckdb},
    {"spark",
     {"STRING", "BIGINT", "DECIMAL(28,10)", "DOUBLE", "BOOLEAN", "STRING",
      "DATE", "STRING"},
     "`",
     ": ",
     "STRUCT<",
     ">",
     print_spark},
    {"trino",
     {"varchar", "bigint", "decimal(28,10)", "double", "boolean", "varchar",
      "date", "varchar"},
     "\"",
     " ",
     "row(",
     ")",
     print_trino}};

static const schema_dialect *find_dialect(const char *name)
{
    for (size_t i = 0; i < sizeof DIALECTS / sizeof DIALECTS[0]; i++) {
        if (strcmp(DIALECTS[i].name, name) == 0) {
            return &DIALECTS[i];
        }
    }
    return NULL;
}

int dlc_ctl_schema(dlc_ctl *ctl, int argc, const char *const *argv)
{
    const schema_dialect *dialect;
    const dl_dataset *ds;
    const dl_config *cfg;
    schema_columns *columns;
    dlc_positionals rest;
    dl_error err = {0};
    int exit_status = dlc_ctl_parse(&rest, ctl, NULL, argc, argv);

    if (exit_status < 0) {
        exit_status = dlc_ctl_want(ctl, &rest, 2, 2);
    }
    if (exit_status >= 0) {
        return exit_status;
    }
    dialect = find_dialect(rest.text[0]);
    if (dialect == NULL) {
        return dlc_ctl_usage(ctl,
                             "the engine must be duckdb, spark or trino, not "
                             "\"%.40s\"",
                             rest.text[0]);
    }
    if (dlc_ctl_dataset(&ds, ctl, rest.text[1], &err) != DL_OK ||
        dlc_ctl_config(&cfg, ctl, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    columns = apr_palloc(ctl->pool, sizeof *columns);
    collect(columns, ds);
    dialect->print(dialect, ds,
                   apr_pstrcat(ctl->pool, cfg->lake.path, "/", ds->name, NULL),
                   columns, ctl->pool);
    return DLC_CTL_OK;
}
