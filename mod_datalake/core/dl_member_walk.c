/* dl_member_walk.c - A graph of members and the texts between them.
 *
 * A leaf is a member with a value that is passed as a whole, told apart by the
 * names of all objects around it.  What stands behind its value decides, read
 * literally, which leaf is next, so an edge is the text between the two.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_member_walk.h"

#include <stdint.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Bytes of the names around a member, at most; deepest object. */
#define KEY_MAX   1024
#define DEPTH_MAX 64

/* Longest text of an edge. */
#define EDGE_MAX 1024

/* What stands between two names in a key: in no name unescaped. */
#define BETWEEN '\x1f'

/* Lines that may fail before it is asked whether they are too many. */
#define MISSES 1000

typedef struct leaf leaf;

/* A text that leads from a leaf to the next one. */
typedef struct edge {
    const char *text;  /* its bytes */
    uint32_t len;      /* how many */
    uint64_t resets;   /* slots below the objects that it names */
    leaf *next;        /* where it leads, NULL: to the end of the line */
    struct edge *more; /* another one from the same leaf */
} edge;

struct leaf {
    int slot;       /* that its value fills, -1: none */
    uint64_t under; /* slots below it, which a value here takes away */
    edge *edges;    /* from it, the one used last first */
};

struct dl_member_walk {
    apr_pool_t *pool;     /* of everything */
    int n;                /* slots */
    const char **paths;   /* of the slots, BETWEEN for dots */
    apr_hash_t *leaves;   /* by key */
    leaf root;            /* before the first value */
    int n_edges;          /* how many */
    unsigned long hits;   /* lines that were walked */
    unsigned long misses; /* lines that were not */
    bool off;             /* every line is to be scanned */
};

dl_member_walk *dl_member_walk_create(const char *const *paths, int n,
                                      apr_pool_t *pool)
{
    dl_member_walk *walk = apr_pcalloc(pool, sizeof *walk);
    int i;
    int k;

    if (n > DL_MEMBER_PATHS) {
        return NULL;
    }
    walk->pool = pool;
    walk->n = n;
    walk->leaves = apr_hash_make(pool);
    walk->root.slot = -1;
    walk->paths = apr_palloc(pool, sizeof *walk->paths * ((size_t)n + 1));
    for (i = 0; i < n; i++) {
        size_t len = strlen(paths[i]);
        char *path = apr_pstrdup(pool, paths[i]);
        char *at;

        for (at = strchr(path, '.'); at != NULL; at = strchr(at, '.')) {
            *at = BETWEEN;
        }
        walk->paths[i] = path;
        for (k = 0; k < n; k++) {
            if (strncmp(paths[i], paths[k], len) == 0 && paths[k][len] == '.') {
                return NULL;
            }
        }
    }
    return walk;
}

/* --- Values ---------------------------------------------------------------- */

/* Return the first quotation mark or backslash from AT on, or END. */
static const char *find_mark(const char *at, const char *end)
{
#if defined(__SSE2__)
    const __m128i quotes = _mm_set1_epi8('"');
    const __m128i slashes = _mm_set1_epi8('\\');

    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        unsigned stop = (unsigned)_mm_movemask_epi8(_mm_or_si128(
            _mm_cmpeq_epi8(bytes, quotes), _mm_cmpeq_epi8(bytes, slashes)));

        if (stop != 0) {
            return at + __builtin_ctz(stop);
        }
    }
#endif
    while (at < end && *at != '"' && *at != '\\') {
        at++;
    }
    return at;
}

/* Return the quotation mark that ends the string whose first character is at
 * AT, or END; set *ESCAPED when there is a backslash in it. */
static const char *find_end(const char *at, const char *end, uint8_t *escaped)
{
    at = find_mark(at, end);
    while (at < end && *at == '\\') {
        *escaped = 1;
        at = end - at > 2 ? find_mark(at + 2, end) : end;
    }
    return at;
}

/* Return the place behind the object or array at AT, or END. */
static const char *skip_nested(const char *at, const char *end)
{
    uint8_t escaped = 0;
    int depth = 0;

    for (; at < end; at++) {
        if (*at == '"') {
            at = find_end(at + 1, end, &escaped);
            if (at == end) {
                return end;
            }
        }
        depth += *at == '{' || *at == '[' ? 1 : 0;
        depth -= *at == '}' || *at == ']' ? 1 : 0;
        if (depth == 0) {
            return at + 1;
        }
    }
    return end;
}

