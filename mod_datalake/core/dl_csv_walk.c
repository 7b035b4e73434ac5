/* dl_csv_walk.c - Comparing with what is known, else parsing and learning.
 *
 * A leaf is a member with a value of its own, told apart by the names of the
 * objects around it.  What stands behind its value decides, read literally,
 * which leaf is next, so an edge is the text between the two.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_csv_walk.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "dl_json.h"

/* Bytes of a flattened name, at most, and of what tells its objects apart. */
#define NAME_MAX_BYTES 1024
#define DEPTH_MAX      64

/* Bytes of an edge's text that are compared at once, and at most. */
#define EDGE_STEP 32
#define EDGE_MAX  512

typedef struct leaf leaf;

/* A text that leads from a leaf to the next one. */
typedef struct edge {
    char head[EDGE_STEP]; /* its first bytes, zero behind them */
    uint32_t mask;        /* a bit for each byte of HEAD that counts */
    uint32_t len;         /* its bytes */
    const char *text;     /* all of it */
    leaf *next;           /* where it leads, NULL: to the end */
    struct edge *more;    /* another one from the same leaf */
} edge;

struct leaf {
    int column;  /* where its values go, -1: nowhere */
    edge *edges; /* from it, the one used last first */
};

struct dl_csv_walker {
    dl_csv_columns columns; /* by name */
    apr_pool_t *pool;       /* of leaves and edges */
    apr_hash_t *leaves;     /* by name and depth */
    int n_leaves;           /* how many */
    int n_edges;            /* how many */
    leaf root;              /* before the first value */
};

/* Parsing one object. */
typedef struct parse {
    dl_csv_walker *walker;       /* whose */
    const dl_csv_object *object; /* what */
    const char *at;              /* next byte */
    const char *end;             /* behind the last */
    leaf *last;                  /* whose value was passed last; NULL: it is
                                     not remembered */
    const char *behind;          /* that value */
    uint16_t dots[DEPTH_MAX];    /* where names of objects end in NAME */
    int depth;                   /* how many */
    char name[NAME_MAX_BYTES];   /* of the value at hand */
} parse;

dl_csv_walker *dl_csv_walker_create(const dl_csv_columns *columns,
                                    apr_pool_t *pool)
{
    dl_csv_walker *walker = apr_pcalloc(pool, sizeof *walker);

    walker->columns = *columns;
    walker->pool = pool;
    walker->leaves = apr_hash_make(pool);
    walker->root.column = -1;
    return walker;
}

/* --- Values ---------------------------------------------------------------- */

/* Return the first quotation mark or backslash from AT on, or END; *COMMA is
 * set when a comma stands before it. */
static const char *find_mark(const char *at, const char *end, bool *comma)
{
#if defined(__SSE2__)
    const __m128i quotes = _mm_set1_epi8('"');
    const __m128i slashes = _mm_set1_epi8('\\');
    const __m128i commas = _mm_set1_epi8(',');

    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        unsigned stop = (unsigned)_mm_movemask_epi8(_mm_or_si128(
            _mm_cmpeq_epi8(bytes, quotes), _mm_cmpeq_epi8(bytes, slashes)));
        unsigned found =
            (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, commas));

        if (stop != 0) {
            *comma = *comma || (found & (stop ^ (stop - 1)) & ~stop) != 0;
            return at + __builtin_ctz(stop);
        }
        *comma = *comma || found != 0;
    }
#endif
    for (; at < end && *at != '"' && *at != '\\'; at++) {
        *comma = *comma || *at == ',';
    }
    return at;
}

/* Whether a spreadsheet may run a text that begins with C. */
static bool is_guarded(char c)
{
    return c == '=' || c == '+' || c == '-' || c == '@';
}

/* Return the place behind the string at AT, and set *CELL to it. */
static const char *take_string(dl_csv_cell *cell, const char *at,
                               const char *end)
{
    const char *first = ++at;
    bool comma = false;
    bool other;

    at = find_mark(at, end, &comma);
    other = at > first && is_guarded(*first);
    while (at < end && *at == '\\') {
        other = true;
        at = find_mark(at + 2 < end ? at + 2 : end, end, &comma);
    }
    cell->text = first;
    cell->len = (size_t)(at - first);
    cell->kind = other ? DL_CSV_TEXT : comma ? DL_CSV_QUOTED : DL_CSV_AS_IS;
    return at < end ? at + 1 : end;
}

/* Return the place behind the array or object at AT. */
static const char *skip_container(const char *at, const char *end)
{
    dl_csv_cell ignored;
    int depth = 0;

    do {
        if (*at == '"') {
            at = take_string(&ignored, at, end);
            continue;
        }
        depth += *at == '{' || *at == '[' ? 1 : 0;
        depth -= *at == '}' || *at == ']' ? 1 : 0;
        at++;
    } while (at < end && depth > 0);
    return at;
}

