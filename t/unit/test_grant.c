/* test_grant.c - Grammar of resources, what covers what, sets of grants.
 *
 * What covers what is compared with a second definition: a resource is the
 * set of things it opens, counted out over a small world of datasets, days
 * and tables, and covers another when it opens all that the other does.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_grant.h"

#include "tap.h"

#include <stdlib.h>

/* --- Grammar -------------------------------------------------------------- */

static bool parses(dl_resource *out, const char *text)
{
    dl_error err = {DL_OK, 0, ""};

    return dl_resource_parse(out, text, strlen(text), &err) == DL_OK;
}

static void test_forms(void)
{
    static const struct {
        const char *text;
        dl_resource_kind kind;
        size_t name_len;
        const char *sentence;
    } forms[] = {
        {"transaction_log", DL_RESOURCE_DATASET, 15, "a dataset"},
        {"a", DL_RESOURCE_DATASET, 1, "a dataset of one letter"},
        {"a-b_9", DL_RESOURCE_DATASET, 5, "a dataset of every kind of byte"},
        {"table", DL_RESOURCE_DATASET, 5, "a dataset called table"},
        {"d/2026-05-18.json", DL_RESOURCE_DAY, 1, "a day"},
        {"d/2024-02-29.json", DL_RESOURCE_DAY, 1, "a leap day"},
        {"*", DL_RESOURCE_PREFIX, 0, "everything"},
        {"raw*", DL_RESOURCE_PREFIX, 3, "a prefix of datasets"},
        {"d/*", DL_RESOURCE_PREFIX, 2, "a prefix of all days"},
        {"d/2026-05-*", DL_RESOURCE_PREFIX, 10, "a prefix of a month"},
        {"d/2026-05-18.j*", DL_RESOURCE_PREFIX, 14, "a prefix inside a day"},
        {"d/2026-05-18.json*", DL_RESOURCE_PREFIX, 17, "a whole day's prefix"},
        {"table:transaction_record", DL_RESOURCE_TABLE, 18, "a table"},
        {"table:Meteo", DL_RESOURCE_TABLE, 5, "a table in upper case"},
        {"table:t_1", DL_RESOURCE_TABLE, 3, "a table with a digit"},
    };

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        dl_resource got;

        ok(parses(&got, forms[i].text) && got.kind == forms[i].kind &&
               got.name_len == forms[i].name_len &&
               got.len == strlen(forms[i].text),
           forms[i].sentence);
    }
}

static void test_bad_forms(void)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "A",
                                      "{a",
                                      "table:a~",
                                      "table:a:",
                                      "1a",
                                      "_a",
                                      "-a",
                                      "a b",
                                      " a",
                                      "a ",
                                      "a.b",
                                      "a:b",
                                      "/",
                                      "a/",
                                      "a//",
                                      "../a",
                                      "a/..",
                                      "a/b",
                                      "a/2026-05-18",
                                      "a/2026-05-18.jso",
                                      "a/2026-05-18.jsonx",
                                      "a/2026-05-18.JSON",
                                      "a/2026-02-30.json",
                                      "a/2026-13-01.json",
                                      "a/0000-00-00.json",
                                      "a/2026-5-18.json",
                                      "a/ 026-05-18.json",
                                      "/2026-05-18.json",
                                      "a/b/2026-05-18.json",
                                      "**",
                                      "a**",
                                      "*a",
                                      "a*b",
                                      "a/x*",
                                      "a/2026_*",
                                      "a/2026-05-18.jsonx*",
                                      "/*",
                                      "A*",
                                      "9*",
                                      "table:",
                                      "table:*",
                                      "table:a*",
                                      "table:1a",
                                      "table:a b",
                                      "table:a.b",
                                      "table:a`",
                                      "TABLE:a",
                                      "table :a",
                                      "table:a/2026-05-18.json",
                                      "t\xC3\xA9",
                                      "a%2A",
                                      "a?",
                                      "a\n",
                                      "\xEF\xBC\x8A"};
    dl_resource got;
    char sentence[80];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(sentence, sizeof sentence, "'%s' is no resource",
                       strpbrk(bad[i], "\n") != NULL ? "a line" : bad[i]);
        ok(!parses(&got, bad[i]), sentence);
    }
}

