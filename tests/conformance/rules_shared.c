/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What several guests see of one pool, and of each other: C10, C15, C19, C24 to C28, C31. */
#include <string.h>

#include "protocol/codec.h"
#include "tests/conformance/harness.h"
#include "tests/conformance/page.h"

#define EPHEMERAL  0u
#define PERSISTENT TMEMIF_POOL_PERSISTENT

static const uint32_t kinds[] = {EPHEMERAL, PERSISTENT};
#define FOR_KINDS(k) for (unsigned k = 0; k < 2; k++)

/* Guests 0 and 1 fill the pool of this test. */
static bool join_both(struct harness *h, uint32_t flags, uint32_t *a, uint32_t *b)
{
    return allow(h, 0, RIGHT_FILL) && allow(h, 1, RIGHT_FILL) &&
           join(h, 0, flags, a) == TMEMIF_OK && join(h, 1, flags, b) == TMEMIF_OK;
}

/* The pool, its policy and its list of members go; the operator sets the policy anew. */
static bool remove_and_set_up(struct harness *h)
{
    return h->ops->remove_shared(h, h->uuid) && shared_quota(h, DEFAULT_QUOTA);
}

static void a_hit_in_a_shared_pool_leaves_the_page(struct harness *h)
{
    FOR_KINDS(k)
    {
        uint32_t a, b;

        EXPECT(join_both(h, kinds[k], &a, &b));
        EXPECT_IS(put(h, 0, a, 1, 0, 5), OK);
        for (unsigned i = 0; i < 3; i++) {
            EXPECT(holds(h, 1, b, 1, 0, 5));
            EXPECT(holds(h, 0, a, 1, 0, 5));
        }
        EXPECT(remove_and_set_up(h));
    }
}

static void a_shared_pool_made_again_starts_empty(struct harness *h)
{
    uint32_t a, b;

    EXPECT(join_both(h, EPHEMERAL, &a, &b));
    EXPECT(fill(h, 0, a, 1, 20, 100).nr_ok == 20);
    EXPECT_IS(leave(h, 0, a), OK);
    EXPECT(scan(h, 1, b, 1, 20, 100).nr_ok == 20); /* somebody is still in */
    EXPECT_IS(destroy(h, 1, b), OK);
    EXPECT(join_both(h, EPHEMERAL, &a, &b));
    EXPECT(scan(h, 0, a, 1, 20, 100).nr_missed == 20);
    EXPECT(info(h, 0, a).nr_pages == 0);
}

static void storm(struct harness *h, uint32_t flags, uint32_t third_role)
{
    struct call calls[NR_GUESTS];

    for (unsigned g = 0; g < NR_GUESTS; g++) {
        calls[g] = (struct call){.act = ACT_STORM,
                                 .role = g < 2 ? STORM_WRITER : third_role,
                                 .rounds = h->slow        ? 100
                                           : h->in_flight ? 300
                                                          : 20000,
                                 .object = {7, 2, 3},
                                 .tag = (g + 1) << 24};
        EXPECT(allow(h, g, RIGHT_FILL));
        EXPECT_IS(join(h, g, flags, &calls[g].pool), OK);
    }
    for (unsigned g = 0; g < NR_GUESTS; g++)
        h->ops->begin(h, g, &calls[g]);
    for (unsigned g = 0; g < NR_GUESTS; g++)
        h->ops->end(h, g, &calls[g]);
    for (unsigned g = 0; g < NR_GUESTS; g++) {
        EXPECT_IS(calls[g].status, OK);
        EXPECT(calls[g].nr_wrong == 0);
        EXPECT(calls[g].nr_refused == 0);
    }
    EXPECT(calls[0].nr_ok > 0 && calls[1].nr_ok > 0);
    if (flags == PERSISTENT && third_role == STORM_READER)
        EXPECT(calls[0].nr_missed + calls[1].nr_missed == 0); /* C3: an overwrite leaves no gap */
}

static void guests_that_write_one_handle_see_it_move_forwards(struct harness *h)
{
    storm(h, PERSISTENT, STORM_READER);
}

static void a_flush_among_writers_never_brings_back_an_older_page(struct harness *h)
{
    storm(h, PERSISTENT, STORM_FLUSHER);
}

