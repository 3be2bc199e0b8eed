/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ours.h - the engine as a policy. It says nothing of whether a written block was held. */
#ifndef TESTS_BENCH_OURS_H
#define TESTS_BENCH_OURS_H

#include "tests/bench/policies/policy.h"

extern const struct cache_policy policy_ours;

#endif /* TESTS_BENCH_OURS_H */
