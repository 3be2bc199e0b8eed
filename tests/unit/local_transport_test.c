/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real daemon over the local transport, as an honest client sees it. */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/session/worker.h"
#include "daemon/transport/local/channel.h"
#include "daemon/util/processor.h"
#include "protocol/local.h"
#include "tests/lib/daemon_run.h"
#include "tests/lib/peer.h"
#include "tests/lib/runner.h"

static const char *const args[] = {"--memory", "64M", "--local-quota", "16M", "--workers",
                                   "2",        NULL};

static void begin(struct daemon_run *d)
{
    CU_ASSERT_TRUE_FATAL(daemon_run_init(d));
    CU_ASSERT_TRUE_FATAL(daemon_run_start(d, args));
}

static void end(struct daemon_run *d)
{
    CU_ASSERT_EQUAL(daemon_run_stop(d), 0);
    daemon_run_fini(d);
}

static void attach(struct daemon_run *d, struct peer *p, uint32_t device, uint32_t nr_rings)
{
    CU_ASSERT_TRUE_FATAL(peer_init(p, device, nr_rings, 0, 64));
    CU_ASSERT_EQUAL_FATAL(peer_attach(p, d->socket), TMEMIF_OK);
}

static void nop_is_answered_on_every_ring(void)
{
    const struct tmemif_request nop = peer_request(TMEMIF_OP_NOP, 0);
    struct tmemif_response rsp;
    struct daemon_run d;
    struct peer p;

    begin(&d);
    attach(&d, &p, 0, 4);
    for (unsigned round = 0; round < 100; round++) {
        for (unsigned ring = 0; ring < 4; ring++)
            CU_ASSERT_EQUAL(peer_call(&p, ring, &nop, &rsp), TMEMIF_OK);
    }
    CU_ASSERT_NOT_EQUAL(p.rings[0].view.shared->back_epoch, 0);
    CU_ASSERT_EQUAL(p.rings[0].view.shared->back_epoch, p.welcome.epoch);
    peer_fini(&p);
    end(&d);
}

static void page_is_put_got_and_flushed(void)
{
    struct tmemif_response rsp;
    struct tmemif_request r;
    struct daemon_run d;
    struct peer p;
    int pool;

    begin(&d);
    attach(&d, &p, 0, 1);
    pool = peer_create_pool(&p, TMEMIF_POOL_PERSISTENT);
    CU_ASSERT_TRUE_FATAL(pool >= 0);
    CU_ASSERT_EQUAL(peer_get(&p, (uint32_t)pool, 7, 1, 0), TMEMIF_MISS);
    CU_ASSERT_EQUAL(peer_put(&p, (uint32_t)pool, 7, 1, 11), TMEMIF_OK);
    CU_ASSERT_EQUAL(peer_get(&p, (uint32_t)pool, 7, 1, 11), TMEMIF_OK);
    CU_ASSERT_EQUAL(peer_put(&p, (uint32_t)pool, 7, 1, 12), TMEMIF_OK);
    CU_ASSERT_EQUAL(peer_get(&p, (uint32_t)pool, 7, 1, 12), TMEMIF_OK);
    r = peer_page(TMEMIF_OP_PAGE_FLUSH, (uint32_t)pool, 7, 1, 0);
    CU_ASSERT_EQUAL(peer_call(&p, 0, &r, &rsp), TMEMIF_OK);
    CU_ASSERT_EQUAL(peer_get(&p, (uint32_t)pool, 7, 1, 12), TMEMIF_MISS);

    r = peer_request(TMEMIF_OP_POOL_DESTROY, (uint32_t)pool);
    CU_ASSERT_EQUAL(peer_call(&p, 0, &r, &rsp), TMEMIF_OK);
    CU_ASSERT_EQUAL(peer_get(&p, (uint32_t)pool, 7, 1, 12), TMEMIF_NO_POOL);
    peer_fini(&p);
    end(&d);
}

