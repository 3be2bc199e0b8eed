/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Killed at any instruction: a process that makes pages and records live and
 * dead is stepped one instruction at a time, and what it shares is looked at
 * after each as the next daemon would find it.
 */
#include <sys/mman.h>
#include <sys/ptrace.h>

#include "daemon/store/record.h"
#include "tests/unit/store_fixture.h"

/* Sanitizers make functions longer, and growth of a store touches many pages. */
#define MAX_STEPS 2000000

struct shown {
    struct desc *desc;
    void *frame;
    struct account_rec *account;
    struct pool_rec *pool;
    struct tombstone_rec *tombstone;
    struct ring_rec *ring;
};

/* How often what was seen after a step was dead, and of which generation it lived. */
struct seen {
    unsigned nr_dead;
    unsigned nr_live[4]; /* by generation */
    unsigned nr_faults;
};

/*
 * Run @act in a process of its own, look() after each of its instructions.
 * True: it ran to its end.
 */
static bool step_through(void (*act)(struct store *, const struct shown *), struct store *s,
                         const struct shown *shown,
                         void (*look)(const struct shown *, struct seen *), struct seen *seen)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        (void)raise(SIGSTOP);
        act(s, shown);
        (void)raise(SIGSTOP);
        _exit(0);
    }
    CU_ASSERT_FATAL(child > 0 && waitpid(child, &status, 0) == child);
    CU_ASSERT_FATAL(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    for (int i = 0; i < MAX_STEPS; i++) {
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0 ||
            waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
            break;
        if (WSTOPSIG(status) == SIGSTOP) {
            (void)kill(child, SIGKILL);
            (void)waitpid(child, &status, 0);
            return true;
        }
        if (WSTOPSIG(status) != SIGTRAP)
            break;
        look(shown, seen);
    }
    (void)kill(child, SIGKILL);
    (void)waitpid(child, &status, 0);
    return false;
}

static void count(struct seen *seen, uint64_t live, bool whole)
{
    uint64_t generation = live_generation(live);

    if (live == LIVE_DEAD)
        seen->nr_dead++;
    else if (whole && generation < 4)
        seen->nr_live[generation]++;
    else
        seen->nr_faults++;
}

/* ---- a page ---- */

static bool desc_says(const struct desc *d, uint64_t number)
{
    struct desc_key key = key_of(number);

    return memcmp(d->object, key.object, sizeof(key.object)) == 0 && d->index == key.index &&
           d->pool == key.pool;
}

static void look_at_page(const struct shown *shown, struct seen *seen)
{
    const struct desc *d = shown->desc;

    count(seen, d->live,
          desc_is_whole(d) && desc_says(d, live_generation(d->live) - 1) &&
              desc_content_is_whole(d, shown->frame));
}

/* The page's number is all there is: what is freed is handed out again at once. */
static void replace_page(struct store *s, const struct shown *shown)
{
    page_nr page = (page_nr)(shown->desc - store_desc(s, 0));

    desc_make_dead(store_desc(s, page));
    store_page_free(s, page);
    (void)put_page(s, 1);
}

static void a_page_is_dead_or_whole_after_every_instruction(void)
{
    struct store *s = store_of(1, 0);
    struct seen seen = {0};
    struct shown shown = {0};
    page_nr page;

    make_pool(s);
    page = put_page(s, 0);
    shown.desc = store_desc(s, page);
    shown.frame = store_frame(s, page);
    CU_ASSERT_FATAL(step_through(replace_page, s, &shown, look_at_page, &seen));
    CU_ASSERT_EQUAL(seen.nr_faults, 0);
    CU_ASSERT(seen.nr_live[1] > 0);
    CU_ASSERT(seen.nr_dead > 100); /* it was stepped, not run */
    CU_ASSERT(seen.nr_live[2] > 0);
    CU_ASSERT_EQUAL(seen.nr_live[3], 0);
    store_close(s);
}

static void replace_page_in_place(struct store *s, const struct shown *shown)
{
    struct desc_key key = key_of(2);
    uint64_t sum = desc_sum_filled(&key, 3, 9);

    (void)s;
    desc_make_dead(shown->desc);
    desc_make_live(shown->desc, &key, DESC_FILLED, sum, 3);
}

