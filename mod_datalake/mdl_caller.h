/* mdl_caller.h - Whom something is counted for: an account, or an address.
 *
 * An IPv4 address counts by itself, an IPv6 address by its /64, since that is
 * what one customer has; an IPv4 address mapped into IPv6 is the IPv4 one.
 *
 * Thread: any; nothing here has state.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_CALLER_H
#define MDL_CALLER_H

#include <stdbool.h>
#include <stdint.h>

struct apr_sockaddr_t;

/* What a caller is. */
typedef enum mdl_caller_kind {
    MDL_CALLER_NONE = 0, /* nobody */
    MDL_CALLER_ACCOUNT,  /* an account */
    MDL_CALLER_IPV4,     /* an IPv4 address */
    MDL_CALLER_IPV6      /* an IPv6 network of 64 bits */
} mdl_caller_kind;

/* One caller: 16 bytes without gaps, which may be hashed as they are. */
typedef struct mdl_caller {
    uint64_t kind;  /* a mdl_caller_kind */
    uint64_t value; /* id, or address as a number */
} mdl_caller;

/* Room for the text of a caller, NUL included. */
#define MDL_CALLER_TEXT 48

/* Set CALLER to the account USER_ID. */
void mdl_caller_account(mdl_caller *caller, int64_t user_id);

/* Set CALLER to ADDRESS, such as r->useragent_addr. */
void mdl_caller_address(mdl_caller *caller,
                        const struct apr_sockaddr_t *address);

/* Write CALLER to OUT: "user:7", "203.0.113.9", "2001:db8:0:1::/64". */
void mdl_caller_format(char out[MDL_CALLER_TEXT], const mdl_caller *caller);

/* Set CALLER to what mdl_caller_format wrote; false when TEXT is none. */
bool mdl_caller_parse(mdl_caller *caller, const char *text);

#endif
