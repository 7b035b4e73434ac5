/* dl_json.c - The scanner: the grammar in one pass, no memory but the
 * caller's.
 *
 * dl_json_scan.h says how a line is copied only when it has to be.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_json.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "dl_json_scan.h"
#include "dl_json_shape.h"

/* For the steps of the inner loop: gcc sees a recursion and would not. */
#define INLINE static inline __attribute__((always_inline))

/* The longest member name that is compared when it came with escapes. */
enum {
    NAME_MAX_BYTES = 256
};

static const unsigned char *scan_object(dl_json_scanner *s,
                                        const unsigned char *p,
                                        const dl_json_node *node);
static const unsigned char *scan_array(dl_json_scanner *s,
                                       const unsigned char *p);

/* Skip the white space at P, which goes out of the line. */
static const unsigned char *skip_white(dl_json_scanner *s,
                                       const unsigned char *p)
{
    const unsigned char *first = p;

    while (p < s->end &&
           (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }
    if (p > first && p < s->end) {
        dl_json_copy(s, first);
        s->pending = p;
    }
    return p;
}

INLINE const unsigned char *skip_space(dl_json_scanner *s,
                                       const unsigned char *p)
{
    if (p<s->end && * p> ' ') {
        return p;
    }
    if (s->end - p >= 2 && *p == ' ' && p[1] > ' ') {
        dl_json_copy(s, p);
        s->pending = p + 1;
        return p + 1;
    }
    return skip_white(s, p);
}

/* Return the first byte from P that ends a string or needs a look. */
INLINE const unsigned char *skip_plain(const unsigned char *p,
                                       const unsigned char *end)
{
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(0x20);

    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        /* Signed: bytes from 0x80 on are less than a space, too. */
        __m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote),
                                                _mm_cmpeq_epi8(v, backslash)),
                                   _mm_cmplt_epi8(v, space));
        unsigned bits = (unsigned)_mm_movemask_epi8(hit);

        if (bits != 0) {
            return p + __builtin_ctz(bits);
        }
    }
#endif
    while (p < end && *p != '"' && *p != '\\' && *p >= 0x20 && *p < 0x80) {
        p++;
    }
    return p;
}

/* Read a string from P, behind its opening quotation mark; return the closing
 * one. */
INLINE const unsigned char *
scan_string(dl_json_scanner *s, const unsigned char *p, uint8_t *escaped)
{
    p = skip_plain(p, s->end);
    while (p < s->end && *p != '"') {
        p = dl_json_scan_special(s, p, escaped);
        if (p == NULL) {
            return NULL;
        }
        p = skip_plain(p, s->end);
    }
    return p < s->end ? p : dl_json_fail_syntax(s, p, "");
}

static inline bool is_digit(const dl_json_scanner *s, const unsigned char *p)
{
    return p < s->end && (unsigned)(*p - '0') < 10;
}

static inline const unsigned char *scan_digits(dl_json_scanner *s,
                                               const unsigned char *p)
{
    if (!is_digit(s, p)) {
        return dl_json_fail_syntax(s, p, "a digit is missing");
    }
    do {
        p++;
    } while (is_digit(s, p));
    return p;
}

/* Read ".5", "e-3" or both at P. */
static const unsigned char *scan_fraction(dl_json_scanner *s,
                                          const unsigned char *p)
{
    if (*p == '.') {
        p = scan_digits(s, p + 1);
        if (p == NULL || p == s->end || (*p | 0x20) != 'e') {
            return p;
        }
    }
    p++;
    if (p < s->end && (*p == '+' || *p == '-')) {
        p++;
    }
    return scan_digits(s, p);
}

INLINE const unsigned char *scan_number(dl_json_scanner *s,
                                        const unsigned char *p)
{
    p += *p == '-' ? 1 : 0;
    if (p < s->end && *p == '0') {
        p++;
    }
    else {
        p = scan_digits(s, p);
    }
    if (p == NULL || p == s->end || (*p != '.' && (*p | 0x20) != 'e')) {
        return p;
    }
    return scan_fraction(s, p);
}

