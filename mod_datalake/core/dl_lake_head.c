/* dl_lake_head.c - Publishing and reading the head page.
 *
 * FORMAT.md 9.  The page is shared between processes, so every access to it
 * is an atomic one; a copy is taken word by word and judged afterwards.
 * Every store releases and every load acquires, so whoever sees a word of a
 * copy being overwritten sees the number published before it, too.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_head.h"

#include "dl_crc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Words before the copies. */
enum {
    MAGIC,
    VERSION,
    ID,
    PUBLISHED,
    MANIFEST
};

/* Words of a copy. */
enum {
    CRC,
    USED,
    LSN,
    LAST_COMMIT,
    GENERATION,
    N_NEXT,
    N_PARTS,
    REJECTS,
    QUARANTINE = REJECTS + DL_LAKE_REASONS,
    COMMITS = QUARANTINE + 3,
    OWN_NUMBER
};

#define ALL_WORDS  (DL_LAKE_HEAD_WORDS + 2 * DL_LAKE_COPY_WORDS)
#define HEAD_BYTES ((size_t)ALL_WORDS * 8)

struct dl_lake_head {
    const dl_lake_io *io;    /* system calls */
    int fd;                  /* the file */
    void *map;               /* the mapping */
    _Atomic uint64_t *words; /* the same, as words */
    uint64_t *scratch;       /* writer: a copy being built */
};

static apr_status_t close_head(void *context)
{
    dl_lake_head *head = context;

    munmap(head->map, HEAD_BYTES);
    head->io->close(head->fd);
    free(head->scratch);
    return APR_SUCCESS;
}

static dl_status map_head(dl_lake_head **result, const dl_lake_io *io, int fd,
                          int protection, dl_error *err, apr_pool_t *pool)
{
    dl_lake_head *head = apr_pcalloc(pool, sizeof *head);
    void *words = mmap(NULL, HEAD_BYTES, protection, MAP_SHARED, fd, 0);

    if (words == MAP_FAILED) {
        int os_error = errno;

        io->close(fd);
        return dl_fail(err, DL_IO, os_error, "cannot map head");
    }
    head->io = io;
    head->fd = fd;
    head->map = words;
    head->words = words;
    apr_pool_cleanup_register(pool, head, close_head, apr_pool_cleanup_null);
    *result = head;
    return DL_OK;
}

static dl_status open_sized(int *fd, uint64_t *size, const dl_lake_io *io,
                            int meta, int flags, dl_error *err)
{
    dl_status status;

    DL_TRY(dl_lake_file_open(fd, io, meta, DL_LAKE_HEAD, flags, err));
    status = dl_lake_file_size(size, io, *fd, err);
    if (status != DL_OK) {
        io->close(*fd);
    }
    return status;
}

/* --- The number of a publication: 32 bits and their crc in one word ------- */

static uint64_t number_word(uint32_t g)
{
    uint8_t bytes[4];

    dl_lake_put_u32(bytes, g);
    return g | (uint64_t)dl_crc32c(0, bytes, sizeof bytes) << 32;
}

/* --- Writing -------------------------------------------------------------- */

static uint64_t load(const dl_lake_head *head, size_t word)
{
    return atomic_load_explicit(&head->words[word], memory_order_acquire);
}

static void store(dl_lake_head *head, size_t word, uint64_t value)
{
    atomic_store_explicit(&head->words[word], value, memory_order_release);
}

static dl_status size_head(int fd, uint64_t size, const dl_lake_io *io,
                           dl_error *err)
{
    dl_status status = DL_OK;

    if (size != HEAD_BYTES) {
        status = dl_lake_file_cut(io, fd, 0, err);
    }
    if (status == DL_OK && size != HEAD_BYTES) {
        status = dl_lake_file_cut(io, fd, HEAD_BYTES, err);
    }
    if (status != DL_OK) {
        io->close(fd);
    }
    return status;
}

dl_status dl_lake_head_create(dl_lake_head **head, const dl_lake_io *io,
                              int meta, dl_error *err, apr_pool_t *pool)
{
    uint64_t size;
    int fd;

    DL_TRY(open_sized(&fd, &size, io, meta, O_RDWR | O_CREAT, err));
    DL_TRY(size_head(fd, size, io, err));
    DL_TRY(map_head(head, io, fd, PROT_READ | PROT_WRITE, err, pool));
    (*head)->scratch = malloc((size_t)DL_LAKE_COPY_WORDS * 8);
    if ((*head)->scratch == NULL) {
        abort();
    }
    return DL_OK;
}

