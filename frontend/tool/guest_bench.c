/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bench: puts, then gets, so many at a time for so long. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frontend/tool/guest.h"
#include "frontend/tool/latency.h"
#include "frontend/tool/output.h"
#include "frontend/tool/progress.h"
#include "frontend/tool/text.h"

#define MAX_DEPTH 1024u

struct bench {
    struct tool *tool;
    struct xentmem *t;
    struct progress progress;
    unsigned depth;
    uint32_t nr_pages;
    uint64_t seconds;
    struct xentmem_options options; /* log aside */
    bool own_pool;
    uint32_t pool;
    struct xentmem_op *ops; /* depth of them; op.user says when it was started */
    uint8_t *pages;
};

/* What one phase saw, over the first @nr_pages of the set. */
struct run {
    const char *name;
    uint32_t kind;
    uint32_t nr_pages;
    uint64_t done, missed, refused;
    uint64_t started_ns, until_ns, ended_ns;
    struct latency latency;
};

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Puts go through the set in turn, gets in a scattered order. */
static uint32_t page_number(const struct run *run, uint64_t step)
{
    return (uint32_t)((run->kind == XENTMEM_PUT ? step : step * 2654435761u) % run->nr_pages);
}

static void aim(const struct bench *b, struct xentmem_op *op, const struct run *run, uint64_t step)
{
    uint32_t number = page_number(run, step);

    op->kind = run->kind;
    op->pool = b->pool;
    /* 256 pages an object, so that rings and the manager's shards share the work */
    op->object = (struct xentmem_object){{number / 256 + 1, 0x62656e6368, 0}};
    op->index = number % 256;
    if (run->kind == XENTMEM_PUT)
        memcpy(op->page, &number, sizeof(number));
}

/* 0, or what to exit with. */
static int count(const struct bench *b, struct run *run, const struct xentmem_op *op,
                 uint64_t took_ns)
{
    latency_add(&run->latency, took_ns);
    run->done++;
    if (op->status == -1) {
        errno = op->error;
        return tool_result(b->tool, run->name, -1);
    }
    run->missed += op->status == XENTMEM_MISS;
    run->refused += op->status > XENTMEM_MISS;
    return TOOL_DONE;
}

static void show(struct bench *b, const struct run *run, uint64_t now)
{
    progress_show(&b->progress, "%s: %" PRIu64 " in %.1f of %" PRIu64 " s", run->name, run->done,
                  (double)(now - run->started_ns) / 1e9, b->seconds);
}

static int run_one_at_a_time(struct bench *b, struct run *run)
{
    struct xentmem_op *op = &b->ops[0];
    uint64_t now = run->started_ns;

    for (uint64_t step = 0; now < run->until_ns; step++) {
        uint64_t began = now;
        int code;

        aim(b, op, run, step);
        if (run->kind == XENTMEM_PUT)
            op->status = xentmem_put(b->t, op->pool, &op->object, op->index, op->page);
        else
            op->status = xentmem_get(b->t, op->pool, &op->object, op->index, op->page);
        op->error = errno;
        now = now_ns();
        code = count(b, run, op, now - began);
        if (code)
            return code;
        if (step % 256 == 0)
            show(b, run, now);
    }
    return TOOL_DONE;
}

/* Start what there is room for of @nr idle operations; those not started move to the front. */
static int start(struct bench *b, struct run *run, struct xentmem_op **idle, unsigned *nr,
                 uint64_t *step, uint64_t now)
{
    unsigned started = 0;

    for (; started < *nr; started++) {
        struct xentmem_op *op = idle[started];

        aim(b, op, run, *step);
        op->user = (void *)(uintptr_t)now;
        if (xentmem_submit(b->t, op, 1) != 1) {
            if (errno != EAGAIN)
                return tool_result(b->tool, run->name, -1);
            break;
        }
        ++*step;
    }
    memmove(idle, idle + started, (*nr - started) * sizeof(*idle));
    *nr -= started;
    return TOOL_DONE;
}

