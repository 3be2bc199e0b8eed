/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * local_bench.c - gets of a process over the local transport beside memcached on a Unix socket:
 * docs/PERFORMANCE.md says what each figure is.
 *
 *     local_bench [--rounds N] [--apart] [--depths]
 *
 * Both hold the same pages, and one client thread asks both for random ones, in turns of some
 * milliseconds; of the times of all turns of a round the medians count. Two
 * daemons of ours run: one that polls and one that does not. With --apart the client has
 * the first processor and all servers the second, whatever else runs; else the scheduler
 * places them. With --depths it is a get's latency at each depth that is printed, and nothing else.
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
#define POLL_US    "50"
#define DEPTH      32u /* of the figures */
#define DEPTH_MOST 64u /* of --depths: 1, 2, 4 and so on until this one */
#define NR_DEPTHS  7u
#define TURN_ONE   256u  /* gets one at a time */
#define TURN_MANY  8192u /* with several under way; a multiple of every depth */
#define NR_TURNS   40u

_Static_assert(TURN_MANY % DEPTH_MOST == 0 && 1u << (NR_DEPTHS - 1) == DEPTH_MOST,
               "turns are of whole windows");
_Static_assert(DEPTH_MOST <= MEMCACHED_DEPTH, "memcached's side has room");
_Static_assert(DEPTH_MOST <= CLIENT_DEPTH_MOST, "and ours");

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

/* ---- one turn: @nr_gets of them, a multiple of @depth, so many under way ---- */

typedef void turn_run(void *peer, unsigned depth, const uint32_t *pages, unsigned nr_gets);

static void ours_get(void *peer, unsigned depth, const uint32_t *pages, unsigned nr_gets)
{
    struct ours *o = peer;

    if (depth == 1)
        client_get_each(&o->client, pages, nr_gets);
    else
        client_get_window(&o->client, depth, pages, nr_gets);
}

/* As memcached's multi-get. */
static void ours_vector(void *peer, unsigned depth, const uint32_t *pages, unsigned nr_gets)
{
    struct ours *o = peer;

    client_get_vector(&o->client, depth, pages, nr_gets);
}

/* Of several: a multi-get. */
static void memcached_gets(void *peer, unsigned depth, const uint32_t *pages, unsigned nr_gets)
{
    const void *answers[MEMCACHED_DEPTH];

    for (unsigned first = 0; first < nr_gets; first += depth) {
        memcached_get(peer, pages + first, depth, answers);
        for (unsigned i = 0; i < depth; i++)
            client_check(answers[i], pages[first + i]);
    }
}

/* ---- rounds ---- */

/* A way to get pages, and what it was seen to take. */
struct way {
    void *peer;
    turn_run *run;
    unsigned depth;
    pid_t server;
    double ns[NR_TURNS]; /* of one get, each turn of this round */
    uint64_t cpu_ns;     /* of client and server together, this round */
    struct figure us, cpu_us;
};

/*
 * Of all threads of @pid. Of another process that is running, the kernel tells the time of its last
 * tick or switch.
 */
static uint64_t cpu_ns_of(pid_t pid)
{
    struct timespec ts;
    clockid_t clock;

    MUST(clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &ts) == 0);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static unsigned turn_of(const struct way *w)
{
    return w->depth == 1 ? TURN_ONE : TURN_MANY;
}

/* With those that wake the server. */
static unsigned nr_gets_of(const struct way *w)
{
    return turn_of(w) + DEPTH_MOST;
}

/* What client and @server have used, after the server has gone to sleep. */
static uint64_t cpu_ns_settled(pid_t server)
{
    const struct timespec longer_than_a_look = {.tv_nsec = 2000000};

    nanosleep(&longer_than_a_look, NULL);
    return cpu_ns_of(0) + cpu_ns_of(server);
}

