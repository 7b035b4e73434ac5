/* dl_json_values.c - From a text to its values: check, walk, look for doubles.
 *
 * dl_json_scan has checked the grammar before the walk begins, so the walk
 * believes what it sees.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_json_values.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "dl_json_shape.h"

/* Up to so many members an object's names are compared pair by pair. */
#define FEW 16

/* What is allocated for one text. */
typedef struct block {
    void *memory;    /* the values, then the characters */
    size_t size;     /* its bytes */
    uint32_t *order; /* members sorted by name, or NULL */
} block;

/* A walk under way. */
typedef struct walk {
    const char *text;      /* the whole text */
    dl_json_value *values; /* filled so far */
    uint32_t n;            /* how many */
    char *out;             /* where the next characters go */
} walk;

static apr_status_t free_block(void *context)
{
    block *b = context;

    explicit_bzero(b->memory, b->size);
    free(b->memory);
    free(b->order);
    return APR_SUCCESS;
}

static void *allocate(size_t size)
{
    void *memory = malloc(size);

    if (memory == NULL) {
        abort(); /* as everywhere: out of memory ends the process */
    }
    return memory;
}

/* The most values the LEN bytes at TEXT can have: each but the first stands
 * behind a comma or an opening bracket. */
static size_t bound_values(const char *text, size_t len)
{
    size_t n = 1;

    for (size_t i = 0; i < len; i++) {
        n += text[i] == ',' || text[i] == '{' || text[i] == '[' ? 1 : 0;
    }
    return n < DL_JSON_MAX_VALUES ? n : DL_JSON_MAX_VALUES;
}

/* --- The walk --------------------------------------------------------------
 */

static const char *skip_space(const char *p)
{
    while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t') {
        p++;
    }
    return p;
}

/* Write what the string at P stands for; return behind its quotation mark. */
static const char *take_string(walk *w, const char **out, uint32_t *len,
                               const char *p)
{
    const char *first = ++p;
    dl_json_slice slice;

    while (*p != '"') {
        p += *p == '\\' ? 2 : 1;
    }
    slice = (dl_json_slice){
        .text = first, .len = (uint32_t)(p - first), .kind = DL_JSON_STRING};
    *out = w->out;
    *len = (uint32_t)dl_json_unescape(w->out, slice);
    w->out += *len;
    *w->out++ = '\0';
    return p + 1;
}

static const char *take_number(walk *w, dl_json_value *value, const char *p)
{
    size_t len = strspn(p, "0123456789+-.eE");

    memcpy(w->out, p, len);
    value->text = w->out;
    value->len = (uint32_t)len;
    w->out += len;
    *w->out++ = '\0';
    return p + len;
}

/* Take the value at P, of an object or array its opening bracket alone. */
static const char *take_value(walk *w, dl_json_value *value, const char *p)
{
    value->first = (uint32_t)(p - w->text);
    switch (*p) {
    case '{':
        value->kind = DL_JSON_OBJECT;
        return p + 1;
    case '[':
        value->kind = DL_JSON_ARRAY;
        return p + 1;
    case '"':
        value->kind = DL_JSON_STRING;
        return take_string(w, &value->text, &value->len, p);
    case 't':
        value->kind = DL_JSON_TRUE;
        return p + 4;
    case 'f':
        value->kind = DL_JSON_FALSE;
        return p + 5;
    case 'n':
        value->kind = DL_JSON_NULL;
        return p + 4;
    default:
        value->kind = DL_JSON_NUMBER;
        return take_number(w, value, p);
    }
}

/* Take the element at P, with its name if it is in an object. */
static const char *take_element(walk *w, uint32_t parent, const char *p)
{
    dl_json_value *value = &w->values[w->n];

    memset(value, 0, sizeof *value);
    value->parent = parent;
    if (w->n > 0 && w->values[parent].kind == DL_JSON_OBJECT) {
        value->name_first = (uint32_t)(p - w->text);
        p = take_string(w, &value->name, &value->name_len, p);
        p = skip_space(skip_space(p) + 1);
    }
    p = take_value(w, value, p);
    w->n++;
    value->end = (uint32_t)(p - w->text);
    value->next = w->n;
    return p;
}

static bool is_open(const dl_json_value *value)
{
    return value->kind == DL_JSON_OBJECT || value->kind == DL_JSON_ARRAY;
}

/* Walk the checked text of W, an object, to its end. */
static void walk_text(walk *w)
{
    const char *p = take_element(w, 0, skip_space(w->text));
    uint32_t in = 0; /* the innermost open object or array */

    for (;;) {
        p = skip_space(p);
        if (*p == '}' || *p == ']') {
            w->values[in].end = (uint32_t)(++p - w->text);
            w->values[in].next = w->n;
            if (in == 0) {
                return;
            }
            in = w->values[in].parent;
            continue;
        }
        p = take_element(w, in, skip_space(p + (*p == ',' ? 1 : 0)));
        in = is_open(&w->values[w->n - 1]) ? w->n - 1 : in;
    }
}

