/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xen_share.h - memory that is granted to the manager's domain, and event channels to it.
 *
 *    rings       1 << order pages each; when this process ends, the kernel
 *                clears front_alive of ring 0 and notifies (unmap notification)
 *    data        nr_data_pages
 *    directory   pages of 32-bit references that name the data pages
 */
#ifndef XENTMEM_LIB_XEN_SHARE_H
#define XENTMEM_LIB_XEN_SHARE_H

#include <stdbool.h>
#include <stdint.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include "frontend/lib/log.h"
#include "protocol/tmemif.h"

#define XEN_SHARE_REFS_PER_PAGE (TMEMIF_PAGE_SIZE / 4u)
#define XEN_SHARE_MAX_DIRECTORY (TMEMIF_MAX_DATA_PAGES / XEN_SHARE_REFS_PER_PAGE)

struct xen_share {
    struct log_to log;
    uint32_t domid;
    unsigned nr_rings, ring_page_order;
    uint32_t nr_data_pages, nr_directory;
    xengntshr_handle *grants;
    xenevtchn_handle *channels[TMEMIF_MAX_RINGS]; /* one each, so that each has its descriptor */
    uint32_t ports[TMEMIF_MAX_RINGS];
    void *rings[TMEMIF_MAX_RINGS];
    uint32_t ring_refs[TMEMIF_MAX_RINGS << TMEMIF_MAX_RING_PAGE_ORDER]; /* by ring, then page */
    uint8_t *data;
    uint32_t *directory;
    uint32_t directory_refs[XEN_SHARE_MAX_DIRECTORY];
};

/*
 * Can it be done at all: are the drivers there? 0, or ENODEV or EACCES with a
 * sentence that names the modules or the files.
 */
int xen_share_open(struct xen_share *s, const struct log_to *log);
/*
 * Share with @domid as the fields nr_rings, ring_page_order and nr_data_pages
 * say. 0, or an errno value with a sentence; ENOSPC names the limits.
 */
int xen_share_grant(struct xen_share *s, uint32_t domid);
/* Everything, in whatever state it is. @forked: a child's copy, which must not end the grants. */
void xen_share_close(struct xen_share *s, bool forked);

void xen_share_notify(struct xen_share *s, unsigned ring);
void xen_share_consume(struct xen_share *s, unsigned ring);

#endif /* XENTMEM_LIB_XEN_SHARE_H */
