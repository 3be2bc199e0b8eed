/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library against a manager in a thread, which answers well, late, wrongly or not at all. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "frontend/include/xentmem.h"
#include "frontend/lib/clock.h"
#include "frontend/lib/request.h"
#include "frontend/lib/ring.h"
#include "tests/lib/runner.h"
#include "tests/unit/frontend_fake.h"

#define PATIENT_MS 30000 /* a limit that nothing is to reach, however busy the machine is */

static const struct xentmem_object object = {{7, 0, 0}};

static void fill(uint8_t *page, unsigned number)
{
    memset(page, (int)(number % 251 + 1), XENTMEM_PAGE_SIZE);
    memcpy(page, &number, sizeof(number));
}

static bool is_filled(const uint8_t *page, unsigned number)
{
    uint8_t expected[XENTMEM_PAGE_SIZE];

    fill(expected, number);
    return memcmp(page, expected, sizeof(expected)) == 0;
}

static void a_page_put_is_the_page_got(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE], got[XENTMEM_PAGE_SIZE];
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 20);

    fill(page, 1);
    CU_ASSERT_EQUAL(xentmem_put(t, 0, &object, 3, page), XENTMEM_OK);
    memset(got, 0, sizeof(got));
    CU_ASSERT_EQUAL(xentmem_get(t, 0, &object, 3, got), XENTMEM_OK);
    CU_ASSERT(is_filled(got, 1));
    CU_ASSERT_EQUAL(xentmem_flush_page(t, 0, &object, 3), XENTMEM_OK);
    memset(got, 0xee, sizeof(got));
    CU_ASSERT_EQUAL(xentmem_get(t, 0, &object, 3, got), XENTMEM_MISS);
    CU_ASSERT_EQUAL(got[0], 0xee);
    CU_ASSERT_EQUAL(got[XENTMEM_PAGE_SIZE - 1], 0xee);
    xentmem_close(t);
}

static void a_miss_gives_a_lease_where_one_was_asked_for(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE];
    struct xentmem_lease lease = {{0}};
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 0);
    int leased = 0;

    CU_ASSERT_EQUAL(xentmem_get_lease(t, 0, &object, 1, page, &lease, &leased), XENTMEM_MISS);
    CU_ASSERT_EQUAL(leased, 1);
    CU_ASSERT(lease.opaque[0] == 1 && lease.opaque[1] == 2 && lease.opaque[2] == 3);
    CU_ASSERT_EQUAL(xentmem_put_leased(t, 0, &object, 1, page, &lease), XENTMEM_OK);
    CU_ASSERT_EQUAL(xentmem_get_lease(t, 0, &object, 1, page, &lease, &leased), XENTMEM_OK);
    CU_ASSERT_EQUAL(leased, 0);
    xentmem_close(t);
}

/* 512 puts and as many gets through 64 pages of data area. */
static void a_vector_of_512_comes_back_whole_and_in_order(void)
{
    enum { NR = 512 };
    struct xentmem_op *ops = calloc(NR, sizeof(*ops));
    uint8_t *pages = malloc((size_t)NR * XENTMEM_PAGE_SIZE);
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 20);
    unsigned right = 0;

    for (unsigned i = 0; i < NR; i++) {
        fill(pages + i * XENTMEM_PAGE_SIZE, i);
        ops[i] = (struct xentmem_op){.kind = XENTMEM_PUT,
                                     .index = i,
                                     .object = object,
                                     .page = pages + i * XENTMEM_PAGE_SIZE,
                                     .status = -7};
    }
    CU_ASSERT_EQUAL(xentmem_vector(t, ops, NR), 0);
    memset(pages, 0, (size_t)NR * XENTMEM_PAGE_SIZE);
    for (unsigned i = 0; i < NR; i++) {
        right += ops[i].status == XENTMEM_OK;
        ops[i].kind = XENTMEM_GET;
        ops[i].status = -7;
    }
    CU_ASSERT_EQUAL(right, NR);
    CU_ASSERT_EQUAL(xentmem_vector(t, ops, NR), 0);
    right = 0;
    for (unsigned i = 0; i < NR; i++)
        right += ops[i].status == XENTMEM_OK && is_filled(ops[i].page, i);
    CU_ASSERT_EQUAL(right, NR);
    CU_ASSERT_EQUAL(atomic_load(&f.nr_requests), 2 * NR);
    xentmem_close(t);
    free(pages);
    free(ops);
}

static void a_vector_with_a_bad_operation_does_nothing(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct xentmem_op ops[2] = {{.kind = XENTMEM_PUT, .object = object, .page = page},
                                {.kind = XENTMEM_GET, .object = object, .page = NULL}};
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 0);

    CU_ASSERT_EQUAL(xentmem_vector(t, ops, 2), -1);
    CU_ASSERT_EQUAL(errno, EINVAL);
    CU_ASSERT_EQUAL(atomic_load(&f.nr_requests), 0);
    xentmem_close(t);
}

/* Submit @nr puts at depth @depth, counting each op that comes back once with OK. */
static unsigned run_async(struct xentmem *t, unsigned nr, unsigned depth)
{
    struct xentmem_op *ops = calloc(depth, sizeof(*ops)), *back[8];
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    unsigned submitted = 0, reaped = 0, right = 0;

    for (unsigned i = 0; i < depth; i++) {
        ops[i] = (struct xentmem_op){
            .kind = XENTMEM_PUT, .index = i, .object = {{i, 0, 0}}, .page = page};
        submitted += xentmem_submit(t, &ops[i], 1) == 1;
    }
    while (reaped < submitted) {
        int r = xentmem_reap(t, back, 8, 5000);

        if (r <= 0)
            break;
        reaped += (unsigned)r;
        for (int i = 0; i < r; i++) {
            right += back[i]->status == XENTMEM_OK;
            if (submitted < nr)
                submitted += xentmem_submit(t, back[i], 1) == 1;
        }
    }
    free(ops);
    return reaped == submitted ? right : 0;
}

static void operations_at_depth_32_all_come_back(void)
{
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 0);

    CU_ASSERT_EQUAL(run_async(t, 5000, 32), 5000);
    CU_ASSERT_EQUAL(xentmem_reap(t, &(struct xentmem_op *){NULL}, 1, -1), 0);
    xentmem_close(t);
}

static void the_descriptor_wakes_a_poller_for_every_answer(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct xentmem_op op = {.kind = XENTMEM_PUT, .object = object, .page = page}, *back = NULL;
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 0);
    unsigned woken = 0, lost = 0;

    for (unsigned i = 0; i < 300; i++) {
        struct pollfd fd = {.fd = xentmem_fd(t), .events = POLLIN};

        if (xentmem_submit(t, &op, 1) != 1)
            break;
        while (xentmem_reap(t, &back, 1, 0) == 0 && lost == 0)
            lost += poll(&fd, 1, 2000) == 0;
        woken += back == &op && op.status == XENTMEM_OK;
        back = NULL;
    }
    CU_ASSERT_EQUAL(lost, 0);
    CU_ASSERT_EQUAL(woken, 300);
    xentmem_close(t);
}

