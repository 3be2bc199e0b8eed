/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xenstore-schema/vbd_front.h"

#include <string.h>

/* Absent: the guest has the layout that 64-bit ones have here. */
static bool read_protocol(const struct schema_reader *reader, struct schema_vbd_front *front,
                          struct schema_error *error_out)
{
    static const char wide[] = "x86_64-abi", narrow[] = "x86_32-abi";
    size_t len = 0;
    const char *bytes = reader->read(reader->arg, SCHEMA_VBDFRONT_PROTOCOL, 0, &len);

    front->is_32_bit = bytes && len == strlen(narrow) && memcmp(bytes, narrow, len) == 0;
    if (!bytes || front->is_32_bit || (len == strlen(wide) && memcmp(bytes, wide, len) == 0))
        return true;
    return schema_read_fails(error_out, SCHEMA_VBDFRONT_PROTOCOL, 0, SCHEMA_NOT_OFFERED);
}

static bool read_persistent(const struct schema_reader *reader, struct schema_vbd_front *front,
                            struct schema_error *error_out)
{
    uint32_t value;

    if (!schema_read_number(reader, SCHEMA_VBDFRONT_PERSISTENT, 0, &value, error_out))
        return false;
    front->is_persistent = value == 1;
    return true;
}

/* The keys of one queue are those of the device, unless there are several. */
static bool read_queue(const struct schema_reader *reader, uint32_t queue,
                       struct schema_vbd_front *front, struct schema_error *error_out)
{
    bool is_alone = front->nr_queues == 1;
    enum schema_node ref = is_alone ? SCHEMA_VBDFRONT_REF : SCHEMA_VBDFRONT_QUEUE_REF;
    enum schema_node ref_n = is_alone ? SCHEMA_VBDFRONT_REF_N : SCHEMA_VBDFRONT_QUEUE_REF_N;
    enum schema_node channel = is_alone ? SCHEMA_VBDFRONT_CHANNEL : SCHEMA_VBDFRONT_QUEUE_CHANNEL;

    for (uint32_t i = 0; i < 1u << front->order; i++) {
        bool ok =
            front->order == 0
                ? schema_read_number(reader, ref, queue, &front->ring_refs[queue][i], error_out)
                : schema_read_number(reader, ref_n, is_alone ? i : SCHEMA_PAIR(queue, i),
                                     &front->ring_refs[queue][i], error_out);
        if (!ok)
            return false;
    }
    return schema_read_number(reader, channel, queue, &front->channels[queue], error_out);
}

bool schema_vbd_front_read(const struct schema_reader *reader, const struct schema_vbd_offer *offer,
                           struct schema_vbd_front *front_out, struct schema_error *error_out)
{
    if (!read_protocol(reader, front_out, error_out) ||
        !read_persistent(reader, front_out, error_out) ||
        !schema_read_up_to(reader, SCHEMA_VBDFRONT_ORDER, offer->max_order, &front_out->order,
                           error_out) ||
        !schema_read_up_to(reader, SCHEMA_VBDFRONT_QUEUES, offer->max_queues, &front_out->nr_queues,
                           error_out))
        return false;
    for (uint32_t queue = 0; queue < front_out->nr_queues; queue++) {
        if (!read_queue(reader, queue, front_out, error_out))
            return false;
    }
    return true;
}
