/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/command.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int tool_fail(int code, const char *format, ...)
{
    va_list args;

    fputs("xentmem: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

int tool_usage(const struct command *command, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "xentmem %s: ", command->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nusage: xentmem %s%s%s\n(xentmem %s -h says more)\n", command->name,
            *command->args ? " " : "", command->args, command->name);
    return TOOL_USAGE;
}

const char *tool_option_text(char **argv, char letter[3])
{
    if (optind > 1 && strncmp(argv[optind - 1], "--", 2) == 0)
        return argv[optind - 1];
    snprintf(letter, 3, "-%c", optopt);
    return letter;
}

int tool_bad_option(const struct command *command, int option, char **argv)
{
    char letter[3];
    const char *text = tool_option_text(argv, letter);

    return tool_usage(command, option == ':' ? "%s needs a value" : "%s is no option of it", text);
}

static void keep_reason(void *log_arg, const char *sentence)
{
    struct tool *tool = log_arg;

    snprintf(tool->reason, sizeof(tool->reason), "%s", sentence);
}

static int code_of_errno(int error)
{
    switch (error) {
    case ENODEV:
    case ETIMEDOUT:
        return TOOL_NO_MANAGER;
    case ECONNREFUSED:
    case EACCES:
        return TOOL_REFUSED;
    default:
        return TOOL_SYSTEM;
    }
}

static struct xentmem *open_with(struct tool *tool, unsigned flags, struct xentmem_options options,
                                 int *code_out)
{
    struct xentmem *t;

    options.log = keep_reason;
    options.log_arg = tool;
    tool->reason[0] = '\0';
    t = xentmem_open(tool->attach, flags, &options);
    if (!t) {
        int error = errno;

        *code_out = tool_fail(error == EINVAL ? TOOL_USAGE : code_of_errno(error), "%s%s",
                              tool->reason[0] ? tool->reason : strerror(error),
                              error == EBUSY && !(flags & XENTMEM_OPEN_CONTROL)
                                  ? "; -a or -n names another one"
                                  : "");
    }
    return t;
}

struct xentmem *tool_open(struct tool *tool, unsigned flags, int *code_out)
{
    struct xentmem_options options = XENTMEM_OPTIONS_INIT;

    return open_with(tool, flags, options, code_out);
}

struct xentmem *tool_open_with(struct tool *tool, const struct xentmem_options *options,
                               int *code_out)
{
    return open_with(tool, 0, *options, code_out);
}

int tool_result(struct tool *tool, const char *what, int status)
{
    switch (status) {
    case XENTMEM_OK:
        return TOOL_DONE;
    case XENTMEM_MISS:
        return TOOL_MISS;
    case -1:
        return tool_fail(code_of_errno(errno), "%s: %s%s%s", what, strerror(errno),
                         tool->reason[0] ? ": " : "", tool->reason);
    default:
        return tool_fail(TOOL_REFUSED, "%s: %s", what, xentmem_strstatus(status));
    }
}
