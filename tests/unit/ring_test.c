/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Both ends of a ring, PROTOCOL.md section 3, with an honest and with a broken peer. */
#include "protocol/ring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "tests/lib/runner.h"

#define PAGE __attribute__((aligned(TMEMIF_PAGE_SIZE)))

/* A ring of one page with both its ends; new, or with all indexes at @start. */
struct fixture {
    uint8_t pages[TMEMIF_PAGE_SIZE] PAGE;
    struct ring_front front;
    struct ring_back back;
};

static void start_at(struct fixture *f, uint32_t start)
{
    memset(f->pages, 0xee, sizeof(f->pages)); /* pages that were used before */
    ring_front_init(&f->front, f->pages, 0, 0x1122334455667788ull);
    f->front.req_prod = f->front.req_published = f->front.rsp_cons = start;
    f->front.view.shared->req_prod = f->front.view.shared->rsp_prod = start;
    f->front.view.shared->rsp_event = start + 1;
    ring_back_init(&f->back, f->pages, 0, start);
}

static struct tmemif_request nop(uint32_t tag)
{
    return (struct tmemif_request){.op = TMEMIF_OP_NOP, .u.none[0] = tag};
}

/* Put and publish @nr requests; returns whether the backend was to be notified. */
static bool put(struct fixture *f, uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++) {
        struct tmemif_request req = nop(f->front.req_prod);

        ring_front_put(&f->front, &req);
    }
    return ring_front_publish(&f->front);
}

static bool answer(struct fixture *f, uint32_t nr)
{
    uint32_t before = f->back.rsp_prod;

    for (uint32_t i = 0; i < nr; i++) {
        struct tmemif_response rsp = {.number = f->back.rsp_prod, .value = 7};

        ring_back_take(&f->back);
        ring_back_answer(&f->back, &rsp);
    }
    return ring_back_needs_notify(&f->back, before);
}

static uint32_t back_ready(struct fixture *f)
{
    bool bad;
    uint32_t ready = ring_back_ready(&f->back, &bad);

    CU_ASSERT_FALSE(bad);
    return ready;
}

static uint32_t front_ready(struct fixture *f)
{
    bool bad;
    uint32_t ready = ring_front_ready(&f->front, &bad);

    CU_ASSERT_FALSE(bad);
    return ready;
}

/* ---- layout ---- */

static void the_header_lies_as_it_is_drawn(void)
{
    CU_ASSERT_EQUAL(offsetof(struct tmemif_ring, req_prod), 0);
    CU_ASSERT_EQUAL(offsetof(struct tmemif_ring, rsp_event), 4);
    CU_ASSERT_EQUAL(offsetof(struct tmemif_ring, front_beat), 8);
    CU_ASSERT_EQUAL(offsetof(struct tmemif_ring, front_alive), 12);
    CU_ASSERT_EQUAL(offsetof(struct tmemif_ring, front_session), 16);
    CU_ASSERT_EQUAL(offsetof(struct tmemif_ring, rsp_prod), 64);
    CU_ASSERT_EQUAL(offsetof(struct tmemif_ring, req_event), 68);
    CU_ASSERT_EQUAL(offsetof(struct tmemif_ring, back_beat), 72);
    CU_ASSERT_EQUAL(offsetof(struct tmemif_ring, back_epoch), 76);
    CU_ASSERT_EQUAL(sizeof(struct tmemif_ring), 128);
}

static void a_new_ring_in_used_pages_has_a_clean_header(void)
{
    /* octets of the header of a new ring */
    static const uint8_t golden[128] = {
        [0] = 0,                                               /* req_prod */
        [4] = 1,                                               /* rsp_event */
        [12] = 1,                                              /* front_alive */
        [16] = 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, /* front_session */
        [64] = 0,                                              /* rsp_prod */
        [68] = 1,                                              /* req_event */
    };
    static struct fixture f;

    start_at(&f, 0);
    CU_ASSERT(memcmp(f.pages, golden, sizeof(golden)) == 0);
}

