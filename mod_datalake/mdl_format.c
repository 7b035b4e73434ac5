/* mdl_format.c - Reading Accept (RFC 9110, 12.5.1) without allocating.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_format.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "mdl_route.h"

static const struct {
    unsigned bit;        /* of mdl_format */
    const char *name;    /* for format= */
    const char *major;   /* media type, before the slash */
    const char *minor;   /* ... behind it */
    const char *content; /* Content-Type */
} formats_known[] = {
    {MDL_FORMAT_JSON, "json", "application", "json", "application/json"},
    {MDL_FORMAT_NDJSON, "ndjson", "application", "x-ndjson",
     "application/x-ndjson"},
    {MDL_FORMAT_CSV, "csv", "text", "csv", "text/csv; header=present"},
    {MDL_FORMAT_TEXT, "text", "text", "plain",
     "text/plain; version=0.0.4; charset=utf-8"},
    {MDL_FORMAT_EVENTS, "events", "text", "event-stream", "text/event-stream"},
};

#define N_FORMATS (sizeof formats_known / sizeof formats_known[0])

/* How well a media range names a type: the more exact one decides. */
enum {
    MATCH_NONE,
    MATCH_ALL,
    MATCH_MAJOR,
    MATCH_EXACT
};

const char *mdl_format_type(unsigned format)
{
    size_t i;

    for (i = 0; i < N_FORMATS; i++) {
        if (formats_known[i].bit == format) {
            return formats_known[i].content;
        }
    }
    return "application/json";
}

const char *mdl_format_name(unsigned format)
{
    size_t i;

    for (i = 0; i < N_FORMATS; i++) {
        if (formats_known[i].bit == format) {
            return formats_known[i].name;
        }
    }
    return "json";
}

unsigned mdl_format_find(unsigned formats, const char *name)
{
    size_t i;

    for (i = 0; i < N_FORMATS; i++) {
        if ((formats & formats_known[i].bit) != 0 &&
            strcmp(formats_known[i].name, name) == 0) {
            return formats_known[i].bit;
        }
    }
    return 0;
}

/* Whether the LEN bytes at TEXT are WORD, without regard to case. */
static bool is_word(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

/* The weight in the parameters of a media range, 0 to 1000. */
static int weight_of(const char *range, size_t len)
{
    const char *end = range + len;
    const char *at = memchr(range, ';', len);
    int weight = 0;
    int unit = 1000;

    while (at != NULL && at < end) {
        at++;
        at += strspn(at, " \t");
        if (at + 2 < end && (*at == 'q' || *at == 'Q') && at[1] == '=') {
            for (at += 2; at < end && unit > 0; at++) {
                if (*at >= '0' && *at <= '9') {
                    weight += (*at - '0') * unit;
                    unit /= 10;
                }
                else if (*at != '.') {
                    break;
                }
            }
            return weight > 1000 ? 1000 : weight;
        }
        at = memchr(at, ';', (size_t)(end - at));
    }
    return 1000;
}

/* How the media range of LEN bytes matches format I. */
static int match_of(const char *range, size_t len, size_t i)
{
    size_t type_len = strcspn(range, "; \t,");
    const char *slash;

    type_len = type_len < len ? type_len : len;
    slash = memchr(range, '/', type_len);
    if (slash == NULL) {
        return MATCH_NONE;
    }
    if (is_word(range, type_len, "*/*")) {
        return MATCH_ALL;
    }
    if (!is_word(range, (size_t)(slash - range), formats_known[i].major)) {
        return MATCH_NONE;
    }
    type_len -= (size_t)(slash + 1 - range);
    if (is_word(slash + 1, type_len, "*")) {
        return MATCH_MAJOR;
    }
    return is_word(slash + 1, type_len, formats_known[i].minor) ? MATCH_EXACT
                                                                : MATCH_NONE;
}

/* The weight ACCEPT gives format I. */
static int accepted_weight(const char *accept, size_t i)
{
    int best_match = MATCH_NONE;
    int weight = 0;
    const char *at = accept;

    while (*at != '\0') {
        size_t len;
        int match;

        at += strspn(at, " \t,");
        len = strcspn(at, ",");
        match = match_of(at, len, i);
        if (match > best_match) {
            best_match = match;
            weight = weight_of(at, len);
        }
        at += len;
    }
    return weight;
}

unsigned mdl_format_choose(unsigned formats, const char *accept)
{
    unsigned best = 0;
    int best_weight = 0;
    size_t i;

    if ((formats & MDL_FORMAT_ANY) != 0) {
        return MDL_FORMAT_ANY;
    }
    for (i = 0; i < N_FORMATS; i++) {
        int weight;

        if ((formats & formats_known[i].bit) == 0) {
            continue;
        }
        weight = accept == NULL || strcmp(accept, "*/*") == 0
                     ? 1000
                     : accepted_weight(accept, i);
        if (weight > best_weight) {
            best_weight = weight;
            best = formats_known[i].bit;
        }
    }
    return best;
}
