/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xen_policy.h - the operator's xenstore nodes, into the book of policy and the engine. */
#ifndef XTM_XEN_POLICY_H
#define XTM_XEN_POLICY_H

#include "daemon/control/policy.h"
#include "daemon/engine/engine.h"
#include "daemon/transport/xen/xen.h"

/* The argument of xen_policy_functions; both outlive the transport. */
struct xen_policy {
    struct policy_book *book;
    struct engine *engine;
};

extern const struct xen_policy_ops xen_policy_functions;

#endif /* XTM_XEN_POLICY_H */
