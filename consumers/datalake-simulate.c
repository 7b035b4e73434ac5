/* datalake-simulate.c - Demo producer: realistic transactions into Kafka.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_options.h"
#include "dlc_simulate.h"
#include "dlc_simulate_kafka.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <apr_general.h>
#include <apr_strings.h>

/* Exit statuses, documented in datalake-simulate(1). */
enum {
    EXIT_DONE = 0,   /* every record was delivered */
    EXIT_FAILED = 1, /* some were not */
    EXIT_USAGE = 2,  /* the command line is wrong */
    EXIT_AWAY = 3    /* no broker answers */
};

/* What the command line says. */
typedef struct simulate_options {
    const char *config;  /* -c FILE */
    const char *brokers; /* --brokers */
    const char *topic;   /* --topic */
    const char *until;   /* --until */
    const char *times;   /* --times */
    const char *style;   /* --style */
    int64_t count;       /* --count, -1: threads x 500 */
    int64_t threads;     /* --threads */
    int64_t seed;        /* --seed, -1: a random one */
    int64_t users;       /* --users */
    int64_t rate;        /* --rate */
    int64_t span_s;      /* --span */
    int64_t resend;      /* --resend */
    int64_t bad;         /* --bad */
    bool print;          /* --print */
    bool quiet;          /* --quiet */
    bool json;           /* --json */
    bool help;           /* --help */
    bool version;        /* --version */
} simulate_options;

static dlc_simulate_run run;

/* Called on SIGINT and SIGTERM. */
static void stop_running(int number)
{
    (void)number;
    atomic_store(&run.stop, true);
}

static int usage(const char *text)
{
    fprintf(stderr,
            "datalake-simulate: %s\n"
            "usage: datalake-simulate [OPTIONS]; see --help\n",
            text);
    return EXIT_USAGE;
}

/* A word of a list and what it stands for. */
typedef struct word {
    const char *text; /* as it is typed */
    unsigned value;   /* bits */
} word;

static const word TIMES[] = {{"zulu", DLC_TIMES_ZULU},
                             {"offset", DLC_TIMES_OFFSET},
                             {"local", DLC_TIMES_LOCAL},
                             {"unix", DLC_TIMES_UNIX},
                             {"missing", DLC_TIMES_MISSING},
                             {"mixed", DLC_TIMES_ZULU | DLC_TIMES_OFFSET |
                                           DLC_TIMES_LOCAL | DLC_TIMES_UNIX},
                             {NULL, 0}};

static const word STYLES[] = {{"compact", DLC_STYLE_COMPACT},
                              {"python", DLC_STYLE_PYTHON},
                              {"mixed", DLC_STYLE_MIXED},
                              {NULL, 0}};

static bool find_word(unsigned *value, const word *words, const char *text,
                      size_t len)
{
    for (; words->text != NULL; words++) {
        if (strlen(words->text) == len && memcmp(words->text, text, len) == 0) {
            *value = words->value;
            return true;
        }
    }
    return false;
}

static dl_status parse_times(unsigned *times, const char *list, dl_error *err)
{
    const char *at = list;

    *times = 0;
    for (;;) {
        size_t len = strcspn(at, ",");
        unsigned bits;

        if (!find_word(&bits, TIMES, at, len)) {
            return dl_fail(err, DL_INVALID, 0,
                           "--times must be a comma list of zulu, offset, "
                           "local, unix, missing, or mixed, not \"%.40s\"",
                           list);
        }
        *times |= bits;
        if (at[len] == '\0') {
            return DL_OK;
        }
        at += len + 1;
    }
}

static dl_status parse_until(dl_time *until, const char *text, dl_error *err)
{
    bool zone_missing = false;

    if (text == NULL) {
        *until = dl_time_now();
        return DL_OK;
    }
    if (!dl_time_parse_rfc3339(until, &zone_missing, text, strlen(text)) ||
        zone_missing) {
        return dl_fail(err, DL_INVALID, 0,
                       "--until must be a time with a zone, like "
                       "2026-05-18T09:30:00Z, not \"%.40s\"",
                       text);
    }
    return DL_OK;
}

