/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * behind.h - a block trace through guests with page caches of their own, to the engine behind them.
 *
 * A guest's cache is LRU. What it misses it asks the pool for:
 *   inclusive  a get leaves the page there; a miss fills the pool and the guest
 *   exclusive  a get takes the page out; the pool gets what the guest drops
 *   shared     inclusive, and two guests take turns, each with a cache of its own
 */
#ifndef TESTS_BENCH_BEHIND_H
#define TESTS_BENCH_BEHIND_H

#include "tests/bench/policies/ours.h"
#include "tests/bench/trace.h"

/*
 * Hits of the pool among the reads that the guests missed; guest caches of
 * @guest_pages, a pool of @pool_pages. Negative: no memory.
 */
double behind_replay(const struct trace *t, enum ours_kind kind, uint32_t guest_pages,
                     uint32_t pool_pages);

#endif /* TESTS_BENCH_BEHIND_H */
