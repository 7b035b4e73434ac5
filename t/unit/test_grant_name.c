/* test_grant_name.c - Which names exist, and which table is whose.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_grant_name.h"

#include "tap.h"

/* Two declared datasets, one named only in [datasets] topics. */
static const dl_dataset declared_log = {
    .name = "transaction_log", .declared = true, .table = "other_table"};
static const dl_dataset declared_bare = {.name = "bare", .declared = true};
static const dl_dataset untyped = {.name = "rawticker"};

static const char *const lake_names[] = {"evening", "morning"};

static const dl_dataset *datasets[] = {&declared_bare, &untyped, &declared_log};
static const dl_dataset_set set = {3, datasets};

static void test_tables(void)
{
    is_str(dl_grant_table(NULL, "transaction_log"), "transaction_record",
           "the contract's pair stands for a dataset without declaration");
    is_str(dl_grant_table(&set, "transaction_log"), "other_table",
           "a declaration wins");
    is_str(dl_grant_table(&set, "bare"), NULL,
           "a declaration without a table has none");
    is_str(dl_grant_table(&set, "rawticker"), "ticker",
           "a topic that is only named keeps the contract's pair");
    is_str(dl_grant_table(&set, "network_logs"), "network_log",
           "as does one that is not named");
    is_str(dl_grant_table(&set, "clients"), NULL,
           "a dataset of the contract may have no table");
    is_str(dl_grant_table(&set, "unknown"), NULL, "an unknown one has none");
}

static void test_all_pairs(void)
{
    static const char *const pairs[][2] = {
        {"transaction_log", "transaction_record"},
        {"network_logs", "network_log"},
        {"social_posts", "social_post"},
        {"transactions", "client_transaction"},
        {"piezo_raw", "piezo_level"},
        {"meteo_raw", "weather_day"},
        {"rawticker", "ticker"},
        {"rawtrade", "trade"},
        {"rawarticle", "article"},
        {"rawalert", "alert"},
        {"sentiment", "sentiment"},
        {"prediction", "prediction"},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        is_str(dl_grant_table(NULL, pairs[i][0]), pairs[i][1], pairs[i][0]);
    }
}

static void test_market(void)
{
    ok(dl_grant_is_market_table("ticker"), "ticker is market data");
    ok(dl_grant_is_market_table("prediction"), "prediction is");
    ok(!dl_grant_is_market_table("transaction_record"),
       "transaction_record is not");
    ok(!dl_grant_is_market_table("rawticker"), "a dataset is no table");
    ok(!dl_grant_is_market_table(""), "nothing is not");
}

static bool exists(const dl_grant_names *names, const char *text)
{
    dl_resource resource;

    return dl_resource_parse(&resource, text, strlen(text), NULL) == DL_OK &&
           dl_grant_exists(names, &resource);
}

static void test_existence(void)
{
    const dl_grant_names none = {NULL, NULL, 0};
    const dl_grant_names names = {&set, lake_names, 2};

    ok(exists(&none, "rawticker"), "the contract's datasets are there");
    ok(!exists(&none, "bare"), "others are not, without a declaration");
    ok(exists(&names, "bare"), "a declared one is");
    ok(exists(&names, "morning"), "and one of the lake");
    ok(!exists(&names, "mornin"), "the beginning of a name is none");
    ok(!exists(&names, "mornings"), "nor is more than it");
    ok(exists(&names, "morning/2099-01-01.json"), "a day need not exist");
    ok(!exists(&names, "mornin/2099-01-01.json"), "its dataset has to");
    ok(exists(&names, "*"), "everything is there");
    ok(exists(&names, "morn*"), "a prefix that something begins with is");
    ok(!exists(&names, "mornx*"), "another is not");
    ok(exists(&names, "morning*"), "nor need anything follow");
    ok(exists(&names, "morning/2099-*"), "a prefix of days needs the dataset");
    ok(!exists(&names, "morn/2099-*"), "and the whole of its name");
    ok(exists(&none, "table:ticker"), "the contract's tables are there");
    ok(!exists(&none, "table:other_table"), "others without declaration not");
    ok(exists(&names, "table:other_table"), "and declared ones");
    ok(!exists(&names, "table:other_tabl"), "not the beginning of one");
    ok(!exists(&names, "table:morning"), "and no dataset");
    ok(!exists(&names, "table:app_user"), "nor a table of ours");
    ok(!exists(&none, "clients2"), "a longer name is another");
}

int main(void)
{
    test_tables();
    test_all_pairs();
    test_market();
    test_existence();
    return done();
}
