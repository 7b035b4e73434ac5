/* mdl_openapi_schema.h - Parameters and members as JSON Schema.
 *
 * What a table row says (type, limits, choices, default) becomes a schema, so
 * the description cannot promise what the gate refuses.  Lengths of the
 * tables are bytes; those of JSON Schema are characters, which are never more.
 *
 * Thread: the writer's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_OPENAPI_SCHEMA_H
#define MDL_OPENAPI_SCHEMA_H

#include "dl_json_write.h"
#include "mdl_openapi_words.h"
#include "mdl_route.h"

/* Write the member NAME with the text TEXT to W. */
void mdl_openapi_text(dl_json_writer *w, const char *name, const char *text);

/* Write the member NAME with the whole value JSON to W; nothing when JSON is
 * NULL. */
void mdl_openapi_raw(dl_json_writer *w, const char *name, const char *json);

/* Write the value {"$ref": "#/components/KIND/NAME"} to W. */
void mdl_openapi_reference(dl_json_writer *w, const char *kind,
                           const char *name);

/* Write to W the array of all parameters of ROUTE, which WORDS describe: path,
 * query, header fields. */
void mdl_openapi_parameters(dl_json_writer *w, const mdl_route *route,
                            const mdl_words *words);

/* Write to W the request body of ROUTE, which has one. */
void mdl_openapi_body(dl_json_writer *w, const mdl_route *route,
                      const mdl_words *words);

#endif
