/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xenstore-schema/front.h"

bool schema_read_fails(struct schema_error *error_out, enum schema_node node, uint32_t number,
                       enum schema_fault fault)
{
    *error_out = (struct schema_error){.fault = fault, .node = node, .number = number};
    return false;
}

bool schema_read_number(const struct schema_reader *reader, enum schema_node node, uint32_t number,
                        uint32_t *value_out, struct schema_error *error_out)
{
    enum schema_fault fault;
    uint64_t value = 0;
    const char *bytes;
    size_t len = 0;

    bytes = reader->read(reader->arg, node, number, &len);
    fault = schema_parse_number(node, bytes, len, &value);
    if (fault)
        return schema_read_fails(error_out, node, number, fault);
    *value_out = (uint32_t)value; /* no rule of a frontend's node goes further */
    return true;
}

bool schema_read_up_to(const struct schema_reader *reader, enum schema_node node, uint32_t most,
                       uint32_t *value_out, struct schema_error *error_out)
{
    if (!schema_read_number(reader, node, 0, value_out, error_out))
        return false;
    return *value_out <= most || schema_read_fails(error_out, node, 0, SCHEMA_MORE_THAN_OFFERED);
}

static bool read_ring(const struct schema_reader *reader, uint32_t ring, struct schema_front *front,
                      struct schema_error *error_out)
{
    enum schema_fault fault;
    const char *bytes;
    size_t len = 0;

    bytes = reader->read(reader->arg, SCHEMA_FRONTEND_RING_REF, ring, &len);
    fault = schema_parse_refs(SCHEMA_FRONTEND_RING_REF, bytes, len, 1u << front->order,
                              front->ring_refs[ring]);
    if (fault)
        return schema_read_fails(error_out, SCHEMA_FRONTEND_RING_REF, ring, fault);
    return schema_read_number(reader, SCHEMA_FRONTEND_CHANNEL, ring, &front->channels[ring],
                              error_out);
}

static bool read_sizes(const struct schema_reader *reader, const struct schema_offer *offer,
                       struct schema_front *front, struct schema_error *error_out)
{
    if (!schema_read_number(reader, SCHEMA_FRONTEND_VERSION, 0, &front->version, error_out) ||
        !schema_read_up_to(reader, SCHEMA_FRONTEND_NUM_RINGS, offer->max_rings, &front->nr_rings,
                           error_out) ||
        !schema_read_up_to(reader, SCHEMA_FRONTEND_ORDER, offer->max_order, &front->order,
                           error_out) ||
        !schema_read_up_to(reader, SCHEMA_FRONTEND_DATA_PAGES, offer->max_data_pages,
                           &front->nr_data_pages, error_out) ||
        !schema_read_number(reader, SCHEMA_FRONTEND_FENCE, 0, &front->fence_ms, error_out))
        return false;
    if (front->fence_ms > 0 && front->fence_ms < offer->fence_ms_min)
        return schema_read_fails(error_out, SCHEMA_FRONTEND_FENCE, 0, SCHEMA_NOT_OFFERED);
    return true;
}

bool schema_front_read(const struct schema_reader *reader, const struct schema_offer *offer,
                       struct schema_front *front_out, struct schema_error *error_out)
{
    if (!read_sizes(reader, offer, front_out, error_out))
        return false;
    for (uint32_t ring = 0; ring < front_out->nr_rings; ring++) {
        if (!read_ring(reader, ring, front_out, error_out))
            return false;
    }
    front_out->nr_directory =
        (front_out->nr_data_pages + SCHEMA_REFS_PER_PAGE - 1) / SCHEMA_REFS_PER_PAGE;
    for (uint32_t i = 0; i < front_out->nr_directory; i++) {
        if (!schema_read_number(reader, SCHEMA_FRONTEND_DATA_REF, i, &front_out->directory_refs[i],
                                error_out))
            return false;
    }
    return true;
}
