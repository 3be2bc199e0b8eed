/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hostile_disk: a guest that does everything wrong with its disk, one thing a run.
 *
 *   hostile_disk ITEM VDEV   does it, and judges what came of it; exits 0 if it is as it should be
 *   hostile_disk list        names of all items
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/xen/hostile/disk_front.h"

#define NR_PAGES   192u  /* more than stay mapped of a queue */
#define DISK_PAGES 1024u /* that the suite gives it, at least */
#define WILD_REF   30000u

static uint32_t vdev;

static void fill(uint8_t *page, uint32_t what)
{
    for (uint32_t i = 0; i < TMEMIF_PAGE_SIZE / sizeof(what); i++, what = what * 69069u + 1)
        memcpy(page + i * sizeof(what), &what, sizeof(what));
}

static bool holds(const uint8_t *page, uint32_t what)
{
    uint8_t wanted[TMEMIF_PAGE_SIZE];

    fill(wanted, what);
    return memcmp(page, wanted, sizeof(wanted)) == 0;
}

static void attach(struct disk_front *f)
{
    if (!disk_front_attach(f, NR_PAGES))
        hostile_give_up(handshake_error(&f->handshake));
}

/* What is written is read, by this connection. */
static bool is_served(struct disk_front *f)
{
    uint32_t what = (uint32_t)hostile_now_ms();

    fill(f->pages[0], what);
    memset(f->pages[1], 0, TMEMIF_PAGE_SIZE);
    return disk_front_call(f, BLKIF_OP_WRITE, 7, 0, 1) == BLKIF_RSP_OKAY &&
           disk_front_call(f, BLKIF_OP_READ, 7, 1, 1) == BLKIF_RSP_OKAY && holds(f->pages[1], what);
}

/* The next connection is as good as any. */
static bool is_served_again(struct disk_front *f)
{
    bool ok;

    attach(f);
    ok = is_served(f);
    if (!ok)
        printf("is not served afterwards: \"%s\"\n", handshake_error(&f->handshake));
    disk_front_leave(f);
    return ok;
}

/* ---- nodes, grants and channels ---- */

/* A whole frontend, but for what @spoil does to it. */
static bool try_spoilt(void (*spoil)(struct disk_front *f), const char *item, const char *reason)
{
    struct disk_front f;
    bool ok;

    disk_front_open(&f, vdev);
    handshake_begin(&f.handshake);
    disk_front_share(&f, NR_PAGES);
    disk_front_publish(&f);
    spoil(&f);
    handshake_state(&f.handshake, XENBUS_INITIALISED);
    ok = handshake_is_closed_for(&f.handshake, item, reason);
    disk_front_leave(&f);
    return ok;
}

static const struct wrong_node {
    enum schema_node node;
    const char *value; /* NULL: removed */
    unsigned len;
    const char *reason;
} wrong_nodes[] = {
    {SCHEMA_VBDFRONT_REF, NULL, 0, "ring-ref is missing"},
    {SCHEMA_VBDFRONT_CHANNEL, NULL, 0, "event-channel is missing"},
    {SCHEMA_VBDFRONT_REF, "4294967296", 10, "ring-ref is out of range"},
    {SCHEMA_VBDFRONT_REF, "\xff\xfe\0\0", 4, "ring-ref is not a decimal number"},
    {SCHEMA_VBDFRONT_CHANNEL, "0", 1, "event-channel is out of range"},
    {SCHEMA_VBDFRONT_ORDER, "4", 1, "ring-page-order is out of range"},
    {SCHEMA_VBDFRONT_ORDER, "3", 1, "ring-ref0 is missing"},
    {SCHEMA_VBDFRONT_QUEUES, "8", 1, "multi-queue-num-queues is more than"},
    {SCHEMA_VBDFRONT_QUEUES, "4", 1, "queue-0/ring-ref is missing"},
    {SCHEMA_VBDFRONT_PROTOCOL, "arm-abi", 7, "protocol is not offered"},
    {SCHEMA_VBDFRONT_PERSISTENT, "2", 1, "feature-persistent is out of range"},
    {SCHEMA_VBDFRONT_STATE, "\x1b[2J", 4, "no meaning"},
};

static const struct wrong_node *wrong_node;

static void spoil_node(struct disk_front *f)
{
    if (!wrong_node->value)
        handshake_remove(&f->handshake, wrong_node->node);
    else
        handshake_write(&f->handshake, wrong_node->node, wrong_node->value, wrong_node->len);
    /* the state is not looked at again once it was wrong */
    if (wrong_node->node == SCHEMA_VBDFRONT_STATE)
        handshake_wait(&f->handshake, STATE_BIT(XENBUS_CLOSED), PATIENCE_MS);
}

