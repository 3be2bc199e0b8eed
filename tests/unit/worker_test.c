/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A ring that waits for another thread is served again once that thread has woken it. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/session/session.h"
#include "daemon/session/worker.h"
#include "tests/lib/runner.h"
#include "tests/unit/engine_world.h"

#define WAKES      20000
#define PATIENCE_S 20

struct waiting_ring {
    struct worker_ring ring; /* first */
    _Atomic unsigned given;  /* by the other thread */
    _Atomic unsigned taken;  /* by the worker */
};

/* Takes what was given, then waits for more; nobody notifies. */
static enum serve_result serve(struct worker_ring *r, unsigned worker, unsigned budget)
{
    struct waiting_ring *w = (struct waiting_ring *)r;

    (void)worker;
    (void)budget;
    atomic_store(&w->taken, atomic_load(&w->given));
    return SERVE_WAITING;
}

static bool arm(struct worker_ring *r)
{
    (void)r;
    return false;
}

static void ignore(struct worker_ring *r)
{
    (void)r;
}

static const struct worker_ring_ops ops = {
    .serve = serve, .arm = arm, .consume = ignore, .hang_up = ignore};

static bool is_taken(struct waiting_ring *w, unsigned nr)
{
    for (unsigned n = 0; n < PATIENCE_S * 10000u && atomic_load(&w->taken) != nr; n++)
        usleep(n < 100 ? 0 : 100);
    return atomic_load(&w->taken) == nr;
}

static void ring_that_waits_is_served_whenever_it_is_woken(void)
{
    struct attention attention = {.fence_by_ms = UINT64_MAX};
    const struct polling polling = {0};
    struct waiting_ring rings[3];
    struct world w = world_make(64, 8, 2, 4);
    struct worker *worker;
    bool ok = true;

    attention.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    worker = worker_create(w.e, &attention, 0, &polling);
    CU_ASSERT_PTR_NOT_NULL_FATAL(worker);
    for (unsigned i = 0; i < 3; i++) {
        rings[i] = (struct waiting_ring){.ring = {.ops = &ops}};
        rings[i].ring.wait_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        CU_ASSERT_TRUE_FATAL(worker_attach(worker, &rings[i].ring));
    }
    for (unsigned n = 1; n <= WAKES && ok; n++) {
        struct waiting_ring *r = &rings[n % 3];
        unsigned given = atomic_load(&r->given) + 1;

        atomic_store(&r->given, given);
        worker_wake(&r->ring);
        ok = is_taken(r, given);
    }
    CU_ASSERT_TRUE(ok);
    for (unsigned i = 0; i < 3; i++) {
        worker_detach(worker, &rings[i].ring);
        worker_wake(&rings[i].ring); /* too late, and no harm */
        close(rings[i].ring.wait_fd);
    }
    worker_destroy(worker);
    close(attention.fd);
    world_end(&w);
}

#define TESTS(T) T(ring_that_waits_is_served_whenever_it_is_woken)
RUN_TESTS(TESTS)
