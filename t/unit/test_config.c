/* test_config.c - datalake.ini: each rule, each message, and that table,
 * sample file and manual page name the same settings.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_config.h"
#include "dl_config_source.h"

#include "tap.h"

#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "dl_file.h"

static apr_pool_t *pool;
static dl_config *cfg;
static dl_error err;

/* Read TEXT as /conf/x.ini; return the sentence of its mistake, or "". */
static const char *read_ini(const char *text)
{
    dl_ini *ini;

    memset(&err, 0, sizeof err);
    if (dl_ini_parse(&ini, "/conf/x.ini", text, strlen(text), &err, pool) ==
        DL_OK) {
        (void)!dl_config_apply(&cfg, ini, &err, pool);
    }
    return err.text;
}

static void test_defaults(void)
{
    is_str(read_ini(""), "", "an empty file is enough");
    is_str(cfg->lake.path, "/var/lib/datalake/lake", "a path");
    is_int(cfg->lake.seal_age_s, 900, "15 min are 900 s");
    is_int(cfg->lake.seal_size, 1073741824, "1 GiB");
    is_int(cfg->lake.index_bytes, 81920, "blocks of a normal index");
    is_int(cfg->lake.commit_ms, 100, "100 ms");
    is_int(cfg->warehouse.port, 3306, "a port");
    is_str(cfg->warehouse.socket, "", "an empty path stays empty");
    is_str(cfg->warehouse.base_currency, "EUR", "a currency");
    ok(cfg->warehouse.local_infile, "a switch that is on");
    ok(!cfg->warehouse.accept_unsafe_flush, "a switch that is off");
    is_str(cfg->datasets.dir, "/conf/datasets",
           "paths are taken from the folder of the file");
    is_int(cfg->datasets.topics.n, 0, "no untyped topics");
}

static void test_values(void)
{
    is_str(read_ini("# remark\n; another\n\n[lake]\n path = lake \r\n"
                    "seal_age=5 s\nseal_size =\t1 MiB\n[datasets]\n"
                    "topics = clicks, views ,x\nevent_zone = Europe/Paris\n"
                    "[warehouse]\nbase_currency = usd\nlocal_infile = off\n"
                    "[lake]\ncommit_interval = 1 s\n"),
           "", "spaces, remarks, line ends and a section twice");
    is_str(cfg->lake.path, "/conf/lake", "a relative path");
    is_int(cfg->lake.seal_age_s, 5, "seconds");
    is_int(cfg->lake.commit_ms, 1000, "seconds as milliseconds");
    is_int(cfg->lake.seal_size, 1048576, "a size");
    is_str(cfg->warehouse.base_currency, "USD", "currencies get capitals");
    is_int(cfg->datasets.topics.n, 3, "three topics");
    is_str(cfg->datasets.topics.names[1], "views", "... without spaces");
}

static void test_mistakes(void)
{
    is_str(read_ini("[lake]\nseal_age = x\n"),
           "/conf/x.ini:2: [lake] seal_age = x: must be a time from 1 s to "
           "30 d, such as 15 min",
           "a wrong value says where and what would be right");
    is_str(read_ini("[warehouse]\nport = 0\n"),
           "/conf/x.ini:2: [warehouse] port = 0: must be a whole number from "
           "1 to 65535",
           "a number out of its bounds");
    is_str(read_ini("\n\n[lak]\npath = x\n"),
           "/conf/x.ini:4: [lak]: there is no such section, must be one of "
           "lake, warehouse, kafka, datasets, retention, erasure, jobs, train, "
           "notify, run, source NAME",
           "an unknown section lists the known ones");
    is_str(read_ini("[run]\npath = x\n"),
           "/conf/x.ini:2: [run] path: there is no such key, must be one of "
           "dir, httpd_conf",
           "an unknown key lists the known ones");
    is_str(read_ini("[run]\ndir = x\ndir = y\n"),
           "/conf/x.ini:3: [run] dir: must stand once, and is in line 2",
           "a key twice");
    is_str(read_ini("dir = x\n"),
           "/conf/x.ini:1: a '[section]' must stand before the first key",
           "a key without section");
    is_str(read_ini("[run\n"), "/conf/x.ini:1: a section must end with ']'",
           "a section that does not end");
    is_str(read_ini("[]\n"),
           "/conf/x.ini:1: a section must be [name], lower case",
           "a section without name");
    is_str(read_ini("[run]\ndir\n"),
           "/conf/x.ini:2: must be '[section]', 'key = value' or a remark "
           "that begins with '#'",
           "a line that is nothing");
    is_str(read_ini("[run]\nDir = x\n"),
           "/conf/x.ini:2: a key must be lower case letters, digits and '_'",
           "a key with a capital");
    is_str(read_ini("[run]\ndir = \xFF\n"),
           "/conf/x.ini:2: must be UTF-8 without control characters",
           "a file that is not UTF-8");
}

