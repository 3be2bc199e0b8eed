/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices below caches, with a file in the place of a device: what the kernel does, and refuses. */
#include "tests/lib/runner.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/blockdev/aio.h"
#include "daemon/blockdev/blockdev.h"
#include "daemon/blockdev/crew.h"

#define NR_PAGES 200u

static uint8_t data[BATCH_MAX_PAGES][DISK_PAGE_SIZE] __attribute__((aligned(DISK_PAGE_SIZE)));

/* Page n is full of n + 1. */
static int make_file(char path_out[32])
{
    uint8_t page[DISK_PAGE_SIZE];
    int fd;

    strcpy(path_out, "/tmp/blockdev.XXXXXX");
    fd = mkstemp(path_out);
    CU_ASSERT_FATAL(fd >= 0);
    for (unsigned n = 0; n < NR_PAGES; n++) {
        memset(page, (int)n + 1, sizeof(page));
        CU_ASSERT_EQUAL_FATAL(write(fd, page, sizeof(page)), (ssize_t)sizeof(page));
    }
    return fd;
}

static bool is_full_of(const uint8_t *page, unsigned value)
{
    return page[0] == (uint8_t)value && memcmp(page, page + 1, DISK_PAGE_SIZE - 1) == 0;
}

static unsigned set(struct backing_io *ios, const uint32_t *pages, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++)
        ios[i] = (struct backing_io){.page = pages[i], .data = data[i]};
    return nr;
}

static void pages_near_and_far_are_read_and_written(void)
{
    struct backing_io ios[BATCH_MAX_PAGES];
    char path[32];
    struct aio aio;
    unsigned nr = 0;
    int fd = make_file(path);

    CU_ASSERT_TRUE_FATAL(aio_init(&aio));
    for (unsigned n = 0; n < NR_PAGES && nr < BATCH_MAX_PAGES; n++) {
        if (n % 7 != 3)
            ios[nr] = (struct backing_io){.page = n, .data = data[nr]}, nr++;
    }
    CU_ASSERT_EQUAL(nr, BATCH_MAX_PAGES);
    aio_run(&aio, fd, false, ios, nr);
    for (unsigned i = 0; i < nr; i++)
        CU_ASSERT(ios[i].ok && is_full_of(data[i], ios[i].page + 1));
    for (unsigned i = 0; i < nr; i++)
        memset(data[i], (int)(ios[i].page + 101), DISK_PAGE_SIZE);
    aio_run(&aio, fd, true, ios, nr);
    memset(data, 0, sizeof(data));
    for (unsigned i = 0; i < nr; i++)
        CU_ASSERT_TRUE(ios[i].ok);
    for (unsigned n = 0; n <= ios[nr - 1].page; n++) {
        CU_ASSERT_EQUAL(pread(fd, data[0], DISK_PAGE_SIZE, n * DISK_PAGE_SIZE), DISK_PAGE_SIZE);
        CU_ASSERT(is_full_of(data[0], n % 7 == 3 ? n + 1 : n + 101));
    }
    aio_fini(&aio);
    close(fd);
    unlink(path);
}

static void pages_beyond_the_end_fail_and_their_neighbours_do_not(void)
{
    static const uint32_t pages[] = {3,        NR_PAGES - 2, NR_PAGES - 1,
                                     NR_PAGES, NR_PAGES + 1, NR_PAGES + 9};
    struct backing_io ios[6];
    char path[32];
    struct aio aio;
    int fd = make_file(path);

    CU_ASSERT_TRUE_FATAL(aio_init(&aio));
    aio_run(&aio, fd, false, ios, set(ios, pages, 6));
    for (unsigned i = 0; i < 6; i++)
        CU_ASSERT_EQUAL(ios[i].ok, i < 3);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT(is_full_of(data[i], pages[i] + 1));
    /* a page that is there in part only is not there */
    CU_ASSERT_EQUAL(ftruncate(fd, (NR_PAGES - 1) * DISK_PAGE_SIZE + 512), 0);
    aio_run(&aio, fd, false, ios, set(ios, pages, 6));
    for (unsigned i = 0; i < 6; i++)
        CU_ASSERT_EQUAL(ios[i].ok, i < 2);
    aio_fini(&aio);
    close(fd);
    unlink(path);
}

