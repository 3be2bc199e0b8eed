/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/latency.h"

/* Below LATENCY_STEPS a bucket is a nanosecond; from there on the top bits choose. */
static unsigned bucket_of(uint64_t ns)
{
    unsigned top, bucket;

    if (ns < LATENCY_STEPS)
        return (unsigned)ns;
    top = 63 - (unsigned)__builtin_clzll(ns);
    bucket = (top - 4) * LATENCY_STEPS + (unsigned)(ns >> (top - 5) & (LATENCY_STEPS - 1));
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/* The largest time that falls into @bucket. */
static uint64_t upper_of(unsigned bucket)
{
    unsigned top = bucket / LATENCY_STEPS + 4;

    if (bucket < LATENCY_STEPS)
        return bucket;
    return ((uint64_t)(LATENCY_STEPS + bucket % LATENCY_STEPS + 1) << (top - 5)) - 1;
}

void latency_add(struct latency *l, uint64_t ns)
{
    l->count++;
    l->sum_ns += ns;
    if (ns > l->max_ns)
        l->max_ns = ns;
    l->buckets[bucket_of(ns)]++;
}

double latency_quantile_us(const struct latency *l, double part)
{
    uint64_t wanted = (uint64_t)((double)l->count * part), seen = 0;

    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        seen += l->buckets[i];
        if (seen > wanted || seen == l->count) {
            uint64_t upper = upper_of(i);

            return (double)(upper < l->max_ns ? upper : l->max_ns) / 1000;
        }
    }
    return 0;
}
