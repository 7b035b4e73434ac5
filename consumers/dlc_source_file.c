/* dlc_source_file.c - Messages from files, for tests that need no broker.
 *
 * `brokers = file:PATH`.  A line is `partition offset time_ms key`, a tab and
 * the value; headers stand behind the key, each as a byte 0x1F and
 * `name=value`.  An assignment reads the files again from their beginning and
 * leaves out what lies below the offsets asked for.  The files may grow while
 * they are read, each in its turn; a line without its newline is not there yet.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

/* Lines handed out at a time lie in one buffer of this size, which also
 * bounds a line. */
#define ROOM (4U << 20)

/* Stands before a header. */
#define HEADER '\x1F'

/* Topics and partitions of a file source, at most. */
#define PARTS_MAX 256

/* The file of one topic, and how far it was read. */
typedef struct topic_file {
    const char *topic; /* lives with its partitions */
    off_t at;          /* first byte that was not read */
} topic_file;

typedef struct source_file {
    dlc_source base;             /* first member */
    const char *path;            /* file or folder */
    bool folder;                 /* a file per topic */
    int n;                       /* partitions assigned */
    dlc_part *parts[PARTS_MAX];  /* these */
    topic_file files[PARTS_MAX]; /* of their topics */
    int n_files;                 /* how many */
    int reading;                 /* whose turn it is */
    FILE *file;                  /* that one, NULL: not open */
    char *room;                  /* lines of the batch in hand */
    dl_line_note *notes;         /* headers of the batch, NULL: no room yet */
    int notes_max;               /* places in it */
    char *line;                  /* getline's buffer */
    size_t line_size;            /* its size */
} source_file;

static const char *path_of(const source_file *s, const char *topic, char *text,
                           size_t size)
{
    if (!s->folder) {
        return s->path;
    }
    snprintf(text, size, "%s/%s", s->path, topic);
    return text;
}

static dl_status file_cluster(const char **id, dlc_source *source,
                              dl_error *err)
{
    (void)source;
    (void)err;
    *id = "file";
    return DL_OK;
}

/* One line, cut into its fields. */
typedef struct fields {
    int32_t partition;
    int64_t offset;
    int64_t time_ms;
    char *key;
    size_t key_len;
    char *value;
    size_t value_len;
} fields;

/* Cut the N bytes of LINE; false: not a line of ours. */
static bool cut_line(fields *out, char *line, size_t n)
{
    char *tab = memchr(line, '\t', n);
    char *at = line;

    if (tab == NULL || line[n - 1] != '\n') {
        return false;
    }
    *tab = '\0';
    out->partition = (int32_t)strtol(at, &at, 10);
    out->offset = strtoll(at, &at, 10);
    out->time_ms = strtoll(at, &at, 10);
    out->key = *at == ' ' ? at + 1 : at;
    out->key_len = (size_t)(tab - out->key);
    out->value = tab + 1;
    out->value_len = n - (size_t)(tab + 1 - line) - 1;
    return out->partition >= 0;
}

/* Cut the headers off the key of F, into NOTE; false: it has none. */
static bool cut_headers(dl_line_note *note, fields *f)
{
    char *at = memchr(f->key, HEADER, f->key_len);
    char *end = f->key + f->key_len;
    bool full = false;

    if (at == NULL) {
        return false;
    }
    memset(note, 0, sizeof *note);
    f->key_len = (size_t)(at - f->key);
    while (at < end) {
        char *next = memchr(at + 1, HEADER, (size_t)(end - at - 1));
        char *stop = next == NULL ? end : next;
        char *equals = memchr(at + 1, '=', (size_t)(stop - at - 1));

        if (equals != NULL) {
            const dl_line_header header = {.name = at + 1,
                                           .name_len =
                                               (size_t)(equals - at - 1),
                                           .value = equals + 1,
                                           .len = (size_t)(stop - equals - 1)};

            dl_line_note_add(note, &header, &full);
        }
        at = stop;
    }
    return true;
}

