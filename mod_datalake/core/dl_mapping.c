/* dl_mapping.c - From the columns of a source to the members of a record:
 * rules, and the tree they make.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_mapping.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_json_write.h"
#include "dl_mapping_inside.h"
#include "dl_utf8.h"

/* --- Rules ---------------------------------------------------------------- */

/* Return whether PATH is names joined by dots, none of them empty, at most
 * DL_MAPPING_DEPTH. */
static bool path_ok(const char *path)
{
    int names = 1;
    const char *p;

    for (p = path; *p != '\0'; p++) {
        if (*p == '.') {
            names++;
        }
        if (*p == '.' && (p == path || p[-1] == '.' || p[1] == '\0')) {
            return false;
        }
    }
    return p > path && names <= DL_MAPPING_DEPTH;
}

/* Return the bytes from TEXT to END, without white space around them. */
static const char *trimmed(const char *text, const char *end, apr_pool_t *pool)
{
    while (text < end && isspace((unsigned char)*text)) {
        text++;
    }
    while (end > text && isspace((unsigned char)end[-1])) {
        end--;
    }
    return apr_pstrmemdup(pool, text, (apr_size_t)(end - text));
}

/* Return the rule of MEMBER, or NULL. */
static dl_mapping_rule *find_rule(const dl_mapping *m, const char *member)
{
    for (int i = 0; i < m->n; i++) {
        if (strcmp(m->rules[i].member, member) == 0) {
            return &m->rules[i];
        }
    }
    return NULL;
}

/* Whether NAME stands in JSON as it is: text without quotation marks,
 * backslashes and control characters. */
static dl_status check_name(const char *name, dl_error *err)
{
    bool plain = dl_utf8_check_text(name, strlen(name));

    for (const char *at = name; *at != '\0'; at++) {
        plain = plain && (unsigned char)*at >= 0x20 && *at != '"' &&
                *at != '\\' && *at != 0x7F;
    }
    return plain ? DL_OK
                 : dl_fail(err, DL_INVALID, 0,
                           "a name of a member has no quotation marks, "
                           "backslashes and control characters, and is UTF-8");
}

/* Add the rule that MEMBER comes from COLUMN and set *RULE to it. */
static dl_status add_rule(dl_mapping_rule **rule, dl_mapping *m,
                          const char *member, const char *column, dl_error *err)
{
    if (!path_ok(member)) {
        return dl_fail(err, DL_INVALID, 0,
                       "%s: a member must be names joined by dots", member);
    }
    DL_TRY(check_name(member, err));
    if (find_rule(m, member) != NULL) {
        return dl_fail(err, DL_INVALID, 0, "member %s comes twice", member);
    }
    if (m->n == DL_MAPPING_MEMBERS) {
        return dl_fail(err, DL_LIMIT, 0, "more than %d members",
                       DL_MAPPING_MEMBERS);
    }
    *rule = &m->rules[m->n++];
    **rule = (dl_mapping_rule){.member = member, .column = column};
    return DL_OK;
}

/* Read the comma list LIST of "member = column". */
static dl_status read_list(dl_mapping *m, const char *list, dl_error *err,
                           apr_pool_t *pool)
{
    while (list != NULL) {
        const char *comma = strchr(list, ',');
        const char *end = comma == NULL ? list + strlen(list) : comma;
        const char *equals = memchr(list, '=', (size_t)(end - list));
        const char *member = trimmed(list, equals == NULL ? end : equals, pool);
        const char *column =
            equals == NULL ? member : trimmed(equals + 1, end, pool);
        dl_mapping_rule *rule;

        if (*column == '\0') {
            return dl_fail(err, DL_INVALID, 0,
                           "must be a comma list of member = column");
        }
        DL_TRY(add_rule(&rule, m, member, column, err));
        list = comma == NULL ? NULL : comma + 1;
    }
    return DL_OK;
}

