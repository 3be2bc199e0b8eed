/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What PROTOCOL.md sections 4 to 7 say of a request, octet by octet. */
#include "protocol/codec.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/runner.h"

#define DATA_BYTES (256u * TMEMIF_PAGE_SIZE)

static const struct tmem_limits guest = {.data_bytes = DATA_BYTES, .grant_copy = true};
static const struct tmem_limits dom0 = {.data_bytes = DATA_BYTES, .privileged = true};

/* ---- golden octets: one valid request of each operation ---- */

/* clang-format off */
struct golden {
    enum tmemif_op op;
    uint8_t octets[64];
    uint8_t free[64]; /* bits that may be flipped one at a time, and the request stays valid */
};

#define OBJECT   1, 2, 3, 4, 5, 6, 7, 8,  0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, \
                 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28
#define ANY4     0xff, 0xff, 0xff, 0xff
#define ANY8     ANY4, ANY4
#define POOL_ANY 0x3f, 0, 0, 0

static const struct golden goldens[] = {
    { TMEMIF_OP_NOP,
      { 16, 0,  0, 0,  0, 0, 0, 0 },            /* op, flags, pool */
      { 0 } },
    { TMEMIF_OP_POOL_CREATE,
      { 17, 0,  0, 0,  0, 0, 0, 0,              /* op, flags, pool */
        0, 0, 0, 0, 0, 0, 0, 0,                 /* uuid: none */
        0, 0, 0, 0, 0, 0, 0, 0,
        1, 0, 0, 0 },                           /* pool flags: persistent */
      { [24] = 0x09 } },                        /* persistent, leased; inclusive is not for it */
    { TMEMIF_OP_POOL_JOIN,
      { 18, 0,  0, 0,  0, 0, 0, 0,              /* op, flags, pool */
        0xf8, 0x1d, 0x4f, 0xae, 0x7d, 0xec, 0x11, 0xd0,  /* uuid, in the order of its text */
        0xa7, 0x65, 0x00, 0xa0, 0xc9, 0x1e, 0x6b, 0xf6,
        2, 0, 0, 0 },                           /* pool flags: shared */
      { [8] = ANY8, ANY8, [24] = 0x09 } },
    { TMEMIF_OP_POOL_LEAVE,
      { 19, 0,  0, 0,  63, 0, 0, 0 },           /* op, flags, pool: the last */
      { [4] = POOL_ANY } },
    { TMEMIF_OP_POOL_DESTROY,
      { 20, 0,  0, 0,  0, 0, 0, 0 },            /* op, flags, pool */
      { [4] = POOL_ANY } },
    { TMEMIF_OP_POOL_INFO,
      { 21, 0,  0, 0,  7, 0, 0, 0,              /* op, flags, pool */
        0, 0,  0, 0,  0, 0, 0, 0,               /* data: kind, reserved, ref */
        0, 0, 0, 0,  136, 0, 0, 0 },            /* offset, length: of pool_info */
      { [4] = POOL_ANY, [16] = 0xf8, 0xff, 0x0f } },
    { TMEMIF_OP_RESET,
      { 22, 0,  0, 0,  0, 0, 0, 0 },            /* op, flags, pool */
      { 0 } },
    { TMEMIF_OP_PAGE_PUT,
      { 32, 0,  1, 0,  7, 0, 0, 0,              /* op, flags: leased, pool */
        OBJECT,
        0xff, 0xff, 0xff, 0xff,                 /* index: the last */
        0xe0, 0xe1, 0xe2, 0xe3,                 /* lease: epoch */
        0xe4, 0xe5, 0xe6, 0xe7,                 /* lease: object counter */
        0xe8, 0xe9, 0xea, 0xeb,                 /* lease: handle counter */
        0, 0,  0, 0,  0, 0, 0, 0,               /* data: kind: area, reserved, ref */
        0, 0, 0, 0,  0, 0x10, 0, 0 },           /* offset, length: 4096 */
      { [4] = POOL_ANY, ANY8, ANY8, ANY8, ANY4, ANY8, ANY4, [48] = 0x01,
        [56] = 0xff, 0xff, 0x0f } },
    { TMEMIF_OP_PAGE_GET,
      { 33, 0,  1, 0,  7, 0, 0, 0,              /* op, flags: want a lease, pool */
        OBJECT,
        4, 3, 2, 1,                             /* index 0x01020304 */
        0, 0, 0, 0,  0, 0, 0, 0,  0, 0, 0, 0,   /* no lease */
        1, 0,  0, 0,  0x2a, 0, 0, 0,            /* data: kind: grant, reserved, ref 42 */
        0, 0, 0, 0,  0, 0x10, 0, 0 },           /* offset, length: 4096 */
      { [2] = 0x01, 0, POOL_ANY, ANY8, ANY8, ANY8, ANY4, [52] = ANY4 } },
    { TMEMIF_OP_PAGE_FLUSH,
      { 34, 0,  0, 0,  7, 0, 0, 0,              /* op, flags, pool */
        OBJECT,
        0, 0, 0, 0 },                           /* index */
      { [4] = POOL_ANY, ANY8, ANY8, ANY8, ANY4 } },
    { TMEMIF_OP_OBJECT_FLUSH,
      { 35, 0,  0, 0,  7, 0, 0, 0,              /* op, flags, pool */
        OBJECT,
        0, 0, 0, 0,  0xff, 0xff, 0xff, 0xff },  /* first, last: all there are */
      { [4] = POOL_ANY, ANY8, ANY8, ANY8 } },
    { TMEMIF_OP_RANGE_FLUSH,
      { 36, 0,  0, 0,  7, 0, 0, 0,              /* op, flags, pool */
        OBJECT,
        0, 0, 0, 0,  0, 0, 0, 0 },              /* first, last */
      { [4] = POOL_ANY, ANY8, ANY8, ANY8, [36] = ANY4 } }, /* first must not pass last */
    { TMEMIF_OP_BATCH,
      { 37, 0,  0, 0,  0, 0, 0, 0,              /* op, flags, pool */
        0, 0,  0, 0,  0, 0, 0, 0,               /* requests: kind, reserved, ref */
        0, 0, 0, 0,  0, 0x80, 0, 0,             /* offset, length: 512 x 64 */
        0, 0,  0, 0,  0, 0, 0, 0,               /* responses: kind, reserved, ref */
        0, 0, 0, 0,  0, 0x40, 0, 0,             /* offset, length: 512 x 32 */
        0, 2, 0, 0 },                           /* count: 512 */
      { [16] = 0xf8, 0xff, 0x0f, [32] = 0xf8, 0xff, 0x0f } },
    { TMEMIF_OP_CONTROL,
      { 64, 0,  0, 0,  0, 0, 0, 0,              /* op, flags, pool */
        0, 0,  0, 0,  0, 0, 0, 0,               /* message: kind, reserved, ref */
        0, 0, 0, 0,  0, 0, 0, 0,                /* offset, length */
        0, 0,  0, 0,  0, 0, 0, 0,               /* reply: kind, reserved, ref */
        0, 0, 0, 0,  0, 0, 0, 0 },              /* offset, length */
      { [16] = 0xf8, 0xff, 0x1f, 0, 0xff, 0xff, 0x01, 0,
        [32] = 0xf8, 0xff, 0x1f, 0, 0xff, 0xff, 0x01, 0 } },
};
/* clang-format on */
#define NR_GOLDENS (sizeof(goldens) / sizeof(goldens[0]))

