/* mdl_features.h - The raw fields of a transaction in a request body, as a
 * model wants them (contract 3.5).
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_FEATURES_H
#define MDL_FEATURES_H

#include "dl_model.h"
#include "mdl_request.h"

/* What was sent. */
typedef struct mdl_features {
    dl_feature_row row; /* all of it, but the amount */
    bool has_amount;    /* there is an amount */
    dl_decimal amount;  /* in its own currency */
    dl_day day;         /* of the timestamp; DL_DAY_NONE: none was sent */
} mdl_features;

/* Set FEATURES to the object in VALUE, the member NAME of Q's body; its texts
 * live with the request.  Returns OK, or the status of the problem: 422 with
 * all faults. */
int mdl_features_read(mdl_features *features, mdl_request *q, const char *name,
                      const mdl_member_value *value);

/* Set the amount of FEATURES' row in the base currency of MODEL; without a
 * rate it is missing. */
void mdl_features_convert(mdl_features *features, const dl_model *model);

#endif
