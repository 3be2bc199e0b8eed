/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real daemon and a shared ephemeral pool of two attachments: what becomes
 * of it when a member leaves, is lost or falls silent (rule C25), and operator's
 * messages on the way there.
 */
#include <string.h>
#include <unistd.h>

#include "protocol/control.h"
#include "tests/lib/daemon_run.h"
#include "tests/lib/peer.h"
#include "tests/lib/runner.h"

/* Twice the least: a busy machine may keep the test or the daemon waiting for half a second. */
#define FENCE_MS (2 * TMEMIF_LOCAL_MIN_FENCE_MS)

static const uint8_t uuid[TMEMIF_UUID_LEN] = {0xab, 1, 2, 3};

struct scene {
    struct daemon_run d;
    struct peer reader, filler;
    uint32_t reader_pool, filler_pool;
};

/* One message over a session of its own. The status of the CONTROL request. */
static int operate(struct daemon_run *d, const void *message, uint32_t length)
{
    struct tmemif_request r = peer_request(TMEMIF_OP_CONTROL, 0);
    struct tmemif_response rsp;
    struct peer p;
    int status;

    CU_ASSERT_TRUE_FATAL(peer_init(&p, TMEMIF_LOCAL_OPERATOR, 1, 0, 32));
    CU_ASSERT_EQUAL_FATAL(peer_attach(&p, d->socket), TMEMIF_OK);
    memcpy(p.data, message, length);
    r.u.control.message = (struct tmemif_data){.offset = 0, .length = length};
    r.u.control.reply = (struct tmemif_data){.offset = 4096, .length = 65536};
    status = peer_call(&p, 0, &r, &rsp);
    if (status == TMEMIF_OK)
        CU_ASSERT_TRUE(rsp.count >= sizeof(struct tmemctl_reply));
    peer_leave(&p);
    peer_fini(&p);
    return status;
}

static int allow(struct daemon_run *d, uint32_t device, uint32_t right)
{
    struct tmemctl_allow m = {
        .head = {.command = TMEMCTL_ALLOW, .length = sizeof(m)},
        .guest = {.kind = TMEMCTL_LOCAL, .id = getuid(), .device = device},
        .right = right,
    };

    memcpy(m.uuid, uuid, sizeof(uuid));
    return operate(d, &m, sizeof(m));
}

static uint32_t join(struct daemon_run *d, struct peer *p, uint32_t device, uint32_t fence_ms)
{
    struct tmemif_request r = peer_request(TMEMIF_OP_POOL_JOIN, 0);
    struct tmemif_response rsp;

    CU_ASSERT_TRUE_FATAL(peer_init(p, device, 1, 0, 8));
    p->hello.fence_ms = fence_ms;
    CU_ASSERT_EQUAL_FATAL(peer_attach(p, d->socket), TMEMIF_OK);
    memcpy(r.u.pool.uuid, uuid, sizeof(uuid));
    r.u.pool.flags = TMEMIF_POOL_SHARED;
    CU_ASSERT_EQUAL_FATAL(peer_call(p, 0, &r, &rsp), TMEMIF_OK);
    return (uint32_t)rsp.value;
}

static void begin(struct scene *s, uint32_t filler_fence_ms, uint32_t filler_right)
{
    static const char *const args[] = {"--memory", "32M", "--workers", "1", NULL};

    CU_ASSERT_TRUE_FATAL(daemon_run_init(&s->d));
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&s->d, args));
    CU_ASSERT_EQUAL_FATAL(allow(&s->d, 1, TMEMCTL_RIGHT_FILL), TMEMIF_OK);
    CU_ASSERT_EQUAL_FATAL(allow(&s->d, 2, filler_right), TMEMIF_OK);
    s->reader_pool = join(&s->d, &s->reader, 1, 0);
    s->filler_pool = join(&s->d, &s->filler, 2, filler_fence_ms);
    CU_ASSERT_EQUAL(peer_put(&s->reader, s->reader_pool, 1, 1, 42), TMEMIF_OK);
    CU_ASSERT_EQUAL(peer_get(&s->filler, s->filler_pool, 1, 1, 42), TMEMIF_OK);
}

