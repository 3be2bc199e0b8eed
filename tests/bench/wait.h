/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wait.h - how long a guest's get can last while another guest's million pages go. */
#ifndef TESTS_BENCH_WAIT_H
#define TESTS_BENCH_WAIT_H

#include "tests/bench/figures.h"

struct wait_figures {
    struct figure worst; /* of both ways to go: one long flush, a destroyed pool */
    struct figure flush; /* microseconds */
    struct figure destroy;
    struct figure preempted;   /* the same as worst, with reads that met a thread reclaiming which
                                  the scheduler had put off its processor, perhaps with a lock */
    struct figure slice;       /* the longest slice of reclaiming: what a get waits for where one
                                  worker does both */
    struct figure undisturbed; /* the worst get when nothing goes: what this machine does */
    struct figure reclaim_ms;  /* until all pages were reclaimed */
};

/*
 * One round: one guest's object of @nr_pages pages is flushed, and then a pool with as much is
 * destroyed, by one thread that reclaims in the daemon's slices, while another guest's
 * pages are read by another thread, one at a time, each read timed. Reads during which the
 * scheduler took the processor away from either thread are left out. Before that the same flush
 * with nobody reading, each slice timed.
 */
void wait_round(uint32_t nr_pages, struct wait_figures *figures);

#endif /* TESTS_BENCH_WAIT_H */
