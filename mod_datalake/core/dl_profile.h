/* dl_profile.h - What an account says about itself, and its decisions.
 *
 * The personal part of app_user, and consent_event.  Nothing here is a right,
 * so no mirror is told.
 *
 * Thread: the connection's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_PROFILE_H
#define DL_PROFILE_H

#include "dl_identity.h"

/* Most characters of a first or last name, and of a postal address; each may
 * have 4 bytes. */
#define DL_NAME_CHARS    100
#define DL_ADDRESS_CHARS 255

/* Most bytes of a version of the consent text. */
#define DL_CONSENT_VERSION_MAX 80

/* An account with its personal data; about 3 KiB, made for the stack.  Owns
 * nothing. */
typedef struct dl_profile {
    dl_account account;   /* the account itself */
    dl_time consent_date; /* DL_TIME_NONE: never decided */
    char consent_version[DL_CONSENT_VERSION_MAX + 1]; /* text it refers to */
    char first_name[4 * DL_NAME_CHARS + 1]; /* "" when there is none */
    char last_name[4 * DL_NAME_CHARS + 1];  /* likewise */
    char address[4 * DL_ADDRESS_CHARS + 1]; /* likewise */
} dl_profile;

/* Fill PROFILE with account ID.  DL_NOT_FOUND: none. */
DL_MUSTCHECK dl_status dl_profile_read(dl_profile *profile, struct dl_wh *wh,
                                       int64_t id, dl_error *err);

/* Lock account ID for the rest of the transaction.  DL_NOT_FOUND: none. */
DL_MUSTCHECK dl_status dl_profile_lock(struct dl_wh *wh, int64_t id,
                                       dl_error *err);

/* Store e-mail, names and address of PROFILE, whose account was locked;
 * "" becomes NULL.  DL_CONFLICT: the e-mail is another account's. */
DL_MUSTCHECK dl_status dl_profile_write(struct dl_wh *wh,
                                        const dl_profile *profile,
                                        dl_error *err);

/* Set *TAKEN to whether an account has the name USERNAME or the address EMAIL
 * (NULL: none), both compared without case. */
DL_MUSTCHECK dl_status dl_profile_taken(bool *taken, struct dl_wh *wh,
                                        const char *username, const char *email,
                                        dl_error *err);

/* One decision about consent. */
typedef struct dl_consent {
    int64_t id;                               /* rises */
    bool given;                               /* given or withdrawn */
    dl_time at;                               /* when */
    char version[DL_CONSENT_VERSION_MAX + 1]; /* text it refers to */
    char source[8];                           /* form, policy or user */
} dl_consent;

/* Room for decisions that the caller gives. */
typedef struct dl_consents {
    dl_consent *rows; /* the caller's array */
    size_t max;       /* its length */
    size_t n;         /* set by the call: rows filled */
} dl_consents;

/* Fill CONSENTS with the newest decisions of account ID whose id is below
 * BEFORE (INT64_MAX: all), newest first. */
DL_MUSTCHECK dl_status dl_profile_consents(dl_consents *consents,
                                           struct dl_wh *wh, int64_t id,
                                           int64_t before, dl_error *err);

#endif
