/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * state.h - the engine's own structures, for the files of this folder alone.
 *
 * Locks, taken in this order:
 *   engine.lock           accounts, pools, members: create, join, leave, policy
 *   engine.reclaim_lock   what is dying: drains, tombstones, one reclaimer at a time
 *   shard.lock            pages, queues, leases, tombstones of that shard; no two at once
 *   the store's, and a tuner's own: under none but the first two
 *
 * Workers read a seat (account and pool id to pool slot and right) without a
 * lock and read it again under the shard's. Whoever takes a seat away does so
 * before a drain takes every shard's lock once, and only after that may the
 * slot be used again: so a seat that still stands under the lock is right.
 */
#ifndef XTM_ENGINE_STATE_H
#define XTM_ENGINE_STATE_H

#include "daemon/engine/claim.h"
#include "daemon/engine/doubt.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/ghost.h"
#include "daemon/engine/handle.h"
#include "daemon/engine/heap.h"
#include "daemon/engine/lease.h"
#include "daemon/engine/object_index.h"
#include "daemon/engine/queue.h"
#include "daemon/engine/use.h"
#include "daemon/util/bug.h"
#include "daemon/util/lock.h"

#define ENGINE_MAX_SHARDS  1024u
#define ENGINE_MAX_SHARED  1024u  /* shared pools with a policy or members */
#define ENGINE_MAX_MEMBERS 16384u /* allowed members of all of them */
#define SHARD_MAX_TOMBS    64u

struct counters {
    uint64_t puts, puts_refused, gets, hits, flushes, evictions;
};

/* A pool's pages in one shard; under that shard's lock. */
struct pool_part {
    struct queue queue;
    struct counters counters;
    uint64_t floor; /* pages with a generation below are dead: the pool began a new epoch */
    char padding[128 - sizeof(struct queue) - sizeof(struct counters) - sizeof(uint64_t)];
};
_Static_assert(sizeof(struct pool_part) == 128, "shards do not share cache lines");

enum pool_state {
    POOL_FREE, /* the slot may be used */
    POOL_LIVE,
    POOL_DRAINING, /* destroyed; its pages are being reclaimed */
};

struct tuner;

struct pool {
    _Atomic uint32_t state; /* enum pool_state */
    _Atomic uint32_t flags; /* TMEMIF_POOL_* */
    _Atomic uint32_t epoch;
    _Atomic uint64_t generation; /* of the pool's record: tells one use of the slot from another */
    struct claim *_Atomic claim;
    /* nr_shards of them; made with the slot's first pool and kept, for others read them unlocked */
    struct pool_part *_Atomic parts;
    const struct queue_rule *_Atomic rule; /* chosen by the tuner, which stays with the slot too */
    struct tuner *_Atomic tuner;
    _Atomic uint32_t sample_below; /* of the hashes that the tuner is shown; see tuner.h */
    /* below: engine.lock */
    account_nr account; /* owner, or LAYOUT_NONE: shared */
    uint32_t pool_id;   /* the owner's */
    uint32_t shared;    /* place in engine.shared, or LAYOUT_NONE */
    uint32_t nr_joined;
    /* below: engine.reclaim_lock */
    uint32_t drain_left; /* shards still to be visited; not 0: in engine.drains */
    bool drains_pages;   /* it had some when that began */
};

/* A pool as an account sees it. None is 0, so that accounts nobody opened take no memory. */
#define SEAT_NONE 0u
#define SEAT_HELD 0x80000000u
static inline uint32_t seat_make(uint16_t slot, enum pool_right right)
{
    return SEAT_HELD | (uint32_t)right << 16 | slot;
}
static inline uint16_t seat_slot(uint32_t seat)
{
    return seat == SEAT_NONE ? (uint16_t)LAYOUT_NO_SLOT : (uint16_t)seat;
}
static inline enum pool_right seat_right(uint32_t seat)
{
    return (enum pool_right)((seat & ~SEAT_HELD) >> 16);
}

enum account_state { ACCOUNT_FREE, ACCOUNT_OPEN, ACCOUNT_CLOSING };

struct account {
    _Atomic uint32_t seats[TMEMIF_MAX_POOLS]; /* SEAT_NONE or seat_make() */
    enum account_state state;                 /* engine.lock */
};

/* A shared pool's name and what the operator said of it; the pool itself may not exist. */
struct shared {
    uint8_t uuid[TMEMIF_UUID_LEN];
    bool in_use;
    _Atomic uint16_t slot; /* of the pool, or LAYOUT_NO_SLOT */
};

struct member {
    struct account_key key;
    uint32_t shared; /* LAYOUT_NONE: free */
    enum pool_right right;
};

/* A long flush, answered, whose pages are still to be reclaimed. */
struct tomb {
    struct handle handle; /* of the object; the index means nothing */
    uint32_t first, last; /* indexes, inclusive */
    struct object_walk walk;
    bool is_begun;       /* the walk: begun with its first step */
    uint64_t generation; /* pages of lower ones are dead */
    struct tombstone_rec *record;
};

