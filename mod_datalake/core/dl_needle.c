/* dl_needle.c - Finding a folded text.
 *
 * The characters of a needle stand for several others each, which may have
 * another length: k for K and for the Kelvin sign of three bytes.  A piece is
 * a row of characters whose forms all have one length, so that its bytes lie
 * at fixed distances.  The two bytes of one piece that are the rarest in JSON
 * are looked for (dl_anchor.h); around them the text is compared character by
 * character, folded.
 *
 * A needle without a piece ("ks") is looked for as if each character had only
 * the forms of its usual length; where one of the others stands in the text,
 * which is rare, byte by byte.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_fold.h"

#include <limits.h>
#include <string.h>

#include "dl_anchor.h"
#include "dl_utf8.h"

/* Bytes of a needle, which are at least as many as its code points. */
#define NEEDLE_MAX 1024

/* Forms of unusual length that a needle without a piece looks for. */
#define ODD_MAX 32

struct dl_needle {
    uint32_t n;              /* code points */
    uint32_t pivot;          /* the one the anchors' piece begins with */
    dl_anchors anchors;      /* the rarest two bytes */
    bool has_piece;          /* of a piece; else of usual forms alone */
    uint32_t n_odd;          /* entries of odd; above ODD_MAX: too many */
    dl_anchors odd[ODD_MAX]; /* forms of another length, without a piece */
    bool is_start[256];      /* bytes that can begin a hit */
    uint32_t code[];         /* the folded code points */
};

/* --- How common bytes are --------------------------------------------------- */

/* Bytes of JSON, the most common first. */
static const char common[] = "\"0e1:,tarn2oi_s3d54c6pl798mu-.gyhbTfv wkxZzqj{}";

/* Return how common BYTE is, from 1. */
static unsigned commonness(unsigned byte)
{
    const char *at = memchr(common, (int)byte, sizeof common - 1);

    if (at != NULL) {
        return 150 - 3 * (unsigned)(at - common);
    }
    if (byte >= 'A' && byte <= 'Z') {
        return 10;
    }
    return byte >= 0xC0 ? 12 : 5;
}

/* Return how common bytes are that are VALUE but for the bits of MASK. */
static unsigned commonness_of(uint8_t mask, uint8_t value)
{
    unsigned rest = value & ~(unsigned)mask;
    unsigned bits = 0;
    unsigned sum = 0;

    do {
        sum += commonness(rest | bits);
        bits = (bits - mask) & mask;
    } while (bits != 0);
    return sum;
}

/* --- Pieces ------------------------------------------------------------------ */

/* One byte of a piece. */
typedef struct piece_byte {
    uint8_t mask;    /* bits in which the forms differ */
    uint8_t value;   /* the others, those of the mask set */
    unsigned common; /* how common it is */
} piece_byte;

/* A piece, and the best of all pieces so far. */
typedef struct piece {
    dl_needle *needle;
    uint32_t first;               /* its first character */
    size_t len;                   /* its bytes */
    piece_byte bytes[NEEDLE_MAX]; /* they */
    unsigned best;                /* how common the best anchors are */
} piece;

/* Set BYTES to the forms of CODE that have its own length, which is returned;
 * *ODD: there are others. */
static size_t forms_of(piece_byte bytes[4], bool *odd, uint32_t code)
{
    uint32_t origins[DL_FOLD_ORIGINS];
    int n = dl_fold_origins(origins, code);
    char form[4];
    size_t len = dl_utf8_encode(form, code);
    size_t b;
    int i;

    *odd = false;
    for (b = 0; b < len; b++) {
        bytes[b].mask = 0;
        bytes[b].value = (uint8_t)form[b];
    }
    for (i = 1; i < n; i++) {
        if (dl_utf8_encode(form, origins[i]) != len) {
            *odd = true;
            continue;
        }
        for (b = 0; b < len; b++) {
            bytes[b].mask |= (uint8_t)(bytes[b].value ^ (uint8_t)form[b]);
        }
    }
    for (b = 0; b < len; b++) {
        bytes[b].value |= bytes[b].mask;
        bytes[b].common = commonness_of(bytes[b].mask, bytes[b].value);
    }
    return len;
}

/* Return the place of the rarest byte of P, but for place OTHER. */
static size_t rarest(const piece *p, size_t other)
{
    size_t best = other == 0 ? 1 : 0;
    size_t i;

    for (i = best + 1; i < p->len; i++) {
        if (i != other && p->bytes[i].common < p->bytes[best].common) {
            best = i;
        }
    }
    return best;
}

/* Make byte AT of P anchor I of its needle. */
static void set_anchor(const piece *p, int i, size_t at)
{
    dl_anchors *anchors = &p->needle->anchors;

    anchors->at[i] = at;
    anchors->mask[i] = p->bytes[at].mask;
    anchors->value[i] = p->bytes[at].value;
}

