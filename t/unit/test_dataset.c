/* test_dataset.c - Declarations: what they become, and each mistake with its
 * file, line and what would be right.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_dataset.h"
#include "dl_json_line.h"

#include "tap.h"

#include <stdlib.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

static apr_pool_t *pool;
static const dl_zone *zone;
static const dl_dataset *ds;
static dl_error err;

/* Read the declaration TEXT as /d/shop.json; return its mistake, or "". */
static const char *declare(const char *text)
{
    dl_dataset_source source = {.file = "/d/shop.json",
                                .text = text,
                                .len = strlen(text),
                                .zone = zone};

    memset(&err, 0, sizeof err);
    (void)!dl_dataset_parse(&ds, &source, &err, pool);
    return err.text;
}

#define NAME  "{\"dataset\":\"shop\",\n\"description\":\"A shop.\",\n"
#define TOPIC "\"topic\":{\"partitions\":1,\"retention_days\":2},\n"
#define TIME  "\"event_time\":{\"member\":\"at\",\"formats\":[\"unix\"]},\n"
#define AT    "{\"member\":\"at\",\"type\":\"time\"}"
#define TABLE                                                                  \
    "\"table\":{\"name\":\"t\",\"unique\":[\"id\"],\"on_repeat\":\"ignore\"}," \
    "\n"
#define ID                                                                     \
    "{\"member\":\"id\",\"type\":\"str\",\"required\":true,"                   \
    "\"column\":\"id\"},\n"

/* The mistake of FIELD, the second one of a dataset with a table. */
static const char *declare_field(const char *field)
{
    return declare(apr_pstrcat(pool, NAME TOPIC TIME TABLE "\"fields\":[" ID,
                               field, ",\n" AT "]}", NULL));
}

static void test_small(void)
{
    is_str(declare(NAME TOPIC TIME "\"fields\":[" AT "]}"), "",
           "a small declaration");
    is_str(ds->name, "shop", "its name");
    is_str(ds->topic, "shop", "is that of its topic");
    is_int(ds->partitions, 1, "partitions");
    is_int(ds->kafka_retention_days, 2, "days Kafka keeps it");
    is_int(ds->key_field, -1, "no key");
    is_int(ds->time_field, 0, "the event time");
    ok(ds->table == NULL, "no table");
    ok(ds->declared, "it is declared");
    is_int(ds->n_fields, 1, "one field");
    is_int(dl_dataset_field(ds, "at"), 0, "found by its path");
    is_int(dl_dataset_field(ds, "to"), -1, "another is not");
}

static void test_fields(void)
{
    is_str(declare_field("{\"member\":[\"n\",\"m\",\"o.p\"],\"type\":\"str\","
                         "\"column\":\"c\"}"),
           "", "a field with alternates");
    is_int(ds->n_fields, 3, "three fields");
    is_int(dl_json_shape_slots(ds->shape), 5, "and two slots more");
    is_int(ds->fields[1].alternate_slot, 3, "... behind the fields");
    is_str(ds->fields[1].alternates[1], "o.p", "... in their order");
    is_int(ds->fields[1].max_chars, 255, "a text column holds 255 characters");
    is_str(declare_field("{\"member\":\"n\",\"type\":\"str\",\"column\":\"c\","
                         "\"max\":64}"),
           "", "or as many as it says");
    is_int(ds->fields[1].max_chars, 64, "... 64");
    is_str(declare_field("{\"member\":\"n\",\"type\":\"str\"}"), "",
           "a text of the lake alone");
    is_int(ds->fields[1].max_chars, 0, "... may be of any length");
    is_str(declare_field("{\"member\":\"n\",\"type\":\"long\"}"), "",
           "a long is an int");
    ok(ds->fields[1].type == DL_FIELD_INT && ds->fields[1].max == INT64_MAX,
       "... of 64 bits");
    is_str(ds->unique[0], "id", "the unique column");
    is_int(ds->on_repeat, DL_REPEAT_IGNORE, "the rule for repeats");
}

