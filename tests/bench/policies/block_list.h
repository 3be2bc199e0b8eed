/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * block_list.h - lists of blocks over one array of links; a block is on one list at most.
 *
 *     newest <-> ... <-> oldest
 */
#ifndef TESTS_BENCH_BLOCK_LIST_H
#define TESTS_BENCH_BLOCK_LIST_H

#include <stdint.h>

#define NO_BLOCK UINT32_MAX

struct block_link {
    uint32_t newer, older;
};

struct block_list {
    uint32_t newest, oldest;
    uint32_t nr;
};

static inline struct block_list block_list_empty(void)
{
    return (struct block_list){.newest = NO_BLOCK, .oldest = NO_BLOCK};
}

static inline void block_list_push(struct block_list *l, struct block_link *links, uint32_t block)
{
    links[block] = (struct block_link){.newer = NO_BLOCK, .older = l->newest};
    if (l->newest != NO_BLOCK)
        links[l->newest].newer = block;
    else
        l->oldest = block;
    l->newest = block;
    l->nr++;
}

static inline void block_list_remove(struct block_list *l, struct block_link *links, uint32_t block)
{
    const struct block_link *link = &links[block];

    if (link->newer != NO_BLOCK)
        links[link->newer].older = link->older;
    else
        l->newest = link->older;
    if (link->older != NO_BLOCK)
        links[link->older].newer = link->newer;
    else
        l->oldest = link->newer;
    l->nr--;
}

/* Take the oldest off; the list is not empty. */
static inline uint32_t block_list_pop(struct block_list *l, struct block_link *links)
{
    uint32_t block = l->oldest;

    block_list_remove(l, links, block);
    return block;
}

#endif /* TESTS_BENCH_BLOCK_LIST_H */