static void slots_of_every_order_fill_the_ring_and_no_more(void)
{
    for (unsigned order = 0; order <= TMEMIF_MAX_RING_PAGE_ORDER; order++) {
        static uint8_t pages[TMEMIF_PAGE_SIZE << TMEMIF_MAX_RING_PAGE_ORDER] PAGE;
        struct ring_view v = ring_view_at(pages, order);

        CU_ASSERT_EQUAL(v.nr_slots, 32u << order);
        CU_ASSERT_EQUAL((uint8_t *)v.requests - pages, 128);
        CU_ASSERT_EQUAL((uint8_t *)v.responses - pages, 128 + 64 * (32 << order));
        CU_ASSERT((uint8_t *)(v.responses + v.nr_slots) <= pages + (TMEMIF_PAGE_SIZE << order));
    }
}

/* ---- an honest peer ---- */

static void a_request_and_its_response_cross(void)
{
    static struct fixture f;
    struct tmemif_response rsp;

    start_at(&f, 0);
    CU_ASSERT_EQUAL(back_ready(&f), 0);
    put(&f, 1);
    CU_ASSERT_EQUAL(back_ready(&f), 1);
    CU_ASSERT_EQUAL(ring_back_take(&f.back).op, TMEMIF_OP_NOP);
    CU_ASSERT_EQUAL(back_ready(&f), 0);
    CU_ASSERT_EQUAL(front_ready(&f), 0);
    rsp = (struct tmemif_response){.number = 0, .status = TMEMIF_OK, .value = 42};
    ring_back_answer(&f.back, &rsp);
    CU_ASSERT_EQUAL(front_ready(&f), 1);
    CU_ASSERT_EQUAL(ring_front_take(&f.front).value, 42);
    CU_ASSERT_EQUAL(front_ready(&f), 0);
}

static void a_request_looked_at_is_taken_all_the_same(void)
{
    static struct fixture f;

    start_at(&f, UINT32_MAX - 2); /* across the end of the ring and of the numbers */
    put(&f, 5);
    for (uint32_t i = 0; i < 5; i++) {
        for (uint32_t ahead = 0; ahead < 5 - i; ahead++)
            CU_ASSERT_EQUAL(ring_back_peek(&f.back, ahead).u.none[0], UINT32_MAX - 2 + i + ahead);
        CU_ASSERT_EQUAL(back_ready(&f), 5 - i);
        CU_ASSERT_EQUAL(ring_back_take(&f.back).u.none[0], UINT32_MAX - 2 + i);
    }
}

static void a_full_ring_has_no_room_until_a_response_is_taken(void)
{
    static struct fixture f;

    start_at(&f, 0);
    CU_ASSERT_EQUAL(ring_front_free(&f.front), 32);
    put(&f, 32);
    CU_ASSERT_EQUAL(ring_front_free(&f.front), 0);
    CU_ASSERT_EQUAL(back_ready(&f), 32);
    answer(&f, 1);
    CU_ASSERT_EQUAL(ring_front_free(&f.front), 0);
    ring_front_take(&f.front);
    CU_ASSERT_EQUAL(ring_front_free(&f.front), 1);
}

static void a_request_is_not_seen_before_it_is_published(void)
{
    static struct fixture f;
    struct tmemif_request req = nop(0);

    start_at(&f, 0);
    ring_front_put(&f.front, &req);
    CU_ASSERT_EQUAL(back_ready(&f), 0);
    ring_front_publish(&f.front);
    CU_ASSERT_EQUAL(back_ready(&f), 1);
}

static void indexes_wrap_without_a_trace(void)
{
    static struct fixture f;
    uint32_t start = UINT32_MAX - 40;

    start_at(&f, start);
    for (uint32_t i = 0; i < 100; i += 25) {
        put(&f, 25);
        CU_ASSERT_EQUAL(back_ready(&f), 25);
        for (uint32_t k = 0; k < 25; k++) {
            struct tmemif_response rsp = {.number = f.back.rsp_prod};

            CU_ASSERT_EQUAL(ring_back_take(&f.back).u.none[0], start + i + k);
            ring_back_answer(&f.back, &rsp);
        }
        CU_ASSERT_EQUAL(front_ready(&f), 25);
        for (uint32_t k = 0; k < 25; k++)
            CU_ASSERT_EQUAL(ring_front_take(&f.front).number, start + i + k);
    }
    CU_ASSERT_EQUAL(f.front.view.shared->req_prod, 59);
}

