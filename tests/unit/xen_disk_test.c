/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks of the Xen transport over a platform in memory, with the real sessions, disks, engine and
 * store. The test plays dom0 and the guest's block frontend.
 */
#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/blk/answer.h"
#include "daemon/blk/base.h"
#include "daemon/blk/blkif_ring.h"
#include "daemon/blk/disks.h"
#include "daemon/control/control.h"
#include "daemon/session/sessions.h"
#include "daemon/transport/xen/transport.h"
#include "daemon/util/clock.h"
#include "tests/lib/fake_loop.h"
#include "tests/lib/fake_platform.h"
#include "tests/lib/fault.h"
#include "tests/lib/runner.h"
#include "tests/unit/cache_world.h"
#include "tests/unit/store_fixture.h"
#include "xenstore-schema/states.h"

#define MANAGER 5u
#define GUEST   7u
#define VDEV    "268440064" /* xvds */

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "the test's world needs: %s\n", what);
    abort();
}
#define MUST(condition) must((condition), #condition)

/* ---- the manager ---- */

struct manager {
    struct fake_platform *fake;
    struct log log;
    struct store *store;
    struct engine *engine;
    struct disks *disks;
    struct policy_book *book;
    struct control *control;
    struct session_table *sessions;
    struct event_base *base;
    struct xen_transport *transport;
    struct cache_world *devices; /* to be cached, or NULL */
};

static enum tmemif_status no_guest(void *arg, const struct account_key *guest,
                                   const struct policy *policy)
{
    (void)arg, (void)guest, (void)policy;
    return TMEMIF_OK;
}

static enum tmemif_status no_shared(void *arg, const uint8_t uuid[16], const struct policy *policy)
{
    (void)arg, (void)uuid, (void)policy;
    return TMEMIF_OK;
}

static enum tmemif_status no_member(void *arg, const uint8_t uuid[16],
                                    const struct account_key *guest, enum pool_right right)
{
    (void)arg, (void)uuid, (void)guest, (void)right;
    return TMEMIF_OK;
}

static const struct xen_policy_ops policy_ops = {no_guest, no_shared, no_member};

static void manager_start(struct manager *m)
{
    const struct engine_config engine_config = {.nr_workers = 3, .hash_seed = 1};
    struct caches_config caches_config;
    const struct policy local = {.max_pages = PAGES_UNLIMITED, .weight = 1};
    struct disks_config disks_config = {.store = m->store, .nr_workers = 2};
    struct control_config control_config = {.store = m->store, .log = &m->log};
    struct session_config session_config = {
        .store = m->store, .log = &m->log, .nr_workers = 1, .control = &control_functions};
    struct xen_config config = {
        .log = &m->log, .store = m->store, .nr_workers = 1, .policy = &policy_ops};
    struct disks_found found;
    const char *why;

    m->engine = disks_config.engine = control_config.engine = session_config.engine =
        engine_create(m->store, &engine_config);
    if (m->devices) {
        m->devices->w.e = m->engine;
        m->devices->w.config = engine_config;
        caches_config = fake_config(m->devices);
        disks_config.caches = &caches_config;
    }
    MUST(m->engine && disks_create(&disks_config, &m->disks, &found, &why));
    m->book = control_config.policy = policy_create(m->engine, &local);
    MUST(m->book);
    m->control = session_config.control_arg = control_create(&control_config);
    MUST(m->control && sessions_create(&session_config, &m->sessions, &why));
    m->base = config.base = event_base_new();
    MUST(m->base);
    config.sessions = m->sessions;
    config.disks = m->disks;
    config.epoch = store_super(m->store)->incarnation;
    m->transport = xen_transport_start_on(&m->fake->platform, &config, &why);
    MUST(m->transport);
}

static void manager_stop(struct manager *m)
{
    xen_transport_stop(m->transport);
    event_base_free(m->base);
    sessions_destroy(m->sessions);
    control_destroy(m->control);
    policy_destroy(m->book);
    disks_destroy(m->disks);
    CU_ASSERT_PTR_NULL(engine_check(m->engine));
    engine_destroy(m->engine);
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    CU_ASSERT_EQUAL(m->fake->nr_bound, 0);
    CU_ASSERT_EQUAL(m->fake->nr_grants, 0);
}

static struct manager *manager_new_in(uint32_t domid)
{
    struct manager *m = calloc(1, sizeof(*m));

    MUST(m);
    m->fake = fake_platform_new(domid);
    log_init(&m->log, STDERR_FILENO, LOG_LEVEL_ERROR);
    m->store = store_of(1024, 64);
    manager_start(m);
    return m;
}

static struct manager *manager_new(void)
{
    return manager_new_in(MANAGER);
}

static void manager_end(struct manager *m)
{
    manager_stop(m);
    store_close(m->store);
    fake_platform_free(m->fake);
    free(m);
}

static void settle(struct manager *m)
{
    fake_settle(m->fake, m->base);
}

static void manager_restart(struct manager *m)
{
    struct store_damage damage;

    manager_stop(m);
    m->store = reopen(m->store, &damage);
    CU_ASSERT_EQUAL(damage.records, 0);
    manager_start(m);
    settle(m);
}

static bool wait_value(struct manager *m, const char *path, const char *value)
{
    return fake_wait_value(m->fake, m->base, path, value);
}

/* Is there a record of any ring? */
static bool has_records(const struct manager *m)
{
    struct answer_owner owner;
    uint32_t cursor = 0;

    return answer_rec_next(m->store, &cursor, &owner);
}

static bool wait_gone(struct manager *m, const char *path)
{
    return fake_wait_gone(m->fake, m->base, path);
}

/* ---- dom0 ---- */

static const char *back_of(unsigned domid, const char *key)
{
    char folder[64];

    snprintf(folder, sizeof(folder), "backend/vbd/%u/" VDEV, domid);
    return fake_at(MANAGER, folder, key);
}

static const char *front_of(unsigned domid, const char *key)
{
    return fake_at(domid, "device/vbd/" VDEV, key);
}

#define BACK(key)  back_of(GUEST, key)
#define FRONT(key) front_of(GUEST, key)

/* The backend's end. */
static void dom0_writes_nodes(struct fake_platform *f, unsigned domid, const char *target,
                              const char *state)
{
    char number[16];

    snprintf(number, sizeof(number), "%u", domid);
    fake_write(f, back_of(domid, "frontend"), front_of(domid, ""));
    fake_write(f, back_of(domid, "frontend-id"), number);
    fake_write(f, back_of(domid, "params"), target);
    fake_write(f, back_of(domid, "mode"), "w");
    fake_write(f, back_of(domid, "online"), "1");
    fake_write(f, back_of(domid, "state"), state);
}

/* As libxl does. */
static void dom0_attach_to(struct fake_platform *f, unsigned domid, const char *target)
{
    fake_write(f, front_of(domid, "backend"), back_of(domid, ""));
    fake_write(f, front_of(domid, "backend-id"), "5");
    fake_write(f, front_of(domid, "state"), "1");
    dom0_writes_nodes(f, domid, target, "1");
}

static void dom0_attach(struct fake_platform *f, const char *target)
{
    dom0_attach_to(f, GUEST, target);
}

static void dom0_detach(struct fake_platform *f)
{
    fake_write(f, BACK("online"), "0");
    fake_write(f, BACK("state"), "5");
}

/* ---- the guest: its ring is page 10, data in pages 20 and on; of another one 11 and 3 more ----
 */

#define RING_PAGE 10u
#define DATA_PAGE 20u
#define PORT      3u

#define OTHER_GUEST 8u

struct guest {
    struct manager *manager;
    unsigned domid;
    uint32_t ring_page, port;
    uint32_t req_prod, rsp_cons;
};

static uint8_t *page_of(struct manager *m, uint32_t page)
{
    return m->fake->memory + (size_t)page * TMEMIF_PAGE_SIZE;
}

static struct blkif_ring_header *ring_of(struct guest *g)
{
    return (struct blkif_ring_header *)(void *)page_of(g->manager, g->ring_page);
}

static void connect_as(struct guest *g, struct manager *m)
{
    char number[16];

    memset(page_of(m, g->ring_page), 0, TMEMIF_PAGE_SIZE);
    ring_of(g)->req_event = ring_of(g)->rsp_event = 1;
    snprintf(number, sizeof(number), "%u", g->ring_page);
    fake_write(m->fake, front_of(g->domid, "ring-ref"), number);
    snprintf(number, sizeof(number), "%u", g->port);
    fake_write(m->fake, front_of(g->domid, "event-channel"), number);
    fake_write(m->fake, front_of(g->domid, "protocol"), "x86_64-abi");
    fake_write(m->fake, front_of(g->domid, "state"), "3");
}

static void guest_connect(struct guest *g, struct manager *m)
{
    *g = (struct guest){.manager = m, .domid = GUEST, .ring_page = RING_PAGE, .port = PORT};
    connect_as(g, m);
}

/* Once it is offered a disk. */
static void guest_takes_offer(struct guest *g, struct manager *m)
{
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    guest_connect(g, m);
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
}

