/* lake_make - Make a lake of any size through the real writer, for benches.
 *
 * lake_make ROOT [OPTION VALUE]...
 *     --bytes N      so many bytes of records; N may end in K, M or G (100M)
 *     --records N    so many records, instead of --bytes
 *     --dataset NAME the dataset, which must be new (transaction_log)
 *     --days N       over so many days, one after the other (10)
 *     --first DATE   beginning with this one (2026-05-01)
 *     --parts N      sealed parts a day (4); 0: nothing is sealed
 *     --hostile X    share of records with texts that are hard to read (0.01)
 *     --commit N     bytes a commit (32M)
 *     --seed N       same seed and sizes, same bytes (1)
 *
 * Records are transactions of about 650 bytes in the stored form, by event
 * time within five minutes; commits have the times of their records.  What
 * benches look for is planted: ids that occur once, a word in each 10,000th
 * record, words in every second or third one.  One JSON object says how often.
 *
 * Exit status: 0 done, 1 a call failed, 2 wrong usage.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

/* What a record is filled up to, and the most a hostile one has. */
#define LINE_FULL 640
#define LINE_ROOM 32768

/* Ids, with day and line, that the report names. */
#define SAMPLES 20

/* One record of so many has the rare word; none has the absent one. */
#define RARE_ONE_IN 10000
#define RARE_WORD   "quixotry"
#define ABSENT_WORD "zugzwangxq"

/* Runs of one partition, as a consumer's batches have them. */
#define RUN_LENGTH 500
#define PARTITIONS 6

/* A text and how often it came. */
typedef struct choice {
    const char *text; /* as it is stored */
    uint64_t records; /* with it */
} choice;

/* clang-format off */
static choice statuses[] = {
    {"completed", 0}, {"pending", 0}, {"failed", 0}, {"refunded", 0}};
static choice methods[] = {
    {"card", 0}, {"paypal", 0}, {"cash", 0}, {"voucher", 0}};
static choice currencies[] = {
    {"EUR", 0}, {"USD", 0}, {"GBP", 0}, {"JPY", 0}};
static choice countries[] = {
    {"FR", 0}, {"DE", 0}, {"IT", 0}, {"PT", 0},
    {"BR", 0}, {"JP", 0}, {"CA", 0}, {"NO", 0}};
static choice planted[] = {{"parcel", 0}, {"signature", 0}, {RARE_WORD, 0}};
enum { PARCEL, SIGNATURE, RARE };

/* Cities, each of the country of the same number. */
static const char *const cities[] = {
    "Lyon", "K\xc3\xb6ln", "Torino", "Porto", "S\xc3\xa3o Paulo",
    "\xe6\x9d\xb1\xe4\xba\xac", "Montr\xc3\xa9\x61l", "Troms\xc3\xb8"};
static const char *const streets[] = {
    "rue de la Paix", "Hauptstra\xc3\x9f\x65", "Via Garibaldi",
    "Rua das Flores"};
static const char *const names[] = {
    "Alice Martin", "Zo\xc3\xab M\xc3\xbcller", "Ren\xc3\xa9 Dubois",
    "Yuki Tanaka", "Carla Rossi", "Jo\xc3\xa3o Silva", "Emma Olsen",
    "Noah Tremblay"};
static const char *const products[] = {
    "Desk lamp", "Office chair", "USB cable", "Water bottle",
    "Caf\xc3\xa9 cup", "Notebook A5", "Rain jacket", "Board game"};
static const char *const categories[] = {"tools", "kitchen", "books"};
static const char *const systems[] = {"Android", "iOS", "Linux"};
static const char *const browsers[] = {"Firefox", "Chrome", "Safari"};
static const char *const fillers[] = {
    "left at the door", "ring twice", "second floor", "gift wrapped",
    "handle with care", "call before", "back entrance", "fragile glass",
    "leave with guard", "no invoice", "blue ribbon", "repeat order",
    "winter sale", "by bicycle", "cold chain", "night shift"};

/* Texts of hostile records as they are stored: escapes that stay, what folds
 * to another length, what only looks alike, repeats. */
