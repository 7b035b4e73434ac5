/* test_audit.c - The audit log: lines, chains, files, and planted damage.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_audit.h"
#include "dl_audit_ascii.h"
#include "dl_audit_file.h"
#include "dl_audit_folder.h"
#include "dl_audit_verify.h"
#include "dl_log.h"

#include "audit_fixture.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

/* Most bytes of a file that is damaged here. */
#define FILE_MAX 65536

/* A folder with a chain. */
typedef struct fixture {
    apr_pool_t *pool;
    char path[64];
    int dir_fd;
    const dl_audit_key *key;
    int64_t faults; /* told by the last verification */
    char what[200]; /* the first of them */
} fixture;

static void fixture_open(fixture *f, apr_pool_t *pool)
{
    memset(f, 0, sizeof *f);
    apr_pool_create(&f->pool, pool);
    f->dir_fd = audit_folder_make(f->path);
    f->key = audit_key(AUDIT_SECRET, f->pool);
}

static void fixture_close(fixture *f)
{
    audit_folder_remove(f->path, f->dir_fd, f->pool);
    apr_pool_destroy(f->pool);
}

static dl_audit_entry make_entry(const char *user, const char *body)
{
    dl_audit_entry entry = {.timestamp = INT64_C(1779096600000000),
                            .user_id = user == NULL ? 0 : 7,
                            .method = "POST",
                            .endpoint = "/api/access/grant/",
                            .resource = "transaction_log",
                            .action = "grant",
                            .request_id = "0f6c",
                            .status = 201,
                            .bytes = 512,
                            .duration_ms = 3};

    entry.text[DL_AUDIT_ADDRESS] = (dl_audit_text){"192.0.2.1", 9};
    if (user != NULL) {
        entry.text[DL_AUDIT_USER] = (dl_audit_text){user, strlen(user)};
    }
    if (body != NULL) {
        entry.text[DL_AUDIT_BODY] = (dl_audit_text){body, strlen(body)};
    }
    return entry;
}

/* --- The chain ------------------------------------------------------------ */

static bool has_value(const dl_audit_chain *chain, const char *want)
{
    char got[2 * DL_AUDIT_VALUE];

    dl_audit_hex(got, dl_audit_chain_value(chain));
    return memcmp(got, want, sizeof got) == 0;
}

static void test_chain(apr_pool_t *pool)
{
    const char *name = "20260518T093000Z-0123456789abcdef";
    const dl_audit_key *key = audit_key(AUDIT_SECRET, pool);
    dl_audit_chain *chain = dl_audit_chain_create(key, pool);
    dl_error err;

    dl_audit_chain_begin(chain, name);
    ok(has_value(chain, "ab3adfec8c4da2c389a7707b96dc2326"
                        "f70b4523107b853e407be94ca7318bea"),
       "a chain begins with the MAC of its name");
    dl_audit_chain_add(chain, "{\"a\":1", 6);
    ok(has_value(chain, "ae5bb7bd665b8dc69a33179c7fc34574"
                        "604edee03ca312598b977fc3ea48f53e"),
       "a line moves it on by the MAC of value and line");
    is_int(dl_audit_chain_length(chain), 1, "... and counts");
    chain =
        dl_audit_chain_create(audit_key("kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
                                        "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
                                        pool),
                              pool);
    dl_audit_chain_begin(chain, name);
    ok(has_value(chain, "48a3c2fc89c37010cf15238d4ffb9cb5"
                        "807d9f4a2caddd406044d890b17b11c6"),
       "a key longer than a block is hashed first");
    audit_spit("/tmp/datalake-audit-short", "short", 5);
    is_int(dl_audit_key_load(&key, "/tmp/datalake-audit-short", &err, pool),
           DL_INVALID, "a key of five bytes is refused");
    chmod("/tmp/datalake-audit-short", 0644);
    is_int(dl_audit_key_load(&key, "/tmp/datalake-audit-short", &err, pool),
           DL_INVALID, "a key that others may read is refused");
    unlink("/tmp/datalake-audit-short");
}

