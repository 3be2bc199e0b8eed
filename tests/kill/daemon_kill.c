/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rule C32 against the real daemon: it is killed at random moments while threads
 * use it, and whatever was answered must be found with the next one.
 *
 *     daemon_kill [KILLS [SEED]]
 *
 * The threads (load.h) judge every answer against what they were told before.
 * Every so many kills they rest, and everything is compared: pages, pools,
 * members, quotas, the engine's own invariants, and the histories of pages that
 * all of them write. Some daemons are killed while they still start. The seed
 * repeats the decisions, not the moments of the system.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "tests/conformance/operator.h"
#include "tests/kill/load.h"
#include "tests/lib/daemon_run.h"
#include "tests/lib/random.h"

#define KILLS             200u
#define KILLS_PER_VERIFY  20u
#define KILLS_TO_MEET_ALL 50u
#define MOST_TIMES        3u
#define STRANGER          9u /* a device that nobody allowed anything */

static const char *const args[] = {"--memory",    "32M",   "--local-quota", "4M", "--workers", "2",
                                   "--log-level", "error", "--local-max",   "4M", NULL};

struct test {
    struct run run;
    struct daemon_run daemon;
    struct load_device devices[RUN_DEVICES];
    struct load loads[RUN_THREADS];
    uint64_t random;
    unsigned nr_kills, nr_in_start;
};

static struct tmemctl_who who_is(unsigned device)
{
    return (struct tmemctl_who){.kind = TMEMCTL_LOCAL, .id = getuid(), .device = device};
}

static struct xentmem *open_operator(struct test *t)
{
    char where[128];
    struct xentmem *control;

    snprintf(where, sizeof(where), "local:%s", t->daemon.socket);
    control = xentmem_open(where, XENTMEM_OPEN_CONTROL, NULL);
    if (!control)
        run_fail(&t->run, "the operator is not admitted");
    return control;
}

/* Shared pools' policy and rights are said again to every daemon; private quotas are its own. */
static void say_rights(struct test *t)
{
    const struct policy policy = {
        .quota_pages = 64, .max_pages = RUN_THREADS * LOAD_CACHED, .weight = 256};
    static const uint8_t bytes[] = {LOAD_COMMON_BYTE, LOAD_CACHE_BYTE};
    struct xentmem *control = open_operator(t);
    bool ok = control != NULL;

    for (unsigned i = 0; ok && i < sizeof(bytes); i++) {
        uint8_t uuid[XENTMEM_UUID_LEN];

        memset(uuid, bytes[i], sizeof(uuid));
        ok = operator_set_shared(control, uuid, &policy);
        for (unsigned device = 0; device < RUN_DEVICES; device++) {
            const struct tmemctl_who who = who_is(device);

            ok = ok && operator_allow(control, uuid, &who, RIGHT_FILL);
        }
    }
    xentmem_close(control);
    if (!ok)
        run_fail(&t->run, "the operator was refused");
}

/* ---- everything at rest ---- */

/* The records of one list; the whole of it fits one reply. */
static unsigned list(struct xentmem *control, uint32_t command, void *reply, size_t room)
{
    struct tmemctl_plain m = {.head = {.command = command, .length = sizeof(m)}};
    const struct tmemctl_reply *head = reply;

    if (xentmem_control(control, &m, sizeof(m), reply, &room) != XENTMEM_OK || head->cursor != 0)
        return 0;
    return head->count;
}

static union {
    struct tmemctl_reply head;
    uint8_t bytes[TMEMCTL_MAX_REPLY];
    uint64_t align;
} reply;

static void verify_guests(struct test *t, struct xentmem *control, const uint64_t *nr_pages)
{
    unsigned nr = list(control, TMEMCTL_LIST_GUESTS, &reply, sizeof(reply)), nr_seen = 0;
    const struct tmemctl_guest *g = (const void *)(reply.bytes + sizeof(reply.head));

    for (unsigned i = 0; i < nr; i++) {
        unsigned device = g[i].guest.device;

        if (device >= RUN_DEVICES)
            continue;
        nr_seen++;
        if (g[i].policy.quota_pages != RUN_QUOTA_PAGES)
            run_fail(&t->run, "device %u: the quota is %llu", device,
                     (unsigned long long)g[i].policy.quota_pages);
        if (g[i].persistent_pages != nr_pages[device])
            run_fail(&t->run, "device %u: charged with %llu pages and holds %llu", device,
                     (unsigned long long)g[i].persistent_pages,
                     (unsigned long long)nr_pages[device]);
    }
    if (nr_seen != RUN_DEVICES)
        run_fail(&t->run, "%u attachments are known, not %u", nr_seen, RUN_DEVICES);
}

