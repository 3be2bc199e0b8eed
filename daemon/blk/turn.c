/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * turn.c - a queue's turn: requests are taken, run and answered in batches.
 *
 * A batch copies at most three times, however many requests it has: segments of indirect
 * requests, what is written, what was read; a system call for 64 pages, or none (link.h). In
 * between, all pages go to the disk in the order of the ring. A disk may keep them: then the ring
 * waits until they are back, and others have their turns. All that is looked at is private memory
 * from the first copy on. A disk that keeps nothing reads whole pages right into those of the guest
 * that stay mapped.
 *
 * Worker's code.
 */
#include <string.h>

#include "daemon/blk/device.h"
#include "daemon/util/bug.h"
#include "daemon/util/processor.h"

/*
 * A slice of a DISCARD, in units of a page's read: 256 pages that are all there take 18 us, a read
 * of a page that is in no cache 0.55.
 */
#define DISCARD_COST 32u

struct turn {
    struct queue *queue;
    struct device *device;
    struct scratch *scratch;
    unsigned worker;
    unsigned budget;
    bool notify; /* the frontend asked to be told of an answer */
};

static void spend(struct turn *t, unsigned cost)
{
    t->budget -= cost < t->budget ? cost : t->budget;
    t->queue->ring.spent += cost;
}

static void answer(struct turn *t, const struct blkif_request *request, enum blkif_status status)
{
    struct queue *q = t->queue;
    const struct answer a = {.id = request->id, .op = request->op, .status = status};
    uint8_t bytes[BLKIF_RESPONSE_BYTES];

    answer_rec_store(q->record, q->back.rsp_prod, &a);
    blkif_encode_response(a.id, a.op, a.status, bytes);
    if (blkif_ring_answer(&q->back, bytes))
        t->notify = true;
}

/* If it asked. After each full batch, too: it is not idle then while the next is served. */
static void tell(struct turn *t)
{
    struct queue *q = t->queue;

    if (!t->notify)
        return;
    t->notify = false;
    q->device->link->ops->notify(q->device->link, q->number);
    worker_count(&q->ring.nr_notifies, 1);
}

static enum blkif_status refuse(struct turn *t, enum blkif_status status)
{
    device_count_failure(t->device, &t->device->nr_refused);
    return status;
}

static enum blkif_status status_of(struct turn *t, enum disk_status rc)
{
    struct device *d = t->device;

    switch (rc) {
    case DISK_OK:
        return BLKIF_OKAY;
    case DISK_FULL:
        device_count_failure(d, &d->nr_full);
        return BLKIF_ERROR;
    case DISK_DAMAGED:
        device_count_failure(d, &d->nr_damaged);
        return BLKIF_ERROR;
    case DISK_IO:
        device_count_failure(d, &d->nr_failed);
        return BLKIF_ERROR;
    default:
        return refuse(t, BLKIF_ERROR);
    }
}

/* ---- copies between the guest and a batch ---- */

static struct grant_copy *add_copy(struct scratch *s, struct job *job)
{
    if (job->nr_copies++ == 0)
        job->first_copy = s->nr_copies;
    return &s->copies[s->nr_copies++];
}

static bool has_failed(const struct scratch *s, const struct job *job)
{
    for (uint32_t i = 0; i < job->nr_copies; i++) {
        if (s->copies[job->first_copy + i].status != 0)
            return true;
    }
    return false;
}

/* Carry out the copies that jobs have added. Jobs of which one failed are refused. */
static void run_copies(struct turn *t)
{
    struct blk_link *link = t->device->link;
    struct scratch *s = t->scratch;
    bool ok = s->nr_copies == 0 || link->ops->copy(link, t->queue->number, s->copies, s->nr_copies);

    for (uint32_t i = 0; i < s->nr_jobs; i++) {
        struct job *job = &s->jobs[i];

        if (job->nr_copies > 0 && (!ok || has_failed(s, job)))
            job->status = refuse(t, BLKIF_ERROR);
        job->nr_copies = 0;
    }
    s->nr_copies = 0;
}

/* Page @i of @job in private memory. */
static uint8_t *own_page(const struct job *job, uint32_t i)
{
    return job->data + (size_t)i * TMEMIF_PAGE_SIZE;
}

/* Has the disk read right into the guest's page of segment @i? */
static bool is_there(const struct scratch *s, const struct job *job, unsigned i)
{
    return job->is_straight && s->run[job->first_run + i].data != own_page(job, i);
}

