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

/*
 * What comes after a request, as far as its ring shows it. @untrusted_later is a request that
 * waits ENGINE_AHEAD places behind; nothing but guesses is made of it.
 */
struct lookahead {
    struct engine_ahead ahead;
    struct tmemif_request untrusted_later;
    bool has_later;
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
 * Run @request, decoded, neither BATCH nor CONTROL. True: *@rsp_out is its
 * answer but for the number. False: it cannot be done yet, nothing has
 * happened; reclaim memory, serve others, and call again.
 */
bool dispatch_request(const struct sender *sender, const struct tmemif_request *request,
                      struct tmemif_response *rsp_out);

#endif /* XTM_SESSION_DISPATCH_H */
