/* dlc_ctl_account.h - Accounts on the command line: find one, read a password,
 * wait for the mirrors.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_CTL_ACCOUNT_H
#define DLC_CTL_ACCOUNT_H

#include "dl_error.h"
#include "dl_identity.h"
#include "dl_password.h"
#include "dl_wh.h"
#include "dlc_ctl.h"

/* Connect to the warehouse as the account that may change identity (jobs) and
 * set *WH to the connection, which lives as long as CTL. */
DL_MUSTCHECK dl_status dlc_ctl_accounts(dl_wh **wh, dlc_ctl *ctl,
                                        dl_error *err);

/* The same, and fill ACCOUNT with the account USERNAME.  DL_NOT_FOUND: none;
 * the sentence names it. */
DL_MUSTCHECK dl_status dlc_ctl_account_open(dl_wh **wh, dl_account *account,
                                            dlc_ctl *ctl, const char *username,
                                            dl_error *err);

/* Read the new password of USERNAME from FILE, or with FILE NULL twice from
 * the terminal without echo, check it, and write its hash to OUT.
 * DL_INVALID: it breaks a rule, or there is neither file nor terminal. */
DL_MUSTCHECK dl_status dlc_ctl_password_hash(char out[DL_PASSWORD_HASH],
                                             const char *username,
                                             const char *file, dl_error *err);

/* Wait until every server has seen a change made before (one second). */
void dlc_ctl_account_changed(void);

#endif
