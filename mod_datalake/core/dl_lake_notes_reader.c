/* dl_lake_notes_reader.c - Reading the notes of an entry.
 *
 * FORMAT.md 4, Notes.  Values are put together in the room of their set; names
 * stay where they stand in the entry.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_notes.h"

#include "dl_lake_format.h"

#include <stdlib.h>
#include <string.h>

/* Two sets that are not known by a number: the newest, and the one before it
 * that its values are told by. */
#define ROOMS (DL_LAKE_NOTE_SETS + 2)

/* Headers of a set, whose values lie in its room. */
typedef struct noted_set {
    int n;
    dl_line_header headers[DL_NOTE_HEADERS];
    size_t used; /* bytes of the room */
    char room[DL_NOTE_BYTES];
} noted_set;

/* The name of a header, where the entry has it. */
typedef struct noted_name {
    const char *text;
    size_t len;
} noted_name;

struct dl_lake_noted {
    dl_lake_in in;                        /* the rest of the notes */
    uint64_t lines;                       /* of the entry, to come */
    uint64_t run;                         /* of them, of this run */
    bool plain;                           /* the last run that was read */
    int n_names;                          /* names known */
    noted_name names[DL_LAKE_NOTE_NAMES]; /* they */
    int n_sets;                           /* sets known */
    int newest;                           /* place of the newest, or -1 */
    noted_set sets[ROOMS];                /* sets by place */
    char key[DL_NOTE_BYTES];              /* the newest key */
    size_t key_len;                       /* bytes of it */
    dl_line_note note;                    /* of the newest line */
};

static apr_status_t free_noted(void *context)
{
    free(context);
    return APR_SUCCESS;
}

dl_lake_noted *dl_lake_noted_create(apr_pool_t *pool)
{
    dl_lake_noted *noted = calloc(1, sizeof *noted);

    if (noted == NULL) {
        abort();
    }
    apr_pool_cleanup_register(pool, noted, free_noted, apr_pool_cleanup_null);
    dl_lake_noted_begin(noted, dl_lake_in_make("", 0), 0);
    return noted;
}

void dl_lake_noted_begin(dl_lake_noted *noted, dl_lake_in in, uint64_t lines)
{
    noted->in = in;
    noted->lines = lines;
    noted->run = 0;
    noted->plain = false;
    noted->n_names = noted->n_sets = 0;
    noted->newest = -1;
    noted->key_len = 0;
    memset(&noted->note, 0, sizeof noted->note);
}

/* --- Sets ----------------------------------------------------------------- */

/* Get the name whose number is NUMBER; false: there is none. */
static bool get_name(noted_name *name, dl_lake_noted *noted, uint64_t number)
{
    if (number == 0 || number > (uint64_t)noted->n_names + 1 ||
        number > DL_LAKE_NOTE_NAMES) {
        return false;
    }
    if (number == (uint64_t)noted->n_names + 1) {
        name->text = (const char *)dl_lake_get_text(&name->len, &noted->in);
        if (noted->in.bad || name->len == 0 || name->len > DL_NOTE_BYTES) {
            return false;
        }
        noted->names[noted->n_names++] = *name;
    }
    *name = noted->names[number - 1];
    return true;
}

/* The value that the set before has under NAME, or NULL. */
static const dl_line_header *find_last(const dl_lake_noted *noted,
                                       const noted_name *name)
{
    const noted_set *last =
        noted->newest < 0 ? NULL : &noted->sets[noted->newest];

    for (int i = 0; last != NULL && i < last->n; i++) {
        if (last->headers[i].name == name->text) {
            return &last->headers[i];
        }
    }
    return NULL;
}

/* Put COMMON bytes at LAST and LEN at REST into the room of SET as the value of
 * its next header, NAME; false: they do not fit. */
static bool put_value(noted_set *set, const noted_name *name, const char *last,
                      size_t common, noted_name rest)
{
    char *to = set->room + set->used;
    size_t names = name->len;

    for (int i = 0; i < set->n; i++) {
        names += set->headers[i].name_len;
    }
    if (names + set->used + common + rest.len > DL_NOTE_BYTES) {
        return false;
    }
    if (common > 0) {
        memcpy(to, last, common);
    }
    if (rest.len > 0) {
        memcpy(to + common, rest.text, rest.len);
    }
    set->headers[set->n++] = (dl_line_header){.name = name->text,
                                              .name_len = name->len,
                                              .value = to,
                                              .len = common + rest.len};
    set->used += common + rest.len;
    return true;
}

