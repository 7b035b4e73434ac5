/* dl_transform.c - What is done to a value between its source and a record.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_transform.h"

#include <string.h>

#include <apr_strings.h>

#include "dl_date.h"
#include "dl_decimal.h"
#include "dl_fold.h"
#include "dl_json.h"
#include "dl_utf8.h"

/* A kind of step. */
typedef enum step_kind {
    STEP_TRIM,
    STEP_UPPER,
    STEP_LOWER,
    STEP_DATE,
    STEP_DECIMAL,
    STEP_CONSTANT,
    STEP_RENAME,
    STEP_DROP,
    STEP_NONE /* behind the last */
} step_kind;

/* How a step is written, in the order of step_kind; what takes a word behind
 * it ends with a space. */
static const char *const words[] = {"trim",    "upper",         "lower",
                                    "date ",   "decimal comma", "constant ",
                                    "rename ", "drop"};

/* One step. */
typedef struct transform_step {
    step_kind kind;   /* what is done */
    const char *text; /* of date: the format; of constant: the value */
    const char *to;   /* of date: the format that is written */
} transform_step;

struct dl_transform {
    int n;                                    /* steps */
    transform_step steps[DL_TRANSFORM_STEPS]; /* those that change a value */
    const char *name;                         /* of rename, or NULL */
    bool drops;                               /* there is a drop */
    bool gives;                               /* there is a constant */
};

/* --- Reading a list ------------------------------------------------------- */

/* Set *KIND to the kind of the step that TEXT is, and return what stands
 * behind its word; NULL: it is none. */
static const char *step_of(step_kind *kind, const char *text)
{
    for (int i = 0; i < STEP_NONE; i++) {
        size_t len = strlen(words[i]);

        if (strncmp(text, words[i], len) != 0) {
            continue;
        }
        if (words[i][len - 1] == ' ' || text[len] == '\0') {
            *kind = (step_kind)i;
            return text + len;
        }
    }
    return NULL;
}

/* Set the formats of STEP from TEXT, "FORMAT" or "FORMAT to FORMAT". */
static dl_status read_date(transform_step *step, const char *text,
                           dl_error *err, apr_pool_t *pool)
{
    const char *to = strstr(text, " to ");
    const char *from =
        to == NULL ? text : apr_pstrmemdup(pool, text, (apr_size_t)(to - text));
    dl_date_parts parts;
    dl_date_parts written;

    if (!dl_date_format_check(&parts, from) || !parts.day) {
        return dl_fail(err, DL_INVALID, 0,
                       "date %s: must name year, month and day by %%Y, %%m, "
                       "%%d, %%b, ... or %%s",
                       from);
    }
    if (to == NULL) {
        step->to = parts.zone    ? "%Y-%m-%dT%H:%M:%S.%fZ"
                   : parts.clock ? "%Y-%m-%d %H:%M:%S"
                                 : "%Y-%m-%d";
    }
    else {
        step->to = to + 4;
        if (!dl_date_format_check(&written, step->to)) {
            return dl_fail(err, DL_INVALID, 0, "date to %s: is no format",
                           step->to);
        }
    }
    step->text = from;
    return DL_OK;
}

/* Add the step TEXT to T. */
static dl_status add_step(dl_transform *t, const char *text, dl_error *err,
                          apr_pool_t *pool)
{
    transform_step step = {STEP_NONE, NULL, NULL};
    const char *rest = step_of(&step.kind, text);

    if (rest == NULL) {
        return dl_fail(err, DL_INVALID, 0,
                       "%s: must be trim, upper, lower, date FORMAT, decimal "
                       "comma, constant TEXT, rename NAME or drop",
                       text);
    }
    if (step.kind == STEP_DROP) {
        t->drops = true;
        return DL_OK;
    }
    if (step.kind == STEP_RENAME) {
        t->name = rest;
        return *rest != '\0' && strchr(rest, '.') == NULL
                   ? DL_OK
                   : dl_fail(err, DL_INVALID, 0,
                             "rename %s: must be a name without dots", rest);
    }
    if (step.kind == STEP_DATE) {
        DL_TRY(read_date(&step, rest, err, pool));
    }
    if (step.kind == STEP_CONSTANT) {
        t->gives = true;
        step.text = rest;
    }
    if (t->n == DL_TRANSFORM_STEPS) {
        return dl_fail(err, DL_INVALID, 0, "more than %d steps",
                       DL_TRANSFORM_STEPS);
    }
    t->steps[t->n++] = step;
    return DL_OK;
}

