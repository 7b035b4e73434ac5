/* dl_lake_notes_writer.c - Building the notes of an entry.
 *
 * FORMAT.md 4, Notes.  The run that is being built has its set's definition
 * and its keys apart, since its number of lines stands before them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_notes.h"

#include "dl_lake_format.h"

#include <stdlib.h>
#include <string.h>

/* The place of the newest set, when it is none of those that are known. */
#define UNKNOWN DL_LAKE_NOTE_SETS

/* A header of a set: its name's number from 0, and where its value is. */
typedef struct noted_header {
    int name;  /* place in names */
    size_t at; /* place in texts */
    size_t len;
} noted_header;

/* Some headers. */
typedef struct noted_set {
    int n; /* at most DL_NOTE_HEADERS */
    noted_header headers[DL_NOTE_HEADERS];
} noted_set;

struct dl_lake_noting {
    dl_lake_bytes out;     /* complete runs */
    dl_lake_bytes set_def; /* the set of the run being built, when new */
    dl_lake_bytes keys;    /* its keys */
    uint32_t lines;        /* of the entry, before the run being built */
    int set;               /* of the run being built, -1: no headers */
    unsigned number;       /* what the run says for it */
    dl_line_key kind;      /* of its keys */
    int n_names;           /* names known */
    dl_lake_bytes names[DL_LAKE_NOTE_NAMES]; /* their texts */
    int n_sets;                              /* sets known */
    noted_set sets[DL_LAKE_NOTE_SETS + 1];   /* and one that is not */
    int newest;                              /* the one defined last, or -1 */
    dl_lake_bytes texts;                     /* values of sets known */
    dl_lake_bytes fresh;                     /* values of the one that is not */
    char last_key[DL_NOTE_BYTES]; /* the key before, for what is in common */
    size_t last_key_len;          /* bytes of it */
};

static bool is_plain(const dl_line_note *note)
{
    return note == NULL || (note->n == 0 && note->key_kind == DL_LINE_KEY_SAME);
}

/* --- Sets ----------------------------------------------------------------- */

static const char *value_at(const dl_lake_noting *noting, int set,
                            const noted_header *header)
{
    const dl_lake_bytes *texts =
        set == UNKNOWN ? &noting->fresh : &noting->texts;

    return (const char *)texts->data + header->at;
}

static int find_name(const dl_lake_noting *noting, const dl_line_header *header)
{
    for (int i = 0; i < noting->n_names; i++) {
        if (noting->names[i].len == header->name_len &&
            memcmp(noting->names[i].data, header->name, header->name_len) ==
                0) {
            return i;
        }
    }
    return -1;
}

static bool is_set(const dl_lake_noting *noting, int set,
                   const dl_line_note *note)
{
    const noted_set *known = &noting->sets[set];

    if (known->n != note->n) {
        return false;
    }
    for (int i = 0; i < note->n; i++) {
        const dl_line_header *header = &note->headers[i];
        const dl_lake_bytes *name = &noting->names[known->headers[i].name];

        if (known->headers[i].len != header->len ||
            name->len != header->name_len ||
            memcmp(value_at(noting, set, &known->headers[i]), header->value,
                   header->len) != 0 ||
            memcmp(name->data, header->name, name->len) != 0) {
            return false;
        }
    }
    return true;
}

/* The set of the headers of NOTE, -1: it is new.  That of the run first. */
static int find_set(const dl_lake_noting *noting, const dl_line_note *note)
{
    if (noting->set >= 0 && is_set(noting, noting->set, note)) {
        return noting->set;
    }
    for (int i = 0; i < noting->n_sets; i++) {
        if (is_set(noting, i, note)) {
            return i;
        }
    }
    return -1;
}

static size_t in_common(const char *a, size_t a_len, const char *b,
                        size_t b_len)
{
    size_t n = 0;

    while (n < a_len && n < b_len && a[n] == b[n]) {
        n++;
    }
    return n;
}

/* The header of NAME in the set that was defined last, or NULL. */
static const noted_header *find_last(const dl_lake_noting *noting, int name)
{
    const noted_set *last =
        noting->newest < 0 ? NULL : &noting->sets[noting->newest];

    for (int i = 0; last != NULL && i < last->n; i++) {
        if (last->headers[i].name == name) {
            return &last->headers[i];
        }
    }
    return NULL;
}

/* Write HEADER to the definition; return its name's number. */
static int define_header(dl_lake_noting *noting, const dl_line_header *header)
{
    int name = find_name(noting, header);
    bool known = name >= 0;
    const noted_header *last;
    size_t common = 0;

    if (!known) {
        name = noting->n_names++;
        noting->names[name].len = 0;
        dl_lake_add_raw(&noting->names[name], header->name, header->name_len);
    }
    last = known ? find_last(noting, name) : NULL;
    if (last != NULL) {
        common = in_common(value_at(noting, noting->newest, last), last->len,
                           header->value, header->len);
    }
    if (last != NULL && common == last->len && common == header->len) {
        dl_lake_add_varint(&noting->set_def, (uint64_t)(name + 1) << 1);
        return name;
    }
    dl_lake_add_varint(&noting->set_def, (uint64_t)(name + 1) << 1 | 1);
    if (!known) {
        dl_lake_add_text(&noting->set_def, header->name, header->name_len);
    }
    dl_lake_add_varint(&noting->set_def, common);
    dl_lake_add_text(&noting->set_def, header->value + common,
                     header->len - common);
    return name;
}

/* Remember the headers of NOTE, whose names have the numbers NAMES, as the
 * newest set. */
