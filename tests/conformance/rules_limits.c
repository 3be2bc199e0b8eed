/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What happens when there is no room, or the operator says no: C2, C6, C7, C16, C17, C23. */
#include <stddef.h>

#include "protocol/codec.h"
#include "tests/conformance/harness.h"

#define PERSISTENT TMEMIF_POOL_PERSISTENT

static void a_put_over_the_quota_is_refused_and_nothing_is_lost(struct harness *h)
{
    struct call filled;
    uint32_t pool;

    EXPECT(quota(h, 0, 10));
    EXPECT_IS(create(h, 0, PERSISTENT, &pool), OK);
    filled = fill(h, 0, pool, 1, 15, 100);
    EXPECT(filled.nr_ok == 10 && filled.nr_refused == 5);
    EXPECT(filled.status == TMEMIF_QUOTA);
    EXPECT(scan(h, 0, pool, 1, 10, 100).nr_ok == 10);
    /* room again as soon as something is flushed */
    EXPECT_IS(flush(h, 0, pool, 1, 3), OK);
    EXPECT_IS(put(h, 0, pool, 1, 12, 1), OK);
    EXPECT_IS(put(h, 0, pool, 1, 13, 1), QUOTA);
}

static void the_quota_of_one_guest_is_not_anothers(struct harness *h)
{
    uint32_t pool, other;

    EXPECT(quota(h, 0, 5) && quota(h, 1, 5));
    EXPECT_IS(create(h, 0, PERSISTENT, &pool), OK);
    EXPECT_IS(create(h, 1, PERSISTENT, &other), OK);
    EXPECT(fill(h, 0, pool, 1, 50, 100).nr_ok == 5);
    EXPECT(fill(h, 1, other, 1, 5, 100).nr_ok == 5);
    /* two pools of one guest share it */
    EXPECT_IS(create(h, 0, PERSISTENT, &other), OK);
    EXPECT_IS(put(h, 0, other, 1, 0, 1), QUOTA);
}

/* A refusal leaves nothing; that it is accepted, in the place of the old page, is lawful too. */
static bool is_new_or_nothing(struct harness *h, uint32_t pool, uint32_t index, uint32_t tag)
{
    int status = put(h, 0, pool, 1, index, tag);

    return status == TMEMIF_OK ? holds(h, 0, pool, 1, index, tag)
                               : status < TMEMIF_NOT_ALLOWED && misses(h, 0, pool, 1, index);
}

static void a_duplicate_put_over_the_quota_leaves_nothing_or_the_new(struct harness *h)
{
    uint32_t pool;

    EXPECT_IS(create(h, 0, PERSISTENT, &pool), OK);
    EXPECT(fill(h, 0, pool, 1, 4, 100).nr_ok == 4);
    EXPECT(quota(h, 0, 4));
    EXPECT(is_new_or_nothing(h, pool, 0, 999));
    EXPECT(quota(h, 0, 2)); /* less than it holds */
    EXPECT(is_new_or_nothing(h, pool, 1, 998));
    EXPECT_IS(put(h, 0, pool, 1, 4, 1), QUOTA);
    EXPECT(holds(h, 0, pool, 1, 2, 102));
    EXPECT(info(h, 0, pool).nr_pages <= 4);
}

static void a_duplicate_put_to_a_frozen_pool_leaves_nothing(struct harness *h)
{
    uint32_t pool;

    EXPECT(allow(h, 0, RIGHT_FILL));
    EXPECT_IS(join(h, 0, TMEMIF_POOL_PERSISTENT, &pool), OK);
    EXPECT(fill(h, 0, pool, 1, 4, 100).nr_ok == 4);
    EXPECT(h->ops->freeze_shared(h, h->uuid, true));
    EXPECT_IS(put(h, 0, pool, 1, 1, 999), FROZEN);
    EXPECT(misses(h, 0, pool, 1, 1));
    EXPECT(holds(h, 0, pool, 1, 2, 102));
    EXPECT(info(h, 0, pool).nr_pages == 3);
}

