/* test_error.c - Failures carry status, reason and added facts.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_buf.h"
#include "dl_error.h"

#include "tap.h"

#include <errno.h>
#include <stdlib.h>

#include <apr_general.h>

static void test_sentences(void)
{
    dl_error err = {0};

    is_int(dl_fail(&err, DL_IO, ENOENT, "cannot open %s", "x"), DL_IO,
           "a failure returns its status");
    is_str(err.text, "cannot open x: No such file or directory",
           "the system's reason follows the sentence");
    is_int(dl_wrap(&err, "part %d", 3), DL_IO, "a wrap keeps the status");
    is_str(err.text, "part 3: cannot open x: No such file or directory",
           "a wrap puts its fact in front");
    is_str(dl_status_name(DL_INTERNAL), "internal", "each status has a name");
    is_int(dl_fail(NULL, DL_BUSY, 0, "x"), DL_BUSY,
           "a caller without interest in the reason passes NULL");
}

static void test_buffer(apr_pool_t *pool)
{
    dl_error err = {0};
    dl_buf *buf = dl_buf_create(300, pool);

    is_int(dl_buf_append(buf, "abc", 3, &err), DL_OK, "bytes are appended");
    is_int((long long)buf->len, 3, "the length counts them");
    is_int(dl_buf_reserve(buf, 298, &err), DL_LIMIT,
           "growing past the bound is refused");
    is_int((long long)buf->len, 3, "a refusal changes nothing");
    is_int(dl_buf_reserve(buf, 297, &err), DL_OK,
           "the bound itself is allowed");
}

int main(void)
{
    apr_pool_t *pool;

    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return EXIT_FAILURE;
    }
    test_sentences();
    test_buffer(pool);
    apr_terminate();
    return done();
}
