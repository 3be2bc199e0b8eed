/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The Xen transport over a platform in memory, with the real sessions, engine and store. The test
 * plays dom0 and the guests.
 */
#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/control/control.h"
#include "daemon/session/sessions.h"
#include "daemon/store/store.h"
#include "daemon/transport/xen/transport.h"
#include "daemon/util/clock.h"
#include "protocol/ring.h"
#include "tests/lib/fake_loop.h"
#include "tests/lib/fake_platform.h"
#include "tests/lib/runner.h"
#include "xenstore-schema/states.h"

#define MANAGER 5u
#define GUEST   7u
#define UUID    "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
#define OTHER   "11111111-2222-3333-4444-555555555555"
#define POOL    "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

/* ---- the manager ---- */

#define MAX_SAID 64

struct said {
    char what; /* g guest, f guest forgotten, s shared, m member */
    struct account_key key;
    struct policy policy;
    enum pool_right right;
};

struct manager {
    struct fake_platform *fake;
    struct log log;
    struct store *store;
    struct engine *engine;
    struct policy_book *book;
    struct control *control;
    struct session_table *sessions;
    struct event_base *base;
    struct event *sessions_event;
    struct event *look_event;         /* stands for the looks at heartbeats */
    unsigned maps_at_look, most_maps; /* most between two looks */
    struct xen_transport *transport;
    struct ring_front *ring; /* of a guest, for what happens while no manager is there */
    struct said said[MAX_SAID];
    unsigned nr_said;
    char refuses;           /* what is said of that kind is not taken */
    uint32_t refused_domid; /* only of this guest; 0: of any */
    unsigned nr_refusals;   /* of members, so far */
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "the test's world needs: %s\n", what);
    abort();
}
#define MUST(condition) must((condition), #condition)

static void say(struct manager *m, const struct said *said)
{
    MUST(m->nr_said < MAX_SAID);
    m->said[m->nr_said++] = *said;
}

static enum tmemif_status on_guest(void *arg, const struct account_key *guest,
                                   const struct policy *policy)
{
    struct manager *m = arg;

    if (policy && m->refuses == 'g')
        return TMEMIF_TOO_MANY;
    say(m, &(struct said){.what = policy ? 'g' : 'f',
                          .key = *guest,
                          .policy = policy ? *policy : POLICY_DEFAULT});
    if (policy)
        return policy_set_guest(m->book, guest, POLICY_ALL, policy);
    policy_forget_guest(m->book, guest);
    return TMEMIF_OK;
}

static enum tmemif_status on_shared(void *arg, const uint8_t uuid[16], const struct policy *policy)
{
    struct manager *m = arg;

    if (m->refuses == 's')
        return TMEMIF_TOO_MANY;
    say(m, &(struct said){.what = 's', .policy = *policy});
    return policy_set_shared(m->book, uuid, POLICY_ALL, policy);
}

static enum tmemif_status on_member(void *arg, const uint8_t uuid[16],
                                    const struct account_key *guest, enum pool_right right)
{
    struct manager *m = arg;

    if (m->refuses == 'm' && (m->refused_domid == 0 || m->refused_domid == guest->id)) {
        m->nr_refusals++;
        return TMEMIF_TOO_MANY;
    }
    say(m, &(struct said){.what = 'm', .key = *guest, .right = right});
    return engine_shared_allow(m->engine, uuid, guest, right);
}

static const struct xen_policy_ops policy_ops = {on_guest, on_shared, on_member};

static void on_sessions(evutil_socket_t fd, short what, void *arg)
{
    struct manager *m = arg;

    (void)fd;
    (void)what;
    sessions_run(m->sessions);
}

static const struct timeval LOOK_TIME = {.tv_usec = 5000};

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    struct manager *m = arg;
    unsigned maps = m->fake->nr_maps - m->maps_at_look;

    (void)fd;
    (void)what;
    m->most_maps = maps > m->most_maps ? maps : m->most_maps;
    m->maps_at_look = m->fake->nr_maps;
    event_add(m->look_event, &LOOK_TIME);
}

static void manager_build(struct manager *m)
{
    const struct engine_config engine_config = {.nr_workers = 1, .hash_seed = 1};
    const struct policy local = {.max_pages = PAGES_UNLIMITED, .weight = 1};
    struct control_config control_config;
    struct session_config session_config;
    const char *why;

    m->engine = engine_create(m->store, &engine_config);
    MUST(m->engine);
    m->book = policy_create(m->engine, &local);
    MUST(m->book);
    control_config = (struct control_config){
        .engine = m->engine, .store = m->store, .policy = m->book, .log = &m->log};
    m->control = control_create(&control_config);
    MUST(m->control);
    session_config = (struct session_config){
        .engine = m->engine,
        .store = m->store,
        .log = &m->log,
        .nr_workers = 1,
        .control = &control_functions,
        .control_arg = m->control,
    };
    MUST(sessions_create(&session_config, &m->sessions, &why));
    m->base = event_base_new();
    MUST(m->base);
    m->sessions_event =
        event_new(m->base, sessions_wait_fd(m->sessions), EV_READ | EV_PERSIST, on_sessions, m);
    MUST(m->sessions_event && event_add(m->sessions_event, NULL) == 0);
    m->look_event = event_new(m->base, -1, 0, on_look, m);
    MUST(m->look_event && event_add(m->look_event, &LOOK_TIME) == 0);
}

static void manager_start(struct manager *m)
{
    const struct xen_config config = {
        .base = m->base,
        .sessions = m->sessions,
        .log = &m->log,
        .epoch = store_super(m->store)->incarnation,
        .policy = &policy_ops,
        .policy_arg = m,
    };
    const char *why;

    m->transport = xen_transport_start_on(&m->fake->platform, &config, &why);
    MUST(m->transport);
}

static void manager_take_down(struct manager *m)
{
    xen_transport_stop(m->transport);
    event_free(m->look_event);
    event_free(m->sessions_event);
    event_base_free(m->base);
    sessions_destroy(m->sessions);
    control_destroy(m->control);
    policy_destroy(m->book);
    CU_ASSERT_PTR_NULL(engine_check(m->engine));
    engine_destroy(m->engine);
}

static struct manager *manager_new(void)
{
    struct manager *m = calloc(1, sizeof(*m));
    const struct store_config config = {.nr_frames = 1024, .nr_filled = 64};
    const char *why;

    MUST(m);
    m->fake = fake_platform_new(MANAGER);
    log_init(&m->log, STDERR_FILENO, LOG_LEVEL_ERROR);
    MUST(store_create(&config, &m->store, &why));
    manager_build(m);
    manager_start(m);
    return m;
}

/* Everything was given back. */
static void manager_end(struct manager *m)
{
    manager_take_down(m);
    store_close(m->store);
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    CU_ASSERT_EQUAL(m->fake->nr_bound, 0);
    CU_ASSERT_EQUAL(m->fake->nr_grants, 0);
    fake_platform_free(m->fake);
    free(m);
}

static void settle(struct manager *m)
{
    fake_settle(m->fake, m->base);
}

/* As a kill would: what is in the segments stays, the next one begins to take it up. */
static void manager_start_again(struct manager *m, void (*meanwhile)(struct manager *m))
{
    int fds[STORE_NR_SEGMENTS];
    struct store_damage damage;
    const char *why;

    manager_take_down(m);
    for (unsigned i = 0; i < STORE_NR_SEGMENTS; i++)
        fds[i] = dup(store_fd(m->store, i));
    store_close(m->store);
    if (meanwhile)
        meanwhile(m);
    m->nr_said = 0;
    MUST(store_open(fds, &m->store, &damage, &why));
    manager_build(m);
    manager_start(m);
}

static void manager_restart(struct manager *m, void (*meanwhile)(struct manager *m))
{
    manager_start_again(m, meanwhile);
    settle(m);
}

static bool wait_value(struct manager *m, const char *path, const char *value)
{
    return fake_wait_value(m->fake, m->base, path, value);
}

/* ---- dom0 ---- */

#define BACK(key)  fake_at(MANAGER, "backend/tmem/7/0", key)
#define FRONT(key) fake_at(GUEST, "device/tmem/0", key)

static void dom0_policy(struct fake_platform *f, const char *uuid, const char *quota)
{
    fake_write(f, fake_at(MANAGER, "xentmem/guest/7/0", "uuid"), uuid);
    fake_write(f, fake_at(MANAGER, "xentmem/guest/7/0", "quota-pages"), quota);
}

static void dom0_nodes(struct fake_platform *f)
{
    fake_write(f, FRONT("backend"), fake_at(MANAGER, "backend/tmem/7", "0"));
    fake_write(f, FRONT("backend-id"), "5");
    fake_write(f, FRONT("state"), "1");
    fake_write(f, BACK("frontend"), fake_at(GUEST, "device/tmem", "0"));
    fake_write(f, BACK("frontend-id"), "7");
    fake_write(f, BACK("online"), "1");
    fake_write(f, BACK("state"), "1");
}

static void dom0_attach(struct fake_platform *f)
{
    dom0_policy(f, UUID, "100");
    dom0_nodes(f);
}

static void dom0_allow(struct fake_platform *f, const char *right)
{
    fake_write(f, fake_at(MANAGER, "xentmem/shared/" POOL, "quota-pages"), "50");
    fake_write(f, fake_at(MANAGER, "xentmem/shared/" POOL, "allow/7"), right);
}

/* ---- the guest: one ring in page 10, its directory in page 11, its data in pages 12 to 19 ---- */

#define RING_PAGE 10u
#define DIR_PAGE  11u
#define DATA_PAGE 12u
#define NR_DATA   8u
#define PORT      3u

struct guest {
    struct manager *manager;
    struct ring_front ring;
    uint8_t *data;
};

static uint8_t *page_of(struct manager *m, uint32_t page)
{
    return m->fake->memory + (size_t)page * TMEMIF_PAGE_SIZE;
}

static void guest_share(struct guest *g, struct manager *m, uint64_t session)
{
    uint32_t *directory = (uint32_t *)(void *)page_of(m, DIR_PAGE);

    *g = (struct guest){.manager = m, .data = page_of(m, DATA_PAGE)};
    ring_front_init(&g->ring, page_of(m, RING_PAGE), 0, session);
    for (uint32_t i = 0; i < NR_DATA; i++)
        directory[i] = DATA_PAGE + i;
    fake_write(m->fake, FRONT("version"), "1");
    fake_write(m->fake, FRONT("num-rings"), "1");
    fake_write(m->fake, FRONT("ring-ref0"), "10");
    fake_write(m->fake, FRONT("event-channel-0"), "3");
    fake_write(m->fake, FRONT("data-pages"), "8");
    fake_write(m->fake, FRONT("data-ref0"), "11");
    fake_write(m->fake, FRONT("state"), "3");
}

static void guest_notify(struct guest *g)
{
    const uint64_t one = 1;

    MUST(write(g->manager->fake->channels[PORT].to_backend, &one, sizeof(one)) == sizeof(one));
}

static int guest_reap(struct guest *g, struct tmemif_response *rsp_out)
{
    bool bad;

    for (unsigned i = 0; i < 5000; i++) {
        if (ring_front_ready(&g->ring, &bad) > 0) {
            *rsp_out = ring_front_take(&g->ring);
            return rsp_out->status;
        }
        event_base_loop(g->manager->base, EVLOOP_NONBLOCK);
        poll(NULL, 0, 1);
    }
    return -1;
}

static int guest_call(struct guest *g, const struct tmemif_request *request,
                      struct tmemif_response *rsp_out)
{
    ring_front_put(&g->ring, request);
    if (ring_front_publish(&g->ring))
        guest_notify(g);
    return guest_reap(g, rsp_out);
}

