/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/lib/reconnect.h"

#include <errno.h>
#include <poll.h>

#include "frontend/lib/clock.h"
#include "frontend/lib/finished.h"

/* A restarted daemon is up in tens of milliseconds; one that maps much memory in seconds. */
#define RETRY_FIRST_MS 5u
#define RETRY_LAST_MS  200u

/* All of these under attach_lock. */

static void go_lost(struct xentmem *t)
{
    log_say(&t->log, "the manager is gone; waiting for it to come back");
    t->retry_ms = RETRY_FIRST_MS;
    t->retry_at = clock_us();
    finished_watch(t, false);
    atomic_store(&t->lost, true);
}

static void go_gone(struct xentmem *t)
{
    handle_die(t, ENODEV, "the manager has nothing left of this attachment; open it anew");
}

static void try_again(struct xentmem *t)
{
    if (clock_us() < t->retry_at)
        return;
    switch (t->attach->ops->again(t->attach)) {
    case ATTACH_SERVED:
        atomic_store(&t->lost, false);
        finished_watch(t, true);
        attach_notify_all(t->attach);
        log_say(&t->log, "the manager is back");
        break;
    case ATTACH_COMING:
        t->retry_ms = RETRY_FIRST_MS;
        t->retry_at = clock_us() + t->retry_ms * 1000;
        break;
    case ATTACH_LOST:
        t->retry_at = clock_us() + t->retry_ms * 1000;
        t->retry_ms = t->retry_ms * 2 < RETRY_LAST_MS ? t->retry_ms * 2 : RETRY_LAST_MS;
        break;
    case ATTACH_GONE:
        go_gone(t);
        break;
    }
}

void reconnect_look(struct xentmem *t)
{
    pthread_mutex_lock(&t->attach_lock);
    if (!atomic_load(&t->dead) && !atomic_load(&t->lost)) {
        switch (t->attach->ops->look(t->attach)) {
        case ATTACH_SERVED:
        case ATTACH_COMING:
            break;
        case ATTACH_LOST:
            go_lost(t);
            break;
        case ATTACH_GONE:
            go_gone(t);
            break;
        }
    }
    if (!atomic_load(&t->dead) && atomic_load(&t->lost))
        try_again(t);
    if (atomic_load(&t->lost))
        finished_timer(t, (int)t->retry_ms);
    pthread_mutex_unlock(&t->attach_lock);
}

void reconnect_wait(struct xentmem *t, uint64_t deadline)
{
    struct pollfd death = {.fd = t->death_fd, .events = POLLIN};
    int left_ms = deadline_left_ms(deadline);

    if (left_ms < 0 || left_ms > (int)RETRY_FIRST_MS)
        left_ms = (int)RETRY_FIRST_MS;
    poll(&death, 1, left_ms);
    reconnect_look(t);
}
