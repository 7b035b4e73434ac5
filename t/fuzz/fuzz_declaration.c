/* fuzz_declaration.c - Declarations: taken and usable, or refused with file
 * and line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "dl_record.h"

const char *const fuzz_seeds[] = {
    "{\"dataset\":\"shop\",\n\"description\":\"x\",\n\"topic\":{\"key\":"
    "\"id\",\"partitions\":1,\"retention_days\":1},\n\"event_time\":{"
    "\"member\":\"at\",\"formats\":[\"unix\",\"date\"]},\n\"table\":{\"name\":"
    "\"t\",\"unique\":[\"id\"],\"on_repeat\":\"ignore\"},\n\"fields\":[\n{"
    "\"member\":\"id\",\"type\":\"str\",\"required\":true,\"column\":\"id\","
    "\"max\":64},\n{\"member\":\"at\",\"type\":\"time\"},\n{\"member\":["
    "\"a.b\",\"c\"],\"type\":\"dec\",\"column\":\"c\"}]}",
    NULL};

const char *const fuzz_words[] = {
    "null", "[]",      "{}",          "\"\"",   "-1",     "99999999999",
    "true", "\"any\"", "\"member\":", "\"a.\"", "\"id\"", ",",
    "}",    "\\u0000", "\xFF",        "\n",     NULL};

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    dl_dataset_source source = {
        .file = "/d/shop.json", .text = (const char *)data, .len = len};
    static const char record[] = "{\"id\":\"x\",\"at\":5,\"a\":{\"b\":1}}";
    const dl_dataset *ds;
    dl_record rec;
    dl_error err = {0};

    fuzz_check(dl_zone_load(&source.zone, "UTC", &err, pool) == DL_OK,
               "UTC is there");
    if (dl_dataset_parse(&ds, &source, &err, pool) != DL_OK) {
        fuzz_check(strncmp(err.text, "/d/shop.json:", 13) == 0,
                   "a mistake has file and line");
        return;
    }
    fuzz_check(ds->time_field >= 0 && ds->time_field < ds->n_fields,
               "there is an event time");
    dl_record_judge(&rec, dl_judge_create(ds, pool), record, sizeof record - 1,
                    5000000);
    fuzz_check((unsigned)rec.verdict < DL_VERDICTS, "it can judge");
}
