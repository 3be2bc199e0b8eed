/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/control/reply.h"

#include <string.h>

#include "daemon/util/bug.h"

bool reply_init(struct reply *r, void *buffer, uint32_t cap, uint32_t command)
{
    uint32_t record_bytes = tmemctl_record_bytes(command);

    if (cap > TMEMCTL_MAX_REPLY)
        cap = TMEMCTL_MAX_REPLY;
    if (cap < sizeof(*r->head) + record_bytes)
        return false;
    *r = (struct reply){.head = buffer, .cap = cap};
    *r->head = (struct tmemctl_reply){
        .command = command, .length = sizeof(*r->head), .record_bytes = record_bytes};
    return true;
}

bool reply_has_room(const struct reply *r)
{
    return r->cap - r->head->length >= r->head->record_bytes;
}

void *reply_add(struct reply *r)
{
    void *record = (uint8_t *)r->head + r->head->length;

    BUG_UNLESS(reply_has_room(r));
    memset(record, 0, r->head->record_bytes);
    r->head->length += r->head->record_bytes;
    r->head->count++;
    return record;
}
