/* torture_source.c - Rows of foreign sources and changes of rows while memory
 * runs out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "torture.h"

#include <stdbool.h>
#include <string.h>

#include "dl_change.h"
#include "dl_combined.h"
#include "dl_config.h"
#include "dl_config_source.h"
#include "dl_dataset.h"
#include "dl_encoding.h"
#include "dl_mapping.h"
#include "dl_split.h"
#include "dl_syslog.h"

/* Bytes of a text that makes buffers grow. */
#define LONG_TEXT 100000

/* --- Rows ----------------------------------------------------------------- */

/* Return whether BUF holds TEXT and nothing else. */
static bool holds(const dl_buf *buf, const char *text)
{
    return buf->len == strlen(text) && memcmp(buf->data, text, buf->len) == 0;
}

/* Map a row and an object to OUT. */
static dl_status map_both(bool *right, dl_buf *out, const char *text,
                          dl_error *err, apr_pool_t *pool)
{
    static const dl_mapping_transform transforms[] = {
        {"a.b", "trim, upper"},
        {"day", "date %d/%m/%Y"},
        {"n", "decimal comma, rename m"}};
    static const char *const names[] = {"x", "y", "z"};
    static const char json[] = "{\"x\":\" caf\\u00e9 \",\"y\":\"20/01/2023\","
                               "\"z\":\"1.234,5\"}";
    static const char wanted[] =
        "{\"a\":{\"b\":\"CAF\xC3\x89\"},\"day\":\"2023-01-20\","
        "\"m\":\"1234.5\"}";
    const dl_mapping_rules rules = {"a.b = x, day = y, n = z", transforms, 3};
    const dl_mapping_columns columns = {names, 3};
    const dl_cell cells[] = {dl_cell_text(" caf\xC3\xA9 ", 7),
                             dl_cell_text("20/01/2023", 10),
                             dl_cell_text("1.234,5", 7)};
    const dl_cell more[] = {dl_cell_text(text, LONG_TEXT), cells[1], cells[2]};
    dl_mapping_plan *plan;
    dl_mapping *m;

    DL_TRY(dl_mapping_create(&m, &rules, err, pool));
    DL_TRY(dl_mapping_bind(&plan, NULL, m, &columns, err, pool));
    DL_TRY(dl_mapping_write(out, plan, cells, err));
    *right = holds(out, wanted);
    out->len = 0;
    DL_TRY(dl_mapping_write_json(out, m, json, sizeof json - 1, err));
    *right = *right && holds(out, wanted);
    out->len = 0;
    DL_TRY(dl_mapping_write(out, plan, more, err));
    *right = *right && out->len > LONG_TEXT;
    return DL_OK;
}

/* A text of LONG_TEXT letters, in POOL. */
static const char *long_text(apr_pool_t *pool)
{
    char *text = apr_palloc(pool, LONG_TEXT + 1);

    memset(text, 'x', LONG_TEXT);
    text[LONG_TEXT] = '\0';
    return text;
}

torture_verdict torture_mapping(dl_error *err, const char *folder,
                                apr_pool_t *pool)
{
    dl_buf *out = dl_buf_create(1 << 20, pool);
    bool right = false;
    dl_status status = map_both(&right, out, long_text(pool), err, pool);

    (void)folder;
    return torture_judge(status, err, right);
}

torture_verdict torture_split(dl_error *err, const char *folder,
                              apr_pool_t *pool)
{
    static const char text[] = "\"a\"\"b\";caf\xE9\n";
    dl_buf *out = dl_buf_create(1 << 20, pool);
    const dl_split_input input = {text, sizeof text - 1, true};
    dl_split_cells cells;
    dl_split_row row;
    dl_status status;
    bool right;

    (void)folder;
    dl_split_cells_create(&cells, ';', pool);
    right = dl_split_next(&row, &cells, DL_SPLIT_CSV, &input) && cells.n == 2 &&
            cells.cells[0].len == 3 &&
            memcmp(cells.cells[0].text, "a\"b", 3) == 0;
    status = dl_encoding_decode(out, DL_ENCODING_LATIN1, cells.cells[1].text,
                                cells.cells[1].len, err);
    return torture_judge(status, err, right && holds(out, "caf\xC3\xA9"));
}