/* Submit one put and reap it. */
static void put_and_reap(struct xentmem *t, uint8_t *page)
{
    struct xentmem_op op = {.kind = XENTMEM_PUT, .object = object, .page = page};
    struct xentmem_op *done;

    CU_ASSERT_EQUAL_FATAL(xentmem_submit(t, &op, 1), 1);
    CU_ASSERT_EQUAL(xentmem_reap(t, &done, 1, 5000), 1);
}

static uint32_t notify_at(const struct fake *f, unsigned ring)
{
    return ring_read_once(&f->back[ring].view.shared->rsp_event);
}

static void who_looks_for_answers_asks_for_no_notification_until_the_descriptor_is_lent(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {1};
    struct xentmem_op op = {.kind = XENTMEM_PUT, .object = object, .page = page}, *done;
    struct pollfd fd = {.events = POLLIN};
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 1000000);

    for (unsigned i = 0; i < 20; i++)
        put_and_reap(t, page);
    for (unsigned ring = 0; ring < FAKE_RINGS; ring++)
        CU_ASSERT_EQUAL(notify_at(&f, ring), 1); /* as the ring began */
    atomic_store(&f.manners, FAKE_SILENT);
    CU_ASSERT_EQUAL_FATAL(xentmem_submit(t, &op, 1), 1);
    fd.fd = xentmem_fd(t);
    CU_ASSERT(notify_at(&f, 0) > 1 || notify_at(&f, 1) > 1);
    atomic_store(&f.manners, FAKE_POLITE);
    CU_ASSERT_EQUAL(poll(&fd, 1, 5000), 1);
    CU_ASSERT_EQUAL(xentmem_reap(t, &done, 1, 5000), 1);
    xentmem_close(t);
}

/* The processor's time that this thread has had: looking takes it, a busy machine does not. */
static uint64_t used_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* However long it looks: here that would be a second each time. */
static void who_looks_for_answers_keeps_to_the_time(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {1};
    struct xentmem_op op = {.kind = XENTMEM_PUT, .object = object, .page = page}, *done;
    struct fake f;
    struct xentmem *t = fake_open(&f, 20, 1000000);
    uint64_t begun_us;

    atomic_store(&f.manners, FAKE_SILENT);
    CU_ASSERT_EQUAL_FATAL(xentmem_submit(t, &op, 1), 1);
    begun_us = used_us();
    CU_ASSERT_EQUAL(xentmem_reap(t, &done, 1, 1), 0);
    CU_ASSERT_EQUAL(xentmem_put(t, 0, &object, 0, page), -1);
    CU_ASSERT_EQUAL(errno, ETIMEDOUT);
    CU_ASSERT(used_us() - begun_us < 500000);
    xentmem_close(t);
}

static void wait_for_answers(const struct fake *f, uint32_t nr)
{
    uint32_t nr_there;

    do {
        nr_there = 0;
        for (unsigned ring = 0; ring < FAKE_RINGS; ring++)
            nr_there += ring_read_once(&f->back[ring].view.shared->rsp_prod);
        usleep(100);
    } while (nr_there < nr);
}

/* It is a system call; who asks for the descriptor later is told of what was finished before. */
static void what_is_left_when_few_are_reaped_rings_for_nobody(void)
{
    enum { NR = 8 };
    static uint8_t page[XENTMEM_PAGE_SIZE] = {1};
    struct xentmem_op ops[NR], *done;
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 1000000);
    struct pollfd fd = {.events = POLLIN};
    unsigned nr = 0;

    for (unsigned i = 0; i < NR; i++)
        ops[i] = (struct xentmem_op){.kind = XENTMEM_PUT, .object = object, .page = page};
    atomic_store(&f.manners, FAKE_SILENT);
    CU_ASSERT_EQUAL_FATAL(xentmem_submit(t, ops, NR), NR);
    atomic_store(&f.manners, FAKE_MUTE); /* no notification makes it readable */
    wait_for_answers(&f, NR);
    for (; nr < NR / 2; nr++) {
        CU_ASSERT_EQUAL(xentmem_reap(t, &done, 1, 5000), 1);
        CU_ASSERT_FALSE(t->finished.bell_rung);
    }
    fd.fd = xentmem_fd(t);
    CU_ASSERT_TRUE(t->finished.bell_rung);
    CU_ASSERT_EQUAL(poll(&fd, 1, 0), 1);
    while (nr < NR && xentmem_reap(t, &done, 1, 5000) == 1)
        nr++;
    CU_ASSERT_EQUAL(nr, NR);
    CU_ASSERT_FALSE(t->finished.bell_rung);
    xentmem_close(t);
}

static void *reap_some(void *arg)
{
    struct xentmem_op *done;
    uintptr_t nr = 0;

    for (unsigned i = 0; i < 200; i++) {
        int r = xentmem_reap(arg, &done, 1, -1);

        if (r <= 0)
            break; /* none is under way */
        nr += (unsigned)r;
    }
    return (void *)nr;
}

static void *reap_one(void *arg)
{
    struct xentmem_op *done;

    return (void *)(intptr_t)xentmem_reap(arg, &done, 1, -1);
}

/* Whoever takes another's answers wakes the one that sleeps for them, whom nobody else does here.
 */
static void who_sleeps_for_answers_that_others_take_is_woken(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {1};
    struct xentmem_op op = {.kind = XENTMEM_PUT, .object = object, .page = page};
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 0);
    struct finished *finished = &t->finished;
    pthread_t sleeper;
    void *nr_reaped;

    atomic_store(&f.manners, FAKE_SILENT);
    CU_ASSERT_EQUAL_FATAL(xentmem_submit(t, &op, 1), 1);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&sleeper, NULL, reap_one, t), 0);
    while (atomic_load(&finished->nr_asleep) == 0)
        usleep(100);
    usleep(50000); /* it has looked at the rings for the last time */
    atomic_store(&f.manners, FAKE_MUTE);
    wait_for_answers(&f, 1);
    for (unsigned i = 0; i < FAKE_RINGS; i++)
        ring_collect(t, &t->rings[i]);
    pthread_mutex_lock(&finished->lock);
    CU_ASSERT(finished->bell_rung || !finished->first);
    pthread_mutex_unlock(&finished->lock);
    pthread_join(sleeper, &nr_reaped);
    CU_ASSERT_EQUAL((intptr_t)nr_reaped, 1);
    xentmem_close(t);
}

/* An object whose operations go on ring @number. */
static struct xentmem_object object_on(struct xentmem *t, unsigned number)
{
    struct xentmem_object o = {{0, 0, 0}};

    while (request_ring(t, 0, &o)->number != number)
        o.id[0]++;
    return o;
}

