/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a private pool promises of its pages: C1, C3 to C5, C8, C9, C11 to C15, C20 to C22. */
#include <string.h>

#include "protocol/codec.h"
#include "tests/conformance/harness.h"
#include "tests/conformance/page.h"

#define EPHEMERAL  0u
#define PERSISTENT TMEMIF_POOL_PERSISTENT
#define INCLUSIVE  TMEMIF_POOL_INCLUSIVE

static const uint32_t kinds[] = {EPHEMERAL, PERSISTENT, INCLUSIVE};
#define FOR_KINDS(k) for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)

static void put_and_get_copy(struct harness *h)
{
    uint32_t pool;

    /* the guest overwrites its page after each put, and what it got after each get */
    EXPECT_IS(create(h, 0, PERSISTENT, &pool), OK);
    EXPECT_IS(put(h, 0, pool, 1, 0, 1001), OK);
    EXPECT(holds(h, 0, pool, 1, 0, 1001));
    EXPECT(holds(h, 0, pool, 1, 0, 1001));
}

static void accepted_pages_of_a_persistent_pool_stay(struct harness *h)
{
    uint32_t pool, ephemeral;

    EXPECT_IS(create(h, 0, PERSISTENT, &pool), OK);
    EXPECT_IS(create(h, 1, EPHEMERAL, &ephemeral), OK);
    EXPECT(fill(h, 0, pool, 1, 80, 500).nr_ok == 80);
    fill(h, 1, ephemeral, 1, 2 * h->nr_frames, 9000);
    EXPECT(scan(h, 0, pool, 1, 80, 500).nr_ok == 80);
    EXPECT(scan(h, 0, pool, 1, 80, 500).nr_ok == 80);
}

static void an_ephemeral_page_may_miss_and_is_never_wrong(struct harness *h)
{
    uint32_t pool, nr_objects = h->slow ? 3 : 8;
    struct call seen;

    EXPECT_IS(create(h, 0, EPHEMERAL, &pool), OK);
    /* more noise than fits: same-filled pages take no frame */
    for (uint32_t object = 0; object < nr_objects; object++)
        fill(h, 0, pool, object, h->nr_frames, object * 0x100000);
    for (uint32_t object = 0; object < nr_objects; object++) {
        seen = scan(h, 0, pool, object, h->nr_frames, object * 0x100000);
        EXPECT(seen.nr_wrong == 0);
        EXPECT(seen.nr_ok + seen.nr_missed == h->nr_frames);
    }
}

static void a_second_put_hides_the_first(struct harness *h)
{
    FOR_KINDS(k)
    {
        uint32_t pool;

        EXPECT_IS(create(h, 0, kinds[k], &pool), OK);
        for (uint32_t tag = 1; tag < (h->slow ? 5 : 20); tag++) {
            EXPECT_IS(put(h, 0, pool, 1, 0, 100 + tag), OK);
            EXPECT_IS(put(h, 0, pool, 1, 0, 200 + tag), OK);
            EXPECT(holds(h, 0, pool, 1, 0, 200 + tag));
        }
    }
}

static void a_refused_second_put_hides_the_first_too(struct harness *h)
{
    FOR_KINDS(k)
    {
        uint32_t pool;

        EXPECT_IS(create(h, 0, kinds[k], &pool), OK);
        EXPECT_IS(put(h, 0, pool, 1, 0, 101), OK);
        EXPECT(freeze(h, 0, true));
        EXPECT_IS(put(h, 0, pool, 1, 0, 202), FROZEN);
        EXPECT(misses(h, 0, pool, 1, 0));
        EXPECT(freeze(h, 0, false));
        EXPECT(misses(h, 0, pool, 1, 0));
    }
}

