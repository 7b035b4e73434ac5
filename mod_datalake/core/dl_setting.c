/* dl_setting.c - Read the text of a setting by its type.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_setting.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_identity.h"
#include "dl_lake_index_build.h"
#include "dl_zone.h"

/* Seconds of a day. */
#define DAY_S ((int64_t)86400)

/* Characters of names of hosts. */
#define HOST_CHARS                                                             \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"

/* A unit behind a number. */
typedef struct unit {
    const char *name; /* as written */
    int64_t factor;   /* in the smallest unit */
} unit;

static const unit sizes[] = {
    {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0},
};

static const unit times[] = {
    {"ms", 1},      {"s", 1000},     {"min", 60000},
    {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};

/* Read the digits at *S and step behind them. */
static bool get_digits(int64_t *value, const char **s)
{
    int64_t sum = 0;
    const char *first = *s;

    for (; **s >= '0' && **s <= '9'; (*s)++) {
        if (sum > (int64_t)1 << 50) {
            return false;
        }
        sum = sum * 10 + (**s - '0');
    }
    *value = sum;
    return *s > first;
}

/* Read "64 MiB" by UNITS; 0 needs none. */
static bool get_amount(int64_t *value, const char *text, const unit *units)
{
    int64_t number;

    if (!get_digits(&number, &text)) {
        return false;
    }
    text += strspn(text, " \t");
    if (*text == '\0') {
        *value = 0;
        return number == 0;
    }
    for (; units->name != NULL; units++) {
        if (strcmp(text, units->name) == 0) {
            return !__builtin_mul_overflow(number, units->factor, value);
        }
    }
    return false;
}

static bool get_int(int64_t *value, const char *text)
{
    return get_digits(value, &text) && *text == '\0';
}

/* Read a number of any kind into MEMBER. */
static bool parse_number(int64_t *member, const dl_setting *setting,
                         const char *text)
{
    int64_t value = 0;
    bool fine;

    if (setting->type == DL_SETTING_INT) {
        fine = get_int(&value, text);
    }
    else if (setting->type == DL_SETTING_SIZE) {
        fine = get_amount(&value, text, sizes);
    }
    else {
        fine = get_amount(&value, text, times);
    }
    if (fine && setting->type == DL_SETTING_SECONDS) {
        fine = value % 1000 == 0;
        value /= 1000;
    }
    if (!fine || value < setting->min || value > setting->max) {
        return false;
    }
    *member = value;
    return true;
}

/* A time in whole days, or "off". */
static bool parse_days(int64_t *member, const dl_setting *setting,
                       const char *text)
{
    const dl_setting seconds = {.type = DL_SETTING_SECONDS,
                                .min = setting->min * DAY_S,
                                .max = setting->max * DAY_S};
    int64_t value = 0;

    if (strcmp(text, "off") != 0 &&
        (!parse_number(&value, &seconds, text) || value % DAY_S != 0)) {
        return false;
    }
    *member = value / DAY_S;
    return true;
}

/* How sharp an index is. */
static const unit indexes[] = {
    {"off", 0},
    {"thin", DL_LAKE_INDEX_THIN},
    {"normal", DL_LAKE_INDEX_NORMAL},
    {"dense", DL_LAKE_INDEX_DENSE},
    {NULL, 0},
};

static bool parse_index(int64_t *member, const char *text)
{
    for (const unit *at = indexes; at->name != NULL; at++) {
        if (strcmp(text, at->name) == 0) {
            *member = at->factor;
            return true;
        }
    }
    return false;
}

static bool parse_switch(bool *member, const char *text)
{
    if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0) {
        return false;
    }
    *member = strcmp(text, "on") == 0;
    return true;
}

static bool parse_word(const char **member, const char *text, apr_pool_t *pool)
{
    if (*text == '\0' || strpbrk(text, " \t") != NULL) {
        return false;
    }
    *member = apr_pstrdup(pool, text);
    return true;
}

static bool parse_path(const char **member, const dl_setting *setting,
                       const char *text, apr_pool_t *pool)
{
    if (strlen(text) < (size_t)setting->min) {
        return false;
    }
    if (*text == '\0' || *text == '/') {
        *member = apr_pstrdup(pool, text);
    }
    else {
        *member = apr_pstrcat(pool, setting->folder, "/", text, NULL);
    }
    return true;
}

