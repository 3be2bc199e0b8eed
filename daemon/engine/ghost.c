/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/ghost.h"

bool ghosts_init(struct ghosts *g, struct heap *heap, uint32_t nr)
{
    *g = (struct ghosts){.nr_sets = nr / GHOST_WAYS + 1, .heap = heap};
    g->nr_ways = (nr + g->nr_sets - 1) / g->nr_sets;
    if (g->nr_ways == 0)
        g->nr_ways = 1;
    g->sets = heap_take(heap, g->nr_sets, sizeof(*g->sets));
    return g->sets != NULL;
}

void ghosts_fini(struct ghosts *g)
{
    if (g->heap)
        heap_give(g->heap, g->sets, g->nr_sets, sizeof(*g->sets));
    *g = (struct ghosts){0};
}

static struct ghost_set *set_of(struct ghosts *g, uint64_t hash)
{
    return &g->sets[(hash >> 32) * g->nr_sets >> 32];
}

static uint16_t print_of(uint64_t hash)
{
    uint16_t print = (uint16_t)hash;

    return print ? print : 1;
}

void ghosts_add(struct ghosts *g, uint64_t hash)
{
    struct ghost_set *set = set_of(g, hash);

    set->prints[set->next] = print_of(hash);
    set->next = (uint16_t)((set->next + 1u) % g->nr_ways);
}

/* How many ghosts were added to the set after the one at @i. */
static uint32_t age_at(const struct ghosts *g, const struct ghost_set *set, uint32_t i)
{
    return (set->next + g->nr_ways - 1 - i) % g->nr_ways;
}

bool ghosts_take(struct ghosts *g, uint64_t hash, uint32_t young_percent)
{
    struct ghost_set *set = set_of(g, hash);
    uint16_t print = print_of(hash);

    for (uint32_t i = 0; i < g->nr_ways; i++) {
        if (set->prints[i] == print) {
            set->prints[i] = 0;
            return age_at(g, set, i) * 100 < g->nr_ways * young_percent;
        }
    }
    return false;
}
