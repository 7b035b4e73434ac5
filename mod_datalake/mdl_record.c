/* mdl_record.c - One record into a buffer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_record.h"

#include "dl_json_write.h"
#include "dl_line_meta.h"

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
        dl_line_meta_write(&w, form->topic, day, line);
    }
    dl_json_write_object_end(&w);
    return dl_json_writer_finish(&w, err);
}

dl_status mdl_record_write(dl_buf *buf, const mdl_record *form,
                           const dl_lake_line *line, dl_day day, dl_error *err)
{
    if (form->project != NULL) {
        return write_some(buf, form, line, day, err);
    }
    return form->meta ? dl_line_meta_append(buf, form->topic, day, line, err)
                      : dl_buf_append(buf, line->text, line->len, err);
}
