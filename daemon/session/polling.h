/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * polling.h - whether a worker looks on for a ring's next request before it sleeps.
 *
 * It looks for as long as a sleep would cost, or not at all: a ring has a credit, which looking
 * in vain uses up and requests that are found by it fill. So a guest cannot keep a worker
 * looking for less than a request in a quarter of that time. A local client that says where it runs
 * can have one look more each time that the worker moves for it, which is bounded by a pace.
 */
#ifndef XTM_SESSION_POLLING_H
#define XTM_SESSION_POLLING_H

#include <stdbool.h>
#include <stdint.h>

struct polling {
    uint64_t ns;          /* how long a look takes; 0: nobody is looked for */
    uint64_t look_ns;     /* between looks at sleeping rings while others are awake */
    unsigned clock_skips; /* units of work done without a question to the clock */
    bool for_local;       /* look for local clients, too, which may wait for this very processor */
};

#define POLLING_LOOK_US 20u

/*
 * A unit of work, an idle turn, takes about 1 us where the clock is dear: of looking the clock
 * takes an eighth of the time, or more if @us is short.
 */
static inline struct polling polling_make(unsigned us, bool for_local, uint64_t clock_cost_ns)
{
    uint64_t skips = 8 * clock_cost_ns / 1000;

    return (struct polling){
        .ns = (uint64_t)us * 1000,
        .look_ns = POLLING_LOOK_US * 1000 + 16 * clock_cost_ns,
        .clock_skips = (unsigned)(skips < us / 4 ? skips : us / 4),
        .for_local = for_local,
    };
}

/* Of a ring. */
struct poll_credit {
    int64_t ns;
};

#define POLL_CREDIT_MOST 4 /* looks in vain that one may be good for */

static inline void poll_credit_add(struct poll_credit *c, uint64_t most_ns, uint64_t ns)
{
    c->ns += (int64_t)ns;
    if (c->ns > (int64_t)(POLL_CREDIT_MOST * most_ns))
        c->ns = (int64_t)(POLL_CREDIT_MOST * most_ns);
}

static inline bool poll_credit_is_good(const struct poll_credit *c)
{
    return c->ns > 0;
}

/* Looking may pay from now on, whatever it did before: one look. */
static inline void poll_credit_renew(struct poll_credit *c, const struct polling *p)
{
    if (c->ns < (int64_t)p->ns)
        c->ns = (int64_t)p->ns;
}

/* A request came while it was looked for. */
static inline void poll_credit_found(struct poll_credit *c, const struct polling *p)
{
    poll_credit_add(c, p->ns, p->ns / 4);
}

/* One came without: now and then it is tried whether looking pays by now. */
static inline void poll_credit_served(struct poll_credit *c, const struct polling *p)
{
    poll_credit_add(c, p->ns, p->ns / 64);
}

/* However long it took: the thread may not have run all the while. */
static inline void poll_credit_in_vain(struct poll_credit *c, const struct polling *p)
{
    c->ns -= (int64_t)p->ns;
}

#endif /* XTM_SESSION_POLLING_H */