/* It sleeps for one ring, and has asked to be told of that one. */
static void who_sleeps_is_told_of_what_others_submit_on_another_ring(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {1};
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 0);
    struct xentmem_object first = object_on(t, 0), second = object_on(t, 1);
    struct xentmem_op ops[] = {{.kind = XENTMEM_PUT, .object = first, .page = page},
                               {.kind = XENTMEM_PUT, .object = second, .page = page}},
                      *back;
    pthread_t sleeper;
    void *nr_reaped;

    CU_ASSERT_EQUAL(xentmem_put(t, 0, &second, 0, page), XENTMEM_OK);
    atomic_store(&f.manners, FAKE_SILENT);
    CU_ASSERT_EQUAL_FATAL(xentmem_submit(t, &ops[0], 1), 1);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&sleeper, NULL, reap_one, t), 0);
    while (atomic_load(&t->finished.nr_asleep) == 0)
        usleep(100);
    usleep(50000); /* it has asked */
    CU_ASSERT_EQUAL_FATAL(xentmem_submit(t, &ops[1], 1), 1);
    CU_ASSERT_EQUAL(notify_at(&f, 1), 2);
    atomic_store(&f.manners, FAKE_POLITE);
    pthread_join(sleeper, &nr_reaped);
    CU_ASSERT_EQUAL((intptr_t)nr_reaped + xentmem_reap(t, &back, 1, 5000), 2);
    xentmem_close(t);
}

struct leaver {
    struct xentmem *t;
    atomic_uint *nr_left;
};

static void *reap_and_leave(void *arg)
{
    struct leaver *l = arg;
    struct xentmem_op *done;
    int r = xentmem_reap(l->t, &done, 1, -1);

    atomic_fetch_add(l->nr_left, 1);
    return (void *)(intptr_t)r;
}

static bool all_have_left(atomic_uint *nr_left, unsigned nr)
{
    for (unsigned i = 0; i < 5000 && atomic_load(nr_left) < nr; i++)
        usleep(1000);
    return atomic_load(nr_left) == nr;
}

/* One of them takes the only answer; the others are not left to wait for one that nobody gives. */
static void the_last_answer_sends_all_that_reap_home(void)
{
    enum { NR = 6 };
    static uint8_t page[XENTMEM_PAGE_SIZE] = {1};
    struct xentmem_op op = {.kind = XENTMEM_PUT, .object = object, .page = page};
    struct fake f;
    struct xentmem *t = fake_open(&f, 30000, 0);
    atomic_uint nr_left = 0;
    struct leaver leaver = {.t = t, .nr_left = &nr_left};
    pthread_t threads[NR];
    intptr_t nr_reaped = 0;

    atomic_store(&f.manners, FAKE_SILENT);
    CU_ASSERT_EQUAL_FATAL(xentmem_submit(t, &op, 1), 1);
    for (unsigned i = 0; i < NR; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, reap_and_leave, &leaver), 0);
    while (atomic_load(&t->finished.nr_asleep) < NR)
        usleep(100);
    atomic_store(&f.manners, FAKE_POLITE);
    CU_ASSERT_TRUE(all_have_left(&nr_left, NR));
    while (atomic_load(&nr_left) < NR) { /* let them go, or the test would never end */
        struct xentmem_op more = {.kind = XENTMEM_PUT, .object = object, .page = page}, *back;

        xentmem_submit(t, &more, 1);
        usleep(20000);
        xentmem_reap(t, &back, 1, 20);
    }
    for (unsigned i = 0; i < NR; i++) {
        void *r;

        pthread_join(threads[i], &r);
        nr_reaped += (intptr_t)r;
    }
    CU_ASSERT_EQUAL(nr_reaped, 1);
    CU_ASSERT_FALSE(t->finished.bell_rung);
    xentmem_close(t);
}

/* Both have asked for the first answer's notification; who takes it asks for the second's. */
static void who_takes_all_it_wants_asks_for_the_answers_of_others(void)
{
    static uint8_t page[XENTMEM_PAGE_SIZE] = {1};
    unsigned nr_late_rounds = 0;

    for (unsigned round = 0; round < 5; round++) {
        struct xentmem_op ops[2] = {{.kind = XENTMEM_PUT, .object = object, .page = page},
                                    {.kind = XENTMEM_PUT, .object = object, .page = page}};
        struct fake f;
        struct xentmem *t = fake_open(&f, 5000, 0);
        pthread_t threads[2];
        struct timespec limit;
        bool late = false;

        atomic_store(&f.manners, FAKE_SILENT);
        CU_ASSERT_EQUAL_FATAL(xentmem_submit(t, ops, 2), 2);
        for (unsigned i = 0; i < 2; i++)
            CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, reap_one, t), 0);
        while (atomic_load(&t->finished.nr_asleep) < 2)
            usleep(100);
        usleep(20000); /* they have looked at the rings for the last time */
        atomic_store(&f.manners, FAKE_SLOW);
        clock_gettime(CLOCK_REALTIME, &limit);
        limit.tv_nsec += 600000000;
        limit.tv_sec += limit.tv_nsec / 1000000000;
        limit.tv_nsec %= 1000000000;
        for (unsigned i = 0; i < 2; i++) {
            if (pthread_timedjoin_np(threads[i], NULL, &limit) == 0)
                continue;
            late = true;
            pthread_join(threads[i], NULL);
        }
        nr_late_rounds += late;
        xentmem_close(t);
    }
    CU_ASSERT(nr_late_rounds < 3);
}

static void two_threads_that_reap_leave_nobody_asleep(void)
{
    enum { NR = 400 };
    static uint8_t page[XENTMEM_PAGE_SIZE] = {1};
    static struct xentmem_op ops[NR];
    void *nr_other;
    pthread_t other;
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 0); /* both sleep at once */
    unsigned nr_begun = 0;
    uintptr_t nr_mine;

    for (; nr_begun < NR; nr_begun++) {
        ops[nr_begun] =
            (struct xentmem_op){.kind = XENTMEM_PUT, .object = {{nr_begun, 0, 0}}, .page = page};
        if (xentmem_submit(t, &ops[nr_begun], 1) != 1)
            break; /* the room is used up */
    }
    CU_ASSERT(nr_begun >= 16);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&other, NULL, reap_some, t), 0);
    nr_mine = (uintptr_t)reap_some(t);
    pthread_join(other, &nr_other);
    CU_ASSERT_EQUAL(nr_mine + (uintptr_t)nr_other, nr_begun);
    xentmem_close(t);
}

/* Once there was nothing to reap; in less than the second after which the library looks itself. */
static void who_submits_and_polls_is_woken_by_the_answer(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 0);
    struct pollfd fd = {.fd = xentmem_fd(t), .events = POLLIN};
    unsigned woken = 0;

    for (unsigned i = 0; i < 8; i++) {
        struct xentmem_op op = {.kind = XENTMEM_PUT, .object = object, .page = page}, *back;
        int nr = 0;

        while (poll(&fd, 1, 0) > 0) /* what is left over from the one before */
            xentmem_reap(t, &back, 1, 0);
        CU_ASSERT_EQUAL_FATAL(xentmem_submit(t, &op, 1), 1);
        while (nr == 0 && poll(&fd, 1, 500) == 1)
            nr = xentmem_reap(t, &back, 1, 0);
        woken += nr == 1;
        while (nr == 0)
            nr = xentmem_reap(t, &back, 1, 5000);
        CU_ASSERT_EQUAL(op.status, XENTMEM_OK);
    }
    CU_ASSERT(woken >= 5);
    xentmem_close(t);
}