static bool parse_currency(const char **member, const char *text,
                           apr_pool_t *pool)
{
    char *code = apr_pstrdup(pool, text);

    if (strlen(text) != 3) {
        return false;
    }
    for (char *c = code; *c != '\0'; c++) {
        if (*c >= 'a' && *c <= 'z') {
            *c = (char)(*c & ~0x20);
        }
        if (*c < 'A' || *c > 'Z') {
            return false;
        }
    }
    *member = code;
    return true;
}

static bool parse_zone(const char **member, const char *text, apr_pool_t *pool)
{
    const dl_zone *zone;

    if (dl_zone_load(&zone, text, NULL, pool) != DL_OK) {
        return false;
    }
    *member = apr_pstrdup(pool, text);
    return true;
}

/* Step over the name of a host, or an address in brackets. */
static bool step_over_host(const char **s)
{
    size_t len = strspn(*s, HOST_CHARS);

    if (**s == '[') {
        len = strspn(*s + 1, "0123456789abcdefABCDEF:.") + 1;
        len = (*s)[len] == ']' ? len + 1 : 0;
    }
    *s += len;
    return len > 0;
}

/* smtp:// or smtps://, a host, a port; no account, no path. */
static bool parse_smtp(const char **member, const char *text, apr_pool_t *pool)
{
    const char *s = text;
    int64_t port = 1;

    if (*text != '\0') {
        if (strncmp(s, "smtp://", 7) != 0 && strncmp(s, "smtps://", 8) != 0) {
            return false;
        }
        s = strstr(s, "://") + 3;
        if (!step_over_host(&s)) {
            return false;
        }
        if (*s == ':') {
            s++;
            port = get_digits(&port, &s) ? port : 0;
        }
        s += *s == '/';
    }
    if (*s != '\0' || port < 1 || port > 65535) {
        return false;
    }
    *member = apr_pstrdup(pool, text);
    return true;
}

static bool parse_address(const char **member, const char *text,
                          apr_pool_t *pool)
{
    if (*text != '\0' &&
        dl_identity_check_email(text, strlen(text), NULL) != DL_OK) {
        return false;
    }
    *member = apr_pstrdup(pool, text);
    return true;
}

static bool parse_topics(dl_config_list *member, const char *text,
                         apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 4, sizeof(char *));

    text += strspn(text, " \t");
    while (*text != '\0') {
        size_t n = strcspn(text, ", \t");
        const char *name = apr_pstrmemdup(pool, text, n);

        if (!dl_dataset_name_ok(name)) {
            return false;
        }
        APR_ARRAY_PUSH(names, const char *) = name;
        text += n + strspn(text + n, " \t");
        if (*text != '\0' && (*text++ != ',' || *text == '\0')) {
            return false;
        }
        text += strspn(text, " \t");
    }
    member->n = names->nelts;
    member->names = (const char *const *)(const void *)names->elts;
    return true;
}

bool dl_setting_parse(void *member, const dl_setting *setting, const char *text,
                      apr_pool_t *pool)
{
    switch (setting->type) {
    case DL_SETTING_TEXT:
        *(const char **)member = apr_pstrdup(pool, text);
        return true;
    case DL_SETTING_WORD:
        return parse_word(member, text, pool);
    case DL_SETTING_PATH:
        return parse_path(member, setting, text, pool);
    case DL_SETTING_INT:
    case DL_SETTING_SIZE:
    case DL_SETTING_SECONDS:
    case DL_SETTING_MILLIS:
        return parse_number(member, setting, text);
    case DL_SETTING_DAYS:
        return parse_days(member, setting, text);
    case DL_SETTING_INDEX:
        return parse_index(member, text);
    case DL_SETTING_SWITCH:
        return parse_switch(member, text);
    case DL_SETTING_CURRENCY:
        return parse_currency(member, text, pool);
    case DL_SETTING_ZONE:
        return parse_zone(member, text, pool);
    case DL_SETTING_SMTP:
        return parse_smtp(member, text, pool);
    case DL_SETTING_ADDRESS:
        return parse_address(member, text, pool);
    case DL_SETTING_TOPICS:
        return parse_topics(member, text, pool);
    }
    return false;
}