static void test_mistakes(void)
{
    is_str(declare("{\n\"dataset\":\n"),
           "/d/shop.json:3: must be JSON: unexpected token near end of file",
           "no JSON");
    is_str(declare("[]"),
           "/d/shop.json:1: the declaration must be an object of dataset, "
           "description, topic, event_time, table, fields, children",
           "no object");
    is_str(declare(NAME "\"colour\":1}"),
           "/d/shop.json:3: /colour is not known; known are dataset, "
           "description, topic, event_time, table, fields, children",
           "an unknown member");
    is_str(declare(NAME "\"\":1}"),
           "/d/shop.json:3: / is not known; known are dataset, description, "
           "topic, event_time, table, fields, children",
           "a member without a name");
    is_str(declare(NAME "\"topic, event\":1}"),
           "/d/shop.json:3: /topic, event is not known; known are dataset, "
           "description, topic, event_time, table, fields, children",
           "a member that is a piece of the list");
    is_str(declare("{\"dataset\":\"store\"}"),
           "/d/shop.json:1: /dataset must be as its file says, not store",
           "a name that is not its file's");
    is_str(declare("{\"dataset\":\"Shop\"}"),
           "/d/shop.json:1: /dataset must be 1 to 100 of a-z 0-9 _ - that "
           "begin with a letter",
           "a name with a capital");
    is_str(declare("{\"dataset\":\"shop\"}"),
           "/d/shop.json:1: /description must be a sentence", "no description");
    is_str(declare(NAME TOPIC TIME "\"fields\":[]}"),
           "/d/shop.json:5: /fields must be a list of 1 to 500 fields",
           "no fields");
    is_str(declare(NAME TIME "\"fields\":[" AT "]}"),
           "/d/shop.json:1: /topic must be an object of name, key, "
           "partitions, retention_days",
           "no topic");
    is_str(declare(NAME "\"topic\":{\"partitions\":0,\"retention_days\":1},\n"
                        "\"fields\":[" AT "]}"),
           "/d/shop.json:3: /topic/partitions must be a whole number from 1 "
           "to 1000",
           "no partitions");
    is_str(declare(NAME "\"topic\":{\"key\":\"x\"},\n\"fields\":[" AT "]}"),
           "/d/shop.json:3: /topic/key must be the member of a field, x is "
           "not",
           "a key that is no field");
}

static void test_time_mistakes(void)
{
    is_str(declare(NAME TOPIC "\"event_time\":{\"member\":\"at\",\n"
                              "\"formats\":[\"unix\",\n\"gps\"]},\n"
                              "\"fields\":[" AT "]}"),
           "/d/shop.json:6: /event_time/formats/1 must be one of unix, "
           "rfc3339, local, date",
           "an unknown format of times");
    is_str(declare(NAME TOPIC "\"event_time\":{\"formats\":[\"unix\"]},\n"
                              "\"fields\":[" AT "]}"),
           "/d/shop.json:4: /event_time/member must be the member of a field",
           "no event time");
    is_str(declare(NAME TOPIC "\"event_time\":{\"member\":\"x\",\"formats\":"
                              "[\"unix\"]},\n\"fields\":[" AT
                              ",{\"member\":\"x\",\"type\":\"str\"}]}"),
           "/d/shop.json:4: /event_time/member must be a field of type time "
           "or date",
           "an event time that is a text");
}

