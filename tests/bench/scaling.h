/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scaling.h - how much more two threads get done than one, beside two that only copy. */
#ifndef TESTS_BENCH_SCALING_H
#define TESTS_BENCH_SCALING_H

#include "tests/bench/bed.h"
#include "tests/bench/figures.h"

struct scaling_figures {
    struct figure over_memcpy; /* engine's scaling / memcpy's scaling */
    struct figure engine, memcpy;
};

/*
 * One round over a full bed: gets of random pages by one thread and by two, and bare
 * copies likewise, in turns of about a millisecond. A turn in which the scheduler took a
 * processor away from one of the threads, or let one begin late, is not counted, as long as
 * enough are left.
 */
void scaling_round(struct bed *b, uint8_t *const areas[2], struct scaling_figures *figures);

#endif /* TESTS_BENCH_SCALING_H */