static void a_miss_stays_a_miss_until_a_put(struct harness *h)
{
    struct call seen, again;
    uint32_t pool, other;

    EXPECT_IS(create(h, 0, INCLUSIVE, &pool), OK);
    EXPECT_IS(create(h, 1, EPHEMERAL, &other), OK);
    fill(h, 0, pool, 1, 2 * h->nr_frames, 1);
    seen = scan(h, 0, pool, 1, 2 * h->nr_frames, 1);
    EXPECT(seen.nr_wrong == 0);
    /* others come and go, what was missed does not come back: pages only get fewer */
    for (unsigned i = 0; i < 4; i++) {
        fill(h, 1, other, i, h->nr_frames / 4, 77777);
        flush_object(h, 1, other, i);
        again = scan(h, 0, pool, 1, 2 * h->nr_frames, 1);
        EXPECT(again.nr_wrong == 0 && again.nr_ok <= seen.nr_ok);
        seen = again;
    }
    EXPECT(misses(h, 0, pool, 2, 0));
    EXPECT(misses(h, 0, pool, 2, 0));
    EXPECT_IS(put(h, 0, pool, 2, 0, 5), OK);
    EXPECT(holds(h, 0, pool, 2, 0, 5));
}

static void an_exclusive_hit_takes_the_page(struct harness *h)
{
    uint32_t pool;

    EXPECT_IS(create(h, 0, EPHEMERAL, &pool), OK);
    EXPECT_IS(put(h, 0, pool, 1, 0, 7), OK);
    EXPECT(holds(h, 0, pool, 1, 0, 7));
    EXPECT(misses(h, 0, pool, 1, 0));
    EXPECT(info(h, 0, pool).nr_pages == 0);
}

static void an_inclusive_hit_leaves_the_page(struct harness *h)
{
    uint32_t pool;

    EXPECT_IS(create(h, 0, INCLUSIVE, &pool), OK);
    EXPECT_IS(put(h, 0, pool, 1, 0, 7), OK);
    EXPECT(holds(h, 0, pool, 1, 0, 7));
    EXPECT(holds(h, 0, pool, 1, 0, 7));
}

static void of_two_gets_at_once_one_has_the_page(struct harness *h)
{
    uint32_t pool;

    EXPECT_IS(create(h, 0, EPHEMERAL, &pool), OK);
    for (unsigned round = 0; round < (h->slow ? 3 : 10); round++) {
        struct call c = {.act = ACT_RACE, .pool = pool, .object = {1, 2, 3}, .last = 49, .tag = 50};

        EXPECT(fill(h, 0, pool, 1, 50, 50).nr_ok == 50);
        EXPECT_IS(call_run(h, 0, &c), OK);
        EXPECT(c.nr_wrong == 0);
        EXPECT(c.nr_ok == 50); /* nothing presses them out: each was had, and once */
    }
}

static void a_persistent_hit_leaves_the_page(struct harness *h)
{
    uint32_t pool;

    EXPECT_IS(create(h, 0, PERSISTENT, &pool), OK);
    EXPECT_IS(put(h, 0, pool, 1, 0, 7), OK);
    for (unsigned i = 0; i < 5; i++)
        EXPECT(holds(h, 0, pool, 1, 0, 7));
    EXPECT(info(h, 0, pool).nr_pages == 1);
}

static void a_get_that_misses_changes_nothing(struct harness *h)
{
    uint32_t pool;

    EXPECT_IS(create(h, 0, PERSISTENT, &pool), OK);
    EXPECT_IS(put(h, 0, pool, 1, 0, 9), OK);
    EXPECT(misses(h, 0, pool, 1, 1)); /* get() looks at the guest's page */
    EXPECT(holds(h, 0, pool, 1, 0, 9));
}

static bool copies_can_fail(const struct harness *h)
{
    return h->can_fail_copy;
}

static void a_get_to_a_bad_page_leaves_the_stored_one(struct harness *h)
{
    FOR_KINDS(k)
    {
        struct call c = {.act = ACT_GET, .flags = CALL_BAD_PAGE, .object = {1, 2, 3}};

        EXPECT_IS(create(h, 0, kinds[k], &c.pool), OK);
        EXPECT_IS(put(h, 0, c.pool, 1, 0, 9), OK);
        EXPECT_IS(call_run(h, 0, &c), BAD_GRANT);
        EXPECT(!c.changed);
        EXPECT(holds(h, 0, c.pool, 1, 0, 9));
    }
}

