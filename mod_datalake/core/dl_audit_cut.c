/* dl_audit_cut.c - Cuts: reading them, and removing the files they stand for.
 *
 * Order of a removal: the new cut is durable, then the files go from the first
 * on, then older cuts, and at last the new one when nothing is left of the
 * chain.  Whatever stands in the folder in between is good for the verifier.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_audit_cut.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dl_audit_folder.h"
#include "dl_time.h"

/* Bytes of the longest cut. */
#define CUT_BYTES 512

/* Bytes at the end of a file that are looked at first. */
#define TAIL 8192

/* A chain that is looked at. */
typedef struct walk {
    const dl_audit_retiring *run; /* the run */
    dl_audit_chain *chain;        /* computed so far */
    const dl_audit_listed *files; /* of the chain, cuts among them */
    int n;                        /* how many */
    dl_audit_cut had;             /* the newest cut; file 0: none */
    dl_audit_cut cut;             /* with what goes now; file 0: nothing */
    int64_t left;                 /* its last file, 0: none but cuts */
    dl_audit_gone gone;           /* what is told */
    apr_pool_t *pool;             /* of a file */
} walk;

/* --- Cuts ----------------------------------------------------------------- */

/* Whether LINE's value is that of a chain at CUT that goes on with it. */
static bool is_signed(const dl_audit_cut *cut, const dl_audit_line *line,
                      const dl_audit_key *key, apr_pool_t *pool)
{
    dl_audit_chain *chain = dl_audit_chain_create(key, pool);

    dl_audit_chain_resume(chain, cut->value, cut->lines);
    dl_audit_chain_add(chain, line->text, line->sealed);
    return memcmp(dl_audit_chain_value(chain), line->value, DL_AUDIT_VALUE) ==
           0;
}

dl_status dl_audit_cut_read(dl_audit_cut *cut, int dir_fd, const char *name,
                            const dl_audit_key *key, dl_error *err,
                            apr_pool_t *scratch_pool)
{
    char want[DL_AUDIT_FILE_NAME];
    dl_audit_reader *reader;
    dl_audit_line line;
    const char *text;
    size_t len;

    DL_TRY(dl_audit_reader_open(&reader, dir_fd, name, 0, err, scratch_pool));
    DL_TRY(dl_audit_reader_next(&text, &len, reader, err));
    if (text == NULL || len > CUT_BYTES) {
        return dl_fail(err, DL_CORRUPT, 0, "a damaged cut");
    }
    DL_TRY(dl_audit_line_parse(&line, text, len, err));
    if (line.kind != DL_AUDIT_CUT) {
        return dl_fail(err, DL_CORRUPT, 0, "it is no cut");
    }
    DL_TRY(dl_audit_cut_decode(cut, &line, err, scratch_pool));
    dl_audit_file_name_make(want, cut->name, cut->file, DL_AUDIT_GONE);
    if (strcmp(want, name) != 0) {
        return dl_fail(err, DL_CORRUPT, 0, "the cut bears another file's name");
    }
    if (!is_signed(cut, &line, key, scratch_pool)) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "the cut was not signed with the audit key");
    }
    /* One line and no more: nothing may hide behind it. */
    DL_TRY(dl_audit_reader_next(&text, &len, reader, err));
    if (text != NULL || dl_audit_reader_left(reader) > 0) {
        return dl_fail(err, DL_CORRUPT, 0, "something stands behind the cut");
    }
    dl_audit_reader_close(reader);
    return DL_OK;
}

static dl_status fail_by_errno(const char *what, const char *name,
                               dl_error *err)
{
    return dl_fail(err,
                   errno == ENOSPC || errno == EDQUOT ? DL_NO_SPACE : DL_IO,
                   errno, "cannot %s audit file %s", what, name);
}

