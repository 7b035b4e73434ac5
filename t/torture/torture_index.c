/* torture_index.c - An index made and asked while memory runs out: it is right
 * or it is not there.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "torture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "dl_crc.h"
#include "dl_lake_index_build.h"

/* The part, its lines, and which of them are looked for. */
#define UID    7
#define LINES  3000
#define WANTED 2345

static const char declaration[] =
    "{\"dataset\":\"shop\",\"description\":\"A shop.\","
    "\"topic\":{\"key\":\"id\",\"partitions\":1,\"retention_days\":1},"
    "\"event_time\":{\"member\":\"at\",\"formats\":[\"unix\"]},"
    "\"fields\":[{\"member\":\"id\",\"type\":\"str\"},"
    "{\"member\":\"at\",\"type\":\"time\"},{\"member\":\"n\",\"type\":\"int\"}]"
    "}";

/* What is indexed, and where it goes. */
typedef struct work {
    const dl_lake_columns *columns; /* of the dataset */
    dl_lake_part part;              /* as it grows */
    int meta;                       /* folder with idx/ */
    int fd;                         /* the index */
} work;

static dl_status prepare(work *w, const char *folder, dl_error *err,
                         apr_pool_t *pool)
{
    dl_dataset_source source = {.file = "shop.json",
                                .text = declaration,
                                .len = sizeof declaration - 1};
    const dl_dataset *ds;
    char name[DL_LAKE_PATH_MAX];

    DL_TRY(dl_zone_load(&source.zone, "UTC", err, pool));
    DL_TRY(dl_dataset_parse(&ds, &source, err, pool));
    DL_TRY(dl_lake_columns_create(&w->columns, ds, err, pool));
    dl_lake_index_name(name, UID, "index");
    w->meta = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (mkdirat(w->meta, "idx", 0755) != 0) {
        return dl_fail(err, DL_IO, 0, "no folder");
    }
    w->fd = openat(w->meta, apr_pstrcat(pool, "idx/", name, NULL),
                   O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    w->part = (dl_lake_part){.uid = UID, .state = DL_LAKE_PART_LISTED};
    return DL_OK;
}

static dl_status put(void *context, const uint8_t *data, size_t len,
                     dl_error *err)
{
    const work *w = context;

    return write(w->fd, data, len) == (ssize_t)len
               ? DL_OK
               : dl_fail(err, DL_IO, 0, "cannot write");
}

static dl_status build(work *w, dl_error *err, apr_pool_t *pool)
{
    dl_lake_index_plan plan = {.uid = UID,
                               .block_bytes = 4096,
                               .blocks = 16,
                               .columns = w->columns,
                               .sink = put,
                               .context = w};
    dl_lake_index_builder *builder;

    dl_lake_index_builder_create(&builder, &plan, pool);
    for (int i = 0; i < LINES; i++) {
        char line[100];
        int len =
            snprintf(line, sizeof line,
                     "{\"id\":\"k\\u0009%d\",\"at\":%d,\"n\":%d}\n", i, i, i);

        DL_TRY(dl_lake_index_builder_add(builder, line, (size_t)len, err));
        w->part.crc = dl_crc32c(w->part.crc, line, (size_t)len);
        w->part.bytes += (uint64_t)len;
        w->part.records++;
    }
    return dl_lake_index_builder_end(builder, err);
}

/* Set *RIGHT to whether the wanted line, and few others, are found by key. */
static dl_status ask(int *right, const work *w, dl_error *err, apr_pool_t *pool)
{
    static const dl_lake_hint_text key = {"k\t2345", 6};
    dl_lake_key_lines found;
    dl_lake_index *index;
    uint64_t bytes;
    uint64_t lines;
    int n;

    *right = 0;
    DL_TRY(dl_lake_index_open(&index, &dl_lake_io_real, w->meta, &w->part, err,
                              pool));
    n = dl_lake_index_segments(&bytes, &lines, index);
    for (int s = 0; s < n; s++) {
        if (!dl_lake_index_key_lines(&found, index, s, "id", &key, pool)) {
            return DL_OK;
        }
        for (uint32_t i = 0; i < found.n; i++) {
            *right += found.first + found.lines[i] == WANTED ? 1 : 0;
        }
    }
    return DL_OK;
}

torture_verdict torture_index(dl_error *err, const char *folder,
                              apr_pool_t *pool)
{
    dl_status status;
    int right = 0;
    work w;

    torture_pause();
    status = prepare(&w, folder, err, pool);
    torture_go();
    if (status == DL_OK) {
        status = build(&w, err, pool);
    }
    if (status == DL_OK) {
        status = ask(&right, &w, err, pool);
    }
    return torture_judge(status, err, right == 1);
}
