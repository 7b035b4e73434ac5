/* dl_json.c - The scanner: one pass, no memory but the caller's.
 *
 * A text is copied only from its first change on.  `pending` is the first
 * byte of the text not yet copied to the scratch; what stands before it is
 * already there, `copied` bytes of it.  So a byte at p of the text has place
 * copied + (p - pending) of the canonical line, whether or not anything was
 * copied yet, and slots are kept as places in the scratch until it is known
 * where the line lies.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_json.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "dl_json_shape.h"
#include "dl_utf8.h"

/* The longest member name that is compared when it came with escapes. */
enum {
    NAME_MAX_BYTES = 256
};

/* A scan under way. */
typedef struct scan {
    const unsigned char *p;       /* the next byte to look at */
    const unsigned char *end;     /* behind the last one */
    const unsigned char *begin;   /* the first one */
    const unsigned char *pending; /* the first byte not copied */
    char *scratch;                /* the line, when it is copied */
    size_t copied;                /* bytes of it that stand there */
    dl_json_slice *slots;         /* what was picked out */
    int values;                   /* seen so far */
    int depth;                    /* open objects and arrays */
    dl_json_fault fault;          /* the first mistake */
    const char *reason;           /* its text */
} scan;

static bool scan_value(scan *s, const dl_json_member *member);

static bool fail(scan *s, dl_json_fault fault, const char *reason)
{
    s->fault = fault;
    s->reason = reason;
    return false;
}

/* Fail at a byte the grammar does not allow there. */
static bool fail_syntax(scan *s, const char *reason)
{
    if (s->p < s->end && dl_utf8_check(s->p, (size_t)(s->end - s->p)) == 0) {
        return fail(s, DL_JSON_ENCODING, "a byte that is not UTF-8");
    }
    if (s->p == s->end) {
        return fail(s, DL_JSON_SYNTAX, "the text ends too early");
    }
    return fail(s, DL_JSON_SYNTAX, reason);
}

/* The place of P in the canonical line. */
static inline char *place(const scan *s, const unsigned char *p)
{
    return s->scratch + s->copied + (p - s->pending);
}

/* Copy what is pending before P. */
static inline void copy_to(scan *s, const unsigned char *p)
{
    size_t n = (size_t)(p - s->pending);

    if (n <= 16 && s->end - s->pending >= 16) {
        /* A fixed size is one load and one store; the slack takes the rest. */
        memcpy(s->scratch + s->copied, s->pending, 16);
    }
    else {
        memcpy(s->scratch + s->copied, s->pending, n);
    }
    s->copied += n;
    s->pending = p;
}

