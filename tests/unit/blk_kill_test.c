/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Killed at any instruction: a process that serves a disk's ring is stepped one instruction at a
 * time. Whenever that has changed anything which outlives it, a copy of all is taken up as the next
 * daemon would, and served to the end: every request has the answer it would have had, and
 * none that was published before has changed.
 */
#include <string.h>

#include "tests/lib/blk_world.h"
#include "tests/lib/runner.h"
#include "tests/lib/step.h"
#include "tests/unit/store_fixture.h"

#define NR_REQUESTS 7u
#define BAD_NR      4u /* the request that is refused */
#define MIN_STATES  40u

struct scene {
    struct blk_memory *memory; /* shared with the process that is stepped */
    struct store *store;
    struct blk_world world; /* the process's own */
    uint64_t last;
    unsigned nr_states;
};

static uint64_t id_of(uint32_t number)
{
    return 0x1000u + number * 0x101010101010101u;
}

/* What request @number is called in its answer. */
static uint8_t op_of(uint32_t number)
{
    static const uint8_t ops[NR_REQUESTS] = {BLKIF_WRITE, BLKIF_READ,    BLKIF_WRITE, BLKIF_FLUSH,
                                             BLKIF_WRITE, BLKIF_DISCARD, BLKIF_READ};

    return ops[number];
}

static void put_requests(struct blk_memory *m)
{
    struct blk_front f = {.memory = m, .abi = BLKIF_ABI_64};
    const struct blkif_segment segments[] = {{1, 0, 7}, {2, 0, 7}, {3, 0, 7}}, part = {1, 2, 5},
                               bad = {1, 0, 9}, out = {5, 0, 7};

    memset(m, 0, sizeof(*m));
    blk_ring_begin(m);
    for (unsigned i = 0; i < 3; i++)
        fill_page(m->guest[i], i);
    fill_page(m->disk[9], 9);
    blk_front_put_indirect(&f, BLKIF_WRITE, id_of(0), 0, segments, 3, 20);
    blk_front_put(&f, BLKIF_READ, id_of(1), 72, &out, 1);
    blk_front_put(&f, BLKIF_WRITE, id_of(2), 10, &part, 1);
    blk_front_put(&f, BLKIF_FLUSH, id_of(3), 0, NULL, 0);
    blk_front_put(&f, BLKIF_WRITE, id_of(4), 0, &bad, 1);
    blk_front_put_discard(&f, id_of(5), 72, 8);
    blk_front_put(&f, BLKIF_READ, id_of(6), 72, &(struct blkif_segment){6, 0, 7}, 1);
    blk_front_publish(&f);
}

static bool is_zero(const uint8_t *page)
{
    static const uint8_t zero[TMEMIF_PAGE_SIZE];

    return memcmp(page, zero, sizeof(zero)) == 0;
}

/* Answers [0, @nr) as a frontend finds them. */
static bool answers_are_right(struct blk_memory *m, uint32_t nr)
{
    struct blk_front f = {.memory = m, .abi = BLKIF_ABI_64};
    struct blk_response rsp;

    for (uint32_t i = 0; i < nr; i++) {
        if (!blk_front_take(&f, &rsp) || rsp.id != id_of(i) || rsp.op != op_of(i) ||
            rsp.status != (i == BAD_NR ? BLKIF_ERROR : BLKIF_OKAY))
            return false;
    }
    return true;
}

static const char *check_end(struct blk_memory *m)
{
    uint8_t page[TMEMIF_PAGE_SIZE], merged[TMEMIF_PAGE_SIZE];

    if (((struct blkif_ring_header *)(void *)m->ring)->rsp_prod != NR_REQUESTS)
        return "not every request was answered once";
    if (!answers_are_right(m, NR_REQUESTS))
        return "an answer is wrong";
    fill_page(merged, 1);
    fill_page(page, 0);
    memcpy(merged + 1024, page + 1024, 4 * 512);
    if (!page_holds(m->disk[0], 0) || memcmp(m->disk[1], merged, sizeof(merged)) != 0 ||
        !page_holds(m->disk[2], 2))
        return "a write did not run, or an earlier one ran after it";
    /* served once more it may come after the discard, of which nobody has been told then */
    if (!page_holds(m->guest[4], 9) && !is_zero(m->guest[4]))
        return "a read found what never was";
    if (!is_zero(m->disk[9]) || !is_zero(m->guest[5]))
        return "the discard, or the read after it, did not run";
    return NULL;
}

