/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * beat.h - the heartbeat of a session that asked for a fence time: a thread
 * that changes front_beat eight times within it, whatever the user's threads do.
 */
#ifndef XENTMEM_LIB_BEAT_H
#define XENTMEM_LIB_BEAT_H

#include "frontend/lib/handle.h"

/* Nothing if @fence_ms is 0. 0 or an errno value. */
int beat_start(struct xentmem *t, unsigned fence_ms);
void beat_stop(struct xentmem *t);

#endif /* XENTMEM_LIB_BEAT_H */
