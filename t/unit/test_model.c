/* test_model.c - Models: inputs become columns, trees become answers, damaged
 * files are refused (MODEL.md).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_model.h"

#include "tap.h"

#include <math.h>
#include <stdlib.h>

#include <apr_general.h>

#include "dl_crc.h"
#include "dl_lake_bytes.h"
#include "dl_model_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static apr_pool_t *pool;

/* --- A file written by hand, in order of MODEL.md 2 ------------------------ */

/* Two trees: amount below 100 gives -1, else 2, missing goes left; currency
 * EUR gives 0.5, another 0.25, missing goes right. */
static dl_lake_bytes *make(uint8_t target)
{
    dl_lake_bytes *out = apr_pcalloc(pool, sizeof *out);
    const uint32_t nodes[6][4] = {
        {0x80000000, 0x42c80000, 1, 2}, {0xffffffff, 0xbf800000, 0, 0},
        {0xffffffff, 0x40000000, 0, 0}, {5, 0x3f000000, 1, 2},
        {0xffffffff, 0x3e800000, 0, 0}, {0xffffffff, 0x3f000000, 0, 0}};

    dl_lake_bytes_own(out, pool);
    dl_lake_add_raw(out, "DLMODEL1", 8);
    dl_lake_add_u32(out, 0);
    dl_lake_add_raw(out, "01234567-89ab-cdef-0123-456789abcdef", 36);
    dl_lake_add_u8(out, target);
    dl_lake_add_u32(out, 7);
    dl_lake_add_u32(out, 0x3f000000); /* base 0.5 */
    dl_lake_add_u8(out, 0x1f);        /* all numbers */
    dl_lake_add_u8(out, 1);           /* currency: EUR */
    dl_lake_add_text(out, "EUR", 3);
    for (int i = 1; i < 5; i++) {
        dl_lake_add_u8(out, 0);
    }
    dl_lake_add_raw(out, "EUR", 3);
    dl_lake_add_u32(out, 2); /* 1 USD is 0.5 EUR, from 2020-01-01 on 0.25 */
    dl_lake_add_raw(out, "USD", 3);
    dl_lake_add_u32(out, 0);
    dl_lake_add_u64(out, 5000000000);
    dl_lake_add_u64(out, 0);
    dl_lake_add_raw(out, "USD", 3);
    dl_lake_add_u32(out, 18262);
    dl_lake_add_u64(out, 2500000000);
    dl_lake_add_u64(out, 0);
    dl_lake_add_u32(out, 2);
    dl_lake_add_u32(out, 3);
    dl_lake_add_u32(out, 3);
    for (int i = 0; i < 6; i++) {
        for (int at = 0; at < 4; at++) {
            dl_lake_add_u32(out, nodes[i][at]);
        }
    }
    dl_lake_add_text(out, "{\"n\":1}", 7);
    return out;
}

/* Where the nodes begin: behind magic, checksum, id, target, version, base,
 * numbers, texts, currency, rates, count and sizes of trees. */
#define NODES (8 + 4 + 36 + 1 + 4 + 4 + 1 + 1 + 4 + 4 + 3 + 4 + 46 + 4 + 8)

/* Read BYTES, their checksum mended. */
static dl_status parse(const dl_model **model, dl_lake_bytes *bytes)
{
    dl_error err;

    (void)dl_lake_put_u32(bytes->data + 8,
                          dl_crc32c(0, bytes->data + 12, bytes->len - 12));
    return dl_model_parse(model, bytes->data, bytes->len, &err, pool);
}

/* Whether the file with U32 at AT instead is refused. */
static bool refused(size_t at, uint32_t u32)
{
    dl_lake_bytes *bytes = make(0);
    const dl_model *model;

    (void)dl_lake_put_u32(bytes->data + at, u32);
    return parse(&model, bytes) == DL_CORRUPT;
}

/* --- Tests ----------------------------------------------------------------- */

