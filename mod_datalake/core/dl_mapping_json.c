/* dl_mapping_json.c - JSON objects as records.
 *
 * With a list the columns are picked out by one scan and written as a row.
 * Without one the object is copied member by member, and those that have
 * transforms are changed where they stand.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "dl_mapping_inside.h"

/* Most bytes of a dotted name that a transform is looked for by. */
#define PATH_BYTES 1024

/* An object being copied. */
typedef struct json_copy {
    dl_mapping *m;         /* whose */
    dl_buf *out;           /* where to */
    const char *at;        /* the next byte of the canonical line */
    char path[PATH_BYTES]; /* of the object that is open, a dot behind it */
    size_t path_len;       /* bytes of it */
    int depth;             /* objects that are open inside the outermost */
} json_copy;

/* Return what stands behind the string that begins at P. */
static const char *behind_string(const char *p)
{
    for (p++; *p != '"'; p++) {
        if (*p == '\\') {
            p++;
        }
    }
    return p + 1;
}

/* Return what stands behind the value that begins at P, of a canonical line:
 * it is well-formed and has no white space. */
static const char *behind_value(const char *p)
{
    int depth = 0;

    do {
        if (*p == '"') {
            p = behind_string(p);
            continue;
        }
        if (*p == '{' || *p == '[') {
            depth++;
        }
        else if (*p == '}' || *p == ']') {
            depth--;
        }
        p++;
    } while (depth > 0 || (*p != ',' && *p != '}' && *p != ']' && *p != ':'));
    return p;
}

/* Set *RULE to that of the LEN bytes at NAME in the open object, else NULL;
 * return whether a rule is of something in it. */
static bool look_up(dl_mapping_rule **rule, const json_copy *c,
                    const char *name, size_t len)
{
    size_t whole = c->path_len + len;
    bool inside = false;

    *rule = NULL;
    for (int i = 0; i < c->m->n; i++) {
        const char *member = c->m->rules[i].member;

        if (strncmp(member, c->path, c->path_len) != 0 ||
            strncmp(member + c->path_len, name, len) != 0) {
            continue;
        }
        if (member[whole] == '\0') {
            *rule = &c->m->rules[i];
        }
        inside = inside || member[whole] == '.';
    }
    return inside && whole + 1 < PATH_BYTES && c->depth < DL_MAPPING_DEPTH;
}

/* Append ,"NAME": of LEN bytes, as they stand in JSON, to C's output. */
static dl_status put_raw_name(const json_copy *c, const char *name, size_t len,
                              dl_error *err)
{
    DL_TRY(dl_mapping_put_name(c->out, ",\"", 2, err));
    DL_TRY(dl_buf_append(c->out, name, len, err));
    return dl_buf_append(c->out, "\":", 2, err);
}

/* Append the member NAME of LEN bytes, changed as RULE says; VALUE is what it
 * has. */
static dl_status put_changed(const json_copy *c, dl_mapping_rule *rule,
                             const char *name, size_t len, dl_cell value,
                             dl_error *err)
{
    const char *other = dl_transform_name(rule->transform);

    rule->seen = true;
    if (dl_transform_drops(rule->transform)) {
        return DL_OK;
    }
    c->m->room->len = 0;
    if (dl_transform_apply(&value, rule->transform, c->m->room, err) != DL_OK) {
        return dl_wrap(err, "%s", rule->member);
    }
    DL_TRY(put_raw_name(c, other == NULL ? name : other,
                        other == NULL ? len : strlen(other), err));
    return dl_mapping_put(c->out, &value, err);
}

/* Append the constants of the open object that it did not have. */
static dl_status put_constants(json_copy *c, dl_error *err)
{
    for (int i = 0; i < c->m->n; i++) {
        dl_mapping_rule *rule = &c->m->rules[i];
        dl_cell nothing = {NULL, 0, DL_CELL_ABSENT};
        const char *name;

        if (rule->seen || !dl_transform_gives(rule->transform) ||
            strncmp(rule->member, c->path, c->path_len) != 0) {
            continue;
        }
        name = rule->member + c->path_len;
        if (strchr(name, '.') == NULL) {
            DL_TRY(put_changed(c, rule, name, strlen(name), nothing, err));
        }
    }
    return DL_OK;
}

