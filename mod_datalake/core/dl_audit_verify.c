/* dl_audit_verify.c - Chain by chain, file by file, line by line.
 *
 * After a fault the walk goes on from what the line claims, so one fault is
 * told once and the next one found too.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_audit_verify.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "dl_audit_cut.h"
#include "dl_audit_folder.h"

/* Bytes between two reports of progress. */
#define STEP 1048576

/* A check under way. */
typedef struct walk {
    const dl_audit_check *check;       /* what is checked */
    dl_audit_checked *seen;            /* what was seen */
    const struct dl_json_shape *shape; /* of an entry */
    dl_audit_chain *chain;             /* computed so far */
    char name[DL_AUDIT_CHAIN];         /* the chain at hand */
    int64_t number;                    /* of its last file; 0: none yet */
    bool known;                        /* the chain's value is known */
    bool ended;                        /* the last file has its end line */
    bool rotated;                      /* ... which promises another file */
    bool live;                         /* a process writes the last file */
    int head;                          /* next head to be compared */
    dl_audit_cut cut;                  /* of the chain; file 0: none */
    int64_t next_step;                 /* bytes at the next report */
    apr_pool_t *pool;                  /* of a line */
} walk;

/* Where a line stands. */
typedef struct place {
    const char *file; /* its name */
    int64_t line;     /* from 1 */
} place;

static void tell(walk *w, const char *where, int64_t line, const char *what)
{
    w->seen->faults++;
    w->check->fault(w->check->context, where, line, what);
}

/* --- Heads ---------------------------------------------------------------- */

/* The next head of the chain at hand, or NULL. */
static const dl_audit_head *next_head(const walk *w)
{
    const dl_audit_head *head = &w->check->heads[w->head];

    return w->head < w->check->n_heads && strcmp(head->chain, w->name) == 0
               ? head
               : NULL;
}

/* Whether the first LENGTH lines of CHAIN were old enough to go. */
static bool is_old(const walk *w, const char *chain, int64_t length)
{
    return w->check->is_old != NULL &&
           w->check->is_old(w->check->context, chain, length);
}

/* Go past the heads of the LENGTH lines that were removed before WHERE; VALUE
 * is the chain's behind them. */
static void pass_heads(walk *w, int64_t length, const unsigned char *value,
                       const char *where)
{
    const dl_audit_head *head = next_head(w);
    int64_t longest = 0;

    for (; head != NULL && head->length <= length; head = next_head(w)) {
        longest = head->length;
        w->seen->heads++;
        if (head->length == length &&
            memcmp(head->value, value, sizeof head->value) != 0) {
            tell(w, where, 0,
                 "what was removed is not what was stored in the warehouse");
        }
        w->head++;
    }
    if (longest > 0 && !is_old(w, w->name, longest)) {
        tell(w, where, 0,
             "entries were removed that were not old enough to go");
    }
}

/* Compare the heads of the chain's present length. */
static void compare_heads(walk *w, const place *at)
{
    int64_t length = dl_audit_chain_length(w->chain);
    const dl_audit_head *head = next_head(w);

    while (head != NULL && head->length <= length) {
        if (head->length == length) {
            w->seen->heads++;
            if (memcmp(head->value, dl_audit_chain_value(w->chain),
                       sizeof head->value) != 0) {
                tell(w, at->file, at->line,
                     "the chain is not the one that was stored in the "
                     "warehouse: it was computed anew");
            }
        }
        w->head++;
        head = next_head(w);
    }
}

/* Tell of the heads that lie behind the end of the chain at hand. */
static void miss_heads(walk *w)
{
    int64_t length = dl_audit_chain_length(w->chain);
    const dl_audit_head *head = next_head(w);
    int64_t longest = 0;
    char what[160];

    for (; head != NULL; head = next_head(w)) {
        longest = head->length;
        w->seen->heads++;
        w->head++;
    }
    if (longest > length) {
        snprintf(what, sizeof what,
                 "it had %lld lines and has %lld: its end was cut off",
                 (long long)longest, (long long)length);
        tell(w, w->name, 0, what);
    }
}

/* Tell of the chains before NAME (NULL: of all that are left) of which the
 * warehouse has heads but the folder no file. */
static void miss_chains(walk *w, const char *name)
{
    while (w->head < w->check->n_heads &&
           (name == NULL || strcmp(w->check->heads[w->head].chain, name) < 0)) {
        const char *gone = w->check->heads[w->head].chain;
        int64_t longest = 0;

        while (w->head < w->check->n_heads &&
               strcmp(w->check->heads[w->head].chain, gone) == 0) {
            longest = w->check->heads[w->head].length;
            w->head++;
        }
        if (is_old(w, gone, longest)) {
            w->seen->gone++;
        }
        else {
            tell(w, gone, 0, "all its files are gone");
        }
    }
}