/* After it has closed. */
static void guest_begins_anew(struct guest *g, struct manager *m)
{
    fake_write(m->fake, FRONT("state"), "1");
    guest_takes_offer(g, m);
}

static void other_connect(struct guest *g, struct manager *m)
{
    *g = (struct guest){
        .manager = m, .domid = OTHER_GUEST, .ring_page = RING_PAGE + 1, .port = PORT + 1};
    connect_as(g, m);
}

static void guest_put(struct guest *g, uint8_t op, uint64_t sector, uint32_t page)
{
    uint8_t *slot = page_of(g->manager, g->ring_page) + 64 + g->req_prod % 32 * 112;
    uint64_t id = 1000 + g->req_prod++;

    memset(slot, 0, 112);
    slot[0] = op;
    slot[1] = 1;
    memcpy(slot + 8, &id, 8);
    memcpy(slot + 16, &sector, 8);
    memcpy(slot + 24, &page, 4);
    slot[29] = 7;
}

static void guest_publish(struct guest *g)
{
    const uint64_t one = 1;

    __atomic_store_n(&ring_of(g)->req_prod, g->req_prod, __ATOMIC_RELEASE);
    MUST(write(g->manager->fake->channels[g->port].to_backend, &one, sizeof(one)) == sizeof(one));
}

/* The status of the next answer, or 99 if none comes. */
static int guest_take(struct guest *g)
{
    const uint8_t *slot = page_of(g->manager, g->ring_page) + 64 + g->rsp_cons % 32 * 112;
    int16_t status;
    uint64_t id;

    for (unsigned i = 0; blkif_ring_read(&ring_of(g)->rsp_prod) == g->rsp_cons; i++) {
        if (i == 3000)
            return 99;
        event_base_loop(g->manager->base, EVLOOP_NONBLOCK);
        poll(NULL, 0, 1);
    }
    memcpy(&id, slot, 8);
    memcpy(&status, slot + 10, 2);
    CU_ASSERT_EQUAL(id, 1000 + g->rsp_cons);
    g->rsp_cons++;
    return status;
}

static int guest_call(struct guest *g, uint8_t op, uint64_t sector, uint32_t page)
{
    guest_put(g, op, sector, page);
    guest_publish(g);
    return guest_take(g);
}

static int guest_write(struct guest *g, uint64_t page, uint64_t number)
{
    fill_page(page_of(g->manager, DATA_PAGE), number);
    return guest_call(g, BLKIF_WRITE, page * 8, DATA_PAGE);
}

static bool guest_finds(struct guest *g, uint64_t page, uint64_t number)
{
    memset(page_of(g->manager, DATA_PAGE + 1), 0, TMEMIF_PAGE_SIZE);
    return guest_call(g, BLKIF_READ, page * 8, DATA_PAGE + 1) == BLKIF_OKAY &&
           page_holds(page_of(g->manager, DATA_PAGE + 1), number);
}

static struct manager *connected(struct guest *g)
{
    struct manager *m = manager_new();

    dom0_attach(m->fake, "swap/1M");
    MUST(wait_value(m, BACK("state"), "2"));
    guest_connect(g, m);
    MUST(wait_value(m, BACK("state"), "4"));
    fake_write(m->fake, FRONT("state"), "4");
    settle(m);
    return m;
}

/* The guest grants its pages once, and has been offered it. */
static struct manager *connected_for_good(struct guest *g)
{
    struct manager *m = manager_new();

    fake_write(m->fake, FRONT("feature-persistent"), "1");
    dom0_attach(m->fake, "swap/1M");
    guest_takes_offer(g, m);
    return m;
}

static void make_base(struct manager *m, const char *name)
{
    uint8_t page[TMEMIF_PAGE_SIZE];

    fill_page(page, 9);
    MUST(base_import_begin(m->disks, name, 1, NULL) == TMEMIF_OK &&
         base_import_write(m->disks, 1, 0, 1, page) == TMEMIF_OK &&
         base_import_end(m->disks, 1, 256) == TMEMIF_OK);
}

/* @g has the kept clone that the other guest waits for. */
static struct manager *contended(struct guest *g, struct guest *other)
{
    struct manager *m = manager_new();
    unsigned written;

    make_base(m, "root");
    dom0_attach(m->fake, "clone/root/home");
    MUST(wait_value(m, BACK("state"), "2"));
    guest_connect(g, m);
    MUST(wait_value(m, BACK("state"), "4"));
    fake_write(m->fake, FRONT("state"), "4");
    CU_ASSERT_EQUAL(guest_write(g, 1, 1), BLKIF_OKAY);
    dom0_attach_to(m->fake, OTHER_GUEST, "clone/root/home");
    MUST(wait_value(m, back_of(OTHER_GUEST, "state"), "2"));
    written = m->fake->nr_written;
    other_connect(other, m);
    settle(m);
    CU_ASSERT_EQUAL(m->fake->nr_written, written); /* it has been said already */
    return m;
}

static unsigned nr_disks(struct manager *m)
{
    struct disk_info info;
    uint32_t cursor = 0;
    unsigned nr = 0;

    while (disks_next(m->disks, &cursor, &info))
        nr++;
    return nr;
}

/* ---- attach ---- */

static void features_come_before_the_state_that_says_so(void)
{
    struct manager *m = manager_new();

    dom0_attach(m->fake, "swap/1M");
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("feature-discard")), "1");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("discard-granularity")), "4096");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("feature-flush-cache")), "1");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("feature-persistent")), "1");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("feature-max-indirect-segments")), "16");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("max-ring-page-order")), "3");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("multi-queue-max-queues")), "4");
    CU_ASSERT_FALSE(fake_exists(m->fake, BACK("sectors")));
    manager_end(m);
}

static void guest_reads_what_it_wrote(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("sectors")), "2048");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("sector-size")), "512");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("physical-sector-size")), "4096");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("info")), "0");
    CU_ASSERT_EQUAL(guest_write(&g, 255, 3), BLKIF_OKAY);
    CU_ASSERT_EQUAL(guest_write(&g, 0, 4), BLKIF_OKAY);
    CU_ASSERT(guest_finds(&g, 255, 3));
    CU_ASSERT(guest_finds(&g, 0, 4));
    CU_ASSERT_EQUAL(guest_write(&g, 256, 5), BLKIF_ERROR);
    manager_end(m);
}

static void pages_that_stay_granted_stay_mapped(void)
{
    struct guest g;
    struct manager *m = connected_for_good(&g);

    for (uint64_t i = 0; i < 8; i++) {
        CU_ASSERT_EQUAL(guest_write(&g, i, i + 1), BLKIF_OKAY);
        CU_ASSERT(guest_finds(&g, i, i + 1));
    }
    CU_ASSERT_EQUAL(m->fake->nr_copy_calls, 0);
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 3); /* the ring, a page that is written and one read into */
    manager_restart(m);
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 1);
    CU_ASSERT(guest_finds(&g, 7, 8));
    CU_ASSERT_EQUAL(m->fake->nr_copy_calls, 0);
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 2);
    manager_end(m);
}

/* How often @what is in @file, which a log went to. */
static unsigned count_in(FILE *file, const char *what)
{
    char text[4096] = "";
    unsigned nr = 0;

    CU_ASSERT(pread(fileno(file), text, sizeof(text) - 1, 0) >= 0);
    for (const char *at = strstr(text, what); at; at = strstr(at + 1, what))
        nr++;
    return nr;
}

/* Nor does it end the service; the log names the knob, once. */
static void pages_that_cannot_be_mapped_are_copied_and_that_is_told(void)
{
    FILE *file = tmpfile();
    struct guest g;
    struct manager *m = connected_for_good(&g);

    MUST(file);
    log_init(&m->log, fileno(file), LOG_LEVEL_NOTICE);
    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    settle(m);
    CU_ASSERT_EQUAL(count_in(file, "hint="), 0);
    m->fake->max_mapped = 2; /* the ring and that page */
    CU_ASSERT(guest_finds(&g, 1, 1));
    settle(m);
    CU_ASSERT_EQUAL(count_in(file, "hint=\"max_maptrack_frames\""), 1);
    for (uint64_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(guest_write(&g, i, i + 2), BLKIF_OKAY);
        CU_ASSERT(guest_finds(&g, i, i + 2));
        fake_fire(m->fake, FRONT("state")); /* it is looked at again */
        settle(m);
    }
    CU_ASSERT_EQUAL(count_in(file, "hint="), 1);
    CU_ASSERT_EQUAL(m->fake->nr_copy_calls, 5);
    log_init(&m->log, STDERR_FILENO, LOG_LEVEL_ERROR);
    fclose(file);
    manager_end(m);
}

/* Linux says so whatever it was offered, and does not ask again when its manager is another. */
static void frontend_that_was_not_offered_it_grants_for_each_request(void)
{
    struct guest g;
    struct manager *m = connected_for_good(&g);

    fake_remove(m->fake, BACK("feature-persistent")); /* as if by a daemon that had none */
    manager_restart(m);
    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    CU_ASSERT(guest_finds(&g, 1, 1));
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 1);
    CU_ASSERT_EQUAL(m->fake->nr_copy_calls, 2);
    manager_end(m);
}

