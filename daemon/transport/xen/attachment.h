/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attachment.h - one guest's attachment: its nodes, its state, its session.
 *
 *    watch events --> a look: reads the nodes, tells the state machine of
 *    xenstore-schema/ what it saw, does what that says
 *
 * Control thread only.
 */
#ifndef XTM_TRANSPORT_XEN_ATTACHMENT_H
#define XTM_TRANSPORT_XEN_ATTACHMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/session/sessions.h"
#include "daemon/transport/xen/backend.h"
#include "daemon/transport/xen/peer.h"
#include "daemon/transport/xen/platform.h"
#include "daemon/transport/xen/policies.h"
#include "daemon/transport/xen/roster.h"
#include "daemon/util/log.h"
#include "xenstore-schema/states.h"

/* What all attachments of a transport have in common. */
struct attachment_world {
    struct platform *platform;
    struct session_table *sessions;
    struct policies *policies;
    struct log *log;
    struct schema_offer offer;
    uint32_t epoch;
    int left_fd;   /* eventfd: some peer's process is gone, or there is something to do */
    bool sweep;    /* there may be accounts that belong to nobody any more */
    bool may_map;  /* an attach is allowed in this turn, which takes it */
    bool was_long; /* something was mapped or unmapped in this turn: others are to have theirs */
};

struct attachment {
    struct backend backend; /* first: one is the other */
    struct attachment_world *world;
    enum schema_back_state state;
    bool admitted; /* @key is known, its policy passed on */
    struct account_key key;
    bool is_anothers;                /* its nodes are another guest's now, who is not @key */
    char refusal[SCHEMA_REASON_LEN]; /* looked at and not admitted: why */
    struct xen_peer *peer;           /* NULL: nothing is mapped */
    bool policy_touched;
};

/*
 * For a roster, whose world is a struct attachment_world. A look reads the nodes and acts. An
 * attach waits for a turn that may map. A guest that attaches too often has to wait, and so has
 * what could not be read or written: it stays touched, and not_before_ms says until when.
 */
extern const struct roster_ops attachment_roster_ops;

#endif /* XTM_TRANSPORT_XEN_ATTACHMENT_H */
