/* test_log_line.c - lines of web servers and syslog, column by column.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_combined.h"
#include "dl_syslog.h"
#include "tap.h"

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

static apr_pool_t *pool;

/* 2024-01-02T03:04:05Z */
#define NOW INT64_C(1704164645000000)

/* Return "name=value;..." of the N CELLS that are there. */
static const char *told(const char *const *names, const dl_cell *cells, int n)
{
    const char *text = "";

    for (int i = 0; i < n; i++) {
        if (cells[i].kind != DL_CELL_ABSENT) {
            text = apr_pstrcat(
                pool, text, names[i], "=",
                apr_pstrmemdup(pool, cells[i].text, cells[i].len), ";", NULL);
        }
    }
    return text;
}

/* Return what LINE of a web server's log says. */
static const char *web(const char *line)
{
    dl_buf *room = dl_buf_create(10000, pool);
    dl_cell cells[DL_COMBINED_COLUMNS];

    return dl_combined_parse(cells, room, line, strlen(line))
               ? told(dl_combined_names, cells, DL_COMBINED_COLUMNS)
               : "none";
}

/* Return what the message TEXT says. */
static const char *syslog_of(const char *text)
{
    dl_buf *room = dl_buf_create(10000, pool);
    dl_cell cells[DL_SYSLOG_COLUMNS];
    dl_error err = {0};

    return dl_syslog_parse(cells, room, text, strlen(text), NOW, &err) == DL_OK
               ? told(dl_syslog_names, cells, DL_SYSLOG_COLUMNS)
               : apr_pstrdup(pool, err.text);
}

static void combined(void)
{
    is_str(web("192.168.1.1 - - [20/Jan/2023:11:37:58 +0000] \"GET /a?b HTTP/"
               "1.1\" 200 512"),
           "IP_Address=192.168.1.1;Date=20/Jan/2023;Time=11:37:58;Method=GET;"
           "URL=/a?b;HTTP_Version=HTTP/1.1;Status_Code=200;Response_Size=512;",
           "a line of the common format");
    is_str(web("::1 id frank [01/Jan/2023:00:30:00 +0100] \"POST / HTTP/2.0\" "
               "304 - \"http://e/\\\"q\\\"\" \"caf\\xc3\\xa9 1.0\"\r"),
           "IP_Address=::1;Date=31/Dec/2022;Time=23:30:00;Method=POST;URL=/;"
           "HTTP_Version=HTTP/2.0;Status_Code=304;Response_Size=0;ident=id;"
           "user=frank;referer=http://e/\"q\";user_agent=caf\xC3\xA9 1.0;",
           "one of the combined format: UTC, no size, escapes undone");
    is_str(web("h - - [20/Jan/2023:11:37:58 +0000] \"\\x16\\x03\\xff\" 400 9 "
               "\"-\" \"-\""),
           "IP_Address=h;Date=20/Jan/2023;Time=11:37:58;URL=\\x16\\x03\\xff;"
           "Status_Code=400;Response_Size=9;",
           "a request that is none is kept, its bytes as the server wrote it");
    is_str(web("h - - [20/Jan/2023:11:37:58 +0000] \"-\" 408 0"),
           "IP_Address=h;Date=20/Jan/2023;Time=11:37:58;Status_Code=408;"
           "Response_Size=0;",
           "no request at all");
    is_str(web("h - - [20/Jan/2023:11:37:58 +0000] \"GET /a b HTTP/1.0\" 200 "
               "1"),
           "IP_Address=h;Date=20/Jan/2023;Time=11:37:58;Method=GET;URL=/a b;"
           "HTTP_Version=HTTP/1.0;Status_Code=200;Response_Size=1;",
           "a space in the URL");
    is_str(web("h - - [32/Jan/2023:11:37:58 +0000] \"GET / HTTP/1.1\" 200 1"),
           "none", "a day that is none");
    is_str(web("h - - [20/Jan/2023:11:37:58 +0000] \"GET / HTTP/1.1\" 2000 1"),
           "none", "a status that is none");
    is_str(web("h - - [20/Jan/2023:11:37:58 +0000] \"GET / HTTP/1.1 200 1"),
           "none", "a quotation mark that is not there");
    is_str(web("h - - [20/Jan/2023:11:37:58 +0000] \"GET / HTTP/1.1\" 200 1 "
               "\"-\" \"-\" more"),
           "none", "more than the format has");
    is_str(web(""), "none", "nothing");
}

static void new_syslog(void)
{
    is_str(
        syslog_of("<34>1 2003-10-11T22:14:15.003Z host su 77 ID47 "
                  "[ex@1 a=\"b\" q=\"\\\"\\]\\n\"][x] \xEF\xBB\xBFtext"),
        "facility=4;severity=2;timestamp=2003-10-11T22:14:15.003Z;host=host;"
        "program=su;pid=77;msgid=ID47;structured_data={\"ex@1\":{\"a\":\"b\","
        "\"q\":\"\\\"]\\\\n\"},\"x\":{}};message=text;",
        "RFC 5424: data are an object of objects, its mark is dropped");
    is_str(syslog_of("<165>1 - - - - - -"), "facility=20;severity=5;",
           "a dash is nothing");
    is_str(syslog_of("<0>1 - h a - - [broken a=\"b text"),
           "facility=0;severity=0;host=h;program=a;message=[broken a=\"b text;",
           "broken data are part of the message");
    is_str(syslog_of("<13>1 - h"), "facility=1;severity=5;host=h;",
           "a message may end early");
}

static void old_syslog(void)
{
    is_str(
        syslog_of("<34>Oct 11 22:14:15 mymachine su[12]: 'su root' failed\n"),
        "facility=4;severity=2;timestamp=2023-10-11T22:14:15;"
        "host=mymachine;program=su;pid=12;message='su root' failed;",
        "RFC 3164: the year is that nearest to now");
    is_str(syslog_of("<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!"),
           "facility=1;severity=5;timestamp=2024-02-05T17:32:18;"
           "host=10.0.0.99;message=Use the BFG!;",
           "one without a tag, of next month");
    is_str(syslog_of("<13>Feb 29 00:00:00 h t: x"),
           "facility=1;severity=5;timestamp=2024-02-29T00:00:00;host=h;"
           "program=t;message=x;",
           "29 February takes a leap year");
    is_str(syslog_of("<30>2023-01-20T11:37:58+01:00 h cron: x"),
           "facility=3;severity=6;timestamp=2023-01-20T11:37:58+01:00;host=h;"
           "program=cron;message=x;",
           "a time of RFC 3339 instead");
    is_str(syslog_of("plain text"), "facility=1;severity=5;message=plain text;",
           "no priority: all is the message");
    is_str(syslog_of("<192>x"), "facility=1;severity=5;message=<192>x;",
           "a priority past 191 is none");
    is_str(syslog_of("<1>no time"), "facility=0;severity=1;message=no time;",
           "no time: the rest is the message");
    is_str(syslog_of(""), "facility=1;severity=5;message=;", "nothing");
}

int main(void)
{
    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return 1;
    }
    combined();
    new_syslog();
    old_syslog();
    apr_pool_destroy(pool);
    return done();
}