static void pages_that_are_granted_for_each_request_are_copied(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    CU_ASSERT(guest_finds(&g, 1, 1));
    CU_ASSERT_EQUAL(m->fake->nr_copy_calls, 2);
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 1);
    manager_end(m);
}

static void attach_that_was_made_before_the_manager_is_served(void)
{
    struct manager *m = manager_new();

    manager_stop(m);
    dom0_attach(m->fake, "swap/1M");
    manager_start(m);
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    manager_end(m);
}

static void read_only_disk_says_so(void)
{
    struct manager *m = manager_new();
    struct guest g;

    dom0_attach(m->fake, "swap/1M");
    fake_write(m->fake, BACK("mode"), "r");
    fake_write(m->fake, BACK("state"), "1");
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    CU_ASSERT_FALSE(fake_exists(m->fake, BACK("feature-discard")));
    guest_connect(&g, m);
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("info")), "4");
    CU_ASSERT_EQUAL(guest_write(&g, 0, 1), BLKIF_ERROR);
    manager_end(m);
}

static void discard_is_not_offered_where_dom0_does_not_want_it(void)
{
    struct manager *m = manager_new();

    fake_write(m->fake, BACK("discard-enable"), "0");
    dom0_attach(m->fake, "swap/1M");
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    CU_ASSERT_FALSE(fake_exists(m->fake, BACK("feature-discard")));
    manager_end(m);
}

/* ---- what is refused ---- */

static void bad_targets_are_refused_with_a_reason(void)
{
    static const struct {
        const char *target, *reason;
    } bad[] = {
        {"swap/17K", "target: the size is not a multiple of 4K"},
        {"swap/0", "target: the size is from 4K to less than 16T"},
        {"/dev/sda", "target: neither swap/SIZE, clone/BASE, clone/BASE/NAME nor cache/DEVICE"},
        {"clone/none", ""},
    };

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct manager *m = manager_new();

        dom0_attach(m->fake, bad[i].target);
        CU_ASSERT(wait_value(m, BACK("state"), "6"));
        if (bad[i].reason[0])
            CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("error")), bad[i].reason);
        CU_ASSERT(fake_exists(m->fake, BACK("error")));
        CU_ASSERT_EQUAL(nr_disks(m), 0);
        /* what is left of it goes when dom0 detaches it; a corrected one is attached */
        dom0_detach(m->fake);
        CU_ASSERT(wait_gone(m, BACK("")));
        dom0_attach(m->fake, "swap/1M");
        CU_ASSERT(wait_value(m, BACK("state"), "2"));
        manager_end(m);
    }
}

static void bad_ring_is_refused_and_the_next_one_served(void)
{
    struct manager *m = manager_new();
    struct guest g;

    dom0_attach(m->fake, "swap/1M");
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    fake_write(m->fake, FRONT("ring-ref"), "999999");
    fake_write(m->fake, FRONT("event-channel"), "3");
    fake_write(m->fake, FRONT("state"), "3");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("error")),
                           "ring-ref: page 0: not a valid grant reference to the manager's domain");
    guest_begins_anew(&g, m);
    CU_ASSERT_FALSE(fake_exists(m->fake, BACK("error")));
    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    manager_end(m);
}

static void channel_that_cannot_be_bound_is_named(void)
{
    struct manager *m = manager_new();
    struct guest g;

    dom0_attach(m->fake, "swap/1M");
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    m->fake->bind_errno = ENOSPC;
    guest_connect(&g, m);
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_value(m->fake, BACK("error")), "max_event_channels"));
    manager_end(m);
}

static void quota_of_xenstore_is_named(void)
{
    struct manager *m = manager_new();

    fake_refuse(m->fake, BACK("multi-queue-max-queues"), FAKE_WRITES, ENOSPC);
    dom0_attach(m->fake, "swap/1M");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(fake_value(m->fake, BACK("error")), "xenstore-control quota set nodes"));
    manager_end(m);
}

/* New nodes are counted when they are committed, and the guest is not offered what is not there. */
static void quota_of_xenstore_that_shows_at_the_end_closes_the_disk(void)
{
    struct manager *m = manager_new();

    m->fake->is_full = true;
    dom0_attach(m->fake, "swap/1M");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT_FALSE(fake_exists(m->fake, BACK("multi-queue-max-queues")));
    m->fake->is_full = false;
    dom0_attach(m->fake, "swap/1M");
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    CU_ASSERT_TRUE(fake_exists(m->fake, BACK("multi-queue-max-queues")));
    manager_end(m);
}

/* What passes by itself takes no disk from its guest, when it is offered again or connected. */
static void frontend_that_begins_anew_has_its_disk_whatever_is_refused_for_a_while(void)
{
    static const char *const keys[] = {"feature-persistent", "state", "sectors"};

    for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct guest g;
        struct manager *m = connected(&g);
        bool offers = i < 2;

        m->log.level = 0; /* it says so */
        CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
        fake_write(m->fake, FRONT("state"), "6");
        CU_ASSERT(wait_value(m, BACK("state"), "6"));
        fake_refuse(m->fake, BACK(keys[i]), FAKE_WRITES, EIO);
        fake_write(m->fake, FRONT("state"), "1");
        if (!offers) {
            CU_ASSERT(wait_value(m, BACK("state"), "2"));
            guest_connect(&g, m);
        }
        CU_ASSERT(wait_value(m, BACK("error"), "a node cannot be written: Input/output error"));
        CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), offers ? "6" : "2");
        fake_refuse(m->fake, "", 0, 0);
        if (offers)
            guest_takes_offer(&g, m);
        CU_ASSERT(wait_value(m, BACK("state"), "4"));
        CU_ASSERT(wait_value(m, BACK("error"), ""));
        CU_ASSERT_TRUE(guest_finds(&g, 1, 1));
        manager_end(m);
    }
}

static void frontend_that_breaks_the_protocol_is_closed(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    g.req_prod = 77;
    guest_publish(&g);
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("error")), "ring index out of range");
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    /* it may begin anew, and finds what it has written */
    fake_write(m->fake, FRONT("state"), "6");
    settle(m);
    guest_begins_anew(&g, m);
    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    manager_end(m);
}

static void state_without_a_meaning_ends_the_session(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    fake_write(m->fake, FRONT("state"), "8");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    manager_end(m);
}

static void dom0_serves_no_disks(void)
{
    struct manager *m = manager_new_in(0);

    fake_write(m->fake, fake_at(0, "backend/vbd/7/" VDEV, "params"), "swap/1M");
    fake_write(m->fake, fake_at(0, "backend/vbd/7/" VDEV, "mode"), "w");
    fake_write(m->fake, fake_at(0, "backend/vbd/7/" VDEV, "state"), "1");
    settle(m);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, fake_at(0, "backend/vbd/7/" VDEV, "state")), "1");
    CU_ASSERT(fake_exists(m->fake, fake_at(0, "data/xentmem", "ready")));
    manager_end(m);
}

static void guest_that_begins_all_the_time_has_to_wait(void)
{
    struct manager *m = manager_new();
    uint64_t begun, seconds;
    unsigned before;

    dom0_attach(m->fake, "swap/1M");
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    before = m->fake->nr_written;
    begun = clock_now_ms();
    for (unsigned i = 0; i < 200; i++) {
        fake_write(m->fake, FRONT("state"), "5");
        settle(m);
        fake_write(m->fake, FRONT("state"), "1");
        settle(m);
    }
    /* nine nodes each time, and one for its end; eight times at once, and once a second */
    CU_ASSERT(m->fake->nr_written - before >= 9 * 7);
    seconds = (clock_now_ms() - begun) / 1000;
    CU_ASSERT(m->fake->nr_written - before <= 10 * (9 + seconds));
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    manager_end(m);
}

/* ---- the life of a disk ---- */

static void detached_disk_that_is_not_used_goes(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    fake_write(m->fake, FRONT("state"), "5");
    CU_ASSERT(wait_value(m, BACK("state"), "5"));
    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY); /* requests may be under way still */
    fake_write(m->fake, FRONT("state"), "6");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    dom0_detach(m->fake);
    CU_ASSERT(wait_gone(m, BACK("")));
    manager_end(m);
}

static void folder_stays_until_it_says_closed(void)
{
    struct guest g;
    struct manager *m = connected(&g);
    unsigned until;

    fake_write(m->fake, FRONT("state"), "6");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    dom0_detach(m->fake);
    fake_refuse(m->fake, BACK("state"), FAKE_WRITES, EAGAIN);
    until = m->fake->nr_refused + 8;
    for (unsigned i = 0; i < 2000 && m->fake->nr_refused < until; i++)
        settle(m); /* it has been tried for longer than a folder stays */
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "5");
    fake_refuse(m->fake, BACK("state"), 0, 0);
    CU_ASSERT(wait_gone(m, BACK("")));
    manager_end(m);
}

static void disk_in_use_is_served_until_its_guest_lets_it_go(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    dom0_detach(m->fake);
    settle(m);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "5");
    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    CU_ASSERT(guest_finds(&g, 1, 1));
    fake_write(m->fake, FRONT("state"), "6");
    CU_ASSERT(wait_gone(m, BACK("")));
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    manager_end(m);
}