static void page_of_one_word_comes_back_whole(void)
{
    struct tmemif_response rsp;
    struct tmemif_request r;
    struct daemon_run d;
    struct peer p;
    int pool;

    begin(&d);
    attach(&d, &p, 0, 1);
    pool = peer_create_pool(&p, TMEMIF_POOL_PERSISTENT);
    CU_ASSERT_TRUE_FATAL(pool >= 0);
    memset(p.data, 0x5a, TMEMIF_PAGE_SIZE);
    r = peer_page(TMEMIF_OP_PAGE_PUT, (uint32_t)pool, 1, 1, 0);
    CU_ASSERT_EQUAL(peer_call(&p, 0, &r, &rsp), TMEMIF_OK);
    r = peer_page(TMEMIF_OP_PAGE_GET, (uint32_t)pool, 1, 1, 1);
    CU_ASSERT_EQUAL(peer_call(&p, 0, &r, &rsp), TMEMIF_OK);
    CU_ASSERT_EQUAL(memcmp(p.data, p.data + TMEMIF_PAGE_SIZE, TMEMIF_PAGE_SIZE), 0);
    peer_fini(&p);
    end(&d);
}

static void ring_may_be_filled_to_its_last_slot(void)
{
    struct tmemif_response rsp;
    struct daemon_run d;
    struct peer p;
    unsigned nr_good = 0;
    int pool;

    begin(&d);
    attach(&d, &p, 0, 1);
    pool = peer_create_pool(&p, TMEMIF_POOL_PERSISTENT);
    for (unsigned round = 0; round < 50; round++) {
        for (uint32_t i = 0; i < 32; i++) {
            struct tmemif_request r = peer_page(round % 2 ? TMEMIF_OP_PAGE_GET : TMEMIF_OP_PAGE_PUT,
                                                (uint32_t)pool, i, round / 2, i);

            if (round % 2 == 0)
                peer_pattern(p.data + i * TMEMIF_PAGE_SIZE, round * 100 + i);
            else
                memset(p.data + i * TMEMIF_PAGE_SIZE, 0, TMEMIF_PAGE_SIZE);
            peer_submit(&p, 0, &r);
        }
        CU_ASSERT_EQUAL(ring_front_free(&p.rings[0]), 0);
        for (uint32_t i = 0; i < 32; i++) {
            uint8_t want[TMEMIF_PAGE_SIZE];

            CU_ASSERT_TRUE_FATAL(peer_reap(&p, 0, &rsp));
            peer_pattern(want, (round & ~1u) * 100 + i);
            nr_good += rsp.status == TMEMIF_OK &&
                       memcmp(want, p.data + i * TMEMIF_PAGE_SIZE, sizeof(want)) == 0;
        }
    }
    CU_ASSERT_EQUAL(nr_good, 50 * 32);
    peer_fini(&p);
    end(&d);
}

static struct tmemif_request batch_of(uint32_t count)
{
    struct tmemif_request r = peer_request(TMEMIF_OP_BATCH, 0);

    r.u.batch.requests = (struct tmemif_data){
        .offset = 0, .length = count * (uint32_t)sizeof(struct tmemif_request)};
    r.u.batch.responses = (struct tmemif_data){
        .offset = 8 * TMEMIF_PAGE_SIZE, .length = count * (uint32_t)sizeof(struct tmemif_response)};
    r.u.batch.count = count;
    return r;
}

static void batch_runs_its_elements_in_order(void)
{
    const uint32_t count = 512; /* of TMEMIF_MAX_BATCH */
    struct tmemif_request *requests;
    struct tmemif_response *responses, rsp;
    struct tmemif_request r = batch_of(count);
    unsigned nr_good = 0;
    struct daemon_run d;
    struct peer p;
    uint32_t pool;

    begin(&d);
    attach(&d, &p, 0, 1);
    pool = (uint32_t)peer_create_pool(&p, TMEMIF_POOL_PERSISTENT);
    requests = (void *)p.data;
    responses = (void *)(p.data + 8 * TMEMIF_PAGE_SIZE);
    peer_pattern(p.data + 20 * TMEMIF_PAGE_SIZE, 5);

    /* put n, get n, flush n, get n: a hit, then a miss */
    for (uint32_t i = 0; i < count; i += 4) {
        requests[i] = peer_page(TMEMIF_OP_PAGE_PUT, pool, i, 0, 20);
        requests[i + 1] = peer_page(TMEMIF_OP_PAGE_GET, pool, i, 0, 21);
        requests[i + 2] = peer_page(TMEMIF_OP_PAGE_FLUSH, pool, i, 0, 0);
        requests[i + 3] = peer_page(TMEMIF_OP_PAGE_GET, pool, i, 0, 22);
    }
    CU_ASSERT_EQUAL(peer_call(&p, 0, &r, &rsp), TMEMIF_OK);
    CU_ASSERT_EQUAL(rsp.count, count);
    for (uint32_t i = 0; i < count; i++)
        nr_good += responses[i].number == i &&
                   responses[i].status == (i % 4 == 3 ? TMEMIF_MISS : TMEMIF_OK);
    CU_ASSERT_EQUAL(nr_good, count);
    CU_ASSERT_EQUAL(
        memcmp(p.data + 20 * TMEMIF_PAGE_SIZE, p.data + 21 * TMEMIF_PAGE_SIZE, TMEMIF_PAGE_SIZE),
        0);
    peer_fini(&p);
    end(&d);
}

