/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/table.h"

#include <string.h>

#define REBUILDS_MOST 8u
#define FIRST_LEAST   8u  /* in fewer, the second bucket is too often the first */
#define FIRST_MOST    64u /* buckets of a new table at most: one page */
#define KICKS_MOST    64u

/*
 * Of 1000 places: so many are used in a table that has its fair share. It grows beyond the second
 * number; two choices of 16 fill to 97 % with few kicks. Between the two are shards that got more
 * than their share: at 256 pages an object they differ by 9 %.
 */
#define FILL_FAIR 940u
#define FILL_MOST 970u

/*
 * Buckets that an insertion moves over from the old side. Many tables beyond their fair size have
 * just grown when a store is full, and have both sides until they are through.
 */
#define MOVES_FAIR   1u
#define MOVES_BEYOND 4u

static size_t side_bytes(uint32_t nr_buckets)
{
    return (size_t)nr_buckets * TABLE_BUCKET * sizeof(uint32_t) + CACHE_LINE;
}

static bool side_init(struct table_side *side, struct heap *heap, uint32_t nr_buckets)
{
    uintptr_t at;

    side->memory = heap_take(heap, 1, side_bytes(nr_buckets));
    if (!side->memory)
        return false;
    at = ((uintptr_t)side->memory + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1);
    side->slots = (uint32_t *)at;
    side->nr_buckets = nr_buckets;
    return true;
}

static void side_fini(struct table_side *side, struct heap *heap)
{
    heap_give(heap, side->memory, 1, side_bytes(side->nr_buckets));
    *side = (struct table_side){0};
}

static uint64_t fill_limit(uint32_t nr_buckets)
{
    return (uint64_t)nr_buckets * TABLE_BUCKET * FILL_MOST / 1000;
}

bool table_init(struct table *t, struct heap *heap, unsigned value_bits, uint32_t fair,
                const struct table_owner *owner)
{
    uint32_t first;

    /* 2 % for shares that are not quite even. */
    *t = (struct table){
        .value_mask = value_bits >= 32 ? UINT32_MAX : (1u << value_bits) - 1,
        .fair_buckets = (uint32_t)((uint64_t)fair * 1020 / FILL_FAIR / TABLE_BUCKET + FIRST_LEAST),
        .owner = *owner,
        .heap = heap,
    };
    /* Halves of the fair size, so that a full store leaves the table as full as it may be. */
    for (first = t->fair_buckets; first > FIRST_MOST; first = (first + 1) / 2)
        continue;
    return side_init(&t->now, heap, first);
}

void table_fini(struct table *t)
{
    side_fini(&t->now, t->heap);
    if (t->old.slots)
        side_fini(&t->old, t->heap);
}

static uint32_t next_size(const struct table *t)
{
    uint32_t nr = t->now.nr_buckets;

    if (nr >= t->fair_buckets)
        return nr + nr / 8 + 1;
    /* The halves were rounded up: the last doubling is one too large, at most. */
    return nr * 2 < t->fair_buckets ? nr * 2 : t->fair_buckets;
}

/* Which places of @bucket are free: a bit for each. */
static uint32_t bucket_free(const uint32_t *bucket)
{
    return bucket_alike(bucket, UINT32_MAX, 0);
}

/* Of 16 bits. A processor's own instruction for it may not be there, and a call is slower. */
static unsigned nr_bits(uint32_t bits)
{
    bits -= bits >> 1 & 0x5555;
    bits = (bits & 0x3333) + (bits >> 2 & 0x3333);
    bits = (bits + (bits >> 4)) & 0x0f0f;
    return (bits + (bits >> 8)) & 0x1f;
}

/*
 * Both buckets of @entry are full: make room by moving entries to their other
 * bucket, one after the other. False: no way found, everything is as it was.
 */
static bool side_kick(struct table *t, uint32_t bucket, uint32_t entry)
{
    uint32_t *path[KICKS_MOST];

    for (unsigned nr = 0; nr < KICKS_MOST; nr++) {
        uint32_t *slots = &t->now.slots[(size_t)bucket * TABLE_BUCKET];
        uint32_t places = bucket_free(slots);
        uint32_t displaced, *slot;

        if (places) {
            slots[__builtin_ctz(places)] = entry;
            return true;
        }
        /* Any entry will do, but another one when the walk comes by again, or it goes in a circle.
         */
        slot = &slots[((entry ^ nr * 0x85ebca6bu) * 0x9e3779b1u >> 16) & (TABLE_BUCKET - 1)];
        displaced = *slot;
        *slot = entry;
        path[nr] = slot;
        entry = displaced;
        bucket = table_other_bucket(bucket, entry & ~t->value_mask, t->now.nr_buckets);
    }
    for (unsigned nr = KICKS_MOST; nr-- > 0;) {
        uint32_t displaced = entry;

        entry = *path[nr];
        *path[nr] = displaced;
    }
    return false;
}

