/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* counters.h - every counter of the manager, by name. */
#ifndef XTM_CONTROL_COUNTERS_H
#define XTM_CONTROL_COUNTERS_H

#include "daemon/engine/engine.h"
#include "daemon/store/store.h"
#include "protocol/control.h"

/* Whole-manager figures that are neither the engine's nor the store's. */
#define CONTROL_METRICS(M)                                                                         \
    M(accounts, GAUGE, "attachments known, attached or not")                                       \
    M(sessions, GAUGE, "attachments that are attached now")                                        \
    M(requests, GAUGE, "requests answered to those attached now")                                  \
    M(notifies, GAUGE, "notifications sent to those attached now")                                 \
    M(minimum_pages, GAUGE, "pages that minimums keep free of persistent ones")                    \
    M(incarnation, GAUGE, "daemons that have used the memory segments")

struct control_metrics {
#define X(name, kind, what) uint64_t name;
    CONTROL_METRICS(X)
#undef X
};

#define STORE_METRICS(M)                                                                           \
    M(frames_limit, GAUGE, "page frames that may be in use")                                       \
    M(frames_used, GAUGE, "page frames in use")                                                    \
    M(frames_taken, GAUGE, "page frames backed by memory now")                                     \
    M(filled_used, GAUGE, "descriptors of same-filled pages in use")

struct counters {
    struct engine_metrics engine;
    struct store_usage store;
    struct control_metrics control;
};

/* How many there are; counter_get() has them by number below that. */
uint32_t counters_nr(void);
void counter_get(const struct counters *from, uint32_t number, struct tmemctl_counter *counter_out);

#endif /* XTM_CONTROL_COUNTERS_H */
