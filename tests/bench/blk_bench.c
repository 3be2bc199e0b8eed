/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blk_bench.c - a stock guest's disk from the manager beside one from xen-blkback, in one boot:
 * docs/PERFORMANCE.md says what each figure is.
 *
 *     blk_bench OURS THEIRS ROUNDS     two disks of one size; what they hold is lost
 *
 * Random pages are read and written past the page cache, one at a time and 32 under way. Both
 * disks take turns; of a round the medians of the turns count.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/util/clock.h"
#include "tests/bench/bed.h"
#include "tests/bench/figures.h"

#define DEPTH     32u
#define TURN_ONE  256u
#define TURN_MANY 2048u /* long enough for what begins a turn not to count */
#define NR_TURNS  7u

enum way { READ_ONE, READ_MANY, WRITE_ONE, WRITE_MANY, NR_WAYS };
enum whose { OURS, THEIRS, NR_DISKS };

static const char *const names[NR_WAYS] = {"read_depth1", "read_depth32", "write_depth1",
                                           "write_depth32"};

struct disk {
    int fd;
    uint32_t nr_pages;
};

struct bench {
    struct disk disks[NR_DISKS];
    aio_context_t aio;
    uint8_t *pages; /* DEPTH of them */
    uint64_t random;
    double us[NR_DISKS][NR_WAYS][NR_TURNS]; /* an operation, by turn */
    struct figure speed[NR_WAYS], of[NR_DISKS][NR_WAYS];
};

static struct disk disk_open(const char *path)
{
    struct disk d = {.fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC)};

    MUST(d.fd >= 0);
    d.nr_pages = (uint32_t)(lseek(d.fd, 0, SEEK_END) / TMEMIF_PAGE_SIZE);
    MUST(d.nr_pages >= TURN_MANY);
    return d;
}

/* ---- one page; its number is in its first octets ---- */

static struct iocb begin(const struct bench *b, const struct disk *d, bool writes, unsigned slot,
                         uint32_t number)
{
    uint8_t *page = b->pages + (size_t)slot * TMEMIF_PAGE_SIZE;

    if (writes)
        memcpy(page, &number, sizeof(number));
    return (struct iocb){.aio_fildes = (uint32_t)d->fd,
                         .aio_lio_opcode = writes ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
                         .aio_buf = (uint64_t)(uintptr_t)page,
                         .aio_nbytes = TMEMIF_PAGE_SIZE,
                         .aio_offset = (int64_t)number * TMEMIF_PAGE_SIZE,
                         .aio_data = (uint64_t)slot << 32 | number};
}

static void end(const struct bench *b, const struct io_event *event)
{
    const uint8_t *page = b->pages + (event->data >> 32) * TMEMIF_PAGE_SIZE;
    uint32_t number = (uint32_t)event->data;

    MUST(event->res == TMEMIF_PAGE_SIZE);
    MUST(memcmp(page, &number, sizeof(number)) == 0);
}

static void submit(const struct bench *b, struct iocb *iocbs, unsigned nr)
{
    struct iocb *list[DEPTH];

    for (unsigned i = 0; i < nr; i++)
        list[i] = &iocbs[i];
    MUST(syscall(SYS_io_submit, b->aio, (long)nr, list) == (long)nr);
}

/* @numbers, at most @depth of them under way. */
static void run(struct bench *b, const struct disk *d, bool writes, unsigned depth,
                const uint32_t *numbers, unsigned nr)
{
    struct io_event events[DEPTH];
    struct iocb iocbs[DEPTH];
    unsigned begun = 0, ended = 0;

    for (; begun < depth; begun++)
        iocbs[begun] = begin(b, d, writes, begun, numbers[begun]);
    submit(b, iocbs, depth);
    while (ended < nr) {
        long done = syscall(SYS_io_getevents, b->aio, 1L, (long)depth, events, NULL);
        unsigned again = 0;

        MUST(done > 0);
        for (long i = 0; i < done; i++, ended++) {
            end(b, &events[i]);
            if (begun < nr)
                iocbs[again++] =
                    begin(b, d, writes, (unsigned)(events[i].data >> 32), numbers[begun++]);
        }
        if (again)
            submit(b, iocbs, again);
    }
}

/* ---- rounds ---- */

static void take_turn(struct bench *b, enum way way, unsigned turn)
{
    bool writes = way == WRITE_ONE || way == WRITE_MANY;
    bool is_many = way == READ_MANY || way == WRITE_MANY;
    unsigned nr = is_many ? TURN_MANY : TURN_ONE;
    uint32_t numbers[TURN_MANY];

    for (unsigned i = 0; i < nr; i++)
        numbers[i] = random_below(&b->random, b->disks[OURS].nr_pages);
    for (unsigned whose = 0; whose < NR_DISKS; whose++) {
        uint64_t began = clock_now_ns();

        run(b, &b->disks[whose], writes, is_many ? DEPTH : 1, numbers, nr);
        b->us[whose][way][turn] = (double)(clock_now_ns() - began) / 1e3 / nr;
    }
}

static void take_round(struct bench *b)
{
    for (unsigned turn = 0; turn < NR_TURNS; turn++) {
        for (unsigned way = 0; way < NR_WAYS; way++)
            take_turn(b, way, turn);
    }
    for (unsigned way = 0; way < NR_WAYS; way++) {
        double ours = median(b->us[OURS][way], NR_TURNS),
               theirs = median(b->us[THEIRS][way], NR_TURNS);

        figure_add(&b->speed[way], theirs / ours);
        figure_add(&b->of[OURS][way], ours);
        figure_add(&b->of[THEIRS][way], theirs);
    }
}

static void fill(struct bench *b, const struct disk *d)
{
    uint32_t numbers[TURN_MANY];

    for (uint32_t first = 0; first < d->nr_pages; first += TURN_MANY) {
        uint32_t nr = d->nr_pages - first < TURN_MANY ? d->nr_pages - first : TURN_MANY;

        for (uint32_t i = 0; i < nr; i++)
            numbers[i] = first + i;
        run(b, d, true, nr < DEPTH ? nr : DEPTH, numbers, nr);
    }
}

int main(int argc, char **argv)
{
    unsigned long rounds = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    static struct bench b = {.random = 0xb10c};

    if (rounds == 0 || rounds > ROUNDS_MOST) {
        fprintf(stderr, "usage: blk_bench OURS THEIRS ROUNDS\n");
        return 1;
    }
    b.pages = aligned_alloc(TMEMIF_PAGE_SIZE, DEPTH * TMEMIF_PAGE_SIZE);
    MUST(b.pages != NULL && syscall(SYS_io_setup, DEPTH, &b.aio) == 0);
    for (unsigned i = 0; i < DEPTH * TMEMIF_PAGE_SIZE; i++)
        b.pages[i] = (uint8_t)random_next(&b.random);
    for (unsigned whose = 0; whose < NR_DISKS; whose++) {
        b.disks[whose] = disk_open(argv[1 + whose]);
        fill(&b, &b.disks[whose]);
    }
    MUST(b.disks[OURS].nr_pages == b.disks[THEIRS].nr_pages);
    for (unsigned long i = 0; i < rounds; i++)
        take_round(&b);
    for (unsigned way = 0; way < NR_WAYS; way++) {
        figure_print_as("xen_blk", names[way], "speed_over_blkback", &b.speed[way]);
        figure_print_as("xen_blk", names[way], "us", &b.of[OURS][way]);
        figure_print_as("blkback", names[way], "us", &b.of[THEIRS][way]);
    }
    return 0;
}
