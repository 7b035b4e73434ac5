/* dlc_simulate_draw.c - The shop: products, people, places, habits.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_simulate_draw.h"

#include <stdio.h>
#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* Streams that must not depend on each other. */
enum purpose {
    PURPOSE_ID,     /* transaction_id */
    PURPOSE_RESEND, /* whether and of which */
    PURPOSE_CONTENT /* everything else */
};

/* clang-format off */
static const dlc_product PRODUCTS[] = {
    {"P-1001", "Espresso Machine", "kitchen", 24900},
    {"P-1002", "Café crème, 1 kg", "food", 1890},
    {"P-1003", "Cutting Board", "kitchen", 2450},
    {"P-1004", "Chef's Knife", "kitchen", 7900},
    {"P-1005", "Cast Iron Pan", "kitchen", 5499},
    {"P-1006", "Kettle", "kitchen", 3995},
    {"P-1007", "Olive Oil", "food", 1275},
    {"P-1008", "Crème brûlée set", "food", 2190},
    {"P-1009", "Green Tea \"Sencha\"", "food", 990},
    {"P-1010", "Dark Chocolate", "food", 349},
    {"P-2001", "Laptop 14\"", "electronics", 119900},
    {"P-2002", "Headphones", "electronics", 14999},
    {"P-2003", "USB-C Cable", "electronics", 1299},
    {"P-2004", "Monitor 27\"", "electronics", 32900},
    {"P-2005", "Keyboard", "electronics", 8990},
    {"P-2006", "Mouse", "electronics", 3990},
    {"P-2007", "Webcam", "electronics", 7450},
    {"P-2008", "SSD 2 TB", "electronics", 15490},
    {"P-2009", "Router", "electronics", 9900},
    {"P-2010", "E-Reader", "electronics", 12999},
    {"P-3001", "Running Shoes", "sports", 11995},
    {"P-3002", "Yoga Mat", "sports", 2999},
    {"P-3003", "Dumbbell 10 kg", "sports", 4500},
    {"P-3004", "Tennis Racket", "sports", 15900},
    {"P-3005", "Fahrradhelm für Kinder", "sports", 3490},
    {"P-3006", "Water Bottle", "sports", 1450},
    {"P-3007", "Climbing Rope", "sports", 13900},
    {"P-4001", "Novel", "books", 1199},
    {"P-4002", "Atlas", "books", 4990},
    {"P-4003", "Cookbook", "books", 2950},
    {"P-4004", "Dictionary", "books", 3500},
    {"P-4005", "Comic: Les Aventures de Zoé", "books", 1450},
    {"P-5001", "T-Shirt", "clothing", 1990},
    {"P-5002", "Jeans", "clothing", 6995},
    {"P-5003", "Rain Jacket", "clothing", 12950},
    {"P-5004", "Wool Socks", "clothing", 1290},
    {"P-5005", "Scarf", "clothing", 2490},
    {"P-6001", "Garden Hose", "home", 3799},
    {"P-6002", "Desk Lamp", "home", 4590},
    {"P-6003", "Bookshelf", "home", 8900},
    {"P-6004", "Pillow", "home", 2799},
    {"P-6005", "Candle", "home", 895},
};
static const dlc_place PLACES[] = {
    {"Paris", "FR", "Rue de Rivoli", "75001"},
    {"Lyon", "FR", "Rue de la République", "69002"},
    {"Orléans", "FR", "Rue Royale", "45000"},
    {"Marseille", "FR", "La Canebière", "13001"},
    {"Berlin", "DE", "Torstraße", "10119"},
    {"München", "DE", "Leopoldstraße", "80802"},
    {"Köln", "DE", "Ehrenstraße", "50672"},
    {"London", "GB", "Baker Street", "NW1 6XE"},
    {"Manchester", "GB", "Deansgate", "M3 2AY"},
    {"New York", "US", "5th Avenue", "10001"},
    {"San José", "US", "Market Street", "95113"},
    {"Zürich", "CH", "Bahnhofstrasse", "8001"},
    {"Genève", "CH", "Rue du Rhône", "1204"},
    {"Warszawa", "PL", "Nowy Świat", "00-001"},
    {"東京", "JP", "銀座", "104-0061"},
    {"Madrid", "ES", "Gran Vía", "28013"},
    {"Roma", "IT", "Via del Corso", "00186"},
    {"Amsterdam", "NL", "Kalverstraat", "1012 NX"},
};
static const char *const FIRST_NAMES[] = {
    "Alice", "Bruno", "Chloé", "David", "Elena", "François", "Greta", "Hugo",
    "Inès", "Jürgen", "Karin", "Léa", "Marek", "Noémie", "Oskar", "Paula",
    "Quentin", "Rosa", "Søren", "Tereza", "Ulla", "Victor", "Wanda", "Xavier",
    "Yuki", "Zoé",
};
static const char *const LAST_NAMES[] = {
    "Andersen", "Bernard", "Çelik", "Dupont", "Evans", "Fischer", "García",
    "Huber", "Ivanova", "Jansen", "Kowalski", "Lefèvre", "Müller", "Novák",
    "O'Brien", "Petit", "Quinn", "Rossi", "Schmidt", "Tanaka", "Usman",
};
static const char *const METHODS[] = {
    "credit_card", "credit_card", "credit_card", "debit_card", "debit_card",
    "paypal", "bank_transfer", "apple_pay",
};
static const char *const OSES[] = {
    "Android", "iOS", "Windows", "Windows", "macOS", "Linux",
};
static const char *const BROWSERS[] = {
    "Chrome", "Chrome", "Safari", "Firefox", "Edge",
};
static const char *const DISCOUNTS[] = {
    "WELCOME10", "SUMMER", "VIP-2026", "ÉTÉ",
};

