/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disk_commands.h - the operator's messages about disks and bases, carried out. */
#ifndef XTM_CONTROL_DISK_COMMANDS_H
#define XTM_CONTROL_DISK_COMMANDS_H

#include <stdbool.h>

#include "daemon/blk/disks.h"
#include "daemon/control/reply.h"
#include "protocol/control.h"

/* Is this one of them? */
bool disk_command_is(uint32_t command);

/*
 * Run @m, decoded and one of them. @pages: those that lie behind BASE_PAGES. @session: whose
 * import it is. What each status means: protocol/CONTROL.md.
 */
enum tmemif_status disk_command_run(struct disks *disks, const union tmemctl_message *m,
                                    const void *pages, const void *session, struct reply *r);

#endif /* XTM_CONTROL_DISK_COMMANDS_H */