static void verify_pools(struct test *t, struct xentmem *control)
{
    unsigned nr = list(control, TMEMCTL_LIST_POOLS, &reply, sizeof(reply));
    const struct tmemctl_pool *p = (const void *)(reply.bytes + sizeof(reply.head));
    unsigned nr_private[RUN_DEVICES] = {0}, nr_shared = 0;

    for (unsigned i = 0; i < nr; i++) {
        if (p[i].owner.kind == 0) {
            nr_shared++;
            if (p[i].nr_members != RUN_DEVICES)
                run_fail(&t->run, "a shared pool has %u members, not %u", p[i].nr_members,
                         RUN_DEVICES);
        } else if (p[i].owner.device < RUN_DEVICES) {
            unsigned device = p[i].owner.device;

            nr_private[device]++;
            if (p[i].pool_id != t->devices[device].private_pool &&
                !(t->devices[device].other_pools >> p[i].pool_id & 1))
                run_fail(&t->run, "device %u: there is a pool %u that nobody was told of", device,
                         p[i].pool_id);
        }
    }
    if (nr_shared != 2)
        run_fail(&t->run, "%u shared pools are there, not 2", nr_shared);
    for (unsigned device = 0; device < RUN_DEVICES; device++) {
        unsigned want = 1 + (unsigned)__builtin_popcountll(t->devices[device].other_pools);

        if (nr_private[device] != want)
            run_fail(&t->run, "device %u has %u private pools, not %u", device, nr_private[device],
                     want);
    }
}

/* Just as many pages more as the quota leaves are taken; and no page is found under another's name.
 */
static void verify_quota(struct test *t, struct load_device *d, uint64_t nr_pages)
{
    const struct xentmem_object more = {{1000, 0, 0}}, others = {{1 - d->number, 0, 77}};
    uint64_t page[XENTMEM_PAGE_SIZE / 8], nr = 0;

    for (uint32_t index = 0; index < LOAD_PAGES; index++) {
        if (xentmem_get(d->t, d->private_pool, &others, index, page) != XENTMEM_MISS)
            run_fail(&t->run, "device %u finds page %u of device %u", d->number, index,
                     1 - d->number);
    }
    for (; nr <= RUN_QUOTA_PAGES; nr++) {
        memset(page, 0, sizeof(page));
        page[0] = nr;
        if (xentmem_put(d->t, d->private_pool, &more, (uint32_t)nr, page) != XENTMEM_OK)
            break;
    }
    if (nr_pages + nr != RUN_QUOTA_PAGES)
        run_fail(&t->run, "device %u holds %llu pages, may hold %u, and could put %llu", d->number,
                 (unsigned long long)nr_pages, RUN_QUOTA_PAGES, (unsigned long long)nr);
    if (xentmem_flush_object(d->t, d->private_pool, &more) != XENTMEM_OK)
        run_fail(&t->run, "device %u: a flush was refused", d->number);
}

static void verify_stranger(struct test *t)
{
    uint8_t uuid[XENTMEM_UUID_LEN];
    struct xentmem *x;
    uint32_t pool;
    char where[128];

    memset(uuid, LOAD_COMMON_BYTE, sizeof(uuid));
    snprintf(where, sizeof(where), "local:%s:%u", t->daemon.socket, STRANGER);
    x = xentmem_open(where, 0, NULL);
    if (!x || xentmem_pool_join(x, uuid, XENTMEM_PERSISTENT, &pool) != XENTMEM_NOT_ALLOWED)
        run_fail(&t->run, "somebody joins a pool without having been allowed to");
    xentmem_close(x);
}

