/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static _Atomic uint64_t nr_calls, refuse_at, nr_refused;
static _Atomic uint64_t random_state;
static _Atomic uint32_t chance;
static _Atomic bool refuse_later, has_refused;
static atomic_long nr_pieces, nr_mapped_pages;

void fault_arm(uint64_t nth, bool on)
{
    atomic_store(&nr_calls, 0);
    atomic_store(&has_refused, false);
    atomic_store(&refuse_later, on);
    atomic_store(&refuse_at, nth);
}

void fault_arm_chance(uint32_t per_million, uint64_t seed)
{
    if (seed)
        atomic_store(&random_state, seed);
    atomic_store(&has_refused, false);
    atomic_store(&chance, per_million);
}

bool fault_disarm(void)
{
    atomic_store(&refuse_at, 0);
    atomic_store(&chance, 0);
    return atomic_load(&has_refused);
}

uint64_t fault_nr_refused(void)
{
    return atomic_load(&nr_refused);
}

static bool is_by_chance(void)
{
    uint32_t of_million = atomic_load_explicit(&chance, memory_order_relaxed);
    uint64_t x;

    if (of_million == 0)
        return false;
    x = atomic_fetch_add(&random_state, 0x9e3779b97f4a7c15ull);
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return (x ^ x >> 31) % 1000000 < of_million;
}

/* Is this call to be refused? */
static bool refuses(int error)
{
    uint64_t at = atomic_load(&refuse_at);
    uint64_t nr = atomic_fetch_add(&nr_calls, 1) + 1;

    if (!(at != 0 && (nr == at || (nr > at && atomic_load(&refuse_later)))) && !is_by_chance())
        return false;
    atomic_store(&has_refused, true);
    atomic_fetch_add(&nr_refused, 1);
    errno = error;
    return true;
}

static long count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    long nr = 0;

    while (dir && readdir(dir))
        nr++;
    if (dir)
        closedir(dir);
    return nr;
}

struct fault_held fault_held(void)
{
    return (struct fault_held){atomic_load(&nr_pieces), atomic_load(&nr_mapped_pages), count_fds()};
}

bool fault_nothing_leaked(const struct fault_held *before)
{
    struct fault_held now = fault_held();

    if (now.pieces == before->pieces && now.mapped_pages == before->mapped_pages &&
        now.fds == before->fds)
        return true;
    printf("left: %ld pieces of memory, %ld mapped pages, %ld descriptors\n",
           now.pieces - before->pieces, now.mapped_pages - before->mapped_pages,
           now.fds - before->fds);
    return false;
}

/* ---- the calls ---- */

#define WRAP(result, name, params, args, error, failure)                                           \
    result __real_##name params;                                                                   \
    result __wrap_##name params;                                                                   \
    result __wrap_##name params                                                                    \
    {                                                                                              \
        return refuses(error) ? (failure) : __real_##name args;                                    \
    }

static void *count_piece(void *memory)
{
    if (memory)
        atomic_fetch_add(&nr_pieces, 1);
    return memory;
}

void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes)
{
    return refuses(ENOMEM) ? NULL : count_piece(__real_malloc(bytes));
}

void *__real_calloc(size_t nr, size_t bytes);
void *__wrap_calloc(size_t nr, size_t bytes);
void *__wrap_calloc(size_t nr, size_t bytes)
{
    return refuses(ENOMEM) ? NULL : count_piece(__real_calloc(nr, bytes));
}

void *__real_realloc(void *memory, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes)
{
    void *longer;

    if (refuses(ENOMEM))
        return NULL;
    longer = __real_realloc(memory, bytes);
    if (longer && !memory)
        count_piece(longer);
    return longer;
}

void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return refuses(ENOMEM) ? NULL : count_piece(__real_aligned_alloc(alignment, bytes));
}

void __real_free(void *memory);
void __wrap_free(void *memory);
void __wrap_free(void *memory)
{
    if (memory)
        atomic_fetch_sub(&nr_pieces, 1);
    __real_free(memory);
}

static long pages_of(size_t bytes)
{
    long page = sysconf(_SC_PAGESIZE);

    return ((long)bytes + page - 1) / page;
}

void *__real_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset)
{
    void *memory = refuses(ENOMEM) ? MAP_FAILED : __real_mmap(at, bytes, prot, flags, fd, offset);

    /* at an address that is told it takes the place of what was there */
    if (memory != MAP_FAILED && !(flags & MAP_FIXED))
        atomic_fetch_add(&nr_mapped_pages, pages_of(bytes));
    return memory;
}

int __real_munmap(void *memory, size_t bytes);
int __wrap_munmap(void *memory, size_t bytes);
int __wrap_munmap(void *memory, size_t bytes)
{
    atomic_fetch_sub(&nr_mapped_pages, pages_of(bytes));
    return __real_munmap(memory, bytes);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
    va_list args;
    long value;

    va_start(args, command);
    value = va_arg(args, long); /* whatever it is, it fits a register */
    va_end(args);
    return refuses(EMFILE) ? -1 : __real_fcntl(fd, command, value);
}

int __real_epoll_ctl(int ep, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int ep, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int ep, int op, int fd, struct epoll_event *event)
{
    /* what is there can always be taken out */
    if (op != EPOLL_CTL_DEL && refuses(ENOSPC))
        return -1;
    return __real_epoll_ctl(ep, op, fd, event);
}

WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags), EMFILE, -1)
WRAP(int, ftruncate, (int fd, off_t bytes), (fd, bytes), ENOSPC, -1)
WRAP(int, fallocate, (int fd, int mode, off_t at, off_t bytes), (fd, mode, at, bytes), ENOSPC, -1)
WRAP(int, madvise, (void *memory, size_t bytes, int advice), (memory, bytes, advice), EAGAIN, -1)
WRAP(int, fstat, (int fd, struct stat *st), (fd, st), ENOMEM, -1)
WRAP(off_t, lseek, (int fd, off_t at, int whence), (fd, at, whence), EINVAL, -1)
WRAP(int, socketpair, (int domain, int type, int protocol, int fds[2]),
     (domain, type, protocol, fds), EMFILE, -1)
WRAP(int, eventfd, (unsigned value, int flags), (value, flags), EMFILE, -1)
WRAP(int, epoll_create1, (int flags), (flags), EMFILE, -1)
WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol), EMFILE, -1)
WRAP(int, bind, (int fd, const struct sockaddr *at, socklen_t bytes), (fd, at, bytes), ENOSPC, -1)
WRAP(int, listen, (int fd, int backlog), (fd, backlog), ENOBUFS, -1)
WRAP(int, accept4, (int fd, struct sockaddr *at, socklen_t *bytes, int flags),
     (fd, at, bytes, flags), EMFILE, -1)
WRAP(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags), ENOMEM,
     -1)
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags),
     ENOBUFS, -1)
WRAP(int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attr, void *(*body)(void *), void *argument),
     (thread, attr, body, argument), EAGAIN, EAGAIN)