/* Write LEN bytes of TEXT to the new file NAME and make them durable. */
static dl_status write_new(int dir_fd, const char *name, const char *text,
                           size_t len, dl_error *err)
{
    int fd = openat(dir_fd, name,
                    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    dl_status status = DL_OK;

    if (fd < 0) {
        return errno == EEXIST ? dl_fail(err, DL_BUSY, 0, "another does it")
                               : fail_by_errno("make", name, err);
    }
    errno = ENOSPC;
    if (write(fd, text, len) != (ssize_t)len || fsync(fd) != 0) {
        status = fail_by_errno("write", name, err);
    }
    close(fd);
    if (status != DL_OK) {
        (void)unlinkat(dir_fd, name, 0);
    }
    return status;
}

/* Make the cut of W a file, durably. */
static dl_status write_cut(const walk *w, dl_error *err)
{
    char text[CUT_BYTES];
    char made[DL_AUDIT_FILE_NAME];
    char final[DL_AUDIT_FILE_NAME];
    dl_buf line = {.data = text, .size = sizeof text, .max = sizeof text};
    dl_audit_chain *chain = dl_audit_chain_create(w->run->key, w->pool);
    int dir_fd = w->run->dir_fd;
    size_t sealed;

    DL_TRY(dl_audit_cut_encode(&line, &sealed, &w->cut, err));
    dl_audit_chain_resume(chain, w->cut.value, w->cut.lines);
    dl_audit_chain_add(chain, text, sealed);
    dl_audit_hex(text + sealed + sizeof ",\"chain\":\"" - 1,
                 dl_audit_chain_value(chain));
    dl_audit_file_name_make(made, w->cut.name, w->cut.file, DL_AUDIT_NEW);
    dl_audit_file_name_make(final, w->cut.name, w->cut.file, DL_AUDIT_GONE);
    DL_TRY(write_new(dir_fd, made, line.data, line.len, err));
    if (renameat(dir_fd, made, dir_fd, final) != 0 || fsync(dir_fd) != 0) {
        return fail_by_errno("rename", made, err);
    }
    return DL_OK;
}

/* --- Looking -------------------------------------------------------------- */

/* A file that is being read. */
typedef struct look {
    int64_t lines;             /* read */
    int64_t entries;           /* of them */
    dl_time newest;            /* of all lines */
    char end[DL_AUDIT_REASON]; /* its end, "" when it has none */
} look;

/* The time behind NAME in the sealed part of LINE, which the chain vouches
 * for, or DL_TIME_NONE. */
static dl_time time_in(const dl_audit_line *line, const char *name)
{
    size_t n = strlen(name);
    const char *at = memmem(line->text, line->sealed, name, n);
    dl_time time = DL_TIME_NONE;
    bool zone_missing;

    if (at == NULL ||
        line->sealed - (size_t)(at - line->text) < n + DL_TIME_TEXT ||
        !dl_time_parse_rfc3339(&time, &zone_missing, at + n,
                               DL_TIME_TEXT - 1)) {
        return DL_TIME_NONE;
    }
    return time;
}

/* Set WORD, of SIZE bytes, to the small letters and dashes at AT in LINE,
 * which no NUL ends. */
static void take_word(char *word, size_t size, const dl_audit_line *line,
                      size_t at)
{
    size_t n = 0;

    while (n + 1 < size && at < line->sealed &&
           (line->text[at] == '-' ||
            (line->text[at] >= 'a' && line->text[at] <= 'z'))) {
        word[n++] = line->text[at++];
    }
    word[n] = '\0';
}

/* Add what LINE says to SEEN.  Entries say how old a file is, its end does
 * where there are none. */
static void look_at(look *seen, const dl_audit_line *line)
{
    static const char end[] = "{\"end\":\"";
    dl_time at = DL_TIME_NONE;

    if (line->kind == DL_AUDIT_ENTRY) {
        seen->entries++;
        at = time_in(line, "{\"timestamp\":\"");
    }
    else if (line->kind == DL_AUDIT_END) {
        take_word(seen->end, sizeof seen->end, line, sizeof end - 1);
        at = seen->entries == 0 ? time_in(line, ",\"at\":\"") : at;
    }
    seen->newest = at > seen->newest ? at : seen->newest;
}

/* Check the header LINE of FILE against the chain. */
static dl_status check_header(const walk *w, const dl_audit_listed *file,
                              const dl_audit_line *line, dl_error *err)
{
    dl_audit_header header;

    DL_TRY(dl_audit_header_decode(&header, line, err, w->pool));
    if (strcmp(header.name, file->chain) != 0 || header.file != file->number ||
        header.lines != dl_audit_chain_length(w->chain) ||
        memcmp(header.previous, dl_audit_chain_value(w->chain),
               DL_AUDIT_VALUE) != 0) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "it does not go on where the file before it ends");
    }
    return DL_OK;
}