static const char *take_up(struct scene *s)
{
    uint32_t published = ((struct blkif_ring_header *)(void *)s->memory->ring)->rsp_prod;
    struct blk_memory *m = blk_memory_new(false);
    struct store *copy = step_copy_store(s->store);
    const char *wrong = NULL;
    struct blk_world w;

    memcpy(m, s->memory, sizeof(*m));
    if (!copy)
        wrong = "the segments were refused";
    else if (!answers_are_right(m, published))
        wrong = "an answer that was published is wrong";
    else if (published > 1 && !page_holds(m->guest[4], 9))
        wrong = "a read was answered that had not run";
    else if (blk_world_open(&w, m, copy, BLKIF_ABI_64, true, &wrong)) {
        wrong = blk_world_serve(&w) == SERVE_EMPTY ? check_end(m) : "it was not served to its end";
        blk_world_close(&w, true);
    }
    if (copy)
        store_close(copy);
    blk_memory_free(m, false);
    return wrong;
}

static uint64_t fingerprint(const struct scene *s)
{
    const uint64_t *record = (const uint64_t *)store_rings(s->store);
    const uint64_t *words = (const uint64_t *)(const void *)s->memory;
    uint64_t x = 0;

    for (unsigned i = 0; i < sizeof(struct ring_rec) / 8; i++)
        x = x * 0x9e3779b97f4a7c15ull + record[i];
    for (unsigned i = 0; i < (64 + NR_REQUESTS * 112) / 8; i++)
        x = x * 0x9e3779b97f4a7c15ull + words[i];
    for (unsigned i = 0; i < 10; i++)
        x = x * 0x9e3779b97f4a7c15ull + s->memory->disk[i][1024];
    return x;
}

static void act(void *arg)
{
    struct scene *s = arg;

    (void)blk_world_serve(&s->world);
}

static bool look(void *arg)
{
    struct scene *s = arg;
    uint64_t now = fingerprint(s);
    const char *wrong;

    if (now == s->last)
        return true;
    s->last = now;
    s->nr_states++;
    wrong = take_up(s);
    if (wrong)
        fprintf(stderr, "rsp_prod %u, record %u phase %u: %s\n",
                ((struct blkif_ring_header *)(void *)s->memory->ring)->rsp_prod,
                store_rings(s->store)->number, store_rings(s->store)->phase, wrong);
    return !wrong;
}

static void requests_are_answered_whenever_it_is_killed(void)
{
    struct scene s = {.memory = blk_memory_new(true), .store = store_of(8, 2)};
    const char *why;

    put_requests(s.memory);
    CU_ASSERT_FATAL(blk_world_open(&s.world, s.memory, s.store, BLKIF_ABI_64, false, &why));
    CU_ASSERT_TRUE(step_through(act, look, &s));
    CU_ASSERT_PTR_NULL(check_end(s.memory));
    CU_ASSERT_TRUE(s.nr_states > MIN_STATES);
    blk_world_close(&s.world, false);
    store_close(s.store);
    blk_memory_free(s.memory, true);
}

/* ---- rings that are not what they were ---- */

struct again {
    struct blk_memory *memory;
    struct store *store;
};

/* A daemon served three requests and is gone. */
static void begin(struct again *a)
{
    struct blk_front f;
    const struct blkif_segment segment = {1, 0, 7};
    struct blk_world w;
    const char *why;

    a->memory = blk_memory_new(false);
    a->store = store_of(8, 2);
    f = (struct blk_front){.memory = a->memory, .abi = BLKIF_ABI_64};
    blk_ring_begin(a->memory);
    for (unsigned i = 0; i < 3; i++)
        blk_front_put(&f, BLKIF_WRITE, i, 0, &segment, 1);
    blk_front_publish(&f);
    CU_ASSERT_FATAL(blk_world_open(&w, a->memory, a->store, BLKIF_ABI_64, false, &why));
    CU_ASSERT_EQUAL(blk_world_serve(&w), SERVE_EMPTY);
    blk_world_close(&w, true);
}