static uint8_t kind_of(char c)
{
    switch (c) {
    case '"':
        return DL_JSON_STRING;
    case '{':
        return DL_JSON_OBJECT;
    case '[':
        return DL_JSON_ARRAY;
    case 't':
        return DL_JSON_TRUE;
    case 'f':
        return DL_JSON_FALSE;
    case 'n':
        return DL_JSON_NULL;
    default:
        return DL_JSON_NUMBER;
    }
}

/* Set *SLICE to the value at AT; return the place behind it, or END. */
static const char *take_value(dl_json_slice *slice, const char *at,
                              const char *end)
{
    const char *first = at;

    slice->kind = kind_of(*at);
    slice->escaped = 0;
    if (*at == '"') {
        first++;
        at = find_end(first, end, &slice->escaped);
    }
    else if (*at == '{' || *at == '[') {
        at = skip_nested(at, end);
    }
    else {
        while (at < end && *at != ',' && *at != '}' && *at != ']') {
            at++;
        }
    }
    slice->text = first;
    slice->len = (uint32_t)(at - first);
    return at + (slice->kind == DL_JSON_STRING && at < end ? 1 : 0);
}

/* --- Comparing ------------------------------------------------------------- */

/* Return the edge from FROM whose text stands at AT, NULL: none. */
static edge *find_edge(leaf *from, const char *at, const char *end)
{
    edge **place = &from->edges;
    edge *e;

    for (; (e = *place) != NULL; place = &e->more) {
        if ((size_t)(end - at) < e->len || memcmp(at, e->text, e->len) != 0) {
            continue;
        }
        if (e->next == NULL ? at + e->len == end
                            : at + e->len < end &&
                                  (at[e->len] != '{' || e->next->slot >= 0)) {
            *place = e->more;
            e->more = from->edges;
            from->edges = e;
            return e;
        }
    }
    return NULL;
}

/* Make the slots of the bits of SET absent. */
static void reset(dl_json_slice *slots, uint64_t set)
{
    for (; set != 0; set &= set - 1) {
        slots[__builtin_ctzll(set)].kind = DL_JSON_ABSENT;
    }
}

/* Fill SLOTS; false: something in the line is new. */
static bool walk_line(dl_json_slice *slots, dl_member_walk *walk,
                      const char *text, size_t len)
{
    const char *end = text + len;
    leaf *at = &walk->root;

    memset(slots, 0, (size_t)walk->n * sizeof *slots);
    for (;;) {
        edge *e = find_edge(at, text, end);
        dl_json_slice slice;

        if (e == NULL) {
            return false;
        }
        reset(slots, e->resets);
        at = e->next;
        if (at == NULL) {
            return true;
        }
        text = take_value(&slice, text + e->len, end);
        reset(slots, at->under);
        if (at->slot >= 0) {
            slots[at->slot] = slice;
        }
    }
}

bool dl_member_walk_line(dl_json_slice *slots, dl_member_walk *walk,
                         const char *text, size_t len)
{
    if (walk->off) {
        return false;
    }
    if (walk_line(slots, walk, text, len)) {
        walk->hits++;
        return true;
    }
    if (++walk->misses > MISSES && walk->misses > walk->hits) {
        walk->off = true;
    }
    return false;
}

/* --- Learning -------------------------------------------------------------- */

/* A line being learnt. */
typedef struct lesson {
    dl_member_walk *walk;        /* whose */
    const char *at;              /* next byte */
    const char *end;             /* behind the line */
    leaf *last;                  /* whose value was passed last */
    const char *behind;          /* that value */
    uint64_t resets;             /* slots below the objects opened since */
    size_t names[DEPTH_MAX + 1]; /* bytes of KEY in each object around */
    int depth;                   /* objects around */
    size_t len;                  /* bytes of KEY */
    char key[KEY_MAX];           /* names from the outermost on */
} lesson;

/* Return the slot of the member KEY of LEN bytes, or -1; set *UNDER to those
 * below it. */
static int find_slot(uint64_t *under, const dl_member_walk *walk,
                     const char *key, size_t len)
{
    int slot = -1;
    int i;

    *under = 0;
    for (i = 0; i < walk->n; i++) {
        if (strncmp(walk->paths[i], key, len) != 0) {
            continue;
        }
        if (walk->paths[i][len] == '\0') {
            slot = i;
        }
        else if (walk->paths[i][len] == BETWEEN) {
            *under |= UINT64_C(1) << i;
        }
    }
    return slot;
}