/* What the guest's segments hold, or are to hold and do not yet. */
static void add_data(struct scratch *s, struct job *job, bool to_guest)
{
    uint8_t *local = job->data + job->first_sector * BLKIF_SECTOR_BYTES;
    uint16_t bytes;

    for (unsigned i = 0; i < job->request.nr_segments; i++, local += bytes) {
        const struct blkif_segment *segment = &job->segments[i];

        bytes = (uint16_t)((segment->last - segment->first + 1u) * BLKIF_SECTOR_BYTES);
        if (to_guest && is_there(s, job, i))
            continue;
        *add_copy(s, job) = (struct grant_copy){
            .ref = segment->ref,
            .offset = (uint16_t)(segment->first * BLKIF_SECTOR_BYTES),
            .length = bytes,
            .to_guest = to_guest,
            .local = local,
        };
    }
}

/* ---- taking a batch ---- */

static bool is_discard(const struct job *job)
{
    return job->status == BLKIF_OKAY && job->request.op == BLKIF_DISCARD;
}

/* Room for the data and segments of @job, as far as they are known. False: not in this batch. */
static bool reserve(struct scratch *s, struct job *job)
{
    uint32_t nr = job->status == BLKIF_OKAY ? job->request.nr_segments : 0;

    if (nr == 0)
        return true;
    if (s->nr_pages + nr + 1 > SCRATCH_PAGES)
        return false;
    job->data = s->pages[s->nr_pages];
    job->segments = &s->segments[s->nr_segments];
    s->nr_pages += nr + 1; /* they may begin amid a page */
    s->nr_segments += nr;
    return true;
}

/* A device is best asked for much at once, and keeps the scratch meanwhile. */
static uint32_t most_jobs(const struct turn *t)
{
    return t->queue->scratch ? SCRATCH_JOBS : SCRATCH_JOBS_AT_ONCE;
}

/* Take requests, of @nr that are ready, until batch or budget is full. A DISCARD is alone. */
static void take_batch(struct turn *t, uint32_t nr)
{
    const uint32_t most = most_jobs(t);
    struct scratch *s = t->scratch;
    uint8_t slot[BLKIF_SLOT_MAX];

    s->nr_jobs = s->nr_pages = s->nr_segments = s->nr_copies = 0;
    while (nr-- > 0 && s->nr_jobs < most && t->budget > 0) {
        struct job *job = &s->jobs[s->nr_jobs];

        blkif_ring_take(&t->queue->back, slot);
        job->nr_copies = 0;
        job->status = blkif_decode(t->queue->back.abi, slot, &job->request);
        if ((is_discard(job) && s->nr_jobs > 0) || !reserve(s, job)) {
            blkif_ring_untake(&t->queue->back, 1);
            return;
        }
        s->nr_jobs++;
        if (job->status != BLKIF_OKAY)
            refuse(t, job->status);
        if (is_discard(job))
            return;
        spend(t, job->status == BLKIF_OKAY && job->request.nr_segments > 0
                     ? job->request.nr_segments
                     : 1);
    }
}

/* The pages in which indirect requests have their segments. */
static void fetch_segments(struct turn *t)
{
    struct scratch *s = t->scratch;

    for (uint32_t i = 0; i < s->nr_jobs; i++) {
        struct job *job = &s->jobs[i];

        if (job->status != BLKIF_OKAY || !job->request.indirect)
            continue;
        *add_copy(s, job) = (struct grant_copy){
            .ref = job->request.indirect_ref,
            .length = (uint16_t)(job->request.nr_segments * BLKIF_SEGMENT_BYTES),
            .local = s->indirect + (job->segments - s->segments) * BLKIF_SEGMENT_BYTES,
        };
    }
    run_copies(t);
}

static bool take_segments(struct scratch *s, struct job *job)
{
    const struct blkif_request *r = &job->request;

    if (r->indirect)
        return blkif_take_segments(s->indirect +
                                       (job->segments - s->segments) * BLKIF_SEGMENT_BYTES,
                                   r->nr_segments, job->segments);
    memcpy(job->segments, r->segments, r->nr_segments * sizeof(r->segments[0]));
    return blkif_check_segments(job->segments, r->nr_segments);
}

/* Where on the disk? A FLUSH without data is nowhere. */
static void plan(struct turn *t, struct job *job)
{
    const struct blkif_request *r = &job->request;
    uint32_t end;

    job->nr_pages = 0;
    if (job->status != BLKIF_OKAY || r->nr_segments == 0)
        return;
    if (!take_segments(t->scratch, job)) {
        job->status = refuse(t, BLKIF_ERROR);
        return;
    }
    job->nr_sectors = blkif_count(job->segments, r->nr_segments);
    if (!blkif_fits(r->sector, job->nr_sectors, disk_nr_pages(t->device->disk)) ||
        (r->op != BLKIF_READ && t->device->read_only)) {
        job->status = refuse(t, BLKIF_ERROR);
        return;
    }
    job->first_page = (uint32_t)(r->sector / BLKIF_SECTORS_PER_PAGE);
    job->first_sector = (uint32_t)(r->sector % BLKIF_SECTORS_PER_PAGE);
    end = job->first_sector + job->nr_sectors;
    job->nr_pages = (end + BLKIF_SECTORS_PER_PAGE - 1) / BLKIF_SECTORS_PER_PAGE;
    job->is_straight =
        job->first_sector == 0 && job->nr_sectors == r->nr_segments * BLKIF_SECTORS_PER_PAGE;
}

