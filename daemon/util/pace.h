/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pace.h - so many at once, then one every so often: a virtual schedule.
 *
 * Zero has everything to spare. One thread at a time.
 */
#ifndef XTM_UTIL_PACE_H
#define XTM_UTIL_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
    uint64_t used_ms; /* time up to which has been paid for */
};

/* May one more pass at @now_ms, of @burst at once and one every @period_ms? */
static inline bool pace_take(struct pace *p, uint64_t now_ms, uint64_t burst, uint64_t period_ms)
{
    uint64_t next = p->used_ms > now_ms ? p->used_ms : now_ms;

    if (next - now_ms > (burst - 1) * period_ms)
        return false;
    p->used_ms = next + period_ms;
    return true;
}

#endif /* XTM_UTIL_PACE_H */
