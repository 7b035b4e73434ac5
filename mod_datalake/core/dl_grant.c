/* dl_grant.c - Resource grammar, what covers what, packed sets of grants.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_grant.h"

#include <string.h>

/* The longest names, as dl_dataset_name_ok and the database have them. */
#define DATASET_MAX 100
#define TABLE_MAX   64

/* The day of a resource: its form, '0' for any digit. */
static const char DAY_FORM[] = "0000-00-00.json";

#define DAY_LEN  (sizeof DAY_FORM - 1)
#define DATE_LEN ((size_t)10)

/* What a table's resource begins with. */
static const char TABLE_MARK[] = "table:";

#define MARK_LEN (sizeof TABLE_MARK - 1)

static const char NAME_CHARS[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

static const char *const LEVELS[] = {"none", "read", "write", "admin"};

const char *dl_level_name(dl_level level)
{
    return (unsigned)level < sizeof LEVELS / sizeof LEVELS[0] ? LEVELS[level]
                                                              : "none";
}

bool dl_level_parse(dl_level *level, const char *text, size_t len)
{
    for (size_t i = DL_LEVEL_READ; i <= DL_LEVEL_ADMIN; i++) {
        if (strlen(LEVELS[i]) == len && memcmp(LEVELS[i], text, len) == 0) {
            *level = (dl_level)i;
            return true;
        }
    }
    return false;
}

/* --- Grammar -------------------------------------------------------------- */

/* Return how many of the LEN bytes of TEXT can be a dataset's name, from the
 * first on; 0 when it begins with no letter. */
static size_t measure_name(const char *text, size_t len)
{
    size_t n = 0;

    if (len == 0 || *text < 'a' || *text > 'z') {
        return 0;
    }
    while (n < len && text[n] != '\0' && strchr(NAME_CHARS, text[n]) != NULL) {
        n++;
    }
    return n;
}

/* Whether the LEN bytes of TEXT are what a day begins with. */
static bool begins_day(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';

        if (i >= DAY_LEN ||
            (DAY_FORM[i] == '0' ? !digit : text[i] != DAY_FORM[i])) {
            return false;
        }
    }
    return true;
}

static bool is_day(const char *text, size_t len)
{
    dl_day day;

    return len == DAY_LEN && dl_day_parse(&day, text, DATE_LEN) &&
           begins_day(text, len);
}

/* Whether the LEN bytes of TEXT, at least one, can be a table's name. */
static bool is_table(const char *text, size_t len)
{
    if (len > TABLE_MAX || (*text >= '0' && *text <= '9')) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') &&
            (c < '0' || c > '9')) {
            return false;
        }
    }
    return true;
}

/* Whether the LEN bytes of TEXT, of which NAME can be a dataset's, are what a
 * dataset or a day begins with. */
static bool is_prefix(const char *text, size_t len, size_t name)
{
    if (name > DATASET_MAX || (name == 0 && len > 0)) {
        return false;
    }
    return name == len ||
           (text[name] == '/' && begins_day(text + name + 1, len - name - 1));
}

/* Fill RESOURCE's kind and length of name from its text. */
static bool find_kind(dl_resource *resource)
{
    const char *text = resource->text;
    size_t len = resource->len;
    size_t name = measure_name(text, len);

    if (len > MARK_LEN && memcmp(text, TABLE_MARK, MARK_LEN) == 0) {
        resource->kind = DL_RESOURCE_TABLE;
        resource->name_len = len - MARK_LEN;
        return is_table(text + MARK_LEN, len - MARK_LEN);
    }
    if (len > 0 && text[len - 1] == '*') {
        resource->kind = DL_RESOURCE_PREFIX;
        resource->name_len = len - 1;
        return is_prefix(text, len - 1, name);
    }
    resource->name_len = name;
    if (name == len) {
        resource->kind = DL_RESOURCE_DATASET;
        return name > 0 && name <= DATASET_MAX;
    }
    /* DL_RESOURCE_MAX bounds the name of a day. */
    resource->kind = DL_RESOURCE_DAY;
    return name > 0 && text[name] == '/' &&
           is_day(text + name + 1, len - name - 1);
}

dl_status dl_resource_parse(dl_resource *resource, const char *text, size_t len,
                            dl_error *err)
{
    resource->text = text;
    resource->len = len;
    if (len > DL_RESOURCE_MAX || !find_kind(resource)) {
        return dl_fail(err, DL_INVALID, 0,
                       "a resource is a dataset, dataset/YYYY-MM-DD.json, the "
                       "beginning of one and *, or table:name");
    }
    return DL_OK;
}

void dl_resource_of_dataset(dl_resource *resource, const char *name)
{
    resource->kind = DL_RESOURCE_DATASET;
    resource->text = name;
    resource->len = resource->name_len = strlen(name);
}

void dl_resource_of_day(dl_resource *resource, char out[DL_RESOURCE_MAX + 1],
                        const char *name, dl_day day)
{
    size_t len = strnlen(name, DATASET_MAX);
    char date[DL_DAY_TEXT];

    dl_day_format(date, day);
    memcpy(out, name, len);
    out[len] = '/';
    memcpy(out + len + 1, date, DATE_LEN);
    memcpy(out + len + 1 + DATE_LEN, DAY_FORM + DATE_LEN,
           DAY_LEN - DATE_LEN + 1);
    resource->kind = DL_RESOURCE_DAY;
    resource->text = out;
    resource->name_len = len;
    resource->len = len + 1 + DAY_LEN;
}

/* --- What covers what ----------------------------------------------------- */

static bool begins_with(const dl_resource *wants, const char *text, size_t len)
{
    return wants->len >= len && memcmp(wants->text, text, len) == 0;
}

