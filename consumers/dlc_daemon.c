/* dlc_daemon.c - Arguments, signals, systemd and the life of a consumer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_daemon.h"

#include "dl_log.h"
#include "dl_thread.h"
#include "dl_time.h"
#include "dlc_pulse.h"
#include "dlc_sink.h"
#include "dlc_source.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <systemd/sd-daemon.h>

/* Exit statuses. */
#define EXIT_USAGE 2

/* After this many seconds of stopping, leave at any price (rule E14). */
#define STOP_SECONDS 10

/* A daemon that has nothing to do and holds more than this gives memory back,
 * at most every so many microseconds. */
#define IDLE_BYTES INT64_C(40000000)
#define TRIM_US    INT64_C(5000000)

/* How often, and how far apart, a name that is held is asked for again: a
 * process that was killed holds it until the system has taken it apart. */
#define NAME_TURNS   100
#define NAME_TURN_US INT64_C(10000)

/* What the arguments say. */
typedef struct arguments {
    const char *config;   /* -c */
    const char *datasets; /* --datasets, NULL: all */
    const char *name;     /* --name, NULL: the program's */
    bool check;           /* --check-config */
    bool help;            /* --help */
    bool version;         /* --version */
    bool verbose;         /* --verbose */
} arguments;

/* A running daemon. */
typedef struct daemon_state {
    const dlc_program *program; /* what it is */
    arguments args;             /* how it was called */
    const char *instance;       /* its name */
    dl_config *cfg;             /* settings */
    const dl_dataset_set *set;  /* what it reads */
    dl_stats *stats;            /* its numbers */
    dl_stats_value *memory;     /* its resident bytes, among these */
    int64_t trim_us;            /* monotonic time of the next give_back */
    bool journal;               /* standard error is the journal */
    bool ready;                 /* READY=1 was sent */
} daemon_state;

/* Signal handlers have no context. */
static dlc_wishes wishes;

static void on_signal(int number)
{
    if (number == SIGHUP) {
        wishes.reload = 1;
    }
    else if (number == SIGUSR1) {
        wishes.seal = 1;
    }
    else if (number == SIGALRM) {
        _exit(EXIT_FAILURE);
    }
    else {
        wishes.stop = 1;
        alarm(STOP_SECONDS);
    }
}

static void install_signals(void)
{
    static const int caught[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGALRM};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    for (size_t i = 0; i < sizeof caught / sizeof caught[0]; i++) {
        (void)sigaction(caught[i], &action, NULL);
    }
    (void)sigaction(SIGPIPE, &ignore, NULL);
}

/* Write one line to standard error; with <3> and so on for the journal. */
static void log_line(void *context, dl_log_level level, const char *message)
{
    static const int priority[] = {3, 4, 5, 6, 7};
    const daemon_state *d = context;
    char when[DL_TIME_TEXT];
    char line[1400];
    int n;

    if (d->journal) {
        n = snprintf(line, sizeof line, "<%d>%s\n", priority[level], message);
    }
    else {
        dl_time_format(when, dl_time_now());
        n = snprintf(line, sizeof line, "%s %s[%d] %s\n", when, d->instance,
                     (int)getpid(), message);
    }
    if (n > 0 && (size_t)n < sizeof line &&
        write(STDERR_FILENO, line, (size_t)n) < 0) {
        return; /* nobody is left to tell */
    }
}

/* No cores (they would hold records), no rights for others by default.
 *
 * The buffers of fetched messages are megabytes, come and go a hundred times a
 * second, and glibc would map and unmap each one: the kernel then clears every
 * page again (measured: 2.0 instead of 0.8 s system time for 2 M messages).
 * So they stay in the heap, which give_back() empties after a backlog. */
static void restrain(void)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)umask(0027);
    /* No other thread is there yet.  NOLINTBEGIN(concurrency-mt-unsafe) */
    (void)mallopt(M_ARENA_MAX, 4);
    (void)mallopt(M_TRIM_THRESHOLD, 512 << 20);
    (void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
    /* NOLINTEND(concurrency-mt-unsafe) */
}

/* --- Arguments ------------------------------------------------------------ */

