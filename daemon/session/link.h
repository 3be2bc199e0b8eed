/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link.h - one attached peer as a session sees it, whichever transport brought it.
 *
 * A transport makes a link when the peer's memory is mapped and its
 * notifications are bound; the session uses it; link->ops->close gives
 * everything back. The memory is shared with a hostile peer: rings are read
 * through protocol/ring.h, the data area is only ever copied.
 */
#ifndef XTM_SESSION_LINK_H
#define XTM_SESSION_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/account.h"
#include "protocol/tmemif.h"

struct link;

struct link_ops {
    /* Tell the peer that responses are there. Worker; one system call; never blocks. */
    void (*notify)(struct link *link, unsigned ring);
    /*
     * Consume notifications that made rings[ring].wait_fd readable. Worker; never blocks. The
     * result is as that of struct worker_ring_ops.consume.
     */
    int (*consume)(struct link *link, unsigned ring);
    /*
     * Copy @length bytes between @local and a grant of the peer. Worker; one
     * system call. False: the grant is bad or went away. NULL if grants
     * cannot be copied (then feature-grant-copy is not offered).
     */
    bool (*copy_from_grant)(struct link *link, const struct tmemif_data *from, void *local);
    bool (*copy_to_grant)(struct link *link, const struct tmemif_data *to, const void *local);
    /*
     * The peer broke the protocol and is not served any more: let it know
     * @reason (a static sentence), then sessions_detach(), at once or later.
     * Control thread.
     */
    void (*fail)(struct link *link, const char *reason);
    /* Unmap, unbind, free the link. No worker uses it any more. Control thread. */
    void (*close)(struct link *link);
};

struct link_ring {
    void *pages; /* 1 << order pages shared with the peer */
    unsigned order;
    int wait_fd; /* readable when the peer has notified; the link's */
};

struct link {
    const struct link_ops *ops;
    struct account_key peer;
    /*
     * The rings were in use with an earlier incarnation of the manager and are
     * taken up where they stood; else they are new, all indexes zero.
     */
    bool resume;
    uint32_t fence_ms; /* fence time asked for (front_beat beats); 0: no heartbeat */
    bool apart;        /* the peer runs in another domain (struct worker_ring) */
    bool privileged;   /* dom0, or root on the daemon's socket: may send CONTROL */
    unsigned nr_rings;
    struct link_ring rings[TMEMIF_MAX_RINGS];
    uint8_t *data; /* data area, mapped read-write; hostile */
    uint64_t data_bytes;
};

#endif /* XTM_SESSION_LINK_H */