/* ---- notification ---- */

static void notify_is_due_exactly_when_the_event_lies_in_the_step(void)
{
    static const uint32_t starts[] = {0, 1, 31, 0x7fffffff, 0x80000000, UINT32_MAX - 3, UINT32_MAX};

    for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        for (uint32_t step = 0; step <= 8; step++) {
            for (int32_t at = -12; at <= 12; at++) {
                uint32_t old = starts[i], now = old + step, event = old + (uint32_t)at;
                /* the step makes the indexes old + 1 .. now; the event is the one asked for */
                bool due = at >= 1 && (uint32_t)at <= step;

                CU_ASSERT_EQUAL(ring_needs_notify(old, now, event), due);
            }
        }
    }
}

static void a_sleeper_is_notified_once_and_a_poller_never(void)
{
    for (uint32_t start = UINT32_MAX - 2; start != 3; start++) {
        static struct fixture f;

        start_at(&f, start);
        CU_ASSERT_FALSE(ring_back_arm(&f.back));
        CU_ASSERT_TRUE(put(&f, 1));  /* it sleeps */
        CU_ASSERT_FALSE(put(&f, 1)); /* it has been told, and is on its way */
        CU_ASSERT_EQUAL(back_ready(&f), 2);
        CU_ASSERT_FALSE(ring_front_arm(&f.front));
        CU_ASSERT_TRUE(answer(&f, 1));
        CU_ASSERT_FALSE(answer(&f, 1));
        CU_ASSERT_FALSE(put(&f, 3)); /* it polls */
    }
}

static void who_arms_with_something_there_must_not_sleep(void)
{
    static struct fixture f;

    start_at(&f, 0);
    put(&f, 1);
    CU_ASSERT_TRUE(ring_back_arm(&f.back));
    answer(&f, 1);
    CU_ASSERT_TRUE(ring_front_arm(&f.front));
    ring_front_take(&f.front);
    CU_ASSERT_FALSE(ring_front_arm(&f.front));
    CU_ASSERT_FALSE(ring_back_arm(&f.back));
}

static void publishing_nothing_notifies_nobody(void)
{
    static struct fixture f;

    start_at(&f, 0);
    ring_back_arm(&f.back);
    CU_ASSERT_FALSE(ring_front_publish(&f.front));
}

/* ---- a broken peer ---- */

static void back_sees(uint32_t start, uint32_t taken, uint32_t req_prod, bool want_bad)
{
    static struct fixture f;
    bool bad;
    uint32_t ready;

    start_at(&f, start);
    put(&f, 8);
    for (uint32_t i = 0; i < taken; i++)
        ring_back_take(&f.back);
    f.front.view.shared->req_prod = req_prod;
    ready = ring_back_ready(&f.back, &bad);
    CU_ASSERT_EQUAL(bad, want_bad);
    CU_ASSERT_EQUAL(ready, want_bad ? 0 : req_prod - (start + taken));
}

static void a_request_index_that_jumps_or_runs_backwards_is_a_violation(void)
{
    static const uint32_t starts[] = {0, 1000, 0x7ffffff0, UINT32_MAX - 3};

    for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        uint32_t s = starts[i];

        back_sees(s, 0, s + 32, false);
        back_sees(s, 0, s + 33, true);
        back_sees(s, 0, s - 1, true);
        back_sees(s, 0, s + 0x80000000u, true);
        back_sees(s, 5, s + 5, false);
        back_sees(s, 5, s + 4, true); /* one less than was taken */
        /* five taken and not answered: 27 more fit */
        back_sees(s, 5, s + 32, false);
        back_sees(s, 5, s + 33, true);
    }
}

static void front_sees(uint32_t start, uint32_t rsp_prod, bool want_bad)
{
    static struct fixture f;
    struct tmemif_request unpublished = nop(0);
    bool bad;
    uint32_t ready;

    start_at(&f, start);
    put(&f, 4);
    ring_front_put(&f.front, &unpublished);
    f.front.view.shared->rsp_prod = rsp_prod;
    ready = ring_front_ready(&f.front, &bad);
    CU_ASSERT_EQUAL(bad, want_bad);
    CU_ASSERT_EQUAL(ready, want_bad ? 0 : rsp_prod - start);
}

