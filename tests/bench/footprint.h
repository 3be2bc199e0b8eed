/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* footprint.h - what a full store takes beside its pages, and how long a restart over it lasts. */
#ifndef TESTS_BENCH_FOOTPRINT_H
#define TESTS_BENCH_FOOTPRINT_H

#include "tests/bench/bed.h"
#include "tests/bench/figures.h"

/* Anonymous memory of this process that is really there; taken before bed_make(). */
uint64_t footprint_heap_bytes(void);

/* Memory that the segments take of the system. */
uint64_t footprint_segment_bytes(const struct store *s);

/*
 * Bytes for each page of a full bed that are not the page: what the segments take of the
 * system less the frames, and the heap beyond @heap_before.
 */
double footprint_bytes_per_page(const struct bed *b, uint64_t heap_before);

/* Close and open the bed; the seconds until its engine is there, for a million pages. */
double restart_seconds_per_million(struct bed *b);

#endif /* TESTS_BENCH_FOOTPRINT_H */
