/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * operator_attach.h - the nodes of an attachment: looked at, written, taken away.
 *
 *   manager's home   backend/tmem/<guest>/<n>    the manager's, the guest reads
 *                    xentmem/guest/<guest>/<n>   dom0's, the manager reads: policy
 *                    xentmem/shared/<uuid>       dom0's, the manager reads: policy, members
 *   guest's home     device/tmem/<n>             the guest's, the manager reads
 *
 * The commands and the agent use the same functions, under the lock of the book.
 */
#ifndef XENTMEM_TOOL_OPERATOR_ATTACH_H
#define XENTMEM_TOOL_OPERATOR_ATTACH_H

#include "frontend/tool/command.h"
#include "frontend/tool/operator_book.h"
#include "frontend/tool/operator_xen.h"

enum attach_state {
    ATTACH_NONE,  /* no nodes at all */
    ATTACH_STALE, /* left over: of an earlier guest or manager, detached, or in part */
    ATTACH_THERE, /* whole, and of this guest */
};
enum attach_state attach_look(struct xs_handle *xs, const struct schema_place *a,
                              const uint8_t guest_uuid[16]);

/* Has dom0 written the policy of attachment @a, and is it this guest's? */
bool attach_has_policy(struct xs_handle *xs, const struct schema_place *a,
                       const uint8_t guest_uuid[16]);

/*
 * Is attachment @a had by another manager than @a's? Its policy says so, which dom0 alone writes: a
 * guest may write what it likes into its own folder. A daemon in dom0 that does not run has it
 * still: it may be about to start again, with the guest's pools.
 */
bool attach_find_other(struct xs_handle *xs, const struct schema_place *a,
                       const uint8_t guest_uuid[16], struct domain *manager_out);
/* The same, of those that run, as far as can be told: a daemon in dom0 says it, a domain is there.
 */
bool attach_find_running(struct xs_handle *xs, const struct schema_place *a,
                         const uint8_t guest_uuid[16], struct domain *manager_out);
/* By whom is it had, whether a daemon runs there or not? */
bool attach_find_any(struct xs_handle *xs, unsigned guest, uint32_t device,
                     const uint8_t guest_uuid[16], struct domain *manager_out);

/*
 * Write all nodes of @guest's attachment @device to @manager in one transaction, in place of
 * whatever is there, with its memberships from @book in place of those that its domid has (NULL:
 * they stay); let the manager know of domains that die. False: nothing has changed.
 */
bool attach_write(struct xs_handle *xs, const struct domain *manager, const struct domain *guest,
                  uint32_t device, const struct grant *grant, const struct book *book,
                  char why_out[XEN_WHY_LEN]);

/*
 * Ask the manager to end the attachment, if it has nodes of it: `online` and `state` in one
 * transaction.
 */
bool attach_retire(struct xs_handle *xs, const struct schema_place *a, char why_out[XEN_WHY_LEN]);

/*
 * Take them away: nodes of @a, and if it is the guest's last at that manager its memberships too;
 * those in the manager's home in one transaction, and then the guest's folder if that can be.
 * False: nothing has changed.
 */
bool attach_remove(struct xs_handle *xs, const struct schema_place *a, char why_out[XEN_WHY_LEN]);

/* Has nobody ever been attached to this manager, and no pool there been given a policy? */
bool attach_is_bare(struct xs_handle *xs, unsigned manager);

/*
 * attach_write() has written @a with @book, which is locked still, and nothing comes of it. Of a
 * manager that @was_bare before that also what attach_remove() leaves for the next guest goes, if
 * nobody has come meanwhile. False: it has not gone.
 */
bool attach_take_back(struct xs_handle *xs, const struct schema_place *a, bool was_bare,
                      const struct book *book, char why_out[XEN_WHY_LEN]);

/*
 * Wait for the daemon in @manager to announce itself; *@timeout_ms is less by what that took.
 * False: it did not.
 */
bool attach_wait_ready(struct tool *tool, struct xs_handle *xs, const struct domain *manager,
                       const struct domain *guest, unsigned *timeout_ms, char why_out[XEN_WHY_LEN]);

/*
 * Wait for the manager to take notice of nodes just written. TOOL_REFUSED: it has said in node
 * `error` why it does not serve the guest. TOOL_NO_MANAGER: it did not answer within @timeout_ms,
 * the nodes vanished, or a signal that the caller holds back came (operator_signal.h). What there
 * is of the nodes stays.
 */
int attach_wait(struct tool *tool, struct xs_handle *xs, const struct domain *manager,
                const struct domain *guest, uint32_t device, unsigned timeout_ms,
                char why_out[XEN_WHY_LEN]);

/* Policy nodes of a guest, and of a shared pool with those of its members that run here. */
bool attach_write_grant(struct xs_handle *xs, const struct schema_place *a,
                        const struct grant *grant, char why_out[XEN_WHY_LEN]);
bool attach_write_shared(struct xs_handle *xs, unsigned manager, const uint8_t uuid[16],
                         const struct grant *grant, char why_out[XEN_WHY_LEN]);
/*
 * @right: "read", "fill", or NULL to take the right away. One is given only to a guest that is
 * attached to @manager: the node goes with the guest's attachment.
 */
bool attach_write_allow(struct xs_handle *xs, unsigned manager, const uint8_t uuid[16],
                        unsigned guest, const char *right, char why_out[XEN_WHY_LEN]);

#endif /* XENTMEM_TOOL_OPERATOR_ATTACH_H */