static void verify_histories(struct test *t)
{
    struct history_notes notes[RUN_THREADS];

    load_settle_common(&t->loads[0]);
    for (unsigned i = 0; i < RUN_THREADS; i++)
        notes[i] = t->loads[i].notes;
    if (!history_judge_all(notes, RUN_THREADS, LOAD_COMMON, false))
        run_fail(&t->run, "a history of the common pool is impossible");
    for (unsigned i = 0; i < RUN_THREADS; i++)
        t->loads[i].notes.nr = 0;
}

/* What a run must have met, of all its threads. */
struct met {
    uint64_t nr_quota, nr_stale, nr_emptied, nr_waits;
};

/* While the threads rest, or when they have ended. */
static struct met what_was_met(const struct test *t)
{
    struct met met = {0};

    for (unsigned i = 0; i < RUN_THREADS; i++) {
        met.nr_quota += t->loads[i].nr_quota;
        met.nr_stale += t->loads[i].nr_stale;
        met.nr_emptied += t->loads[i].nr_emptied;
        met.nr_waits += t->loads[i].nr_waits;
    }
    return met;
}

static bool all_was_met(const struct test *t)
{
    const struct met met = what_was_met(t);

    return met.nr_quota && met.nr_stale && met.nr_emptied && met.nr_waits;
}

/*
 * A run in which nothing happened proves nothing: on a slow machine it takes more kills
 * until there is no room left. One that was asked to be short is as short as that.
 */
static bool is_enough(const struct test *t, unsigned nr_kills)
{
    if (t->nr_kills < nr_kills)
        return false;
    return nr_kills < KILLS_TO_MEET_ALL || all_was_met(t) || t->nr_kills >= MOST_TIMES * nr_kills;
}

/* True: that was enough, or it has failed. */
static bool verify(struct test *t, unsigned nr_kills)
{
    uint64_t nr_pages[RUN_DEVICES] = {0};
    struct xentmem *control;
    const char *why;
    bool enough;

    run_rest(&t->run, RUN_THREADS);
    if (atomic_load(&t->run.failed))
        return true;
    for (unsigned i = 0; i < RUN_THREADS; i++)
        nr_pages[t->loads[i].device->number] += load_verify(&t->loads[i]);
    verify_histories(t);
    control = open_operator(t);
    if (control) {
        verify_guests(t, control, nr_pages);
        verify_pools(t, control);
        why = operator_check(control);
        if (why)
            run_fail(&t->run, "the engine's invariants: %s", why);
        xentmem_close(control);
    }
    for (unsigned device = 0; device < RUN_DEVICES; device++)
        verify_quota(t, &t->devices[device], nr_pages[device]);
    verify_stranger(t);
    enough = is_enough(t, nr_kills);
    run_go_on(&t->run);
    return enough;
}

/* ---- killing ---- */

static uint32_t below(struct test *t, uint32_t limit)
{
    return seeded_below(&t->random, limit);
}

/* Short lives are as likely as those in which much happens. */
static unsigned choose_life_us(struct test *t)
{
    static const unsigned most[] = {1000, 5000, 50000, 200000};

    return below(t, most[below(t, sizeof(most) / sizeof(most[0]))]);
}

static bool start(struct test *t)
{
    /* one in eight does not come as far as serving somebody */
    while (t->nr_kills > 0 && below(t, 8) == 0) {
        if (!daemon_run_spawn(&t->daemon, args))
            return false;
        usleep(below(t, 15000));
        daemon_run_kill(&t->daemon);
        t->nr_in_start++;
    }
    return daemon_run_start(&t->daemon, args);
}

static void kill_once(struct test *t)
{
    /* and one in eight dies before the operator has told it of shared pools */
    if (below(t, 8) != 0)
        say_rights(t);
    usleep(choose_life_us(t));
    if (atomic_load(&t->run.failed))
        return;
    atomic_fetch_add(&t->run.kills_begun, 1);
    daemon_run_kill(&t->daemon);
    atomic_fetch_add(&t->run.kills_done, 1);
    t->nr_kills++;
    if (!start(t))
        run_fail(&t->run, "the daemon does not start again");
}