static void test_field_mistakes(void)
{
    is_str(declare_field("{\"member\":\"x\",\"type\":\"text\"}"),
           "/d/shop.json:7: /fields/1/type must be one of str, int, long, "
           "dec, num, bool, time, date, any",
           "an unknown type");
    is_str(declare_field("{\"member\":\"x\"}"),
           "/d/shop.json:7: /fields/1/type must be one of str, int, long, "
           "dec, num, bool, time, date, any",
           "no type");
    is_str(declare_field("{\"member\":\"id\",\"type\":\"str\"}"),
           "/d/shop.json:7: /fields/1/member is declared twice: id",
           "a field twice");
    is_str(declare_field("{\"member\":\"x\",\"type\":\"str\",\n\"column\":"
                         "\"id\"}"),
           "/d/shop.json:8: /fields/1/column is the column of id already: id",
           "a column twice");
    is_str(declare(NAME TOPIC TIME "\"fields\":[" AT ",\n{\"member\":\"x\","
                                   "\"type\":\"str\",\"column\":\"c\"}]}"),
           "/d/shop.json:6: /fields/1/column needs a table: add a member "
           "\"table\"",
           "a column without a table");
    is_str(declare_field("{\"member\":\"x\",\"type\":\"any\",\"column\":"
                         "\"c\"}"),
           "/d/shop.json:7: /fields/1/column cannot hold type any: give a "
           "type",
           "a column of anything");
    is_str(declare_field("{\"member\":\"x\",\"type\":\"str\",\"column\":"
                         "\"a-b\"}"),
           "/d/shop.json:7: /fields/1/column must be 1 to 64 letters, digits "
           "and _, no digit first",
           "a column with a hyphen");
    is_str(declare_field("{\"member\":\"x\",\"type\":\"int\",\"max\":5}"),
           "/d/shop.json:7: /fields/1/max is for a str with a column: the "
           "characters it holds",
           "a length of a number");
    is_str(declare_field("{\"member\":\"x\",\"type\":\"str\",\"requierd\":"
                         "true}"),
           "/d/shop.json:7: /fields/1/requierd is not known; known are "
           "member, type, required, key, column, max",
           "a slip of the pen");
    is_str(declare_field("{\"member\":\"x\",\"type\":\"str\",\"required\":1}"),
           "/d/shop.json:7: /fields/1/required must be true or false",
           "a number that should be true");
    is_str(declare_field("{\"member\":\"a..b\",\"type\":\"str\"}"),
           "/d/shop.json:6: /fields: 'a..b' is no path: member names joined "
           "by dots, without quotation mark, backslash, control",
           "a path with an empty name");
    is_str(declare_field("{\"member\":[],\"type\":\"str\"}"),
           "/d/shop.json:7: /fields/1/member must be a member path, or a "
           "list of up to 8 of which the first one present counts",
           "no member");
    is_str(declare_field("5"),
           "/d/shop.json:7: /fields/1 must be an object of member, type, "
           "required, key, column, max",
           "a number as field");
}

static void test_keys(void)
{
#define KEY(name) "{\"member\":\"" name "\",\"type\":\"str\",\"key\":true},\n"
#define KEYED                                                                  \
    "\"topic\":{\"partitions\":1,\"retention_days\":2,\"key\":\"a\"},\n"
#define PLAIN "{\"member\":\"a\",\"type\":\"str\"},\n"

    is_str(declare(NAME KEYED TIME "\"fields\":[" PLAIN KEY("b") AT "]}"), "",
           "a field that is a key");
    ok(ds->fields[0].key && ds->fields[1].key && !ds->fields[2].key,
       "the topic's key is one, too, a time is none");
    is_str(declare(NAME KEYED TIME "\"fields\":[" PLAIN KEY("b") KEY("c")
                       KEY("d") KEY("e") AT "]}"),
           "/d/shop.json:5: /fields have 5 keys, the topic's among them: at "
           "most 4",
           "one key too many");
    is_str(declare_field("{\"member\":\"x\",\"type\":\"int\",\"key\":true}"),
           "/d/shop.json:7: /fields/1/key is for a str: indexes list its "
           "texts",
           "a number as key");
    is_str(declare_field("{\"member\":\"x\",\"type\":\"str\",\"key\":\"a\"}"),
           "/d/shop.json:7: /fields/1/key must be true or false",
           "a name that should be true");
#undef KEY
#undef KEYED
#undef PLAIN
}