/* Let the needle be looked for by P, if its anchors are the rarest so far. */
static void end_piece(piece *p)
{
    size_t one;
    size_t two;
    unsigned score;

    if (p->len == 0) {
        return;
    }
    one = rarest(p, p->len);
    two = p->len == 1 ? one : rarest(p, one);
    score = p->bytes[one].common * (one == two ? 256 : p->bytes[two].common);
    if (score >= p->best) {
        return;
    }
    p->best = score;
    p->needle->pivot = p->first;
    set_anchor(p, 0, one < two ? one : two);
    set_anchor(p, 1, one < two ? two : one);
}

/* Choose the piece by which NEEDLE is looked for; WHOLE: all of it, as if there
 * were no forms of another length. */
static void choose_piece(dl_needle *needle, bool whole)
{
    piece p = {.needle = needle, .best = UINT_MAX};
    uint32_t i;

    for (i = 0; i < needle->n; i++) {
        piece_byte bytes[4];
        bool odd;
        size_t len = forms_of(bytes, &odd, needle->code[i]);

        if (odd && !whole) {
            end_piece(&p);
            p.first = i + 1;
            p.len = 0;
            continue;
        }
        memcpy(p.bytes + p.len, bytes, len * sizeof *bytes);
        p.len += len;
    }
    end_piece(&p);
    needle->has_piece = !whole && p.best != UINT_MAX;
}

/* Note the form ODD of LEN bytes, once. */
static void add_odd(dl_needle *needle, const char *odd, size_t len)
{
    uint8_t first = (uint8_t)odd[0];
    uint8_t last = (uint8_t)odd[len - 1];
    uint32_t i;

    for (i = 0; i < needle->n_odd && i < ODD_MAX; i++) {
        const dl_anchors *known = &needle->odd[i];

        if (known->at[1] == len - 1 && known->value[0] == first &&
            known->value[1] == last) {
            return;
        }
    }
    if (i < ODD_MAX) {
        needle->odd[i] =
            (dl_anchors){.at = {0, len - 1}, .value = {first, last}};
    }
    needle->n_odd++;
}

/* Note all forms of NEEDLE's characters that have an unusual length. */
static void find_odd(dl_needle *needle)
{
    uint32_t i;

    for (i = 0; i < needle->n; i++) {
        uint32_t origins[DL_FOLD_ORIGINS];
        int n = dl_fold_origins(origins, needle->code[i]);
        char form[4];
        size_t usual = dl_utf8_encode(form, needle->code[i]);
        int k;

        for (k = 1; k < n; k++) {
            size_t len = dl_utf8_encode(form, origins[k]);

            if (len != usual) {
                add_odd(needle, form, len);
            }
        }
    }
}

/* Note all bytes a hit of NEEDLE can begin with. */
static void find_starts(dl_needle *needle)
{
    uint32_t origins[DL_FOLD_ORIGINS];
    int n = dl_fold_origins(origins, needle->code[0]);
    int i;

    for (i = 0; i < n; i++) {
        char form[4];

        dl_utf8_encode(form, origins[i]);
        needle->is_start[(uint8_t)form[0]] = true;
    }
}

/* --- Characters -------------------------------------------------------------- */