/* Whether [SECTION] KEY = VALUE is refused. */
static bool refuses(const char *section, const char *key, const char *value)
{
    return *read_ini(apr_psprintf(pool, "[%s]\n%s = %s\n", section, key,
                                  value)) != '\0';
}

static void test_refused(void)
{
    ok(refuses("lake", "path", ""), "a folder that must be named");
    ok(refuses("lake", "seal_age", "15"), "a time without unit");
    ok(refuses("lake", "seal_age", "15 minutes"), "an unknown unit");
    ok(refuses("lake", "seal_age", "-1 s"), "a negative time");
    ok(refuses("lake", "seal_age", "500 ms"), "half a second of seconds");
    ok(refuses("lake", "seal_age", "1.5 s"), "a time with a point");
    ok(refuses("lake", "seal_age", "99999999999999999999 s"), "a huge time");
    ok(refuses("lake", "seal_age", "31 d"), "a time past its bound");
    ok(refuses("lake", "seal_size", "1 GB"), "a unit of thousands");
    ok(refuses("lake", "seal_size", ""), "no size");
    ok(refuses("lake", "index", "on"), "an index that is on");
    ok(refuses("lake", "index", ""), "no word for the index");
    ok(refuses("warehouse", "port", "3306x"), "a letter behind a number");
    ok(refuses("warehouse", "port", "65536"), "a port past its bound");
    ok(refuses("warehouse", "host", ""), "no host");
    ok(refuses("warehouse", "host", "a b"), "a host with a space");
    ok(refuses("warehouse", "base_currency", "EURO"), "four letters");
    ok(refuses("warehouse", "base_currency", "E1R"), "a digit");
    ok(refuses("warehouse", "local_infile", "yes"), "neither on nor off");
    ok(refuses("datasets", "event_zone", "Mars"), "an unknown zone");
    ok(refuses("datasets", "topics", "a,,b"), "an empty name");
    ok(refuses("datasets", "topics", "a,"), "a comma at the end");
    ok(refuses("datasets", "topics", "Clicks"), "a capital");
    ok(refuses("datasets", "topics", "../x"), "a name that climbs");
    ok(refuses("kafka", "dead_letter_share", "101"), "more than all");
    ok(refuses("notify", "smtp_url", "http://localhost"), "no mail server");
    ok(refuses("notify", "smtp_url", "smtp://u:p@localhost"), "an account");
    ok(strstr(err.text, "u:p") == NULL, "which is not told");
    ok(refuses("notify", "smtp_url", "smtp://"), "no host");
    ok(refuses("notify", "smtp_url", "smtp://h:0"), "no port");
    ok(refuses("notify", "smtp_url", "smtp://[::1"), "half an address");
    ok(refuses("notify", "smtp_url", "smtp://h/path"), "a path");
    ok(refuses("notify", "smtp_url", "smtp://h\n b"), "two lines");
    ok(refuses("notify", "from", "Lake <lake@example.org>"), "a name, too");
    ok(refuses("notify", "smtp_user", "u"), "a name without a password");
    ok(refuses("notify", "smtp_url", "smtp://h"), "mails without a sender");
    is_str(read_ini("[notify]\nsmtp_url = smtps://[::1]:465/\n"
                    "from = lake@example.org\nsmtp_user = u\n"
                    "smtp_password_file = p\n"),
           "", "a mail server");
}

static void test_files(void)
{
    is_int(dl_config_load(&cfg, "/nonexistent/x.ini", &err, pool), DL_NOT_FOUND,
           "a file that is not there");
    is_str(err.text,
           "cannot open /nonexistent/x.ini: No such file or directory",
           "... is named");
    is_int(dl_config_load(&cfg, "/etc", &err, pool), DL_IO, "a folder");
    is_int(dl_config_load(&cfg, "conf/datalake.ini", &err, pool), DL_OK,
           "the sample file is right");
}