static void a_duplicate_put_without_memory_leaves_nothing_or_the_new(struct harness *h)
{
    struct call filled;
    uint32_t pool;

    EXPECT(quota(h, 0, PAGES_UNLIMITED));
    EXPECT_IS(create(h, 0, PERSISTENT, &pool), OK);
    /* of the four shapes of pages one takes no frame, so this is too much */
    filled = fill(h, 0, pool, 1, 4 * h->nr_frames, 1);
    EXPECT(filled.nr_refused > 0);
    EXPECT_IS(put(h, 0, pool, 2, 0, 1), NO_MEMORY);
    EXPECT(misses(h, 0, pool, 2, 0));
    for (uint32_t i = 0; i < 8; i++)
        EXPECT(is_new_or_nothing(h, pool, i, 0x10001 + 4 * i));
}

static bool copies_can_fail(const struct harness *h)
{
    return h->can_fail_copy;
}

static void a_duplicate_put_of_a_bad_page_leaves_nothing(struct harness *h)
{
    static const uint32_t kinds[] = {0, PERSISTENT, TMEMIF_POOL_INCLUSIVE};

    for (unsigned k = 0; k < 3; k++) {
        struct call c = {.act = ACT_PUT, .flags = CALL_BAD_PAGE, .object = {1, 2, 3}};

        EXPECT_IS(create(h, 0, kinds[k], &c.pool), OK);
        EXPECT_IS(put(h, 0, c.pool, 1, 0, 9), OK);
        EXPECT_IS(call_run(h, 0, &c), BAD_GRANT);
        EXPECT(misses(h, 0, c.pool, 1, 0));
        EXPECT(info(h, 0, c.pool).nr_pages == 0);
    }
}

static void a_put_without_right_or_with_a_stale_lease_changes_nothing(struct harness *h)
{
    struct tmemif_lease stale = {0};
    uint32_t writer, reader;
    bool leased;

    EXPECT(allow(h, 0, RIGHT_FILL) && allow(h, 1, RIGHT_READ));
    EXPECT_IS(join(h, 0, TMEMIF_POOL_PERSISTENT, &writer), OK);
    EXPECT_IS(join(h, 1, TMEMIF_POOL_PERSISTENT, &reader), OK);
    EXPECT_IS(get_leased(h, 0, writer, 1, 0, &stale, &leased), MISS);
    EXPECT_IS(put(h, 0, writer, 1, 0, 9), OK);
    EXPECT_IS(put(h, 1, reader, 1, 0, 10), READ_ONLY);
    EXPECT(holds(h, 0, writer, 1, 0, 9));
    EXPECT_IS(flush(h, 1, reader, 1, 0), READ_ONLY);
    EXPECT(holds(h, 0, writer, 1, 0, 9));
    EXPECT_IS(put_leased(h, 0, writer, 1, 0, 11, &stale), STALE_LEASE);
    EXPECT(holds(h, 0, writer, 1, 0, 9));
}

static void a_put_without_right_is_told_so_even_if_resources_are_short(struct harness *h)
{
    uint32_t writer, reader;

    EXPECT(allow(h, 0, RIGHT_FILL) && allow(h, 1, RIGHT_READ));
    EXPECT_IS(join(h, 0, TMEMIF_POOL_PERSISTENT, &writer), OK);
    EXPECT_IS(join(h, 1, TMEMIF_POOL_PERSISTENT, &reader), OK);
    EXPECT_IS(put(h, 0, writer, 1, 0, 9), OK);
    EXPECT(h->ops->freeze_shared(h, h->uuid, true));
    EXPECT_IS(put(h, 1, reader, 1, 0, 10), READ_ONLY);
    EXPECT(holds(h, 0, writer, 1, 0, 9));
    EXPECT(shared_quota(h, 0));
    EXPECT_IS(put(h, 1, reader, 1, 0, 10), READ_ONLY);
    EXPECT(holds(h, 0, writer, 1, 0, 9));
}

static void a_refused_first_put_leaves_no_trace(struct harness *h)
{
    struct tmemif_pool_info before, after;
    uint32_t pool;

    EXPECT(quota(h, 0, 2));
    EXPECT_IS(create(h, 0, PERSISTENT, &pool), OK);
    EXPECT(fill(h, 0, pool, 1, 2, 100).nr_ok == 2);
    before = info(h, 0, pool);
    EXPECT_IS(put(h, 0, pool, 2, 0, 1), QUOTA);
    after = info(h, 0, pool);
    EXPECT(after.nr_pages == before.nr_pages && after.gets == before.gets);
    EXPECT(after.hits == before.hits && after.flushes == before.flushes);
    EXPECT(after.evictions == before.evictions && after.epoch == before.epoch);
    EXPECT(after.puts_refused == before.puts_refused + 1);
    EXPECT(misses(h, 0, pool, 2, 0));
    EXPECT(scan(h, 0, pool, 1, 2, 100).nr_ok == 2);
}

