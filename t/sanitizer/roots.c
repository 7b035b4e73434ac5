/* roots.c - shows the leak checker the memory of pools, which APR maps.
 *
 * The leak checker looks for pointers in what malloc gave, on stacks and among
 * globals.  APR takes the memory of pools by mmap: what only a pool or its
 * clean-up points to would count as lost.  httpd loads it behind libasan, whose
 * own mmap comes here; a fuzz target is linked with it.
 *
 * What is unmapped stays noted: the checker leaves out what is not mapped.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <sanitizer/lsan_interface.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
    long got = syscall(SYS_mmap, addr, len, prot, flags, fd, offset);
    void *memory = got == -1 ? MAP_FAILED : (void *)got;

    if (memory != MAP_FAILED && (flags & MAP_ANONYMOUS) != 0 &&
        (prot & PROT_WRITE) != 0) {
        __lsan_register_root_region(memory, len);
    }
    return memory;
}