static void the_descriptor_rests_when_nothing_is_under_way(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct xentmem_op *back;
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 0);
    struct pollfd fd = {.fd = xentmem_fd(t), .events = POLLIN};
    unsigned nr_woken = 0;

    CU_ASSERT_EQUAL(run_async(t, 50, 4), 50);
    CU_ASSERT_EQUAL(xentmem_put(t, 0, &object, 0, page), XENTMEM_OK);
    /* what is left over from notifications, or comes late, may wake it a few times, not for ever */
    for (; nr_woken < 10 && poll(&fd, 1, 20) > 0; nr_woken++)
        xentmem_reap(t, &back, 1, 0);
    CU_ASSERT(nr_woken < 10);
    xentmem_close(t);
}

/* The library looks for answers, too, and may be quicker than the notification. */
static void notification_of_what_was_reaped_wakes_the_descriptor_once(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct xentmem_op *back;
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 0);
    struct pollfd fd = {.fd = xentmem_fd(t), .events = POLLIN};

    put_and_reap(t, page);
    for (unsigned ring = 0; ring < FAKE_RINGS; ring++)
        CU_ASSERT_EQUAL(write(f.to_front[ring][1], "", 1), 1);
    CU_ASSERT_EQUAL(poll(&fd, 1, 1000), 1);
    CU_ASSERT_EQUAL(xentmem_reap(t, &back, 1, 0), 0);
    CU_ASSERT_EQUAL(poll(&fd, 1, 0), 0);
    xentmem_close(t);
}

static void submit_says_eagain_when_the_room_is_used_up_and_threads_still_get_theirs(void)
{
    enum { NR = 256 };
    struct xentmem_op *ops = calloc(NR, sizeof(*ops)), *back;
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 0);
    unsigned submitted = 0, reaped = 0;
    int r;

    /* never reaped until there is no room, also when the manager has answered everything */
    for (unsigned refused = 0; submitted < NR && refused < 50;) {
        ops[submitted] =
            (struct xentmem_op){.kind = XENTMEM_GET, .object = {{submitted, 0, 0}}, .page = page};
        r = xentmem_submit(t, &ops[submitted], 1);
        if (r == 1) {
            submitted++;
            continue;
        }
        CU_ASSERT_FATAL(r == -1 && errno == EAGAIN);
        refused++;
        usleep(1000);
    }
    CU_ASSERT(submitted >= 32 && submitted < FAKE_DATA_PAGES);
    CU_ASSERT_EQUAL(xentmem_put(t, 0, &object, 0, page), XENTMEM_OK);
    while (xentmem_reap(t, &back, 1, 1000) == 1)
        reaped++;
    CU_ASSERT_EQUAL(reaped, submitted);
    xentmem_close(t);
    free(ops);
}

struct hammer {
    struct xentmem *t;
    unsigned first, right;
};

static void *hammer(void *arg)
{
    struct hammer *h = arg;
    uint8_t page[XENTMEM_PAGE_SIZE], got[XENTMEM_PAGE_SIZE];

    for (unsigned i = 0; i < 400; i++) {
        unsigned index = h->first + i % 100;

        fill(page, h->first + i);
        h->right += xentmem_put(h->t, 0, &object, index, page) == XENTMEM_OK &&
                    xentmem_get(h->t, 0, &object, index, got) == XENTMEM_OK &&
                    is_filled(got, h->first + i);
    }
    return NULL;
}

static void two_threads_and_a_reaper_share_a_handle(void)
{
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 10);
    struct hammer hammers[2] = {{.t = t, .first = 1000}, {.t = t, .first = 2000}};
    pthread_t threads[2];

    for (unsigned i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, hammer, &hammers[i]);
    CU_ASSERT_EQUAL(run_async(t, 1500, 16), 1500);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(hammers[0].right, 400);
    CU_ASSERT_EQUAL(hammers[1].right, 400);
    xentmem_close(t);
}

/* Poll as xentmem.h says until @op is back. False: nothing woke us within two seconds. */
static bool poll_until_back(struct xentmem *t, struct xentmem_op *op)
{
    struct pollfd fd = {.fd = xentmem_fd(t), .events = POLLIN};
    struct xentmem_op *back = NULL;

    while (xentmem_reap(t, &back, 1, 0) == 0) {
        if (poll(&fd, 1, 2000) == 0)
            return false;
    }
    return back == op;
}

/* The answer comes while a thread sleeps for the ring, which takes it with its own. */
static void an_answer_that_another_call_takes_makes_the_descriptor_readable(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct xentmem_op op = {.kind = XENTMEM_PUT, .object = object, .page = page}, *back;
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 0);
    unsigned woken = 0;

    atomic_store(&f.manners, FAKE_SLOW);
    for (unsigned i = 0; i < 1000 && woken < 100; i++) {
        struct pollfd fd = {.fd = xentmem_fd(t), .events = POLLIN};

        if (xentmem_submit(t, &op, 1) != 1)
            break;
        if (xentmem_reap(t, &back, 1, 0) == 1)
            continue; /* we have been slower */
        if (xentmem_put(t, 0, &object, 1, page) != XENTMEM_OK)
            break;
        if (poll(&fd, 1, 2000) != 1 || !poll_until_back(t, &op))
            break;
        woken++;
    }
    CU_ASSERT_EQUAL(woken, 100);
    xentmem_close(t);
}

static void *put_once(void *arg)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};

    xentmem_put(arg, 0, &object, 1, page);
    return NULL;
}

/* A thread sleeps for the ring when the operation is submitted, and has left when it is answered.
 */
static void a_thread_that_leaves_asks_for_the_answers_of_others(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct xentmem_op op = {.kind = XENTMEM_PUT, .object = object, .page = page};
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 0);
    unsigned woken = 0;

    atomic_store(&f.manners, FAKE_SLOW);
    for (unsigned i = 0; i < 50; i++) {
        pthread_t thread;

        pthread_create(&thread, NULL, put_once, t);
        usleep(1000);
        if (xentmem_submit(t, &op, 1) == 1)
            woken += poll_until_back(t, &op);
        pthread_join(thread, NULL);
        if (woken <= i)
            break;
    }
    CU_ASSERT_EQUAL(woken, 50);
    xentmem_close(t);
}

