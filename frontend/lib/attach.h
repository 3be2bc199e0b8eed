/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attach.h - one way to a manager: memory shared with it and a bell each way.
 *
 *    attach_local.c   a daemon on this machine: memfd, Unix sockets
 *    attach_xen.c     another domain: grants, event channels, xenstore
 *
 * Above this nobody knows which one it is. Descriptors keep their numbers for
 * the life of an attachment, also when the manager is restarted.
 */
#ifndef XENTMEM_LIB_ATTACH_H
#define XENTMEM_LIB_ATTACH_H

#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "frontend/lib/log.h"
#include "protocol/ring.h"
#include "protocol/tmemif.h"

/* What the user asked for; zero is "choose". */
struct attach_want {
    const char *path; /* local: of the socket */
    uint32_t device;
    unsigned nr_rings;
    int ring_page_order; /* -1: choose */
    unsigned nr_data_pages;
    unsigned min_data_pages; /* with fewer it is of no use */
    unsigned fence_ms;
    uint64_t session; /* random: front_session of the rings */
    int timeout_ms;   /* for the manager to accept; -1: for ever */
    struct log_to log;
};

enum attach_state {
    ATTACH_SERVED, /* the manager is there, as far as one can see */
    ATTACH_LOST,   /* it went away and may come back: attach_ops.again */
    ATTACH_COMING, /* of again(): somebody is there, and his answer may come any moment */
    ATTACH_GONE,   /* it will not come back for this attachment */
};

struct attach;

struct attach_ops {
    /* Tell the manager that requests are there. Any thread. */
    void (*notify)(struct attach *a, unsigned ring);
    /* Take what made wait_fds[ring] readable. On Xen it blocks if nothing did
     * (xenevtchn.h). One thread at a time for a ring. */
    void (*consume)(struct attach *a, unsigned ring);
    /* Look what made event_fd readable. */
    enum attach_state (*look)(struct attach *a);
    /*
     * After ATTACH_LOST: one try to be served again with the same memory. Blocks for some
     * milliseconds; ATTACH_COMING: the next call goes on with it.
     */
    enum attach_state (*again)(struct attach *a);
    /*
     * Free everything. @forked: this is a child that only has copies; the
     * session is the parent's and must not notice.
     */
    void (*close)(struct attach *a, bool forked);
};

struct attach {
    const struct attach_ops *ops;
    struct log_to log;
    bool apart; /* the manager is in another domain: it does not wait for our processor */
    bool looks; /* we look for answers before we sleep: it should not wait for our processor */
    uint64_t notify_ns; /* what the hypervisor call that notifies costs; 0: it is none */
    unsigned nr_rings;
    unsigned ring_page_order;
    void *rings[TMEMIF_MAX_RINGS];  /* mapped, headers initialised */
    int wait_fds[TMEMIF_MAX_RINGS]; /* readable: the manager has notified */
    int event_fd;                   /* readable: look() has something to see */
    uint8_t *data;
    uint32_t nr_data_pages;
};

/* 0, or an errno value as xentmem_open() gives it, with a sentence said. Nothing is left over. */
int attach_local_open(const struct attach_want *want, struct attach **attach_out);
int attach_xen_open(const struct attach_want *want, struct attach **attach_out);

/* Is this a Xen guest with device/tmem/@device? Cheap; false if one cannot know. */
bool attach_xen_exists(uint32_t device);

#define ATTACH_DEFAULT_RINGS  4u
#define ATTACH_MIN_DATA_PAGES 8u

/* How many rings to have if nobody says: one for so many CPUs, up to ATTACH_DEFAULT_RINGS. */
static inline unsigned attach_choose_rings(unsigned nr_cpus_each)
{
    long nr = sysconf(_SC_NPROCESSORS_ONLN) / (long)nr_cpus_each;

    if (nr < 1)
        return 1;
    return nr < (long)ATTACH_DEFAULT_RINGS ? (unsigned)nr : ATTACH_DEFAULT_RINGS;
}

static inline void attach_notify_all(struct attach *a)
{
    for (unsigned i = 0; i < a->nr_rings; i++)
        a->ops->notify(a, i);
}

/* Write the frontend's half of a new ring's header; the memory is zero. */
static inline void attach_init_ring(void *pages, unsigned order, uint64_t session)
{
    struct ring_front front;

    ring_front_init(&front, pages, order, session);
}

#endif /* XENTMEM_LIB_ATTACH_H */
