/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The structures below the engine: table, slab, object index, queue, ghosts, leases. */
#include "tests/lib/runner.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/engine/ghost.h"
#include "daemon/engine/lease.h"
#include "daemon/engine/object_index.h"
#include "daemon/engine/queue.h"
#include "daemon/engine/slab.h"
#include "daemon/engine/table.h"
#include "daemon/engine/use.h"

/* ---- table: numbers whose hash is a function of the number ---- */

static uint64_t spread(uint32_t value)
{
    return XXH3_64bits_withSeed(&value, sizeof(value), 42);
}

static uint64_t hash_of(const void *context, uint32_t value)
{
    return *(const bool *)context ? 0x77777777ull << 32 : spread(value);
}

static void prefetch_nothing(const void *context, uint32_t value)
{
    (void)context;
    (void)value;
}

static bool is_number(const void *context, uint32_t value)
{
    return *(const uint32_t *)context == value;
}

static bool finds(const struct table *t, uint64_t hash, uint32_t value)
{
    const uint32_t *slot = table_seek(t, hash, is_number, &value);

    return slot && table_value(t, *slot) == value;
}

static void table_finds_all_that_was_entered_while_it_grows_and_shrinks(void)
{
    static const bool alike = false;
    struct table_owner owner = {&alike, hash_of, prefetch_nothing};
    const uint32_t nr = 200000;
    struct heap heap = {0};
    struct table t;
    uint32_t lost = 0, extra = 0;

    CU_ASSERT_FATAL(table_init(&t, &heap, 20, nr, &owner));
    for (uint32_t i = 0; i < nr; i++) {
        uint32_t older = i / 2;

        CU_ASSERT_FATAL(table_insert(&t, spread(i), i));
        lost += !finds(&t, spread(older), older);
        extra += finds(&t, spread(i + 1), i + 1);
    }
    for (uint32_t i = 0; i < nr; i++)
        lost += !finds(&t, spread(i), i);
    CU_ASSERT_EQUAL(lost, 0);
    CU_ASSERT_EQUAL(extra, 0);
    for (uint32_t i = 0; i < nr; i += 3)
        table_remove(&t, table_seek(&t, spread(i), is_number, &i));
    for (uint32_t i = 0; i < nr; i++)
        lost += finds(&t, spread(i), i) != (i % 3 != 0);
    CU_ASSERT_EQUAL(lost, 0);
    CU_ASSERT_EQUAL(t.nr_used, nr - (nr + 2) / 3);
    table_fini(&t);
    CU_ASSERT_EQUAL(atomic_load(&heap.bytes), 0);
}

static void full_table_takes_less_than_five_bytes_an_entry(void)
{
    static const bool alike = false;
    struct table_owner owner = {&alike, hash_of, prefetch_nothing};
    const uint32_t nr = 100000;
    struct heap heap = {0};
    struct table t;

    CU_ASSERT_FATAL(table_init(&t, &heap, 24, nr, &owner));
    for (uint32_t i = 0; i < nr; i++)
        CU_ASSERT_FATAL(table_insert(&t, spread(i), i));
    CU_ASSERT(t.old.slots == NULL);
    CU_ASSERT(atomic_load(&heap.bytes) < nr * 45 / 10);
    table_fini(&t);
}

/* Shards that got more than their share are many, and most of them have just outgrown it. */
static void table_beyond_its_fair_share_is_small_and_soon_of_one_side(void)
{
    static const bool alike = false;
    struct table_owner owner = {&alike, hash_of, prefetch_nothing};
    const uint32_t fair = 20000, nr = 2 * fair;
    struct heap heap = {0};
    struct table t;
    uint32_t two_sided = 0, wasteful = 0;

    CU_ASSERT_FATAL(table_init(&t, &heap, 20, fair, &owner));
    for (uint32_t i = 0; i < nr; i++) {
        CU_ASSERT_FATAL(table_insert(&t, spread(i), i));
        if (i < fair)
            continue;
        two_sided += t.old.slots != NULL;
        /* 4.1 bytes an entry when it is about to grow, an eighth more when it has */
        wasteful += !t.old.slots && atomic_load(&heap.bytes) > (uint64_t)i * 47 / 10;
    }
    CU_ASSERT(two_sided > 0);
    CU_ASSERT(two_sided < (nr - fair) / 6);
    CU_ASSERT_EQUAL(wasteful, 0);
    table_fini(&t);
}