static const unsigned char *scan_word(dl_json_scanner *s,
                                      const unsigned char *p, const char *word,
                                      size_t len)
{
    if ((size_t)(s->end - p) < len || memcmp(p, word, len) != 0) {
        return dl_json_fail_syntax(s, p, "a value is missing");
    }
    return p + len;
}

/* Find the member of NODE by NAME, the LEN bytes of which have escapes. */
__attribute__((noinline)) static const dl_json_member *
find_escaped(const dl_json_node *node, const char *name, size_t len)
{
    char plain[NAME_MAX_BYTES];
    dl_json_slice slice = {
        .text = name, .len = (uint32_t)len, .kind = DL_JSON_STRING};

    if (len > sizeof plain) {
        return NULL;
    }
    return dl_json_node_find(node, plain, dl_json_unescape(plain, slice));
}

/* Read a name and its colon; set *MEMBER to what it is in NODE (may be NULL),
 * or to NULL. */
static const unsigned char *scan_name(dl_json_scanner *s,
                                      const unsigned char *p,
                                      const dl_json_node *node,
                                      const dl_json_member **member)
{
    const unsigned char *pending = s->pending;
    const unsigned char *first = p + 1;
    uint8_t escaped = 0;
    size_t at;

    *member = NULL;
    if (p == s->end || *p != '"') {
        return dl_json_fail_syntax(s, p, "a member name is missing");
    }
    at = (size_t)(dl_json_place(s, first) - s->scratch);
    p = scan_string(s, first, &escaped);
    if (p == NULL) {
        return NULL;
    }
    if (node != NULL && s->pending != pending) {
        /* It was changed: its canonical form ends in the scratch. */
        dl_json_copy(s, p);
        *member = find_escaped(node, s->scratch + at, s->copied - at);
    }
    else if (node != NULL && escaped != 0) {
        *member = find_escaped(node, (const char *)first, (size_t)(p - first));
    }
    else if (node != NULL) {
        *member =
            dl_json_node_find(node, (const char *)first, (size_t)(p - first));
    }
    p = skip_space(s, p + 1);
    if (p == s->end || *p != ':') {
        return dl_json_fail_syntax(s, p, "':' is missing");
    }
    return p + 1;
}

/* Whether "name": of MEMBER stands at P; false also where that cannot be
 * told quickly. */
INLINE bool stands_at(const dl_json_scanner *s, const unsigned char *p,
                      const dl_json_member *member)
{
    if (s->end - p < DL_JSON_QUOTED || member->quoted_len == 0) {
        return false;
    }
#if defined(__SSE2__)
    const __m128i *have = (const __m128i *)(const void *)p;
    const __m128i *want = (const __m128i *)(const void *)member->quoted;
    __m128i low = _mm_cmpeq_epi8(_mm_loadu_si128(have), _mm_loadu_si128(want));
    __m128i high =
        _mm_cmpeq_epi8(_mm_loadu_si128(have + 1), _mm_loadu_si128(want + 1));
    uint32_t same = (uint32_t)_mm_movemask_epi8(low) |
                    (uint32_t)_mm_movemask_epi8(high) << 16;

    return (~same & member->quoted_bits) == 0;
#else
    return memcmp(p, member->quoted, member->quoted_len) == 0;
#endif
}

/* As scan_name, trying member *NEXT first: producers write their members in
 * one order. */
INLINE const unsigned char *guess_name(dl_json_scanner *s,
                                       const unsigned char *p,
                                       const dl_json_node *node, int *next,
                                       const dl_json_member **member)
{
    if (node != NULL && *next < node->n) {
        *member = &node->members[*next];
        if (stands_at(s, p, *member)) {
            (*next)++;
            return p + (*member)->quoted_len;
        }
    }
    p = scan_name(s, p, node, member);
    if (*member != NULL) {
        *next = (int)(*member - node->members) + 1;
    }
    return p;
}