static void a_flushed_page_is_gone(struct harness *h)
{
    FOR_KINDS(k)
    {
        uint32_t pool;

        EXPECT_IS(create(h, 0, kinds[k], &pool), OK);
        EXPECT_IS(put(h, 0, pool, 1, 0, 9), OK);
        EXPECT_IS(put(h, 0, pool, 1, 1, 10), OK);
        EXPECT_IS(flush(h, 0, pool, 1, 0), OK);
        EXPECT(misses(h, 0, pool, 1, 0));
        EXPECT(holds(h, 0, pool, 1, 1, 10));
        EXPECT_IS(put(h, 0, pool, 1, 0, 11), OK);
        EXPECT(holds(h, 0, pool, 1, 0, 11));
    }
}

static void flushing_what_is_absent_succeeds(struct harness *h)
{
    uint32_t pool;

    EXPECT_IS(create(h, 0, PERSISTENT, &pool), OK);
    EXPECT_IS(flush(h, 0, pool, 1, 0), OK);
    EXPECT_IS(put(h, 0, pool, 1, 0, 9), OK);
    EXPECT_IS(flush(h, 0, pool, 1, 0), OK);
    EXPECT_IS(flush(h, 0, pool, 1, 0), OK);
    EXPECT_IS(flush_object(h, 0, pool, 44), OK);
    EXPECT_IS(flush_range(h, 0, pool, 44, 5, 4000000000u), OK);
}

static void a_flushed_object_is_gone_and_its_neighbours_are_not(struct harness *h)
{
    FOR_KINDS(k)
    {
        uint32_t pool;

        EXPECT_IS(create(h, 0, kinds[k], &pool), OK);
        EXPECT(fill(h, 0, pool, 1, 20, 100).nr_ok == 20);
        EXPECT(fill(h, 0, pool, 2, 20, 200).nr_ok == 20);
        EXPECT_IS(put(h, 0, pool, 1, TMEMIF_INDEX_MAX, 7), OK);
        EXPECT_IS(flush_object(h, 0, pool, 1), OK);
        EXPECT(scan(h, 0, pool, 1, 20, 100).nr_missed == 20);
        EXPECT(misses(h, 0, pool, 1, TMEMIF_INDEX_MAX));
        EXPECT(scan(h, 0, pool, 2, 20, 200).nr_ok == 20);
    }
}

static void a_flushed_range_is_gone_with_both_its_ends(struct harness *h)
{
    FOR_KINDS(k)
    {
        struct call rest;
        uint32_t pool;

        EXPECT_IS(create(h, 0, kinds[k], &pool), OK);
        EXPECT(fill(h, 0, pool, 1, 90, 100).nr_ok == 90);
        EXPECT_IS(flush_range(h, 0, pool, 1, 5, 84), OK); /* long enough for a tombstone */
        EXPECT(misses(h, 0, pool, 1, 5));
        EXPECT(misses(h, 0, pool, 1, 84));
        rest = scan(h, 0, pool, 1, 90, 100);
        EXPECT(rest.nr_ok == 10 && rest.nr_missed == 80 && rest.nr_wrong == 0);
    }
}

static void a_put_after_a_long_flush_lives(struct harness *h)
{
    uint32_t pool;

    EXPECT_IS(create(h, 0, PERSISTENT, &pool), OK);
    for (unsigned round = 0; round < 5; round++) {
        EXPECT(fill(h, 0, pool, 1, 90, 100).nr_ok == 90);
        EXPECT_IS(flush_range(h, 0, pool, 1, 0, TMEMIF_INDEX_MAX - 1), OK);
        EXPECT_IS(put(h, 0, pool, 1, 3, 33), OK);
        EXPECT(holds(h, 0, pool, 1, 3, 33));
        EXPECT(misses(h, 0, pool, 1, 4));
    }
}

static void a_destroyed_pool_is_gone_and_its_id_starts_empty(struct harness *h)
{
    FOR_KINDS(k)
    {
        uint32_t pool, again;

        EXPECT_IS(create(h, 0, kinds[k], &pool), OK);
        EXPECT(fill(h, 0, pool, 1, 20, 100).nr_ok == 20);
        EXPECT_IS(destroy(h, 0, pool), OK);
        EXPECT_IS(put(h, 0, pool, 1, 0, 1), NO_POOL);
        EXPECT_IS(destroy(h, 0, pool), NO_POOL);
        for (unsigned i = 0; i < TMEMIF_MAX_POOLS; i++) { /* until the id comes again */
            EXPECT_IS(create(h, 0, kinds[k], &again), OK);
            if (again == pool)
                break;
        }
        EXPECT(again == pool);
        EXPECT(scan(h, 0, pool, 1, 20, 100).nr_missed == 20);
        EXPECT(info(h, 0, pool).nr_pages == 0); /* not even pages that wait to be reclaimed */
        EXPECT_IS(destroy(h, 0, pool), OK);
    }
}

