/* dl_config_source.c - The table of a source's keys and how a section fills
 * it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_config_source.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_setting.h"

/* Most sources. */
enum {
    MAX_SOURCES = 64
};

/* Which types have a key. */
enum {
    FOR_FILE = 1 << DL_SOURCE_FILE,
    FOR_SQLITE = 1 << DL_SOURCE_SQLITE,
    FOR_MYSQL = 1 << DL_SOURCE_MYSQL,
    FOR_SOCKET = 1 << DL_SOURCE_SOCKET,
    FOR_TABLE = FOR_SQLITE | FOR_MYSQL,
    FOR_ALL = FOR_FILE | FOR_TABLE | FOR_SOCKET
};

/* A row: what others see, and where the value goes. */
typedef struct row {
    dl_config_row seen;       /* section, key, default, rule, sentence */
    dl_setting_type type;     /* how it is written, without WORDS */
    const char *const *words; /* or one of these: its index; NULL: no */
    size_t offset;            /* of the member in dl_config_source */
    int64_t min, max;         /* of numbers, times; least length of a path */
    unsigned types;           /* which may have it */
    unsigned needed;          /* which must */
} row;

static const char *const TYPES[] = {"file", "sqlite", "mysql", "socket", NULL};
static const char *const FORMATS[] = {"csv", "json", "ndjson", "combined",
                                      NULL};
static const char *const ENCODINGS[] = {"utf-8", "iso-8859-1", "windows-1252",
                                        NULL};
static const char *const PROTOCOLS[] = {"tcp", "syslog-udp", NULL};

#define MEMBER(name) offsetof(dl_config_source, name)

/* clang-format off */
static const row rows[] = {
{{"source", "dataset", "",
  "the name of a dataset",
  "Records go to the topic of this dataset."},
 DL_SETTING_WORD, NULL, MEMBER(dataset), 0, 0, FOR_ALL, FOR_ALL},
{{"source", "type", "file",
  "file, sqlite, mysql or socket",
  "What is read."},
 DL_SETTING_WORD, TYPES, MEMBER(type), 0, 0, FOR_ALL, 0},
{{"source", "path", "",
  "a path",
  "Of file: the files, also by *, ? and [] in the last name; they are read "
  "one after another, by name. Of sqlite: the file."},
 DL_SETTING_PATH, NULL, MEMBER(path), 1, 0, FOR_FILE | FOR_SQLITE,
 FOR_FILE | FOR_SQLITE},
{{"source", "format", "csv",
  "csv, json, ndjson or combined",
  "How the files are written: with a header and separated fields, as an array "
  "of objects, as an object a line, as Apache's combined log."},
 DL_SETTING_WORD, FORMATS, MEMBER(format), 0, 0, FOR_FILE, 0},
{{"source", "separator", "comma",
  "comma, semicolon, tab, space, or one other character that is neither a "
  "letter, a digit nor a quotation mark",
  "What stands between the fields of csv."},
 DL_SETTING_TEXT, NULL, MEMBER(separator), 0, 0, FOR_FILE, 0},
{{"source", "encoding", "utf-8",
  "utf-8, iso-8859-1 or windows-1252",
  "How characters of the files are written."},
 DL_SETTING_WORD, ENCODINGS, MEMBER(encoding), 0, 0, FOR_FILE, 0},
{{"source", "dsn_file", "",
  "a path",
  "File with mysql://USER:PASSWORD@HOST:PORT/DATABASE, readable by its owner "
  "and group alone."},
 DL_SETTING_PATH, NULL, MEMBER(dsn_file), 1, 0, FOR_MYSQL, FOR_MYSQL},
{{"source", "table", "",
  "a name without white space",
  "Table to read; a view will do."},
 DL_SETTING_WORD, NULL, MEMBER(table), 0, 0, FOR_TABLE, FOR_TABLE},
{{"source", "key", "",
  "a name without white space",
  "Column of whole numbers from 0 on by which new rows are known: each one "
  "that is added has a greater one than all that were there."},
 DL_SETTING_WORD, NULL, MEMBER(key), 0, 0, FOR_TABLE, FOR_TABLE},
{{"source", "settle", "5 s",
  "0 or a time up to 1 h, such as 5 s",
  "How long a transaction of a server may take from the number it was given "
  "to its commit: behind a number that is missing rows wait for so long, so "
  "that none is passed over; 0: they do not."},
 DL_SETTING_MILLIS, NULL, MEMBER(settle_ms), 0, 3600000, FOR_MYSQL, 0},
{{"source", "listen", "127.0.0.1:5140",
  "ADDRESS:PORT, with an IPv6 address in brackets",
  "Where senders find it."},
 DL_SETTING_WORD, NULL, MEMBER(listen), 0, 0, FOR_SOCKET, 0},
{{"source", "protocol", "tcp",
  "tcp or syslog-udp",
  "A JSON object a line over TCP, or a message of RFC 5424 or RFC 3164 a "
  "datagram."},
 DL_SETTING_WORD, PROTOCOLS, MEMBER(protocol), 0, 0, FOR_SOCKET, 0},
{{"source", "idle", "60 s",
  "a time from 100 ms to 1 d, such as 60 s",
  "A sender that was silent for so long is closed when others wait and all 64 "
  "places are taken."},
 DL_SETTING_MILLIS, NULL, MEMBER(idle_ms), 100, 86400000, FOR_SOCKET, 0},
{{"source", "rate", "0",
  "a whole number from 0 to 10000000",
  "Records a second, at most; 0: as many as there are."},
 DL_SETTING_INT, NULL, MEMBER(rate), 0, 10000000, FOR_ALL, 0},
{{"source", "mapping", "",
  "a comma list of member = column",
  "Which member of the record comes from which column; dots make members of "
  "members. Left out: equal names."},
 DL_SETTING_TEXT, NULL, MEMBER(mapping), 0, 0, FOR_ALL, 0},
};
/* clang-format on */

