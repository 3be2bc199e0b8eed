/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hostile: a guest that does everything wrong, one thing a run; and one that does
 * everything right, whom it must not disturb.
 *
 *   hostile ITEM           does it, and judges what came of it; exits 0 if it is as it should be
 *   hostile list           names of all items
 *   hostile friend [DISK]  keeps every rule, for ever
 *
 * The friend puts and gets pages of a pool, and writes and reads those of its disk. Node
 * data/rounds says how often, and the longest that it took, in ms.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/codec.h"
#include "tests/xen/hostile/front.h"
#include "tests/xen/hostile/items.h"
#include "tests/xen/hostile/page.h"
#include "tests/xen/hostile/spoil.h"

/* ---- judging ---- */

/* The next session of the same guest is as good as any. */
static bool is_served_again(struct front *f)
{
    bool ok = front_attach(f) && front_nop(f) == TMEMIF_OK;

    if (!ok)
        printf("is not served afterwards: \"%s\"\n", handshake_error(&f->handshake));
    front_leave(f);
    return ok;
}

/* ---- nodes ---- */

/* A whole frontend, but for one node. */
static bool try_node(const struct wrong_node *w)
{
    char item[SCHEMA_PATH_LEN];
    struct front f;
    bool ok;

    front_open(&f);
    handshake_begin(&f.handshake);
    front_share(&f, FRONT_DATA_PAGES);
    front_publish(&f);
    spoil_node(&f.handshake, w);
    handshake_state(&f.handshake, XENBUS_INITIALISED);
    schema_key(item, w->node, 0);
    ok = handshake_is_closed_for(&f.handshake, item, w->reason);
    front_leave(&f);
    return ok;
}

static bool try_nodes(const struct wrong_node *wrong, unsigned nr)
{
    bool ok = true;

    for (unsigned i = 0; i < nr; i++)
        ok = try_node(&wrong[i]) && ok;
    return ok;
}
#define TRY_NODES(wrong) try_nodes(wrong, sizeof(wrong) / sizeof(wrong[0]))

static bool item_nodes_missing(void)
{
    static const struct wrong_node wrong[] = {
        {SCHEMA_FRONTEND_VERSION, NULL, 0, "version is missing"},
        {SCHEMA_FRONTEND_RING_REF, NULL, 0, "ring-ref0 is missing"},
        {SCHEMA_FRONTEND_CHANNEL, NULL, 0, "event-channel-0 is missing"},
        {SCHEMA_FRONTEND_DATA_PAGES, NULL, 0, "data-pages is missing"},
        {SCHEMA_FRONTEND_DATA_REF, NULL, 0, "data-ref0 is missing"},
    };

    return TRY_NODES(wrong);
}

static bool item_nodes_huge(void)
{
    char huge[2000];
    const struct wrong_node wrong[] = {
        {SCHEMA_FRONTEND_RING_REF, huge, sizeof(huge), "not a list"},
        {SCHEMA_FRONTEND_DATA_PAGES, huge, sizeof(huge), "not a decimal number"},
    };

    memset(huge, '1', sizeof(huge));
    return TRY_NODES(wrong);
}

static bool item_nodes_binary(void)
{
    static const struct wrong_node wrong[] = {
        {SCHEMA_FRONTEND_CHANNEL, "1\0\xff\x1b[2J\n", 8, "not a decimal number"},
        {SCHEMA_FRONTEND_RING_REF, "\xff\xfe\0\0", 4, "not a list"},
    };
    struct front f;
    bool ok = TRY_NODES(wrong);

    /* and the state node by itself, which is what the manager watches */
    front_open(&f);
    handshake_begin(&f.handshake);
    handshake_write(&f.handshake, SCHEMA_FRONTEND_STATE, "\xff\0\n", 3);
    ok = handshake_is_closed_for(&f.handshake, "state", "no meaning") && ok;
    front_leave(&f);
    return ok;
}