static void test_lengths(void)
{
    char text[200];
    dl_resource got;

    memset(text, 'a', sizeof text);
    ok(dl_resource_parse(&got, text, 100, NULL) == DL_OK,
       "a dataset may have 100 bytes");
    ok(dl_resource_parse(&got, text, 101, NULL) == DL_INVALID, "and no more");
    memcpy(text + 100, "/2026-05-18.json", 17);
    ok(dl_resource_parse(&got, text, 116, NULL) == DL_OK &&
           got.kind == DL_RESOURCE_DAY && got.name_len == 100,
       "its day has 116");
    text[100] = '*';
    ok(dl_resource_parse(&got, text, 101, NULL) == DL_OK,
       "a prefix may have 100 bytes and *");
    memset(text, 'a', sizeof text);
    text[101] = '*';
    ok(dl_resource_parse(&got, text, 102, NULL) == DL_INVALID,
       "and no more, for no dataset would begin with it");
    memcpy(text, "table:", 7);
    text[6] = 'a';
    ok(dl_resource_parse(&got, text, 70, NULL) == DL_OK,
       "a table may have 64 bytes");
    ok(dl_resource_parse(&got, text, 71, NULL) == DL_INVALID, "and no more");
    memset(text, 'a', sizeof text);
    ok(dl_resource_parse(&got, text, 117, NULL) == DL_INVALID,
       "nothing has 117 bytes");
    ok(dl_resource_parse(&got, "a\0b", 3, NULL) == DL_INVALID,
       "a NUL byte is refused");
    ok(dl_resource_parse(&got, "a/2026-05-18.json\0", 18, NULL) == DL_INVALID,
       "also behind a day");
    ok(dl_resource_parse(&got, "abc", 2, NULL) == DL_OK && got.len == 2,
       "bytes behind the end are not looked at");
}

static void test_made(void)
{
    char out[DL_RESOURCE_MAX + 1];
    dl_resource made;
    dl_resource parsed;

    dl_resource_of_day(&made, out, "transaction_log", dl_day_of(2026, 5, 18));
    is_str(out, "transaction_log/2026-05-18.json", "a day is written");
    ok(parses(&parsed, out) && parsed.kind == made.kind &&
           parsed.len == made.len && parsed.name_len == made.name_len,
       "and is what its text says");
    dl_resource_of_dataset(&made, "transaction_log");
    ok(parses(&parsed, "transaction_log") && parsed.kind == made.kind &&
           parsed.len == made.len && parsed.name_len == made.name_len,
       "as is a dataset");
}

static void test_levels(void)
{
    dl_level level = DL_LEVEL_NONE;

    ok(dl_level_parse(&level, "read", 4) && level == DL_LEVEL_READ,
       "read is a level");
    ok(dl_level_parse(&level, "write", 5) && level == DL_LEVEL_WRITE,
       "write is a level");
    ok(dl_level_parse(&level, "admin", 5) && level == DL_LEVEL_ADMIN,
       "admin is a level");
    ok(!dl_level_parse(&level, "none", 4), "none is not");
    ok(!dl_level_parse(&level, "READ", 4), "nor is another case");
    ok(!dl_level_parse(&level, "readx", 5), "nor a longer word");
    ok(!dl_level_parse(&level, "rea", 3), "nor a shorter one");
    ok(!dl_level_parse(&level, "", 0), "nor nothing");
    ok(DL_LEVEL_NONE < DL_LEVEL_READ && DL_LEVEL_READ < DL_LEVEL_WRITE &&
           DL_LEVEL_WRITE < DL_LEVEL_ADMIN,
       "each is more than the one before");
    is_str(dl_level_name(DL_LEVEL_WRITE), "write", "a level has a name");
    is_str(dl_level_name((dl_level)9), "none", "what is none has none's");
}