/*
 * Small tables, as full as they get, with numbers that come and go. An entry may have the same
 * bucket twice there, and the search for a free place may come by again.
 */
static void full_table_of_few_buckets_takes_every_number(void)
{
    static const bool alike = false;
    struct table_owner owner = {&alike, hash_of, prefetch_nothing};
    uint32_t next = 0, refused = 0, grown = 0;

    for (uint32_t fair = 100; fair < 400; fair++) {
        struct heap heap = {0};
        struct table t;
        uint32_t first = next, size;

        CU_ASSERT_FATAL(table_init(&t, &heap, 24, fair, &owner));
        size = t.now.nr_buckets;
        for (; next - first < size * TABLE_BUCKET * 96 / 100; next++)
            refused += !table_insert(&t, spread(next), next);
        for (uint32_t i = 0; i < 10000; i++, first++, next++) {
            table_remove(&t, table_seek(&t, spread(first), is_number, &first));
            refused += !table_insert(&t, spread(next), next);
        }
        grown += t.now.nr_buckets != size;
        table_fini(&t);
    }
    CU_ASSERT_EQUAL(refused, 0);
    CU_ASSERT_EQUAL(grown, 0);
}

/* A guest that could aim at one place would find a bound, and an answer. */
static void entries_that_all_hash_to_one_place_are_refused_and_none_is_lost(void)
{
    static const bool alike = true;
    struct table_owner owner = {&alike, hash_of, prefetch_nothing};
    struct heap heap = {0};
    struct table t;
    uint32_t nr = 0;

    CU_ASSERT_FATAL(table_init(&t, &heap, 20, 1000, &owner));
    while (nr < 1000 && table_insert(&t, hash_of(&alike, nr), nr))
        nr++;
    CU_ASSERT(nr >= 16 && nr < 1000);
    for (uint32_t i = 0; i < nr; i++)
        CU_ASSERT(finds(&t, hash_of(&alike, i), i));
    CU_ASSERT(!finds(&t, hash_of(&alike, nr), nr));
    CU_ASSERT_EQUAL(t.nr_used, nr);
    table_fini(&t);
    CU_ASSERT_EQUAL(atomic_load(&heap.bytes), 0);
}

static void table_guesses_what_has_the_tag(void)
{
    static const bool alike = false;
    struct table_owner owner = {&alike, hash_of, prefetch_nothing};
    const uint32_t nr = 20000;
    struct heap heap = {0};
    struct table t;
    uint32_t right = 0, made_up = 0, guess;

    CU_ASSERT_FATAL(table_init(&t, &heap, 16, nr, &owner));
    CU_ASSERT(!table_guess(&t, 1ull << 16, &guess));
    /* the tag of a free place is 0: that is not an entry */
    CU_ASSERT(!table_guess(&t, 0, &guess));
    for (uint32_t i = 0; i < nr; i++)
        CU_ASSERT_FATAL(table_insert(&t, spread(i), i));
    for (uint32_t i = 0; i < nr; i++)
        right += table_guess(&t, spread(i), &guess) && guess == i;
    for (uint32_t i = nr; i < 2 * nr; i++)
        made_up += table_guess(&t, spread(i), &guess);
    /* a tag of 16 bits: nearly every guess is right, nearly no absent number is made up */
    CU_ASSERT(right > nr - nr / 100);
    CU_ASSERT(made_up < nr / 100);
    table_fini(&t);
}

