/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/device.h"

#include <stdlib.h>

#include "daemon/blk/lost.h"

/* ---- taking rings up ---- */

static const char bad_index[] = "ring index out of range";

static const char no_memory[] = "out of memory";
static const char no_record[] = "all ring records are in use";

static bool begin_queue(struct queue *q, const struct device_config *c, const char **why_out)
{
    q->record = answer_rec_open(c->store, &c->owner, q->number, c->link->session, 0, false);
    if (!q->record) {
        *why_out = no_record;
        return false;
    }
    blkif_ring_init(&q->back, c->link->queues[q->number].pages, c->link->order, c->link->abi, 0);
    return true;
}

/* The answer that an earlier daemon owes: its request is there, or the ring is not what it was. */
static bool pay(struct queue *q, const struct answer *owed)
{
    uint8_t bytes[BLKIF_RESPONSE_BYTES], slot[BLKIF_SLOT_MAX];
    bool bad;

    if (blkif_ring_ready(&q->back, &bad) == 0)
        return false;
    blkif_ring_take(&q->back, slot);
    blkif_encode_response(owed->id, owed->op, owed->status, bytes);
    blkif_ring_answer(&q->back, bytes);
    return true;
}

/*
 * Where the record is gone with the manager's memory and the disk is not, the ring is taken up
 * where it stands: what was done and not answered is done again.
 */
static bool resume_queue(struct queue *q, const struct device_config *c, bool *lacks_out,
                         const char **why_out)
{
    struct blkif_ring_header *shared = c->link->queues[q->number].pages;
    uint32_t rsp_prod = blkif_ring_read(&shared->rsp_prod);
    bool is_lost = disk_is_lost(c->disk);
    struct answer owed;
    bool is_owed, bad;

    q->record = answer_rec_find(c->store, &c->owner, q->number);
    if (q->record && is_lost)
        answer_rec_set_lost(q->record);
    if (!q->record && c->disk->lasting) {
        *why_out = no_record;
        q->record =
            answer_rec_open(c->store, &c->owner, q->number, c->link->session, rsp_prod, is_lost);
        if (!q->record)
            return false;
    }
    *lacks_out = false;
    *why_out = "the record is of another ring";
    if (!q->record || !answer_rec_resume(q->record, c->link->session, rsp_prod, &is_owed, &owed))
        return false;
    blkif_ring_init(&q->back, shared, c->link->order, c->link->abi, rsp_prod);
    *why_out = bad_index;
    blkif_ring_ready(&q->back, &bad);
    return !bad && (!is_owed || pay(q, &owed));
}

/* ---- batches that the disk may keep ---- */

static void wake(void *waiter)
{
    struct queue *q = waiter;

    q->device->wake(&q->ring);
}

static bool begin_batches(struct queue *q, const struct disk *disk)
{
    if (!disk->keeps)
        return true;
    q->scratch = scratch_new();
    if (!q->scratch)
        return false;
    q->scratch->batch.memory = q->scratch;
    q->scratch->batch.wake = wake;
    q->scratch->batch.waiter = q;
    return true;
}

/*
 * One that waits for a device that hangs is taken back: a guest that connects again and again
 * leaves no more behind than the device has under way.
 */
static void end_batches(struct queue *q)
{
    struct batch *b;

    if (!q->scratch)
        return;
    b = &q->scratch->batch;
    if ((q->under_way && disk_take_back(q->device->disk, b)) || batch_abandon(b))
        free(q->scratch);
}

struct device *device_create(const struct device_config *config, bool *lacks_out,
                             const char **why_out)
{
    struct device *d = calloc(1, sizeof(*d));
    bool ok = true;

    *lacks_out = true;
    *why_out = no_memory;
    if (!d)
        return NULL;
    d->link = config->link;
    d->disk = config->disk;
    d->read_only = config->read_only;
    d->discards = config->discards;
    d->scratch = config->scratch;
    d->wake = config->wake;
    d->nr_queues = config->link->nr_queues;
    for (unsigned i = 0; i < d->nr_queues && ok; i++) {
        struct queue *q = &d->queues[i];

        q->ring.ops = &turn_ring_ops;
        q->ring.owner_id = (struct owner_id){ACCOUNT_XEN, config->owner.domid};
        q->ring.wait_fd = config->link->queues[i].wait_fd;
        q->ring.apart = config->link->apart;
        q->device = d;
        q->number = i;
        *lacks_out = true;
        *why_out = no_memory;
        ok = begin_batches(q, d->disk) &&
             (config->link->resume ? resume_queue(q, config, lacks_out, why_out)
                                   : begin_queue(q, config, why_out));
    }
    if (ok)
        return d;
    device_destroy(d, config->link->resume);
    return NULL;
}

void device_destroy(struct device *d, bool kept)
{
    for (unsigned i = 0; i < d->nr_queues; i++) {
        end_batches(&d->queues[i]);
        if (!kept)
            answer_rec_close(d->queues[i].record);
    }
    free(d);
}

/* ---- what went wrong ---- */

void device_break(struct device *d, const char *reason)
{
    const char *none = NULL;

    /* the first reason is the one to tell */
    if (atomic_compare_exchange_strong(&d->broken, &none, reason))
        d->link->ops->attend(d->link);
}

const char *device_broken(const struct device *d)
{
    return atomic_load_explicit(&d->broken, memory_order_acquire);
}

void device_count_failure(struct device *d, _Atomic(uint64_t) *counter)
{
    if (atomic_fetch_add_explicit(counter, 1, memory_order_relaxed) > 0)
        return;
    atomic_store(&d->has_news, true);
    d->link->ops->attend(d->link);
}

struct device_stats device_stats(const struct device *d)
{
    struct device_stats stats = {
        .refused = atomic_load_explicit(&d->nr_refused, memory_order_relaxed),
        .full = atomic_load_explicit(&d->nr_full, memory_order_relaxed),
        .damaged = atomic_load_explicit(&d->nr_damaged, memory_order_relaxed),
        .failed = atomic_load_explicit(&d->nr_failed, memory_order_relaxed),
    };

    for (unsigned i = 0; i < d->nr_queues; i++)
        stats.requests +=
            atomic_load_explicit(&d->queues[i].ring.nr_requests, memory_order_relaxed);
    return stats;
}
