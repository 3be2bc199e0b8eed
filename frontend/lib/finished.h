/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* finished.h - operations that are finished and not reaped, and what xentmem_fd() is readable for.
 */
#ifndef XENTMEM_LIB_FINISHED_H
#define XENTMEM_LIB_FINISHED_H

#include <stdbool.h>

#include "frontend/lib/handle.h"

/* What an event of epoll_fd is about: a ring's number, or one of these. */
enum watched {
    WATCHED_BELL = TMEMIF_MAX_RINGS,
    WATCHED_TIMER,
    WATCHED_DEATH,
    WATCHED_ATTACH,
};

/* 0 or an errno value. */
int finished_init(struct xentmem *t);
void finished_fini(struct xentmem *t, bool forked);

/* @call, which has an op, is DONE: put it where xentmem_reap() finds it. */
void finished_add(struct xentmem *t, struct call *call);
bool finished_any(struct finished *f);
/* Up to @max finished calls as a list; at least 1. */
struct call *finished_take(struct xentmem *t, unsigned max);
/* @nr operations are their users' again; tell whoever sleeps if none is left to sleep for. */
void finished_close(struct xentmem *t, unsigned nr);
/* Does anybody rely on xentmem_fd(), or sleep for it? */
bool finished_is_watched(struct finished *f);
/* Tell whoever relies on xentmem_fd(), unless it is xentmem_reap() itself that takes the answers.
 */
void finished_ring_bell(struct xentmem *t);

/* Do the attachment's descriptors count for xentmem_fd()? Not while the manager is lost. */
void finished_watch(struct xentmem *t, bool on);

/*
 * Make xentmem_fd() readable in @ms at the latest, if operations are under way or have no room; -1:
 * never. What was set for an earlier time stays.
 */
void finished_timer(struct xentmem *t, int ms);
/* Take note that its time came. */
void finished_take_timer(struct xentmem *t);

#endif /* XENTMEM_LIB_FINISHED_H */
