/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/wait.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>

#include "daemon/util/clock.h"
#include "tests/bench/bed.h"

/* What a worker of the daemon reclaims between two of its turns. */
#define SLICE 64u

/* The guest that waits: so many pages, each an object, so that every shard has some. */
#define NR_READ  16384u
#define QUIET_MS 200u

/* Reads slower than this are looked at twice; a context switch takes longer. */
#define SLOW_NS        20000u
#define READS_PER_LOOK 64u

enum phase { QUIET, FILLING, FLUSHING, DESTROYING, STOP, NR_PHASES };

/* A time in which something took long, or was interrupted. */
struct span {
    uint64_t begin_ns, end_ns;
    enum phase phase;
};

#define SPANS_MOST 65536u

struct spans {
    struct span *spans;
    uint32_t nr;
};

static void spans_add(struct spans *s, uint64_t begin_ns, uint64_t end_ns, enum phase phase)
{
    MUST(s->nr < SPANS_MOST);
    s->spans[s->nr++] = (struct span){begin_ns, end_ns, phase};
}

static struct spans spans_make(void)
{
    struct spans s = {.spans = calloc(SPANS_MOST, sizeof(*s.spans))};

    MUST(s.spans != NULL);
    return s;
}

struct reader {
    struct bed *b;
    _Atomic int phase;            /* enum phase */
    uint64_t quick_ns[NR_PHASES]; /* the longest of the reads that were not slow */
    struct spans slow;
    uint64_t nr_reads, nr_disturbed;
};

static long nr_preempted(void)
{
    struct rusage usage;

    MUST(getrusage(RUSAGE_THREAD, &usage) == 0);
    return usage.ru_nivcsw;
}

/* Time @nr reads; the slow ones count unless the scheduler interfered since @preempted. */
static void read_some(struct reader *r, enum phase phase, uint8_t *area, uint64_t *random)
{
    long preempted = nr_preempted();

    for (unsigned i = 0; i < READS_PER_LOOK; i++) {
        uint32_t page = random_below(random, NR_READ);
        uint64_t begin = clock_now_ns(), ns;

        bed_get(r->b, 1, page, area + (size_t)(page % AREA_PAGES) * TMEMIF_PAGE_SIZE);
        ns = clock_now_ns() - begin;
        r->nr_reads++;
        if (ns <= SLOW_NS) {
            if (ns > r->quick_ns[phase])
                r->quick_ns[phase] = ns;
        } else if (nr_preempted() != preempted) {
            preempted = nr_preempted();
            r->nr_disturbed++;
        } else {
            spans_add(&r->slow, begin, begin + ns, phase);
        }
    }
}

/*
 * The longest read of @phase; with @without not NULL, of those that no span there touches: then
 * the other thread was off its processor, perhaps with a lock held.
 */
static uint64_t longest_ns(const struct reader *r, enum phase phase, const struct spans *without)
{
    uint64_t longest = r->quick_ns[phase];
    uint32_t from = 0;

    for (uint32_t i = 0; i < r->slow.nr; i++) {
        const struct span *read = &r->slow.spans[i];
        uint64_t ns = read->end_ns - read->begin_ns;

        if (read->phase != phase)
            continue;
        while (without && from < without->nr && without->spans[from].end_ns < read->begin_ns)
            from++;
        if (without && from < without->nr && without->spans[from].begin_ns <= read->end_ns)
            continue;
        longest = ns > longest ? ns : longest;
    }
    return longest;
}

static void *read_on(void *arg)
{
    struct reader *r = arg;
    uint8_t *area = area_make();
    uint64_t random = 0xdecafbad;

    for (;;) {
        enum phase phase = (enum phase)atomic_load(&r->phase);

        if (phase == STOP)
            break;
        read_some(r, phase, area, &random);
    }
    free(area);
    return NULL;
}

/* The guest whose pages go, in the engine of the bed. */
struct victim {
    struct bed *b;
    account_nr account;
    uint32_t pool_id;
    uint32_t nr_pages;
    uint64_t longest_slice_ns;
    struct spans preempted; /* slices during which the scheduler took the processor away */
};

static void fill(struct victim *v)
{
    for (uint32_t i = 0; i < v->nr_pages; i++) {
        struct page_op op = {
            .account = v->account, .pool_id = v->pool_id, .object = {1, 2, 3}, .index = i};
        const void *from = bed_source(v->b, i);
        struct engine_put put;
        void *frame;

        MUST(engine_put_begin(v->b->e, &op, &put, &frame) == TMEMIF_OK);
        memcpy(frame, from, TMEMIF_PAGE_SIZE);
        MUST(engine_put_commit(v->b->e, &put) == TMEMIF_OK);
    }
}