static void a_silent_manager_costs_the_time_limit_and_a_late_answer_hurts_nobody(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE], got[XENTMEM_PAGE_SIZE];
    struct fake f;
    struct xentmem *t = fake_open(&f, 100, 0);
    uint64_t started = clock_us(), took;

    fill(page, 9);
    atomic_store(&f.manners, FAKE_SILENT);
    /* more than the ring and the data area hold */
    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(xentmem_put(t, 0, &object, i, page), -1);
        CU_ASSERT_EQUAL(errno, ETIMEDOUT);
    }
    took = clock_us() - started;
    CU_ASSERT(took >= 290000 && took < 3000000);
    atomic_store(&f.manners, FAKE_POLITE);
    t->timeout_ms = PATIENT_MS;
    CU_ASSERT_EQUAL(xentmem_get(t, 0, &object, 2, got), XENTMEM_OK);
    CU_ASSERT(is_filled(got, 9));
    for (unsigned i = 0; i < 500; i++)
        CU_ASSERT_FATAL(xentmem_get(t, 0, &object, 1, got) == XENTMEM_OK);
    xentmem_close(t);
}

/* Some of them in vain: the time limit is about what an answer takes. */
static void *put_now_and_then(void *arg)
{
    for (unsigned i = 0; i < 300; i++) {
        put_once(arg);
        usleep(i % 7 * 1000);
    }
    return NULL;
}

/* All that was given up came back, once. */
static bool room_is_whole(struct xentmem *t)
{
    for (unsigned waited = 0; waited < 500; waited++) {
        for (unsigned i = 0; i < FAKE_RINGS; i++)
            ring_collect(t, &t->rings[i]);
        if (t->room.nr_free_calls >= t->room.nr_calls)
            break;
        usleep(10000);
    }
    return t->room.nr_free_calls == t->room.nr_calls && t->room.nr_free_pages == t->room.nr_pages;
}

/* The late answer of one is taken by another the moment that it is given up. */
static void time_limits_that_meet_late_answers_give_room_back_once(void)
{
    struct fake f;
    struct xentmem *t = fake_open(&f, 3, 0);
    pthread_t threads[3];

    atomic_store(&f.manners, FAKE_SLOW);
    for (unsigned i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, put_now_and_then, t);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&f.manners, FAKE_POLITE);
    CU_ASSERT(room_is_whole(t));
    xentmem_close(t);
}

static void a_vector_that_finds_no_page_ends_with_the_time_limit(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE];
    struct xentmem_op op = {.kind = XENTMEM_GET, .object = object, .page = page};
    struct fake f;
    struct xentmem *t = fake_open(&f, 100, 0);
    /* it needs two */
    struct call *others = room_take(&t->room, FAKE_DATA_PAGES - 1, false);

    CU_ASSERT_FATAL(others != NULL);
    CU_ASSERT_EQUAL(xentmem_vector(t, &op, 1), -1);
    CU_ASSERT_EQUAL(errno, ETIMEDOUT);
    CU_ASSERT(op.status == -1 && op.error == ETIMEDOUT);
    room_give(&t->room, others);
    CU_ASSERT_EQUAL(xentmem_vector(t, &op, 1), 0);
    CU_ASSERT_EQUAL(op.status, XENTMEM_MISS);
    xentmem_close(t);
}

/* As when asynchronous operations that nobody reaps hold all that they may. */
static void a_vector_makes_do_with_the_last_pages(void)
{
    static struct xentmem_op ops[512];
    struct fake f;
    struct xentmem *t = fake_open(&f, 2000, 0);
    struct call *others = room_take(&t->room, FAKE_DATA_PAGES - 2, false);

    CU_ASSERT_FATAL(others != NULL);
    for (unsigned i = 0; i < 512; i++)
        ops[i] = (struct xentmem_op){.kind = XENTMEM_FLUSH_PAGE, .object = object, .index = i};
    CU_ASSERT_EQUAL(xentmem_vector(t, ops, 512), 0);
    for (unsigned i = 0; i < 512; i++)
        CU_ASSERT_EQUAL(ops[i].status, XENTMEM_OK);
    room_give(&t->room, others);
    CU_ASSERT(room_is_whole(t));
    xentmem_close(t);
}

/* One that waits in a call, and one that is waited for with the descriptor. */
static void expect_answers_without_bells(enum fake_manners manners)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct xentmem_op op = {.kind = XENTMEM_PUT, .object = object, .page = page}, *back = NULL;
    struct fake f;
    struct xentmem *t = fake_open(&f, 30000, 0);
    uint64_t started;

    /* a polite manager sleeps in its first wait of 5 ms */
    usleep(20000);
    started = clock_us();
    atomic_store(&f.manners, manners);
    usleep(20000);
    CU_ASSERT_EQUAL(xentmem_put(t, 0, &object, 0, page), XENTMEM_OK);
    atomic_store(&f.manners, manners);
    usleep(20000);
    CU_ASSERT_EQUAL(xentmem_submit(t, &op, 1), 1);
    CU_ASSERT_EQUAL(xentmem_reap(t, &back, 1, 30000), 1);
    CU_ASSERT(back == &op && op.status == XENTMEM_OK);
    /* not by waiting for the limits */
    CU_ASSERT(clock_us() - started < 20000000);
    xentmem_close(t);
}

static void a_lost_notification_of_an_answer_costs_a_pause(void)
{
    expect_answers_without_bells(FAKE_MUTE);
}

static void a_lost_notification_of_a_request_costs_a_pause(void)
{
    expect_answers_without_bells(FAKE_DEAF);
}

static void a_notification_that_is_late_is_not_called_lost(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct xentmem_op op = {.kind = XENTMEM_PUT, .object = object, .page = page}, *back = NULL;
    struct fake f;
    struct xentmem *t = fake_open(&f, 30000, 0);

    atomic_store(&f.manners, FAKE_LATE);
    CU_ASSERT_EQUAL(xentmem_put(t, 0, &object, 0, page), XENTMEM_OK);
    CU_ASSERT_EQUAL(xentmem_submit(t, &op, 1), 1);
    CU_ASSERT_EQUAL(xentmem_reap(t, &back, 1, 30000), 1);
    CU_ASSERT_EQUAL(atomic_load(&f.nr_said), 0);
    /* and of a manager that has none it is told, or this says nothing */
    atomic_store(&f.manners, FAKE_MUTE);
    usleep(20000);
    for (unsigned i = 0; i < 10 && atomic_load(&f.nr_said) == 0; i++)
        CU_ASSERT_EQUAL(xentmem_put(t, 0, &object, 0, page), XENTMEM_OK);
    CU_ASSERT_EQUAL(atomic_load(&f.nr_said), 1);
    xentmem_close(t);
}

