/* dl_zone.c - Read a TZif file (RFC 8536) and look times up in it.
 *
 * Only the second, 64-bit block of a file counts; every zone of the system
 * has it since 2005.  Big-endian throughout.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_zone.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_file.h"
#include "dl_zone_rule.h"

/* Sizes of the format, and bounds against nonsense. */
enum {
    HEADER = 44,
    TYPE = 6,
    MAX_FILE = 1 << 20,
    MAX_CHANGES = 20000,
    MAX_OFFSET_S = 26 * 3600,
    MAX_NAME = 100
};

struct dl_zone {
    int n;                  /* changes */
    const int64_t *at;      /* second of change i, rising */
    const int32_t *offsets; /* seconds ahead of UTC from change i on */
    int32_t first;          /* ... and before the first change */
    bool has_rule;          /* behind the last change */
    dl_zone_rule rule;      /* what holds there */
};

/* The counts of one block's header. */
typedef struct counts {
    uint32_t ut, standard, leaps, changes, types, chars; /* in file order:
                                                          * see get_counts */
} counts;

static uint32_t get_u32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static int64_t get_i64(const unsigned char *p)
{
    return (int64_t)((uint64_t)get_u32(p) << 32 | get_u32(p + 4));
}

/* Read the header at P, of which LEFT bytes are there. */
static dl_status get_counts(counts *c, const unsigned char *p, size_t left,
                            dl_error *err)
{
    if (left < HEADER || memcmp(p, "TZif", 4) != 0 || p[4] < '2') {
        return dl_fail(err, DL_CORRUPT, 0,
                       "not a time zone file of version 2 or later");
    }
    c->ut = get_u32(p + 20);
    c->standard = get_u32(p + 24);
    c->leaps = get_u32(p + 28);
    c->changes = get_u32(p + 32);
    c->types = get_u32(p + 36);
    c->chars = get_u32(p + 40);
    if (c->changes > MAX_CHANGES || c->types == 0 || c->types > 256 ||
        c->chars > MAX_FILE || c->ut > 256 || c->standard > 256 ||
        c->leaps > MAX_CHANGES) {
        return dl_fail(err, DL_CORRUPT, 0, "counts out of bounds");
    }
    return DL_OK;
}

/* Bytes of the block behind a header, with times of WIDTH bytes. */
static size_t block_size(const counts *c, size_t width)
{
    return c->changes * (width + 1) + (size_t)c->types * TYPE + c->chars +
           c->leaps * (width + 4) + c->standard + c->ut;
}

/* Fill ZONE from the changes and types of the block at P. */
static dl_status get_changes(dl_zone *zone, const unsigned char *p,
                             const counts *c, dl_error *err, apr_pool_t *pool)
{
    const unsigned char *kinds = p + (size_t)c->changes * 8;
    const unsigned char *types = kinds + c->changes;
    int64_t *at = apr_palloc(pool, (c->changes + 1) * sizeof *at);
    int32_t *offsets = apr_palloc(pool, (c->changes + 1) * sizeof *offsets);

    for (uint32_t i = 0; i < c->types; i++) {
        int32_t offset = (int32_t)get_u32(types + (size_t)i * TYPE);

        if (offset < -MAX_OFFSET_S || offset > MAX_OFFSET_S) {
            return dl_fail(err, DL_CORRUPT, 0, "an offset of %d s", offset);
        }
    }
    for (uint32_t i = 0; i < c->changes; i++) {
        at[i] = get_i64(p + (size_t)i * 8);
        if (kinds[i] >= c->types || (i > 0 && at[i] <= at[i - 1])) {
            return dl_fail(err, DL_CORRUPT, 0, "change %u is wrong", i);
        }
        offsets[i] = (int32_t)get_u32(types + (size_t)kinds[i] * TYPE);
    }
    zone->n = (int)c->changes;
    zone->at = at;
    zone->offsets = offsets;
    zone->first = (int32_t)get_u32(types);
    return DL_OK;
}

