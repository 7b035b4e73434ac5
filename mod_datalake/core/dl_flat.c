/* dl_flat.c - The walk over a flat object.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_flat.h"

#include <string.h>

static void skip_blanks(dl_flat *walk)
{
    while (walk->at < walk->end && (*walk->at == ' ' || *walk->at == '\t' ||
                                    *walk->at == '\r' || *walk->at == '\n')) {
        walk->at++;
    }
}

/* Take the character C when it comes next, after blanks. */
static bool take(dl_flat *walk, char c)
{
    skip_blanks(walk);
    if (walk->at == walk->end || *walk->at != c) {
        return false;
    }
    walk->at++;
    return true;
}

static bool take_string(dl_flat_slice *out, dl_flat *walk)
{
    if (!take(walk, '"')) {
        return false;
    }
    out->text = walk->at;
    while (walk->at < walk->end && *walk->at != '"') {
        if (*walk->at < 0x20 || *walk->at > 0x7e || *walk->at == '\\') {
            return false;
        }
        walk->at++;
    }
    out->len = (size_t)(walk->at - out->text);
    return take(walk, '"');
}

static size_t take_digits(dl_flat *walk)
{
    const char *start = walk->at;

    while (walk->at < walk->end && *walk->at >= '0' && *walk->at <= '9') {
        walk->at++;
    }
    return (size_t)(walk->at - start);
}

static bool take_number(dl_flat_slice *out, dl_flat *walk)
{
    const char *first;
    size_t whole;

    out->text = walk->at;
    if (*walk->at == '-') {
        walk->at++;
    }
    first = walk->at;
    whole = take_digits(walk);
    if (whole == 0 || (whole > 1 && *first == '0')) {
        return false;
    }
    if (walk->at < walk->end && *walk->at == '.') {
        walk->at++;
        if (take_digits(walk) == 0) {
            return false;
        }
    }
    out->len = (size_t)(walk->at - out->text);
    return true;
}

static bool take_literal(dl_flat_slice *out, dl_flat *walk)
{
    static const char *const literals[] = {"true", "false", "null"};
    size_t left = (size_t)(walk->end - walk->at);

    for (size_t i = 0; i < sizeof literals / sizeof literals[0]; i++) {
        size_t len = strlen(literals[i]);

        if (left >= len && memcmp(walk->at, literals[i], len) == 0) {
            out->text = walk->at;
            out->len = len;
            walk->at += len;
            return true;
        }
    }
    return false;
}

static bool take_value(dl_flat_member *member, dl_flat *walk)
{
    skip_blanks(walk);
    if (walk->at == walk->end) {
        return false;
    }
    if (*walk->at == '"') {
        member->kind = DL_FLAT_STRING;
        return take_string(&member->value, walk);
    }
    if (*walk->at == '-' || (*walk->at >= '0' && *walk->at <= '9')) {
        member->kind = DL_FLAT_NUMBER;
        return take_number(&member->value, walk);
    }
    member->kind = DL_FLAT_LITERAL;
    return take_literal(&member->value, walk);
}

/* Note NAME; false when it came before or there are too many. */
static bool note_name(dl_flat *walk, dl_flat_slice name)
{
    for (int i = 0; i < walk->n; i++) {
        if (walk->names[i].len == name.len &&
            memcmp(walk->names[i].text, name.text, name.len) == 0) {
            return false;
        }
    }
    if (walk->n == DL_FLAT_MEMBERS) {
        return false;
    }
    walk->names[walk->n++] = name;
    return true;
}

void dl_flat_open(dl_flat *walk, const char *text, size_t len)
{
    walk->at = text;
    walk->end = text + len;
    walk->n = 0;
    walk->ended = false;
}

bool dl_flat_next(dl_flat_member *member, dl_flat *walk)
{
    bool first = walk->n == 0;

    if (first && !take(walk, '{')) {
        return false;
    }
    if (take(walk, '}')) {
        skip_blanks(walk);
        walk->ended = walk->at == walk->end;
        return false;
    }
    if (!first && !take(walk, ',')) {
        return false;
    }
    return take_string(&member->name, walk) && take(walk, ':') &&
           take_value(member, walk) && note_name(walk, member->name);
}

bool dl_flat_ended(const dl_flat *walk)
{
    return walk->ended;
}

bool dl_flat_equals(dl_flat_slice slice, const char *text)
{
    return slice.text != NULL && slice.len == strlen(text) &&
           memcmp(slice.text, text, slice.len) == 0;
}