/* --- What covers what ----------------------------------------------------- */

/* The world: every name of one to three letters a and b, each with every one
 * of these days, and three tables. */
static const char *const DAYS[] = {"1999-01-01.json", "2025-12-31.json",
                                   "2026-05-01.json", "2026-05-18.json",
                                   "2026-06-01.json"};
static const char *const TABLES[] = {"a", "ab", "t"};

#define N_NAMES  14
#define N_DAYS   (sizeof DAYS / sizeof DAYS[0])
#define N_TABLES (sizeof TABLES / sizeof TABLES[0])
#define N_THINGS (N_NAMES * (1 + N_DAYS) + N_TABLES)

/* The name number I of the world, written to OUT. */
static void name_of(char out[4], size_t i)
{
    size_t len = i < 2 ? 1 : i < 6 ? 2 : 3;
    size_t bits = len == 1 ? i : len == 2 ? i - 2 : i - 6;

    for (size_t k = 0; k < len; k++) {
        out[k] = (bits >> (len - 1 - k)) & 1 ? 'b' : 'a';
    }
    out[len] = '\0';
}

/* Whether TEXT begins with the N bytes of PREFIX. */
static bool begins(const char *text, const char *prefix, size_t n)
{
    return strncmp(text, prefix, n) == 0;
}

/* Set OPENS to which things of the world the resource TEXT opens, by the
 * words of the contract. */
static void open_things(bool opens[N_THINGS], const char *text)
{
    size_t len = strlen(text);
    bool prefix = text[len - 1] == '*';
    size_t n = 0;

    for (size_t i = 0; i < N_NAMES; i++) {
        char name[4];
        char day[32];

        name_of(name, i);
        opens[n++] =
            prefix ? begins(name, text, len - 1) : strcmp(name, text) == 0;
        for (size_t d = 0; d < N_DAYS; d++) {
            (void)snprintf(day, sizeof day, "%s/%s", name, DAYS[d]);
            opens[n++] =
                prefix ? begins(day, text, len - 1)
                       : strcmp(day, text) == 0 || strcmp(name, text) == 0;
        }
    }
    for (size_t t = 0; t < N_TABLES; t++) {
        opens[n++] =
            strcmp(text, "*") == 0 ||
            (begins(text, "table:", 6) && strcmp(text + 6, TABLES[t]) == 0);
    }
}

/* Resources of every form; each opens something in the world that tells it
 * from the others, so that "opens all that it does" means "covers". */
static const char *const HELD[] = {
    "*",
    "a*",
    "b*",
    "ab*",
    "ba*",
    "a",
    "b",
    "ab",
    "aba",
    "bbb",
    "a/*",
    "ab/*",
    "a/2*",
    "a/2026-*",
    "a/2026-05-*",
    "a/2026-05-0*",
    "ab/2026-05-*",
    "a/2026-05-18.json",
    "a/2026-06-01.json",
    "ab/2026-05-18.json",
    "bab/2025-12-31.json",
    "table:a",
    "table:ab",
    "table:t",
};

#define N_HELD (sizeof HELD / sizeof HELD[0])

static bool opens_all(const char *holds, const char *wants)
{
    bool mine[N_THINGS];
    bool asked[N_THINGS];

    open_things(mine, holds);
    open_things(asked, wants);
    for (size_t i = 0; i < N_THINGS; i++) {
        if (asked[i] && !mine[i]) {
            return false;
        }
    }
    return true;
}

