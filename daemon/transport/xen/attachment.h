/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attachment.h - one guest's attachment: its nodes, its state, its session.
 *
 *    watch events --> attachment_look(): reads the nodes, tells the state machine of
 *    xenstore-schema/ what it saw, does what that says
 *
 * Control thread only.
 */
#ifndef XTM_TRANSPORT_XEN_ATTACHMENT_H
#define XTM_TRANSPORT_XEN_ATTACHMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/session/sessions.h"
#include "daemon/transport/xen/peer.h"
#include "daemon/transport/xen/platform.h"
#include "daemon/transport/xen/policies.h"
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
    int left_fd;   /* eventfd: some peer's process is gone */
    bool sweep;    /* there may be accounts that belong to nobody any more */
    bool may_map;  /* an attach is allowed in this turn, which takes it */
    bool was_long; /* something was mapped or unmapped in this turn: others are to have theirs */
};

struct attachment {
    struct attachment *next;
    struct attachment_world *world;
    struct schema_place place;
    char front_state_path[SCHEMA_PATH_LEN]; /* watched */
    enum schema_back_state state;
    uint32_t published; /* what our node `state` says, or is to say */
    bool state_owed;    /* writing that has failed: it is to be tried again */
    bool admitted;      /* @key is known, its policy passed on */
    struct account_key key;
    char refusal[SCHEMA_REASON_LEN]; /* looked at and not admitted: why */
    bool is_new;                     /* not looked at yet, or xenstore did not say */
    struct xen_peer *peer;           /* NULL: nothing is mapped */
    bool is_watched;
    bool touched; /* to be looked at */
    bool policy_touched;
    bool wants_map;         /* to be looked at in a turn that may map */
    uint64_t attaches_ms;   /* time up to which attaches have been paid for */
    uint64_t not_before_ms; /* it is not to be looked at before that time */
    struct log_limit log_limit;
};

/* It is touched, and has changed nothing yet. NULL: no memory, or xenstore does not say. */
struct attachment *attachment_create(struct attachment_world *world,
                                     const struct schema_place *place);

/*
 * Look at the nodes and act. An attach waits for a turn that may map. A guest that attaches too
 * often has to wait, and so has what could not be read or written: it stays touched, and
 * not_before_ms says until when.
 */
void attachment_look(struct attachment *a, uint64_t now_ms);
/* Have its nodes vanished, so that it can be destroyed? */
bool attachment_is_over(const struct attachment *a);

/* Its session ends as SESSION_KEPT, its nodes stay as they are. */
void attachment_destroy(struct attachment *a);

#endif /* XTM_TRANSPORT_XEN_ATTACHMENT_H */