static void reclaim(struct victim *v)
{
    bool more = true;

    while (more) {
        long preempted = nr_preempted();
        uint64_t begin = clock_now_ns(), end;

        more = engine_reclaim(v->b->e, SLICE);
        end = clock_now_ns();
        if (nr_preempted() != preempted)
            spans_add(&v->preempted, begin, end, NR_PHASES);
        else if (end - begin > v->longest_slice_ns)
            v->longest_slice_ns = end - begin;
    }
}

static void flush(struct victim *v)
{
    struct page_op op = {.account = v->account, .pool_id = v->pool_id, .object = {1, 2, 3}};

    while (engine_flush_range(v->b->e, &op, 0, v->nr_pages - 1) == TMEMIF_BUSY)
        engine_reclaim(v->b->e, SLICE);
    reclaim(v);
}

static void destroy(struct victim *v)
{
    MUST(engine_pool_destroy(v->b->e, v->account, v->pool_id) == TMEMIF_OK);
    reclaim(v);
}

static double us(uint64_t ns)
{
    return (double)ns / 1e3;
}

static void sleep_ms(unsigned ms)
{
    struct timespec ts = {.tv_nsec = (long)ms * 1000000};

    nanosleep(&ts, NULL);
}

static void all_phases(struct victim *v, struct reader *r, struct figure *reclaim_ms)
{
    uint64_t begin;

    sleep_ms(QUIET_MS);
    atomic_store(&r->phase, FILLING);
    fill(v);
    atomic_store(&r->phase, FLUSHING);
    begin = clock_now_ns();
    flush(v);
    figure_add(reclaim_ms, us(clock_now_ns() - begin) / 1e3);
    atomic_store(&r->phase, FILLING);
    fill(v);
    atomic_store(&r->phase, DESTROYING);
    destroy(v);
    atomic_store(&r->phase, STOP);
}

static void print_reads(const struct reader *r, const struct victim *v)
{
    fprintf(
        stderr,
        "  %lu reads; left out, disturbed by the scheduler: %lu, and those that met %u slices\n",
        (unsigned long)r->nr_reads, (unsigned long)r->nr_disturbed, v->preempted.nr);
}

static void add_figures(struct wait_figures *figures, const struct reader *r,
                        const struct victim *v)
{
    double flush_us = us(longest_ns(r, FLUSHING, &v->preempted));
    double destroy_us = us(longest_ns(r, DESTROYING, &v->preempted));
    double all_flush_us = us(longest_ns(r, FLUSHING, NULL));
    double all_destroy_us = us(longest_ns(r, DESTROYING, NULL));

    figure_add(&figures->flush, flush_us);
    figure_add(&figures->destroy, destroy_us);
    figure_add(&figures->worst, flush_us > destroy_us ? flush_us : destroy_us);
    figure_add(&figures->preempted, all_flush_us > all_destroy_us ? all_flush_us : all_destroy_us);
    figure_add(&figures->undisturbed, us(longest_ns(r, QUIET, NULL)));
}

void wait_round(uint32_t nr_pages, struct wait_figures *figures)
{
    struct bed b;
    struct victim v = {.b = &b, .nr_pages = nr_pages, .preempted = spans_make()};
    struct reader r = {.b = &b, .slow = spans_make()};
    pthread_t thread;

    bed_init(&b, nr_pages + NR_READ + BED_SLACK, 1);
    bed_make(&b);
    for (uint32_t i = 0; i < NR_READ; i++)
        bed_put(&b, 0, i);
    v.account = bed_guest(b.e, 2);
    v.pool_id = bed_pool(b.e, v.account, TMEMIF_POOL_PERSISTENT);
    fill(&v);
    flush(&v);
    figure_add(&figures->slice, us(v.longest_slice_ns));

    MUST(pthread_create(&thread, NULL, read_on, &r) == 0);
    all_phases(&v, &r, &figures->reclaim_ms);
    pthread_join(thread, NULL);
    MUST(store_usage(b.store).frames_used == NR_READ);
    bed_close(&b, NULL);
    bed_fini(&b);

    print_reads(&r, &v);
    if (r.quick_ns[FLUSHING] && r.quick_ns[DESTROYING] && r.quick_ns[QUIET])
        add_figures(figures, &r, &v);
    else
        fprintf(stderr, "  no read was timed in one of the phases: the round does not count\n");
    free(v.preempted.spans);
    free(r.slow.spans);
}
