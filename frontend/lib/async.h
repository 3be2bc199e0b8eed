/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* async.h - operations that nobody waits for inside a call: submit, xentmem_fd(), reap. */
#ifndef XENTMEM_LIB_ASYNC_H
#define XENTMEM_LIB_ASYNC_H

#include <stdbool.h>

#include "frontend/lib/handle.h"

/* 0 or an errno value. */
int async_init(struct xentmem *t);
void async_fini(struct xentmem *t, bool forked);

/* @call, which has an op, is DONE: put it where xentmem_reap() finds it. */
void async_finished(struct xentmem *t, struct call *call);
/* Tell whoever polls xentmem_fd(), unless it is xentmem_reap() itself that takes the answers. */
void async_ring_bell(struct xentmem *t);

/* Do the attachment's descriptors count for xentmem_fd()? Not while the manager is lost. */
void async_watch(struct xentmem *t, bool on);

/* Make xentmem_fd() readable in @ms at the latest, if operations are under way; -1: never. */
void async_timer(struct xentmem *t, int ms);

#endif /* XENTMEM_LIB_ASYNC_H */
