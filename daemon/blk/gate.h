/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gate.h - tells one thread when workers have left what they were in.
 *
 * A worker passes the gate with each operation. The control thread changes
 * what operations look at, then waits here until each worker has been outside
 * once: none of them still looks at what was there before. Operations are short
 * and never block, so neither does the wait, but for a worker that lost its processor.
 */
#ifndef XTM_BLK_GATE_H
#define XTM_BLK_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct gate_worker {
    _Atomic uint64_t passes; /* odd: inside */
    char padding[64 - sizeof(uint64_t)];
};

struct gate {
    unsigned nr_workers;
    struct gate_worker *workers;
};

/* False: no memory. */
bool gate_init(struct gate *g, unsigned nr_workers);
void gate_fini(struct gate *g);

static inline void gate_enter(struct gate *g, unsigned worker)
{
    /* What is looked at inside is looked at after everybody can see that we are. */
    atomic_fetch_add_explicit(&g->workers[worker].passes, 1, memory_order_seq_cst);
}

static inline void gate_leave(struct gate *g, unsigned worker)
{
    atomic_fetch_add_explicit(&g->workers[worker].passes, 1, memory_order_release);
}

/* The caller is in no operation itself, and has published the change by a seq_cst store. */
void gate_wait(struct gate *g);

#endif /* XTM_BLK_GATE_H */
