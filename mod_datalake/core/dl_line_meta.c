/* dl_line_meta.c - The member _dl.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_line_meta.h"

#include "dl_grant.h"

void dl_line_meta_write(dl_json_writer *w, const char *name, dl_day day,
                        const dl_lake_line *line)
{
    char text[DL_RESOURCE_MAX + 1];
    dl_resource resource;

    dl_resource_of_day(&resource, text, name, day);
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "topic");
    dl_json_write_text(w, name);
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

dl_status dl_line_meta_append(dl_buf *buf, const char *name, dl_day day,
                              const dl_lake_line *line, dl_error *err)
{
    size_t body = line->len - 1; /* without the closing brace */
    dl_json_writer w;

    DL_TRY(dl_buf_append(buf, line->text, body, err));
    DL_TRY(body > 1 ? dl_buf_append(buf, ",\"_dl\":", 7, err)
                    : dl_buf_append(buf, "\"_dl\":", 6, err));
    dl_json_writer_begin(&w, buf);
    dl_line_meta_write(&w, name, day, line);
    DL_TRY(dl_json_writer_finish(&w, err));
    return dl_buf_append(buf, "}", 1, err);
}
