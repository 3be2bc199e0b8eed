/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xen_nodes.h - the nodes of one attachment in xenstore, as its frontend reads and writes them.
 *
 * Keys and ranges come from xenstore-schema/; what the backend wrote is
 * checked like anything foreign.
 */
#ifndef XENTMEM_LIB_XEN_NODES_H
#define XENTMEM_LIB_XEN_NODES_H

#include <stdbool.h>
#include <stdint.h>

#include "frontend/lib/log.h"
#include "xenstore-schema/nodes.h"

struct xs_handle;

struct xen_nodes {
    struct xs_handle *xs;
    struct schema_place place;
    struct log_to log;
};

/*
 * Connect, and find the manager of @device. 0, or an errno value: ENODEV: this
 * is no Xen guest, or it has no such device.
 */
int xen_nodes_open(struct xen_nodes *n, uint32_t device, const struct log_to *log);
/* @forked: a child's copy. */
void xen_nodes_close(struct xen_nodes *n, bool forked);

/*
 * Is the manager still the one that it was at open? False: the toolstack has
 * written all anew. True also while xenstore cannot be read.
 */
bool xen_nodes_are_ours(const struct xen_nodes *n);

/* A number in its range, or the default of an absent node. False: neither; *value_out unchanged. */
bool xen_nodes_number(const struct xen_nodes *n, enum schema_node node, uint32_t *value_out);
/*
 * The backend's state: XENBUS_UNKNOWN if there is none, XENBUS_GARBAGE if it is
 * no number. False: xenstore cannot be read just now.
 */
bool xen_nodes_backend_state(const struct xen_nodes *n, uint32_t *state_out);
/* Does the backend speak @version? */
bool xen_nodes_has_version(const struct xen_nodes *n, uint32_t version);
/* Why the backend has closed, printable; empty if it does not say. */
#define XEN_NODES_REASON_LEN 256u
void xen_nodes_reason(const struct xen_nodes *n, char reason_out[XEN_NODES_REASON_LEN]);

/* Write our state. False: it cannot be written; errno says why. */
bool xen_nodes_set_state(const struct xen_nodes *n, uint32_t state);

/* Be told, through xen_nodes_fd(), when the backend's state, its epoch or our manager changes. */
bool xen_nodes_watch(const struct xen_nodes *n);
int xen_nodes_fd(const struct xen_nodes *n);
/* Take what was told, so that xen_nodes_fd() is readable for news only. Bounded; never blocks. */
void xen_nodes_drain(const struct xen_nodes *n);

/* What we share, to be written all at once and our state, Initialised, with it. */
struct xen_offer {
    uint32_t nr_rings, ring_page_order, nr_data_pages, fence_ms;
    const uint32_t *ring_refs; /* 1 << order of each ring in turn */
    const uint32_t *ports;     /* of each ring */
    uint32_t nr_directory;
    const uint32_t *directory_refs;
};
bool xen_nodes_publish(const struct xen_nodes *n, const struct xen_offer *offer);

#endif /* XENTMEM_LIB_XEN_NODES_H */
