/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * engine_bench.c - the engine beside a bare memcpy: docs/PERFORMANCE.md says what each figure is.
 *
 *     engine_bench [--mib N] [--rounds N] [--only footprint|cost|wait]
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/malloc.h"
#include "tests/bench/cost.h"
#include "tests/bench/footprint.h"
#include "tests/bench/scaling.h"
#include "tests/bench/wait.h"

#define PAGES_PER_MIB 256u
#define MILLION       1000000u

struct options {
    uint32_t nr_pages;
    unsigned rounds;
    const char *only;
};

/* What is measured with objects of one size. */
struct sized_figures {
    uint32_t pages_per_object;
    struct cost_figures cost;
    struct scaling_figures scaling;
    struct figure overhead, restart;
};

static void measure(const struct options *o, struct sized_figures *f)
{
    uint8_t *areas[2] = {area_make(), area_make()};
    struct bed b;
    uint64_t heap_before;

    fprintf(stderr, "engine: %u pages, %u an object\n", o->nr_pages, f->pages_per_object);
    bed_init(&b, o->nr_pages, f->pages_per_object);
    heap_before = footprint_heap_bytes();
    bed_make(&b);
    bed_fill(&b);
    figure_add(&f->overhead, footprint_bytes_per_page(&b, heap_before));
    for (unsigned i = 0; i < o->rounds; i++) {
        fprintf(stderr, "  round %u of %u\n", i + 1, o->rounds);
        cost_round(&b, areas[0], &f->cost);
        scaling_round(&b, areas, &f->scaling);
    }
    for (unsigned i = 0; i < o->rounds; i++)
        figure_add(&f->restart, restart_seconds_per_million(&b));
    bed_verify(&b);
    bed_close(&b, NULL);
    bed_fini(&b);
    free(areas[0]);
    free(areas[1]);
}

static void print_sized(const struct sized_figures *f)
{
    const struct cost_figures *c = &f->cost;
    const struct figure *all[] = {
        &c->get.over_memcpy,
        &c->put.over_memcpy,
        &c->overwrite.over_memcpy,
        &c->get_alone.over_memcpy,
        &c->put_alone.over_memcpy,
        &c->overwrite_alone.over_memcpy,
        &f->scaling.over_memcpy,
        &f->overhead,
        &f->restart,
        &c->get.ns,
        &c->put.ns,
        &c->overwrite.ns,
        &c->get_alone.ns,
        &c->put_alone.ns,
        &c->overwrite_alone.ns,
        &c->copy_out_ns,
        &c->copy_in_ns,
        &f->scaling.engine,
        &f->scaling.memcpy,
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        figure_print(all[i]);
}

/* The figures that have targets are taken with one page an object, which costs most. */
static void bench_cost(const struct options *o)
{
    struct sized_figures one = {
        .pages_per_object = 1,
        .cost = {.get = {{.name = "engine_get_cost_over_memcpy"}, {.name = "engine_get_ns"}},
                 .put = {{.name = "engine_put_cost_over_memcpy"}, {.name = "engine_put_ns"}},
                 .overwrite = {{.name = "engine_overwrite_cost_over_memcpy"},
                               {.name = "engine_overwrite_ns"}},
                 .get_alone = {{.name = "engine_get_alone_cost_over_memcpy"},
                               {.name = "engine_get_alone_ns"}},
                 .put_alone = {{.name = "engine_put_alone_cost_over_memcpy"},
                               {.name = "engine_put_alone_ns"}},
                 .overwrite_alone = {{.name = "engine_overwrite_alone_cost_over_memcpy"},
                                     {.name = "engine_overwrite_alone_ns"}},
                 .copy_out_ns = {.name = "memcpy_out_ns"},
                 .copy_in_ns = {.name = "memcpy_in_ns"}},
        .scaling = {.over_memcpy = {.name = "engine_two_thread_scaling_over_memcpy_scaling"},
                    .engine = {.name = "engine_two_thread_scaling"},
                    .memcpy = {.name = "memcpy_two_thread_scaling"}},
        .overhead = {.name = "engine_overhead_bytes_per_page_1"},
        .restart = {.name = "restart_seconds_per_million_pages"},
    };
    struct sized_figures many = {
        .pages_per_object = 256,
        .cost = {.get = {{.name = "engine_get_cost_over_memcpy_256"},
                         {.name = "engine_get_ns_256"}},
                 .put = {{.name = "engine_put_cost_over_memcpy_256"},
                         {.name = "engine_put_ns_256"}},
                 .overwrite = {{.name = "engine_overwrite_cost_over_memcpy_256"},
                               {.name = "engine_overwrite_ns_256"}},
                 .get_alone = {{.name = "engine_get_alone_cost_over_memcpy_256"},
                               {.name = "engine_get_alone_ns_256"}},
                 .put_alone = {{.name = "engine_put_alone_cost_over_memcpy_256"},
                               {.name = "engine_put_alone_ns_256"}},
                 .overwrite_alone = {{.name = "engine_overwrite_alone_cost_over_memcpy_256"},
                                     {.name = "engine_overwrite_alone_ns_256"}},
                 .copy_out_ns = {.name = "memcpy_out_ns_256"},
                 .copy_in_ns = {.name = "memcpy_in_ns_256"}},
        .scaling = {.over_memcpy = {.name = "engine_two_thread_scaling_over_memcpy_scaling_256"},
                    .engine = {.name = "engine_two_thread_scaling_256"},
                    .memcpy = {.name = "memcpy_two_thread_scaling_256"}},
        .overhead = {.name = "engine_overhead_bytes_per_page_256"},
        .restart = {.name = "restart_seconds_per_million_pages_256"},
    };

    measure(o, &one);
    print_sized(&one);
    measure(o, &many);
    print_sized(&many);
}

/* The two of bench_cost() that need no rounds, for work on them. */
static void bench_footprint(const struct options *o)
{
    static const struct {
        const char *name;
        uint32_t pages_per_object;
    } sizes[] = {{"engine_overhead_bytes_per_page_1", 1},
                 {"engine_overhead_bytes_per_page_256", 256}};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct figure overhead = {.name = sizes[i].name};
        struct bed b;
        uint64_t heap_before;

        bed_init(&b, o->nr_pages, sizes[i].pages_per_object);
        heap_before = footprint_heap_bytes();
        bed_make(&b);
        bed_fill(&b);
        figure_add(&overhead, footprint_bytes_per_page(&b, heap_before));
        figure_print(&overhead);
        bed_close(&b, NULL);
        bed_fini(&b);
    }
}

