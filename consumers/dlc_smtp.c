/* dlc_smtp.c - libcurl's options, and what is overheard of the dialogue.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_smtp.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

/* Seconds that connecting, an answer and all of it may take. */
#define CONNECT_S 10L
#define ANSWER_S  10L
#define WHOLE_S   30L

/* A mail on its way. */
typedef struct talk {
    const dlc_smtp_mail *mail;   /* it */
    size_t at;                   /* bytes of it that were sent */
    dlc_smtp_outcome *outcome;   /* what is found out */
    bool address;                /* the last command named an address */
    dlc_smtp_stop *stop;         /* whether to give up */
    void *context;               /* its argument */
    char fault[CURL_ERROR_SIZE]; /* what libcurl says */
} talk;

dl_status dlc_smtp_init(dl_error *err)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK
               ? DL_OK
               : dl_fail(err, DL_INTERNAL, 0, "libcurl cannot be prepared");
}

/* Whether URL names this machine. */
static bool is_here(const char *url)
{
    const char *host = strstr(url, "://") + 3;
    size_t len = strcspn(host, ":/");

    return (len == strlen("localhost") &&
            strncasecmp(host, "localhost", len) == 0) ||
           strncmp(host, "[::1]", 5) == 0 ||
           (strncmp(host, "127.", 4) == 0 &&
            strspn(host, "0123456789.") == len);
}

/* Give libcurl the next bytes of the mail. */
static size_t give(char *out, size_t size, size_t n, void *context)
{
    talk *t = context;
    size_t room = size * n;
    size_t left = t->mail->len - t->at;
    size_t len = left < room ? left : room;

    memcpy(out, t->mail->text + t->at, len);
    t->at += len;
    return len;
}

/* Look at what goes to the server and comes from it. */
static int overhear(CURL *curl, curl_infotype type, char *data, size_t len,
                    void *context)
{
    static const char command[] = "RCPT TO:";
    talk *t = context;

    (void)curl;
    if (type == CURLINFO_HEADER_OUT) {
        t->address = len > strlen(command) &&
                     strncasecmp(data, command, strlen(command)) == 0;
    }
    if (type == CURLINFO_HEADER_IN && len > 3 &&
        (data[0] == '4' || data[0] == '5')) {
        snprintf(t->outcome->said, sizeof t->outcome->said, "%.*s",
                 (int)strcspn(data, "\r\n"), data);
        t->outcome->refused += t->address && data[3] != '-';
    }
    return 0;
}

static int is_over(void *context, curl_off_t down_all, curl_off_t down,
                   curl_off_t up_all, curl_off_t up)
{
    const talk *t = context;

    (void)down_all;
    (void)down;
    (void)up_all;
    (void)up;
    return t->stop(t->context);
}

/* The TLS that SERVER needs. */
static long tls_of(const dlc_smtp_server *server)
{
    if (is_here(server->url)) {
        return CURLUSESSL_NONE;
    }
    return server->password == NULL ? CURLUSESSL_TRY : CURLUSESSL_ALL;
}

/* Set what each mail needs. */
static void set_up(CURL *curl, const dlc_smtp_server *server, talk *t)
{
    curl_easy_setopt(curl, CURLOPT_URL, server->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, ANSWER_S);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, WHOLE_S);
    curl_easy_setopt(curl, CURLOPT_USE_SSL, tls_of(server));
    if (server->password != NULL) {
        curl_easy_setopt(curl, CURLOPT_USERNAME, server->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, server->password->data);
    }
    curl_easy_setopt(curl, CURLOPT_MAIL_FROM, server->from);
    curl_easy_setopt(curl, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
    curl_easy_setopt(curl, CURLOPT_READDATA, t);
    curl_easy_setopt(curl, CURLOPT_VERBOSE, 1L);
    curl_easy_setopt(curl, CURLOPT_DEBUGFUNCTION, overhear);
    curl_easy_setopt(curl, CURLOPT_DEBUGDATA, t);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_over);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, t->fault);
}

/* Return the status for CODE, with a sentence. */
static dl_status judge(CURLcode code, const talk *t, dl_error *err)
{
    const char *fault =
        t->fault[0] == '\0' ? curl_easy_strerror(code) : t->fault;

    if (code == CURLE_OK) {
        return DL_OK;
    }
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        return dl_fail(err, DL_RETRY, 0, "the program ends");
    }
    if (t->outcome->said[0] != '\0') {
        return dl_fail(err, DL_INVALID, 0, "%s: %s", fault, t->outcome->said);
    }
    return dl_fail(err, DL_UNAVAILABLE, 0, "%s", fault);
}

dl_status dlc_smtp_send(dlc_smtp_outcome *outcome,
                        const dlc_smtp_server *server,
                        const dlc_smtp_mail *mail, dlc_smtp_stop *stop,
                        void *context, dl_error *err)
{
    talk t = {
        .mail = mail, .outcome = outcome, .stop = stop, .context = context};
    CURL *curl = curl_easy_init();
    struct curl_slist *to = NULL;
    CURLcode code = curl == NULL ? CURLE_OUT_OF_MEMORY : CURLE_OK;

    memset(outcome, 0, sizeof *outcome);
    for (int i = 0; i < mail->n && code == CURLE_OK; i++) {
        struct curl_slist *longer = curl_slist_append(to, mail->to[i]);

        code = longer == NULL ? CURLE_OUT_OF_MEMORY : CURLE_OK;
        to = longer == NULL ? to : longer;
    }
    if (code == CURLE_OK) {
        set_up(curl, server, &t);
        curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to);
        code = curl_easy_perform(curl);
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(to);
    return judge(code, &t, err);
}
