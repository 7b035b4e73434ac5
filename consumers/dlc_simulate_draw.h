/* dlc_simulate_draw.h - Randomness and the transaction it draws; for the
 * files dlc_simulate*.c alone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_SIMULATE_DRAW_H
#define DLC_SIMULATE_DRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dlc_simulate.h"

/* A splitmix64 stream. */
typedef struct dlc_random {
    uint64_t state; /* moves by a constant with each draw */
} dlc_random;

/* Most bytes of a good value and of a key, with room to spare. */
#define DLC_VALUE_MAX 4096
#define DLC_KEY_MAX   64

/* Members that may be left out; a set of bits. */
enum dlc_left_out {
    DLC_NO_PRODUCT = 1,      /* product */
    DLC_NO_PRODUCT_NAME = 2, /* product_name */
    DLC_NO_CATEGORY = 4,     /* product_category */
    DLC_NO_QUANTITY = 8,     /* quantity */
    DLC_NO_SHIPPING = 16,    /* shipping_address */
    DLC_NO_DEVICE = 32,      /* device_info */
    DLC_NO_RATING = 64,      /* customer_rating (null otherwise) */
    DLC_NO_TAX = 128,        /* tax_amount */
    DLC_NO_METHOD = 256,     /* payment_method */
    DLC_NO_LOCATION = 512    /* location */
};

/* A product of the shop. */
typedef struct dlc_product {
    const char *id;       /* never changes its meaning */
    const char *name;     /* UTF-8 */
    const char *category; /* product_category */
    int64_t price;        /* hundredths */
} dlc_product;

/* A place. */
typedef struct dlc_place {
    const char *city;    /* UTF-8 */
    const char *country; /* ISO code */
    const char *street;  /* without the number */
    const char *zip;     /* as text */
} dlc_place;

/* One transaction before it is written. */
typedef struct dlc_transaction {
    char id[37];                /* transaction_id: a UUID's form */
    dl_time at;                 /* event time */
    int64_t user;               /* 0 to users - 1 */
    const dlc_product *product; /* what was bought */
    int quantity;               /* 1 to 5 */
    int64_t amount;             /* hundredths */
    int64_t tax;                /* hundredths */
    const char *currency;       /* three letters */
    const char *type;           /* transaction_type */
    const char *status;         /* status */
    const char *method;         /* payment_method */
    const dlc_place *city;      /* location */
    const dlc_place *shipping;  /* shipping_address */
    int house;                  /* its number */
    const char *os;             /* device_info.os */
    const char *browser;        /* device_info.browser */
    uint32_t ip;                /* device_info.ip_address */
    int rating;                 /* customer_rating, 0: null */
    const char *discount;       /* discount_code, NULL: null */
    unsigned left_out;          /* bits of dlc_left_out */
    int thread;                 /* thread */
    int64_t number;             /* message_number */
} dlc_transaction;

/* The stream for PURPOSE of record NUMBER of THREAD. */
dlc_random dlc_random_of(uint64_t seed, int thread, int64_t number,
                         unsigned purpose);

/* The next 64 bits. */
uint64_t dlc_random_next(dlc_random *random);

/* A number from 0 to N - 1; N is at least 1. */
uint64_t dlc_random_below(dlc_random *random, uint64_t n);

/* Draw transaction NUMBER of THREAD into OUT.  When PLAN makes it a resent
 * one, it takes id and most values of an earlier one of the thread; return
 * whether it is. */
bool dlc_transaction_draw(dlc_transaction *out, const dlc_simulate_plan *plan,
                          int thread, int64_t number);

/* The first name of USER, static text. */
const char *dlc_user_first(int64_t user);

/* The last name of USER, static text. */
const char *dlc_user_last(int64_t user);

/* Write TX in STYLE (not MIXED) with its time in one FORM (a bit of
 * dlc_simulate_times) to OUT, which has DLC_VALUE_MAX bytes; return the
 * length. */
size_t dlc_transaction_write(char *out, const dlc_transaction *tx,
                             dlc_simulate_style style, unsigned form);

/* Most bytes of a dead letter, NUL included. */
#define DLC_BAD_MAX ((size_t)2 * 1048576)

/* Write dead letter NUMBER (0 for the first) of KIND (DLC_BAD_...), with the
 * id of TX, to OUT, which has DLC_BAD_MAX bytes; return the length. */
size_t dlc_bad_write(char *out, const dlc_transaction *tx, int kind,
                     int64_t number);

#endif