static bool item_nodes_range(void)
{
    static const struct wrong_node wrong[] = {
        {SCHEMA_FRONTEND_VERSION, "2", 0, "version is out of range"},
        {SCHEMA_FRONTEND_NUM_RINGS, "0", 0, "num-rings is out of range"},
        {SCHEMA_FRONTEND_NUM_RINGS, "64", 0, "num-rings is more than"},
        {SCHEMA_FRONTEND_ORDER, "4", 0, "ring-page-order is out of range"},
        {SCHEMA_FRONTEND_DATA_PAGES, "65536", 0, "data-pages is more than"},
        {SCHEMA_FRONTEND_CHANNEL, "4294967296", 0, "event-channel-0 is out of range"},
        {SCHEMA_FRONTEND_FENCE, "1", 0, "fence-ms is not offered"},
    };

    return TRY_NODES(wrong);
}

/* Nodes that change all the time while the manager reads them. */
struct flipper {
    struct front *front;
    atomic_bool stop;
};

static void *flip(void *arg)
{
    static const char *const values[] = {"0", "1", "2", "77777", "-1", "1 2", "x"};
    struct flipper *flipper = arg;
    struct front other = *flipper->front;

    other.handshake.xs = xs_open(0);
    for (unsigned i = 0; other.handshake.xs && !atomic_load(&flipper->stop); i++) {
        handshake_write_text(&other.handshake, SCHEMA_FRONTEND_RING_REF, values[i % 7]);
        handshake_write_text(&other.handshake, SCHEMA_FRONTEND_NUM_RINGS, values[(i + 1) % 7]);
        handshake_write_text(&other.handshake, SCHEMA_FRONTEND_DATA_PAGES, values[(i + 2) % 7]);
        handshake_write_text(&other.handshake, SCHEMA_FRONTEND_DATA_REF, values[(i + 3) % 7]);
    }
    xs_close(other.handshake.xs);
    return NULL;
}

static bool item_nodes_changing(void)
{
    struct flipper flipper;
    struct front f;
    pthread_t thread;

    front_open(&f);
    for (unsigned i = 0; i < 5; i++) {
        unsigned state;

        handshake_begin(&f.handshake);
        front_share(&f, FRONT_DATA_PAGES);
        front_publish(&f);
        flipper.front = &f;
        atomic_init(&flipper.stop, false);
        if (pthread_create(&thread, NULL, flip, &flipper) != 0)
            hostile_give_up("thread");
        poll(NULL, 0, 50);
        handshake_state(&f.handshake, XENBUS_INITIALISED);
        state = handshake_wait(&f.handshake, STATE_BIT(XENBUS_CONNECTED) | STATE_BIT(XENBUS_CLOSED),
                               PATIENCE_MS);
        atomic_store(&flipper.stop, true);
        pthread_join(thread, NULL);
        printf("backend state %u, error \"%s\"\n", state, handshake_error(&f.handshake));
        front_leave(&f);
        if (state != XENBUS_CONNECTED && state != XENBUS_CLOSED)
            return false;
    }
    return is_served_again(&f);
}

/* What belongs to others is not this guest's to write, or to see. */
static bool item_nodes_of_others(void)
{
    static const enum schema_node others[] = {
        SCHEMA_BACKEND_STATE, SCHEMA_BACKEND_ERROR, SCHEMA_BACKEND_EPOCH,
        SCHEMA_GUEST_QUOTA,   SCHEMA_GUEST_UUID,    SCHEMA_MANAGER_READY,
    };
    char path[SCHEMA_PATH_LEN];
    struct front f;
    bool ok = true;
    unsigned len;

    front_open(&f);
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        schema_path(path, &f.handshake.place, others[i], 0);
        if (xs_write(f.handshake.xs, XBT_NULL, path, "1", 1)) {
            printf("%s can be written\n", path);
            ok = false;
        }
    }
    schema_path(path, &f.handshake.place, SCHEMA_GUEST_QUOTA, 0);
    if (xs_read(f.handshake.xs, XBT_NULL, path, &len)) {
        printf("%s can be read\n", path);
        ok = false;
    }
    return is_served_again(&f) && ok;
}

