/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * heartbeat.h - has a peer been silent for too long? (PROTOCOL.md, "Fencing")
 *
 * A frontend that asked for a fence time T changes front_beat while it lives.
 * What a look finds changed may have changed right after the look before, so
 * the peer is known to have lived at that time only. T/2 after it the peer is
 * silent, and no get of a pool that it may fill is answered before that pool
 * has started a new epoch (rule C25). A peer that is silent may still publish a
 * flush, which is served soon as long as we are there; when we come back T/2 after
 * the last look, it may have waited too long, and the pool starts another epoch.
 * Pure: time is a parameter.
 */
#ifndef XTM_SESSION_HEARTBEAT_H
#define XTM_SESSION_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

#define HEARTBEAT_NEVER UINT64_MAX

struct heartbeat {
    uint32_t fence_ms; /* T; 0: the peer has no heartbeat */
    uint32_t beat;     /* at the last look */
    uint64_t looked_ms;
    uint64_t alive_ms; /* it is known to have lived then */
    bool silent;       /* since T/2 or more */
};

void heartbeat_start(struct heartbeat *h, uint32_t fence_ms, uint32_t beat, uint64_t now_ms);
/* Look at the peer's @beat. True: the deadline has passed; fence it. */
bool heartbeat_look(struct heartbeat *h, uint32_t beat, uint64_t now_ms);
/* From when on it is to be fenced unless a look comes before; HEARTBEAT_NEVER: it has no heartbeat.
 */
uint64_t heartbeat_deadline_ms(const struct heartbeat *h);
/* How often to look; 0: not at all. */
uint32_t heartbeat_period_ms(const struct heartbeat *h);

#endif /* XTM_SESSION_HEARTBEAT_H */
