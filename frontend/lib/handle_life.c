/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/lib/handle_life.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frontend/lib/beat.h"
#include "frontend/lib/finished.h"
#include "frontend/lib/ring.h"

static int make_rings(struct xentmem *t)
{
    struct attach *a = t->attach;
    unsigned nr_slots = a->nr_rings * TMEMIF_RING_SLOTS(a->ring_page_order);
    int error;

    t->rings = calloc(a->nr_rings, sizeof(*t->rings));
    if (!t->rings)
        return ENOMEM;
    error = room_init(&t->room, a->data, a->nr_data_pages, nr_slots);
    if (error) {
        free(t->rings);
        t->rings = NULL;
        return error;
    }
    for (unsigned i = 0; i < a->nr_rings; i++)
        ring_init(&t->rings[i], a, i);
    return 0;
}

/* A word that says 1 here, and that the kernel wipes in children. */
static int mark_process(struct xentmem *t)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    atomic_uint *word =
        mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int error;

    if (word == MAP_FAILED)
        return ENOMEM;
    if (madvise(word, page, MADV_WIPEONFORK) < 0) {
        error = errno;
        munmap(word, page);
        return error;
    }
    atomic_store(word, 1);
    t->of_this_process = word;
    return 0;
}

void handle_destroy(struct xentmem *t)
{
    bool forked = t->of_this_process && atomic_load(t->of_this_process) == 0;

    if (forked)
        t->beat_running = false; /* threads are not copied by fork() */
    beat_stop(t);
    finished_fini(t, forked);
    if (t->rings) {
        /* a child's copies of locks may be held for ever: they are left as they are */
        for (unsigned i = 0; !forked && i < t->attach->nr_rings; i++)
            ring_fini(&t->rings[i]);
        free(t->rings);
        room_fini(&t->room, forked);
    }
    if (t->attach)
        t->attach->ops->close(t->attach, forked);
    if (t->death_fd >= 0)
        close(t->death_fd);
    if (t->of_this_process)
        munmap((void *)(uintptr_t)t->of_this_process, (size_t)sysconf(_SC_PAGESIZE));
    if (!forked)
        pthread_mutex_destroy(&t->attach_lock);
    free(t);
}

int handle_create(struct attach *a, const struct handle_config *config, struct xentmem **t_out)
{
    struct xentmem *t = calloc(1, sizeof(*t));
    int error;

    if (!t) {
        a->ops->close(a, false);
        return log_error(&config->log, "no handle", ENOMEM);
    }
    t->attach = a;
    t->log = config->log;
    t->poll_us = config->poll_us;
    t->poll_pause_us = config->poll_pause_us;
    t->timeout_ms = config->timeout_ms;
    t->control = config->control;
    pthread_mutex_init(&t->attach_lock, NULL);
    t->finished.bell_fd = t->finished.timer_fd = t->finished.epoll_fd = -1;

    t->death_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    error = t->death_fd < 0 ? errno : make_rings(t);
    if (!error)
        error = mark_process(t);
    if (!error)
        error = finished_init(t);
    if (!error)
        error = beat_start(t, config->fence_ms);
    if (error) {
        log_error(&config->log, "no handle", error);
        handle_destroy(t);
    } else {
        *t_out = t;
    }
    return error;
}
