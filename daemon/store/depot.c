/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store/depot.h"

#include <stdlib.h>

#include "daemon/util/bug.h"

#define NO_CHUNK UINT32_MAX

/* After the system refused memory once, this many puts go by before it is asked again. */
#define GROW_PAUSE 512u

/*
 * After a huge page was not to be had, this many chunks get small ones before the system is asked
 * again: it may have tried for milliseconds to make room for one.
 */
#define HUGE_PAUSE 64u
_Static_assert(SEGMENT_HUGE_PAGE == (size_t)STORE_CHUNK_PAGES * TMEMIF_PAGE_SIZE,
               "the frames of a chunk fill a huge page");

#define KIND_FREE 0u

bool depot_init(struct depot *d, struct desc *descs, page_nr first, uint32_t nr,
                const struct segment *desc_seg, const struct segment *frame_seg)
{
    *d = (struct depot){
        .descs = descs,
        .first = first,
        .nr = nr,
        .desc_seg = desc_seg,
        .frame_seg = frame_seg,
        .bare = NO_CHUNK,
        .nr_chunks = nr / STORE_CHUNK_PAGES + (nr % STORE_CHUNK_PAGES != 0),
        .idle = NO_CHUNK,
        .partial = NO_CHUNK,
        .limit = nr,
    };
    BUG_UNLESS(!frame_seg || first % STORE_CHUNK_PAGES == 0); /* huge pages have their places */
    if (d->nr_chunks == 0)
        return true;
    /* Zero is CHUNK_BARE, so a large store costs nothing for what it does not use. */
    d->chunks = calloc(d->nr_chunks, sizeof(*d->chunks));
    return d->chunks != NULL;
}

void depot_fini(struct depot *d)
{
    free(d->chunks);
    d->chunks = NULL;
}

page_nr depot_chunk_first(const struct depot *d, uint32_t c)
{
    return d->first + c * STORE_CHUNK_PAGES;
}

uint32_t depot_chunk_nr_pages(const struct depot *d, uint32_t c)
{
    uint32_t rest = d->nr - c * STORE_CHUNK_PAGES;

    return rest < STORE_CHUNK_PAGES ? rest : STORE_CHUNK_PAGES;
}

size_t depot_desc_offset(const struct depot *d, uint32_t c)
{
    return depot_chunk_first(d, c) * sizeof(struct desc);
}

size_t depot_frame_offset(const struct depot *d, uint32_t c)
{
    return (size_t)depot_chunk_first(d, c) * TMEMIF_PAGE_SIZE;
}

size_t depot_desc_bytes(const struct depot *d, uint32_t c)
{
    return depot_chunk_nr_pages(d, c) * sizeof(struct desc);
}

size_t depot_frame_bytes(const struct depot *d, uint32_t c)
{
    return d->frame_seg ? (size_t)depot_chunk_nr_pages(d, c) * TMEMIF_PAGE_SIZE : 0;
}

/* ---- lists of chunks ---- */

static void list_push(struct depot *d, uint32_t *head, uint32_t c, enum chunk_state state)
{
    struct chunk *chunk = &d->chunks[c];

    chunk->state = (uint8_t)state;
    chunk->prev = NO_CHUNK;
    chunk->next = *head;
    if (*head != NO_CHUNK)
        d->chunks[*head].prev = c;
    *head = c;
}

static void list_remove(struct depot *d, uint32_t *head, uint32_t c)
{
    struct chunk *chunk = &d->chunks[c];

    if (chunk->prev != NO_CHUNK)
        d->chunks[chunk->prev].next = chunk->next;
    else
        *head = chunk->next;
    if (chunk->next != NO_CHUNK)
        d->chunks[chunk->next].prev = chunk->prev;
}

/* ---- pages of a chunk ---- */

static page_nr chunk_pop(struct depot *d, uint32_t c)
{
    struct chunk *chunk = &d->chunks[c];
    page_nr first = depot_chunk_first(d, c);
    page_nr page = chunk->free;

    if (page != LAYOUT_NONE) {
        BUG_UNLESS(page - first < STORE_CHUNK_PAGES);
        chunk->free = d->descs[page].index;
    } else {
        page = first + chunk->nr_begun++;
    }
    chunk->nr_out++;
    return page;
}

static bool chunk_has_free(const struct depot *d, uint32_t c)
{
    return d->chunks[c].nr_out < depot_chunk_nr_pages(d, c);
}