static int guest_nop(struct guest *g)
{
    const struct tmemif_request nop = {.op = TMEMIF_OP_NOP};
    struct tmemif_response rsp;

    return guest_call(g, &nop, &rsp);
}

static int guest_create(struct guest *g, uint32_t flags, uint32_t *pool_out)
{
    struct tmemif_request create = {.op = TMEMIF_OP_POOL_CREATE};
    struct tmemif_response rsp = {0};
    int status;

    create.u.pool.flags = flags;
    status = guest_call(g, &create, &rsp);
    *pool_out = (uint32_t)rsp.value;
    return status;
}

static int guest_join(struct guest *g, uint32_t flags)
{
    struct tmemif_request join = {.op = TMEMIF_OP_POOL_JOIN};
    struct tmemif_response rsp = {0};

    MUST(schema_scan_uuid(POOL, 36, join.u.pool.uuid));
    join.u.pool.flags = flags | TMEMIF_POOL_SHARED;
    return guest_call(g, &join, &rsp);
}

static int guest_page(struct guest *g, enum tmemif_op op, uint32_t pool, uint32_t index,
                      const struct tmemif_data *data)
{
    struct tmemif_request page = {.op = (uint16_t)op, .pool = pool};
    struct tmemif_response rsp;

    page.u.page.object[0] = 42;
    page.u.page.index = index;
    page.u.page.data = *data;
    return guest_call(g, &page, &rsp);
}

static const struct tmemif_data first_page = {.length = TMEMIF_PAGE_SIZE};

static int guest_put(struct guest *g, uint32_t pool, uint32_t index, int fill)
{
    memset(g->data, fill, TMEMIF_PAGE_SIZE);
    g->data[1]++; /* not same-filled */
    return guest_page(g, TMEMIF_OP_PAGE_PUT, pool, index, &first_page);
}

static int guest_get(struct guest *g, uint32_t pool, uint32_t index, int fill)
{
    int status;

    memset(g->data, 0, TMEMIF_PAGE_SIZE);
    status = guest_page(g, TMEMIF_OP_PAGE_GET, pool, index, &first_page);
    if (status == TMEMIF_OK && (g->data[0] != fill || g->data[TMEMIF_PAGE_SIZE - 1] != fill))
        return -2;
    return status;
}

static struct manager *attached(struct guest *g)
{
    struct manager *m = manager_new();

    dom0_attach(m->fake);
    MUST(wait_value(m, BACK("state"), "2"));
    guest_share(g, m, 1);
    MUST(wait_value(m, BACK("state"), "4"));
    fake_write(m->fake, FRONT("state"), "4");
    settle(m);
    return m;
}

/* ---- attach and detach ---- */

static void features_come_before_the_state_that_says_so(void)
{
    struct manager *m = manager_new();

    dom0_attach(m->fake);
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("versions")), "1");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("max-rings")), "16");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("max-ring-page-order")), "3");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("max-data-pages")), "16384");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("feature-grant-copy")), "1");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("fence-ms-min")), "1000");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("epoch")), "1");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, fake_at(MANAGER, "data/xentmem", "ready")), "1");
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    manager_end(m);
}

static void a_guest_attaches_and_is_served(void)
{
    struct guest g;
    struct manager *m = attached(&g);
    uint32_t pool;

    CU_ASSERT_EQUAL(m->fake->nr_mapped, 1 + NR_DATA);
    CU_ASSERT_EQUAL(guest_nop(&g), TMEMIF_OK);
    CU_ASSERT_EQUAL(guest_create(&g, TMEMIF_POOL_PERSISTENT, &pool), TMEMIF_OK);
    CU_ASSERT_EQUAL(guest_put(&g, pool, 1, 0x5a), TMEMIF_OK);
    CU_ASSERT_EQUAL(guest_get(&g, pool, 1, 0x5a), TMEMIF_OK);
    CU_ASSERT_EQUAL(guest_get(&g, pool, 2, 0x5a), TMEMIF_MISS);
    manager_end(m);
}

static void pages_go_by_grant_as_well(void)
{
    const struct tmemif_data from = {.kind = TMEMIF_DATA_GRANT, .ref = 50, .length = 4096};
    const struct tmemif_data to = {.kind = TMEMIF_DATA_GRANT, .ref = 51, .length = 4096};
    const struct tmemif_data bad = {.kind = TMEMIF_DATA_GRANT, .ref = 99999, .length = 4096};
    struct guest g;
    struct manager *m = attached(&g);
    uint32_t pool;

    CU_ASSERT_EQUAL(guest_create(&g, TMEMIF_POOL_PERSISTENT, &pool), TMEMIF_OK);
    for (unsigned i = 0; i < TMEMIF_PAGE_SIZE; i++)
        page_of(m, 50)[i] = (uint8_t)(i * 7);
    CU_ASSERT_EQUAL(guest_page(&g, TMEMIF_OP_PAGE_PUT, pool, 1, &from), TMEMIF_OK);
    CU_ASSERT_EQUAL(guest_page(&g, TMEMIF_OP_PAGE_GET, pool, 1, &to), TMEMIF_OK);
    CU_ASSERT(memcmp(page_of(m, 50), page_of(m, 51), TMEMIF_PAGE_SIZE) == 0);
    CU_ASSERT_EQUAL(guest_page(&g, TMEMIF_OP_PAGE_GET, pool, 1, &bad), TMEMIF_BAD_GRANT);
    CU_ASSERT_EQUAL(guest_page(&g, TMEMIF_OP_PAGE_PUT, pool, 2, &bad), TMEMIF_BAD_GRANT);
    CU_ASSERT_EQUAL(guest_page(&g, TMEMIF_OP_PAGE_GET, pool, 2, &to), TMEMIF_MISS);
    manager_end(m);
}

static void everything_is_unmapped_before_closed_is_said_and_pools_stay(void)
{
    struct guest g;
    struct manager *m = attached(&g);
    uint32_t pool;

    CU_ASSERT_EQUAL(guest_create(&g, TMEMIF_POOL_PERSISTENT, &pool), TMEMIF_OK);
    CU_ASSERT_EQUAL(guest_put(&g, pool, 1, 0x5a), TMEMIF_OK);
    ring_front_leave(g.ring.view.shared);
    fake_write(m->fake, FRONT("state"), "5");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    CU_ASSERT_EQUAL(m->fake->nr_bound, 0);
    fake_write(m->fake, FRONT("state"), "6");
    CU_ASSERT(wait_value(m, BACK("state"), "2"));

    fake_write(m->fake, FRONT("state"), "1");
    settle(m);
    guest_share(&g, m, 2);
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    CU_ASSERT_EQUAL(guest_get(&g, pool, 1, 0x5a), TMEMIF_OK);
    manager_end(m);
}

static void the_end_of_a_process_is_noticed_by_its_channel(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    /* as gntalloc's unmap notice: the octet is cleared, an event is sent, xenstore says nothing */
    g.ring.view.shared->front_alive = 0;
    guest_notify(&g);
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);

    fake_write(m->fake, FRONT("state"), "1"); /* the next process */
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    guest_share(&g, m, 2);
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    CU_ASSERT_EQUAL(guest_nop(&g), TMEMIF_OK);
    manager_end(m);
}

/*
 * A guest that fills a shared pool ends its process: the gntalloc device clears the first octet
 * and sends an event, and that may be seen before the state node that says Closing.
 */
static int get_after_the_process_has_ended(bool with_a_good_bye)
{
    struct guest g;
    struct manager *m = attached(&g);
    int status;

    dom0_allow(m->fake, "fill");
    settle(m);
    MUST(guest_join(&g, 0) == TMEMIF_OK && guest_put(&g, 0, 1, 0x5a) == TMEMIF_OK);
    if (with_a_good_bye)
        ring_front_leave(g.ring.view.shared);
    page_of(m, RING_PAGE)[12] = 0;
    guest_notify(&g);
    MUST(wait_value(m, BACK("state"), "6"));
    fake_write(m->fake, FRONT("state"), "1");
    MUST(wait_value(m, BACK("state"), "2"));
    guest_share(&g, m, 2);
    MUST(wait_value(m, BACK("state"), "4"));
    status = guest_get(&g, 0, 1, 0x5a);
    manager_end(m);
    return status;
}

static void c25_a_member_that_leaves_is_not_lost_whichever_news_come_first(void)
{
    CU_ASSERT_EQUAL(get_after_the_process_has_ended(true), TMEMIF_OK);
}

static void c25_a_member_whose_process_dies_is_lost(void)
{
    CU_ASSERT_EQUAL(get_after_the_process_has_ended(false), TMEMIF_MISS);
}

static void the_operator_detaches_and_the_pools_are_gone(void)
{
    struct guest g;
    struct manager *m = attached(&g);
    uint32_t pool;

    CU_ASSERT_EQUAL(guest_create(&g, TMEMIF_POOL_PERSISTENT, &pool), TMEMIF_OK);
    CU_ASSERT_EQUAL(guest_put(&g, pool, 1, 0x5a), TMEMIF_OK);
    fake_write(m->fake, BACK("online"), "0");
    fake_write(m->fake, BACK("state"), "5");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    fake_remove(m->fake, fake_at(MANAGER, "backend/tmem", "7"));
    fake_remove(m->fake, fake_at(GUEST, "device/tmem", "0"));
    settle(m);
    CU_ASSERT_EQUAL(m->said[m->nr_said - 1].what, 'f');

    fake_remove(m->fake, fake_at(MANAGER, "xentmem/guest", "7"));
    dom0_attach(m->fake);
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    guest_share(&g, m, 2);
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    CU_ASSERT_EQUAL(guest_get(&g, pool, 1, 0x5a), TMEMIF_NO_POOL);
    manager_end(m);
}

static void a_guest_that_dies_is_unmapped_at_once_and_its_folder_removed(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    CU_ASSERT(fake_exists(m->fake, fake_at(MANAGER, "backend/tmem/7", "0")));
    /* xenstored: its nodes go, then the special watch fires */
    fake_remove(m->fake, "/local/domain/7");
    fake_fire(m->fake, "@releaseDomain");
    settle(m);
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    CU_ASSERT_EQUAL(m->fake->nr_bound, 0);
    CU_ASSERT_FALSE(fake_exists(m->fake, fake_at(MANAGER, "backend/tmem/7", "0")));
    CU_ASSERT_EQUAL(m->said[m->nr_said - 1].what, 'f');
    manager_end(m);
}

static void another_domains_death_changes_nothing(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    fake_fire(m->fake, "@releaseDomain");
    settle(m);
    CU_ASSERT_EQUAL(guest_nop(&g), TMEMIF_OK);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "4");
    manager_end(m);
}

static void nodes_written_anew_are_a_new_attachment_with_the_old_pools(void)
{
    struct guest g;
    struct manager *m = attached(&g);
    uint32_t pool;

    CU_ASSERT_EQUAL(guest_create(&g, TMEMIF_POOL_PERSISTENT, &pool), TMEMIF_OK);
    CU_ASSERT_EQUAL(guest_put(&g, pool, 1, 0x5a), TMEMIF_OK);
    fake_remove(m->fake, fake_at(MANAGER, "backend/tmem/7", "0"));
    fake_remove(m->fake, fake_at(GUEST, "device/tmem", "0"));
    dom0_nodes(m->fake); /* one transaction: nobody sees the state between */
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    guest_share(&g, m, 2);
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    CU_ASSERT_EQUAL(guest_get(&g, pool, 1, 0x5a), TMEMIF_OK);
    manager_end(m);
}

