/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blk_fuzz.c - a block frontend that writes what it likes to its ring, its pages and its indexes.
 *
 * The input is a sequence of steps: slots, pages of segments, indexes, turns of the worker, a
 * daemon that is restarted. Whatever comes: answers are in order and repeat the requests that were
 * taken, copies stay in their pages, nothing beyond the disk is touched.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/blk/device.h"
#include "daemon/blk/disks.h"
#include "daemon/blk/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

#define NR_PAGES 16u /* the guest's; page n has reference n + 1 */

struct world {
    struct blk_link link; /* first */
    uint8_t ring[TMEMIF_PAGE_SIZE] __attribute__((aligned(TMEMIF_PAGE_SIZE)));
    uint8_t pages[NR_PAGES][TMEMIF_PAGE_SIZE];
    struct store *store;
    struct engine *engine;
    struct disks *disks;
    struct disk *disk;
    struct device *device;
    struct scratch *scratch;
};

static bool copy(struct blk_link *l, unsigned queue, struct grant_copy *copies, unsigned nr)
{
    struct world *w = (struct world *)l;

    REQUIRE(queue == 0);
    for (unsigned i = 0; i < nr; i++) {
        struct grant_copy *c = &copies[i];
        uint8_t *at;

        REQUIRE(c->length > 0 && c->offset + c->length <= TMEMIF_PAGE_SIZE);
        REQUIRE((uint8_t *)c->local >= (uint8_t *)w->scratch &&
                (uint8_t *)c->local + c->length <= (uint8_t *)(w->scratch + 1));
        c->status = c->ref == 0 || c->ref > NR_PAGES ? -3 : 0;
        if (c->status != 0)
            continue;
        at = w->pages[c->ref - 1] + c->offset;
        memcpy(c->to_guest ? at : c->local, c->to_guest ? c->local : at, c->length);
    }
    return true;
}

/* Half of the pages. */
static uint8_t *mapped(struct blk_link *l, unsigned queue, uint32_t ref)
{
    REQUIRE(queue == 0);
    return ref > 0 && ref <= NR_PAGES && ref % 2 ? ((struct world *)l)->pages[ref - 1] : NULL;
}

static void ignore(struct blk_link *l, unsigned queue)
{
    (void)l;
    REQUIRE(queue == 0);
}

static void attend(struct blk_link *l)
{
    (void)l;
}

static const struct blk_link_ops ops = {
    .copy = copy, .mapped = mapped, .notify = ignore, .consume = ignore, .attend = attend};

static void connect(struct world *w, bool resume)
{
    const struct device_config config = {
        .link = &w->link,
        .disk = w->disk,
        .store = w->store,
        .owner = {.domid = 7, .device = 1},
        .discards = true,
        .scratch = &w->scratch,
    };
    const char *why = NULL;
    bool lacks;

    w->link.resume = resume;
    w->device = device_create(&config, &lacks, &why);
    REQUIRE(w->device || why);
    if (!w->device && resume) {
        memset(w->ring, 0, sizeof(w->ring));
        connect(w, false);
    }
}

static void serve(struct world *w)
{
    struct queue *q = &w->device->queues[0];
    uint32_t before = q->back.rsp_prod;
    enum serve_result result = q->ring.ops->serve(&q->ring, 0, 32);

    /* what is taken and not answered is one discard at most; a turn is bounded */
    REQUIRE(q->back.req_cons - q->back.rsp_prod == (q->discarding ? 1u : 0u));
    REQUIRE(q->back.rsp_prod - before <= 64);
    REQUIRE((result == SERVE_BROKEN) == (device_broken(w->device) != NULL));
    if (result == SERVE_BROKEN) {
        device_destroy(w->device, false);
        memset(w->ring, 0, sizeof(w->ring));
        connect(w, false);
    }
}