dl_status dl_transform_parse(const dl_transform **transform, const char *list,
                             dl_error *err, apr_pool_t *pool)
{
    dl_transform *t = apr_pcalloc(pool, sizeof *t);
    const char *at = list;

    *transform = t;
    do {
        const char *end;
        size_t len;

        at += strspn(at, " \t");
        end =
            strncmp(at, words[STEP_CONSTANT], strlen(words[STEP_CONSTANT])) == 0
                ? NULL
                : strchr(at, ',');
        len = end == NULL ? strlen(at) : (size_t)(end - at);
        while (end != NULL && len > 0 && at[len - 1] == ' ') {
            len--;
        }
        DL_TRY(add_step(t, apr_pstrmemdup(pool, at, len), err, pool));
        at = end == NULL ? NULL : end + 1;
    } while (at != NULL);
    return DL_OK;
}

bool dl_transform_drops(const dl_transform *transform)
{
    return transform->drops;
}

bool dl_transform_gives(const dl_transform *transform)
{
    return transform->gives;
}

const char *dl_transform_name(const dl_transform *transform)
{
    return transform->name;
}

/* --- Changing a value ----------------------------------------------------- */

/* Make room for MORE bytes in ROOM, in which the text of CELL may lie. */
static dl_status make_room(dl_cell *cell, dl_buf *room, size_t more,
                           dl_error *err)
{
    bool inside = room->data != NULL && cell->text >= room->data &&
                  cell->text <= room->data + room->len;
    size_t at = inside ? (size_t)(cell->text - room->data) : 0;

    DL_TRY(dl_buf_reserve(room, more, err));
    if (inside) {
        cell->text = room->data + at;
    }
    return DL_OK;
}

/* Return how many bytes of white space TEXT of LEN bytes begins with; a space
 * that does not break counts. */
static size_t space_before(const char *text, size_t len)
{
    size_t n = 0;

    while (n < len) {
        if (strchr(" \t\r\n\v\f", text[n]) != NULL && text[n] != '\0') {
            n++;
        }
        else if (len - n >= 2 && memcmp(text + n, "\xC2\xA0", 2) == 0) {
            n += 2;
        }
        else {
            break;
        }
    }
    return n;
}

/* Likewise, at its end. */
static size_t space_behind(const char *text, size_t len)
{
    size_t n = 0;

    while (n < len) {
        const char *last = text + len - n - 1;

        if (strchr(" \t\r\n\v\f", *last) != NULL && *last != '\0') {
            n++;
        }
        else if (len - n >= 2 && memcmp(last - 1, "\xC2\xA0", 2) == 0) {
            n += 2;
        }
        else {
            break;
        }
    }
    return n;
}

static void trim(dl_cell *cell)
{
    size_t before = space_before(cell->text, cell->len);

    cell->text += before;
    cell->len -= before;
    cell->len -= space_behind(cell->text, cell->len);
}

/* Return the capital letter of CODE: the first of those that fold to it, past
 * two that are none (micro, iota below); sharp s has none. */
static uint32_t to_upper(uint32_t code)
{
    uint32_t from[DL_FOLD_ORIGINS];
    int n = dl_fold_origins(from, code);
    int i = n > 2 && (from[1] == 0xB5 || from[1] == 0x345) ? 2 : 1;

    return n < 2 || code == 0xDF ? code : from[i];
}

/* Write all letters of CELL anew, as capitals when UPPER. */
static dl_status change_case(dl_cell *cell, bool upper, dl_buf *room,
                             dl_error *err)
{
    size_t start = room->len;
    size_t i = 0;

    /* A letter of one byte may become one of three, and so on. */
    DL_TRY(make_room(cell, room, 4 * cell->len + 4, err));
    while (i < cell->len) {
        const unsigned char *p = (const unsigned char *)cell->text + i;
        size_t width = dl_utf8_check(p, cell->len - i);
        uint32_t code;

        if (width == 0) {
            return dl_fail(err, DL_INVALID, 0, "the text is not UTF-8");
        }
        code = dl_utf8_decode(p, width);
        code = upper ? to_upper(code) : dl_fold(code);
        room->len += dl_utf8_encode(room->data + room->len, code);
        i += width;
    }
    *cell = dl_cell_text(room->data + start, room->len - start);
    return DL_OK;
}

