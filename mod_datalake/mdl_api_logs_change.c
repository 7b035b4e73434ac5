/* mdl_api_logs_change.c - PUT, DELETE /v1/logs/{ip}: all lines of an address.
 *
 * The hash of a line is that of the line as received, so a line that comes
 * again after a change is no new row.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_json_values.h"
#include "dl_time.h"
#include "mdl_api.h"
#include "mdl_body.h"
#include "mdl_change.h"
#include "mdl_multi.h"
#include "mdl_problem.h"

/* Longest text of a column. */
#define TEXT_MAX 255
#define URL_MAX  2048

/* Digits of a size, and the greatest. */
#define SIZE_MAX_DIGITS 18
#define SIZE_GREATEST   INT64_C(999999999999999999)

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
     .type = MDL_PARAM_ADDRESS,
     .in_path = true,
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

/* Set *NUMBER to that of the LEN digits of TEXT; false: they are none, or
 * more than a size has, or begin with a zero too many. */
static bool read_digits(int64_t *number, const char *text, size_t len)
{
    if (len == 0 || len > SIZE_MAX_DIGITS || (len > 1 && text[0] == '0')) {
        return false;
    }
    *number = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        *number = *number * 10 + (text[i] - '0');
    }
    return true;
}

/* Write member I, digits as a number or as text, when it lies in MIN to MAX;
 * logs of some servers have "-" for no bytes. */
static int write_digits(dl_json_writer *w, mdl_request *q, int i, int64_t min,
                        int64_t max)
{
    const mdl_member_value *value = &q->members[i];
    const dl_json_value json = {.text = value->text,
                                .len = (uint32_t)value->len,
                                .kind = DL_JSON_NUMBER};
    char digits[24];
    bool text = value->given && value->text[0] == '"';
    int64_t number;

    if (!value->given) {
        return OK;
    }
    if (!text && strchr("-0123456789", value->text[0]) == NULL) {
        return mdl_body_refuse(q, &log_members[i], "wrong-type",
                               "It must be a whole number, or its digits as "
                               "text.");
    }
    dl_json_write_key(w, log_members[i].name);
    if (i == SIZE && strncmp(value->text, "\"-\"", value->len) == 0) {
        dl_json_write_text(w, "-");
        return OK;
    }
    if (!(text ? read_digits(&number, value->text + 1, value->len - 2)
               : mdl_body_whole(&number, &json)) ||
        number < min || number > max) {
        return mdl_body_refuse(
            q, &log_members[i], "out-of-range",
            i == STATUS ? "It must be a whole number from 100 to 599."
                        : "It must be a whole number, 0 or more.");
    }
    apr_snprintf(digits, sizeof digits, "%" PRId64, number);
    dl_json_write_text(w, digits);
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
    return status == OK ? write_digits(w, q, SIZE, 0, SIZE_GREATEST) : status;
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

    if (strcmp(q->values[0].canonical, a.forms[0]) != 0) {
        a.forms[1] = q->values[0].canonical;
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
