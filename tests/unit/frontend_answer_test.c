/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/lib/answer.h"
#include "tests/lib/runner.h"

static struct tmemif_request request_of(unsigned op)
{
    return (struct tmemif_request){.op = (uint16_t)op};
}

static void the_number_must_be_that_of_the_request(void)
{
    struct tmemif_request nop = request_of(TMEMIF_OP_NOP);

    CU_ASSERT(answer_is_valid(&nop, 0xffffffffu, &(struct tmemif_response){.number = 0xffffffffu}));
    CU_ASSERT_FALSE(answer_is_valid(&nop, 4, &(struct tmemif_response){.number = 3}));
}

static void only_a_get_may_miss(void)
{
    struct tmemif_response miss = {.status = TMEMIF_MISS};

#define X(value, name, body)                                                                       \
    {                                                                                              \
        struct tmemif_request r = request_of(value);                                               \
        CU_ASSERT_EQUAL(answer_is_valid(&r, 0, &miss), (value) == TMEMIF_OP_PAGE_GET);             \
    }
    TMEMIF_OPS(X)
#undef X
}

static void a_lease_comes_only_with_a_miss_that_asked_for_it(void)
{
    struct tmemif_request get = request_of(TMEMIF_OP_PAGE_GET), want = get;
    struct tmemif_request put = request_of(TMEMIF_OP_PAGE_PUT);
    struct tmemif_response miss = {.status = TMEMIF_MISS, .flags = TMEMIF_RSP_LEASE};
    struct tmemif_response hit = {.flags = TMEMIF_RSP_LEASE};

    want.flags = TMEMIF_GET_WANT_LEASE;
    put.flags = TMEMIF_PUT_LEASED;
    CU_ASSERT(answer_is_valid(&want, 0, &miss));
    CU_ASSERT_FALSE(answer_is_valid(&get, 0, &miss));
    CU_ASSERT_FALSE(answer_is_valid(&want, 0, &hit));
    CU_ASSERT_FALSE(answer_is_valid(&put, 0, &hit));
    miss.flags = 2;
    CU_ASSERT_FALSE(answer_is_valid(&want, 0, &miss));
}

static void counts_stay_within_what_was_asked(void)
{
    struct tmemif_request batch = request_of(TMEMIF_OP_BATCH);
    struct tmemif_request control = request_of(TMEMIF_OP_CONTROL);

    batch.u.batch.count = 7;
    control.u.control.reply.length = 100;
    CU_ASSERT(answer_is_valid(&batch, 0, &(struct tmemif_response){.count = 7}));
    CU_ASSERT_FALSE(answer_is_valid(&batch, 0, &(struct tmemif_response){.count = 6}));
    CU_ASSERT_FALSE(answer_is_valid(&batch, 0, &(struct tmemif_response){.count = 8}));
    CU_ASSERT(answer_is_valid(&batch, 0,
                              &(struct tmemif_response){.status = TMEMIF_BAD_DATA, .count = 0}));
    CU_ASSERT_FALSE(answer_is_valid(
        &batch, 0, &(struct tmemif_response){.status = TMEMIF_BAD_DATA, .count = 8}));
    CU_ASSERT(answer_is_valid(&control, 0, &(struct tmemif_response){.count = 100}));
    CU_ASSERT_FALSE(answer_is_valid(&control, 0, &(struct tmemif_response){.count = 101}));
}

static void a_pool_number_is_in_range(void)
{
    struct tmemif_request create = request_of(TMEMIF_OP_POOL_CREATE);
    struct tmemif_response r = {.value = TMEMIF_MAX_POOLS - 1};

    CU_ASSERT(answer_is_valid(&create, 0, &r));
    r.value = TMEMIF_MAX_POOLS;
    CU_ASSERT_FALSE(answer_is_valid(&create, 0, &r));
    r.value = 1ull << 32;
    CU_ASSERT_FALSE(answer_is_valid(&create, 0, &r));
    r.status = TMEMIF_TOO_MANY;
    CU_ASSERT(answer_is_valid(&create, 0, &r));
}

static void a_status_we_do_not_know_is_a_refusal(void)
{
    struct tmemif_request put = request_of(TMEMIF_OP_PAGE_PUT);

    CU_ASSERT(answer_is_valid(&put, 0, &(struct tmemif_response){.status = 9}));
}

#define TESTS(T)                                                                                   \
    T(the_number_must_be_that_of_the_request)                                                      \
    T(only_a_get_may_miss)                                                                         \
    T(a_lease_comes_only_with_a_miss_that_asked_for_it)                                            \
    T(counts_stay_within_what_was_asked)                                                           \
    T(a_pool_number_is_in_range)                                                                   \
    T(a_status_we_do_not_know_is_a_refusal)
RUN_TESTS(TESTS)
