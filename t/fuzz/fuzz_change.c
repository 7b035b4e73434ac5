/* fuzz_change.c - Change events: taken apart or refused, whoever wrote them;
 * what a client wants to change is judged.
 *
 * The first byte chooses: an event, a key, what is to be changed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "dl_change.h"
#include "dl_dataset.h"
#include "dl_record.h"

const char *const fuzz_seeds[] = {
    "0{\"_event\":\"update\",\"key\":{\"post_id\":\"p\"},\"changes\":{"
    "\"likes\":"
    "3},\"by\":\"alice\",\"at\":\"2026-05-18T09:30:00Z\",\"request_id\":\"r\","
    "\"upto\":{\"0\":12,\"2\":7}}",
    "0{\"_event\":\"delete\",\"key\":{\"user\":{\"name\":\"n\"}},\"changes\":"
    "null,\"upto\":{},\"generation\":2,\"also\":{\"posts\":{\"upto\":{"
    "\"1\":9},\"generation\":1}}}",
    "1{\"post_id\":\"p\"}",
    "2{\"content\":\"x\",\"comments\":[{\"comment_id\":\"c\",\"text\":\"t\","
    "\"timestamp\":\"2026-05-18T09:30:00Z\"}],\"likes\":\"4\"}",
    NULL};

const char *const fuzz_words[] = {"\"_event\":",  "\"delete\"",
                                  "\"upto\":{",   "\"also\":{",
                                  "\"key\":",     "\"changes\":",
                                  "\"post_id\":", "\"comments\":[",
                                  "{}",           "[]",
                                  "null",         "9223372036854775808",
                                  "-1",           "\"\"",
                                  "\"0\":",       "\\u0000",
                                  "true",         NULL};

static const char posts[] =
    "{\"dataset\":\"posts\",\"description\":\"x\",\"topic\":{\"partitions\":1,"
    "\"retention_days\":1},\"event_time\":{\"member\":\"timestamp\","
    "\"formats\":[\"unix\",\"rfc3339\"]},\"table\":{\"name\":\"post\","
    "\"unique\":[\"post_id\"],\"on_repeat\":\"supersede\"},\"fields\":["
    "{\"member\":\"post_id\",\"type\":\"str\",\"required\":true,\"column\":"
    "\"post_id\",\"max\":8},{\"member\":\"user.name\",\"type\":\"str\","
    "\"column\":\"name\"},{\"member\":\"content\",\"type\":\"str\",\"column\":"
    "\"content\",\"max\":9},{\"member\":\"timestamp\",\"type\":\"time\","
    "\"column\":\"timestamp\"},{\"member\":\"likes\",\"type\":\"int\","
    "\"column\":\"likes\"},{\"member\":\"comments\",\"type\":\"any\"}],"
    "\"children\":[{\"member\":\"comments\",\"table\":\"comment\",\"unique\":["
    "\"comment_id\"],\"fields\":[{\"member\":\"comment_id\",\"type\":\"str\","
    "\"required\":true,\"column\":\"comment_id\",\"max\":8},{\"member\":"
    "\"text\",\"type\":\"str\",\"column\":\"text\"},{\"member\":\"timestamp\","
    "\"type\":\"time\",\"column\":\"timestamp\"}]}]}";

static dl_change *own;
static dl_change *other; /* the same table, changed by another topic */

/* Made once: it is what a server does. */
static void make_changes(void)
{
    static apr_pool_t *pool;
    const dl_dataset *ds = NULL;
    dl_dataset_source source = {
        .file = "posts.json", .text = posts, .len = sizeof posts - 1};
    dl_error err = {0};

    fuzz_check(apr_pool_create(&pool, NULL) == APR_SUCCESS &&
                   dl_zone_load(&source.zone, "UTC", &err, pool) == DL_OK &&
                   dl_dataset_parse(&ds, &source, &err, pool) == DL_OK,
               "the declaration is right");
    own = dl_change_create(ds, "posts", pool);
    other = dl_change_create(ds, "users", pool);
}

/* Look at the event that CHANGE has taken apart. */
static void check_event(const dl_change *change)
{
    dl_change_bound bounds[2];
    const dl_record *key = dl_change_key_record(change);
    int32_t generation = 0;
    int n = dl_change_bounds(&generation, bounds, 2, change);
    bool has_key = false;

    fuzz_check(n >= 0 && n <= 2, "what was loaded has room");
    for (int i = 0; i < 6; i++) {
        has_key = has_key || dl_change_is_key(change, i);
    }
    fuzz_check(has_key && key->verdict == DL_RECORD_GOOD,
               "an event has a key that is a column");
    (void)dl_change_deletes(change);
}

/* Take the event TEXT apart. */
static void read_event(const char *text, size_t len)
{
    dl_error err = {0};

    if (dl_change_read(own, text, len, &err) != DL_OK) {
        fuzz_check(err.status == DL_CORRUPT && err.text[0] != '\0',
                   "what is refused has a reason");
        return;
    }
    fuzz_check(dl_change_concerns(own), "its own events concern a table");
    check_event(own);
    if (dl_change_read(other, text, len, &err) == DL_OK &&
        dl_change_concerns(other)) {
        check_event(other);
    }
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    const char *text = (const char *)data + 1;
    const char *member;
    dl_error err = {0};

    (void)pool;
    if (own == NULL) {
        make_changes();
    }
    if (len == 0) {
        return;
    }
    if (*data % 3 == 0) {
        read_event(text, len - 1);
    }
    else if (*data % 3 == 1) {
        fuzz_check(dl_change_key(own, text, len - 1, &err) == DL_OK ||
                       err.text[0] != '\0',
                   "a key that is refused has a reason");
    }
    else if (dl_change_check(&member, own, text, len - 1, &err) == DL_OK) {
        fuzz_check(member == NULL && memchr(text, '{', len - 1) != NULL,
                   "what is taken is an object");
    }
    else {
        fuzz_check(err.status == DL_INVALID && err.text[0] != '\0',
                   "a change that is refused has a reason");
    }
}
