/* mdl_api_logs_change.c - PUT, DELETE /v1/logs/{ip}: all lines of an address.
 *
 * The hash of a line is that of the line as received, so a line that comes
 * again after a change is no new row.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <httpd.h>

#include "dl_time.h"
#include "mdl_api.h"
#include "mdl_body.h"
#include "mdl_change.h"
#include "mdl_multi.h"
#include "mdl_problem.h"

/* Longest text of a column. */
#define TEXT_MAX 255
#define URL_MAX  2048

/* Digits of a size. */
#define SIZE_MAX_DIGITS 18

enum {
    DATE,
    TIME,
    METHOD,
    URL,
    VERSION,
    STATUS,
    SIZE
};

static const mdl_member log_members[] = {
    [DATE] = {.name = "Date",
              .type = MDL_MEMBER_TEXT,
              .min = 1,
              .max = TEXT_MAX,
              .summary = "Day as logs write it: 20/Jan/2023"},
    [TIME] = {.name = "Time",
              .type = MDL_MEMBER_TEXT,
              .min = 1,
              .max = TEXT_MAX,
              .summary = "Time of that day, UTC: 11:37:58"},
    [METHOD] = {.name = "Method",
                .type = MDL_MEMBER_TEXT,
                .characters = true,
                .max = TEXT_MAX,
                .summary = "Method of the request"},
    [URL] = {.name = "URL",
             .type = MDL_MEMBER_TEXT,
             .characters = true,
             .max = URL_MAX,
             .summary = "What was asked for"},
    [VERSION] = {.name = "HTTP_Version",
                 .type = MDL_MEMBER_TEXT,
                 .characters = true,
                 .max = TEXT_MAX,
                 .summary = "Version of the protocol"},
    [STATUS] = {.name = "Status_Code",
                .type = MDL_MEMBER_ANY,
                .summary = "Status of the answer, 100 to 599, as a number or "
                           "as text; stored as digits"},
    [SIZE] = {.name = "Response_Size",
              .type = MDL_MEMBER_ANY,
              .summary = "Bytes of the answer, as a number or as text; stored "
                         "as digits"},
    {.name = NULL}};

const mdl_body mdl_api_log_body = {.members = log_members,
                                   .media = MDL_MEDIA_JSON,
                                   .limit = MDL_BODY_LARGE,
                                   .not_empty = true};

const mdl_param mdl_api_log_change_params[] = {
    {.name = "ip",
     .type = MDL_PARAM_TEXT,
     .in_path = true,
     .min = 1,
     .max = 255,
     .summary = "IPv4 or IPv6 address"},
    {.name = NULL}};

/* An address, as it came and in its shortest form. */
typedef struct address {
    const char *forms[2]; /* the two; the second NULL when they are one */
} address;

/* --- Key and validator ---------------------------------------------------- */

static dl_status write_key(dl_json_writer *w, const mdl_change *change,
                           struct dl_wh *wh, int try, dl_error *err)
{
    const address *a = change->context;

    (void)wh;
    if (try > 1 || a->forms[try] == NULL) {
        return dl_fail(err, DL_NOT_FOUND, 0, "no line of that address");
    }
    dl_json_write_text_member(w, "IP_Address", a->forms[try]);
    return DL_OK;
}

static dl_status make_etag(char etag[MDL_ETAG_TEXT], const mdl_change *change,
                           struct dl_wh *wh, int try, dl_error *err)
{
    const address *a = change->context;

    return mdl_multi_log_etag(etag, wh, a->forms[try], err, change->q->r->pool);
}

static const mdl_change_kind log_kind = {.dataset = "network_logs",
                                         .missing =
                                             "There is no log of that address.",
                                         .key = write_key,
                                         .etag = make_etag};

/* --- Members -------------------------------------------------------------- */

/* Whether the LEN digits of TEXT are a number from MIN to MAX; not a fraction,
 * not an exponent. */
