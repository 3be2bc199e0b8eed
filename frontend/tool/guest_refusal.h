/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_refusal.h - a refusal of the manager, with what its reader can do about it. */
#ifndef XENTMEM_TOOL_GUEST_REFUSAL_H
#define XENTMEM_TOOL_GUEST_REFUSAL_H

#include "frontend/tool/command.h"

/*
 * Print that @what ("put: index 7") of @pool was refused with @status, and for a quota which one
 * and who changes it: that asks the manager about the pool, and blocks. Returns TOOL_REFUSED.
 */
int guest_refused(const struct tool *tool, struct xentmem *t, uint32_t pool, const char *what,
                  int status);

#endif /* XENTMEM_TOOL_GUEST_REFUSAL_H */