static const struct tmem_limits *limits_for(unsigned op)
{
    return op >= TMEMIF_OP_FIRST_PRIVILEGED ? &dom0 : &guest;
}

static struct tmemif_request request_of(const uint8_t octets[64])
{
    struct tmemif_request r;

    memcpy(&r, octets, sizeof(r));
    return r;
}

static struct tmemif_request valid(unsigned op)
{
    for (unsigned i = 0; i < NR_GOLDENS; i++) {
        if (goldens[i].op == op)
            return request_of(goldens[i].octets);
    }
    return (struct tmemif_request){0};
}

static enum tmemif_status decode(const struct tmemif_request *untrusted)
{
    struct tmemif_request r;

    return tmem_request_decode(untrusted, limits_for(untrusted->op), &r);
}

static void every_operation_has_golden_octets_that_are_accepted(void)
{
    unsigned nr_ops = 0;

#define X(value, name, body) nr_ops++;
    TMEMIF_OPS(X)
#undef X
    CU_ASSERT_EQUAL(nr_ops, NR_GOLDENS);
    for (unsigned i = 0; i < NR_GOLDENS; i++) {
        struct tmemif_request untrusted = request_of(goldens[i].octets), r = {0};

        CU_ASSERT_EQUAL(tmem_request_decode(&untrusted, limits_for(goldens[i].op), &r), TMEMIF_OK);
        CU_ASSERT_EQUAL(r.op, goldens[i].op);
        CU_ASSERT(memcmp(&r, goldens[i].octets, sizeof(r)) == 0);
    }
}