static const char *const hostile[] = {
    "\\\"quoted\\\" \\\\ back\\/slash / \\u0007bell\\ttab\\nline \\u001f.",
    "e\xcc\x81t\xc3\xa9 \xc3\x89T\xc3\x89 E\xcc\x81T\xc3\xa9",
    "Stra\xc3\x9f\x65 STRA\xe1\xba\x9e\x45 STRASSE",
    "\xc4\xb0stanbul \xc4\xb1sparta Istanbul ISPARTA",
    "\xf0\x9f\x98\x80 grin \xf0\x9d\x92\xb3 \xf0\x90\x90\x80"
    "\xf0\x90\x90\xa8",
    "\xce\xa3\xce\xaf\xcf\x83\xcf\x85\xcf\x86\xce\xbf\xcf\x82 \xc5\xbfold "
    "\xe2\x84\xaa\x65lvin",
    "zero\\u200bwidth soft\\u00adhyphen bidi\\u202eback \\u0085 end",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab aab aaab aaaab",
    "=1+1,\\\"x\\\";@cmd\\u000d\\u000a-- %25 %00 ../../etc ' OR 1=1"};
/* clang-format on */

/* Number of entries of the array A. */
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* What is to be made. */
typedef struct plan {
    dl_lake_options lake; /* where */
    uint64_t bytes;       /* of all records, or 0 */
    uint64_t records;     /* of all days, when BYTES is 0 */
    uint64_t days;        /* how many */
    dl_day first;         /* the first one */
    uint64_t parts;       /* sealed parts a day */
    uint64_t commit;      /* bytes a commit */
    uint64_t seed;        /* of everything */
    double hostile;       /* share of records */
} plan;

/* An id that can be looked for. */
typedef struct sample {
    char id[37];   /* its text */
    dl_day day;    /* where it is */
    uint64_t line; /* likewise */
} sample;

/* What a run has made so far. */
typedef struct maker {
    const plan *plan;         /* what to make */
    dl_lake_writer *w;        /* through which */
    uint64_t n;               /* records */
    uint64_t bytes;           /* of them, newlines too */
    uint64_t hostile;         /* hostile ones */
    uint64_t dear;            /* with an amount above 900 */
    uint64_t user;            /* of user-00042 */
    uint64_t line;            /* in the day */
    int64_t next[PARTITIONS]; /* offsets */
    uint64_t random;          /* state of the stream */
    char *at;                 /* next byte of the line */
    char id[37];              /* of the newest record */
    sample samples[SAMPLES];  /* ids of the report */
    unsigned n_samples;       /* of these */
    char out[LINE_ROOM];      /* the line */
} maker;

/* --- Text ----------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* A number below N, which is small. */
static uint64_t draw(maker *m, uint64_t n)
{
    m->random += 0x9e3779b97f4a7c15u;
    return (mix(m->random) >> 32) * n >> 32;
}

static void put(maker *m, const char *text)
{
    size_t len = strlen(text);

    memcpy(m->at, text, len);
    m->at += len;
}

/* N in decimal, at least WIDTH digits. */
static void put_number(maker *m, uint64_t n, int width)
{
    char digits[20];
    int at = (int)sizeof digits;

    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0 || (int)sizeof digits - at < width);
    memcpy(m->at, digits + at, sizeof digits - (size_t)at);
    m->at += (int)sizeof digits - at;
}

static void put_hex(char *out, uint64_t bits, int digits)
{
    while (digits-- > 0) {
        out[digits] = "0123456789abcdef"[bits & 15];
        bits >>= 4;
    }
}

/* An id no other record has: mix() never gives one number twice. */
static void make_id(maker *m)
{
    uint64_t high = mix(m->n + (m->plan->seed << 40));
    uint64_t low = mix(high + m->plan->seed);

    memset(m->id, '-', 36);
    put_hex(m->id, high >> 32, 8);
    put_hex(m->id + 9, high >> 16, 4);
    put_hex(m->id + 14, high, 4);
    put_hex(m->id + 19, low >> 48, 4);
    put_hex(m->id + 24, low, 12);
}

/* One of the N texts of LIST, counted; the first ones come more often. */
static void put_choice(maker *m, choice *list, size_t n)
{
    size_t i = (size_t)(draw(m, n) * draw(m, n + 1) / n);

    list[i].records++;
    put(m, list[i].text);
}

/* One of the N texts of LIST. */
static void put_any(maker *m, const char *const *list, size_t n)
{
    put(m, list[draw(m, n)]);
}

/* --- A record ------------------------------------------------------------- */