static void test_cover(void)
{
    int wrong = 0;
    int covered = 0;

    for (size_t h = 0; h < N_HELD; h++) {
        for (size_t w = 0; w < N_HELD; w++) {
            dl_resource holds;
            dl_resource wants;
            bool got;

            if (!parses(&holds, HELD[h]) || !parses(&wants, HELD[w])) {
                wrong++;
                continue;
            }
            got = dl_resource_covers(&holds, &wants);
            covered += got;
            if (got != opens_all(HELD[h], HELD[w])) {
                printf("# %s %s %s\n", HELD[h],
                       got ? "covers" : "does not cover", HELD[w]);
                wrong++;
            }
        }
    }
    is_int(wrong, 0, "576 pairs: each covers what opens no more than it");
    ok(covered > 80 && covered < 200, "some pairs do, most do not");
}

/* Whether the resource HOLDS covers WANTS. */
static bool covers(const char *holds, const char *wants)
{
    dl_resource a;
    dl_resource b;

    return parses(&a, holds) && parses(&b, wants) && dl_resource_covers(&a, &b);
}

static void test_words_of_the_contract(void)
{
    ok(covers("*", "table:transaction_record"), "* covers tables");
    ok(covers("*", "*"), "* covers itself");
    ok(!covers("t*", "table:transaction_record"),
       "no longer prefix does, not t*");
    ok(!covers("table:a", "a"), "a table is not a dataset");
    ok(!covers("a", "table:a"), "a dataset is not a table");
    ok(!covers("table:a", "table:ab"), "a table is no prefix");
    ok(covers("d", "d/2026-05-18.json"), "a dataset has its days");
    ok(!covers("d", "d2/2026-05-18.json"), "not those of a longer name");
    ok(!covers("d", "d2"), "nor the longer name");
    ok(covers("d", "d/2026-05-*"), "a dataset has prefixes of its days");
    ok(!covers("d", "d*"), "not the prefix that goes on behind its name");
    ok(!covers("d/*", "d"), "all days are not the dataset");
    ok(!covers("d/2026-05-18.json", "d"), "one day is not the dataset");
    ok(!covers("d/2026-05-18.json", "d/2026-05-19.json"),
       "one day is not another");
    ok(!covers("d/2026-05-18.json", "d/2026-05-18.json*"),
       "one day is not a prefix");
    ok(covers("raw*", "rawticker/2026-05-18.json"),
       "a prefix of datasets has their days");
    ok(covers("d/2026-05-18.json*", "d/2026-05-18.json"),
       "a prefix as long as a day has the day");
    ok(!covers("ab*", "a*"), "a longer prefix does not cover a shorter one");
    ok(!covers("a*", "*"), "nor any the empty one");
}

/* --- Sets ----------------------------------------------------------------- */

#define NOW INT64_C(1779100000000000)

static bool add(dl_grant_set *set, const char *text, dl_level level,
                dl_time expires_at)
{
    dl_grant grant = {.level = level, .expires_at = expires_at};

    return parses(&grant.resource, text) && dl_grant_set_add(set, &grant);
}

static bool allows(const dl_grant_set *set, const char *text, dl_level level)
{
    dl_resource wants;

    return parses(&wants, text) &&
           dl_grant_set_allows(NULL, set, &wants, level, NOW);
}

