/* mdl_request_id.h - X-Request-Id: 32 hex digits that no other request has.
 *
 * A child draws 128 random bits when it starts; the id of its n-th request is
 * made of them and n by two bijections, so one child never repeats an id and
 * two children meet as rarely as random 128 bits do.  A client's own
 * X-Request-Id is not taken: log lines must not be written by strangers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_REQUEST_ID_H
#define MDL_REQUEST_ID_H

/* Room for an id and its NUL. */
#define MDL_REQUEST_ID_TEXT 33

/* Draw this child's random bits.  Thread: child start only. */
void mdl_request_id_start(void);

/* Write the next id to OUT.  Thread: any. */
void mdl_request_id_make(char out[MDL_REQUEST_ID_TEXT]);

#endif