/* Skip white space, which goes out of the line. */
static void skip_white(scan *s)
{
    const unsigned char *p = s->p;

    while (p < s->end &&
           (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }
    if (p > s->p) {
        if (p < s->end) {
            copy_to(s, s->p);
            s->pending = p;
        }
        s->p = p;
    }
}

static inline void skip_space(scan *s)
{
    if (s->p < s->end && *s->p <= ' ') {
        skip_white(s);
    }
}

/* Return the first byte from P that ends a string or needs a look. */
static inline const unsigned char *skip_plain(const unsigned char *p,
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

/* Whether an escaped CODE stays escaped (the rule of dl_json.h). */
static bool stays_escaped(uint32_t code)
{
    static const struct {
        uint32_t first, last; /* a range, both ends in it */
    } hidden[] = {
        {0x0000, 0x001F}, {0x0022, 0x0022}, {0x005C, 0x005C}, {0x007F, 0x009F},
        {0x00AD, 0x00AD}, {0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F},
        {0xFDD0, 0xFDEF}, {0xFEFF, 0xFEFF}, {0xFFF0, 0xFFFB},
    };

    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        if (code >= hidden[i].first && code <= hidden[i].last) {
            return true;
        }
    }
    return (code & 0xFFFE) == 0xFFFE;
}

/* Set *CODE to the four hexadecimal digits at P. */
static bool get_hex(uint32_t *code, const unsigned char *p,
                    const unsigned char *end)
{
    uint32_t sum = 0;

    if (end - p < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        unsigned lower = p[i] | 0x20u;

        if (p[i] >= '0' && p[i] <= '9') {
            sum = sum << 4 | (p[i] - (unsigned)'0');
        }
        else if (lower >= 'a' && lower <= 'f') {
            sum = sum << 4 | (lower - 'a' + 10);
        }
        else {
            return false;
        }
    }
    *code = sum;
    return true;
}

/* Set *CODE and *WIDTH to the character and the bytes of the \u escape at P
 * (or of the pair of them); WIDTH 0: no escape, 1: a lone surrogate. */
static void get_unicode(uint32_t *code, size_t *width, const unsigned char *p,
                        const unsigned char *end)
{
    uint32_t low;

    *width = 0;
    if (!get_hex(code, p + 2, end)) {
        return;
    }
    *width = 6;
    if (*code < 0xD800 || *code > 0xDFFF) {
        return;
    }
    *width = 1;
    if (*code < 0xDC00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u' &&
        get_hex(&low, p + 8, end) && low >= 0xDC00 && low <= 0xDFFF) {
        *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
        *width = 12;
    }
}

/* Scan the \u escape at s->p. */
static bool scan_unicode(scan *s, uint8_t *escaped)
{
    uint32_t code = 0;
    size_t width;

    get_unicode(&code, &width, s->p, s->end);
    if (width == 0) {
        return fail(s, DL_JSON_SYNTAX,
                    "an escape without four hexadecimal digits");
    }
    if (width == 1) {
        return fail(s, DL_JSON_ENCODING, "an escaped lone surrogate");
    }
    if (stays_escaped(code)) {
        *escaped = 1;
    }
    else {
        copy_to(s, s->p);
        s->copied += dl_utf8_encode(s->scratch + s->copied, code);
        s->pending = s->p + width;
    }
    s->p += width;
    return true;
}

/* Scan the escape at s->p. */
static bool scan_escape(scan *s, uint8_t *escaped)
{
    if (s->end - s->p < 2) {
        s->p = s->end;
        return fail_syntax(s, "");
    }
    switch (s->p[1]) {
    case 'u':
        return scan_unicode(s, escaped);
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        s->p += 2;
        *escaped = 1;
        return true;
    default:
        return fail(s, DL_JSON_SYNTAX, "an unknown escape");
    }
}

/* Scan the characters past ASCII at s->p. */
static bool scan_wide(scan *s)
{
    while (s->p < s->end && *s->p >= 0x80) {
        size_t width = dl_utf8_check(s->p, (size_t)(s->end - s->p));

        if (width == 0) {
            return fail(s, DL_JSON_ENCODING, "a byte that is not UTF-8");
        }
        s->p += width;
    }
    return true;
}

/* Scan from behind the opening quotation mark to the closing one. */
static inline bool scan_string(scan *s, uint8_t *escaped)
{
    *escaped = 0;
    for (;;) {
        bool fine;

        s->p = skip_plain(s->p, s->end);
        if (s->p < s->end && *s->p == '"') {
            return true;
        }
        if (s->p == s->end) {
            return fail_syntax(s, "");
        }
        if (*s->p == '\\') {
            fine = scan_escape(s, escaped);
        }
        else if (*s->p >= 0x80) {
            fine = scan_wide(s);
        }
        else {
            fine = fail_syntax(s, "a control character in a string");
        }
        if (!fine) {
            return false;
        }
    }
}

static inline bool is_digit(const scan *s)
{
    return s->p < s->end && (unsigned)(*s->p - '0') < 10;
}

static inline bool scan_digits(scan *s)
{
    if (!is_digit(s)) {
        return fail_syntax(s, "a digit is missing");
    }
    do {
        s->p++;
    } while (is_digit(s));
    return true;
}

static bool scan_number(scan *s)
{
    if (*s->p == '-') {
        s->p++;
    }
    if (s->p < s->end && *s->p == '0') {
        s->p++;
    }
    else if (!scan_digits(s)) {
        return false;
    }
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (!scan_digits(s)) {
            return false;
        }
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-')) {
            s->p++;
        }
        return scan_digits(s);
    }
    return true;
}

static bool scan_word(scan *s, const char *word, size_t len)
{
    if ((size_t)(s->end - s->p) < len || memcmp(s->p, word, len) != 0) {
        return fail_syntax(s, "a value is missing");
    }
    s->p += len;
    return true;
}