static void test_decisions(void)
{
    unsigned char bytes[512];
    dl_grant_set set = {.bytes = bytes, .max = sizeof bytes};

    ok(!allows(&set, "a", DL_LEVEL_READ), "who holds nothing may nothing");
    ok(add(&set, "a", DL_LEVEL_READ, DL_TIME_NONE) &&
           add(&set, "b", DL_LEVEL_WRITE, NOW + 1) &&
           add(&set, "c", DL_LEVEL_ADMIN, NOW) &&
           add(&set, "table:t", DL_LEVEL_READ, DL_TIME_NONE) &&
           add(&set, "d/2026-05-18.json", DL_LEVEL_READ, DL_TIME_NONE),
       "five grants are packed");
    ok(allows(&set, "a", DL_LEVEL_READ), "read may read");
    ok(!allows(&set, "a", DL_LEVEL_WRITE), "and not write");
    ok(!allows(&set, "a", DL_LEVEL_ADMIN), "nor grant");
    ok(allows(&set, "b", DL_LEVEL_READ), "write may read");
    ok(allows(&set, "b", DL_LEVEL_WRITE), "and write");
    ok(!allows(&set, "b", DL_LEVEL_ADMIN), "and not grant");
    ok(!allows(&set, "c", DL_LEVEL_READ),
       "a grant has ended at the moment it expires");
    ok(allows(&set, "table:t", DL_LEVEL_READ), "a table is found");
    ok(allows(&set, "d/2026-05-18.json", DL_LEVEL_READ), "a day is found");
    ok(!allows(&set, "d/2026-05-19.json", DL_LEVEL_READ), "no other");
    ok(!allows(&set, "d", DL_LEVEL_READ), "nor its dataset");
    ok(!allows(&set, "a", DL_LEVEL_NONE), "no level at all is never allowed");
}

static void test_rule(void)
{
    unsigned char bytes[512];
    dl_grant_set set = {.bytes = bytes, .max = sizeof bytes};
    dl_resource wants;
    dl_grant rule;

    ok(add(&set, "a", DL_LEVEL_READ, NOW + 5) &&
           add(&set, "a*", DL_LEVEL_WRITE, DL_TIME_NONE) &&
           add(&set, "*", DL_LEVEL_READ, NOW + 9) && parses(&wants, "a"),
       "three grants cover one dataset");
    ok(dl_grant_set_allows(&rule, &set, &wants, DL_LEVEL_READ, NOW) &&
           rule.resource.len == 2 && rule.expires_at == DL_TIME_NONE,
       "the one that lasts longest is told");
    ok(dl_grant_set_allows(&rule, &set, &wants, DL_LEVEL_WRITE, NOW) &&
           rule.level == DL_LEVEL_WRITE,
       "of those with the level");
    ok(!dl_grant_set_allows(&rule, &set, &wants, DL_LEVEL_ADMIN, NOW),
       "if there is one");
    set.len = 0;
    ok(add(&set, "a", DL_LEVEL_READ, NOW + 5) &&
           add(&set, "*", DL_LEVEL_READ, NOW + 9) &&
           add(&set, "a*", DL_LEVEL_READ, NOW + 7) &&
           dl_grant_set_allows(&rule, &set, &wants, DL_LEVEL_READ, NOW) &&
           rule.expires_at == NOW + 9,
       "of those that end, the last one");
}

static void test_room(void)
{
    unsigned char bytes[40];
    dl_grant_set set = {.bytes = bytes, .max = 30};
    dl_grant grant;
    size_t at = 0;
    size_t len;

    memset(bytes, 0x5A, sizeof bytes);
    ok(add(&set, "abcd", DL_LEVEL_READ, NOW), "a grant of 15 bytes fits in 30");
    len = set.len;
    ok(!add(&set, "abcde", DL_LEVEL_READ, NOW) && set.len == len,
       "one of 16 does not fit behind it, and changes nothing");
    ok(add(&set, "b*", DL_LEVEL_ADMIN, DL_TIME_NONE), "a shorter one does");
    grant.resource.len = DL_RESOURCE_MAX + 1;
    ok(!dl_grant_set_add(&set, &grant), "a text that is too long does not");
    ok(bytes[30] == 0x5A, "nothing is written behind the room");
    ok(dl_grant_set_next(&grant, &at, &set) && grant.level == DL_LEVEL_READ &&
           grant.expires_at == NOW &&
           grant.resource.kind == DL_RESOURCE_DATASET &&
           memcmp(grant.resource.text, "abcd", 4) == 0,
       "the first comes back as it was");
    ok(dl_grant_set_next(&grant, &at, &set) && grant.level == DL_LEVEL_ADMIN &&
           grant.expires_at == DL_TIME_NONE &&
           grant.resource.kind == DL_RESOURCE_PREFIX &&
           grant.resource.name_len == 1,
       "the second, too");
    ok(!dl_grant_set_next(&grant, &at, &set), "then there is none");
}