static void fields_lie_where_the_specification_draws_them(void)
{
    struct tmemif_request put = valid(TMEMIF_OP_PAGE_PUT), get = valid(TMEMIF_OP_PAGE_GET);
    struct tmemif_request join = valid(TMEMIF_OP_POOL_JOIN), batch = valid(TMEMIF_OP_BATCH);

    CU_ASSERT_EQUAL(put.flags, TMEMIF_PUT_LEASED);
    CU_ASSERT_EQUAL(put.pool, 7);
    CU_ASSERT_EQUAL(put.u.page.object[0], 0x0807060504030201ull);
    CU_ASSERT_EQUAL(put.u.page.object[1], 0x1817161514131211ull);
    CU_ASSERT_EQUAL(put.u.page.object[2], 0x2827262524232221ull);
    CU_ASSERT_EQUAL(put.u.page.index, 0xffffffffu);
    CU_ASSERT_EQUAL(put.u.page.lease.epoch, 0xe3e2e1e0u);
    CU_ASSERT_EQUAL(put.u.page.lease.object, 0xe7e6e5e4u);
    CU_ASSERT_EQUAL(put.u.page.lease.handle, 0xebeae9e8u);
    CU_ASSERT_EQUAL(put.u.page.data.length, 4096);
    CU_ASSERT_EQUAL(get.u.page.index, 0x01020304u);
    CU_ASSERT_EQUAL(get.u.page.data.kind, TMEMIF_DATA_GRANT);
    CU_ASSERT_EQUAL(get.u.page.data.ref, 42);
    CU_ASSERT_EQUAL(join.u.pool.uuid[0], 0xf8);
    CU_ASSERT_EQUAL(join.u.pool.flags, TMEMIF_POOL_SHARED);
    CU_ASSERT_EQUAL(batch.u.batch.count, 512);
    CU_ASSERT_EQUAL(batch.u.batch.requests.length, 512 * 64);
    CU_ASSERT_EQUAL(batch.u.batch.responses.length, 512 * 32);
}

