/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xentmem stats: counters, as a table or as OpenMetrics text; and the check of the engine. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/tool/operator_command.h"
#include "frontend/tool/output.h"

/* ---- a table ---- */

static const struct column columns[] = {
    {"NAME", "name", COLUMN_TEXT},
    {"VALUE", "value", COLUMN_NUMBER},
    {"WHAT", "what", COLUMN_TEXT},
};

static void put_counter(void *arg, const void *record)
{
    const struct tmemctl_counter *counter = record;
    char name[TMEMCTL_NAME_LEN], help[TMEMCTL_HELP_LEN];

    text_printable(name, sizeof(name), counter->name);
    text_printable(help, sizeof(help), counter->help);
    output_text(arg, name);
    output_number(arg, counter->value);
    output_text(arg, help);
}

static int print_table(struct tool *tool, struct xentmem *t)
{
    union tmemctl_message m = talk_message(TMEMCTL_STATS);
    struct output *o =
        output_create(tool->json, OUTPUT_TABLE, columns, sizeof(columns) / sizeof(columns[0]));
    int code;

    if (!o)
        return tool_fail(TOOL_SYSTEM, "no memory");
    code = talk(tool, t, &m, put_counter, o, "stats");
    if (code == TOOL_DONE)
        return output_finish(o);
    output_discard(o);
    return code;
}

/* ---- OpenMetrics text ---- */

/*
 * Samples of one metric stand together, so records are kept and gone through
 * once for each metric.
 */
struct kept {
    uint8_t *records;
    size_t size, nr;
    bool failed;
};

static void keep(void *arg, const void *record)
{
    struct kept *kept = arg;
    uint8_t *records = reallocarray(kept->records, kept->nr + 1, kept->size);

    if (!records) {
        kept->failed = true;
        return;
    }
    kept->records = records;
    memcpy(records + kept->nr++ * kept->size, record, kept->size);
}

static int keep_all(struct tool *tool, struct xentmem *t, enum tmemctl_command command,
                    struct kept *kept)
{
    union tmemctl_message m = talk_message(command);
    int code;

    *kept = (struct kept){.size = tmemctl_record_bytes(command)};
    code = talk(tool, t, &m, keep, kept, "stats");
    if (code == TOOL_DONE && kept->failed)
        code = tool_fail(TOOL_SYSTEM, "no memory");
    return code;
}

static void print_counter(void *arg, const void *record)
{
    const struct tmemctl_counter *counter = record;
    char name[TMEMCTL_NAME_LEN], help[TMEMCTL_HELP_LEN];

    (void)arg;
    text_printable(name, sizeof(name), counter->name);
    text_printable(help, sizeof(help), counter->help);
    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name))
        return;
    printf("# TYPE xentmem_%s %s\n# HELP xentmem_%s %s\n", name,
           counter->gauge ? "gauge" : "counter", name, help);
    printf("xentmem_%s%s %" PRIu64 "\n", name, counter->gauge ? "" : "_total", counter->value);
}

/* A figure that may be "no limit", which is a number to a collector, too. */
static void print_value(uint64_t value)
{
    if (value == TMEMCTL_UNLIMITED)
        puts("} +Inf");
    else
        printf("} %" PRIu64 "\n", value);
}

static void print_who(const struct tmemctl_who *who)
{
    char uuid[TEXT_UUID_LEN];

    text_of_uuid(uuid, who->uuid);
    if (who->kind == TMEMCTL_LOCAL)
        printf("uid=\"%u\",device=\"%u\"", who->id, who->device);
    else
        printf("domid=\"%u\",device=\"%u\",uuid=\"%s\"", who->id, who->device, uuid);
}

/* Of a sample's name, by OpenMetrics' rules. */
static const char *suffix_of(const char *type)
{
    return strcmp(type, "counter") ? "" : "_total";
}

static const struct guest_metric {
    const char *name, *type, *help;
    size_t offset; /* of a uint64_t in struct tmemctl_guest */
} guest_metrics[] = {
#define GUEST(name, type, field, help)                                                             \
    {                                                                                              \
        name, type, help, offsetof(struct tmemctl_guest, field)                                    \
    }
    GUEST("guest_persistent_pages", "gauge", persistent_pages,
          "persistent pages in its private pools"),
    GUEST("guest_ephemeral_pages", "gauge", ephemeral_pages,
          "ephemeral pages in its private pools"),
    GUEST("guest_quota_pages", "gauge", policy.quota_pages, "persistent pages it may hold"),
    GUEST("guest_min_pages", "gauge", policy.min_pages,
          "ephemeral pages that are not evicted for others"),
    GUEST("guest_max_pages", "gauge", policy.max_pages, "ephemeral pages it may hold"),
    /* begins anew with each session, as a counter may */
    GUEST("guest_requests", "counter", requests, "requests answered since it attached"),
#undef GUEST
};

static void print_guests(const struct kept *guests)
{
    for (size_t m = 0; m < sizeof(guest_metrics) / sizeof(guest_metrics[0]); m++) {
        const struct guest_metric *metric = &guest_metrics[m];

        printf("# TYPE xentmem_%s %s\n# HELP xentmem_%s %s\n", metric->name, metric->type,
               metric->name, metric->help);
        for (size_t i = 0; i < guests->nr; i++) {
            const uint8_t *record = guests->records + i * guests->size;
            uint64_t value;

            memcpy(&value, record + metric->offset, sizeof(value));
            printf("xentmem_%s%s{", metric->name, suffix_of(metric->type));
            print_who(&((const struct tmemctl_guest *)record)->guest);
            print_value(value);
        }
    }
}