static void put_head(maker *m, dl_time at)
{
    uint64_t user = draw(m, 50000);

    m->user += user == 42;
    put(m, "{\"transaction_id\":\"");
    put(m, m->id);
    put(m, "\",\"timestamp\":");
    put_number(m, (uint64_t)(at / DL_SECOND_US), 1);
    put(m, ".");
    put_number(m, (uint64_t)(at % DL_SECOND_US), 6);
    put(m, ",\"user_id\":\"user-");
    put_number(m, user, 5);
    put(m, "\",\"user_name\":\"");
    put_any(m, names, COUNT(names));
    put(m, "\",\"product_id\":\"p");
    put_number(m, draw(m, 2000), 4);
    put(m, "\",\"product_name\":\"");
}

static void put_payment(maker *m)
{
    uint64_t amount = draw(m, 100000);

    m->dear += amount > 90000;
    put(m, "\",\"product_category\":\"");
    put_any(m, categories, COUNT(categories));
    put(m, "\",\"quantity\":");
    put_number(m, 1 + draw(m, 5), 1);
    put(m, ",\"amount\":");
    put_number(m, amount / 100, 1);
    put(m, ".");
    put_number(m, amount % 100, 2);
    put(m, ",\"currency\":\"");
    put_choice(m, currencies, COUNT(currencies));
    put(m, "\",\"transaction_type\":\"purchase\",\"status\":\"");
    put_choice(m, statuses, COUNT(statuses));
    put(m, "\",\"payment_method\":\"");
    put_choice(m, methods, COUNT(methods));
    put(m, "\",\"tax_amount\":");
    put_number(m, amount / 500, 1);
    put(m, ".");
    put_number(m, amount / 5 % 100, 2);
    put(m, ",\"discount_code\":");
    put(m, draw(m, 8) == 0 ? "\"SUMMER10\"" : "null");
}

static void put_places(maker *m)
{
    size_t from = (size_t)draw(m, COUNT(countries));

    countries[from].records++;
    put(m, ",\"location\":{\"city\":\"");
    put(m, cities[from]);
    put(m, "\",\"country\":\"");
    put(m, countries[from].text);
    put(m, "\"},\"shipping_address\":{\"street\":\"");
    put_number(m, 1 + draw(m, 200), 1);
    put(m, " ");
    put_any(m, streets, COUNT(streets));
    put(m, "\",\"zip\":\"");
    put_number(m, draw(m, 100000), 5);
    put(m, "\",\"city\":\"");
    put_any(m, cities, COUNT(cities));
    put(m, "\"},\"device_info\":{\"os\":\"");
    put_any(m, systems, COUNT(systems));
    put(m, "\",\"browser\":\"");
    put_any(m, browsers, COUNT(browsers));
    put(m, "\",\"ip_address\":\"10");
    for (int i = 0; i < 3; i++) {
        put(m, ".");
        put_number(m, draw(m, 256), 1);
    }
    put(m, "\"},\"customer_rating\":");
    put_number(m, 1 + draw(m, 5), 1);
    put(m, ",\"thread\":");
    put_number(m, m->n / RUN_LENGTH % 10, 1);
    put(m, ",\"message_number\":");
    put_number(m, m->n, 1);
    put(m, ",\"note\":\"");
}

/* A planted word. */
static void put_planted(maker *m, int word)
{
    put(m, planted[word].text);
    put(m, " ");
    planted[word].records++;
}

/* Planted words, then others until the record is full. */
static void put_note(maker *m)
{
    if (draw(m, 2) == 0) {
        put_planted(m, PARCEL);
    }
    if (draw(m, 3) == 0) {
        put_planted(m, SIGNATURE);
    }
    if (draw(m, RARE_ONE_IN) == 0) {
        put_planted(m, RARE);
    }
    put_any(m, fillers, COUNT(fillers));
    while (m->at - m->out < LINE_FULL) {
        put(m, ", ");
        put_any(m, fillers, COUNT(fillers));
    }
}

/* A hostile text; one of 16 is 10 KB of its repeats. */
static void put_hostile(maker *m)
{
    const char *text = hostile[draw(m, COUNT(hostile))];
    ptrdiff_t least = draw(m, 16) == 0 ? 10240 : 1;

    for (const char *begin = m->at; m->at - begin < least;) {
        put(m, text);
    }
}

/* Write the record that happened AT into m->out; return its length. */
static uint32_t make_line(maker *m, dl_time at)
{
    bool bad = (double)draw(m, 1u << 30) < m->plan->hostile * (1u << 30);

    m->at = m->out;
    make_id(m);
    put_head(m, at);
    if (bad) {
        m->hostile++;
        put_hostile(m);
    }
    else {
        put_any(m, products, COUNT(products));
    }
    put_payment(m);
    put_places(m);
    put_note(m);
    if (bad) {
        put_hostile(m);
    }
    put(m, "\"}");
    return (uint32_t)(m->at - m->out);
}