static void end(struct again *a)
{
    store_close(a->store);
    blk_memory_free(a->memory, false);
}

static struct blkif_ring_header *header_of(struct again *a)
{
    return (struct blkif_ring_header *)(void *)a->memory->ring;
}

static void rsp_prod_that_a_guest_changed_is_refused(void)
{
    static const uint32_t bad[] = {0, 1, 4, 5, UINT32_MAX};
    const char *why = "";
    struct blk_world w;

    for (unsigned i = 0; i < 5; i++) {
        struct again a;

        begin(&a);
        header_of(&a)->rsp_prod = bad[i];
        CU_ASSERT_FALSE(blk_world_open(&w, a.memory, a.store, BLKIF_ABI_64, true, &why));
        CU_ASSERT_STRING_EQUAL(why, "the record is of another ring");
        end(&a);
    }
}

static void req_prod_out_of_range_is_refused(void)
{
    const char *why = "";
    struct blk_world w;
    struct again a;

    begin(&a);
    header_of(&a)->req_prod = 3 + 33;
    CU_ASSERT_FALSE(blk_world_open(&w, a.memory, a.store, BLKIF_ABI_64, true, &why));
    CU_ASSERT_STRING_EQUAL(why, "ring index out of range");
    end(&a);
}

/* It claims that the last answer was not published, and that there is no such request. */
static void answer_to_no_request_is_not_published(void)
{
    const char *why = "";
    struct blk_world w;
    struct again a;

    begin(&a);
    header_of(&a)->rsp_prod = 2;
    header_of(&a)->req_prod = 2;
    CU_ASSERT_FALSE(blk_world_open(&w, a.memory, a.store, BLKIF_ABI_64, true, &why));
    CU_ASSERT_EQUAL(header_of(&a)->rsp_prod, 2);
    end(&a);
}

static void ring_of_another_connection_is_not_taken_up(void)
{
    const char *why = "";
    struct blk_world w;
    struct again a;

    begin(&a);
    store_rings(a.store)->session++;
    CU_ASSERT_FALSE(blk_world_open(&w, a.memory, a.store, BLKIF_ABI_64, true, &why));
    end(&a);
}

static void ring_without_a_record_is_not_taken_up(void)
{
    const char *why = "";
    struct blk_world w;
    struct again a;

    begin(&a);
    answer_rec_close(answer_rec_find(a.store, &(struct answer_owner){7, 51712}, 0));
    CU_ASSERT_FALSE(blk_world_open(&w, a.memory, a.store, BLKIF_ABI_64, true, &why));
    end(&a);
}

static void new_connection_has_a_new_record(void)
{
    struct answer_owner owner = {0, 0};
    const char *why = "";
    uint32_t cursor = 0;
    struct blk_world w;
    struct again a;

    begin(&a);
    blk_ring_begin(a.memory);
    CU_ASSERT_TRUE_FATAL(blk_world_open(&w, a.memory, a.store, BLKIF_ABI_64, false, &why));
    CU_ASSERT_EQUAL(store_rings(a.store)->number, 0);
    CU_ASSERT_EQUAL(store_rings(a.store)->phase, RECORD_IDLE);
    CU_ASSERT_TRUE(answer_rec_next(a.store, &cursor, &owner));
    CU_ASSERT_TRUE(owner.domid == 7 && owner.device == 51712);
    CU_ASSERT_FALSE(answer_rec_next(a.store, &cursor, &owner));
    blk_world_close(&w, false);
    cursor = 0;
    CU_ASSERT_FALSE(answer_rec_next(a.store, &cursor, &owner));
    end(&a);
}

#define TESTS(T)                                                                                   \
    T(requests_are_answered_whenever_it_is_killed)                                                 \
    T(rsp_prod_that_a_guest_changed_is_refused)                                                    \
    T(req_prod_out_of_range_is_refused)                                                            \
    T(answer_to_no_request_is_not_published)                                                       \
    T(ring_of_another_connection_is_not_taken_up)                                                  \
    T(ring_without_a_record_is_not_taken_up)                                                       \
    T(new_connection_has_a_new_record)
RUN_TESTS(TESTS)
