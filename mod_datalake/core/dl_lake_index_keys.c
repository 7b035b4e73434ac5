/* dl_lake_index_keys.c - Lists of (hash, line): sorted, written, searched.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_index_keys.h"

#include <stdlib.h>
#include <string.h>

#include "dl_crc.h"

/* Bits of a hash beyond those that number the entries. */
#define SHARP 5

/* Bits of a digit of the sort. */
#define DIGIT 11

/* Bytes of entries in a page. */
#define PAGE_BYTES (DL_LAKE_KEYS_PAGE - 4)

/* Most bytes of one entry. */
#define ENTRY_MAX (5 + 3)

uint32_t dl_lake_key_hash(const char *text, size_t len)
{
    return dl_crc32c(0, text, len) * 0x9E3779B1u;
}

/* --- Entries --------------------------------------------------------------- */

/* Make room for N entries in KEYS. */
static void make_room(dl_lake_keys *keys, size_t n)
{
    size_t size = keys->size < 1024 ? 1024 : keys->size;
    uint64_t *entries;

    if (n <= keys->size) {
        return;
    }
    while (size < n) {
        size *= 2;
    }
    entries = realloc(keys->entries, size * sizeof *entries);
    if (entries == NULL) {
        abort();
    }
    keys->entries = entries;
    keys->size = size;
}

void dl_lake_keys_note(dl_lake_keys *keys, uint32_t hash, uint32_t line)
{
    if (keys->n == keys->size) {
        make_room(keys, keys->n + 1);
    }
    keys->entries[keys->n++] = (uint64_t)hash << 32 | line;
}

void dl_lake_keys_free(dl_lake_keys *keys)
{
    free(keys->entries);
    memset(keys, 0, sizeof *keys);
}

/* Return how many bits N has. */
static unsigned bits_of(size_t n)
{
    unsigned bits = 0;

    for (; n > 0; n >>= 1) {
        bits++;
    }
    return bits;
}

/* Copy FROM to TO by the digit of the hash that begins at bit SHIFT, keeping
 * the order of equal ones. */
static void sort_by_digit(dl_lake_keys *to, const dl_lake_keys *from,
                          unsigned shift)
{
    const uint64_t mask = (UINT64_C(1) << DIGIT) - 1;
    uint32_t starts[1 << DIGIT] = {0};
    uint32_t sum = 0;

    for (size_t i = 0; i < from->n; i++) {
        starts[from->entries[i] >> shift & mask]++;
    }
    for (size_t d = 0; d <= mask; d++) {
        uint32_t n = starts[d];

        starts[d] = sum;
        sum += n;
    }
    for (size_t i = 0; i < from->n; i++) {
        to->entries[starts[from->entries[i] >> shift & mask]++] =
            from->entries[i];
    }
    to->n = from->n;
}

/* Cut the hashes of KEYS to BITS bits and sort; SORTED is for the way. */
static void sort(dl_lake_keys *keys, dl_lake_keys *sorted, unsigned bits)
{
    for (size_t i = 0; i < keys->n; i++) {
        uint64_t entry = keys->entries[i];

        keys->entries[i] =
            entry >> (64 - bits) << 32 | (entry & UINT64_C(0xffffffff));
    }
    make_room(sorted, keys->n);
    for (unsigned shift = 0; shift < bits; shift += DIGIT) {
        dl_lake_keys other = *keys;

        sort_by_digit(sorted, keys, 32 + shift);
        *keys = *sorted;
        *sorted = other;
    }
}

/* --- Writing --------------------------------------------------------------- */

/* Write LINE in L bytes at P; return the byte behind it. */
static uint8_t *put_line(uint8_t *p, uint32_t line, unsigned l)
{
    for (unsigned i = 0; i < l; i++) {
        *p++ = (uint8_t)(line >> (8 * i));
    }
    return p;
}