static void end(struct scene *s)
{
    peer_leave(&s->reader);
    peer_fini(&s->reader);
    peer_fini(&s->filler);
    CU_ASSERT_EQUAL(daemon_run_stop(&s->d), 0);
    daemon_run_fini(&s->d);
}

/* Until the reader sees @status; false: it never did. */
static bool reader_comes_to_see(struct scene *s, int status)
{
    long limit = daemon_run_now_ms() + 20000;

    while (peer_get(&s->reader, s->reader_pool, 1, 1, 42) != status) {
        if (daemon_run_now_ms() > limit)
            return false;
        usleep(2000);
    }
    return true;
}

static void c25_member_that_says_goodbye_costs_nothing(void)
{
    struct scene s;

    begin(&s, 0, TMEMCTL_RIGHT_FILL);
    peer_leave(&s.filler);
    usleep(200000);
    CU_ASSERT_EQUAL(peer_get(&s.reader, s.reader_pool, 1, 1, 42), TMEMIF_OK);
    end(&s);
}

static void c25_lost_member_that_may_fill_costs_the_pool_its_epoch(void)
{
    struct scene s;

    begin(&s, 0, TMEMCTL_RIGHT_FILL);
    peer_drop(&s.filler);
    CU_ASSERT_TRUE(reader_comes_to_see(&s, TMEMIF_MISS));
    end(&s);
}

static void c25_member_that_broke_the_protocol_is_lost(void)
{
    struct scene s;

    begin(&s, 0, TMEMCTL_RIGHT_FILL);
    ring_publish(&s.filler.rings[0].view.shared->req_prod, 12345);
    peer_ring_bell(&s.filler, 0);
    CU_ASSERT_TRUE(reader_comes_to_see(&s, TMEMIF_MISS));
    end(&s);
}

static void c25_lost_member_that_may_only_read_costs_nothing(void)
{
    struct scene s;

    begin(&s, 0, TMEMCTL_RIGHT_READ);
    peer_drop(&s.filler);
    usleep(200000);
    CU_ASSERT_EQUAL(peer_get(&s.reader, s.reader_pool, 1, 1, 42), TMEMIF_OK);
    end(&s);
}

static void c25_silent_member_costs_the_pool_its_epoch_before_the_fence_time(void)
{
    struct scene s;
    long start;

    begin(&s, FENCE_MS, TMEMCTL_RIGHT_FILL);
    start = daemon_run_now_ms();
    CU_ASSERT_TRUE(reader_comes_to_see(&s, TMEMIF_MISS));
    CU_ASSERT_TRUE(daemon_run_now_ms() - start < (long)FENCE_MS);
    /* it beats again, and is silent again */
    s.filler.rings[0].view.shared->front_beat++;
    usleep(1000 * FENCE_MS / 4);
    CU_ASSERT_EQUAL(peer_put(&s.reader, s.reader_pool, 1, 1, 42), TMEMIF_OK);
    start = daemon_run_now_ms();
    CU_ASSERT_TRUE(reader_comes_to_see(&s, TMEMIF_MISS));
    CU_ASSERT_TRUE(daemon_run_now_ms() - start < (long)FENCE_MS);
    end(&s);
}

static void c25_silent_member_costs_the_epoch_once_and_again_when_it_is_lost(void)
{
    struct scene s;

    begin(&s, FENCE_MS, TMEMCTL_RIGHT_FILL);
    CU_ASSERT_TRUE(reader_comes_to_see(&s, TMEMIF_MISS));
    CU_ASSERT_EQUAL(peer_put(&s.reader, s.reader_pool, 1, 1, 42), TMEMIF_OK);
    usleep(2000 * FENCE_MS);
    CU_ASSERT_EQUAL(peer_get(&s.reader, s.reader_pool, 1, 1, 42), TMEMIF_OK);
    /* silent, it was served, and may have put what it did not come to flush */
    peer_drop(&s.filler);
    CU_ASSERT_TRUE(reader_comes_to_see(&s, TMEMIF_MISS));
    end(&s);
}

