/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * operator_dead.h - what guests that are gone have left in xenstore, below every manager.
 *
 * The agent removes it as soon as a guest dies; where no agent runs, the next attach or detach
 * does. Both hold the lock of the book, so that no new guest is taken for a dead one.
 */
#ifndef XENTMEM_TOOL_OPERATOR_DEAD_H
#define XENTMEM_TOOL_OPERATOR_DEAD_H

#include "frontend/tool/operator_xen.h"

typedef void dead_removed(unsigned domid, uint32_t device);

/* @domains: all that live, one at least. @removed, which may be NULL, is told of each attachment.
 */
void dead_remove(struct xs_handle *xs, const struct domain *domains, unsigned nr_domains,
                 dead_removed *removed);

/* Disks that are left in the folders of managers, as dead_remove() of attachments. */
void dead_remove_disks(struct xs_handle *xs, const struct domain *domains, unsigned nr_domains,
                       dead_removed *removed);

/* The same, of whoever does not live now, and quietly. */
void dead_sweep(struct xs_handle *xs);

#endif /* XENTMEM_TOOL_OPERATOR_DEAD_H */
