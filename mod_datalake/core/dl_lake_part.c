/* dl_lake_part.c - Names and journal form of a part.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_part.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void dl_lake_part_name(char out[DL_LAKE_PATH_MAX], const dl_lake_part *p)
{
    char day[DL_DAY_TEXT];

    dl_day_format(day, p->day);
    if (dl_lake_part_is_whole(p)) {
        snprintf(out, DL_LAKE_PATH_MAX, "%s.json%s", day,
                 p->state == DL_LAKE_PART_COLD ? ".zst" : "");
    }
    else {
        snprintf(out, DL_LAKE_PATH_MAX, "%s.%03" PRIu32 ".json", day,
                 p->number);
    }
}

void dl_lake_day_folder(char out[DL_LAKE_PATH_MAX], dl_day day)
{
    char text[DL_DAY_TEXT];

    dl_day_format(text, day);
    snprintf(out, DL_LAKE_PATH_MAX, "dt=%s", text);
}

void dl_lake_trail_name(char out[DL_LAKE_PATH_MAX], uint64_t uid)
{
    snprintf(out, DL_LAKE_PATH_MAX, "%016" PRIx64 ".trail", uid);
}

void dl_lake_number_name(char out[DL_LAKE_PATH_MAX], uint64_t number)
{
    snprintf(out, DL_LAKE_PATH_MAX, "%010" PRIu64, number);
}

void dl_lake_part_add(dl_lake_bytes *bytes, const dl_lake_part *p)
{
    dl_lake_add_varint(bytes, p->uid);
    dl_lake_add_zigzag(bytes, p->day);
    dl_lake_add_varint(bytes, p->number);
    dl_lake_add_u8(bytes, (uint8_t)p->state);
    dl_lake_add_varint(bytes, p->bytes);
    dl_lake_add_varint(bytes, p->records);
    dl_lake_add_varint(bytes, p->commits);
    dl_lake_add_varint(bytes, (uint64_t)p->first_commit_ms);
    dl_lake_add_varint(bytes, (uint64_t)p->last_commit_ms);
    dl_lake_add_zigzag(bytes, p->first_time);
    dl_lake_add_zigzag(bytes, p->last_time);
    dl_lake_add_u32(bytes, p->crc);
    dl_lake_add_varint(bytes, p->trail_len);
    dl_lake_add_u32(bytes, p->trail_crc);
}

void dl_lake_part_get(dl_lake_part *p, dl_lake_in *in)
{
    int64_t day;

    memset(p, 0, sizeof *p);
    p->uid = dl_lake_get_varint(in);
    day = dl_lake_get_zigzag(in);
    p->number = (uint32_t)dl_lake_get_bounded(in, UINT32_MAX);
    p->state =
        dl_lake_get_u8(in) == 0 ? DL_LAKE_PART_OPEN : DL_LAKE_PART_SEALED;
    p->bytes = dl_lake_get_bounded(in, INT64_MAX);
    p->records = dl_lake_get_bounded(in, INT64_MAX);
    p->commits = dl_lake_get_bounded(in, INT64_MAX);
    p->first_commit_ms = (int64_t)dl_lake_get_bounded(in, INT64_MAX);
    p->last_commit_ms = (int64_t)dl_lake_get_bounded(in, INT64_MAX);
    p->first_time = dl_lake_get_zigzag(in);
    p->last_time = dl_lake_get_zigzag(in);
    p->crc = dl_lake_get_u32(in);
    p->trail_len = dl_lake_get_bounded(in, INT64_MAX);
    p->trail_crc = dl_lake_get_u32(in);
    if (day < INT32_MIN || day > INT32_MAX || p->number == 0) {
        in->bad = true;
    }
    p->day = (dl_day)day;
    p->first = p->number;
}

bool dl_lake_name_valid(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(name);

    return len >= 1 && len <= DL_LAKE_NAME_MAX && name[0] != '.' &&
           name[0] != '_' && strspn(name, allowed) == len;
}
