/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reconnect.h - when the manager goes away, and when it comes back.
 *
 * Requests under way stay on the rings; a manager that is restarted takes the
 * rings up where they stood and answers each of them once.
 */
#ifndef XENTMEM_LIB_RECONNECT_H
#define XENTMEM_LIB_RECONNECT_H

#include "frontend/lib/handle.h"

/* Something happened at attach->event_fd, or time has passed while the manager is lost. */
void reconnect_look(struct xentmem *t);

/* While t->lost: sleep a little, at most until @deadline, and look. */
void reconnect_wait(struct xentmem *t, uint64_t deadline);

#endif /* XENTMEM_LIB_RECONNECT_H */
