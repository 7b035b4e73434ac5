/* mdl_gate.h - The way of a request through httpd's hooks.
 *
 * The order is that of contract 1.1: framing and known method, route, method,
 * token, quota, access, query, Accept, body, and then the row's handler.
 * Each function is one hook and returns what httpd expects of it.
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_GATE_H
#define MDL_GATE_H

#include <httpd.h>

/* post_read_request: give R its id; 400, 501, 505. */
int mdl_gate_read(request_rec *r);

/* pre_translate_name: find the route; 400, 404, 405.  DONE for a request of
 * ours, so that httpd leaves the path encoded; DECLINED for others. */
int mdl_gate_route(request_rec *r);

/* translate_name, map_to_storage, type_checker: OK for a request of ours,
 * which names no file; DECLINED for others. */
int mdl_gate_claim(request_rec *r);

/* translate_name, behind those of all modules but httpd's own: 404 for a
 * foreign path that no file can have, with a name of more than 255 bytes or
 * 4096 and more in all.  httpd would call that forbidden. */
int mdl_gate_fileless(request_rec *r);

/* access_checker: who is calling, and may he; 400, 401, 429, 403, 503.  Runs
 * with or without Require. */
int mdl_gate_access(request_rec *r);

/* handler: query, Accept, body, then the row's handler. */
int mdl_gate_handle(request_rec *r);

/* handler, behind those of all modules but httpd's own for files: 404 for a
 * path that names neither a route nor a file.  httpd would answer OPTIONS with
 * 200 and PUT with 405 there. */
int mdl_gate_miss(request_rec *r);

/* log_transaction: count the finished request. */
int mdl_gate_log(request_rec *r);

#endif
