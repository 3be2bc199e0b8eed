/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* latency.h - a histogram of times: 32 steps to each power of two, so within about 3 %. */
#ifndef XENTMEM_TOOL_LATENCY_H
#define XENTMEM_TOOL_LATENCY_H

#include <stdint.h>

#define LATENCY_STEPS   32u
#define LATENCY_BUCKETS (40u * LATENCY_STEPS)

struct latency {
    uint64_t count, sum_ns, max_ns;
    uint64_t buckets[LATENCY_BUCKETS];
};

void latency_add(struct latency *l, uint64_t ns);
/* The time that @part (0 to 1) of them did not exceed, in microseconds; 0 if there are none. */
double latency_quantile_us(const struct latency *l, double part);

#endif /* XENTMEM_TOOL_LATENCY_H */