static void test_table_mistakes(void)
{
    static const char fields[] = "\"fields\":[" ID AT "]}";

    is_str(declare(apr_pstrcat(pool, NAME TOPIC TIME "\"table\":{},\n", fields,
                               NULL)),
           "/d/shop.json:5: /table/name must be 1 to 64 letters, digits and "
           "_, no digit first",
           "a table without name");
    is_str(declare(apr_pstrcat(pool,
                               NAME TOPIC TIME "\"table\":{\"name\":\"t\"},\n",
                               fields, NULL)),
           "/d/shop.json:5: /table/unique must be a list of the columns that "
           "make a row unique",
           "a table without uniqueness");
    is_str(declare(apr_pstrcat(pool,
                               NAME TOPIC TIME
                               "\"table\":{\"name\":\"t\",\"unique\":[\"x\"]},"
                               "\n",
                               fields, NULL)),
           "/d/shop.json:5: /table/unique/0 must be the column of a field",
           "uniqueness of a column that is none");
    is_str(declare(apr_pstrcat(pool,
                               NAME TOPIC TIME
                               "\"table\":{\"name\":\"t\",\"unique\":[\"id\"]"
                               ",\"on_repeat\":\"merge\"},\n",
                               fields, NULL)),
           "/d/shop.json:5: /table/on_repeat must be one of supersede, ignore",
           "an unknown rule");
    is_str(declare(apr_pstrcat(pool,
                               NAME TOPIC TIME
                               "\"table\":{\"name\":\"t\",\"unique\":[\"id\"]"
                               ",\"on_repeat\":\"ignore\",\"rollup\":\"x\"},\n",
                               fields, NULL)),
           "/d/shop.json:5: /table/rollup must be one of spend",
           "an unknown rollup");
}

/* The mistake of a declaration with the event time EVENT and the table TABLE
 * and text fields day, clock and id. */
static const char *declare_log(const char *event, const char *table)
{
    return declare(apr_pstrcat(
        pool, NAME TOPIC "\"event_time\":", event, ",\n\"table\":", table,
        ",\n\"fields\":[" ID "{\"member\":\"day\",\"type\":\"str\"},\n"
        "{\"member\":\"clock\",\"type\":\"str\",\"column\":\"clock\"},\n" AT
        "]}",
        NULL));
}

#define LOG                                                                    \
    "{\"member\":\"day\",\"clock\":\"clock\",\"formats\":[\"log\"],"           \
    "\"column\":\"happened\"}"
#define UNIQUE "\"unique\":[\"id\"],\"on_repeat\":\"ignore\"}"

static void test_event_time_in_two(void)
{
    is_str(declare_log(LOG, "{\"name\":\"t\"," UNIQUE), "",
           "an event time in two fields");
    is_int(ds->time_field, 1, "its day");
    is_int(ds->clock_field, 2, "its time of day");
    is_int((int)ds->time_formats, DL_TIME_LOG, "its form");
    is_str(ds->time_column, "happened", "its column");
    ok(!dl_dataset_is_time(ds, 1), "no field is the whole event time");
    is_str(declare_log("{\"member\":\"day\",\"clock\":\"clock\","
                       "\"formats\":[\"unix\"]}",
                       "{\"name\":\"t\"," UNIQUE),
           "/d/shop.json:4: /event_time/formats/0 must be one of log",
           "... in no other form");
    is_str(declare_log("{\"member\":\"at\",\"formats\":[\"log\"]}",
                       "{\"name\":\"t\"," UNIQUE),
           "/d/shop.json:4: /event_time/formats/0 must be one of unix, "
           "rfc3339, local, date",
           "which one field cannot have");
    is_str(declare_log("{\"member\":\"day\",\"clock\":\"at\","
                       "\"formats\":[\"log\"]}",
                       "{\"name\":\"t\"," UNIQUE),
           "/d/shop.json:4: /event_time/clock and member must be fields of "
           "type str",
           "... nor two of another type");
    is_str(declare_log("{\"member\":\"at\",\"formats\":[\"unix\"],"
                       "\"column\":\"x\"}",
                       "{\"name\":\"t\"," UNIQUE),
           "/d/shop.json:4: /event_time/column is for an event time in two "
           "fields; give the field itself a column",
           "a column for an event time in one field");
    is_str(declare_log("{\"member\":\"day\",\"clock\":\"clock\","
                       "\"formats\":[\"log\"],\"column\":\"clock\"}",
                       "{\"name\":\"t\"," UNIQUE),
           "/d/shop.json:4: /event_time/column is the column of clock "
           "already: clock",
           "... that a field has");
}