/* --- Lines ---------------------------------------------------------------- */

static const char *ascii(const char *text, size_t len, apr_pool_t *pool)
{
    dl_buf *out = dl_buf_create(1024, pool);

    if (dl_audit_ascii_put(out, text, len, NULL) != DL_OK) {
        return "failed";
    }
    return apr_pstrmemdup(pool, out->data, out->len);
}

static void test_ascii(apr_pool_t *pool)
{
    is_str(ascii("a\r\n\x1b\0z", 6, pool), "\"a\\u000d\\u000a\\u001b\\u0000z\"",
           "CR, LF, ESC and NUL are escapes");
    is_str(ascii("\xe2\x80\xa8\xe2\x80\xae", 6, pool), "\"\\u2028\\u202e\"",
           "so are U+2028 and what reverses text");
    is_str(ascii("\xf0\x9f\x98\x80", 4, pool), "\"\\ud83d\\ude00\"",
           "a character past U+FFFF is a pair of surrogates");
    is_str(ascii("\xff\xc3\xa9\x80", 4, pool), "\"\\ufffd\\u00e9\\ufffd\"",
           "bytes that are not UTF-8 are U+FFFD");
    is_str(ascii("\"\\", 2, pool), "\"\\\"\\\\\"",
           "quotation mark and backslash are escaped");
    is_str(ascii("\x7f", 1, pool), "\"\\u007f\"", "so is DEL");
}

static void test_entry(apr_pool_t *pool)
{
    dl_audit_entry entry = make_entry("al\xc3\xadz\n\xff", "{\"a\":\"\x1b\"}");
    dl_audit_entry back = {0};
    const struct dl_json_shape *shape = NULL;
    dl_audit_line line = {0};
    dl_buf *out = dl_buf_create(DL_AUDIT_LINE_MAX, pool);
    dl_error err;
    size_t sealed;
    bool match = false;

    is_int(dl_audit_encode(out, &sealed, &entry, &err), DL_OK,
           "an entry becomes a line");
    ok(memchr(out->data, '\n', out->len) == out->data + out->len - 1,
       "which is one line");
    is_int(dl_audit_line_parse(&line, out->data, out->len - 1, &err), DL_OK,
           "that can be taken apart");
    is_int(line.kind, DL_AUDIT_ENTRY, "... as an entry");
    is_int((long long)line.sealed, (long long)sealed,
           "... with the same sealed part");
    ok(dl_audit_shape_create(&shape, &err, pool) == DL_OK &&
           dl_audit_decode(&back, &match, shape, &line, &err, pool) == DL_OK,
       "... and decoded");
    ok(match, "its texts match their hashes");
    is_str(back.text[DL_AUDIT_USER].text, "al\xc3\xadz\n\xef\xbf\xbd",
           "the user is what was put in, as far as it was UTF-8");
    is_str(back.text[DL_AUDIT_BODY].text, "{\"a\":\"\x1b\"}", "the body too");
    ok(back.text[DL_AUDIT_QUERY_PARAMS].text == NULL,
       "a text that was not there is not there");
    ok(back.timestamp == entry.timestamp && back.user_id == 7 &&
           back.status == 201 && back.bytes == 512 && back.duration_ms == 3 &&
           strcmp(back.resource, "transaction_log") == 0 &&
           strcmp(back.action, "grant") == 0,
       "the other members are too");
}

static void test_erasure(apr_pool_t *pool)
{
    dl_audit_entry entry = make_entry("alice", "secret of a person");
    dl_audit_entry back = {0};
    const struct dl_json_shape *shape = NULL;
    dl_audit_line line = {0};
    dl_buf *out = dl_buf_create(DL_AUDIT_LINE_MAX, pool);
    const char *erased;
    dl_error err;
    size_t sealed;
    bool match = false;

    ok(dl_audit_encode(out, &sealed, &entry, &err) == DL_OK &&
           dl_audit_shape_create(&shape, &err, pool) == DL_OK,
       "given the line of a person");
    erased =
        apr_pstrcat(pool, apr_pstrmemdup(pool, out->data, sealed + 10 + 64 + 1),
                    ",\"open\":{}}", NULL);
    is_int(dl_audit_line_parse(&line, erased, strlen(erased), &err), DL_OK,
           "when its open part is taken out, it is still a line");
    ok(dl_audit_decode(&back, &match, shape, &line, &err, pool) == DL_OK &&
           match && back.text[DL_AUDIT_USER].text == NULL,
       "without the texts, and nothing fails to match");
    ok(line.sealed == sealed && memcmp(line.text, out->data, sealed) == 0,
       "and the chain sees the same sealed part");
}

