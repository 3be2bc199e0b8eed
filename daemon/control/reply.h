/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reply.h - records behind a reply's head, as many as there is room for. */
#ifndef XTM_CONTROL_REPLY_H
#define XTM_CONTROL_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/control.h"

/* A reply being written to a buffer of the caller's. */
struct reply {
    struct tmemctl_reply *head; /* at the start of the buffer, 8-byte aligned */
    uint32_t cap;               /* bytes of the buffer */
};

/* An empty reply to @command. False: @cap has no room for its head and one record. */
bool reply_init(struct reply *r, void *buffer, uint32_t cap, uint32_t command);

/* Room for one more record? */
bool reply_has_room(const struct reply *r);

/* The next record, zeroed, of the size that the command has; needs reply_has_room(). */
void *reply_add(struct reply *r);

#endif /* XTM_CONTROL_REPLY_H */