static bool get_header(dl_lake_noted *noted, noted_set *set)
{
    uint64_t h = dl_lake_get_varint(&noted->in);
    const dl_line_header *last;
    noted_name rest = {"", 0};
    noted_name name;
    size_t common;

    if (!get_name(&name, noted, h >> 1)) {
        return false;
    }
    last = find_last(noted, &name);
    if ((h & 1) == 0) {
        return last != NULL &&
               put_value(set, &name, last->value, last->len, rest);
    }
    common =
        (size_t)dl_lake_get_bounded(&noted->in, last == NULL ? 0 : last->len);
    rest.text = (const char *)dl_lake_get_text(&rest.len, &noted->in);
    return !noted->in.bad &&
           put_value(set, &name, last == NULL ? "" : last->value, common, rest);
}

/* Get a new set; its place is noted->newest then. */
static bool get_set(dl_lake_noted *noted)
{
    bool known = noted->n_sets < DL_LAKE_NOTE_SETS;
    int place = known                                ? noted->n_sets
                : noted->newest == DL_LAKE_NOTE_SETS ? DL_LAKE_NOTE_SETS + 1
                                                     : DL_LAKE_NOTE_SETS;
    uint64_t n = dl_lake_get_bounded(&noted->in, DL_NOTE_HEADERS);
    noted_set *set = &noted->sets[place];

    set->n = 0;
    set->used = 0;
    if (n == 0) {
        return false;
    }
    for (; n > 0; n--) {
        if (!get_header(noted, set)) {
            return false;
        }
    }
    noted->n_sets += known ? 1 : 0;
    noted->newest = place;
    return true;
}

/* --- Runs ----------------------------------------------------------------- */

static bool get_run(dl_lake_noted *noted)
{
    uint64_t r = dl_lake_get_varint(&noted->in);
    uint64_t s = dl_lake_get_bounded(&noted->in, (uint64_t)noted->n_sets + 1);
    dl_line_note *note = &noted->note;
    int set = (int)s - 1;

    if (noted->in.bad || r >> 2 == 0 || r >> 2 > noted->lines) {
        return false;
    }
    if (s == (uint64_t)noted->n_sets + 1) {
        if (!get_set(noted)) {
            return false;
        }
        set = noted->newest;
    }
    note->key_kind = (dl_line_key)(r & 3);
    note->key = NULL;
    note->key_len = 0;
    note->n = set < 0 ? 0 : noted->sets[set].n;
    if (set >= 0) {
        memcpy(note->headers, noted->sets[set].headers,
               (size_t)note->n * sizeof *note->headers);
    }
    noted->run = r >> 2;
    noted->plain = set < 0 && note->key_kind == DL_LINE_KEY_SAME;
    return !(noted->plain && noted->in.p == noted->in.end);
}

static bool get_key(dl_lake_noted *noted)
{
    size_t common = (size_t)dl_lake_get_bounded(&noted->in, noted->key_len);
    size_t len;
    const uint8_t *rest = dl_lake_get_text(&len, &noted->in);

    if (noted->in.bad || common + len > DL_NOTE_BYTES) {
        return false;
    }
    if (len > 0) {
        memcpy(noted->key + common, rest, len);
    }
    noted->key_len = common + len;
    noted->note.key = noted->key;
    noted->note.key_len = noted->key_len;
    return true;
}

const dl_line_note *dl_lake_noted_next(dl_lake_noted *noted)
{
    if (noted->in.bad || noted->lines == 0) {
        return NULL;
    }
    if (noted->run == 0 && noted->in.p == noted->in.end) {
        if (noted->note.n != 0 || noted->note.key_kind != DL_LINE_KEY_SAME) {
            memset(&noted->note, 0, sizeof noted->note);
        }
        noted->lines--;
        return &noted->note;
    }
    if ((noted->run == 0 && !get_run(noted)) ||
        (noted->note.key_kind == DL_LINE_KEY_KEPT && !get_key(noted))) {
        noted->in.bad = true;
        return NULL;
    }
    noted->run--;
    noted->lines--;
    return &noted->note;
}

bool dl_lake_noted_at_end(const dl_lake_noted *noted)
{
    return !noted->in.bad && noted->lines == 0 && noted->run == 0 &&
           noted->in.p == noted->in.end;
}