static void another_guest_under_the_same_domid_inherits_nothing(void)
{
    struct guest g;
    struct manager *m = attached(&g);
    uint32_t pool;

    CU_ASSERT_EQUAL(guest_create(&g, TMEMIF_POOL_PERSISTENT, &pool), TMEMIF_OK);
    CU_ASSERT_EQUAL(guest_put(&g, pool, 1, 0x5a), TMEMIF_OK);
    fake_remove(m->fake, fake_at(MANAGER, "backend/tmem/7", "0"));
    fake_remove(m->fake, fake_at(GUEST, "device/tmem", "0"));
    dom0_policy(m->fake, OTHER, "100");
    dom0_nodes(m->fake);
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    guest_share(&g, m, 2);
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    CU_ASSERT_EQUAL(guest_get(&g, pool, 1, 0x5a), TMEMIF_NO_POOL);
    manager_end(m);
}

/* ---- dom0 is faster than what we write ---- */

/* Domain 7 was destroyed, is another guest now, and is attached: one transaction. */
static void dom0_renews(struct fake_platform *f, const char *uuid)
{
    f->on_write = NULL;
    f->on_map = NULL;
    fake_remove(f, fake_at(GUEST, "device/tmem", "0"));
    fake_remove(f, fake_at(MANAGER, "backend/tmem/7", "0"));
    dom0_policy(f, uuid, "100");
    dom0_nodes(f);
}

static void dom0_renews_before_closing(struct fake_platform *f, const char *path, const char *text)
{
    if (strcmp(path, BACK("state")) == 0 && strcmp(text, "5") == 0)
        dom0_renews(f, OTHER);
}

static void dom0_renews_amid_the_offer(struct fake_platform *f, const char *path, const char *text)
{
    (void)text;
    if (strcmp(path, BACK("max-data-pages")) == 0)
        dom0_renews(f, UUID);
}

static void dom0_renews_amid_the_offer_for_another(struct fake_platform *f, const char *path,
                                                   const char *text)
{
    (void)text;
    if (strcmp(path, BACK("max-data-pages")) == 0)
        dom0_renews(f, OTHER);
}

static void dom0_renews_before_the_folder_goes(struct fake_platform *f, const char *path,
                                               const char *text)
{
    (void)text;
    if (strcmp(path, BACK("")) == 0)
        dom0_renews(f, OTHER);
}

static void dom0_renews_before_rings_are_mapped(struct fake_platform *f)
{
    dom0_renews(f, OTHER);
}

/* A guest with a page in its pool. */
static struct manager *attached_with_page(struct guest *g, uint32_t *pool_out)
{
    struct manager *m = attached(g);

    MUST(guest_create(g, TMEMIF_POOL_PERSISTENT, pool_out) == TMEMIF_OK);
    MUST(guest_put(g, *pool_out, 1, 0x5a) == TMEMIF_OK);
    return m;
}

static void check_inherits_nothing(struct manager *m, uint32_t pool)
{
    struct guest other;

    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    guest_share(&other, m, 2);
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    CU_ASSERT_EQUAL(guest_get(&other, pool, 1, 0x5a), TMEMIF_NO_POOL);
}

static void c26_a_state_is_not_written_over_nodes_that_are_new(void)
{
    struct guest g;
    uint32_t pool;
    struct manager *m = attached_with_page(&g, &pool);

    m->fake->on_write = dom0_renews_before_closing;
    fake_write(m->fake, FRONT("state"), "5");
    check_inherits_nothing(m, pool);
    manager_end(m);
}

static void c26_a_guest_whose_policy_names_another_one_is_another_one(void)
{
    struct guest g;
    uint32_t pool;
    struct manager *m = attached_with_page(&g, &pool);

    fake_write(m->fake, fake_at(MANAGER, "xentmem/guest/7/0", "uuid"), OTHER);
    CU_ASSERT(wait_value(m, BACK("state"), "6")); /* these rings are not another one's */
    fake_write(m->fake, FRONT("state"), "1");
    check_inherits_nothing(m, pool);
    manager_end(m);
}

static void c26_rings_of_another_guest_are_not_served_as_the_one_befores(void)
{
    struct tmemif_request get = {.op = TMEMIF_OP_PAGE_GET};
    struct guest g;
    uint32_t pool;
    struct manager *m = attached_with_page(&g, &pool);
    bool bad;

    fake_write(m->fake, FRONT("state"), "6");
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    fake_write(m->fake, FRONT("state"), "1");
    settle(m);
    m->fake->on_map = dom0_renews_before_rings_are_mapped;
    guest_share(&g, m, 2);
    get.pool = pool;
    get.u.page.object[0] = 42;
    get.u.page.index = 1;
    get.u.page.data = first_page;
    ring_front_put(&g.ring, &get);
    ring_front_publish(&g.ring);
    guest_notify(&g);
    CU_ASSERT(wait_value(m, FRONT("state"), "1"));
    CU_ASSERT_EQUAL(ring_front_ready(&g.ring, &bad), 0);
    check_inherits_nothing(m, pool);
    manager_end(m);
}

static void an_offer_is_whole_in_nodes_that_are_new(void)
{
    struct manager *m = manager_new();

    m->fake->on_write = dom0_renews_amid_the_offer;
    dom0_attach(m->fake);
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("versions")), "1");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("max-data-pages")), "16384");
    manager_end(m);
}

static void expect_no_offer_for_want_of_room(struct manager *m)
{
    dom0_attach(m->fake);
    CU_ASSERT(wait_value(m, BACK("error"),
                         "xenstore refuses the manager a node: in dom0, "
                         "xenstore-control quota set nodes N"));
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "1");
    CU_ASSERT_FALSE(fake_exists(m->fake, BACK("versions")));
}

static void expect_an_offer_when_there_is_room(struct manager *m)
{
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("versions")), "1");
    CU_ASSERT_FALSE(fake_exists(m->fake, BACK("error")));
    manager_end(m);
}

/* New nodes are counted when they are committed. */
static void an_offer_that_xenstore_has_no_room_for_is_made_when_it_has(void)
{
    struct manager *m = manager_new();

    fake_write(m->fake, BACK("error"), ""); /* so there is room for the reason */
    m->fake->is_full = true;
    expect_no_offer_for_want_of_room(m);
    m->fake->is_full = false;
    expect_an_offer_when_there_is_room(m);
}

/* Nodes that dom0 made are counted at once. */
static void an_offer_of_which_a_node_is_refused_is_made_when_it_is_not(void)
{
    struct manager *m = manager_new();

    fake_refuse(m->fake, BACK("versions"), FAKE_WRITES, ENOSPC);
    expect_no_offer_for_want_of_room(m);
    fake_refuse(m->fake, "", 0, 0);
    expect_an_offer_when_there_is_room(m);
}

/* The next process of the guest waits for it; whether what is in the way passes by itself or not.
 */
static void an_offer_to_the_next_process_is_made_when_it_is_not_refused(void)
{
    static const struct {
        int error;
        const char *why;
    } refusals[] = {
        {EIO, "a node cannot be written: Input/output error"},
        {ENOSPC,
         "xenstore refuses the manager a node: in dom0, xenstore-control quota set nodes N"},
    };

    for (unsigned i = 0; i < 2; i++) {
        struct guest g;
        struct manager *m = attached(&g);

        m->log.level = 0; /* it says so */
        fake_refuse(m->fake, BACK("versions"), FAKE_WRITES, refusals[i].error);
        fake_write(m->fake, FRONT("state"), "6");
        CU_ASSERT(wait_value(m, BACK("state"), "6"));
        settle(m);
        fake_write(m->fake, FRONT("state"), "1");
        CU_ASSERT(wait_value(m, BACK("error"), refusals[i].why));
        CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "6");
        fake_refuse(m->fake, "", 0, 0);
        CU_ASSERT(wait_value(m, BACK("state"), "2"));
        CU_ASSERT(wait_value(m, BACK("error"), ""));
        guest_share(&g, m, 2);
        CU_ASSERT(wait_value(m, BACK("state"), "4"));
        CU_ASSERT_EQUAL(guest_nop(&g), TMEMIF_OK);
        manager_end(m);
    }
}

static void an_offer_is_made_to_the_guest_that_was_admitted(void)
{
    struct manager *m = manager_new();
    struct guest g;
    uint8_t other[TMEMIF_UUID_LEN];
    struct said *last;

    MUST(schema_scan_uuid(OTHER, 36, other));
    m->fake->on_write = dom0_renews_amid_the_offer_for_another;
    dom0_attach(m->fake);
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("versions")), "1");
    last = &m->said[m->nr_said - 1];
    CU_ASSERT(last->what == 'g' && memcmp(last->key.uuid, other, sizeof(other)) == 0);
    guest_share(&g, m, 1);
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    manager_end(m);
}

static void nodes_that_are_new_do_not_go_with_the_guest_before(void)
{
    struct guest g;
    uint32_t pool;
    struct manager *m = attached_with_page(&g, &pool);

    m->fake->on_write = dom0_renews_before_the_folder_goes;
    fake_remove(m->fake, fake_at(GUEST, "device/tmem", "0"));
    fake_fire(m->fake, "@releaseDomain");
    check_inherits_nothing(m, pool);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("online")), "1");
    manager_end(m);
}

static unsigned nr_said(const struct manager *m, char what)
{
    unsigned nr = 0;

    for (unsigned i = 0; i < m->nr_said; i++)
        nr += m->said[i].what == what;
    return nr;
}

/* None of them has begun a session, so none has an account. */
static void guests_that_were_replaced_leave_no_policy(void)
{
    struct manager *m = manager_new();
    char uuid[40];

    for (unsigned i = 0; i < 10; i++) {
        snprintf(uuid, sizeof(uuid), "11111111-2222-3333-4444-5555555555%02u", i + 10);
        dom0_renews(m->fake, uuid);
        settle(m);
    }
    CU_ASSERT_EQUAL(nr_said(m, 'g'), 10);
    CU_ASSERT_EQUAL(nr_said(m, 'f'), 9);
    manager_end(m);
}

/* ---- many guests ---- */

#define FIRST_OF_MANY 20u
#define NR_MANY       6u

static const char *of_many(unsigned i, bool front, const char *key)
{
    static char folder[32];

    if (front)
        return fake_at(FIRST_OF_MANY + i, "device/tmem/0", key);
    snprintf(folder, sizeof(folder), "backend/tmem/%u/0", FIRST_OF_MANY + i);
    return fake_at(MANAGER, folder, key);
}

static void write_number(struct manager *m, const char *path, unsigned number)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", number);
    fake_write(m->fake, path, text);
}

/* A guest of one ring and one page of data, which is ready before the manager has said 2. */
static void one_of_many_attaches(struct manager *m, unsigned i)
{
    unsigned page = 100 + 4 * i;
    struct ring_front ring;
    char folder[64], uuid[40];

    ring_front_init(&ring, page_of(m, page), 0, 1);
    *(uint32_t *)(void *)page_of(m, page + 1) = page + 2;
    snprintf(folder, sizeof(folder), "xentmem/guest/%u/0", FIRST_OF_MANY + i);
    snprintf(uuid, sizeof(uuid), "11111111-2222-3333-4444-5555555555%02u", i);
    fake_write(m->fake, fake_at(MANAGER, folder, "uuid"), uuid);
    fake_write(m->fake, of_many(i, true, "backend"), "ours");
    fake_write(m->fake, of_many(i, true, "version"), "1");
    write_number(m, of_many(i, true, "ring-ref0"), page);
    write_number(m, of_many(i, true, "event-channel-0"), 8 + i);
    fake_write(m->fake, of_many(i, true, "data-pages"), "1");
    write_number(m, of_many(i, true, "data-ref0"), page + 1);
    fake_write(m->fake, of_many(i, true, "state"), "3");
    fake_write(m->fake, of_many(i, false, "state"), "1");
}

