/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker.h - a thread that serves the rings it was given, in turns of their owners (rota.h).
 *
 * An owner is who stands behind a ring: a domain, with its disks, or a user of this machine, with
 * all attachments. However many rings one has, another's request waits for one turn of theirs.
 *
 * A ring is awake while it has requests, and for a while after (polling); then
 * the worker asks the peer for a notification and lets the ring sleep in its
 * epoll set. With no ring awake and nothing to reclaim the thread sleeps.
 *
 * All functions but worker_wake() are for the control thread.
 */
#ifndef XTM_SESSION_WORKER_H
#define XTM_SESSION_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/account.h"
#include "daemon/session/polling.h"
#include "daemon/util/pace.h"

struct attention;
struct engine;
struct owner;
struct worker;
struct worker_ring;

enum serve_result {
    SERVE_EMPTY,   /* no request is there */
    SERVE_MORE,    /* the budget is used up, or a request has to wait for memory to be reclaimed */
    SERVE_WAITING, /* for another thread, which will wake the worker */
    SERVE_BROKEN,  /* the peer is not served any more */
};

/* In the place of a processor's number. */
#define CHANNEL_DEAD (-2)

/* What makes a ring one of its kind: of a session (session.h), of a disk (daemon/blk/). */
struct worker_ring_ops {
    /*
     * Serve requests that cost @budget, in units of a page's get, and one of them more; r->spent
     * grows by what they cost.
     */
    enum serve_result (*serve)(struct worker_ring *r, unsigned worker, unsigned budget);
    /* Ask the peer to notify of its next request. True: one is there already. */
    bool (*arm)(struct worker_ring *r);
    /*
     * Consume notifications that made wait_fd readable; never blocks. The result is the processor
     * that the peer says it runs on, PROCESSOR_UNKNOWN, or CHANNEL_DEAD: hang_up() follows.
     */
    int (*consume)(struct worker_ring *r);
    /* Its channel is dead. */
    void (*hang_up)(struct worker_ring *r);
};

/* Who stands behind a ring: account_key without the device. */
struct owner_id {
    enum account_kind kind;
    uint32_t id;
};

/* What a worker serves; part of a larger struct. */
struct worker_ring {
    /* whoever made it says */
    const struct worker_ring_ops *ops;
    struct owner_id owner_id;
    int wait_fd; /* readable when the peer has notified */
    bool apart;  /* the peer does not wait for our processor */

    unsigned spent; /* by serve(), in all its turns; may wrap */

    /* the worker's bookkeeping */
    struct worker *worker; /* once it was attached */
    struct owner *owner;   /* while it is */
    bool attached;
    atomic_bool woken;            /* by worker_wake() */
    struct worker_ring *all_next; /* on the list of the worker's rings */
    struct worker_ring *next;     /* on the list of its owner's that are awake */
    bool awake;
    bool idle; /* it is polled for, and had no request since */
    uint64_t idle_since_ns;
    struct poll_credit credit;
    uint64_t met_ns;      /* when the peer was last on the worker's processor */
    struct pace partings; /* moves out of its way */

    /* written by the worker, in serve(); read by the control thread */
    _Atomic(uint64_t) nr_requests;
    _Atomic(uint64_t) nr_notifies;
};

/* Of a counter that one thread writes: no locked instruction is needed. */
static inline void worker_count(_Atomic(uint64_t) *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* Starts the thread, worker number @number of @engine. NULL: no memory, thread or descriptor. */
struct worker *worker_create(struct engine *engine, struct attention *attention, unsigned number,
                             const struct polling *polling);
/* Ends the thread. It has no rings. NULL is nothing. */
void worker_destroy(struct worker *w);

/* Serve @r from now on. False: no memory, or no room to watch another descriptor. */
bool worker_attach(struct worker *w, struct worker_ring *r);
/* When this returns the worker has finished its turn with @r and forgotten it. */
void worker_detach(struct worker *w, struct worker_ring *r);

/* Something has changed that no descriptor tells: look at every ring once. */
void worker_kick(struct worker *w);

/*
 * What @r waited for has come: have it served, though its peer has not notified. Any thread; @r was
 * attached and is not freed meanwhile.
 */
void worker_wake(struct worker_ring *r);

/* When this returns the worker is outside the engine, and stays there until worker_resume(). */
void worker_pause(struct worker *w);
void worker_resume(struct worker *w);

unsigned worker_nr_rings(const struct worker *w);

#endif /* XTM_SESSION_WORKER_H */
