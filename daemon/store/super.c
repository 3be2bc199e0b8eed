/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store/super.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define TABLE_ALIGN 64u

uint64_t super_check(const struct layout_super *super)
{
    struct layout_super covered = *super;

    covered.incarnation = 0;
    covered.check = 0;
    return XXH3_64bits(&covered, sizeof(covered));
}

static bool super_numbers_fit(const struct layout_super *super)
{
    return super->nr_frames >= 1 && super->nr_descs >= super->nr_frames &&
           super->nr_descs < LAYOUT_NONE && super->nr_accounts >= 1 &&
           super->nr_accounts <= LAYOUT_MAX_ACCOUNTS && super->nr_pools >= 1 &&
           super->nr_pools <= LAYOUT_MAX_POOLS && super->nr_tombstones >= 1 &&
           super->nr_tombstones <= LAYOUT_MAX_TOMBSTONES && super->nr_rings >= 1 &&
           super->nr_rings <= LAYOUT_MAX_RINGS;
}

const char *super_init(struct layout_super *super_out, const struct store_config *config)
{
    if (config->nr_frames == 0)
        return "a store of no pages is of no use";
    if (config->nr_filled >= LAYOUT_NONE - config->nr_frames)
        return "more pages than a store can number";
    *super_out = (struct layout_super){
        .magic = LAYOUT_MAGIC,
        .version = LAYOUT_VERSION,
        .incarnation = 1,
        .nr_frames = config->nr_frames,
        .nr_descs = config->nr_frames + config->nr_filled,
        .nr_accounts = LAYOUT_MAX_ACCOUNTS,
        .nr_pools = LAYOUT_MAX_POOLS,
        .nr_tombstones = LAYOUT_MAX_TOMBSTONES,
        .nr_rings = LAYOUT_MAX_RINGS,
    };
    super_out->check = super_check(super_out);
    return NULL;
}

const char *super_why_refused(const struct layout_super *super)
{
    if (super->magic != LAYOUT_MAGIC)
        return "the segments were not written by xentmem";
    if (super->version != LAYOUT_VERSION)
        return "the segments have a layout version that this xentmem does not read";
    if (super->check != super_check(super))
        return "the superblock is damaged: its check sum is wrong";
    if (!super_numbers_fit(super))
        return "the superblock is damaged: a number is out of range";
    return NULL;
}

/* Place a table of @nr records after *@end; the multiple of 64 that it begins at. */
static size_t table_place(size_t *end, uint32_t nr, size_t record_bytes)
{
    size_t first = (*end + TABLE_ALIGN - 1) / TABLE_ALIGN * TABLE_ALIGN;

    *end = first + nr * record_bytes;
    return first;
}

void super_geometry(const struct layout_super *super, struct geometry *geometry_out)
{
    size_t page = TMEMIF_PAGE_SIZE;
    size_t meta = sizeof(struct layout_super);
    size_t descs = super->nr_descs * sizeof(struct desc);

    geometry_out->accounts = table_place(&meta, super->nr_accounts, sizeof(struct account_rec));
    geometry_out->pools = table_place(&meta, super->nr_pools, sizeof(struct pool_rec));
    geometry_out->tombstones =
        table_place(&meta, super->nr_tombstones, sizeof(struct tombstone_rec));
    geometry_out->rings = table_place(&meta, super->nr_rings, sizeof(struct ring_rec));
    geometry_out->len_bytes[STORE_META] = (meta + page - 1) / page * page;
    geometry_out->len_bytes[STORE_DESCS] = (descs + page - 1) / page * page;
    geometry_out->len_bytes[STORE_FRAMES] = super->nr_frames * page;
}
