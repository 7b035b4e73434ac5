/* index_fixture.h - A folder with one index in it, for unit tests.
 *
 * The lines come from an array; the part that is described is made up.
 * Thread: one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef INDEX_FIXTURE_H
#define INDEX_FIXTURE_H

#include "dl_crc.h"
#include "dl_lake_index_build.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "lake_fixture.h"

/* The part that is indexed. */
#define INDEX_UID 7

static const char index_declaration[] =
    "{\"dataset\":\"shop\",\"description\":\"A shop.\","
    "\"topic\":{\"key\":\"id\",\"partitions\":1,\"retention_days\":1},"
    "\"event_time\":{\"member\":\"at\",\"formats\":[\"unix\",\"rfc3339\"]},"
    "\"fields\":["
    "{\"member\":\"id\",\"type\":\"str\"},"
    "{\"member\":\"at\",\"type\":\"time\"},"
    "{\"member\":[\"sum\",\"old.sum\"],\"type\":\"num\"},"
    "{\"member\":\"day\",\"type\":\"date\"},"
    "{\"member\":\"note\",\"type\":\"str\"}]}";

/* An index and what it is of. */
typedef struct index_fixture {
    const dl_dataset *ds;           /* declared above */
    const dl_lake_columns *columns; /* of it */
    char *data;                     /* the lines; malloc */
    size_t len;                     /* their bytes */
    uint64_t lines;                 /* how many */
    dl_lake_part part;              /* that they are */
    uint8_t *bytes;                 /* of the index; malloc */
    size_t size;                    /* how many */
    int meta;                       /* folder with idx/ in it */
    apr_pool_t *pool;               /* of all this */
} index_fixture;

static inline dl_status index_sink(void *context, const uint8_t *data,
                                   size_t len, dl_error *err)
{
    index_fixture *f = context;

    (void)err;
    f->bytes = realloc(f->bytes, f->size + len);
    if (f->bytes == NULL) {
        abort();
    }
    memcpy(f->bytes + f->size, data, len);
    f->size += len;
    return DL_OK;
}

/* Die with ERR unless STATUS is fine. */
static inline void index_must(dl_status status, const dl_error *err)
{
    if (status != DL_OK) {
        printf("Bail out! %s\n", err->text);
        exit(EXIT_FAILURE);
    }
}

/* Make F, in an empty folder. */
static inline void index_begin(index_fixture *f)
{
    dl_dataset_source source = {.file = "shop.json",
                                .text = index_declaration,
                                .len = strlen(index_declaration)};
    char path[80];
    dl_error err = {0};

    memset(f, 0, sizeof *f);
    apr_pool_create(&f->pool, NULL);
    index_must(dl_zone_load(&source.zone, "UTC", &err, f->pool), &err);
    index_must(dl_dataset_parse(&f->ds, &source, &err, f->pool), &err);
    index_must(dl_lake_columns_create(&f->columns, f->ds, &err, f->pool), &err);
    fixture_begin();
    snprintf(path, sizeof path, "%s/idx", fixture_root);
    if (mkdir(path, 0755) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    f->meta = open(fixture_root, O_RDONLY | O_DIRECTORY);
}

/* Add the LEN bytes at LINE and a newline to the lines of F. */
static inline void index_line(index_fixture *f, const char *line, size_t len)
{
    f->data = realloc(f->data, f->len + len + 1);
    if (f->data == NULL) {
        abort();
    }
    memcpy(f->data + f->len, line, len);
    f->data[f->len + len] = '\n';
    f->len += len + 1;
    f->lines++;
}

/* Index the lines of F in segments of BLOCKS blocks of BLOCK_BYTES, chunks of
 * STEP lines at once. */
static inline void index_build(index_fixture *f, int blocks,
                               uint32_t block_bytes, int step)
{
    dl_lake_index_plan plan = {.uid = INDEX_UID,
                               .block_bytes = block_bytes,
                               .blocks = blocks,
                               .columns = f->columns,
                               .sink = index_sink,
                               .context = f};
    const char *at = f->data;
    const char *end = at + f->len;
    dl_lake_index_builder *builder;
    dl_error err = {0};
    apr_pool_t *pool;

    free(f->bytes);
    f->bytes = NULL;
    f->size = 0;
    apr_pool_create(&pool, f->pool);
    dl_lake_index_builder_create(&builder, &plan, pool);
    while (at < end) {
        const char *stop = at;

        for (int i = 0; i < step && stop < end; i++) {
            stop = (const char *)memchr(stop, '\n', (size_t)(end - stop)) + 1;
        }
        index_must(
            dl_lake_index_builder_add(builder, at, (size_t)(stop - at), &err),
            &err);
        at = stop;
    }
    index_must(dl_lake_index_builder_end(builder, &err), &err);
    apr_pool_destroy(pool);
    f->part = (dl_lake_part){.uid = INDEX_UID,
                             .day = DAY_A,
                             .first = 1,
                             .number = 1,
                             .state = DL_LAKE_PART_LISTED,
                             .bytes = f->len,
                             .records = f->lines,
                             .crc = dl_crc32c(0, f->data, f->len)};
}

/* Write SIZE bytes of the index of F to its file. */
static inline void index_store(const index_fixture *f, size_t size)
{
    char name[DL_LAKE_PATH_MAX];
    char path[DL_LAKE_PATH_MAX + 8];
    int fd;

    dl_lake_index_name(name, INDEX_UID, "index");
    snprintf(path, sizeof path, "idx/%s", name);
    fd = openat(f->meta, path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, f->bytes, size) != (ssize_t)size) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    close(fd);
}

static inline void index_end(index_fixture *f)
{
    close(f->meta);
    free(f->data);
    free(f->bytes);
    apr_pool_destroy(f->pool);
    fixture_end();
}

#endif