static bool is_inner_byte(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

/* Set *CODE to the character at TEXT, of which LEFT bytes are there; return its
 * bytes, 0 when it is cut off. */
static size_t decode(uint32_t *code, const unsigned char *text, size_t left)
{
    unsigned char c = text[0];

    if (c < 0x80) {
        *code = c;
        return 1;
    }
    if (c < 0xE0 && left >= 2) {
        *code = ((c & 0x1Fu) << 6) | (text[1] & 0x3Fu);
        return 2;
    }
    if (c < 0xF0 && left >= 3) {
        *code =
            ((c & 0x0Fu) << 12) | ((text[1] & 0x3Fu) << 6) | (text[2] & 0x3Fu);
        return 3;
    }
    if (left >= 4) {
        *code = ((c & 0x07u) << 18) | ((text[1] & 0x3Fu) << 12) |
                ((text[2] & 0x3Fu) << 6) | (text[3] & 0x3Fu);
        return 4;
    }
    return 0;
}

dl_status dl_needle_create(dl_needle **needle, const char *text, size_t len,
                           dl_error *err, apr_pool_t *result_pool)
{
    const unsigned char *bytes = (const unsigned char *)text;
    dl_needle *made;
    size_t at = 0;

    if (len == 0 || len > NEEDLE_MAX) {
        return dl_fail(err, DL_INVALID, 0, "a text has 1 to %d bytes",
                       NEEDLE_MAX);
    }
    made = apr_pcalloc(result_pool, sizeof *made + len * sizeof made->code[0]);
    while (at < len) {
        uint32_t code = 0;
        size_t step = dl_utf8_check(bytes + at, len - at);

        if (step == 0) {
            return dl_fail(err, DL_INVALID, 0, "the text is not UTF-8");
        }
        (void)decode(&code, bytes + at, len - at);
        made->code[made->n++] = dl_fold(code);
        at += step;
    }
    find_starts(made);
    choose_piece(made, false);
    if (!made->has_piece) {
        choose_piece(made, true);
        find_odd(made);
    }
    *needle = made;
    return DL_OK;
}

/* --- Hits --------------------------------------------------------------------- */

/* A text in which is looked. */
typedef struct haystack {
    const unsigned char *text; /* its bytes */
    size_t len;                /* how many */
    size_t from;               /* no hit begins before this */
} haystack;

/* Set *TO to the end of the characters of NEEDLE from its FIRST on, if they
 * stand at AT. */
static bool match_on(size_t *to, const dl_needle *needle, const haystack *in,
                     uint32_t first, size_t at)
{
    uint32_t i;

    if (at < in->len && is_inner_byte(in->text[at])) {
        return false;
    }
    for (i = first; i < needle->n; i++) {
        uint32_t code = 0;
        size_t step;

        if (at >= in->len) {
            return false;
        }
        step = decode(&code, in->text + at, in->len - at);
        if (step == 0 ||
            (code != needle->code[i] && dl_fold(code) != needle->code[i])) {
            return false;
        }
        at += step;
    }
    *to = at;
    return true;
}

/* Set *BEGIN to where the characters of NEEDLE before its pivot begin, if they
 * end at AT. */
static bool match_back(size_t *begin, const dl_needle *needle,
                       const haystack *in, size_t at)
{
    uint32_t i;

    for (i = needle->pivot; i > 0; i--) {
        uint32_t code = 0;
        size_t end = at;

        do {
            if (at == in->from) {
                return false;
            }
            at--;
        } while (is_inner_byte(in->text[at]));
        if (decode(&code, in->text + at, end - at) != end - at ||
            dl_fold(code) != needle->code[i - 1]) {
            return false;
        }
    }
    *begin = at;
    return true;
}

/* Find NEEDLE by its anchors. */
static bool find_by_anchors(dl_hit *hit, const dl_needle *needle,
                            const haystack *in)
{
    size_t at = in->from;
    size_t begin;
    size_t end;

    while ((at = dl_anchor_find(&needle->anchors, in->text, in->len, at)) <
           in->len) {
        if (match_on(&end, needle, in, needle->pivot, at) &&
            match_back(&begin, needle, in, at)) {
            hit->at = begin;
            hit->len = end - begin;
            return true;
        }
        at++;
    }
    return false;
}

/* Find a hit of NEEDLE that begins from BEGIN to LAST, looking at each byte. */
static bool find_by_bytes(dl_hit *hit, const dl_needle *needle,
                          const haystack *in, size_t begin, size_t last)
{
    size_t at;
    size_t end;

    for (at = begin; at <= last && at < in->len; at++) {
        if (needle->is_start[in->text[at]] &&
            match_on(&end, needle, in, 0, at)) {
            hit->at = at;
            hit->len = end - at;
            return true;
        }
    }
    return false;
}

/* Where each odd form of a needle stands next. */
typedef struct odd_places {
    size_t next[ODD_MAX]; /* by form */
} odd_places;

/* Return the first place from AT on and before END with an odd form of NEEDLE,
 * END if there is none; PLACES is kept between calls, all 0 at first. */
static size_t next_odd(odd_places *places, const dl_needle *needle,
                       const haystack *in, size_t at, size_t end)
{
    size_t first = end;
    uint32_t i;

    for (i = 0; i < needle->n_odd; i++) {
        size_t *next = &places->next[i];

        if (*next < at || at == in->from) {
            *next = dl_anchor_find(&needle->odd[i], in->text, end, at);
        }
        first = *next < first ? *next : first;
    }
    return first;
}

/* Find a hit of NEEDLE around one of its odd forms before END: it begins before
 * the form, at most so many characters as the needle has. */
static bool find_by_odd(dl_hit *hit, const dl_needle *needle,
                        const haystack *in, size_t end)
{
    size_t reach = (size_t)4 * needle->n;
    size_t begin = in->from;
    size_t at = begin;
    odd_places places = {{0}};

    if (needle->n_odd > ODD_MAX) {
        return find_by_bytes(hit, needle, in, begin, in->len);
    }
    while ((at = next_odd(&places, needle, in, at, end)) < end) {
        if (at > reach && at - reach > begin) {
            begin = at - reach;
        }
        if (find_by_bytes(hit, needle, in, begin, at)) {
            return true;
        }
        begin = ++at;
    }
    return false;
}

bool dl_needle_find(dl_hit *hit, const dl_needle *needle, const char *text,
                    size_t len, size_t from)
{
    haystack in = {(const unsigned char *)text, len, from};
    bool found = find_by_anchors(hit, needle, &in);
    size_t end = found ? hit->at + (size_t)4 * needle->n : len;
    dl_hit odd;

    if (!needle->has_piece &&
        find_by_odd(&odd, needle, &in, end < len ? end : len) &&
        (!found || odd.at < hit->at)) {
        *hit = odd;
        return true;
    }
    return found;
}