static void the_same_in_an_ephemeral_pool(struct harness *h)
{
    storm(h, EPHEMERAL, STORM_FLUSHER);
}

static void a_put_or_flush_that_was_answered_is_seen_by_all(struct harness *h)
{
    uint32_t pools[NR_GUESTS];

    for (unsigned g = 0; g < NR_GUESTS; g++) {
        EXPECT(allow(h, g, RIGHT_FILL));
        EXPECT_IS(join(h, g, PERSISTENT, &pools[g]), OK);
    }
    for (uint32_t i = 0; i < (h->slow ? 6u : 30u); i++) {
        unsigned from = i % NR_GUESTS, to = (i + 1 + i / 3 % 2) % NR_GUESTS;

        EXPECT_IS(put(h, from, pools[from], 1, 0, i + 1), OK);
        EXPECT(holds(h, to, pools[to], 1, 0, i + 1));
        EXPECT_IS(i % 2 ? flush(h, to, pools[to], 1, 0) : flush_object(h, to, pools[to], 1), OK);
        EXPECT(misses(h, from, pools[from], 1, 0));
    }
    EXPECT(fill(h, 0, pools[0], 2, 90, 100).nr_ok == 90);
    EXPECT_IS(flush_range(h, 1, pools[1], 2, 0, 79), OK);
    EXPECT(scan(h, 2, pools[2], 2, 90, 100).nr_missed == 80);
}

static void a_shared_pool_counts_against_its_own_quota(struct harness *h)
{
    uint32_t a, b;

    EXPECT(quota(h, 0, 0) && quota(h, 1, 0));
    EXPECT(shared_quota(h, 10));
    EXPECT(join_both(h, PERSISTENT, &a, &b));
    EXPECT(fill(h, 0, a, 1, 6, 100).nr_ok == 6);
    EXPECT(fill(h, 1, b, 2, 6, 200).nr_ok == 4);
    EXPECT(info(h, 0, a).nr_pages == 10 && info(h, 1, b).quota_pages == 10);
}

static void a_member_that_leaves_moves_nothing(struct harness *h)
{
    uint32_t a, b;

    EXPECT(join_both(h, PERSISTENT, &a, &b));
    EXPECT(fill(h, 0, a, 1, 30, 100).nr_ok == 30);
    EXPECT_IS(leave(h, 0, a), OK);
    EXPECT_IS(put(h, 0, a, 1, 0, 1), NO_POOL);
    EXPECT(scan(h, 1, b, 1, 30, 100).nr_ok == 30);
    EXPECT(info(h, 1, b).nr_pages == 30);
    EXPECT_IS(join(h, 0, PERSISTENT, &a), OK);
    EXPECT(scan(h, 0, a, 1, 30, 100).nr_ok == 30);
}

static void a_persistent_shared_pool_stays_until_the_operator_removes_it(struct harness *h)
{
    uint32_t a, b;

    EXPECT(join_both(h, PERSISTENT, &a, &b));
    EXPECT(fill(h, 0, a, 1, 30, 100).nr_ok == 30);
    EXPECT_IS(leave(h, 0, a), OK);
    EXPECT_IS(destroy(h, 1, b), OK); /* the last one out */
    EXPECT_IS(join(h, 1, PERSISTENT, &b), OK);
    EXPECT(scan(h, 1, b, 1, 30, 100).nr_ok == 30);
    EXPECT(remove_and_set_up(h));
    EXPECT_IS(put(h, 1, b, 1, 0, 1), NO_POOL);
    EXPECT(allow(h, 1, RIGHT_FILL));
    EXPECT_IS(join(h, 1, PERSISTENT, &b), OK);
    EXPECT(scan(h, 1, b, 1, 30, 100).nr_missed == 30);
}

static bool guests_can_be_lost(const struct harness *h)
{
    return h->ops->lose != NULL;
}