/* --- Files ---------------------------------------------------------------- */

/* Append N entries to FILE and make them durable. */
static bool write_entries(dl_audit_file *file, int n, apr_pool_t *pool)
{
    dl_buf *out = dl_buf_create(DL_AUDIT_LINE_MAX, pool);
    dl_error err = {0};
    size_t sealed;

    for (int i = 0; i < n; i++) {
        dl_audit_entry entry =
            make_entry(i % 2 == 0 ? "alice" : NULL, i % 3 == 0 ? "x" : NULL);

        entry.status = 200 + i;
        out->len = 0;
        if (dl_audit_encode(out, &sealed, &entry, &err) != DL_OK ||
            dl_audit_file_reserve(file, (int64_t)out->len, &err) != DL_OK ||
            dl_audit_file_append(file, out->data, out->len, sealed, &err) !=
                DL_OK ||
            dl_audit_file_write(file, &err) != DL_OK ||
            dl_audit_file_sync(file, &err) != DL_OK ||
            dl_audit_file_settle(file, &err) != DL_OK) {
            printf("# %s\n", err.text);
            return false;
        }
        dl_audit_file_release(file, (int64_t)out->len);
    }
    return true;
}

static void take_fault(void *context, const char *where, int64_t line,
                       const char *what)
{
    fixture *f = context;

    (void)where;
    (void)line;
    if (f->faults++ == 0) {
        apr_cpystrn(f->what, what, sizeof f->what);
    }
}

/* Verify the folder of F with N HEADS; how many faults were told. */
static int64_t verify_with(dl_audit_checked *seen, fixture *f,
                           const dl_audit_head *heads, int n)
{
    dl_audit_check check = {.dir_fd = f->dir_fd,
                            .key = f->key,
                            .heads = heads,
                            .n_heads = n,
                            .context = f,
                            .fault = take_fault};
    apr_pool_t *pool;
    dl_error err;

    apr_pool_create(&pool, f->pool);
    f->faults = 0;
    f->what[0] = '\0';
    if (dl_audit_verify(seen, &check, &err, pool) != DL_OK) {
        f->faults = -1;
    }
    apr_pool_destroy(pool);
    return f->faults;
}

static int64_t verify(fixture *f)
{
    dl_audit_checked seen;

    return verify_with(&seen, f, NULL, 0);
}

/* Write a chain of N entries, ended, rotating at BYTES; return its name. */
static const char *write_chain(fixture *f, int n, int64_t bytes)
{
    const dl_audit_file_options options = {
        .dir_fd = f->dir_fd, .key = f->key, .rotate_bytes = bytes};
    dl_audit_file *file = dl_audit_file_create(&options, f->pool);

    if (!write_entries(file, n, f->pool) ||
        dl_audit_file_end(file, "stopped", NULL) != DL_OK) {
        return "failed";
    }
    return apr_pstrdup(f->pool, dl_audit_file_name(file));
}

static void test_files(apr_pool_t *pool)
{
    dl_audit_checked seen;
    const dl_audit_listed *list;
    fixture f;
    int n = 0;

    fixture_open(&f, pool);
    is_int(verify(&f), 0, "an empty folder has no fault");
    write_chain(&f, 20, 4000);
    ok(dl_audit_folder_list(&list, &n, f.dir_fd, NULL, f.pool) == DL_OK &&
           n > 2 && list[0].stage == DL_AUDIT_FINISHED,
       "a chain that grows goes on in further files");
    is_int(verify_with(&seen, &f, NULL, 0), 0, "and has no fault");
    ok(seen.chains == 1 && seen.files == n && seen.entries == 20 &&
           seen.lines == 20 + 2 * n,
       "every line of every file is seen");
    unlinkat(f.dir_fd, list[1].name, 0);
    ok(verify(&f) > 0 && strstr(f.what, "missing") != NULL,
       "a file that was taken out is told");
    fixture_close(&f);
}

