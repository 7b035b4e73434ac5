/* test_mail.c - Mails about failed runs: headers, encodings, and that foreign
 * texts do no harm.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_mail.h"

#include "tap.h"

#include <stdlib.h>

#include <apr_general.h>
#include <apr_pools.h>

static apr_pool_t *pool;

/* 2026-05-18T09:30:00Z, a Monday. */
#define NOW ((dl_time)1779096600 * DL_SECOND_US)

static const dlc_mail_run fine = {.id = 7,
                                  .name = "retention",
                                  .trigger = "calendar",
                                  .job_id = "0-1",
                                  .error = "no room",
                                  .started_at = NOW - DL_SECOND_US,
                                  .finished_at = NOW};

/* The mail about the run NAME that failed by ERROR. */
static const char *mail(const char *name, const char *error)
{
    dlc_mail_run run = fine;
    const char *text;
    size_t len;

    run.name = name;
    run.error = error;
    text = dlc_mail_text(&len, &run, "lake@example.org", NOW, pool);
    return len == strlen(text) ? text : "";
}

/* Whether each line of TEXT has at most 76 characters of ASCII and ends with
 * CRLF, and none is a point. */
static bool is_sound(const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\r\n");

        if (len > 76 || strncmp(text + len, "\r\n", 2) != 0 ||
            (len > 0 && *text == '.')) {
            return false;
        }
        for (size_t i = 0; i < len; i++) {
            if (text[i] < 0x20 || text[i] == 0x7F) {
                return false;
            }
        }
        text += len + 2;
    }
    return true;
}

/* How many headers TEXT has. */
static int headers(const char *text)
{
    const char *end = strstr(text, "\r\n\r\n");
    int n = 0;

    for (; end != NULL && text < end; text = strstr(text, "\r\n") + 2) {
        n += *text != ' ';
    }
    return n;
}

static void test_plain(void)
{
    is_str(mail("retention", "no room"),
           "Date: Mon, 18 May 2026 09:30:00 +0000\r\n"
           "From: <lake@example.org>\r\n"
           "To: undisclosed-recipients:;\r\n"
           "Message-ID: <run-7.1779096599000000@example.org>\r\n"
           "Subject: data lake: run 7 of retention failed\r\n"
           "Auto-Submitted: auto-generated\r\n"
           "MIME-Version: 1.0\r\n"
           "Content-Type: text/plain; charset=utf-8\r\n"
           "Content-Transfer-Encoding: quoted-printable\r\n"
           "\r\n"
           "A run of a schedule of the data lake has failed.\r\n"
           "\r\n"
           "Schedule:  retention\r\n"
           "Run:       7\r\n"
           "Job:       0-1\r\n"
           "Asked by:  calendar\r\n"
           "Started:   2026-05-18T09:29:59.000000Z\r\n"
           "Finished:  2026-05-18T09:30:00.000000Z\r\n"
           "\r\n"
           "Error:\r\n"
           "  no room\r\n",
           "a mail says which run, when and why");
    ok(strstr(mail("a", ""), "\r\n  none was told\r\n") != NULL,
       "a run without a word fails, too");
}

static void test_hostile(void)
{
    const char *text = mail("a\r\nBcc: x@example.org\r\n\r\nhello", "x");

    ok(is_sound(text) && headers(text) == 9 && strstr(text, "\r\nBcc:") == NULL,
       "a line end in a name begins no header");
    text = mail("a", ".\r\n.\r\n\r\nQUIT\rRSET\n..\nlast");
    ok(is_sound(text) && headers(text) == 9, "points and commands end no mail");
    ok(strstr(text, "\r\n  .\r\n  .\r\n  \r\n") == NULL &&
           strstr(text, "\r\n  .\r\n  .\r\n =20\r\n  QUIT\r\n  RSET\r\n  ..\r\n"
                        "  last\r\n") != NULL,
       "lines of an error stay lines, without blanks at their ends");
    ok(is_sound(mail("\x01\x7F\xFF", "\x01\x7F\xFF\xC3")),
       "controls and broken characters are none any more");
    ok(strstr(mail("=?UTF-8?B?eA==?=", "x"), "Subject: =?UTF-8?B?ZGF0") != NULL,
       "a name is no encoded word");
}

static void test_encoded(void)
{
    char name[400];
    const char *text = mail("R\xC3\xA9tention", "a=b \xE2\x82\xAC\n");

    ok(strstr(text, "Subject: =?UTF-8?B?"
                    "ZGF0YSBsYWtlOiBydW4gNyBvZiBSw6l0ZW50aW9uIGZhaWxlZA==?="
                    "\r\n") != NULL,
       "a subject is UTF-8 in base64");
    ok(strstr(text, "\r\n  a=3Db =E2=82=AC\r\n") != NULL,
       "a text is quoted-printable");
    memset(name, 0, sizeof name);
    for (size_t i = 0; i + 2 < sizeof name; i += 2) {
        name[i] = '\xC3';
        name[i + 1] = '\xA9';
    }
    text = mail(name, name);
    ok(is_sound(text) && headers(text) == 9, "a long name is folded and cut");
    memset(name, ' ', sizeof name - 1);
    ok(is_sound(mail(name, name)), "so is one of blanks");
    memset(name, '.', sizeof name - 1);
    ok(is_sound(mail(name, name)), "and one of points");
}

static void test_bounds(void)
{
    size_t size = (size_t)100000;
    char *error = malloc(size + 1);
    bool small = true;

    for (int fill = 1; fill < 256; fill++) {
        memset(error, fill, size);
        error[size] = '\0';
        small = small && strlen(mail(error, error)) < (size_t)16384 &&
                is_sound(mail(error, error));
    }
    ok(small, "a mail has less than 16 KiB, whatever the texts");
    free(error);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_plain();
    test_hostile();
    test_encoded();
    test_bounds();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
