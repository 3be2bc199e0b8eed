/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sessions.h - everybody who is attached, whichever transport brought them.
 *
 *   transport --- link ---> sessions_attach()     rings go to workers
 *   transport <-- link->ops->fail(reason) ---     the peer broke the protocol
 *   transport --- sessions_detach() --------->    rings leave the workers, link->ops->close()
 *
 * Only the control thread calls this. A session lives from attach to detach;
 * its account, with the pools, lives on until sessions_forget().
 */
#ifndef XTM_SESSION_SESSIONS_H
#define XTM_SESSION_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/account.h"
#include "daemon/engine/engine.h"
#include "daemon/session/control_ops.h"
#include "daemon/session/link.h"
#include "daemon/session/polling.h"

struct log;
struct store;
struct session_table;
struct worker_ring;

/* A peer with this device number has no account: it may send operator's messages, no more. */
#define SESSION_NO_ACCOUNT 0xffffffffu
/*
 * Shorter fence times are refused: a scheduler's hiccup would cost pools their epoch
 * (PROTOCOL.md, section 11). Transports negotiate no shorter ones.
 */
#define SESSION_FENCE_MIN_MS 1000u

struct session_config {
    struct engine *engine; /* made for nr_workers workers */
    struct store *store;   /* ring records lie there */
    struct log *log;
    unsigned nr_workers;
    struct polling polling; /* of the workers */
    const struct control_ops *control;
    void *control_arg;
};

/* Starts the workers. False: *why_out is a sentence, static. */
bool sessions_create(const struct session_config *config, struct session_table **table_out,
                     const char **why_out);
/* Ends the workers; sessions that are left end as SESSION_KEPT. */
void sessions_destroy(struct session_table *t);

/*
 * Serve @link from now on. OK: it belongs to the table until its close() was
 * called. Otherwise it stays the caller's, and *why_out is a static sentence:
 *   BUSY         the attachment has a session already
 *   TOO_MANY     no account, ring record or memory left
 *   BAD_REQUEST  the fence time is too short, or a ring's index out of range
 *   NOT_FOUND    rings were to be resumed of which there is no record (any more)
 */
enum tmemif_status sessions_attach(struct session_table *t, struct link *link,
                                   const char **why_out);

enum session_end {
    SESSION_CLOSED, /* the peer said good-bye */
    SESSION_LOST,   /* it vanished or was thrown out: pools it may fill are fenced (C25) */
    SESSION_KEPT,   /* we are stopping: all stays as it is, for the next daemon to take up */
};

/*
 * Stop to serve @link: when this returns no worker uses it and it is closed
 * and freed. @why, a static sentence, goes to the log.
 */
void sessions_detach(struct session_table *t, struct link *link, enum session_end end,
                     const char *why);

/*
 * The guest is gone for good: its session, if it has one, ends as lost, and
 * its account is closed with its private pools (C27). Unknown keys are ignored.
 */
void sessions_forget(struct session_table *t, const struct account_key *key);

/*
 * A ring that is no session's, such as a disk's: one of the workers serves it from now on
 * (worker.h). False: the system has no room to watch another descriptor.
 */
bool sessions_serve(struct session_table *t, struct worker_ring *r);
/* When this returns no worker knows it. */
void sessions_leave(struct session_table *t, struct worker_ring *r);

/* When this returns no worker is inside the engine, and none enters until sessions_resume(). */
void sessions_pause(struct session_table *t);
void sessions_resume(struct session_table *t);

/* Accounts there are, attached or not: call with *cursor = 0 until false. */
bool sessions_account_next(struct session_table *t, uint32_t *cursor, struct account_key *key_out);

struct session_stats {
    struct account_key peer;
    bool privileged;
    bool fenced; /* silent for longer than half its fence time */
    unsigned nr_rings;
    uint64_t data_bytes;
    uint64_t requests; /* answered since it attached; elements of batches count */
    uint64_t notifies; /* notifications sent */
};
/* Sessions there are: call with *cursor = 0 until false. */
bool sessions_next(struct session_table *t, uint32_t *cursor, struct session_stats *stats_out);
/* The session of the attachment @key. False: nobody is attached. */
bool sessions_find(struct session_table *t, const struct account_key *key,
                   struct session_stats *stats_out);

/* ---- for the control thread's loop ---- */

/* Readable when sessions_run() has something to do. */
int sessions_wait_fd(const struct session_table *t);
/*
 * Carry out what workers asked for: operator's messages, links to fail. Looks
 * at heartbeats. Returns in how many milliseconds to call again at the latest;
 * -1: only when the descriptor is readable.
 */
int sessions_run(struct session_table *t);

#endif /* XTM_SESSION_SESSIONS_H */
