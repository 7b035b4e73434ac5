/* dl_declaration.h - Inside a declaration: its state and the steps its readers
 * share.
 *
 * For dl_dataset_parse.c (the whole), dl_declaration.c (the steps) and
 * dl_declaration_field.c (/fields) only.  A pointer such as /fields/3/type
 * names the place of a mistake; its line is looked up only then.
 *
 * Thread: the owner of the pool, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_DECLARATION_H
#define DL_DECLARATION_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "dl_dataset.h"

/* A declaration being read. */
typedef struct dl_decl {
    const dl_dataset_source *source; /* its text */
    dl_dataset *ds;                  /* what it becomes */
    dl_field *fields;                /* of ds, still to be written */
    int n_alternates;                /* slots behind the fields */
    const char *base;                /* where in the text it stands: "", or a
                                        pointer; others begin there */
    dl_error *err;                   /* of the caller */
    apr_pool_t *pool;                /* of the result */
} dl_decl;

/* A word of a declaration and what it stands for. */
typedef struct dl_decl_word {
    const char *text; /* as written; NULL behind the last word of a list */
    unsigned value;   /* an enum value */
} dl_decl_word;

/* Fail with file, the line of POINTER and the sentence made from FORMAT. */
__attribute__((format(printf, 3, 4))) dl_status
dl_decl_wrong(const dl_decl *r, const char *pointer, const char *format, ...);

#ifdef DL_ANALYZER
#define dl_decl_wrong(...) dl_analyzed((dl_decl_wrong)(__VA_ARGS__), DL_INVALID)
#endif

/* Return POINTER with one step more, to member NAME; lives in R->pool. */
const char *dl_decl_step(const dl_decl *r, const char *pointer,
                         const char *name);

/* Return POINTER with one step more, to element I (from 0) of an array; lives
 * in R->pool. */
const char *dl_decl_step_index(const dl_decl *r, const char *pointer, size_t i);

/* Check that VALUE at POINTER is an object of the members NAMES (comma and
 * space between them), none else. */
DL_MUSTCHECK dl_status dl_decl_check_members(const dl_decl *r,
                                             const json_t *value,
                                             const char *pointer,
                                             const char *names);

/* Set *TEXT to member NAME of OBJECT at POINTER, or to NULL when it is not
 * there. */
DL_MUSTCHECK dl_status dl_decl_get_text(const char **text, const dl_decl *r,
                                        const json_t *object,
                                        const char *pointer, const char *name);

/* Set *NUMBER to member NAME of OBJECT at POINTER, which must be from 1 to
 * MOST; when it is not there *NUMBER stays, unless that is 0. */
DL_MUSTCHECK dl_status dl_decl_get_count(int *number, const dl_decl *r,
                                         const json_t *object,
                                         const char *pointer, const char *name,
                                         int most);

/* Set *VALUE to what TEXT (may be NULL) at POINTER stands for in WORDS, or fail
 * listing them. */
DL_MUSTCHECK dl_status dl_decl_get_word(unsigned *value, const dl_decl *r,
                                        const dl_decl_word *words,
                                        const char *pointer, const char *text);

/* Return whether NAME can be a table or column. */
bool dl_decl_column_ok(const char *name);

/* Return the field that has COLUMN, or -1. */
int dl_decl_find_column(const dl_decl *r, const char *column);

/* Check that COLUMN at POINTER, which the loader fills from more than one
 * field, can be one of the table. */
DL_MUSTCHECK dl_status dl_decl_own_column(const dl_decl *r, const char *pointer,
                                          const char *column);

/* Read /table of ROOT but its name, behind the fields. */
DL_MUSTCHECK dl_status dl_decl_read_table(dl_decl *r, const json_t *root);

/* Read the list VALUE of columns at POINTER that make a row unique. */
DL_MUSTCHECK dl_status dl_decl_read_unique(dl_decl *r, const json_t *list,
                                           const char *pointer);

/* Compile the paths of all fields. */
DL_MUSTCHECK dl_status dl_decl_make_shape(dl_decl *r);

/* Read /children of ROOT, behind fields and table. */
DL_MUSTCHECK dl_status dl_decl_read_children(dl_decl *r, const json_t *root);

/* Read /fields of ROOT. */
DL_MUSTCHECK dl_status dl_decl_read_fields(dl_decl *r, const json_t *root);

#endif