static void a_reset_takes_every_pool(struct harness *h)
{
    struct call reset = {.act = ACT_RESET};
    uint32_t pools[3];

    for (unsigned i = 0; i < 3; i++) {
        EXPECT_IS(create(h, 0, PERSISTENT, &pools[i]), OK);
        EXPECT_IS(put(h, 0, pools[i], 1, 0, 1), OK);
    }
    EXPECT_IS(call_run(h, 0, &reset), OK);
    for (unsigned i = 0; i < 3; i++)
        EXPECT_IS(put(h, 0, pools[i], 1, 0, 1), NO_POOL);
    /* the quota is free again */
    EXPECT_IS(create(h, 0, PERSISTENT, &pools[0]), OK);
    EXPECT(fill(h, 0, pools[0], 1, DEFAULT_QUOTA, 1).nr_ok == DEFAULT_QUOTA);
}

static bool requests_are_in_flight(const struct harness *h)
{
    return h->in_flight;
}

static void requests_of_one_ring_take_effect_in_ring_order(struct harness *h)
{
    FOR_KINDS(k)
    {
        struct call c = {.act = ACT_ORDER, .object = {1, 2, 3}};

        EXPECT_IS(create(h, 0, kinds[k], &c.pool), OK);
        for (unsigned i = 0; i < (h->slow ? 3 : 20); i++) {
            EXPECT_IS(call_run(h, 0, &c), OK);
            EXPECT(c.nr_wrong == 0);
        }
    }
}

static void what_was_answered_is_seen_from_everywhere(struct harness *h)
{
    uint32_t pool;

    /* each call may take another ring or thread */
    EXPECT_IS(create(h, 0, PERSISTENT, &pool), OK);
    for (uint32_t i = 1; i < (h->slow ? 7 : 50); i++) {
        EXPECT_IS(put(h, 0, pool, i % 3, 0, i), OK);
        EXPECT(holds(h, 0, pool, i % 3, 0, i));
        EXPECT_IS(flush(h, 0, pool, i % 3, 0), OK);
        EXPECT(misses(h, 0, pool, i % 3, 0));
    }
}

static void a_get_returns_the_page_to_the_last_byte(struct harness *h)
{
    uint32_t pool;

    /* all four shapes of pages, among them zeros and pages that differ in one bit */
    EXPECT_IS(create(h, 0, PERSISTENT, &pool), OK);
    for (uint32_t tag = 0; tag < (h->slow ? 8 : 60); tag++) {
        EXPECT_IS(put(h, 0, pool, 1, 0, tag), OK);
        EXPECT(holds(h, 0, pool, 1, 0, tag));
    }
    EXPECT(fill(h, 0, pool, 2, 90, 0x41424300).nr_ok == 90);
    EXPECT(scan(h, 0, pool, 2, 90, 0x41424300).nr_ok == 90);
}

static void keys_that_differ_in_one_bit_are_different(struct harness *h)
{
    struct call c = {.act = ACT_PUT, .object = {~0ull, 0x5555, 1ull << 63}, .index = 0x80000001};
    unsigned step = h->slow ? 14 : 2; /* half of the bits, so that all fit the quota */

    EXPECT_IS(create(h, 0, PERSISTENT, &c.pool), OK);
    c.tag = 1;
    EXPECT_IS(call_run(h, 0, &c), OK);
    EXPECT(quota(h, 0, 150));
    for (unsigned bit = 0; bit < 224; bit += step) {
        struct call v = c;

        if (bit < 192)
            v.object[bit / 64] ^= 1ull << bit % 64;
        else
            v.index ^= 1u << (bit - 192);
        v.act = ACT_GET;
        EXPECT_IS(call_run(h, 0, &v), MISS);
        v.act = ACT_PUT;
        v.tag = 100 + bit;
        EXPECT_IS(call_run(h, 0, &v), OK);
    }
    for (unsigned bit = 0; bit < 224; bit += step) {
        struct call v = c;

        if (bit < 192)
            v.object[bit / 64] ^= 1ull << bit % 64;
        else
            v.index ^= 1u << (bit - 192);
        v.act = ACT_GET;
        EXPECT_IS(call_run(h, 0, &v), OK);
        EXPECT(v.tag == 100 + bit);
    }
    c.act = ACT_GET;
    EXPECT_IS(call_run(h, 0, &c), OK);
    EXPECT(c.tag == 1);
}