static void test_hash(void)
{
    is_str(declare_log(LOG, "{\"name\":\"t\",\"id\":\"no\","
                            "\"hash\":{\"column\":\"sum\","
                            "\"members\":[\"clock\",\"day\"]},"
                            "\"unique\":[\"sum\"],\"on_repeat\":\"ignore\"}"),
           "", "a hash makes a row unique");
    is_str(ds->unique[0], "sum", "its column");
    is_int(ds->n_hash, 2, "its fields");
    is_int(ds->hash[0], 2, "... in the order they are named");
    is_str(ds->id_column, "no", "a column for a number");
    is_str(declare_log(LOG, "{\"name\":\"t\",\"hash\":{\"column\":\"sum\","
                            "\"members\":[\"day\",\"at\"]}," UNIQUE),
           "/d/shop.json:5: /table/hash/members/1 must be the member of a "
           "field of type str",
           "a hash of what is no text");
    is_str(declare_log(LOG, "{\"name\":\"t\",\"hash\":{\"column\":\"id\","
                            "\"members\":[\"day\"]}," UNIQUE),
           "/d/shop.json:5: /table/hash/column is the column of id already: "
           "id",
           "a hash in the column of a field");
    is_str(declare_log(LOG, "{\"name\":\"t\",\"hash\":{\"column\":\"sum\"}"
                            "," UNIQUE),
           "/d/shop.json:5: /table/hash/members must be a list of 1 to 32 "
           "members of fields of type str",
           "a hash of nothing");
}

/* The mistake of a declaration whose records have the array comments, with
 * CHILDREN. */
static const char *declare_children(const char *children)
{
    return declare(apr_pstrcat(
        pool,
        NAME TOPIC TIME TABLE "\"fields\":[" ID
                              "{\"member\":\"comments\",\"type\":\"any\"},\n" AT
                              "],\n\"children\":",
        children, "}", NULL));
}

#define SAID                                                                   \
    "{\"member\":\"no\",\"type\":\"str\",\"required\":true,"                   \
    "\"column\":\"no\"}"

static void test_children(void)
{
    is_str(declare_children("[{\"member\":\"comments\",\"table\":\"c\","
                            "\"unique\":[\"no\"],\"fields\":[" SAID "]}]"),
           "", "an array whose objects are rows");
    is_int(ds->n_children, 1, "... one");
    is_int(ds->children[0].field, 1, "the array");
    is_str(ds->children[0].items->name, "shop.comments", "its name");
    is_str(ds->children[0].items->table, "c", "its table");
    is_int(ds->children[0].items->time_field, -1, "it has no event time");
    is_str(declare_children("[{\"member\":\"id\",\"table\":\"c\","
                            "\"unique\":[\"no\"],\"fields\":[" SAID "]}]"),
           "/d/shop.json:9: /children/0/member must be the member of a field "
           "of type any",
           "a text is no array");
    is_str(declare_children("[{\"member\":\"comments\",\"table\":\"c\","
                            "\"unique\":[\"x\"],\n\"fields\":[" SAID "]}]"),
           "/d/shop.json:9: /children/0/unique/0 must be the column of a field",
           "uniqueness of a column that is none");
    is_str(declare_children("[{\"member\":\"comments\",\"table\":\"c\","
                            "\"unique\":[\"id\"],\n\"fields\":[" ID
                            "{\"member\":\"x\",\"type\":\"str\"}]}]"),
           "/d/shop.json:10: /children/0/fields cannot have the column id: it "
           "is the record's",
           "a column of the record");
    is_str(declare_children("[]"),
           "/d/shop.json:9: /children must be a list of 1 to 2 arrays",
           "no array");
}

/* Write TEXT to the file NAME of DIR. */
static void write_file(const char *dir, const char *name, const char *text)
{
    FILE *file = fopen(apr_pstrcat(pool, dir, "/", name, NULL), "w");

    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
        abort();
    }
}

