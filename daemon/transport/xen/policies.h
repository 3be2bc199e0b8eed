/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policies.h - the operator's nodes, below xentmem/ in our home: read, compared, passed on.
 *
 * dom0 writes them, nobody else can. What was passed on, and taken, is remembered, so that
 * a node that is touched and says the same is no news, and a node that is gone is. What was not
 * taken (the book is full) is passed on again later, and nothing else with it: a message may have
 * had a later word. One that is taken at last counts as said then, after every message.
 */
#ifndef XTM_TRANSPORT_XEN_POLICIES_H
#define XTM_TRANSPORT_XEN_POLICIES_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/account.h"
#include "daemon/transport/xen/node.h"
#include "daemon/transport/xen/platform.h"
#include "daemon/transport/xen/xen.h"

struct policies;

/* NULL: no memory. */
struct policies *policies_create(struct platform *platform, struct log *log,
                                 const struct xen_policy_ops *ops, void *ops_arg);
void policies_destroy(struct policies *p);

/* ---- attachments ---- */

/* Whose the attachment at @place is. On anything but NODE_FINE *key_out is unchanged. */
enum node_result policies_read_key(struct policies *p, const struct schema_place *place,
                                   struct account_key *key_out);

enum admission {
    ADMITTED,
    ADMISSION_REFUSED, /* there is no (whole) policy, or no room for it */
    ADMISSION_UNKNOWN, /* a node could not be read: ask again later */
};

/*
 * Who is attached at @place, and pass on what it may hold and of which pools it is a member.
 * ADMITTED: *key_out says who. ADMISSION_REFUSED: @why_out is a sentence.
 */
enum admission policies_admit(struct policies *p, const struct schema_place *place,
                              struct account_key *key_out, char why_out[SCHEMA_REASON_LEN]);
/*
 * Its nodes were touched: pass on what it may hold now; if one of them is an error, what was said
 * stays. False: a node could not be read, or what they say was not taken; what was said before
 * stays. Ask again later.
 */
bool policies_refresh(struct policies *p, const struct schema_place *place,
                      const struct account_key *key);
/* The attachment is no more. */
void policies_dismiss(struct policies *p, const struct account_key *key);

/* ---- shared pools ---- */

/* Nodes of this pool were touched; they are read by the next policies_run(). */
void policies_touch_shared(struct policies *p, const uint8_t uuid[TMEMIF_UUID_LEN]);
/* Any may have been touched: all that there are. */
void policies_touch_all_shared(struct policies *p);
/*
 * Read up to @nr touched pools. True: there are more that can be read now. What xenstore does
 * not say, or what was not taken, stays as it was, and is read again later.
 */
bool policies_run(struct policies *p, unsigned nr, uint64_t now_ms);
/* Is there anything to be read later? */
bool policies_wait(const struct policies *p);

#endif /* XTM_TRANSPORT_XEN_POLICIES_H */
