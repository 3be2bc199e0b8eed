/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * operator_orphan.h - disks whose manager's domain died while their guests had them.
 *
 *   /libxl/<guest>/device/vbd/<vdev>      what libxl keeps of a disk: dom0's alone
 *   /local/domain/<guest>/device/vbd/...  the frontend; it waits for the manager's answers
 *   backend/vbd/<guest>/<vdev>            of the manager: gone with its domain
 *
 * One that never was connected, or that the guest has closed, is what a failed attach leaves. For
 * the others: a manager that has the same domid answers their requests, if the nodes are written
 * again: it has lost the content of all but cache disks, so most get errors.
 */
#ifndef XENTMEM_TOOL_OPERATOR_ORPHAN_H
#define XENTMEM_TOOL_OPERATOR_ORPHAN_H

#include "frontend/tool/operator_xen.h"

struct orphan {
    unsigned manager, guest; /* domids; the guest lives */
    uint32_t vdev;
    bool is_connected; /* the frontend may have requests under way */
    bool is_cache;     /* its content is on a device */
};

/* GUEST:VDEV, as other commands name it; a guest without a name is domN. */
#define ORPHAN_TEXT_LEN (XEN_NAME_LEN + 32u)
void orphan_text(char text_out[ORPHAN_TEXT_LEN], struct xs_handle *xs, unsigned guest,
                 uint32_t vdev);

/* Does a disk's target begin as ours do? Other driver domains' disks are not touched. */
bool orphan_is_ours(const char *target);

/* Every one that there is, to be freed; *nr_out may be 0. NULL: no memory. */
struct orphan *orphans_find(struct xs_handle *xs, unsigned *nr_out);
/*
 * Its manager has died and another has its domid: have the nodes there again. That the manager
 * died is for the caller to know: what is read here cannot tell, for a guest may say of any disk
 * that it is connected. False: @why_out says why.
 */
bool orphan_adopt(struct xs_handle *xs, const struct orphan *o, char why_out[XEN_WHY_LEN]);

#endif /* XENTMEM_TOOL_OPERATOR_ORPHAN_H */