/* Whether INI has ROW with its default. */
static bool ini_has(const dl_ini *ini, const dl_config_row *row)
{
    for (int i = 0; i < ini->n; i++) {
        const dl_ini_entry *entry = &ini->entries[i];

        if (strcmp(entry->section, row->section) == 0 &&
            strcmp(entry->key, row->key) == 0) {
            return strcmp(entry->value, row->default_text) == 0;
        }
    }
    return false;
}

static void test_sample(void)
{
    dl_ini *ini = NULL;
    int n = 0;

    ok(dl_ini_load(&ini, "conf/datalake.ini", &err, pool) == DL_OK,
       "conf/datalake.ini is read");
    for (; dl_config_row_at(n) != NULL; n++) {
        const dl_config_row *row = dl_config_row_at(n);

        ok(ini_has(ini, row), apr_psprintf(pool, "[%s] %s is in it as default",
                                           row->section, row->key));
    }
    is_int(ini->n, n, "... and nothing else");
    ok(n > 20, "the table has rows");
}

/* A source stands there as a remark, since none is by default. */
static void test_sample_source(void)
{
    const char *text = "";
    size_t len;
    int n = 0;

    ok(dl_file_load(&text, &len, "conf/datalake.ini", 1 << 20, &err, pool) ==
           DL_OK,
       "the sample file is read");
    text = strstr(text, "\n#[source NAME]\n");
    ok(text != NULL, "a source stands in it");
    for (; dl_config_source_row_at(n) != NULL; n++) {
        const dl_config_row *row = dl_config_source_row_at(n);
        const char *line = apr_psprintf(pool, "\n#%s =%s%s\n", row->key,
                                        *row->default_text == '\0' ? "" : " ",
                                        row->default_text);

        ok(text != NULL && strstr(text, line) != NULL,
           apr_psprintf(pool, "[source NAME] %s is in it as default",
                        row->key));
    }
    ok(n > 10, "the table of sources has rows");
}

/* Read LINES as the section of source x. */
static const char *read_source(const char *lines)
{
    return read_ini(apr_pstrcat(pool, "[source x]\n", lines, NULL));
}

static void test_sources(void)
{
    const dl_config_source *x;

    is_str(read_source("dataset = clients\npath = in/*.csv\nseparator = ;\n"
                       "encoding = windows-1252\nmapping = nom = name\n"
                       "transform.nom = trim, upper\n"
                       "transform.user.Name = drop\n[source y-2]\n"
                       "dataset = logs\ntype = socket\n"),
           "", "two sources");
    is_int(cfg->sources.n, 2, "both are there");
    x = dl_config_source_find(cfg, "x");
    is_str(x->path, "/conf/in/*.csv",
           "paths are taken from the folder of the file");
    is_int(x->type, DL_SOURCE_FILE, "the type is file by default");
    is_int(x->format, DL_SOURCE_CSV, "the format is csv by default");
    is_int(x->separator, ';', "a separator");
    is_int(x->encoding, DL_SOURCE_WINDOWS_1252, "an encoding");
    is_str(x->mapping, "nom = name", "a mapping is kept as text");
    is_int(x->n_transforms, 2, "two transforms");
    is_str(x->transforms[1].member, "user.Name",
           "a member keeps its dots and capitals");
    is_str(x->transforms[0].text, "trim, upper", "... and its list");
    is_str(dl_config_source_find(cfg, "y-2")->listen, "127.0.0.1:5140",
           "a socket listens on the loopback by default");
    ok(dl_config_source_find(cfg, "z") == NULL, "another one is not there");
    is_str(read_source("dataset = c\npath = /x\nseparator = tab\n"), "",
           "tab is a word");
    is_int(cfg->sources.items[0].separator, '\t', "... for the tab");
    is_str(read_source("dataset = c\ntype = mysql\ndsn_file = d\ntable = t\n"
                       "key = k\nsettle = 0\n"),
           "", "a server whose rows appear in their order");
    is_int(cfg->sources.items[0].settle_ms, 0, "... needs no time");
    is_str(read_source("dataset = c\ntype = mysql\ndsn_file = d\ntable = t\n"
                       "key = k\n"),
           "", "one that says nothing of it");
    is_int(cfg->sources.items[0].settle_ms, 5000, "... has 5 seconds");
    is_str(read_source("dataset = c\ntype = socket\nidle = 1500 ms\n"), "",
           "a socket with a time of its own");
    is_int(cfg->sources.items[0].idle_ms, 1500, "... for silent senders");
}

