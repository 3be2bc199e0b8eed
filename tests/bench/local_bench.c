/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * local_bench.c - gets of a process over the local transport beside memcached on a Unix socket:
 * docs/PERFORMANCE.md says what each figure is.
 *
 *     local_bench [--rounds N] [--apart]
 *
 * Both hold the same pages, and one client thread asks both for random ones, in turns of some
 * milliseconds; of the times of all turns of a round the medians count. Two
 * daemons of ours run: one that polls and one that does not. With --apart the client has
 * the first processor and all servers the second, whatever else runs; else the scheduler
 * places them.
 */
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/util/clock.h"
#include "tests/bench/bed.h"
#include "tests/bench/client.h"
#include "tests/bench/figures.h"
#include "tests/bench/memcached.h"
#include "tests/lib/daemon_run.h"

#define NR_PAGES   65536u /* 256 MiB, larger than a processor's caches */
#define MEMORY_MIB 768u
/* The default of both sides, said aloud: who is bound to one processor would choose 0. */
#define POLL_US  "50"
#define DEPTH    32u
#define TURN     256u /* gets; a multiple of DEPTH */
#define NR_TURNS 40u

_Static_assert(TURN % DEPTH == 0 && DEPTH <= MEMCACHED_DEPTH, "turns are of whole windows");

/* One of our daemons, and a client of it. */
struct ours {
    struct daemon_run daemon;
    struct client client;
};

static void ours_start(struct ours *o, bool polls)
{
    const char *args[] = {"--memory", "384M",      "--local-quota",       "384M", "--log-level",
                          "error",    "--poll-us", polls ? POLL_US : "0", NULL};
    char where[128];

    MUST(daemon_run_init(&o->daemon) && daemon_run_start(&o->daemon, args));
    snprintf(where, sizeof(where), "local:%s", o->daemon.socket);
    client_open(&o->client, where, polls ? atoi(POLL_US) : 0);
}

static void ours_stop(struct ours *o)
{
    client_close(&o->client);
    daemon_run_fini(&o->daemon);
}

/* ---- one turn: @nr_gets of them, a multiple of DEPTH ---- */

typedef void turn_run(void *peer, const uint32_t *pages, unsigned nr_gets);

static void ours_one(void *peer, const uint32_t *pages, unsigned nr_gets)
{
    struct ours *o = peer;

    client_get_each(&o->client, pages, nr_gets);
}

static void ours_window(void *peer, const uint32_t *pages, unsigned nr_gets)
{
    struct ours *o = peer;

    client_get_window(&o->client, pages, nr_gets);
}

/* As memcached's multi-get. */
static void ours_vector(void *peer, const uint32_t *pages, unsigned nr_gets)
{
    struct ours *o = peer;

    client_get_vector(&o->client, pages, nr_gets);
}

static void memcached_one(void *peer, const uint32_t *pages, unsigned nr_gets)
{
    const void *page;

    for (unsigned i = 0; i < nr_gets; i++) {
        memcached_get(peer, &pages[i], 1, &page);
        client_check(page, pages[i]);
    }
}

static void memcached_multi(void *peer, const uint32_t *pages, unsigned nr_gets)
{
    const void *answers[DEPTH];

    for (unsigned first = 0; first < nr_gets; first += DEPTH) {
        memcached_get(peer, pages + first, DEPTH, answers);
        for (unsigned i = 0; i < DEPTH; i++)
            client_check(answers[i], pages[first + i]);
    }
}

/* ---- rounds ---- */

/* A way to get pages, and what it was seen to take. */
struct way {
    void *peer;
    turn_run *run;
    pid_t server;
    double ns[NR_TURNS]; /* of one get, each turn of this round */
    uint64_t cpu_ns;     /* of client and server together, this round */
    struct figure us, cpu_us;
};

static uint64_t cpu_ns_of(pid_t pid)
{
    struct timespec ts;
    clockid_t clock;

    MUST(clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &ts) == 0);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void take_turn(struct way *w, unsigned turn, uint64_t *random)
{
    uint32_t pages[TURN];
    uint64_t cpu, begin;

    for (unsigned i = 0; i < TURN; i++)
        pages[i] = random_below(random, NR_PAGES);
    /* a server that slept while others had their turn is awake when ours begins */
    w->run(w->peer, pages, DEPTH);
    cpu = cpu_ns_of(0) + cpu_ns_of(w->server);
    begin = clock_now_ns();
    w->run(w->peer, pages, TURN);
    w->ns[turn] = (double)(clock_now_ns() - begin) / TURN;
    w->cpu_ns += cpu_ns_of(0) + cpu_ns_of(w->server) - cpu;
}

static void take_round(struct way *ways, unsigned nr_ways, uint64_t *random)
{
    for (unsigned i = 0; i < nr_ways; i++)
        ways[i].cpu_ns = 0;
    for (unsigned turn = 0; turn < NR_TURNS; turn++) {
        for (unsigned i = 0; i < nr_ways; i++)
            take_turn(&ways[i], turn, random);
    }
    for (unsigned i = 0; i < nr_ways; i++) {
        figure_add(&ways[i].us, median(ways[i].ns, NR_TURNS) / 1e3);
        figure_add(&ways[i].cpu_us, (double)ways[i].cpu_ns / 1e3 / NR_TURNS / TURN);
    }
}

