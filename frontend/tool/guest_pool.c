/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "frontend/tool/guest.h"
#include "frontend/tool/output.h"
#include "frontend/tool/text.h"

static const struct column info_columns[] = {
    {"POOL", "pool", COLUMN_NUMBER},
    {"UUID", "uuid", COLUMN_TEXT},
    {"KIND", "kind", COLUMN_TEXT},
    {"HELD", "pages", COLUMN_PAGES},
    {"MOST", "most_pages", COLUMN_PAGES},
    {"PUTS", "puts", COLUMN_NUMBER},
    {"REFUSED", "puts_refused", COLUMN_NUMBER},
    {"GETS", "gets", COLUMN_NUMBER},
    {"HITS", "hits", COLUMN_NUMBER},
    {"FLUSHES", "flushes", COLUMN_NUMBER},
    {"EVICTED", "evictions", COLUMN_NUMBER},
    {"EPOCH", "epoch", COLUMN_NUMBER},
    {"STATE", "state", COLUMN_TEXT},
};
#define NR_INFO_COLUMNS (sizeof(info_columns) / sizeof(*info_columns))

static const char *kind_of(uint32_t flags)
{
    switch (flags & (XENTMEM_PERSISTENT | XENTMEM_INCLUSIVE | XENTMEM_LEASED)) {
    case 0:
        return "ephemeral";
    case XENTMEM_INCLUSIVE:
        return "ephemeral inclusive";
    case XENTMEM_LEASED:
        return "ephemeral leased";
    case XENTMEM_INCLUSIVE | XENTMEM_LEASED:
        return "ephemeral inclusive leased";
    case XENTMEM_PERSISTENT:
        return "persistent";
    case XENTMEM_PERSISTENT | XENTMEM_LEASED:
        return "persistent leased";
    default:
        return "unknown";
    }
}

static const char *state_of(const struct xentmem_pool_info *info)
{
    if (info->frozen)
        return info->read_only ? "frozen, read only" : "frozen";
    return info->read_only ? "read only" : "open";
}

static void add_info(struct output *o, uint32_t pool, const struct xentmem_pool_info *info)
{
    char uuid[TEXT_UUID_LEN];

    text_of_uuid(uuid, info->uuid);
    output_number(o, pool);
    output_text(o, info->flags & XENTMEM_SHARED ? uuid : NULL);
    output_text(o, kind_of(info->flags));
    output_number(o, info->nr_pages);
    output_number(o, info->quota_pages);
    output_number(o, info->puts);
    output_number(o, info->puts_refused);
    output_number(o, info->gets);
    output_number(o, info->hits);
    output_number(o, info->flushes);
    output_number(o, info->evictions);
    output_number(o, info->epoch);
    output_text(o, state_of(info));
}

static void add_denied(struct output *o, uint32_t pool)
{
    output_number(o, pool);
    for (unsigned i = 1; i < NR_INFO_COLUMNS - 1; i++)
        output_text(o, NULL);
    output_text(o, "denied");
}

static int print_pool(const struct tool *tool, uint32_t pool)
{
    static const struct column column = {"POOL", "pool", COLUMN_NUMBER};
    struct output *o;

    if (!tool->json)
        return printf("%u\n", pool) < 0 ? tool_fail(TOOL_SYSTEM, "cannot write") : TOOL_DONE;
    o = output_create(true, OUTPUT_RECORD, &column, 1);
    if (!o)
        return tool_fail(TOOL_SYSTEM, "no memory");
    output_number(o, pool);
    return output_finish(o);
}

/* What stands after `pool VERB`. */
struct pool_args {
    unsigned flags;
    const char *text; /* POOL or UUID, or NULL */
    uint32_t pool;
    uint8_t uuid[XENTMEM_UUID_LEN];
};

/* What create and join have in common. */
static int pool_refused(struct tool *tool, const char *what, int status)
{
    if (status == XENTMEM_TOO_MANY)
        return tool_fail(TOOL_REFUSED,
                         "%s: too many pools: this attachment has its %u (xentmem pool list; "
                         "another attachment has its own), or the manager holds all it can",
                         what, XENTMEM_MAX_POOLS);
    return tool_result(tool, what, status);
}

