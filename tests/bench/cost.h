/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cost.h - what a get and a put of the engine cost over the bare copy of the page. */
#ifndef TESTS_BENCH_COST_H
#define TESTS_BENCH_COST_H

#include "tests/bench/bed.h"
#include "tests/bench/figures.h"

struct cost_figure {
    struct figure over_memcpy, ns;
};

/* "alone": nothing is known of the next request when one is carried out. */
struct cost_figures {
    struct cost_figure get, put, overwrite;
    struct cost_figure get_alone, put_alone, overwrite_alone;
    struct figure copy_out_ns, copy_in_ns;
};

/*
 * One round over a full bed, of which BED_SLACK pages are flushed meanwhile.
 * Each page is touched once in a random order, by the engine or by a bare copy,
 * in turns of a few hundred microseconds; of the times of all turns the
 * medians count, so that a turn in which something else ran does not.
 */
void cost_round(struct bed *b, uint8_t *area, struct cost_figures *figures);

#endif /* TESTS_BENCH_COST_H */