static void table_lists_each_number_once(void)
{
    static const bool alike = false;
    struct table_owner owner = {&alike, hash_of, prefetch_nothing};
    static unsigned char seen[5000];
    struct heap heap = {0};
    struct table t;
    uint64_t cursor = 0;
    uint32_t value, wrong = 0;

    CU_ASSERT_FATAL(table_init(&t, &heap, 20, 100, &owner));
    for (uint32_t i = 0; i < sizeof(seen); i++)
        CU_ASSERT_FATAL(table_insert(&t, spread(i), i));
    while (table_next(&t, &cursor, &value))
        seen[value]++;
    for (uint32_t i = 0; i < sizeof(seen); i++)
        wrong += seen[i] != 1;
    CU_ASSERT_EQUAL(wrong, 0);
    table_fini(&t);
}

/* ---- slab ---- */

static void slab_items_are_zero_and_stay_where_they_are(void)
{
    struct heap heap = {0};
    struct slab s;
    uint64_t *first;

    CU_ASSERT_FATAL(slab_init(&s, &heap, 16, 6000));
    for (uint32_t i = 0; i < 6000; i++) {
        uint64_t *item;

        CU_ASSERT_EQUAL_FATAL(slab_take(&s), i);
        item = slab_at(&s, i);
        CU_ASSERT_EQUAL(item[0] | item[1], 0);
        item[0] = item[1] = i + 1;
    }
    first = slab_at(&s, 7);
    CU_ASSERT_EQUAL(first[0], 8);
    slab_give(&s, 7);
    slab_give(&s, 300);
    CU_ASSERT_EQUAL(slab_take(&s), 300);
    CU_ASSERT_EQUAL(slab_take(&s), 7);
    CU_ASSERT_EQUAL(first[0] | first[1], 0);
    CU_ASSERT_EQUAL(s.nr_used, 6000);
    CU_ASSERT_EQUAL(slab_take(&s), SLAB_NONE);
    slab_fini(&s);
    CU_ASSERT_EQUAL(atomic_load(&heap.bytes), 0);
}

/* ---- object index ---- */

#define NR_DESCS 4096u

struct objects {
    struct heap heap;
    struct desc descs[NR_DESCS];
    struct object_index ix;
};

static struct objects *objects_make(void)
{
    struct objects *o = calloc(1, sizeof(*o));

    if (!o || !object_index_init(&o->ix, &o->heap, o->descs, NR_DESCS, NR_DESCS, 1))
        abort();
    return o;
}

static void objects_end(struct objects *o)
{
    object_index_fini(&o->ix);
    CU_ASSERT_EQUAL(atomic_load(&o->heap.bytes), 0);
    free(o);
}

static struct handle page_at(struct objects *o, page_nr page, uint64_t object, uint32_t index)
{
    uint64_t id[3] = {object, 0, 0};
    struct handle h = handle_of(1, id, index, 3);

    memcpy(o->descs[page].object, id, sizeof(id));
    o->descs[page].index = index;
    o->descs[page].pool = 3;
    return h;
}

static uint64_t walk_count(struct objects *o, const struct handle *h, uint32_t first, uint32_t last)
{
    struct object_walk walk;
    uint32_t indexes[EXTENT_PAGES];
    uint64_t nr_all = 0;
    unsigned nr;
    bool more;

    object_walk_begin(&o->ix, h, first, last, &walk);
    do {
        more = object_walk_step(&o->ix, h, &walk, indexes, &nr);
        nr_all += nr;
    } while (more);
    return nr_all;
}

static void object_of_one_page_has_no_record(void)
{
    struct objects *o = objects_make();
    struct handle h = page_at(o, 5, 1, 77);

    CU_ASSERT(object_index_add(&o->ix, &h, 5));
    CU_ASSERT_EQUAL(o->ix.records.nr_used, 0);
    CU_ASSERT(object_index_has(&o->ix, &h, 5));
    CU_ASSERT_EQUAL(walk_count(o, &h, 0, UINT32_MAX), 1);
    CU_ASSERT_EQUAL(walk_count(o, &h, 78, UINT32_MAX), 0);
    object_index_swing(&o->ix, &h, 5, 6);
    page_at(o, 6, 1, 77);
    CU_ASSERT(object_index_has(&o->ix, &h, 6));
    object_index_remove(&o->ix, &h, 6);
    CU_ASSERT_EQUAL(walk_count(o, &h, 0, UINT32_MAX), 0);
    objects_end(o);
}

