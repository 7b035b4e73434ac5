/* mdl_openapi_words.c - The tables made of mod_datalake/openapi/.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_openapi_words.h"

#include <stddef.h>
#include <string.h>

#include "mdl_openapi_table.h"

const mdl_words *mdl_words_find(const char *key)
{
    const mdl_words *words;

    for (words = words_operations; words->key != NULL; words++) {
        if (strcmp(words->key, key) == 0) {
            return words;
        }
    }
    return NULL;
}

const mdl_words_part *mdl_words_tags(void)
{
    return words_tags;
}

const mdl_words_part *mdl_words_schemas(void)
{
    return words_schemas;
}

const mdl_words_part *mdl_words_headers(void)
{
    return words_headers;
}

const mdl_words_part *mdl_words_parameters(void)
{
    return words_parameters;
}
