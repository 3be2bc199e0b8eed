/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker.h - a thread that serves the rings it was given, in turns.
 *
 * A ring is awake while it has requests, and for a while after (polling); then
 * the worker asks the peer for a notification and lets the ring sleep in its
 * epoll set. With no ring awake and nothing to reclaim the thread sleeps.
 *
 * All functions are for the control thread.
 */
#ifndef XTM_SESSION_WORKER_H
#define XTM_SESSION_WORKER_H

#include <stdbool.h>

#include "daemon/session/session.h"

struct worker;

/* Starts the thread, worker number @number of @engine. NULL: no memory, thread or descriptor. */
struct worker *worker_create(struct engine *engine, struct attention *attention, unsigned number,
                             unsigned poll_us);
/* Ends the thread. It has no rings. NULL is nothing. */
void worker_destroy(struct worker *w);

/* Serve @r from now on. False: the system has no room to watch another descriptor. */
bool worker_attach(struct worker *w, struct session_ring *r);
/* When this returns the worker has finished its turn with @r and forgotten it. */
void worker_detach(struct worker *w, struct session_ring *r);

/* Something has changed that no descriptor tells: look at every ring once. */
void worker_kick(struct worker *w);

/* When this returns the worker is outside the engine, and stays there until worker_resume(). */
void worker_pause(struct worker *w);
void worker_resume(struct worker *w);

unsigned worker_nr_rings(const struct worker *w);

#endif /* XTM_SESSION_WORKER_H */
