/* mdl_value.h - One text, one parameter row, one checked value.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_VALUE_H
#define MDL_VALUE_H

#include <apr_pools.h>

#include "mdl_param.h"

/* Fill VALUE, whose text and len are set, by the rules of PARAM.  Returns
 * NULL, or the code of its fault; *WANTED is then what would be right ("a
 * whole number from 1 to 1000"), in POOL.  Thread: any. */
const char *mdl_value_parse(mdl_value *value, const char **wanted,
                            const mdl_param *param, apr_pool_t *pool);

#endif