static bool is_number(const char *text, size_t len, int64_t min, int64_t max)
{
    int64_t value = 0;

    if (len == 0 || len > SIZE_MAX_DIGITS || (len > 1 && text[0] == '0')) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (text[i] - '0');
    }
    return value >= min && value <= max;
}

/* Write member I, digits as a number or as text, when it lies in MIN to MAX;
 * logs of some servers have "-" for no bytes. */
static int write_digits(dl_json_writer *w, mdl_request *q, int i, int64_t min,
                        int64_t max)
{
    const mdl_member_value *value = &q->members[i];
    const char *text = value->text;
    size_t len = value->len;

    if (!value->given) {
        return OK;
    }
    if (text[0] != '"' && text[0] != '-' && (text[0] < '0' || text[0] > '9')) {
        return mdl_body_refuse(q, &log_members[i], "wrong-type",
                               "It must be a whole number, or its digits as "
                               "text.");
    }
    if (text[0] == '"') {
        text++;
        len -= 2;
    }
    if (!is_number(text, len, min, max) &&
        !(i == SIZE && value->text[0] == '"' && len == 1 && text[0] == '-')) {
        return mdl_body_refuse(
            q, &log_members[i], "out-of-range",
            i == STATUS ? "It must be a whole number from 100 to 599."
                        : "It must be a whole number, 0 or more.");
    }
    dl_json_write_key(w, log_members[i].name);
    dl_json_write_string(w, text, len);
    return OK;
}

/* A day and a time of day as records have them. */
static int check_time(mdl_request *q, int i)
{
    const mdl_member_value *value = &q->members[i];
    dl_time ignored;
    bool day = i == DATE;

    if (!value->given ||
        dl_time_parse_log(&ignored, day ? value->text : "01/Jan/1970",
                          day ? value->len : 11, day ? "00:00:00" : value->text,
                          day ? 8 : value->len)) {
        return OK;
    }
    return mdl_body_refuse(q, &log_members[i], "not-a-time",
                           day ? "It must be a day such as 20/Jan/2023."
                               : "It must be a time such as 11:37:58.");
}

static int write_members(dl_json_writer *w, mdl_request *q)
{
    static const int texts[] = {DATE, TIME, METHOD, URL, VERSION};
    int status = check_time(q, DATE);

    if (status == OK) {
        status = check_time(q, TIME);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        mdl_change_text(w, q, texts[i], log_members[texts[i]].name);
    }
    if (status == OK) {
        status = write_digits(w, q, STATUS, 100, 599);
    }
    return status == OK ? write_digits(w, q, SIZE, 0, INT64_MAX) : status;
}

/* --- The routes ----------------------------------------------------------- */

/* Change the lines of Q's address by CHANGES, or delete them. */
static int run(mdl_request *q, const dl_buf *changes)
{
    address a = {{q->values[0].text, NULL}};
    const mdl_change change = {.q = q,
                               .kind = &log_kind,
                               .context = &a,
                               .record_key = q->values[0].text,
                               .changes = changes};
    const char *canonical;

    if (!mdl_multi_address(&canonical, a.forms[0], q->r->pool)) {
        return mdl_param_refuse(q, &mdl_api_log_change_params[0],
                                "not-an-address",
                                "it is neither an IPv4 nor an IPv6 address");
    }
    if (strcmp(canonical, a.forms[0]) != 0) {
        a.forms[1] = canonical;
    }
    return mdl_change_run(&change);
}

int mdl_api_log_change(mdl_request *q)
{
    dl_json_writer w;
    dl_buf *changes = mdl_change_begin(&w, q);
    int status = write_members(&w, q);

    if (status == OK) {
        status = mdl_change_judge(&w, q, changes, log_kind.dataset);
    }
    return status == OK ? run(q, changes) : status;
}

int mdl_api_log_delete(mdl_request *q)
{
    return run(q, NULL);
}