static void a_response_index_that_jumps_or_runs_backwards_is_a_violation(void)
{
    static const uint32_t starts[] = {0, 77, UINT32_MAX - 1};

    for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        front_sees(starts[i], starts[i] + 4, false);
        front_sees(starts[i], starts[i] + 5, true); /* it cannot have seen the fifth */
        front_sees(starts[i], starts[i] - 1, true);
        front_sees(starts[i], starts[i] + 0x80000000u, true);
    }
}

static void neither_side_reads_back_what_it_stored(void)
{
    static struct fixture f;

    start_at(&f, 0);
    put(&f, 2);
    answer(&f, 1);
    f.back.view.shared->rsp_prod = 1000; /* the frontend scribbles over our index */
    answer(&f, 1);
    CU_ASSERT_EQUAL(f.back.view.shared->rsp_prod, 2);
    f.front.view.shared->req_prod = 1000; /* the backend over ours */
    put(&f, 1);
    CU_ASSERT_EQUAL(f.front.view.shared->req_prod, 3);
}

static void what_is_taken_no_longer_changes(void)
{
    static struct fixture f;
    struct tmemif_request req;
    struct tmemif_response rsp;

    start_at(&f, 0);
    put(&f, 1);
    req = ring_back_take(&f.back);
    memset(f.front.view.requests, 0xff, sizeof(req));
    CU_ASSERT_EQUAL(req.op, TMEMIF_OP_NOP);
    rsp = (struct tmemif_response){.value = 9};
    ring_back_answer(&f.back, &rsp);
    rsp = ring_front_take(&f.front);
    memset(f.front.view.responses, 0xff, sizeof(rsp));
    CU_ASSERT_EQUAL(rsp.value, 9);
}

/*
 * A peer that flips a slot between two valid values while it is taken: what
 * comes out is made of 64-bit words that were there, and stays what it is.
 */
struct flipper {
    struct fixture f;
    atomic_bool stop;
};

