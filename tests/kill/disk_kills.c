/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A manager of one disk is killed again and again while two workers write and the control thread
 * freezes.
 *
 *     disk_kills [KILLS [SEED]]
 *
 * Each next one must find every acknowledged write under the disk, and in each base what was
 * acknowledged before it was frozen. Tags of a page only grow, so "not older" is the whole check.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/lib/random.h"
#include "tests/unit/disk_world.h"

#define NR_WORKERS 2u
#define NR_PAGES   200u /* of each worker */
#define NR_BASES   20u  /* then all begins anew */
#define DOMID      7u
#define VERIFIER   2u /* the control thread's number */

/* What outlives a manager, but for its segments. */
struct shared {
    _Atomic uint64_t acknowledged[NR_WORKERS][NR_PAGES];
    uint64_t frozen[NR_BASES][NR_WORKERS][NR_PAGES]; /* the same, before each freeze */
    _Atomic unsigned nr_asked;  /* freezes that have begun; the last may not have happened */
    _Atomic unsigned nr_frozen; /* freezes that were answered */
    _Atomic bool clearing;      /* all goes: nothing is promised */
    _Atomic bool ready;         /* the manager has checked what it found */
    _Atomic uint64_t nr_writes, nr_freezes, nr_rounds;
    _Atomic uint64_t tag;
};

static struct shared *shared;

struct manager {
    struct disk_world dw;
    struct disk *disk;
    pthread_t threads[NR_WORKERS];
    _Atomic bool stop;
};

static const struct timespec moment = {.tv_nsec = 300000};

struct writer {
    struct manager *m;
    unsigned worker;
    uint64_t random;
};

static _Noreturn void broken(const char *what, unsigned long a, unsigned long b)
{
    printf("not ok disk_kills: %s (%lu, %lu)\n", what, a, b);
    fflush(stdout);
    _exit(1);
}

static uint32_t page_of(unsigned worker, uint32_t n)
{
    return n * NR_WORKERS + worker;
}

static void base_name(unsigned n, char name_out[16])
{
    snprintf(name_out, 16, "b%u", n);
}

/* ---- checks ---- */

static void check_disk(struct disk *d, const uint64_t (*least)[NR_PAGES], const char *what)
{
    uint64_t buffer[DISK_PAGE_SIZE / sizeof(uint64_t)];

    for (unsigned w = 0; w < NR_WORKERS; w++) {
        for (uint32_t n = 0; n < NR_PAGES; n++) {
            if (disk_read(d, VERIFIER, page_of(w, n), buffer) != DISK_OK)
                broken("a page cannot be read", w, n);
            if (buffer[0] < least[w][n] || buffer[0] != buffer[DISK_PAGE_SIZE / 8 - 1])
                broken(what, buffer[0], least[w][n]);
        }
    }
}

static void check_all(struct manager *m)
{
    uint64_t least[NR_WORKERS][NR_PAGES];
    struct disk_info info;
    char name[16];

    if (m->dw.found.lost)
        broken("something is lost", m->dw.found.lost, 0);
    if (m->dw.found.undone > 2)
        broken("more than one change was cut off", m->dw.found.undone, 0);
    for (unsigned w = 0; w < NR_WORKERS; w++) {
        for (uint32_t n = 0; n < NR_PAGES; n++)
            least[w][n] = shared->acknowledged[w][n];
    }
    check_disk(m->disk, least, "the disk is older than what was acknowledged");
    for (unsigned n = 0; n < shared->nr_asked; n++) {
        struct disk *d;

        base_name(n, name);
        if (!find_info(&m->dw, true, name, 0, &info)) {
            if (n < shared->nr_frozen)
                broken("a base is missing", n, shared->nr_frozen);
            shared->nr_asked = n;
            break;
        }
        d = open_disk(&m->dw, clone_of(name, ""), DOMID + 1);
        if (!d)
            broken("a base cannot be cloned", n, 0);
        check_disk(d, shared->frozen[n], "a base is older than what was acknowledged");
        disks_close(m->dw.disks, d, DISK_ENDED);
    }
    shared->nr_frozen = shared->nr_asked;
    if (engine_check(m->dw.w.e))
        broken(engine_check(m->dw.w.e), 0, 0);
}

/* ---- a manager's life ---- */

static void *write_on(void *arg)
{
    struct writer *w = arg;
    uint64_t buffer[DISK_PAGE_SIZE / sizeof(uint64_t)];

    while (!atomic_load(&w->m->stop)) {
        uint32_t n = (uint32_t)(seeded_next(&w->random) % NR_PAGES);
        uint64_t tag = atomic_fetch_add(&shared->tag, 1) + 1;

        for (unsigned i = 0; i < DISK_PAGE_SIZE / 8; i++)
            buffer[i] = tag;
        buffer[1] = n; /* or it would be one word over and over */
        if (disk_write(w->m->disk, w->worker, page_of(w->worker, n), buffer) != DISK_OK)
            broken("a write was refused", w->worker, n);
        atomic_store(&shared->acknowledged[w->worker][n], tag);
        atomic_fetch_add(&shared->nr_writes, 1);
    }
    return NULL;
}

