/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/gate.h"

#include <stdlib.h>

#include "daemon/util/lock.h"

bool gate_init(struct gate *g, unsigned nr_workers)
{
    g->nr_workers = nr_workers;
    g->workers = calloc(nr_workers, sizeof(*g->workers));
    return g->workers != NULL;
}

void gate_fini(struct gate *g)
{
    free(g->workers);
    g->workers = NULL;
}

void gate_wait(struct gate *g)
{
    for (unsigned i = 0; i < g->nr_workers; i++) {
        _Atomic uint64_t *passes = &g->workers[i].passes;
        uint64_t seen = atomic_load_explicit(passes, memory_order_seq_cst);

        while (seen % 2 && atomic_load_explicit(passes, memory_order_acquire) == seen)
            cpu_relax();
    }
}