static bool touches(const char *held, const char *dataset, dl_time expires_at)
{
    unsigned char bytes[256];
    dl_grant_set set = {.bytes = bytes, .max = sizeof bytes};

    return add(&set, held, DL_LEVEL_READ, expires_at) &&
           dl_grant_set_touches(&set, dataset, NOW);
}

static void test_touching(void)
{
    ok(touches("ab", "ab", DL_TIME_NONE), "a dataset has its own days");
    ok(!touches("ab", "abc", DL_TIME_NONE), "not those of a longer name");
    ok(!touches("abc", "ab", DL_TIME_NONE), "nor of a shorter one");
    ok(touches("ab/2026-05-18.json", "ab", DL_TIME_NONE), "a day is one");
    ok(!touches("ab/2026-05-18.json", "a", DL_TIME_NONE), "of its dataset");
    ok(touches("*", "ab", DL_TIME_NONE), "everything has them");
    ok(touches("a*", "ab", DL_TIME_NONE), "so has a shorter prefix");
    ok(touches("ab*", "ab", DL_TIME_NONE), "and one as long");
    ok(touches("ab/2026*", "ab", DL_TIME_NONE), "and one of days");
    ok(!touches("abc*", "ab", DL_TIME_NONE), "not a longer one");
    ok(!touches("abc/2*", "ab", DL_TIME_NONE), "nor one of other days");
    ok(!touches("table:ab", "ab", DL_TIME_NONE), "a table has none");
    ok(!touches("*", "ab", NOW), "what has ended has none");
}

static void test_touching_by_counting(void)
{
    int wrong = 0;

    for (size_t h = 0; h < N_HELD; h++) {
        bool opens[N_THINGS];

        open_things(opens, HELD[h]);
        for (size_t i = 0; i < N_NAMES; i++) {
            bool any = false;
            char name[4];

            name_of(name, i);
            for (size_t d = 1; d <= N_DAYS; d++) {
                any = any || opens[i * (1 + N_DAYS) + d];
            }
            if (touches(HELD[h], name, DL_TIME_NONE) != any) {
                printf("# %s and %s\n", HELD[h], name);
                wrong++;
            }
        }
    }
    is_int(wrong, 0, "336 pairs: a grant touches what it opens a day of");
}

static uint64_t hash_of(const char *held, dl_level level, dl_time expires_at)
{
    unsigned char bytes[256];
    dl_grant_set set = {.bytes = bytes, .max = sizeof bytes};

    return add(&set, held, level, expires_at) ? dl_grant_set_hash(&set, NOW)
                                              : 0;
}

static void test_hash(void)
{
    dl_grant_set none = {NULL, 0, 0};
    uint64_t a = hash_of("a", DL_LEVEL_READ, DL_TIME_NONE);

    ok(a == hash_of("a", DL_LEVEL_READ, NOW + 1),
       "equal grants have one number, whenever they end");
    ok(a != hash_of("b", DL_LEVEL_READ, DL_TIME_NONE),
       "another resource has another");
    ok(a != hash_of("a", DL_LEVEL_WRITE, DL_TIME_NONE), "as has another level");
    ok(hash_of("a", DL_LEVEL_READ, NOW) == dl_grant_set_hash(&none, NOW),
       "what has ended does not count");
}

int main(void)
{
    test_forms();
    test_bad_forms();
    test_lengths();
    test_made();
    test_levels();
    test_cover();
    test_words_of_the_contract();
    test_decisions();
    test_rule();
    test_room();
    test_touching();
    test_touching_by_counting();
    test_hash();
    return done();
}
