/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A turn of a ring. When it notifies: if the frontend asked to be told of one of the answers
 * that the turn gave, once, however it ended; amid a long turn for what it has given by then. And
 * what it answers: the same however much waits at a time, although gets that wait one behind the
 * other are run together.
 */
#include "daemon/engine/state.h"
#include "daemon/session/dispatch.h"
#include "tests/lib/random.h"
#include "tests/lib/runner.h"
#include "tests/unit/session_world.h"

#define NR_REQUESTS 6u

/* Of a sequence of requests each has a page of data; of a batch, one is for it and one for answers.
 */
#define SEQUENCE_MOST 24u
#define BATCH_AT      (SEQUENCE_MOST * TMEMIF_PAGE_SIZE)
#define ANSWERS_AT    (BATCH_AT + TMEMIF_PAGE_SIZE)

struct bed {
    struct session_world world;
    struct ring_front front;
    _Alignas(TMEMIF_PAGE_SIZE) uint8_t ring[TMEMIF_PAGE_SIZE];
    _Alignas(TMEMIF_PAGE_SIZE) uint8_t data[(SEQUENCE_MOST + 2) * TMEMIF_PAGE_SIZE];
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

/* Whoever sleeps takes half of a full turn's answers while the rest are made, good or bad. */
static void long_turn_notifies_before_its_end(void)
{
    static const struct {
        uint32_t event, rearm;
        unsigned nr_notified;
        uint32_t notified_of;
    } cases[] = {{1, 0, 1, 16},  {16, 0, 1, 16}, {17, 0, 1, 20}, {20, 0, 1, 20},
                 {1, 17, 2, 20}, {1, 20, 2, 20}, {1, 21, 1, 16}};
    static const struct tmemif_request bad = {.op = 0x7fff};

    for (unsigned i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        static struct bed b;

        bed_begin(&b);
        bed_put(&b, i % 2 ? &bad : &nop, 20);
        b.world.rearm = cases[i / 2].rearm;
        ring_publish(&b.front.view.shared->rsp_event, cases[i / 2].event);
        CU_ASSERT_EQUAL(bed_serve(&b, 1000), SERVE_EMPTY);
        CU_ASSERT_EQUAL(b.world.nr_notified, cases[i / 2].nr_notified);
        CU_ASSERT_EQUAL(b.world.notified_of, cases[i / 2].notified_of);
        bed_end(&b);
    }
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

/* Nor does a record stay of a ring that cannot be served. */
static void ring_that_is_refused_leaves_no_record(void)
{
    const struct store_config config = {.nr_frames = 32, .nr_filled = 8};
    static struct bed b;
    struct store *store;
    const char *why;
    unsigned nr = 0;

    memset(&b, 0, sizeof(b));
    ring_front_init(&b.front, b.ring, 0, 0x5e55);
    ring_publish(&b.front.view.shared->req_prod, 1000);
    CU_ASSERT_TRUE_FATAL(store_create(&config, &store, &why));
    CU_ASSERT_FALSE(session_world_open(&b.world, store, b.ring, b.data, sizeof(b.data), false));
    for (uint32_t i = 0; i < store_super(store)->nr_rings; i++)
        nr += store_rings(store)[i].live != LIVE_DEAD;
    CU_ASSERT_EQUAL(nr, 0);
    bed_end(&b);
}

/* ---- sequences ---- */

#define NR_SEQUENCES 600u
#define NR_OBJECTS   2u /* so few that gets of one page come one behind the other */
enum { POOL_PERSISTENT, POOL_EXCLUSIVE, POOL_INCLUSIVE, NR_POOLS, NO_POOL };

struct sequence {
    struct tmemif_request requests[SEQUENCE_MOST];
    uint32_t nr;
};

struct outcome {
    struct tmemif_response answers[SEQUENCE_MOST];
    uint8_t data[SEQUENCE_MOST * TMEMIF_PAGE_SIZE];
};

static struct tmemif_request random_request(uint64_t *state, uint32_t slot)
{
    static const uint16_t ops[] = {
        TMEMIF_OP_PAGE_GET, TMEMIF_OP_PAGE_GET, TMEMIF_OP_PAGE_GET,   TMEMIF_OP_PAGE_GET,
        TMEMIF_OP_PAGE_PUT, TMEMIF_OP_PAGE_PUT, TMEMIF_OP_PAGE_FLUSH, 0x7fff};
    static const uint32_t pools[] = {POOL_PERSISTENT, POOL_INCLUSIVE, POOL_EXCLUSIVE,
                                     POOL_EXCLUSIVE};
    struct tmemif_request r = {.op = ops[seeded_below(state, sizeof(ops) / sizeof(ops[0]))]};

    if (r.op == 0x7fff)
        return r;
    r.pool = seeded_below(state, 20) == 0 ? (uint32_t)NO_POOL : pools[seeded_below(state, 4)];
    r.u.page.object[0] = seeded_below(state, NR_OBJECTS);
    if (r.op == TMEMIF_OP_PAGE_FLUSH)
        return r;
    r.u.page.data =
        (struct tmemif_data){.offset = slot * TMEMIF_PAGE_SIZE, .length = TMEMIF_PAGE_SIZE};
    switch (seeded_below(state, 8)) {
    case 0: /* not well formed: beyond the data area */
        r.u.page.data.offset = 1u << 30;
        break;
    case 1: /* well formed, and not to be copied */
        r.u.page.data =
            (struct tmemif_data){.kind = TMEMIF_DATA_GRANT, .ref = 1, .length = TMEMIF_PAGE_SIZE};
        break;
    }
    return r;
}

static struct sequence random_sequence(uint64_t *state)
{
    struct sequence q = {.nr = 1 + seeded_below(state, SEQUENCE_MOST)};

    for (uint32_t i = 0; i < q.nr; i++)
        q.requests[i] = random_request(state, i);
    return q;
}

static bool no_grant(struct link *link, const struct tmemif_data *from, void *to)
{
    (void)link, (void)from, (void)to;
    return false;
}

static bool to_no_grant(struct link *link, const struct tmemif_data *to, const void *from)
{
    (void)link, (void)to, (void)from;
    return false;
}

/* With its pools, and in each data page something of its own; in every third a word over and over.
 */
static void bed_begin_sequences(struct bed *b)
{
    static const uint32_t flags[NR_POOLS] = {
        [POOL_PERSISTENT] = TMEMIF_POOL_PERSISTENT, [POOL_INCLUSIVE] = TMEMIF_POOL_INCLUSIVE};
    static struct link_ops ops;

    bed_begin(b);
    ops = *b->world.link.ops;
    ops.copy_from_grant = no_grant;
    ops.copy_to_grant = to_no_grant;
    b->world.link.ops = &ops;
    b->world.session->limits.grant_copy = true;
    for (uint32_t i = 0; i < NR_POOLS; i++) {
        struct tmemif_request create = {.op = TMEMIF_OP_POOL_CREATE};

        create.u.pool.flags = flags[i];
        bed_put(b, &create, 1);
        CU_ASSERT_EQUAL_FATAL(bed_serve(b, 100), SERVE_EMPTY);
        CU_ASSERT_EQUAL_FATAL(ring_front_take(&b->front).value, i);
    }
    for (uint32_t i = 0; i < SEQUENCE_MOST; i++) {
        memset(b->data + i * TMEMIF_PAGE_SIZE, (int)i + 1, TMEMIF_PAGE_SIZE);
        if (i % 3 != 0)
            memcpy(b->data + i * TMEMIF_PAGE_SIZE, &i, sizeof(i));
    }
}

/* @at_once of them wait at a time; a turn has @budget. */
static void run_on_ring(const struct sequence *q, uint32_t at_once, unsigned budget, bool emulated,
                        struct outcome *outcome_out)
{
    static struct bed b;

    bed_begin_sequences(&b);
    b.world.engine->emulated = emulated;
    for (uint32_t put = 0; put < q->nr;) {
        uint32_t first = put, end = q->nr - put < at_once ? q->nr : put + at_once;

        for (; put < end; put++)
            ring_front_put(&b.front, &q->requests[put]);
        ring_front_publish(&b.front);
        while (bed_serve(&b, budget) == SERVE_MORE)
            CU_ASSERT_FATAL(b.world.session->rings[0].back.rsp_prod <= NR_POOLS + end);
        for (uint32_t i = first; i < end; i++) {
            outcome_out->answers[i] = ring_front_take(&b.front);
            CU_ASSERT_EQUAL(outcome_out->answers[i].number, NR_POOLS + i);
            outcome_out->answers[i].number = i;
        }
    }
    memcpy(outcome_out->data, b.data, sizeof(outcome_out->data));
    for (unsigned i = 0; emulated && i < ENGINE_AHEAD; i++)
        CU_ASSERT_FALSE(b.world.session->rings[0].ahead.next[i].is_known);
    CU_ASSERT_PTR_NULL(engine_check(b.world.engine));
    bed_end(&b);
}

/* All of them as one batch. */
static void run_as_batch(const struct sequence *q, unsigned budget, struct outcome *outcome_out)
{
    struct tmemif_request batch = {.op = TMEMIF_OP_BATCH};
    struct tmemif_response rsp;
    static struct bed b;

    bed_begin_sequences(&b);
    memcpy(b.data + BATCH_AT, q->requests, q->nr * sizeof(q->requests[0]));
    batch.u.batch.count = q->nr;
    batch.u.batch.requests =
        (struct tmemif_data){.offset = BATCH_AT, .length = q->nr * sizeof(struct tmemif_request)};
    batch.u.batch.responses = (struct tmemif_data){
        .offset = ANSWERS_AT, .length = q->nr * sizeof(struct tmemif_response)};
    bed_put(&b, &batch, 1);
    while (bed_serve(&b, budget) == SERVE_MORE)
        continue;
    rsp = ring_front_take(&b.front);
    CU_ASSERT_EQUAL(rsp.status, TMEMIF_OK);
    CU_ASSERT_EQUAL(rsp.count, q->nr);
    memcpy(outcome_out->answers, b.data + ANSWERS_AT, q->nr * sizeof(struct tmemif_response));
    memcpy(outcome_out->data, b.data, sizeof(outcome_out->data));
    CU_ASSERT_PTR_NULL(engine_check(b.world.engine));
    bed_end(&b);
}

static bool is_like(const struct outcome *a, const struct outcome *b, uint32_t nr)
{
    return memcmp(a->answers, b->answers, nr * sizeof(a->answers[0])) == 0 &&
           memcmp(a->data, b->data, sizeof(a->data)) == 0;
}

static void answers_are_the_same_however_much_waits(void)
{
    uint64_t state = 0x9e75;

    for (unsigned n = 0; n < NR_SEQUENCES; n++) {
        const struct sequence q = random_sequence(&state);
        static struct outcome one, many, batch;
        bool emulated = n % 2;

        run_on_ring(&q, 1, 1000, false, &one);
        run_on_ring(&q, 2 + seeded_below(&state, SEQUENCE_MOST), 1 + seeded_below(&state, 30),
                    emulated, &many);
        CU_ASSERT_TRUE_FATAL(is_like(&one, &many, q.nr));
        run_as_batch(&q, 1 + seeded_below(&state, 30), &batch);
        CU_ASSERT_TRUE_FATAL(is_like(&one, &batch, q.nr));
    }
}

/* Gets that are run together cost what each costs. */
static void turn_of_gets_keeps_to_its_budget(void)
{
    struct tmemif_request get = {.op = TMEMIF_OP_PAGE_GET};
    static struct bed b;
    unsigned spent;

    get.u.page.data = (struct tmemif_data){.length = TMEMIF_PAGE_SIZE};
    bed_begin_sequences(&b);
    spent = b.world.session->rings[0].ring.spent;
    bed_put(&b, &get, 20);
    CU_ASSERT_EQUAL(bed_serve(&b, 3), SERVE_MORE);
    CU_ASSERT_EQUAL(b.world.session->rings[0].back.rsp_prod, NR_POOLS + 3);
    CU_ASSERT_EQUAL(bed_serve(&b, 9), SERVE_MORE);
    CU_ASSERT_EQUAL(b.world.session->rings[0].back.rsp_prod, NR_POOLS + 12);
    CU_ASSERT_EQUAL(bed_serve(&b, 9), SERVE_EMPTY);
    CU_ASSERT_EQUAL(b.world.session->rings[0].back.rsp_prod, NR_POOLS + 20);
    CU_ASSERT_EQUAL(b.world.session->rings[0].ring.spent - spent, 20);
    bed_end(&b);
}

/* What takes every shard's lock, also where less was left. */
static void turn_says_what_it_has_cost(void)
{
    static const struct tmemif_request get = {.op = TMEMIF_OP_PAGE_GET},
                                       leave = {.op = TMEMIF_OP_POOL_LEAVE};
    const struct worker_ring *ring;
    static struct bed b;

    bed_begin(&b);
    ring = &b.world.session->rings[0].ring;
    bed_put(&b, &get, 1);
    bed_put(&b, &leave, 2);
    CU_ASSERT_EQUAL(bed_serve(&b, 2), SERVE_MORE);
    CU_ASSERT_EQUAL(ring->spent, 1 + dispatch_cost(TMEMIF_OP_POOL_LEAVE));
    CU_ASSERT_EQUAL(bed_serve(&b, 32), SERVE_EMPTY);
    CU_ASSERT_EQUAL(ring->spent, 1 + 2 * dispatch_cost(TMEMIF_OP_POOL_LEAVE));
    CU_ASSERT(dispatch_cost(TMEMIF_OP_POOL_LEAVE) > 2);
    bed_end(&b);
}

/* A worker does not know of its attachments. */
static void owner_of_a_ring_is_the_user(void)
{
    static struct bed b;
    struct owner_id owner;

    bed_begin(&b);
    owner = b.world.session->rings[0].ring.owner_id;
    CU_ASSERT_EQUAL(owner.kind, b.world.link.peer.kind);
    CU_ASSERT_EQUAL(owner.id, b.world.link.peer.id);
    bed_end(&b);
}

/* What the pool was before is still to be reclaimed: that is no answer, it is asked again. */
static void join_that_has_to_wait_is_answered_later(void)
{
    const struct policy policy = {.max_pages = 10, .weight = 1};
    const struct account_key key = {.kind = ACCOUNT_LOCAL, .id = 1};
    struct tmemif_request join = {.op = TMEMIF_OP_POOL_JOIN,
                                  .u.pool = {.uuid = {5}, .flags = TMEMIF_POOL_SHARED}};
    struct tmemif_response rsp;
    static struct bed b;
    struct claim *claim;

    bed_begin(&b);
    CU_ASSERT_EQUAL(engine_shared_set_policy(b.world.engine, join.u.pool.uuid, &policy), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_shared_allow(b.world.engine, join.u.pool.uuid, &key, RIGHT_FILL),
                    TMEMIF_OK);
    claim = &b.world.engine->claims[b.world.engine->nr_accounts];
    claim->nr_dying += 4;
    bed_put(&b, &join, 1);
    CU_ASSERT_EQUAL(bed_serve(&b, 100), SERVE_MORE);
    CU_ASSERT_EQUAL(b.world.session->rings[0].back.rsp_prod, 0);
    claim->nr_dying -= 4;
    CU_ASSERT_EQUAL(bed_serve(&b, 100), SERVE_EMPTY);
    rsp = ring_front_take(&b.front);
    CU_ASSERT_EQUAL(rsp.status, TMEMIF_OK);
    CU_ASSERT_EQUAL(rsp.value, 0);
    bed_end(&b);
}

#define TESTS(T)                                                                                   \
    T(join_that_has_to_wait_is_answered_later)                                                     \
    T(answers_are_the_same_however_much_waits)                                                     \
    T(turn_of_gets_keeps_to_its_budget)                                                            \
    T(turn_says_what_it_has_cost)                                                                  \
    T(owner_of_a_ring_is_the_user)                                                                 \
    T(turn_that_reaches_the_event_notifies_once)                                                   \
    T(long_turn_notifies_before_its_end)                                                           \
    T(turn_that_ends_early_notifies_of_what_it_gave)                                               \
    T(session_that_is_broken_is_not_notified)                                                      \
    T(ring_that_is_refused_leaves_no_record)
RUN_TESTS(TESTS)
