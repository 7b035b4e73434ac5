/* test_lake_sources.c - More sources than a dataset remembers: the one too many
 * is told once and stored, and what it sends again is stored again; those that
 * are remembered go on, also behind a restart.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_marks.h"
#include "dl_log.h"

#include "lake_fixture.h"
#include "tap.h"

/* As many as a dataset remembers (FORMAT.md 6). */
#define SOURCES 4096

static int told;             /* lines of DL0320 */
static char last_told[1000]; /* the last of them */

static void take_line(void *context, dl_log_level level, const char *message)
{
    (void)context;
    if (strncmp(message, "DL0320 ", 7) == 0 && level == DL_LOG_WARNING) {
        told++;
        snprintf(last_told, sizeof last_told, "%s", message);
    }
}

/* Let W have the message of source N at OFFSET, as the sink of the lake does:
 * a repeat is dropped.  Return 1 when it was stored, 0 when it was dropped, -1
 * when that failed. */
static int send_one(dl_lake_writer *w, int n, int64_t offset)
{
    char name[16];
    char line[64];
    dl_lake_position position = {.source = name, .epoch = 1, .position = 1};
    dl_lake_message m = {.coord = {.offset = offset, .time = TIME_A},
                         .position = &position};
    dl_error err = {0};

    snprintf(name, sizeof name, "s%04d", n);
    position.source_len = strlen(name);
    snprintf(line, sizeof line, "{\"source\":%d}", n);
    if (dl_lake_writer_has(w, 0, &position)) {
        return dl_lake_writer_repeat(w, &position, &m.coord, &err) == DL_OK
                   ? 0
                   : -1;
    }
    return dl_lake_writer_append_message(
               w, TIME_A, line, (uint32_t)strlen(line), &m, &err) == DL_OK
               ? 1
               : -1;
}

/* Send the first N sources' message, each once, from OFFSET on; how many were
 * stored. */
static int send_all(dl_lake_writer *w, int n, int64_t offset)
{
    int stored = 0;

    for (int i = 0; i < n; i++) {
        stored += send_one(w, i, offset + i);
    }
    return stored;
}

static void test_full(void)
{
    dl_lake_writer *w = NULL;
    apr_pool_t *pool;
    dl_error err = {0};

    fixture_begin();
    ok(fixture_writer(&w, &pool, &err) == DL_OK, "given a dataset");
    is_int(send_all(w, SOURCES, 0), SOURCES, "with 4,096 sources");
    is_int(told, 0, "... of which nothing is told");
    is_int(send_one(w, SOURCES, 4096), 1, "one source more is stored");
    is_int(told, 1, "... and told");
    ok(strstr(last_told, "d: source s4096 is one too many") != NULL,
       "... by its name and its dataset's");
    is_int(send_one(w, SOURCES + 1, 4097), 1, "another one is stored");
    is_int(told, 1, "... and not told again");
    is_int(send_one(w, SOURCES, 4098), 1,
           "what it sends again is stored again");
    is_int(send_all(w, SOURCES, 4099), 0, "repeats of the others are dropped");
    is_int(dl_lake_writer_commit(w, TIME_A, &err), DL_OK,
           "all that is committed");
    apr_pool_destroy(pool);
    ok(fixture_writer(&w, &pool, &err) == DL_OK, "behind a restart");
    is_int(send_all(w, SOURCES, 9000), 0, "... they are dropped, too");
    is_int(send_one(w, SOURCES, 14000), 1, "... the one too many is stored");
    is_int(told, 2, "... and told again");
    apr_pool_destroy(pool);
    fixture_end();
}

int main(void)
{
    apr_initialize();
    dl_log_install(take_line, NULL, DL_LOG_DEBUG);
    test_full();
    apr_terminate();
    return done();
}