/* Find the member of NODE whose name begins at NAME and was scanned up to
 * s->p with escapes in it. */
static const dl_json_member *find_escaped(scan *s, const dl_json_node *node,
                                          size_t at)
{
    char name[NAME_MAX_BYTES];
    dl_json_slice slice = {.text = s->scratch + at, .kind = DL_JSON_STRING};

    copy_to(s, s->p);
    slice.len = (uint32_t)(s->copied - at);
    if (slice.len > sizeof name) {
        return NULL;
    }
    return dl_json_node_find(node, name, dl_json_unescape(name, slice));
}

/* Scan a name, quotation marks and all; set *MEMBER to what it is in NODE
 * (may be NULL) or to NULL. */
static bool scan_name(scan *s, const dl_json_node *node,
                      const dl_json_member **member)
{
    const unsigned char *first = s->p + 1;
    const unsigned char *pending = s->pending;
    size_t at;
    uint8_t escaped;

    *member = NULL;
    if (s->p == s->end || *s->p != '"') {
        return fail_syntax(s, "a member name is missing");
    }
    at = (size_t)(place(s, first) - s->scratch);
    s->p = first;
    if (!scan_string(s, &escaped)) {
        return false;
    }
    if (node != NULL) {
        *member = escaped != 0 || s->pending != pending
                      ? find_escaped(s, node, at)
                      : dl_json_node_find(node, (const char *)first,
                                          (size_t)(s->p - first));
    }
    s->p++;
    return true;
}

/* Scan the name at s->p as scan_name does, trying *NEXT first: producers
 * write their members in one order. */
static inline bool guess_name(scan *s, const dl_json_node *node, int *next,
                              const dl_json_member **member)
{
    if (node == NULL) {
        return scan_name(s, NULL, member);
    }
    if (*next < node->n) {
        const dl_json_member *guess = &node->members[*next];

        if ((size_t)(s->end - s->p) >= (size_t)guess->len + 2 &&
            s->p[0] == '"' && s->p[guess->len + 1] == '"' &&
            memcmp(s->p + 1, guess->name, guess->len) == 0) {
            s->p += guess->len + 2;
            *member = guess;
            (*next)++;
            return true;
        }
    }
    if (!scan_name(s, node, member)) {
        return false;
    }
    if (*member != NULL) {
        *next = (int)(*member - node->members) + 1;
    }
    return true;
}

/* Forget what an earlier member of the same name had under it. */
static inline void clear_under(scan *s, const dl_json_member *member)
{
    for (int i = 0; i < member->n_under; i++) {
        s->slots[member->under[i]].kind = DL_JSON_ABSENT;
    }
}

/* Scan behind an element up to and with a comma or CLOSE; set *MORE to which
 * it was. */
static inline bool scan_comma(scan *s, unsigned char close, bool *more)
{
    skip_space(s);
    if (s->p < s->end && (*s->p == ',' || *s->p == close)) {
        *more = *s->p++ == ',';
        skip_space(s);
        return true;
    }
    return fail_syntax(s, close == '}' ? "',' or '}' is missing"
                                       : "',' or ']' is missing");
}

/* Step into an object or array; set *EMPTY when it ends at once. */
static bool enter(scan *s, unsigned char close, bool *empty)
{
    if (++s->depth > DL_JSON_MAX_DEPTH) {
        return fail(s, DL_JSON_TOO_BIG, "more than 64 levels");
    }
    s->p++;
    skip_space(s);
    *empty = s->p < s->end && *s->p == close;
    s->p += *empty ? 1 : 0;
    return true;
}

static bool scan_object(scan *s, const dl_json_node *node)
{
    const dl_json_member *member;
    bool empty;
    bool more = true;
    int next = 0;

    if (!enter(s, '}', &empty)) {
        return false;
    }
    while (more && !empty) {
        if (!guess_name(s, node, &next, &member)) {
            return false;
        }
        skip_space(s);
        if (s->p == s->end || *s->p != ':') {
            return fail_syntax(s, "':' is missing");
        }
        s->p++;
        skip_space(s);
        if (!scan_value(s, member) || !scan_comma(s, '}', &more)) {
            return false;
        }
    }
    s->depth--;
    return true;
}

