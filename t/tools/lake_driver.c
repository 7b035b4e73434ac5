/* lake_driver - Drive a lake writer from a script, for crash and error tests.
 *
 * lake_driver ROOT DATASET SCRIPT [RETRIES]
 *     runs the lines of SCRIPT:
 *         R partition offset event_us text     append a record
 *         N partition offset event_us source epoch position headers text
 *                                              the same of a message with
 *                                              headers, NAME=VALUE,... or -,
 *                                              and dl-source-pos; a repeat is
 *                                              dropped
 *         Q partition offset reason text       set a record aside
 *         A partition offset                   advance
 *         B partition offset                   go back to an offset, as no writer
 *                                              does: plants double records
 *         C now_us                             commit
 *         S now_us                             commit and seal all
 *         T now_us                             tick
 *         K now_us                             compact the days before now
 *         Z now_us                             compact, and make those
 *                                              cold that are not the last
 *         D now_us                             remove the days before now
 *         I now_us                             make the indexes of all parts
 *     A record below the writer's next offset is skipped, so a script may be
 *     run again on a lake of any earlier state.  After a failed call the
 *     script begins anew, at most RETRIES (default 0) times, 20 ms apart.
 *     Each commit that is done is told at once: "ack 0:12 1:7".
 *
 * lake_driver ROOT DATASET --bench RECORDS
 *     appends records of 650 bytes to three days, a commit each 64 MB, and
 *     prints how fast that was.
 *
 * lake_driver ROOT DATASET --check
 *     recovers the dataset, closes it and checks it; prints what is wrong.
 *
 * LAKE_DRIVER_BUFFER in the environment: buffers of so many bytes, so that a
 * small script has whole blocks that are written behind.
 *
 * Exit status: 0 done, 1 a call failed, 2 wrong usage.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_compact.h"
#include "dl_lake_fsck.h"
#include "dl_lake_indexing.h"
#include "dl_lake_retention.h"
#include "dl_lake_writer.h"
#include "dl_lake_writing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_general.h>

/* Topic partitions a script may use. */
#define PARTITIONS 16

/* What a run needs. */
typedef struct driver {
    const char *root;    /* the lake */
    const char *dataset; /* the dataset */
    FILE *script;        /* being read */
    dl_lake_writer *w;   /* the writer */
    apr_pool_t *pool;    /* holds the writer */
    char *line;          /* getline's */
    size_t size;         /* likewise */
} driver;

static void acknowledge(const driver *d)
{
    char text[PARTITIONS * 32] = "ack";
    size_t used = 3;
    int i;

    for (i = 0; i < PARTITIONS; i++) {
        int64_t next = dl_lake_writer_next(d->w, i);

        if (next >= 0) {
            used += (size_t)snprintf(text + used, sizeof text - used,
                                     " %d:%" PRId64, i, next);
        }
    }
    text[used++] = '\n';
    if (write(STDOUT_FILENO, text, used) != (ssize_t)used) {
        exit(EXIT_FAILURE);
    }
}

/* One parsed line of a script. */
typedef struct step {
    char verb;      /* R, N, Q, A, C, S, T, K, Z, D, I */
    dl_coord coord; /* of R, N, Q, A */
    int64_t time;   /* of R, N, C, S, T, K, D */
    char *word;     /* reason of Q, headers of N */
    char *text;     /* of R, N, Q */
    char value[96]; /* dl-source-pos of N */
} step;

/* Cut the next word off *AT and return it. */
static char *next_word(char **at)
{
    char *word = *at + strspn(*at, " ");

    *at = word + strcspn(word, " ");
    if (**at != '\0') {
        *(*at)++ = '\0';
    }
    return word;
}

static void parse(step *s, char *line)
{
    char *at = line + 1;

    memset(s, 0, sizeof *s);
    s->verb = line[0];
    line[strcspn(line, "\n")] = '\0';
    if (strchr("RNQAB", s->verb) != NULL) {
        s->coord.partition = (int32_t)strtol(at, &at, 10);
        s->coord.offset = strtoll(at, &at, 10);
        s->coord.time = 1700000000000000 + s->coord.offset * 1000;
    }
    if (strchr("RNCSTKZDI", s->verb) != NULL) {
        s->time = strtoll(at, &at, 10);
    }
    at += strspn(at, " ");
    if (s->verb == 'N') {
        const char *source = next_word(&at);
        const char *epoch = next_word(&at);

        snprintf(s->value, sizeof s->value, "%s %s %s", source, epoch,
                 next_word(&at));
    }
    if (s->verb == 'Q' || s->verb == 'N') {
        s->word = next_word(&at);
    }
    s->text = at;
}

/* Put the headers of S into NOTE; its word is cut. */
static void fill_note(dl_line_note *note, const step *s)
{
    const dl_line_header own = {"dl-source-pos", 13, s->value,
                                strlen(s->value)};
    char *rest = s->word;
    bool full = false;

    memset(note, 0, sizeof *note);
    for (char *pair = strtok_r(rest, ",", &rest); pair != NULL;
         pair = strtok_r(NULL, ",", &rest)) {
        size_t name = strcspn(pair, "=");
        const dl_line_header header = {pair, name, pair + name + 1,
                                       strlen(pair) - name - 1};

        if (pair[name] == '=') {
            dl_line_note_add(note, &header, &full);
        }
    }
    dl_line_note_add(note, &own, &full);
}

