/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/blk_world.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MUST(condition) must((condition), #condition)

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "the disk's world needs: %s\n", what);
    abort();
}

/* ---- the disk ---- */

static struct blk_world *world_of_disk(struct disk *d)
{
    return (struct blk_world *)((char *)d - offsetof(struct blk_world, disk));
}

static bool is_guests(const struct blk_world *w, const uint8_t *at)
{
    return (uintptr_t)at - (uintptr_t)w->memory->guest < sizeof(w->memory->guest);
}

static void transfer_page(struct blk_world *w, struct batch_page *p)
{
    uint8_t *at = w->memory->disk[p->page];

    MUST(p->page < BLK_DISK_PAGES && p->end <= DISK_PAGE_SIZE);
    MUST(!p->write || !is_guests(w, p->data)); /* what is looked at is private memory */
    *(p->write ? &w->nr_writes : &w->nr_reads) += 1;
    p->status = w->fails;
    if (p->status != DISK_OK)
        return;
    if (p->write)
        memcpy(at + p->first, p->data + p->first, (size_t)p->end - p->first);
    else
        memcpy(p->data, at, DISK_PAGE_SIZE);
}

static void discard(struct blk_world *w, struct batch *b)
{
    MUST(b->first <= BLK_DISK_PAGES && b->nr <= BLK_DISK_PAGES - b->first);
    w->nr_discards++;
    b->status = w->fails;
    b->nr_done = b->nr < w->discard_pages ? b->nr : w->discard_pages;
    if (b->status != DISK_OK)
        b->nr_done = 0;
    memset(w->memory->disk[b->first], 0, (size_t)b->nr_done * TMEMIF_PAGE_SIZE);
}

static void carry_out(struct blk_world *w, struct batch *b)
{
    if (b->kind == BATCH_DISCARD) {
        discard(w, b);
        return;
    }
    for (uint32_t i = 0; i < b->nr_pages; i++)
        transfer_page(w, &b->pages[i]);
    w->nr_flushes += b->flush;
    b->status = w->flush_fails;
}

static bool run(struct disk *d, unsigned worker, struct batch *b)
{
    struct blk_world *w = world_of_disk(d);

    (void)worker;
    if (d->keeps) {
        MUST(!w->kept);
        batch_keep(b);
        w->kept = b;
        return false;
    }
    carry_out(w, b);
    return true;
}

static bool take_back(struct disk *d, struct batch *b)
{
    struct blk_world *w = world_of_disk(d);

    if (w->has_begun || w->kept != b)
        return false;
    w->kept = NULL;
    return true;
}

static const struct disk_ops disk_ops = {.run = run, .take_back = take_back};

void blk_world_end_batch(struct blk_world *w)
{
    struct batch *b = w->kept;

    MUST(b);
    w->kept = NULL;
    carry_out(w, b);
    batch_end(b);
}

static void wake(struct worker_ring *r)
{
    struct queue *q = (struct queue *)r;

    ((struct blk_world *)q->device->link)->nr_woken++;
}

/* ---- the link ---- */

static struct blk_world *world_of(struct blk_link *l)
{
    return (struct blk_world *)l;
}

static bool copy(struct blk_link *l, unsigned queue, struct grant_copy *copies, unsigned nr)
{
    struct blk_world *w = world_of(l);

    MUST(queue == 0);
    w->nr_copy_calls++;
    w->nr_copies += nr;
    for (unsigned i = 0; i < nr && !w->copy_fails; i++) {
        struct grant_copy *c = &copies[i];
        uint8_t *at;

        MUST(c->offset + c->length <= TMEMIF_PAGE_SIZE);
        c->status = c->ref == 0 || c->ref >= BLK_BAD_REF ? -3 : 0;
        if (c->status != 0)
            continue;
        at = w->memory->guest[c->ref - 1] + c->offset;
        memcpy(c->to_guest ? at : c->local, c->to_guest ? c->local : at, c->length);
    }
    return !w->copy_fails;
}

static uint8_t *mapped(struct blk_link *l, unsigned queue, uint32_t ref)
{
    struct blk_world *w = world_of(l);

    MUST(queue == 0);
    if (w->maps_every == 0 || ref == 0 || ref >= BLK_BAD_REF || ref % w->maps_every != 0)
        return NULL;
    return w->memory->guest[ref - 1];
}

static void notify(struct blk_link *l, unsigned queue)
{
    struct blk_world *w = world_of(l);
    const struct blkif_ring *back = &w->device->queues[0].back;

    MUST(queue == 0);
    if (w->nr_notifies++ == 0)
        w->told_of = back->rsp_prod;
    if (w->asks_always)
        back->shared->rsp_event = back->rsp_prod + 1;
}

static void consume(struct blk_link *l, unsigned queue)
{
    (void)l;
    MUST(queue == 0);
}

static void attend(struct blk_link *l)
{
    world_of(l)->nr_attends++;
}

static const struct blk_link_ops ops = {
    .copy = copy, .mapped = mapped, .notify = notify, .consume = consume, .attend = attend};

/* ---- the world ---- */

struct blk_memory *blk_memory_new(bool shared)
{
    struct blk_memory *m =
        shared ? mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
               : aligned_alloc(TMEMIF_PAGE_SIZE, sizeof(*m));

    MUST(m && (void *)m != MAP_FAILED);
    if (!shared)
        memset(m, 0, sizeof(*m));
    return m;
}

void blk_memory_free(struct blk_memory *m, bool shared)
{
    if (shared)
        munmap(m, sizeof(*m));
    else
        free(m);
}

