/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command.h - what a subcommand of xentmem(1) is and what it may rely on.
 *
 * main.c reads the global options, finds the command in a table by its name,
 * answers -h for it, and runs it. A command reads its own options with
 * getopt_long() (optind is 1 when it starts), prints through output.h, and
 * returns an exit code.
 */
#ifndef XENTMEM_TOOL_COMMAND_H
#define XENTMEM_TOOL_COMMAND_H

#include <stdbool.h>

#include "frontend/include/xentmem.h"

/* Exit codes: documented in xentmem(1) and xentmem(8); scripts rely on them. */
enum tool_exit {
    TOOL_DONE = 0,       /* done; found */
    TOOL_USAGE = 1,      /* the command line is wrong */
    TOOL_SYSTEM = 2,     /* a system call, a file or the connection failed; a broken --check */
    TOOL_MISS = 3,       /* no such page */
    TOOL_REFUSED = 4,    /* refused; no such guest or pool */
    TOOL_NO_MANAGER = 5, /* there is no manager, or it does not answer */
};

/* What the global options said. */
struct tool {
    const char *attach; /* --attach WHERE or -n N, as xentmem_open() takes it; NULL: automatic */
    bool json;
    bool no_progress; /* no progress line: stderr is no terminal, or --json */
    bool is_open;     /* attached: what the library says from now on is told at once */
    int control_lock; /* of dom0's attachment for messages (operator_talk.c), or -1 */
    char reason[256]; /* last sentence the library logged */
};

/* One command at a time uses the operator's attachment; so long for the others to end. */
#define TOOL_BUSY_TRIES   100
#define TOOL_BUSY_WAIT_MS 100

struct command {
    const char *name;
    const char *args;    /* as in the usage line: "POOL OBJECT INDEX [FILE|-]" */
    const char *summary; /* one line for the list of commands */
    const char *help;    /* more lines for -h, each ended by a newline; or NULL */
    /* @argv[0] is the command's name. Returns an enum tool_exit. */
    int (*run)(struct tool *tool, int argc, char **argv);
};

/* Both end with a name of NULL. */
extern const struct command guest_commands[];    /* guest.c */
extern const struct command operator_commands[]; /* operator.c */

/* Print "xentmem: ..." to stderr; of a failure, and return @code. */
void tool_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
int tool_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "usage: xentmem NAME ARGS" for @command and the reason; returns TOOL_USAGE. */
int tool_usage(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The same for an option that getopt_long() did not take: @option is what it returned, '?' or
 * ':'. The option string begins with ':', or getopt_long() would print a line of its own.
 */
int tool_bad_option(const struct command *command, int option, char **argv);
/* That option as it was written: a long one whole, of short ones the letter, in @letter. */
const char *tool_option_text(char **argv, char letter[3]);

/*
 * Attach as the global options say. NULL: the reason is on stderr and
 * *@code_out is what to exit with.
 */
struct xentmem *tool_open(struct tool *tool, int *code_out);
/* The same with @options, whose log is the tool's. */
struct xentmem *tool_open_with(struct tool *tool, const struct xentmem_options *options,
                               int *code_out);
/* For an operator's messages; waits for others that use the attachment, a command each. */
struct xentmem *tool_open_control(struct tool *tool, int *code_out);

/*
 * What a call of the library returned (-1 with errno, or a status) as an exit
 * code; says on stderr what failed, naming @what ("put", "pool create"). A
 * MISS is TOOL_MISS and silent.
 */
int tool_result(struct tool *tool, const char *what, int status);

#endif /* XENTMEM_TOOL_COMMAND_H */