static void object_of_many_pages_costs_less_than_a_byte_each(void)
{
    struct objects *o = objects_make();
    uint64_t empty = atomic_load(&o->heap.bytes), nr_pages;

    for (page_nr page = 0; page < NR_DESCS; page++) {
        struct handle h = page_at(o, page, page / 256, page % 256);

        CU_ASSERT_FATAL(object_index_add(&o->ix, &h, page));
    }
    CU_ASSERT_PTR_NULL(object_index_check(&o->ix, &nr_pages));
    CU_ASSERT_EQUAL(nr_pages, NR_DESCS);
    CU_ASSERT_EQUAL(o->ix.records.nr_used, NR_DESCS / 256);
    CU_ASSERT_EQUAL(o->ix.runs.nr_used, NR_DESCS / 64);
    /* of what the slabs have in use; chunks and tables have their own grain */
    CU_ASSERT(o->ix.records.nr_used * sizeof(struct object) +
                  o->ix.runs.nr_used * (sizeof(struct extent) + 5) <
              NR_DESCS);
    CU_ASSERT(atomic_load(&o->heap.bytes) > empty);
    for (page_nr page = 0; page < NR_DESCS; page++) {
        struct handle h = page_at(o, page, page / 256, page % 256);

        object_index_remove(&o->ix, &h, page);
    }
    CU_ASSERT_PTR_NULL(object_index_check(&o->ix, &nr_pages));
    CU_ASSERT_EQUAL(nr_pages, 0);
    CU_ASSERT_EQUAL(o->ix.records.nr_used + o->ix.runs.nr_used, 0);
    objects_end(o);
}

static void walk_finds_what_was_there_although_pages_come_and_go(void)
{
    struct objects *o = objects_make();
    struct handle h = page_at(o, 0, 1, 0);
    static unsigned char seen[64000];
    struct object_walk walk;
    uint32_t indexes[EXTENT_PAGES];
    unsigned nr, steps = 0, missing = 0;
    bool more;

    /* an extent each */
    for (page_nr page = 0; page < 1000; page++) {
        struct handle one = page_at(o, page, 1, page * 64);

        CU_ASSERT_FATAL(object_index_add(&o->ix, &one, page));
    }
    object_walk_begin(&o->ix, &h, 0, UINT32_MAX, &walk);
    CU_ASSERT(walk.by_list);
    do {
        struct handle other = page_at(o, 2000 + steps, 1, 100000 + steps * 64);

        more = object_walk_step(&o->ix, &h, &walk, indexes, &nr);
        for (unsigned i = 0; i < nr; i++) {
            if (indexes[i] < sizeof(seen))
                seen[indexes[i]] = 1;
        }
        /* a new one, and one that was there goes */
        CU_ASSERT_FATAL(object_index_add(&o->ix, &other, 2000 + steps));
        if (steps % 2) {
            struct handle gone = page_at(o, 999 - steps / 2, 1, (999 - steps / 2) * 64);

            object_index_remove(&o->ix, &gone, 999 - steps / 2);
            seen[(999 - steps / 2) * 64] = 1;
        }
        steps++;
    } while (more && steps < 1100);
    for (page_nr page = 0; page < 1000; page++)
        missing += !seen[page * 64];
    CU_ASSERT_EQUAL(missing, 0);
    CU_ASSERT(!more);
    objects_end(o);
}

/* ---- queue ---- */

#define NR_QUEUED 100u

struct queued {
    struct queue q;
    struct page_link links[NR_QUEUED];
    struct desc descs[NR_QUEUED];
};