/* ---- whose a disk without a name is ---- */

static bool guest_finds_zeros(struct guest *g, uint64_t page)
{
    static const uint8_t zeros[TMEMIF_PAGE_SIZE];
    uint8_t *at = page_of(g->manager, DATA_PAGE + 1);

    memset(at, 1, TMEMIF_PAGE_SIZE);
    return guest_call(g, BLKIF_READ, page * 8, DATA_PAGE + 1) == BLKIF_OKAY &&
           memcmp(at, zeros, TMEMIF_PAGE_SIZE) == 0;
}

static void gives_a_new_disk(struct manager *m, struct guest *g)
{
    dom0_attach(m->fake, "swap/1M");
    guest_takes_offer(g, m);
    CU_ASSERT(guest_finds_zeros(g, 1));
    CU_ASSERT_EQUAL(nr_disks(m), 1);
}

/* libxl detaches first and destroys then. Nothing is heard of the death: the next one has its
 * number. */
static void disk_that_was_detached_is_not_the_next_ones(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    fake_write(m->fake, FRONT("state"), "6");
    dom0_detach(m->fake);
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT_EQUAL(nr_disks(m), 0);
    CU_ASSERT(wait_gone(m, BACK("")));
    gives_a_new_disk(m, &g);
    manager_end(m);
}

static void guest_that_dies_takes_its_disk_along(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    fake_remove(m->fake, fake_at(GUEST, "device", ""));
    CU_ASSERT(wait_gone(m, BACK("")));
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    CU_ASSERT_EQUAL(nr_disks(m), 0);
    gives_a_new_disk(m, &g);
    manager_end(m);
}

/* All of it has happened before the manager looks: it sees the nodes of the next one. */
static void disk_of_a_guest_that_died_is_not_the_next_ones(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    fake_remove(m->fake, fake_at(GUEST, "device", ""));
    fake_remove(m->fake, BACK(""));
    gives_a_new_disk(m, &g);
    manager_end(m);
}

static void disk_goes_with_its_backends_folder(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    fake_remove(m->fake, BACK(""));
    settle(m);
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    CU_ASSERT_EQUAL(nr_disks(m), 0);
    gives_a_new_disk(m, &g);
    manager_end(m);
}

/* Its nodes are those that the disk was opened for, whatever it does to its own. */
static void guest_that_closes_and_begins_anew_has_its_disk(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    fake_write(m->fake, FRONT("state"), "6");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    manager_restart(m);
    CU_ASSERT_EQUAL(nr_disks(m), 1);
    guest_begins_anew(&g, m);
    CU_ASSERT(guest_finds(&g, 1, 1));
    fake_write(m->fake, FRONT("state"), "6");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    fake_write(m->fake, FRONT("state"), "1");
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    manager_restart(m);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "2");
    guest_takes_offer(&g, m);
    CU_ASSERT(guest_finds(&g, 1, 1));
    manager_end(m);
}

/* The manager was killed, its guest destroyed, and the next one has its number and its disks. */
static void nodes_of_the_next_guest_while_no_manager_ran_have_a_new_disk(void)
{
    struct guest g;
    struct manager *m = connected(&g);
    struct store_damage damage;

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    manager_stop(m);
    fake_remove(m->fake, fake_at(GUEST, "device", ""));
    fake_remove(m->fake, BACK(""));
    dom0_attach(m->fake, "swap/1M");
    m->store = reopen(m->store, &damage);
    manager_start(m);
    guest_takes_offer(&g, m);
    CU_ASSERT(guest_finds_zeros(&g, 1));
    CU_ASSERT_EQUAL(nr_disks(m), 1);
    /* what it writes is its own from then on */
    CU_ASSERT_EQUAL(guest_write(&g, 1, 2), BLKIF_OKAY);
    manager_restart(m);
    CU_ASSERT(guest_finds(&g, 1, 2));
    manager_end(m);
}

/* It has no such disk, but the folder of the one before is there still. */
static void nodes_that_were_left_behind_while_no_manager_ran_keep_nothing(void)
{
    static const char *const states[] = {"2", "4", "5", "6"};

    for (unsigned i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        struct guest g;
        struct manager *m = connected(&g);
        struct store_damage damage;

        CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
        manager_stop(m);
        fake_write(m->fake, BACK("state"), states[i]);
        fake_remove(m->fake, fake_at(GUEST, "device", ""));
        m->store = reopen(m->store, &damage);
        manager_start(m);
        CU_ASSERT(wait_gone(m, BACK("")));
        CU_ASSERT_EQUAL(nr_disks(m), 0);
        gives_a_new_disk(m, &g);
        manager_end(m);
    }
}

/* Killed after it had dropped the old disk or made the new one, and before it has said 2. */
static void offer_that_was_not_made_is_made_by_the_next_manager(void)
{
    struct guest g;
    struct manager *m = connected(&g);
    struct store_damage damage;

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    fake_remove(m->fake, BACK(""));
    fake_refuse(m->fake, BACK("state"), FAKE_WRITES, EAGAIN);
    dom0_attach(m->fake, "swap/1M");
    for (unsigned i = 0; i < 2000 && m->fake->nr_refused == 0; i++)
        settle(m);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "1");
    CU_ASSERT_EQUAL(nr_disks(m), 1);
    manager_stop(m);
    fake_refuse(m->fake, "", 0, 0);
    m->store = reopen(m->store, &damage);
    manager_start(m);
    guest_takes_offer(&g, m);
    CU_ASSERT(guest_finds_zeros(&g, 1));
    CU_ASSERT_EQUAL(nr_disks(m), 1);
    manager_end(m);
}

/* It could not be opened, so it is nobody's who could close it. */
static void disk_whose_nodes_fail_goes_with_them(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    fake_write(m->fake, FRONT("state"), "6");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    manager_stop(m);
    fake_write(m->fake, BACK("params"), "swap/17K");
    fake_write(m->fake, FRONT("state"), "1");
    manager_start(m);
    CU_ASSERT(wait_value(m, BACK("error"), "target: the size is not a multiple of 4K"));
    CU_ASSERT_EQUAL(nr_disks(m), 1);
    dom0_detach(m->fake);
    CU_ASSERT(wait_gone(m, BACK("")));
    CU_ASSERT_EQUAL(nr_disks(m), 0);
    manager_end(m);
}

/* ---- dom0 is faster than what we write ---- */

static void dom0_renews(struct fake_platform *f)
{
    f->on_write = NULL;
    fake_remove(f, BACK(""));
    fake_remove(f, FRONT(""));
    dom0_attach(f, "swap/2M");
}

static void dom0_renews_before_closed(struct fake_platform *f, const char *path, const char *text)
{
    if (strcmp(path, BACK("state")) == 0 && strcmp(text, "6") == 0)
        dom0_renews(f);
}

static void dom0_renews_amid_the_offer(struct fake_platform *f, const char *path, const char *text)
{
    (void)text;
    if (strcmp(path, BACK("feature-persistent")) == 0)
        dom0_renews(f);
}

static void nodes_that_are_new_name_the_disk_that_is_attached(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    m->fake->on_write = dom0_renews_before_closed;
    fake_write(m->fake, FRONT("state"), "6");
    guest_takes_offer(&g, m);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("sectors")), "4096");
    CU_ASSERT_FALSE(guest_finds(&g, 1, 1));
    manager_end(m);
}

static void nodes_that_are_new_name_the_disk_that_is_offered(void)
{
    struct manager *m = manager_new();
    struct guest g;

    m->fake->on_write = dom0_renews_amid_the_offer;
    dom0_attach(m->fake, "swap/1M");
    guest_takes_offer(&g, m);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("sectors")), "4096");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("feature-discard")), "1");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("feature-persistent")), "1");
    manager_end(m);
}

static void guest_that_died_while_no_manager_ran_leaves_nothing(void)
{
    struct guest g;
    struct manager *m = connected(&g);
    struct store_damage damage;

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    manager_stop(m);
    fake_remove(m->fake, fake_at(GUEST, "device", ""));
    fake_remove(m->fake, BACK(""));
    m->store = reopen(m->store, &damage);
    CU_ASSERT(has_records(m));
    manager_start(m);
    settle(m);
    CU_ASSERT_FALSE(has_records(m));
    CU_ASSERT_EQUAL(nr_disks(m), 0);
    manager_end(m);
}

/* Of the rings that the last daemon served; a frontend may have had more than the next one has. */
static void records_of_a_connection_go_with_its_nodes(void)
{
    struct guest g;
    struct manager *m = connected(&g);
    struct store_damage damage;

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    manager_stop(m);
    dom0_renews(m->fake);
    m->store = reopen(m->store, &damage);
    CU_ASSERT(has_records(m));
    manager_start(m);
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    CU_ASSERT_FALSE(has_records(m));
    manager_end(m);
}

static void dom0_renews_as_is_mapped(struct fake_platform *f)
{
    f->on_map = NULL;
    dom0_renews(f);
}

