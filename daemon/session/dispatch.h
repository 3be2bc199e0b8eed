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

#include <stdint.h>

#include "daemon/engine/account.h"
#include "daemon/engine/engine.h"
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
     * bytes, goes to @reply, its length to *@length_out.
     */
    enum tmemif_status (*handle)(void *arg, const struct account_key *caller, const void *message,
                                 uint32_t length, void *reply, uint32_t reply_cap,
                                 uint32_t *length_out);
    /* An account has been opened, or found again: give it the policy that is known for @key. */
    void (*account_opened)(void *arg, account_nr account, const struct account_key *key);
};

#define CONTROL_MAX_MESSAGE 4096u
#define CONTROL_MAX_REPLY   65536u

#endif /* XTM_SESSION_DISPATCH_H */