/* What no field owns, and every field's illegal half: one bit is enough to be refused. */
static void every_bit_that_is_not_free_is_refused(void)
{
    for (unsigned i = 0; i < NR_GOLDENS; i++) {
        for (unsigned bit = 0; bit < 64 * 8; bit++) {
            struct tmemif_request untrusted = request_of(goldens[i].octets), r = {0};
            bool is_free = goldens[i].free[bit / 8] >> bit % 8 & 1;
            enum tmemif_status rc;

            ((uint8_t *)&untrusted)[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (untrusted.op != goldens[i].op)
                continue; /* another operation, or none: tested below */
            rc = tmem_request_decode(&untrusted, limits_for(goldens[i].op), &r);
            if ((rc == TMEMIF_OK) != is_free || (rc != TMEMIF_OK && r.op)) {
                CU_FAIL("a flipped bit");
                printf("%s: octet %u bit %u: %s\n", tmem_op_name(goldens[i].op), bit / 8, bit % 8,
                       tmem_status_name(rc));
            }
        }
    }
    CU_PASS("all bits seen");
}

/* ---- each field out of its range, and the status that says so ---- */

struct bad_field {
    enum tmemif_op op;
    unsigned offset, size;
    uint64_t value;
    enum tmemif_status status;
};
#define BAD(operation, field, bad_value, want)                                                     \
    {                                                                                              \
        TMEMIF_OP_##operation, (unsigned)offsetof(struct tmemif_request, field),                   \
            (unsigned)sizeof(((struct tmemif_request *)0)->field), bad_value, TMEMIF_##want        \
    }

static const struct bad_field bad_fields[] = {
    BAD(NOP, flags, 1, BAD_REQUEST),
    BAD(NOP, pool, 1, BAD_REQUEST),
    BAD(NOP, pool, 64, NO_POOL),
    BAD(NOP, u.none[0], 1, BAD_REQUEST),
    BAD(NOP, u.none[6], 1ull << 63, BAD_REQUEST),
    BAD(POOL_CREATE, flags, 0x8000, BAD_REQUEST),
    BAD(POOL_CREATE, pool, 1, BAD_REQUEST),
    BAD(POOL_CREATE, u.pool.uuid[15], 1, BAD_REQUEST),
    BAD(POOL_CREATE, u.pool.flags, 0x10, BAD_REQUEST),
    BAD(POOL_CREATE, u.pool.flags, TMEMIF_POOL_SHARED, BAD_REQUEST),
    BAD(POOL_CREATE, u.pool.flags, TMEMIF_POOL_PERSISTENT | TMEMIF_POOL_INCLUSIVE, BAD_REQUEST),
    BAD(POOL_CREATE, u.pool.reserved0, 1, BAD_REQUEST),
    BAD(POOL_CREATE, u.pool.reserved[0], 1, BAD_REQUEST),
    BAD(POOL_CREATE, u.pool.reserved[3], 1, BAD_REQUEST),
    BAD(POOL_JOIN, flags, 1, BAD_REQUEST),
    BAD(POOL_JOIN, pool, 1, BAD_REQUEST),
    BAD(POOL_JOIN, u.pool.flags, 0, BAD_REQUEST),
    BAD(POOL_JOIN, u.pool.flags, TMEMIF_POOL_PERSISTENT, BAD_REQUEST),
    BAD(POOL_JOIN, u.pool.flags, TMEMIF_POOL_SHARED | TMEMIF_POOL_INCLUSIVE, BAD_REQUEST),
    BAD(POOL_JOIN, u.pool.flags, 0x80000002, BAD_REQUEST),
    BAD(POOL_LEAVE, pool, 64, NO_POOL),
    BAD(POOL_LEAVE, pool, UINT32_MAX, NO_POOL),
    BAD(POOL_LEAVE, u.none[3], 1, BAD_REQUEST),
    BAD(POOL_DESTROY, pool, 64, NO_POOL),
    BAD(POOL_DESTROY, flags, 1, BAD_REQUEST),
    BAD(POOL_INFO, pool, 64, NO_POOL),
    BAD(POOL_INFO, u.info.reserved[4], 1, BAD_REQUEST),
    BAD(POOL_INFO, u.info.data.kind, 1, BAD_REQUEST),
    BAD(POOL_INFO, u.info.data.reserved, 1, BAD_REQUEST),
    BAD(POOL_INFO, u.info.data.ref, 1, BAD_REQUEST),
    BAD(POOL_INFO, u.info.data.length, 135, BAD_REQUEST),
    BAD(POOL_INFO, u.info.data.length, 4096, BAD_REQUEST),
    BAD(POOL_INFO, u.info.data.offset, 4, BAD_REQUEST),
    BAD(POOL_INFO, u.info.data.offset, DATA_BYTES - 128, BAD_DATA),
    BAD(RESET, pool, 1, BAD_REQUEST),
    BAD(RESET, u.none[1], 1, BAD_REQUEST),
    BAD(PAGE_PUT, flags, 2, BAD_REQUEST),
    BAD(PAGE_PUT, flags, 0, BAD_REQUEST), /* a lease, and no flag for it */
    BAD(PAGE_PUT, pool, 64, NO_POOL),
    BAD(PAGE_PUT, u.page.data.kind, 2, BAD_REQUEST),
    BAD(PAGE_PUT, u.page.data.kind, UINT16_MAX, BAD_REQUEST),
    BAD(PAGE_PUT, u.page.data.reserved, 1, BAD_REQUEST),
    BAD(PAGE_PUT, u.page.data.ref, 1, BAD_REQUEST),
    BAD(PAGE_PUT, u.page.data.length, 0, BAD_REQUEST),
    BAD(PAGE_PUT, u.page.data.length, 4095, BAD_REQUEST),
    BAD(PAGE_PUT, u.page.data.length, 4097, BAD_REQUEST),
    BAD(PAGE_PUT, u.page.data.length, UINT32_MAX, BAD_REQUEST),
    BAD(PAGE_PUT, u.page.data.offset, DATA_BYTES - 4095, BAD_DATA),
    BAD(PAGE_PUT, u.page.data.offset, UINT32_MAX - 4095, BAD_DATA),
    BAD(PAGE_PUT, u.page.data.offset, UINT32_MAX, BAD_DATA),
    BAD(PAGE_GET, flags, 2, BAD_REQUEST),
    BAD(PAGE_GET, pool, 64, NO_POOL),
    BAD(PAGE_GET, u.page.lease.epoch, 1, BAD_REQUEST),
    BAD(PAGE_GET, u.page.lease.object, 1, BAD_REQUEST),
    BAD(PAGE_GET, u.page.lease.handle, 1, BAD_REQUEST),
    BAD(PAGE_GET, u.page.data.offset, 1, BAD_DATA), /* past the end of the granted page */
    BAD(PAGE_GET, u.page.data.offset, UINT32_MAX, BAD_DATA),
    BAD(PAGE_GET, u.page.data.length, 2048, BAD_REQUEST),
    BAD(PAGE_FLUSH, flags, 1, BAD_REQUEST),
    BAD(PAGE_FLUSH, pool, 64, NO_POOL),
    BAD(PAGE_FLUSH, u.page.lease.epoch, 1, BAD_REQUEST),
    BAD(PAGE_FLUSH, u.page.data.kind, 1, BAD_REQUEST),
    BAD(PAGE_FLUSH, u.page.data.reserved, 1, BAD_REQUEST),
    BAD(PAGE_FLUSH, u.page.data.ref, 1, BAD_REQUEST),
    BAD(PAGE_FLUSH, u.page.data.offset, 1, BAD_REQUEST),
    BAD(PAGE_FLUSH, u.page.data.length, 4096, BAD_REQUEST),
    BAD(OBJECT_FLUSH, pool, 64, NO_POOL),
    BAD(OBJECT_FLUSH, u.range.first, 1, BAD_REQUEST),
    BAD(OBJECT_FLUSH, u.range.last, 0, BAD_REQUEST),
    BAD(OBJECT_FLUSH, u.range.last, UINT32_MAX - 1, BAD_REQUEST),
    BAD(OBJECT_FLUSH, u.range.reserved[2], 1, BAD_REQUEST),
    BAD(RANGE_FLUSH, flags, 1, BAD_REQUEST),
    BAD(RANGE_FLUSH, pool, 64, NO_POOL),
    BAD(RANGE_FLUSH, u.range.first, 1, BAD_REQUEST), /* last is 0 */
    BAD(RANGE_FLUSH, u.range.reserved[0], 1, BAD_REQUEST),
    BAD(BATCH, flags, 1, BAD_REQUEST),
    BAD(BATCH, pool, 1, BAD_REQUEST),
    BAD(BATCH, u.batch.count, 0, BAD_REQUEST),
    BAD(BATCH, u.batch.count, 511, BAD_REQUEST), /* the lengths say 512 */
    BAD(BATCH, u.batch.count, 513, BAD_REQUEST),
    BAD(BATCH, u.batch.count, 0x80000200, BAD_REQUEST),
    BAD(BATCH, u.batch.reserved0, 1, BAD_REQUEST),
    BAD(BATCH, u.batch.reserved[1], 1, BAD_REQUEST),
    BAD(BATCH, u.batch.requests.kind, 1, BAD_REQUEST),
    BAD(BATCH, u.batch.requests.ref, 1, BAD_REQUEST),
    BAD(BATCH, u.batch.requests.offset, 4, BAD_REQUEST),
    BAD(BATCH, u.batch.requests.offset, DATA_BYTES - 8, BAD_DATA),
    BAD(BATCH, u.batch.requests.offset, UINT32_MAX - 7, BAD_DATA),
    BAD(BATCH, u.batch.responses.kind, 1, BAD_REQUEST),
    BAD(BATCH, u.batch.responses.reserved, 1, BAD_REQUEST),
    BAD(BATCH, u.batch.responses.offset, 1, BAD_REQUEST),
    BAD(BATCH, u.batch.responses.offset, DATA_BYTES, BAD_DATA),
    BAD(BATCH, u.batch.responses.length, 512 * 32 - 8, BAD_REQUEST),
    BAD(CONTROL, flags, 1, BAD_REQUEST),
    BAD(CONTROL, pool, 1, BAD_REQUEST),
    BAD(CONTROL, u.control.message.kind, 1, BAD_REQUEST),
    BAD(CONTROL, u.control.message.length, TMEMIF_MAX_CONTROL_BYTES + 1, BAD_REQUEST),
    BAD(CONTROL, u.control.message.offset, DATA_BYTES + 8, BAD_DATA),
    BAD(CONTROL, u.control.reply.length, UINT32_MAX, BAD_REQUEST),
    BAD(CONTROL, u.control.reply.offset, 2, BAD_REQUEST),
    BAD(CONTROL, u.control.reply.offset, UINT32_MAX - 7, BAD_DATA),
    BAD(CONTROL, u.control.reserved[0], 1, BAD_REQUEST),
};

static void each_field_out_of_range_gets_its_own_status(void)
{
    for (unsigned i = 0; i < sizeof(bad_fields) / sizeof(bad_fields[0]); i++) {
        const struct bad_field *bad = &bad_fields[i];
        struct tmemif_request untrusted = valid(bad->op);
        enum tmemif_status rc;

        memcpy((uint8_t *)&untrusted + bad->offset, &bad->value, bad->size); /* little-endian */
        rc = decode(&untrusted);
        if (rc != bad->status) {
            CU_FAIL("a bad field");
            printf("%s, octet %u = %llu: %s, not %s\n", tmem_op_name(bad->op), bad->offset,
                   (unsigned long long)bad->value, tmem_status_name(rc),
                   tmem_status_name(bad->status));
        }
    }
    CU_PASS("all fields seen");
}

static bool is_operation(unsigned op)
{
#define X(value, name, body)                                                                       \
    if (op == value)                                                                               \
        return true;
    TMEMIF_OPS(X)
#undef X
    return false;
}

static void every_number_that_is_no_operation_is_bad_op(void)
{
    for (unsigned op = 0; op <= UINT16_MAX; op++) {
        struct tmemif_request untrusted = {.op = (uint16_t)op}, r;

        if (!is_operation(op) && tmem_request_decode(&untrusted, &dom0, &r) != TMEMIF_BAD_OP)
            CU_FAIL("an unknown operation");
    }
    CU_PASS("all numbers seen");
}

static void control_needs_a_privileged_session_before_anything_else_is_looked_at(void)
{
    struct tmemif_request r, malformed = valid(TMEMIF_OP_CONTROL);

    malformed.flags = 1;
    malformed.pool = 64;
    CU_ASSERT_EQUAL(tmem_request_decode(&malformed, &guest, &r), TMEMIF_NOT_ALLOWED);
    CU_ASSERT_EQUAL(tmem_request_decode(&malformed, &dom0, &r), TMEMIF_BAD_REQUEST);
}

static void a_grant_without_the_feature_is_not_supported(void)
{
    struct tmemif_request r, get = valid(TMEMIF_OP_PAGE_GET);

    CU_ASSERT_EQUAL(tmem_request_decode(&get, &guest, &r), TMEMIF_OK);
    CU_ASSERT_EQUAL(tmem_request_decode(&get, &dom0, &r), TMEMIF_NOT_SUPPORTED);
}

static void the_last_octet_of_the_data_area_can_be_used_and_the_next_cannot(void)
{
    struct tmemif_request put = valid(TMEMIF_OP_PAGE_PUT);

    put.u.page.data.offset = DATA_BYTES - TMEMIF_PAGE_SIZE;
    CU_ASSERT_EQUAL(decode(&put), TMEMIF_OK);
    put.u.page.data.offset++;
    CU_ASSERT_EQUAL(decode(&put), TMEMIF_BAD_DATA);
}

static void nothing_fits_in_a_data_area_of_no_size(void)
{
    static const struct tmem_limits none = {.privileged = true};
    struct tmemif_request r, put = valid(TMEMIF_OP_PAGE_PUT), info = valid(TMEMIF_OP_POOL_INFO);
    struct tmemif_request batch = valid(TMEMIF_OP_BATCH);

    CU_ASSERT_EQUAL(tmem_request_decode(&put, &none, &r), TMEMIF_BAD_DATA);
    CU_ASSERT_EQUAL(tmem_request_decode(&info, &none, &r), TMEMIF_BAD_DATA);
    CU_ASSERT_EQUAL(tmem_request_decode(&batch, &none, &r), TMEMIF_BAD_DATA);
}

static void a_refused_request_leaves_the_result_as_it_was(void)
{
    struct tmemif_request put = valid(TMEMIF_OP_PAGE_PUT), out, before;

    memset(&out, 0xa5, sizeof(out));
    before = out;
    put.u.page.data.length = 1;
    CU_ASSERT_EQUAL(tmem_request_decode(&put, &guest, &out), TMEMIF_BAD_REQUEST);
    CU_ASSERT(memcmp(&out, &before, sizeof(out)) == 0);
}

static void only_page_and_range_requests_stand_in_a_batch(void)
{
    for (unsigned i = 0; i < NR_GOLDENS; i++) {
        struct tmemif_request untrusted = request_of(goldens[i].octets), r;
        bool may = untrusted.op >= 32 && untrusted.op <= 36;

        CU_ASSERT_EQUAL(tmem_batch_element_decode(&untrusted, limits_for(untrusted.op), &r),
                        may ? TMEMIF_OK : TMEMIF_BAD_OP);
    }
}

static void an_element_is_checked_like_a_request_of_its_own(void)
{
    struct tmemif_request r, put = valid(TMEMIF_OP_PAGE_PUT);

    put.u.page.data.offset = UINT32_MAX;
    CU_ASSERT_EQUAL(tmem_batch_element_decode(&put, &guest, &r), TMEMIF_BAD_DATA);
    put.pool = 64;
    CU_ASSERT_EQUAL(tmem_batch_element_decode(&put, &guest, &r), TMEMIF_NO_POOL);
}

static void a_batch_of_nothing_is_malformed(void)
{
    struct tmemif_request batch = valid(TMEMIF_OP_BATCH);

    batch.u.batch.count = 1;
    batch.u.batch.requests.length = 64;
    batch.u.batch.responses.length = 32;
    CU_ASSERT_EQUAL(decode(&batch), TMEMIF_OK);
    batch.u.batch.count = 0;
    batch.u.batch.requests.length = batch.u.batch.responses.length = 0;
    CU_ASSERT_EQUAL(decode(&batch), TMEMIF_BAD_REQUEST);
}

static void golden_octets_of_a_response(void)
{
    static const uint8_t octets[32] = {
        0xfe, 0xff, 0xff, 0xff, /* number */
        1,    0,                /* status: MISS */
        1,    0,                /* flags: a lease */
        1,    2,    3,    4,    /* lease: epoch */
        5,    6,    7,    8,    /* lease: object counter */
        9,    10,   11,   12,   /* lease: handle counter */
        0,    2,    0,    0,    /* count */
        63,   0,    0,    0,    /* value */
        0,    0,    0,    0x80,
    };
    struct tmemif_response rsp;

    memcpy(&rsp, octets, sizeof(rsp));
    CU_ASSERT_EQUAL(rsp.number, 0xfffffffeu);
    CU_ASSERT_EQUAL(rsp.status, TMEMIF_MISS);
    CU_ASSERT_EQUAL(rsp.flags, TMEMIF_RSP_LEASE);
    CU_ASSERT_EQUAL(rsp.lease.epoch, 0x04030201u);
    CU_ASSERT_EQUAL(rsp.lease.object, 0x08070605u);
    CU_ASSERT_EQUAL(rsp.lease.handle, 0x0c0b0a09u);
    CU_ASSERT_EQUAL(rsp.count, 512);
    CU_ASSERT_EQUAL(rsp.value, 0x800000000000003full);
}

static void golden_octets_of_pool_information(void)
{
    uint8_t octets[136] = {[0] = 0xaa,  [15] = 0xbb,   /* uuid */
                           [16] = 0x0b,                /* flags */
                           [20] = 5,                   /* epoch */
                           [24] = 1,    [32] = 2,      /* nr_pages, quota_pages */
                           [40] = 3,    [48] = 4,      /* puts, puts_refused */
                           [56] = 5,    [64] = 6,      /* gets, hits */
                           [72] = 7,    [80] = 8,      /* flushes, evictions */
                           [88] = 1,    [92] = 1,      /* read_only, frozen */
                           [96] = 0xcc, [135] = 0xdd}; /* reserved */
    struct tmemif_pool_info info;

    memcpy(&info, octets, sizeof(info));
    CU_ASSERT(info.uuid[0] == 0xaa && info.uuid[15] == 0xbb);
    CU_ASSERT_EQUAL(info.flags, 0x0b);
    CU_ASSERT_EQUAL(info.epoch, 5);
    CU_ASSERT(info.nr_pages == 1 && info.quota_pages == 2);
    CU_ASSERT(info.puts == 3 && info.puts_refused == 4 && info.gets == 5 && info.hits == 6);
    CU_ASSERT(info.flushes == 7 && info.evictions == 8);
    CU_ASSERT(info.read_only == 1 && info.frozen == 1);
    CU_ASSERT((uint8_t)info.reserved[0] == 0xcc && info.reserved[4] >> 56 == 0xdd);
}

/* The values stand in PROTOCOL.md; a peer of another build relies on them. */
static void statuses_and_operations_have_the_numbers_of_the_specification(void)
{
    CU_ASSERT(TMEMIF_OK == 0 && TMEMIF_MISS == 1 && TMEMIF_QUOTA == 2 && TMEMIF_NO_MEMORY == 3);
    CU_ASSERT(TMEMIF_FROZEN == 4 && TMEMIF_BAD_GRANT == 5 && TMEMIF_NOT_ALLOWED == 16);
    CU_ASSERT(TMEMIF_READ_ONLY == 17 && TMEMIF_STALE_LEASE == 18 && TMEMIF_NEED_LEASE == 19);
    CU_ASSERT(TMEMIF_NO_POOL == 20 && TMEMIF_BAD_KIND == 21 && TMEMIF_TOO_MANY == 22);
    CU_ASSERT(TMEMIF_BAD_OP == 23 && TMEMIF_BAD_REQUEST == 24 && TMEMIF_BAD_DATA == 25);
    CU_ASSERT(TMEMIF_NOT_SUPPORTED == 26 && TMEMIF_NOT_FOUND == 27 && TMEMIF_BUSY == 28);
    CU_ASSERT_STRING_EQUAL(tmem_op_name(32), "PAGE_PUT");
    CU_ASSERT_STRING_EQUAL(tmem_op_name(64), "CONTROL");
    CU_ASSERT_STRING_EQUAL(tmem_op_name(0), "unknown");
    CU_ASSERT_STRING_EQUAL(tmem_op_name(65), "unknown");
    CU_ASSERT_STRING_EQUAL(tmem_op_name(UINT32_MAX), "unknown");
    CU_ASSERT_STRING_EQUAL(tmem_status_name(TMEMIF_QUOTA), "QUOTA");
    CU_ASSERT_STRING_EQUAL(tmem_status_name(6), "unknown");
    CU_ASSERT_STRING_EQUAL(tmem_status_sentence(TMEMIF_MISS), "no such page");
    CU_ASSERT_STRING_EQUAL(tmem_status_sentence(UINT32_MAX), "unknown status");
}

#define TESTS(T)                                                                                   \
    T(every_operation_has_golden_octets_that_are_accepted)                                         \
    T(fields_lie_where_the_specification_draws_them)                                               \
    T(every_bit_that_is_not_free_is_refused)                                                       \
    T(each_field_out_of_range_gets_its_own_status)                                                 \
    T(every_number_that_is_no_operation_is_bad_op)                                                 \
    T(control_needs_a_privileged_session_before_anything_else_is_looked_at)                        \
    T(a_grant_without_the_feature_is_not_supported)                                                \
    T(the_last_octet_of_the_data_area_can_be_used_and_the_next_cannot)                             \
    T(nothing_fits_in_a_data_area_of_no_size)                                                      \
    T(a_refused_request_leaves_the_result_as_it_was)                                               \
    T(only_page_and_range_requests_stand_in_a_batch)                                               \
    T(an_element_is_checked_like_a_request_of_its_own)                                             \
    T(a_batch_of_nothing_is_malformed)                                                             \
    T(golden_octets_of_a_response)                                                                 \
    T(golden_octets_of_pool_information)                                                           \
    T(statuses_and_operations_have_the_numbers_of_the_specification)
RUN_TESTS(TESTS)