static void an_asynchronous_operation_times_out_by_itself(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct xentmem_op op = {.kind = XENTMEM_PUT, .object = object, .page = page}, *back = NULL;
    struct fake f;
    struct xentmem *t = fake_open(&f, 1000, 0);

    atomic_store(&f.manners, FAKE_SILENT);
    CU_ASSERT_EQUAL(xentmem_submit(t, &op, 1), 1);
    CU_ASSERT_EQUAL(xentmem_reap(t, &back, 1, 20), 0);
    CU_ASSERT_EQUAL(xentmem_reap(t, &back, 1, 5000), 1);
    CU_ASSERT_PTR_EQUAL(back, &op);
    CU_ASSERT_EQUAL(op.status, -1);
    CU_ASSERT_EQUAL(op.error, ETIMEDOUT);
    atomic_store(&f.manners, FAKE_POLITE);
    t->timeout_ms = PATIENT_MS;
    CU_ASSERT_EQUAL(run_async(t, 300, 8), 300);
    xentmem_close(t);
}

/* Not at the next pause of a second. A busy machine may be late now and then. */
static void later_asynchronous_operations_keep_their_limit_too(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct fake f;
    struct xentmem *t = fake_open(&f, 50, 0);
    unsigned in_time = 0;

    atomic_store(&f.manners, FAKE_SILENT);
    for (unsigned i = 0; i < 5; i++) {
        struct xentmem_op op = {.kind = XENTMEM_PUT, .object = object, .page = page}, *back = NULL;

        CU_ASSERT_EQUAL(xentmem_submit(t, &op, 1), 1);
        in_time += xentmem_reap(t, &back, 1, 700) == 1;
        while (!back && xentmem_reap(t, &back, 1, 5000) == 0)
            continue;
        CU_ASSERT_EQUAL(op.error, ETIMEDOUT);
    }
    CU_ASSERT(in_time >= 3);
    xentmem_close(t);
}

static void expect_broken(enum fake_manners manners, bool vector)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct xentmem_op ops[3];
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 0);
    uint32_t pool = 77;
    int r;

    for (unsigned i = 0; i < 3; i++)
        ops[i] = (struct xentmem_op){.kind = XENTMEM_PUT, .object = object, .page = page};
    atomic_store(&f.manners, manners);
    errno = 0;
    if (manners == FAKE_HUGE_POOL_ID)
        r = xentmem_pool_create(t, 0, &pool);
    else
        r = vector ? xentmem_vector(t, ops, 3) : xentmem_put(t, 0, &object, 0, page);
    CU_ASSERT_EQUAL(r, -1);
    CU_ASSERT_EQUAL(errno, EPROTO);
    CU_ASSERT_EQUAL(pool, 77);
    /* and it stays so, for everybody */
    atomic_store(&f.manners, FAKE_POLITE);
    CU_ASSERT_EQUAL(xentmem_get(t, 0, &object, 0, page), -1);
    CU_ASSERT_EQUAL(errno, EPROTO);
    CU_ASSERT_EQUAL(xentmem_submit(t, ops, 1), -1);
    CU_ASSERT_EQUAL(errno, EPROTO);
    xentmem_close(t);
}

static void a_response_to_another_request_ends_the_session(void)
{
    expect_broken(FAKE_WRONG_NUMBER, false);
}

static void a_response_index_that_jumps_ends_the_session(void)
{
    expect_broken(FAKE_JUMPING_INDEX, false);
}

static void a_response_index_that_runs_backwards_ends_the_session(void)
{
    expect_broken(FAKE_BACKWARD_INDEX, false);
}

static void a_miss_for_a_put_ends_the_session(void)
{
    expect_broken(FAKE_MISSES_PUTS, false);
}

static void a_lease_nobody_asked_for_ends_the_session(void)
{
    expect_broken(FAKE_GIVES_LEASES, false);
}

static void a_pool_number_out_of_range_ends_the_session(void)
{
    expect_broken(FAKE_HUGE_POOL_ID, false);
}

static void a_batch_answered_short_ends_the_session(void)
{
    expect_broken(FAKE_SHORT_BATCH, true);
}

static void a_bad_element_of_a_batch_ends_the_session(void)
{
    expect_broken(FAKE_BAD_ELEMENT, true);
}

static void a_status_of_a_later_version_reaches_the_user(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 0);

    atomic_store(&f.manners, FAKE_NEW_STATUS);
    CU_ASSERT_EQUAL(xentmem_put(t, 0, &object, 0, page), 999);
    CU_ASSERT_STRING_EQUAL(xentmem_strstatus(999), "unknown status");
    xentmem_close(t);
}

static void a_broken_manager_gives_asynchronous_operations_back(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct xentmem_op ops[8], *back[8];
    struct fake f;
    struct xentmem *t = fake_open(&f, -1, 0);
    unsigned right = 0;
    int nr = 0, r;

    atomic_store(&f.manners, FAKE_SILENT);
    for (unsigned i = 0; i < 8; i++)
        ops[i] = (struct xentmem_op){.kind = XENTMEM_PUT, .object = {{i, 0, 0}}, .page = page};
    CU_ASSERT_EQUAL(xentmem_submit(t, ops, 8), 8);
    atomic_store(&f.manners, FAKE_WRONG_NUMBER);
    while (nr < 8 && (r = xentmem_reap(t, back + nr, (unsigned)(8 - nr), 5000)) > 0)
        nr += r;
    CU_ASSERT_EQUAL(nr, 8);
    for (int i = 0; i < nr; i++)
        right += back[i]->status == -1 && back[i]->error == EPROTO;
    CU_ASSERT_EQUAL(right, 8);
    xentmem_close(t);
}

static void lose_manager(struct fake *f)
{
    atomic_store(&f->manners, FAKE_SILENT);
    atomic_store(&f->again, ATTACH_LOST);
    atomic_store(&f->look, ATTACH_LOST);
    fake_ring_event(f);
}

static void calls_wait_for_a_lost_manager_and_are_answered_when_it_is_back(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct fake f;
    struct xentmem *t = fake_open(&f, PATIENT_MS, 0);
    unsigned nr = 0;

    CU_ASSERT_EQUAL(xentmem_put(t, 0, &object, 0, page), XENTMEM_OK);
    t->timeout_ms = 400;
    lose_manager(&f);
    do {
        CU_ASSERT_EQUAL(xentmem_put(t, 0, &object, 1, page), -1);
        CU_ASSERT_EQUAL(errno, ETIMEDOUT);
        nr++;
    } while (nr < 10 && atomic_load(&f.nr_again) < 2);
    CU_ASSERT(atomic_load(&f.nr_again) >= 2 && atomic_load(&f.nr_again) < 40 * nr);
    atomic_store(&f.again, ATTACH_SERVED);
    t->timeout_ms = PATIENT_MS;
    CU_ASSERT_EQUAL(xentmem_get(t, 0, &object, 1, page), XENTMEM_OK);
    xentmem_close(t);
}