/* --- Lines ---------------------------------------------------------------- */

/* Check the header LINE of FILE. */
static void check_header(walk *w, const dl_audit_line *line,
                         const dl_audit_listed *file, const place *at)
{
    dl_audit_header header;
    dl_error err = {0};

    if (dl_audit_header_decode(&header, line, &err, w->pool) != DL_OK) {
        tell(w, at->file, at->line, err.text);
        return;
    }
    if (strcmp(header.name, file->chain) != 0 || header.file != file->number) {
        tell(w, at->file, at->line, "the file bears another file's name");
    }
    if (w->known && (header.lines != dl_audit_chain_length(w->chain) ||
                     memcmp(header.previous, dl_audit_chain_value(w->chain),
                            DL_AUDIT_VALUE) != 0)) {
        tell(w, at->file, at->line,
             "it does not go on where the file before it ends");
    }
    if (!w->known || header.lines != dl_audit_chain_length(w->chain)) {
        dl_audit_chain_resume(w->chain, header.previous, header.lines);
        w->known = true;
        if (w->cut.file > 0) {
            pass_heads(w, header.lines, header.previous, at->file);
        }
    }
}

static void check_entry(walk *w, const dl_audit_line *line, const place *at)
{
    dl_audit_entry entry;
    dl_error err = {0};
    bool match;

    w->seen->entries++;
    if (dl_audit_decode(&entry, &match, w->shape, line, &err, w->pool) !=
        DL_OK) {
        tell(w, at->file, at->line, err.text);
    }
    else if (!match) {
        tell(w, at->file, at->line, "a text does not match its hash");
    }
}

/* Check the line TEXT of LEN bytes at place AT of FILE. */
static void check_line(walk *w, const char *text, size_t len,
                       const dl_audit_listed *file, const place *at)
{
    dl_audit_line line;
    dl_error err = {0};

    apr_pool_clear(w->pool);
    w->seen->lines++;
    if (dl_audit_line_parse(&line, text, len, &err) != DL_OK) {
        tell(w, at->file, at->line, err.text);
        dl_audit_chain_resume(w->chain, dl_audit_chain_value(w->chain),
                              dl_audit_chain_length(w->chain) + 1);
        w->known = false;
        return;
    }
    if (line.kind == DL_AUDIT_CUT) {
        tell(w, at->file, at->line, "a cut stands inside");
    }
    if ((at->line == 1) != (line.kind == DL_AUDIT_HEADER)) {
        tell(w, at->file, at->line,
             at->line == 1 ? "the header is gone" : "a header stands inside");
    }
    else if (w->ended) {
        tell(w, at->file, at->line, "it stands behind the end");
    }
    if (line.kind == DL_AUDIT_HEADER) {
        check_header(w, &line, file, at);
    }
    if (w->known) {
        dl_audit_chain_add(w->chain, text, line.sealed);
        if (memcmp(dl_audit_chain_value(w->chain), line.value,
                   sizeof line.value) != 0) {
            tell(w, at->file, at->line,
                 "the line was changed, or one before it was taken out, put "
                 "in or moved");
        }
    }
    dl_audit_chain_resume(w->chain, line.value,
                          dl_audit_chain_length(w->chain) + (w->known ? 0 : 1));
    w->known = true;
    if (line.kind == DL_AUDIT_ENTRY) {
        check_entry(w, &line, at);
    }
    w->ended = line.kind == DL_AUDIT_END;
    w->rotated = w->ended && strncmp(text, "{\"end\":\"rotated\"", 16) == 0;
    compare_heads(w, at);
}

/* --- Files ---------------------------------------------------------------- */

static void show_progress(walk *w, int64_t bytes)
{
    if (w->check->progress != NULL && bytes >= w->next_step) {
        w->next_step = bytes + STEP;
        w->check->progress(w->check->context, bytes);
    }
}

/* Judge how FILE, read by READER, ends. */
static void check_end(walk *w, const dl_audit_listed *file,
                      const dl_audit_reader *reader)
{
    bool torn = dl_audit_reader_left(reader) > 0;

    w->live = !w->ended && file->stage == DL_AUDIT_OPEN &&
              dl_audit_reader_locked(reader);
    if (w->live) {
        w->seen->open++;
        return;
    }
    if (torn && (w->ended || file->stage == DL_AUDIT_FINISHED)) {
        tell(w, file->name, 0, "its last line is torn");
    }
    else if (!w->ended && file->stage == DL_AUDIT_FINISHED) {
        tell(w, file->name, 0, "its end was cut off");
    }
    else if (!w->ended) {
        tell(w, file->name, 0,
             "nobody writes it and it has no end: its process was killed, or "
             "its end was cut off");
    }
}

