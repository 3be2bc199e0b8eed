/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * operator_talk.h - the operator's messages (protocol/control.h), sent and answered.
 *
 * Over the attachment that --attach names; else, in dom0, over dom0's own
 * attachment to the manager, which is made when it is needed first and stays;
 * else over the socket of the daemon on this machine.
 */
#ifndef XENTMEM_TOOL_OPERATOR_TALK_H
#define XENTMEM_TOOL_OPERATOR_TALK_H

#include "frontend/tool/command.h"
#include "protocol/control.h"

/* Are changes of policy written to xenstore (true), or sent as messages to a daemon? */
bool talk_by_xenstore(const struct tool *tool);

/*
 * Is this a guest of Xen where no daemon serves local clients? Whoever types an operator's command
 * here means to be in dom0.
 */
bool talk_is_misplaced(const struct tool *tool);
/* Say so; returns what to exit with. */
int talk_say_place(void);

/*
 * @manager: name of its domain, or NULL for the default. NULL: *@code_out is what to exit
 * with, and why is on stderr. Dom0's attachment is this command's until talk_close(): waits some
 * seconds for another one that has it, until a signal that the caller holds back
 * (operator_signal.h) comes.
 */
struct xentmem *talk_open(struct tool *tool, const char *manager, int *code_out);
void talk_close(struct tool *tool, struct xentmem *t);

/* A message of @command, for its fields to be filled. */
union tmemctl_message talk_message(enum tmemctl_command command);

/*
 * Send @message, and again while its list goes on. @each, which may be NULL,
 * is called with every record, copied to memory of our own. Returns an exit code, with
 * the reason on stderr; @what names the action in it.
 */
int talk(struct tool *tool, struct xentmem *t, const union tmemctl_message *message,
         void (*each)(void *arg, const void *record), void *arg, const char *what);

/* talk_open(), talk(), talk_close(). */
int talk_once(struct tool *tool, const char *manager, const union tmemctl_message *message,
              void (*each)(void *arg, const void *record), void *arg, const char *what);

/*
 * One message of @length bytes that has no records in its reply. Returns what the library
 * returned: a status, or -1 with errno.
 */
int talk_ask(struct xentmem *t, const void *message, uint32_t length);

struct domain;

/*
 * The same of one manager after another, or, NULL, of the default one. What to exit with; a failure
 * is on stderr. *@is_missing_out: it has not what @m is about, which is neither.
 */
int talk_ask_at(struct tool *tool, const struct domain *manager, const union tmemctl_message *m,
                const char *what, bool *is_missing_out);

#endif /* XENTMEM_TOOL_OPERATOR_TALK_H */