struct shard {
    struct lock lock;
    uint32_t nr_tombs;
    _Atomic uint64_t generation; /* the last one handed out; also outside the lock */
    uint64_t barrier;            /* a page made live from now on has a higher one */
    struct table pages;
    struct object_index objects;
    struct ghosts ghosts;
    struct tomb *tombs; /* oldest first; the engine's memory */
    struct counters counters;
    uint64_t nr_ephemeral, nr_persistent, nr_filled;
    struct leases leases;
    char padding[64];
};

/* A worker's own. */
struct worker {
    uint64_t random;
    /* the last choice of a victim, good for some more pages */
    struct claim *victim_of; /* only from this claim; NULL: from any */
    uint16_t victim_pool;
    uint16_t victim_shard;
    uint16_t victim_left;
    uint8_t victim_kind; /* enum victim_kind */
    uint8_t victim_from; /* enum queue_part */
    uint32_t puts_to_level;
    uint32_t puts_to_reclaim; /* before others' dead pages are looked for again */
    char padding[96];
};
_Static_assert(sizeof(struct worker) == 128, "workers do not share cache lines");

struct engine {
    struct store *store;
    struct desc *descs;
    unsigned char *frames;
    uint32_t nr_descs;
    uint32_t nr_frames; /* the first so many descriptors have frames */
    uint32_t nr_shards;
    unsigned nr_workers;
    bool emulated;
    uint64_t seed;
    struct heap heap;
    void *shards_memory;
    struct shard *shards;
    struct page_link *links;
    struct doubts doubts;
    struct tomb
        *tombs; /* shard_tomb_room() for each shard, in one piece: memory comes when it is used */
    struct worker *workers;

    struct lock lock;
    struct account *accounts;
    uint32_t nr_accounts;
    struct pool *pools;
    uint32_t nr_tuners; /* that pool slots have; under the lock */
    uint32_t nr_pools;
    struct shared *shared;
    struct member *members;
    uint32_t nr_members;           /* places of members that were ever used */
    uint64_t record_generation;    /* the last one of an account or pool record */
    uint32_t last_epoch;           /* of any pool at any time: a lease names no pool */
    struct claim *claims;          /* nr_accounts, then ENGINE_MAX_SHARED */
    _Atomic uint64_t minimums;     /* of all claims; reserve.h */
    _Atomic uint64_t spare;        /* frames kept for what replaces a page; reserve.h */
    _Atomic uint32_t accounts_end; /* slots from here on were never used */
    _Atomic uint32_t shared_end;

    _Atomic uint64_t puts_turned_away; /* by no pool or no right: no shard was asked */
    _Atomic uint64_t pages_damaged;    /* whose bytes proved to be others than were put */

    struct lock reclaim_lock;
    uint16_t *drains; /* pool slots, those with pages first */
    _Atomic uint32_t nr_drains;
    uint32_t nr_full_drains; /* those with pages */
    _Atomic uint32_t nr_tombs;
    uint32_t reclaim_shard; /* whose tombstones come next */
};

static inline struct shard *shard_of(const struct engine *e, uint64_t object_hash)
{
    return &e->shards[object_hash & (e->nr_shards - 1)];
}

static inline struct pool_part *pool_part_of(const struct engine *e, struct pool *p,
                                             const struct shard *s)
{
    return &atomic_load_explicit(&p->parts, memory_order_relaxed)[s - e->shards];
}

static inline uint32_t pool_flags(const struct pool *p)
{
    return atomic_load_explicit(&p->flags, memory_order_relaxed);
}

static inline bool pool_is_persistent(const struct pool *p)
{
    return pool_flags(p) & TMEMIF_POOL_PERSISTENT;
}

/* Does a hit remove the page? */
static inline bool pool_is_exclusive(const struct pool *p)
{
    return !(pool_flags(p) & (TMEMIF_POOL_PERSISTENT | TMEMIF_POOL_SHARED | TMEMIF_POOL_INCLUSIVE));
}

static inline bool pool_gives_leases(const struct pool *p)
{
    return pool_flags(p) & (TMEMIF_POOL_SHARED | TMEMIF_POOL_LEASED);
}

static inline const struct queue_rule *pool_rule(const struct pool *p)
{
    return atomic_load_explicit(&p->rule, memory_order_relaxed);
}

static inline uint32_t pool_epoch(const struct pool *p)
{
    return atomic_load_explicit(&p->epoch, memory_order_relaxed);
}

static inline enum pool_state pool_state(const struct pool *p)
{
    /* acquire: its parts and properties were there before it was live */
    return (enum pool_state)atomic_load_explicit(&p->state, memory_order_acquire);
}

static inline struct claim *pool_claim(const struct pool *p)
{
    return atomic_load_explicit(&p->claim, memory_order_relaxed);
}

static inline void *engine_frame(const struct engine *e, page_nr page)
{
    return e->frames + (size_t)page * TMEMIF_PAGE_SIZE;
}

#endif /* XTM_ENGINE_STATE_H */
