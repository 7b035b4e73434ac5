/* mdl_record.c - One record into a buffer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_record.h"

#include <stdio.h>
#include <string.h>

#include "dl_grant.h"
#include "dl_json_write.h"

static void write_meta(dl_json_writer *w, const mdl_record *form,
                       const dl_lake_line *line, dl_day day)
{
    char text[DL_RESOURCE_MAX + 1];
    dl_resource resource;

    dl_resource_of_day(&resource, text, form->topic, day);
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "topic");
    dl_json_write_text(w, form->topic);
    dl_json_write_key(w, "partition");
    dl_json_write_int(w, line->coord.partition);
    dl_json_write_key(w, "offset");
    dl_json_write_int(w, line->coord.offset);
    dl_json_write_key(w, "timestamp");
    dl_json_write_time(w, line->coord.time);
    dl_json_write_key(w, "resource");
    dl_json_write_string(w, resource.text, resource.len);
    dl_json_write_key(w, "line");
    dl_json_write_int(w, (int64_t)line->line);
    dl_json_write_object_end(w);
}

/* Append some members of the line, and _dl. */
static dl_status write_some(dl_buf *buf, const mdl_record *form,
                            const dl_lake_line *line, dl_day day, dl_error *err)
{
    dl_json_writer w;

    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    dl_project_write(&w, form->project);
    if (form->meta) {
        dl_json_write_key(&w, "_dl");
        write_meta(&w, form, line, day);
    }
    dl_json_write_object_end(&w);
    return dl_json_writer_finish(&w, err);
}

dl_status mdl_record_write(dl_buf *buf, const mdl_record *form,
                           const dl_lake_line *line, dl_day day, dl_error *err)
{
    size_t body = line->len - 1; /* without the closing brace */
    dl_json_writer w;

    if (form->project != NULL) {
        return write_some(buf, form, line, day, err);
    }
    if (!form->meta) {
        return dl_buf_append(buf, line->text, line->len, err);
    }
    DL_TRY(dl_buf_append(buf, line->text, body, err));
    DL_TRY(body > 1 ? dl_buf_append(buf, ",\"_dl\":", 7, err)
                    : dl_buf_append(buf, "\"_dl\":", 6, err));
    dl_json_writer_begin(&w, buf);
    write_meta(&w, form, line, day);
    DL_TRY(dl_json_writer_finish(&w, err));
    return dl_buf_append(buf, "}", 1, err);
}
