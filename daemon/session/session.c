/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/session/session.h"

#include <errno.h>
#include <unistd.h>

#include "daemon/util/bug.h"
#include "daemon/util/clock.h"

void attention_ask(struct attention *a)
{
    uint64_t one = 1;

    if (write(a->fd, &one, sizeof(one)) < 0)
        BUG_UNLESS(errno == EAGAIN); /* the counter is full: it is awake */
}

bool attention_is_watched(const struct attention *a)
{
    return atomic_load_explicit(&a->fence_by_ms, memory_order_relaxed) != HEARTBEAT_NEVER;
}

bool attention_is_due(const struct attention *a)
{
    uint64_t by_ms = atomic_load_explicit(&a->fence_by_ms, memory_order_acquire);

    return by_ms != HEARTBEAT_NEVER && clock_boot_ms() >= by_ms;
}

void session_break(struct session *s, const char *reason)
{
    const char *none = NULL;

    /* the first reason is the one to tell */
    if (atomic_compare_exchange_strong(&s->broken, &none, reason))
        attention_ask(s->attention);
}