static void page_that_fails_fails_alone_though_it_went_with_others(void)
{
    static const uint32_t pages[] = {3, 4, 5, 6, 50};
    struct backing_io ios[5];
    char path[32];
    struct aio aio;
    int fd = make_file(path);

    CU_ASSERT_TRUE_FATAL(aio_init(&aio));
    set(ios, pages, 5);
    ios[2].data = (uint8_t *)(uintptr_t)DISK_PAGE_SIZE; /* nothing is mapped there */
    aio_run(&aio, fd, false, ios, 5);
    for (unsigned i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(ios[i].ok, i != 2);
    for (unsigned i = 0; i < 5; i++)
        CU_ASSERT(i == 2 || is_full_of(data[i], pages[i] + 1));
    aio_fini(&aio);
    close(fd);
    unlink(path);
}

static void descriptor_that_refuses_all_fails_all(void)
{
    static const uint32_t pages[] = {3, 4, 9};
    struct backing_io ios[3];
    char path[32];
    struct aio aio;
    int fd = make_file(path);
    int read_only = open(path, O_RDONLY | O_CLOEXEC);

    CU_ASSERT_TRUE_FATAL(aio_init(&aio));
    aio_run(&aio, read_only, true, ios, set(ios, pages, 3));
    CU_ASSERT(!ios[0].ok && !ios[1].ok && !ios[2].ok);
    close(read_only);
    aio_run(&aio, read_only, false, ios, set(ios, pages, 3));
    CU_ASSERT(!ios[0].ok && !ios[1].ok && !ios[2].ok);
    aio_run(&aio, fd, false, ios, set(ios, pages, 3));
    CU_ASSERT(ios[0].ok && ios[1].ok && ios[2].ok);
    aio_fini(&aio);
    close(fd);
    unlink(path);
}

/* ---- a backing with its threads ---- */

struct counter {
    struct backing *backing;
    pthread_mutex_t mutex;
    pthread_cond_t met;
    unsigned nr_inside, nr_most, nr_run;
    unsigned lanes[BACKING_LANES];
};

/* Waits until as many are inside as there are lanes. */
static void meet(void *user, unsigned lane, struct batch *b)
{
    struct counter *c = user;

    (void)b;
    pthread_mutex_lock(&c->mutex);
    c->lanes[lane]++;
    c->nr_run++;
    if (++c->nr_inside > c->nr_most)
        c->nr_most = c->nr_inside;
    pthread_cond_broadcast(&c->met);
    while (c->nr_most < BACKING_LANES)
        pthread_cond_wait(&c->met, &c->mutex);
    c->nr_inside--;
    pthread_mutex_unlock(&c->mutex);
}

static void batches_are_carried_out_by_all_lanes_at_once(void)
{
    static struct batch batches[3 * BACKING_LANES];
    struct backing facts = {.device = 7, .nr_pages = NR_PAGES};
    struct counter counter = {.mutex = PTHREAD_MUTEX_INITIALIZER, .met = PTHREAD_COND_INITIALIZER};
    struct backing *b = NULL;
    const char *why = NULL;
    char path[32];
    int fd = make_file(path);

    CU_ASSERT_TRUE_FATAL(blockdev_take(fd, &facts, &b, &why));
    CU_ASSERT(b->device == 7 && b->nr_pages == NR_PAGES);
    b->carry_out = meet;
    b->user = &counter;
    CU_ASSERT_TRUE_FATAL(b->ops->start(b));
    for (unsigned i = 0; i < 3 * BACKING_LANES; i++)
        b->ops->hand_over(b, &batches[i]);
    CU_ASSERT_TRUE(b->ops->flush(b));
    b->ops->close(b); /* waits for them */
    CU_ASSERT_EQUAL(counter.nr_run, 3 * BACKING_LANES);
    CU_ASSERT_EQUAL(counter.nr_most, BACKING_LANES);
    CU_ASSERT_EQUAL(fcntl(fd, F_GETFD), -1);
    unlink(path);
}

/* Batches wait until all are let go. */
struct gatekeeper {
    pthread_mutex_t mutex;
    pthread_cond_t opened;
    bool is_open;
    atomic_uint nr_begun;
    struct batch *last; /* that was run */
};

static void wait_at_gate(void *arg, unsigned lane, struct batch *batch)
{
    struct gatekeeper *g = arg;

    (void)lane;
    atomic_fetch_add(&g->nr_begun, 1);
    pthread_mutex_lock(&g->mutex);
    while (!g->is_open)
        pthread_cond_wait(&g->opened, &g->mutex);
    g->last = batch;
    pthread_mutex_unlock(&g->mutex);
}

static void batch_that_was_not_begun_can_be_taken_back(void)
{
    static struct batch batches[6];
    struct gatekeeper g = {.mutex = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER};
    struct crew *c = crew_create(1, wait_at_gate, &g);

    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    for (unsigned i = 0; i < 5; i++)
        crew_hand_over(c, &batches[i]);
    while (atomic_load(&g.nr_begun) == 0)
        sched_yield();
    CU_ASSERT_FALSE(crew_take_back(c, &batches[0])); /* begun */
    CU_ASSERT_FALSE(crew_take_back(c, &batches[5])); /* never handed over */
    CU_ASSERT_TRUE(crew_take_back(c, &batches[2]));  /* amid others */
    CU_ASSERT_FALSE(crew_take_back(c, &batches[2]));
    CU_ASSERT_TRUE(crew_take_back(c, &batches[1])); /* the first */
    CU_ASSERT_TRUE(crew_take_back(c, &batches[4])); /* the last */
    crew_hand_over(c, &batches[5]);
    pthread_mutex_lock(&g.mutex);
    g.is_open = true;
    pthread_cond_broadcast(&g.opened);
    pthread_mutex_unlock(&g.mutex);
    crew_destroy(c); /* 3 and 5 are run, too */
    CU_ASSERT_EQUAL(g.nr_begun, 3);
    CU_ASSERT_PTR_EQUAL(g.last, &batches[5]);

    c = crew_create(1, wait_at_gate, &g); /* none is left after the only one */
    crew_hand_over(c, &batches[0]);
    crew_destroy(c);
    CU_ASSERT_EQUAL(g.nr_begun, 4);
}

static void what_is_no_block_device_is_refused(void)
{
    static const char *const names[] = {"null", "no-such-device", "shm", "."};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *why = NULL;
        uint64_t device;

        CU_ASSERT_FALSE(blockdev_source.find(blockdev_source.arg, names[i], &device, &why));
        CU_ASSERT_PTR_NOT_NULL(why);
    }
}

static void file_is_no_device_to_open(void)
{
    struct backing *b = NULL;
    const char *why = NULL;

    CU_ASSERT_FALSE(blockdev_source.open(blockdev_source.arg, "null", &b, &why));
    CU_ASSERT_PTR_NOT_NULL(why);
    CU_ASSERT_FALSE(blockdev_source.open(blockdev_source.arg, "no-such-device", &b, &why));
    CU_ASSERT_PTR_NOT_NULL(why);
}

#define TESTS(T)                                                                                   \
    T(pages_near_and_far_are_read_and_written)                                                     \
    T(pages_beyond_the_end_fail_and_their_neighbours_do_not)                                       \
    T(page_that_fails_fails_alone_though_it_went_with_others)                                      \
    T(descriptor_that_refuses_all_fails_all)                                                       \
    T(batches_are_carried_out_by_all_lanes_at_once)                                                \
    T(batch_that_was_not_begun_can_be_taken_back)                                                  \
    T(what_is_no_block_device_is_refused)                                                          \
    T(file_is_no_device_to_open)
RUN_TESTS(TESTS)
