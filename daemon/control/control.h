/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control.h - the operator's messages (protocol/CONTROL.md), carried out.
 *
 * A message comes from a privileged session, is decoded by protocol/control.c,
 * finds its handler in a table, and acts on the engine, the book of policy and
 * the session table. What changes something is logged with its sender.
 *
 * Control thread only.
 */
#ifndef XTM_CONTROL_CONTROL_H
#define XTM_CONTROL_CONTROL_H

#include "daemon/blk/disks.h"
#include "daemon/control/policy.h"
#include "daemon/engine/engine.h"
#include "daemon/session/control_ops.h"
#include "daemon/session/sessions.h"
#include "daemon/store/store.h"
#include "daemon/util/log.h"

/* All of them outlive the control. */
struct control_config {
    struct engine *engine;
    struct store *store;
    struct policy_book *policy;
    struct disks *disks; /* NULL: there are none, and no message about them is supported */
    struct log *log;
};

struct control;

/* NULL: no memory. */
struct control *control_create(const struct control_config *config);
void control_destroy(struct control *c);

/*
 * The session table exists only after this did (struct session_config names
 * control_functions); without one nobody is attached. @pause returns when no
 * worker is inside the engine, until @resume; NULL: CHECK is not supported.
 */
struct control_sessions {
    struct session_table *table;
    void (*pause)(struct session_table *table);
    void (*resume)(struct session_table *table);
};
void control_bind(struct control *c, const struct control_sessions *sessions);

/*
 * One message, a private copy of @length bytes, from @caller, which is
 * privileged. OK: *length_out bytes at @reply are the reply. Otherwise
 * *length_out is 0, and nothing has changed. Both buffers are aligned to 8 bytes.
 */
enum tmemif_status control_handle(struct control *c, const struct control_caller *caller,
                                  const void *message, uint32_t length, void *reply,
                                  uint32_t reply_cap, uint32_t *length_out);

/* For struct session_config; its control_arg is the struct control. */
extern const struct control_ops control_functions;

#endif /* XTM_CONTROL_CONTROL_H */