static void all_of_many_are_served(struct manager *m)
{
    for (unsigned i = 0; i < NR_MANY; i++)
        CU_ASSERT(wait_value(m, of_many(i, false, "state"), "4"));
    /* a ring and a data area each */
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 2 * NR_MANY);
}

static void heartbeats_are_looked_at_between_any_two_attaches(void)
{
    struct manager *m = manager_new();

    m->fake->map_ms = 10;
    for (unsigned i = 0; i < NR_MANY; i++)
        one_of_many_attaches(m, i);
    all_of_many_are_served(m);
    CU_ASSERT_EQUAL(m->most_maps, 2);
    manager_end(m);
}

static void looks_begin_anew(struct manager *m)
{
    m->most_maps = 0;
    m->maps_at_look = m->fake->nr_maps;
}

static void heartbeats_are_looked_at_while_a_restarted_manager_takes_up_its_guests(void)
{
    struct manager *m = manager_new();

    for (unsigned i = 0; i < NR_MANY; i++)
        one_of_many_attaches(m, i);
    all_of_many_are_served(m);
    m->fake->map_ms = 10;
    manager_restart(m, looks_begin_anew);
    CU_ASSERT(wait_value(m, fake_at(MANAGER, "data/xentmem", "ready"), "2"));
    all_of_many_are_served(m);
    CU_ASSERT_EQUAL(m->most_maps, 2);
    manager_end(m);
}

/* ---- the manager restarts ---- */

static void a_restarted_manager_serves_again_without_the_guests_help(void)
{
    struct guest g;
    struct manager *m = attached(&g);
    uint32_t pool;

    CU_ASSERT_EQUAL(guest_create(&g, TMEMIF_POOL_PERSISTENT, &pool), TMEMIF_OK);
    CU_ASSERT_EQUAL(guest_put(&g, pool, 1, 0x5a), TMEMIF_OK);
    manager_restart(m, NULL);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "4");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("epoch")), "2");
    CU_ASSERT_EQUAL(g.ring.view.shared->back_epoch, 2);
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 1 + NR_DATA);
    CU_ASSERT_EQUAL(guest_get(&g, pool, 1, 0x5a), TMEMIF_OK);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, FRONT("state")), "4");
    manager_end(m);
}

static void guest_asks(struct manager *m)
{
    const struct tmemif_request nop = {.op = TMEMIF_OP_NOP};

    ring_front_put(m->ring, &nop);
    ring_front_publish(m->ring);
}

static void requests_put_while_no_manager_is_there_are_answered_by_the_next(void)
{
    struct tmemif_response rsp;
    struct guest g;
    struct manager *m = attached(&g);

    CU_ASSERT_EQUAL(guest_nop(&g), TMEMIF_OK);
    m->ring = &g.ring;
    manager_restart(m, guest_asks);
    CU_ASSERT_EQUAL(guest_reap(&g, &rsp), TMEMIF_OK);
    CU_ASSERT_EQUAL(rsp.number, 1);
    manager_end(m);
}

static void guest_dies(struct manager *m)
{
    fake_remove(m->fake, "/local/domain/7");
}

static void a_guest_that_died_meanwhile_is_forgotten(void)
{
    struct guest g;
    struct manager *m = attached(&g);
    struct account_key key;
    uint32_t cursor = 0, pool;

    CU_ASSERT_EQUAL(guest_create(&g, TMEMIF_POOL_PERSISTENT, &pool), TMEMIF_OK);
    manager_restart(m, guest_dies);
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    CU_ASSERT_FALSE(sessions_account_next(m->sessions, &cursor, &key));
    manager_end(m);
}

static void operator_detaches(struct manager *m)
{
    fake_remove(m->fake, fake_at(MANAGER, "backend/tmem", "7"));
    fake_remove(m->fake, fake_at(GUEST, "device/tmem", "0"));
    fake_remove(m->fake, fake_at(MANAGER, "xentmem/guest", "7"));
}

static void a_guest_that_was_detached_meanwhile_is_forgotten(void)
{
    struct guest g;
    struct manager *m = attached(&g);
    struct account_key key;
    uint32_t cursor = 0, pool;

    CU_ASSERT_EQUAL(guest_create(&g, TMEMIF_POOL_PERSISTENT, &pool), TMEMIF_OK);
    CU_ASSERT(sessions_account_next(m->sessions, &cursor, &key));
    manager_restart(m, operator_detaches);
    cursor = 0;
    CU_ASSERT_FALSE(sessions_account_next(m->sessions, &cursor, &key));
    manager_end(m);
}

/* ---- own state 5: a daemon was killed before it wrote 6, or the operator detaches ---- */

static bool has_account(struct manager *m)
{
    struct account_key key;
    uint32_t cursor = 0;

    return sessions_account_next(m->sessions, &cursor, &key);
}

/* More than a pass of the loop looks at, which is two turns. */
#define NR_BUSY 40u

/* Guests that do nothing but write their state; and one that is detached. */
static void busy_guests_come_and_one_goes(struct manager *m)
{
    operator_detaches(m);
    for (unsigned i = 0; i < NR_BUSY; i++) {
        fake_write(m->fake, of_many(i, true, "backend"), "ours");
        fake_write(m->fake, of_many(i, true, "state"), "1");
        fake_write(m->fake, of_many(i, false, "state"), "1");
    }
}

static void guests_that_are_always_busy_do_not_keep_the_manager_from_housekeeping(void)
{
    struct guest g;
    struct manager *m = attached(&g);
    const char *ready;
    uint32_t pool;

    CU_ASSERT_EQUAL(guest_create(&g, TMEMIF_POOL_PERSISTENT, &pool), TMEMIF_OK);
    manager_start_again(m, busy_guests_come_and_one_goes);
    for (unsigned pass = 0; pass < 1000; pass++) {
        for (unsigned i = 0; i < NR_BUSY; i++)
            fake_write(m->fake, of_many(i, true, "state"), "2");
        event_base_loop(m->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    }
    ready = fake_value(m->fake, fake_at(MANAGER, "data/xentmem", "ready"));
    CU_ASSERT_STRING_EQUAL(ready, "2");
    CU_ASSERT_FALSE(has_account(m));
    manager_end(m);
}

/* A guest that has put a page says good-bye. */
static struct manager *closing(struct guest *g, uint32_t *pool_out)
{
    struct manager *m = attached(g);

    MUST(guest_create(g, TMEMIF_POOL_PERSISTENT, pool_out) == TMEMIF_OK);
    MUST(guest_put(g, *pool_out, 1, 0x5a) == TMEMIF_OK);
    ring_front_leave(g->ring.view.shared);
    fake_write(m->fake, FRONT("state"), "5");
    return m;
}

static void guest_opens_again_and_finds_its_page(struct guest *g, struct manager *m, uint32_t pool)
{
    fake_write(m->fake, FRONT("state"), "6");
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    fake_write(m->fake, FRONT("state"), "1");
    settle(m);
    guest_share(g, m, 2);
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    CU_ASSERT_EQUAL(guest_get(g, pool, 1, 0x5a), TMEMIF_OK);
}

static void daemon_got_as_far_as_closing(struct manager *m)
{
    fake_write(m->fake, BACK("state"), "5");
}

static void c32_a_daemon_that_was_killed_between_closing_and_closed_is_no_detach(void)
{
    struct guest g;
    uint32_t pool;
    struct manager *m = closing(&g, &pool);

    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    manager_restart(m, daemon_got_as_far_as_closing);
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT(has_account(m));
    guest_opens_again_and_finds_its_page(&g, m, pool);
    manager_end(m);
}

static void operator_takes_it_offline(struct manager *m)
{
    fake_write(m->fake, BACK("online"), "0");
    fake_write(m->fake, BACK("state"), "5");
}

static void a_detach_while_no_daemon_was_there_is_carried_out_by_the_next(void)
{
    struct guest g;
    uint32_t pool;
    struct manager *m = closing(&g, &pool);

    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    manager_restart(m, operator_takes_it_offline);
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT_FALSE(has_account(m));
    manager_end(m);
}

static void a_state_that_could_not_be_written_is_written_later(void)
{
    struct guest g;
    uint32_t pool;
    struct manager *m;

    m = closing(&g, &pool);
    m->log.level = 0; /* it says so */
    fake_refuse(m->fake, BACK("state"), FAKE_WRITES, EAGAIN);
    settle(m);
    CU_ASSERT(m->fake->nr_refused >= 2);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "4");
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    fake_refuse(m->fake, "", 0, 0);
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    guest_opens_again_and_finds_its_page(&g, m, pool);
    manager_end(m);
}

static void a_state_that_somebody_else_wrote_is_written_over(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    fake_write(m->fake, BACK("state"), "5");
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    CU_ASSERT_EQUAL(guest_nop(&g), TMEMIF_OK);
    manager_end(m);
}

static void a_detach_whose_state_comes_late_is_closed_all_the_same(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    fake_write(m->fake, BACK("online"), "0");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    fake_write(m->fake, BACK("state"), "5");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    manager_end(m);
}

static void dom0_detaches_before_the_folder_goes(struct fake_platform *f, const char *path,
                                                 const char *text)
{
    (void)text;
    if (strcmp(path, BACK("")) != 0)
        return;
    f->on_write = NULL;
    fake_write(f, BACK("online"), "0");
    fake_write(f, BACK("state"), "5");
}

/* Its folder stays, then, and the operator waits for 6. */
static void a_guest_that_dies_as_it_is_detached_is_closed(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    m->fake->on_write = dom0_detaches_before_the_folder_goes;
    fake_remove(m->fake, fake_at(GUEST, "device/tmem", "0"));
    fake_fire(m->fake, "@releaseDomain");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT_FALSE(has_account(m));
    manager_end(m);
}

/* What a restarted daemon writes beside a state that is there already. */
static struct manager *restarted_where_xenstore_refuses(struct guest *g, const char *key, int error)
{
    struct manager *m = attached(g);

    m->log.level = 0; /* it says so */
    fake_write(m->fake, BACK("error"), "why the last session ended");
    fake_refuse(m->fake, BACK(key), FAKE_WRITES, error);
    manager_restart(m, NULL);
    CU_ASSERT_EQUAL(guest_nop(g), TMEMIF_OK);
    return m;
}

static void an_epoch_that_could_not_be_written_is_written_later(void)
{
    static const struct {
        const char *key;
        int error;
    } refusals[] = {{"state", EIO}, {"epoch", EIO}, {"epoch", ENOSPC}, {"state", ENOSPC}};

    for (unsigned i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct guest g;
        struct manager *m =
            restarted_where_xenstore_refuses(&g, refusals[i].key, refusals[i].error);

        CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("epoch")), "1");
        fake_refuse(m->fake, "", 0, 0);
        CU_ASSERT(wait_value(m, BACK("epoch"), "2"));
        CU_ASSERT_FALSE(fake_exists(m->fake, BACK("error")));
        CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "4");
        manager_end(m);
    }
}

static void an_error_that_could_not_be_removed_is_removed_later(void)
{
    struct guest g;
    struct manager *m = restarted_where_xenstore_refuses(&g, "error", EIO);

    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("epoch")), "2");
    CU_ASSERT(fake_exists(m->fake, BACK("error")));
    fake_refuse(m->fake, "", 0, 0);
    CU_ASSERT(wait_value(m, BACK("error"), ""));
    CU_ASSERT_FALSE(fake_exists(m->fake, BACK("error")));
    manager_end(m);
}