static void test_read(void)
{
    const dl_model *model = NULL;
    dl_lake_bytes *bytes = make(0);
    dl_lake_bytes *back = apr_pcalloc(pool, sizeof *back);

    dl_lake_bytes_own(back, pool);
    ok(parse(&model, bytes) == DL_OK, "a file is read");
    is_str(model->id, "01234567-89ab-cdef-0123-456789abcdef", "its id");
    is_int(model->version, 7, "its version");
    is_int(model->n_trees, 2, "its trees");
    is_str(model->details, "{\"n\":1}", "its details");
    dl_model_format(back, model);
    ok(back->len == bytes->len &&
           memcmp(back->data, bytes->data, back->len) == 0,
       "and written again it is the same");
}

/* What MODEL says of an amount in a currency, "" missing. */
static float say(const dl_model *model, float amount, const char *currency)
{
    dl_feature_row row;
    dl_prediction out;

    dl_feature_clear(&row);
    row.number[DL_FEATURE_AMOUNT] = amount;
    if (currency[0] != '\0') {
        row.text[DL_FEATURE_CURRENCY] =
            (dl_feature_value){currency, strlen(currency)};
    }
    dl_model_predict(&out, model, &row);
    return out.margin;
}

static void test_answers(void)
{
    const dl_model *model = NULL;
    dl_feature_row row;
    dl_prediction out;

    ok(parse(&model, make(1)) == DL_OK, "given a model of amounts");
    ok(say(model, 99, "EUR") == 0.5F - 1 + 0.5F, "below the bound, left");
    ok(say(model, 100, "EUR") == 0.5F + 2 + 0.5F, "at the bound, right");
    ok(say(model, NAN, "EUR") == 0.5F - 1 + 0.5F, "missing, as bit 31 says");
    ok(say(model, 99, "USD") == 0.5F - 1 + 0.25F, "another text is other");
    ok(say(model, 99, "") == 0.5F - 1 + 0.5F, "a missing text, right here");
    ok(parse(&model, make(0)) == DL_OK, "given a model of classes");
    dl_feature_clear(&row);
    row.number[DL_FEATURE_AMOUNT] = 200;
    dl_model_predict(&out, model, &row);
    ok(fabsf(out.probability - 0.952574F) < 1e-6F && out.is_true,
       "3 is a probability of 0.952574");
    row.number[DL_FEATURE_AMOUNT] = 1;
    dl_model_predict(&out, model, &row);
    ok(out.margin == 0.0F && out.probability == 0.5F && out.is_true,
       "0 is 0.5, which is true");
    ok(dl_model_probability(-1e30F) >= 0 &&
           dl_model_probability(-1e30F) < 1e-38F,
       "nothing overflows");
    ok(dl_model_probability(1e30F) == 1, "on the other side neither");
}

static void test_rates(void)
{
    const dl_model *model = NULL;
    dl_feature_value usd = {"usd", 3};
    dl_feature_value chf = {"CHF", 3};
    dl_feature_value none = {NULL, 0};
    dl_decimal amount = dl_decimal_of_int(8);
    dl_decimal out;

    ok(parse(&model, make(0)) == DL_OK, "given rates");
    ok(dl_model_convert(&out, model, amount, usd, 18261) &&
           dl_decimal_compare(out, dl_decimal_of_int(4)) == 0,
       "the rate of the day, without case");
    ok(dl_model_convert(&out, model, amount, usd, 18262) &&
           dl_decimal_compare(out, dl_decimal_of_int(2)) == 0,
       "from its first day on");
    ok(dl_model_convert(&out, model, amount, usd, DL_DAY_NONE) &&
           dl_decimal_compare(out, dl_decimal_of_int(2)) == 0,
       "without a day the newest");
    ok(!dl_model_convert(&out, model, amount, usd, -1), "not before the first");
    ok(!dl_model_convert(&out, model, amount, chf, 18262), "no rate");
    ok(!dl_model_convert(&out, model, amount, none, 18262), "no currency");
}

static void test_time(void)
{
    dl_feature_row row;

    dl_feature_clear(&row);
    dl_feature_set_time(&row, INT64_C(1779096600000000));
    ok(row.number[DL_FEATURE_HOUR] == 9 && row.number[DL_FEATURE_WEEKDAY] == 0,
       "2026-05-18T09:30:00Z is a Monday, hour 9");
    dl_feature_set_time(&row, -1);
    ok(row.number[DL_FEATURE_HOUR] == 23 && row.number[DL_FEATURE_WEEKDAY] == 2,
       "just before 1970 is a Wednesday, hour 23");
}