static struct queued *queued_make(void)
{
    struct queued *s = calloc(1, sizeof(*s));

    if (!s)
        abort();
    queue_init(&s->q);
    for (page_nr page = 0; page < NR_QUEUED; page++) {
        s->descs[page].live = live_word(page + 1, 0);
        queue_push(&s->q, s->links, s->descs, page, false);
    }
    return s;
}

/* With two uses to pass; from the small queue while that is due, as it is in a pool of one shard.
 */
static page_nr evict(struct queued *s)
{
    static const struct queue_rule rule = {.small_percent = 10, .uses_to_pass = 2};
    struct queue_search search = {
        .from = queue_small_is_due(&rule, page_list_nr(&s->q.small), page_list_nr(&s->q.main))
                    ? QUEUE_SMALL
                    : QUEUE_MAIN,
        .uses_to_pass = rule.uses_to_pass,
        .steps = 2 * NR_QUEUED};
    page_nr page = queue_victim(&s->q, s->links, s->descs, &search);

    if (page != LAYOUT_NONE)
        queue_remove(&s->q, s->links, s->descs, page);
    return page;
}

static void use(struct queued *s, page_nr page, unsigned times)
{
    while (times--)
        use_add(&s->descs[page].use);
}

static void pages_not_asked_for_go_in_the_order_they_came(void)
{
    struct queued *s = queued_make();

    for (page_nr page = 0; page < NR_QUEUED; page++)
        CU_ASSERT_EQUAL(evict(s), page);
    CU_ASSERT_EQUAL(evict(s), LAYOUT_NONE);
    free(s);
}

static void pages_used_twice_outlive_a_scan(void)
{
    struct queued *s = queued_make();

    for (page_nr page = 0; page < NR_QUEUED; page += 10)
        use(s, page, 2);
    /* until the small queue is down to its share of a tenth */
    for (unsigned i = 0; i < NR_QUEUED - 12; i++)
        CU_ASSERT_NOT_EQUAL(evict(s) % 10, 0);
    CU_ASSERT_EQUAL(page_list_nr(&s->q.main), 10);
    CU_ASSERT_EQUAL(evict(s), 98);
    CU_ASSERT_EQUAL(evict(s), 0);
    CU_ASSERT_EQUAL(evict(s), 99);
    for (unsigned i = 1; i < 10; i++)
        CU_ASSERT_EQUAL(evict(s), i * 10);
    free(s);
}

static void page_used_once_does_not_outlive_the_small_queue(void)
{
    struct queued *s = queued_make();

    use(s, 0, 1);
    use(s, 1, 2);
    CU_ASSERT_EQUAL(evict(s), 0);
    CU_ASSERT_EQUAL(evict(s), 2);
    CU_ASSERT_EQUAL(page_list_nr(&s->q.main), 1);
    free(s);
}

static void page_of_the_main_queue_goes_round_once_for_each_use(void)
{
    struct queued *s = queued_make();

    for (page_nr page = 0; page < NR_QUEUED; page++)
        use(s, page, 2);
    /* all pass, which takes their uses, and then they go in order */
    CU_ASSERT_EQUAL(evict(s), 0);
    CU_ASSERT_EQUAL(evict(s), 1);
    use(s, 2, 9); /* three count */
    use(s, 3, 1);
    for (page_nr page = 4; page < NR_QUEUED; page++)
        CU_ASSERT_EQUAL(evict(s), page);
    CU_ASSERT_EQUAL(use_count(s->descs[2].use), 2);
    CU_ASSERT_EQUAL(evict(s), 3);
    CU_ASSERT_EQUAL(evict(s), 2);
    free(s);
}

