/* mdl_header.c - Lists of entity tags, preferences, keys, origins.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_header.h"

#include <string.h>
#include <strings.h>

/* --- Entity tags ---------------------------------------------------------- */

/* Move *AT behind the entity tag or word it stands on. */
static void skip_tag(const char **at)
{
    *at += **at == '"' ? 1 : 0;
    *at += strcspn(*at, "\"");
    *at += **at == '"' ? 1 : 0;
    *at += strcspn(*at, ",");
}

static bool names(const char *list, const char *tag, bool weakly)
{
    size_t len = strlen(tag);
    const char *at = list;

    while (*at != '\0') {
        bool weak;

        at += strspn(at, " \t,");
        if (*at == '*') {
            return true;
        }
        weak = strncmp(at, "W/", 2) == 0;
        at += weak ? 2 : 0;
        if ((weakly || !weak) && strncmp(at, tag, len) == 0) {
            return true;
        }
        skip_tag(&at);
    }
    return false;
}

bool mdl_header_names_tag(const char *list, const char *tag)
{
    return names(list, tag, true);
}

bool mdl_header_names_tag_strongly(const char *list, const char *tag)
{
    return names(list, tag, false);
}

/* --- Preferences and keys ------------------------------------------------- */

bool mdl_header_prefers(const char *prefer, const char *wanted)
{
    size_t len = strlen(wanted);

    while (*prefer != '\0') {
        prefer += strspn(prefer, " \t,;");
        if (strncasecmp(prefer, wanted, len) == 0 &&
            strchr(" \t,;", prefer[len]) != NULL) {
            return true;
        }
        prefer += strcspn(prefer, ",;");
    }
    return false;
}

bool mdl_header_is_key(const char *key)
{
    const char *at;

    for (at = key; *at > ' ' && *at < 0x7F; at++) {
    }
    return *at == '\0' && at > key && at - key <= 255;
}

/* --- Origins -------------------------------------------------------------- */

/* The bytes of the port at AT: ":" and 1 to 5 digits that do not begin with 0;
 * 0 when there is none. */
static size_t port_bytes(const char *at)
{
    size_t n = *at == ':' ? strspn(at + 1, "0123456789") : 0;

    return n >= 1 && n <= 5 && at[1] != '0' ? n + 1 : 0;
}

bool mdl_header_is_origin(const char *text)
{
    static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char host[] = "abcdefghijklmnopqrstuvwxyz0123456789-._";
    static const char ipv6[] = "abcdef0123456789:.";
    const char *own = strncmp(text, "https:", 6) == 0  ? ":443"
                      : strncmp(text, "http:", 5) == 0 ? ":80"
                                                       : "";
    const char *at = text + strspn(text, lower);
    size_t n;

    if (at == text || strncmp(at, "://", 3) != 0 || strlen(text) > 255) {
        return false;
    }
    at += 3;
    if (*at == '[') {
        n = strspn(at + 1, ipv6);
        if (n == 0 || at[n + 1] != ']') {
            return false;
        }
        n += 2;
    }
    else {
        n = strspn(at, host);
    }
    if (n == 0) {
        return false;
    }
    at += n;
    return *at == '\0' || (at[port_bytes(at)] == '\0' && strcmp(at, own) != 0 &&
                           port_bytes(at) > 0);
}