/* Build the option table: ours, then the program's. */
static void lay_options(dlc_option *out, arguments *args,
                        const dlc_program *program)
{
    const dlc_option own[] = {
        {"config", 'c', DLC_OPTION_TEXT, &args->config, 0, 0, "FILE",
         "settings; default $DATALAKE_CONFIG or /etc/datalake/datalake.ini"},
        {"datasets", 0, DLC_OPTION_TEXT, &args->datasets, 0, 0, "A,B",
         "read these datasets only"},
        {"name", 0, DLC_OPTION_TEXT, &args->name, 0, 0, "NAME",
         "name of this process where several run; default the program's"},
        {"check-config", 0, DLC_OPTION_FLAG, &args->check, 0, 0, NULL,
         "check settings and declarations, then leave"},
        {"verbose", 'v', DLC_OPTION_FLAG, &args->verbose, 0, 0, NULL,
         "log details"},
        {"help", 'h', DLC_OPTION_FLAG, &args->help, 0, 0, NULL,
         "print this text"},
        {"version", 0, DLC_OPTION_FLAG, &args->version, 0, 0, NULL,
         "print the version"}};
    size_t n = 0;

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (program->serve == NULL || own[i].target != &args->datasets) {
            out[n++] = own[i];
        }
    }
    for (const dlc_option *row = program->more;
         row != NULL && row->name != NULL; row++) {
        out[n++] = *row;
    }
    out[n] = (dlc_option){.name = NULL};
}

/* Read the arguments; -1: go on, else the exit status. */
static int read_arguments(daemon_state *d, int argc, const char *const *argv)
{
    dlc_option table[32];
    dlc_positionals rest = {.n = 0};
    dl_error err = {0};

    lay_options(table, &d->args, d->program);
    if (dlc_options_parse(&rest, table, argc - 1, argv + 1, &err) != DL_OK) {
        fprintf(stderr, "%s: %s\n", d->program->name, err.text);
        return EXIT_USAGE;
    }
    if (d->program->words != NULL) {
        *d->program->words = rest;
    }
    else if (rest.n > 0) {
        fprintf(stderr, "%s: %s: no argument is expected here\n",
                d->program->name, rest.text[0]);
        return EXIT_USAGE;
    }
    if (d->args.help) {
        printf("%s: %s\n\nusage: %s [options]%s%s%s\n\n", d->program->name,
               d->program->sentence, d->program->name,
               d->program->words == NULL ? "" : " [",
               d->program->words == NULL ? "" : d->program->words_are,
               d->program->words == NULL ? "" : " ...]");
        dlc_options_print(stdout, table);
        return EXIT_SUCCESS;
    }
    if (d->args.version) {
        printf("%s %s\n", d->program->name, DL_VERSION);
        return EXIT_SUCCESS;
    }
    return -1;
}

/* --- Settings and declarations -------------------------------------------- */

/* Return whether the comma list LIST (NULL: all) names NAME. */
static bool listed(const char *list, const char *name)
{
    size_t len = strlen(name);

    if (list == NULL) {
        return true;
    }
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',' ? 1 : 0;
        if (strncmp(at, name, len) == 0 && (at[len] == ',' || at[len] == 0)) {
            return true;
        }
    }
    return false;
}

/* Refuse names of --datasets that are not declared. */
static dl_status check_names(const daemon_state *d, const dl_dataset_set *all,
                             dl_error *err, apr_pool_t *pool)
{
    const char *at = d->args.datasets;

    while (at != NULL && *at != '\0') {
        size_t len = strcspn(at, ",");
        const char *name = apr_pstrmemdup(pool, at, len);

        if (dl_dataset_find(all, name) == NULL) {
            return dl_fail(err, DL_INVALID, 0,
                           "--datasets: %s is not declared in %s", name,
                           d->cfg->datasets.dir);
        }
        at += len + (at[len] == ',' ? 1 : 0);
    }
    return DL_OK;
}

/* Set *SET to the datasets this process reads; dlc_loop_options.load. */
static dl_status load_set(const dl_dataset_set **set, void *context,
                          dl_error *err, apr_pool_t *pool)
{
    const daemon_state *d = context;
    dl_dataset_set *all;
    dl_dataset_set *chosen = apr_pcalloc(pool, sizeof *chosen);

    DL_TRY(dl_dataset_load_all(&all, d->cfg, err, pool));
    DL_TRY(check_names(d, all, err, pool));
    chosen->datasets =
        apr_palloc(pool, (size_t)(all->n + 1) * sizeof *chosen->datasets);
    for (int i = 0; i < all->n; i++) {
        const dl_dataset *ds = all->datasets[i];

        if (listed(d->args.datasets, ds->name) &&
            (d->program->wants == NULL || d->program->wants(ds))) {
            chosen->datasets[chosen->n++] = ds;
        }
    }
    *set = chosen;
    return DL_OK;
}