static void test_source_mistakes(void)
{
    is_str(read_source("path = x\n"),
           "/conf/x.ini:2: [source x]: must have a key dataset, the name of a "
           "dataset",
           "a source without dataset");
    is_str(read_source("dataset = c\n"),
           "/conf/x.ini:2: [source x]: must have a key path, a path",
           "files without path");
    is_str(read_source("dataset = c\ntype = sqlite\npath = x\n"),
           "/conf/x.ini:2: [source x]: must have a key table, a name without "
           "white space",
           "a table without name");
    is_str(read_source("dataset = c\npath = x\ntable = t\n"),
           "/conf/x.ini:2: [source x] table: a source of type file has no such "
           "key",
           "a key of another type");
    is_str(read_source("dataset = c\npath = x\npath = y\n"),
           "/conf/x.ini:4: [source x] path: must stand once", "a key twice");
    is_str(read_source("transform.a = trim\ntransform.a = upper\n"),
           "/conf/x.ini:3: [source x] transform.a: must stand once, and is in "
           "line 2",
           "a transform twice");
    is_str(read_source("dataset = c\nspeed = 1\n"),
           "/conf/x.ini:3: [source x] speed: there is no such key, must be one "
           "of dataset, type, path, format, separator, encoding, dsn_file, "
           "table, key, settle, listen, protocol, idle, rate, mapping, "
           "transform.MEMBER",
           "an unknown key lists the known ones");
    is_str(
        read_ini("[source X]\ndataset = c\n"),
        "/conf/x.ini:2: [source X]: must be [source NAME], a name of at most "
        "40 a-z, 0-9, '_' and '-' that begins with a letter",
        "a name with capitals");
    ok(refuses("source x", "type", "ftp"), "an unknown type");
    ok(refuses("source x", "format", "xml"), "an unknown format");
    ok(refuses("source x", "separator", ";;"), "two separators");
    ok(refuses("source x", "separator", "a"), "a letter between fields");
    ok(refuses("source x", "separator", "\""), "quotation marks between them");
    ok(refuses("source x", "dataset", "../x"), "a dataset that climbs");
    ok(refuses("source x", "rate", "-1"), "a negative rate");
}

/* Count the lines of TEXT that begin with WORD. */
static int count_lines(const char *text, const char *word)
{
    int n = 0;

    for (; text != NULL; text = strchr(text, '\n')) {
        text += *text == '\n' ? 1 : 0;
        n += strncmp(text, word, strlen(word)) == 0 ? 1 : 0;
    }
    return n;
}

/* Row N of both tables. */
static const dl_config_row *row_at(int n)
{
    int first = 0;

    while (dl_config_row_at(first) != NULL) {
        first++;
    }
    return n < first ? dl_config_row_at(n) : dl_config_source_row_at(n - first);
}

static void test_manual(void)
{
    const char *text = "";
    size_t len;
    int n = 0;

    ok(dl_file_load(&text, &len, "conf/datalake.ini.5", 1 << 20, &err, pool) ==
           DL_OK,
       "the manual page is read");
    for (; row_at(n) != NULL; n++) {
        const dl_config_row *row = row_at(n);
        const char *name =
            strcmp(row->section, "source") == 0 ? "source NAME" : row->section;
        const char *item = *row->default_text == '\0'
                               ? apr_psprintf(pool, ".It Ic %s\n", row->key)
                               : apr_psprintf(pool, ".It Ic %s Pq Li %s\n",
                                              row->key, row->default_text);
        const char *section =
            strstr(text, apr_psprintf(pool, ".Ss Section [%s]\n", name));
        const char *found = section == NULL ? NULL : strstr(section, item);
        const char *next =
            section == NULL ? NULL : strstr(section + 1, "\n.Ss");

        ok(found != NULL && (next == NULL || found < next),
           apr_psprintf(pool, "[%s] %s is in the manual with its default",
                        row->section, row->key));
    }
    is_int(count_lines(text, ".It Ic "), n, "... and nothing else");
}

int main(void)
{
    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return EXIT_FAILURE;
    }
    test_defaults();
    test_values();
    test_mistakes();
    test_refused();
    test_files();
    test_sample();
    test_sample_source();
    test_sources();
    test_source_mistakes();
    test_manual();
    apr_terminate();
    return done();
}
