/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/tomb.h"

#include <string.h>

bool tomb_may_add(const struct engine *e, const struct shard *s, uint16_t slot)
{
    uint32_t room = shard_tomb_room(e), most = room < 4 ? 1 : room / 4;
    const struct claim *claim = pool_claim(&e->pools[slot]);
    uint32_t nr = 0;

    for (uint32_t i = 0; i < s->nr_tombs; i++)
        nr += pool_claim(&e->pools[s->tombs[i].handle.key.pool]) == claim;
    return s->nr_tombs < room && nr < most;
}

static struct tombstone_rec *record_free(struct engine *e, const struct shard *s)
{
    uint32_t room = shard_tomb_room(e);
    struct tombstone_rec *records = store_tombstones(e->store) + (s - e->shards) * room;

    for (uint32_t i = 0; i < room; i++) {
        if (records[i].live == LIVE_DEAD)
            return &records[i];
    }
    return NULL;
}

void tomb_add(struct engine *e, struct shard *s, const struct handle *h, uint32_t first,
              uint32_t last)
{
    struct tombstone_rec *record;
    struct tomb *t;

    record = record_free(e, s);
    BUG_UNLESS(record != NULL);
    t = &s->tombs[s->nr_tombs];
    *t = (struct tomb){
        .handle = *h,
        .first = first,
        .last = last,
        .generation = shard_take_generation(s),
        .record = record,
    };
    s->barrier = t->generation;
    memcpy(record->object, h->key.object, sizeof(record->object));
    record->pool = h->key.pool;
    record->first = first;
    record->last = last;
    tombstone_rec_make_live(record, t->generation);
    s->nr_tombs++;
    atomic_fetch_add_explicit(&e->nr_tombs, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&pool_claim(&e->pools[h->key.pool])->nr_dying, 1,
                              memory_order_relaxed);
}

static void tomb_end(struct engine *e, struct shard *s, uint32_t at)
{
    struct claim *claim = pool_claim(&e->pools[s->tombs[at].handle.key.pool]);

    rec_make_dead(&s->tombs[at].record->live);
    s->nr_tombs--;
    memmove(&s->tombs[at], &s->tombs[at + 1], (s->nr_tombs - at) * sizeof(*s->tombs));
    atomic_fetch_sub_explicit(&e->nr_tombs, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&claim->nr_dying, 1, memory_order_relaxed);
}

bool tomb_step(struct engine *e, struct shard *s, const struct claim *claim,
               struct dead_pages *dead)
{
    uint32_t indexes[EXTENT_PAGES];
    unsigned nr;
    uint32_t at = 0;
    struct tomb *t;
    bool more;

    /* Of one object, the oldest comes first: walks over it must not be mixed. */
    while (at < s->nr_tombs && claim &&
           pool_claim(&e->pools[s->tombs[at].handle.key.pool]) != claim)
        at++;
    if (at == s->nr_tombs)
        return false;
    t = &s->tombs[at];
    if (!t->is_begun)
        object_walk_begin(&s->objects, &t->handle, t->first, t->last, &t->walk);
    t->is_begun = true;
    more = object_walk_step(&s->objects, &t->handle, &t->walk, indexes, &nr);
    shard_kill_indexes(e, s, &t->handle, indexes, nr, t->generation, dead);
    if (!more)
        tomb_end(e, s, at);
    return true;
}

void tomb_drop_pool(struct engine *e, struct shard *s, uint16_t pool)
{
    for (uint32_t at = s->nr_tombs; at-- > 0;) {
        if (s->tombs[at].handle.key.pool == pool)
            tomb_end(e, s, at);
    }
}
