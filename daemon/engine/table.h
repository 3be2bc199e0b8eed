/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * table.h - a hash table of 32-bit entries: a number, and a tag of the hash in the bits left over.
 *
 * What a number stands for, and its key, are its owner's: here is only where
 * it may be found. An entry is in one of two buckets of 16 (a cache line
 * each); the second bucket follows from the first and the tag alone, so that
 * entries move between them without a look at their keys (-> Fan et al.,
 * "Cuckoo Filter", CoNEXT 2014). So it fills to 94 %, 4.3 bytes an entry.
 *
 *   hash  [ 63 .. 32: bucket ][ 31 .. value_bits: tag ][ not used ]
 *   entry                     [ 31 .. value_bits: tag ][ number + 1; 0 is free ]
 *
 * It grows beside the old one, and each insertion moves a bucket or four over, so
 * no insertion is slow. One thread at a time: the lock is the owner's.
 */
#ifndef XTM_ENGINE_TABLE_H
#define XTM_ENGINE_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "daemon/engine/heap.h"
#include "daemon/util/prefetch.h"

#define TABLE_BUCKET 16u

/* The owner's side of a number: needed when a table grows. */
struct table_owner {
    const void *context;
    uint64_t (*hash_of)(const void *context, uint32_t value);
    void (*prefetch)(const void *context, uint32_t value);
};

struct table_side {
    uint32_t *slots; /* nr_buckets times TABLE_BUCKET, at a cache line */
    void *memory;    /* what slots lies in */
    uint32_t nr_buckets;
};

struct table {
    struct table_side now;
    struct table_side old; /* while growing; entries leave it bucket by bucket */
    uint32_t nr_moved;     /* buckets of old that are empty for good */
    uint32_t nr_used;
    uint32_t value_mask;   /* low bits of an entry */
    uint32_t fair_buckets; /* sizes double until this one, then grow by an eighth */
    struct table_owner owner;
    struct heap *heap;
};

/*
 * An empty table for numbers below 2^@value_bits - 1 of which @fair are
 * expected in the end; it starts small. False: no memory.
 */
bool table_init(struct table *t, struct heap *heap, unsigned value_bits, uint32_t fair,
                const struct table_owner *owner);
void table_fini(struct table *t);

/* Enter @value, which is not in the table. False: no memory, and nothing has changed. */
bool table_insert(struct table *t, uint64_t hash, uint32_t value);

/* All numbers in the table, in no order: call with *@cursor = 0 until false. */
bool table_next(const struct table *t, uint64_t *cursor, uint32_t *value_out);

static inline uint32_t table_first_bucket(uint64_t hash, uint32_t nr_buckets)
{
    return (uint32_t)((hash >> 32) * nr_buckets >> 32);
}

/* Its own inverse: the second of the second is the first. */
static inline uint32_t table_other_bucket(uint32_t bucket, uint32_t tag, uint32_t nr_buckets)
{
    uint32_t sum = (uint32_t)((uint64_t)(tag * 0x9e3779b1u) * nr_buckets >> 32);

    return sum >= bucket ? sum - bucket : sum + (nr_buckets - bucket);
}

static inline uint32_t table_tag(const struct table *t, uint64_t hash)
{
    return (uint32_t)hash & ~t->value_mask;
}

static inline uint32_t table_value(const struct table *t, uint32_t entry)
{
    return (entry & t->value_mask) - 1;
}

/* Have both buckets of @hash on their way from memory. */
static inline void table_prefetch(const struct table *t, uint64_t hash)
{
    uint32_t first = table_first_bucket(hash, t->now.nr_buckets);
    uint32_t other = table_other_bucket(first, table_tag(t, hash), t->now.nr_buckets);

    prefetch(&t->now.slots[(size_t)first * TABLE_BUCKET]);
    prefetch(&t->now.slots[(size_t)other * TABLE_BUCKET]);
}