static void bad_element_of_a_batch_does_not_stop_the_others(void)
{
    struct tmemif_request *requests, r = batch_of(3);
    struct tmemif_response *responses, rsp;
    struct daemon_run d;
    struct peer p;
    uint32_t pool;

    begin(&d);
    attach(&d, &p, 0, 1);
    pool = (uint32_t)peer_create_pool(&p, TMEMIF_POOL_PERSISTENT);
    requests = (void *)p.data;
    responses = (void *)(p.data + 8 * TMEMIF_PAGE_SIZE);
    requests[0] = peer_page(TMEMIF_OP_PAGE_PUT, pool, 1, 1, 20);
    requests[1] = peer_request(TMEMIF_OP_RESET, 0);
    requests[2] = peer_page(TMEMIF_OP_PAGE_GET, pool, 1, 1, 21);
    CU_ASSERT_EQUAL(peer_call(&p, 0, &r, &rsp), TMEMIF_OK);
    CU_ASSERT_EQUAL(responses[0].status, TMEMIF_OK);
    CU_ASSERT_EQUAL(responses[1].status, TMEMIF_BAD_OP);
    CU_ASSERT_EQUAL(responses[2].status, TMEMIF_OK);
    peer_fini(&p);
    end(&d);
}

static void malformed_request_leaves_the_session_as_it_was(void)
{
    struct tmemif_response rsp;
    struct tmemif_request r;
    struct daemon_run d;
    struct peer p;
    uint32_t pool;

    begin(&d);
    attach(&d, &p, 0, 1);
    pool = (uint32_t)peer_create_pool(&p, 0);
    r = peer_request(3, 0);
    CU_ASSERT_EQUAL(peer_call(&p, 0, &r, &rsp), TMEMIF_BAD_OP);
    r = peer_request(TMEMIF_OP_CONTROL, 0);
    CU_ASSERT_EQUAL(peer_call(&p, 0, &r, &rsp), TMEMIF_NOT_ALLOWED);
    r = peer_page(TMEMIF_OP_PAGE_PUT, pool, 1, 1, 64);
    CU_ASSERT_EQUAL(peer_call(&p, 0, &r, &rsp), TMEMIF_BAD_DATA);
    r = peer_page(TMEMIF_OP_PAGE_PUT, pool, 1, 1, 0);
    r.u.page.data.kind = TMEMIF_DATA_GRANT;
    CU_ASSERT_EQUAL(peer_call(&p, 0, &r, &rsp), TMEMIF_NOT_SUPPORTED);
    CU_ASSERT_EQUAL(peer_put(&p, pool, 1, 1, 1), TMEMIF_OK);
    peer_fini(&p);
    end(&d);
}

