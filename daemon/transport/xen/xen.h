/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xen.h - the Xen transport: guests, over grants, event channels and xenstore.
 *
 * The handshake is xenstore-schema/SCHEMA.md. Everything here runs in the
 * control thread's loop, but for the links' notify, consume and grant copies.
 * Works in a domU and in dom0 alike.
 */
#ifndef XTM_TRANSPORT_XEN_XEN_H
#define XTM_TRANSPORT_XEN_XEN_H

#include <stdint.h>

#include "daemon/engine/account.h"
#include "daemon/session/sessions.h"
#include "daemon/util/log.h"

struct disks;
struct event_base;
struct store;
struct xen_transport;

/*
 * What the operator's nodes say. Called on the control thread, before the guest
 * is attached and whenever a node changes; only when something has changed.
 * A status other than OK is logged, and the same is said again later.
 */
struct xen_policy_ops {
    /* What this attachment may hold; NULL: it is no more, forget what was said. */
    enum tmemif_status (*guest)(void *arg, const struct account_key *guest,
                                const struct policy *policy);
    enum tmemif_status (*shared)(void *arg, const uint8_t uuid[TMEMIF_UUID_LEN],
                                 const struct policy *policy);
    enum tmemif_status (*member)(void *arg, const uint8_t uuid[TMEMIF_UUID_LEN],
                                 const struct account_key *guest, enum pool_right right);
};

struct xen_config {
    struct event_base *base;
    struct session_table *sessions;
    struct disks *disks; /* NULL: none are served; nor are they in dom0 */
    struct store *store; /* records of disks lie there */
    unsigned nr_workers;
    struct log *log;
    uint32_t epoch; /* incarnation of the manager */
    const struct xen_policy_ops *policy;
    void *policy_arg;
};

/*
 * The loop's first turns take up every attachment that has nodes; accounts of guests without any
 * are forgotten. Then the manager is announced (node data/xentmem/ready). What xenstore does not
 * say at once is taken up, forgotten and announced later: an account is never forgotten for want
 * of an answer. NULL: *why_out is a sentence, static or strerror()'s; nothing has been changed.
 */
struct xen_transport *xen_transport_start(const struct xen_config *config, const char **why_out);
/* What the call costs that notifies a guest, by @now_ns. 0: not known, as where Xen is not. */
uint64_t xen_transport_notify_ns(uint64_t (*now_ns)(void));
/* Sessions of guests end as SESSION_KEPT; their nodes stay. NULL is nothing. */
void xen_transport_stop(struct xen_transport *t);

#endif /* XTM_TRANSPORT_XEN_XEN_H */
