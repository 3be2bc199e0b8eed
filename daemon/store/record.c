/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store/record.h"

#include <string.h>

#include "daemon/store/live.h"
#include "daemon/store/store.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* A ring's record is told from an older one of its slot by nothing: it has one generation. */
#define RING_GENERATION 1u

static uint16_t account_rec_check(const struct account_rec *r, uint64_t generation)
{
    struct account_rec covered = *r;

    memset(covered.pools, 0, sizeof(covered.pools));
    covered.live = live_word(generation, 0);
    return (uint16_t)XXH3_64bits(&covered, sizeof(covered));
}

static uint16_t pool_rec_check(const struct pool_rec *r, uint64_t generation)
{
    struct pool_rec covered = *r;

    covered.floor = 0;
    covered.epoch = 0;
    covered.live = live_word(generation, 0);
    return (uint16_t)XXH3_64bits(&covered, sizeof(covered));
}

static uint16_t tombstone_rec_check(const struct tombstone_rec *r, uint64_t generation)
{
    struct tombstone_rec covered = *r;

    covered.live = live_word(generation, 0);
    return (uint16_t)XXH3_64bits(&covered, sizeof(covered));
}

/* Only whose record it is stays as it was: the rest is written for every request. */
static uint16_t ring_rec_check(const struct ring_rec *r, uint64_t generation)
{
    struct ring_rec covered;

    memset(&covered, 0, sizeof(covered));
    covered.account = r->account;
    covered.ring = r->ring;
    covered.live = live_word(generation, 0);
    return (uint16_t)XXH3_64bits(&covered, sizeof(covered));
}

void account_rec_make_live(struct account_rec *r, uint64_t generation)
{
    live_begin(&r->live, generation, account_rec_check(r, generation));
}

void pool_rec_make_live(struct pool_rec *r, uint64_t generation)
{
    live_begin(&r->live, generation, pool_rec_check(r, generation));
}

void tombstone_rec_make_live(struct tombstone_rec *r, uint64_t generation)
{
    live_begin(&r->live, generation, tombstone_rec_check(r, generation));
}

void ring_rec_make_live(struct ring_rec *r)
{
    live_begin(&r->live, RING_GENERATION, ring_rec_check(r, RING_GENERATION));
}

void rec_make_dead(uint64_t *live)
{
    live_end(live);
}

bool account_rec_is_whole(const struct account_rec *r)
{
    uint64_t generation = live_generation(r->live);

    return generation != 0 && live_check(r->live) == account_rec_check(r, generation);
}

bool pool_rec_is_whole(const struct pool_rec *r)
{
    uint64_t generation = live_generation(r->live);

    return generation != 0 && live_check(r->live) == pool_rec_check(r, generation);
}

bool tombstone_rec_is_whole(const struct tombstone_rec *r)
{
    uint64_t generation = live_generation(r->live);

    return generation != 0 && live_check(r->live) == tombstone_rec_check(r, generation);
}

bool ring_rec_is_whole(const struct ring_rec *r)
{
    return live_generation(r->live) == RING_GENERATION &&
           live_check(r->live) == ring_rec_check(r, RING_GENERATION);
}