static void an_error_that_could_not_be_written_is_written_later(void)
{
    static const int errors[] = {EIO, ENOSPC};

    for (unsigned i = 0; i < 2; i++) {
        struct guest g;
        struct manager *m = attached(&g);

        m->log.level = 0; /* it says so */
        fake_refuse(m->fake, BACK("error"), FAKE_WRITES, errors[i]);
        fake_write(m->fake, FRONT("state"), "77");
        CU_ASSERT(wait_value(m, BACK("state"), "6"));
        fake_refuse(m->fake, "", 0, 0);
        CU_ASSERT(wait_value(m, BACK("error"), "node state of the frontend has no meaning here"));
        manager_end(m);
    }
}

/* It is of nodes that are no more. */
static void an_error_that_could_not_be_written_is_not_written_into_new_nodes(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    m->log.level = 0; /* it says so */
    fake_refuse(m->fake, BACK("error"), FAKE_WRITES, EIO);
    fake_write(m->fake, FRONT("state"), "77");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    dom0_renews(m->fake, UUID);
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    fake_refuse(m->fake, "", 0, 0);
    poll(NULL, 0, 300); /* longer than it takes to try again */
    settle(m);
    CU_ASSERT_FALSE(fake_exists(m->fake, BACK("error")));
    manager_end(m);
}

static void a_state_for_which_there_was_no_room_is_written_later(void)
{
    struct guest g;
    uint32_t pool;
    struct manager *m = closing(&g, &pool);

    m->log.level = 0; /* it says so */
    fake_refuse(m->fake, BACK("state"), FAKE_WRITES, ENOSPC);
    settle(m);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "4");
    fake_refuse(m->fake, "", 0, 0);
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    guest_opens_again_and_finds_its_page(&g, m, pool);
    manager_end(m);
}

/* ---- xenstore does not say ---- */

static struct manager *holding_a_page(struct guest *g, uint32_t *pool_out)
{
    struct manager *m = attached(g);

    MUST(guest_create(g, TMEMIF_POOL_PERSISTENT, pool_out) == TMEMIF_OK);
    MUST(guest_put(g, *pool_out, 1, 0x5a) == TMEMIF_OK);
    m->log.level = 0; /* it says so */
    return m;
}

static void lists_fail(struct manager *m)
{
    fake_refuse(m->fake, fake_at(MANAGER, "backend", "tmem"), FAKE_LISTS, EIO);
}

static void uuid_cannot_be_read(struct manager *m)
{
    fake_refuse(m->fake, fake_at(MANAGER, "xentmem/guest/7/0", "uuid"), FAKE_READS, EIO);
}

static void quota_cannot_be_read(struct manager *m)
{
    fake_refuse(m->fake, fake_at(MANAGER, "xentmem/guest/7/0", "quota-pages"), FAKE_READS, ENOMEM);
}

static void own_state_cannot_be_read(struct manager *m)
{
    fake_refuse(m->fake, BACK("state"), FAKE_READS, EIO);
}

static void online_cannot_be_read(struct manager *m)
{
    fake_refuse(m->fake, BACK("online"), FAKE_READS, EIO);
}

static void c32_what_xenstore_does_not_say_at_the_start_costs_no_page(void)
{
    static void (*const failures[])(struct manager *
                                    m) = {lists_fail, uuid_cannot_be_read, quota_cannot_be_read,
                                          own_state_cannot_be_read, online_cannot_be_read};

    for (unsigned i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        struct guest g;
        uint32_t pool;
        struct manager *m = holding_a_page(&g, &pool);

        manager_restart(m, failures[i]);
        settle(m);
        CU_ASSERT(m->fake->nr_refused > 0);
        CU_ASSERT(has_account(m));
        CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
        /* nor does it say that it has taken up all */
        CU_ASSERT_FALSE(fake_exists(m->fake, fake_at(MANAGER, "data/xentmem", "ready")));
        fake_refuse(m->fake, "", 0, 0);
        CU_ASSERT(wait_value(m, fake_at(MANAGER, "data/xentmem", "ready"), "2"));
        CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "4");
        CU_ASSERT_EQUAL(guest_get(&g, pool, 1, 0x5a), TMEMIF_OK);
        manager_end(m);
    }
}

static void nth_answer_fails(struct manager *m)
{
    m->fake->nr_asked = 0;
    m->fake->refused_at++;
}

static void c32_no_single_answer_that_fails_at_the_start_costs_a_page(void)
{
    struct guest g;
    uint32_t pool;
    struct manager *m = holding_a_page(&g, &pool);
    unsigned nr;

    do {
        unsigned before = m->fake->nr_refused;

        manager_restart(m, nth_answer_fails);
        for (unsigned i = 0;
             i < 2000 && !fake_exists(m->fake, fake_at(MANAGER, "data/xentmem", "ready")); i++)
            settle(m);
        nr = m->fake->nr_refused - before;
        CU_ASSERT(has_account(m));
        CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "4");
        CU_ASSERT_EQUAL(guest_get(&g, pool, 1, 0x5a), TMEMIF_OK);
    } while (nr > 0);
    CU_ASSERT(m->fake->refused_at > 10);
    manager_end(m);
}

/* What is not known of a frontend is not taken for absent, nor is the frontend refused for it. */
static void a_frontend_is_connected_once_xenstore_says_all_of_it(void)
{
    static const char *const keys[] = {"fence-ms", "num-rings", "ring-ref0", "data-ref0"};

    for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct guest g;
        struct manager *m = manager_new();

        dom0_attach(m->fake);
        CU_ASSERT(wait_value(m, BACK("state"), "2"));
        fake_write(m->fake, FRONT("fence-ms"), "1000");
        fake_refuse(m->fake, FRONT(keys[i]), FAKE_READS, EIO);
        guest_share(&g, m, 1);
        settle(m);
        CU_ASSERT(m->fake->nr_refused > 0);
        CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "2");
        CU_ASSERT_FALSE(fake_exists(m->fake, BACK("error")));
        CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
        fake_refuse(m->fake, "", 0, 0);
        CU_ASSERT(wait_value(m, BACK("state"), "4"));
        CU_ASSERT_EQUAL(guest_nop(&g), TMEMIF_OK);
        manager_end(m);
    }
}

static void operator_detaches_and_xenstore_says_nothing(struct manager *m)
{
    operator_detaches(m);
    fake_refuse(m->fake, "/local/domain/5", FAKE_READS | FAKE_LISTS, EIO);
}

static void a_guest_that_was_detached_is_forgotten_once_xenstore_says_so(void)
{
    struct guest g;
    uint32_t pool;
    struct manager *m = holding_a_page(&g, &pool);

    manager_restart(m, operator_detaches_and_xenstore_says_nothing);
    settle(m);
    CU_ASSERT(has_account(m));
    fake_refuse(m->fake, "", 0, 0);
    for (unsigned i = 0; i < 2000 && has_account(m); i++)
        settle(m);
    CU_ASSERT_FALSE(has_account(m));
    manager_end(m);
}

static void nodes_written_anew_keep_the_pools_while_xenstore_does_not_say_whose_they_are(void)
{
    struct guest g;
    uint32_t pool;
    struct manager *m = holding_a_page(&g, &pool);

    uuid_cannot_be_read(m);
    fake_remove(m->fake, fake_at(MANAGER, "backend/tmem/7", "0"));
    fake_remove(m->fake, fake_at(GUEST, "device/tmem", "0"));
    dom0_nodes(m->fake);
    settle(m);
    CU_ASSERT(m->fake->nr_refused > 0);
    CU_ASSERT(has_account(m));
    fake_refuse(m->fake, "", 0, 0);
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    guest_share(&g, m, 2);
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    CU_ASSERT_EQUAL(guest_get(&g, pool, 1, 0x5a), TMEMIF_OK);
    manager_end(m);
}

static void own_nodes_that_cannot_be_read_are_not_gone(void)
{
    static const int errors[] = {EIO, EACCES, ENOMEM};

    for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct guest g;
        uint32_t pool;
        struct manager *m = holding_a_page(&g, &pool);

        fake_refuse(m->fake, fake_at(MANAGER, "backend/tmem/7", "0"), FAKE_READS, errors[i]);
        fake_fire(m->fake, "@releaseDomain");
        settle(m);
        CU_ASSERT(m->fake->nr_refused > 0);
        fake_refuse(m->fake, "", 0, 0);
        settle(m);
        CU_ASSERT_EQUAL(guest_get(&g, pool, 1, 0x5a), TMEMIF_OK);
        manager_end(m);
    }
}

static void members_keep_their_right_while_xenstore_does_not_say_who_they_are(void)
{
    static const unsigned calls[] = {FAKE_LISTS, FAKE_READS};

    for (unsigned i = 0; i < 2; i++) {
        struct guest g;
        struct manager *m = attached(&g);
        unsigned before;

        dom0_allow(m->fake, "fill");
        settle(m);
        CU_ASSERT_EQUAL(guest_join(&g, 0), TMEMIF_OK);
        before = m->nr_said;
        fake_refuse(m->fake, fake_at(MANAGER, "xentmem/shared", POOL), calls[i], EIO);
        dom0_allow(m->fake, "read");
        settle(m);
        CU_ASSERT(m->fake->nr_refused > 0);
        CU_ASSERT_EQUAL(m->nr_said, before);
        fake_refuse(m->fake, "", 0, 0);
        for (unsigned k = 0; k < 2000 && m->nr_said == before; k++)
            settle(m);
        CU_ASSERT_EQUAL(m->nr_said, before + 1);
        CU_ASSERT_EQUAL(m->said[before].right, RIGHT_READ);
        manager_end(m);
    }
}

static void process_dies(struct manager *m)
{
    page_of(m, RING_PAGE)[12] = 0; /* front_alive; the event went to nobody */
}

static void a_process_that_died_meanwhile_is_noticed(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    manager_restart(m, process_dies);
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    manager_end(m);
}

static void rings_are_made_anew(struct manager *m)
{
    ((struct tmemif_ring *)(void *)page_of(m, RING_PAGE))->front_session = 99;
}

static void rings_of_which_there_is_no_record_are_refused_with_the_reason(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    manager_restart(m, rings_are_made_anew);
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("error")),
                           "the record is of other rings: make new ones");
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    manager_end(m);
}

/* ---- policy ---- */

static void policy_is_there_before_the_first_request(void)
{
    struct guest g;
    struct manager *m = manager_new();
    struct policy policy;

    dom0_allow(m->fake, "fill");
    dom0_attach(m->fake);
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    CU_ASSERT_FATAL(m->nr_said >= 3);
    CU_ASSERT_EQUAL(m->said[0].what, 's');
    CU_ASSERT_EQUAL(m->said[0].policy.quota_pages, 50);
    policy = policy_of_guest(m->book, &m->said[1].key);
    CU_ASSERT_EQUAL(policy.quota_pages, 100);
    CU_ASSERT_EQUAL(policy.max_pages, PAGES_UNLIMITED);
    CU_ASSERT_EQUAL(policy.weight, 256);

    guest_share(&g, m, 1);
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    CU_ASSERT_EQUAL(guest_join(&g, 0), TMEMIF_OK);
    manager_end(m);
}

static void a_changed_node_is_passed_on_once(void)
{
    struct guest g;
    struct manager *m = attached(&g);
    unsigned before = m->nr_said;

    fake_write(m->fake, fake_at(MANAGER, "xentmem/guest/7/0", "quota-pages"), "4294967295");
    settle(m);
    CU_ASSERT_EQUAL(m->nr_said, before + 1);
    CU_ASSERT_EQUAL(m->said[before].what, 'g');
    CU_ASSERT_EQUAL(m->said[before].policy.quota_pages, PAGES_UNLIMITED);
    fake_write(m->fake, fake_at(MANAGER, "xentmem/guest/7/0", "quota-pages"), "4294967295");
    fake_write(m->fake, fake_at(MANAGER, "xentmem/guest/7/0", "weight"), "256");
    settle(m);
    CU_ASSERT_EQUAL(m->nr_said, before + 1);
    manager_end(m);
}