/* Turn options into a plan. */
static dl_status make_plan(dlc_simulate_plan *plan,
                           const simulate_options *options, dl_error *err)
{
    unsigned style;

    plan->threads = (int)options->threads;
    plan->count = options->count >= 0 ? options->count : options->threads * 500;
    plan->bad = options->bad;
    plan->users = options->users;
    plan->resend = options->resend;
    plan->span_us = options->span_s * DL_SECOND_US;
    plan->seed = (uint64_t)options->seed;
    if (options->seed < 0) {
        /* 53 bits, so that any program can read it from the JSON. */
        if (getrandom(&plan->seed, sizeof plan->seed, 0) !=
            (ssize_t)sizeof plan->seed) {
            return dl_fail(err, DL_UNAVAILABLE, errno, "no random numbers");
        }
        plan->seed >>= 11;
    }
    DL_TRY(parse_times(&plan->times, options->times, err));
    if (!find_word(&style, STYLES, options->style, strlen(options->style))) {
        return dl_fail(err, DL_INVALID, 0,
                       "--style must be compact, python or mixed, not "
                       "\"%.40s\"",
                       options->style);
    }
    plan->style = (dlc_simulate_style)style;
    if (strlen(options->topic) > 249 ||
        strspn(options->topic, "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789._-") != strlen(options->topic)) {
        return dl_fail(err, DL_INVALID, 0,
                       "--topic must be 1 to 249 characters of A-Z a-z 0-9 . "
                       "_ -, not \"%.40s\"",
                       options->topic);
    }
    DL_TRY(parse_until(&plan->until, options->until, err));
    if (plan->until < plan->span_us) {
        return dl_fail(err, DL_INVALID, 0,
                       "--until minus --span lies before 1970");
    }
    return DL_OK;
}

/* The configuration, or one with nothing but --brokers. */
static dl_status load_config(dl_config **cfg, const simulate_options *options,
                             dl_error *err, apr_pool_t *pool)
{
    if (options->brokers == NULL) {
        return dl_config_load(cfg, options->config, err, pool);
    }
    *cfg = apr_pcalloc(pool, sizeof **cfg);
    (*cfg)->kafka.brokers = options->brokers;
    return DL_OK;
}

static void report(const simulate_options *options, int64_t took_us)
{
    const dlc_simulate_plan *plan = run.plan;
    int64_t made = atomic_load(&run.made);
    int64_t done = atomic_load(&run.delivered);

    if (options->json && !options->print) {
        printf("{\"seed\":%" PRIu64 ",\"topic\":\"%s\",\"records\":%" PRId64
               ",\"delivered\":%" PRId64 ",\"failed\":%" PRId64
               ",\"resent\":%" PRId64 ",\"bad\":%" PRId64 ",\"bytes\":%" PRId64
               ",\"milliseconds\":%" PRId64 "}\n",
               plan->seed, run.topic, made, done, atomic_load(&run.failed),
               atomic_load(&run.resent), atomic_load(&run.bad),
               atomic_load(&run.bytes), took_us / 1000);
    }
    if (!options->quiet) {
        fprintf(stderr,
                "%" PRId64 " records of %" PRId64 " %s (%" PRId64
                " resent, %" PRId64 " bad), %" PRId64 " bytes, in %" PRId64
                ".%03" PRId64 " s; seed %" PRIu64 "\n",
                done, made, options->print ? "printed" : "delivered",
                atomic_load(&run.resent), atomic_load(&run.bad),
                atomic_load(&run.bytes), took_us / 1000000,
                took_us / 1000 % 1000, plan->seed);
    }
}

static int simulate(const simulate_options *options, apr_pool_t *pool)
{
    static dlc_simulate_plan plan;
    struct sigaction action = {.sa_handler = stop_running};
    dl_error err = {0};
    dl_config *cfg = NULL;
    dl_status status;
    int64_t started;

    if (make_plan(&plan, options, &err) != DL_OK) {
        return usage(err.text);
    }
    run.plan = &plan;
    run.topic = options->topic;
    run.rate = options->rate;
    run.quiet = options->quiet;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    started = dl_time_monotonic_us();
    if (options->print) {
        status = dlc_simulate_print(&run, stdout, &err, pool);
    }
    else {
        status = load_config(&cfg, options, &err, pool);
        run.cfg = cfg;
        if (status == DL_OK) {
            status = dlc_simulate_produce(&run, &err, pool);
        }
    }
    if (atomic_load(&run.made) > 0) {
        report(options, dl_time_monotonic_us() - started);
    }
    if (status != DL_OK) {
        fprintf(stderr, "datalake-simulate: %s\n", err.text);
        return status == DL_UNAVAILABLE ? EXIT_AWAY : EXIT_FAILED;
    }
    return atomic_load(&run.stop) ? EXIT_FAILED : EXIT_DONE;
}

