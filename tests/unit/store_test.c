/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages: handed out, given back, limited, and the memory behind them. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "tests/unit/store_fixture.h"

#define MAX_PAGES 4096u

/* Allocate until nothing is left; how many, each seen once and inside [first, end). */
static uint32_t alloc_all(struct store *s, enum desc_kind kind, uint32_t first, uint32_t end,
                          page_nr *pages_out)
{
    static unsigned char seen[MAX_PAGES];
    uint32_t nr = 0;
    page_nr page;

    memset(seen, 0, sizeof(seen));
    while ((page = store_page_alloc(s, kind)) != LAYOUT_NONE) {
        CU_ASSERT_FATAL(page >= first && page < end && nr < MAX_PAGES);
        CU_ASSERT_FATAL(!seen[page]);
        seen[page] = 1;
        pages_out[nr++] = page;
    }
    return nr;
}

static void every_page_is_handed_out_once(void)
{
    struct store *s = store_of(1300, 700);
    static page_nr pages[MAX_PAGES];

    CU_ASSERT_EQUAL(store_usage(s).limit, 1300);
    CU_ASSERT_EQUAL(alloc_all(s, DESC_FRAME, 0, 1300, pages), 1300);
    CU_ASSERT_EQUAL(alloc_all(s, DESC_FILLED, 1300, 2000, pages), 700);
    CU_ASSERT_EQUAL(store_usage(s).frames_used, 1300);
    CU_ASSERT_EQUAL(store_usage(s).filled_used, 700);
    CU_ASSERT_EQUAL(store_usage(s).frames_taken, 1300);
    store_close(s);
}

static void a_store_of_one_frame_works(void)
{
    struct store *s = store_of(1, 0);
    page_nr p = store_page_alloc(s, DESC_FRAME);

    CU_ASSERT_EQUAL(p, 0);
    CU_ASSERT_EQUAL(store_page_alloc(s, DESC_FRAME), LAYOUT_NONE);
    CU_ASSERT_EQUAL(store_page_alloc(s, DESC_FILLED), LAYOUT_NONE);
    store_page_free(s, p);
    CU_ASSERT_EQUAL(store_page_alloc(s, DESC_FRAME), 0);
    store_close(s);
}

static void a_page_given_back_is_handed_out_again(void)
{
    struct store *s = store_of(600, 600);
    static page_nr pages[MAX_PAGES];
    uint32_t nr = alloc_all(s, DESC_FRAME, 0, 600, pages);

    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < nr; i++)
            store_page_free(s, pages[i]);
        CU_ASSERT_EQUAL(store_usage(s).frames_used, 0);
        nr = alloc_all(s, DESC_FRAME, 0, 600, pages);
        CU_ASSERT_EQUAL(nr, 600);
    }
    store_page_free(s, pages[17]);
    CU_ASSERT_EQUAL(store_page_alloc(s, DESC_FRAME), pages[17]);
    store_close(s);
}

static void no_frame_overlaps_another(void)
{
    struct store *s = store_of(1100, 0);
    static page_nr pages[MAX_PAGES];
    uint32_t nr = alloc_all(s, DESC_FRAME, 0, 1100, pages);

    for (uint32_t i = 0; i < nr; i++) {
        CU_ASSERT_EQUAL((uintptr_t)store_frame(s, pages[i]) % TMEMIF_PAGE_SIZE, 0);
        fill_page(store_frame(s, pages[i]), pages[i]);
    }
    for (uint32_t i = 0; i < nr; i++)
        CU_ASSERT(page_holds(store_frame(s, pages[i]), pages[i]));
    store_close(s);
}

static void a_limit_is_kept_to_the_page(void)
{
    struct store *s = store_of(2000, 10);
    static page_nr pages[MAX_PAGES];

    store_set_limit(s, 100);
    CU_ASSERT_EQUAL(alloc_all(s, DESC_FRAME, 0, 2000, pages), 100);
    store_set_limit(s, 107);
    CU_ASSERT_EQUAL(alloc_all(s, DESC_FRAME, 0, 2000, pages + 100), 7);
    CU_ASSERT_EQUAL(alloc_all(s, DESC_FILLED, 2000, 2010, pages + 200), 10);
    store_set_limit(s, 5000);
    CU_ASSERT_EQUAL(store_usage(s).limit, 2000);
    CU_ASSERT_EQUAL(alloc_all(s, DESC_FRAME, 0, 2000, pages + 107), 1893);
    store_close(s);
}

