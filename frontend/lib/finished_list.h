/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* finished_list.h - the part of a handle that finished.h is about. */
#ifndef XENTMEM_LIB_FINISHED_LIST_H
#define XENTMEM_LIB_FINISHED_LIST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "frontend/lib/patience.h"

struct call;

/* Asynchronous operations that are finished and not reaped, oldest first. */
struct finished {
    pthread_mutex_t lock;
    struct call *first, **last;
    bool bell_rung;        /* bell_fd is readable */
    atomic_bool fd_lent;   /* xentmem_fd() was called */
    atomic_uint nr_asleep; /* threads in xentmem_reap() that wait for epoll_fd */
    struct patience patience;
    atomic_uint nr_open; /* operations submitted and not reaped */
    int bell_fd;         /* eventfd: something is on the list, and somebody relies on it */
    int timer_fd;        /* time to look for what is overdue */
    atomic_bool timer_set;
    uint64_t timer_due_us;  /* while it is set; under the lock */
    atomic_bool lacks_room; /* none for xentmem_submit(), and nothing under way that gives some */
    int epoll_fd;           /* all of what xentmem_reap() may have to look at */
};

#endif /* XENTMEM_LIB_FINISHED_LIST_H */