static void a_lost_member_costs_the_ephemeral_pool_its_epoch(struct harness *h)
{
    struct tmemif_pool_info before, after;
    struct tmemif_lease lease;
    uint32_t a, b;
    bool leased;

    EXPECT(join_both(h, EPHEMERAL, &a, &b));
    EXPECT(fill(h, 0, a, 1, 20, 100).nr_ok == 20);
    EXPECT(scan(h, 1, b, 1, 20, 100).nr_ok == 20);
    EXPECT_IS(get_leased(h, 1, b, 9, 0, &lease, &leased), MISS);
    EXPECT(leased);
    before = info(h, 1, b);
    EXPECT(h->ops->lose(h, 0));
    after = info(h, 1, b);
    EXPECT(after.epoch != before.epoch);
    EXPECT(scan(h, 1, b, 1, 20, 100).nr_missed == 20);
    EXPECT_IS(put_leased(h, 1, b, 9, 0, 1, &lease), STALE_LEASE); /* of the older epoch */
    EXPECT_IS(put(h, 1, b, 1, 0, 7), OK);                         /* and life goes on */
    EXPECT(holds(h, 1, b, 1, 0, 7));
}

static void a_lost_reader_costs_nothing(struct harness *h)
{
    uint32_t a, b;

    EXPECT(allow(h, 0, RIGHT_READ) && allow(h, 1, RIGHT_FILL));
    EXPECT_IS(join(h, 1, EPHEMERAL, &b), OK);
    EXPECT_IS(join(h, 0, EPHEMERAL, &a), OK);
    EXPECT(fill(h, 1, b, 1, 20, 100).nr_ok == 20);
    EXPECT(h->ops->lose(h, 0));
    EXPECT(scan(h, 1, b, 1, 20, 100).nr_ok == 20);
}

static void a_lost_member_costs_a_persistent_pool_nothing(struct harness *h)
{
    uint32_t a, b;

    EXPECT(join_both(h, PERSISTENT, &a, &b));
    EXPECT(fill(h, 0, a, 1, 20, 100).nr_ok == 20);
    EXPECT(h->ops->lose(h, 0));
    EXPECT(scan(h, 1, b, 1, 20, 100).nr_ok == 20);
}

static void who_is_not_allowed_gets_an_error_and_no_pool(struct harness *h)
{
    uint32_t a, none;

    EXPECT_IS(join(h, 0, EPHEMERAL, &none), NOT_ALLOWED); /* default deny, and no such pool yet */
    EXPECT(allow(h, 0, RIGHT_FILL));
    EXPECT_IS(join(h, 0, EPHEMERAL, &a), OK);
    EXPECT_IS(put(h, 0, a, 1, 0, 5), OK);
    EXPECT_IS(join(h, 2, EPHEMERAL, &none), NOT_ALLOWED);
    for (uint32_t pool = 0; pool < 3; pool++) {
        EXPECT_IS(put(h, 2, pool, 1, 0, 6), NO_POOL);
        EXPECT_IS(flush(h, 2, pool, 1, 0), NO_POOL);
    }
    EXPECT(holds(h, 0, a, 1, 0, 5));
}

static void the_same_pool_id_of_two_guests_is_two_pools(struct harness *h)
{
    uint32_t a, b;

    EXPECT_IS(create(h, 0, PERSISTENT, &a), OK);
    EXPECT_IS(create(h, 1, PERSISTENT, &b), OK);
    EXPECT(a == b); /* both are the first, or this test shows nothing */
    EXPECT_IS(put(h, 0, a, 1, 0, 5), OK);
    EXPECT(misses(h, 1, b, 1, 0));
    EXPECT_IS(put(h, 1, b, 1, 0, 6), OK);
    EXPECT_IS(flush_object(h, 1, b, 1), OK);
    EXPECT(holds(h, 0, a, 1, 0, 5));
}

static void a_right_that_is_withdrawn_is_gone_at_once(struct harness *h)
{
    uint32_t a, b, tag;

    EXPECT(join_both(h, PERSISTENT, &a, &b));
    EXPECT_IS(put(h, 0, a, 1, 0, 5), OK);
    EXPECT(allow(h, 0, RIGHT_READ));
    EXPECT_IS(put(h, 0, a, 1, 0, 6), READ_ONLY);
    EXPECT_IS(flush_object(h, 0, a, 1), READ_ONLY);
    EXPECT(holds(h, 0, a, 1, 0, 5));
    EXPECT(info(h, 0, a).read_only == 1);
    EXPECT(allow(h, 0, RIGHT_NONE));
    EXPECT_IS(get(h, 0, a, 1, 0, &tag), NOT_ALLOWED);
    EXPECT_IS(put(h, 0, a, 1, 0, 6), NOT_ALLOWED);
    EXPECT_IS(flush(h, 0, a, 1, 0), NOT_ALLOWED);
    EXPECT(holds(h, 1, b, 1, 0, 5));
}

