/* mdl_problem_body.c - Writing a problem as JSON.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_problem_body.h"

#include <stddef.h>

#include <httpd.h>

#include <http_protocol.h>

#include <apr_strings.h>

#include "dl_json_write.h"

static void write_pair(dl_json_writer *w, const char *name, const char *text)
{
    dl_json_write_key(w, name);
    dl_json_write_text(w, text);
}

static void write_errors(dl_json_writer *w, const mdl_problem_state *state)
{
    int i;

    dl_json_write_key(w, "errors");
    dl_json_write_array_begin(w);
    for (i = 0; state != NULL && i < state->n_errors; i++) {
        const mdl_problem_error *error = &state->errors[i];

        dl_json_write_object_begin(w);
        if (error->parameter != NULL) {
            write_pair(w, "parameter", error->parameter);
        }
        else {
            write_pair(w, "pointer", error->pointer);
        }
        write_pair(w, "code", error->code);
        write_pair(w, "detail", error->detail);
        dl_json_write_object_end(w);
    }
    dl_json_write_array_end(w);
}

static void write_members(dl_json_writer *w, const mdl_problem_state *state)
{
    int i;

    for (i = 0; state != NULL && i < state->n_members; i++) {
        if (state->members[i].value != NULL) {
            write_pair(w, state->members[i].name, state->members[i].value);
            continue;
        }
        dl_json_write_key(w, state->members[i].name);
        dl_json_write_int(w, state->members[i].number);
    }
}

/* Type and sentence of a STATUS nobody here has named a problem for. */
static void write_foreign_type(dl_json_writer *w, int status)
{
    mdl_slug slug = mdl_problem_of_status(status);
    const mdl_problem_type *type = mdl_problem_type_of(slug);
    const char *line = ap_get_status_line(status);
    char address[64];

    if (slug == MDL_PROBLEM_NONE) {
        write_pair(w, "type", "about:blank");
        write_pair(w, "title", line + 4);
        dl_json_write_key(w, "status");
        dl_json_write_int(w, status);
        write_pair(w, "detail", "The server refused the request.");
        return;
    }
    apr_snprintf(address, sizeof address, "/problems/%s", type->slug);
    write_pair(w, "type", address);
    write_pair(w, "title", type->title);
    dl_json_write_key(w, "status");
    dl_json_write_int(w, status);
    write_pair(w, "detail", type->description);
}

static void write_own_type(dl_json_writer *w, const mdl_problem_state *state)
{
    const mdl_problem_type *type = mdl_problem_type_of(state->slug);
    char address[64];

    apr_snprintf(address, sizeof address, "/problems/%s", type->slug);
    write_pair(w, "type", address);
    write_pair(w, "title", type->title);
    dl_json_write_key(w, "status");
    dl_json_write_int(w, type->status);
    write_pair(w, "detail", state->detail);
}

bool mdl_problem_write(dl_buf *out, int status, const mdl_problem_state *state,
                       const char *id)
{
    dl_json_writer w;
    char instance[64];

    if (state != NULL && mdl_problem_type_of(state->slug)->status != status) {
        state = NULL;
    }
    dl_json_writer_begin(&w, out);
    dl_json_write_object_begin(&w);
    if (state != NULL && state->slug != MDL_PROBLEM_NONE) {
        write_own_type(&w, state);
    }
    else {
        write_foreign_type(&w, status);
    }
    apr_snprintf(instance, sizeof instance, "/req/%s", id);
    write_pair(&w, "instance", instance);
    write_pair(&w, "request_id", id);
    write_errors(&w, state);
    write_members(&w, state);
    dl_json_write_object_end(&w);
    return dl_json_writer_finish(&w, NULL) == DL_OK;
}