/* Once: making them takes longer than an input. */
static void build(struct world *w)
{
    const struct store_config store_config = {.nr_frames = 64, .nr_filled = 16};
    const struct engine_config engine_config = {.nr_workers = 2, .nr_shards = 1, .hash_seed = 1};
    struct disks_config disks_config = {.nr_workers = 2};
    struct disks_found found;
    const char *why;

    REQUIRE(store_create(&store_config, &w->store, &why));
    disks_config.store = w->store;
    disks_config.engine = w->engine = engine_create(w->store, &engine_config);
    REQUIRE(w->engine && disks_create(&disks_config, &w->disks, &found, &why));
    w->scratch = malloc(sizeof(*w->scratch));
    REQUIRE(w->scratch);
}

static void begin(struct world *w, enum blkif_abi abi)
{
    const struct disk_owner owner = {.domid = 7, .vdev = 1};
    const struct target target = {.kind = TARGET_SWAP, .nr_pages = 24};
    const char *why;

    if (!w->store)
        build(w);
    memset(w->ring, 0, sizeof(w->ring));
    memset(w->pages, 0, sizeof(w->pages));
    REQUIRE(disks_open(w->disks, &target, &owner, &w->disk, &why));
    w->link = (struct blk_link){.ops = &ops, .abi = abi, .nr_queues = 1};
    w->link.queues[0].pages = w->ring;
    connect(w, false);
}

static void end(struct world *w)
{
    device_destroy(w->device, false);
    disks_close(w->disks, w->disk, DISK_ENDED);
    while (engine_reclaim(w->engine, 64))
        ;
    REQUIRE(engine_check(w->engine) == NULL);
}

/* Bytes of the input; zeros behind its end. */
struct input {
    const uint8_t *at;
    size_t left;
};

static void take(struct input *in, void *to, size_t len)
{
    size_t now = len < in->left ? len : in->left;

    memset(to, 0, len);
    memcpy(to, in->at, now);
    in->at += now;
    in->left -= now;
}

static void step(struct world *w, struct input *in)
{
    struct blkif_ring_header *shared = (struct blkif_ring_header *)(void *)w->ring;
    uint8_t what[4];

    take(in, what, sizeof(what));
    switch (what[0] % 8) {
    case 0:
    case 1:
    case 2: /* a slot, or a part of it, at the next place */
        take(in,
             w->ring + 64 + (shared->req_prod + what[1] % 4) % 32 * blkif_slot_bytes(w->link.abi),
             what[2] % 2 ? 40 : blkif_slot_bytes(w->link.abi));
        break;
    case 3: /* some more requests are there */
        shared->req_prod += what[1] % 34;
        break;
    case 4: /* an index as it likes */
        memcpy(what[1] % 2 ? &shared->req_prod : &shared->rsp_prod, what, 4);
        break;
    case 5: /* segments */
        take(in, w->pages[what[1] % NR_PAGES] + what[2] % 64 * 8, what[3] % 128);
        break;
    case 6: /* the daemon is restarted */
        device_destroy(w->device, true);
        connect(w, true);
        break;
    default:
        serve(w);
        break;
    }
}

/* A device has folders below /dev, each a name: none leads out of it. */
static bool is_path_of_names(const char *path)
{
    size_t len = strcspn(path, "/");

    return tmemctl_is_name(path, len) && (path[len] == '\0' || is_path_of_names(path + len + 1));
}

static void check_target(const uint8_t *data, size_t size)
{
    const char *why = NULL;
    struct target t;

    if (!target_parse((const char *)data, size, &t, &why)) {
        REQUIRE(why && strlen(why) < 256);
        return;
    }
    REQUIRE(t.kind != TARGET_SWAP || t.nr_pages > 0);
    REQUIRE(t.kind != TARGET_CLONE || tmemctl_is_name(t.base, strlen(t.base)));
    REQUIRE(t.kind != TARGET_CLONE || !t.name[0] || tmemctl_is_name(t.name, strlen(t.name)));
    REQUIRE(t.kind != TARGET_CACHE || is_path_of_names(t.device));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    struct input in = {data, size};
    uint8_t first;

    check_target(data, size);
    take(&in, &first, 1);
    begin(&w, first % 2 ? BLKIF_ABI_32 : BLKIF_ABI_64);
    for (unsigned i = 0; i < 64 && in.left > 0; i++)
        step(&w, &in);
    end(&w);
    return 0;
}
