/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer.h - the memory and channels of one guest, mapped and bound: a link.
 *
 * Made by the control thread from checked nodes; used by workers through the
 * link; closed by the control thread when no worker uses it.
 */
#ifndef XTM_TRANSPORT_XEN_PEER_H
#define XTM_TRANSPORT_XEN_PEER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/session/link.h"
#include "daemon/transport/xen/platform.h"
#include "xenstore-schema/front.h"

struct xen_peer {
    struct link link; /* first: one is the other */
    struct platform *platform;
    struct platform_grants *grants;
    struct platform_channel *channels[TMEMIF_MAX_RINGS];
    uint32_t nr_data_pages;
    void *owner;      /* the attachment */
    int left_fd;      /* eventfd that is written when the peer's process is found gone */
    atomic_bool left; /* it was written */
};

/*
 * Map and bind what @front says of domain @domid. The link lacks ops, key, privilege.
 * False: everything is given back, and @why_out is a sentence that
 * names the node, the limit or the rule that stood in the way.
 */
bool xen_peer_open(struct platform *platform, uint32_t domid, const struct schema_front *front,
                   struct xen_peer **peer_out, char why_out[SCHEMA_REASON_LEN]);
/* Unmap and unbind. */
void xen_peer_close(struct xen_peer *p);

/* For struct link_ops. */
void xen_peer_notify(struct link *link, unsigned ring);
int xen_peer_consume(struct link *link, unsigned ring);
bool xen_peer_copy_from_grant(struct link *link, const struct tmemif_data *from, void *local);
bool xen_peer_copy_to_grant(struct link *link, const struct tmemif_data *to, const void *local);

/* Is the process at the other end gone, and did it say good-bye (front_alive)? */
bool xen_peer_is_gone(const struct xen_peer *p);
bool xen_peer_has_left(const struct xen_peer *p);

#endif /* XTM_TRANSPORT_XEN_PEER_H */