static void bench_wait(const struct options *o)
{
    struct wait_figures f = {
        .worst = {.name = "flush_million_worst_wait_us"},
        .flush = {.name = "wait_flush_us"},
        .destroy = {.name = "wait_destroy_us"},
        .preempted = {.name = "wait_with_preemption_us"},
        .slice = {.name = "wait_reclaim_slice_us"},
        .undisturbed = {.name = "wait_undisturbed_us"},
        .reclaim_ms = {.name = "flush_million_reclaim_ms"},
    };
    uint32_t nr_pages = o->nr_pages < MILLION ? o->nr_pages : MILLION;

    if (nr_pages < MILLION)
        fprintf(stderr, "flush: of %u pages, not of a million\n", nr_pages);
    for (unsigned i = 0; i < o->rounds; i++) {
        fprintf(stderr, "flush: round %u of %u\n", i + 1, o->rounds);
        wait_round(nr_pages, &f);
    }
    figure_print(&f.worst);
    figure_print(&f.flush);
    figure_print(&f.destroy);
    figure_print(&f.preempted);
    figure_print(&f.slice);
    figure_print(&f.undisturbed);
    figure_print(&f.reclaim_ms);
}

static bool parse_number(const char *text, unsigned long most, unsigned long *number_out)
{
    char *end;

    *number_out = strtoul(text, &end, 10);
    return end != text && *end == '\0' && *number_out != 0 && *number_out <= most;
}

static bool parse(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {{"mib", required_argument, NULL, 'm'},
                                          {"rounds", required_argument, NULL, 'r'},
                                          {"only", required_argument, NULL, 'o'},
                                          {0}};
    unsigned long number = 0;
    int c;

    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        bool ok = c == 'o' || (c == 'm' && parse_number(optarg, 1u << 20, &number)) ||
                  (c == 'r' && parse_number(optarg, ROUNDS_MOST, &number));

        if (!ok)
            return false;
        if (c == 'm')
            o->nr_pages = (uint32_t)number * PAGES_PER_MIB;
        else if (c == 'r')
            o->rounds = (unsigned)number;
        else
            o->only = optarg;
    }
    /* fewer pages would be found in the processor's caches */
    return optind == argc && o->nr_pages >= 128 * PAGES_PER_MIB;
}

int main(int argc, char **argv)
{
    struct options o = {.nr_pages = 4096 * PAGES_PER_MIB, .rounds = 5};

    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "usage: engine_bench [--mib N (128 and up)] [--rounds N] "
                        "[--only footprint|cost|wait]\n");
        return 1;
    }
    malloc_settle(); /* as the daemon does */
    if (o.only && strcmp(o.only, "footprint") == 0)
        bench_footprint(&o);
    if (!o.only || strcmp(o.only, "cost") == 0)
        bench_cost(&o);
    if (!o.only || strcmp(o.only, "wait") == 0)
        bench_wait(&o);
    return 0;
}