/* Write the date in CELL as STEP says. */
static dl_status change_date(dl_cell *cell, const transform_step *step,
                             dl_buf *room, dl_error *err)
{
    char text[DL_DATE_TEXT];
    dl_time t;
    size_t len;

    if (!dl_date_parse(&t, cell->text, cell->len, step->text)) {
        return dl_fail(err, DL_INVALID, 0, "the value is no date %s",
                       step->text);
    }
    len = dl_date_format(text, t, step->to);
    DL_TRY(dl_buf_append(room, text, len, err));
    *cell = dl_cell_text(room->data + room->len - len, len);
    return DL_OK;
}

/* Write the number 1.234,56 in CELL as 1234.56. */
static dl_status change_decimal(dl_cell *cell, dl_buf *room, dl_error *err)
{
    const char *comma = memchr(cell->text, ',', cell->len);
    size_t whole = comma == NULL ? cell->len : (size_t)(comma - cell->text);
    size_t start = room->len;
    size_t i = 0;

    DL_TRY(make_room(cell, room, cell->len + 1, err));
    while (i < cell->len) {
        char c = cell->text[i];
        size_t group = i < whole ? space_before(cell->text + i, whole - i) : 0;

        if (group > 0 || (i < whole && (c == '.' || c == '\''))) {
            i += group > 0 ? group : 1;
            continue;
        }
        room->data[room->len++] = (char)(i == whole ? '.' : c);
        i++;
    }
    *cell = dl_cell_text(room->data + start, room->len - start);
    if (!dl_decimal_is_number(cell->text, cell->len)) {
        return dl_fail(err, DL_INVALID, 0,
                       "the value is no number with a comma");
    }
    return DL_OK;
}

/* Make a text of the JSON string in CELL, and of a number.  Return whether it
 * is one now. */
static dl_status take_text(bool *text, dl_cell *cell, dl_buf *room,
                           dl_error *err)
{
    dl_json_slice slice;

    *text = cell->kind == DL_CELL_TEXT;
    if (cell->kind != DL_CELL_JSON || cell->len == 0) {
        return DL_OK;
    }
    if (*cell->text != '"') {
        *text =
            *cell->text == '-' || (*cell->text >= '0' && *cell->text <= '9');
        return DL_OK;
    }
    DL_TRY(make_room(cell, room, cell->len, err));
    slice = (dl_json_slice){.text = cell->text + 1,
                            .len = (uint32_t)cell->len - 2,
                            .kind = DL_JSON_STRING,
                            .escaped = 1};
    *cell = dl_cell_text(room->data + room->len,
                         dl_json_unescape(room->data + room->len, slice));
    room->len += cell->len;
    *text = true;
    return DL_OK;
}

/* Do STEP to CELL, which is a text. */
static dl_status do_step(dl_cell *cell, const transform_step *step,
                         dl_buf *room, dl_error *err)
{
    switch (step->kind) {
    case STEP_TRIM:
        trim(cell);
        return DL_OK;
    case STEP_UPPER:
    case STEP_LOWER:
        return change_case(cell, step->kind == STEP_UPPER, room, err);
    case STEP_DATE:
        return cell->len == 0 ? DL_OK : change_date(cell, step, room, err);
    case STEP_DECIMAL:
        return cell->len == 0 ? DL_OK : change_decimal(cell, room, err);
    case STEP_CONSTANT:
    case STEP_RENAME:
    case STEP_DROP:
    case STEP_NONE:
        break;
    }
    return DL_OK;
}

dl_status dl_transform_apply(dl_cell *cell, const dl_transform *transform,
                             dl_buf *room, dl_error *err)
{
    for (int i = 0; i < transform->n; i++) {
        const transform_step *step = &transform->steps[i];
        bool text;

        if (step->kind == STEP_CONSTANT) {
            *cell = dl_cell_text(step->text, strlen(step->text));
            continue;
        }
        DL_TRY(take_text(&text, cell, room, err));
        if (text) {
            DL_TRY(do_step(cell, step, room, err));
        }
    }
    return DL_OK;
}