static void a_lowered_limit_takes_effect_as_pages_are_freed(void)
{
    struct store *s = store_of(1000, 0);
    static page_nr pages[MAX_PAGES];
    uint32_t nr = alloc_all(s, DESC_FRAME, 0, 1000, pages);

    store_page_free(s, pages[--nr]);
    store_set_limit(s, 10);
    CU_ASSERT_EQUAL(store_usage(s).frames_used, 999);
    while (nr > 10) {
        store_page_free(s, pages[--nr]);
        CU_ASSERT_EQUAL(store_usage(s).frames_used, nr);
        if (nr >= 10)
            CU_ASSERT_EQUAL(store_page_alloc(s, DESC_FRAME), LAYOUT_NONE);
    }
    store_page_free(s, pages[--nr]);
    CU_ASSERT_NOT_EQUAL(store_page_alloc(s, DESC_FRAME), LAYOUT_NONE);
    CU_ASSERT_EQUAL(store_page_alloc(s, DESC_FRAME), LAYOUT_NONE);
    store_close(s);
}

static void run_on_cpu(size_t cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    CU_ASSERT_FATAL(sched_setaffinity(0, sizeof(set), &set) == 0);
}

/* On a machine of one CPU this is a test of little, and passes. */
static void pages_freed_on_one_cpu_serve_another(void)
{
    struct store *s = store_of(40, 0);
    static page_nr pages[MAX_PAGES];
    cpu_set_t before;
    size_t first = CPU_SETSIZE, last = 0;

    CU_ASSERT_FATAL(sched_getaffinity(0, sizeof(before), &before) == 0);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &before))
            continue;
        first = first == CPU_SETSIZE ? cpu : first;
        last = cpu;
    }
    run_on_cpu(first);
    CU_ASSERT_EQUAL(alloc_all(s, DESC_FRAME, 0, 40, pages), 40);
    for (uint32_t i = 0; i < 40; i++)
        store_page_free(s, pages[i]);
    run_on_cpu(last);
    CU_ASSERT_EQUAL(alloc_all(s, DESC_FRAME, 0, 40, pages), 40);
    CU_ASSERT_FATAL(sched_setaffinity(0, sizeof(before), &before) == 0);
    store_close(s);
}

/* ---- memory ---- */

static void records_have_their_memory_from_the_start(void)
{
    struct store *s = store_of(1, 0);
    struct stat st;

    CU_ASSERT_FATAL(fstat(store_fd(s, STORE_META), &st) == 0);
    CU_ASSERT_EQUAL(backed_bytes(s, STORE_META), (uint64_t)st.st_size);
    store_close(s);
}

static void a_large_store_takes_memory_only_as_it_is_used(void)
{
    struct store *s = store_of(1u << 26, 1u << 20);
    page_nr p;

    CU_ASSERT_EQUAL(backed_bytes(s, STORE_FRAMES), 0);
    CU_ASSERT_EQUAL(backed_bytes(s, STORE_DESCS), 0);
    p = store_page_alloc(s, DESC_FRAME);
    CU_ASSERT(p != LAYOUT_NONE);
    CU_ASSERT_EQUAL(store_usage(s).frames_taken, STORE_CHUNK_PAGES);
    CU_ASSERT_EQUAL(backed_bytes(s, STORE_FRAMES), STORE_CHUNK_PAGES * TMEMIF_PAGE_SIZE);
    /* in huge pages, where the system is set to give them to any file */
    CU_ASSERT(backed_bytes(s, STORE_DESCS) >= STORE_CHUNK_PAGES * sizeof(struct desc));
    CU_ASSERT(backed_bytes(s, STORE_DESCS) <= 2u << 20);
    store_close(s);
}