/* Set NAME to the name of the only file of F; return its stage. */
static dl_audit_stage only_file(char name[DL_AUDIT_FILE_NAME], fixture *f)
{
    const dl_audit_listed *list;
    int n;

    if (dl_audit_folder_list(&list, &n, f->dir_fd, NULL, f->pool) != DL_OK ||
        n != 1) {
        abort();
    }
    memcpy(name, list[0].name, DL_AUDIT_FILE_NAME);
    return list[0].stage;
}

/* The same, and its bytes in DATA; how many. */
static size_t read_only_file(char name[DL_AUDIT_FILE_NAME], char *data,
                             fixture *f)
{
    ssize_t got;
    int fd;

    (void)only_file(name, f);
    fd = openat(f->dir_fd, name, O_RDONLY);
    got = read(fd, data, FILE_MAX);
    close(fd);
    return got < 0 ? 0 : (size_t)got;
}

/* Make LEN bytes of DATA the file NAME of F. */
static void put_file(fixture *f, const char *name, const char *data, size_t len)
{
    audit_spit(apr_psprintf(f->pool, "%s/%s", f->path, name), data, len);
}

static void test_damage(apr_pool_t *pool)
{
    static char data[FILE_MAX];
    static char bad[FILE_MAX];
    char name[DL_AUDIT_FILE_NAME];
    int missed = 0;
    fixture f;
    size_t len;

    fixture_open(&f, pool);
    write_chain(&f, 3, 0);
    len = read_only_file(name, data, &f);
    ok(len > 1000 && verify(&f) == 0, "given a whole file");
    for (size_t i = 0; i < len; i++) {
        memcpy(bad, data, len);
        bad[i] = (char)(bad[i] ^ (1 << (i % 7)));
        put_file(&f, name, bad, len);
        if (verify(&f) == 0) {
            printf("# not found: byte %zu of %zu\n", i, len);
            missed++;
        }
    }
    is_int(missed, 0, "every flipped bit is found");
    for (size_t i = 0; i < len; i++) {
        put_file(&f, name, data, i);
        missed += verify(&f) == 0 ? 1 : 0;
    }
    is_int(missed, 0, "every cut is found");
    put_file(&f, name, data, len);
    is_int(verify(&f), 0, "what was not touched has no fault");
    fixture_close(&f);
}

/* The place behind line N of the LEN bytes at DATA. */
static size_t behind_line(const char *data, size_t len, int n)
{
    size_t at = 0;

    while (n-- > 0 && at < len) {
        at = (size_t)((const char *)memchr(data + at, '\n', len - at) - data) +
             1;
    }
    return at;
}

static void test_lines_moved(apr_pool_t *pool)
{
    static char data[FILE_MAX];
    static char bad[FILE_MAX];
    char name[DL_AUDIT_FILE_NAME];
    fixture f;
    size_t len;
    size_t two;
    size_t three;
    size_t four;

    fixture_open(&f, pool);
    write_chain(&f, 4, 0);
    len = read_only_file(name, data, &f);
    two = behind_line(data, len, 2);
    three = behind_line(data, len, 3);
    four = behind_line(data, len, 4);
    memcpy(bad, data, two);
    memcpy(bad + two, data + three, len - three);
    put_file(&f, name, bad, len - (three - two));
    ok(verify(&f) > 0, "a line that was taken out is found");
    memcpy(bad, data, three);
    memcpy(bad + three, data + two, len - two);
    put_file(&f, name, bad, len + (three - two));
    ok(verify(&f) > 0, "a line that is there twice is found");
    memcpy(bad, data, two);
    memcpy(bad + two, data + three, four - three);
    memcpy(bad + two + (four - three), data + two, three - two);
    memcpy(bad + four, data + four, len - four);
    put_file(&f, name, bad, len);
    ok(verify(&f) > 0, "two lines that were exchanged are found");
    fixture_close(&f);
}