/* Write entry I of KEYS at P, the first of its page when FIRST; return the
 * byte behind it. */
static uint8_t *put_entry(uint8_t *p, const dl_lake_keys *keys, size_t i,
                          bool first, unsigned l)
{
    uint32_t hash = (uint32_t)(keys->entries[i] >> 32);
    uint32_t line = (uint32_t)keys->entries[i];
    uint64_t before = first ? keys->entries[i] : keys->entries[i - 1];
    uint32_t step = hash - (uint32_t)(before >> 32);

    if (!first && step == 0) {
        return dl_lake_put_varint(p, (uint64_t)(line - (uint32_t)before) << 1);
    }
    p = dl_lake_put_varint(p, (uint64_t)step << 1 | 1);
    return put_line(p, line, l);
}

/* Write to PAGE, number NUMBER, the entries of KEYS from AT on that fit;
 * return the first that does not. */
static size_t put_page(uint8_t page[DL_LAKE_KEYS_PAGE],
                       const dl_lake_keys *keys, size_t at, uint32_t number,
                       unsigned l)
{
    uint8_t entry[ENTRY_MAX + 8];
    uint8_t *p = page;
    size_t first = at;
    uint32_t crc;

    memset(page, 0, DL_LAKE_KEYS_PAGE);
    for (; at < keys->n; at++) {
        size_t len =
            (size_t)(put_entry(entry, keys, at, at == first, l) - entry);

        if (len > (size_t)(page + PAGE_BYTES - p)) {
            break;
        }
        memcpy(p, entry, len);
        p += len;
    }
    dl_lake_put_u32(entry, number);
    crc = dl_crc32c(dl_crc32c(0, entry, 4), page, PAGE_BYTES);
    dl_lake_put_u32(page + PAGE_BYTES, crc);
    return at;
}

void dl_lake_keys_add(dl_lake_bytes *out, dl_lake_keys *keys,
                      dl_lake_keys *sorted)
{
    dl_lake_bytes pages = {0};
    unsigned bits = bits_of(keys->n) + SHARP;
    unsigned l = 1;
    size_t start = out->len;
    size_t at = 0;
    uint32_t n = 0;

    bits = bits > 32 ? 32 : bits;
    if (keys->n > 0) {
        uint32_t last = (uint32_t)keys->entries[keys->n - 1];

        l = (bits_of(last | 1) + 7) / 8;
    }
    sort(keys, sorted, bits);
    dl_lake_add_u32(out, (uint32_t)keys->n);
    dl_lake_add_u32(out, bits | l << 8);
    dl_lake_add_u32(out, 0);
    while (at < keys->n) {
        dl_lake_add_u32(out, (uint32_t)(keys->entries[at] >> 32));
        at = put_page(dl_lake_bytes_room(&pages, DL_LAKE_KEYS_PAGE), keys, at,
                      n++, l);
        pages.len += DL_LAKE_KEYS_PAGE;
    }
    dl_lake_put_u32(out->data + start + 8, n);
    dl_lake_add_u32(out, dl_crc32c(0, out->data + start, out->len - start));
    dl_lake_add_raw(out, pages.data, pages.len);
    dl_lake_bytes_free(&pages);
    keys->n = 0;
}

/* --- Finding --------------------------------------------------------------- */

/* A column, as its first bytes describe it. */
typedef struct column {
    uint32_t pages;        /* how many */
    unsigned bits;         /* of a hash */
    unsigned l;            /* bytes of a line */
    const uint8_t *hashes; /* of the first entries */
    const uint8_t *first;  /* the first page */
} column;

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