/* Open FILE into *READER; it may be finished meanwhile. */
static dl_status open_file(dl_audit_reader **reader, walk *w,
                           dl_audit_listed *file, dl_error *err,
                           apr_pool_t *pool)
{
    dl_status status = dl_audit_reader_open(reader, w->check->dir_fd,
                                            file->name, 0, err, pool);

    if (status == DL_NOT_FOUND && file->stage == DL_AUDIT_OPEN) {
        file->stage = DL_AUDIT_FINISHED;
        dl_audit_file_name_make(file->name, file->chain, file->number,
                                file->stage);
        status = dl_audit_reader_open(reader, w->check->dir_fd, file->name, 0,
                                      err, pool);
    }
    return status;
}

/* Compare the cut with where the chain stands behind its file NUMBER, which it
 * stands for but which is still there. */
static void compare_cut(walk *w, const dl_audit_listed *file)
{
    if (w->cut.file == file->number &&
        (w->cut.lines != dl_audit_chain_length(w->chain) ||
         memcmp(w->cut.value, dl_audit_chain_value(w->chain), DL_AUDIT_VALUE) !=
             0)) {
        tell(w, file->name, 0, "its cut says something else");
    }
}

/* Check FILE of the chain at hand. */
static dl_status check_file(walk *w, dl_audit_listed *file, dl_error *err,
                            apr_pool_t *pool)
{
    int64_t before = w->seen->bytes;
    place at = {file->name, 0};
    dl_audit_reader *reader;
    const char *text;
    size_t len;

    if (file->number != w->number + 1) {
        tell(w, file->name, 0,
             file->number == w->number ? "the file is there twice"
                                       : "a file before it is missing");
        w->known = false;
    }
    w->number = file->number;
    w->ended = false;
    w->rotated = false;
    w->seen->files++;
    DL_TRY(open_file(&reader, w, file, err, pool));
    do {
        if (dl_audit_reader_next(&text, &len, reader, err) != DL_OK) {
            tell(w, file->name, at.line + 1, err->text);
            break;
        }
        if (text != NULL) {
            at.line++;
            check_line(w, text, len, file, &at);
            w->seen->bytes = before + dl_audit_reader_position(reader);
            show_progress(w, w->seen->bytes);
        }
    } while (text != NULL);
    check_end(w, file, reader);
    compare_cut(w, file);
    dl_audit_reader_close(reader);
    return DL_OK;
}

/* Finish the chain at hand. */
static void end_chain(walk *w)
{
    if (!w->known && w->ended && w->number <= w->cut.file) {
        dl_audit_chain_resume(w->chain, w->cut.value, w->cut.lines);
        pass_heads(w, w->cut.lines, w->cut.value, w->name);
    }
    if (w->ended && w->rotated) {
        tell(w, w->name, 0, "its next file is missing");
    }
    miss_heads(w);
}

/* Begin the chain of the N FILES, cuts not among them, behind its cut. */
static void begin_chain(walk *w, const dl_audit_listed *files, int n)
{
    memcpy(w->name, files[0].chain, sizeof w->name);
    w->number = 0;
    w->known = true;
    w->ended = false;
    w->rotated = false;
    w->seen->chains += n > 0 ? 1 : 0;
    dl_audit_chain_begin(w->chain, w->name);
    if (w->cut.file == 0) {
        return;
    }
    w->seen->cuts++;
    if (n > 0 && files[0].number <= w->cut.file) {
        /* Its process was killed while it removed them. */
        w->known = files[0].number == 1;
        w->number = files[0].number - 1;
        return;
    }
    w->number = w->cut.file;
    w->ended = true;
    w->rotated = strcmp(w->cut.end, "rotated") == 0;
    dl_audit_chain_resume(w->chain, w->cut.value, w->cut.lines);
    pass_heads(w, w->cut.lines, w->cut.value, w->name);
}

/* Read the newest cut among the N files of LIST, all of one chain, into W; a
 * wrong one is told. */
