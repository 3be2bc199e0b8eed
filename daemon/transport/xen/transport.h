/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* transport.h - the Xen transport over any platform. Inside daemon/transport/xen/ and tests only.
 */
#ifndef XTM_TRANSPORT_XEN_TRANSPORT_H
#define XTM_TRANSPORT_XEN_TRANSPORT_H

#include "daemon/transport/xen/attachment.h"
#include "daemon/transport/xen/platform.h"
#include "daemon/transport/xen/xen.h"

/* As xen_transport_start(); takes over @platform in every case. */
struct xen_transport *xen_transport_start_on(struct platform *platform,
                                             const struct xen_config *config, const char **why_out);

/*
 * One turn of the control thread, as the loop makes it when there is something to do. It maps for
 * one attachment at most, and not at all after a turn in which something was mapped or unmapped.
 */
void xen_transport_turn(struct xen_transport *t);

#endif /* XTM_TRANSPORT_XEN_TRANSPORT_H */
