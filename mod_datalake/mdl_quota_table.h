/* mdl_quota_table.h - The quota of a server as its parts see it.
 *
 * For mdl_quota.c, which takes, and mdl_quota_keeper.c, which writes windows
 * down and reads them at a cold start.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_QUOTA_TABLE_H
#define MDL_QUOTA_TABLE_H

#include "dl_stats.h"
#include "mdl_caller.h"
#include "mdl_quota_rule.h"
#include "mdl_turns.h"
#include "mdl_window.h"

/* The most policies of one server, those of former settings included. */
#define MDL_QUOTA_POLICIES 32

/* How long a window lasts, in seconds. */
#define MDL_QUOTA_WINDOW_S 3600

/* What is counted; each has a table of its own. */
typedef enum mdl_quota_unit {
    MDL_QUOTA_CALLS, /* requests */
    MDL_QUOTA_ROWS,  /* rows of answers */
    MDL_QUOTA_KIB,   /* KiB of answers */
    MDL_QUOTA_UNITS  /* how many there are */
} mdl_quota_unit;

/* Whose windows; each has tables of its own, so that who comes from many
 * addresses cannot crowd accounts out. */
typedef enum mdl_quota_owner {
    MDL_QUOTA_ACCOUNTS,  /* accounts */
    MDL_QUOTA_ADDRESSES, /* addresses and networks */
    MDL_QUOTA_OWNERS     /* how many there are */
} mdl_quota_owner;

/* What is known of windows from before a cold start. */
typedef enum mdl_quota_past {
    MDL_QUOTA_UNKNOWN, /* nobody has asked the warehouse yet */
    MDL_QUOTA_AWAY,    /* it does not answer; it is asked again */
    MDL_QUOTA_JOINING, /* one thread adds them */
    MDL_QUOTA_JOINED   /* they count */
} mdl_quota_past;

/* The part in shared memory. */
typedef struct mdl_quota_shared {
    mdl_election election; /* which child writes windows down */
    _Atomic int past;      /* a mdl_quota_past */
    int64_t opened_us;     /* monotonic time of the cold start */
    char policy[MDL_QUOTA_POLICIES][MDL_QUOTA_POLICY]; /* names; by number;
                                                          start only */
    dl_stats_value rejected[MDL_QUOTA_POLICIES][MDL_QUOTA_ROLES]; /* 429s */
} mdl_quota_shared;

/* What a caller of one role may on one route. */
typedef struct mdl_quota_limit {
    mdl_quota_limits limits; /* as the rule says */
    uint32_t policy;         /* number of its policy */
    const char *told;        /* value of RateLimit-Policy */
} mdl_quota_limit;

/* The quota of a server. */
typedef struct mdl_quota {
    mdl_quota_shared *shared; /* kept over graceful restarts */
    mdl_windows *windows[MDL_QUOTA_UNITS][MDL_QUOTA_OWNERS]; /* NULL: no rule
                                                                limits this */
    mdl_quota_limit (*routes)[MDL_QUOTA_ROLES]; /* by row of the route table */
    mdl_quota_limit v1[MDL_QUOTA_ROLES];        /* policy of /v1/me/quota */
} mdl_quota;

/* Return the table of QUOTA that counts UNIT for CALLER; NULL: no rule limits
 * it.  Thread: any. */
mdl_windows *mdl_quota_windows_of(const mdl_quota *quota, mdl_quota_unit unit,
                                  const mdl_caller *caller);

/* Set KEY to the window of CALLER under POLICY in W.  Thread: any. */
void mdl_quota_key(mdl_window_key *key, const mdl_windows *w,
                   const mdl_caller *caller, uint32_t policy);

/* Set CALLER and POLICY to what mdl_quota_key put into LABEL.  Thread: any. */
void mdl_quota_label(mdl_caller *caller, uint32_t *policy,
                     const uint64_t label[2]);

#endif