/* Then it may be the next guest's ring. */
static void ring_that_is_mapped_after_its_nodes_went_is_not_served(void)
{
    struct guest g;
    struct manager *m = manager_new();

    dom0_attach(m->fake, "swap/1M");
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    m->fake->on_map = dom0_renews_as_is_mapped;
    guest_connect(&g, m);
    guest_put(&g, BLKIF_READ, 0, DATA_PAGE);
    guest_publish(&g);
    CU_ASSERT(wait_value(m, BACK("max-ring-page-order"), "3"));
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    CU_ASSERT_EQUAL(ring_of(&g)->rsp_prod, 0);
    manager_end(m);
}

/* ---- a disk that becomes larger ---- */

#define MIB_SECTORS "2048"
#define TWO_MIB     512u /* pages */
#define TWO_SECTORS "4096"

static const struct disk_ref guests_disk = {.owner = {.domid = GUEST, .vdev = 268440064}};

static void guest_that_connects_is_told_the_size_once(void)
{
    struct manager *m = manager_new();
    unsigned written;
    struct guest g;

    dom0_attach(m->fake, "swap/1M");
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    written = m->fake->nr_written;
    guest_connect(&g, m);
    CU_ASSERT(wait_value(m, BACK("state"), "4"));
    fake_write(m->fake, FRONT("state"), "4");
    settle(m);
    CU_ASSERT_EQUAL(m->fake->nr_written, written + 5); /* four nodes and the state */
    manager_end(m);
}

/* Until no timer is due at any time: xenstore and workers alone can wake the transport. */
static void come_to_rest(struct manager *m)
{
    for (unsigned i = 0; i < 3000; i++) {
        settle(m);
        if (event_base_get_num_events(m->base, EVENT_BASE_COUNT_ADDED) == 2)
            return;
        poll(NULL, 0, 1);
    }
    must(false, "that it comes to rest");
}

/* From 1 MiB to 2, until `sectors` says so. */
static void resize_and_wait(struct manager *m)
{
    CU_ASSERT_EQUAL(disks_resize(m->disks, &guests_disk, TWO_MIB), TMEMIF_OK);
    CU_ASSERT(wait_value(m, BACK("sectors"), TWO_SECTORS));
}

static void guest_is_told_that_its_disk_is_larger(void)
{
    struct guest g;
    struct manager *m = connected(&g);
    unsigned written;

    CU_ASSERT_EQUAL(guest_write(&g, 255, 1), BLKIF_OKAY);
    CU_ASSERT_EQUAL(guest_write(&g, 256, 2), BLKIF_ERROR);
    come_to_rest(m);
    written = m->fake->nr_written;
    resize_and_wait(m);
    settle(m);
    /* the state once more, which is what the frontend hears; and nothing else, or again */
    CU_ASSERT_EQUAL(m->fake->nr_written, written + 2);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "4");
    CU_ASSERT_EQUAL(guest_write(&g, 256, 2), BLKIF_OKAY);
    CU_ASSERT_EQUAL(guest_write(&g, 511, 3), BLKIF_OKAY);
    CU_ASSERT_EQUAL(guest_write(&g, 512, 4), BLKIF_ERROR);
    CU_ASSERT(guest_finds(&g, 255, 1) && guest_finds(&g, 256, 2) && guest_finds(&g, 511, 3));
    fake_write(m->fake, FRONT("state"), "4");
    settle(m);
    CU_ASSERT_EQUAL(m->fake->nr_written, written + 2);
    manager_end(m);
}

/* `sectors` is there when the state says so. */
static void size_comes_before_the_state_that_says_so(void)
{
    struct guest g;
    struct manager *m = connected(&g);
    unsigned written, refused;

    fake_refuse(m->fake, BACK("sectors"), FAKE_WRITES, EAGAIN);
    CU_ASSERT_EQUAL(disks_resize(m->disks, &guests_disk, TWO_MIB), TMEMIF_OK);
    written = m->fake->nr_written;
    refused = m->fake->nr_refused;
    for (unsigned i = 0; i < 2000 && m->fake->nr_refused < refused + 3; i++)
        settle(m);
    CU_ASSERT(m->fake->nr_refused >= refused + 3); /* it is tried again */
    CU_ASSERT_EQUAL(m->fake->nr_written, written);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("sectors")), MIB_SECTORS);
    fake_refuse(m->fake, "", 0, 0);
    CU_ASSERT(wait_value(m, BACK("sectors"), TWO_SECTORS));
    settle(m);
    CU_ASSERT_EQUAL(m->fake->nr_written, written + 2);
    manager_end(m);
}

static void guest_that_connects_anew_finds_the_larger_disk(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    resize_and_wait(m);
    CU_ASSERT_EQUAL(guest_write(&g, 511, 3), BLKIF_OKAY);
    fake_write(m->fake, FRONT("state"), "5");
    CU_ASSERT(wait_value(m, BACK("state"), "5"));
    fake_write(m->fake, FRONT("state"), "6");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    guest_begins_anew(&g, m);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("sectors")), TWO_SECTORS);
    CU_ASSERT(guest_finds(&g, 511, 3));
    /* nodes that are new have a new one, of the size that they say */
    fake_write(m->fake, FRONT("state"), "6");
    dom0_detach(m->fake);
    CU_ASSERT(wait_gone(m, BACK("")));
    dom0_attach(m->fake, "swap/1M");
    guest_takes_offer(&g, m);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("sectors")), MIB_SECTORS);
    manager_end(m);
}

/* A frontend that closes takes Connected for the begin of another connection. */
static void guest_that_closes_is_told_when_it_connects_anew(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    fake_write(m->fake, FRONT("state"), "5");
    CU_ASSERT(wait_value(m, BACK("state"), "5"));
    CU_ASSERT_EQUAL(disks_resize(m->disks, &guests_disk, TWO_MIB), TMEMIF_OK);
    settle(m);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "5");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("sectors")), MIB_SECTORS);
    fake_write(m->fake, FRONT("state"), "6");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    guest_begins_anew(&g, m);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("sectors")), TWO_SECTORS);
    manager_end(m);
}

/* As if a daemon had been killed when the catalogue had the new size, and nobody knew of it. */
static void resize_disk_unheard(struct manager *m)
{
    const struct engine_config engine_config = {.nr_workers = 2, .hash_seed = 1};
    struct disks_config config = {.store = m->store, .nr_workers = 2};
    struct disks_found found;
    struct disks *disks = NULL;
    const char *why;

    config.engine = engine_create(m->store, &engine_config);
    MUST(config.engine && disks_create(&config, &disks, &found, &why));
    CU_ASSERT_EQUAL(disks_resize(disks, &guests_disk, TWO_MIB), TMEMIF_OK);
    disks_destroy(disks);
    engine_destroy(config.engine);
}

static void next_daemon_tells_what_the_last_one_may_not_have_told(void)
{
    struct guest g;
    struct manager *m = connected(&g);
    unsigned written;

    CU_ASSERT_EQUAL(guest_write(&g, 255, 1), BLKIF_OKAY);
    manager_stop(m);
    resize_disk_unheard(m);
    manager_start(m);
    CU_ASSERT(wait_value(m, BACK("sectors"), TWO_SECTORS));
    settle(m);
    CU_ASSERT(guest_finds(&g, 255, 1));
    CU_ASSERT_EQUAL(guest_write(&g, 511, 3), BLKIF_OKAY);
    /* killed between the two nodes: `sectors` is right, and the state was not written again */
    written = m->fake->nr_written;
    manager_restart(m);
    CU_ASSERT_EQUAL(m->fake->nr_written, written + 3); /* and that the manager is ready */
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "4");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("sectors")), TWO_SECTORS);
    CU_ASSERT(guest_finds(&g, 511, 3));
    manager_end(m);
}

/* Both nodes are written at once, or none is. */
static void state_of_a_resize_that_was_refused_is_said_again(void)
{
    struct guest g;
    struct manager *m = connected(&g);
    unsigned written;

    come_to_rest(m);
    fake_refuse(m->fake, BACK("state"), FAKE_WRITES, EAGAIN);
    written = m->fake->nr_written;
    CU_ASSERT_EQUAL(disks_resize(m->disks, &guests_disk, TWO_MIB), TMEMIF_OK);
    settle(m);
    CU_ASSERT(m->fake->nr_refused > 0);
    CU_ASSERT_EQUAL(m->fake->nr_written, written);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("sectors")), MIB_SECTORS);
    fake_refuse(m->fake, "", 0, 0);
    for (unsigned i = 0; i < 2000 && m->fake->nr_written < written + 2; i++) {
        settle(m);
        poll(NULL, 0, 1);
    }
    CU_ASSERT_EQUAL(m->fake->nr_written, written + 2);
    come_to_rest(m);
    CU_ASSERT_EQUAL(m->fake->nr_written, written + 2);
    manager_end(m);
}

static void resize_while_a_disk_is_taken_up_is_told(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    manager_stop(m);
    fake_refuse(m->fake, FRONT("ring-ref"), FAKE_READS, EAGAIN);
    manager_start(m);
    while (m->fake->nr_refused == 0)
        settle(m);
    CU_ASSERT_EQUAL(disks_resize(m->disks, &guests_disk, TWO_MIB), TMEMIF_OK);
    fake_refuse(m->fake, "", 0, 0);
    CU_ASSERT(wait_value(m, BACK("sectors"), TWO_SECTORS));
    CU_ASSERT_EQUAL(guest_write(&g, 511, 3), BLKIF_OKAY);
    manager_end(m);
}