static void who_may_only_read_does_not_make_the_pool(struct harness *h)
{
    uint32_t a, b;

    EXPECT(allow(h, 0, RIGHT_READ) && allow(h, 1, RIGHT_FILL));
    EXPECT_IS(join(h, 0, PERSISTENT, &a), NO_POOL);
    EXPECT_IS(join(h, 1, EPHEMERAL, &b), OK);
    EXPECT_IS(join(h, 0, PERSISTENT, &a), BAD_KIND);
    EXPECT_IS(join(h, 0, EPHEMERAL, &a), OK);
}

static bool guests_can_die(const struct harness *h)
{
    return h->ops->die != NULL;
}

static void nothing_of_a_dead_guest_is_left_to_the_next(struct harness *h)
{
    uint32_t pool, again, shared, other;

    EXPECT(join_both(h, PERSISTENT, &shared, &other));
    EXPECT_IS(create(h, 0, PERSISTENT, &pool), OK);
    EXPECT(fill(h, 0, pool, 1, 50, 100).nr_ok == 50);
    EXPECT_IS(put(h, 0, shared, 1, 0, 9), OK);
    EXPECT(h->ops->die(h, 0));
    EXPECT_IS(put(h, 0, pool, 1, 0, 1), NO_POOL);
    EXPECT_IS(put(h, 0, shared, 1, 0, 1), NO_POOL);
    EXPECT_IS(create(h, 0, PERSISTENT, &again), OK);
    EXPECT(scan(h, 0, again, 1, 50, 100).nr_missed == 50);
    EXPECT(holds(h, 1, other, 1, 0, 9));
}

static void its_memory_comes_back(struct harness *h)
{
    uint32_t pool, other;

    EXPECT(quota(h, 0, PAGES_UNLIMITED) && quota(h, 1, PAGES_UNLIMITED));
    EXPECT_IS(create(h, 0, PERSISTENT, &pool), OK);
    EXPECT(fill(h, 0, pool, 1, 4 * h->nr_frames, 1).nr_refused > 0);
    EXPECT_IS(create(h, 1, PERSISTENT, &other), OK);
    EXPECT_IS(put(h, 1, other, 1, 0, 1), NO_MEMORY);
    EXPECT(h->ops->die(h, 0));
    EXPECT(fill(h, 1, other, 1, h->nr_frames / 2, 1).nr_refused == 0);
}

static bool copies_are_counted(const struct harness *h)
{
    return h->counts_copies;
}

static void a_page_is_read_once_by_a_put_and_written_once_by_a_hit(struct harness *h)
{
    FOR_KINDS(k)
    {
        struct call c = {.act = ACT_COPIES, .object = {1, 2, 3}};

        EXPECT_IS(create(h, 0, kinds[k], &c.pool), OK);
        EXPECT_IS(call_run(h, 0, &c), OK);
        EXPECT(c.nr_wrong == 0);
    }
}

static bool memory_is_shared(const struct harness *h)
{
    return h->in_flight;
}

static void a_page_that_changes_while_it_is_put_is_stored_once(struct harness *h)
{
    struct call c = {.act = ACT_SCRIBBLE, .object = {1, 2, 3}, .tag = 0x40000};
    uint32_t nr_scribbled = 0;

    c.last = h->slow ? 9 : 79;
    EXPECT_IS(create(h, 0, PERSISTENT, &c.pool), OK);
    for (unsigned i = 0; i < 5 || (i < 500 && nr_scribbled == 0); i++) {
        EXPECT_IS(call_run(h, 0, &c), OK);
        EXPECT(c.nr_wrong == 0);
        nr_scribbled += c.nr_ok;
    }
    EXPECT(nr_scribbled > 0); /* or this has shown nothing */
}