/* Read TRANSFORM. */
static dl_status read_transform(dl_mapping *m,
                                const dl_mapping_transform *transform,
                                dl_error *err, apr_pool_t *pool)
{
    dl_mapping_rule *rule = find_rule(m, transform->member);
    const dl_transform *t;

    if (dl_transform_parse(&t, transform->list, err, pool) != DL_OK ||
        (dl_transform_name(t) != NULL &&
         check_name(dl_transform_name(t), err) != DL_OK)) {
        return dl_wrap(err, "transform.%s", transform->member);
    }
    if (rule == NULL && !m->equal && !dl_transform_gives(t)) {
        return dl_fail(err, DL_INVALID, 0,
                       "transform.%s: the mapping has no such member",
                       transform->member);
    }
    if (rule == NULL &&
        add_rule(&rule, m, transform->member, NULL, err) != DL_OK) {
        return dl_wrap(err, "transform.%s", transform->member);
    }
    assert(rule != NULL);
    if (rule->transform != NULL) {
        return dl_fail(err, DL_INVALID, 0, "transform.%s: comes twice",
                       transform->member);
    }
    rule->transform = t;
    return DL_OK;
}

/* --- The tree ------------------------------------------------------------- */

/* One value of a record. */
typedef struct map_leaf {
    const char *member;            /* its dotted name */
    bool whole;                    /* it is one name, dots and all */
    int column;                    /* where it comes from, -1: nowhere */
    const dl_transform *transform; /* or NULL */
} map_leaf;

/* Return a new node of NAME. */
static dl_mapping_node *make_node(const char *name, apr_pool_t *pool)
{
    dl_mapping_node *node = apr_pcalloc(pool, sizeof *node);
    /* An escaped byte has six. */
    dl_buf *prefix = dl_buf_create(6 * strlen(name) + 8, pool);
    dl_json_writer w;

    dl_json_writer_begin(&w, prefix);
    dl_json_write_array_begin(&w);
    dl_json_write_string(&w, name, strlen(name));
    dl_json_write_array_end(&w);
    prefix->data[0] = ',';
    prefix->data[prefix->len - 1] = ':';
    node->name = apr_pstrdup(pool, name);
    node->prefix = apr_pstrmemdup(pool, prefix->data, prefix->len);
    node->prefix_len = prefix->len;
    node->column = -1;
    return node;
}

/* Return where NAME is in the list AT, or where it would be added. */
static dl_mapping_node **find_node(dl_mapping_node **at, const char *name)
{
    while (*at != NULL && strcmp((*at)->name, name) != 0) {
        at = &(*at)->next;
    }
    return at;
}

/* Return the last name of LEAF, or its new one. */
static const char *last_name(const map_leaf *leaf, const char *name)
{
    const char *other =
        leaf->transform == NULL ? NULL : dl_transform_name(leaf->transform);

    return other == NULL ? name : other;
}

/* Add LEAF to the tree of PLAN. */
static dl_status add_leaf(dl_mapping_plan *plan, const map_leaf *leaf,
                          dl_error *err, apr_pool_t *pool)
{
    dl_mapping_node **at = &plan->first;
    const char *rest = leaf->member;
    const char *dot;

    while (!leaf->whole && (dot = strchr(rest, '.')) != NULL) {
        const char *name = apr_pstrmemdup(pool, rest, (apr_size_t)(dot - rest));

        at = find_node(at, name);
        if (*at == NULL) {
            *at = make_node(name, pool);
        }
        else if ((*at)->child == NULL) {
            return dl_fail(err, DL_INVALID, 0,
                           "%s: is a value and an object at once", rest);
        }
        at = &(*at)->child;
        rest = dot + 1;
    }
    at = find_node(at, last_name(leaf, rest));
    if (*at != NULL) {
        return dl_fail(err, DL_INVALID, 0, "member %s comes twice",
                       leaf->member);
    }
    *at = make_node(last_name(leaf, rest), pool);
    (*at)->column = leaf->column;
    (*at)->transform = leaf->transform;
    return DL_OK;
}