static bool side_place(struct table *t, uint64_t hash, uint32_t value)
{
    uint32_t tag = table_tag(t, hash);
    uint32_t entry = tag | (value + 1);
    uint32_t first = table_first_bucket(hash, t->now.nr_buckets);
    uint32_t other = table_other_bucket(first, tag, t->now.nr_buckets);
    uint32_t *a = &t->now.slots[(size_t)first * TABLE_BUCKET];
    uint32_t *b = &t->now.slots[(size_t)other * TABLE_BUCKET];
    uint32_t free_a = bucket_free(a), free_b = bucket_free(b);
    bool is_a = nr_bits(free_a) >= nr_bits(free_b);
    uint32_t places = is_a ? free_a : free_b;

    if (places) {
        (is_a ? a : b)[__builtin_ctz(places)] = entry;
        return true;
    }
    return side_kick(t, first, entry);
}

/* Move one bucket of the old side over. */
static void table_move(struct table *t)
{
    uint32_t *bucket = &t->old.slots[(size_t)t->nr_moved * TABLE_BUCKET];

    for (unsigned i = 0; i < TABLE_BUCKET; i++) {
        if (bucket[i])
            t->owner.prefetch(t->owner.context, table_value(t, bucket[i]));
    }
    for (unsigned i = 0; i < TABLE_BUCKET; i++) {
        uint32_t value = table_value(t, bucket[i]);

        if (!bucket[i])
            continue;
        if (!side_place(t, t->owner.hash_of(t->owner.context, value), value))
            return; /* it stays where it is found; the next insertion tries again */
        bucket[i] = 0;
    }
    if (++t->nr_moved == t->old.nr_buckets)
        side_fini(&t->old, t->heap);
}

static void table_move_on(struct table *t)
{
    unsigned nr = t->now.nr_buckets > t->fair_buckets ? MOVES_BEYOND : MOVES_FAIR;

    while (nr-- > 0 && t->old.slots)
        table_move(t);
}

static void table_grow(struct table *t)
{
    struct table_side next = {0};

    if (!side_init(&next, t->heap, next_size(t)))
        return; /* there may still be room */
    t->old = t->now;
    t->now = next;
    t->nr_moved = 0;
}

/* All entries of @t to the empty @bigger, or false. */
static bool table_copy(const struct table *t, struct table *bigger)
{
    uint64_t cursor = 0;
    uint32_t value;

    while (table_next(t, &cursor, &value)) {
        if (!side_place(bigger, t->owner.hash_of(t->owner.context, value), value))
            return false;
    }
    return true;
}

/* Both sides into one larger, at once. False: no memory, nothing has changed. */
static bool table_rebuild(struct table *t)
{
    struct table bigger = *t;

    bigger.old = (struct table_side){0};
    for (unsigned tries = 0; tries < REBUILDS_MOST; tries++) {
        if (!side_init(&bigger.now, t->heap, next_size(&bigger)))
            return false;
        if (table_copy(t, &bigger)) {
            table_fini(t);
            *t = bigger;
            return true;
        }
        heap_give(t->heap, bigger.now.memory, 1, side_bytes(bigger.now.nr_buckets));
    }
    return false;
}

bool table_insert(struct table *t, uint64_t hash, uint32_t value)
{
    if (t->old.slots)
        table_move_on(t);
    else if (t->nr_used >= fill_limit(t->now.nr_buckets))
        table_grow(t);
    /* Hardly ever, and only where buckets are few: no way was found to make room. */
    if (!side_place(t, hash, value) && !(table_rebuild(t) && side_place(t, hash, value)))
        return false;
    t->nr_used++;
    return true;
}

bool table_next(const struct table *t, uint64_t *cursor, uint32_t *value_out)
{
    uint64_t nr_now = (uint64_t)t->now.nr_buckets * TABLE_BUCKET;
    uint64_t nr_old = (uint64_t)t->old.nr_buckets * TABLE_BUCKET;

    while (*cursor < nr_now + nr_old) {
        uint64_t at = (*cursor)++;
        uint32_t entry = at < nr_now ? t->now.slots[at] : t->old.slots[at - nr_now];

        if (entry) {
            *value_out = table_value(t, entry);
            return true;
        }
    }
    return false;
}