static dl_status copy_object(json_copy *c, dl_error *err);

/* Copy the object that is the member NAME of LEN bytes. */
static dl_status copy_inner(json_copy *c, const char *name, size_t len,
                            dl_error *err)
{
    size_t before = c->path_len;

    DL_TRY(put_raw_name(c, name, len, err));
    memcpy(c->path + before, name, len);
    c->path[before + len] = '.';
    c->path_len = before + len + 1;
    c->depth++;
    DL_TRY(copy_object(c, err));
    c->depth--;
    c->path_len = before;
    return DL_OK;
}

/* Copy the next member of the open object. */
static dl_status copy_member(json_copy *c, dl_error *err)
{
    const char *name = c->at + 1;
    const char *value = behind_string(c->at) + 1;
    size_t len = (size_t)(value - name) - 2;
    dl_mapping_rule *rule;
    bool inside = look_up(&rule, c, name, len);

    if (rule == NULL && inside && *value == '{') {
        c->at = value;
        return copy_inner(c, name, len, err);
    }
    c->at = behind_value(value);
    if (rule != NULL) {
        dl_cell cell = dl_cell_json(value, (size_t)(c->at - value));

        cell.kind = *value == 'n' ? DL_CELL_NULL : cell.kind;
        return put_changed(c, rule, name, len, cell, err);
    }
    DL_TRY(put_raw_name(c, name, len, err));
    return dl_buf_append(c->out, value, (size_t)(c->at - value), err);
}

/* Copy the object that begins at C->at. */
static dl_status copy_object(json_copy *c, dl_error *err)
{
    DL_TRY(dl_buf_append(c->out, "{", 1, err));
    while (*c->at != '}') {
        c->at++; /* the brace, or a comma */
        if (*c->at == '"') {
            DL_TRY(copy_member(c, err));
        }
    }
    c->at++;
    DL_TRY(put_constants(c, err));
    return dl_buf_append(c->out, "}", 1, err);
}

/* Append the object LINE, whose members are all kept. */
static dl_status copy_all(dl_buf *out, dl_mapping *m,
                          const dl_json_result *line, dl_error *err)
{
    json_copy c = {.m = m, .out = out, .at = line->line};

    for (int i = 0; i < m->n; i++) {
        m->rules[i].seen = false;
    }
    return copy_object(&c, err);
}

/* Append the object whose columns were picked out to the slots of M. */
static dl_status write_picked(dl_buf *out, dl_mapping *m, dl_error *err)
{
    for (int i = 0; i < m->n_columns; i++) {
        const dl_json_slice *slice = &m->slots[i];
        size_t quotes = slice->kind == DL_JSON_STRING ? 1 : 0;

        if (slice->kind == DL_JSON_ABSENT || slice->kind == DL_JSON_NULL) {
            m->cells[i].kind =
                slice->kind == DL_JSON_NULL ? DL_CELL_NULL : DL_CELL_ABSENT;
            continue;
        }
        m->cells[i] =
            dl_cell_json(slice->text - quotes, slice->len + 2 * quotes);
    }
    return dl_mapping_write_row(out, m->plan, m->cells, err);
}

dl_status dl_mapping_write_json(dl_buf *out, dl_mapping *mapping,
                                const char *json, size_t len, dl_error *err)
{
    size_t before = out->len;
    dl_json_result line;
    dl_status status;

    if (mapping->shape == NULL) {
        return dl_fail(err, DL_INVALID, 0,
                       "no object has members of the names mapped");
    }
    if (len > DL_JSON_MAX_BYTES) {
        return dl_fail(err, DL_INVALID, 0, "the object has %zu bytes", len);
    }
    mapping->scratch->len = 0;
    DL_TRY(dl_buf_reserve(mapping->scratch, len + DL_JSON_SLACK, err));
    if (dl_json_scan(&line, mapping->slots, mapping->shape,
                     mapping->scratch->data, json, len) != DL_JSON_FINE) {
        return dl_fail(err, DL_INVALID, 0, "byte %u: %s", line.offset,
                       line.reason);
    }
    status = mapping->equal ? copy_all(out, mapping, &line, err)
                            : write_picked(out, mapping, err);
    if (status != DL_OK) {
        out->len = before;
    }
    return status;
}
