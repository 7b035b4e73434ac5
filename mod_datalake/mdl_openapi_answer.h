/* mdl_openapi_answer.h - What an operation answers: the good answers of its
 * words, and every problem that can come.
 *
 * Which problems can come follows from the row (a body can be too large, a
 * counted call can exceed the quota) and from the slugs in its words.
 *
 * Thread: the writer's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_OPENAPI_ANSWER_H
#define MDL_OPENAPI_ANSWER_H

#include "dl_json_write.h"
#include "mdl_openapi_words.h"
#include "mdl_route.h"

/* Write to W the object of all answers of ROUTE by status. */
void mdl_openapi_answers(dl_json_writer *w, const mdl_route *route,
                         const mdl_words *words);

/* Write to W the object of an example for each problem type, by the name that
 * mdl_openapi_answers refers to. */
void mdl_openapi_problem_examples(dl_json_writer *w);

#endif