/* ---- states ---- */

static bool item_states_skipped(void)
{
    struct front f;
    bool ok;

    front_open(&f);
    handshake_begin(&f.handshake);
    front_share(&f, FRONT_DATA_PAGES);
    front_publish(&f);
    handshake_state(&f.handshake, XENBUS_CONNECTED); /* never Initialised */
    ok = handshake_wait(&f.handshake, STATE_BIT(XENBUS_CONNECTED), PATIENCE_MS) == XENBUS_CONNECTED;
    ok = ok && front_nop(&f) == TMEMIF_OK;
    for (unsigned i = 0; i < 20; i++)
        handshake_state(&f.handshake, i % 2 ? XENBUS_INITIALISED : XENBUS_CONNECTED);
    ok = ok && front_nop(&f) == TMEMIF_OK;
    handshake_state(&f.handshake, XENBUS_CLOSED); /* never Closing */
    ok = handshake_wait(&f.handshake, STATE_BIT(XENBUS_INIT_WAIT), PATIENCE_MS) ==
             XENBUS_INIT_WAIT &&
         ok;
    front_leave(&f);
    return is_served_again(&f) && ok;
}

static bool item_states_odd(void)
{
    static const char *const odd[] = {"7", "8", "9", "-1", "", "four", "99999999999999999999"};
    bool ok = true;

    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        struct front f;

        front_open(&f);
        ok = front_attach(&f) && ok;
        handshake_write_text(&f.handshake, SCHEMA_FRONTEND_STATE, odd[i]);
        ok = handshake_is_closed_for(&f.handshake, odd[i], "no meaning") && ok;
        front_leave(&f);
    }
    return ok;
}

/* Ready at once, although nothing is shared. */
static bool item_states_ready_with_nothing(void)
{
    struct front f;
    bool ok;

    front_open(&f);
    handshake_begin(&f.handshake);
    front_share(&f, FRONT_DATA_PAGES);
    front_publish(&f);
    handshake_remove(&f.handshake, SCHEMA_FRONTEND_RING_REF);
    handshake_state(&f.handshake, XENBUS_INITIALISED);
    ok = handshake_is_closed_for(&f.handshake, "nothing", "ring-ref0 is missing");
    front_publish(&f);
    handshake_state(&f.handshake,
                    XENBUS_INITIALISED); /* without having begun anew: it is not looked at */
    poll(NULL, 0, 500);
    ok = handshake_wait(&f.handshake, STATE_BIT(XENBUS_CLOSED), 1000) == XENBUS_CLOSED && ok;
    front_leave(&f);
    return is_served_again(&f) && ok;
}

static bool item_attach_storm(void)
{
    struct front f;

    front_open(&f);
    for (unsigned i = 0; i < 30; i++) {
        handshake_state(&f.handshake, XENBUS_INITIALISING);
        if (!f.ring_page)
            front_share(&f, FRONT_DATA_PAGES);
        front_publish(&f);
        handshake_state(&f.handshake, XENBUS_INITIALISED);
        poll(NULL, 0, 10);
    }
    front_leave(&f);
    return is_served_again(&f);
}

/* ---- grants and channels ---- */

static bool try_wrong_share(void (*spoil)(struct front *f), const char *item, const char *reason)
{
    struct front f;
    bool ok;

    front_open(&f);
    handshake_begin(&f.handshake);
    front_share(&f, FRONT_DATA_PAGES);
    front_publish(&f);
    spoil(&f);
    handshake_state(&f.handshake, XENBUS_INITIALISED);
    ok = handshake_is_closed_for(&f.handshake, item, reason);
    front_leave(&f);
    return is_served_again(&f) && ok;
}

static void wild_ring(struct front *f)
{
    handshake_write_text(&f->handshake, SCHEMA_FRONTEND_RING_REF, "30000");
}

static void wild_directory(struct front *f)
{
    handshake_write_text(&f->handshake, SCHEMA_FRONTEND_DATA_REF, "4294967295");
}

static void wild_page(struct front *f)
{
    f->directory[3] = 31000;
}

