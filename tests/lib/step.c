/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/step.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sanitizers make every way many times as long. */
#define MAX_STEPS 50000000

/* A step is two switches between the processes: much faster on one CPU. */
static void stay_on_one_cpu(void)
{
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET((size_t)sched_getcpu(), &cpus);
    (void)sched_setaffinity(0, sizeof(cpus), &cpus);
}

_Noreturn static void run_act(void (*act)(void *arg), void *arg)
{
    (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    (void)raise(SIGSTOP);
    act(arg);
    (void)raise(SIGSTOP);
    _exit(0);
}

bool step_through(void (*act)(void *arg), bool (*look)(void *arg), void *arg)
{
    cpu_set_t before;
    bool done = false;
    int status = 0;
    pid_t child;

    (void)sched_getaffinity(0, sizeof(before), &before);
    stay_on_one_cpu();
    child = fork();
    if (child == 0)
        run_act(act, arg);
    if (child > 0 && waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
        for (long step = 0; step < MAX_STEPS && !done; step++) {
            if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0 ||
                waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
                break;
            done = WSTOPSIG(status) == SIGSTOP;
            if (!done && (WSTOPSIG(status) != SIGTRAP || !look(arg)))
                break;
        }
        (void)kill(child, SIGKILL);
        (void)waitpid(child, &status, 0);
    }
    (void)sched_setaffinity(0, sizeof(before), &before);
    return done;
}

static int copy_fd(int fd)
{
    int copy = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct stat st;
    void *from, *to;

    if (fstat(fd, &st) < 0 || ftruncate(copy, st.st_size) < 0)
        return -1;
    from = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    to = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, copy, 0);
    memcpy(to, from, (size_t)st.st_size);
    munmap(from, (size_t)st.st_size);
    munmap(to, (size_t)st.st_size);
    return copy;
}

struct store *step_copy_store(const struct store *s)
{
    struct store_damage damage;
    struct store *copy;
    const char *why;
    int fds[STORE_NR_SEGMENTS];

    for (unsigned i = 0; i < STORE_NR_SEGMENTS; i++)
        fds[i] = copy_fd(store_fd(s, (enum store_segment)i));
    return store_open(fds, &copy, &damage, &why) ? copy : NULL;
}

#define NR_FIRST 8u

uint64_t step_fingerprint(struct store *s)
{
    const struct layout_super *super = store_super(s);
    uint64_t x = 0;

#define ADD(value) (x = x * 0x9e3779b97f4a7c15ull + (uint64_t)(value))
    for (page_nr i = 0; i < super->nr_descs; i++)
        ADD(store_desc(s, i)->live);
    for (unsigned i = 0; i < NR_FIRST; i++) {
        ADD(store_pools(s)[i].live);
        ADD(store_pools(s)[i].floor);
        ADD(store_pools(s)[i].epoch);
        ADD(store_tombstones(s)[i].live);
    }
    for (unsigned i = 0; i < NR_FIRST; i++) {
        ADD(store_accounts(s)[i].live);
        for (unsigned id = 0; id < 4; id++)
            ADD(store_accounts(s)[i].pools[id]);
    }
#undef ADD
    return x;
}