/* Return the place behind the value at AT, which is before END, and set *CELL
 * to it. */
static const char *take_value(dl_csv_cell *cell, const char *at,
                              const char *end)
{
    const char *first = at;

    if (*at == '"') {
        return take_string(cell, at, end);
    }
    cell->text = first;
    if (*at == '{' || *at == '[') {
        at = skip_container(at, end);
        cell->kind = DL_CSV_OTHER;
    }
    else {
        while (at < end && *at != ',' && *at != '}') {
            at++;
        }
        cell->kind = *first == 'n' ? DL_CSV_NOTHING : DL_CSV_AS_IS;
    }
    cell->len = (size_t)(at - first);
    return at;
}

/* Put CELL where the values of TO go. */
static void put_cell(const dl_csv_object *object, const leaf *to,
                     const dl_csv_cell *cell)
{
    if (object->cells != NULL && to->column >= 0 &&
        cell->kind != DL_CSV_NOTHING) {
        object->cells[to->column] = *cell;
    }
}

/* --- Comparing ------------------------------------------------------------- */

/* Whether the bytes from AT to END begin with the text of E. */
static bool follows(const edge *e, const char *at, const char *end)
{
    if ((size_t)(end - at) < e->len) {
        return false;
    }
#if defined(__SSE2__)
    if (end - at >= EDGE_STEP) {
        const void *head = e->head;
        const void *text = at;
        const __m128i *a = head;
        const __m128i *b = text;
        unsigned same = (unsigned)_mm_movemask_epi8(
            _mm_cmpeq_epi8(_mm_loadu_si128(a), _mm_loadu_si128(b)));

        same |= (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(
                    _mm_loadu_si128(a + 1), _mm_loadu_si128(b + 1)))
                << 16;
        if ((same & e->mask) != e->mask) {
            return false;
        }
        return e->len <= EDGE_STEP ||
               memcmp(at + EDGE_STEP, e->text + EDGE_STEP,
                      e->len - EDGE_STEP) == 0;
    }
#endif
    return memcmp(at, e->text, e->len) == 0;
}

/* Whether the value at AT is an object to be taken apart, though an edge leads
 * to TO: its members have edges of their own. */
static bool opens(const dl_csv_object *object, const leaf *to, const char *at,
                  const char *end)
{
    return *at == '{' && end - at > 1 && at[1] != '}' &&
           (object->whole || to->column < 0);
}

/* Return the edge from FROM that the text at AT follows; NULL: none. */
static edge *find_edge(leaf *from, const dl_csv_object *object, const char *at,
                       const char *end)
{
    edge **link = &from->edges;
    edge *e;

    for (e = *link; e != NULL; link = &e->more, e = *link) {
        const char *value = at + e->len;

        if (!follows(e, at, end) ||
            (e->next == NULL
                 ? value != end
                 : value == end || opens(object, e->next, value, end))) {
            continue;
        }
        if (e != from->edges) {
            *link = e->more;
            e->more = from->edges;
            from->edges = e;
        }
        return e;
    }
    return NULL;
}

/* Walk through OBJECT by edges alone; false: one is missing, and some cells
 * may be filled. */
static bool compare(dl_csv_walker *walker, const dl_csv_object *object)
{
    const char *at = object->json;
    const char *end = at + object->len;
    leaf *from = &walker->root;
    dl_csv_cell cell;
    edge *e;

    while ((e = find_edge(from, object, at, end)) != NULL) {
        from = e->next;
        if (from == NULL) {
            return true;
        }
        if (object->cells == NULL && from->column < 0) {
            return false;
        }
        at = take_value(&cell, at + e->len, end);
        put_cell(object, from, &cell);
    }
    return false;
}

/* --- Learning -------------------------------------------------------------- */

/* Remember that the LEN bytes at TEXT lead from FROM to NEXT. */
static void learn_edge(dl_csv_walker *walker, leaf *from, leaf *next,
                       const char *text, size_t len)
{
    size_t head = len < EDGE_STEP ? len : EDGE_STEP;
    edge *e;

    if (len > EDGE_MAX || walker->n_edges == DL_CSV_EDGES) {
        return;
    }
    for (e = from->edges; e != NULL; e = e->more) {
        if (e->len == len && memcmp(e->text, text, len) == 0) {
            e->next = next;
            return;
        }
    }
    e = apr_pcalloc(walker->pool, sizeof *e);
    memcpy(e->head, text, head);
    e->mask = head == EDGE_STEP ? UINT32_MAX : (UINT32_C(1) << head) - 1;
    e->len = (uint32_t)len;
    e->text = apr_pstrmemdup(walker->pool, text, len);
    e->next = next;
    e->more = from->edges;
    from->edges = e;
    walker->n_edges++;
}

