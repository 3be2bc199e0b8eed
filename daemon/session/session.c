/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/session/session.h"

#include <errno.h>
#include <unistd.h>

#include "daemon/util/bug.h"

void attention_ask(struct attention *a)
{
    uint64_t one = 1;

    if (write(a->fd, &one, sizeof(one)) < 0)
        BUG_UNLESS(errno == EAGAIN); /* the counter is full: it is awake */
}

void session_break(struct session *s, const char *reason)
{
    const char *none = NULL;

    /* the first reason is the one to tell */
    if (atomic_compare_exchange_strong(&s->broken, &none, reason))
        attention_ask(s->attention);
}