static void flushes_of_a_frozen_guest_succeed(struct harness *h)
{
    uint32_t pool;

    EXPECT_IS(create(h, 0, PERSISTENT, &pool), OK);
    EXPECT(fill(h, 0, pool, 1, 90, 100).nr_ok == 90);
    EXPECT_IS(put(h, 0, pool, 2, 0, 1), OK);
    EXPECT(freeze(h, 0, true));
    EXPECT_IS(flush(h, 0, pool, 2, 0), OK);
    EXPECT_IS(flush_range(h, 0, pool, 1, 0, 79), OK);
    EXPECT_IS(flush_object(h, 0, pool, 1), OK);
    EXPECT(misses(h, 0, pool, 2, 0));
    EXPECT(scan(h, 0, pool, 1, 90, 100).nr_missed == 90);
    EXPECT(freeze(h, 0, false));
}

static void flushes_succeed_over_quota_and_without_memory(struct harness *h)
{
    uint32_t pool;

    EXPECT(quota(h, 0, PAGES_UNLIMITED));
    EXPECT_IS(create(h, 0, PERSISTENT, &pool), OK);
    EXPECT(fill(h, 0, pool, 1, 4 * h->nr_frames, 1).nr_refused > 0);
    EXPECT(quota(h, 0, 0));
    EXPECT_IS(flush(h, 0, pool, 1, 0), OK);
    EXPECT_IS(flush_range(h, 0, pool, 1, 1, 500), OK);
    EXPECT_IS(flush_object(h, 0, pool, 1), OK);
    EXPECT(scan(h, 0, pool, 1, 100, 1).nr_missed == 100);
}

static void a_frozen_guest_is_served_but_for_puts(struct harness *h)
{
    uint32_t pool, ephemeral;

    EXPECT_IS(create(h, 0, PERSISTENT, &pool), OK);
    EXPECT_IS(create(h, 0, 0, &ephemeral), OK);
    EXPECT_IS(put(h, 0, pool, 1, 0, 10), OK);
    EXPECT_IS(put(h, 0, pool, 1, 1, 11), OK);
    EXPECT_IS(put(h, 0, ephemeral, 1, 0, 12), OK);
    EXPECT(freeze(h, 0, true));
    EXPECT_IS(put(h, 0, pool, 1, 5, 15), FROZEN);
    EXPECT_IS(put(h, 0, ephemeral, 1, 5, 15), FROZEN);
    EXPECT(misses(h, 0, pool, 1, 5));
    EXPECT(holds(h, 0, pool, 1, 0, 10));
    EXPECT(holds(h, 0, ephemeral, 1, 0, 12));
    EXPECT_IS(put(h, 0, pool, 1, 1, 22), FROZEN); /* a duplicate: flushed and refused */
    EXPECT(misses(h, 0, pool, 1, 1));
    EXPECT(freeze(h, 0, false));
    EXPECT_IS(put(h, 0, pool, 1, 1, 33), OK);
    EXPECT(holds(h, 0, pool, 1, 1, 33));
}

static void a_frozen_shared_pool_is_served_but_for_puts(struct harness *h)
{
    uint32_t pool, private_pool;

    EXPECT(allow(h, 0, RIGHT_FILL));
    EXPECT_IS(join(h, 0, TMEMIF_POOL_PERSISTENT, &pool), OK);
    EXPECT_IS(create(h, 0, PERSISTENT, &private_pool), OK);
    EXPECT_IS(put(h, 0, pool, 1, 0, 10), OK);
    EXPECT(h->ops->freeze_shared(h, h->uuid, true));
    EXPECT_IS(put(h, 0, pool, 1, 1, 11), FROZEN);
    EXPECT_IS(put(h, 0, private_pool, 1, 1, 11), OK); /* the guest is not frozen */
    EXPECT(holds(h, 0, pool, 1, 0, 10));
    EXPECT(info(h, 0, pool).frozen == 1);
    EXPECT_IS(put(h, 0, pool, 1, 0, 20), FROZEN);
    EXPECT(misses(h, 0, pool, 1, 0));
    EXPECT(h->ops->freeze_shared(h, h->uuid, false));
    EXPECT_IS(put(h, 0, pool, 1, 0, 20), OK);
}

