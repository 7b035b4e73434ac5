/* dl_declaration.c - The steps the readers of a declaration share.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_declaration.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_json_line.h"

dl_status(dl_decl_wrong)(const dl_decl *r, const char *pointer,
                         const char *format, ...)
{
    char text[300];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pointer = apr_pstrcat(r->pool, r->base, pointer, NULL);
    return dl_fail(r->err, DL_INVALID, 0, "%.200s:%d: %.100s %s",
                   r->source->file,
                   dl_json_line(r->source->text, r->source->len, pointer),
                   *pointer == '\0' ? "the declaration" : pointer, text);
}

const char *dl_decl_step(const dl_decl *r, const char *pointer,
                         const char *name)
{
    return apr_pstrcat(r->pool, pointer, "/", name, NULL);
}

const char *dl_decl_step_index(const dl_decl *r, const char *pointer, size_t i)
{
    /* APR does not know %zu. */
    return apr_psprintf(r->pool, "%s/%d", pointer, (int)i);
}

/* Whether KEY is one of NAMES, which have ", " between them. */
static bool is_listed(const char *names, const char *key)
{
    size_t len = strlen(key);

    while (*names != '\0') {
        size_t n = strcspn(names, ",");

        if (n == len && memcmp(names, key, len) == 0) {
            return true;
        }
        names += n + strspn(names + n, ", ");
    }
    return false;
}

dl_status dl_decl_check_members(const dl_decl *r, const json_t *value,
                                const char *pointer, const char *names)
{
    const char *key;
    json_t *member;
    json_t *object;

    if (!json_is_object(value)) {
        return dl_decl_wrong(r, pointer, "must be an object of %s", names);
    }
    /* Jansson's iterator takes no const. */
    memcpy(&object, &value, sizeof object);
    json_object_foreach(object, key, member)
    {
        if (!is_listed(names, key)) {
            return dl_decl_wrong(r, dl_decl_step(r, pointer, key),
                                 "is not known; known are %s", names);
        }
    }
    return DL_OK;
}

dl_status dl_decl_get_text(const char **text, const dl_decl *r,
                           const json_t *object, const char *pointer,
                           const char *name)
{
    const json_t *value = json_object_get(object, name);

    *text = NULL;
    if (value == NULL) {
        return DL_OK;
    }
    if (!json_is_string(value) || json_string_length(value) == 0 ||
        strlen(json_string_value(value)) != json_string_length(value)) {
        return dl_decl_wrong(r, dl_decl_step(r, pointer, name),
                             "must be a text, not empty");
    }
    *text = apr_pstrdup(r->pool, json_string_value(value));
    return DL_OK;
}

dl_status dl_decl_get_count(int *number, const dl_decl *r, const json_t *object,
                            const char *pointer, const char *name, int most)
{
    const json_t *value = json_object_get(object, name);

    if (value == NULL && *number > 0) {
        return DL_OK;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 1 ||
        json_integer_value(value) > most) {
        return dl_decl_wrong(r, dl_decl_step(r, pointer, name),
                             "must be a whole number from 1 to %d", most);
    }
    *number = (int)json_integer_value(value);
    return DL_OK;
}

dl_status dl_decl_get_word(unsigned *value, const dl_decl *r,
                           const dl_decl_word *words, const char *pointer,
                           const char *text)
{
    const char *list = "";

    for (; words->text != NULL; words++) {
        if (text != NULL && strcmp(words->text, text) == 0) {
            *value = words->value;
            return DL_OK;
        }
        list = apr_pstrcat(r->pool, list, *list == '\0' ? "" : ", ",
                           words->text, NULL);
    }
    return dl_decl_wrong(r, pointer, "must be one of %s", list);
}

bool dl_decl_column_ok(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    size_t len = strlen(name);

    return len > 0 && len <= 64 && strspn(name, allowed) == len &&
           (*name < '0' || *name > '9');
}

int dl_decl_find_column(const dl_decl *r, const char *column)
{
    for (int i = 0; i < r->ds->n_fields; i++) {
        if (r->fields[i].column != NULL &&
            strcmp(r->fields[i].column, column) == 0) {
            return i;
        }
    }
    return -1;
}
