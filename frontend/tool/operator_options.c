/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/tool/operator_book_file.h"
#include "frontend/tool/operator_command.h"

#define TIMEOUT_MS_DEFAULT 30000u
#define TIMEOUT_S_MAX      3600u

enum { OPTION_QUOTA = 256, OPTION_MIN, OPTION_MAX, OPTION_WEIGHT, OPTION_MANAGER, OPTION_TIMEOUT };

static const struct {
    struct option option;
    unsigned group;
} known[] = {
    {{"quota", required_argument, NULL, OPTION_QUOTA}, OPERATOR_GRANT},
    {{"min", required_argument, NULL, OPTION_MIN}, OPERATOR_GRANT},
    {{"max", required_argument, NULL, OPTION_MAX}, OPERATOR_GRANT},
    {{"weight", required_argument, NULL, OPTION_WEIGHT}, OPERATOR_GRANT},
    {{"manager", required_argument, NULL, OPTION_MANAGER}, OPERATOR_MANAGER},
    {{"device", required_argument, NULL, 'd'}, OPERATOR_DEVICE},
    {{"timeout", required_argument, NULL, OPTION_TIMEOUT}, OPERATOR_TIMEOUT},
};
#define NR_KNOWN (sizeof(known) / sizeof(known[0]))

static bool read_option(struct operator_options *o, int option, const char **why)
{
    uint64_t number;

    switch (option) {
    case OPTION_QUOTA:
        return grant_set(&o->grant, "quota", optarg, why);
    case OPTION_MIN:
        return grant_set(&o->grant, "min", optarg, why);
    case OPTION_MAX:
        return grant_set(&o->grant, "max", optarg, why);
    case OPTION_WEIGHT:
        return grant_set(&o->grant, "weight", optarg, why);
    case OPTION_MANAGER:
        o->manager = optarg;
        return true;
    case 'd':
        *why = "a device is a number from 0, the first attachment of a guest, to 4294967293";
        /* the last two numbers stand for "every" and for dom0's own */
        if (!text_to_number(optarg, UINT32_MAX - 2, &number))
            return false;
        o->device = (uint32_t)number;
        o->has_device = true;
        return true;
    case OPTION_TIMEOUT:
        *why = "a time limit is a number of seconds, 0 to 3600";
        if (!text_to_number(optarg, TIMEOUT_S_MAX, &number))
            return false;
        o->timeout_ms = (unsigned)number * 1000;
        return true;
    default: /* not reached: getopt_long() gives what is in known[] */
        *why = "unknown option";
        return false;
    }
}

static const char *name_of_option(int option)
{
    for (unsigned i = 0; i < NR_KNOWN; i++) {
        if (known[i].option.val == option)
            return known[i].option.name;
    }
    return "";
}

bool operator_read_options(const char *command, unsigned allowed, int argc, char **argv,
                           struct operator_options *options_out)
{
    struct operator_options o = {.grant = GRANT_DEFAULT, .timeout_ms = TIMEOUT_MS_DEFAULT};
    struct option options[NR_KNOWN + 1] = {{0}};
    const char *why = NULL;
    unsigned nr = 0;
    int option;

    for (unsigned i = 0; i < NR_KNOWN; i++) {
        if (known[i].group & allowed)
            options[nr++] = known[i].option;
    }
    optind = 0; /* glibc: begin anew, and let options stand behind arguments */
    while ((option = getopt_long(argc, argv, allowed & OPERATOR_DEVICE ? ":d:" : ":", options,
                                 NULL)) != -1) {
        if (option == '?' || option == ':') {
            tool_bad_option(operator_command(command), option, argv);
            return false;
        }
        if (!read_option(&o, option, &why)) {
            tool_usage(operator_command(command), "--%s %s: %s", name_of_option(option), optarg,
                       why);
            return false;
        }
    }
    *options_out = o;
    return true;
}

const char *operator_book_path(void)
{
    const char *path = getenv("XENTMEM_POLICY");

    return path && *path ? path : BOOK_PATH_DEFAULT;
}

int operator_place_open(struct operator_place *place)
{
    char why[XEN_WHY_LEN];

    *place = (struct operator_place){0};
    place->xs = xen_open(why);
    if (!place->xs)
        return tool_fail(TOOL_SYSTEM, "%s", why);
    if (book_open(&place->book, operator_book_path(), why))
        return TOOL_DONE;
    xs_close(place->xs);
    return tool_fail(TOOL_SYSTEM, "%s", why);
}

_Static_assert(BOOK_WHY_LEN <= XEN_WHY_LEN, "one buffer takes either reason");

void operator_place_close(struct operator_place *place)
{
    book_close(&place->book);
    xs_close(place->xs);
}

int operator_place_save(struct operator_place *place)
{
    char why[BOOK_WHY_LEN];

    return book_save(&place->book, why) ? TOOL_DONE : tool_fail(TOOL_SYSTEM, "%s", why);
}

int operator_place_full(void)
{
    return tool_fail(TOOL_SYSTEM,
                     "the policy file is full, with %u entries of a kind, or there is no memory: "
                     "`xentmem forget GUEST` drops a guest that is gone for good, `xentmem remove "
                     "UUID` a shared pool",
                     BOOK_MAX);
}

int operator_find_subject(const struct tool *tool, const struct operator_place *place,
                          const char *text, const struct operator_options *o,
                          struct subject *subject_out)
{
    char why[XEN_WHY_LEN];

    if (!subject_find(subject_out, text, place ? place->xs : NULL, place ? &place->book : NULL,
                      why))
        return talk_is_misplaced(tool) ? talk_say_place() : tool_fail(TOOL_REFUSED, "%s", why);
    if (o->has_device && !subject_narrow(subject_out, o->device, why))
        return tool_fail(TOOL_USAGE, "%s", why);
    return TOOL_DONE;
}