void blk_ring_begin(struct blk_memory *m)
{
    struct blkif_ring_header *shared = (void *)m->ring;

    memset(m->ring, 0, sizeof(m->ring));
    shared->req_event = shared->rsp_event = 1;
}

static bool open_world(struct blk_world *w, struct blk_memory *m, struct store *s,
                       enum blkif_abi abi, bool resume, bool keeps, const char **why_out)
{
    struct device_config config;

    *w = (struct blk_world){
        .link = {.ops = &ops, .abi = abi, .nr_queues = 1, .session = 77, .resume = resume},
        .memory = m,
        .store = s,
        .discard_pages = BLK_DISK_PAGES,
    };
    w->disk = (struct disk){
        .ops = &disk_ops, .nr_pages = BLK_DISK_PAGES, .discards = true, .keeps = keeps};
    w->link.order = BLK_RING_ORDER;
    w->link.queues[0] = (struct blk_link_queue){.pages = m->ring, .wait_fd = -1};
    w->scratch = scratch_new();
    MUST(w->scratch);
    config = (struct device_config){
        .link = &w->link,
        .disk = &w->disk,
        .store = s,
        .owner = {.domid = 7, .device = 51712},
        .discards = true,
        .scratch = &w->scratch,
        .wake = wake,
    };
    w->device = device_create(&config, &w->lacks, why_out);
    if (w->device)
        return true;
    free(w->scratch);
    return false;
}

bool blk_world_open(struct blk_world *w, struct blk_memory *m, struct store *s, enum blkif_abi abi,
                    bool resume, const char **why_out)
{
    return open_world(w, m, s, abi, resume, false, why_out);
}

bool blk_world_open_keeping(struct blk_world *w, struct blk_memory *m, struct store *s, bool resume,
                            const char **why_out)
{
    return open_world(w, m, s, BLKIF_ABI_64, resume, true, why_out);
}

void blk_world_close(struct blk_world *w, bool kept)
{
    device_destroy(w->device, kept);
    free(w->scratch);
}

enum serve_result blk_world_serve(struct blk_world *w)
{
    struct worker_ring *r = &w->device->queues[0].ring;

    return r->ops->serve(r, 0, BLK_BUDGET);
}

/* ---- the frontend ---- */

/* Where the identifier stands in a slot. */
static uint8_t *body_of(const struct blk_front *f, uint8_t *slot)
{
    return slot + (f->abi == BLKIF_ABI_64 ? 8 : 4);
}

uint8_t *blk_front_slot(struct blk_front *f)
{
    uint32_t bytes = f->abi == BLKIF_ABI_64 ? 112 : 108;
    uint8_t *slot = f->memory->ring + 64 + f->req_prod++ % 32 * bytes;

    memset(slot, 0, bytes);
    return slot;
}

void blk_front_publish(struct blk_front *f)
{
    ((struct blkif_ring_header *)(void *)f->memory->ring)->req_prod = f->req_prod;
}

bool blk_front_take(struct blk_front *f, struct blk_response *response_out)
{
    uint32_t bytes = f->abi == BLKIF_ABI_64 ? 112 : 108;
    const uint8_t *slot = f->memory->ring + 64 + f->rsp_cons % 32 * bytes;

    if (((struct blkif_ring_header *)(void *)f->memory->ring)->rsp_prod == f->rsp_cons)
        return false;
    memcpy(&response_out->id, slot, 8);
    response_out->op = slot[8];
    memcpy(&response_out->status, slot + 10, 2);
    f->rsp_cons++;
    return true;
}

static void put_segments(uint8_t *at, const struct blkif_segment *segments, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++) {
        memcpy(at + i * 8, &segments[i].ref, 4);
        at[i * 8 + 4] = segments[i].first;
        at[i * 8 + 5] = segments[i].last;
    }
}

void blk_front_put(struct blk_front *f, uint8_t op, uint64_t id, uint64_t sector,
                   const struct blkif_segment *segments, unsigned nr)
{
    uint8_t *slot = blk_front_slot(f), *body = body_of(f, slot);

    slot[0] = op;
    slot[1] = (uint8_t)nr;
    memcpy(body, &id, 8);
    memcpy(body + 8, &sector, 8);
    put_segments(body + 16, segments, nr < 11 ? nr : 11);
}

void blk_front_put_indirect(struct blk_front *f, uint8_t op, uint64_t id, uint64_t sector,
                            const struct blkif_segment *segments, unsigned nr, uint32_t page)
{
    uint8_t *slot = blk_front_slot(f), *body = body_of(f, slot);
    uint16_t nr16 = (uint16_t)nr;
    uint32_t ref = page + 1;

    slot[0] = BLKIF_INDIRECT;
    slot[1] = op;
    memcpy(slot + 2, &nr16, 2);
    memcpy(body, &id, 8);
    memcpy(body + 8, &sector, 8);
    memcpy(body + 20, &ref, 4);
    if (page < BLK_GUEST_PAGES && nr <= 512)
        put_segments(f->memory->guest[page], segments, nr);
}

void blk_front_put_discard(struct blk_front *f, uint64_t id, uint64_t sector, uint64_t nr_sectors)
{
    uint8_t *slot = blk_front_slot(f), *body = body_of(f, slot);

    slot[0] = BLKIF_DISCARD;
    memcpy(body, &id, 8);
    memcpy(body + 8, &sector, 8);
    memcpy(body + 16, &nr_sectors, 8);
}