static void queue_that_is_wished_for_is_asked_first(void)
{
    struct queued *s = queued_make();
    struct queue_search from_main = {.from = QUEUE_MAIN, .uses_to_pass = 2, .steps = 1},
                        from_small = {.from = QUEUE_SMALL, .uses_to_pass = 2, .steps = 1};

    CU_ASSERT_EQUAL(queue_victim(&s->q, s->links, s->descs, &from_main), 0);
    queue_remove(&s->q, s->links, s->descs, 7);
    queue_push(&s->q, s->links, s->descs, 7, true);
    CU_ASSERT_EQUAL(queue_victim(&s->q, s->links, s->descs, &from_main), 7);
    CU_ASSERT_EQUAL(queue_victim(&s->q, s->links, s->descs, &from_small), 0);
    free(s);
}

static void search_ends_after_its_steps_and_one_of_none_takes_the_first_page(void)
{
    struct queued *s = queued_make();
    struct queue_search three = {.from = QUEUE_SMALL, .uses_to_pass = 1, .steps = 3},
                        none = {.from = QUEUE_SMALL, .uses_to_pass = 1};

    for (page_nr page = 0; page < NR_QUEUED; page++)
        use(s, page, 1);
    CU_ASSERT_EQUAL(queue_victim(&s->q, s->links, s->descs, &three), LAYOUT_NONE);
    CU_ASSERT_EQUAL(three.moved, 3);
    CU_ASSERT_EQUAL(page_list_nr(&s->q.main), 3);
    CU_ASSERT_EQUAL(queue_victim(&s->q, s->links, s->descs, &none), 3);
    CU_ASSERT_EQUAL(none.moved, 0);
    free(s);
}

static void pinned_pages_and_a_queue_of_them_are_left_alone(void)
{
    struct queued *s = queued_make();

    s->descs[0].use++;
    s->descs[1].use++;
    CU_ASSERT_EQUAL(evict(s), 2);
    for (page_nr page = 3; page < NR_QUEUED; page++)
        s->descs[page].use++;
    CU_ASSERT_EQUAL(evict(s), LAYOUT_NONE);
    s->descs[1].use--;
    CU_ASSERT_EQUAL(evict(s), 1);
    free(s);
}

static void dead_pages_go_first_though_they_were_asked_for(void)
{
    struct queued *s = queued_make();
    struct queue_search search = {.from = QUEUE_SMALL, .uses_to_pass = 2, .floor = 5, .steps = 1};

    use(s, 0, 2);
    CU_ASSERT_EQUAL(queue_victim(&s->q, s->links, s->descs, &search), 0);
    free(s);
}

static void page_takes_the_place_of_the_one_it_replaces_and_is_used_once_more(void)
{
    struct queued *s = queued_make();

    queue_remove(&s->q, s->links, s->descs, 99);
    use(s, 0, 1);
    queue_replace(&s->q, s->links, s->descs, 0, 99);
    CU_ASSERT_EQUAL(use_count(s->descs[99].use), 2);
    use_clear(&s->descs[99].use, USE_USES);
    CU_ASSERT_EQUAL(evict(s), 99);
    CU_ASSERT_EQUAL(evict(s), 1);
    CU_ASSERT_EQUAL(queue_nr(&s->q), 97);
    free(s);
}

/* ---- ghosts, leases ---- */

static void ghosts_are_found_once_and_the_oldest_are_forgotten(void)
{
    struct heap heap = {0};
    struct ghosts g;
    unsigned found = 0, false_hits = 0;

    CU_ASSERT_FATAL(ghosts_init(&g, &heap, 1000));
    for (uint32_t i = 0; i < 3000; i++)
        ghosts_add(&g, spread(i));
    for (uint32_t i = 10000; i < 20000; i++)
        false_hits += ghosts_take(&g, spread(i), 100);
    CU_ASSERT(false_hits < 50);
    for (uint32_t i = 2500; i < 3000; i++)
        found += ghosts_take(&g, spread(i), 100);
    CU_ASSERT(found > 450);
    found = 0;
    for (uint32_t i = 2500; i < 3000; i++)
        found += ghosts_take(&g, spread(i), 100);
    CU_ASSERT(found < 10);
    found = 0;
    for (uint32_t i = 0; i < 500; i++)
        found += ghosts_take(&g, spread(i), 100);
    CU_ASSERT(found < 10);
    ghosts_fini(&g);
    CU_ASSERT_EQUAL(atomic_load(&heap.bytes), 0);
}