/* Whether the dataset HOLDS has the whole of WANTS. */
static bool dataset_covers(const dl_resource *holds, const dl_resource *wants)
{
    size_t name = holds->name_len;

    if (!begins_with(wants, holds->text, name)) {
        return false;
    }
    /* A day or a prefix goes on behind the name, with '/' or '*' at least. */
    return wants->kind == DL_RESOURCE_DATASET ? wants->len == name
                                              : wants->text[name] == '/';
}

bool dl_resource_covers(const dl_resource *holds, const dl_resource *wants)
{
    if (holds->kind == DL_RESOURCE_PREFIX && holds->name_len == 0) {
        return true;
    }
    if ((holds->kind == DL_RESOURCE_TABLE) !=
        (wants->kind == DL_RESOURCE_TABLE)) {
        return false;
    }
    if (holds->kind == DL_RESOURCE_DATASET) {
        return dataset_covers(holds, wants);
    }
    if (holds->kind == DL_RESOURCE_PREFIX) {
        /* What WANTS is the prefix of begins with it as well. */
        return begins_with(wants, holds->text, holds->name_len);
    }
    return wants->kind == holds->kind && wants->len == holds->len &&
           memcmp(wants->text, holds->text, holds->len) == 0;
}

/* --- Sets ----------------------------------------------------------------- */

/* Before the text of each grant: its end, kind, level and length. */
#define HEAD ((size_t)11)

bool dl_grant_set_add(dl_grant_set *set, const dl_grant *grant)
{
    unsigned char *at = set->bytes + set->len;

    if (grant->resource.len > DL_RESOURCE_MAX ||
        set->max - set->len < HEAD + grant->resource.len) {
        return false;
    }
    memcpy(at, &grant->expires_at, sizeof grant->expires_at);
    at[8] = (unsigned char)grant->resource.kind;
    at[9] = (unsigned char)grant->level;
    at[10] = (unsigned char)grant->resource.len;
    memcpy(at + HEAD, grant->resource.text, grant->resource.len);
    set->len += HEAD + grant->resource.len;
    return true;
}

/* What a resource of each kind has beside its name. */
static const size_t EXTRA[] = {[DL_RESOURCE_DATASET] = 0,
                               [DL_RESOURCE_DAY] = DAY_LEN + 1,
                               [DL_RESOURCE_PREFIX] = 1,
                               [DL_RESOURCE_TABLE] = MARK_LEN};

bool dl_grant_set_next(dl_grant *grant, size_t *at, const dl_grant_set *set)
{
    const unsigned char *head = set->bytes + *at;

    if (*at >= set->len) {
        return false;
    }
    memcpy(&grant->expires_at, head, sizeof grant->expires_at);
    grant->level = (dl_level)head[9];
    grant->resource.kind = (dl_resource_kind)head[8];
    grant->resource.len = head[10];
    grant->resource.text = (const char *)head + HEAD;
    grant->resource.name_len =
        grant->resource.len - EXTRA[grant->resource.kind];
    *at += HEAD + grant->resource.len;
    return true;
}

static bool holds_at(const dl_grant *grant, dl_time now)
{
    return grant->expires_at == DL_TIME_NONE || grant->expires_at > now;
}

/* Whether A lasts longer than B. */
static bool lasts_longer(const dl_grant *a, const dl_grant *b)
{
    return b->expires_at != DL_TIME_NONE &&
           (a->expires_at == DL_TIME_NONE || a->expires_at > b->expires_at);
}

bool dl_grant_set_allows(dl_grant *rule, const dl_grant_set *set,
                         const dl_resource *wants, dl_level level, dl_time now)
{
    dl_grant grant;
    dl_grant best;
    bool found = false;
    size_t at = 0;

    if (level == DL_LEVEL_NONE) {
        return false;
    }
    while (dl_grant_set_next(&grant, &at, set)) {
        if (grant.level >= level && holds_at(&grant, now) &&
            dl_resource_covers(&grant.resource, wants) &&
            (!found || lasts_longer(&grant, &best))) {
            best = grant;
            found = true;
            if (rule == NULL) {
                return true;
            }
        }
    }
    if (found) {
        *rule = best;
    }
    return found;
}

/* Whether RESOURCE has something in common with the days of NAME. */
static bool touches(const dl_resource *resource, const char *name, size_t len)
{
    size_t n = resource->name_len < len ? resource->name_len : len;

    if (resource->kind == DL_RESOURCE_TABLE ||
        memcmp(resource->text, name, n) != 0) {
        return false;
    }
    return resource->kind == DL_RESOURCE_PREFIX
               ? resource->name_len <= len || resource->text[len] == '/'
               : resource->name_len == len;
}

bool dl_grant_set_touches(const dl_grant_set *set, const char *name,
                          dl_time now)
{
    size_t len = strlen(name);
    dl_grant grant;
    size_t at = 0;

    while (dl_grant_set_next(&grant, &at, set)) {
        if (holds_at(&grant, now) && touches(&grant.resource, name, len)) {
            return true;
        }
    }
    return false;
}

uint64_t dl_grant_set_hash(const dl_grant_set *set, dl_time now)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    dl_grant grant;
    size_t at = 0;

    while (dl_grant_set_next(&grant, &at, set)) {
        const char *text = grant.resource.text;

        if (!holds_at(&grant, now)) {
            continue;
        }
        hash = (hash ^ (uint64_t)grant.level) * UINT64_C(0x100000001B3);
        for (size_t i = 0; i < grant.resource.len; i++) {
            hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001B3);
        }
        hash = (hash ^ 0xFF) * UINT64_C(0x100000001B3);
    }
    return hash;
}
