/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* control_ops.h - what sessions ask of the operator's side of the daemon. */
#ifndef XTM_SESSION_CONTROL_OPS_H
#define XTM_SESSION_CONTROL_OPS_H

#include <stdint.h>

#include "daemon/engine/account.h"
#include "daemon/engine/engine.h"
#include "protocol/tmemif.h"

/* Who sends an operator's message. */
struct control_caller {
    const struct account_key *key;
    const void *session; /* tells one session from another; no more than compared */
};

/*
 * What daemon/control/ does for sessions. All are called on the control
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
    enum tmemif_status (*handle)(void *arg, const struct control_caller *caller,
                                 const void *message, uint32_t length, void *reply,
                                 uint32_t reply_cap, uint32_t *length_out);
    /* An account has been opened, or found again: give it the policy that is known for @key. */
    void (*account_opened)(void *arg, account_nr account, const struct account_key *key);
    /* This caller sends nothing any more. */
    void (*session_ended)(void *arg, const void *session);
};

#define CONTROL_MAX_MESSAGE 65536u
#define CONTROL_MAX_REPLY   65536u

#endif /* XTM_SESSION_CONTROL_OPS_H */
