/* mdl_thread.c - A pool of its own, a lock that spins.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_thread.h"

#include <stdlib.h>

apr_pool_t *mdl_thread_pool(void)
{
    apr_pool_t *pool;

    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS) {
        abort();
    }
    return pool;
}

void mdl_thread_mutex_init(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}
