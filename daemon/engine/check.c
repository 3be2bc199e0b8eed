/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/account_table.h"
#include "daemon/engine/shard.h"
#include "daemon/engine/tomb.h"

#define CHECK(condition, sentence)                                                                 \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return sentence;                                                                       \
    } while (0)

/* What a scan of the descriptors counts. */
struct tally {
    uint64_t nr_pages, ephemeral, persistent, filled;
};

static const char *check_page(struct engine *e, struct shard *s, page_nr page, struct tally *sum)
{
    const struct desc *d = &e->descs[page];
    struct handle h = handle_of_desc(e->seed, d);
    uint32_t *slot;

    CHECK(desc_is_whole(d), "a page in an index has a damaged or dead descriptor");
    CHECK(d->pool < e->nr_pools, "a page names a pool out of range");
    CHECK(pool_state(&e->pools[d->pool]) != POOL_FREE, "a page is of a pool that is not there");
    CHECK(shard_of(e, h.object_hash) == s, "a page is in another shard than its object's");
    slot = shard_seek(e, s, &h);
    CHECK(slot && shard_page_at(s, slot) == page, "a handle is not found, or twice");
    CHECK(object_index_has(&s->objects, &h, page), "an object does not know its page");
    CHECK((d->use & (USE_PINS | USE_TAKEN)) == 0, "a page is still pinned");
    CHECK(live_generation(d->live) <= atomic_load_explicit(&s->generation, memory_order_relaxed),
          "a page is of a generation that is still to come");
    sum->nr_pages++;
    if (pool_is_persistent(&e->pools[d->pool]))
        sum->persistent++;
    else
        sum->ephemeral++;
    sum->filled += d->kind == DESC_FILLED;
    return NULL;
}

static const char *check_list(const struct engine *e, struct queue *q, enum queue_part part,
                              uint16_t pool)
{
    const struct page_list *l = queue_list(q, part);
    page_nr before = LAYOUT_NONE;
    uint32_t nr = 0;

    for (page_nr page = l->head; page != LAYOUT_NONE; page = e->links[page].to_tail) {
        const struct desc *d = &e->descs[page];

        CHECK(nr++ < page_list_nr(l), "a queue is longer than its count");
        CHECK(e->links[page].to_head == before, "a queue's links disagree");
        CHECK(d->live != LIVE_DEAD && d->pool == pool, "a queue has a page of another pool");
        CHECK(queue_part_of(d) == part, "a page is in another queue");
        before = page;
    }
    CHECK(l->tail == before, "a queue ends elsewhere");
    CHECK(nr == page_list_nr(l), "a queue is shorter than its count");
    return NULL;
}

static const char *check_queues(const struct engine *e, const struct shard *s, uint64_t *nr_out)
{
    for (uint32_t i = 0; i < e->nr_pools; i++) {
        struct pool_part *part;
        const char *why;

        if (!atomic_load_explicit(&e->pools[i].parts, memory_order_relaxed))
            continue;
        part = pool_part_of(e, &e->pools[i], s);
        CHECK(pool_state(&e->pools[i]) != POOL_FREE || queue_nr(&part->queue) == 0,
              "a free pool slot has pages");
        for (unsigned list = 0; list < QUEUE_PARTS; list++) {
            why = check_list(e, &part->queue, (enum queue_part)list, (uint16_t)i);
            if (why)
                return why;
        }
        *nr_out += queue_nr(&part->queue);
    }
    return NULL;
}

