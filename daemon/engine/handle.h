/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handle.h - the name of a page with its hashes; keys compare exactly (rule C22). */
#ifndef XTM_ENGINE_HANDLE_H
#define XTM_ENGINE_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/store/store.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

struct handle {
    struct desc_key key;
    uint64_t object_hash; /* of pool and object: chooses the shard */
    uint64_t page_hash;   /* of that and the index */
};

/* Both are seeded with the engine's secret, so that a guest cannot aim at one place. */
static inline uint64_t handle_hash_object(uint64_t seed, const uint64_t object[3], uint16_t pool)
{
    uint64_t words[4] = {object[0], object[1], object[2], pool};

    return XXH3_64bits_withSeed(words, sizeof(words), seed);
}

static inline uint64_t handle_hash_page(uint64_t object_hash, uint32_t index)
{
    return XXH3_64bits_withSeed(&index, sizeof(index), object_hash);
}

static inline struct handle handle_of(uint64_t seed, const uint64_t object[3], uint32_t index,
                                      uint16_t pool)
{
    struct handle h = {
        .key = {.object = {object[0], object[1], object[2]}, .index = index, .pool = pool},
    };

    h.object_hash = handle_hash_object(seed, object, pool);
    h.page_hash = handle_hash_page(h.object_hash, index);
    return h;
}

static inline struct handle handle_of_desc(uint64_t seed, const struct desc *d)
{
    return handle_of(seed, d->object, d->index, d->pool);
}

static inline bool handle_object_is(const struct desc *d, const struct desc_key *key)
{
    return d->object[0] == key->object[0] && d->object[1] == key->object[1] &&
           d->object[2] == key->object[2] && d->pool == key->pool;
}

static inline bool handle_is(const struct desc *d, const struct desc_key *key)
{
    return d->index == key->index && handle_object_is(d, key);
}

#endif /* XTM_ENGINE_HANDLE_H */