static void print_speed(const char *name, const struct way *ours, const struct way *theirs)
{
    struct figure f = {.name = name};

    for (unsigned i = 0; i < ours->us.nr; i++)
        figure_add(&f, theirs->us.values[i] / ours->us.values[i]);
    figure_print(&f);
}

enum { OURS_ONE, OURS_NOPOLL, OURS_WINDOW, OURS_VECTOR, THEIRS_ONE, THEIRS_MULTI, NR_WAYS };

static void fill(struct ours *polls, struct ours *sleeps, struct memcached *m)
{
    uint8_t page[TMEMIF_PAGE_SIZE];

    for (uint32_t i = 0; i < NR_PAGES; i++) {
        client_page(page, i);
        client_put_each(&polls->client, &i, 1);
        client_put_each(&sleeps->client, &i, 1);
        memcached_set(m, i, page);
    }
}

enum { CLIENT_CPU, SERVER_CPU };

/* This thread's processor, and that of the processes it starts. */
static void stay_on(unsigned cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    MUST(sched_setaffinity(0, sizeof(set), &set) == 0);
}

static void bench(unsigned rounds, bool apart)
{
    struct ours polls, sleeps;
    struct memcached m;
    uint64_t random = 0xbe9c4;
    struct way ways[NR_WAYS] = {
        [OURS_ONE] = {.peer = &polls,
                      .run = ours_one,
                      .us = {.name = "local_get_depth1_us"},
                      .cpu_us = {.name = "local_get_depth1_cpu_us"}},
        [OURS_NOPOLL] = {.peer = &sleeps,
                         .run = ours_one,
                         .us = {.name = "local_get_depth1_nopoll_us"},
                         .cpu_us = {.name = "local_get_depth1_nopoll_cpu_us"}},
        [OURS_WINDOW] = {.peer = &polls,
                         .run = ours_window,
                         .us = {.name = "local_get_depth32_us"},
                         .cpu_us = {.name = "local_get_depth32_cpu_us"}},
        [OURS_VECTOR] = {.peer = &polls,
                         .run = ours_vector,
                         .us = {.name = "local_get_vector32_us"},
                         .cpu_us = {.name = "local_get_vector32_cpu_us"}},
        [THEIRS_ONE] = {.peer = &m,
                        .run = memcached_one,
                        .us = {.name = "memcached_get_depth1_us"},
                        .cpu_us = {.name = "memcached_get_depth1_cpu_us"}},
        [THEIRS_MULTI] = {.peer = &m,
                          .run = memcached_multi,
                          .us = {.name = "memcached_get_depth32_us"},
                          .cpu_us = {.name = "memcached_get_depth32_cpu_us"}},
    };

    if (apart)
        stay_on(SERVER_CPU);
    ours_start(&polls, true);
    ours_start(&sleeps, false);
    memcached_start(&m, MEMORY_MIB);
    if (apart)
        stay_on(CLIENT_CPU);
    ways[OURS_ONE].server = ways[OURS_WINDOW].server = ways[OURS_VECTOR].server = polls.daemon.pid;
    ways[OURS_NOPOLL].server = sleeps.daemon.pid;
    ways[THEIRS_ONE].server = ways[THEIRS_MULTI].server = m.pid;
    fprintf(stderr, "local: filling\n");
    fill(&polls, &sleeps, &m);
    for (unsigned i = 0; i < rounds; i++) {
        fprintf(stderr, "local: round %u of %u\n", i + 1, rounds);
        take_round(ways, NR_WAYS, &random);
    }
    memcached_stop(&m);
    ours_stop(&polls);
    ours_stop(&sleeps);

    print_speed("local_get_depth1_speed_over_memcached", &ways[OURS_ONE], &ways[THEIRS_ONE]);
    print_speed("local_get_depth1_nopoll_speed_over_memcached", &ways[OURS_NOPOLL],
                &ways[THEIRS_ONE]);
    print_speed("local_get_depth32_speed_over_memcached", &ways[OURS_WINDOW], &ways[THEIRS_MULTI]);
    print_speed("local_get_vector32_speed_over_memcached", &ways[OURS_VECTOR], &ways[THEIRS_MULTI]);
    for (unsigned i = 0; i < NR_WAYS; i++) {
        figure_print(&ways[i].us);
        figure_print(&ways[i].cpu_us);
    }
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"rounds", required_argument, NULL, 'r'}, {"apart", no_argument, NULL, 'a'}, {0}};
    unsigned long rounds = 5;
    bool apart = false, ok = true;
    char *end;
    int c;

    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (c == 'a') {
            apart = true;
        } else if (c == 'r') {
            rounds = strtoul(optarg, &end, 10);
            ok = ok && *end == '\0' && rounds != 0 && rounds <= ROUNDS_MOST;
        } else {
            ok = false;
        }
    }
    if (!ok || optind != argc) {
        fprintf(stderr, "usage: local_bench [--rounds N] [--apart]\n");
        return 1;
    }
    bench((unsigned)rounds, apart);
    return 0;
}