enum {
    N_ROWS = sizeof rows / sizeof rows[0]
};

const dl_config_row *dl_config_source_row_at(int n)
{
    return n >= 0 && n < N_ROWS ? &rows[n].seen : NULL;
}

const dl_config_source *dl_config_source_find(const dl_config *cfg,
                                              const char *name)
{
    for (int i = 0; i < cfg->sources.n; i++) {
        if (strcmp(cfg->sources.items[i].name, name) == 0) {
            return &cfg->sources.items[i];
        }
    }
    return NULL;
}

static bool parse_word(int64_t *index, const char *const *words,
                       const char *text)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], text) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

/* Set *SEPARATOR to the one byte that TEXT is. */
static bool parse_separator(int64_t *separator, const char *text)
{
    static const char *const names[] = {"comma", "semicolon", "tab", "space",
                                        NULL};
    int64_t index;

    if (parse_word(&index, names, text)) {
        *separator = (unsigned char)",;\t "[index];
        return true;
    }
    *separator = (unsigned char)*text;
    return strlen(text) == 1 && *text > ' ' && *text < 0x7F && *text != '"' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz"
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == 0;
}

/* Whether TEXT is ADDRESS:PORT, with an address of IPv6, which may have a
 * zone, in brackets. */
static bool listen_ok(const char *text)
{
    const char *colon = strrchr(text, ':');
    size_t digits = colon == NULL ? 0 : strspn(colon + 1, "0123456789");
    size_t len = colon == NULL ? 0 : (size_t)(colon - text);
    unsigned char address[sizeof(struct in6_addr)];
    bool six = len > 1 && *text == '[' && colon[-1] == ']';
    char host[64];
    long port;

    if (len == 0 || len >= sizeof host || digits == 0 || digits > 5 ||
        colon[1 + digits] != '\0') {
        return false;
    }
    port = strtol(colon + 1, NULL, 10);
    memcpy(host, text, len);
    host[len] = '\0';
    if (six) {
        host[1 + strcspn(host + 1, "%]")] = '\0';
    }
    return port >= 1 && port <= 65535 &&
           inet_pton(six ? AF_INET6 : AF_INET, host + (six ? 1 : 0), address) ==
               1;
}

