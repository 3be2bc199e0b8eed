/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A turn of a ring, and when it notifies: if the frontend asked to be told of one of the answers
 * that the turn gave, once, however it ended.
 */
#include "tests/lib/runner.h"
#include "tests/unit/session_world.h"

#define NR_REQUESTS 6u

struct bed {
    struct session_world world;
    struct ring_front front;
    _Alignas(TMEMIF_PAGE_SIZE) uint8_t ring[TMEMIF_PAGE_SIZE];
    uint8_t data[TMEMIF_PAGE_SIZE];
};

static void bed_begin(struct bed *b)
{
    const struct store_config config = {.nr_frames = 32, .nr_filled = 8};
    struct store *store;
    const char *why;

    memset(b, 0, sizeof(*b));
    ring_front_init(&b->front, b->ring, 0, 0x5e55);
    CU_ASSERT_TRUE_FATAL(store_create(&config, &store, &why));
    CU_ASSERT_TRUE_FATAL(
        session_world_open(&b->world, store, b->ring, b->data, sizeof(b->data), false));
}

static void bed_put(struct bed *b, const struct tmemif_request *request, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++)
        ring_front_put(&b->front, request);
    ring_front_publish(&b->front);
}

static enum serve_result bed_serve(struct bed *b, unsigned budget)
{
    b->world.nr_notified = 0;
    return serve_ring(&b->world.session->rings[0], 0, budget);
}

static void bed_end(struct bed *b)
{
    session_world_close(&b->world);
}

static const struct tmemif_request nop = {.op = TMEMIF_OP_NOP};

/* The frontend waits for the answer before @event. */
static void turn_that_reaches_the_event_notifies_once(void)
{
    for (uint32_t event = 0; event <= NR_REQUESTS + 2; event++) {
        static struct bed b;
        bool reached = event >= 1 && event <= NR_REQUESTS;

        bed_begin(&b);
        bed_put(&b, &nop, NR_REQUESTS);
        ring_publish(&b.front.view.shared->rsp_event, event);
        CU_ASSERT_EQUAL(bed_serve(&b, 1000), SERVE_EMPTY);
        CU_ASSERT_EQUAL(b.world.nr_notified, reached);
        /* and a turn without an answer does not */
        CU_ASSERT_EQUAL(bed_serve(&b, 1000), SERVE_EMPTY);
        CU_ASSERT_EQUAL(b.world.nr_notified, 0);
        bed_end(&b);
    }
}

/* One request a turn: the turn that gives the answer is the one that notifies. */
static void turn_that_ends_early_notifies_of_what_it_gave(void)
{
    static struct bed b;

    bed_begin(&b);
    bed_put(&b, &nop, NR_REQUESTS);
    ring_publish(&b.front.view.shared->rsp_event, 3);
    for (unsigned turn = 1; turn <= NR_REQUESTS; turn++) {
        CU_ASSERT_EQUAL(bed_serve(&b, 1), SERVE_MORE);
        CU_ASSERT_EQUAL(b.world.nr_notified, turn == 3);
    }
    bed_end(&b);
}

/* A refused request is answered, too; after a broken index there is nothing to tell. */
static void session_that_is_broken_is_not_notified(void)
{
    static struct bed b;
    struct tmemif_request bad = {.op = 0x7fff};

    bed_begin(&b);
    bed_put(&b, &bad, 1);
    CU_ASSERT_EQUAL(bed_serve(&b, 1000), SERVE_EMPTY);
    CU_ASSERT_EQUAL(b.world.nr_notified, 1); /* a request that was refused as it was taken */
    ring_publish(&b.front.view.shared->req_prod, 1000);
    CU_ASSERT_EQUAL(bed_serve(&b, 1000), SERVE_BROKEN);
    CU_ASSERT_EQUAL(b.world.nr_notified, 0);
    CU_ASSERT_EQUAL(bed_serve(&b, 1000), SERVE_BROKEN);
    bed_end(&b);
}

#define TESTS(T)                                                                                   \
    T(turn_that_reaches_the_event_notifies_once)                                                   \
    T(turn_that_ends_early_notifies_of_what_it_gave)                                               \
    T(session_that_is_broken_is_not_notified)
RUN_TESTS(TESTS)
