/* dl_line_note.c - Notes: adding headers, finding one, reading a position.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_line_note.h"

#include <string.h>

/* What the names of headers of a note begin with. */
#define PREFIX "dl-"

/* --- Headers -------------------------------------------------------------- */

static size_t bytes_of(const dl_line_note *note)
{
    size_t bytes = 0;

    for (int i = 0; i < note->n; i++) {
        bytes += note->headers[i].name_len + note->headers[i].len;
    }
    return bytes;
}

void dl_line_note_add(dl_line_note *note, const dl_line_header *header,
                      bool *full)
{
    if (*full || header->name_len < sizeof PREFIX - 1 ||
        memcmp(header->name, PREFIX, sizeof PREFIX - 1) != 0) {
        return;
    }
    if (note->n == DL_NOTE_HEADERS || header->name_len > DL_NOTE_BYTES ||
        header->len > DL_NOTE_BYTES ||
        bytes_of(note) + header->name_len + header->len > DL_NOTE_BYTES) {
        *full = true;
        return;
    }
    note->headers[note->n] = *header;
    if (header->len == 0) {
        note->headers[note->n].value = "";
    }
    note->n++;
}

void dl_line_note_key(dl_line_note *note, const void *key, size_t len)
{
    note->key = NULL;
    note->key_len = 0;
    if (key == NULL) {
        note->key_kind = DL_LINE_KEY_NONE;
    }
    else if (len > DL_NOTE_BYTES) {
        note->key_kind = DL_LINE_KEY_LONG;
    }
    else {
        note->key_kind = DL_LINE_KEY_KEPT;
        note->key = key;
        note->key_len = len;
    }
}

bool dl_line_note_find(const char **value, size_t *len,
                       const dl_line_note *note, const char *name)
{
    size_t name_len = strlen(name);

    for (int i = note->n - 1; i >= 0; i--) {
        const dl_line_header *header = &note->headers[i];

        if (header->name_len == name_len &&
            memcmp(header->name, name, name_len) == 0) {
            *value = header->value;
            *len = header->len;
            return true;
        }
    }
    return false;
}

/* --- Positions ------------------------------------------------------------ */

/* Set *NUMBER to the decimal number that is all of FROM..END; false: it is
 * none below 2^63. */
static bool get_number(uint64_t *number, const char *from, const char *end)
{
    *number = 0;
    if (from == end || end - from > 19) {
        return false;
    }
    for (; from < end; from++) {
        if (*from < '0' || *from > '9') {
            return false;
        }
        *number = *number * 10 + (uint64_t)(*from - '0');
    }
    return *number <= INT64_MAX;
}

static bool is_name(const char *name, size_t len)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789._-";

    if (len == 0 || len > DL_POSITION_SOURCE) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (memchr(allowed, name[i], sizeof allowed - 1) == NULL) {
            return false;
        }
    }
    return true;
}

/* Read `NAME EPOCH POSITION`. */
static bool get_source(dl_lake_position *position, const char *value,
                       size_t len)
{
    const char *end = value + len;
    const char *epoch = len == 0 ? NULL : memchr(value, ' ', len);
    const char *number =
        epoch == NULL ? NULL
                      : memchr(epoch + 1, ' ', (size_t)(end - epoch - 1));

    if (number == NULL || !is_name(value, (size_t)(epoch - value)) ||
        !get_number(&position->epoch, epoch + 1, number) ||
        !get_number(&position->position, number + 1, end)) {
        return false;
    }
    position->source = value;
    position->source_len = (size_t)(epoch - value);
    return true;
}

bool dl_line_note_position(dl_lake_position *position, const dl_line_note *note)
{
    const char *value;
    size_t len;

    if (dl_line_note_find(&value, &len, note, "dl-change-id")) {
        *position = (dl_lake_position){.source = ""};
        return len > 0 && get_number(&position->position, value, value + len);
    }
    return dl_line_note_find(&value, &len, note, "dl-source-pos") &&
           get_source(position, value, len);
}