static void c25_beating_member_costs_nothing(void)
{
    struct scene s;
    uint32_t back_beat;

    begin(&s, FENCE_MS, TMEMCTL_RIGHT_FILL);
    back_beat = s.filler.rings[0].view.shared->back_beat;
    for (unsigned i = 0; i < 20; i++) {
        s.filler.rings[0].view.shared->front_beat++;
        usleep(1000 * FENCE_MS / 10);
    }
    CU_ASSERT_EQUAL(peer_get(&s.reader, s.reader_pool, 1, 1, 42), TMEMIF_OK);
    CU_ASSERT_NOT_EQUAL(s.filler.rings[0].view.shared->back_beat, back_beat);
    end(&s);
}

static void operators_messages_that_are_malformed_are_refused(void)
{
    struct tmemctl_plain m = {.head = {.command = 9999, .length = sizeof(m)}};
    union {
        struct tmemctl_head head;
        uint8_t bytes[8192];
    } long_message = {.head = {.command = TMEMCTL_CHECK, .length = sizeof(long_message)}};
    struct scene s;

    begin(&s, 0, TMEMCTL_RIGHT_FILL);
    CU_ASSERT_EQUAL(operate(&s.d, &m, sizeof(m)), TMEMIF_BAD_OP);
    CU_ASSERT_EQUAL(operate(&s.d, &m, 3), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(operate(&s.d, &long_message, sizeof(long_message)), TMEMIF_BAD_REQUEST);
    m.head.command = TMEMCTL_CHECK;
    CU_ASSERT_EQUAL(operate(&s.d, &m, sizeof(m)), TMEMIF_OK);
    end(&s);
}

static void operators_session_has_no_pools(void)
{
    struct tmemif_response rsp;
    struct tmemif_request r;
    struct scene s;
    struct peer p, q;

    begin(&s, 0, TMEMCTL_RIGHT_FILL);
    CU_ASSERT_TRUE_FATAL(peer_init(&p, TMEMIF_LOCAL_OPERATOR, 1, 0, 4));
    CU_ASSERT_EQUAL_FATAL(peer_attach(&p, s.d.socket), TMEMIF_OK);
    r = peer_request(TMEMIF_OP_POOL_CREATE, 0);
    CU_ASSERT_EQUAL(peer_call(&p, 0, &r, &rsp), TMEMIF_NOT_ALLOWED);
    r = peer_page(TMEMIF_OP_PAGE_GET, 0, 1, 1, 0);
    CU_ASSERT_EQUAL(peer_call(&p, 0, &r, &rsp), TMEMIF_NO_POOL);
    r = peer_request(TMEMIF_OP_RESET, 0);
    CU_ASSERT_EQUAL(peer_call(&p, 0, &r, &rsp), TMEMIF_OK);
    /* and may be had twice at once */
    CU_ASSERT_TRUE_FATAL(peer_init(&q, TMEMIF_LOCAL_OPERATOR, 1, 0, 4));
    CU_ASSERT_EQUAL(peer_attach(&q, s.d.socket), TMEMIF_OK);
    peer_fini(&q);
    peer_fini(&p);
    end(&s);
}

#define TESTS(T)                                                                                   \
    T(c25_member_that_says_goodbye_costs_nothing)                                                  \
    T(c25_lost_member_that_may_fill_costs_the_pool_its_epoch)                                      \
    T(c25_member_that_broke_the_protocol_is_lost)                                                  \
    T(c25_lost_member_that_may_only_read_costs_nothing)                                            \
    T(c25_silent_member_costs_the_pool_its_epoch_before_the_fence_time)                            \
    T(c25_silent_member_costs_the_epoch_once_and_again_when_it_is_lost)                            \
    T(c25_beating_member_costs_nothing)                                                            \
    T(operators_messages_that_are_malformed_are_refused)                                           \
    T(operators_session_has_no_pools)
RUN_TESTS(TESTS)
