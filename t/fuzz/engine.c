/* engine.c - Runs a fuzz target: by libFuzzer, or by a main of its own.
 *
 * Built with -DFUZZ_LIBFUZZER it is the glue to clang's libFuzzer; with
 * DL_FUZZ_SEEDS=FOLDER set that program writes its seeds there and ends.
 * Otherwise:
 *
 *     fuzz_NAME [SECONDS [RUN]]   the corpus, then changed inputs
 *     fuzz_NAME FILE...           these inputs only
 *
 * The corpus is made, never stored: each seed, each of its beginnings, each
 * byte of it replaced by some, and the words put everywhere.  RUN seeds what
 * is random.  DL_FUZZ_PLANT=1 makes an input that begins with ~ a fault, so
 * that a test can see the engine find one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr_general.h>

/* The longest input that is made. */
enum {
    MAX_BYTES = 4096
};

static apr_pool_t *pool;
static bool planted;
static unsigned long runs;

void fuzz_check(bool holds, const char *sentence)
{
    if (!holds) {
        fprintf(stderr, "fuzz: does not hold: %s\n", sentence);
        abort();
    }
}

static void start(void)
{
    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        abort();
    }
    planted = getenv("DL_FUZZ_PLANT") != NULL;
}

/* Run the target once, with a copy whose edges a sanitizer sees. */
static void run_once(const unsigned char *data, size_t len)
{
    unsigned char *copy = malloc(len == 0 ? 1 : len);

    if (copy == NULL) {
        abort();
    }
    if (len > 0) {
        memcpy(copy, data, len);
    }
    fuzz_check(!planted || len == 0 || copy[0] != '~', "a planted fault");
    fuzz_one(copy, len, pool);
    apr_pool_clear(pool);
    free(copy);
    runs++;
}

#if defined(FUZZ_LIBFUZZER)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Write TEXT to a file of FOLDER. */
static void write_seed(const char *folder, int number, const char *text)
{
    char path[1000];
    FILE *file;

    snprintf(path, sizeof path, "%s/%03d", folder, number);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(text, 1, strlen(text), file) != strlen(text) ||
        fclose(file) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *folder = getenv("DL_FUZZ_SEEDS");
    int number = 0;

    (void)argc;
    (void)argv;
    start();
    if (folder == NULL) {
        return 0;
    }
    for (int i = 0; fuzz_seeds[i] != NULL; i++) {
        write_seed(folder, number++, fuzz_seeds[i]);
    }
    for (int i = 0; fuzz_words[i] != NULL; i++) {
        write_seed(folder, number++, fuzz_words[i]);
    }
    exit(EXIT_SUCCESS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    run_once(data, len);
    return 0;
}

#else

/* xorshift64*: small, and the same everywhere. */
static uint64_t state = 0x9E3779B97F4A7C15u;

static size_t below(size_t n)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return n == 0 ? 0 : (size_t)(state * 0x2545F4914F6CDD1Du >> 33) % n;
}

static size_t count(const char *const *list)
{
    size_t n = 0;

    while (list[n] != NULL) {
        n++;
    }
    return n;
}

/* Return one of LIST, "" when it is empty. */
static const char *choose(const char *const *list)
{
    size_t n = count(list);

    return n == 0 ? "" : list[below(n)];
}

/* An input being changed. */
typedef struct input {
    unsigned char bytes[MAX_BYTES]; /* its bytes */
    size_t len;                     /* how many */
} input;

static void set(input *in, const char *text)
{
    in->len = strlen(text) < MAX_BYTES ? strlen(text) : MAX_BYTES;
    memcpy(in->bytes, text, in->len);
}

/* Put the N bytes at S before byte AT, as far as there is room. */
static void insert(input *in, size_t at, const void *s, size_t n)
{
    n = n < MAX_BYTES - in->len ? n : MAX_BYTES - in->len;
    memmove(in->bytes + at + n, in->bytes + at, in->len - at);
    memcpy(in->bytes + at, s, n);
    in->len += n;
}

static void cut(input *in, size_t at, size_t n)
{
    n = n < in->len - at ? n : in->len - at;
    memmove(in->bytes + at, in->bytes + at + n, in->len - at - n);
    in->len -= n;
}

/* Change IN in one random way. */
static void change(input *in)
{
    static const unsigned char odd[] = {0,    1,    '\n', ' ',  '"',  '\\',
                                        '0',  '9',  '-',  '.',  0x7F, 0x80,
                                        0xC0, 0xE2, 0xED, 0xF4, 0xFF, '~'};
    size_t at = below(in->len + 1);
    const char *word;

    switch (below(6)) {
    case 0:
        if (at < in->len) {
            in->bytes[at] ^= (unsigned char)(1 << below(8));
        }
        break;
    case 1:
        if (at < in->len) {
            in->bytes[at] = odd[below(sizeof odd)];
        }
        break;
    case 2:
        cut(in, at, 1 + below(8));
        break;
    case 3:
        word = choose(fuzz_words);
        insert(in, at, word, strlen(word));
        break;
    case 4:
        word = choose(fuzz_seeds);
        insert(in, at, word, below(strlen(word) + 1));
        break;
    default:
        insert(in, at, &odd[below(sizeof odd)], 1);
        break;
    }
}

/* Run everything that is made of the seed TEXT. */
static void run_corpus(const char *text)
{
    input in;
    size_t len;

    set(&in, text);
    len = in.len;
    for (size_t n = 0; n <= len; n++) {
        run_once(in.bytes, n);
    }
    for (size_t i = 0; i < len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            in.bytes[i] ^= (unsigned char)(1 << bit);
            run_once(in.bytes, len);
            in.bytes[i] ^= (unsigned char)(1 << bit);
        }
        for (size_t w = 0; fuzz_words[w] != NULL; w++) {
            insert(&in, i, fuzz_words[w], strlen(fuzz_words[w]));
            run_once(in.bytes, in.len);
            set(&in, text);
        }
    }
}

static void run_file(const char *path)
{
    static unsigned char bytes[1 << 21];
    FILE *file = fopen(path, "rb");
    size_t len;

    if (file == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    run_once(bytes, len);
}

/* Run changed inputs until SECONDS have passed. */
static void run_random(double seconds)
{
    time_t end = time(NULL) + (time_t)seconds;
    input in;

    while (time(NULL) < end) {
        for (int i = 0; i < 1000; i++) {
            set(&in, choose(fuzz_seeds));
            for (size_t n = 1 + below(6); n > 0; n--) {
                change(&in);
            }
            run_once(in.bytes, in.len);
        }
    }
}

int main(int argc, char **argv)
{
    char *end = NULL;
    double seconds = argc > 1 ? strtod(argv[1], &end) : 0;

    start();
    if (end != NULL && *end != '\0') {
        for (int i = 1; i < argc; i++) {
            run_file(argv[i]);
        }
    }
    else {
        state ^= argc > 2 ? strtoull(argv[2], NULL, 16) : 0;
        for (int i = 0; fuzz_seeds[i] != NULL; i++) {
            run_corpus(fuzz_seeds[i]);
        }
        run_random(seconds);
    }
    printf("runs=%lu\n", runs);
    apr_terminate();
    return EXIT_SUCCESS;
}

#endif
