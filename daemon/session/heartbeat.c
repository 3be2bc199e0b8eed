/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/session/heartbeat.h"

void heartbeat_start(struct heartbeat *h, uint32_t fence_ms, uint32_t beat, uint64_t now_ms)
{
    *h = (struct heartbeat){
        .fence_ms = fence_ms, .beat = beat, .looked_ms = now_ms, .alive_ms = now_ms};
}

bool heartbeat_look(struct heartbeat *h, uint32_t beat, uint64_t now_ms)
{
    bool is_due;

    if (h->fence_ms == 0)
        return false;
    if (beat != h->beat) {
        h->beat = beat;
        h->alive_ms = h->looked_ms;
    }
    is_due = now_ms >= heartbeat_deadline_ms(h);
    h->looked_ms = now_ms;
    h->silent = now_ms - h->alive_ms >= h->fence_ms / 2;
    return is_due;
}

uint64_t heartbeat_deadline_ms(const struct heartbeat *h)
{
    if (h->fence_ms == 0)
        return HEARTBEAT_NEVER;
    return (h->silent ? h->looked_ms : h->alive_ms) + h->fence_ms / 2;
}

/* Beats come every T/4; a look in between finds a peer alive at most 3T/8 ago: T/8 to spare. */
uint32_t heartbeat_period_ms(const struct heartbeat *h)
{
    return h->fence_ms / 8;
}