/* Adds its pages to @nr_out. */
static const char *check_shard(struct engine *e, struct shard *s, uint64_t *nr_out)
{
    struct tally sum = {0};
    uint64_t cursor = 0, nr_queued = 0, nr_of_objects = 0;
    const char *why;
    uint32_t page;

    while (table_next(&s->pages, &cursor, &page)) {
        CHECK(page < e->nr_descs, "an index names a page out of range");
        why = check_page(e, s, page, &sum);
        if (why)
            return why;
    }
    CHECK(sum.nr_pages == s->pages.nr_used, "an index's count differs from its entries");
    CHECK(sum.ephemeral == s->nr_ephemeral, "the ephemeral pages of a shard are miscounted");
    CHECK(sum.persistent == s->nr_persistent, "the persistent pages of a shard are miscounted");
    CHECK(sum.filled == s->nr_filled, "the same-filled pages of a shard are miscounted");
    why = object_index_check(&s->objects, &nr_of_objects);
    if (why)
        return why;
    CHECK(nr_of_objects == sum.nr_pages, "objects have more or fewer pages than the index");
    why = check_queues(e, s, &nr_queued);
    if (why)
        return why;
    CHECK(nr_queued == sum.nr_pages, "queues have more or fewer pages than the index");
    CHECK(s->nr_tombs <= shard_tomb_room(e), "a shard has more tombstones than room");
    *nr_out += sum.nr_pages;
    return NULL;
}

/* Every live descriptor is in an index; @nr_indexed are. */
static const char *check_store(struct engine *e, uint64_t nr_indexed)
{
    struct store_usage usage = store_usage(e->store);
    uint64_t nr_live = 0;

    for (page_nr page = store_next_live(e->store, 0); page != LAYOUT_NONE;
         page = store_next_live(e->store, page + 1))
        nr_live++;
    CHECK(nr_live == nr_indexed, "a live page is in no index");
    CHECK((uint64_t)usage.frames_used + usage.filled_used == nr_live,
          "a page is handed out by the store and not live");
    return NULL;
}

static uint64_t part_pages(const struct engine *e, const struct pool *p)
{
    uint64_t nr = 0;

    for (uint32_t i = 0; i < e->nr_shards; i++)
        nr += queue_nr(&pool_part_of(e, &e->pools[p - e->pools], &e->shards[i])->queue);
    return nr;
}

static uint64_t part_filled(const struct engine *e, const struct pool *p)
{
    uint64_t nr = 0;

    for (uint32_t i = 0; i < e->nr_shards; i++)
        nr += page_list_nr(&pool_part_of(e, &e->pools[p - e->pools], &e->shards[i])->queue.filled);
    return nr;
}

/* Of @c: pools that drain, and tombstones. */
static uint32_t count_dying(const struct engine *e, const struct claim *c)
{
    uint32_t nr = 0;

    for (uint32_t i = 0; i < e->nr_pools; i++)
        nr += e->pools[i].drain_left != 0 && pool_claim(&e->pools[i]) == c;
    for (uint32_t i = 0; i < e->nr_shards; i++) {
        const struct shard *s = &e->shards[i];

        for (uint32_t t = 0; t < s->nr_tombs; t++)
            nr += pool_claim(&e->pools[s->tombs[t].handle.key.pool]) == c;
    }
    return nr;
}

static const char *check_claims(const struct engine *e)
{
    uint32_t nr_shared = atomic_load_explicit(&e->shared_end, memory_order_relaxed);

    for (uint32_t i = 0; i < e->nr_accounts + nr_shared; i++) {
        const struct claim *c = &e->claims[i];
        uint64_t persistent = 0, ephemeral = 0, filled = 0;

        /* Never used: nothing is charged there. */
        if (i >= atomic_load_explicit(&e->accounts_end, memory_order_relaxed) && i < e->nr_accounts)
            continue;
        for (uint32_t slot = 0; slot < e->nr_pools; slot++) {
            const struct pool *p = &e->pools[slot];

            if (pool_state(p) == POOL_FREE || pool_claim(p) != c)
                continue;
            if (pool_is_persistent(p)) {
                persistent += part_pages(e, p);
                continue;
            }
            ephemeral += part_pages(e, p);
            filled += part_filled(e, p);
        }
        CHECK(persistent == claim_read(&c->persistent), "persistent pages are charged wrong");
        CHECK(ephemeral == claim_read(&c->ephemeral), "ephemeral pages are charged wrong");
        CHECK(count_dying(e, c) == atomic_load_explicit(&c->nr_dying, memory_order_relaxed),
              "what dies of a claim is miscounted");
        CHECK(claim_read(&c->under_way) == 0, "a put that has ended is counted as under way");
        CHECK(filled == claim_read(&c->filled), "ephemeral pages without a frame are miscounted");
    }
    return NULL;
}

