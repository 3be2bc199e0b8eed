/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.h - one attached peer: its link, its account, its rings. Inside daemon/session/ only.
 *
 * The control thread makes and frees it. Between worker_attach() and
 * worker_detach() a ring is its worker's alone; what both sides touch is atomic.
 */
#ifndef XTM_SESSION_SESSION_H
#define XTM_SESSION_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/engine.h"
#include "daemon/session/control_ops.h"
#include "daemon/session/heartbeat.h"
#include "daemon/session/link.h"
#include "daemon/session/worker.h"
#include "daemon/util/lock.h"
#include "daemon/util/log.h"
#include "protocol/codec.h"
#include "protocol/ring.h"

struct session;

/*
 * What workers and the control thread share. From @fence_by_ms (clock_boot_ms())
 * on no worker serves anybody before the control thread has looked at the
 * heartbeats: a member may have been silent for too long (heartbeat.h).
 */
struct attention {
    int fd; /* eventfd: wakes the control thread */
    _Atomic(uint64_t) fence_by_ms;
};
void attention_ask(struct attention *a);
/* May a fence fall due? */
bool attention_is_watched(const struct attention *a);
/* Must the control thread look at the heartbeats before anybody is served? */
bool attention_is_due(const struct attention *a);

/* An operator's message on its way to the control thread and back. @state says whose it is. */
enum call_state {
    CALL_FREE,     /* the worker's */
    CALL_ASKED,    /* the control thread's */
    CALL_ANSWERED, /* the worker's */
};

struct control_call {
    _Atomic(int) state; /* enum call_state */
    enum tmemif_status status;
    uint32_t message_len;
    uint32_t reply_cap;
    uint32_t reply_len;
    uint64_t message[CONTROL_MAX_MESSAGE / 8]; /* aligned for whatever they hold */
    uint64_t reply[CONTROL_MAX_REPLY / 8];
};

struct session_ring {
    struct worker_ring ring; /* first: one is the other */
    struct session *session;
    unsigned number;
    struct ring_back back;
    struct ring_rec *record;
    struct control_call *call; /* of a privileged session, else NULL */

    /* the request that was taken and is not answered yet, decoded */
    bool busy;
    struct tmemif_request request;
    uint32_t element; /* of a BATCH: the next one to run */
    struct engine_ahead ahead;

    /* the next request may have run before a restart: look into the record */
    bool replay;
};

struct session {
    struct session *next; /* on the table's list */
    struct link *link;
    struct engine *engine;
    account_nr account; /* LAYOUT_NONE: none */
    struct tmem_limits limits;
    struct lock pools_lock;
    struct heartbeat heartbeat;
    uint32_t back_beat;           /* ours */
    bool failed;                  /* its transport has been told that it is broken */
    struct attention *attention;  /* the table's */
    _Atomic(const char *) broken; /* why the peer is not served any more, or NULL */
    unsigned nr_rings;
    struct session_ring rings[];
};

/* The peer broke the protocol: no ring of it is served from here on. Worker. */
void session_break(struct session *s, const char *reason);

static inline uint32_t session_beat(const struct session *s)
{
    return ring_read_once(&s->rings[0].back.view.shared->front_beat);
}

static inline bool session_is_broken(struct session *s)
{
    return atomic_load_explicit(&s->broken, memory_order_acquire) != NULL;
}

#endif /* XTM_SESSION_SESSION_H */
