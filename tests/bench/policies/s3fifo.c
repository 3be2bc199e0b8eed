/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * s3fifo.c - S3-FIFO as its paper has it (Yang et al., SOSP 2023, algorithm 1): a small queue of
 * a tenth, a main one, as many ghosts as the main one may have blocks, two bits of frequency.
 */
#include <stdlib.h>

#include "tests/bench/policies/block_list.h"
#include "tests/bench/policies/policy.h"

#define FREQUENCY_MOST 3u
/* used more often than so in the small queue: to the main one */
#define SMALL_ONCE 1u

enum place { NOWHERE, SMALL, MAIN, GHOST };

struct s3fifo {
    uint32_t nr_pages, small_most, ghosts_most;
    struct block_list small, main, ghosts;
    struct block_link *links;
    uint8_t *places; /* enum place */
    uint8_t *frequencies;
};

uint32_t policy_pages_beside_ghosts(uint32_t nr_pages)
{
    uint64_t nr_ghosts = (uint64_t)nr_pages + nr_pages / 8;
    uint64_t ghost_pages = (nr_ghosts * 64 / 31 + 4095) / 4096;

    return ghost_pages < nr_pages ? nr_pages - (uint32_t)ghost_pages : 1;
}

static void s3fifo_destroy(void *cache)
{
    struct s3fifo *c = cache;

    free(c->links);
    free(c->places);
    free(c->frequencies);
    free(c);
}

static void *s3fifo_create(uint32_t nr_pages, uint32_t nr_blocks)
{
    struct s3fifo *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    *c = (struct s3fifo){.nr_pages = nr_pages,
                         .small_most = nr_pages >= 10 ? nr_pages / 10 : 1,
                         .small = block_list_empty(),
                         .main = block_list_empty(),
                         .ghosts = block_list_empty(),
                         .links = calloc(nr_blocks, sizeof(*c->links)),
                         .places = calloc(nr_blocks, sizeof(*c->places)),
                         .frequencies = calloc(nr_blocks, sizeof(*c->frequencies))};
    c->ghosts_most = nr_pages - c->small_most;
    if (c->links && c->places && c->frequencies)
        return c;
    s3fifo_destroy(c);
    return NULL;
}

static void move_to(struct s3fifo *c, struct block_list *list, enum place place, uint32_t block)
{
    c->places[block] = (uint8_t)place;
    block_list_push(list, c->links, block);
}

static void add_ghost(struct s3fifo *c, uint32_t block)
{
    if (c->ghosts_most == 0) {
        c->places[block] = NOWHERE;
        return;
    }
    if (c->ghosts.nr == c->ghosts_most)
        c->places[block_list_pop(&c->ghosts, c->links)] = NOWHERE;
    move_to(c, &c->ghosts, GHOST, block);
}

/* False: every block went over to the main queue. */
static bool evict_small(struct s3fifo *c)
{
    while (c->small.nr) {
        uint32_t block = block_list_pop(&c->small, c->links);

        if (c->frequencies[block] <= SMALL_ONCE) {
            add_ghost(c, block);
            return true;
        }
        c->frequencies[block] = 0;
        move_to(c, &c->main, MAIN, block);
    }
    return false;
}

static void evict_main(struct s3fifo *c)
{
    for (;;) {
        uint32_t block = block_list_pop(&c->main, c->links);

        if (c->frequencies[block] == 0) {
            c->places[block] = NOWHERE;
            return;
        }
        c->frequencies[block]--;
        block_list_push(&c->main, c->links, block);
    }
}

static void evict(struct s3fifo *c)
{
    if ((c->small.nr < c->small_most && c->main.nr) || !evict_small(c))
        evict_main(c);
}

static bool s3fifo_access(void *cache, const struct access *a)
{
    struct s3fifo *c = cache;
    enum place place = (enum place)c->places[a->id];

    if (place == SMALL || place == MAIN) {
        if (c->frequencies[a->id] < FREQUENCY_MOST)
            c->frequencies[a->id]++;
        return true;
    }
    /* its ghost is taken before another one may push it out */
    if (place == GHOST)
        block_list_remove(&c->ghosts, c->links, a->id);
    if (c->small.nr + c->main.nr == c->nr_pages)
        evict(c);
    c->frequencies[a->id] = 0;
    if (place == GHOST)
        move_to(c, &c->main, MAIN, a->id);
    else
        move_to(c, &c->small, SMALL, a->id);
    return false;
}

const struct cache_policy policy_s3fifo = {"s3fifo", s3fifo_create, s3fifo_destroy, s3fifo_access};