/* By operations that nobody answers, until all are given up. */
static void use_up_room(struct xentmem *t)
{
    enum { NR = 256 };
    static uint8_t page[XENTMEM_PAGE_SIZE];
    static struct xentmem_op ops[NR], *back[NR];
    int nr = 0, reaped = 0, r;

    for (; nr < NR; nr++) {
        ops[nr] = (struct xentmem_op){
            .kind = XENTMEM_PUT, .object = {{(uint64_t)nr, 0, 0}}, .page = page};
        if (xentmem_submit(t, &ops[nr], 1) != 1)
            break;
    }
    CU_ASSERT_FATAL(nr < NR);
    while ((r = xentmem_reap(t, back, NR, 5000)) > 0)
        reaped += r;
    CU_ASSERT_EQUAL(reaped, nr);
}

/* It waits a little each time that there is no room. */
static void expect_to_submit_at_last(struct xentmem *t, struct xentmem_op *op)
{
    struct xentmem_op *back;
    int r = 0;

    for (unsigned i = 0; i < 500 && (r = xentmem_submit(t, op, 1)) != 1; i++)
        CU_ASSERT_EQUAL(xentmem_reap(t, &back, 1, -1), 0);
    CU_ASSERT_EQUAL(r, 1);
}

/* Nothing is under way then, and what was given up holds all room: nobody sleeps for the manager.
 */
static void who_reaps_in_vain_finds_out_that_the_manager_is_back(void)
{
    static uint8_t page[XENTMEM_PAGE_SIZE];
    struct xentmem_op one = {.kind = XENTMEM_PUT, .object = object, .page = page}, *back;
    struct fake f;
    struct xentmem *t = fake_open(&f, 200, 0);

    lose_manager(&f);
    use_up_room(t);
    CU_ASSERT_EQUAL(xentmem_submit(t, &one, 1), -1);
    CU_ASSERT_EQUAL(errno, EAGAIN);
    atomic_store(&f.again, ATTACH_SERVED);
    t->timeout_ms = PATIENT_MS;
    expect_to_submit_at_last(t, &one);
    CU_ASSERT_EQUAL(xentmem_reap(t, &back, 1, PATIENT_MS), 1);
    CU_ASSERT_EQUAL(one.status, XENTMEM_OK);
    xentmem_close(t);
}

static void who_polls_for_room_is_woken_until_there_is_some(void)
{
    static uint8_t page[XENTMEM_PAGE_SIZE];
    struct xentmem_op one = {.kind = XENTMEM_PUT, .object = object, .page = page}, *back;
    struct fake f;
    struct xentmem *t = fake_open(&f, 200, 0);
    struct pollfd fd = {.fd = xentmem_fd(t), .events = POLLIN};
    unsigned asleep = 0;
    int r = 0;

    lose_manager(&f);
    use_up_room(t);
    for (unsigned i = 0; i < 500 && asleep == 0 && (r = xentmem_submit(t, &one, 1)) != 1; i++) {
        if (i == 3)
            atomic_store(&f.again, ATTACH_SERVED);
        asleep += poll(&fd, 1, 5000) == 0;
        CU_ASSERT_EQUAL(xentmem_reap(t, &back, 1, 0), 0);
    }
    CU_ASSERT_EQUAL(asleep, 0);
    CU_ASSERT_EQUAL(r, 1);
    xentmem_close(t);
}

/* One that hangs until all was given up, and goes then: only its event tells. */
static void who_reaps_in_vain_finds_out_that_a_silent_manager_went(void)
{
    static uint8_t page[XENTMEM_PAGE_SIZE];
    struct xentmem_op one = {.kind = XENTMEM_PUT, .object = object, .page = page};
    struct fake f;
    struct xentmem *t = fake_open(&f, 200, 0);

    atomic_store(&f.manners, FAKE_SILENT);
    use_up_room(t);
    lose_manager(&f);
    atomic_store(&f.again, ATTACH_SERVED);
    expect_to_submit_at_last(t, &one);
    xentmem_close(t);
}

struct caller {
    struct xentmem *t;
    atomic_bool stop;
};

static void *call_again_and_again(void *arg)
{
    struct caller *c = arg;
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};

    while (!atomic_load(&c->stop))
        xentmem_put(c->t, 0, &object, 1, page);
    return NULL;
}

/* Each look for the manager sets the timer; it is not to be put off by that. */
static void calls_of_others_put_no_time_limit_off(void)
{
    static uint8_t page[XENTMEM_PAGE_SIZE];
    struct xentmem_op one = {.kind = XENTMEM_PUT, .object = object, .page = page}, *back = NULL;
    struct fake f;
    struct xentmem *t = fake_open(&f, 300, 0);
    struct caller caller = {.t = t, .stop = false};
    pthread_t thread;

    lose_manager(&f);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, call_again_and_again, &caller), 0);
    usleep(500000);
    CU_ASSERT_EQUAL(xentmem_submit(t, &one, 1), 1);
    CU_ASSERT_EQUAL(xentmem_reap(t, &back, 1, 5000), 1);
    CU_ASSERT_PTR_EQUAL(back, &one);
    CU_ASSERT_EQUAL(one.error, ETIMEDOUT);
    atomic_store(&caller.stop, true);
    pthread_join(thread, NULL);
    xentmem_close(t);
}

static void who_waits_for_room_finds_out_that_the_manager_is_back(void)
{
    static uint8_t page[XENTMEM_PAGE_SIZE];
    struct xentmem_op ops[30];
    struct fake f;
    struct xentmem *t = fake_open(&f, 100, 0);
    unsigned given_up = 0;

    lose_manager(&f);
    for (unsigned tries = 0; tries < 8; tries++) {
        for (unsigned i = 0; i < 30; i++)
            ops[i] = (struct xentmem_op){.kind = XENTMEM_PUT, .object = object, .page = page};
        given_up += xentmem_vector(t, ops, 30) == -1 && errno == ETIMEDOUT;
    }
    CU_ASSERT_EQUAL(given_up, 8);
    CU_ASSERT_EQUAL(t->room.nr_free_pages, 0);
    atomic_store(&f.again, ATTACH_SERVED);
    t->timeout_ms = PATIENT_MS;
    CU_ASSERT_EQUAL(xentmem_put(t, 0, &object, 0, page), XENTMEM_OK);
    xentmem_close(t);
}

/* The descriptor stays readable: whoever polls has to learn why. */
static void who_reaps_from_a_dead_handle_is_told_what_it_died_of(void)
{
    struct xentmem_op *back;
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 0);
    struct pollfd fd = {.fd = xentmem_fd(t), .events = POLLIN};
    int r = 0;

    CU_ASSERT_EQUAL(xentmem_reap(t, &back, 1, 0), 0);
    atomic_store(&f.look, ATTACH_GONE);
    fake_ring_event(&f);
    for (unsigned i = 0; i < 10 && r == 0 && poll(&fd, 1, 5000) == 1; i++)
        r = xentmem_reap(t, &back, 1, 0);
    CU_ASSERT_EQUAL(r, -1);
    CU_ASSERT_EQUAL(errno, ENODEV);
    xentmem_close(t);
}

