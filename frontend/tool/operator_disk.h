/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * operator_disk.h - how the operator names disks and bases, and what the manager says of them.
 *
 *   g1:xvda, 7:51712   the disk that a guest, by name or domid, sees under that name or number
 *   home               the disk kept under this name
 */
#ifndef XENTMEM_TOOL_OPERATOR_DISK_H
#define XENTMEM_TOOL_OPERATOR_DISK_H

#include "frontend/tool/command.h"
#include "protocol/control.h"

/* A name for a base or a kept disk into a message, which is zero there. TOOL_DONE, or what to exit
 * with. */
int disk_take_name(const char *text, char name_out[TMEMCTL_DISK_NAME_LEN]);

/* A number that no other message has. False: the system has none; said on stderr. */
bool disk_token(uint64_t *token_out);

/*
 * What a call of the library returned for a message about @name, as an exit code; says
 * on stderr what it means, naming @what.
 */
int disk_result(struct tool *tool, enum tmemctl_command command, const char *what, const char *name,
                int status);

/* What follows a verb of `xentmem disk` or `xentmem base`; the last one has no name. */
struct disk_verb {
    const char *name, *takes;
};
/* @verb is none of @verbs, or had other arguments than it takes. TOOL_USAGE. */
int disk_usage(const char *command, const char *verb, const struct disk_verb *verbs);

/* Print the table of the disks, or of the bases. */
int disk_print_disks(struct tool *tool, const char *manager);
int disk_print_bases(struct tool *tool, const char *manager);
/* Say on stderr who lies on the base @name. */
void disk_tell_users(struct tool *tool, struct xentmem *t, const char *name);

/* xentmem disk clean. An exit code. */
int disk_clean(void);

#endif /* XENTMEM_TOOL_OPERATOR_DISK_H */
