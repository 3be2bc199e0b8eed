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
 * Run @act in a process of its own and look() after each of its instructions, until
 * that says false. True: it ran to its end, and look() was always content.
 */
bool step_through(void (*act)(void *arg), bool (*look)(void *arg), void *arg);

/* A store over copies of the segments, taken up as a next daemon does; NULL: it was refused. */
struct store *step_copy_store(const struct store *s);

#endif /* TESTS_STEP_H */