static void membership_follows_the_nodes(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    CU_ASSERT_EQUAL(guest_join(&g, 0), TMEMIF_NOT_ALLOWED);
    dom0_allow(m->fake, "fill");
    settle(m);
    CU_ASSERT_EQUAL(guest_join(&g, 0), TMEMIF_OK);
    fake_write(m->fake, fake_at(MANAGER, "xentmem/shared/" POOL, "allow/7"), "read");
    settle(m);
    CU_ASSERT_EQUAL(m->said[m->nr_said - 1].right, RIGHT_READ);
    fake_write(m->fake, fake_at(MANAGER, "xentmem/shared/" POOL, "allow/7"), "anything");
    settle(m);
    CU_ASSERT_EQUAL(m->said[m->nr_said - 1].right, RIGHT_NONE);
    fake_write(m->fake, fake_at(MANAGER, "xentmem/shared/" POOL, "allow/7"), "fill");
    settle(m);
    fake_remove(m->fake, fake_at(MANAGER, "xentmem/shared", POOL));
    settle(m);
    CU_ASSERT_EQUAL(m->said[m->nr_said - 1].right, RIGHT_NONE);
    CU_ASSERT_EQUAL(guest_join(&g, 0), TMEMIF_NOT_ALLOWED);
    manager_end(m);
}

static void a_restarted_manager_is_told_all_policy_again(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    dom0_allow(m->fake, "fill");
    settle(m);
    CU_ASSERT_EQUAL(guest_join(&g, 0), TMEMIF_OK);
    manager_restart(m, NULL);
    CU_ASSERT_EQUAL(m->nr_said, 3);
    CU_ASSERT_EQUAL(guest_join(&g, 0), TMEMIF_OK);
    manager_end(m);
}

static void a_guest_without_policy_is_not_served(void)
{
    struct guest g;
    struct manager *m = manager_new();

    dom0_nodes(m->fake);
    settle(m);
    guest_share(&g, m, 1);
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT(strstr(fake_value(m->fake, BACK("error")), "no policy") != NULL);
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);

    dom0_policy(m->fake, UUID, "5");
    fake_write(m->fake, FRONT("state"), "1");
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    guest_share(&g, m, 2);
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    CU_ASSERT_FALSE(fake_exists(m->fake, BACK("error")));
    manager_end(m);
}

/* Its policy would hold for every device of the guest, and its session have no account. */
static void a_number_that_is_no_device_is_refused(void)
{
    static const char *const numbers[] = {"4294967294", "4294967295"};

    for (unsigned i = 0; i < 2; i++) {
        struct manager *m = manager_new();
        char back[32], front[32], policy[32], state[SCHEMA_PATH_LEN];

        snprintf(back, sizeof(back), "backend/tmem/7/%s", numbers[i]);
        snprintf(front, sizeof(front), "device/tmem/%s", numbers[i]);
        snprintf(policy, sizeof(policy), "xentmem/guest/7/%s", numbers[i]);
        snprintf(state, sizeof(state), "%s", fake_at(MANAGER, back, "state"));
        fake_write(m->fake, fake_at(MANAGER, policy, "uuid"), UUID);
        fake_write(m->fake, fake_at(GUEST, front, "backend"), "ours");
        fake_write(m->fake, fake_at(GUEST, front, "state"), "1");
        fake_write(m->fake, state, "1");
        CU_ASSERT(wait_value(m, state, "2"));
        CU_ASSERT(strstr(fake_value(m->fake, fake_at(MANAGER, back, "error")), "device") != NULL);
        CU_ASSERT_EQUAL(m->nr_said, 0);
        fake_write(m->fake, fake_at(GUEST, front, "state"), "3");
        CU_ASSERT(wait_value(m, state, "6"));
        manager_end(m);
    }
}

/* In PVH to map one's own page is to lose it. */
static void the_manager_is_no_guest_of_its_own(void)
{
    struct manager *m = manager_new();
    char state[SCHEMA_PATH_LEN];

    snprintf(state, sizeof(state), "%s", fake_at(MANAGER, "backend/tmem/5/0", "state"));
    fake_write(m->fake, fake_at(MANAGER, "xentmem/guest/5/0", "uuid"), UUID);
    fake_write(m->fake, fake_at(MANAGER, "device/tmem/0", "backend"), "ours");
    fake_write(m->fake, fake_at(MANAGER, "device/tmem/0", "state"), "1");
    fake_write(m->fake, state, "1");
    CU_ASSERT(wait_value(m, state, "2"));
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, fake_at(MANAGER, "backend/tmem/5/0", "error")),
                           "the manager cannot be a guest of its own");
    CU_ASSERT_EQUAL(m->nr_said, 0);
    fake_write(m->fake, fake_at(MANAGER, "device/tmem/0", "state"), "3");
    CU_ASSERT(wait_value(m, state, "6"));
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    manager_end(m);
}

/* xenstored has no watch left for us: then it is looked at by time. */
static void a_frontend_that_cannot_be_watched_is_served(void)
{
    struct manager *m = manager_new();
    struct guest g;

    fake_refuse(m->fake, FRONT("state"), FAKE_WATCHES, E2BIG);
    dom0_attach(m->fake);
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    guest_share(&g, m, 1);
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    CU_ASSERT_EQUAL(guest_nop(&g), TMEMIF_OK);
    manager_end(m);
}

/* dom0 sends operator's messages over it. */
static void the_last_number_is_dom0s_own(void)
{
    struct manager *m = manager_new();
    const char *back = "backend/tmem/0/4294967295", *front = "device/tmem/4294967295";

    fake_write(m->fake, fake_at(MANAGER, "xentmem/guest/0/4294967295", "uuid"), UUID);
    fake_write(m->fake, fake_at(0, front, "backend"), "ours");
    fake_write(m->fake, fake_at(0, front, "state"), "1");
    fake_write(m->fake, fake_at(MANAGER, back, "state"), "1");
    CU_ASSERT(wait_value(m, fake_at(MANAGER, back, "state"), "2"));
    CU_ASSERT_FALSE(fake_exists(m->fake, fake_at(MANAGER, back, "error")));
    manager_end(m);
}

/* ---- what is not taken: the book is full ---- */

#define OTHER_GUEST 8u

static void other_guest_attaches(struct manager *m)
{
    fake_write(m->fake, fake_at(MANAGER, "xentmem/guest/8/0", "uuid"), OTHER);
    fake_write(m->fake, fake_at(OTHER_GUEST, "device/tmem/0", "backend"), "ours");
    fake_write(m->fake, fake_at(OTHER_GUEST, "device/tmem/0", "state"), "1");
    fake_write(m->fake, fake_at(MANAGER, "backend/tmem/8/0", "state"), "1");
    CU_ASSERT(wait_value(m, fake_at(MANAGER, "backend/tmem/8/0", "state"), "2"));
}

static const uint8_t *pool_uuid(void)
{
    static uint8_t uuid[TMEMIF_UUID_LEN];

    MUST(schema_scan_uuid(POOL, 36, uuid));
    return uuid;
}

static unsigned count_said(const struct manager *m, char what)
{
    unsigned nr = 0;

    for (unsigned i = 0; i < m->nr_said; i++)
        nr += m->said[i].what == what;
    return nr;
}

/* What was not taken is said once more, though no node changes. */
static void settle_until_said(struct manager *m, char what, unsigned nr)
{
    m->refuses = 0;
    for (unsigned i = 0; i < 2000 && count_said(m, what) < nr; i++)
        settle(m);
    settle(m);
    CU_ASSERT_EQUAL(count_said(m, what), nr);
}

static void a_shared_pools_policy_that_was_not_taken_is_passed_on_again(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    m->log.level = 0; /* it says so */
    m->refuses = 's';
    dom0_allow(m->fake, "fill");
    settle(m);
    settle_until_said(m, 's', 1);
    CU_ASSERT_EQUAL(guest_join(&g, 0), TMEMIF_OK);
    manager_end(m);
}

static void a_members_right_that_was_not_taken_is_passed_on_again(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    m->log.level = 0; /* it says so */
    m->refuses = 'm';
    dom0_allow(m->fake, "fill");
    settle(m);
    CU_ASSERT_EQUAL(guest_join(&g, 0), TMEMIF_NOT_ALLOWED);
    settle_until_said(m, 'm', 1);
    CU_ASSERT_EQUAL(guest_join(&g, 0), TMEMIF_OK);
    manager_end(m);
}

static void a_new_members_right_that_was_not_taken_is_passed_on_again(void)
{
    struct guest g;
    struct manager *m = manager_new();

    m->log.level = 0; /* it says so */
    dom0_allow(m->fake, "fill");
    settle(m);
    m->refuses = 'm';
    dom0_attach(m->fake);
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    guest_share(&g, m, 1);
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    settle_until_said(m, 'm', 1);
    CU_ASSERT_EQUAL(guest_join(&g, 0), TMEMIF_OK);
    manager_end(m);
}

/* It would undo what a message says meanwhile. */
static void a_members_right_that_was_taken_is_not_said_again_for_anothers_sake(void)
{
    struct guest g;
    struct manager *m = attached(&g);
    unsigned refusals;

    m->log.level = 0; /* it says so */
    other_guest_attaches(m);
    m->refuses = 'm';
    m->refused_domid = OTHER_GUEST;
    fake_write(m->fake, fake_at(MANAGER, "xentmem/shared/" POOL, "allow/8"), "fill");
    dom0_allow(m->fake, "fill");
    settle(m);
    CU_ASSERT_EQUAL(count_said(m, 'm'), 1);
    CU_ASSERT_EQUAL(guest_join(&g, 0), TMEMIF_OK);
    CU_ASSERT_EQUAL(
        engine_shared_allow(m->engine, pool_uuid(), &m->said[m->nr_said - 1].key, RIGHT_NONE),
        TMEMIF_OK); /* a message denies it */
    refusals = m->nr_refusals;
    for (unsigned i = 0; i < 2000 && m->nr_refusals < refusals + 2; i++)
        settle(m);
    CU_ASSERT(m->nr_refusals >= refusals + 2);
    settle_until_said(m, 'm', 2);
    CU_ASSERT_EQUAL(m->said[m->nr_said - 1].key.id, OTHER_GUEST);
    CU_ASSERT_EQUAL(guest_join(&g, 0), TMEMIF_NOT_ALLOWED);
    /* a change of its node is another word */
    fake_write(m->fake, fake_at(MANAGER, "xentmem/shared/" POOL, "allow/7"), "read");
    settle(m);
    CU_ASSERT_EQUAL(count_said(m, 'm'), 3);
    manager_end(m);
}

/* An owed right of who is gone is nobody's. */
static void a_right_that_is_owed_goes_with_its_guest(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    m->log.level = 0; /* it says so */
    other_guest_attaches(m);
    m->refuses = 'm';
    dom0_allow(m->fake, "fill");
    fake_write(m->fake, fake_at(MANAGER, "xentmem/shared/" POOL, "allow/8"), "fill");
    settle(m);
    fake_remove(m->fake, "/local/domain/8");
    fake_fire(m->fake, "@releaseDomain");
    settle(m);
    settle_until_said(m, 'm', 1);
    CU_ASSERT_EQUAL(m->said[m->nr_said - 1].key.id, GUEST);
    manager_end(m);
}

static void a_guests_policy_that_was_not_taken_is_passed_on_again(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    m->log.level = 0; /* it says so */
    m->refuses = 'g';
    fake_write(m->fake, fake_at(MANAGER, "xentmem/guest/7/0", "quota-pages"), "77");
    settle(m);
    settle_until_said(m, 'g', 2);
    CU_ASSERT_EQUAL(m->said[m->nr_said - 1].policy.quota_pages, 77);
    manager_end(m);
}