/* --- systemd and the run folder ------------------------------------------- */

/* Return what a backlog left behind to the system, now and then. */
static void give_back(daemon_state *d)
{
    int64_t now = dl_time_monotonic_us();

    if (dl_stats_get(d->memory) > IDLE_BYTES && now > d->trim_us) {
        (void)malloc_trim(0);
        d->trim_us = now + TRIM_US;
    }
}

static void alive(void *context, bool reading, bool caught_up)
{
    daemon_state *d = context;

    if (caught_up) {
        give_back(d);
    }

    (void)sd_notifyf(0, "WATCHDOG=1\nSTATUS=%s",
                     reading ? "reading" : "waiting for broker or storage");
    if (!d->ready) {
        (void)sd_notify(0, "READY=1");
        d->ready = true;
    }
}

static void reloading(void *context, bool begins)
{
    (void)context;
    if (begins) {
        (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
                         (long long)dl_time_monotonic_us());
    }
    else {
        (void)sd_notify(0, "READY=1");
    }
}

static apr_status_t remove_pid(void *path)
{
    unlink(path);
    return APR_SUCCESS;
}

static apr_status_t close_lock(void *data)
{
    const int *fd = data;

    close(*fd);
    return APR_SUCCESS;
}

/* Take RUN/INSTANCE.lock, held to the end of POOL: a second process of the
 * name would take the place of pid file and numbers, and remove them. */
static dl_status lock_name(const daemon_state *d, dl_error *err,
                           apr_pool_t *pool)
{
    const char *path =
        apr_psprintf(pool, "%s/%s.lock", d->cfg->run.dir, d->instance);
    int *fd = apr_palloc(pool, sizeof *fd);

    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (*fd < 0) {
        return dl_fail(err, DL_IO, errno, "cannot open %s", path);
    }
    apr_pool_cleanup_register(pool, fd, close_lock, apr_pool_cleanup_null);
    for (int turn = 0; flock(*fd, LOCK_EX | LOCK_NB) != 0; turn++) {
        if (turn == NAME_TURNS) {
            return dl_fail(err, DL_BUSY, 0,
                           "another process is %s here: it holds %s; give this "
                           "one a --name",
                           d->instance, path);
        }
        dl_thread_sleep(NAME_TURN_US);
    }
    return DL_OK;
}

/* Write RUN/INSTANCE.pid. */
static dl_status write_pid(daemon_state *d, dl_error *err, apr_pool_t *pool)
{
    char *path = apr_psprintf(pool, "%s/%s.pid", d->cfg->run.dir, d->instance);
    char text[32];
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    int fd =
        open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

    if (fd < 0) {
        return dl_fail(err, DL_IO, errno, "cannot write %s", path);
    }
    if (write(fd, text, (size_t)n) != n) {
        close(fd);
        return dl_fail(err, DL_IO, errno, "cannot write %s", path);
    }
    (void)fchmod(fd, 0644);
    close(fd);
    apr_pool_cleanup_register(pool, path, remove_pid, apr_pool_cleanup_null);
    return DL_OK;
}

/* --- The program ---------------------------------------------------------- */

/* Load settings and declarations. */
static dl_status prepare(daemon_state *d, dl_error *err, apr_pool_t *pool)
{
    DL_TRY(dl_config_load(&d->cfg, d->args.config, err, pool));
    DL_TRY(load_set(&d->set, d, err, pool));
    if (d->set->n == 0 && d->program->serve == NULL) {
        return dl_fail(err, DL_INVALID, 0, "no dataset to read in %s",
                       d->cfg->datasets.dir);
    }
    return d->program->check == NULL ? DL_OK
                                     : d->program->check(d->cfg, err, pool);
}

/* Take the name, make the page of numbers and the pid file. */
static dl_status appear(daemon_state *d, dl_error *err, apr_pool_t *pool)
{
    if (d->program->beside != NULL && d->program->beside() &&
        d->args.name == NULL) {
        return DL_OK;
    }
    DL_TRY(lock_name(d, err, pool));
    DL_TRY(dl_stats_create(&d->stats, d->cfg->run.dir, d->program->name,
                           d->instance, err, pool));
    d->memory = dl_stats_slot(
        d->stats, DL_STATS_GAUGE, "datalake_process_resident_memory_bytes",
        apr_psprintf(pool, "program=\"%s\"", d->program->name));
    return write_pid(d, err, pool);
}