/* It may have slept, with its old size (xl save): it reads the size when it is told once more. */
static void guest_that_connects_to_a_resized_disk_is_told_when_it_is_connected(void)
{
    struct guest g;
    struct manager *m = connected(&g);
    unsigned written;

    resize_and_wait(m);
    fake_write(m->fake, FRONT("state"), "6");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    guest_begins_anew(&g, m);
    come_to_rest(m);
    written = m->fake->nr_written;
    fake_write(m->fake, FRONT("state"), "4");
    come_to_rest(m);
    CU_ASSERT_EQUAL(m->fake->nr_written, written + 2);
    manager_end(m);
}

/* Its nodes say the size that it was made with. */
static void disk_that_became_larger_twice_is_found_after_a_kill(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    CU_ASSERT_EQUAL(guest_write(&g, 7, 7), BLKIF_OKAY);
    resize_and_wait(m);
    CU_ASSERT_EQUAL(disks_resize(m->disks, &guests_disk, 768), TMEMIF_OK);
    manager_restart(m);
    CU_ASSERT_EQUAL(guest_write(&g, 767, 8), BLKIF_OKAY);
    CU_ASSERT(guest_finds(&g, 7, 7));
    manager_end(m);
}

static void disk_of_its_first_size_is_taken_up_without_a_word(void)
{
    struct guest g;
    struct manager *m = connected(&g);
    unsigned written = m->fake->nr_written;

    manager_restart(m);
    CU_ASSERT_EQUAL(guest_write(&g, 255, 1), BLKIF_OKAY);
    CU_ASSERT_EQUAL(m->fake->nr_written, written + 1); /* that the manager is ready */
    manager_end(m);
}

/* ---- a disk that two want, as when a domain is migrated within the host ---- */

static void disk_in_use_is_waited_for_and_its_user_named(void)
{
    struct guest g, other;
    struct manager *m = contended(&g, &other);

    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, back_of(OTHER_GUEST, "feature-discard")), "1");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, back_of(OTHER_GUEST, "state")), "2");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, back_of(OTHER_GUEST, "error")),
                           "waits until domain 7 lets the disk go");
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 1);
    CU_ASSERT(guest_finds(&g, 1, 1));
    fake_write(m->fake, FRONT("state"), "6");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    /* it may begin anew */
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, back_of(OTHER_GUEST, "state")), "2");
    dom0_detach(m->fake);
    CU_ASSERT(wait_value(m, back_of(OTHER_GUEST, "state"), "4"));
    CU_ASSERT_FALSE(fake_exists(m->fake, back_of(OTHER_GUEST, "error")));
    CU_ASSERT(guest_finds(&other, 1, 1));
    CU_ASSERT_EQUAL(nr_disks(m), 2);
    manager_end(m);
}

static void who_waits_is_told_again_in_nodes_that_are_new(void)
{
    struct guest g, other;
    struct manager *m = contended(&g, &other);

    fake_remove(m->fake, back_of(OTHER_GUEST, ""));
    dom0_attach_to(m->fake, OTHER_GUEST, "clone/root/home");
    CU_ASSERT(wait_value(m, back_of(OTHER_GUEST, "state"), "2"));
    CU_ASSERT(
        wait_value(m, back_of(OTHER_GUEST, "error"), "waits until domain 7 lets the disk go"));
    manager_end(m);
}

static void disk_of_a_guest_that_dies_goes_to_who_waits_for_it(void)
{
    struct guest g, other;
    struct manager *m = contended(&g, &other);

    fake_remove(m->fake, fake_at(GUEST, "device", ""));
    fake_fire(m->fake, "@releaseDomain");
    CU_ASSERT(wait_value(m, back_of(OTHER_GUEST, "state"), "4"));
    CU_ASSERT(guest_finds(&other, 1, 1));
    manager_end(m);
}

/* The one who waits is looked at first: who is found last begins the roster. */
static void disk_is_still_its_users_after_a_restart(void)
{
    struct guest g, other;
    struct manager *m = contended(&g, &other);

    manager_restart(m);
    CU_ASSERT(wait_value(m, fake_at(MANAGER, "data/xentmem", "ready"), "2"));
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, back_of(OTHER_GUEST, "state")), "2");
    CU_ASSERT(guest_finds(&g, 1, 1));
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, back_of(OTHER_GUEST, "error")),
                           "waits until domain 7 lets the disk go");
    manager_end(m);
}

/* A guest that began anew while no daemon ran keeps nobody waiting, itself least of all. */
static void guest_that_began_anew_meanwhile_delays_nobody(void)
{
    struct guest g, other;
    struct manager *m = contended(&g, &other);
    struct store_damage damage;

    manager_stop(m);
    fake_write(m->fake, FRONT("state"), "1");
    m->store = reopen(m->store, &damage);
    manager_start(m);
    CU_ASSERT(wait_value(m, fake_at(MANAGER, "data/xentmem", "ready"), "2"));
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    CU_ASSERT(wait_value(m, back_of(OTHER_GUEST, "state"), "4"));
    CU_ASSERT(guest_finds(&other, 1, 1));
    manager_end(m);
}

static void who_waits_and_is_detached_waits_no_more(void)
{
    struct guest g, other;
    struct manager *m = contended(&g, &other);

    fake_write(m->fake, back_of(OTHER_GUEST, "online"), "0");
    fake_write(m->fake, back_of(OTHER_GUEST, "state"), "5");
    CU_ASSERT(wait_gone(m, back_of(OTHER_GUEST, "")));
    CU_ASSERT(guest_finds(&g, 1, 1));
    fake_write(m->fake, FRONT("state"), "6");
    dom0_detach(m->fake);
    CU_ASSERT(wait_gone(m, BACK("")));
    CU_ASSERT_EQUAL(nr_disks(m), 2);
    manager_end(m);
}

static void disk_that_is_refused_for_its_nodes_is_not_kept_from_others(void)
{
    struct manager *m = manager_new();

    make_base(m, "root");
    fake_refuse(m->fake, BACK("multi-queue-max-queues"), FAKE_WRITES, ENOSPC);
    dom0_attach(m->fake, "clone/root/home");
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    dom0_attach_to(m->fake, OTHER_GUEST, "clone/root/home");
    CU_ASSERT(wait_value(m, back_of(OTHER_GUEST, "state"), "2"));
    CU_ASSERT_FALSE(fake_exists(m->fake, back_of(OTHER_GUEST, "error")));
    manager_end(m);
}

/* ---- restarts ---- */

static void restarted_daemon_goes_on_where_the_ring_stands(void)
{
    struct guest g;
    struct manager *m = connected(&g);
    uint64_t value = 0;

    for (unsigned i = 0; i < 40; i++) /* more than the ring has slots */
        CU_ASSERT_EQUAL(guest_write(&g, i, i), BLKIF_OKAY);
    manager_stop(m);
    fill_page(page_of(m, DATA_PAGE), 77);
    guest_put(&g, BLKIF_WRITE, 8 * 8, DATA_PAGE);
    __atomic_store_n(&ring_of(&g)->req_prod, g.req_prod, __ATOMIC_RELEASE); /* nobody hears it */
    while (read(m->fake->channels[PORT].to_frontend, &value, sizeof(value)) > 0)
        ;
    manager_start(m);
    settle(m);
    CU_ASSERT_EQUAL(guest_take(&g), BLKIF_OKAY);
    CU_ASSERT(guest_finds(&g, 8, 77));
    CU_ASSERT(guest_finds(&g, 39, 39));
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "4");
    /* a frontend that slept is woken */
    CU_ASSERT_EQUAL(read(m->fake->channels[PORT].to_frontend, &value, sizeof(value)),
                    sizeof(value));
    manager_restart(m);
    CU_ASSERT(guest_finds(&g, 8, 77));
    manager_end(m);
}

/* As if its entry had been damaged. */
static void lose_disk(struct manager *m)
{
    const struct engine_config engine_config = {.nr_workers = 2, .hash_seed = 1};
    const struct disk_ref ref = {.owner = {.domid = GUEST, .vdev = (uint32_t)atoi(VDEV)}};
    struct disks_config config = {.store = m->store, .nr_workers = 2};
    struct disks_found found;
    struct disks *disks = NULL;
    const char *why;

    config.engine = engine_create(m->store, &engine_config);
    MUST(config.engine && disks_create(&config, &disks, &found, &why));
    disks_taken_up(disks);
    CU_ASSERT_EQUAL(disks_remove(disks, &ref), TMEMIF_OK);
    disks_destroy(disks);
    engine_destroy(config.engine);
}