static void only_ephemeral_pages_are_evicted(struct harness *h)
{
    struct call seen;
    uint32_t persistent, ephemeral;

    EXPECT_IS(create(h, 0, PERSISTENT, &persistent), OK);
    EXPECT_IS(create(h, 0, TMEMIF_POOL_INCLUSIVE, &ephemeral), OK);
    EXPECT(fill(h, 0, persistent, 1, 100, 1).nr_ok == 100);
    fill(h, 0, ephemeral, 1, 4 * h->nr_frames, 1);
    EXPECT(info(h, 0, ephemeral).evictions > 0);
    EXPECT(info(h, 0, persistent).evictions == 0);
    seen = scan(h, 0, ephemeral, 1, 4 * h->nr_frames, 1);
    EXPECT(seen.nr_missed > 0 && seen.nr_wrong == 0);
    EXPECT(scan(h, 0, persistent, 1, 100, 1).nr_ok == 100);
}

static void an_eviction_is_never_seen_between_look_up_and_copy(struct harness *h)
{
    struct call reader = {.act = ACT_STORM,
                          .role = STORM_WRITER,
                          .rounds = 3000,
                          .object = {1, 2, 3},
                          .tag = 0x01000000};
    uint32_t other;

    if (h->in_flight)
        reader.rounds = h->slow ? 50 : 300;
    EXPECT_IS(create(h, 0, TMEMIF_POOL_INCLUSIVE, &reader.pool), OK);
    EXPECT_IS(create(h, 1, 0, &other), OK);
    h->ops->begin(h, 0, &reader);
    for (unsigned i = 0; i < 3; i++) /* presses the storm's page out, again and again */
        fill(h, 1, other, i, 2 * h->nr_frames, 1);
    h->ops->end(h, 0, &reader);
    EXPECT(reader.nr_wrong == 0 && reader.nr_refused == 0 && reader.nr_ok > 0);
}

const struct rule_test rules_limits[] = {
    {"c02_a_put_over_the_quota_is_refused_and_nothing_is_lost",
     a_put_over_the_quota_is_refused_and_nothing_is_lost, NULL},
    {"c02_the_quota_of_one_guest_is_not_anothers", the_quota_of_one_guest_is_not_anothers, NULL},
    {"c06_a_duplicate_put_over_the_quota_leaves_nothing_or_the_new",
     a_duplicate_put_over_the_quota_leaves_nothing_or_the_new, NULL},
    {"c06_a_duplicate_put_to_a_frozen_pool_leaves_nothing",
     a_duplicate_put_to_a_frozen_pool_leaves_nothing, NULL},
    {"c06_a_duplicate_put_without_memory_leaves_nothing_or_the_new",
     a_duplicate_put_without_memory_leaves_nothing_or_the_new, NULL},
    {"c06_a_duplicate_put_of_a_bad_page_leaves_nothing",
     a_duplicate_put_of_a_bad_page_leaves_nothing, copies_can_fail},
    {"c06_a_put_without_right_or_with_a_stale_lease_changes_nothing",
     a_put_without_right_or_with_a_stale_lease_changes_nothing, NULL},
    {"c06_a_put_without_right_is_told_so_even_if_resources_are_short",
     a_put_without_right_is_told_so_even_if_resources_are_short, NULL},
    {"c07_a_refused_first_put_leaves_no_trace", a_refused_first_put_leaves_no_trace, NULL},
    {"c16_flushes_of_a_frozen_guest_succeed", flushes_of_a_frozen_guest_succeed, NULL},
    {"c16_flushes_succeed_over_quota_and_without_memory",
     flushes_succeed_over_quota_and_without_memory, NULL},
    {"c17_a_frozen_guest_is_served_but_for_puts", a_frozen_guest_is_served_but_for_puts, NULL},
    {"c17_a_frozen_shared_pool_is_served_but_for_puts", a_frozen_shared_pool_is_served_but_for_puts,
     NULL},
    {"c23_only_ephemeral_pages_are_evicted", only_ephemeral_pages_are_evicted, NULL},
    {"c23_an_eviction_is_never_seen_between_look_up_and_copy",
     an_eviction_is_never_seen_between_look_up_and_copy, NULL},
    {NULL, NULL, NULL},
};