static void keep_set(dl_lake_noting *noting, const dl_line_note *note,
                     const int *names)
{
    int set = noting->n_sets < DL_LAKE_NOTE_SETS ? noting->n_sets++ : UNKNOWN;
    dl_lake_bytes *texts = set == UNKNOWN ? &noting->fresh : &noting->texts;
    noted_set *kept = &noting->sets[set];

    if (set == UNKNOWN) {
        texts->len = 0;
    }
    (void)dl_lake_bytes_room(texts, DL_NOTE_BYTES);
    kept->n = note->n;
    for (int i = 0; i < note->n; i++) {
        kept->headers[i] =
            (noted_header){names[i], texts->len, note->headers[i].len};
        dl_lake_add_raw(texts, note->headers[i].value, note->headers[i].len);
    }
    noting->newest = set;
}

/* Define the headers of NOTE as a new set; return its place. */
static int define_set(dl_lake_noting *noting, const dl_line_note *note)
{
    int names[DL_NOTE_HEADERS];

    dl_lake_add_varint(&noting->set_def, (uint64_t)note->n);
    for (int i = 0; i < note->n; i++) {
        names[i] = define_header(noting, &note->headers[i]);
    }
    keep_set(noting, note, names);
    return noting->newest;
}

/* --- Runs ----------------------------------------------------------------- */

/* Begin the first run of an entry, a plain one. */
static void begin_entry(dl_lake_noting *noting)
{
    noting->out.len = noting->set_def.len = noting->keys.len = 0;
    noting->texts.len = noting->fresh.len = 0;
    noting->lines = 0;
    noting->set = noting->newest = -1;
    noting->number = 0;
    noting->kind = DL_LINE_KEY_SAME;
    noting->n_names = noting->n_sets = 0;
    noting->last_key_len = 0;
}

/* End the run being built before LINES lines of the entry. */
static void end_run(dl_lake_noting *noting, uint32_t lines)
{
    uint64_t n = lines - noting->lines;

    if (n > 0) {
        dl_lake_add_varint(&noting->out, n << 2 | (uint64_t)noting->kind);
        dl_lake_add_varint(&noting->out, noting->number);
        dl_lake_add_raw(&noting->out, noting->set_def.data,
                        noting->set_def.len);
        dl_lake_add_raw(&noting->out, noting->keys.data, noting->keys.len);
    }
    noting->lines = lines;
    noting->set_def.len = noting->keys.len = 0;
}

static void add_key(dl_lake_noting *noting, const dl_line_note *note)
{
    size_t common = in_common(noting->last_key, noting->last_key_len, note->key,
                              note->key_len);

    dl_lake_add_varint(&noting->keys, common);
    dl_lake_add_text(&noting->keys, note->key + common, note->key_len - common);
    memcpy(noting->last_key + common, note->key + common,
           note->key_len - common);
    noting->last_key_len = note->key_len;
}

/* Begin a run with the headers and the kind of key of NOTE. */
static void begin_run(dl_lake_noting *noting, const dl_line_note *note, int set)
{
    unsigned next = (unsigned)noting->n_sets + 1;

    set = set == UNKNOWN ? -1 : set; /* what has no number is told again */
    noting->kind = note->key_kind;
    noting->set = set;
    noting->number = (unsigned)(set + 1);
    if (note->n > 0 && set < 0) {
        noting->set = define_set(noting, note);
        noting->number = next;
    }
}

void dl_lake_noting_add(dl_lake_noting **result, uint32_t lines,
                        const dl_line_note *note)
{
    static const dl_line_note plain = {.n = 0};
    dl_lake_noting *noting = *result;
    int set;

    if (noting == NULL) {
        if (is_plain(note)) {
            return;
        }
        noting = *result = calloc(1, sizeof *noting);
        if (noting == NULL) {
            abort();
        }
        begin_entry(noting);
    }
    note = note == NULL ? &plain : note;
    set = note->n == 0 ? -1 : find_set(noting, note);
    if (note->key_kind != noting->kind || set != noting->set ||
        (note->n > 0 && set < 0)) {
        end_run(noting, lines);
        begin_run(noting, note, set);
    }
    if (note->key_kind == DL_LINE_KEY_KEPT) {
        add_key(noting, note);
    }
}

/* --- Entries -------------------------------------------------------------- */

bool dl_lake_noting_full(const dl_lake_noting *noting, const dl_line_note *note)
{
    int names;

    if (noting == NULL || is_plain(note)) {
        return false;
    }
    names = noting->n_names;
    for (int i = 0; i < note->n; i++) {
        names += find_name(noting, &note->headers[i]) < 0 ? 1 : 0;
    }
    return names > DL_LAKE_NOTE_NAMES ||
           dl_lake_noting_pending(noting) > DL_LAKE_ENTRY_NOTES;
}

size_t dl_lake_noting_pending(const dl_lake_noting *noting)
{
    return noting == NULL
               ? 0
               : noting->out.len + noting->set_def.len + noting->keys.len;
}

void dl_lake_noting_close(dl_lake_noting *noting, uint32_t lines,
                          dl_lake_bytes *out)
{
    if (noting == NULL) {
        return;
    }
    if (noting->set >= 0 || noting->kind != DL_LINE_KEY_SAME) {
        end_run(noting, lines);
    }
    dl_lake_add_raw(out, noting->out.data, noting->out.len);
    begin_entry(noting);
}

void dl_lake_noting_free(dl_lake_noting **result)
{
    dl_lake_noting *noting = *result;

    if (noting == NULL) {
        return;
    }
    for (int i = 0; i < DL_LAKE_NOTE_NAMES; i++) {
        dl_lake_bytes_free(&noting->names[i]);
    }
    dl_lake_bytes_free(&noting->out);
    dl_lake_bytes_free(&noting->set_def);
    dl_lake_bytes_free(&noting->keys);
    dl_lake_bytes_free(&noting->texts);
    dl_lake_bytes_free(&noting->fresh);
    free(noting);
    *result = NULL;
}