static void a_filled_page_is_dead_or_whole_after_every_instruction(void)
{
    struct store *s = store_of(1, 1);
    struct seen seen = {0};
    struct shown shown = {0};

    make_pool(s);
    shown.desc = store_desc(s, put_filled(s, 0));
    CU_ASSERT_FATAL(step_through(replace_page_in_place, s, &shown, look_at_page, &seen));
    CU_ASSERT_EQUAL(seen.nr_faults, 0);
    CU_ASSERT(seen.nr_live[1] > 0);
    CU_ASSERT(seen.nr_dead > 10);
    CU_ASSERT(seen.nr_live[3] > 0);
    store_close(s);
}

/* ---- records ---- */

static void look_at_records(const struct shown *shown, struct seen *seen)
{
    count(seen, shown->account->live,
          account_rec_is_whole(shown->account) &&
              shown->account->id == live_generation(shown->account->live));
    count(seen, shown->pool->live,
          pool_rec_is_whole(shown->pool) &&
              shown->pool->account == live_generation(shown->pool->live));
    count(seen, shown->tombstone->live,
          tombstone_rec_is_whole(shown->tombstone) &&
              shown->tombstone->last == live_generation(shown->tombstone->live));
    count(seen, shown->ring->live, ring_rec_is_whole(shown->ring));
}

static void make_records(const struct shown *shown, uint32_t generation)
{
    shown->account->id = generation;
    account_rec_make_live(shown->account, generation);
    shown->pool->account = generation;
    pool_rec_make_live(shown->pool, generation);
    shown->tombstone->last = generation;
    tombstone_rec_make_live(shown->tombstone, generation);
    shown->ring->ring = generation;
    ring_rec_make_live(shown->ring);
}

static void replace_records(struct store *s, const struct shown *shown)
{
    (void)s;
    rec_make_dead(&shown->account->live);
    rec_make_dead(&shown->pool->live);
    rec_make_dead(&shown->tombstone->live);
    rec_make_dead(&shown->ring->live);
    make_records(shown, 2);
}

static void a_record_is_dead_or_whole_after_every_instruction(void)
{
    struct store *s = store_of(1, 0);
    struct seen seen = {0};
    struct shown shown = {
        .account = store_accounts(s),
        .pool = store_pools(s),
        .tombstone = store_tombstones(s),
        .ring = store_rings(s),
    };

    make_records(&shown, 1);
    CU_ASSERT_FATAL(step_through(replace_records, s, &shown, look_at_records, &seen));
    CU_ASSERT_EQUAL(seen.nr_faults, 0);
    CU_ASSERT(seen.nr_live[1] > 0);
    CU_ASSERT(seen.nr_dead > 100);
    CU_ASSERT(seen.nr_live[2] > 0);
    store_close(s);
}

/* ---- that the stepping sees what it ought to ---- */

static void write_live_word_first(struct store *s, const struct shown *shown)
{
    struct desc_key key = key_of(1);
    volatile struct desc *d = shown->desc;
    struct desc whole = {.kind = DESC_FILLED};

    (void)s;
    desc_make_live(&whole, &key, DESC_FILLED, desc_sum_filled(&key, 2, 9), 2);
    d->live = LIVE_DEAD;
    d->live = whole.live;
    d->sum = whole.sum;
    d->index = whole.index;
    for (int i = 0; i < 3; i++)
        d->object[i] = whole.object[i];
}

static void a_wrong_order_of_stores_is_seen(void)
{
    struct store *s = store_of(1, 1);
    struct seen seen = {0};
    struct shown shown = {0};

    make_pool(s);
    shown.desc = store_desc(s, put_filled(s, 0));
    CU_ASSERT_FATAL(step_through(write_live_word_first, s, &shown, look_at_page, &seen));
    CU_ASSERT(seen.nr_faults > 0);
    store_close(s);
}

#define TESTS(T)                                                                                   \
    T(a_page_is_dead_or_whole_after_every_instruction)                                             \
    T(a_filled_page_is_dead_or_whole_after_every_instruction)                                      \
    T(a_record_is_dead_or_whole_after_every_instruction)                                           \
    T(a_wrong_order_of_stores_is_seen)

RUN_TESTS(TESTS)
