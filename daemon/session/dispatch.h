/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dispatch.h - from a decoded request to the engine and back to an answer.
 *
 * Worker's code, between protocol/codec.h and engine/engine.h: data is copied
 * here between the guest's memory and the engine's frames, once each way, with
 * no lock held.
 */
#ifndef XTM_SESSION_DISPATCH_H
#define XTM_SESSION_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/account.h"
#include "daemon/engine/engine.h"
#include "daemon/session/link.h"
#include "daemon/util/lock.h"
#include "protocol/tmemif.h"

/* What a request of this kind costs, in units of a page's get; a batch is none. */
unsigned dispatch_cost(unsigned op);

/* Requests that are run together at most. */
#define DISPATCH_MOST ENGINE_GETS_MOST

/*
 * What comes after the requests that are run, as far as their ring shows it. @untrusted_later[i]
 * is one that waits engine_look_ahead()'s distance behind the request @i; nothing but guesses is
 * made of it.
 */
struct lookahead {
    struct engine_ahead *ahead; /* the ring's: what is seen ahead in one turn is run in the next */
    const struct tmemif_request *untrusted_later;
    unsigned nr_later;
};

/* On whose behalf a worker runs a request. */
struct sender {
    struct engine *engine;
    unsigned worker;
    struct link *link;
    account_nr account;          /* LAYOUT_NONE: none, operator's messages only */
    struct lock *pools_lock;     /* the session's: its rings change pools one at a time */
    struct ring_rec *record;     /* the ring's; NULL without account */
    struct lookahead *lookahead; /* or NULL */
};

/*
 * Run @requests[0], decoded, neither BATCH nor CONTROL; or @nr of them, up to DISPATCH_MOST, that
 * are all PAGE_GET. They are answered as if they were run one after the other, but their pages are
 * copied together, and all hold what they hold until then. Returns how many were run, from the
 * first on; their answers, but for the numbers, are in @rsps_out. 0: it cannot be done yet, nothing
 * has happened; reclaim memory, serve others, and call again.
 */
unsigned dispatch_requests(const struct sender *sender, const struct tmemif_request *requests,
                           unsigned nr, struct tmemif_response *rsps_out);

#endif /* XTM_SESSION_DISPATCH_H */