static int run_deep(struct bench *b, struct run *run)
{
    struct xentmem_op *idle[MAX_DEPTH];
    unsigned nr_idle = b->depth;
    uint64_t step = 0;
    int code = TOOL_DONE;

    for (unsigned i = 0; i < b->depth; i++)
        idle[i] = &b->ops[i];
    for (;;) {
        uint64_t now = now_ns();
        unsigned before = nr_idle;
        int reaped;

        if (now < run->until_ns && code == TOOL_DONE)
            code = start(b, run, idle, &nr_idle, &step, now);
        if (nr_idle == b->depth)
            return code;
        reaped = xentmem_reap(b->t, idle + nr_idle, b->depth - nr_idle, -1);
        if (reaped < 0)
            return tool_result(b->tool, run->name, -1);
        now = now_ns();
        for (int i = 0; i < reaped; i++) {
            struct xentmem_op *op = idle[nr_idle + (unsigned)i];
            int counted = count(b, run, op, now - (uint64_t)(uintptr_t)op->user);

            if (code == TOOL_DONE)
                code = counted;
        }
        nr_idle += (unsigned)reaped;
        if (before != nr_idle)
            show(b, run, now);
    }
}

static int run_phase(struct bench *b, struct run *run)
{
    int code;

    run->started_ns = now_ns();
    run->until_ns = run->started_ns + b->seconds * 1000000000;
    code = b->depth == 1 ? run_one_at_a_time(b, run) : run_deep(b, run);
    run->ended_ns = now_ns();
    progress_clear(&b->progress);
    return code;
}

/* Pages that went from one side to the other and were kept, or found. */
static uint64_t moved(const struct run *run)
{
    return run->done - run->missed - run->refused;
}

static int print(const struct bench *b, const struct run *runs, unsigned nr)
{
    static const struct column columns[] = {
        {"OPERATION", "operation", COLUMN_TEXT},  {"DEPTH", "depth", COLUMN_NUMBER},
        {"DONE", "done", COLUMN_NUMBER},          {"MISSED", "missed", COLUMN_NUMBER},
        {"REFUSED", "refused", COLUMN_NUMBER},    {"PER SECOND", "per_second", COLUMN_NUMBER},
        {"MiB/s", "mib_per_second", COLUMN_REAL}, {"MEAN us", "mean_us", COLUMN_REAL},
        {"MEDIAN us", "median_us", COLUMN_REAL},  {"99% us", "p99_us", COLUMN_REAL},
        {"MAX us", "max_us", COLUMN_REAL},
    };
    struct output *o =
        output_create(b->tool->json, OUTPUT_TABLE, columns, sizeof(columns) / sizeof(*columns));

    if (!o)
        return tool_fail(TOOL_SYSTEM, "no memory");
    for (unsigned i = 0; i < nr; i++) {
        const struct run *run = &runs[i];
        double seconds = (double)(run->ended_ns - run->started_ns) / 1e9;
        double rate = (double)run->done / seconds;

        output_text(o, run->name);
        output_number(o, b->depth);
        output_number(o, run->done);
        output_number(o, run->missed);
        output_number(o, run->refused);
        output_number(o, (uint64_t)rate);
        output_real(o, (double)moved(run) / seconds * XENTMEM_PAGE_SIZE / 1048576);
        output_real(o, run->done ? (double)run->latency.sum_ns / (double)run->done / 1000 : 0);
        output_real(o, latency_quantile_us(&run->latency, 0.5));
        output_real(o, latency_quantile_us(&run->latency, 0.99));
        output_real(o, (double)run->latency.max_ns / 1000);
    }
    return output_finish(o);
}

enum { POLL_US = 256, RINGS, RING_ORDER };

static const struct bench_option {
    int option;
    uint64_t min, max;
} ranges[] = {
    {'d', 1, MAX_DEPTH},
    {'p', 1, UINT32_MAX},
    {'s', 1, 86400},
    {RINGS, 1, 64},
    {'P', 0, XENTMEM_MAX_POOLS - 1},
    {POLL_US, 0, 1000000},
    {RING_ORDER, 0, 3},
};

/* False: the usage has been printed. */
static bool read_number(int option, const char *text, uint64_t *number_out)
{
    const struct bench_option *range = ranges;

    while (range->option != option)
        range++;
    if (text_to_number(text, range->max, number_out) && *number_out >= range->min)
        return true;
    tool_usage(guest_command("bench"), "%s: not a number from %" PRIu64 " to %" PRIu64, text,
               range->min, range->max);
    return false;
}