/* Check LINE, the next one of FILE, and look at it. */
static dl_status take_line(look *seen, walk *w, const dl_audit_listed *file,
                           const dl_audit_line *line, dl_error *err)
{
    if ((seen->lines++ == 0) != (line->kind == DL_AUDIT_HEADER) ||
        line->kind == DL_AUDIT_CUT || seen->end[0] != '\0') {
        return dl_fail(err, DL_CORRUPT, 0, "a line stands in a wrong place");
    }
    if (line->kind == DL_AUDIT_HEADER) {
        DL_TRY(check_header(w, file, line, err));
    }
    dl_audit_chain_add(w->chain, line->text, line->sealed);
    if (memcmp(dl_audit_chain_value(w->chain), line->value, DL_AUDIT_VALUE) !=
        0) {
        return dl_fail(err, DL_CORRUPT, 0, "line %lld was changed",
                       (long long)seen->lines);
    }
    look_at(seen, line);
    return DL_OK;
}

/* Read FILE into SEEN, moving the chain on.  DL_CORRUPT: it is not what was
 * written. */
static dl_status read_file(look *seen, walk *w, const dl_audit_listed *file,
                           dl_error *err)
{
    dl_audit_reader *reader;
    dl_audit_line line;
    const char *text;
    size_t len;

    *seen = (look){.newest = DL_TIME_NONE};
    DL_TRY(dl_audit_reader_open(&reader, w->run->dir_fd, file->name, 0, err,
                                w->pool));
    DL_TRY(dl_audit_reader_next(&text, &len, reader, err));
    while (text != NULL) {
        DL_TRY(dl_audit_line_parse(&line, text, len, err));
        DL_TRY(take_line(seen, w, file, &line, err));
        DL_TRY(dl_audit_reader_next(&text, &len, reader, err));
    }
    if (seen->end[0] == '\0' || dl_audit_reader_left(reader) > 0) {
        return dl_fail(err, DL_CORRUPT, 0, "its end was cut off");
    }
    dl_audit_reader_close(reader);
    return DL_OK;
}

/* Whether one of the last entries of FILE says that it has to stay, which
 * spares reading the whole of it each time. */
static bool looks_young(const walk *w, const dl_audit_listed *file)
{
    static const char begin[] = "\n{\"timestamp\":\"";
    const size_t n = sizeof begin - 1;
    dl_time time = DL_TIME_NONE;
    bool zone_missing;
    char tail[TAIL];
    struct stat info;
    ssize_t got = -1;
    int fd =
        openat(w->run->dir_fd, file->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd >= 0 && fstat(fd, &info) == 0 && info.st_size > TAIL) {
        got = pread(fd, tail, TAIL, info.st_size - TAIL);
    }
    if (fd >= 0) {
        close(fd);
    }
    for (const char *at = tail; got == TAIL && time < w->run->before;) {
        at = memmem(at, (size_t)(tail + TAIL - at), begin, n);
        if (at == NULL || (size_t)(tail + TAIL - at) < n + DL_TIME_TEXT ||
            !dl_time_parse_rfc3339(&time, &zone_missing, at + n,
                                   DL_TIME_TEXT - 1)) {
            return false;
        }
        at += n;
    }
    return time >= w->run->before;
}