static void a_lease_fills_what_was_missed(struct harness *h)
{
    FOR_KINDS(k)
    {
        struct tmemif_lease lease;
        uint32_t a, b;
        bool leased;

        EXPECT(join_both(h, kinds[k], &a, &b));
        EXPECT_IS(get_leased(h, 0, a, 1, 0, &lease, &leased), MISS);
        EXPECT(leased);
        EXPECT_IS(put_leased(h, 0, a, 1, 0, 5, &lease), OK);
        EXPECT(holds(h, 1, b, 1, 0, 5));
        EXPECT_IS(put_leased(h, 0, a, 1, 0, 6, &lease), STALE_LEASE); /* our own put was one */
        EXPECT(holds(h, 1, b, 1, 0, 5));
        EXPECT(remove_and_set_up(h));
    }
}

/* Guest 0 has missed and reads its disk; guest 1 does something; guest 0 fills. */
static int fill_after(struct harness *h, uint32_t a, uint32_t b, unsigned what)
{
    struct tmemif_lease lease;
    bool leased;

    flush(h, 1, b, 1, 3);
    if (get_leased(h, 0, a, 1, 3, &lease, &leased) != TMEMIF_MISS || !leased)
        return -1;
    switch (what) {
    case 0:
        flush(h, 1, b, 1, 3);
        break;
    case 1:
        flush_object(h, 1, b, 1);
        break;
    case 2:
        flush_range(h, 1, b, 1, 3, 3);
        break;
    case 3:
        flush_range(h, 1, b, 1, 0, 4000);
        break;
    case 4:
        put(h, 1, b, 1, 3, 70);
        break;
    case 5:
        put(h, 1, b, 1, 3, 70);
        flush(h, 1, b, 1, 3);
        break;
    default:
        break;
    }
    return put_leased(h, 0, a, 1, 3, 80, &lease);
}

static void a_lease_is_stale_after_any_put_or_flush(struct harness *h)
{
    uint32_t a, b;

    EXPECT(join_both(h, PERSISTENT, &a, &b));
    EXPECT_IS(fill_after(h, a, b, 99), OK); /* nothing happened */
    for (unsigned what = 0; what <= 5; what++)
        EXPECT_IS(fill_after(h, a, b, what), STALE_LEASE);
}

static void of_two_fills_the_first_wins(struct harness *h)
{
    struct tmemif_lease first, second;
    uint32_t a, b;
    bool leased;

    EXPECT(join_both(h, EPHEMERAL, &a, &b));
    EXPECT_IS(get_leased(h, 0, a, 1, 0, &first, &leased), MISS);
    EXPECT_IS(get_leased(h, 1, b, 1, 0, &second, &leased), MISS);
    EXPECT_IS(put_leased(h, 1, b, 1, 0, 22, &second), OK);
    EXPECT_IS(put_leased(h, 0, a, 1, 0, 11, &first), STALE_LEASE);
    EXPECT(holds(h, 0, a, 1, 0, 22));
}

static void a_leased_pool_takes_no_other_puts(struct harness *h)
{
    struct tmemif_lease lease;
    uint32_t pool, a, b;
    bool leased;

    EXPECT(join_both(h, TMEMIF_POOL_LEASED, &a, &b));
    EXPECT_IS(put(h, 0, a, 1, 0, 5), NEED_LEASE);
    EXPECT_IS(get_leased(h, 0, a, 1, 0, &lease, &leased), MISS);
    EXPECT(leased);
    EXPECT_IS(put_leased(h, 0, a, 1, 0, 5, &lease), OK);
    EXPECT_IS(put(h, 0, a, 1, 0, 6), NEED_LEASE); /* and changes nothing */
    EXPECT(holds(h, 1, b, 1, 0, 5));

    EXPECT_IS(create(h, 0, TMEMIF_POOL_LEASED | PERSISTENT, &pool), OK);
    EXPECT_IS(put(h, 0, pool, 1, 0, 5), NEED_LEASE);
    EXPECT_IS(get_leased(h, 0, pool, 1, 0, &lease, &leased), MISS);
    EXPECT(leased);
    EXPECT_IS(put_leased(h, 0, pool, 1, 0, 5, &lease), OK);
}

