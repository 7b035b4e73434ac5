/* mdl_openapi_words.h - What the API description says in words: summaries,
 * answers, examples and schemas, from mod_datalake/openapi/.
 *
 * The files there are checked and turned into constant tables when the module
 * is built (openapi/embed), so nothing is read at run time, and a route
 * without words does not build.  Texts that hold JSON are whole values.
 *
 * Thread: constant; any.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_OPENAPI_WORDS_H
#define MDL_OPENAPI_WORDS_H

/* A name and its value: a schema, a header, a parameter, a tag. */
typedef struct mdl_words_part {
    const char *name; /* its name; NULL ends a table */
    const char *json; /* its value; of a tag: a sentence */
} mdl_words_part;

/* A parameter's value in the example of a request. */
typedef struct mdl_words_value {
    const char *name; /* the parameter's; NULL ends a table */
    const char *json; /* the value as JSON */
    const char *text; /* the value as it stands in a URL, escaped */
} mdl_words_value;

/* One answer of an operation. */
typedef struct mdl_words_answer {
    int status;                 /* its status; 0 ends a table */
    const char *says;           /* what it means, a sentence */
    const char *schema;         /* JSON Schema of its body; NULL: no body */
    const char *example;        /* JSON of a body; NULL: none */
    const char *media;          /* its media type; NULL: those of the row */
    const char *const *headers; /* headers beyond those every answer has, ends
                                   in NULL; NULL: none */
} mdl_words_answer;

/* One operation; aliases share it. */
typedef struct mdl_words {
    const char *key;                 /* mdl_route.doc; NULL ends a table */
    const char *tag;                 /* the group it belongs to */
    const char *summary;             /* one line */
    const char *description;         /* sentences; "" when there are none */
    const mdl_words_value *values;   /* of the request's example; or NULL */
    const char *body;                /* JSON body of it; NULL: none */
    const char *python;              /* the same as Python writes it */
    const mdl_words_part *refine;    /* more of the schema of a parameter or
                                      member: members of a JSON object */
    const char *const *problems;     /* slugs beyond those that follow from
                                         the row, ends in NULL; or NULL */
    const char *const *parameters;   /* header fields it reads: names of
                                         mdl_words_parameters; or NULL */
    const mdl_words_answer *answers; /* the good answers, first the one that
                                         the example gets */
} mdl_words;

/* Return the words of the operation KEY, or NULL. */
const mdl_words *mdl_words_find(const char *key);

/* Return all tags, in order. */
const mdl_words_part *mdl_words_tags(void);

/* Return all schemas that have a name. */
const mdl_words_part *mdl_words_schemas(void);

/* Return all headers of answers. */
const mdl_words_part *mdl_words_headers(void);

/* Return all header fields of requests. */
const mdl_words_part *mdl_words_parameters(void);

#endif