static void read_only_ring(struct front *f)
{
    spoil_with_read_only_page(&f->handshake, SCHEMA_FRONTEND_RING_REF);
}

static void others_page(struct front *f)
{
    spoil_with_others_page(&f->handshake, SCHEMA_FRONTEND_RING_REF);
}

static void no_port(struct front *f)
{
    handshake_write_text(&f->handshake, SCHEMA_FRONTEND_CHANNEL, "1000");
}

static void others_port(struct front *f)
{
    spoil_with_others_port(&f->handshake, SCHEMA_FRONTEND_CHANNEL);
}

static bool item_bad_grants(void)
{
    bool ok = try_wrong_share(wild_ring, "wild ring", "ring-ref0: page 0: not a valid grant");

    ok = try_wrong_share(wild_directory, "wild directory", "data-ref0: not a valid grant") && ok;
    ok = try_wrong_share(wild_page, "wild page", "data area: page 3: not a valid grant") && ok;
    ok = try_wrong_share(others_page, "page of another", "ring-ref0: page 0: not a valid") && ok;
    return try_wrong_share(read_only_ring, "read-only ring", "granted writable") && ok;
}

static bool item_bad_channels(void)
{
    bool ok = try_wrong_share(no_port, "no port", "event-channel-0: not an unbound channel");

    return try_wrong_share(others_port, "port of another", "event-channel-0:") && ok;
}

/* More pages than the manager can map; the suite gives it few maptrack frames. */
static bool item_maptrack_full(void)
{
    struct front f;
    bool ok;

    front_open(&f);
    handshake_begin(&f.handshake);
    front_share(&f, 1000);
    front_publish(&f);
    handshake_state(&f.handshake, XENBUS_INITIALISED);
    ok = handshake_is_closed_for(&f.handshake, "1000 pages", "max_maptrack_frames");
    front_leave(&f);
    return is_served_again(&f) && ok;
}

/* ---- rings ---- */

static bool try_index(uint32_t (*wrong)(uint32_t req_prod), const char *item)
{
    struct front f;
    bool ok;

    front_open(&f);
    ok = front_attach(&f) && front_nop(&f) == TMEMIF_OK && front_nop(&f) == TMEMIF_OK;
    ring_publish(&f.ring.view.shared->req_prod, wrong(f.ring.req_prod));
    front_notify(&f);
    ok = handshake_is_closed_for(&f.handshake, item, "ring") && ok;
    front_leave(&f);
    return is_served_again(&f) && ok;
}

static uint32_t jump(uint32_t req_prod)
{
    return req_prod + 1000;
}

static uint32_t back(uint32_t req_prod)
{
    return req_prod - 1;
}

static uint32_t half_round(uint32_t req_prod)
{
    return req_prod + 0x80000000u;
}

static bool item_index_jumps(void)
{
    bool ok = try_index(jump, "1000 ahead");

    ok = try_index(half_round, "half a round ahead") && ok;
    return try_index(back, "backwards") && ok;
}