/* --- A day ---------------------------------------------------------------- */

/* The number that is reached when SHARE of OF days are done. */
static uint64_t reached(uint64_t all, uint64_t share, uint64_t of)
{
    return (uint64_t)((__uint128_t)all * share / of);
}

/* How much is made and wanted: bytes or records, as the plan says. */
static uint64_t made(const maker *m)
{
    return m->plan->bytes > 0 ? m->bytes : m->n;
}

static uint64_t wanted(const plan *p)
{
    return p->bytes > 0 ? p->bytes : p->records;
}

static void remember(maker *m, dl_day day)
{
    sample *s;

    if (m->n_samples == SAMPLES ||
        made(m) < reached(wanted(m->plan), m->n_samples, SAMPLES)) {
        return;
    }
    s = &m->samples[m->n_samples++];
    memcpy(s->id, m->id, sizeof s->id);
    s->day = day;
    s->line = m->line;
}

static dl_status append(maker *m, dl_day day, dl_time at, dl_error *err)
{
    size_t partition = m->n / RUN_LENGTH % PARTITIONS;
    dl_coord c = {.partition = (int32_t)partition,
                  .offset = m->next[partition]++,
                  .time = at / 1000 * 1000};
    uint32_t len = make_line(m, at);

    m->line++;
    remember(m, day);
    DL_TRY(dl_lake_writer_append(m->w, at, m->out, len, &c, err));
    m->n++;
    m->bytes += len + 1;
    return DL_OK;
}

/* Make the records of DAY until BEGIN + AMOUNT is made. */
static dl_status make_day(maker *m, dl_day day, uint64_t amount, dl_error *err)
{
    uint64_t begin = made(m);
    uint64_t part = 1;
    uint64_t open = 0;
    dl_time at;

    m->line = 0;
    while (made(m) - begin < amount) {
        uint64_t done = made(m) - begin;
        uint64_t before = m->bytes;

        /* At most 23 h 54 min, and up to five minutes more. */
        at = dl_day_start(day) +
             (dl_time)reached(DL_DAY_US - 360 * (uint64_t)DL_SECOND_US, done,
                              amount) +
             (dl_time)(draw(m, 300000) * 1000 + draw(m, 1000));
        DL_TRY(append(m, day, at, err));
        open += m->bytes - before;
        if (part < m->plan->parts &&
            made(m) - begin >= reached(amount, part, m->plan->parts)) {
            DL_TRY(dl_lake_writer_seal(m->w, at, err));
            part++;
            open = 0;
        }
        else if (open >= m->plan->commit) {
            DL_TRY(dl_lake_writer_commit(m->w, at, err));
            open = 0;
        }
    }
    at = dl_day_start(day + 1) - DL_SECOND_US;
    return m->plan->parts > 0 ? dl_lake_writer_seal(m->w, at, err)
                              : dl_lake_writer_commit(m->w, at, err);
}

/* --- The report ----------------------------------------------------------- */

static void print_choices(const char *name, const choice *list, size_t n)
{
    printf(",\"%s\":{", name);
    for (size_t i = 0; i < n; i++) {
        printf("%s\"%s\":%" PRIu64, i == 0 ? "" : ",", list[i].text,
               list[i].records);
    }
    printf("}");
}

static void print_report(maker *m, int64_t took_us)
{
    const dl_lake_writer_stats *did = dl_lake_writer_numbers(m->w);
    char day[DL_DAY_TEXT];
    double seconds = (double)took_us / 1e6;

    printf("{\"dataset\":\"%s\",\"records\":%" PRIu64 ",\"bytes\":%" PRIu64
           ",\"days\":%" PRIu64 ",\"commits\":%" PRIu64 ",\"sealed\":%" PRIu64,
           m->plan->lake.dataset, m->n, m->bytes, m->plan->days, did->commits,
           did->sealed);
    dl_day_format(day, m->plan->first);
    printf(",\"first_day\":\"%s\",\"seed\":%" PRIu64 ",\"hostile\":%" PRIu64
           ",\"seconds\":%.3f,\"mb_per_s\":%.0f",
           day, m->plan->seed, m->hostile, seconds,
           (double)m->bytes / 1e6 / seconds);
    print_choices("words", planted, COUNT(planted));
    printf(",\"rare\":\"%s\",\"frequent\":\"%s\",\"absent\":\"%s\"", RARE_WORD,
           planted[PARCEL].text, ABSENT_WORD);
    print_choices("status", statuses, COUNT(statuses));
    print_choices("payment_method", methods, COUNT(methods));
    print_choices("currency", currencies, COUNT(currencies));
    print_choices("location.country", countries, COUNT(countries));
    printf(",\"amount__gt=900\":%" PRIu64 ",\"user_id=user-00042\":%" PRIu64
           ",\"ids\":[",
           m->dear, m->user);
    for (unsigned i = 0; i < m->n_samples; i++) {
        dl_day_format(day, m->samples[i].day);
        printf("%s{\"id\":\"%s\",\"date\":\"%s\",\"line\":%" PRIu64 "}",
               i == 0 ? "" : ",", m->samples[i].id, day, m->samples[i].line);
    }
    printf("]}\n");
}

