/* mdl_filter_error.h - The one place that writes error bodies.
 *
 * httpd calls insert_error_filter for every error it is about to send: those
 * our code returned, its own, those of framing (where r->uri may be NULL) and
 * other modules'.  The filter drops httpd's HTML and sends the problem.  When
 * an ErrorDocument is set for the status, it stays out of the way, unless the
 * ErrorDocument itself failed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_FILTER_ERROR_H
#define MDL_FILTER_ERROR_H

#include <httpd.h>

/* Register the filter.  Thread: start only. */
void mdl_filter_error_register(void);

/* The hook insert_error_filter: put the filter before R's answer where it
 * belongs. */
void mdl_filter_error_insert(request_rec *r);

#endif