/* Requests that are wrong are answered, each by its status, and the session goes on. */
static bool item_bad_requests(void)
{
    static const struct {
        struct tmemif_request request;
        int status;
    } wrong[] = {
        {{.op = 0}, TMEMIF_BAD_OP},
        {{.op = 63}, TMEMIF_BAD_OP},
        {{.op = 0xffff}, TMEMIF_BAD_OP},
        {{.op = TMEMIF_OP_CONTROL}, TMEMIF_NOT_ALLOWED},
        {{.op = TMEMIF_OP_NOP, .flags = 1}, TMEMIF_BAD_REQUEST},
        {{.op = TMEMIF_OP_NOP, .u.none = {[6] = 1}}, TMEMIF_BAD_REQUEST},
        {{.op = TMEMIF_OP_POOL_DESTROY, .pool = 64}, TMEMIF_NO_POOL},
        {{.op = TMEMIF_OP_POOL_DESTROY, .pool = 63}, TMEMIF_NO_POOL},
        {{.op = TMEMIF_OP_POOL_CREATE, .u.pool = {.flags = 0x80000000u}}, TMEMIF_BAD_REQUEST},
        {{.op = TMEMIF_OP_POOL_JOIN, .u.pool = {.uuid = {1}, .flags = TMEMIF_POOL_SHARED}},
         TMEMIF_NOT_ALLOWED},
        {{.op = TMEMIF_OP_PAGE_PUT,
          .u.page.data = {.offset = FRONT_DATA_PAGES * 4096u - 4095u, .length = 4096}},
         TMEMIF_BAD_DATA},
        {{.op = TMEMIF_OP_PAGE_PUT, .u.page.data = {.offset = 0xfffff001u, .length = 4096}},
         TMEMIF_BAD_DATA},
        {{.op = TMEMIF_OP_PAGE_GET, .u.page.data = {.length = 4095}}, TMEMIF_BAD_REQUEST},
        {{.op = TMEMIF_OP_BATCH,
          .u.batch = {.requests = {.length = 64 * 600},
                      .responses = {.length = 32 * 600},
                      .count = 600}},
         TMEMIF_BAD_REQUEST},
        {{.op = TMEMIF_OP_RANGE_FLUSH, .u.range = {.first = 2, .last = 1}}, TMEMIF_BAD_REQUEST},
    };
    struct front f;
    bool ok = true;

    front_open(&f);
    if (!front_attach(&f))
        hostile_give_up("attach");
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct tmemif_response rsp;
        int status = front_call(&f, &wrong[i].request, &rsp);

        if (status != wrong[i].status) {
            printf("%u: op %u is answered %s\n", i, wrong[i].request.op,
                   status < 0 ? "not at all" : tmem_status_name((unsigned)status));
            ok = false;
        }
    }
    ok = front_nop(&f) == TMEMIF_OK && ok;
    front_leave(&f);
    return ok;
}

/* Slots full of noise, and slots that change while they are read. */
static bool item_noise(void)
{
    uint64_t seed = 88172645463325252u;
    struct front f;
    bool ok = true;

    front_open(&f);
    if (!front_attach(&f))
        hostile_give_up("attach");
    for (unsigned i = 0; i < 3000 && ok; i++) {
        struct tmemif_request request;
        struct tmemif_response rsp;

        noise_fill(&seed, &request, sizeof(request));
        if (i % 2) /* a known operation, all else noise */
            request.op = (uint16_t)(16 + request.op % 22);
        ok = front_call(&f, &request, &rsp) >= 0;
    }
    ok = ok && front_nop(&f) == TMEMIF_OK;
    front_leave(&f);
    return ok;
}

/* Responses are never read: the backend stops at the size of the ring. */
static bool item_never_reads(void)
{
    const struct tmemif_request nop = {.op = TMEMIF_OP_NOP};
    struct front f;
    bool ok, bad;

    front_open(&f);
    if (!front_attach(&f))
        hostile_give_up("attach");
    while (ring_front_free(&f.ring) > 0)
        ring_front_put(&f.ring, &nop);
    ring_front_publish(&f.ring);
    for (unsigned i = 0; i < 500; i++)
        front_notify(&f);
    for (unsigned i = 0; i < 3000 && ring_front_ready(&f.ring, &bad) < f.ring.view.nr_slots; i++)
        poll(NULL, 0, 10);
    ok = ring_front_ready(&f.ring, &bad) == f.ring.view.nr_slots;
    while (ring_front_ready(&f.ring, &bad) > 0)
        ring_front_take(&f.ring);
    ok = front_nop(&f) == TMEMIF_OK && ok;
    front_leave(&f);
    return ok;
}

/* Notifications and watch events as fast as they go. */
static bool item_flood(void)
{
    struct front f;
    bool ok;

    front_open(&f);
    if (!front_attach(&f))
        hostile_give_up("attach");
    for (unsigned i = 0; i < 20000; i++)
        front_notify(&f);
    for (unsigned i = 0; i < 2000; i++)
        handshake_state(&f.handshake, XENBUS_CONNECTED);
    ok = front_nop(&f) == TMEMIF_OK;
    front_leave(&f);
    return ok;
}