static size_t put_part(uint64_t *at, const dl_lake_part *p)
{
    at[0] = (uint32_t)p->day | (uint64_t)p->number << 32;
    at[1] = p->uid;
    at[2] = p->bytes;
    at[3] = p->records;
    at[4] = p->commits;
    at[5] = (uint64_t)p->first_commit_ms;
    at[6] = (uint64_t)p->last_commit_ms;
    at[7] = (uint64_t)p->first_time;
    at[8] = (uint64_t)p->last_time;
    at[9] = p->crc | (uint64_t)p->trail_crc << 32;
    at[10] = p->trail_len;
    at[11] = p->state;
    return DL_LAKE_PART_WORDS;
}

/* Build the copy number G of STATE in WORDS; return its length in words. */
static size_t build_copy(uint64_t *words, const dl_lake_state *state,
                         uint64_t g)
{
    size_t n = DL_LAKE_COPY_FIXED;
    int i;

    memset(words, 0, (size_t)DL_LAKE_COPY_FIXED * 8);
    words[LSN] = state->lsn;
    words[LAST_COMMIT] = (uint64_t)state->last_commit_ms * 1000;
    words[GENERATION] = (uint64_t)state->generation;
    memcpy(words + REJECTS, state->rejects, sizeof state->rejects);
    words[QUARANTINE] = state->quarantine.number;
    words[QUARANTINE + 1] = state->quarantine.length;
    words[QUARANTINE + 2] = state->quarantine.frames;
    words[COMMITS] = state->commits;
    words[OWN_NUMBER] = g;
    for (i = 0; i < DL_LAKE_PARTITIONS_MAX; i++) {
        if (state->next[i] >= 0) {
            words[n++] = (uint64_t)i;
            words[n++] = (uint64_t)state->next[i];
            words[N_NEXT]++;
        }
    }
    for (i = 0; i < state->n_parts && i < DL_LAKE_OPEN_MAX; i++) {
        if (state->parts[i]->commits > 0) {
            n += put_part(words + n, state->parts[i]);
            words[N_PARTS]++;
        }
    }
    words[USED] = n;
    words[CRC] = dl_crc32c(0, words + 1, (n - 1) * 8);
    return n;
}

void dl_lake_head_publish(dl_lake_head *head, const dl_lake_state *state)
{
    uint32_t g = (uint32_t)load(head, PUBLISHED) + 1;
    size_t n = build_copy(head->scratch, state, g);
    size_t base = DL_LAKE_HEAD_WORDS + (g & 1) * DL_LAKE_COPY_WORDS;
    uint64_t before = load(head, base + USED);
    size_t i;

    for (i = 0; i < n; i++) {
        store(head, base + i, head->scratch[i]);
    }
    for (; i < before && i < DL_LAKE_COPY_WORDS; i++) {
        store(head, base + i, 0);
    }
    store(head, MAGIC, DL_LAKE_HEAD_MAGIC);
    store(head, VERSION, DL_LAKE_VERSION);
    store(head, ID, state->id);
    atomic_store_explicit(&head->words[PUBLISHED], number_word(g),
                          memory_order_release);
}

void dl_lake_head_set_manifest(dl_lake_head *head, uint64_t word)
{
    atomic_store_explicit(&head->words[MANIFEST], word, memory_order_release);
}

uint64_t dl_lake_manifest_word(uint64_t number, uint64_t length)
{
    return number << DL_LAKE_LENGTH_BITS | length;
}

/* --- Reading -------------------------------------------------------------- */

static dl_status open_head(dl_lake_head **head, const dl_lake_io *io, int meta,
                           int writable, dl_error *err, apr_pool_t *pool)
{
    uint64_t size;
    int fd;

    DL_TRY(open_sized(&fd, &size, io, meta, writable ? O_RDWR : O_RDONLY, err));
    if (size == 0) {
        io->close(fd);
        return dl_fail(err, DL_NOT_FOUND, 0, "head is empty");
    }
    if (size != HEAD_BYTES) {
        io->close(fd);
        return dl_fail(err, DL_CORRUPT, 0, "head has a wrong size");
    }
    return map_head(head, io, fd, PROT_READ | (writable ? PROT_WRITE : 0), err,
                    pool);
}

