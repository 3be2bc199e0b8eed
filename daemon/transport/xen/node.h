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
/* By its rule, defaults included. */
enum schema_fault node_read_number(struct platform *p, const struct schema_place *place,
                                   enum schema_node node, uint64_t *number_out);
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

/* Does errno say that the node is not there, or that its owner hides it from us? */
bool node_is_hidden(int error);

#endif /* XTM_TRANSPORT_XEN_NODE_H */
