/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/scaling.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "daemon/util/clock.h"

#define THREADS            2u
#define TURN               1024u
#define NR_TURNS           128u
#define UNDISTURBED_FEWEST 8u
/* Threads of a turn begin within one such part of it, or it is disturbed. */
#define LAG_SHARE 20u

enum kind { ENGINE_ONE, COPY_ONE, ENGINE_TWO, COPY_TWO, NR_KINDS };

static bool is_engine(enum kind kind)
{
    return kind == ENGINE_ONE || kind == ENGINE_TWO;
}

static unsigned nr_threads(enum kind kind)
{
    return kind == ENGINE_TWO || kind == COPY_TWO ? THREADS : 1;
}

struct thread {
    struct scaling *shared;
    unsigned number;
    uint8_t *area;
    uint64_t random;
    uint32_t pages[TURN];
    const void *frames[TURN];
    /* of the last turn */
    uint64_t begin_ns, end_ns;
    bool disturbed;
};

struct scaling {
    struct bed *b;
    pthread_barrier_t gate; /* all threads, before and after each turn */
    atomic_uint nr_ready;   /* spun on, so that they begin as one */
    struct thread threads[THREADS];
};

static long nr_preempted(void)
{
    struct rusage usage;

    MUST(getrusage(RUSAGE_THREAD, &usage) == 0);
    return usage.ru_nivcsw;
}

static void gather(struct thread *t)
{
    struct bed *b = t->shared->b;

    for (unsigned i = 0; i < TURN; i++) {
        t->pages[i] = random_below(&t->random, b->nr_pages);
        t->frames[i] = b->frames[t->pages[i]];
    }
}

static void run(struct thread *t, enum kind kind)
{
    for (unsigned i = 0; i < TURN; i++) {
        uint8_t *to = t->area + (size_t)(i % AREA_PAGES) * TMEMIF_PAGE_SIZE;

        if (is_engine(kind))
            bed_get(t->shared->b, t->number, t->pages[i], to);
        else
            memcpy(to, t->frames[i], TMEMIF_PAGE_SIZE);
    }
}

static void turn(struct thread *t, enum kind kind, unsigned sequence)
{
    struct scaling *s = t->shared;
    long before;

    if (t->number >= nr_threads(kind))
        return;
    gather(t);
    atomic_fetch_add(&s->nr_ready, 1);
    while (atomic_load(&s->nr_ready) < sequence)
        sched_yield();
    before = nr_preempted();
    t->begin_ns = clock_now_ns();
    run(t, kind);
    t->end_ns = clock_now_ns();
    t->disturbed = nr_preempted() != before;
}

/* Thread 0 is the caller's and reads what the others left between two gates. */
static void turn_all(struct thread *t, enum kind kind, unsigned sequence)
{
    pthread_barrier_wait(&t->shared->gate);
    turn(t, kind, sequence);
    pthread_barrier_wait(&t->shared->gate);
}

/* The number that nr_ready reaches when all threads of turn @n of @kind are ready. */
static unsigned sequence_of(unsigned n, enum kind kind)
{
    unsigned sequence = 0, each = 0;

    for (enum kind k = 0; k < NR_KINDS; k++)
        each += nr_threads(k);
    for (enum kind k = 0; k <= kind; k++)
        sequence += nr_threads(k);
    return n * each + sequence;
}

static void *other(void *arg)
{
    struct thread *t = arg;

    for (unsigned n = 0; n < NR_TURNS; n++) {
        for (enum kind k = 0; k < NR_KINDS; k++)
            turn_all(t, k, sequence_of(n, k));
    }
    return NULL;
}

struct times {
    double all[NR_TURNS], undisturbed[NR_TURNS];
    unsigned nr, nr_undisturbed;
};

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static void add_time(const struct scaling *s, enum kind kind, struct times *times)
{
    const struct thread *first = &s->threads[0];
    bool disturbed = false;
    double ns = 0;

    for (unsigned i = 0; i < nr_threads(kind); i++) {
        const struct thread *t = &s->threads[i];

        disturbed |= t->disturbed ||
                     distance(t->begin_ns, first->begin_ns) > (t->end_ns - t->begin_ns) / LAG_SHARE;
        ns += (double)(t->end_ns - t->begin_ns);
    }
    /* of all threads' gets, one */
    ns /= nr_threads(kind) * nr_threads(kind);
    times->all[times->nr++] = ns;
    if (!disturbed)
        times->undisturbed[times->nr_undisturbed++] = ns;
}

static double time_of(struct times *t)
{
    if (t->nr_undisturbed >= UNDISTURBED_FEWEST)
        return median(t->undisturbed, t->nr_undisturbed);
    return median(t->all, t->nr);
}

void scaling_round(struct bed *b, uint8_t *const areas[2], struct scaling_figures *figures)
{
    struct scaling *s = calloc(1, sizeof(*s));
    struct times times[NR_KINDS] = {0};
    pthread_t thread;
    double engine, copy;

    MUST(s != NULL);
    s->b = b;
    for (unsigned i = 0; i < THREADS; i++)
        s->threads[i] = (struct thread){
            .shared = s, .number = i, .area = areas[i], .random = random_next(&b->random)};
    MUST(pthread_barrier_init(&s->gate, NULL, THREADS) == 0);
    MUST(pthread_create(&thread, NULL, other, &s->threads[1]) == 0);
    for (unsigned n = 0; n < NR_TURNS; n++) {
        for (enum kind k = 0; k < NR_KINDS; k++) {
            turn_all(&s->threads[0], k, sequence_of(n, k));
            add_time(s, k, &times[k]);
        }
    }
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&s->gate);
    free(s);

    engine = time_of(&times[ENGINE_ONE]) / time_of(&times[ENGINE_TWO]);
    copy = time_of(&times[COPY_ONE]) / time_of(&times[COPY_TWO]);
    figure_add(&figures->engine, engine);
    figure_add(&figures->memcpy, copy);
    figure_add(&figures->over_memcpy, engine / copy);
}