static void a_lease_of_a_removed_pool_is_stale(struct harness *h)
{
    struct tmemif_lease lease;
    uint32_t a, b;
    bool leased;

    EXPECT(join_both(h, PERSISTENT, &a, &b));
    EXPECT_IS(get_leased(h, 0, a, 1, 0, &lease, &leased), MISS);
    EXPECT(remove_and_set_up(h));
    EXPECT(join_both(h, PERSISTENT, &a, &b));
    EXPECT_IS(put_leased(h, 0, a, 1, 0, 5, &lease), STALE_LEASE);
    EXPECT(misses(h, 0, a, 1, 0));
}

const struct rule_test rules_shared[] = {
    {"c10_a_hit_in_a_shared_pool_leaves_the_page", a_hit_in_a_shared_pool_leaves_the_page, NULL},
    {"c15_a_shared_pool_made_again_starts_empty", a_shared_pool_made_again_starts_empty, NULL},
    {"c19_guests_that_write_one_handle_see_it_move_forwards",
     guests_that_write_one_handle_see_it_move_forwards, NULL},
    {"c19_a_flush_among_writers_never_brings_back_an_older_page",
     a_flush_among_writers_never_brings_back_an_older_page, NULL},
    {"c19_the_same_in_an_ephemeral_pool", the_same_in_an_ephemeral_pool, NULL},
    {"c24_a_put_or_flush_that_was_answered_is_seen_by_all",
     a_put_or_flush_that_was_answered_is_seen_by_all, NULL},
    {"c25_a_shared_pool_counts_against_its_own_quota", a_shared_pool_counts_against_its_own_quota,
     NULL},
    {"c25_a_member_that_leaves_moves_nothing", a_member_that_leaves_moves_nothing, NULL},
    {"c25_a_persistent_shared_pool_stays_until_the_operator_removes_it",
     a_persistent_shared_pool_stays_until_the_operator_removes_it, NULL},
    {"c25_a_lost_member_costs_the_ephemeral_pool_its_epoch",
     a_lost_member_costs_the_ephemeral_pool_its_epoch, guests_can_be_lost},
    {"c25_a_lost_reader_costs_nothing", a_lost_reader_costs_nothing, guests_can_be_lost},
    {"c25_a_lost_member_costs_a_persistent_pool_nothing",
     a_lost_member_costs_a_persistent_pool_nothing, guests_can_be_lost},
    {"c26_who_is_not_allowed_gets_an_error_and_no_pool",
     who_is_not_allowed_gets_an_error_and_no_pool, NULL},
    {"c26_the_same_pool_id_of_two_guests_is_two_pools", the_same_pool_id_of_two_guests_is_two_pools,
     NULL},
    {"c26_a_right_that_is_withdrawn_is_gone_at_once", a_right_that_is_withdrawn_is_gone_at_once,
     NULL},
    {"c26_who_may_only_read_does_not_make_the_pool", who_may_only_read_does_not_make_the_pool,
     NULL},
    {"c27_nothing_of_a_dead_guest_is_left_to_the_next", nothing_of_a_dead_guest_is_left_to_the_next,
     guests_can_die},
    {"c27_its_memory_comes_back", its_memory_comes_back, guests_can_die},
    {"c28_a_page_is_read_once_by_a_put_and_written_once_by_a_hit",
     a_page_is_read_once_by_a_put_and_written_once_by_a_hit, copies_are_counted},
    {"c28_a_page_that_changes_while_it_is_put_is_stored_once",
     a_page_that_changes_while_it_is_put_is_stored_once, memory_is_shared},
    {"c31_a_lease_fills_what_was_missed", a_lease_fills_what_was_missed, NULL},
    {"c31_a_lease_is_stale_after_any_put_or_flush", a_lease_is_stale_after_any_put_or_flush, NULL},
    {"c31_of_two_fills_the_first_wins", of_two_fills_the_first_wins, NULL},
    {"c31_a_leased_pool_takes_no_other_puts", a_leased_pool_takes_no_other_puts, NULL},
    {"c31_a_lease_of_a_removed_pool_is_stale", a_lease_of_a_removed_pool_is_stale, NULL},
    {NULL, NULL, NULL},
};