static void test_set(void)
{
    dl_config cfg = {.file = "x.ini", .datasets = {.event_zone = "UTC"}};
    const char *const names[] = {"views", "shop", "clicks"};
    char dir[] = "/tmp/test_dataset.XXXXXX";
    dl_dataset_set *set = NULL;

    if (mkdtemp(dir) == NULL) {
        abort();
    }
    cfg.datasets.dir = dir;
    cfg.datasets.topics = (dl_config_list){3, names};
    write_file(dir, "shop.json", NAME TOPIC TIME "\"fields\":[" AT "]}");
    write_file(dir, "shop.json.swp", "x");
    write_file(dir, ".shop.json", "x");
    is_int(dl_dataset_load_all(&set, &cfg, &err, pool), DL_OK,
           "a folder of declarations");
    is_int(set->n, 3, "three datasets");
    is_str(set->datasets[0]->name, "clicks", "sorted by name");
    ok(!set->datasets[0]->declared, "a topic without declaration is untyped");
    ok(dl_dataset_find(set, "shop")->declared, "a declaration wins");
    is_str(dl_dataset_find_topic(set, "views")->name, "views",
           "found by topic");
    ok(dl_dataset_find(set, "nothing") == NULL, "others are not there");
    write_file(dir, "store.json",
               "{\"dataset\":\"store\",\"description\":\"A store.\",\"topic\":"
               "{\"name\":\"shop\",\"partitions\":1,\"retention_days\":2}," TIME
               "\"fields\":[" AT "]}");
    is_int(dl_dataset_load_all(&set, &cfg, &err, pool), DL_INVALID,
           "two datasets of one topic are refused");
    is_str(err.text,
           apr_pstrcat(pool, dir,
                       "/store.json: topic shop is that of dataset shop "
                       "already",
                       NULL),
           "... by name");
    for (int i = 0; i < 4; i++) {
        static const char *const files[] = {"shop.json", "shop.json.swp",
                                            ".shop.json", "store.json"};

        unlink(apr_pstrcat(pool, dir, "/", files[i], NULL));
    }
    rmdir(dir);
    is_int(dl_dataset_load_all(&set, &cfg, &err, pool), DL_IO,
           "a folder that is not there");
}

static void test_shipped(void)
{
    dl_config cfg = {.file = "x.ini",
                     .datasets = {.dir = "conf/datasets", .event_zone = "UTC"}};
    dl_dataset_set *set = NULL;
    const dl_dataset *log;

    is_int(dl_dataset_load_all(&set, &cfg, &err, pool), DL_OK,
           "the shipped declarations are right");
    is_str(err.text, "", "... without a word");
    log = dl_dataset_find(set, "transaction_log");
    is_str(log->table, "transaction_record", "transactions have their table");
    is_int(log->n_fields, 28, "... and 28 fields");
    is_str(log->fields[log->key_field].path, "transaction_id", "... their key");
    is_str(log->rollup, "spend", "... their rollup");
    log = dl_dataset_find(set, "network_logs");
    is_str(log->unique[0], "line_hash", "lines of logs are known by a hash");
    is_int(log->n_hash, 8, "... of eight members");
}

static void test_line_of_odd_bytes(void)
{
    static const char text[] = "{\"a\":[1\0,2],\n\"b\":3}";

    is_int(dl_json_line(text, sizeof text - 1, "/b"), 2,
           "a NUL in a number does not stop the search for a line");
}

int main(void)
{
    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS ||
        dl_zone_load(&zone, "UTC", &err, pool) != DL_OK) {
        return EXIT_FAILURE;
    }
    test_small();
    test_fields();
    test_mistakes();
    test_time_mistakes();
    test_field_mistakes();
    test_keys();
    test_table_mistakes();
    test_event_time_in_two();
    test_hash();
    test_children();
    test_set();
    test_line_of_odd_bytes();
    err.text[0] = '\0';
    test_shipped();
    apr_terminate();
    return done();
}