/* Read behind an element up to and with a comma or CLOSE; *MORE says which it
 * was. */
INLINE const unsigned char *scan_comma(dl_json_scanner *s,
                                       const unsigned char *p,
                                       unsigned char close, bool *more)
{
    p = skip_space(s, p);
    if (p < s->end && *p == ',') {
        *more = true;
        return skip_space(s, p + 1);
    }
    *more = false;
    if (p < s->end && *p == close) {
        return p + 1;
    }
    return dl_json_fail_syntax(
        s, p, close == '}' ? "',' or '}' is missing" : "',' or ']' is missing");
}

/* Step into the object or array at P; *MORE: it has an element. */
static const unsigned char *enter(dl_json_scanner *s, const unsigned char *p,
                                  unsigned char close, bool *more)
{
    if (++s->depth > DL_JSON_MAX_DEPTH) {
        return dl_json_fail(s, p, DL_JSON_TOO_BIG, "more than 64 levels");
    }
    p = skip_space(s, p + 1);
    *more = p == s->end || *p != close;
    return *more ? p : p + 1;
}

/* Read any value but a string at P, which is before the end. */
INLINE const unsigned char *scan_other(dl_json_scanner *s,
                                       const unsigned char *p,
                                       const dl_json_member *member,
                                       dl_json_kind *kind)
{
    switch (*p) {
    case '{':
        *kind = DL_JSON_OBJECT;
        return scan_object(s, p, member == NULL ? NULL : member->node);
    case '[':
        *kind = DL_JSON_ARRAY;
        return scan_array(s, p);
    case 't':
        *kind = DL_JSON_TRUE;
        return scan_word(s, p, "true", 4);
    case 'f':
        *kind = DL_JSON_FALSE;
        return scan_word(s, p, "false", 5);
    case 'n':
        *kind = DL_JSON_NULL;
        return scan_word(s, p, "null", 4);
    default:
        *kind = DL_JSON_NUMBER;
        if (*p != '-' && !is_digit(s, p)) {
            return dl_json_fail_syntax(s, p, "a value is missing");
        }
        return scan_number(s, p);
    }
}

/* Keep what stands from FIRST of the line to LAST of the text. */
INLINE void keep(dl_json_scanner *s, const dl_json_member *member,
                 dl_json_kind kind, const char *first,
                 const unsigned char *last)
{
    dl_json_slice *slot;

    if (member == NULL || member->slot < 0) {
        return;
    }
    slot = &s->slots[member->slot];
    slot->text = first;
    slot->len = (uint32_t)(dl_json_place(s, last) - first);
    slot->kind = (uint8_t)kind;
    slot->escaped = 0;
}

/* Forget what an earlier member of the same name had under it. */
static void clear_under(dl_json_scanner *s, const dl_json_member *member)
{
    for (int i = 0; i < member->n_under; i++) {
        s->slots[member->under[i]].kind = DL_JSON_ABSENT;
    }
}

/* Read the value at P; MEMBER says where it goes, NULL: nowhere.  Inline: only
 * objects and arrays are worth a call. */
INLINE const unsigned char *scan_value(dl_json_scanner *s,
                                       const unsigned char *p,
                                       const dl_json_member *member)
{
    dl_json_kind kind = DL_JSON_ABSENT;
    uint8_t escaped = 0;
    const char *first;

    if (p == s->end) {
        return dl_json_fail_syntax(s, p, "");
    }
    if (++s->values > DL_JSON_MAX_VALUES) {
        return dl_json_fail(s, p, DL_JSON_TOO_BIG, "more than 10000 values");
    }
    if (member != NULL && member->n_under > 0) {
        clear_under(s, member);
    }
    first = dl_json_place(s, p);
    if (*p != '"') {
        p = scan_other(s, p, member, &kind);
        if (p != NULL) {
            keep(s, member, kind, first, p);
        }
        return p;
    }
    p = scan_string(s, p + 1, &escaped);
    if (p == NULL) {
        return NULL;
    }
    keep(s, member, DL_JSON_STRING, first + 1, p);
    if (escaped != 0 && member != NULL && member->slot >= 0) {
        s->slots[member->slot].escaped = 1;
    }
    return p + 1;
}