static void an_attachment_that_is_gone_fails_every_call_at_once(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct xentmem_op op = {.kind = XENTMEM_PUT, .object = object, .page = page}, *back = NULL;
    struct fake f;
    struct xentmem *t = fake_open(&f, -1, 0);

    atomic_store(&f.manners, FAKE_SILENT);
    CU_ASSERT_EQUAL(xentmem_submit(t, &op, 1), 1);
    atomic_store(&f.look, ATTACH_GONE);
    fake_ring_event(&f);
    CU_ASSERT_EQUAL(xentmem_put(t, 0, &object, 1, page), -1);
    CU_ASSERT_EQUAL(errno, ENODEV);
    CU_ASSERT_EQUAL(xentmem_reap(t, &back, 1, 1000), 1);
    CU_ASSERT_EQUAL(op.error, ENODEV);
    op = (struct xentmem_op){.kind = XENTMEM_PUT, .object = object, .page = page};
    CU_ASSERT_EQUAL(xentmem_vector(t, &op, 1), -1);
    CU_ASSERT_EQUAL(errno, ENODEV);
    CU_ASSERT(op.status == -1 && op.error == ENODEV);
    xentmem_close(t);
}

static void a_child_made_by_fork_may_only_close(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 0);
    int status = -1;
    pid_t child;

    CU_ASSERT_EQUAL(xentmem_put(t, 0, &object, 0, page), XENTMEM_OK);
    child = fork();
    if (child == 0) {
        struct xentmem_op op = {.kind = XENTMEM_PUT, .object = object, .page = page};
        bool ok = xentmem_get(t, 0, &object, 0, page) == -1 && errno == EINVAL &&
                  xentmem_submit(t, &op, 1) == -1 && errno == EINVAL && xentmem_fd(t) == -1;

        xentmem_close(t);
        _exit(ok ? 0 : 1);
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
    CU_ASSERT_EQUAL(xentmem_get(t, 0, &object, 0, page), XENTMEM_OK);
    xentmem_close(t);
}

static void bad_arguments_send_nothing(void)
{
    uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct xentmem_op op = {.kind = 99, .object = object, .page = page};
    size_t room = 16;
    struct fake f;
    struct xentmem *t = fake_open(&f, 5000, 0);

    CU_ASSERT_EQUAL(xentmem_submit(t, &op, 1), -1);
    CU_ASSERT_EQUAL(errno, EINVAL);
    op.kind = XENTMEM_PUT;
    op.flags = XENTMEM_WANT_LEASE;
    CU_ASSERT_EQUAL(xentmem_submit(t, &op, 1), -1);
    CU_ASSERT_EQUAL(xentmem_put(t, 0, &object, 0, NULL), -1);
    CU_ASSERT_EQUAL(xentmem_flush_range(t, 0, &object, 5, 4), -1);
    CU_ASSERT_EQUAL(errno, EINVAL);
    CU_ASSERT_EQUAL(xentmem_control(t, page, 16, page, &room), -1);
    CU_ASSERT_EQUAL(errno, EINVAL);
    CU_ASSERT_EQUAL(atomic_load(&f.nr_requests), 0);
    xentmem_close(t);
}

#define TESTS(T)                                                                                   \
    T(a_page_put_is_the_page_got)                                                                  \
    T(a_miss_gives_a_lease_where_one_was_asked_for)                                                \
    T(a_vector_of_512_comes_back_whole_and_in_order)                                               \
    T(a_vector_with_a_bad_operation_does_nothing)                                                  \
    T(operations_at_depth_32_all_come_back)                                                        \
    T(the_descriptor_wakes_a_poller_for_every_answer)                                              \
    T(who_looks_for_answers_asks_for_no_notification_until_the_descriptor_is_lent)                 \
    T(who_looks_for_answers_keeps_to_the_time)                                                     \
    T(what_is_left_when_few_are_reaped_rings_for_nobody)                                           \
    T(who_sleeps_for_answers_that_others_take_is_woken)                                            \
    T(who_sleeps_is_told_of_what_others_submit_on_another_ring)                                    \
    T(the_last_answer_sends_all_that_reap_home)                                                    \
    T(who_takes_all_it_wants_asks_for_the_answers_of_others)                                       \
    T(two_threads_that_reap_leave_nobody_asleep)                                                   \
    T(who_submits_and_polls_is_woken_by_the_answer)                                                \
    T(the_descriptor_rests_when_nothing_is_under_way)                                              \
    T(notification_of_what_was_reaped_wakes_the_descriptor_once)                                   \
    T(submit_says_eagain_when_the_room_is_used_up_and_threads_still_get_theirs)                    \
    T(an_answer_that_another_call_takes_makes_the_descriptor_readable)                             \
    T(a_thread_that_leaves_asks_for_the_answers_of_others)                                         \
    T(two_threads_and_a_reaper_share_a_handle)                                                     \
    T(a_silent_manager_costs_the_time_limit_and_a_late_answer_hurts_nobody)                        \
    T(time_limits_that_meet_late_answers_give_room_back_once)                                      \
    T(a_vector_that_finds_no_page_ends_with_the_time_limit)                                        \
    T(a_vector_makes_do_with_the_last_pages)                                                       \
    T(a_lost_notification_of_an_answer_costs_a_pause)                                              \
    T(a_notification_that_is_late_is_not_called_lost)                                              \
    T(a_lost_notification_of_a_request_costs_a_pause)                                              \
    T(an_asynchronous_operation_times_out_by_itself)                                               \
    T(later_asynchronous_operations_keep_their_limit_too)                                          \
    T(a_response_to_another_request_ends_the_session)                                              \
    T(a_response_index_that_jumps_ends_the_session)                                                \
    T(a_response_index_that_runs_backwards_ends_the_session)                                       \
    T(a_miss_for_a_put_ends_the_session)                                                           \
    T(a_lease_nobody_asked_for_ends_the_session)                                                   \
    T(a_pool_number_out_of_range_ends_the_session)                                                 \
    T(a_batch_answered_short_ends_the_session)                                                     \
    T(a_bad_element_of_a_batch_ends_the_session)                                                   \
    T(a_status_of_a_later_version_reaches_the_user)                                                \
    T(a_broken_manager_gives_asynchronous_operations_back)                                         \
    T(calls_wait_for_a_lost_manager_and_are_answered_when_it_is_back)                              \
    T(who_reaps_in_vain_finds_out_that_the_manager_is_back)                                        \
    T(who_polls_for_room_is_woken_until_there_is_some)                                             \
    T(who_reaps_in_vain_finds_out_that_a_silent_manager_went)                                      \
    T(calls_of_others_put_no_time_limit_off)                                                       \
    T(who_waits_for_room_finds_out_that_the_manager_is_back)                                       \
    T(who_reaps_from_a_dead_handle_is_told_what_it_died_of)                                        \
    T(an_attachment_that_is_gone_fails_every_call_at_once)                                         \
    T(a_child_made_by_fork_may_only_close)                                                         \
    T(bad_arguments_send_nothing)
RUN_TESTS(TESTS)