static bool item_nodes(void)
{
    bool ok = true;

    for (unsigned i = 0; i < sizeof(wrong_nodes) / sizeof(wrong_nodes[0]); i++) {
        char key[SCHEMA_PATH_LEN];

        wrong_node = &wrong_nodes[i];
        schema_key(key, wrong_node->node, 0);
        ok = try_spoilt(spoil_node, key, wrong_node->reason) && ok;
    }
    return ok;
}

static void wild_ring(struct disk_front *f)
{
    handshake_write_number(&f->handshake, SCHEMA_VBDFRONT_REF, WILD_REF);
}

static void read_only_ring(struct disk_front *f)
{
    uint32_t ref;

    if (!xengntshr_share_pages(f->handshake.grants, f->handshake.place.manager, 1, &ref, 0))
        hostile_give_up("read-only grant");
    handshake_write_number(&f->handshake, SCHEMA_VBDFRONT_REF, ref);
}

static void page_for_another(struct disk_front *f)
{
    uint32_t ref;

    if (!xengntshr_share_pages(f->handshake.grants, 0, 1, &ref, 1))
        hostile_give_up("grant to dom0");
    handshake_write_number(&f->handshake, SCHEMA_VBDFRONT_REF, ref);
}

static void no_port(struct disk_front *f)
{
    handshake_write_number(&f->handshake, SCHEMA_VBDFRONT_CHANNEL, 1000);
}

static bool item_grants(void)
{
    bool ok = try_spoilt(wild_ring, "wild ring", "ring-ref: page 0: not a valid grant");
    struct disk_front f;

    ok = try_spoilt(read_only_ring, "read-only ring", "granted writable") && ok;
    ok = try_spoilt(page_for_another, "page for another", "ring-ref: page 0: not a valid") && ok;
    ok = try_spoilt(no_port, "no port", "event-channel: not an unbound channel") && ok;
    disk_front_open(&f, vdev);
    return is_served_again(&f) && ok;
}

/* ---- requests ---- */

static bool try_index(uint32_t ahead, const char *item)
{
    struct disk_front f;
    bool ok;

    disk_front_open(&f, vdev);
    attach(&f);
    ok = is_served(&f);
    f.req_prod += ahead;
    disk_front_send(&f);
    disk_front_notify(&f);
    ok = handshake_is_closed_for(&f.handshake, item, "ring index out of range") && ok;
    disk_front_leave(&f);
    return is_served_again(&f) && ok;
}

static bool item_indexes(void)
{
    bool ok = try_index(DISK_FRONT_SLOTS + 1, "one more than there is");

    ok = try_index(0x80000000u, "half a round") && ok;
    return try_index(UINT32_MAX, "backwards") && ok;
}

/* Each is answered, by an error, and the session goes on. */
static bool item_bad_requests(void)
{
    static const struct blkif_request wrong[] = {
        {.operation = BLKIF_OP_WRITE_BARRIER},
        {.operation = 77},
        {.operation = BLKIF_OP_READ}, /* no segments */
        {.operation = BLKIF_OP_READ, .nr_segments = 12},
        {.operation = BLKIF_OP_WRITE, .nr_segments = 255},
        {.operation = BLKIF_OP_READ, .nr_segments = 1, .seg = {{WILD_REF, 0, 7}}},
        {.operation = BLKIF_OP_WRITE, .nr_segments = 1, .seg = {{UINT32_MAX, 0, 7}}},
        {.operation = BLKIF_OP_WRITE, .nr_segments = 1, .seg = {{1, 0, 8}}},
        {.operation = BLKIF_OP_WRITE, .nr_segments = 1, .seg = {{1, 5, 4}}},
        {.operation = BLKIF_OP_READ,
         .sector_number = UINT64_MAX,
         .nr_segments = 1,
         .seg = {{1, 0, 7}}},
        {.operation = BLKIF_OP_WRITE,
         .sector_number = 1ull << 60,
         .nr_segments = 1,
         .seg = {{1, 0, 7}}},
        {.operation = BLKIF_OP_INDIRECT, .nr_segments = BLKIF_OP_WRITE, .handle = 65535},
        {.operation = BLKIF_OP_INDIRECT, .nr_segments = BLKIF_OP_DISCARD, .handle = 1},
        {.operation = BLKIF_OP_DISCARD, .sector_number = 1ull << 60},
    };
    struct disk_front f;
    bool ok = true;

    disk_front_open(&f, vdev);
    attach(&f);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int status;

        *disk_front_slot(&f) = wrong[i];
        disk_front_send(&f);
        status = disk_front_take(&f);
        if (status == BLKIF_RSP_OKAY || status == DISK_FRONT_NONE) {
            printf("%u: operation %u is answered %d\n", i, wrong[i].operation, status);
            ok = false;
        }
    }
    ok = is_served(&f) && ok;
    disk_front_leave(&f);
    return ok;
}

