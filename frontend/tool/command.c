/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/command.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "frontend/tool/operator_signal.h"

__attribute__((format(printf, 1, 0))) static void say(const char *format, va_list args)
{
    fputs("xentmem: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void tool_say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(format, args);
    va_end(args);
}

int tool_fail(int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(format, args);
    va_end(args);
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

/* A sentence of an open that fails is its reason; later ones say what the command waits for. */
static void take_sentence(void *log_arg, const char *sentence)
{
    struct tool *tool = log_arg;

    snprintf(tool->reason, sizeof(tool->reason), "%s", sentence);
    if (!tool->is_open)
        return;
    if (!tool->no_progress)
        fputs("\r\033[K", stderr); /* a line of progress may be there */
    tool_say("%s", sentence);
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

static struct xentmem *try_open(struct tool *tool, unsigned flags, struct xentmem_options options)
{
    struct xentmem *t;

    options.log = take_sentence;
    options.log_arg = tool;
    tool->reason[0] = '\0';
    tool->is_open = false;
    t = xentmem_open(tool->attach, flags, &options);
    tool->is_open = t != NULL;
    return t;
}

/* What xentmem_open() failed of, and the exit status. */
static int say_open_error(const struct tool *tool, int error, const char *hint)
{
    return tool_fail(error == EINVAL ? TOOL_USAGE : code_of_errno(error), "%s%s",
                     tool->reason[0] ? tool->reason : strerror(error), hint);
}

static const char *hint_of_another(const struct tool *tool)
{
    if (!tool->attach)
        return "; -n N in a guest, -a local:PATH:N on this machine, names another one";
    return strncmp(tool->attach, "local:", strlen("local:")) == 0
               ? "; -a local:PATH:N names another one"
               : "; -n N names another one";
}

struct xentmem *tool_open(struct tool *tool, int *code_out)
{
    const struct xentmem_options options = XENTMEM_OPTIONS_INIT;

    return tool_open_with(tool, &options, code_out);
}

struct xentmem *tool_open_with(struct tool *tool, const struct xentmem_options *options,
                               int *code_out)
{
    struct xentmem *t = try_open(tool, 0, *options);
    int error = errno;

    if (!t)
        *code_out = say_open_error(tool, error, error == EBUSY ? hint_of_another(tool) : "");
    return t;
}

struct xentmem *tool_open_control(struct tool *tool, int *code_out)
{
    const struct xentmem_options options = XENTMEM_OPTIONS_INIT;

    for (unsigned tries = 1;; tries++) {
        struct xentmem *t = try_open(tool, XENTMEM_OPEN_CONTROL, options);
        int error = errno;

        if (t)
            return t;
        if (error != EBUSY || tries == TOOL_BUSY_TRIES || signal_is_held()) {
            *code_out = say_open_error(tool, error, "");
            return NULL;
        }
        poll(NULL, 0, TOOL_BUSY_WAIT_MS);
    }
}

/* What the library's errno means for whoever has not written the program; NULL: what it says. */
static const char *words_of(int error)
{
    switch (error) {
    case ETIMEDOUT:
        return "the manager does not answer";
    case ENODEV:
        return "the manager is gone, or has nothing of this attachment any more";
    default:
        return NULL;
    }
}

int tool_result(struct tool *tool, const char *what, int status)
{
    const char *words;

    switch (status) {
    case XENTMEM_OK:
        return TOOL_DONE;
    case XENTMEM_MISS:
        return TOOL_MISS;
    case -1:
        words = words_of(errno);
        if (words)
            return tool_fail(code_of_errno(errno), "%s: %s", what, words);
        return tool_fail(code_of_errno(errno), "%s: %s%s%s", what, strerror(errno),
                         tool->reason[0] ? ": " : "", tool->reason);
    default:
        return tool_fail(TOOL_REFUSED, "%s: %s", what, xentmem_strstatus(status));
    }
}
