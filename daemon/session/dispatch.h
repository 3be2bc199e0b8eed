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

/*
 * What daemon/control/ does for sessions. Both are called on the control
 * thread, so they may use every "control" function of the engine and the
 * session table.
 */
struct control_ops {
    /*
     * An operator's message, copied out of the guest's memory already: @length
     * bytes (at most CONTROL_MAX_MESSAGE). The answer, at most @reply_cap
     * bytes, goes to @reply, its length to *@length_out. Both buffers are
     * aligned to 8 bytes.
     */
    enum tmemif_status (*handle)(void *arg, const struct account_key *caller, const void *message,
                                 uint32_t length, void *reply, uint32_t reply_cap,
                                 uint32_t *length_out);
    /* An account has been opened, or found again: give it the policy that is known for @key. */
    void (*account_opened)(void *arg, account_nr account, const struct account_key *key);
};

#define CONTROL_MAX_MESSAGE 4096u
#define CONTROL_MAX_REPLY   65536u

/* What a request of this kind costs, in units of a page's get; a batch is none. */
unsigned dispatch_cost(unsigned op);

/* On whose behalf a worker runs a request. */
struct sender {
    struct engine *engine;
    unsigned worker;
    struct link *link;
    account_nr account;      /* LAYOUT_NONE: none, operator's messages only */
    struct lock *pools_lock; /* the session's: its rings change pools one at a time */
    struct ring_rec *record; /* the ring's; NULL without account */
};

/*
 * Run @request, decoded, neither BATCH nor CONTROL. True: *@rsp_out is its
 * answer but for the number. False: it cannot be done yet, nothing has
 * happened; reclaim memory, serve others, and call again.
 */
bool dispatch_request(const struct sender *sender, const struct tmemif_request *request,
                      struct tmemif_response *rsp_out);

#endif /* XTM_SESSION_DISPATCH_H */