torture_verdict torture_log_line(dl_error *err, const char *folder,
                                 apr_pool_t *pool)
{
    static const char web[] =
        "::1 - - [20/Jan/2023:12:37:58 +0100] \"GET /\\xc3\\xa9 HTTP/1.1\" 200 "
        "5 \"-\" \"x\"";
    static const char message[] =
        "<34>1 2003-10-11T22:14:15.003Z h su 77 ID [e@1 a=\"b\"] text";
    dl_cell columns[DL_COMBINED_COLUMNS];
    dl_cell parts[DL_SYSLOG_COLUMNS];
    dl_buf *room = dl_buf_create(1 << 16, pool);
    dl_buf *other = dl_buf_create(1 << 16, pool);
    bool web_right = dl_combined_parse(columns, room, web, sizeof web - 1);
    dl_status status =
        dl_syslog_parse(parts, other, message, sizeof message - 1, 0, err);

    (void)folder;
    return torture_judge(status, err,
                         web_right && columns[4].len == 3 && status == DL_OK &&
                             parts[8].len == 4);
}

torture_verdict torture_source_config(dl_error *err, const char *folder,
                                      apr_pool_t *pool)
{
    static const char text[] =
        "[source a]\ndataset = clients\npath = in/*.csv\nseparator = ;\n"
        "mapping = client_id = id\ntransform.nom = trim\n[source b]\ntype = "
        "socket\ndataset = clients\nidle = 5 s\n";
    dl_ini *ini;
    dl_config *cfg = NULL;
    dl_status status =
        dl_ini_parse(&ini, "/conf/x.ini", text, sizeof text - 1, err, pool);

    (void)folder;
    if (status == DL_OK) {
        status = dl_config_apply(&cfg, ini, err, pool);
    }
    return torture_judge(status, err,
                         status == DL_OK && cfg->sources.n == 2 &&
                             cfg->sources.items[0].separator == ';' &&
                             cfg->sources.items[1].idle_ms == 5000);
}

/* --- Changes -------------------------------------------------------------- */

static const char declaration[] =
    "{\"dataset\":\"shop\",\"description\":\"x\",\"topic\":{\"partitions\":1,"
    "\"retention_days\":1},\"event_time\":{\"member\":\"timestamp\","
    "\"formats\":[\"unix\"]},\"table\":{\"name\":\"t\",\"unique\":[\"id\"],"
    "\"on_repeat\":\"supersede\"},\"fields\":[{\"member\":\"id\",\"type\":"
    "\"str\",\"required\":true,\"column\":\"id\",\"max\":64},{\"member\":"
    "\"timestamp\",\"type\":\"time\"},{\"member\":\"n\",\"type\":\"int\","
    "\"column\":\"n\"}]}";

torture_verdict torture_change(dl_error *err, const char *folder,
                               apr_pool_t *pool)
{
    static const char event[] =
        "{\"_event\":\"update\",\"key\":{\"id\":\"a\"},\"changes\":{\"n\":1},"
        "\"upto\":{\"0\":5}}";
    static const char changes[] = "{\"n\":7}";
    dl_dataset_source source = {.file = "shop.json",
                                .text = declaration,
                                .len = sizeof declaration - 1};
    const dl_dataset *ds = NULL;
    const char *member;
    dl_change_bound bounds[1];
    dl_change *change;
    int32_t generation;
    dl_status status;

    (void)folder;
    torture_pause();
    status = dl_zone_load(&source.zone, "UTC", err, pool);
    if (status != DL_OK || dl_dataset_parse(&ds, &source, err, pool) != DL_OK) {
        return TORTURE_WRONG;
    }
    torture_go();
    change = dl_change_create(ds, "shop", pool);
    status = dl_change_check(&member, change, changes, sizeof changes - 1, err);
    if (status == DL_OK) {
        status = dl_change_read(change, event, sizeof event - 1, err);
    }
    return torture_judge(status, err,
                         status == DL_OK && dl_change_is_key(change, 0) &&
                             dl_change_bounds(&generation, bounds, 1, change) ==
                                 1 &&
                             bounds[0].next == 5);
}