/* --- Doubles ---------------------------------------------------------------
 */

static int compare_members(const dl_json_value *a, const dl_json_value *b)
{
    if (a->parent != b->parent) {
        return a->parent < b->parent ? -1 : 1;
    }
    if (a->name_len != b->name_len) {
        return a->name_len < b->name_len ? -1 : 1;
    }
    return memcmp(a->name, b->name, a->name_len);
}

/* By parent and name, then by place, so that the later of two comes second. */
static int compare_order(const void *a, const void *b, void *values)
{
    const dl_json_value *first = (dl_json_value *)values + *(const uint32_t *)a;
    const dl_json_value *second =
        (dl_json_value *)values + *(const uint32_t *)b;
    int order = compare_members(first, second);

    if (order == 0) {
        return first < second ? -1 : first > second;
    }
    return order;
}

/* Return the first member of W that repeats a name, or 0, comparing all with
 * all. */
static uint32_t find_double_few(const walk *w)
{
    for (uint32_t i = 1; i < w->n; i++) {
        for (uint32_t k = 1; w->values[i].name != NULL && k < i; k++) {
            if (w->values[k].name != NULL &&
                compare_members(&w->values[k], &w->values[i]) == 0) {
                return i;
            }
        }
    }
    return 0;
}

/* The same by sorting: names chosen to collide cost nothing more. */
static uint32_t find_double_many(const walk *w, block *b)
{
    uint32_t found = 0;
    size_t n = 0;

    b->order = allocate(w->n * sizeof *b->order);
    for (uint32_t i = 1; i < w->n; i++) {
        if (w->values[i].name != NULL) {
            b->order[n++] = i;
        }
    }
    qsort_r(b->order, n, sizeof *b->order, compare_order, w->values);
    for (size_t i = 1; i < n; i++) {
        uint32_t at = b->order[i];

        if (compare_members(&w->values[b->order[i - 1]], &w->values[at]) == 0 &&
            (found == 0 || at < found)) {
            found = at;
        }
    }
    return found;
}

/* --- Calls -----------------------------------------------------------------
 */

/* Allocate for the LEN bytes at TEXT and free it with POOL. */
static block *make_block(const char *text, size_t len, size_t *n_values,
                         apr_pool_t *pool)
{
    block *b = apr_pcalloc(pool, sizeof *b);

    *n_values = bound_values(text, len);
    b->size = *n_values * sizeof(dl_json_value) + len + DL_JSON_SLACK;
    b->memory = allocate(b->size);
    apr_pool_cleanup_register(pool, b, free_block, apr_pool_cleanup_null);
    return b;
}

dl_json_fault dl_json_values_read(dl_json_values *out, const char *text,
                                  size_t len, apr_pool_t *pool)
{
    static const struct dl_json_shape nothing = {.slots = 0, .root = NULL};
    dl_json_result result = {.reason = NULL};
    dl_json_slice none;
    dl_json_fault fault;
    size_t n_values;
    uint32_t twice;
    block *b;
    walk w = {.text = text};

    memset(out, 0, sizeof *out);
    if (len > DL_JSON_MAX_BYTES) {
        out->reason = "more than 1048576 bytes";
        return DL_JSON_TOO_BIG;
    }
    b = make_block(text, len, &n_values, pool);
    w.values = b->memory;
    w.out = (char *)(w.values + n_values);
    /* The canonical line is not wanted: its room is the walk's later. */
    fault = dl_json_scan(&result, &none, &nothing, w.out, text, len);
    out->reason = result.reason;
    out->offset = result.offset;
    if (fault != DL_JSON_FINE) {
        return fault;
    }
    walk_text(&w);
    twice = w.n <= FEW ? find_double_few(&w) : find_double_many(&w, b);
    if (twice != 0) {
        out->reason = "a member name comes twice";
        out->offset = w.values[twice].name_first;
        return DL_JSON_SYNTAX;
    }
    out->values = w.values;
    out->n = w.n;
    return DL_JSON_FINE;
}

uint32_t dl_json_values_member(const dl_json_values *values, uint32_t object,
                               const char *name)
{
    size_t len = strlen(name);
    uint32_t end = values->n > object ? values->values[object].next : 0;
    uint32_t i;

    for (i = object + 1; i < end; i = values->values[i].next) {
        const dl_json_value *value = &values->values[i];

        if (value->name != NULL && value->name_len == len &&
            memcmp(value->name, name, len) == 0) {
            return i;
        }
    }
    return 0;
}
