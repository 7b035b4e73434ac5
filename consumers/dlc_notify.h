/* dlc_notify.h - Mails about runs of schedules that failed.
 *
 * With [notify] smtp_url, a thread looks each two seconds for failed rows of
 * pipeline_run that were not mailed, and sends one mail for each to all
 * addresses of users_notification.  Of several programs one sends it: it takes
 * the row for a minute by compare-and-set, and notes in it that the server has
 * the mail.  A program that dies between the two leaves a mail that is sent
 * once more.
 *
 * While the server is away or refuses, it is tried again after 1 s, then later
 * and later up to a minute; a run that failed DLC_NOTIFY_TRIED_S ago is given
 * up.  Without addresses nothing is looked for.
 *
 * Thread: the main thread.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_NOTIFY_H
#define DLC_NOTIFY_H

#include <stdint.h>

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"

/* How long behind its end a failed run is mailed, in seconds. */
#define DLC_NOTIFY_TRIED_S INT64_C(86400)

/* Addresses that get a mail, the first by name. */
#define DLC_NOTIFY_ADDRESSES 100

/* Start the thread for the warehouse and the mail server of CFG; it ends before
 * POOL.  Without smtp_url nothing is started.  Fails as dl_secret_load,
 * dlc_smtp_init, dlc_link_create and dlc_chore_create. */
DL_MUSTCHECK dl_status dlc_notify_create(const dl_config *cfg, dl_error *err,
                                         apr_pool_t *pool);

#endif
