/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy.h - caches that a block trace is replayed through, ours and those to compare with.
 *
 * After an access the block is held, whether it was read (a miss fills) or
 * written. The simulations hold nothing but block numbers, and treat a write as
 * any other access.
 */
#ifndef TESTS_BENCH_POLICY_H
#define TESTS_BENCH_POLICY_H

#include <stdbool.h>
#include <stdint.h>

struct access {
    uint32_t id; /* the trace's blocks, numbered from 0 */
    bool is_write;
    uint64_t block; /* as the trace calls it */
};

struct cache_policy {
    const char *name;
    /* A cache of @nr_pages pages for a trace of @nr_blocks blocks; NULL: no memory. */
    void *(*create)(uint32_t nr_pages, uint32_t nr_blocks);
    void (*destroy)(void *cache);
    /* Was the block held? It is now. */
    bool (*access)(void *cache, const struct access *a);
};

extern const struct cache_policy policy_lru;
extern const struct cache_policy policy_clock;
extern const struct cache_policy policy_sieve;
extern const struct cache_policy policy_s3fifo;

/*
 * What is left of @nr_pages for pages when ghosts are paid for from the same memory: as many as
 * the engine has with the daemon's share of same-filled pages, nine for eight frames, each
 * 64/31 bytes (shard.c, ghost.h). At least one.
 */
uint32_t policy_pages_beside_ghosts(uint32_t nr_pages);

#endif /* TESTS_BENCH_POLICY_H */
