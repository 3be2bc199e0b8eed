/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ours.h - the engine as a policy, and as the pool behind guests with caches of their own. */
#ifndef TESTS_BENCH_OURS_H
#define TESTS_BENCH_OURS_H

#include "tests/bench/policies/policy.h"

/* One guest's private inclusive pool. It says nothing of whether a written block was held. */
extern const struct cache_policy policy_ours;

#define OURS_GUESTS 2u

enum ours_kind { OURS_INCLUSIVE, OURS_EXCLUSIVE, OURS_SHARED };

struct ours;

/* Of the hashes of all that are made from now on. */
extern uint64_t ours_seed;

/* The engine with one pool that has all @nr_pages; guest 0's, or both guests'. NULL: no memory. */
struct ours *ours_make(enum ours_kind kind, uint32_t nr_pages);
void ours_free(struct ours *c);

/* Is the block there? It is checked; a hit takes it out of an exclusive pool. */
bool ours_get(struct ours *c, unsigned guest, uint64_t block);
void ours_put(struct ours *c, unsigned guest, uint64_t block);

#endif /* TESTS_BENCH_OURS_H */
