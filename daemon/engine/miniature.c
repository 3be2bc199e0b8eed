/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/miniature.h"

#define NO_ENTRY UINT16_MAX

enum mini_place { MINI_FREE, MINI_SMALL, MINI_MAIN, MINI_GHOST };

static struct mini_list *list_of(struct miniature *m, uint8_t place)
{
    switch ((enum mini_place)place) {
    case MINI_SMALL:
        return &m->small;
    case MINI_MAIN:
        return &m->main;
    case MINI_GHOST:
        return &m->ghosts;
    case MINI_FREE:
        break;
    }
    return &m->free;
}

static void enter_list(struct miniature *m, uint16_t at, enum mini_place place)
{
    struct mini_list *l = list_of(m, (uint8_t)place);
    struct mini_page *page = &m->pages[at];

    page->place = (uint8_t)place;
    page->newer = NO_ENTRY;
    page->older = l->newest;
    if (l->newest != NO_ENTRY)
        m->pages[l->newest].newer = at;
    else
        l->oldest = at;
    l->newest = at;
    l->nr++;
}

static void leave_list(struct miniature *m, uint16_t at)
{
    const struct mini_page *page = &m->pages[at];
    struct mini_list *l = list_of(m, page->place);

    if (page->newer != NO_ENTRY)
        m->pages[page->newer].older = page->older;
    else
        l->newest = page->older;
    if (page->older != NO_ENTRY)
        m->pages[page->older].newer = page->newer;
    else
        l->oldest = page->newer;
    l->nr--;
}

static void move_to(struct miniature *m, uint16_t at, enum mini_place place)
{
    leave_list(m, at);
    enter_list(m, at, place);
}

static uint16_t *head_of(struct miniature *m, uint64_t hash)
{
    return &m->heads[hash % MINIATURE_MOST];
}

static uint16_t find(struct miniature *m, uint64_t hash)
{
    uint16_t at = *head_of(m, hash);

    while (at != NO_ENTRY && m->pages[at].hash != hash)
        at = m->pages[at].next;
    return at;
}

static bool is_held(const struct miniature *m, uint16_t at)
{
    return at != NO_ENTRY && m->pages[at].place != MINI_GHOST;
}

static void forget(struct miniature *m, uint16_t at)
{
    uint16_t *link = head_of(m, m->pages[at].hash);

    while (*link != at)
        link = &m->pages[*link].next;
    *link = m->pages[at].next;
    move_to(m, at, MINI_FREE);
}

/*
 * A ghost for each page that the main queue would have room for with a small one of a tenth; those
 * that are too old for the rule are not kept.
 */
static uint32_t room_for_ghosts(const struct miniature *m)
{
    return (m->room - m->room / 10) * m->rule->young_percent / 100;
}

static void leave_ghost(struct miniature *m, uint16_t at)
{
    move_to(m, at, MINI_GHOST);
    while (m->ghosts.nr > room_for_ghosts(m))
        forget(m, m->ghosts.oldest);
}

/* One page goes; there is one. Each step takes a use of a page, or takes it from the small queue.
 */
static void evict(struct miniature *m)
{
    for (;;) {
        bool small = queue_small_is_due(m->rule, m->small.nr, m->main.nr);
        uint16_t at = small ? m->small.oldest : m->main.oldest;
        struct mini_page *page = &m->pages[at];

        if (small && page->uses < m->rule->uses_to_pass) {
            leave_ghost(m, at);
            return;
        }
        if (!small && page->uses == 0) {
            forget(m, at);
            return;
        }
        page->uses = small ? 0 : (uint8_t)(page->uses - 1);
        move_to(m, at, MINI_MAIN);
    }
}

void miniature_init(struct miniature *m, const struct queue_rule *rule)
{
    static const struct mini_list empty = {.newest = NO_ENTRY, .oldest = NO_ENTRY};

    m->rule = rule;
    m->room = 1;
    m->small = m->main = m->ghosts = m->free = empty;
    for (unsigned i = 0; i < MINIATURE_MOST; i++)
        m->heads[i] = NO_ENTRY;
    for (uint16_t at = 0; at < MINIATURE_ENTRIES; at++)
        enter_list(m, at, MINI_FREE);
}

bool miniature_get(struct miniature *m, uint64_t hash)
{
    uint16_t at = find(m, hash);

    if (!is_held(m, at))
        return false;
    if (m->pages[at].uses < QUEUE_USES_MOST)
        m->pages[at].uses++;
    return true;
}

void miniature_put(struct miniature *m, uint64_t hash)
{
    uint16_t at = find(m, hash);
    bool was_ghost = at != NO_ENTRY;

    if (is_held(m, at))
        return;
    if (was_ghost)
        forget(m, at); /* before another one may push it out */
    while (miniature_nr(m) >= m->room)
        evict(m);
    at = m->free.oldest;
    m->pages[at].hash = hash;
    m->pages[at].uses = 0;
    m->pages[at].next = *head_of(m, hash);
    *head_of(m, hash) = at;
    move_to(m, at, was_ghost ? MINI_MAIN : MINI_SMALL);
}

void miniature_take(struct miniature *m, uint64_t hash)
{
    uint16_t at = find(m, hash);

    if (is_held(m, at))
        leave_ghost(m, at);
}

void miniature_thin(struct miniature *m, uint32_t below)
{
    for (uint16_t at = 0; at < MINIATURE_ENTRIES; at++) {
        if (m->pages[at].place != MINI_FREE && m->pages[at].hash >> 32 >= below)
            forget(m, at);
    }
}