/* Return the leaf whose name, of LEN bytes, is in P, with COLUMN; NULL: there
 * are too many to remember it. */
static leaf *learn_leaf(const parse *p, size_t len, int column)
{
    dl_csv_walker *walker = p->walker;
    uint16_t bytes = (uint16_t)len;
    size_t more = (size_t)p->depth * sizeof p->dots[0];
    char key[NAME_MAX_BYTES + sizeof p->dots + sizeof bytes];
    leaf *found;

    memcpy(key, p->name, len);
    memcpy(key + len, p->dots, more);
    memcpy(key + len + more, &bytes, sizeof bytes);
    more += sizeof bytes;
    found = apr_hash_get(walker->leaves, key, (apr_ssize_t)(len + more));
    if (found == NULL && walker->n_leaves < DL_CSV_LEAVES) {
        found = apr_pcalloc(walker->pool, sizeof *found);
        apr_hash_set(walker->leaves, apr_pmemdup(walker->pool, key, len + more),
                     (apr_ssize_t)(len + more), found);
        walker->n_leaves++;
    }
    if (found != NULL) {
        found->column = column;
    }
    return found;
}

/* --- Parsing --------------------------------------------------------------- */

/* Take the value P stands on, named by the first LEN bytes of its name. */
static dl_status parse_value(parse *p, size_t len, dl_error *err)
{
    const dl_csv_columns *columns = &p->walker->columns;
    leaf here = {.column = -1};
    leaf *next;
    dl_csv_cell cell;

    if (p->object->cells == NULL) {
        DL_TRY(columns->add(columns->context, p->name, len, err));
    }
    here.column = columns->find(columns->context, p->name, len);
    next = learn_leaf(p, len, here.column);
    if (next != NULL && p->last != NULL) {
        learn_edge(p->walker, p->last, next, p->behind,
                   (size_t)(p->at - p->behind));
    }
    p->at = take_value(&cell, p->at, p->end);
    put_cell(p->object, &here, &cell);
    p->last = next;
    p->behind = p->at;
    return DL_OK;
}

/* Append the name P stands on to the LEN bytes it has; set *MORE to the bytes
 * with it. */
static dl_status parse_name(parse *p, size_t len, size_t *more, dl_error *err)
{
    dl_json_slice slice = {.kind = DL_JSON_STRING, .escaped = 1};
    dl_csv_cell name;

    p->at = take_string(&name, p->at, p->end);
    if (len + name.len + 2 > sizeof p->name) {
        return dl_fail(err, DL_LIMIT, 0, "a name is too long for a column");
    }
    slice.text = name.text;
    slice.len = (uint32_t)name.len;
    if (len > 0) {
        p->name[len++] = '.';
    }
    *more = len + dl_json_unescape(p->name + len, slice);
    p->at += p->at < p->end ? 1 : 0; /* the colon */
    return DL_OK;
}

/* Whether P stands on an object to be taken apart. */
static bool parse_opens(const parse *p, size_t len)
{
    const dl_csv_columns *columns = &p->walker->columns;
    leaf here = {.column = -1};

    if (p->at == p->end || *p->at != '{' || p->depth == DEPTH_MAX) {
        return false;
    }
    if (!p->object->whole) {
        here.column = columns->find(columns->context, p->name, len);
    }
    return opens(p->object, &here, p->at, p->end);
}

/* Walk through the object P stands on; its name has LEN bytes. */
static dl_status parse_object(parse *p, size_t len, dl_error *err)
{
    size_t more = 0;

    p->at++;
    while (p->at < p->end && *p->at == '"') {
        DL_TRY(parse_name(p, len, &more, err));
        if (parse_opens(p, more)) {
            p->dots[p->depth++] = (uint16_t)more;
            DL_TRY(parse_object(p, more, err)); /* NOLINT(misc-no-recursion) */
            p->depth--;
        }
        else if (p->at < p->end) {
            DL_TRY(parse_value(p, more, err));
        }
        p->at += p->at < p->end && *p->at == ',' ? 1 : 0;
    }
    p->at += p->at < p->end ? 1 : 0;
    return DL_OK;
}

dl_status dl_csv_walk(dl_csv_walker *walker, const dl_csv_object *object,
                      dl_error *err)
{
    parse p;

    if (object->len == 0 || *object->json != '{' || compare(walker, object)) {
        return DL_OK;
    }
    p.walker = walker;
    p.object = object;
    p.at = p.behind = object->json;
    p.end = object->json + object->len;
    p.last = &walker->root;
    p.depth = 0;
    DL_TRY(parse_object(&p, 0, err));
    if (p.last != NULL && p.last != &walker->root) {
        learn_edge(walker, p.last, NULL, p.behind, (size_t)(p.end - p.behind));
    }
    return DL_OK;
}