/* An idle chunk begins anew, so that its pages are handed out in order again. */
static void chunk_become_idle(struct depot *d, uint32_t c)
{
    d->chunks[c].free = LAYOUT_NONE;
    d->chunks[c].nr_begun = 0;
    d->chunks[c].nr_out = 0;
    list_push(d, &d->idle, c, CHUNK_IDLE);
}

static void chunk_push(struct depot *d, page_nr page)
{
    uint32_t c = (page - d->first) / STORE_CHUNK_PAGES;
    struct chunk *chunk = &d->chunks[c];

    BUG_UNLESS(chunk->nr_out > 0);
    d->descs[page].index = chunk->free;
    chunk->free = page;
    chunk->nr_out--;
    if (chunk->state == CHUNK_FULL)
        list_push(d, &d->partial, c, CHUNK_PARTIAL);
    if (chunk->nr_out == 0) {
        list_remove(d, &d->partial, c);
        chunk_become_idle(d, c);
    }
}

/* ---- pages in and out ---- */

static uint32_t depot_room(const struct depot *d)
{
    uint32_t limit = atomic_load_explicit(&d->limit, memory_order_relaxed);
    uint32_t out = atomic_load_explicit(&d->nr_out, memory_order_relaxed);

    return out < limit ? limit - out : 0;
}

unsigned depot_take(struct depot *d, unsigned nr, page_nr *pages_out)
{
    unsigned taken = 0;
    uint32_t room;

    /* A full store asks for every put: answer without the lock. */
    if (depot_room(d) == 0)
        return 0;
    lock_take(&d->list_lock);
    room = depot_room(d);
    if (nr > room)
        nr = room;
    while (taken < nr) {
        uint32_t c = d->partial;

        if (c == NO_CHUNK) {
            c = d->idle;
            if (c == NO_CHUNK)
                break;
            list_remove(d, &d->idle, c);
            list_push(d, &d->partial, c, CHUNK_PARTIAL);
        }
        while (taken < nr && chunk_has_free(d, c))
            pages_out[taken++] = chunk_pop(d, c);
        if (!chunk_has_free(d, c)) {
            list_remove(d, &d->partial, c);
            d->chunks[c].state = CHUNK_FULL;
        }
    }
    atomic_fetch_add_explicit(&d->nr_out, taken, memory_order_relaxed);
    lock_drop(&d->list_lock);
    return taken;
}

void depot_give(struct depot *d, const page_nr *pages, unsigned nr)
{
    lock_take(&d->list_lock);
    for (unsigned i = 0; i < nr; i++)
        chunk_push(d, pages[i]);
    atomic_fetch_sub_explicit(&d->nr_out, nr, memory_order_relaxed);
    lock_drop(&d->list_lock);
}

/* ---- memory ---- */

static bool depot_has_free(struct depot *d)
{
    bool has;

    lock_take(&d->list_lock);
    has = d->partial != NO_CHUNK || d->idle != NO_CHUNK;
    lock_drop(&d->list_lock);
    return has;
}

bool depot_chunk_back(const struct depot *d, uint32_t c)
{
    if (!segment_back(d->desc_seg, depot_desc_offset(d, c), depot_desc_bytes(d, c)))
        return false;
    return !d->frame_seg ||
           segment_back(d->frame_seg, depot_frame_offset(d, c), depot_frame_bytes(d, c));
}

/* The frames of a bare chunk, in one page if that can be. Under the grow lock. */
static void depot_try_huge(struct depot *d, uint32_t c)
{
    if (depot_frame_bytes(d, c) != SEGMENT_HUGE_PAGE)
        return; /* no frames, or the last chunk, which is a part of one */
    if (d->huge_pause > 0)
        d->huge_pause--;
    else if (!segment_back_huge(d->frame_seg, depot_frame_offset(d, c)))
        d->huge_pause = HUGE_PAUSE;
}

/* True: the chunk needs memory again before it is used. False: it has all that it had. */
static bool depot_chunk_unback(const struct depot *d, uint32_t c)
{
    bool descs_gone;

    if (d->frame_seg &&
        !segment_unback(d->frame_seg, depot_frame_offset(d, c), depot_frame_bytes(d, c)))
        return false;
    descs_gone = segment_unback(d->desc_seg, depot_desc_offset(d, c), depot_desc_bytes(d, c));
    return d->frame_seg || descs_gone;
}

