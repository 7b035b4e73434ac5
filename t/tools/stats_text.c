/* stats_text - prints the numbers of all living programs as Prometheus text.
 *
 * usage: stats_text RUN_DIR
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_stats.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <apr_general.h>

int main(int argc, char **argv)
{
    apr_pool_t *pool;
    dl_error err = {0};
    dl_buf *out;
    int fd;

    if (argc != 2 || apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        fprintf(stderr, "usage: stats_text RUN_DIR\n");
        return 2;
    }
    out = dl_buf_create(4 << 20, pool);
    fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || dl_stats_render(out, fd, &err, pool) != DL_OK) {
        fprintf(stderr, "stats_text: %s: %s\n", argv[1], err.text);
        return 1;
    }
    fwrite(out->data, 1, out->len, stdout);
    apr_terminate();
    return 0;
}
