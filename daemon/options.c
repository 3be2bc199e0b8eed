/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/options.h"

#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/engine/engine.h"
#include "daemon/segments.h"
#include "daemon/session/polling.h"
#include "daemon/store/layout.h"
#include "daemon/util/size.h"
#include "protocol/tmemif.h"

#define MAX_POLL_US POLLING_APART_MOST_US
/* Less is a mistyped unit, not a manager. */
#define MIN_MEMORY_PAGES 256u

enum option_id {
    OPTION_MEMORY = 256,
    OPTION_SOCKET,
    OPTION_SOCKET_MODE,
    OPTION_NO_LOCAL,
    OPTION_WORKERS,
    OPTION_POLL_US,
    OPTION_LOCAL_QUOTA,
    OPTION_LOCAL_MIN,
    OPTION_LOCAL_MAX,
    OPTION_LOCAL_WEIGHT,
    OPTION_XEN,
    OPTION_NO_XEN,
    OPTION_LOG_LEVEL,
    OPTION_FRESH,
    OPTION_HELP = 'h',
    OPTION_VERSION = 'V',
};

static const struct option long_options[] = {
    {"memory", required_argument, NULL, OPTION_MEMORY},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"socket-mode", required_argument, NULL, OPTION_SOCKET_MODE},
    {"no-local", no_argument, NULL, OPTION_NO_LOCAL},
    {"workers", required_argument, NULL, OPTION_WORKERS},
    {"poll-us", required_argument, NULL, OPTION_POLL_US},
    {"local-quota", required_argument, NULL, OPTION_LOCAL_QUOTA},
    {"local-min", required_argument, NULL, OPTION_LOCAL_MIN},
    {"local-max", required_argument, NULL, OPTION_LOCAL_MAX},
    {"local-weight", required_argument, NULL, OPTION_LOCAL_WEIGHT},
    {"xen", no_argument, NULL, OPTION_XEN},
    {"no-xen", no_argument, NULL, OPTION_NO_XEN},
    {"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
    {"fresh", no_argument, NULL, OPTION_FRESH},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

static const char help[] =
    "usage: xentmemd [options]\n"
    "Serve transcendent memory to Xen guests and to local processes.\n"
    "\n"
    "  --memory SIZE        most memory for pages; default: what is available, less a reserve\n"
    "  --workers N          threads that serve; default: one per CPU\n"
    "  --poll-us N          look on for N microseconds before sleeping; default: by what\n"
    "                       calls cost, 50 to 8000 for guests, to 1000 for local clients\n"
    "  --xen, --no-xen      fail if this does not run on Xen; serve no guests; default: serve\n"
    "                       them if it does\n"
    "  --socket PATH        for local clients; default: " OPTIONS_SOCKET_DEFAULT "\n"
    "  --socket-mode MODE   of that socket, octal; default: 600\n"
    "  --no-local           no local clients\n"
    "  --local-quota SIZE   persistent pages that a local client may hold; default: 0\n"
    "  --local-min SIZE     ephemeral pages that are not evicted for others; default: 0\n"
    "  --local-max SIZE     ephemeral pages that it may hold; default: no limit\n"
    "  --local-weight N     its share of contended memory, 1 to 65536; default: 256\n"
    "  --log-level LEVEL    error, warning, notice, info or debug; default: info\n"
    "  --fresh              begin empty: drop the pages that the service manager kept\n"
    "  -h, --help           this text\n"
    "  -V, --version        the version\n"
    "\n"
    "SIZE is a number with a unit, K, M, G or T, and a multiple of 4K. See xentmemd(8).\n";

static unsigned nr_cpus(void)
{
    cpu_set_t cpus;

    if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
        return 1;
    return (unsigned)CPU_COUNT(&cpus);
}

static void set_defaults(struct options *o)
{
    unsigned cpus = nr_cpus();

    *o = (struct options){
        .socket = OPTIONS_SOCKET_DEFAULT,
        .socket_mode = 0600,
        .workers = cpus < ENGINE_WORKERS_MOST ? cpus : ENGINE_WORKERS_MOST,
        .poll_us = OPTIONS_POLL_CHOOSE,
        .poll_local = cpus > 1,
        .local = {.max_pages = PAGES_UNLIMITED, .weight = 256},
        .log_level = LOG_LEVEL_INFO,
    };
}

static bool parse_pages(const char *text, uint64_t min_pages, uint64_t max_pages,
                        uint64_t *pages_out)
{
    uint64_t bytes;

    if (!size_parse(text, &bytes) || bytes % TMEMIF_PAGE_SIZE != 0 ||
        bytes / TMEMIF_PAGE_SIZE < min_pages || bytes / TMEMIF_PAGE_SIZE > max_pages)
        return false;
    *pages_out = bytes / TMEMIF_PAGE_SIZE;
    return true;
}

/* The same, for what may have no limit. */
static bool parse_limit(const char *text, uint64_t *pages_out)
{
    if (strcmp(text, "unlimited") != 0)
        return parse_pages(text, 0, UINT64_MAX, pages_out);
    *pages_out = PAGES_UNLIMITED;
    return true;
}

static bool parse_unsigned(const char *text, unsigned min, unsigned max, unsigned *value_out)
{
    uint64_t number;

    if (!number_parse(text, min, max, &number))
        return false;
    *value_out = (unsigned)number;
    return true;
}

static bool parse_polling(const char *text, struct options *o)
{
    unsigned us;

    if (!parse_unsigned(text, 0, MAX_POLL_US, &us))
        return false;
    o->poll_us = (int)us;
    o->poll_local = true;
    return true;
}

static bool parse_mode(const char *text, mode_t *mode_out)
{
    char *end;
    unsigned long mode = strtoul(text, &end, 8);

    if (*text < '0' || *text > '7' || *end != '\0' || mode > 0777)
        return false;
    *mode_out = (mode_t)mode;
    return true;
}

/* False: @arg is no value for it. */
static bool set_option(struct options *o, int option, const char *arg)
{
    switch (option) {
    case OPTION_MEMORY:
        return parse_pages(arg, MIN_MEMORY_PAGES, SEGMENTS_PAGES_MOST, &o->memory_pages);
    case OPTION_SOCKET:
        o->socket = arg;
        return *arg != '\0';
    case OPTION_SOCKET_MODE:
        return parse_mode(arg, &o->socket_mode);
    case OPTION_NO_LOCAL:
        o->socket = NULL;
        return true;
    case OPTION_WORKERS:
        return parse_unsigned(arg, 1, ENGINE_WORKERS_MOST, &o->workers);
    case OPTION_POLL_US:
        return parse_polling(arg, o);
    case OPTION_LOCAL_QUOTA:
        return parse_limit(arg, &o->local.quota_pages);
    case OPTION_LOCAL_MIN:
        return parse_pages(arg, 0, UINT64_MAX, &o->local.min_pages);
    case OPTION_LOCAL_MAX:
        return parse_limit(arg, &o->local.max_pages);
    case OPTION_LOCAL_WEIGHT:
        return parse_unsigned(arg, 1, 65536, &o->local.weight);
    case OPTION_XEN:
        o->xen = XEN_REQUIRED;
        return true;
    case OPTION_NO_XEN:
        o->xen = XEN_NEVER;
        return true;
    case OPTION_LOG_LEVEL:
        return log_level_parse(arg, &o->log_level);
    case OPTION_FRESH:
        o->fresh = true;
        return true;
    default:
        return false;
    }
}

static const char *option_name(int option)
{
    for (const struct option *o = long_options; o->name; o++) {
        if (o->val == option)
            return o->name;
    }
    return "?";
}

/* What each of them takes, for whoever gave something else. */
_Static_assert(MIN_MEMORY_PAGES == (1u << 20) / TMEMIF_PAGE_SIZE &&
                   SEGMENTS_PAGES_MOST == (3ull << 40) / TMEMIF_PAGE_SIZE &&
                   ENGINE_WORKERS_MOST == 64 && MAX_POLL_US == 8000,
               "ranges");
#define A_SIZE "a number with a unit, K, M, G or T, and a multiple of 4K"
static const struct {
    int option;
    const char *takes;
} ranges[] = {
    {OPTION_MEMORY, "a size from 1M to 3T: " A_SIZE},
    {OPTION_SOCKET, "a path"},
    {OPTION_SOCKET_MODE, "an octal number from 0 to 777"},
    {OPTION_WORKERS, "a number from 1 to 64"},
    {OPTION_POLL_US, "a number from 0 to 8000"},
    {OPTION_LOCAL_QUOTA, "a size: " A_SIZE "; or 0, or unlimited"},
    {OPTION_LOCAL_MIN, "a size: " A_SIZE "; or 0"},
    {OPTION_LOCAL_MAX, "a size: " A_SIZE "; or 0, or unlimited"},
    {OPTION_LOCAL_WEIGHT, "a number from 1 to 65536"},
    {OPTION_LOG_LEVEL, "error, warning, notice, info or debug"},
};

static const char *range_of(int option)
{
    for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (ranges[i].option == option)
            return ranges[i].takes;
    }
    return "no value";
}