/* Which entries of @bucket are @want in the bits of @mask: a bit for each. */
static inline uint32_t bucket_alike(const uint32_t *bucket, uint32_t mask, uint32_t want)
{
#ifdef __SSE2__
    const __m128i *four = (const __m128i *)(const void *)bucket;
    __m128i masks = _mm_set1_epi32((int)mask), wants = _mm_set1_epi32((int)want);
    __m128i a = _mm_cmpeq_epi32(_mm_and_si128(_mm_load_si128(four), masks), wants);
    __m128i b = _mm_cmpeq_epi32(_mm_and_si128(_mm_load_si128(four + 1), masks), wants);
    __m128i c = _mm_cmpeq_epi32(_mm_and_si128(_mm_load_si128(four + 2), masks), wants);
    __m128i d = _mm_cmpeq_epi32(_mm_and_si128(_mm_load_si128(four + 3), masks), wants);

    return (uint32_t)_mm_movemask_epi8(
        _mm_packs_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d)));
#else
    uint32_t alike = 0;

    for (unsigned i = 0; i < TABLE_BUCKET; i++)
        alike |= (uint32_t)((bucket[i] & mask) == want) << i;
    return alike;
#endif
}

/* Which entries of @bucket have @tag. */
static inline uint32_t table_alike(const struct table *t, const uint32_t *bucket, uint32_t tag)
{
    return bucket_alike(bucket, ~t->value_mask, tag);
}

/* The two buckets of a hash, and which of their entries have its tag: the first one's are bits 0
 * to 15. */
struct table_pair {
    uint32_t *buckets[2];
    uint32_t alike;
};

/*
 * Both at once, although one would do: which of them has the entry is a coin toss, and a branch
 * that is mispredicted costs 60 ns here, for no copy of a page begins before it is known.
 */
static inline struct table_pair table_pair_of(const struct table *t, const struct table_side *side,
                                              uint64_t hash)
{
    uint32_t tag = table_tag(t, hash);
    uint32_t first = table_first_bucket(hash, side->nr_buckets);
    uint32_t other = table_other_bucket(first, tag, side->nr_buckets);
    struct table_pair p = {.buckets = {&side->slots[(size_t)first * TABLE_BUCKET],
                                       &side->slots[(size_t)other * TABLE_BUCKET]}};

    p.alike = table_alike(t, p.buckets[0], tag) | table_alike(t, p.buckets[1], tag) << TABLE_BUCKET;
    return p;
}

static inline uint32_t *table_pair_at(const struct table_pair *p, unsigned bit)
{
    return &p->buckets[bit / TABLE_BUCKET][bit % TABLE_BUCKET];
}

static inline __attribute__((always_inline)) uint32_t *
table_seek_side(const struct table *t, const struct table_side *side, uint64_t hash,
                bool (*is_it)(const void *context, uint32_t value), const void *context)
{
    struct table_pair p = table_pair_of(t, side, hash);

    for (; p.alike; p.alike &= p.alike - 1) {
        uint32_t *slot = table_pair_at(&p, (unsigned)__builtin_ctz(p.alike));

        if ((*slot & t->value_mask) != 0 && is_it(context, table_value(t, *slot)))
            return slot;
    }
    return NULL;
}

/*
 * The place of the number for which @is_it says so, or NULL; valid until the
 * next insertion. table_value() of what stands there is the number.
 */
static inline __attribute__((always_inline)) uint32_t *
table_seek(const struct table *t, uint64_t hash, bool (*is_it)(const void *context, uint32_t value),
           const void *context)
{
    uint32_t *slot;

    table_prefetch(t, hash);
    slot = table_seek_side(t, &t->now, hash, is_it, context);
    if (!slot && t->old.slots)
        slot = table_seek_side(t, &t->old, hash, is_it, context);
    return slot;
}

/*
 * A number that may be the one of @hash: its tag is the same. Its owner is not
 * asked, so nothing but the table is read. False: none was seen.
 */
static inline bool table_guess(const struct table *t, uint64_t hash, uint32_t *value_out)
{
    struct table_pair p = table_pair_of(t, &t->now, hash);
    uint32_t entry;

    if (p.alike == 0)
        return false;
    entry = *table_pair_at(&p, (unsigned)__builtin_ctz(p.alike));
    *value_out = table_value(t, entry);
    return (entry & t->value_mask) != 0;
}

/* Let @slot hold another number of the same hash. */
static inline void table_replace(const struct table *t, uint32_t *slot, uint32_t value)
{
    *slot = (*slot & ~t->value_mask) | (value + 1);
}

static inline void table_remove(struct table *t, uint32_t *slot)
{
    *slot = 0;
    t->nr_used--;
}

#endif /* XTM_ENGINE_TABLE_H */