static void *flip_the_slot(void *arg)
{
    struct flipper *fl = arg;
    volatile uint64_t *word = (volatile uint64_t *)&fl->f.front.view.requests[0];

    while (!atomic_load_explicit(&fl->stop, memory_order_relaxed)) {
        for (unsigned i = 0; i < 8; i++)
            __atomic_store_n(&word[i], UINT64_MAX, __ATOMIC_RELAXED);
        for (unsigned i = 0; i < 8; i++)
            __atomic_store_n(&word[i], 0, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void a_slot_that_changes_while_it_is_read_gives_whole_words(void)
{
    static struct flipper fl;
    pthread_t peer;
    uint64_t nr_torn = 0;

    start_at(&fl.f, 0);
    memset(fl.f.front.view.requests, 0, sizeof(struct tmemif_request));
    CU_ASSERT_EQUAL_FATAL(pthread_create(&peer, NULL, flip_the_slot, &fl), 0);
    for (unsigned i = 0; i < 200000; i++) {
        struct tmemif_request req;
        uint64_t words[8];

        fl.f.back.req_cons = 0;
        req = ring_back_take(&fl.f.back);
        memcpy(words, &req, sizeof(words));
        for (unsigned k = 0; k < 8; k++)
            nr_torn += words[k] != 0 && words[k] != UINT64_MAX;
    }
    atomic_store(&fl.stop, true);
    pthread_join(peer, NULL);
    CU_ASSERT_EQUAL(nr_torn, 0);
}

/* ---- restart of the backend, section 10 ---- */

static void a_response_published_before_the_kill_is_stored_again_and_taken_once(void)
{
    static struct fixture f;
    struct tmemif_response rsp = {.number = UINT32_MAX, .value = 9};

    start_at(&f, UINT32_MAX);
    put(&f, 2);
    ring_back_take(&f.back);
    ring_back_answer(&f.back, &rsp);
    CU_ASSERT_EQUAL(front_ready(&f), 1);
    CU_ASSERT_EQUAL(ring_front_take(&f.front).value, 9);

    /* killed before the record moved on: the next one takes up the same number */
    ring_back_init(&f.back, f.pages, 0, UINT32_MAX);
    CU_ASSERT_EQUAL(front_ready(&f), 0); /* and not a broken backend */
    CU_ASSERT_EQUAL(back_ready(&f), 2);
    ring_back_take(&f.back);
    ring_back_answer(&f.back, &rsp);
    CU_ASSERT_EQUAL(front_ready(&f), 0);
    answer(&f, 1);
    CU_ASSERT_EQUAL(front_ready(&f), 1);
    CU_ASSERT_EQUAL(ring_front_take(&f.front).number, 0);
}

static void a_response_not_published_before_the_kill_is_given_after_it(void)
{
    static struct fixture f;

    start_at(&f, 10);
    put(&f, 1);
    ring_back_take(&f.back);
    ring_back_init(&f.back, f.pages, 0, 10);
    CU_ASSERT_TRUE(ring_back_arm(&f.back)); /* it finds what waits without being told */
    answer(&f, 1);
    CU_ASSERT_EQUAL(front_ready(&f), 1);
    CU_ASSERT_EQUAL(ring_front_take(&f.front).number, 10);
}

/* ---- both ends at once ---- */

#define NR_CROSSING 50000u

static void *serve_all(void *arg)
{
    struct fixture *f = arg;
    uint32_t served = 0;
    bool bad = false;

    while (served < NR_CROSSING && !bad) {
        for (uint32_t n = ring_back_ready(&f->back, &bad); n > 0; n--, served++) {
            struct tmemif_request req = ring_back_take(&f->back);
            struct tmemif_response rsp = {.number = f->back.rsp_prod, .value = req.u.none[0]};

            ring_back_answer(&f->back, &rsp);
        }
    }
    return bad ? arg : NULL;
}

static void two_threads_pass_every_request_once_and_in_order(void)
{
    static struct fixture f;
    uint32_t start = UINT32_MAX - 1000, seen = 0, nr_wrong = 0;
    bool bad = false;
    pthread_t backend;
    void *broken;

    start_at(&f, start);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&backend, NULL, serve_all, &f), 0);
    while (seen < NR_CROSSING && !bad) {
        while (ring_front_free(&f.front) && f.front.req_prod - start < NR_CROSSING) {
            struct tmemif_request req = nop(f.front.req_prod);

            ring_front_put(&f.front, &req);
        }
        ring_front_publish(&f.front);
        for (uint32_t n = ring_front_ready(&f.front, &bad); n > 0; n--, seen++) {
            struct tmemif_response rsp = ring_front_take(&f.front);

            nr_wrong += rsp.number != start + seen || rsp.value != start + seen;
        }
    }
    pthread_join(backend, &broken);
    CU_ASSERT_FALSE(bad);
    CU_ASSERT_PTR_NULL(broken);
    CU_ASSERT_EQUAL(nr_wrong, 0);
}

#define TESTS(T)                                                                                   \
    T(the_header_lies_as_it_is_drawn)                                                              \
    T(a_new_ring_in_used_pages_has_a_clean_header)                                                 \
    T(slots_of_every_order_fill_the_ring_and_no_more)                                              \
    T(a_request_and_its_response_cross)                                                            \
    T(a_request_looked_at_is_taken_all_the_same)                                                   \
    T(a_full_ring_has_no_room_until_a_response_is_taken)                                           \
    T(a_request_is_not_seen_before_it_is_published)                                                \
    T(indexes_wrap_without_a_trace)                                                                \
    T(notify_is_due_exactly_when_the_event_lies_in_the_step)                                       \
    T(a_sleeper_is_notified_once_and_a_poller_never)                                               \
    T(who_arms_with_something_there_must_not_sleep)                                                \
    T(publishing_nothing_notifies_nobody)                                                          \
    T(a_request_index_that_jumps_or_runs_backwards_is_a_violation)                                 \
    T(a_response_index_that_jumps_or_runs_backwards_is_a_violation)                                \
    T(neither_side_reads_back_what_it_stored)                                                      \
    T(what_is_taken_no_longer_changes)                                                             \
    T(a_slot_that_changes_while_it_is_read_gives_whole_words)                                      \
    T(a_response_published_before_the_kill_is_stored_again_and_taken_once)                         \
    T(a_response_not_published_before_the_kill_is_given_after_it)                                  \
    T(two_threads_pass_every_request_once_and_in_order)
RUN_TESTS(TESTS)
