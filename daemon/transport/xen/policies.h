/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policies.h - the operator's nodes, below xentmem/ in our home: read, compared, passed on.
 *
 * dom0 writes them, nobody else can. What was passed on is remembered, so that
 * a node that is touched and says the same is no news, and a node that is gone is.
 */
#ifndef XTM_TRANSPORT_XEN_POLICIES_H
#define XTM_TRANSPORT_XEN_POLICIES_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/account.h"
#include "daemon/transport/xen/platform.h"
#include "daemon/transport/xen/xen.h"

struct policies;

/* NULL: no memory. */
struct policies *policies_create(struct platform *platform, struct log *log,
                                 const struct xen_policy_ops *ops, void *ops_arg);
void policies_destroy(struct policies *p);

/* ---- attachments ---- */

/*
 * Who is attached at @place, and pass on what it may hold and of which pools it is a member.
 * False: there is no (whole) policy; *why_out is a static sentence.
 */
bool policies_admit(struct policies *p, const struct schema_place *place,
                    struct account_key *key_out, const char **why_out);
/* Its nodes were touched: pass on what it may hold now. */
void policies_refresh(struct policies *p, const struct schema_place *place,
                      const struct account_key *key);
/* The attachment is no more. */
void policies_dismiss(struct policies *p, const struct account_key *key);

/* ---- shared pools ---- */

/* Nodes of this pool were touched; they are read by the next policies_run(). */
void policies_touch_shared(struct policies *p, const uint8_t uuid[TMEMIF_UUID_LEN]);
/* Any may have been touched: all that there are. */
void policies_touch_all_shared(struct policies *p);
/* Read up to @nr touched pools. True: there are more. */
bool policies_run(struct policies *p, unsigned nr);

#endif /* XTM_TRANSPORT_XEN_POLICIES_H */
