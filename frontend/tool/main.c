/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xentmem(1): the global options, the list of commands, help. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/tool/command.h"
#include "frontend/tool/text.h"

static const struct command *const tables[] = {guest_commands, operator_commands};
static const char *const table_titles[] = {"In a guest:", "For the operator:"};
#define NR_TABLES (sizeof(tables) / sizeof(*tables))

static void print_help(FILE *to)
{
    fputs("usage: xentmem [OPTION]... COMMAND [ARGUMENT]...\n"
          "Pages in transcendent memory: put, get, flush; and its operator's commands.\n"
          "\n"
          "  -n, --device N      attachment N of this Xen guest (0)\n"
          "  -a, --attach WHERE  xen:N, or local:PATH[:N] for a daemon on this machine\n"
          "  -j, --json          output for machines\n"
          "  -q, --quiet         no progress line\n"
          "  -V, --version       print the version\n"
          "  -h, --help          this, or after a COMMAND: what it does\n"
          "\n"
          "  help [COMMAND]      the same\n",
          to);
    for (unsigned t = 0; t < NR_TABLES; t++) {
        if (tables[t]->name)
            fprintf(to, "\n%s\n", table_titles[t]);
        for (const struct command *c = tables[t]; c->name; c++)
            fprintf(to, "  %-10s %s\n", c->name, c->summary);
    }
    fputs("\nExit status: 0 done, found; 1 the command line is wrong; 2 a system call, a file or\n"
          "the connection failed; 3 no such page; 4 refused, no such guest or pool; 5 no\n"
          "manager, or it does not answer.\n",
          to);
}

static const struct command *find_command(const char *name)
{
    for (unsigned t = 0; t < NR_TABLES; t++) {
        for (const struct command *c = tables[t]; c->name; c++) {
            if (strcmp(c->name, name) == 0)
                return c;
        }
    }
    return NULL;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0)
            return true;
    }
    return false;
}

/* --json is understood behind the command, too. Returns how many arguments are left. */
static int take_json(struct tool *tool, int argc, char **argv)
{
    int nr = 0;

    for (int i = 0; i < argc; i++) {
        if (i > 0 && strcmp(argv[i], "--") == 0) {
            while (i < argc)
                argv[nr++] = argv[i++];
        } else if (i > 0 && strcmp(argv[i], "--json") == 0) {
            tool->json = true;
            tool->no_progress = true;
        } else {
            argv[nr++] = argv[i];
        }
    }
    argv[nr] = NULL;
    return nr;
}

static int say_no_command(const char *name)
{
    return tool_fail(TOOL_USAGE, "no command named %s (xentmem -h lists them)", name);
}

static int explain(const struct command *c)
{
    printf("usage: xentmem %s%s%s\n%s\n%s%s", c->name, *c->args ? " " : "", c->args, c->summary,
           c->help ? "\n" : "", c->help ? c->help : "");
    return TOOL_DONE;
}

/* What people type first: the same as -h, and as COMMAND -h. */
static int help(int argc, char **argv)
{
    const struct command *c = argc == 2 ? find_command(argv[1]) : NULL;

    if (argc > 2)
        return tool_fail(TOOL_USAGE, "help: of one command at a time (xentmem -h lists them)");
    if (c)
        return explain(c);
    if (argc == 2 && !asks_for_help(argc, argv) && strcmp(argv[1], "help") != 0)
        return say_no_command(argv[1]);
    print_help(stdout);
    return TOOL_DONE;
}

static int run_command(struct tool *tool, int argc, char **argv)
{
    const struct command *c = find_command(argv[0]);

    if (strcmp(argv[0], "help") == 0)
        return help(argc, argv);
    if (!c)
        return say_no_command(argv[0]);
    if (asks_for_help(argc, argv))
        return explain(c);
    argc = take_json(tool, argc, argv);
    optind = 0; /* not 1: getopt must forget the '+' of the global options (getopt(3), Notes) */
    return c->run(tool, argc, argv);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"device", required_argument, NULL, 'n'},
        {"attach", required_argument, NULL, 'a'},
        {"json", no_argument, NULL, 'j'},
        {"quiet", no_argument, NULL, 'q'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct tool tool = {.no_progress = !isatty(STDERR_FILENO), .control_lock = -1};
    const char *where = NULL;
    char device[32] = "", letter[3];
    uint64_t number;
    int option;

    /* '+': what follows the command is the command's; ':': we say what is wrong */
    while ((option = getopt_long(argc, argv, "+:n:a:jqVh", options, NULL)) != -1) {
        switch (option) {
        case 'n':
            if (!text_to_number(optarg, UINT32_MAX, &number))
                return tool_fail(TOOL_USAGE, "-n %s: not a device number, 0 to 4294967295", optarg);
            snprintf(device, sizeof(device), "xen:%llu", (unsigned long long)number);
            break;
        case 'a':
            where = optarg;
            break;
        case 'j':
            tool.json = true;
            tool.no_progress = true;
            break;
        case 'q':
            tool.no_progress = true;
            break;
        case 'V':
            printf("xentmem %s\n", xentmem_version());
            return TOOL_DONE;
        case 'h':
            print_help(stdout);
            return TOOL_DONE;
        default:
            return tool_fail(TOOL_USAGE,
                             option == ':' ? "%s needs a value (xentmem -h)"
                                           : "%s is no option of xentmem (xentmem -h lists them)",
                             tool_option_text(argv, letter));
        }
    }
    if (*device && where)
        return tool_fail(TOOL_USAGE, "either -n, for a device of this Xen guest, or -a; an "
                                     "attachment of a local daemon is -a local:PATH:N");
    tool.attach = *device ? device : where;
    if (optind == argc) {
        print_help(stderr);
        return TOOL_USAGE;
    }
    return run_command(&tool, argc - optind, argv + optind);
}