/* As if the operator had made one of that name again. */
static void make_disk(struct manager *m)
{
    const struct engine_config engine_config = {.nr_workers = 2, .hash_seed = 1};
    const struct disk_owner owner = {.domid = GUEST, .vdev = (uint32_t)atoi(VDEV)};
    struct disks_config config = {.store = m->store, .nr_workers = 2};
    struct disks_found found;
    struct disks *disks = NULL;
    struct target target;
    struct disk *disk;
    const char *why;

    config.engine = engine_create(m->store, &engine_config);
    MUST(config.engine && disks_create(&config, &disks, &found, &why));
    MUST(target_parse("swap/1M", strlen("swap/1M"), &target, &why) &&
         disks_open(disks, &target, &owner, &disk, &why));
    disks_destroy(disks);
    engine_destroy(config.engine);
}

static void disk_that_is_made_again_is_not_the_one_that_was_lost(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    manager_stop(m);
    lose_disk(m);
    manager_start(m);
    CU_ASSERT_EQUAL(guest_call(&g, BLKIF_READ, 8, DATA_PAGE), BLKIF_ERROR);
    manager_stop(m);
    make_disk(m);
    manager_start(m);
    CU_ASSERT_EQUAL(guest_call(&g, BLKIF_READ, 8, DATA_PAGE), BLKIF_ERROR);
    CU_ASSERT_EQUAL(guest_call(&g, BLKIF_WRITE, 8, DATA_PAGE), BLKIF_ERROR);
    manager_end(m);
}

static void requests_for_a_disk_that_was_lost_are_errors(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    manager_stop(m);
    lose_disk(m);
    guest_put(&g, BLKIF_WRITE, 8 * 8, DATA_PAGE);
    guest_publish(&g);
    manager_start(m);
    CU_ASSERT_EQUAL(guest_take(&g), BLKIF_ERROR);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "4");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("error")),
                           "the disk was lost with the manager's memory: detach it");
    CU_ASSERT_EQUAL(guest_call(&g, BLKIF_READ, 8, DATA_PAGE), BLKIF_ERROR);
    CU_ASSERT_EQUAL(guest_call(&g, BLKIF_FLUSH, 0, DATA_PAGE), BLKIF_ERROR);
    CU_ASSERT_EQUAL(nr_disks(m), 0);
    /* nor does the next daemon have it */
    manager_restart(m);
    CU_ASSERT_EQUAL(guest_call(&g, BLKIF_READ, 8, DATA_PAGE), BLKIF_ERROR);
    dom0_detach(m->fake);
    settle(m);
    CU_ASSERT_EQUAL(guest_call(&g, BLKIF_READ, 8, DATA_PAGE), BLKIF_ERROR);
    fake_write(m->fake, FRONT("state"), "6");
    CU_ASSERT(wait_gone(m, BACK("")));
    dom0_attach(m->fake, "swap/1M");
    CU_ASSERT(wait_value(m, BACK("state"), "2"));
    CU_ASSERT_FALSE(fake_exists(m->fake, BACK("error")));
    manager_end(m);
}

/*
 * The manager's domain is gone, with its memory and its nodes; another one has its domid, and dom0
 * has written the nodes again.
 */
static void frontends_of_a_manager_that_died_have_errors_from_the_next(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    for (unsigned i = 0; i < 40; i++)
        CU_ASSERT_EQUAL(guest_write(&g, i, i), BLKIF_OKAY);
    manager_stop(m);
    store_close(m->store);
    m->store = store_of(1024, 64);
    fake_remove(m->fake, BACK(""));
    make_disk(m); /* by then there is one of that name: it is not the one that the guest had */
    manager_start(m);
    for (unsigned i = 0; i < 3; i++)
        guest_put(&g, BLKIF_READ, i, DATA_PAGE);
    guest_publish(&g);
    settle(m);
    dom0_writes_nodes(m->fake, GUEST, "swap/1M", "4");
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(guest_take(&g), BLKIF_ERROR);
    CU_ASSERT_EQUAL(guest_call(&g, BLKIF_WRITE, 0, DATA_PAGE), BLKIF_ERROR);
    /* a frontend that begins anew has a new disk */
    guest_begins_anew(&g, m);
    CU_ASSERT_FALSE(fake_exists(m->fake, BACK("error")));
    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    manager_end(m);
}

static void ring_that_a_guest_changed_meanwhile_is_closed(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    manager_stop(m);
    ring_of(&g)->rsp_prod = 9;
    manager_start(m);
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("error")), "the record is of another ring");
    CU_ASSERT_EQUAL(m->fake->nr_mapped, 0);
    manager_end(m);
}

static void detach_while_no_daemon_ran_waits_for_the_guest(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    manager_stop(m);
    dom0_detach(m->fake);
    manager_start(m);
    settle(m);
    CU_ASSERT(guest_finds(&g, 1, 1));
    fake_write(m->fake, FRONT("state"), "6");
    CU_ASSERT(wait_gone(m, BACK("")));
    manager_end(m);
}

/* A read that fails says nothing: whichever it is, no disk is lost of it. */
static void what_xenstore_does_not_say_is_asked_again(void)
{
    struct guest g;
    struct manager *m = connected(&g);
    unsigned asked;

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    manager_stop(m);
    asked = m->fake->nr_asked;
    manager_start(m);
    settle(m);
    asked = m->fake->nr_asked - asked;
    for (unsigned i = 1; i <= asked; i++) {
        manager_stop(m);
        m->fake->refused_at = m->fake->nr_asked + i;
        manager_start(m);
        for (unsigned k = 0; k < 400 && strcmp(fake_value(m->fake, BACK("state")), "4") == 0 &&
                             m->fake->nr_mapped == 0;
             k++)
            settle(m);
        CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "4");
        CU_ASSERT(guest_finds(&g, 1, 1));
    }
    manager_end(m);
}

/* ---- what a restart lacks ---- */

static struct manager *connected_to_cache(struct guest *g)
{
    struct manager *m = manager_new();

    manager_stop(m);
    m->devices = calloc(1, sizeof(*m->devices));
    MUST(m->devices);
    fake_devices_make(m->devices);
    manager_start(m);
    dom0_attach(m->fake, "cache/xvdb");
    guest_takes_offer(g, m);
    fake_write(m->fake, FRONT("state"), "4");
    settle(m);
    return m;
}

static void start_without_the_device(struct manager *m)
{
    m->devices->devices[0].is_away = true;
    manager_start(m);
    CU_ASSERT(wait_value(m, BACK("error"), "no such device"));
}

static void cache_manager_end(struct manager *m)
{
    struct cache_world *devices = m->devices;

    manager_end(m);
    fake_devices_end(devices);
    free(devices);
}

/* The request that waits is done then, in memory that is another one. */
static void guest_waits_for_a_device_that_is_not_there_when_it_is_taken_up(void)
{
    struct guest g;
    struct manager *m = connected_to_cache(&g);

    CU_ASSERT_EQUAL(guest_write(&g, 5, 77), BLKIF_OKAY);
    manager_stop(m);
    store_close(m->store);
    m->store = store_of(1024, 64);
    guest_put(&g, BLKIF_READ, 3 * 8, DATA_PAGE);
    guest_publish(&g);
    start_without_the_device(m);
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "4");
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, fake_at(MANAGER, "data/xentmem", "ready")), "1");
    CU_ASSERT_FALSE(has_records(m));
    /* not as it was, either */
    m->devices->devices[0].backing.read_only = true;
    m->devices->devices[0].is_away = false;
    CU_ASSERT(wait_value(m, BACK("error"), "the manager has this device read-only: access=ro"));
    m->devices->devices[0].backing.read_only = false;
    CU_ASSERT_EQUAL(guest_take(&g), BLKIF_OKAY);
    CU_ASSERT(page_has(page_of(m, DATA_PAGE), 3));
    CU_ASSERT(guest_finds(&g, 5, 77));
    CU_ASSERT_FALSE(fake_exists(m->fake, BACK("error")));
    cache_manager_end(m);
}

/* What one daemon said is not true of the next. */
static void device_that_is_there_for_the_next_daemon_is_no_error(void)
{
    struct guest g;
    struct manager *m = connected_to_cache(&g);

    manager_stop(m);
    start_without_the_device(m);
    manager_stop(m);
    m->devices->devices[0].is_away = false;
    manager_start(m);
    CU_ASSERT_EQUAL(guest_call(&g, BLKIF_READ, 3 * 8, DATA_PAGE), BLKIF_OKAY);
    CU_ASSERT_FALSE(fake_exists(m->fake, BACK("error")));
    cache_manager_end(m);
}

static void guest_that_waits_for_a_device_can_be_detached(void)
{
    struct guest g;
    struct manager *m = connected_to_cache(&g);

    manager_stop(m);
    guest_put(&g, BLKIF_READ, 3 * 8, DATA_PAGE);
    guest_publish(&g);
    start_without_the_device(m);
    dom0_detach(m->fake);
    CU_ASSERT_EQUAL(guest_take(&g), BLKIF_ERROR);
    fake_write(m->fake, FRONT("state"), "6");
    CU_ASSERT(wait_gone(m, BACK("")));
    cache_manager_end(m);
}

