/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ring.h - the calls under way on one ring, and the threads that wait for them.
 *
 * Answers are taken off the ring by one thread at a time: by the leader, a
 * thread that sleeps for the manager on behalf of everybody who waits for
 * this ring, or, while there is none, by whoever holds the lock. So
 * exactly one thread ever sleeps on a ring's descriptor, and a notification
 * can not be taken from under another.
 */
#ifndef XENTMEM_LIB_RING_H
#define XENTMEM_LIB_RING_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "frontend/lib/call.h"
#include "frontend/lib/handle.h"
#include "frontend/lib/patience.h"
#include "protocol/ring.h"

#define RING_MAX_SLOTS TMEMIF_RING_SLOTS(TMEMIF_MAX_RING_PAGE_ORDER)

struct ring {
    unsigned number;
    pthread_mutex_t lock;
    pthread_cond_t moved; /* answers were taken, or the leader stepped down */

    /* under the lock */
    bool led;                           /* there is a leader */
    unsigned nr_asynchronous;           /* calls with an op under way */
    struct call *calls[RING_MAX_SLOTS]; /* by request number modulo the ring's size */

    /* the leader's while there is one, else under the lock; of front, what is about answers */
    unsigned nr_unrung; /* looks, one after the other, that found an answer without its bell */
    bool awaits_bell;   /* armed, and not rung yet */
    struct ring_front front;

    /* hints, anybody's */
    atomic_bool had_to_wake; /* the manager, for the last request */
    /* how long answers take of a manager that looks for requests, and of one that sleeps */
    struct patience awake, woken;
};

void ring_init(struct ring *r, const struct attach *attach, unsigned number);
void ring_fini(struct ring *r);

/*
 * Put @call, whose request is filled in, on the ring; the manager does not see
 * it before ring_show(). False: the ring is full.
 */
bool ring_try_start(struct xentmem *t, struct ring *r, struct call *call);
/* Show the manager what was put, and ring its bell if it asked for that. */
void ring_show(struct xentmem *t, struct ring *r);

/*
 * Both of it for one call, waiting for a free slot until call->deadline, and
 * then for the answer. 0: the call is DONE with a valid response, and its
 * owner's to give back. Else an errno value, and the call is not to be touched
 * any more: it has been given back, or will be when its answer comes after all.
 */
int ring_carry_out(struct xentmem *t, struct ring *r, struct call *call);

/* Take answers if no leader does. */
void ring_collect(struct xentmem *t, struct ring *r);
/* The same, for a thread that will take what is finished itself: xentmem_fd() is not told. */
void ring_collect_quietly(struct xentmem *t, struct ring *r);
/*
 * The same, and ask to be notified of the next answer if operations of
 * xentmem_submit() are under way.
 */
void ring_collect_and_arm(struct xentmem *t, struct ring *r);
/* Cap @ms at a second (-1: a second): for so long at once to sleep for the manager. */
int ring_nap_ms(int ms);
/* Called when a nap ended without news: look at the ring, and notify once more if there is no
 * answer. */
void ring_look_again(struct xentmem *t, struct ring *r);
/* Take note of a notification, if no leader does. */
void ring_consume(struct xentmem *t, struct ring *r);

/*
 * Finish asynchronous calls that are past their deadline, or all of them if
 * the handle is dead. Returns the earliest deadline of the rest.
 */
uint64_t ring_expire(struct xentmem *t, struct ring *r);

#endif /* XENTMEM_LIB_RING_H */