static int do_create(struct tool *tool, struct xentmem *t, const struct pool_args *args)
{
    uint32_t pool;
    int status = xentmem_pool_create(t, args->flags, &pool);

    return status ? pool_refused(tool, "pool create", status) : print_pool(tool, pool);
}

static int do_join(struct tool *tool, struct xentmem *t, const struct pool_args *args)
{
    uint32_t pool;
    int status = xentmem_pool_join(t, args->uuid, args->flags, &pool);

    if (status == XENTMEM_BAD_KIND)
        return tool_fail(TOOL_REFUSED, "pool join: the pool exists with other properties: say "
                                       "--persistent and --leased as its first member did");
    if (status == XENTMEM_NO_POOL)
        return tool_fail(TOOL_REFUSED,
                         "pool join: no such pool: a member that may only read cannot make it; "
                         "somebody who may fill it has to join first");
    return status ? pool_refused(tool, "pool join", status) : print_pool(tool, pool);
}

static int do_leave(struct tool *tool, struct xentmem *t, const struct pool_args *args)
{
    int status = xentmem_pool_leave(t, args->pool);

    if (status == XENTMEM_BAD_KIND)
        return tool_fail(TOOL_REFUSED,
                         "pool leave: pool %u is private: `xentmem pool destroy %u` ends it, and "
                         "its pages with it",
                         args->pool, args->pool);
    return tool_result(tool, "pool leave", status);
}

static int do_destroy(struct tool *tool, struct xentmem *t, const struct pool_args *args)
{
    return tool_result(tool, "pool destroy", xentmem_pool_destroy(t, args->pool));
}

static int do_info(struct tool *tool, struct xentmem *t, const struct pool_args *args)
{
    struct xentmem_pool_info info;
    struct output *o;
    int code = tool_result(tool, "pool info", xentmem_pool_info(t, args->pool, &info));

    if (code)
        return code;
    o = output_create(tool->json, OUTPUT_RECORD, info_columns, NR_INFO_COLUMNS);
    if (!o)
        return tool_fail(TOOL_SYSTEM, "no memory");
    add_info(o, args->pool, &info);
    return output_finish(o);
}

static int do_list(struct tool *tool, struct xentmem *t, const struct pool_args *args)
{
    struct output *o = output_create(tool->json, OUTPUT_TABLE, info_columns, NR_INFO_COLUMNS);

    (void)args;
    if (!o)
        return tool_fail(TOOL_SYSTEM, "no memory");
    for (uint32_t pool = 0; pool < XENTMEM_MAX_POOLS; pool++) {
        struct xentmem_pool_info info;
        int status = xentmem_pool_info(t, pool, &info);

        if (status == XENTMEM_NO_POOL)
            continue;
        /* a shared pool whose right was withdrawn: it takes no more than its line */
        if (status == XENTMEM_NOT_ALLOWED) {
            add_denied(o, pool);
            continue;
        }
        if (status != XENTMEM_OK) {
            output_discard(o);
            return tool_result(tool, "pool list", status);
        }
        add_info(o, pool, &info);
    }
    return output_finish(o);
}

enum pool_operand { TAKES_NOTHING, TAKES_POOL, TAKES_UUID };

static const struct pool_verb {
    const char *name;
    enum pool_operand operand;
    unsigned flags; /* XENTMEM_*, those that it takes */
    int (*run)(struct tool *tool, struct xentmem *t, const struct pool_args *args);
} verbs[] = {
    {"create", TAKES_NOTHING, XENTMEM_PERSISTENT | XENTMEM_INCLUSIVE | XENTMEM_LEASED, do_create},
    {"join", TAKES_UUID, XENTMEM_PERSISTENT | XENTMEM_LEASED, do_join},
    {"leave", TAKES_POOL, 0, do_leave},
    {"destroy", TAKES_POOL, 0, do_destroy},
    {"info", TAKES_POOL, 0, do_info},
    {"list", TAKES_NOTHING, 0, do_list},
};