/* Read what describes the column of LEN bytes at DATA. */
static bool read_column(column *c, const uint8_t *data, size_t len)
{
    size_t head;

    if (len < DL_LAKE_KEYS_HEADER + 4) {
        return false;
    }
    c->bits = data[4];
    c->l = data[5];
    c->pages = get_u32(data + 8);
    if (c->pages > len / DL_LAKE_KEYS_PAGE) {
        return false;
    }
    head = DL_LAKE_KEYS_HEADER + (size_t)4 * c->pages;
    c->hashes = data + DL_LAKE_KEYS_HEADER;
    c->first = data + head + 4;
    return len == head + 4 + (size_t)c->pages * DL_LAKE_KEYS_PAGE &&
           c->bits >= 1 && c->bits <= 32 && c->l >= 1 && c->l <= 3 &&
           dl_crc32c(0, data, head) == get_u32(data + head);
}

/* Return page NUMBER of C, NULL when it is damaged. */
static const uint8_t *get_page(const column *c, uint32_t number)
{
    const uint8_t *page = c->first + (size_t)number * DL_LAKE_KEYS_PAGE;
    uint8_t bytes[4];
    uint32_t crc;

    dl_lake_put_u32(bytes, number);
    crc = dl_crc32c(dl_crc32c(0, bytes, sizeof bytes), page, PAGE_BYTES);
    return crc == get_u32(page + PAGE_BYTES) ? page : NULL;
}

/* A search under way. */
typedef struct search {
    uint32_t lines;         /* lines below it are taken */
    uint32_t hash;          /* wanted, cut to its bits */
    dl_lake_key_line *take; /* takes lines */
    void *context;          /* of it */
    bool over;              /* it wants no more */
} search;

/* Take the lines of PAGE, whose first hash is HASH; false: it is malformed. */
static bool search_page(search *s, const column *c, const uint8_t *page,
                        uint32_t hash)
{
    dl_lake_in in = dl_lake_in_make(page, PAGE_BYTES);
    uint64_t line = 0;

    while (!s->over && in.p < in.end) {
        uint64_t v = dl_lake_get_varint(&in);

        if (v == 0) {
            break;
        }
        if ((v & 1) != 0) {
            const uint8_t *p = dl_lake_get_raw(&in, c->l);

            hash += (uint32_t)(v >> 1);
            line = 0;
            for (unsigned i = 0; p != NULL && i < c->l; i++) {
                line |= (uint64_t)p[i] << (8 * i);
            }
        }
        else {
            line += v >> 1;
        }
        if (in.bad || line >= s->lines) {
            return false;
        }
        if (hash > s->hash) {
            s->over = true;
        }
        else if (hash == s->hash) {
            s->over = !s->take(s->context, (uint32_t)line);
        }
    }
    return !in.bad;
}

/* Return the last page of C whose first hash is below HASH, or 0. */
static uint32_t first_page(const column *c, uint32_t hash)
{
    uint32_t low = 0;
    uint32_t high = c->pages;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (get_u32(c->hashes + (size_t)4 * middle) < hash) {
            low = middle;
        }
        else {
            high = middle;
        }
    }
    return low;
}

bool dl_lake_keys_find(const uint8_t *data, size_t len, uint32_t lines,
                       uint32_t hash, dl_lake_key_line *take, void *context)
{
    search s = {.lines = lines, .take = take, .context = context};
    column c;
    uint32_t i;

    if (!read_column(&c, data, len)) {
        return false;
    }
    s.hash = hash >> (32 - c.bits);
    for (i = first_page(&c, s.hash); i < c.pages && !s.over; i++) {
        uint32_t first = get_u32(c.hashes + (size_t)4 * i);
        const uint8_t *page;

        if (first > s.hash) {
            break;
        }
        page = get_page(&c, i);
        if (page == NULL || !search_page(&s, &c, page, first)) {
            return false;
        }
    }
    return true;
}

bool dl_lake_keys_sound(const uint8_t *data, size_t len)
{
    column c;
    uint32_t i;

    if (!read_column(&c, data, len)) {
        return false;
    }
    for (i = 0; i < c.pages; i++) {
        if (get_page(&c, i) == NULL) {
            return false;
        }
    }
    return true;
}
