/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* node.h - one node read or written by its name in the schema. */
#ifndef XTM_TRANSPORT_XEN_NODE_H
#define XTM_TRANSPORT_XEN_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/transport/xen/platform.h"
#include "xenstore-schema/nodes.h"
#include "xenstore-schema/value.h"

/* As platform_ops.read; @number for a numbered key. */
char *node_read(struct platform *p, const struct schema_place *place, enum schema_node node,
                uint32_t number, size_t *len_out);
enum node_result {
    NODE_FINE,
    NODE_ABSENT,
    NODE_BAD,    /* it has not the form or range that its rule wants */
    NODE_UNKNOWN /* xenstore does not say: for the moment, as far as we know */
};

/*
 * By its rule, defaults included: never NODE_ABSENT for a node that has one. On anything but
 * NODE_FINE *number_out is unchanged.
 */
enum node_result node_read_number(struct platform *p, const char *path, enum schema_node node,
                                  uint64_t *number_out);
bool node_write(struct platform *p, const struct schema_place *place, enum schema_node node,
                const char *text);
bool node_write_number(struct platform *p, const struct schema_place *place, enum schema_node node,
                       uint64_t number);
bool node_remove(struct platform *p, const struct schema_place *place, enum schema_node node);

/*
 * A XenbusState; a guest may have written anything (XENBUS_GARBAGE). False: there is no such
 * node, or it may not be read; errno says which.
 */
bool node_read_state(struct platform *p, const struct schema_place *place, enum schema_node node,
                     uint32_t *state_out);

/*
 * Does errno say that the node is not there, or that its owner hides it from us? For a guest's
 * nodes: those in our own home are gone with ENOENT alone.
 */
bool node_is_hidden(int error);

#endif /* XTM_TRANSPORT_XEN_NODE_H */
