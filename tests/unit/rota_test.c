/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of turns, without a worker. */
#include "daemon/session/rota.h"
#include "tests/lib/runner.h"

#define NR_RINGS 4u

static void rings_of(struct worker_ring *rings, const uint32_t *owners, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++)
        rings[i] = (struct worker_ring){.owner_id = {ACCOUNT_LOCAL, owners[i]}};
}

static void owner_is_one_while_it_has_a_ring(void)
{
    static const uint32_t owners[NR_RINGS] = {7, 7, 8, 7};
    struct worker_ring rings[NR_RINGS];
    struct rota rota = {0};

    rings_of(rings, owners, NR_RINGS);
    rings[3].owner_id.kind = ACCOUNT_XEN; /* a domain of the user's number */
    for (unsigned n = 0; n < 2; n++) {
        for (unsigned i = 0; i < NR_RINGS; i++)
            CU_ASSERT_TRUE_FATAL(rota_admit(&rota, &rings[i]));
        CU_ASSERT_PTR_EQUAL(rings[0].owner, rings[1].owner);
        for (unsigned i = 1; i < NR_RINGS; i++)
            CU_ASSERT((rings[i].owner == rings[0].owner) == (i == 1));
        rota_dismiss(&rota, &rings[0]);
        CU_ASSERT_TRUE(rota_admit(&rota, &rings[0]));
        CU_ASSERT_PTR_EQUAL(rings[0].owner, rings[1].owner);
        for (unsigned i = 0; i < NR_RINGS; i++)
            rota_dismiss(&rota, &rings[i]);
        CU_ASSERT_PTR_NULL(rota.all);
    }
}

/* The turns of one ring each, as digits; every ring stays awake. */
static unsigned turns(struct rota *rota, const struct worker_ring *rings, unsigned nr)
{
    unsigned result = 0;

    for (; nr > 0; nr--) {
        struct owner *o = rota->first;
        struct worker_ring *r = rota_take(o);

        result = result * 10 + (unsigned)(r - rings);
        rota_keep(o, r);
        rota_end_turn(rota);
    }
    return result;
}

/* Whoever is awake has its place already, and keeps it when another ring is forgotten. */
static void owners_take_turns_and_so_do_their_rings(void)
{
    static const uint32_t owners[NR_RINGS] = {7, 7, 7, 8};
    struct worker_ring rings[NR_RINGS];
    struct rota rota = {0};

    rings_of(rings, owners, NR_RINGS);
    for (unsigned i = 0; i < NR_RINGS; i++) {
        CU_ASSERT_TRUE_FATAL(rota_admit(&rota, &rings[i]));
        rota_wake(&rota, &rings[i]);
    }
    CU_ASSERT_EQUAL(turns(&rota, rings, 8), 3132303 /* after ring 0 */);
    rota_wake(&rota, &rings[0]);
    CU_ASSERT_EQUAL(rota.nr_awake, NR_RINGS);
    CU_ASSERT_EQUAL(turns(&rota, rings, 3), 132);
    rota_forget(&rota, &rings[0]);
    rota_forget(&rota, &rings[0]);
    CU_ASSERT_EQUAL(rota.nr_awake, 3);
    CU_ASSERT_EQUAL(turns(&rota, rings, 5), 31323);
    /* the last one awake of the owner whose turn is next: the other one is left */
    rota_forget(&rota, &rings[1]);
    rota_forget(&rota, &rings[2]);
    CU_ASSERT_EQUAL(rota.nr_owners, 1);
    CU_ASSERT_EQUAL(turns(&rota, rings, 2), 33);
    rota_wake(&rota, &rings[0]);
    CU_ASSERT_EQUAL(turns(&rota, rings, 4), 3030);
    for (unsigned i = 0; i < NR_RINGS; i++) {
        rota_forget(&rota, &rings[i]);
        rota_dismiss(&rota, &rings[i]);
    }
    CU_ASSERT_PTR_NULL(rota.first);
    CU_ASSERT_EQUAL(rota.nr_owners, 0);
    CU_ASSERT_EQUAL(rota.nr_awake, 0);
}

#define TESTS(T)                                                                                   \
    T(owner_is_one_while_it_has_a_ring)                                                            \
    T(owners_take_turns_and_so_do_their_rings)
RUN_TESTS(TESTS)