static void a_guest_for_whose_policy_there_is_no_room_is_not_served(void)
{
    struct guest g;
    struct manager *m = manager_new();

    m->log.level = 0; /* it says so */
    m->refuses = 'g';
    dom0_attach(m->fake);
    settle(m);
    guest_share(&g, m, 1);
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT(strstr(fake_value(m->fake, BACK("error")), "no room") != NULL);
    m->refuses = 0;
    fake_write(m->fake, FRONT("state"), "1");
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    guest_share(&g, m, 2);
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    CU_ASSERT_EQUAL(guest_nop(&g), TMEMIF_OK);
    manager_end(m);
}

/* ---- nodes of policy that are errors ---- */

static const char *const no_numbers[] = {"", "-1", "many", "4294967296", " 10", "0x10"};
#define NR_NO_NUMBERS (sizeof(no_numbers) / sizeof(no_numbers[0]))

static void a_node_of_policy_that_is_an_error_leaves_in_force_what_was(void)
{
    struct guest g;
    struct manager *m = attached(&g);
    char max_path[SCHEMA_PATH_LEN];
    unsigned before;

    snprintf(max_path, sizeof(max_path), "%s", fake_at(MANAGER, "xentmem/guest/7/0", "max-pages"));
    m->log.level = 0; /* it says so */
    fake_write(m->fake, max_path, "7");
    settle(m);
    before = m->nr_said;
    for (unsigned i = 0; i < NR_NO_NUMBERS; i++) {
        fake_write(m->fake, max_path, no_numbers[i]);
        fake_write(m->fake, fake_at(MANAGER, "xentmem/guest/7/0", "weight"), "99");
        settle(m);
    }
    CU_ASSERT_EQUAL(m->nr_said, before);
    CU_ASSERT_EQUAL(policy_of_guest(m->book, &m->said[before - 1].key).max_pages, 7);
    CU_ASSERT_EQUAL(guest_nop(&g), TMEMIF_OK);
    fake_write(m->fake, max_path, "8");
    settle(m);
    CU_ASSERT_EQUAL(m->nr_said, before + 1);
    CU_ASSERT_EQUAL(m->said[before].policy.max_pages, 8);
    CU_ASSERT_EQUAL(m->said[before].policy.weight, 99);
    manager_end(m);
}

static void a_node_of_policy_that_is_an_error_at_first_sight_refuses_the_attachment(void)
{
    static const char *const keys[] = {"quota-pages", "min-pages", "max-pages", "weight"};

    for (unsigned i = 0; i < 4; i++) {
        struct manager *m = manager_new();
        struct guest g;
        char reason[SCHEMA_REASON_LEN];

        m->log.level = 0; /* it says so */
        snprintf(reason, sizeof(reason),
                 "node %s of its policy (below xentmem/guest) is not a number in its range",
                 keys[i]);
        dom0_policy(m->fake, UUID, "100");
        fake_write(m->fake, fake_at(MANAGER, "xentmem/guest/7/0", keys[i]), no_numbers[i]);
        dom0_nodes(m->fake);
        settle(m);
        guest_share(&g, m, 1);
        CU_ASSERT(wait_value(m, BACK("state"), "6"));
        CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("error")), reason);
        CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
        CU_ASSERT_EQUAL(m->nr_said, 0);

        fake_write(m->fake, fake_at(MANAGER, "xentmem/guest/7/0", keys[i]), "5");
        fake_write(m->fake, FRONT("state"), "1");
        CU_ASSERT(wait_value(m, BACK("state"), "2"));
        guest_share(&g, m, 2);
        CU_ASSERT(wait_value(m, BACK("state"), "4"));
        manager_end(m);
    }
}

static unsigned count_lines(int fd)
{
    char text[4096];
    unsigned nr = 0;
    ssize_t len;

    MUST(lseek(fd, 0, SEEK_SET) == 0);
    while ((len = read(fd, text, sizeof(text))) > 0) {
        for (ssize_t i = 0; i < len; i++)
            nr += text[i] == '\n';
    }
    return nr;
}

/*
 * dom0 has written one bad node; how often that is looked at, the guest decides. What the log says
 * of it is why the attachment is refused, no warning for each look.
 */
static void a_guest_does_not_fill_the_log_with_its_operators_error(void)
{
    const unsigned nr_looks = 20;
    int fd = memfd_create("log", MFD_CLOEXEC);
    struct manager *m = manager_new();

    MUST(fd >= 0);
    log_init(&m->log, fd, LOG_LEVEL_WARNING);
    dom0_policy(m->fake, UUID, "many");
    dom0_nodes(m->fake);
    for (unsigned i = 0; i < nr_looks; i++) {
        fake_write(m->fake, FRONT("state"), "1");
        settle(m);
    }
    CU_ASSERT_EQUAL(count_lines(fd), 0);
    log_init(&m->log, STDERR_FILENO, LOG_LEVEL_ERROR);
    close(fd);
    manager_end(m);
}

static void weight_becomes_an_error(struct manager *m)
{
    fake_write(m->fake, fake_at(MANAGER, "xentmem/guest/7/0", "weight"), "0");
}

static void c32_a_policy_that_is_an_error_when_the_manager_restarts_costs_no_page(void)
{
    struct guest g;
    uint32_t pool;
    struct manager *m = holding_a_page(&g, &pool);

    manager_restart(m, weight_becomes_an_error);
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT(has_account(m));
    fake_write(m->fake, fake_at(MANAGER, "xentmem/guest/7/0", "weight"), "1");
    guest_opens_again_and_finds_its_page(&g, m, pool);
    manager_end(m);
}

static void a_shared_pool_keeps_its_policy_when_a_node_of_it_is_an_error(void)
{
    struct guest g;
    struct manager *m = attached(&g);
    unsigned before;

    m->log.level = 0; /* it says so */
    dom0_allow(m->fake, "fill");
    settle(m);
    before = m->nr_said;
    fake_write(m->fake, fake_at(MANAGER, "xentmem/shared/" POOL, "quota-pages"), "lots");
    settle(m);
    CU_ASSERT_EQUAL(m->nr_said, before);
    CU_ASSERT_EQUAL(guest_join(&g, 0), TMEMIF_OK);
    /* who is a member is another matter */
    fake_write(m->fake, fake_at(MANAGER, "xentmem/shared/" POOL, "allow/7"), "read");
    settle(m);
    CU_ASSERT_EQUAL(m->nr_said, before + 1);
    CU_ASSERT_EQUAL(m->said[before].right, RIGHT_READ);
    manager_end(m);
}

static void nobody_joins_a_shared_pool_whose_policy_is_an_error_at_first_sight(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    m->log.level = 0; /* it says so */
    fake_write(m->fake, fake_at(MANAGER, "xentmem/shared/" POOL, "max-pages"), "none");
    dom0_allow(m->fake, "fill");
    settle(m);
    CU_ASSERT_EQUAL(guest_join(&g, 0), TMEMIF_NOT_ALLOWED);
    fake_write(m->fake, fake_at(MANAGER, "xentmem/shared/" POOL, "max-pages"), "10");
    settle(m);
    CU_ASSERT_EQUAL(guest_join(&g, 0), TMEMIF_OK);
    manager_end(m);
}

/* ---- hostile guests ---- */

/* The guest shares all, then @spoil changes something, and it says Initialised. */
static void expect_refusal(void (*spoil)(struct manager *m), const char *reason)
{
    struct guest g;
    struct manager *m = manager_new();

    dom0_attach(m->fake);
    MUST(wait_value(m, BACK("state"), "2"));
    fake_write(m->fake, FRONT("state"), "2");
    settle(m);
    guest_share(&g, m, 1);
    spoil(m);
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("error")), reason);
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    CU_ASSERT_EQUAL(m->fake->nr_bound, 0);
    CU_ASSERT_EQUAL(m->fake->nr_grants, 0);
    manager_end(m);
}

#define SPOIL(name, statement)                                                                     \
    static void name(struct manager *m)                                                            \
    {                                                                                              \
        statement;                                                                                 \
    }
SPOIL(remove_ring, fake_remove(m->fake, FRONT("ring-ref0")))
SPOIL(hide_ring, fake_hide(m->fake, FRONT("ring-ref0"), true))
SPOIL(binary_ring, fake_write_bytes(m->fake, FRONT("ring-ref0"), "1\0\xff\n", 4))
SPOIL(wild_ring, fake_write(m->fake, FRONT("ring-ref0"), "123456"))
SPOIL(many_rings, fake_write(m->fake, FRONT("num-rings"), "17"))
SPOIL(other_version, fake_write(m->fake, FRONT("version"), "2"))
SPOIL(much_data, fake_write(m->fake, FRONT("data-pages"), "16385"))
SPOIL(wild_directory, fake_write(m->fake, FRONT("data-ref0"), "123456"))
SPOIL(wild_data, ((uint32_t *)(void *)page_of(m, DIR_PAGE))[5] = 123456)
SPOIL(wild_port, fake_write(m->fake, FRONT("event-channel-0"), "131071"))
SPOIL(no_maptrack, m->fake->max_mapped = 5)
SPOIL(silo_grants, m->fake->denied_from = DATA_PAGE)
SPOIL(silo_channels, m->fake->bind_errno = EPERM)
SPOIL(no_channels, m->fake->bind_errno = ENOSPC)
SPOIL(jumped, ((struct tmemif_ring *)(void *)page_of(m, RING_PAGE))->req_prod = 33)

static void nodes_that_are_missing_hidden_huge_or_binary_are_refused_by_name(void)
{
    expect_refusal(remove_ring, "node ring-ref0 is missing or may not be read by the manager");
    expect_refusal(hide_ring, "node ring-ref0 is missing or may not be read by the manager");
    expect_refusal(
        binary_ring,
        "node ring-ref0 is not a list of as many grant references as the ring has pages");
    expect_refusal(many_rings, "node num-rings is more than the manager offers");
    expect_refusal(other_version, "node version is out of range");
    expect_refusal(much_data, "node data-pages is more than the manager offers");
}

static void bad_grants_are_refused_by_name(void)
{
    expect_refusal(wild_ring,
                   "ring-ref0: page 0: not a valid grant reference to the manager's domain");
    expect_refusal(wild_directory,
                   "data-ref0: not a valid grant reference to the manager's domain");
    expect_refusal(wild_data,
                   "data area: page 5: not a valid grant reference to the manager's domain");
    expect_refusal(wild_port,
                   "event-channel-0: not an unbound channel that is made for the manager's domain");
}

static void limits_are_named_with_their_knob(void)
{
    expect_refusal(no_maptrack, "data area: 8 pages cannot be mapped: they are not granted "
                                "writable, or the manager has no maptrack frames left "
                                "(max_maptrack_frames in its configuration)");
    expect_refusal(silo_grants,
                   "data area: page 0: permission denied: not granted to the manager's domain, or "
                   "XSM SILO forbids grants between two guests (run the daemon in dom0)");
    expect_refusal(silo_channels,
                   "event-channel-0: permission denied: not made for the manager's domain, or XSM "
                   "SILO forbids grants between two guests (run the daemon in dom0)");
    expect_refusal(no_channels, "event-channel-0: the manager has no event channels left "
                                "(max_event_channels in its configuration)");
}

static void a_ring_that_is_out_of_range_from_the_start_is_refused(void)
{
    expect_refusal(jumped, "ring index out of range");
}

static void an_index_that_jumps_closes_the_session_with_the_reason(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    g.ring.view.shared->req_prod = 1000;
    guest_notify(&g);
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT(strlen(fake_value(m->fake, BACK("error"))) > 0);
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    manager_end(m);
}