/* A value and its share of 100. */
typedef struct weighted {
    const char *text; /* the value */
    unsigned share;   /* of 100; a table's shares add up to 100 */
} weighted;

static const weighted STATUSES[] = {
    {"completed", 78}, {"pending", 9}, {"failed", 6}, {"processing", 4},
    {"cancelled", 3},
};
static const weighted TYPES[] = {
    {"purchase", 74}, {"payment", 14}, {"refund", 8}, {"withdrawal", 4},
};
static const weighted CURRENCIES[] = {
    {"EUR", 62}, {"USD", 19}, {"GBP", 8}, {"CHF", 5}, {"JPY", 4}, {"PLN", 2},
};
/* clang-format on */

uint64_t dlc_random_next(dlc_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

dlc_random dlc_random_of(uint64_t seed, int thread, int64_t number,
                         unsigned purpose)
{
    dlc_random random = {seed};

    random.state = dlc_random_next(&random) ^ (uint64_t)thread << 48 ^
                   (uint64_t)purpose << 44;
    random.state = dlc_random_next(&random) + (uint64_t)number;
    random.state = dlc_random_next(&random);
    return random;
}

uint64_t dlc_random_below(dlc_random *random, uint64_t n)
{
    return (uint64_t)((unsigned __int128)dlc_random_next(random) * n >> 64);
}

static const char *draw_weighted(dlc_random *random, const weighted *table)
{
    unsigned at = (unsigned)dlc_random_below(random, 100);

    while (at >= table->share) {
        at -= table->share;
        table++;
    }
    return table->text;
}

#define DRAW(random, table)                                                    \
    (&(table)[dlc_random_below((random), COUNT_OF(table))])

const char *dlc_user_first(int64_t user)
{
    return FIRST_NAMES[(uint64_t)user % COUNT_OF(FIRST_NAMES)];
}

const char *dlc_user_last(int64_t user)
{
    return LAST_NAMES[(uint64_t)user / COUNT_OF(FIRST_NAMES) %
                      COUNT_OF(LAST_NAMES)];
}

/* The number whose id transaction NUMBER of THREAD takes: its own, or an
 * earlier one when it is resent. */
static int64_t original_of(const dlc_simulate_plan *plan, int thread,
                           int64_t number)
{
    while (number > 0) {
        dlc_random random =
            dlc_random_of(plan->seed, thread, number, PURPOSE_RESEND);

        if ((int64_t)dlc_random_below(&random, 1000000) >= plan->resend) {
            break;
        }
        number = (int64_t)dlc_random_below(&random, (uint64_t)number);
    }
    return number;
}

static void write_hex(char *out, uint64_t bits, int digits)
{
    static const char hex[] = "0123456789abcdef";

    for (int i = digits - 1; i >= 0; i--) {
        out[i] = hex[bits & 15];
        bits >>= 4;
    }
}

static void draw_id(char out[37], uint64_t seed, int thread, int64_t number)
{
    dlc_random random = dlc_random_of(seed, thread, number, PURPOSE_ID);
    uint64_t high = dlc_random_next(&random);
    uint64_t low = dlc_random_next(&random);

    memset(out, '-', 36);
    write_hex(out, high >> 32, 8);
    write_hex(out + 9, high >> 16, 4);
    write_hex(out + 14, (high & 0x0fff) | 0x4000, 4);
    write_hex(out + 19, (low >> 48 & 0x3fff) | 0x8000, 4);
    write_hex(out + 24, low, 12);
    out[36] = '\0';
}

/* Quantity, amount and tax: hundredths, rounded half up. */
static void draw_money(dlc_transaction *out, dlc_random *random)
{
    uint64_t many = dlc_random_below(random, 10);
    int64_t percent = 100;

    out->quantity = many < 6 ? 1 : (int)many - 4;
    out->discount = NULL;
    if (dlc_random_below(random, 8) == 0) {
        out->discount = *DRAW(random, DISCOUNTS);
        percent = 90;
    }
    out->amount = (out->product->price * out->quantity * percent + 50) / 100;
    if (strcmp(out->currency, "JPY") == 0) {
        out->amount = out->amount * 160 / 100 * 100;
    }
    out->tax = (out->amount * 20 + 60) / 120;
}

static void draw_people(dlc_transaction *out, dlc_random *random,
                        const dlc_simulate_plan *plan)
{
    out->user = (int64_t)dlc_random_below(random, (uint64_t)plan->users);
    out->city = DRAW(random, PLACES);
    out->shipping = DRAW(random, PLACES);
    out->house = 1 + (int)dlc_random_below(random, 199);
    out->method = *DRAW(random, METHODS);
    out->os = *DRAW(random, OSES);
    out->browser = *DRAW(random, BROWSERS);
    out->ip = 0xc6336400 | (uint32_t)dlc_random_below(random, 256);
    out->rating = (int)dlc_random_below(random, 8);
    out->rating = out->rating > 5 ? 0 : out->rating;
}

/* Each optional member is missing in one record of 32. */
static unsigned draw_left_out(dlc_random *random)
{
    uint64_t bits = dlc_random_next(random);
    unsigned left_out = 0;

    for (unsigned i = 0; i < 10; i++) {
        left_out |= (bits >> (5 * i) & 31) == 0 ? 1U << i : 0;
    }
    return left_out;
}

bool dlc_transaction_draw(dlc_transaction *out, const dlc_simulate_plan *plan,
                          int thread, int64_t number)
{
    int64_t original = original_of(plan, thread, number);
    dlc_random random =
        dlc_random_of(plan->seed, thread, original, PURPOSE_CONTENT);

    draw_id(out->id, plan->seed, thread, original);
    out->thread = thread;
    out->number = number;
    out->at = plan->until - 1 -
              (int64_t)dlc_random_below(&random, (uint64_t)plan->span_us);
    out->product = DRAW(&random, PRODUCTS);
    out->currency = draw_weighted(&random, CURRENCIES);
    out->type = draw_weighted(&random, TYPES);
    draw_people(out, &random, plan);
    out->left_out = draw_left_out(&random);
    if (original != number) {
        /* The same purchase again: its money and status may have changed. */
        random = dlc_random_of(plan->seed, thread, number, PURPOSE_CONTENT);
    }
    out->status = draw_weighted(&random, STATUSES);
    draw_money(out, &random);
    return original != number;
}
