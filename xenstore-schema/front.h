/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * front.h - all that a frontend has written about its rings, read and checked at once.
 *
 * Pure but for the reader that it is given. Each node is read once; what is
 * returned was in range at that moment, whatever the guest writes meanwhile.
 */
#ifndef XTM_SCHEMA_FRONT_H
#define XTM_SCHEMA_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/tmemif.h"
#include "xenstore-schema/value.h"

#define SCHEMA_RING_PAGES (1u << TMEMIF_MAX_RING_PAGE_ORDER)
/* References in one page of a data area's directory. */
#define SCHEMA_REFS_PER_PAGE (TMEMIF_PAGE_SIZE / 4u)
#define SCHEMA_MAX_DIRECTORY (TMEMIF_MAX_DATA_PAGES / SCHEMA_REFS_PER_PAGE)

/* What the backend's nodes offer. */
struct schema_offer {
    uint32_t max_rings, max_order, max_data_pages;
    uint32_t fence_ms_min;
};

struct schema_front {
    uint32_t version, nr_rings, order, nr_data_pages;
    uint32_t fence_ms;
    uint32_t nr_directory;
    uint32_t ring_refs[TMEMIF_MAX_RINGS][SCHEMA_RING_PAGES]; /* 1 << order of each */
    uint32_t channels[TMEMIF_MAX_RINGS];
    uint32_t directory_refs[SCHEMA_MAX_DIRECTORY];
};

/*
 * Where a value comes from: NULL if the node is absent or cannot be read. The
 * bytes stay valid until the next call.
 */
struct schema_reader {
    const char *(*read)(void *arg, enum schema_node node, uint32_t number, size_t *len_out);
    void *arg;
};

/* For readers of several nodes: a number by its node's rule. False: *error_out says what is wrong.
 */
bool schema_read_number(const struct schema_reader *reader, enum schema_node node, uint32_t number,
                        uint32_t *value_out, struct schema_error *error_out);
/* The same, and not above @most, which the backend offers. */
bool schema_read_up_to(const struct schema_reader *reader, enum schema_node node, uint32_t most,
                       uint32_t *value_out, struct schema_error *error_out);
/* Always false, with that error. */
bool schema_read_fails(struct schema_error *error_out, enum schema_node node, uint32_t number,
                       enum schema_fault fault);

/* False: *error_out says what is wrong; *front_out is unspecified. */
bool schema_front_read(const struct schema_reader *reader, const struct schema_offer *offer,
                       struct schema_front *front_out, struct schema_error *error_out);

#endif /* XTM_SCHEMA_FRONT_H */