/* Whether FILE, which SEEN is of, may go. */
static bool may_go(const walk *w, const dl_audit_listed *file, const look *seen)
{
    return seen->newest != DL_TIME_NONE && seen->newest < w->run->before &&
           /* One that promises another is not the last of its chain. */
           (file->number < w->left || strcmp(seen->end, "rotated") != 0);
}

/* Add FILE to what goes. */
static void add_file(walk *w, const dl_audit_listed *file, const look *seen)
{
    dl_audit_cut *cut = &w->cut;

    memcpy(cut->name, file->chain, sizeof cut->name);
    cut->file = file->number;
    cut->lines = dl_audit_chain_length(w->chain);
    memcpy(cut->value, dl_audit_chain_value(w->chain), sizeof cut->value);
    cut->newest = w->gone.files == 0 || seen->newest > cut->newest
                      ? seen->newest
                      : cut->newest;
    memcpy(cut->end, seen->end, sizeof cut->end);
    w->gone.files++;
    w->gone.entries += seen->entries;
    w->gone.newest = cut->newest;
}

/* Find out which files of the chain go, from the first one on. */
static dl_status look_through(walk *w, dl_error *err)
{
    int64_t next = w->had.file + 1;
    look seen;

    if (w->had.file > 0) {
        dl_audit_chain_resume(w->chain, w->had.value, w->had.lines);
    }
    else {
        dl_audit_chain_begin(w->chain, w->files[0].chain);
    }
    for (int i = 0; i < w->n; i++) {
        const dl_audit_listed *file = &w->files[i];

        if (file->stage == DL_AUDIT_GONE || file->number < next) {
            continue;
        }
        if (file->stage != DL_AUDIT_FINISHED || looks_young(w, file)) {
            return DL_OK;
        }
        if (file->number != next++) {
            return dl_fail(err, DL_CORRUPT, 0, "a file before it is missing");
        }
        apr_pool_clear(w->pool);
        DL_TRY(read_file(&seen, w, file, err));
        if (!may_go(w, file, &seen)) {
            return DL_OK;
        }
        add_file(w, file, &seen);
    }
    return DL_OK;
}

/* --- Removing ------------------------------------------------------------- */

/* Remove file or cut NAME; that it is gone is fine. */
static dl_status remove_file(const walk *w, const char *name, dl_error *err)
{
    return unlinkat(w->run->dir_fd, name, 0) == 0 || errno == ENOENT
               ? DL_OK
               : fail_by_errno("remove", name, err);
}

/* Remove what the newest cut, of file UP_TO, stands for, then older cuts, and
 * that one, too, when the chain is WHOLEly gone. */
static dl_status sweep(const walk *w, int64_t up_to, bool whole, dl_error *err)
{
    char name[DL_AUDIT_FILE_NAME];

    for (int i = 0; i < w->n; i++) {
        if (w->files[i].stage == DL_AUDIT_FINISHED &&
            w->files[i].number <= up_to) {
            DL_TRY(remove_file(w, w->files[i].name, err));
        }
    }
    for (int i = 0; i < w->n; i++) {
        if (w->files[i].stage == DL_AUDIT_GONE && w->files[i].number < up_to) {
            DL_TRY(remove_file(w, w->files[i].name, err));
        }
    }
    if (whole) {
        dl_audit_file_name_make(name, w->files[0].chain, up_to, DL_AUDIT_GONE);
        DL_TRY(remove_file(w, name, err));
    }
    return DL_OK;
}

/* Remove what was found, or end what a killed process began. */
static dl_status remove_found(walk *w, dl_error *err)
{
    const dl_audit_cut *last = w->cut.file > 0 ? &w->cut : &w->had;
    bool whole = last->file >= w->left && strcmp(last->end, "rotated") != 0;
    dl_status status = DL_OK;

    w->gone.whole = whole;
    if (last->file == 0 || w->run->dry_run) {
        return DL_OK;
    }
    if (w->cut.file > 0) {
        status = write_cut(w, err);
    }
    if (status == DL_OK) {
        status = sweep(w, last->file, whole, err);
    }
    return status;
}