static void guest_waits_while_the_manager_has_no_descriptors(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    manager_stop(m);
    guest_put(&g, BLKIF_READ, 8, DATA_PAGE + 1);
    guest_publish(&g);
    m->fake->bind_errno = EMFILE;
    manager_start(m);
    CU_ASSERT(wait_value(m, BACK("error"), "the manager is out of memory or descriptors"));
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "4");
    m->fake->bind_errno = 0;
    CU_ASSERT_EQUAL(guest_take(&g), BLKIF_OKAY);
    CU_ASSERT(page_holds(page_of(m, DATA_PAGE + 1), 1));
    CU_ASSERT_FALSE(fake_exists(m->fake, BACK("error")));
    manager_end(m);
}

/* Whatever it is that the system refuses, once: the guest waits, and has its disk. */
static void what_the_system_refuses_at_a_take_up_loses_no_disk(void)
{
    struct guest g;
    struct manager *m = connected(&g);
    bool refused = true;

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    for (unsigned nth = 1; refused; nth++) {
        manager_stop(m);
        manager_start(m);
        fault_arm(nth, false);
        settle(m);
        refused = fault_disarm();
        /* nor is it another's, or nobody's, before it is taken up */
        CU_ASSERT_EQUAL(disks_remove(m->disks, &guests_disk), TMEMIF_BUSY);
        CU_ASSERT_STRING_EQUAL(fake_value(m->fake, BACK("state")), "4");
        CU_ASSERT(guest_finds(&g, 1, 1));
    }
    manager_end(m);
}

/* Who has it is not known yet. */
static void disk_is_not_removed_before_its_guest_is_taken_up(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    manager_stop(m);
    fake_refuse(m->fake, FRONT("state"), FAKE_READS, EAGAIN);
    manager_start(m);
    settle(m);
    CU_ASSERT_EQUAL(disks_remove(m->disks, &guests_disk), TMEMIF_BUSY);
    fake_refuse(m->fake, "", 0, 0);
    CU_ASSERT(guest_finds(&g, 1, 1));
    CU_ASSERT_EQUAL(disks_remove(m->disks, &guests_disk), TMEMIF_BUSY);
    manager_stop(m);
    fake_write(m->fake, FRONT("state"), "6");
    manager_start(m);
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    settle(m);
    CU_ASSERT_EQUAL(disks_remove(m->disks, &guests_disk), TMEMIF_OK);
    manager_end(m);
}

static void guest_that_closed_while_no_daemon_ran_leaves_no_records(void)
{
    struct guest g;
    struct manager *m = connected(&g);

    manager_stop(m);
    fake_write(m->fake, FRONT("state"), "6");
    CU_ASSERT(has_records(m));
    manager_start(m);
    CU_ASSERT(wait_value(m, BACK("state"), "6"));
    dom0_detach(m->fake);
    CU_ASSERT(wait_gone(m, BACK("")));
    CU_ASSERT_FALSE(has_records(m));
    manager_end(m);
}

static void manager_is_no_guest_of_its_own(void)
{
    struct manager *m = manager_new();

    dom0_attach_to(m->fake, MANAGER, "swap/1M");
    CU_ASSERT(wait_value(m, back_of(MANAGER, "state"), "6"));
    CU_ASSERT_STRING_EQUAL(fake_value(m->fake, back_of(MANAGER, "error")),
                           "the manager cannot be a guest of its own");
    CU_ASSERT_EQUAL(nr_disks(m), 0);
    manager_end(m);
}

/* xenstored has no watch left for us: then it is looked at by time. */
static void frontend_that_cannot_be_watched_is_served(void)
{
    struct manager *m = manager_new();
    struct guest g;

    fake_refuse(m->fake, FRONT("state"), FAKE_WATCHES, E2BIG);
    dom0_attach(m->fake, "swap/1M");
    guest_takes_offer(&g, m);
    CU_ASSERT_EQUAL(guest_write(&g, 1, 1), BLKIF_OKAY);
    fake_refuse(m->fake, "", 0, 0);
    come_to_rest(m);
    manager_end(m);
}

#define TESTS(T)                                                                                   \
    T(features_come_before_the_state_that_says_so)                                                 \
    T(guest_reads_what_it_wrote)                                                                   \
    T(pages_that_stay_granted_stay_mapped)                                                         \
    T(pages_that_cannot_be_mapped_are_copied_and_that_is_told)                                     \
    T(frontend_that_was_not_offered_it_grants_for_each_request)                                    \
    T(pages_that_are_granted_for_each_request_are_copied)                                          \
    T(attach_that_was_made_before_the_manager_is_served)                                           \
    T(read_only_disk_says_so)                                                                      \
    T(discard_is_not_offered_where_dom0_does_not_want_it)                                          \
    T(bad_targets_are_refused_with_a_reason)                                                       \
    T(bad_ring_is_refused_and_the_next_one_served)                                                 \
    T(channel_that_cannot_be_bound_is_named)                                                       \
    T(quota_of_xenstore_that_shows_at_the_end_closes_the_disk)                                     \
    T(frontend_that_begins_anew_has_its_disk_whatever_is_refused_for_a_while)                      \
    T(quota_of_xenstore_is_named)                                                                  \
    T(frontend_that_breaks_the_protocol_is_closed)                                                 \
    T(state_without_a_meaning_ends_the_session)                                                    \
    T(guest_that_begins_all_the_time_has_to_wait)                                                  \
    T(dom0_serves_no_disks)                                                                        \
    T(detached_disk_that_is_not_used_goes)                                                         \
    T(folder_stays_until_it_says_closed)                                                           \
    T(disk_in_use_is_served_until_its_guest_lets_it_go)                                            \
    T(disk_that_was_detached_is_not_the_next_ones)                                                 \
    T(guest_that_dies_takes_its_disk_along)                                                        \
    T(disk_of_a_guest_that_died_is_not_the_next_ones)                                              \
    T(disk_goes_with_its_backends_folder)                                                          \
    T(guest_that_closes_and_begins_anew_has_its_disk)                                              \
    T(nodes_of_the_next_guest_while_no_manager_ran_have_a_new_disk)                                \
    T(nodes_that_were_left_behind_while_no_manager_ran_keep_nothing)                               \
    T(offer_that_was_not_made_is_made_by_the_next_manager)                                         \
    T(disk_whose_nodes_fail_goes_with_them)                                                        \
    T(nodes_that_are_new_name_the_disk_that_is_attached)                                           \
    T(nodes_that_are_new_name_the_disk_that_is_offered)                                            \
    T(guest_that_died_while_no_manager_ran_leaves_nothing)                                         \
    T(records_of_a_connection_go_with_its_nodes)                                                   \
    T(ring_that_is_mapped_after_its_nodes_went_is_not_served)                                      \
    T(guest_that_connects_is_told_the_size_once)                                                   \
    T(guest_is_told_that_its_disk_is_larger)                                                       \
    T(size_comes_before_the_state_that_says_so)                                                    \
    T(guest_that_connects_anew_finds_the_larger_disk)                                              \
    T(guest_that_closes_is_told_when_it_connects_anew)                                             \
    T(next_daemon_tells_what_the_last_one_may_not_have_told)                                       \
    T(disk_of_its_first_size_is_taken_up_without_a_word)                                           \
    T(disk_in_use_is_waited_for_and_its_user_named)                                                \
    T(who_waits_is_told_again_in_nodes_that_are_new)                                               \
    T(disk_of_a_guest_that_dies_goes_to_who_waits_for_it)                                          \
    T(disk_is_still_its_users_after_a_restart)                                                     \
    T(guest_that_began_anew_meanwhile_delays_nobody)                                               \
    T(who_waits_and_is_detached_waits_no_more)                                                     \
    T(disk_that_is_refused_for_its_nodes_is_not_kept_from_others)                                  \
    T(restarted_daemon_goes_on_where_the_ring_stands)                                              \
    T(disk_that_is_made_again_is_not_the_one_that_was_lost)                                        \
    T(requests_for_a_disk_that_was_lost_are_errors)                                                \
    T(frontends_of_a_manager_that_died_have_errors_from_the_next)                                  \
    T(ring_that_a_guest_changed_meanwhile_is_closed)                                               \
    T(detach_while_no_daemon_ran_waits_for_the_guest)                                              \
    T(what_xenstore_does_not_say_is_asked_again)                                                   \
    T(state_of_a_resize_that_was_refused_is_said_again)                                            \
    T(resize_while_a_disk_is_taken_up_is_told)                                                     \
    T(guest_that_connects_to_a_resized_disk_is_told_when_it_is_connected)                          \
    T(disk_that_became_larger_twice_is_found_after_a_kill)                                         \
    T(guest_waits_for_a_device_that_is_not_there_when_it_is_taken_up)                              \
    T(device_that_is_there_for_the_next_daemon_is_no_error)                                        \
    T(guest_that_waits_for_a_device_can_be_detached)                                               \
    T(guest_waits_while_the_manager_has_no_descriptors)                                            \
    T(what_the_system_refuses_at_a_take_up_loses_no_disk)                                          \
    T(disk_is_not_removed_before_its_guest_is_taken_up)                                            \
    T(guest_that_closed_while_no_daemon_ran_leaves_no_records)                                     \
    T(manager_is_no_guest_of_its_own)                                                              \
    T(frontend_that_cannot_be_watched_is_served)
RUN_TESTS(TESTS)
