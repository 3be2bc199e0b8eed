/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run.h - what everybody in a run of kills knows: the kills so far, and whether
 * something was wrong.
 *
 * A daemon lives between two kills. What was answered when @kills_begun was k was
 * done by daemon k at the latest; what is asked when @kills_done is k is done
 * by daemon k at the earliest.
 */
#ifndef TESTS_KILL_RUN_H
#define TESTS_KILL_RUN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Attachments, and threads at each of them: all at work at once. */
#define RUN_DEVICES 2u
#define RUN_THREADS 4u

/* Pages that an attachment may hold in its private persistent pools: fewer than are put there. */
#define RUN_QUOTA_PAGES 1024u

struct run {
    uint64_t seed;
    _Atomic unsigned kills_begun, kills_done;
    _Atomic uint64_t clock; /* of the histories of shared pages */
    _Atomic bool failed, stop;
    _Atomic uint64_t nr_operations;

    /* threads at rest, so that all can be looked at */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool rest;
    unsigned nr_resting;
};

/* Something was wrong: print it, once, and let everybody stop. */
void run_fail(struct run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A thread's turn to rest, if it is asked to. */
void run_rest_here(struct run *r);
/* A thread that ends rests for ever. */
void run_end_here(struct run *r);
/* Wait until @nr_threads rest. */
void run_rest(struct run *r, unsigned nr_threads);
void run_go_on(struct run *r);

#endif /* TESTS_KILL_RUN_H */