/* What a file holds. */
typedef struct extent {
    int32_t count; /* partitions */
    int64_t low;   /* first offset of the partition asked for */
    int64_t high;  /* one above its last; 0: it has none */
} extent;

/* Walk the file of TOPIC for its partitions and for the ends of PARTITION. */
static dl_status survey(extent *out, source_file *s, const char *topic,
                        int32_t partition, dl_error *err)
{
    char text[1024];
    const char *path = path_of(s, topic, text, sizeof text);
    FILE *file = fopen(path, "re");
    ssize_t n;
    fields f;

    *out = (extent){0, 0, 0};
    if (file == NULL) {
        return dl_fail(err, DL_NOT_FOUND, errno, "cannot open %s", path);
    }
    while ((n = getline(&s->line, &s->line_size, file)) > 0) {
        if (!cut_line(&f, s->line, (size_t)n)) {
            continue;
        }
        out->count = f.partition >= out->count ? f.partition + 1 : out->count;
        if (f.partition == partition) {
            out->low = out->high == 0 ? f.offset : out->low;
            out->high = f.offset + 1;
        }
    }
    fclose(file);
    return DL_OK;
}

static dl_status file_partitions(int32_t *count, dlc_source *source,
                                 const char *topic, dl_error *err)
{
    extent found;

    DL_TRY(survey(&found, (source_file *)source, topic, -1, err));
    *count = found.count;
    return DL_OK;
}

static dl_status file_watermarks(int64_t *low, int64_t *high,
                                 dlc_source *source, const dlc_part *part,
                                 dl_error *err)
{
    extent found;

    DL_TRY(survey(&found, (source_file *)source, part->topic, part->partition,
                  err));
    *low = found.low;
    *high = found.high;
    return DL_OK;
}

static int64_t file_end(dlc_source *source, const dlc_part *part)
{
    (void)source;
    (void)part;
    return -1;
}

static void shut(source_file *s)
{
    if (s->file != NULL) {
        fclose(s->file);
    }
    s->file = NULL;
}

static dl_status file_assign(dlc_source *source, dlc_part *const *parts, int n,
                             dl_error *err)
{
    source_file *s = (source_file *)source;

    if (n > PARTS_MAX) {
        return dl_fail(err, DL_INVALID, 0,
                       "a file source has at most %d "
                       "partitions",
                       PARTS_MAX);
    }
    shut(s);
    s->n = n;
    s->n_files = s->reading = 0;
    for (int i = 0; i < n; i++) {
        s->parts[i] = parts[i];
        if (s->n_files == 0 ||
            strcmp(s->files[s->n_files - 1].topic, parts[i]->topic) != 0) {
            s->files[s->n_files++] = (topic_file){parts[i]->topic, 0};
        }
    }
    return DL_OK;
}

/* Open the file whose turn it is where it was left; false: it is not there. */
static bool open_file(source_file *s)
{
    const topic_file *next = &s->files[s->reading];
    char text[1024];

    if (s->file == NULL) {
        s->file = fopen(path_of(s, next->topic, text, sizeof text), "re");
        if (s->file != NULL) {
            (void)fseeko(s->file, next->at, SEEK_SET);
        }
    }
    return s->file != NULL;
}

/* Let the next file have its turn. */
static void turn(source_file *s)
{
    if (s->n_files > 1) {
        shut(s);
        s->reading = (s->reading + 1) % s->n_files;
    }
}

/* Set *LEN to the bytes of the next line of the file whose turn it is, in
 * s->line; false: there is none yet. */
static bool read_line(size_t *len, source_file *s)
{
    topic_file *from = &s->files[s->reading];
    ssize_t n;

    if (!open_file(s)) {
        return false;
    }
    n = getline(&s->line, &s->line_size, s->file);
    if (n <= 0 || s->line[n - 1] != '\n') {
        clearerr(s->file);
        (void)fseeko(s->file, from->at, SEEK_SET);
        return false;
    }
    *len = (size_t)n;
    return true;
}