/* --- The command line ----------------------------------------------------- */

static bool read_number(uint64_t *n, const char *text)
{
    char *end;

    *n = strtoull(text, &end, 10);
    if (end != text && *end != '\0' && strchr("KMG", *end) != NULL) {
        *n *= *end == 'K' ? 1000u : *end == 'M' ? 1000000u : 1000000000u;
        end++;
    }
    return end != text && *end == '\0';
}

static bool read_option(plan *p, const char *name, const char *value)
{
    struct {
        const char *name;
        uint64_t *to;
    } numbers[] = {{"--bytes", &p->bytes},   {"--records", &p->records},
                   {"--days", &p->days},     {"--parts", &p->parts},
                   {"--commit", &p->commit}, {"--seed", &p->seed}};

    for (size_t i = 0; i < COUNT(numbers); i++) {
        if (strcmp(name, numbers[i].name) == 0) {
            return read_number(numbers[i].to, value);
        }
    }
    if (strcmp(name, "--dataset") == 0) {
        p->lake.dataset = value;
        return true;
    }
    if (strcmp(name, "--hostile") == 0) {
        p->hostile = strtod(value, NULL);
        return p->hostile >= 0 && p->hostile <= 1;
    }
    return strcmp(name, "--first") == 0 &&
           dl_day_parse(&p->first, value, strlen(value));
}

static dl_status run(maker *m, dl_error *err, apr_pool_t *pool)
{
    const plan *p = m->plan;
    int64_t begin = dl_time_monotonic_us();

    DL_TRY(dl_lake_writer_open(&m->w, &p->lake, err, pool));
    if (dl_lake_writer_next(m->w, 0) >= 0) {
        return dl_fail(err, DL_CONFLICT, 0, "%s: there are records already",
                       p->lake.dataset);
    }
    for (uint64_t i = 1; i <= p->days && made(m) < wanted(p); i++) {
        uint64_t until = reached(wanted(p), i, p->days);

        if (until > made(m)) {
            DL_TRY(make_day(m, p->first + (dl_day)i - 1, until - made(m), err));
        }
    }
    print_report(m, dl_time_monotonic_us() - begin);
    return DL_OK;
}

int main(int argc, char **argv)
{
    plan p = {.lake = {.dataset = "transaction_log",
                       .seal_age_s = (int64_t)365 * 86400},
              .days = 10,
              .first = dl_day_of(2026, 5, 1),
              .parts = 4,
              .commit = 32000000,
              .seed = 1,
              .hostile = 0.01};
    dl_error err = {.status = DL_OK};
    apr_pool_t *pool;
    maker *m;
    dl_status status;
    int i;

    for (i = 2; i + 1 < argc && read_option(&p, argv[i], argv[i + 1]); i += 2) {
        continue;
    }
    if (argc < 2 || i != argc || wanted(&p) == 0 || p.days == 0) {
        fprintf(stderr, "usage: lake_make ROOT --bytes N|--records N [--dataset"
                        " NAME] [--days N]\n                 [--first DATE]"
                        " [--parts N] [--hostile SHARE] [--commit N]\n"
                        "                 [--seed N]\n");
        return 2;
    }
    p.lake.root = argv[1];
    apr_initialize();
    apr_pool_create(&pool, NULL);
    m = apr_pcalloc(pool, sizeof *m);
    m->plan = &p;
    m->random = p.seed;
    status = run(m, &err, pool);
    if (status != DL_OK) {
        fprintf(stderr, "lake_make: %s: %s\n", dl_status_name(status),
                err.text);
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return status == DL_OK ? 0 : 1;
}