/* A chunk without memory, or NO_CHUNK. Under the grow lock. */
static uint32_t depot_bare_chunk(struct depot *d)
{
    uint32_t c = d->bare;

    if (c != NO_CHUNK)
        list_remove(d, &d->bare, c);
    else if (d->nr_reached < d->nr_chunks)
        c = d->nr_reached++;
    return c;
}

static bool depot_grow_locked(struct depot *d)
{
    uint32_t c;

    if (depot_has_free(d)) /* somebody else was here while we waited for the lock */
        return true;
    if (d->pause > 0) {
        d->pause--;
        return false;
    }
    c = depot_bare_chunk(d);
    if (c == NO_CHUNK)
        return false;
    depot_try_huge(d, c);
    if (!depot_chunk_back(d, c)) { /* all of it, whatever there is by now */
        (void)depot_chunk_unback(d, c);
        list_push(d, &d->bare, c, CHUNK_BARE);
        d->pause = GROW_PAUSE;
        return false;
    }
    lock_take(&d->list_lock);
    chunk_become_idle(d, c);
    lock_drop(&d->list_lock);
    atomic_fetch_add_explicit(&d->nr_backed, depot_chunk_nr_pages(d, c), memory_order_relaxed);
    return true;
}

bool depot_grow(struct depot *d)
{
    bool ok;

    if (depot_room(d) == 0)
        return false;
    lock_take(&d->grow_lock);
    ok = depot_grow_locked(d);
    lock_drop(&d->grow_lock);
    return ok;
}

bool depot_shrink(struct depot *d)
{
    bool ok = false;
    uint32_t c;

    lock_take(&d->grow_lock);
    lock_take(&d->list_lock);
    c = d->idle;
    if (c != NO_CHUNK)
        list_remove(d, &d->idle, c);
    lock_drop(&d->list_lock);
    if (c == NO_CHUNK)
        goto out;

    ok = depot_chunk_unback(d, c);
    if (ok) {
        list_push(d, &d->bare, c, CHUNK_BARE);
        atomic_fetch_sub_explicit(&d->nr_backed, depot_chunk_nr_pages(d, c), memory_order_relaxed);
    } else {
        lock_take(&d->list_lock);
        chunk_become_idle(d, c);
        lock_drop(&d->list_lock);
    }
out:
    lock_drop(&d->grow_lock);
    return ok;
}

void depot_adopt(struct depot *d, uint32_t c)
{
    struct chunk *chunk = &d->chunks[c];
    page_nr first = depot_chunk_first(d, c);
    uint32_t nr = depot_chunk_nr_pages(d, c);

    while (d->nr_reached < c)
        list_push(d, &d->bare, d->nr_reached++, CHUNK_BARE);
    d->nr_reached = c + 1;

    chunk->free = LAYOUT_NONE;
    chunk->nr_begun = (uint16_t)nr;
    chunk->nr_out = 0;
    for (uint32_t i = nr; i-- > 0;) {
        struct desc *desc = &d->descs[first + i];

        if (desc->live != LIVE_DEAD) {
            chunk->nr_out++;
        } else {
            desc->kind = KIND_FREE;
            desc->index = chunk->free;
            chunk->free = first + i;
        }
    }
    if (chunk->nr_out == 0)
        chunk_become_idle(d, c);
    else if (chunk->nr_out < nr)
        list_push(d, &d->partial, c, CHUNK_PARTIAL);
    else
        chunk->state = CHUNK_FULL;
    atomic_fetch_add_explicit(&d->nr_out, chunk->nr_out, memory_order_relaxed);
    atomic_fetch_add_explicit(&d->nr_backed, nr, memory_order_relaxed);
}

page_nr depot_next_live(const struct depot *d, page_nr from)
{
    uint32_t place = from < d->first ? 0 : from - d->first;

    while (place < d->nr) {
        uint32_t c = place / STORE_CHUNK_PAGES;
        uint32_t end = c * STORE_CHUNK_PAGES + depot_chunk_nr_pages(d, c);

        if (d->chunks[c].state == CHUNK_BARE || d->chunks[c].state == CHUNK_IDLE) {
            place = end;
            continue;
        }
        for (; place < end; place++)
            if (d->descs[d->first + place].live != LIVE_DEAD)
                return d->first + place;
    }
    return LAYOUT_NONE;
}
