/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest.h - the commands for a guest; struct command says how they are called. */
#ifndef XENTMEM_TOOL_GUEST_H
#define XENTMEM_TOOL_GUEST_H

#include "frontend/tool/command.h"

int guest_pool(struct tool *tool, int argc, char **argv);
int guest_put(struct tool *tool, int argc, char **argv);
int guest_get(struct tool *tool, int argc, char **argv);
int guest_flush(struct tool *tool, int argc, char **argv);
int guest_reset(struct tool *tool, int argc, char **argv);
int guest_bench(struct tool *tool, int argc, char **argv);

/* The row of a command in the table, for its usage line. */
const struct command *guest_command(const char *name);

#endif /* XENTMEM_TOOL_GUEST_H */