static void pool_info_counts_pages(void)
{
    struct tmemif_pool_info info;
    struct tmemif_response rsp;
    struct tmemif_request r;
    struct daemon_run d;
    struct peer p;
    uint32_t pool;

    begin(&d);
    attach(&d, &p, 0, 1);
    pool = (uint32_t)peer_create_pool(&p, TMEMIF_POOL_PERSISTENT);
    for (uint32_t i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(peer_put(&p, pool, i, 1, i), TMEMIF_OK);
    r = peer_request(TMEMIF_OP_POOL_INFO, pool);
    r.u.info.data = (struct tmemif_data){.offset = 64, .length = sizeof(info)};
    CU_ASSERT_EQUAL(peer_call(&p, 0, &r, &rsp), TMEMIF_OK);
    memcpy(&info, p.data + 64, sizeof(info));
    CU_ASSERT_EQUAL(info.nr_pages, 5);
    CU_ASSERT_EQUAL(info.puts, 5);
    CU_ASSERT_EQUAL(info.quota_pages, 4096);
    CU_ASSERT_EQUAL(info.flags, TMEMIF_POOL_PERSISTENT);
    peer_fini(&p);
    end(&d);
}

static void pools_outlive_the_session(void)
{
    struct daemon_run d;
    struct peer p;
    uint32_t pool;

    begin(&d);
    attach(&d, &p, 3, 1);
    pool = (uint32_t)peer_create_pool(&p, TMEMIF_POOL_PERSISTENT);
    CU_ASSERT_EQUAL(peer_put(&p, pool, 1, 1, 9), TMEMIF_OK);
    peer_leave(&p);
    peer_fini(&p);

    attach(&d, &p, 3, 2);
    CU_ASSERT_EQUAL(peer_get(&p, pool, 1, 1, 9), TMEMIF_OK);
    peer_fini(&p);
    /* another device of the same user sees nothing of it */
    attach(&d, &p, 4, 1);
    CU_ASSERT_EQUAL(peer_get(&p, pool, 1, 1, 9), TMEMIF_NO_POOL);
    peer_fini(&p);
    end(&d);
}

static void attachment_is_used_by_one_at_a_time(void)
{
    struct daemon_run d;
    struct peer p, q;

    begin(&d);
    attach(&d, &p, 0, 1);
    CU_ASSERT_TRUE_FATAL(peer_init(&q, 0, 1, 0, 4));
    CU_ASSERT_EQUAL(peer_attach(&q, d.socket), TMEMIF_BUSY);
    CU_ASSERT_TRUE(strlen(q.welcome.reason) > 0);
    CU_ASSERT_TRUE(peer_is_thrown_out(&q));
    peer_fini(&q);
    CU_ASSERT_TRUE(peer_create_pool(&p, 0) >= 0);
    peer_fini(&p);
    end(&d);
}

static void peer_that_polls_needs_no_notification(void)
{
    const struct tmemif_request nop = peer_request(TMEMIF_OP_NOP, 0);
    struct daemon_run d;
    struct peer p;
    bool bad = false;
    unsigned nr = 0;

    begin(&d);
    attach(&d, &p, 0, 1);
    /* rsp_event stays at 1: the second answer is not notified */
    for (unsigned i = 0; i < 1000; i++) {
        long limit = daemon_run_now_ms() + 5000;

        peer_submit(&p, 0, &nop);
        while (ring_front_ready(&p.rings[0], &bad) == 0 && daemon_run_now_ms() < limit)
            ;
        if (ring_front_ready(&p.rings[0], &bad) == 0)
            break;
        ring_front_take(&p.rings[0]);
        nr++;
    }
    CU_ASSERT_EQUAL(nr, 1000);
    {
        char bytes[64];
        ssize_t got = recv(p.channels[0], bytes, sizeof(bytes), MSG_DONTWAIT);

        CU_ASSERT_TRUE(got <= 1);
    }
    peer_fini(&p);
    end(&d);
}

/* ---- what a notification says ---- */

static void bell_says_on_which_processor_the_client_looks(void)
{
    struct channel c;

    for (int cpu = 0; cpu < 255; cpu++) {
        CU_ASSERT_NOT_EQUAL(tmemif_local_bell(cpu), 0);
        CU_ASSERT_EQUAL(tmemif_local_processor(tmemif_local_bell(cpu)), cpu);
    }
    CU_ASSERT_EQUAL(tmemif_local_bell(-1), 0);
    CU_ASSERT_EQUAL(tmemif_local_bell(255), 0);

    CU_ASSERT_TRUE_FATAL(channel_open(&c));
    CU_ASSERT_EQUAL(channel_consume(&c), PROCESSOR_UNKNOWN); /* there is none */
    CU_ASSERT_EQUAL(send(c.peer_fd, "\10", 1, 0), 1);
    CU_ASSERT_EQUAL(send(c.peer_fd, "", 1, 0), 1);
    CU_ASSERT_EQUAL(send(c.peer_fd, "", 0, 0), 0);
    CU_ASSERT_EQUAL(channel_consume(&c), 7);
    CU_ASSERT_EQUAL(channel_consume(&c), PROCESSOR_UNKNOWN); /* it does not say */
    CU_ASSERT_EQUAL(channel_consume(&c), PROCESSOR_UNKNOWN); /* nor does an empty one */
    channel_give_away(&c);
    CU_ASSERT_EQUAL(channel_consume(&c), CHANNEL_DEAD);
    channel_close(&c);
}

/* As long as the client likes it would be, if it waited. */
static void channel_waits_for_nobody(void)
{
    struct channel c;

    CU_ASSERT_TRUE_FATAL(channel_open(&c));
    CU_ASSERT_EQUAL(fcntl(c.fd, F_SETFL, 0), 0);
    CU_ASSERT_EQUAL(channel_consume(&c), PROCESSOR_UNKNOWN);
    for (unsigned i = 0; i < 10000; i++)
        channel_notify(&c);
    channel_give_away(&c); /* and nobody has the other end now */
    channel_notify(&c);
    channel_close(&c);
}

/* It is not received, and so not closed. */
static void channel_that_brings_a_descriptor_is_dead(void)
{
    struct channel c;

    CU_ASSERT_TRUE_FATAL(channel_open(&c));
    CU_ASSERT_TRUE(peer_send(c.peer_fd, "", 1, &c.peer_fd, 1));
    CU_ASSERT_EQUAL(channel_consume(&c), CHANNEL_DEAD);
    CU_ASSERT_EQUAL(channel_consume(&c), CHANNEL_DEAD);
    CU_ASSERT_FALSE(channel_hang_up(&c));
    channel_close(&c);

    CU_ASSERT_TRUE_FATAL(channel_open(&c));
    CU_ASSERT_EQUAL(send(c.peer_fd, "", 1, 0), 1);
    CU_ASSERT_EQUAL(send(c.peer_fd, "", 0, 0), 0);
    CU_ASSERT_TRUE(channel_hang_up(&c)); /* there was nothing of the kind */
    channel_close(&c);

    CU_ASSERT_TRUE_FATAL(channel_open(&c));
    CU_ASSERT_EQUAL(send(c.peer_fd, "", 0, 0), 0);
    CU_ASSERT_TRUE(peer_send(c.peer_fd, "", 0, &c.fd, 1));
    CU_ASSERT_FALSE(channel_hang_up(&c));
    channel_close(&c);
}

static void bell_of_any_value_is_a_notification(void)
{
    const struct tmemif_request nop = peer_request(TMEMIF_OP_NOP, 0);
    struct daemon_run d;
    struct tmemif_response rsp;
    struct peer p;

    begin(&d);
    attach(&d, &p, 0, 1);
    for (unsigned value = 0; value < 256; value++) {
        uint8_t octet = (uint8_t)value;

        CU_ASSERT_EQUAL(send(p.channels[0], &octet, 1, 0), 1);
        CU_ASSERT_EQUAL(peer_call(&p, 0, &nop, &rsp), TMEMIF_OK);
    }
    peer_fini(&p);
    end(&d);
}

#define TESTS(T)                                                                                   \
    T(nop_is_answered_on_every_ring)                                                               \
    T(page_is_put_got_and_flushed)                                                                 \
    T(page_of_one_word_comes_back_whole)                                                           \
    T(ring_may_be_filled_to_its_last_slot)                                                         \
    T(batch_runs_its_elements_in_order)                                                            \
    T(bad_element_of_a_batch_does_not_stop_the_others)                                             \
    T(malformed_request_leaves_the_session_as_it_was)                                              \
    T(pool_info_counts_pages)                                                                      \
    T(pools_outlive_the_session)                                                                   \
    T(attachment_is_used_by_one_at_a_time)                                                         \
    T(peer_that_polls_needs_no_notification)                                                       \
    T(bell_says_on_which_processor_the_client_looks)                                               \
    T(channel_that_brings_a_descriptor_is_dead)                                                    \
    T(channel_waits_for_nobody)                                                                    \
    T(bell_of_any_value_is_a_notification)
RUN_TESTS(TESTS)
