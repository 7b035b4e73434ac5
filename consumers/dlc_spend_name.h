/* dlc_spend_name.h - The newest name of each product.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_SPEND_NAME_H
#define DLC_SPEND_NAME_H

#include "dlc_spend.h"

/* One product's newest name. */
typedef struct dlc_name {
    dlc_text product_id; /* from malloc, with the name behind it */
    dlc_text name;       /* in the same block */
    dl_coord coord;      /* of the record that gave it */
} dlc_name;

/* Names by product. */
typedef struct dlc_names {
    dlc_name *rows;  /* in order of arrival */
    size_t n;        /* in use */
    size_t room;     /* allocated */
    uint32_t *slots; /* row + 1, 0: free; twice as many as room */
    size_t bytes;    /* of the texts */
} dlc_names;

/* Note that the record at COORD calls PRODUCT_ID NAME. */
void dlc_names_add(dlc_names *names, dlc_text product_id, dlc_text name,
                   const dl_coord *coord);

/* Free what NAMES holds. */
void dlc_names_clear(dlc_names *names);

#endif
