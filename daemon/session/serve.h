/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* serve.h - a ring's turn: take requests, run them, answer them. Worker's code. */
#ifndef XTM_SESSION_SERVE_H
#define XTM_SESSION_SERVE_H

#include "daemon/session/session.h"

/*
 * Serve requests, and elements of batches, that cost @budget and one of them more. Every answer is
 * on the ring before the next request begins, but for gets one behind the other, of which a few
 * are run together; the peer is notified, if it asked for that, after some of them and at the end.
 */
enum serve_result serve_ring(struct session_ring *r, unsigned worker, unsigned budget);

/* For a session_ring's ring. */
extern const struct worker_ring_ops serve_ring_ops;

#endif /* XTM_SESSION_SERVE_H */
