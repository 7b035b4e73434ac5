/* dl_wh_foreign.c - Where a server that is not ours is: a line in a file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_private.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_config.h"
#include "dl_secret.h"

/* What a line names; the texts lie in the secret and are cut there. */
typedef struct foreign_line {
    char *user;     /* name */
    char *password; /* or NULL */
    char *host;     /* name or address */
    char *port;     /* digits, or NULL */
    char *database; /* name */
} foreign_line;

/* Return the value of the hexadecimal digit C, -1: it is none. */
static int hex_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undo the %40 of TEXT where it stands; false: a % is none, or stands for
 * NUL. */
static bool unescape(char *text)
{
    char *to = text;

    for (; *text != '\0'; text++) {
        int high;

        if (*text != '%') {
            *to++ = *text;
            continue;
        }
        high = hex_of(text[1]);
        if (high < 0 || hex_of(text[2]) < 0) {
            return false;
        }
        *to = (char)(high * 16 + hex_of(text[2]));
        if (*to++ == '\0') {
            return false;
        }
        text += 2;
    }
    *to = '\0';
    return true;
}

/* Cut TEXT at the first C and return what stands behind it, NULL: there is
 * none. */
static char *cut(char *text, char c)
{
    char *at = strchr(text, c);

    if (at != NULL) {
        *at++ = '\0';
    }
    return at;
}

/* Read TEXT; false: it is no such line. */
static bool read_line(foreign_line *line, char *text)
{
    static const char scheme[] = "mysql://";
    char *place;

    if (strncmp(text, scheme, strlen(scheme)) != 0) {
        return false;
    }
    line->user = text + strlen(scheme);
    place = strrchr(line->user, '@');
    if (place == NULL) {
        return false;
    }
    *place++ = '\0';
    line->password = cut(line->user, ':');
    line->database = cut(place, '/');
    line->host = place;
    if (*place == '[') {
        line->host++;
        place = cut(place, ']');
        if (place == NULL) {
            return false;
        }
    }
    line->port = cut(place, ':');
    return line->database != NULL && *line->user != '\0' &&
           *line->host != '\0' && *line->database != '\0' &&
           unescape(line->user) &&
           (line->password == NULL || unescape(line->password));
}

/* Set *PORT to what TEXT says, NULL: MySQL's own. */
static bool read_port(int64_t *port, const char *text)
{
    char *end;

    if (text == NULL) {
        *port = 3306;
        return true;
    }
    *port = strtol(text, &end, 10);
    return end != text && *end == '\0' && *port > 0 && *port < 65536;
}

dl_status dl_wh_target_foreign(const dl_wh_target **target, const char *file,
                               dl_error *err, apr_pool_t *pool)
{
    dl_wh_target *made = apr_pcalloc(pool, sizeof *made);
    dl_config_warehouse *where = apr_pcalloc(pool, sizeof *where);
    dl_config_account *account = apr_pcalloc(pool, sizeof *account);
    foreign_line line = {NULL, NULL, NULL, NULL, NULL};
    dl_secret *whole;
    dl_secret *password = NULL;

    DL_TRY(dl_secret_load(&whole, file, err, pool));
    if (!read_line(&line, whole->data) || !read_port(&where->port, line.port)) {
        return dl_fail(err, DL_INVALID, 0,
                       "%s: must be mysql://USER:PASSWORD@HOST:PORT/DATABASE",
                       file);
    }
    if (line.password != NULL) {
        DL_TRY(dl_secret_copy(&password, line.password, strlen(line.password),
                              err, pool));
    }
    account->user = apr_pstrdup(pool, line.user);
    account->password_file = "";
    where->host = apr_pstrdup(pool, line.host);
    where->socket = "";
    where->database = apr_pstrdup(pool, line.database);
    where->connect_timeout_ms = 5000;
    made->role = DL_WH_API;
    made->where = where;
    made->account = account;
    made->password = password;
    *target = made;
    return DL_OK;
}
