/* mdl_api.h - Index of all handlers; each stands in the file named after its
 * resource.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_API_H
#define MDL_API_H

#include "mdl_route.h"

/* mdl_api_home.c: GET / -> 307 /docs. */
mdl_handler mdl_api_home;

/* mdl_api_problem.c: GET /problems/{slug}. */
mdl_handler mdl_api_problem;

/* mdl_api_health.c: GET /health/live. */
mdl_handler mdl_api_live;

#endif
