/* dl_json_shape.c - Compile dotted paths into a tree of small hash tables.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_json_shape.h"

#include <apr_strings.h>

#include "dl_utf8.h"

/* The most paths of a shape. */
enum {
    MAX_PATHS = 1000
};

/* A node while it grows. */
typedef struct growing {
    apr_pool_t *pool; /* of the shape */
    int n_paths;      /* an upper bound of members in a node */
} growing;

static dl_json_node *new_node(const growing *g)
{
    dl_json_node *node = apr_pcalloc(g->pool, sizeof *node);

    node->members =
        apr_pcalloc(g->pool, (size_t)g->n_paths * sizeof *node->members);
    return node;
}

/* Whether the LEN bytes at NAME can stand in JSON as they are. */
static bool name_ok(const char *name, size_t len)
{
    const unsigned char *p = (const unsigned char *)name;
    size_t i = 0;

    while (i < len) {
        size_t width = dl_utf8_check(p + i, len - i);

        if (width == 0 || p[i] < 0x20 || p[i] == '"' || p[i] == '\\') {
            return false;
        }
        i += width;
    }
    return len > 0;
}

/* Set the form of MEMBER that a text has in front of its value. */
static void set_quoted(dl_json_member *member)
{
    uint32_t len = member->len;

    if (len + 3 > DL_JSON_QUOTED) {
        return;
    }
    member->quoted[0] = '"';
    memcpy(member->quoted + 1, member->name, len);
    memcpy(member->quoted + 1 + len, "\":", 2);
    member->quoted_len = len + 3;
    member->quoted_bits = (uint32_t)(((uint64_t)1 << (len + 3)) - 1);
}

/* Return the member NAME of NODE, made when it is new. */
static dl_json_member *get_member(dl_json_node *node, const char *name,
                                  size_t len, const growing *g)
{
    dl_json_member *member;

    for (int i = 0; i < node->n; i++) {
        member = &node->members[i];
        if (member->len == len && memcmp(member->name, name, len) == 0) {
            return member;
        }
    }
    member = &node->members[node->n++];
    member->name = apr_pstrmemdup(g->pool, name, len);
    member->len = (uint32_t)len;
    member->slot = -1;
    set_quoted(member);
    return member;
}

/* Enter PATH for SLOT below NODE. */
static dl_status add_path(dl_json_node *node, const char *path, int slot,
                          const growing *g, dl_error *err)
{
    const char *name = path;

    for (;;) {
        size_t len = strcspn(name, ".");
        dl_json_member *member;

        if (!name_ok(name, len)) {
            return dl_fail(err, DL_INVALID, 0,
                           "'%s' is no path: member names joined by dots, "
                           "without quotation mark, backslash, control",
                           path);
        }
        member = get_member(node, name, len, g);
        if (name[len] == '\0') {
            if (member->slot >= 0) {
                return dl_fail(err, DL_INVALID, 0, "path '%s' is there twice",
                               path);
            }
            member->slot = slot;
            return DL_OK;
        }
        if (member->node == NULL) {
            member->node = new_node(g);
        }
        node = member->node;
        name += len + 1;
    }
}

/* Fill TABLE of SIZE places for NODE with FACTOR; return how many members do
 * not stand at their first place. */
static int fill_table(int16_t *table, uint32_t size, const dl_json_node *node,
                      uint32_t factor)
{
    int moved = 0;

    for (uint32_t i = 0; i < size; i++) {
        table[i] = -1;
    }
    for (int i = 0; i < node->n; i++) {
        const dl_json_member *member = &node->members[i];
        uint32_t at =
            dl_json_name_hash(member->name, member->len, factor) & (size - 1);

        for (; table[at] >= 0; at = (at + 1) & (size - 1)) {
            moved++;
        }
        table[at] = (int16_t)i;
    }
    return moved;
}

/* Give NODE the table with the fewest collisions of some tried. */
static void make_table(dl_json_node *node, const growing *g)
{
    uint32_t size = 4;
    uint32_t best = 0x9E3779B1u;
    int best_moved;
    int16_t *table;

    while (size < 3 * (uint32_t)node->n) {
        size *= 2;
    }
    table = apr_palloc(g->pool, size * sizeof *table);
    best_moved = fill_table(table, size, node, best);
    for (uint32_t i = 1; i < 200 && best_moved > 0; i++) {
        uint32_t factor = 0x9E3779B1u * (2 * i + 1);
        int moved = fill_table(table, size, node, factor);

        if (moved < best_moved) {
            best = factor;
            best_moved = moved;
        }
    }
    fill_table(table, size, node, best);
    node->factor = best;
    node->mask = size - 1;
    node->table = table;
}

/* Finish NODE and all below; append their slots to UNDER at *N. */
static void finish(dl_json_node *node, int *under, int *n, const growing *g)
{
    make_table(node, g);
    for (int i = 0; i < node->n; i++) {
        dl_json_member *member = &node->members[i];

        if (member->slot >= 0) {
            under[(*n)++] = member->slot;
        }
        if (member->node != NULL) {
            member->under = under + *n;
            member->n_under = -*n;
            finish(member->node, under, n, g);
            member->n_under += *n;
        }
    }
}

dl_status dl_json_shape_create(const dl_json_shape **shape,
                               const char *const *paths, int n, dl_error *err,
                               apr_pool_t *result_pool)
{
    growing g = {.pool = result_pool, .n_paths = n > 0 ? n : 1};
    dl_json_shape *made = apr_pcalloc(result_pool, sizeof *made);
    int *under;
    int filled = 0;

    if (n > MAX_PATHS) {
        return dl_fail(err, DL_INVALID, 0, "%d paths, at most %d are possible",
                       n, MAX_PATHS);
    }
    made->slots = n;
    made->root = new_node(&g);
    for (int i = 0; i < n; i++) {
        DL_TRY(add_path(made->root, paths[i], i, &g, err));
    }
    under = apr_palloc(result_pool, (size_t)g.n_paths * sizeof *under);
    finish(made->root, under, &filled, &g);
    *shape = made;
    return DL_OK;
}

int dl_json_shape_slots(const dl_json_shape *shape)
{
    return shape->slots;
}