dl_status dl_lake_head_open(dl_lake_head **head, const dl_lake_io *io, int meta,
                            dl_error *err, apr_pool_t *pool)
{
    return open_head(head, io, meta, 0, err, pool);
}

dl_status dl_lake_head_join(dl_lake_head **head, const dl_lake_io *io, int meta,
                            dl_error *err, apr_pool_t *pool)
{
    return open_head(head, io, meta, 1, err, pool);
}

bool dl_lake_head_same(const dl_lake_head *head, const dl_lake_view *view)
{
    return atomic_load_explicit(&head->words[PUBLISHED],
                                memory_order_acquire) == view->published &&
           atomic_load_explicit(&head->words[MANIFEST], memory_order_acquire) ==
               view->manifest;
}

bool dl_lake_head_gone(const dl_lake_head *head)
{
    struct stat st;

    return head->io->fstat(head->fd, &st) != 0 || st.st_nlink == 0;
}

static void get_part(dl_lake_part *p, const uint64_t *at)
{
    p->day = (dl_day)(uint32_t)at[0];
    p->first = p->number = (uint32_t)(at[0] >> 32);
    p->uid = at[1];
    p->bytes = at[2];
    p->records = at[3];
    p->commits = at[4];
    p->first_commit_ms = (int64_t)at[5];
    p->last_commit_ms = (int64_t)at[6];
    p->first_time = (dl_time)at[7];
    p->last_time = (dl_time)at[8];
    p->crc = (uint32_t)at[9];
    p->trail_crc = (uint32_t)(at[9] >> 32);
    p->trail_len = at[10];
    p->state = at[11] == 0 ? DL_LAKE_PART_OPEN : DL_LAKE_PART_SEALED;
}

static dl_status get_copy(dl_lake_view *view, const uint64_t *words, size_t n,
                          dl_error *err, apr_pool_t *pool)
{
    const uint64_t *at = words + DL_LAKE_COPY_FIXED;
    int i;

    if ((uint32_t)words[CRC] != dl_crc32c(0, words + 1, (n - 1) * 8) ||
        words[CRC] >> 32 != 0 ||
        words[OWN_NUMBER] != (uint32_t)view->published ||
        words[N_NEXT] > DL_LAKE_PARTITIONS_MAX ||
        words[N_PARTS] > DL_LAKE_OPEN_MAX ||
        n != DL_LAKE_COPY_FIXED + 2 * words[N_NEXT] +
                 DL_LAKE_PART_WORDS * words[N_PARTS]) {
        return dl_fail(err, DL_CORRUPT, 0, "head has a wrong checksum");
    }
    view->lsn = words[LSN];
    view->last_commit =
        words[LAST_COMMIT] == 0 ? DL_TIME_NONE : (dl_time)words[LAST_COMMIT];
    view->generation = (int32_t)words[GENERATION];
    view->commits = words[COMMITS];
    memcpy(view->rejects, words + REJECTS, sizeof view->rejects);
    view->quarantine.number = words[QUARANTINE];
    view->quarantine.length = words[QUARANTINE + 1];
    view->quarantine.frames = words[QUARANTINE + 2];
    view->n_next = (int)words[N_NEXT];
    view->next = apr_palloc(pool, (words[N_NEXT] + 1) * sizeof *view->next);
    for (i = 0; i < view->n_next; i++, at += 2) {
        view->next[i].partition = (int32_t)at[0];
        view->next[i].next = (int64_t)at[1];
    }
    view->n_parts = (int)words[N_PARTS];
    view->parts = apr_palloc(pool, (words[N_PARTS] + 1) * sizeof *view->parts);
    for (i = 0; i < view->n_parts; i++, at += DL_LAKE_PART_WORDS) {
        get_part(&view->parts[i], at);
    }
    return DL_OK;
}

/* Copy the copy in force to *WORDS (malloc) of *N words; false: it changed
 * meanwhile or its length is impossible. */