static int parse(struct bench *b, int argc, char **argv)
{
    static const struct option options[] = {
        {"depth", required_argument, NULL, 'd'},
        {"pages", required_argument, NULL, 'p'},
        {"seconds", required_argument, NULL, 's'},
        {"pool", required_argument, NULL, 'P'},
        {"poll-us", required_argument, NULL, POLL_US},
        {"rings", required_argument, NULL, RINGS},
        {"ring-order", required_argument, NULL, RING_ORDER},
        {0},
    };
    const struct command *self = guest_command("bench");
    uint64_t n;
    int option;

    while ((option = getopt_long(argc, argv, ":d:p:s:P:", options, NULL)) != -1) {
        if (option == '?' || option == ':')
            return tool_bad_option(self, option, argv);
        if (!read_number(option, optarg, &n))
            return TOOL_USAGE;
        switch (option) {
        case 'd':
            b->depth = (unsigned)n;
            break;
        case 'p':
            b->nr_pages = (uint32_t)n;
            break;
        case 's':
            b->seconds = n;
            break;
        case 'P':
            b->pool = (uint32_t)n;
            b->own_pool = false;
            break;
        case POLL_US:
            b->options.poll_us = (int)n;
            break;
        case RINGS:
            b->options.nr_rings = (unsigned)n;
            break;
        default:
            b->options.ring_page_order = (int)n;
            break;
        }
    }
    return argc == optind ? TOOL_DONE : tool_usage(self, "takes options only");
}

static int get_pool(struct bench *b)
{
    struct xentmem_pool_info info;
    int status;

    if (b->own_pool)
        return tool_result(b->tool, "pool create",
                           xentmem_pool_create(b->t, XENTMEM_INCLUSIVE, &b->pool));
    status = xentmem_pool_info(b->t, b->pool, &info);
    if (status == XENTMEM_NO_POOL)
        return tool_fail(TOOL_REFUSED, "bench: there is no pool %" PRIu32 ": see xentmem pool list",
                         b->pool);
    return tool_result(b->tool, "bench", status);
}

static int run_all(struct bench *b, struct run *runs)
{
    int code = get_pool(b);

    if (code)
        return code;
    runs[0].nr_pages = runs[1].nr_pages = b->nr_pages;
    code = run_phase(b, &runs[0]);
    /* get what there has been time to put */
    if (runs[0].done < b->nr_pages)
        runs[1].nr_pages = (uint32_t)runs[0].done;
    if (code == TOOL_DONE)
        code = run_phase(b, &runs[1]);
    /* not of a manager that would be waited for in vain once more */
    if (b->own_pool && code != TOOL_NO_MANAGER &&
        xentmem_pool_destroy(b->t, b->pool) != XENTMEM_OK && code == TOOL_DONE)
        code = tool_fail(TOOL_SYSTEM, "bench: its pool could not be destroyed");
    return code;
}

int guest_bench(struct tool *tool, int argc, char **argv)
{
    struct bench b = {.tool = tool,
                      .progress = {.off = tool->no_progress},
                      .depth = 1,
                      .nr_pages = 4096,
                      .seconds = 3,
                      .options = XENTMEM_OPTIONS_INIT,
                      .own_pool = true};
    struct run *runs;
    int code = parse(&b, argc, argv);

    if (code)
        return code;
    runs = calloc(2, sizeof(*runs));
    b.ops = calloc(b.depth, sizeof(*b.ops));
    b.pages = calloc(b.depth, XENTMEM_PAGE_SIZE);
    if (!runs || !b.ops || !b.pages) {
        code = tool_fail(TOOL_SYSTEM, "no memory");
        goto out;
    }
    for (unsigned i = 0; i < b.depth; i++) {
        b.ops[i].page = b.pages + (size_t)i * XENTMEM_PAGE_SIZE;
        memset(b.ops[i].page, 0xa5, XENTMEM_PAGE_SIZE);
        memset(b.ops[i].page, 0x5a, XENTMEM_PAGE_SIZE / 2); /* not one word over and over */
    }
    runs[0].name = "put";
    runs[0].kind = XENTMEM_PUT;
    runs[1].name = "get";
    runs[1].kind = XENTMEM_GET;
    b.t = tool_open_with(tool, &b.options, &code);
    if (b.t)
        code = run_all(&b, runs);
    if (code == TOOL_DONE)
        code = print(&b, runs, 2);
    if (code == TOOL_DONE && moved(&runs[0]) == 0)
        code = tool_fail(TOOL_REFUSED,
                         "bench: no page was stored in pool %" PRIu32
                         ": may it hold pages? See xentmem pool list",
                         b.pool);
    xentmem_close(b.t);
out:
    free(b.pages);
    free(b.ops);
    free(runs);
    return code;
}
