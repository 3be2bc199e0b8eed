/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* operator_command.h - what the operator's commands have in common; the table is in operator.c. */
#ifndef XENTMEM_TOOL_OPERATOR_COMMAND_H
#define XENTMEM_TOOL_OPERATOR_COMMAND_H

#include "frontend/tool/command.h"
#include "frontend/tool/operator_book.h"
#include "frontend/tool/operator_subject.h"
#include "frontend/tool/operator_talk.h"
#include "frontend/tool/operator_xen.h"

/* The manager's domain; the Makefile says where it is installed. */
#define OPERATOR_CONFIG XENTMEM_SYSCONFDIR "/xen/xentmem.cfg"

int operator_attach(struct tool *tool, int argc, char **argv);
int operator_detach(struct tool *tool, int argc, char **argv);
int operator_forget(struct tool *tool, int argc, char **argv);
int operator_list(struct tool *tool, int argc, char **argv);
int operator_set(struct tool *tool, int argc, char **argv);
int operator_allow(struct tool *tool, int argc, char **argv);
int operator_deny(struct tool *tool, int argc, char **argv);
int operator_freeze(struct tool *tool, int argc, char **argv);
int operator_thaw(struct tool *tool, int argc, char **argv);
int operator_remove(struct tool *tool, int argc, char **argv);
int operator_stats(struct tool *tool, int argc, char **argv);
int operator_log(struct tool *tool, int argc, char **argv);
int operator_agent(struct tool *tool, int argc, char **argv);
int operator_base(struct tool *tool, int argc, char **argv);
int operator_disk(struct tool *tool, int argc, char **argv);
int operator_start(struct tool *tool, int argc, char **argv);
int operator_rollback(struct tool *tool, int argc, char **argv);

/* xentmem freeze DISK NAME. */
int operator_freeze_disk(struct tool *tool, const char *manager, const char *disk,
                         const char *name);

/* The entry of the table that has this name; for tool_usage(). */
const struct command *operator_command(const char *name);

/* Where the policy file is: $XENTMEM_POLICY, or BOOK_PATH_DEFAULT. */
const char *operator_book_path(void);

/* Options that several commands have; what was not given is as before. */
struct operator_options {
    struct grant grant;
    const char *manager;
    uint32_t device;
    bool has_device;
    unsigned timeout_ms;
};
#define OPERATOR_GRANT   0x1u /* --quota --min --max --weight */
#define OPERATOR_MANAGER 0x2u
#define OPERATOR_DEVICE  0x4u
#define OPERATOR_TIMEOUT 0x8u
/*
 * Read those of @allowed from the command line; optind is at the first argument
 * after them. False: said on stderr, exit with TOOL_USAGE.
 */
bool operator_read_options(const char *command, unsigned allowed, int argc, char **argv,
                           struct operator_options *options_out);

/* Book and xenstore together, for commands that write both. Start with zero. */
struct operator_place {
    struct book book;
    struct xs_handle *xs;
};
/* TOOL_DONE, or what to exit with; then nothing is open. */
int operator_place_open(struct operator_place *place);
void operator_place_close(struct operator_place *place);
/* book_save(), as an exit code. */
int operator_place_save(struct operator_place *place);
/* What to exit with if the book takes no more. */
int operator_place_full(void);

/*
 * Whom @text means, or of whom --device one attachment. @place: NULL without Xen, where the daemon
 * keeps what it is told. Else what to exit with; the reason is on stderr.
 */
int operator_find_subject(const struct tool *tool, const struct operator_place *place,
                          const char *text, const struct operator_options *o,
                          struct subject *subject_out);

#endif /* XENTMEM_TOOL_OPERATOR_COMMAND_H */