/* Append the message of S, or drop it when it is a repeat. */
static dl_status put_message(const driver *d, const step *s, dl_error *err)
{
    dl_lake_position position;
    dl_line_note note;
    const dl_lake_message m = {
        .coord = s->coord, .note = &note, .position = &position};

    fill_note(&note, s);
    if (!dl_line_note_position(&position, &note)) {
        return dl_fail(err, DL_INVALID, 0, "no position: %s", s->value);
    }
    if (dl_lake_writer_has(d->w, s->coord.partition, &position)) {
        return dl_lake_writer_repeat(d->w, &position, &s->coord, err);
    }
    return dl_lake_writer_append_message(d->w, s->time, s->text,
                                         (uint32_t)strlen(s->text), &m, err);
}

static dl_status put(const driver *d, const step *s, dl_error *err)
{
    dl_lake_reject q = {.reason = s->word,
                        .detail = "as the script says",
                        .payload = s->text,
                        .len = strlen(s->text)};

    if (s->coord.offset < dl_lake_writer_next(d->w, s->coord.partition)) {
        return DL_OK;
    }
    if (s->verb == 'N') {
        return put_message(d, s, err);
    }
    if (s->verb == 'A') {
        return dl_lake_writer_advance(d->w, s->coord.partition, s->coord.offset,
                                      err);
    }
    if (s->verb == 'Q') {
        return dl_lake_writer_reject(d->w, &q, &s->coord, err);
    }
    return dl_lake_writer_append(d->w, s->time, s->text,
                                 (uint32_t)strlen(s->text), &s->coord, err);
}

static dl_status compact(const driver *d, const step *s, int32_t cold_after,
                         dl_error *err)
{
    dl_lake_compaction job = {.root = d->root,
                              .dataset = d->dataset,
                              .before = dl_time_day(s->time),
                              .only = DL_DAY_NONE,
                              .cold_after = cold_after};
    dl_lake_compacted done;
    apr_pool_t *scratch;
    dl_status status;

    apr_pool_create(&scratch, NULL);
    status = dl_lake_compact(&done, &job, err, scratch);
    apr_pool_destroy(scratch);
    return status;
}

static dl_status remove_days(const driver *d, const step *s, dl_error *err)
{
    const dl_lake_retiring job = {
        .root = d->root, .dataset = d->dataset, .before = dl_time_day(s->time)};
    apr_pool_t *scratch;
    dl_status status;

    apr_pool_create(&scratch, NULL);
    status = dl_lake_retire(&job, err, scratch);
    apr_pool_destroy(scratch);
    return status;
}

/* Index what is sealed, however small, and what is open as far as it goes. */
static dl_status make_indexes(const driver *d, dl_error *err)
{
    const dl_lake_indexing_options o = {.root = d->root,
                                        .dataset = d->dataset,
                                        .block_bytes = DL_LAKE_INDEX_DENSE};
    dl_lake_indexing *x;
    dl_lake_indexed *all;
    dl_status status;
    apr_pool_t *pool;
    uint64_t bytes;
    int n = 0;
    int i;

    apr_pool_create(&pool, d->pool);
    status = dl_lake_indexing_open(&x, &o, err, pool);
    if (status == DL_OK) {
        status = dl_lake_indexing_sweep(&n, x, err, pool);
    }
    if (status == DL_OK) {
        status = dl_lake_indexing_list(&all, &n, x, true, err, pool);
    }
    for (i = 0; status == DL_OK && i < n; i++) {
        status = all[i].state == DL_LAKE_INDEX_GROWING
                     ? dl_lake_indexing_grow(&bytes, x, &all[i].part, err, pool)
                     : dl_lake_indexing_make(x, &all[i].part, err, pool);
    }
    apr_pool_destroy(pool);
    return status;
}

static dl_status run_step(const driver *d, const step *s, dl_error *err)
{
    switch (s->verb) {
    case 'R':
    case 'N':
    case 'Q':
    case 'A':
        return put(d, s, err);
    case 'B':
        d->w->next[s->coord.partition] = s->coord.offset;
        return DL_OK;
    case 'C':
        DL_TRY(dl_lake_writer_commit(d->w, s->time, err));
        acknowledge(d);
        return DL_OK;
    case 'S':
        return dl_lake_writer_seal(d->w, s->time, err);
    case 'T':
        return dl_lake_writer_tick(d->w, s->time, err);
    case 'K':
        return compact(d, s, 0, err);
    case 'Z':
        return compact(d, s, 1, err);
    case 'D':
        return remove_days(d, s, err);
    case 'I':
        return make_indexes(d, err);
    default:
        return dl_fail(err, DL_INVALID, 0, "unknown verb %c", s->verb);
    }
}