/* ---- running it ---- */

/* The sectors of page @i of @job that it speaks of: [*first_out, *end_out). */
static void part_of_page(const struct job *job, uint32_t i, uint32_t *first_out, uint32_t *end_out)
{
    uint32_t last = job->first_sector + job->nr_sectors - i * BLKIF_SECTORS_PER_PAGE;

    *first_out = i == 0 ? job->first_sector : 0;
    *end_out = last < BLKIF_SECTORS_PER_PAGE ? last : BLKIF_SECTORS_PER_PAGE;
}

/* Where page @i of @job is read to, or written from. */
static uint8_t *place_of(const struct turn *t, const struct job *job, uint32_t i)
{
    struct blk_link *link = t->device->link;
    uint8_t *page = NULL;

    if (job->is_straight && job->request.op == BLKIF_READ && !t->device->disk->keeps)
        page = link->ops->mapped(link, t->queue->number, job->segments[i].ref);
    return page ? page : own_page(job, i);
}

/* What the disk is to do with the pages of @job. */
static void add_pages(const struct turn *t, struct job *job)
{
    struct scratch *s = t->scratch;

    job->first_run = s->batch.nr_pages;
    for (uint32_t i = 0; i < job->nr_pages; i++) {
        struct batch_page *p = &s->run[s->batch.nr_pages++];
        uint32_t first, end;

        part_of_page(job, i, &first, &end);
        *p = (struct batch_page){
            .page = job->first_page + i,
            .write = job->request.op != BLKIF_READ,
            .first = (uint16_t)(first * BLKIF_SECTOR_BYTES),
            .end = (uint16_t)(end * BLKIF_SECTOR_BYTES),
            .data = place_of(t, job, i),
        };
    }
}

/* What came of it: the first thing that went wrong. */
static enum disk_status outcome_of(const struct scratch *s, const struct job *job)
{
    enum disk_status rc = DISK_OK;

    for (uint32_t i = 0; i < job->nr_pages && rc == DISK_OK; i++)
        rc = s->run[job->first_run + i].status;
    return rc == DISK_OK && job->request.op == BLKIF_FLUSH ? s->batch.status : rc;
}

/* Those that write, if @writes; else those that read. */
static void add_data_of_jobs(struct scratch *s, bool writes)
{
    for (uint32_t i = 0; i < s->nr_jobs; i++) {
        struct job *job = &s->jobs[i];

        if (job->status == BLKIF_OKAY && job->nr_pages > 0 &&
            (job->request.op != BLKIF_READ) == writes)
            add_data(s, job, !writes);
    }
}

/* Have the disk do what the batch says; it may keep it. */
static void run(struct turn *t)
{
    t->queue->under_way = !disk_run(t->device->disk, t->worker, &t->scratch->batch);
    /* or it would have a worker's memory, and perhaps a guest's */
    BUG_UNLESS(!t->queue->under_way || t->device->disk->keeps);
}

static void end_batch(struct turn *t)
{
    struct scratch *s = t->scratch;

    for (uint32_t i = 0; i < s->nr_jobs; i++) {
        if (s->jobs[i].status == BLKIF_OKAY)
            s->jobs[i].status = status_of(t, outcome_of(s, &s->jobs[i]));
    }
    add_data_of_jobs(s, false);
    run_copies(t);
    for (uint32_t i = 0; i < s->nr_jobs; i++)
        answer(t, &s->jobs[i].request, s->jobs[i].status);
    worker_count(&t->queue->ring.nr_requests, s->nr_jobs);
    if (s->nr_jobs == most_jobs(t))
        tell(t);
}

static void run_batch(struct turn *t)
{
    struct scratch *s = t->scratch;

    fetch_segments(t);
    for (uint32_t i = 0; i < s->nr_jobs; i++)
        plan(t, &s->jobs[i]);
    add_data_of_jobs(s, true);
    run_copies(t);

    s->batch.kind = BATCH_TRANSFER;
    s->batch.pages = s->run;
    s->batch.nr_pages = 0;
    s->batch.flush = false;
    for (uint32_t i = 0; i < s->nr_jobs; i++) {
        if (s->jobs[i].status != BLKIF_OKAY)
            continue;
        add_pages(t, &s->jobs[i]);
        s->batch.flush |= s->jobs[i].request.op == BLKIF_FLUSH;
    }
    run(t);
    if (!t->queue->under_way)
        end_batch(t);
}