/* Fill the member of R in SOURCE from TEXT. */
static bool set_member(dl_config_source *source, const row *r, const char *text,
                       const char *folder, apr_pool_t *pool)
{
    dl_setting setting = {
        .type = r->type, .min = r->min, .max = r->max, .folder = folder};
    void *member = (char *)source + r->offset;

    if (r->words != NULL) {
        return parse_word(member, r->words, text);
    }
    if (r->offset == MEMBER(separator)) {
        return parse_separator(member, text);
    }
    if (r->offset == MEMBER(dataset) && !dl_dataset_name_ok(text)) {
        return false;
    }
    if (r->offset == MEMBER(listen) && !listen_ok(text)) {
        return false;
    }
    return dl_setting_parse(member, &setting, text, pool);
}

/* Whether NAME can be a source: it stands in labels and headers. */
static bool name_ok(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= DL_SOURCE_NAME && *name >= 'a' && *name <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

/* Set *SOURCE to the one NAME of CFG, made with defaults when it is new. */
static dl_status get_source(dl_config_source **source, dl_config *cfg,
                            const char *name, const dl_ini_entry *entry,
                            apr_pool_t *pool)
{
    const dl_config_source *found = dl_config_source_find(cfg, name);
    dl_config_source *made;

    if (found != NULL) {
        *source = &cfg->sources.items[found - cfg->sources.items];
        return DL_OK;
    }
    if (cfg->sources.items == NULL) {
        cfg->sources.items =
            apr_pcalloc(pool, MAX_SOURCES * sizeof *cfg->sources.items);
    }
    if (cfg->sources.n == MAX_SOURCES) {
        return DL_LIMIT;
    }
    made = &cfg->sources.items[cfg->sources.n++];
    made->name = name;
    made->line = entry->line;
    for (int i = 0; i < N_ROWS; i++) {
        bool empty =
            rows[i].type == DL_SETTING_PATH ||
            (rows[i].type == DL_SETTING_WORD && rows[i].words == NULL &&
             *rows[i].seen.default_text == '\0');

        if (empty) {
            *(const char **)(void *)((char *)made + rows[i].offset) = "";
        }
        else if (!set_member(made, &rows[i], rows[i].seen.default_text, "",
                             pool)) {
            return DL_INTERNAL;
        }
    }
    *source = made;
    return DL_OK;
}

/* Keep transform.MEMBER. */
static dl_status add_transform(dl_config_source *source, const dl_config *cfg,
                               const dl_ini_entry *entry, dl_error *err,
                               apr_pool_t *pool)
{
    const char *member = entry->key + strlen("transform.");

    if (source->transforms == NULL) {
        source->transforms = apr_pcalloc(pool, DL_SOURCE_TRANSFORMS *
                                                   sizeof *source->transforms);
    }
    for (int i = 0; i < source->n_transforms; i++) {
        if (strcmp(source->transforms[i].member, member) == 0) {
            return dl_fail(err, DL_INVALID, 0,
                           "%s:%d: [%s] %s: must stand once, and is in line %d",
                           cfg->file, entry->line, entry->section, entry->key,
                           source->transforms[i].line);
        }
    }
    if (source->n_transforms == DL_SOURCE_TRANSFORMS) {
        return dl_fail(err, DL_INVALID, 0,
                       "%s:%d: [%s] %s: a source has at most %d transforms",
                       cfg->file, entry->line, entry->section, entry->key,
                       DL_SOURCE_TRANSFORMS);
    }
    source->transforms[source->n_transforms++] = (dl_source_transform){
        .member = member, .text = entry->value, .line = entry->line};
    return DL_OK;
}

/* The keys there are: "a, b, c". */
static const char *list_keys(apr_pool_t *pool)
{
    const char *list = "";

    for (int i = 0; i < N_ROWS; i++) {
        list = apr_pstrcat(pool, list, rows[i].seen.key, ", ", NULL);
    }
    return apr_pstrcat(pool, list, "transform.MEMBER", NULL);
}

static const row *find_row(const char *key)
{
    for (int i = 0; i < N_ROWS; i++) {
        if (strcmp(rows[i].seen.key, key) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

/* Apply ENTRY, which is no transform, to SOURCE. */
static dl_status apply_key(dl_config_source *source, const dl_config *cfg,
                           const dl_ini_entry *entry, const char *folder,
                           dl_error *err, apr_pool_t *pool)
{
    const row *r = find_row(entry->key);

    if (r == NULL) {
        return dl_fail(err, DL_INVALID, 0,
                       "%s:%d: [%s] %.60s: there is no such key, must be one "
                       "of %s",
                       cfg->file, entry->line, entry->section, entry->key,
                       list_keys(pool));
    }
    if ((source->given & 1U << (r - rows)) != 0) {
        return dl_fail(err, DL_INVALID, 0, "%s:%d: [%s] %s: must stand once",
                       cfg->file, entry->line, entry->section, entry->key);
    }
    source->given |= 1U << (r - rows);
    if (!set_member(source, r, entry->value, folder, pool)) {
        return dl_fail(err, DL_INVALID, 0, "%s:%d: [%s] %s = %.60s: must be %s",
                       cfg->file, entry->line, entry->section, entry->key,
                       entry->value, r->seen.must_be);
    }
    return DL_OK;
}

dl_status dl_config_source_apply(dl_config *cfg, const dl_ini_entry *entry,
                                 const char *folder, dl_error *err,
                                 apr_pool_t *pool)
{
    const char *name = entry->section + strlen("source ");
    dl_config_source *source;
    dl_status status;

    name += strspn(name, " \t");
    if (!name_ok(name)) {
        return dl_fail(
            err, DL_INVALID, 0,
            "%s:%d: [%.60s]: must be [source NAME], a name of at "
            "most %d a-z, 0-9, '_' and '-' that begins with a letter",
            cfg->file, entry->line, entry->section, DL_SOURCE_NAME);
    }
    status = get_source(&source, cfg, name, entry, pool);
    if (status != DL_OK) {
        return dl_fail(err, status == DL_LIMIT ? DL_INVALID : DL_INTERNAL, 0,
                       "%s:%d: [%s]: there may be at most %d sources",
                       cfg->file, entry->line, entry->section, MAX_SOURCES);
    }
    if (strncmp(entry->key, "transform.", strlen("transform.")) == 0) {
        return add_transform(source, cfg, entry, err, pool);
    }
    return apply_key(source, cfg, entry, folder, err, pool);
}

/* Check SOURCE, of which all is read. */
static dl_status check_source(const dl_config *cfg,
                              const dl_config_source *source, dl_error *err)
{
    unsigned type = 1U << source->type;

    for (int i = 0; i < N_ROWS; i++) {
        bool given = (source->given & 1U << i) != 0;

        if (given && (rows[i].types & type) == 0) {
            return dl_fail(err, DL_INVALID, 0,
                           "%s:%d: [source %s] %s: a source of type %s has no "
                           "such key",
                           cfg->file, source->line, source->name,
                           rows[i].seen.key, TYPES[source->type]);
        }
        if (!given && (rows[i].needed & type) != 0) {
            return dl_fail(err, DL_INVALID, 0,
                           "%s:%d: [source %s]: must have a key %s, %s",
                           cfg->file, source->line, source->name,
                           rows[i].seen.key, rows[i].seen.must_be);
        }
    }
    return DL_OK;
}

dl_status dl_config_source_check(const dl_config *cfg, dl_error *err)
{
    for (int i = 0; i < cfg->sources.n; i++) {
        DL_TRY(check_source(cfg, &cfg->sources.items[i], err));
    }
    return DL_OK;
}
