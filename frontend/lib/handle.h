/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handle.h - what is behind the opaque struct xentmem.
 *
 *   xentmem ── attach   memory, bells, and whether the manager is there
 *          ├── rings    requests under way (ring.h)
 *          ├── room     calls and data pages (room.h)
 *          └── finished asynchronous operations (finished.h)
 *
 * Locks are taken in this order: attach_lock, a ring's lock, room.lock or
 * finished.lock.
 */
#ifndef XENTMEM_LIB_HANDLE_H
#define XENTMEM_LIB_HANDLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "frontend/lib/attach.h"
#include "frontend/lib/finished_list.h"
#include "frontend/lib/log.h"
#include "frontend/lib/room.h"

struct ring;

struct xentmem {
    struct attach *attach;
    struct ring *rings; /* attach->nr_rings of them */
    struct room room;
    struct finished finished;
    struct log_to log;
    unsigned poll_us;
    unsigned poll_pause_us; /* between two questions to the clock */
    int timeout_ms;
    bool control; /* for xentmem_control() alone */

    /* reconnect.c */
    pthread_mutex_t attach_lock;
    atomic_bool lost;  /* the manager went away and may come back */
    atomic_int dead;   /* 0, or the errno value that every call gives from now on */
    int death_fd;      /* eventfd, readable once dead is set */
    uint64_t retry_at; /* when to try again; under attach_lock */
    unsigned retry_ms; /* the wait after that */

    /* beat.c; not running unless a fence was asked for */
    pthread_t beat_thread;
    bool beat_running;
    atomic_bool beat_stop;
    unsigned beat_ms;

    /* This process's own: reads 0 in a child made by fork(). */
    const atomic_uint *of_this_process;
};

/*
 * 0 if @t may be used here and now, else an errno value: EINVAL after fork(),
 * or what it died of.
 */
int handle_check(const struct xentmem *t);

/* No call will work any more, for @error; @why goes to the log. The first one counts. */
void handle_die(struct xentmem *t, int error, const char *why);

/* @error as the public calls return it: -1 with errno set, or 0. */
int handle_return(int error);

#endif /* XENTMEM_LIB_HANDLE_H */