/* The records say what the heap says, and every seat has a pool. */
static const char *check_seats(struct engine *e)
{
    for (account_nr i = 0; i < e->nr_accounts; i++) {
        const struct account_rec *record = &store_accounts(e->store)[i];

        CHECK(account_is_open(e, i) == (record->live != LIVE_DEAD),
              "an account and its record disagree");
        for (uint32_t id = 0; account_is_open(e, i) && id < TMEMIF_MAX_POOLS; id++) {
            uint32_t seat = atomic_load_explicit(&e->accounts[i].seats[id], memory_order_relaxed);

            CHECK(seat_slot(seat) == record->pools[id], "a seat and its record disagree");
            CHECK(seat == SEAT_NONE || pool_state(&e->pools[seat_slot(seat)]) == POOL_LIVE,
                  "a seat is in a pool that is not there");
        }
    }
    for (uint32_t i = 0; i < e->nr_pools; i++)
        CHECK((pool_state(&e->pools[i]) == POOL_FREE) ==
                  (store_pools(e->store)[i].live == LIVE_DEAD),
              "a pool and its record disagree");
    return NULL;
}

static const char *check_tombstones(struct engine *e)
{
    uint32_t nr = 0, nr_live = 0;

    for (uint32_t i = 0; i < e->nr_shards; i++)
        nr += e->shards[i].nr_tombs;
    for (uint32_t i = 0; i < e->nr_shards; i++) {
        const struct shard *s = &e->shards[i];

        for (uint32_t t = 0; t < s->nr_tombs; t++) {
            CHECK(pool_state(&e->pools[s->tombs[t].handle.key.pool]) != POOL_FREE,
                  "a tombstone is of a pool that is not there");
            CHECK(s->tombs[t].generation <= s->barrier,
                  "a page may be put under a tombstone that is there already");
        }
    }
    for (uint32_t i = 0; i < store_super(e->store)->nr_tombstones; i++)
        nr_live += store_tombstones(e->store)[i].live != LIVE_DEAD;
    CHECK(nr == nr_live, "a tombstone has no record, or a record no tombstone");
    CHECK(nr == atomic_load_explicit(&e->nr_tombs, memory_order_relaxed),
          "the tombstones are miscounted");
    return NULL;
}

static const char *check_drains(const struct engine *e)
{
    uint32_t nr_full = 0;

    for (uint32_t i = 0; i < e->nr_pools; i++) {
        enum pool_state state = pool_state(&e->pools[i]);

        nr_full += e->pools[i].drain_left != 0 && e->pools[i].drains_pages;
        CHECK(state != POOL_FREE || e->pools[i].drain_left == 0, "a free pool drains");
        CHECK(state != POOL_DRAINING || e->pools[i].drain_left != 0, "a pool is never drained");
    }
    CHECK(nr_full == e->nr_full_drains, "pools that drain are miscounted");
    return NULL;
}

const char *engine_check(struct engine *e)
{
    uint64_t nr_pages = 0;
    const char *why = NULL;

    for (uint32_t i = 0; !why && i < e->nr_shards; i++)
        why = check_shard(e, &e->shards[i], &nr_pages);
    if (!why)
        why = check_store(e, nr_pages);
    if (!why)
        why = check_claims(e);
    if (!why)
        why = check_seats(e);
    if (!why)
        why = check_tombstones(e);
    if (!why)
        why = check_drains(e);
    return why;
}