static dl_status open_writer(driver *d, dl_error *err)
{
    const char *buffer = getenv("LAKE_DRIVER_BUFFER");
    dl_lake_options o = {.root = d->root,
                         .dataset = d->dataset,
                         .buffer_size =
                             buffer == NULL ? 0 : strtoul(buffer, NULL, 10)};

    if (d->w != NULL) {
        return DL_OK;
    }
    apr_pool_clear(d->pool);
    return dl_lake_writer_open(&d->w, &o, err, d->pool);
}

static dl_status run_script(driver *d, dl_error *err)
{
    step s;

    DL_TRY(open_writer(d, err));
    rewind(d->script);
    while (getline(&d->line, &d->size, d->script) > 0) {
        parse(&s, d->line);
        DL_TRY(run_step(d, &s, err));
    }
    return DL_OK;
}

static int run(driver *d, const char *script, long retries)
{
    dl_error err = {.status = DL_OK};
    dl_status status;

    d->script = fopen(script, "r");
    if (d->script == NULL) {
        perror(script);
        return 2;
    }
    status = run_script(d, &err);
    while (status != DL_OK && retries-- > 0) {
        fprintf(stderr, "again: %s\n", err.text);
        usleep(20000);
        status = run_script(d, &err);
    }
    fclose(d->script);
    free(d->line);
    if (status != DL_OK) {
        fprintf(stderr, "lake_driver: %s: %s\n", dl_status_name(status),
                err.text);
        return 1;
    }
    return 0;
}

/* --- Speed ---------------------------------------------------------------- */

#define LINE_BYTES 649u
#define BATCH      (64u << 20)

static dl_status append_many(driver *d, long records, dl_error *err)
{
    const dl_time start = 20591 * DL_DAY_US;
    char line[LINE_BYTES];
    long i;

    memset(line, 'x', sizeof line);
    line[0] = '"';
    line[sizeof line - 1] = '"';
    for (i = 0; i < records; i++) {
        /* Runs of one partition, as a consumer's batches have them. */
        dl_coord c = {.partition = (int32_t)(i / 500 % 6),
                      .offset = i,
                      .time = start + i * 1000};

        DL_TRY(dl_lake_writer_append(d->w, start + i % 3 * DL_DAY_US, line,
                                     LINE_BYTES, &c, err));
        if (dl_lake_writer_pending(d->w) >= BATCH) {
            DL_TRY(dl_lake_writer_commit(d->w, start + i, err));
        }
    }
    return dl_lake_writer_commit(d->w, start + i, err);
}

static int bench(driver *d, long records)
{
    dl_error err = {.status = DL_OK};
    int64_t started;
    double seconds;

    if (open_writer(d, &err) != DL_OK) {
        fprintf(stderr, "lake_driver: %s\n", err.text);
        return 1;
    }
    started = dl_time_monotonic_us();
    if (append_many(d, records, &err) != DL_OK) {
        fprintf(stderr, "lake_driver: %s\n", err.text);
        return 1;
    }
    seconds = (double)(dl_time_monotonic_us() - started) / 1e6;
    printf("records=%ld bytes=%u seconds=%.3f records_per_s=%.0f MB_per_s=%.0f"
           " commits=%" PRIu64 "\n",
           records, LINE_BYTES + 1, seconds, (double)records / seconds,
           (double)records * (LINE_BYTES + 1) / seconds / 1e6,
           dl_lake_writer_numbers(d->w)->commits);
    return 0;
}

/* --- Checking ------------------------------------------------------------- */

static void print_problem(void *context, const char *file, const char *text)
{
    (void)context;
    printf("%s: %s\n", file, text);
}

static int check(driver *d)
{
    dl_lake_check what = {
        .root = d->root, .dataset = d->dataset, .problem = print_problem};
    dl_lake_findings found;
    dl_error err = {.status = DL_OK};
    dl_status status = open_writer(d, &err);

    apr_pool_clear(d->pool);
    if (status == DL_OK) {
        status = dl_lake_fsck(&found, &what, &err, d->pool);
    }
    if (status != DL_OK) {
        printf("%s: %s\n", dl_status_name(status), err.text);
        return 1;
    }
    return found.problems == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    driver d = {.w = NULL};
    int result;

    if (argc < 4) {
        fprintf(stderr, "usage: lake_driver ROOT DATASET SCRIPT [RETRIES]\n"
                        "       lake_driver ROOT DATASET --bench RECORDS\n"
                        "       lake_driver ROOT DATASET --check\n");
        return 2;
    }
    d.root = argv[1];
    d.dataset = argv[2];
    apr_initialize();
    apr_pool_create(&d.pool, NULL);
    if (argc == 5 && strcmp(argv[3], "--bench") == 0) {
        result = bench(&d, strtol(argv[4], NULL, 10));
    }
    else if (strcmp(argv[3], "--check") == 0) {
        result = check(&d);
    }
    else {
        result = run(&d, argv[3], argc > 4 ? strtol(argv[4], NULL, 10) : 0);
    }
    apr_pool_destroy(d.pool);
    apr_terminate();
    return result;
}