static void test_heads(apr_pool_t *pool)
{
    static char data[FILE_MAX];
    char name[DL_AUDIT_FILE_NAME];
    dl_audit_head head = {.length = 3};
    dl_audit_checked seen;
    dl_audit_line line = {0};
    fixture f;
    size_t len;
    size_t at;

    fixture_open(&f, pool);
    apr_cpystrn(head.chain, write_chain(&f, 3, 0), sizeof head.chain);
    len = read_only_file(name, data, &f);
    at = behind_line(data, len, 2);
    if (dl_audit_line_parse(&line, data + at,
                            behind_line(data, len, 3) - at - 1,
                            NULL) == DL_OK) {
        memcpy(head.value, line.value, sizeof head.value);
    }
    is_int(verify_with(&seen, &f, &head, 1), 0, "the right head has no fault");
    is_int(seen.heads, 1, "and was compared");
    head.value[31] ^= 1;
    ok(verify_with(&seen, &f, &head, 1) == 1 &&
           strstr(f.what, "computed anew") != NULL,
       "a chain that was computed anew is found by its head");
    head.length = 6;
    ok(verify_with(&seen, &f, &head, 1) == 1 &&
           strstr(f.what, "cut off") != NULL,
       "a chain shorter than its head is found");
    unlinkat(f.dir_fd, name, 0);
    ok(verify_with(&seen, &f, &head, 1) == 1 && strstr(f.what, "gone") != NULL,
       "a chain without any file is found");
    fixture_close(&f);
}

/* --- Killed processes ----------------------------------------------------- */

static void test_take_over(apr_pool_t *pool)
{
    static char data[FILE_MAX];
    char name[DL_AUDIT_FILE_NAME];
    dl_audit_file *file;
    apr_pool_t *child;
    fixture f;
    int n = 0;
    int fd;

    fixture_open(&f, pool);
    apr_pool_create(&child, f.pool);
    file = dl_audit_file_create(
        &(dl_audit_file_options){.dir_fd = f.dir_fd, .key = f.key}, child);
    ok(write_entries(file, 3, f.pool), "given a chain that is being written");
    is_int(verify(&f), 0, "it has no fault while it is locked");
    is_int(dl_audit_take_over(&n, f.dir_fd, f.key, NULL, f.pool), DL_OK,
           "when somebody looks for files of killed processes");
    is_int(n, 0, "he leaves it alone");
    apr_pool_destroy(child); /* the lock goes, as with kill -9 */
    ok(verify(&f) == 1 && strstr(f.what, "killed") != NULL,
       "a file whose process is gone is told");
    only_file(name, &f);
    fd = openat(f.dir_fd, name, O_WRONLY | O_APPEND);
    ok(write(fd, "{\"timestamp\":\"2026", 18) == 18, "with a torn line");
    close(fd);
    ok(dl_audit_take_over(&n, f.dir_fd, f.key, NULL, f.pool) == DL_OK && n == 1,
       "it is ended");
    is_int(verify(&f), 0, "and has no fault any more");
    is_int(only_file(name, &f), DL_AUDIT_FINISHED, "it has its final name");
    fd = openat(f.dir_fd, name, O_RDONLY);
    n = (int)read(fd, data, sizeof data - 1);
    close(fd);
    data[n < 0 ? 0 : n] = '\0';
    ok(strstr(data, "{\"end\":\"taken-over\",\"cut\":18,") != NULL,
       "its end says that 18 bytes were cut");
    fixture_close(&f);
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    dl_log_install(audit_quiet, NULL, DL_LOG_DEBUG);
    test_chain(pool);
    test_ascii(pool);
    test_entry(pool);
    test_erasure(pool);
    test_files(pool);
    test_damage(pool);
    test_lines_moved(pool);
    test_heads(pool);
    test_take_over(pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