static const struct pool_verb *find_verb(const char *name)
{
    for (unsigned i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    }
    return NULL;
}

/* Options of a verb. False: the usage has been printed. */
static bool parse_flags(const struct pool_verb *verb, int argc, char **argv, unsigned *flags_out)
{
    static const struct option options[] = {
        {"persistent", no_argument, NULL, 'p'},
        {"inclusive", no_argument, NULL, 'i'},
        {"leased", no_argument, NULL, 'l'},
        {0},
    };
    const struct command *self = guest_command("pool");
    unsigned flags = 0;
    int option;

    while ((option = getopt_long(argc, argv, ":pil", options, NULL)) != -1) {
        if (option == '?' || option == ':') {
            tool_bad_option(self, option, argv);
            return false;
        }
        flags |= option == 'p'   ? XENTMEM_PERSISTENT
                 : option == 'i' ? XENTMEM_INCLUSIVE
                                 : XENTMEM_LEASED;
    }
    if ((flags & XENTMEM_INCLUSIVE) && verb->flags && !(verb->flags & XENTMEM_INCLUSIVE)) {
        tool_usage(self, "--inclusive is for a private pool: a get from a shared one always "
                         "leaves the page there");
        return false;
    }
    if (flags & ~verb->flags) {
        tool_usage(self, "pool %s takes no such option", verb->name);
        return false;
    }
    if ((flags & XENTMEM_PERSISTENT) && (flags & XENTMEM_INCLUSIVE)) {
        tool_usage(self, "either --persistent or --inclusive: a get from a persistent pool always "
                         "leaves the page there");
        return false;
    }
    *flags_out = flags;
    return true;
}

/* False: the usage has been printed. */
static bool parse(const struct pool_verb *verb, int argc, char **argv, struct pool_args *args)
{
    const struct command *self = guest_command("pool");
    uint64_t number;

    if (!parse_flags(verb, argc, argv, &args->flags))
        return false;
    if (argc - optind != (verb->operand == TAKES_NOTHING ? 0 : 1)) {
        tool_usage(self, "pool %s takes %s", verb->name,
                   verb->operand == TAKES_NOTHING ? "no argument"
                   : verb->operand == TAKES_POOL  ? "the number of a pool"
                                                  : "a UUID");
        return false;
    }
    if (verb->operand == TAKES_POOL) {
        if (!text_to_number(argv[optind], XENTMEM_MAX_POOLS - 1, &number)) {
            tool_usage(self, "%s: not the number of a pool, 0 to %u", argv[optind],
                       XENTMEM_MAX_POOLS - 1);
            return false;
        }
        args->pool = (uint32_t)number;
    }
    if (verb->operand == TAKES_UUID && !text_to_pool_uuid(argv[optind], args->uuid)) {
        tool_usage(self, TEXT_NO_POOL_UUID, argv[optind]);
        return false;
    }
    return true;
}

int guest_pool(struct tool *tool, int argc, char **argv)
{
    const struct pool_verb *verb = argc > 1 ? find_verb(argv[1]) : NULL;
    struct pool_args args = {0};
    struct xentmem *t;
    int code;

    if (!verb)
        return tool_usage(guest_command("pool"),
                          argc > 1 ? "%s: not one of create, join, leave, destroy, info, list"
                                   : "needs create, join, leave, destroy, info or list",
                          argc > 1 ? argv[1] : "");
    if (!parse(verb, argc - 1, argv + 1, &args))
        return TOOL_USAGE;
    t = tool_open(tool, &code);
    if (!t)
        return code;
    code = verb->run(tool, t, &args);
    xentmem_close(t);
    return code;
}

int guest_reset(struct tool *tool, int argc, char **argv)
{
    struct xentmem *t;
    int code;

    (void)argv;
    if (argc > 1)
        return tool_usage(guest_command("reset"), "it takes no argument");
    t = tool_open(tool, &code);
    if (!t)
        return code;
    code = tool_result(tool, "reset", xentmem_reset(t));
    xentmem_close(t);
    return code;
}