static const unsigned char *scan_object(dl_json_scanner *s,
                                        const unsigned char *p,
                                        const dl_json_node *node)
{
    const dl_json_member *member;
    bool more;
    int next = 0;

    p = enter(s, p, '}', &more);
    while (p != NULL && more) {
        p = guess_name(s, p, node, &next, &member);
        if (p == NULL) {
            return NULL;
        }
        p = scan_value(s, skip_space(s, p), member);
        if (p == NULL) {
            return NULL;
        }
        p = scan_comma(s, p, '}', &more);
    }
    s->depth--;
    return p;
}

static const unsigned char *scan_array(dl_json_scanner *s,
                                       const unsigned char *p)
{
    bool more;

    p = enter(s, p, ']', &more);
    while (p != NULL && more) {
        p = scan_value(s, p, NULL);
        if (p != NULL) {
            p = scan_comma(s, p, ']', &more);
        }
    }
    s->depth--;
    return p;
}

/* Read the one value the text at P is, and nothing behind it. */
static void scan_text(dl_json_scanner *s, const unsigned char *p,
                      dl_json_node *root)
{
    const dl_json_member whole = {.slot = -1, .node = root};
    const unsigned char *first;

    if (s->end - p >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) {
        dl_json_fail(s, p, DL_JSON_SYNTAX, "a byte order mark");
        return;
    }
    p = skip_space(s, p);
    s->pending = first = p;
    p = scan_value(s, p, &whole);
    if (p == NULL) {
        return;
    }
    p = skip_space(s, p);
    if (p < s->end) {
        dl_json_fail_syntax(s, p, "more text behind the value");
    }
    else if (*first != '{') {
        dl_json_fail(s, first, DL_JSON_NOT_OBJECT,
                     "the value is not an object");
    }
}

/* Say where the line is; behind it may be white space. */
static void set_line(dl_json_result *result, dl_json_scanner *s, int n)
{
    const unsigned char *end = s->end;
    const char *line;

    while (end[-1] != '}') {
        end--;
    }
    if (s->copied > 0) {
        dl_json_copy(s, end);
        result->line = s->scratch;
        result->line_len = (uint32_t)s->copied;
        return;
    }
    line = (const char *)s->pending;
    result->line = line;
    result->line_len = (uint32_t)(end - s->pending);
    for (int i = 0; i < n; i++) {
        if (s->slots[i].kind != DL_JSON_ABSENT) {
            s->slots[i].text = line + (s->slots[i].text - s->scratch);
        }
    }
}

dl_json_fault dl_json_scan(dl_json_result *result, dl_json_slice *slots,
                           const dl_json_shape *shape, char *scratch,
                           const char *text, size_t len)
{
    static const unsigned char nothing[1];
    const unsigned char *begin =
        text == NULL ? nothing : (const unsigned char *)text;
    dl_json_scanner s = {
        .pending = begin, .end = begin + len, .slots = slots, .at = begin};

    s.scratch = scratch;
    memset(slots, 0, (size_t)shape->slots * sizeof *slots);
    if (len > DL_JSON_MAX_BYTES) {
        dl_json_fail(&s, begin, DL_JSON_TOO_BIG, "more than 1048576 bytes");
    }
    else {
        scan_text(&s, begin, shape->root);
    }
    if (s.fault == DL_JSON_FINE) {
        set_line(result, &s, shape->slots);
    }
    result->reason = s.reason;
    result->offset = (uint32_t)(s.at - begin);
    return s.fault;
}