static int start(int argc, const char *const *argv, apr_pool_t *pool)
{
    simulate_options o = {.topic = "transaction_log",
                          .times = "zulu",
                          .style = "mixed",
                          .count = -1,
                          .threads = 10,
                          .seed = -1,
                          .users = 100,
                          .span_s = 3600};
    /* clang-format off */
    const dlc_option table[] = {
        {"config", 'c', DLC_OPTION_TEXT, &o.config, 0, 0, "FILE",
         "read FILE instead of $DATALAKE_CONFIG"},
        {"brokers", 0, DLC_OPTION_TEXT, &o.brokers, 0, 0, "HOST:PORT,...",
         "use these and read no configuration"},
        {"topic", 0, DLC_OPTION_TEXT, &o.topic, 0, 0, "TOPIC",
         "produce to TOPIC (transaction_log)"},
        {"threads", 0, DLC_OPTION_INT, &o.threads, 1, 256, "N",
         "producing threads (10)"},
        {"count", 0, DLC_OPTION_INT, &o.count, 0, 1000000000000, "N",
         "records of all threads (500 each)"},
        {"rate", 0, DLC_OPTION_INT, &o.rate, 0, 10000000, "N",
         "records a second of all threads (0: as fast as it goes)"},
        {"seed", 0, DLC_OPTION_INT, &o.seed, 0, 9007199254740991, "N",
         "same seed, same records (a random one)"},
        {"users", 0, DLC_OPTION_INT, &o.users, 1, 100000000, "N",
         "different users (100)"},
        {"span", 0, DLC_OPTION_DURATION, &o.span_s, 1, 3650LL * 86400,
         "TIME", "event times lie this far back (1h)"},
        {"until", 0, DLC_OPTION_TEXT, &o.until, 0, 0, "TIME",
         "end of the event times, with zone (now)"},
        {"times", 0, DLC_OPTION_TEXT, &o.times, 0, 0, "LIST",
         "forms of event times: zulu,offset,local,unix,missing or mixed"},
        {"style", 0, DLC_OPTION_TEXT, &o.style, 0, 0, "STYLE",
         "JSON: compact, python or mixed (mixed)"},
        {"resend", 0, DLC_OPTION_SHARE, &o.resend, 0, 0, "SHARE",
         "share of records that send an earlier id again (0)"},
        {"bad", 0, DLC_OPTION_INT, &o.bad, 0, 1000000000, "N",
         "further records of each dead-letter kind (0)"},
        {"print", 0, DLC_OPTION_FLAG, &o.print, 0, 0, NULL,
         "print KEY<TAB>VALUE lines instead of producing"},
        {"quiet", 0, DLC_OPTION_FLAG, &o.quiet, 0, 0, NULL,
         "no progress bar and no summary"},
        {"json", 0, DLC_OPTION_FLAG, &o.json, 0, 0, NULL,
         "print the summary as JSON"},
        {"help", 'h', DLC_OPTION_FLAG, &o.help, 0, 0, NULL, "print this help"},
        {"version", 'V', DLC_OPTION_FLAG, &o.version, 0, 0, NULL,
         "print the version"},
        {.name = NULL}};
    /* clang-format on */
    dlc_positionals rest;
    dl_error err = {0};

    if (dlc_options_parse(&rest, table, argc, argv, &err) != DL_OK) {
        return usage(err.text);
    }
    if (rest.n > 0) {
        return usage(
            apr_psprintf(pool, "unexpected argument \"%.60s\"", rest.text[0]));
    }
    if (o.version) {
        puts("datalake-simulate " DL_VERSION);
        return EXIT_DONE;
    }
    if (o.help) {
        puts("usage: datalake-simulate [OPTIONS]\n\n"
             "Produces made-up transactions to Kafka.\n");
        dlc_options_print(stdout, table);
        puts("\nExit status: 0 every record was delivered, 1 some were not, "
             "2 wrong command\nline, 3 no broker answers.");
        return EXIT_DONE;
    }
    return simulate(&o, pool);
}

int main(int argc, char **argv)
{
    const char *const *strings = (const char *const *)argv;
    apr_pool_t *pool;
    int exit_status;

    if (argc < 1 || apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return EXIT_FAILED;
    }
    exit_status = start(argc - 1, strings + 1, pool);
    apr_pool_destroy(pool);
    apr_terminate();
    if (fflush(stdout) != 0) {
        fputs("datalake-simulate: cannot write to standard output\n", stderr);
        return EXIT_FAILED;
    }
    return exit_status;
}