/* Fill MSG, and NOTE if it has headers, from the line in s->line of N bytes,
 * copied to AT; false: it is not for us. */
static bool fill(dlc_message *msg, dl_line_note *note, source_file *s, size_t n,
                 char *at)
{
    bool noted;
    fields f;

    memcpy(at, s->line, n);
    if (!cut_line(&f, at, n)) {
        return false;
    }
    noted = cut_headers(note, &f);
    for (int i = 0; i < s->n; i++) {
        dlc_part *part = s->parts[i];

        if (part->partition == f.partition &&
            strcmp(part->topic, s->files[s->reading].topic) == 0 &&
            f.offset >= part->next) {
            *msg = (dlc_message){.part = part,
                                 .offset = f.offset,
                                 .time_us = f.time_ms * 1000,
                                 .payload = f.value,
                                 .len = f.value_len,
                                 .key = f.key,
                                 .key_len = f.key_len,
                                 .note = noted ? note : NULL};
            return true;
        }
    }
    return false;
}

/* Have room for the headers of MAX messages. */
static void need_notes(source_file *s, int max)
{
    if (max > s->notes_max) {
        free(s->notes);
        s->notes = malloc((size_t)max * sizeof *s->notes);
        if (s->notes == NULL) {
            abort();
        }
        s->notes_max = max;
    }
}

static dl_status file_take(int *n, dlc_source *source, dlc_message *messages,
                           int max, int timeout_ms, dl_error *err)
{
    source_file *s = (source_file *)source;
    size_t used = 0;
    int ended = 0;
    int out = 0;

    (void)err;
    need_notes(s, max);
    while (out < max && ended < s->n_files) {
        size_t len;

        if (!read_line(&len, s)) {
            ended++;
            turn(s);
            continue;
        }
        ended = 0;
        if (len > ROOM - used) {
            (void)fseeko(s->file, s->files[s->reading].at, SEEK_SET);
            break;
        }
        s->files[s->reading].at += (off_t)len;
        if (fill(&messages[out], &s->notes[out], s, len, s->room + used)) {
            out++;
            used += len;
        }
    }
    *n = out;
    if (out == 0) {
        (void)poll(NULL, 0, timeout_ms);
    }
    return DL_OK;
}

static void file_release(dlc_source *source)
{
    (void)source;
}

static void file_show(dlc_source *source, dlc_part *const *parts,
                      const int64_t *next, int n)
{
    (void)source;
    (void)parts;
    (void)next;
    (void)n;
}

static void file_close(dlc_source *source)
{
    shut((source_file *)source);
}

static const dlc_source_calls file_calls = {.cluster = file_cluster,
                                            .partitions = file_partitions,
                                            .watermarks = file_watermarks,
                                            .end = file_end,
                                            .assign = file_assign,
                                            .subscribe = NULL,
                                            .take = file_take,
                                            .release = file_release,
                                            .show = file_show,
                                            .close = file_close};

static apr_status_t free_rooms(void *data)
{
    source_file *s = data;

    shut(s);
    free(s->room);
    free(s->notes);
    free(s->line);
    return APR_SUCCESS;
}

dl_status dlc_source_file_create(dlc_source **source, const char *path,
                                 dl_error *err, apr_pool_t *pool)
{
    source_file *s = apr_pcalloc(pool, sizeof *s);
    struct stat info;

    if (stat(path, &info) != 0) {
        return dl_fail(err, DL_INVALID, errno, "cannot read messages from %s",
                       path);
    }
    s->base.calls = &file_calls;
    s->path = apr_pstrdup(pool, path);
    s->folder = S_ISDIR(info.st_mode);
    s->room = malloc(ROOM);
    apr_pool_cleanup_register(pool, s, free_rooms, apr_pool_cleanup_null);
    if (s->room == NULL) {
        return dl_fail(err, DL_INTERNAL, ENOMEM, "no memory for lines");
    }
    *source = &s->base;
    return DL_OK;
}
