/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xen_bench.c - gets and puts of a guest beside libxenvchan moving the same pages, in one boot:
 * docs/PERFORMANCE.md says what each figure is.
 *
 *     xen_bench serve CLIENT          the peer's end of libxenvchan, for domain CLIENT
 *     xen_bench measure SERVER ROUNDS
 *
 * All ways take turns; of a round the medians of the turns count.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/clock.h"
#include "tests/bench/bed.h"
#include "tests/bench/client.h"
#include "tests/bench/figures.h"
#include "tests/bench/vchan.h"

#define TURN_ONE  256u
#define TURN_MANY 2048u /* which is long beside waking the other side at its begin */
#define NR_TURNS  7u
#define DEPTH     VCHAN_DEPTH

_Static_assert(CLIENT_DEPTH_MOST >= DEPTH && TURN_MANY >= DEPTH, "windows can be filled");

enum way { GET_ONE, GET_MANY, PUT_ONE, PUT_MANY, NR_WAYS };

static const char *const names[NR_WAYS] = {"get_depth1", "get_depth32", "put_depth1",
                                           "put_depth32"};

struct bench {
    struct client ours;
    struct libxenvchan *theirs;
    uint64_t random;
    double our_us[NR_WAYS][NR_TURNS], their_us[NR_WAYS][NR_TURNS]; /* an operation, by turn */
    struct figure our_speed[NR_WAYS], ours_us[NR_WAYS], theirs_us[NR_WAYS];
};

static unsigned depth_of(enum way way)
{
    return way == GET_MANY || way == PUT_MANY ? DEPTH : 1;
}

static unsigned turn_of(enum way way)
{
    return depth_of(way) == 1 ? TURN_ONE : TURN_MANY;
}

static void run_ours(struct bench *b, enum way way, const uint32_t *numbers)
{
    switch (way) {
    case GET_ONE:
        client_get_each(&b->ours, numbers, turn_of(way));
        break;
    case GET_MANY:
        client_get_window(&b->ours, DEPTH, numbers, turn_of(way));
        break;
    case PUT_ONE:
        client_put_each(&b->ours, numbers, turn_of(way));
        break;
    default:
        client_put_window(&b->ours, DEPTH, numbers, turn_of(way));
    }
}

static void run_theirs(struct bench *b, enum way way, const uint32_t *numbers)
{
    if (way == GET_ONE || way == GET_MANY)
        vchan_get(b->theirs, numbers, turn_of(way), depth_of(way));
    else
        vchan_put(b->theirs, numbers, turn_of(way), depth_of(way));
}

static double time_us(struct bench *b, enum way way, const uint32_t *numbers,
                      void (*run)(struct bench *b, enum way way, const uint32_t *numbers))
{
    uint64_t begin = clock_now_ns();

    run(b, way, numbers);
    return (double)(clock_now_ns() - begin) / 1e3 / turn_of(way);
}

static void take_turn(struct bench *b, enum way way, unsigned turn)
{
    uint32_t numbers[TURN_MANY];

    for (unsigned i = 0; i < turn_of(way); i++)
        numbers[i] = random_below(&b->random, VCHAN_PAGES);
    b->our_us[way][turn] = time_us(b, way, numbers, run_ours);
    b->their_us[way][turn] = time_us(b, way, numbers, run_theirs);
}

static void take_round(struct bench *b)
{
    for (unsigned turn = 0; turn < NR_TURNS; turn++) {
        for (unsigned way = 0; way < NR_WAYS; way++)
            take_turn(b, way, turn);
    }
    for (unsigned way = 0; way < NR_WAYS; way++) {
        double ours = median(b->our_us[way], NR_TURNS), theirs = median(b->their_us[way], NR_TURNS);

        figure_add(&b->our_speed[way], theirs / ours);
        figure_add(&b->ours_us[way], ours);
        figure_add(&b->theirs_us[way], theirs);
    }
}

static void fill(struct client *c)
{
    uint32_t numbers[VCHAN_PAGES];

    for (uint32_t i = 0; i < VCHAN_PAGES; i++)
        numbers[i] = i;
    client_put_window(c, DEPTH, numbers, VCHAN_PAGES);
}

static void measure(unsigned server, unsigned rounds)
{
    static struct bench b = {.random = 0xbe9c4};

    client_open(&b.ours, "xen:0", -1);
    b.theirs = vchan_connect(server);
    fill(&b.ours);
    for (unsigned i = 0; i < rounds; i++)
        take_round(&b);
    for (unsigned way = 0; way < NR_WAYS; way++) {
        figure_print_as("xen", names[way], "speed_over_vchan", &b.our_speed[way]);
        figure_print_as("xen", names[way], "us", &b.ours_us[way]);
        figure_print_as("vchan", names[way], "us", &b.theirs_us[way]);
    }
    vchan_disconnect(b.theirs);
    client_close(&b.ours);
}

int main(int argc, char **argv)
{
    unsigned long domid = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    unsigned long rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;

    if (argc == 3 && strcmp(argv[1], "serve") == 0) {
        vchan_serve((unsigned)domid);
        return 0;
    }
    if (argc == 4 && strcmp(argv[1], "measure") == 0 && rounds != 0 && rounds <= ROUNDS_MOST) {
        measure((unsigned)domid, (unsigned)rounds);
        return 0;
    }
    fprintf(stderr, "usage: xen_bench serve CLIENT | measure SERVER ROUNDS\n");
    return 1;
}
