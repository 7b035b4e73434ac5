/* mdl_caller.c - Accounts and addresses as numbers and as text.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_caller.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_network_io.h>

/* What stands before the id of an account. */
#define ACCOUNT "user:"

/* What stands behind a network. */
#define NETWORK "/64"

void mdl_caller_account(mdl_caller *caller, int64_t user_id)
{
    caller->kind = MDL_CALLER_ACCOUNT;
    caller->value = (uint64_t)user_id;
}

/* The N bytes at BYTES as a number, the first one highest. */
static uint64_t number_of(const unsigned char *bytes, size_t n)
{
    uint64_t value = 0;

    while (n-- > 0) {
        value = (value << 8) | *bytes++;
    }
    return value;
}

static void set_ipv6(mdl_caller *caller, const unsigned char bytes[16])
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
                                             0, 0, 0, 0, 0xFF, 0xFF};

    if (memcmp(bytes, mapped, sizeof mapped) == 0) {
        caller->kind = MDL_CALLER_IPV4;
        caller->value = number_of(bytes + 12, 4);
        return;
    }
    caller->kind = MDL_CALLER_IPV6;
    caller->value = number_of(bytes, 8);
}

void mdl_caller_address(mdl_caller *caller,
                        const struct apr_sockaddr_t *address)
{
    caller->kind = MDL_CALLER_NONE;
    caller->value = 0;
    if (address->family == APR_INET) {
        caller->kind = MDL_CALLER_IPV4;
        caller->value = number_of(address->ipaddr_ptr, 4);
    }
    else if (address->family == APR_INET6) {
        set_ipv6(caller, address->ipaddr_ptr);
    }
}

/* --- Text ----------------------------------------------------------------- */

void mdl_caller_format(char out[MDL_CALLER_TEXT], const mdl_caller *caller)
{
    unsigned char bytes[16] = {0};
    size_t n = caller->kind == MDL_CALLER_IPV4 ? 4 : 8;
    size_t i;

    for (i = 0; i < n; i++) {
        bytes[i] = (unsigned char)(caller->value >> (8 * (n - 1 - i)));
    }
    out[0] = '\0';
    if (caller->kind == MDL_CALLER_ACCOUNT) {
        snprintf(out, MDL_CALLER_TEXT, ACCOUNT "%" PRIu64, caller->value);
    }
    else if (caller->kind == MDL_CALLER_IPV4) {
        (void)inet_ntop(AF_INET, bytes, out, MDL_CALLER_TEXT);
    }
    else if (caller->kind == MDL_CALLER_IPV6) {
        (void)inet_ntop(AF_INET6, bytes, out, INET6_ADDRSTRLEN);
        memcpy(out + strlen(out), NETWORK, sizeof NETWORK);
    }
}

static bool parse_account(mdl_caller *caller, const char *digits)
{
    char *end;

    if (*digits < '1' || *digits > '9') {
        return false;
    }
    errno = 0;
    mdl_caller_account(caller, strtoll(digits, &end, 10));
    return *end == '\0' && errno == 0;
}

static bool parse_network(mdl_caller *caller, const char *text, size_t len)
{
    char address[INET6_ADDRSTRLEN];
    unsigned char bytes[16];

    if (len >= sizeof address) {
        return false;
    }
    memcpy(address, text, len);
    address[len] = '\0';
    if (inet_pton(AF_INET6, address, bytes) != 1) {
        return false;
    }
    caller->kind = MDL_CALLER_IPV6;
    caller->value = number_of(bytes, 8);
    return true;
}

bool mdl_caller_parse(mdl_caller *caller, const char *text)
{
    size_t len = strlen(text);
    unsigned char bytes[4];

    if (strncmp(text, ACCOUNT, sizeof ACCOUNT - 1) == 0) {
        return parse_account(caller, text + sizeof ACCOUNT - 1);
    }
    if (len > 3 && strcmp(text + len - 3, NETWORK) == 0) {
        return parse_network(caller, text, len - 3);
    }
    if (inet_pton(AF_INET, text, bytes) != 1) {
        return false;
    }
    caller->kind = MDL_CALLER_IPV4;
    caller->value = number_of(bytes, 4);
    return true;
}