/* ---- leaving ---- */

static void load_for_ever(struct front *f)
{
    struct tmemif_request put = {.op = TMEMIF_OP_PAGE_PUT,
                                 .u.page.data = {.length = TMEMIF_PAGE_SIZE}};
    struct tmemif_response rsp;

    for (uint32_t i = 0;; i++) {
        f->data[0] = (uint8_t)i;
        put.u.page.index = i % 64;
        front_call(f, &put, &rsp);
    }
}

static void attach_and_load(void)
{
    struct front f;

    front_open(&f);
    if (front_attach(&f))
        load_for_ever(&f);
}

static bool item_dies(void)
{
    struct front f;

    hostile_kill_children(attach_and_load);
    front_open(&f);
    return is_served_again(&f);
}

/* Attached and under load until the domain is destroyed. */
static bool item_stays(void)
{
    struct tmemif_request create = {.op = TMEMIF_OP_POOL_CREATE};
    struct tmemif_response rsp;
    struct front f;

    front_open(&f);
    if (!front_attach(&f) || front_call(&f, &create, &rsp) != TMEMIF_OK)
        hostile_give_up("attach");
    printf("attached\n");
    fflush(stdout);
    load_for_ever(&f);
    return false;
}

/* It takes its folder away: no more than a detach. */
static bool item_removes_its_folder(void)
{
    char path[SCHEMA_PATH_LEN];
    struct front f;
    unsigned state;

    front_open(&f);
    if (!front_attach(&f))
        hostile_give_up("attach");
    schema_folder(path, &f.handshake.place, SCHEMA_IN_FRONTEND);
    if (!xs_rm(f.handshake.xs, XBT_NULL, path))
        hostile_give_up(path);
    state = handshake_wait(&f.handshake, STATE_BIT(XENBUS_UNKNOWN), PATIENCE_MS);
    printf("backend state %u\n", state);
    return state == XENBUS_UNKNOWN;
}

/* ---- the friend ---- */

struct friend
{
    struct front front;
    uint32_t pool;
    int disk;      /* -1: none */
    uint8_t *page; /* aligned, for the disk */
    uint64_t longest_ms;
};

static const char *friends_disk;

static bool page_call(struct friend *f, enum tmemif_op op, uint32_t index)
{
    struct tmemif_request request = {.op = (uint16_t)op, .pool = f->pool};
    struct tmemif_response rsp;

    request.u.page.index = index;
    request.u.page.data.length = TMEMIF_PAGE_SIZE;
    return front_call(&f->front, &request, &rsp) == TMEMIF_OK;
}

/* Each page is written anew after so many rounds, and until then is to stay as it is. */
#define POOL_ROUNDS 16u
#define DISK_ROUNDS 64u

/* What a round writes; no page of the pool is ever one of the disk. */
static uint32_t in_pool(uint32_t round)
{
    return 2 * round;
}

static uint32_t on_disk(uint32_t round)
{
    return 2 * round + 1;
}

static bool get_holds(struct friend *f, uint32_t round)
{
    memset(f->front.data, 0, TMEMIF_PAGE_SIZE);
    return page_call(f, TMEMIF_OP_PAGE_GET, round % POOL_ROUNDS) &&
           page_holds(f->front.data, in_pool(round));
}

static bool pool_round(struct friend *f, uint32_t round)
{
    if (round > POOL_ROUNDS && !get_holds(f, round - POOL_ROUNDS))
        return false;
    page_fill(f->front.data, in_pool(round));
    return page_call(f, TMEMIF_OP_PAGE_PUT, round % POOL_ROUNDS) && get_holds(f, round);
}

static off_t disk_place(uint32_t round)
{
    return (off_t)(round % DISK_ROUNDS) * TMEMIF_PAGE_SIZE;
}