static dl_status read_cut(walk *w, const dl_audit_listed *list, int n,
                          dl_error *err, apr_pool_t *pool)
{
    dl_error why = {0};
    dl_audit_cut cut = {.file = 0};

    w->cut = (dl_audit_cut){.file = 0};
    for (int i = 0; i < n; i++) {
        dl_status status;

        if (list[i].stage != DL_AUDIT_GONE) {
            continue;
        }
        status = dl_audit_cut_read(&cut, w->check->dir_fd, list[i].name,
                                   w->check->key, &why, pool);
        if (status == DL_OK) {
            w->cut = cut;
        }
        else if (status == DL_CORRUPT || status == DL_UNSUPPORTED) {
            tell(w, list[i].name, 0, why.text);
        }
        else if (status != DL_NOT_FOUND) {
            *err = why;
            return status;
        }
    }
    return DL_OK;
}

/* FILE went since the folder was listed: a cut stands for it by now, or *WHOLE:
 * nothing is left of its chain. */
static dl_status check_gone(bool *whole, walk *w, const dl_audit_listed *file,
                            dl_error *err, apr_pool_t *pool)
{
    static const unsigned char none[DL_AUDIT_VALUE];
    const dl_audit_listed *list;
    int first = 0;
    int n;
    int end;

    DL_TRY(dl_audit_folder_list(&list, &n, w->check->dir_fd, err, pool));
    while (first < n && strcmp(list[first].chain, w->name) != 0) {
        first++;
    }
    for (end = first; end < n && strcmp(list[end].chain, w->name) == 0;) {
        end++;
    }
    DL_TRY(read_cut(w, list + first, end - first, err, pool));
    *whole = first == end;
    w->seen->files--;
    w->known = false;
    w->ended = true;
    w->rotated = !*whole && strcmp(w->cut.end, "rotated") == 0;
    if (*whole) {
        w->seen->gone++;
        pass_heads(w, INT64_MAX, none, w->name);
    }
    else if (w->cut.file < file->number) {
        tell(w, file->name, 0, "it was removed, and no cut stands for it");
    }
    return DL_OK;
}

/* Check the chain of the N files of LIST, cuts among them. */
static dl_status check_chain(walk *w, const dl_audit_listed *list, int n,
                             dl_error *err, apr_pool_t *pool)
{
    dl_audit_listed *files = apr_palloc(pool, (size_t)n * sizeof *files);
    apr_pool_t *of_file;
    bool whole = false;
    int left = 0;

    files[0] = list[0];
    for (int i = 0; i < n; i++) {
        if (list[i].stage == DL_AUDIT_OPEN ||
            list[i].stage == DL_AUDIT_FINISHED) {
            files[left++] = list[i];
        }
    }
    DL_TRY(read_cut(w, list, n, err, pool));
    if (left == 0 && w->cut.file == 0) {
        return DL_OK; /* a file being made, or what was told */
    }
    miss_chains(w, files[0].chain);
    begin_chain(w, files, left);
    apr_pool_create(&of_file, pool);
    for (int i = 0; i < left && !whole; i++) {
        dl_status status;

        apr_pool_clear(of_file);
        status = check_file(w, &files[i], err, of_file);
        if (status == DL_NOT_FOUND) {
            status = check_gone(&whole, w, &files[i], err, of_file);
        }
        DL_TRY(status);
    }
    end_chain(w);
    return DL_OK;
}

dl_status dl_audit_verify(dl_audit_checked *seen, const dl_audit_check *check,
                          dl_error *err, apr_pool_t *scratch_pool)
{
    walk w = {.check = check, .seen = seen};
    const dl_audit_listed *list;
    apr_pool_t *pool;
    int first = 0;
    int n;

    *seen = (dl_audit_checked){.chains = 0};
    DL_TRY(dl_audit_shape_create(&w.shape, err, scratch_pool));
    w.chain = dl_audit_chain_create(check->key, scratch_pool);
    DL_TRY(dl_audit_folder_list(&list, &n, check->dir_fd, err, scratch_pool));
    apr_pool_create(&pool, scratch_pool);
    apr_pool_create(&w.pool, scratch_pool);
    for (int i = 1; i <= n; i++) {
        if (i < n && strcmp(list[i].chain, list[first].chain) == 0) {
            continue;
        }
        apr_pool_clear(pool);
        DL_TRY(check_chain(&w, list + first, i - first, err, pool));
        first = i;
    }
    miss_chains(&w, NULL);
    return DL_OK;
}

dl_status dl_audit_folder_bytes(int64_t *bytes, int dir_fd, dl_error *err,
                                apr_pool_t *scratch_pool)
{
    const dl_audit_listed *list;
    struct stat info;
    int n;

    *bytes = 0;
    DL_TRY(dl_audit_folder_list(&list, &n, dir_fd, err, scratch_pool));
    for (int i = 0; i < n; i++) {
        if (fstatat(dir_fd, list[i].name, &info, 0) == 0) {
            *bytes += info.st_size;
        }
    }
    return DL_OK;
}