static void ghost_counts_only_while_it_is_among_the_young_ones(void)
{
    struct heap heap = {0};
    struct ghosts g;
    unsigned young = 0, old = 0;

    CU_ASSERT_FATAL(ghosts_init(&g, &heap, 10000));
    for (uint32_t i = 0; i < 10000; i++)
        ghosts_add(&g, spread(i));
    for (uint32_t i = 2000; i < 4000; i++)
        old += ghosts_take(&g, spread(i), 40);
    for (uint32_t i = 8000; i < 10000; i++)
        young += ghosts_take(&g, spread(i), 40);
    CU_ASSERT(old < 100);
    CU_ASSERT(young > 1900);
    /* also those that were too old are gone */
    for (uint32_t i = 2000; i < 4000; i++)
        old += ghosts_take(&g, spread(i), 100);
    CU_ASSERT(old < 120);
    ghosts_fini(&g);
}

static void c31_counter_that_wraps_brings_no_lease_back(void)
{
    static struct leases l;
    uint64_t object[3] = {1, 2, 3};
    struct handle h = handle_of(9, object, 4, 5);
    struct tmemif_lease lease;

    for (unsigned i = 0; i < 2; i++) {
        uint64_t *counter = i ? lease_object_counter(&l, &h) : lease_handle_counter(&l, &h);

        l.salt = 0x80000000u;
        lease = lease_now(&l, &h, 7);
        CU_ASSERT(lease_is_valid(&l, &h, 7, &lease));
        *counter += 1ull << 32;
        CU_ASSERT(!lease_is_valid(&l, &h, 7, &lease));
        *counter += 1;
        CU_ASSERT(!lease_is_valid(&l, &h, 7, &lease));
        lease = lease_now(&l, &h, 7);
        CU_ASSERT(lease_is_valid(&l, &h, 7, &lease));
        CU_ASSERT(!lease_is_valid(&l, &h, 8, &lease));
    }
}

#define TESTS(T)                                                                                   \
    T(table_finds_all_that_was_entered_while_it_grows_and_shrinks)                                 \
    T(full_table_takes_less_than_five_bytes_an_entry)                                              \
    T(table_beyond_its_fair_share_is_small_and_soon_of_one_side)                                   \
    T(full_table_of_few_buckets_takes_every_number)                                                \
    T(entries_that_all_hash_to_one_place_are_refused_and_none_is_lost)                             \
    T(table_guesses_what_has_the_tag)                                                              \
    T(table_lists_each_number_once)                                                                \
    T(slab_items_are_zero_and_stay_where_they_are)                                                 \
    T(object_of_one_page_has_no_record)                                                            \
    T(object_of_many_pages_costs_less_than_a_byte_each)                                            \
    T(walk_finds_what_was_there_although_pages_come_and_go)                                        \
    T(pages_not_asked_for_go_in_the_order_they_came)                                               \
    T(pages_used_twice_outlive_a_scan)                                                             \
    T(page_used_once_does_not_outlive_the_small_queue)                                             \
    T(queue_that_is_wished_for_is_asked_first)                                                     \
    T(search_ends_after_its_steps_and_one_of_none_takes_the_first_page)                            \
    T(page_of_the_main_queue_goes_round_once_for_each_use)                                         \
    T(pinned_pages_and_a_queue_of_them_are_left_alone)                                             \
    T(dead_pages_go_first_though_they_were_asked_for)                                              \
    T(page_takes_the_place_of_the_one_it_replaces_and_is_used_once_more)                           \
    T(ghosts_are_found_once_and_the_oldest_are_forgotten)                                          \
    T(ghost_counts_only_while_it_is_among_the_young_ones)                                          \
    T(c31_counter_that_wraps_brings_no_lease_back)

RUN_TESTS(TESTS)