/* A worker has found it, not a turn that would come back to what xenstored refused. */
static void an_index_that_jumps_is_told_when_it_can_be(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    m->log.level = 0; /* it says so */
    fake_refuse(m->fake, fake_at(MANAGER, "backend/tmem/7", "0"), FAKE_WRITES, EIO);
    g.ring.view.shared->req_prod = 1000;
    guest_notify(&g);
    for (unsigned i = 0; i < 2000 && m->fake->nr_mapped > 0; i++)
        settle(m);
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "4");
    fake_refuse(m->fake, "", 0, 0);
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT(strlen(fake_value(m->fake, BACK("error"))) > 0);
    manager_end(m);
}

static void states_without_meaning_close_the_session(void)
{
    static const char *const odd[] = {"7", "8", "9", "-1", "", "99999999999", "four"};

    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        struct guest g;
        struct manager *m = attached(&g);

        fake_write(m->fake, FRONT("state"), odd[i]);
        CU_ASSERT(wait_value(m, BACK("state"), "6"));
        CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("error")),
                               "node state of the frontend has no meaning here");
        CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
        manager_end(m);
    }
}

static void skipped_and_repeated_states_are_tolerated(void)
{
    struct guest g;
    struct manager *m = manager_new();

    dom0_attach(m->fake);
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    guest_share(&g, m, 1);
    fake_write(m->fake, FRONT("state"), "4"); /* 3 was never seen */
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    for (unsigned i = 0; i < 5; i++) {
        fake_write(m->fake, FRONT("state"), i % 2 ? "3" : "4");
        settle(m);
    }
    CU_ASSERT_EQUAL(m->fake->nr_maps, 2);
    CU_ASSERT_EQUAL(guest_nop(&g), TMEMIF_OK);
    manager_end(m);
}

static void a_state_that_vanishes_ends_the_session_and_keeps_the_attachment(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    fake_remove(m->fake, FRONT("state"));
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    guest_share(&g, m, 2);
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    manager_end(m);
}

static void a_guest_that_hides_its_folder_is_gone(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    fake_hide(m->fake, FRONT("backend"), true);
    fake_hide(m->fake, FRONT("state"), true);
    settle(m);
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    CU_ASSERT_FALSE(fake_exists(m->fake, fake_at(MANAGER, "backend/tmem/7", "0")));
    manager_end(m);
}

static void a_guest_that_attaches_all_the_time_has_to_wait(void)
{
    struct guest g;
    struct manager *m = attached(&g);
    unsigned before = m->fake->nr_maps;
    uint64_t begun = clock_now_ms(), seconds;

    for (unsigned i = 0; i < 100; i++) {
        fake_write(m->fake, FRONT("state"), "1");
        settle(m);
        guest_share(&g, m, i + 2);
        settle(m);
    }
    /* two maps an attach; eight at once, and one a second */
    CU_ASSERT(m->fake->nr_maps - before >= 2 * 7);
    seconds = (clock_now_ms() - begun) / 1000;
    CU_ASSERT(m->fake->nr_maps - before <= 2 * (9 + seconds));
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    CU_ASSERT_EQUAL(guest_nop(&g), TMEMIF_OK);
    manager_end(m);
}

static void a_guest_that_begins_all_the_time_has_to_wait(void)
{
    struct guest g;
    struct manager *m = attached(&g);
    unsigned before = m->fake->nr_written;
    uint64_t begun = clock_now_ms(), seconds;

    for (unsigned i = 0; i < 200; i++) {
        fake_write(m->fake, FRONT("state"), "5");
        settle(m);
        fake_write(m->fake, FRONT("state"), "1");
        settle(m);
    }
    /* eight nodes each time, and two for its end; eight times at once, and once a second */
    CU_ASSERT(m->fake->nr_written - before >= 8 * 7);
    seconds = (clock_now_ms() - begun) / 1000;
    CU_ASSERT(m->fake->nr_written - before <= 10 * (9 + seconds));
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    manager_end(m);
}

static void a_flood_of_events_is_taken_in_turns(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    for (unsigned i = 0; i < 5000; i++)
        fake_write(m->fake, FRONT("state"), "4");
    xen_transport_turn(m->transport);
    CU_ASSERT(m->fake->nr_events > 0);
    CU_ASSERT(m->fake->nr_events < 5000);
    settle(m);
    CU_ASSERT_EQUAL(m->fake->nr_events, 0);
    CU_ASSERT_EQUAL(guest_nop(&g), TMEMIF_OK);
    manager_end(m);
}

static void guests_are_served_on_when_xenstore_is_lost(void)
{
    struct guest g;
    struct manager *m = attached(&g);

    m->log.level = 0; /* it says so */
    m->fake->deaf = true;
    fake_write(m->fake, FRONT("state"), "4");
    event_base_loop(m->base, EVLOOP_NONBLOCK);
    event_base_loop(m->base, EVLOOP_NONBLOCK);
    CU_ASSERT_EQUAL(guest_nop(&g), TMEMIF_OK);
    m->fake->deaf = false;
    manager_end(m);
}

#define TESTS(T)                                                                                   \
    T(features_come_before_the_state_that_says_so)                                                 \
    T(a_guest_attaches_and_is_served)                                                              \
    T(pages_go_by_grant_as_well)                                                                   \
    T(everything_is_unmapped_before_closed_is_said_and_pools_stay)                                 \
    T(the_end_of_a_process_is_noticed_by_its_channel)                                              \
    T(c25_a_member_that_leaves_is_not_lost_whichever_news_come_first)                              \
    T(c25_a_member_whose_process_dies_is_lost)                                                     \
    T(the_operator_detaches_and_the_pools_are_gone)                                                \
    T(a_guest_that_dies_is_unmapped_at_once_and_its_folder_removed)                                \
    T(another_domains_death_changes_nothing)                                                       \
    T(nodes_written_anew_are_a_new_attachment_with_the_old_pools)                                  \
    T(another_guest_under_the_same_domid_inherits_nothing)                                         \
    T(c26_a_state_is_not_written_over_nodes_that_are_new)                                          \
    T(c26_a_guest_whose_policy_names_another_one_is_another_one)                                   \
    T(c26_rings_of_another_guest_are_not_served_as_the_one_befores)                                \
    T(an_offer_is_whole_in_nodes_that_are_new)                                                     \
    T(an_offer_of_which_a_node_is_refused_is_made_when_it_is_not)                                  \
    T(an_offer_to_the_next_process_is_made_when_it_is_not_refused)                                 \
    T(an_offer_that_xenstore_has_no_room_for_is_made_when_it_has)                                  \
    T(an_offer_is_made_to_the_guest_that_was_admitted)                                             \
    T(nodes_that_are_new_do_not_go_with_the_guest_before)                                          \
    T(guests_that_were_replaced_leave_no_policy)                                                   \
    T(heartbeats_are_looked_at_between_any_two_attaches)                                           \
    T(heartbeats_are_looked_at_while_a_restarted_manager_takes_up_its_guests)                      \
    T(a_restarted_manager_serves_again_without_the_guests_help)                                    \
    T(requests_put_while_no_manager_is_there_are_answered_by_the_next)                             \
    T(a_guest_that_died_meanwhile_is_forgotten)                                                    \
    T(a_guest_that_was_detached_meanwhile_is_forgotten)                                            \
    T(guests_that_are_always_busy_do_not_keep_the_manager_from_housekeeping)                       \
    T(c32_a_daemon_that_was_killed_between_closing_and_closed_is_no_detach)                        \
    T(a_detach_while_no_daemon_was_there_is_carried_out_by_the_next)                               \
    T(a_state_that_could_not_be_written_is_written_later)                                          \
    T(a_state_that_somebody_else_wrote_is_written_over)                                            \
    T(a_detach_whose_state_comes_late_is_closed_all_the_same)                                      \
    T(a_guest_that_dies_as_it_is_detached_is_closed)                                               \
    T(an_epoch_that_could_not_be_written_is_written_later)                                         \
    T(an_error_that_could_not_be_removed_is_removed_later)                                         \
    T(an_error_that_could_not_be_written_is_written_later)                                         \
    T(an_error_that_could_not_be_written_is_not_written_into_new_nodes)                            \
    T(a_state_for_which_there_was_no_room_is_written_later)                                        \
    T(c32_what_xenstore_does_not_say_at_the_start_costs_no_page)                                   \
    T(c32_no_single_answer_that_fails_at_the_start_costs_a_page)                                   \
    T(a_frontend_is_connected_once_xenstore_says_all_of_it)                                        \
    T(a_guest_that_was_detached_is_forgotten_once_xenstore_says_so)                                \
    T(nodes_written_anew_keep_the_pools_while_xenstore_does_not_say_whose_they_are)                \
    T(own_nodes_that_cannot_be_read_are_not_gone)                                                  \
    T(members_keep_their_right_while_xenstore_does_not_say_who_they_are)                           \
    T(a_process_that_died_meanwhile_is_noticed)                                                    \
    T(rings_of_which_there_is_no_record_are_refused_with_the_reason)                               \
    T(policy_is_there_before_the_first_request)                                                    \
    T(a_changed_node_is_passed_on_once)                                                            \
    T(membership_follows_the_nodes)                                                                \
    T(a_restarted_manager_is_told_all_policy_again)                                                \
    T(a_guest_without_policy_is_not_served)                                                        \
    T(a_number_that_is_no_device_is_refused)                                                       \
    T(the_manager_is_no_guest_of_its_own)                                                          \
    T(a_frontend_that_cannot_be_watched_is_served)                                                 \
    T(the_last_number_is_dom0s_own)                                                                \
    T(a_shared_pools_policy_that_was_not_taken_is_passed_on_again)                                 \
    T(a_members_right_that_was_not_taken_is_passed_on_again)                                       \
    T(a_new_members_right_that_was_not_taken_is_passed_on_again)                                   \
    T(a_members_right_that_was_taken_is_not_said_again_for_anothers_sake)                          \
    T(a_right_that_is_owed_goes_with_its_guest)                                                    \
    T(a_guests_policy_that_was_not_taken_is_passed_on_again)                                       \
    T(a_guest_for_whose_policy_there_is_no_room_is_not_served)                                     \
    T(a_node_of_policy_that_is_an_error_leaves_in_force_what_was)                                  \
    T(a_guest_does_not_fill_the_log_with_its_operators_error)                                      \
    T(a_node_of_policy_that_is_an_error_at_first_sight_refuses_the_attachment)                     \
    T(c32_a_policy_that_is_an_error_when_the_manager_restarts_costs_no_page)                       \
    T(a_shared_pool_keeps_its_policy_when_a_node_of_it_is_an_error)                                \
    T(nobody_joins_a_shared_pool_whose_policy_is_an_error_at_first_sight)                          \
    T(nodes_that_are_missing_hidden_huge_or_binary_are_refused_by_name)                            \
    T(bad_grants_are_refused_by_name)                                                              \
    T(limits_are_named_with_their_knob)                                                            \
    T(a_ring_that_is_out_of_range_from_the_start_is_refused)                                       \
    T(an_index_that_jumps_closes_the_session_with_the_reason)                                      \
    T(an_index_that_jumps_is_told_when_it_can_be)                                                  \
    T(states_without_meaning_close_the_session)                                                    \
    T(skipped_and_repeated_states_are_tolerated)                                                   \
    T(a_state_that_vanishes_ends_the_session_and_keeps_the_attachment)                             \
    T(a_guest_that_hides_its_folder_is_gone)                                                       \
    T(a_guest_that_attaches_all_the_time_has_to_wait)                                              \
    T(a_guest_that_begins_all_the_time_has_to_wait)                                                \
    T(a_flood_of_events_is_taken_in_turns)                                                         \
    T(guests_are_served_on_when_xenstore_is_lost)
RUN_TESTS(TESTS)