/* Return the number of the column NAME, -1: there is none. */
static int find_column(const dl_mapping_columns *columns, const char *name)
{
    for (int i = 0; name != NULL && i < columns->n; i++) {
        if (strcmp(columns->names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

/* Add what the rules of a list say of COLUMNS. */
static dl_status bind_list(dl_mapping_plan *plan, const char **missing,
                           const dl_mapping_columns *columns, dl_error *err,
                           apr_pool_t *pool)
{
    const dl_mapping *m = plan->mapping;

    for (int i = 0; i < m->n; i++) {
        const dl_mapping_rule *rule = &m->rules[i];
        map_leaf leaf = {rule->member, false,
                         find_column(columns, rule->column), rule->transform};

        if (rule->transform != NULL && dl_transform_drops(rule->transform)) {
            continue;
        }
        if (leaf.column < 0 && rule->column != NULL && *missing == NULL) {
            *missing = rule->column;
        }
        DL_TRY(add_leaf(plan, &leaf, err, pool));
    }
    return DL_OK;
}

/* Add each of COLUMNS under its name, and the constants without one. */
static dl_status bind_equal(dl_mapping_plan *plan,
                            const dl_mapping_columns *columns, dl_error *err,
                            apr_pool_t *pool)
{
    const dl_mapping *m = plan->mapping;

    for (int i = 0; i < columns->n; i++) {
        const char *name = columns->names[i];
        const dl_mapping_rule *rule = find_rule(m, name);
        map_leaf leaf = {name, !path_ok(name), i,
                         rule == NULL ? NULL : rule->transform};

        if (*name != '\0' &&
            (leaf.transform == NULL || !dl_transform_drops(leaf.transform))) {
            DL_TRY(add_leaf(plan, &leaf, err, pool));
        }
    }
    for (int i = 0; i < m->n; i++) {
        map_leaf leaf = {m->rules[i].member, false, -1, m->rules[i].transform};

        if (find_column(columns, leaf.member) < 0 &&
            dl_transform_gives(leaf.transform) &&
            !dl_transform_drops(leaf.transform)) {
            DL_TRY(add_leaf(plan, &leaf, err, pool));
        }
    }
    return DL_OK;
}

/* Make the leaves of PLAN, if its members are nothing else. */
static void make_leaves(dl_mapping_plan *plan, apr_pool_t *pool)
{
    int n = 0;

    for (const dl_mapping_node *node = plan->first; node != NULL;
         node = node->next) {
        if (node->child != NULL || node->transform != NULL ||
            node->column < 0 || node->prefix_len >= DL_MAPPING_PREFIX) {
            return;
        }
        n++;
    }
    plan->leaves = apr_pcalloc(pool, ((size_t)n + 1) * sizeof *plan->leaves);
    plan->fixed = (size_t)2 * DL_MAPPING_PREFIX;
    for (const dl_mapping_node *node = plan->first; node != NULL;
         node = node->next) {
        dl_mapping_leaf *leaf = &plan->leaves[plan->n_leaves++];

        memcpy(leaf->prefix, node->prefix, node->prefix_len);
        leaf->prefix[node->prefix_len] = '"';
        leaf->prefix_len = node->prefix_len + 1;
        leaf->column = node->column;
        plan->fixed += leaf->prefix_len + 1;
    }
}

void dl_mapping_pick(dl_mapping_plan *plan, const char *path)
{
    int i = 0;

    plan->pick = -1;
    plan->can_pick = plan->leaves != NULL && strchr(path, '.') == NULL;
    for (const dl_mapping_node *node = plan->first;
         plan->can_pick && node != NULL; node = node->next, i++) {
        if (strcmp(node->name, path) == 0) {
            plan->pick = i;
        }
    }
}

dl_status dl_mapping_check_columns(const dl_mapping_columns *columns,
                                   dl_error *err)
{
    if (columns->n > DL_MAPPING_MEMBERS) {
        return dl_fail(err, DL_LIMIT, 0, "more than %d columns",
                       DL_MAPPING_MEMBERS);
    }
    for (int i = 0; i < columns->n; i++) {
        const char *name = columns->names[i];

        if (!dl_utf8_check_text(name, strlen(name))) {
            return dl_fail(err, DL_INVALID, 0,
                           "the name of column %d is not UTF-8", i + 1);
        }
        if (*name != '\0' && find_column(columns, name) < i) {
            return dl_fail(err, DL_INVALID, 0, "column %s comes twice", name);
        }
    }
    return DL_OK;
}

dl_status dl_mapping_bind(dl_mapping_plan **plan, const char **missing,
                          dl_mapping *mapping,
                          const dl_mapping_columns *columns, dl_error *err,
                          apr_pool_t *pool)
{
    dl_mapping_plan *made = apr_pcalloc(pool, sizeof *made);
    const char *ignored = NULL;

    missing = missing == NULL ? &ignored : missing;
    *missing = NULL;
    DL_TRY(dl_mapping_check_columns(columns, err));
    made->mapping = mapping;
    DL_TRY(mapping->equal ? bind_equal(made, columns, err, pool)
                          : bind_list(made, missing, columns, err, pool));
    make_leaves(made, pool);
    *plan = made;
    return DL_OK;
}

/* --- Making a mapping ----------------------------------------------------- */

/* Prepare M for JSON objects. */
static dl_status prepare_json(dl_mapping *m, dl_error *err, apr_pool_t *pool)
{
    const char **names =
        apr_pcalloc(pool, (apr_size_t)(m->n + 1) * sizeof *names);
    dl_mapping_columns columns = {names, 0};
    dl_error ignored = {0};

    for (int i = 0; i < m->n && !m->equal; i++) {
        if (m->rules[i].column != NULL &&
            find_column(&columns, m->rules[i].column) < 0) {
            names[columns.n++] = m->rules[i].column;
        }
    }
    m->n_columns = columns.n;
    m->slots =
        apr_pcalloc(pool, (apr_size_t)(columns.n + 1) * sizeof *m->slots);
    m->cells =
        apr_pcalloc(pool, (apr_size_t)(columns.n + 1) * sizeof *m->cells);
    m->scratch = dl_buf_create(DL_JSON_MAX_BYTES + DL_JSON_SLACK, pool);
    if (dl_json_shape_create(&m->shape, names, columns.n, &ignored, pool) !=
        DL_OK) {
        /* A name that no path can have: the mapping is for rows alone. */
        m->shape = NULL;
        return DL_OK;
    }
    return m->equal ? DL_OK
                    : dl_mapping_bind(&m->plan, NULL, m, &columns, err, pool);
}

dl_status dl_mapping_create(dl_mapping **mapping, const dl_mapping_rules *rules,
                            dl_error *err, apr_pool_t *pool)
{
    dl_mapping *m = apr_pcalloc(pool, sizeof *m);

    m->rules = apr_pcalloc(pool, DL_MAPPING_MEMBERS * sizeof *m->rules);
    m->room = dl_buf_create(DL_MAPPING_ROOM, pool);
    m->equal = rules->mapping == NULL || *rules->mapping == '\0';
    if (!m->equal && read_list(m, rules->mapping, err, pool) != DL_OK) {
        return dl_wrap(err, "mapping");
    }
    for (int i = 0; i < rules->n; i++) {
        DL_TRY(read_transform(m, &rules->transforms[i], err, pool));
    }
    DL_TRY(prepare_json(m, err, pool));
    *mapping = m;
    return DL_OK;
}

bool dl_mapping_plain(const dl_mapping *mapping)
{
    return mapping->equal && mapping->n == 0;
}