static const struct pool_metric {
    const char *name, *type, *help;
    size_t offset; /* of a uint64_t in struct tmemctl_pool */
} pool_metrics[] = {
#define POOL(name, type, field, help)                                                              \
    {                                                                                              \
        name, type, help, offsetof(struct tmemctl_pool, info.field)                                \
    }
    POOL("pool_pages", "gauge", nr_pages, "pages held"),
    POOL("pool_quota_pages", "gauge", quota_pages, "pages it may hold, its own or its owner's"),
    POOL("pool_puts", "counter", puts, "pages offered"),
    POOL("pool_puts_refused", "counter", puts_refused, "pages refused, for whatever reason"),
    POOL("pool_gets", "counter", gets, "pages asked for"),
    POOL("pool_hits", "counter", hits, "pages found"),
    POOL("pool_flushes", "counter", flushes, "flush requests"),
    POOL("pool_evictions", "counter", evictions, "ephemeral pages dropped to make room"),
#undef POOL
};

static void print_pool_labels(const struct tmemctl_pool *pool)
{
    char uuid[TEXT_UUID_LEN];

    if (pool->owner.kind) {
        print_who(&pool->owner);
        printf(",pool=\"%u\"", pool->pool_id);
    } else {
        text_of_uuid(uuid, pool->info.uuid);
        printf("pool=\"%s\"", uuid);
    }
    printf(",kind=\"%s%s\"", pool->info.flags & TMEMIF_POOL_SHARED ? "shared_" : "",
           pool->info.flags & TMEMIF_POOL_PERSISTENT ? "persistent" : "ephemeral");
}

static void print_pools(const struct kept *pools)
{
    for (size_t m = 0; m < sizeof(pool_metrics) / sizeof(pool_metrics[0]); m++) {
        const struct pool_metric *metric = &pool_metrics[m];

        printf("# TYPE xentmem_%s %s\n# HELP xentmem_%s %s\n", metric->name, metric->type,
               metric->name, metric->help);
        for (size_t i = 0; i < pools->nr; i++) {
            const uint8_t *record = pools->records + i * pools->size;
            uint64_t value;

            memcpy(&value, record + metric->offset, sizeof(value));
            printf("xentmem_%s%s{", metric->name, suffix_of(metric->type));
            print_pool_labels((const struct tmemctl_pool *)record);
            print_value(value);
        }
    }
}

static int print_metrics(struct tool *tool, struct xentmem *t)
{
    union tmemctl_message m = talk_message(TMEMCTL_STATS);
    struct kept guests = {0}, pools = {0};
    int code = keep_all(tool, t, TMEMCTL_LIST_GUESTS, &guests);

    if (code == TOOL_DONE)
        code = keep_all(tool, t, TMEMCTL_LIST_POOLS, &pools);
    if (code == TOOL_DONE)
        code = talk(tool, t, &m, print_counter, NULL, "stats");
    if (code == TOOL_DONE) {
        print_guests(&guests);
        print_pools(&pools);
        puts("# EOF");
        if (fflush(stdout) || ferror(stdout))
            code = tool_fail(TOOL_SYSTEM, "cannot write the output");
    }
    free(guests.records);
    free(pools.records);
    return code;
}

/* ---- the check ---- */

static void keep_verdict(void *arg, const void *record)
{
    memcpy(arg, record, sizeof(struct tmemctl_verdict));
}

static int print_check(struct tool *tool, struct xentmem *t)
{
    static const struct column check_columns[] = {{"WHOLE", "whole", COLUMN_BOOL},
                                                  {"BROKEN", "broken", COLUMN_TEXT}};
    union tmemctl_message m = talk_message(TMEMCTL_CHECK);
    struct tmemctl_verdict verdict = {0};
    char what[TMEMCTL_VERDICT_LEN];
    struct output *o;
    int code = talk(tool, t, &m, keep_verdict, &verdict, "stats --check");

    if (code)
        return code;
    text_printable(what, sizeof(what), verdict.what);
    o = output_create(tool->json, OUTPUT_RECORD, check_columns, 2);
    if (!o)
        return tool_fail(TOOL_SYSTEM, "no memory");
    output_bool(o, verdict.whole != 0);
    output_text(o, verdict.whole ? NULL : what);
    code = output_finish(o);
    return code == TOOL_DONE && !verdict.whole ? TOOL_SYSTEM : code;
}

int operator_stats(struct tool *tool, int argc, char **argv)
{
    static const struct option options[] = {
        {"metrics", no_argument, NULL, 'm'},
        {"check", no_argument, NULL, 'c'},
        {"manager", required_argument, NULL, 'M'},
        {0},
    };
    bool metrics = false, check = false;
    const char *manager = NULL;
    struct xentmem *t;
    int option, code;

    optind = 0; /* glibc: begin anew, and let options stand behind arguments */
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (option == 'm')
            metrics = true;
        else if (option == 'c')
            check = true;
        else if (option == 'M')
            manager = optarg;
        else
            return tool_bad_option(operator_command(argv[0]), option, argv);
    }
    if (optind != argc)
        return tool_usage(operator_command(argv[0]), "needs no arguments");
    if (metrics && check)
        return tool_usage(operator_command(argv[0]), "--metrics and --check exclude each other");
    t = talk_open(tool, manager, &code);
    if (!t)
        return code;
    if (metrics)
        code = print_metrics(tool, t);
    else
        code = check ? print_check(tool, t) : print_table(tool, t);
    talk_close(tool, t);
    return code;
}