/* ---- discard ---- */

/* Whole pages are given back; what is left of others stays as it is, which is allowed. */
static enum blkif_status begin_discard(struct turn *t, const struct blkif_request *r)
{
    struct queue *q = t->queue;
    uint64_t first, end;

    if (!t->device->discards)
        return BLKIF_NOT_SUPPORTED;
    if (t->device->read_only ||
        !blkif_fits(r->sector, r->nr_sectors, disk_nr_pages(t->device->disk)))
        return BLKIF_ERROR;
    first = (r->sector + BLKIF_SECTORS_PER_PAGE - 1) / BLKIF_SECTORS_PER_PAGE;
    end = (r->sector + r->nr_sectors) / BLKIF_SECTORS_PER_PAGE;
    q->discarding = true;
    q->discard = *r;
    q->next_page = (uint32_t)first;
    q->end_page = (uint32_t)(end > first ? end : first);
    return BLKIF_OKAY;
}

static void end_discard(struct turn *t, const struct blkif_request *r, enum blkif_status status)
{
    t->queue->discarding = false;
    answer(t, r, status);
    worker_count(&t->queue->ring.nr_requests, 1);
}

/* The disk has discarded a slice. */
static void take_slice(struct turn *t)
{
    const struct batch *b = &t->scratch->batch;
    struct queue *q = t->queue;

    q->next_page += b->nr_done;
    if (b->status != DISK_OK || q->next_page == q->end_page)
        end_discard(t, &q->discard, status_of(t, b->status));
}

static void go_on_discarding(struct turn *t)
{
    struct batch *b = &t->scratch->batch;
    struct queue *q = t->queue;

    b->kind = BATCH_DISCARD;
    b->first = q->next_page;
    b->nr = q->end_page - q->next_page;
    spend(t, DISCARD_COST);
    run(t);
    if (!q->under_way)
        take_slice(t);
}

static void run_discard(struct turn *t, const struct blkif_request *r)
{
    enum blkif_status status = begin_discard(t, r);

    if (status == BLKIF_OKAY && t->queue->next_page < t->queue->end_page) {
        go_on_discarding(t);
        return;
    }
    spend(t, 1);
    end_discard(t, r, status == BLKIF_OKAY ? status : refuse(t, status));
}

/* ---- the turn ---- */

static enum serve_result serve_requests(struct turn *t)
{
    struct queue *q = t->queue;

    while (t->budget > 0) {
        uint32_t nr;
        bool bad;

        if (q->under_way) {
            if (!batch_is_done(&t->scratch->batch))
                return SERVE_WAITING;
            q->under_way = false;
            if (q->discarding)
                take_slice(t);
            else
                end_batch(t);
            continue;
        }
        if (q->discarding) {
            go_on_discarding(t);
            continue;
        }
        nr = blkif_ring_ready(&q->back, &bad);
        if (bad) {
            device_break(t->device, "ring index out of range");
            return SERVE_BROKEN;
        }
        if (nr == 0)
            return SERVE_EMPTY;
        take_batch(t, nr);
        if (is_discard(&t->scratch->jobs[0]))
            run_discard(t, &t->scratch->jobs[0].request);
        else
            run_batch(t);
    }
    return SERVE_MORE;
}

static enum serve_result serve(struct worker_ring *r, unsigned worker, unsigned budget)
{
    struct queue *q = (struct queue *)r;
    struct turn t = {
        .queue = q,
        .device = q->device,
        .scratch = q->scratch ? q->scratch : q->device->scratch[worker],
        .worker = worker,
        .budget = budget,
    };
    enum serve_result result;

    if (device_broken(q->device))
        return SERVE_BROKEN;
    result = serve_requests(&t);
    tell(&t);
    return result;
}

static bool arm(struct worker_ring *r)
{
    return blkif_ring_arm(&((struct queue *)r)->back);
}

static int consume(struct worker_ring *r)
{
    struct queue *q = (struct queue *)r;

    q->device->link->ops->consume(q->device->link, q->number);
    return PROCESSOR_UNKNOWN;
}

static void hang_up(struct worker_ring *r)
{
    device_break(((struct queue *)r)->device, "notification channel closed");
}

const struct worker_ring_ops turn_ring_ops = {
    .serve = serve, .arm = arm, .consume = consume, .hang_up = hang_up};
