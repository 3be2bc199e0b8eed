/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "daemon/store/live.h"
#include "daemon/store/page_hash.h"
#include "daemon/store/store.h"
#include "daemon/util/bug.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static uint16_t desc_check(const struct desc *d, uint64_t generation)
{
    struct desc covered = *d;

    covered.use = 0;
    covered.live = live_word(generation, 0);
    return (uint16_t)XXH3_64bits(&covered, sizeof(covered));
}

uint64_t desc_seed(const struct desc_key *key, uint64_t generation)
{
    struct {
        uint64_t object[3];
        uint64_t generation;
        uint32_t index;
        uint32_t pool;
    } of = {
        .object = {key->object[0], key->object[1], key->object[2]},
        .generation = generation,
        .index = key->index,
        .pool = key->pool,
    };

    return XXH3_64bits(&of, sizeof(of));
}

uint64_t desc_sum_page(const struct desc_key *key, uint64_t generation, const void *page)
{
    return page_hash(page, desc_seed(key, generation));
}

uint64_t desc_sum_filled(const struct desc_key *key, uint64_t generation, uint32_t word)
{
    uint64_t check = XXH3_64bits_withSeed(&word, sizeof(word), desc_seed(key, generation));

    return check << 32 | word;
}

bool page_is_filled(const void *page, uint32_t *word_out)
{
    const unsigned char *bytes = page;
    uint32_t first, second, last;

    memcpy(&first, bytes, sizeof(first));
    memcpy(&second, bytes + sizeof(first), sizeof(second));
    memcpy(&last, bytes + TMEMIF_PAGE_SIZE - sizeof(last), sizeof(last));
    if (first != second || first != last)
        return false;
    /* Every word equals the one before it. */
    if (memcmp(bytes, bytes + sizeof(first), TMEMIF_PAGE_SIZE - sizeof(first)) != 0)
        return false;
    *word_out = first;
    return true;
}

void desc_set_key(struct desc *d, const struct desc_key *key)
{
    memcpy(d->object, key->object, sizeof(d->object));
    d->index = key->index;
    d->pool = key->pool;
}

void desc_make_live(struct desc *d, const struct desc_key *key, enum desc_kind kind, uint64_t sum,
                    uint64_t generation)
{
    BUG_UNLESS(d->live == LIVE_DEAD && d->kind == kind);

    desc_set_key(d, key);
    d->sum = sum;
    live_begin(&d->live, generation, desc_check(d, generation));
}

void desc_make_dead(struct desc *d)
{
    live_end(&d->live);
}

bool desc_is_whole(const struct desc *d)
{
    uint64_t generation = live_generation(d->live);

    return generation != 0 && (d->kind == DESC_FRAME || d->kind == DESC_FILLED) &&
           live_check(d->live) == desc_check(d, generation);
}

bool desc_content_is_whole(const struct desc *d, const void *frame)
{
    struct desc_key key = {
        .object = {d->object[0], d->object[1], d->object[2]},
        .index = d->index,
        .pool = d->pool,
    };
    uint64_t generation = live_generation(d->live);

    if (d->kind == DESC_FILLED)
        return d->sum == desc_sum_filled(&key, generation, (uint32_t)d->sum);
    return d->sum == desc_sum_page(&key, generation, frame);
}