/* --- Chains --------------------------------------------------------------- */

/* Read the newest cut of the chain, and which file is its last. */
static dl_status read_had(walk *w, dl_error *err)
{
    const dl_audit_listed *newest = NULL;
    dl_audit_cut cut;

    for (int i = 0; i < w->n; i++) {
        if (w->files[i].stage == DL_AUDIT_GONE) {
            newest = &w->files[i];
        }
        else if (w->files[i].stage != DL_AUDIT_NEW) {
            w->left = w->files[i].number;
        }
    }
    if (newest != NULL) {
        DL_TRY(dl_audit_cut_read(&cut, w->run->dir_fd, newest->name,
                                 w->run->key, err, w->pool));
        w->had = cut;
    }
    return DL_OK;
}

/* Whether the chain NAME began before T: its name tells. */
static bool began_before(const char *name, dl_time t)
{
    char text[DL_TIME_TEXT];
    bool zone_missing;
    dl_time began;

    snprintf(text, sizeof text, "%.4s-%.2s-%.2s%.3s:%.2s:%.2sZ", name, name + 4,
             name + 6, name + 8, name + 11, name + 13);
    return dl_time_parse_rfc3339(&began, &zone_missing, text, strlen(text)) &&
           began < t;
}

/* What stays of a chain for WHY is told of its first file that is no cut. */
static void tell_kept(const walk *w, const dl_error *why)
{
    const dl_audit_listed *file = &w->files[0];

    for (int i = 0; i < w->n; i++) {
        if (w->files[i].stage != DL_AUDIT_GONE &&
            w->files[i].number > w->had.file + w->gone.files) {
            file = &w->files[i];
            break;
        }
    }
    w->run->kept(w->run->context, file->name, why->text);
}

/* Remove what is old enough of the chain of the N FILES. */
static dl_status retire_chain(const dl_audit_retiring *run,
                              const dl_audit_listed *files, int n,
                              dl_error *err, apr_pool_t *pool)
{
    walk w = {.run = run, .files = files, .n = n};
    dl_error why = {0};
    dl_status status;

    w.chain = dl_audit_chain_create(run->key, pool);
    w.gone.chain = files[0].chain;
    apr_pool_create(&w.pool, pool);
    status = read_had(&w, &why);
    if (status == DL_OK) {
        status = look_through(&w, &why);
    }
    if (status == DL_CORRUPT || status == DL_UNSUPPORTED) {
        tell_kept(&w, &why);
    }
    else if (status == DL_NOT_FOUND) {
        return DL_OK; /* another process removes it */
    }
    else if (status != DL_OK) {
        *err = why;
        return status;
    }
    status = remove_found(&w, err);
    if (status == DL_BUSY) {
        return DL_OK;
    }
    if (status == DL_OK && w.gone.files > 0) {
        run->gone(run->context, &w.gone);
    }
    return status;
}

dl_status dl_audit_retire(const dl_audit_retiring *run, dl_error *err,
                          apr_pool_t *scratch_pool)
{
    dl_audit_retiring shifted = *run;
    const dl_audit_listed *list;
    apr_pool_t *pool;
    int first = 0;
    int n;

    shifted.before -= DL_AUDIT_GRACE_US;
    DL_TRY(dl_audit_folder_list(&list, &n, run->dir_fd, err, scratch_pool));
    apr_pool_create(&pool, scratch_pool);
    for (int i = 1; i <= n; i++) {
        if (i < n && strcmp(list[i].chain, list[first].chain) == 0) {
            continue;
        }
        apr_pool_clear(pool);
        if (began_before(list[first].chain, shifted.before)) {
            DL_TRY(retire_chain(&shifted, list + first, i - first, err, pool));
        }
        first = i;
    }
    apr_pool_destroy(pool);
    return DL_OK;
}