static bool set_up(struct test *t)
{
    if (!daemon_run_init(&t->daemon) || !daemon_run_start(&t->daemon, args)) {
        run_fail(&t->run, "the daemon does not start");
        return false;
    }
    say_rights(t);
    for (unsigned device = 0; device < RUN_DEVICES; device++) {
        char where[128];

        snprintf(where, sizeof(where), "local:%s:%u", t->daemon.socket, device);
        if (!load_open_device(&t->run, &t->devices[device], where, device, LOAD_COMMON_BYTE))
            return false;
    }
    for (unsigned i = 0; i < RUN_THREADS; i++) {
        t->loads[i] = (struct load){.run = &t->run,
                                    .device = &t->devices[i % RUN_DEVICES],
                                    .number = i / RUN_DEVICES,
                                    .random = t->run.seed + i + 1};
        if (pthread_create(&t->loads[i].thread, NULL, load_main, &t->loads[i]) != 0) {
            run_fail(&t->run, "no thread");
            return false;
        }
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* How long requests took that a kill came between: to be known, not to be judged. */
static void print_waits(const struct test *t)
{
    size_t nr = 0, at = 0;
    uint32_t *all;

    for (unsigned i = 0; i < RUN_THREADS; i++)
        nr += t->loads[i].nr_waits;
    all = calloc(nr + 1, sizeof(*all));
    for (unsigned i = 0; all && i < RUN_THREADS; i++) {
        if (t->loads[i].nr_waits > 0)
            memcpy(all + at, t->loads[i].waits, t->loads[i].nr_waits * sizeof(*all));
        at += t->loads[i].nr_waits;
    }
    if (all && nr > 0) {
        qsort(all, nr, sizeof(*all), compare);
        printf(
            "requests that a kill came between: %zu; they took %u us (median), %u us (the longest "
            "of 99 in 100), %u us at most\n",
            nr, all[nr / 2], all[nr * 99 / 100], all[nr - 1]);
    }
    free(all);
}

static void demand_that_all_was_met(struct test *t)
{
    const struct met met = what_was_met(t);

    printf("operations %llu, refused by quota %llu, stale leases %llu, cached pages gone %llu, "
           "daemons killed in their start %u\n",
           (unsigned long long)atomic_load(&t->run.nr_operations), (unsigned long long)met.nr_quota,
           (unsigned long long)met.nr_stale, (unsigned long long)met.nr_emptied, t->nr_in_start);
    if (t->nr_kills >= KILLS_TO_MEET_ALL && !all_was_met(t))
        run_fail(&t->run, "too little was tried");
}

static void tear_down(struct test *t)
{
    run_go_on(&t->run);
    atomic_store(&t->run.stop, true);
    for (unsigned i = 0; i < RUN_THREADS; i++) {
        if (t->loads[i].run)
            pthread_join(t->loads[i].thread, NULL);
    }
    print_waits(t);
    demand_that_all_was_met(t);
    for (unsigned i = 0; i < RUN_THREADS; i++) {
        history_free(&t->loads[i].notes, 1);
        free(t->loads[i].waits);
    }
    for (unsigned device = 0; device < RUN_DEVICES; device++)
        xentmem_close(t->devices[device].t);
    daemon_run_fini(&t->daemon);
}

int main(int argc, char **argv)
{
    static struct test t = {
        .run = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER}};
    unsigned nr_kills = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : KILLS;

    if (argc > 2)
        t.run.seed = strtoull(argv[2], NULL, 0);
    else if (getrandom(&t.run.seed, sizeof(t.run.seed), 0) != (ssize_t)sizeof(t.run.seed))
        return 1;
    t.random = t.run.seed;
    printf("daemon_kill: %u kills, seed %llu\n", nr_kills, (unsigned long long)t.run.seed);
    fflush(stdout);

    if (set_up(&t)) {
        bool enough = nr_kills == 0;

        while (!enough && !atomic_load(&t.run.failed)) {
            kill_once(&t);
            if (t.nr_kills % KILLS_PER_VERIFY == 0 || t.nr_kills == nr_kills) {
                say_rights(&t);
                enough = verify(&t, nr_kills);
            }
        }
    }
    tear_down(&t);
    if (atomic_load(&t.run.failed))
        return 1;
    printf("ok c32_whatever_was_answered_survives_%u_kills\n", t.nr_kills);
    return 0;
}