static void test_damage(void)
{
    const dl_model *model;
    dl_lake_bytes *bytes = make(0);
    dl_error err;
    bool all = true;

    ok(refused(NODES + 8, 0), "a child that is its parent");
    ok(refused(NODES + 8, 3), "a child out of its tree");
    ok(refused(NODES, 11), "a column that there is not");
    ok(refused(NODES + 4, 0x7f800000), "a bound that is infinite");
    ok(refused(NODES + 16 + 4, 0x7fc00000), "a leaf that is no number");
    ok(refused(NODES + 16 + 8, 1), "a leaf with a child");
    ok(refused(NODES - 8, 0), "a tree without nodes");
    ok(refused(NODES - 8, 0x7fffffff), "more nodes than bytes");
    ok(refused(NODES - 12, 0x7fffffff), "more trees than bytes");
    ok(refused(NODES - 12 - 50, 0x7fffffff), "more rates than bytes");
    ok(refused(8 + 4 + 36 + 5, 0x7f800000), "a base that is infinite");
    ok(parse(&model, bytes) == DL_OK, "undamaged it is read");
    for (size_t len = 0; len < bytes->len; len++) {
        dl_lake_bytes cut = *bytes;

        cut.len = len;
        if (len < 12) {
            all = all && dl_model_parse(&model, cut.data, len, &err, pool) ==
                             DL_CORRUPT;
        }
        else {
            all = all && parse(&model, &cut) == DL_CORRUPT;
        }
    }
    ok(all, "cut anywhere it is refused, its checksum mended");
    bytes = make(0);
    (void)parse(&model, bytes);
    bytes->data[100] ^= 1;
    ok(dl_model_parse(&model, bytes->data, bytes->len, &err, pool) ==
           DL_CORRUPT,
       "as is a wrong checksum");
}

static void test_store(void)
{
    char folder[] = "/tmp/test_model.XXXXXX";
    const dl_model *model = NULL;
    const dl_model *back = NULL;
    dl_model_stamp stamp;
    dl_model_stamp again;
    dl_error err;
    struct stat info;
    int fd;

    ok(mkdtemp(folder) != NULL && parse(&model, make(0)) == DL_OK,
       "given a folder and a model");
    fd = open(folder, O_RDONLY | O_DIRECTORY);
    ok(dl_model_store_stamp(&stamp, fd, DL_TARGET_COMPLETED, &err) ==
               DL_NOT_FOUND &&
           dl_model_store_find(&back, fd, model->id, &err, pool) ==
               DL_NOT_FOUND,
       "an empty one has none");
    ok(dl_model_store_put(fd, model, "{}", 2, &err, pool) == DL_OK,
       "it is put away");
    ok(dl_model_store_find(&back, fd, model->id, &err, pool) == DL_OK &&
           back->version == 7,
       "and found");
    ok(dl_model_store_current(&back, &stamp, fd, DL_TARGET_COMPLETED, &err,
                              pool) == DL_NOT_FOUND,
       "but not current");
    ok(dl_model_store_use(fd, model->id, &err, pool) == DL_OK &&
           dl_model_store_current(&back, &stamp, fd, DL_TARGET_COMPLETED, &err,
                                  pool) == DL_OK &&
           back != NULL && back->target == DL_TARGET_COMPLETED,
       "until it is used");
    ok(dl_model_store_use(fd, model->id, &err, pool) == DL_OK &&
           dl_model_store_stamp(&again, fd, DL_TARGET_COMPLETED, &err) ==
               DL_OK &&
           again.inode == stamp.inode,
       "twice changes nothing");
    ok(fstatat(fd, "_models/.completed.current", &info, 0) != 0,
       "and leaves nothing behind");
    ok(dl_model_store_stamp(&again, fd, DL_TARGET_AMOUNT, &err) == DL_NOT_FOUND,
       "the other target has none");
    ok(dl_model_store_find(&back, fd, "../../../../../../../../etc/passwd",
                           &err, pool) == DL_NOT_FOUND,
       "an id is a UUID");
    (void)close(fd);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_read();
    test_answers();
    test_rates();
    test_time();
    test_damage();
    test_store();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
