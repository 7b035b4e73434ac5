/* dlc_smtp.h - A mail to a server by SMTP: the only file that sees libcurl is
 * dlc_smtp.c.
 *
 * A server elsewhere that is given a password has to speak TLS, at once
 * (smtps) or by STARTTLS, with a certificate that the system's store vouches
 * for; without a password TLS is taken when it is offered.  On this machine
 * smtp goes as it is.  Connecting may take 10 s, all of it 30 s.
 *
 * Thread: any, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_SMTP_H
#define DLC_SMTP_H

#include <stdbool.h>
#include <stddef.h>

#include "dl_error.h"
#include "dl_secret.h"

/* Bytes of what a server said that are kept. */
#define DLC_SMTP_SAID 200

/* Who sends, and through which server. */
typedef struct dlc_smtp_server {
    const char *url;           /* smtp://HOST:PORT or smtps://HOST:PORT */
    const char *user;          /* its name there; "": none */
    const dl_secret *password; /* of it; NULL: none.  libcurl copies it */
    const char *from;          /* the sender's address */
} dlc_smtp_server;

/* What goes to whom; each address is told the server by itself, no receiver
 * sees another. */
typedef struct dlc_smtp_mail {
    const char *text;      /* headers and text */
    size_t len;            /* its bytes */
    int n;                 /* addresses, 1 or more */
    const char *const *to; /* they */
} dlc_smtp_mail;

/* What became of it. */
typedef struct dlc_smtp_outcome {
    int refused;                  /* addresses that the server refused */
    char said[DLC_SMTP_SAID + 1]; /* its last refusal; "": none */
} dlc_smtp_outcome;

/* Whether to give up now; CONTEXT as given. */
typedef bool dlc_smtp_stop(void *context);

/* Prepare libcurl.  DL_INTERNAL: it cannot be.  Thread: start only. */
DL_MUSTCHECK dl_status dlc_smtp_init(dl_error *err);

/* Send MAIL through SERVER and set *OUTCOME, unless STOP with CONTEXT says that
 * the program ends (DL_RETRY).  DL_OK: the server has it for all addresses that
 * it did not refuse.  DL_UNAVAILABLE: it was not reached, or stopped
 * answering; DL_INVALID: it refused the mail, the password, or all
 * addresses. */
DL_MUSTCHECK dl_status dlc_smtp_send(dlc_smtp_outcome *outcome,
                                     const dlc_smtp_server *server,
                                     const dlc_smtp_mail *mail,
                                     dlc_smtp_stop *stop, void *context,
                                     dl_error *err);

#endif