static void take_turn(struct way *w, unsigned turn, uint64_t *random)
{
    uint64_t cpu = cpu_ns_settled(w->server), begin;
    uint32_t pages[TURN_MANY];

    for (unsigned i = 0; i < turn_of(w); i++)
        pages[i] = random_below(random, NR_PAGES);
    /* a server that slept while others had their turn is awake when ours begins */
    w->run(w->peer, w->depth, pages, DEPTH_MOST);
    begin = clock_now_ns();
    w->run(w->peer, w->depth, pages, turn_of(w));
    w->ns[turn] = (double)(clock_now_ns() - begin) / turn_of(w);
    w->cpu_ns += cpu_ns_settled(w->server) - cpu;
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
        figure_add(&ways[i].cpu_us, (double)ways[i].cpu_ns / 1e3 / NR_TURNS / nr_gets_of(&ways[i]));
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

/* The three servers, full, with their clients. */
struct servers {
    struct ours polls, sleeps;
    struct memcached memcached;
};

static void servers_start(struct servers *s, bool apart)
{
    if (apart)
        stay_on(SERVER_CPU);
    ours_start(&s->polls, true);
    ours_start(&s->sleeps, false);
    memcached_start(&s->memcached, MEMORY_MIB);
    if (apart)
        stay_on(CLIENT_CPU);
    fprintf(stderr, "local: filling\n");
    fill(&s->polls, &s->sleeps, &s->memcached);
}

static void servers_stop(struct servers *s)
{
    memcached_stop(&s->memcached);
    ours_stop(&s->polls);
    ours_stop(&s->sleeps);
}

static void take_rounds(struct way *ways, unsigned nr_ways, unsigned rounds)
{
    uint64_t random = 0xbe9c4;

    for (unsigned i = 0; i < rounds; i++) {
        fprintf(stderr, "local: round %u of %u\n", i + 1, rounds);
        take_round(ways, nr_ways, &random);
    }
}

static void bench(struct servers *s, unsigned rounds)
{
    struct way ways[NR_WAYS] = {
        [OURS_ONE] = {.peer = &s->polls,
                      .run = ours_get,
                      .depth = 1,
                      .us = {.name = "local_get_depth1_us"},
                      .cpu_us = {.name = "local_get_depth1_cpu_us"}},
        [OURS_NOPOLL] = {.peer = &s->sleeps,
                         .run = ours_get,
                         .depth = 1,
                         .us = {.name = "local_get_depth1_nopoll_us"},
                         .cpu_us = {.name = "local_get_depth1_nopoll_cpu_us"}},
        [OURS_WINDOW] = {.peer = &s->polls,
                         .run = ours_get,
                         .depth = DEPTH,
                         .us = {.name = "local_get_depth32_us"},
                         .cpu_us = {.name = "local_get_depth32_cpu_us"}},
        [OURS_VECTOR] = {.peer = &s->polls,
                         .run = ours_vector,
                         .depth = DEPTH,
                         .us = {.name = "local_get_vector32_us"},
                         .cpu_us = {.name = "local_get_vector32_cpu_us"}},
        [THEIRS_ONE] = {.peer = &s->memcached,
                        .run = memcached_gets,
                        .depth = 1,
                        .us = {.name = "memcached_get_depth1_us"},
                        .cpu_us = {.name = "memcached_get_depth1_cpu_us"}},
        [THEIRS_MULTI] = {.peer = &s->memcached,
                          .run = memcached_gets,
                          .depth = DEPTH,
                          .us = {.name = "memcached_get_depth32_us"},
                          .cpu_us = {.name = "memcached_get_depth32_cpu_us"}},
    };

    ways[OURS_ONE].server = ways[OURS_WINDOW].server = ways[OURS_VECTOR].server =
        s->polls.daemon.pid;
    ways[OURS_NOPOLL].server = s->sleeps.daemon.pid;
    ways[THEIRS_ONE].server = ways[THEIRS_MULTI].server = s->memcached.pid;
    take_rounds(ways, NR_WAYS, rounds);

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

/* ---- latency over depth ---- */

/* From asking to the answer: so many gets under way take so many times as long. */
static void print_latency(const char *who, const struct way *w)
{
    char name[64];
    struct figure f = {.name = name};

    snprintf(name, sizeof(name), "%s_latency_depth%u_us", who, w->depth);
    for (unsigned i = 0; i < w->us.nr; i++)
        figure_add(&f, w->us.values[i] * w->depth);
    figure_print(&f);
}

static void bench_depths(struct servers *s, unsigned rounds)
{
    const struct {
        const char *name;
        struct way way;
    } kinds[] = {
        {"local_get", {.peer = &s->polls, .run = ours_get, .server = s->polls.daemon.pid}},
        {"local_get_nopoll", {.peer = &s->sleeps, .run = ours_get, .server = s->sleeps.daemon.pid}},
        {"memcached_get",
         {.peer = &s->memcached, .run = memcached_gets, .server = s->memcached.pid}},
    };
    enum { NR_KINDS = sizeof(kinds) / sizeof(*kinds) };
    static struct way ways[NR_KINDS * NR_DEPTHS];

    for (unsigned i = 0; i < NR_KINDS * NR_DEPTHS; i++) {
        ways[i] = kinds[i / NR_DEPTHS].way;
        ways[i].depth = 1u << i % NR_DEPTHS;
    }
    take_rounds(ways, NR_KINDS * NR_DEPTHS, rounds);
    for (unsigned i = 0; i < NR_KINDS * NR_DEPTHS; i++)
        print_latency(kinds[i / NR_DEPTHS].name, &ways[i]);
}

int main(int argc, char **argv)
{
    static const struct option known[] = {{"rounds", required_argument, NULL, 'r'},
                                          {"apart", no_argument, NULL, 'a'},
                                          {"depths", no_argument, NULL, 'd'},
                                          {0}};
    struct servers servers;
    unsigned long rounds = 5;
    bool apart = false, depths = false, ok = true;
    char *end;
    int c;

    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (c == 'a') {
            apart = true;
        } else if (c == 'd') {
            depths = true;
        } else if (c == 'r') {
            rounds = strtoul(optarg, &end, 10);
            ok = ok && *end == '\0' && rounds != 0 && rounds <= ROUNDS_MOST;
        } else {
            ok = false;
        }
    }
    if (!ok || optind != argc) {
        fprintf(stderr, "usage: local_bench [--rounds N] [--apart] [--depths]\n");
        return 1;
    }
    servers_start(&servers, apart);
    if (depths)
        bench_depths(&servers, (unsigned)rounds);
    else
        bench(&servers, (unsigned)rounds);
    servers_stop(&servers);
    return 0;
}
