/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/lib/beat.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "protocol/tmemif.h"

static void *beat(void *arg)
{
    struct xentmem *t = arg;
    struct tmemif_ring *ring = t->attach->rings[0];
    struct pollfd stop = {.fd = t->death_fd, .events = POLLIN};
    uint32_t number = 0;

    /* stored from a private count, as every word of a ring */
    while (!atomic_load(&t->beat_stop)) {
        __atomic_store_n(&ring->front_beat, ++number, __ATOMIC_RELEASE);
        if (poll(&stop, 1, (int)t->beat_ms) > 0)
            break;
    }
    return NULL;
}

int beat_start(struct xentmem *t, unsigned fence_ms)
{
    sigset_t all, before;
    int error;

    if (fence_ms == 0)
        return 0;
    t->beat_ms = fence_ms / 8 ? fence_ms / 8 : 1;
    /* signals are the program's own threads' business */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&t->beat_thread, NULL, beat, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    t->beat_running = error == 0;
    return error;
}

void beat_stop(struct xentmem *t)
{
    uint64_t one = 1;
    ssize_t r;

    if (!t->beat_running)
        return;
    atomic_store(&t->beat_stop, true);
    r = write(t->death_fd, &one, sizeof(one));
    (void)r;
    pthread_join(t->beat_thread, NULL);
    t->beat_running = false;
}
