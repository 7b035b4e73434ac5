/* dl_lake_hint.c - Keeping the conditions.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_hint.h"

#include <apr_strings.h>

void dl_lake_hint_create(dl_lake_hint **hint, apr_pool_t *result_pool)
{
    *hint = apr_pcalloc(result_pool, sizeof **hint);
    (*hint)->pool = result_pool;
}

/* Return room for one more condition of KIND about PATH, NULL when there is
 * none left. */
static dl_lake_condition *add(dl_lake_hint *hint, dl_lake_hint_kind kind,
                              const char *path)
{
    dl_lake_condition *made;

    if (hint->n == DL_LAKE_HINTS) {
        return NULL;
    }
    made = &hint->conditions[hint->n++];
    made->kind = kind;
    made->path = path != NULL ? apr_pstrdup(hint->pool, path) : NULL;
    return made;
}

/* Add a condition of KIND about PATH with copies of the N TEXTS. */
static void add_texts(dl_lake_hint *hint, dl_lake_hint_kind kind,
                      const char *path, const dl_lake_hint_text *texts, int n)
{
    dl_lake_hint_text *copies;
    dl_lake_condition *made;
    int i;

    if (n < 1 || n > DL_LAKE_HINT_TEXTS) {
        return;
    }
    made = add(hint, kind, path);
    if (made == NULL) {
        return;
    }
    copies = apr_palloc(hint->pool, (size_t)n * sizeof *copies);
    for (i = 0; i < n; i++) {
        copies[i].text = apr_pmemdup(hint->pool, texts[i].text, texts[i].len);
        copies[i].len = texts[i].len;
    }
    made->n_texts = n;
    made->texts = copies;
}

void dl_lake_hint_add_texts(dl_lake_hint *hint, const dl_lake_hint_text *texts,
                            int n)
{
    add_texts(hint, DL_LAKE_HINT_TEXTS_OF, NULL, texts, n);
}

void dl_lake_hint_add_keys(dl_lake_hint *hint, const char *path,
                           const dl_lake_hint_text *texts, int n)
{
    add_texts(hint, DL_LAKE_HINT_KEYS, path, texts, n);
}

void dl_lake_hint_add_numbers(dl_lake_hint *hint, const char *path, double low,
                              double high)
{
    dl_lake_condition *made = add(hint, DL_LAKE_HINT_NUMBERS, path);

    if (made != NULL) {
        made->low = low;
        made->high = high;
    }
}

void dl_lake_hint_add_times(dl_lake_hint *hint, const char *path, dl_time first,
                            dl_time last)
{
    dl_lake_condition *made = add(hint, DL_LAKE_HINT_TIMES, path);

    if (made != NULL) {
        made->first = first;
        made->last = last;
    }
}
