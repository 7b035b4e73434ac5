/* dl_wh_words.c - Fill the templates of sql/statements.sql.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_words.h"

#include <stddef.h>
#include <string.h>

#include <apr_strings.h>

const char *dl_wh_words_quote(const char *name, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "`", name, "`", NULL);
}

const char *dl_wh_words_match(const char *child, const dl_dataset *ds,
                              apr_pool_t *pool)
{
    const char *out = "";

    for (int i = 0; i < ds->n_unique; i++) {
        out = apr_pstrcat(pool, out, i > 0 ? " AND `" : "`", child, "`.`",
                          ds->unique[i], "` = `", ds->table, "`.`",
                          ds->unique[i], "`", NULL);
    }
    return out;
}

const char *dl_wh_words_fill(const char *template, const dl_wh_word *words,
                             apr_pool_t *pool)
{
    const char *out = "";

    for (;;) {
        const char *open = strchr(template, '{');
        const char *shut = open != NULL ? strchr(open, '}') : NULL;
        const dl_wh_word *w = words;

        if (shut == NULL) {
            return apr_pstrcat(pool, out, template, NULL);
        }
        while (w->name != NULL &&
               (strlen(w->name) != (size_t)(shut - open - 1) ||
                strncmp(w->name, open + 1, (size_t)(shut - open - 1)) != 0)) {
            w++;
        }
        out = apr_pstrcat(
            pool, out,
            apr_pstrmemdup(pool, template, (size_t)(open - template)),
            w->name != NULL ? w->value : "", NULL);
        template = shut + 1;
    }
}

const char *dl_wh_words_repeat(const char *sql, unsigned rows, apr_pool_t *pool)
{
    const char *group = strstr(sql, "VALUES (") + sizeof "VALUES " - 1;
    const char *end = strchr(group, ')') + 1;
    const char *one = apr_pstrmemdup(pool, group, (size_t)(end - group));
    size_t len = strlen(one);
    char *all = apr_palloc(pool, rows * (len + 2) + 1);
    char *at = all;

    for (unsigned i = 0; i < rows; i++) {
        memcpy(at, one, len);
        at += len;
        memcpy(at, ", ", 2);
        at += 2;
    }
    at[-2] = '\0';
    return apr_pstrcat(pool, apr_pstrmemdup(pool, sql, (size_t)(group - sql)),
                       all, end, NULL);
}
