/* dl_line_note.h - What the message of a line had beside the line.
 *
 * A note is the headers of a message whose name begins with "dl-" and its
 * key, where the line does not tell it.  The lake keeps it with the line's
 * coordinates (FORMAT.md 4), so that a record says where it came from:
 * dl-origin, dl-replay-id, dl-request-id, dl-event.
 *
 * A note is a view: its texts live where its maker says.
 *
 * Thread: the owner of the note.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LINE_NOTE_H
#define DL_LINE_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Most headers of a note. */
#define DL_NOTE_HEADERS 16

/* Most bytes of its names and values together, and of its key. */
#define DL_NOTE_BYTES 1024

/* Most bytes of the name of a source. */
#define DL_POSITION_SOURCE 63

/* One header of a message. */
typedef struct dl_line_header {
    const char *name;  /* "dl-...", not ended by NUL */
    size_t name_len;   /* bytes of it */
    const char *value; /* any bytes, not ended by NUL */
    size_t len;        /* bytes of it */
} dl_line_header;

/* What is known of a message's key.  The numbers are those of the format. */
typedef enum dl_line_key {
    DL_LINE_KEY_SAME = 0, /* the text of the declaration's key member; also
                           * of lines whose message nobody looked at */
    DL_LINE_KEY_NONE = 1, /* the message had none */
    DL_LINE_KEY_KEPT = 2, /* another one: it is in the note */
    DL_LINE_KEY_LONG = 3  /* another one of more than DL_NOTE_BYTES, lost */
} dl_line_key;

/* The note of a line.  All zero: no headers, the key is the line's. */
typedef struct dl_line_note {
    int n;                                   /* headers */
    dl_line_header headers[DL_NOTE_HEADERS]; /* in the message's order */
    dl_line_key key_kind;                    /* what is known of the key */
    const char *key;                         /* when kept: any bytes */
    size_t key_len;                          /* bytes of it, else 0 */
} dl_line_note;

/* Add HEADER to NOTE, if its name begins with "dl-" and there is room; else
 * leave it, and note that with *FULL for the headers behind it.  The texts are
 * not copied. */
void dl_line_note_add(dl_line_note *note, const dl_line_header *header,
                      bool *full);

/* Note that the message of NOTE has KEY of LEN bytes, NULL: it has none, and
 * that the line does not tell it.  The bytes are not copied. */
void dl_line_note_key(dl_line_note *note, const void *key, size_t len);

/* Set *VALUE and *LEN to the value of the last header NAME of NOTE; false: it
 * has none. */
bool dl_line_note_find(const char **value, size_t *len,
                       const dl_line_note *note, const char *name);

/* Where a message stands among those of its source, as it says itself. */
typedef struct dl_lake_position {
    const char *source; /* name, not ended by NUL; "" of a dl-change-id */
    size_t source_len;  /* bytes of it, at most DL_POSITION_SOURCE */
    uint64_t epoch;     /* counts first; 0 of a dl-change-id */
    uint64_t position;  /* increasing in a partition */
} dl_lake_position;

/* Set *POSITION to what the headers dl-change-id or dl-source-pos of NOTE say
 * (FORMAT.md 6), its text to the header's; false: neither is there in its
 * form, so the message is none that could be known to be a repeat. */
bool dl_line_note_position(dl_lake_position *position,
                           const dl_line_note *note);

#endif