static bool read_holds(struct friend *f, uint32_t round)
{
    memset(f->page, 0, TMEMIF_PAGE_SIZE);
    return pread(f->disk, f->page, TMEMIF_PAGE_SIZE, disk_place(round)) == TMEMIF_PAGE_SIZE &&
           page_holds(f->page, on_disk(round));
}

static bool disk_round(struct friend *f, uint32_t round)
{
    if (f->disk < 0)
        return true;
    if (round > DISK_ROUNDS && !read_holds(f, round - DISK_ROUNDS))
        return false;
    page_fill(f->page, on_disk(round));
    return pwrite(f->disk, f->page, TMEMIF_PAGE_SIZE, disk_place(round)) == TMEMIF_PAGE_SIZE &&
           read_holds(f, round);
}

/* "<round> ok <ms>" or "<round> failed <ms>" for the suite to read, in a node of our own. */
static void write_round(struct friend *f, uint32_t round, const char *how)
{
    char text[64];
    int len =
        snprintf(text, sizeof(text), "%u %s %llu", round, how, (unsigned long long)f->longest_ms);

    if (!xs_write(f->front.handshake.xs, XBT_NULL, "data/rounds", text, (unsigned)len))
        hostile_give_up("data/rounds");
}

static void open_friends_disk(struct friend *f)
{
    f->disk = friends_disk ? open(friends_disk, O_RDWR | O_DIRECT) : -1;
    f->page = aligned_alloc(TMEMIF_PAGE_SIZE, TMEMIF_PAGE_SIZE);
    if (!f->page || (friends_disk && f->disk < 0))
        hostile_give_up("the friend's disk");
}

static bool item_friend(void)
{
    struct tmemif_request create = {.op = TMEMIF_OP_POOL_CREATE,
                                    .u.pool.flags = TMEMIF_POOL_PERSISTENT};
    struct tmemif_response rsp;
    struct friend f = {.longest_ms = 0};

    open_friends_disk(&f);
    front_open(&f.front);
    if (!front_attach(&f.front) || front_call(&f.front, &create, &rsp) != TMEMIF_OK)
        hostile_give_up("attach");
    f.pool = (uint32_t)rsp.value;
    for (uint32_t round = 1;; round++) {
        uint64_t begun = hostile_now_ms(), ms;
        bool ok = pool_round(&f, round) && disk_round(&f, round);

        ms = hostile_now_ms() - begun;
        f.longest_ms = ms > f.longest_ms ? ms : f.longest_ms;
        write_round(&f, round, ok ? "ok" : "failed");
        if (!ok)
            return false;
        poll(NULL, 0, 100);
    }
}

/* ---- all ---- */

static const struct hostile_item items[] = {
    {"nodes-missing", item_nodes_missing},
    {"nodes-huge", item_nodes_huge},
    {"nodes-binary", item_nodes_binary},
    {"nodes-range", item_nodes_range},
    {"nodes-changing", item_nodes_changing},
    {"nodes-of-others", item_nodes_of_others},
    {"states-skipped", item_states_skipped},
    {"states-odd", item_states_odd},
    {"states-ready-with-nothing", item_states_ready_with_nothing},
    {"attach-storm", item_attach_storm},
    {"bad-grants", item_bad_grants},
    {"bad-channels", item_bad_channels},
    {"maptrack-full", item_maptrack_full},
    {"index-jumps", item_index_jumps},
    {"bad-requests", item_bad_requests},
    {"noise", item_noise},
    {"never-reads", item_never_reads},
    {"flood", item_flood},
    {"dies", item_dies},
    {"stays", item_stays},
    {"removes-its-folder", item_removes_its_folder},
    {"friend", item_friend},
};
#define NR_ITEMS (sizeof(items) / sizeof(items[0]))

int main(int argc, char **argv)
{
    int rc = 2;

    friends_disk = argc == 3 ? argv[2] : NULL;
    if (argc == 2 || (argc == 3 && strcmp(argv[1], "friend") == 0))
        rc = hostile_items_run(items, NR_ITEMS, argv[1]);
    if (rc == 2)
        fprintf(stderr, "usage: hostile list | ITEM | friend DISK\n");
    return rc;
}