static void shrinking_gives_back_only_chunks_without_a_page_in_use(void)
{
    struct store *s = store_of(4 * STORE_CHUNK_PAGES, 0);
    static page_nr pages[MAX_PAGES];
    uint32_t nr;

    make_pool(s);
    nr = alloc_all(s, DESC_FRAME, 0, 4 * STORE_CHUNK_PAGES, pages);
    CU_ASSERT_EQUAL(store_shrink(s, 100), 0);
    for (uint32_t i = 0; i < nr; i++) {
        if (pages[i] == 700)
            fill_page(store_frame(s, 700), 700);
        else
            store_page_free(s, pages[i]);
    }
    CU_ASSERT_EQUAL(store_shrink(s, 2), 2);
    CU_ASSERT_EQUAL(store_shrink(s, 100), 1);
    CU_ASSERT_EQUAL(store_shrink(s, 100), 0);
    CU_ASSERT_EQUAL(store_usage(s).frames_taken, STORE_CHUNK_PAGES);
    CU_ASSERT_EQUAL(backed_bytes(s, STORE_FRAMES), STORE_CHUNK_PAGES * TMEMIF_PAGE_SIZE);
    CU_ASSERT(page_holds(store_frame(s, 700), 700));

    /* What was given back can be had again. */
    CU_ASSERT_EQUAL(alloc_all(s, DESC_FRAME, 0, 4 * STORE_CHUNK_PAGES, pages), nr - 1);
    CU_ASSERT_EQUAL(store_usage(s).frames_taken, nr);
    CU_ASSERT(page_holds(store_frame(s, 700), 700));
    store_close(s);
}

/*
 * The system refuses memory: fallocate() fails because the number of the
 * segment's descriptor names something else for a while.
 */
static void refuse_memory(struct store *s, enum store_segment segment, int *saved_out)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    *saved_out = fcntl(store_fd(s, segment), F_DUPFD_CLOEXEC, 0);
    CU_ASSERT_FATAL(null >= 0 && *saved_out >= 0);
    CU_ASSERT_FATAL(dup2(null, store_fd(s, segment)) >= 0);
    close(null);
}

static void allow_memory(struct store *s, enum store_segment segment, int saved)
{
    CU_ASSERT_FATAL(dup2(saved, store_fd(s, segment)) >= 0);
    close(saved);
}

static void no_memory_is_an_answer_and_costs_no_page(enum store_segment segment)
{
    struct store *s = store_of(3 * STORE_CHUNK_PAGES, 0);
    static page_nr pages[MAX_PAGES];
    uint32_t asked = 0;
    page_nr p;
    int saved;

    store_set_limit(s, STORE_CHUNK_PAGES);
    CU_ASSERT_EQUAL(alloc_all(s, DESC_FRAME, 0, STORE_CHUNK_PAGES, pages), STORE_CHUNK_PAGES);
    store_set_limit(s, UINT32_MAX);
    refuse_memory(s, segment, &saved);
    CU_ASSERT_EQUAL(store_page_alloc(s, DESC_FRAME), LAYOUT_NONE);
    CU_ASSERT_EQUAL(store_usage(s).frames_taken, STORE_CHUNK_PAGES);
    store_page_free(s, pages[5]); /* what is there still serves */
    CU_ASSERT_EQUAL(store_page_alloc(s, DESC_FRAME), pages[5]);
    allow_memory(s, segment, saved);

    /* The system is asked again after a while. */
    while ((p = store_page_alloc(s, DESC_FRAME)) == LAYOUT_NONE && asked < 10000)
        asked++;
    CU_ASSERT(asked > 1 && asked < 10000);
    CU_ASSERT_FATAL(p != LAYOUT_NONE);
    store_page_free(s, p);
    CU_ASSERT_EQUAL(alloc_all(s, DESC_FRAME, 0, 3 * STORE_CHUNK_PAGES, pages),
                    2 * STORE_CHUNK_PAGES);
    store_close(s);
}

static void no_memory_for_frames_is_an_answer_and_costs_no_page(void)
{
    no_memory_is_an_answer_and_costs_no_page(STORE_FRAMES);
}

