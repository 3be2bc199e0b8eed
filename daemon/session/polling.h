/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * polling.h - whether a worker looks on for a ring's next request before it sleeps.
 *
 * It looks for a while, or not at all: a ring has a credit, which looking in vain uses up and
 * requests that are found by it fill. So who has a worker look for it makes a request within each
 * look, or four for each that is in vain. A local client that says where it runs can have one look
 * more each time that the worker moves for it, which is bounded by a pace.
 */
#ifndef XTM_SESSION_POLLING_H
#define XTM_SESSION_POLLING_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/ring.h"

struct polling {
    uint64_t apart_ns;    /* how long a peer that has a processor of its own is looked for */
    uint64_t local_ns;    /* and one that may wait for this very processor; 0: it is not */
    uint64_t look_ns;     /* between looks at sleeping rings while others are awake */
    unsigned clock_skips; /* units of work done without a question to the clock */
};

/*
 * For a guest that is as long as sleeping costs both (ring_look_us()), and as the guest takes for
 * what it got before it asks again, which are calls, interrupts and switches as well.
 * docs/DECISIONS.md, "A worker looks for a guest until it can have asked again".
 * @call_ns: the dearer call.
 */
#define POLLING_APART_CALLS   64u
#define POLLING_APART_MOST_US 8000u

static inline unsigned polling_apart_us(uint64_t call_ns)
{
    return ring_look_for_us(POLLING_APART_CALLS, call_ns, POLLING_APART_MOST_US);
}

#define POLLING_LOOK_US 20u

static inline unsigned polling_shorter_us(unsigned apart_us, unsigned local_us)
{
    return local_us && local_us < apart_us ? local_us : apart_us;
}

/*
 * A unit of work, an idle turn, takes about 1 us where the clock is dear: of looking the clock
 * takes an eighth of the time, or more of a short look. @call_ns: the dearer call, which tells what
 * a look at sleeping rings costs: an eighth of the time at most.
 */
static inline struct polling polling_make(unsigned apart_us, unsigned local_us,
                                          uint64_t clock_cost_ns, uint64_t call_ns)
{
    uint64_t skips = 8 * clock_cost_ns / 1000;
    unsigned most = polling_shorter_us(apart_us, local_us) / 4;

    return (struct polling){
        .apart_ns = (uint64_t)apart_us * 1000,
        .local_ns = (uint64_t)local_us * 1000,
        .look_ns = POLLING_LOOK_US * 1000 + 8 * call_ns,
        .clock_skips = (unsigned)(skips < most ? skips : most),
    };
}

/* Of a ring; @poll_ns: how long it is looked for. */
struct poll_credit {
    int64_t ns;
};

#define POLL_CREDIT_MOST 4 /* looks in vain that one may be good for */

static inline void poll_credit_add(struct poll_credit *c, uint64_t poll_ns, uint64_t ns)
{
    c->ns += (int64_t)ns;
    if (c->ns > (int64_t)(POLL_CREDIT_MOST * poll_ns))
        c->ns = (int64_t)(POLL_CREDIT_MOST * poll_ns);
}

static inline bool poll_credit_is_good(const struct poll_credit *c)
{
    return c->ns > 0;
}

/* Looking may pay from now on, whatever it did before: one look. */
static inline void poll_credit_renew(struct poll_credit *c, uint64_t poll_ns)
{
    if (c->ns < (int64_t)poll_ns)
        c->ns = (int64_t)poll_ns;
}

/* A request came while it was looked for. */
static inline void poll_credit_found(struct poll_credit *c, uint64_t poll_ns)
{
    poll_credit_add(c, poll_ns, poll_ns / 4);
}

/* One came without: now and then it is tried whether looking pays by now. */
static inline void poll_credit_served(struct poll_credit *c, uint64_t poll_ns)
{
    poll_credit_add(c, poll_ns, poll_ns / 64);
}

/* However long it took: the thread may not have run all the while. */
static inline void poll_credit_in_vain(struct poll_credit *c, uint64_t poll_ns)
{
    c->ns -= (int64_t)poll_ns;
}

#endif /* XTM_SESSION_POLLING_H */