static bool take_copy(uint64_t **words, size_t *n, dl_lake_view *view,
                      const dl_lake_head *head)
{
    uint64_t g =
        atomic_load_explicit(&head->words[PUBLISHED], memory_order_acquire);
    size_t base = DL_LAKE_HEAD_WORDS + (g & 1) * DL_LAKE_COPY_WORDS;
    size_t i;

    view->published = g;
    *n = (size_t)load(head, base + USED);
    if (*n < DL_LAKE_COPY_FIXED || *n > DL_LAKE_COPY_WORDS) {
        return false;
    }
    *words = malloc(*n * 8);
    if (*words == NULL) {
        abort();
    }
    for (i = 0; i < *n; i++) {
        (*words)[i] = load(head, base + i);
    }
    view->manifest = load(head, MANIFEST);
    if (load(head, PUBLISHED) != g) {
        free(*words);
        *words = NULL;
        return false;
    }
    return true;
}

/* Tries before a head that never stands still is given up. */
#define TRIES 1000

dl_status dl_lake_head_read(dl_lake_view *view, const dl_lake_head *head,
                            dl_error *err, apr_pool_t *pool)
{
    uint64_t *words = NULL;
    uint64_t g = load(head, PUBLISHED);
    dl_status status;
    size_t n = 0;
    int tries;

    memset(view, 0, sizeof *view);
    if (g == 0 && load(head, MAGIC) == 0) {
        return dl_fail(err, DL_NOT_FOUND, 0, "nothing is published yet");
    }
    if (g != number_word((uint32_t)g)) {
        return dl_fail(err, DL_CORRUPT, 0, "head has a damaged number");
    }
    if (load(head, MAGIC) != DL_LAKE_HEAD_MAGIC) {
        return dl_fail(err, DL_CORRUPT, 0, "head does not begin as one");
    }
    if (load(head, VERSION) != DL_LAKE_VERSION) {
        return dl_fail(err, DL_UNSUPPORTED, 0, "head of another version");
    }
    view->id = load(head, ID);
    for (tries = 0; tries < TRIES; tries++) {
        if (take_copy(&words, &n, view, head)) {
            status = get_copy(view, words, n, err, pool);
            free(words);
            return status;
        }
    }
    return dl_fail(err, DL_CORRUPT, 0, "head has an impossible length");
}

const dl_lake_part *dl_lake_view_find(const dl_lake_view *view, dl_day day)
{
    int low = 0;
    int high = view->n_parts;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (view->parts[middle].day < day) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low < view->n_parts && view->parts[low].day == day
               ? &view->parts[low]
               : NULL;
}

static bool copy_is_torn(const dl_lake_head *head, size_t base)
{
    uint64_t n = load(head, base + USED);
    uint32_t crc = 0;
    size_t i;

    if (n < DL_LAKE_COPY_FIXED || n > DL_LAKE_COPY_WORDS) {
        return n != 0 || load(head, base) != 0;
    }
    for (i = 1; i < n; i++) {
        uint64_t word = load(head, base + i);

        crc = dl_crc32c(crc, &word, sizeof word);
    }
    return crc != load(head, base + CRC);
}

bool dl_lake_head_torn(const dl_lake_head *head)
{
    uint64_t g = load(head, PUBLISHED);

    return copy_is_torn(head, DL_LAKE_HEAD_WORDS +
                                  ((g + 1) & 1) * DL_LAKE_COPY_WORDS);
}

static int strays_of_copy(const dl_lake_head *head, size_t base)
{
    uint64_t used = load(head, base + USED);
    int strays = 0;
    size_t i;

    for (i = (size_t)used; i < DL_LAKE_COPY_WORDS; i++) {
        strays += load(head, base + i) != 0;
    }
    return strays;
}

int dl_lake_head_strays(const dl_lake_head *head)
{
    int strays = 0;
    size_t i;

    for (i = MANIFEST + 1; i < DL_LAKE_HEAD_WORDS; i++) {
        strays += load(head, i) != 0;
    }
    strays += strays_of_copy(head, DL_LAKE_HEAD_WORDS);
    return strays +
           strays_of_copy(head, DL_LAKE_HEAD_WORDS + DL_LAKE_COPY_WORDS);
}