/* Return the leaf of the lesson's key, NULL: there are too many. */
static leaf *need_leaf(const lesson *l, int slot, uint64_t under)
{
    leaf *found = apr_hash_get(l->walk->leaves, l->key, (apr_ssize_t)l->len);

    if (found == NULL && apr_hash_count(l->walk->leaves) < DL_MEMBER_LEAVES) {
        found = apr_pcalloc(l->walk->pool, sizeof *found);
        found->slot = slot;
        found->under = under;
        apr_hash_set(l->walk->leaves,
                     apr_pmemdup(l->walk->pool, l->key, l->len),
                     (apr_ssize_t)l->len, found);
    }
    return found;
}

/* Let what stands behind the last value lead to NEXT, NULL: to the end. */
static bool add_edge(lesson *l, leaf *next)
{
    uint32_t len = (uint32_t)(l->at - l->behind);
    edge *e = l->last->edges;

    while (e != NULL && (e->len != len || e->next != next ||
                         memcmp(e->text, l->behind, len) != 0)) {
        e = e->more;
    }
    if (e == NULL) {
        if (l->walk->n_edges == DL_MEMBER_EDGES || len > EDGE_MAX) {
            return false;
        }
        l->walk->n_edges++;
        e = apr_pcalloc(l->walk->pool, sizeof *e);
        e->text = apr_pmemdup(l->walk->pool, l->behind, len);
        e->len = len;
        e->resets = l->resets;
        e->next = next;
        e->more = l->last->edges;
        l->last->edges = e;
    }
    l->last = next;
    l->resets = 0;
    return true;
}

/* Put the name at hand behind the key and pass its colon; false: it cannot be
 * learnt. */
static bool take_name(lesson *l)
{
    uint8_t escaped = 0;
    const char *first = l->at + 1;
    const char *end = find_end(first, l->end, &escaped);
    size_t len = (size_t)(end - first);

    l->len = l->names[l->depth];
    if (escaped != 0 || end == l->end || l->len + len + 2 > KEY_MAX) {
        return false;
    }
    if (l->len > 0) {
        l->key[l->len++] = BETWEEN;
    }
    memcpy(l->key + l->len, first, len);
    l->len += len;
    l->at = end + 2;
    return l->at < l->end;
}

/* Take the member at hand, or open the object that is its value. */
static bool take_member(lesson *l)
{
    dl_json_slice slice;
    uint64_t under;
    leaf *next;
    int slot;

    if (!take_name(l)) {
        return false;
    }
    slot = find_slot(&under, l->walk, l->key, l->len);
    if (*l->at == '{' && slot < 0) {
        l->resets |= under;
        l->names[++l->depth] = l->len;
        l->at++;
        return l->depth < DEPTH_MAX;
    }
    next = need_leaf(l, slot, under);
    if (next == NULL || !add_edge(l, next)) {
        return false;
    }
    l->at = l->behind = take_value(&slice, l->at, l->end);
    return true;
}

/* Learn the line of L, as far as it goes. */
static void learn_line(lesson *l)
{
    while (l->at < l->end) {
        if (*l->at == '"') {
            if (!take_member(l)) {
                return;
            }
        }
        else if (*l->at++ == '}' && l->depth-- == 0) {
            (void)add_edge(l, NULL);
            return;
        }
    }
}

void dl_member_walk_learn(dl_member_walk *walk, const dl_json_slice *slots,
                          const char *text, size_t len)
{
    lesson l = {.walk = walk,
                .at = text + 1,
                .end = text + len,
                .last = &walk->root,
                .behind = text};
    dl_json_slice again[DL_MEMBER_PATHS];
    int i;

    if (walk->off || len < 2 || *text != '{') {
        return;
    }
    learn_line(&l);
    if (!walk_line(again, walk, text, len)) {
        return;
    }
    /* Should the two ways ever differ, the scan is right. */
    for (i = 0; i < walk->n; i++) {
        walk->off =
            walk->off || again[i].kind != slots[i].kind ||
            (slots[i].kind > DL_JSON_NULL &&
             (again[i].text != slots[i].text || again[i].len != slots[i].len ||
              again[i].escaped != slots[i].escaped));
    }
}