/* What getopt_long() would say with the whole path of the program, and no more. */
static void say_bad_option(int option, char **argv)
{
    char letter[3];
    const char *text = argv[optind - 1];

    if (strncmp(text, "--", 2) != 0) {
        snprintf(letter, sizeof(letter), "-%c", optopt);
        text = letter;
    }
    fprintf(stderr,
            option == ':' ? "xentmemd: %s needs a value (xentmemd -h)\n"
                          : "xentmemd: %s is no option of xentmemd (xentmemd -h lists them)\n",
            text);
}

/* Why options that are each right do not go together; NULL: they do. */
static const char *why_not_together(const struct options *o)
{
    if (!o->socket && o->xen == XEN_NEVER)
        return "--no-local and --no-xen leave nobody to serve";
    if (o->local.min_pages > o->local.max_pages)
        return "--local-min is more than --local-max";
    if (o->memory_pages && o->local.min_pages > o->memory_pages)
        return "--local-min is more than --memory";
    return NULL;
}

enum options_result options_parse(int argc, char **argv, struct options *options_out)
{
    struct options o;
    const char *why;
    int option;

    set_defaults(&o);
    while ((option = getopt_long(argc, argv, ":hV", long_options, NULL)) != -1) {
        switch (option) {
        case OPTION_HELP:
            fputs(help, stdout);
            return OPTIONS_DONE;
        case OPTION_VERSION:
            puts("xentmemd " XENTMEM_VERSION);
            return OPTIONS_DONE;
        case '?':
        case ':':
            say_bad_option(option, argv);
            return OPTIONS_BAD;
        default:
            if (set_option(&o, option, optarg))
                break;
            fprintf(stderr, "xentmemd: --%s takes %s; \"%s\" is none\n", option_name(option),
                    range_of(option), optarg);
            return OPTIONS_BAD;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "xentmemd: %s: it takes no argument (xentmemd -h)\n", argv[optind]);
        return OPTIONS_BAD;
    }
    why = why_not_together(&o);
    if (why) {
        fprintf(stderr, "xentmemd: %s\n", why);
        return OPTIONS_BAD;
    }
    *options_out = o;
    return OPTIONS_RUN;
}
