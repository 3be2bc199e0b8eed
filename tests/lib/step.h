/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * step.h - a process that is stepped one instruction at a time, as if it were
 * killed after each, and a copy of what it would leave.
 */
#ifndef TESTS_STEP_H
#define TESTS_STEP_H

#include <stdbool.h>

#include "daemon/store/store.h"

/*
 * Under a sanitizer a way is up to a hundred times as long, and what it is to see
 * are its ends: tests step a shorter one.
 */
#if defined(__has_feature)
#define STEP_HAS(feature) __has_feature(feature)
#else
#define STEP_HAS(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    STEP_HAS(address_sanitizer) || STEP_HAS(thread_sanitizer)
#define STEP_IS_SLOW true
#else
#define STEP_IS_SLOW false
#endif

/*
 * Run @act in a process of its own and look() after each of its instructions, until
 * that says false. True: it ran to its end, and look() was always content.
 */
bool step_through(void (*act)(void *arg), bool (*look)(void *arg), void *arg);

/* A store over copies of the segments, taken up as a next daemon does; NULL: it was refused. */
struct store *step_copy_store(const struct store *s);

/*
 * Changes with everything that a kill leaves and that a next daemon looks at, of the first few
 * accounts, pools and tombstones.
 */
uint64_t step_fingerprint(struct store *s);

#endif /* TESTS_STEP_H */