static void serving(void *context, const char *doing)
{
    daemon_state *d = context;

    dl_stats_process_update(d->stats);
    (void)sd_notifyf(0, "WATCHDOG=1\nSTATUS=%s", doing);
    if (!d->ready) {
        (void)sd_notify(0, "READY=1");
        d->ready = true;
    }
}

/* A program that reads no topics. */
static dl_status serve(daemon_state *d, dl_error *err, apr_pool_t *pool)
{
    dlc_service service = {
        .cfg = d->cfg, .wishes = &wishes, .context = d, .alive = serving};
    dl_status status;

    DL_TRY(appear(d, err, pool));
    service.stats = d->stats;
    dl_log(DL_LOG_NOTICE, "DL0743 %s %s begins", d->program->name, DL_VERSION);
    status = d->program->serve(&service, err, pool);
    (void)sd_notify(0, "STOPPING=1");
    return status;
}

static dl_status consume(daemon_state *d, dl_error *err, apr_pool_t *pool)
{
    dlc_source *source;
    dlc_sink *sink;
    bool group = d->program->grouped &&
                 (d->program->alone == NULL || !*d->program->alone);
    const dlc_source_options from = {.program = d->program->sink,
                                     .group = group,
                                     .part = d->program->buffer_part};
    dl_status status;

    DL_TRY(appear(d, err, pool));
    DL_TRY(d->program->sink_create(&sink, d->cfg, d->set, d->stats, err, pool));
    DL_TRY(dlc_source_create(&source, d->cfg, &from, err, pool));
    DL_TRY(dlc_pulse_create(d->cfg, d->stats, d->program->sink, err, pool));
    dl_log(DL_LOG_NOTICE, "DL0740 %s %s begins, %d datasets", d->program->name,
           DL_VERSION, d->set->n);
    {
        const dlc_loop_options options = {
            .cfg = d->cfg,
            .source = source,
            .sink = sink,
            .stats = d->stats,
            .wishes = &wishes,
            .group = group && source->calls->subscribe != NULL,
            .resume_path = apr_psprintf(pool, "%s/%s.resume", d->cfg->run.dir,
                                        d->instance),
            .set = d->set,
            .load = load_set,
            .context = d,
            .alive = alive,
            .reloading = reloading};

        status = dlc_loop_run(&options, err, pool);
    }
    (void)sd_notify(0, "STOPPING=1");
    alarm(STOP_SECONDS);
    /* Leaving the group may still call the loop, and that the sink. */
    source->calls->close(source);
    sink->calls->close(sink);
    return status;
}

int dlc_daemon_main(const dlc_program *program, int argc,
                    const char *const *argv)
{
    daemon_state d = {.program = program, .instance = program->name};
    dl_error err = {0};
    dl_status status;
    apr_pool_t *pool;
    int code = read_arguments(&d, argc, argv);

    if (code >= 0) {
        return code;
    }
    d.instance = d.args.name == NULL ? program->name : d.args.name;
    /* Before any other thread is there. */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
    d.journal = getenv("JOURNAL_STREAM") != NULL;
    restrain();
    install_signals();
    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return EXIT_FAILURE;
    }
    dl_log_install(log_line, &d, d.args.verbose ? DL_LOG_DEBUG : DL_LOG_INFO);
    status = prepare(&d, &err, pool);
    if (status != DL_OK || d.args.check) {
        if (status != DL_OK) {
            fprintf(stderr, "%s: %s\n", program->name, err.text);
        }
        else {
            printf("%s: settings and %d declarations are good\n", program->name,
                   d.set->n);
        }
        apr_pool_destroy(pool);
        return status == DL_OK ? EXIT_SUCCESS : EXIT_USAGE;
    }
    status = program->serve != NULL ? serve(&d, &err, pool)
                                    : consume(&d, &err, pool);
    if (status != DL_OK) {
        dl_log(DL_LOG_ERROR, "DL0741 %s ends: %s", program->name, err.text);
    }
    else {
        dl_log(DL_LOG_NOTICE, "DL0742 %s ends", program->name);
    }
    apr_pool_destroy(pool);
    return status == DL_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