static uint64_t noise(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Slots full of noise; in half of them a known operation for pages that are there. */
static void put_noise(struct disk_front *f, uint64_t *seed)
{
    struct blkif_request *slot = disk_front_slot(f);
    uint64_t words[sizeof(*slot) / 8];

    for (unsigned i = 0; i < sizeof(*slot) / 8; i++)
        words[i] = noise(seed);
    memcpy(slot, words, sizeof(words));
    if (noise(seed) % 2)
        return;
    slot->operation %= BLKIF_OP_INDIRECT + 1;
    slot->nr_segments %= 13;
    slot->sector_number %= (uint64_t)DISK_PAGES * 8;
    for (unsigned i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++) {
        slot->seg[i].gref = f->refs[slot->seg[i].gref % NR_PAGES];
        slot->seg[i].first_sect %= 9;
        slot->seg[i].last_sect %= 9;
    }
}

static bool item_noise(void)
{
    uint64_t seed = 88172645463325252u;
    struct disk_front f;
    bool ok = true;

    disk_front_open(&f, vdev);
    attach(&f);
    for (unsigned round = 0; round < 100 && ok; round++) {
        for (unsigned i = 0; i < DISK_FRONT_SLOTS; i++)
            put_noise(&f, &seed);
        disk_front_send(&f);
        while (ok && disk_front_under_way(&f) > 0)
            ok = disk_front_take(&f) != DISK_FRONT_NONE;
    }
    ok = ok && is_served(&f);
    disk_front_leave(&f);
    return ok;
}

/* Every reference is named once, at full rate, by one connection after the other. */
static bool item_each_once(void)
{
    struct disk_front f;
    bool ok = true;

    disk_front_open(&f, vdev);
    for (unsigned round = 0; round < 10; round++) {
        attach(&f);
        for (uint32_t page = 0; page < NR_PAGES; page += DISK_FRONT_SLOTS) {
            for (uint32_t i = 0; i < DISK_FRONT_SLOTS; i++)
                disk_front_put(&f, i % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ, i, page + i, 1);
            disk_front_send(&f);
            while (disk_front_under_way(&f) > 0)
                ok = disk_front_take(&f) == BLKIF_RSP_OKAY && ok;
        }
        disk_front_leave(&f);
    }
    return is_served_again(&f) && ok;
}

/* Its own ring is read into: what the backend finds there is the disk's octets. */
static bool item_ring_as_data(void)
{
    struct disk_front f;
    unsigned state;

    disk_front_open(&f, vdev);
    attach(&f);
    fill(f.pages[0], 4711);
    if (disk_front_call(&f, BLKIF_OP_WRITE, 3, 0, 1) != BLKIF_RSP_OKAY)
        hostile_give_up("write");
    f.refs[5] = f.ring_ref;
    disk_front_put(&f, BLKIF_OP_READ, 3, 5, 1);
    disk_front_send(&f);
    poll(NULL, 0, 200);
    disk_front_notify(&f);
    state = handshake_wait(&f.handshake, STATE_BIT(XENBUS_CLOSED), 2000);
    printf("backend state %u, error \"%s\"\n", state, handshake_error(&f.handshake));
    disk_front_leave(&f);
    return is_served_again(&f);
}

/* ---- pages that change or go ---- */

struct flipper {
    uint8_t *page;
    atomic_bool stop;
};

static void *flip(void *arg)
{
    struct flipper *flipper = arg;

    for (uint32_t what = 1; !atomic_load_explicit(&flipper->stop, memory_order_relaxed); what++) {
        for (unsigned i = 0; i < TMEMIF_PAGE_SIZE; i += 64)
            ((volatile uint8_t *)flipper->page)[i] = (uint8_t)what;
    }
    return NULL;
}

/* A page that changes while it is written is some page, and reads as that one from then on. */
static bool item_changing(void)
{
    struct flipper flipper = {.page = NULL};
    struct disk_front f;
    pthread_t thread;
    bool ok = true;

    disk_front_open(&f, vdev);
    attach(&f);
    flipper.page = f.pages[0];
    if (pthread_create(&thread, NULL, flip, &flipper) != 0)
        hostile_give_up("thread");
    for (uint32_t round = 0; round < 300 && ok; round++) {
        ok = disk_front_call(&f, BLKIF_OP_WRITE, round, 0, 1) == BLKIF_RSP_OKAY &&
             disk_front_call(&f, BLKIF_OP_READ, round, 1, 1) == BLKIF_RSP_OKAY &&
             disk_front_call(&f, BLKIF_OP_READ, round, 2, 1) == BLKIF_RSP_OKAY &&
             memcmp(f.pages[1], f.pages[2], TMEMIF_PAGE_SIZE) == 0;
        if (!ok)
            printf("round %u\n", round);
    }
    atomic_store(&flipper.stop, true);
    pthread_join(thread, NULL);
    ok = ok && is_served(&f);
    disk_front_leave(&f);
    return ok;
}

/* Pages that are mapped are no longer granted, as far as this guest can say so. */
static bool item_pages_end(void)
{
    struct disk_front f;
    bool ok = true;

    disk_front_open(&f, vdev);
    attach(&f);
    for (uint32_t page = 0; page < NR_PAGES; page += 8)
        ok = disk_front_call(&f, BLKIF_OP_WRITE, page, page, 8) == BLKIF_RSP_OKAY && ok;
    xengntshr_unshare(f.handshake.grants, f.pages, f.nr_pages);
    for (uint32_t page = 0; page < NR_PAGES; page += 8) /* an error, or nobody's page is written */
        ok = disk_front_call(&f, BLKIF_OP_READ, page, page, 8) != DISK_FRONT_NONE && ok;
    f.pages =
        xengntshr_share_pages(f.handshake.grants, f.handshake.place.manager, NR_PAGES, f.refs, 1);
    if (!f.pages)
        hostile_give_up("grant of new pages");
    ok = is_served(&f) && ok;
    disk_front_leave(&f);
    return is_served_again(&f) && ok;
}

/* ---- too much, too little ---- */

/* Answers are never taken, and notifications and watch events come as fast as they go. */
static bool item_flood(void)
{
    struct disk_front f;
    bool ok = true;

    disk_front_open(&f, vdev);
    attach(&f);
    for (uint32_t i = 0; i < DISK_FRONT_SLOTS; i++)
        disk_front_put(&f, BLKIF_OP_READ, i, i, 1);
    disk_front_send(&f);
    for (unsigned i = 0; i < 20000; i++)
        disk_front_notify(&f);
    for (unsigned i = 0; i < 2000; i++)
        handshake_state(&f.handshake, XENBUS_CONNECTED);
    while (disk_front_under_way(&f) > 0)
        ok = disk_front_take(&f) == BLKIF_RSP_OKAY && ok;
    ok = is_served(&f) && ok;
    disk_front_leave(&f);
    return ok;
}

static _Noreturn void load_for_ever(struct disk_front *f)
{
    for (uint32_t page = 0;; page = (page + 8) % (NR_PAGES / 8 * 8)) {
        disk_front_call(f, BLKIF_OP_WRITE, page, page, 8);
        disk_front_call(f, BLKIF_OP_READ, page, page, 8);
    }
}

/* A process that is killed anywhere between its first step and full load. */
static bool item_dies(void)
{
    static const unsigned ms[] = {1, 30, 80, 150, 300, 500, 900, 1500};
    struct disk_front f;

    for (unsigned i = 0; i < sizeof(ms) / sizeof(ms[0]); i++) {
        pid_t child = fork();

        if (child < 0)
            hostile_give_up("fork");
        if (child == 0) {
            disk_front_open(&f, vdev);
            if (disk_front_attach(&f, NR_PAGES))
                load_for_ever(&f);
            _exit(0);
        }
        poll(NULL, 0, (int)ms[i]);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    disk_front_open(&f, vdev);
    return is_served_again(&f);
}

/* Under load, with as many pages mapped as there can be, until the domain is destroyed. */
static bool item_stays(void)
{
    struct disk_front f;

    disk_front_open(&f, vdev);
    attach(&f);
    load_for_ever(&f);
}

/* ---- all ---- */

static const struct {
    const char *name;
    bool (*run)(void);
} items[] = {
    {"nodes", item_nodes},
    {"grants", item_grants},
    {"indexes", item_indexes},
    {"bad-requests", item_bad_requests},
    {"noise", item_noise},
    {"each-once", item_each_once},
    {"ring-as-data", item_ring_as_data},
    {"changing", item_changing},
    {"pages-end", item_pages_end},
    {"flood", item_flood},
    {"dies", item_dies},
    {"stays", item_stays},
};
#define NR_ITEMS (sizeof(items) / sizeof(items[0]))

int main(int argc, char **argv)
{
    bool list = argc == 2 && strcmp(argv[1], "list") == 0;

    if (argc == 3)
        vdev = (uint32_t)strtoul(argv[2], NULL, 10);
    for (unsigned i = 0; i < NR_ITEMS && (list || vdev); i++) {
        if (list)
            puts(items[i].name);
        else if (strcmp(argv[1], items[i].name) == 0)
            return items[i].run() ? 0 : 1;
    }
    if (list)
        return 0;
    fprintf(stderr, "usage: hostile_disk list | ITEM VDEV\n");
    return 2;
}
