/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xen_policy.h - the operator's xenstore nodes, into the book of policy. */
#ifndef XTM_XEN_POLICY_H
#define XTM_XEN_POLICY_H

#include "daemon/control/policy.h"
#include "daemon/transport/xen/xen.h"

/* Their argument is the struct policy_book, which outlives the transport. */
extern const struct xen_policy_ops xen_policy_functions;

#endif /* XTM_XEN_POLICY_H */