static void a_pool_id_that_does_not_fit_is_refused(struct harness *h)
{
    uint32_t pool;

    EXPECT_IS(create(h, 0, PERSISTENT, &pool), OK);
    EXPECT_IS(put(h, 0, pool, 1, 0, 1), OK);
    EXPECT(put(h, 0, pool + 64, 1, 0, 2) != TMEMIF_OK);
    EXPECT(put(h, 0, pool + 65536, 1, 0, 2) != TMEMIF_OK);
    EXPECT(flush(h, 0, pool + (1u << 31), 1, 0) != TMEMIF_OK);
    EXPECT(holds(h, 0, pool, 1, 0, 1));
}

const struct rule_test rules_pages[] = {
    {"c01_put_and_get_copy", put_and_get_copy, NULL},
    {"c03_accepted_pages_of_a_persistent_pool_stay", accepted_pages_of_a_persistent_pool_stay,
     NULL},
    {"c04_an_ephemeral_page_may_miss_and_is_never_wrong",
     an_ephemeral_page_may_miss_and_is_never_wrong, NULL},
    {"c05_a_second_put_hides_the_first", a_second_put_hides_the_first, NULL},
    {"c05_a_refused_second_put_hides_the_first_too", a_refused_second_put_hides_the_first_too,
     NULL},
    {"c08_a_miss_stays_a_miss_until_a_put", a_miss_stays_a_miss_until_a_put, NULL},
    {"c09_an_exclusive_hit_takes_the_page", an_exclusive_hit_takes_the_page, NULL},
    {"c09_an_inclusive_hit_leaves_the_page", an_inclusive_hit_leaves_the_page, NULL},
    {"c09_of_two_gets_at_once_one_has_the_page", of_two_gets_at_once_one_has_the_page, NULL},
    {"c11_a_persistent_hit_leaves_the_page", a_persistent_hit_leaves_the_page, NULL},
    {"c12_a_get_that_misses_changes_nothing", a_get_that_misses_changes_nothing, NULL},
    {"c12_a_get_to_a_bad_page_leaves_the_stored_one", a_get_to_a_bad_page_leaves_the_stored_one,
     copies_can_fail},
    {"c13_a_flushed_page_is_gone", a_flushed_page_is_gone, NULL},
    {"c13_flushing_what_is_absent_succeeds", flushing_what_is_absent_succeeds, NULL},
    {"c14_a_flushed_object_is_gone_and_its_neighbours_are_not",
     a_flushed_object_is_gone_and_its_neighbours_are_not, NULL},
    {"c14_a_flushed_range_is_gone_with_both_its_ends", a_flushed_range_is_gone_with_both_its_ends,
     NULL},
    {"c14_a_put_after_a_long_flush_lives", a_put_after_a_long_flush_lives, NULL},
    {"c15_a_destroyed_pool_is_gone_and_its_id_starts_empty",
     a_destroyed_pool_is_gone_and_its_id_starts_empty, NULL},
    {"c15_a_reset_takes_every_pool", a_reset_takes_every_pool, NULL},
    {"c20_requests_of_one_ring_take_effect_in_ring_order",
     requests_of_one_ring_take_effect_in_ring_order, requests_are_in_flight},
    {"c20_what_was_answered_is_seen_from_everywhere", what_was_answered_is_seen_from_everywhere,
     NULL},
    {"c21_a_get_returns_the_page_to_the_last_byte", a_get_returns_the_page_to_the_last_byte, NULL},
    {"c22_keys_that_differ_in_one_bit_are_different", keys_that_differ_in_one_bit_are_different,
     NULL},
    {"c22_a_pool_id_that_does_not_fit_is_refused", a_pool_id_that_does_not_fit_is_refused, NULL},
    {NULL, NULL, NULL},
};