static bool scan_array(scan *s)
{
    bool empty;
    bool more = true;

    if (!enter(s, ']', &empty)) {
        return false;
    }
    while (more && !empty) {
        if (!scan_value(s, NULL) || !scan_comma(s, ']', &more)) {
            return false;
        }
    }
    s->depth--;
    return true;
}

/* Scan the value at s->p of MEMBER; set *KIND and, of a string, *ESCAPED. */
static inline bool scan_kind(scan *s, const dl_json_member *member,
                             dl_json_kind *kind, uint8_t *escaped)
{
    switch (*s->p) {
    case '"':
        *kind = DL_JSON_STRING;
        s->p++;
        if (!scan_string(s, escaped)) {
            return false;
        }
        s->p++;
        return true;
    case '{':
        *kind = DL_JSON_OBJECT;
        return scan_object(s, member == NULL ? NULL : member->node);
    case '[':
        *kind = DL_JSON_ARRAY;
        return scan_array(s);
    case 't':
        *kind = DL_JSON_TRUE;
        return scan_word(s, "true", 4);
    case 'f':
        *kind = DL_JSON_FALSE;
        return scan_word(s, "false", 5);
    case 'n':
        *kind = DL_JSON_NULL;
        return scan_word(s, "null", 4);
    case '-':
        *kind = DL_JSON_NUMBER;
        return scan_number(s);
    default:
        *kind = DL_JSON_NUMBER;
        if ((unsigned)(*s->p - '0') >= 10) {
            return fail_syntax(s, "a value is missing");
        }
        return scan_number(s);
    }
}

/* Scan the value at s->p; MEMBER says where it goes, NULL: nowhere. */
static bool scan_value(scan *s, const dl_json_member *member)
{
    dl_json_kind kind = DL_JSON_ABSENT;
    uint8_t escaped = 0;
    char *first = place(s, s->p);
    dl_json_slice *slot;
    int quotes;

    if (s->p == s->end) {
        return fail_syntax(s, "");
    }
    if (++s->values > DL_JSON_MAX_VALUES) {
        return fail(s, DL_JSON_TOO_BIG, "more than 10000 values");
    }
    if (member != NULL && member->n_under > 0) {
        clear_under(s, member);
    }
    if (!scan_kind(s, member, &kind, &escaped)) {
        return false;
    }
    if (member != NULL && member->slot >= 0) {
        quotes = kind == DL_JSON_STRING ? 1 : 0;
        slot = &s->slots[member->slot];
        slot->text = first + quotes;
        slot->len = (uint32_t)(place(s, s->p) - first - 2 * quotes);
        slot->kind = (uint8_t)kind;
        slot->escaped = escaped;
    }
    return true;
}

/* Scan the one value a text is, and nothing behind it. */
static bool scan_text(scan *s, dl_json_node *root)
{
    const dl_json_member whole = {.slot = -1, .node = root};
    const unsigned char *first;

    if (s->end - s->p >= 3 && memcmp(s->p, "\xEF\xBB\xBF", 3) == 0) {
        return fail(s, DL_JSON_SYNTAX, "a byte order mark");
    }
    skip_space(s);
    s->pending = first = s->p;
    if (!scan_value(s, &whole)) {
        return false;
    }
    skip_space(s);
    if (s->p < s->end) {
        return fail_syntax(s, "more text behind the value");
    }
    if (*first != '{') {
        s->p = first;
        return fail(s, DL_JSON_NOT_OBJECT, "the value is not an object");
    }
    return true;
}

/* Say where the line is; behind it may be white space. */
static void set_line(dl_json_result *result, scan *s, int n)
{
    const unsigned char *end = s->end;
    const char *line;

    while (end[-1] != '}') {
        end--;
    }
    if (s->copied > 0) {
        copy_to(s, end);
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
    scan s = {.p = begin,
              .begin = begin,
              .pending = begin,
              .end = begin + len,
              .scratch = scratch,
              .slots = slots};

    memset(slots, 0, (size_t)shape->slots * sizeof *slots);
    if (len > DL_JSON_MAX_BYTES) {
        fail(&s, DL_JSON_TOO_BIG, "more than 1048576 bytes");
    }
    else if (scan_text(&s, shape->root)) {
        set_line(result, &s, shape->slots);
    }
    result->reason = s.reason;
    result->offset = (uint32_t)(s.p - s.begin);
    return s.fault;
}