/* Read the rule between two newlines at P. */
static dl_status get_rule(dl_zone *zone, const unsigned char *p, size_t left,
                          dl_error *err)
{
    const unsigned char *stop;

    if (left < 2 || p[0] != '\n' ||
        (stop = memchr(p + 1, '\n', left - 1)) == NULL) {
        return dl_fail(err, DL_CORRUPT, 0, "the rule at the end is missing");
    }
    zone->has_rule = stop > p + 1;
    if (zone->has_rule && !dl_zone_rule_parse(&zone->rule, (const char *)p + 1,
                                              (size_t)(stop - p - 1))) {
        return dl_fail(err, DL_CORRUPT, 0, "the rule at the end is wrong");
    }
    return DL_OK;
}

dl_status dl_zone_decode(const dl_zone **zone, const void *data, size_t len,
                         dl_error *err, apr_pool_t *result_pool)
{
    const unsigned char *p = data;
    dl_zone *made = apr_pcalloc(result_pool, sizeof *made);
    size_t left = len;
    counts c;

    DL_TRY(get_counts(&c, p, left, err));
    if (block_size(&c, 4) > left - HEADER) {
        return dl_fail(err, DL_CORRUPT, 0, "the first block is cut off");
    }
    left -= HEADER + block_size(&c, 4);
    p += HEADER + block_size(&c, 4);
    DL_TRY(get_counts(&c, p, left, err));
    if (block_size(&c, 8) > left - HEADER) {
        return dl_fail(err, DL_CORRUPT, 0, "the second block is cut off");
    }
    if (c.leaps > 0) {
        return dl_fail(err, DL_CORRUPT, 0, "the file counts leap seconds");
    }
    DL_TRY(get_changes(made, p + HEADER, &c, err, result_pool));
    left -= HEADER + block_size(&c, 8);
    p += HEADER + block_size(&c, 8);
    DL_TRY(get_rule(made, p, left, err));
    *zone = made;
    return DL_OK;
}

/* Whether NAME is relative, does not climb and has no odd characters. */
static bool name_ok(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
    size_t len = strlen(name);

    return len > 0 && len <= MAX_NAME && strspn(name, allowed) == len &&
           name[0] != '/' && name[len - 1] != '/' && strstr(name, "//") == NULL;
}

dl_status dl_zone_load(const dl_zone **zone, const char *name, dl_error *err,
                       apr_pool_t *result_pool)
{
    char path[MAX_NAME + 32];
    const char *data;
    size_t len;
    dl_status status;

    if (strcmp(name, "UTC") == 0) {
        *zone = apr_pcalloc(result_pool, sizeof **zone);
        return DL_OK;
    }
    if (!name_ok(name)) {
        return dl_fail(err, DL_INVALID, 0, "'%.100s' is not a zone name", name);
    }
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
    status = dl_file_load(&data, &len, path, MAX_FILE, err, result_pool);
    if (status != DL_OK) {
        return dl_fail(err, DL_NOT_FOUND, 0, "there is no zone '%s' in %s",
                       name, "/usr/share/zoneinfo");
    }
    if (dl_zone_decode(zone, data, len, err, result_pool) != DL_OK) {
        return dl_wrap(err, "%s", path);
    }
    return DL_OK;
}

/* The offset at SECONDS since 1970. */
static int32_t offset_at(const dl_zone *zone, int64_t seconds)
{
    int low = 0;
    int high = zone->n;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (zone->at[middle] <= seconds) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    if (low == zone->n && zone->has_rule) {
        return dl_zone_rule_offset(&zone->rule, seconds);
    }
    return low == 0 ? zone->first : zone->offsets[low - 1];
}

/* Whole seconds of T, downwards. */
static int64_t floor_seconds(dl_time t)
{
    int64_t seconds = t / DL_SECOND_US;

    return t % DL_SECOND_US < 0 ? seconds - 1 : seconds;
}

int32_t dl_zone_offset_s(const dl_zone *zone, dl_time t)
{
    return offset_at(zone, floor_seconds(t));
}

dl_time dl_zone_instant(const dl_zone *zone, dl_time local)
{
    int64_t seconds = floor_seconds(local);
    /* No two changes lie within two days of each other. */
    int32_t before = offset_at(zone, seconds - 86400);
    int32_t after = offset_at(zone, seconds + 86400);
    int32_t used = before;

    if (offset_at(zone, seconds - before) != before &&
        offset_at(zone, seconds - after) == after) {
        used = after;
    }
    return local - (dl_time)used * DL_SECOND_US;
}
