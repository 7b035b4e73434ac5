/* dl_project.c - A tree of the paths asked for, written for each record.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_project.h"

#include <string.h>

#include <apr_strings.h>

/* A member of the object: a value, or an object with members. */
typedef struct node {
    const char *name;   /* of the member */
    int column;         /* of the query; -1: an object */
    struct node *first; /* its members */
    struct node *next;  /* of the same object */
} node;

struct dl_project {
    const dl_query *query; /* whose columns */
    node *first;           /* the members */
};

/* Return the member called by the LEN bytes at NAME among those at *LIST,
 * made as the last one when there is none. */
static node *get_node(node **list, const char *name, size_t len,
                      apr_pool_t *pool)
{
    while (*list != NULL) {
        if (strlen((*list)->name) == len &&
            memcmp((*list)->name, name, len) == 0) {
            return *list;
        }
        list = &(*list)->next;
    }
    *list = apr_pcalloc(pool, sizeof **list);
    (*list)->name = apr_pstrmemdup(pool, name, len);
    (*list)->column = -1;
    return *list;
}

static void add_column(dl_project *project, int column, apr_pool_t *pool)
{
    const char *at = dl_query_path(project->query, column);
    node **list = &project->first;
    node *made = NULL;

    for (;;) {
        size_t len = strcspn(at, ".");

        made = get_node(list, at, len, pool);
        if (made->column >= 0) {
            return; /* the whole of it is asked for */
        }
        if (at[len] == '\0') {
            break;
        }
        list = &made->first;
        at += len + 1;
    }
    made->column = column;
    made->first = NULL;
}

void dl_project_create(dl_project **project, const dl_query *query,
                       const int *columns, int n, apr_pool_t *result_pool)
{
    int i;

    *project = apr_pcalloc(result_pool, sizeof **project);
    (*project)->query = query;
    for (i = 0; i < n; i++) {
        add_column(*project, columns[i], result_pool);
    }
}

/* --- Writing --------------------------------------------------------------- */

/* Whether the record has anything of NODE. */
static bool is_there(const dl_project *project, const node *member)
{
    const node *inner;

    if (member->column >= 0) {
        return dl_query_value(project->query, member->column).kind !=
               DL_JSON_ABSENT;
    }
    for (inner = member->first; inner != NULL; inner = inner->next) {
        if (is_there(project, inner)) {
            return true;
        }
    }
    return false;
}

static void write_value(dl_json_writer *w, dl_json_slice slice)
{
    if (slice.kind == DL_JSON_STRING) { /* with its quotes */
        dl_json_write_raw(w, slice.text - 1, (size_t)slice.len + 2);
    }
    else {
        dl_json_write_raw(w, slice.text, slice.len);
    }
}

static void write_members(dl_json_writer *w, const dl_project *project,
                          const node *member)
{
    for (; member != NULL; member = member->next) {
        if (!is_there(project, member)) {
            continue;
        }
        dl_json_write_key(w, member->name);
        if (member->column >= 0) {
            write_value(w, dl_query_value(project->query, member->column));
            continue;
        }
        dl_json_write_object_begin(w);
        write_members(w, project, member->first);
        dl_json_write_object_end(w);
    }
}

void dl_project_write(dl_json_writer *w, const dl_project *project)
{
    write_members(w, project, project->first);
}
