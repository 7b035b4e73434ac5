/* dl_form.h - Fields of an application/x-www-form-urlencoded body.
 *
 *   name=value&name=value
 *
 * In both '+' is a space and %XX a byte.  Nothing else is special; a field
 * without '=' has an empty value, empty fields ("&&") are skipped.  Values may
 * hold a NUL, so lengths count.
 *
 * Thread: the owner of the form, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_FORM_H
#define DL_FORM_H

#include <stdbool.h>
#include <stddef.h>

/* Most fields of a form. */
#define DL_FORM_FIELDS 64

/* A walk over a form. */
typedef struct dl_form {
    const char *at;  /* the next byte to read */
    const char *end; /* behind the last one */
    char *out;       /* where decoded bytes go; the caller's */
    int n;           /* fields so far */
} dl_form;

/* One field, decoded; each text ends with a NUL that is not counted. */
typedef struct dl_form_field {
    const char *name; /* valid UTF-8 */
    size_t name_len;  /* its bytes */
    const char *text; /* valid UTF-8 */
    size_t len;       /* its bytes */
} dl_form_field;

/* What came of a step. */
typedef enum dl_form_step {
    DL_FORM_FIELD,    /* a field */
    DL_FORM_END,      /* there is none left */
    DL_FORM_ESCAPE,   /* a % that begins no escape */
    DL_FORM_ENCODING, /* bytes that are not UTF-8 */
    DL_FORM_TOO_MANY  /* more than DL_FORM_FIELDS */
} dl_form_step;

/* Begin a walk over the LEN bytes at TEXT; decoded bytes go to OUT, which has
 * room for LEN + 2 bytes and lives as long as the fields. */
void dl_form_begin(dl_form *form, const char *text, size_t len, char *out);

/* Set FIELD to the next field of FORM.  After anything but DL_FORM_FIELD the
 * walk is over. */
dl_form_step dl_form_next(dl_form_field *field, dl_form *form);

#endif