static void no_memory_for_descriptors_is_an_answer_and_costs_no_page(void)
{
    no_memory_is_an_answer_and_costs_no_page(STORE_DESCS);
}

static void a_chunk_that_cannot_be_given_back_stays_usable(void)
{
    struct store *s = store_of(STORE_CHUNK_PAGES, 0);
    static page_nr pages[MAX_PAGES];
    int saved;

    store_page_free(s, store_page_alloc(s, DESC_FRAME));
    refuse_memory(s, STORE_FRAMES, &saved);
    CU_ASSERT_EQUAL(store_shrink(s, 1), 0);
    allow_memory(s, STORE_FRAMES, saved);
    CU_ASSERT_EQUAL(store_usage(s).frames_taken, STORE_CHUNK_PAGES);
    CU_ASSERT_EQUAL(alloc_all(s, DESC_FRAME, 0, STORE_CHUNK_PAGES, pages), STORE_CHUNK_PAGES);
    store_close(s);
}

static void create_says_why_it_does_not(void)
{
    struct store *s = NULL;
    const char *why = NULL;

    CU_ASSERT(!store_create(&(struct store_config){0, 5}, &s, &why));
    CU_ASSERT_PTR_NOT_NULL(why);
    why = NULL;
    CU_ASSERT(!store_create(&(struct store_config){UINT32_MAX - 5, 5}, &s, &why));
    CU_ASSERT_PTR_NOT_NULL(why);
    CU_ASSERT_PTR_NULL(s);
}

/* ---- walking ---- */

static void next_live_finds_every_live_page_and_no_other(void)
{
    struct store *s = store_of(1u << 22, 2000);
    page_nr kept[200];
    page_nr at = 0;

    make_pool(s);
    CU_ASSERT_EQUAL(store_next_live(s, 0), LAYOUT_NONE);
    for (uint32_t i = 0; i < 1200; i++) {
        page_nr p = i < 1000 ? put_page(s, i) : put_filled(s, i);

        if (i % 6 == 0)
            kept[i / 6] = p;
        else
            desc_make_dead(store_desc(s, p));
    }
    CU_ASSERT_EQUAL(count_live(s), 200);
    for (uint32_t i = 0; i < 200; i++) { /* a new store hands pages out in ascending batches */
        CU_ASSERT(store_desc(s, kept[i])->live != LIVE_DEAD);
        CU_ASSERT_EQUAL(store_next_live(s, kept[i]), kept[i]);
    }
    for (uint32_t i = 0; i < 200; i++, at++) {
        at = store_next_live(s, at);
        CU_ASSERT_FATAL(at != LAYOUT_NONE);
        CU_ASSERT(live_generation(store_desc(s, at)->live) % 6 == 1);
    }
    CU_ASSERT_EQUAL(store_next_live(s, at), LAYOUT_NONE);
    store_close(s);
}

/* ---- misuse ---- */

static void free_twice(void *arg)
{
    struct store *s = arg;
    page_nr p = store_page_alloc(s, DESC_FRAME);

    store_page_free(s, p);
    store_page_free(s, p);
}

static void free_live(void *arg)
{
    store_page_free(arg, put_page(arg, 1));
}

static void free_beyond(void *arg)
{
    store_page_free(arg, store_super(arg)->nr_descs);
}

static void frame_of_filled(void *arg)
{
    (void)store_frame(arg, store_page_alloc(arg, DESC_FILLED));
}

static void desc_beyond(void *arg)
{
    (void)store_desc(arg, LAYOUT_NONE);
}

static void misuse_is_a_bug(void)
{
    struct store *s = store_of(100, 100);

    make_pool(s);
    CU_ASSERT(is_a_bug(free_twice, s));
    CU_ASSERT(is_a_bug(free_live, s));
    CU_ASSERT(is_a_bug(free_beyond, s));
    CU_ASSERT(is_a_bug(frame_of_filled, s));
    CU_ASSERT(is_a_bug(desc_beyond, s));
    store_close(s);
}

/* ---- threads ---- */

#define NR_THREADS 4
#define ROUNDS     40000
#define HELD       300

struct crowd {
    struct store *s;
    atomic_uint owner[MAX_PAGES];
    atomic_uint faults;
};

