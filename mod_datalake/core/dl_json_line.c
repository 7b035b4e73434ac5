/* dl_json_line.c - Walk valid JSON to a pointer and count lines.
 *
 * The text was accepted by a parser; a walker that meets nonsense stops at
 * the end of the text.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_json_line.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Where the walk is. */
typedef struct walk {
    const char *p;   /* the next byte */
    const char *end; /* behind the last one */
} walk;

static void skip_space(walk *w)
{
    while (w->p < w->end && strchr(" \t\r\n", *w->p) != NULL && *w->p != '\0') {
        w->p++;
    }
}

static void skip_string(walk *w)
{
    w->p++;
    while (w->p < w->end && *w->p != '"') {
        w->p += *w->p == '\\' && w->end - w->p > 1 ? 2 : 1;
    }
    w->p += w->p < w->end ? 1 : 0;
}

/* Skip one value of any kind. */
static void skip_value(walk *w)
{
    int depth = 0;

    do {
        skip_space(w);
        if (w->p == w->end) {
            return;
        }
        if (*w->p == '"') {
            skip_string(w);
        }
        else if (*w->p == '{' || *w->p == '[') {
            depth++;
            w->p++;
        }
        else if (*w->p == '}' || *w->p == ']') {
            depth--;
            w->p++;
        }
        else if (*w->p == ',' || *w->p == ':') {
            w->p++;
        }
        else {
            /* strchr finds a NUL too: an ordinary byte here. */
            while (w->p < w->end &&
                   (*w->p == '\0' || strchr(",:]} \t\r\n", *w->p) == NULL)) {
                w->p++;
            }
        }
    } while (depth > 0);
}

/* Stand on the value of member NAME (LEN bytes) of the object at W and set
 * *BEGIN to its name; false: it has none. */
static bool enter_member(walk *w, const char **begin, const char *name,
                         size_t len)
{
    w->p++;
    for (;;) {
        skip_space(w);
        if (w->p == w->end || *w->p != '"') {
            return false;
        }
        *begin = w->p;
        skip_string(w);
        bool same = (size_t)(w->p - *begin) == len + 2 &&
                    memcmp(*begin + 1, name, len) == 0;
        skip_space(w);
        w->p += w->p < w->end ? 1 : 0;
        skip_space(w);
        if (same) {
            return true;
        }
        skip_value(w);
        skip_space(w);
        w->p += w->p < w->end && *w->p == ',' ? 1 : 0;
    }
}

/* Stand on element INDEX of the array at W; false: it has none. */
static bool enter_element(walk *w, const char **begin, long index)
{
    w->p++;
    for (;; index--) {
        skip_space(w);
        if (w->p == w->end || *w->p == ']') {
            return false;
        }
        *begin = w->p;
        if (index <= 0) {
            return true;
        }
        skip_value(w);
        skip_space(w);
        w->p += w->p < w->end && *w->p == ',' ? 1 : 0;
    }
}

static int count_lines(const char *text, const char *until)
{
    int line = 1;

    for (; text < until; text++) {
        line += *text == '\n' ? 1 : 0;
    }
    return line;
}

int dl_json_line(const char *text, size_t len, const char *pointer)
{
    walk w = {.p = text, .end = text + len};
    const char *begin;
    bool there = true;

    skip_space(&w);
    begin = w.p;
    while (there && *pointer == '/' && w.p < w.end) {
        const char *name = pointer + 1;
        size_t n = strcspn(name, "/");
        const char *found = begin;

        there = false;
        if (*w.p == '{') {
            there = enter_member(&w, &found, name, n);
        }
        else if (*w.p == '[') {
            there = enter_element(&w, &found, strtol(name, NULL, 10));
        }
        begin = there ? found : begin;
        pointer = name + n;
    }
    return count_lines(text, begin);
}
