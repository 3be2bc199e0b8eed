/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vbd_front.h - all that a disk's frontend has written about its rings, read and checked at once.
 *
 * As front.h, for the nodes of xen/io/blkif.h. Pure but for the reader that it is given.
 */
#ifndef XTM_SCHEMA_VBD_FRONT_H
#define XTM_SCHEMA_VBD_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "xenstore-schema/front.h"

#define SCHEMA_VBD_QUEUES     8u /* most, of all that could be offered */
#define SCHEMA_VBD_RING_PAGES 8u

struct schema_vbd_offer {
    uint32_t max_queues, max_order;
};

struct schema_vbd_front {
    bool is_32_bit;     /* the layout of its requests */
    bool is_persistent; /* its data pages stay granted, and writable */
    uint32_t nr_queues, order;
    uint32_t ring_refs[SCHEMA_VBD_QUEUES][SCHEMA_VBD_RING_PAGES]; /* 1 << order of each */
    uint32_t channels[SCHEMA_VBD_QUEUES];
};

/* False: *error_out says what is wrong; *front_out is unspecified. */
bool schema_vbd_front_read(const struct schema_reader *reader, const struct schema_vbd_offer *offer,
                           struct schema_vbd_front *front_out, struct schema_error *error_out);

#endif /* XTM_SCHEMA_VBD_FRONT_H */