struct member {
    struct crowd *crowd;
    unsigned id;
};

static void *alloc_and_free(void *arg)
{
    struct member *me = arg;
    struct crowd *crowd = me->crowd;
    page_nr held[HELD];
    unsigned nr = 0;
    uint32_t random = me->id;

    for (int i = 0; i < ROUNDS; i++) {
        random = random * 1664525u + 1013904223u;
        if (nr < HELD && (nr == 0 || random >> 31)) {
            page_nr p = store_page_alloc(crowd->s, DESC_FRAME);

            if (p == LAYOUT_NONE)
                continue;
            if (atomic_exchange(&crowd->owner[p], me->id) != 0)
                atomic_fetch_add(&crowd->faults, 1);
            *(unsigned *)store_frame(crowd->s, p) = me->id;
            held[nr++] = p;
        } else {
            unsigned at = (random >> 8) % nr;
            page_nr p = held[at];

            held[at] = held[--nr];
            if (*(unsigned *)store_frame(crowd->s, p) != me->id)
                atomic_fetch_add(&crowd->faults, 1);
            atomic_store(&crowd->owner[p], 0);
            store_page_free(crowd->s, p);
        }
    }
    while (nr > 0) {
        page_nr p = held[--nr];

        atomic_store(&crowd->owner[p], 0);
        store_page_free(crowd->s, p);
    }
    return NULL;
}

static void threads_never_hold_one_page(void)
{
    static struct crowd crowd;
    pthread_t threads[NR_THREADS];
    struct member members[NR_THREADS];
    static page_nr pages[MAX_PAGES];

    crowd.s = store_of(3 * STORE_CHUNK_PAGES, 0);
    store_set_limit(crowd.s, 900); /* fewer than they would like to hold */
    for (unsigned i = 0; i < NR_THREADS; i++) {
        members[i] = (struct member){&crowd, i + 1};
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, alloc_and_free, &members[i]) == 0);
    }
    for (int i = 0; i < 200; i++) { /* the control thread, meanwhile */
        store_set_limit(crowd.s, i % 2 ? 900 : 300);
        (void)store_shrink(crowd.s, 1);
        CU_ASSERT(store_usage(crowd.s).frames_used <= 3 * STORE_CHUNK_PAGES);
        usleep(200);
    }
    for (unsigned i = 0; i < NR_THREADS; i++)
        CU_ASSERT_FATAL(pthread_join(threads[i], NULL) == 0);
    CU_ASSERT_EQUAL(atomic_load(&crowd.faults), 0);
    CU_ASSERT_EQUAL(store_usage(crowd.s).frames_used, 0);
    store_set_limit(crowd.s, 1500);
    CU_ASSERT_EQUAL(alloc_all(crowd.s, DESC_FRAME, 0, 3 * STORE_CHUNK_PAGES, pages), 1500);
    store_close(crowd.s);
}

#define TESTS(T)                                                                                   \
    T(every_page_is_handed_out_once)                                                               \
    T(a_store_of_one_frame_works)                                                                  \
    T(a_page_given_back_is_handed_out_again)                                                       \
    T(no_frame_overlaps_another)                                                                   \
    T(a_limit_is_kept_to_the_page)                                                                 \
    T(a_lowered_limit_takes_effect_as_pages_are_freed)                                             \
    T(pages_freed_on_one_cpu_serve_another)                                                        \
    T(records_have_their_memory_from_the_start)                                                    \
    T(a_large_store_takes_memory_only_as_it_is_used)                                               \
    T(shrinking_gives_back_only_chunks_without_a_page_in_use)                                      \
    T(no_memory_for_frames_is_an_answer_and_costs_no_page)                                         \
    T(no_memory_for_descriptors_is_an_answer_and_costs_no_page)                                    \
    T(a_chunk_that_cannot_be_given_back_stays_usable)                                              \
    T(create_says_why_it_does_not)                                                                 \
    T(next_live_finds_every_live_page_and_no_other)                                                \
    T(misuse_is_a_bug)                                                                             \
    T(threads_never_hold_one_page)

RUN_TESTS(TESTS)