/* Everything goes, in whatever state it is. */
static void clear(struct manager *m)
{
    char name[16];

    shared->clearing = true;
    if (m->disk)
        disks_close(m->dw.disks, m->disk, DISK_ENDED);
    forget_disk(&m->dw, DOMID);
    forget_disk(&m->dw, DOMID + 1);
    for (unsigned n = NR_BASES; n-- > 0;) {
        base_name(n, name);
        (void)base_remove(m->dw.disks, name);
    }
    reclaim_all(&m->dw.w);
    if (nr_listed(&m->dw) != 0 || frames_used(&m->dw.w) != 0)
        broken("something stays", nr_listed(&m->dw), frames_used(&m->dw.w));
    memset(shared->acknowledged, 0, sizeof(shared->acknowledged));
    shared->nr_asked = 0;
    shared->nr_frozen = 0;
    shared->nr_rounds++;
    m->disk = open_disk(&m->dw, swap_of(NR_PAGES * NR_WORKERS), DOMID);
    if (!m->disk)
        broken("no disk", 0, 0);
    shared->clearing = false;
}

static void freeze_one(struct manager *m)
{
    const struct disk_ref ref = ref_of("", DOMID);
    unsigned n = shared->nr_frozen;
    char name[16];

    base_name(n, name);
    for (unsigned w = 0; w < NR_WORKERS; w++) {
        for (uint32_t i = 0; i < NR_PAGES; i++)
            shared->frozen[n][w][i] = atomic_load(&shared->acknowledged[w][i]);
    }
    shared->nr_asked = n + 1;
    if (base_freeze(m->dw.disks, &ref, name, n + 1) != TMEMIF_OK)
        broken("a freeze was refused", n, 0);
    shared->nr_frozen = n + 1;
    shared->nr_freezes++;
}

static _Noreturn void live(struct manager *m, uint64_t random)
{
    struct writer writers[NR_WORKERS];

    /* the store is that of whoever forked us, with the pages that it left */
    disk_world_restart(&m->dw);
    if (!shared->clearing)
        m->disk = open_disk(&m->dw, swap_of(NR_PAGES * NR_WORKERS), DOMID);
    if (shared->clearing || shared->nr_frozen + 1 >= NR_BASES)
        clear(m);
    if (!m->disk)
        broken("the disk is not there", 0, 0);
    check_all(m);
    for (unsigned w = 0; w < NR_WORKERS; w++) {
        writers[w] = (struct writer){.m = m, .worker = w, .random = random + w};
        WORLD_MUST(pthread_create(&m->threads[w], NULL, write_on, &writers[w]) == 0);
    }
    shared->ready = true;
    for (;;) {
        if (shared->nr_frozen < NR_BASES)
            freeze_one(m);
        nanosleep(&moment, NULL);
    }
}

int main(int argc, char **argv)
{
    unsigned long nr_kills = argc > 1 ? strtoul(argv[1], NULL, 0) : 150;
    static struct manager m; /* for the whole run: no leak at its end */
    uint64_t seed, random;

    m.dw = disk_world_make(16384, 64);
    WORLD_MUST(getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed));
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 0);
    random = seed;
    printf("disk_kills: %lu kills, seed %llu\n", nr_kills, (unsigned long long)seed);
    fflush(stdout);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    WORLD_MUST(shared != MAP_FAILED);
    shared->clearing = true;

    for (unsigned long n = 0; n < nr_kills; n++) {
        struct timespec life = {.tv_nsec = (long)(seeded_next(&random) % 30000000)};
        bool is_early = seeded_next(&random) % 5 == 0; /* killed while it starts, or soon after */
        uint64_t its_random = seeded_next(&random);
        pid_t pid, ended = 0;
        int status;

        shared->ready = false;
        pid = fork();
        WORLD_MUST(pid >= 0);
        if (pid == 0)
            live(&m, its_random);
        while (!is_early && !shared->ready && ended == 0) {
            nanosleep(&moment, NULL);
            ended = waitpid(pid, &status, WNOHANG);
        }
        nanosleep(&life, NULL);
        kill(pid, SIGKILL);
        if (ended == 0)
            ended = waitpid(pid, &status, 0);
        WORLD_MUST(ended == pid);
        if (!WIFSIGNALED(status))
            return 1; /* it has said why */
    }
    printf("disk_kills: writes %llu, freezes %llu, rounds %llu\n",
           (unsigned long long)shared->nr_writes, (unsigned long long)shared->nr_freezes,
           (unsigned long long)shared->nr_rounds);
    if (nr_kills >= 100 && (shared->nr_writes == 0 || shared->nr_freezes < nr_kills / 10)) {
        printf("not ok disk_kills: hardly anything happened\n");
        return 1;
    }
    printf("ok disk_kills\n");
    return 0;
}
