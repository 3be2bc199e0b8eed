/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/object_index.h"

#include <string.h>

#include "daemon/util/bug.h"

#define IS_RECORD 1u
/* A walk by base may look for this many extents that are not there in one step. */
#define STEP_PROBES 16u

struct object_match {
    const struct object_index *ix;
    const struct desc_key *key;
};

struct extent_match {
    const struct object_index *ix;
    uint32_t object;
    uint32_t base;
};

static struct object *record_at(const struct object_index *ix, uint32_t value)
{
    return slab_at(&ix->records, value >> 1);
}

static struct extent *extent_at(const struct object_index *ix, uint32_t nr)
{
    return slab_at(&ix->runs, nr);
}

static bool record_is(const struct object *o, const struct desc_key *key)
{
    return o->id[0] == key->object[0] && o->id[1] == key->object[1] && o->id[2] == key->object[2] &&
           o->pool == key->pool;
}

static bool object_is(const void *context, uint32_t value)
{
    const struct object_match *m = context;

    if (value & IS_RECORD)
        return record_is(record_at(m->ix, value), m->key);
    return handle_object_is(&m->ix->descs[value >> 1], m->key);
}

static bool extent_is(const void *context, uint32_t nr)
{
    const struct extent_match *m = context;
    const struct extent *x = extent_at(m->ix, nr);

    return x->object == m->object && x->base == m->base;
}

static uint64_t object_hash_of(const void *context, uint32_t value)
{
    const struct object_index *ix = context;

    if (value & IS_RECORD) {
        const struct object *o = record_at(ix, value);

        return handle_hash_object(ix->seed, o->id, (uint16_t)o->pool);
    }
    return handle_hash_object(ix->seed, ix->descs[value >> 1].object, ix->descs[value >> 1].pool);
}

static void object_prefetch(const void *context, uint32_t value)
{
    const struct object_index *ix = context;

    if (value & IS_RECORD)
        prefetch(record_at(ix, value));
    else
        prefetch(&ix->descs[value >> 1]);
}

static uint64_t extent_hash(const struct object_index *ix, uint32_t object, uint32_t base)
{
    uint32_t words[2] = {object, base};

    return XXH3_64bits_withSeed(words, sizeof(words), ix->seed);
}

static uint64_t extent_hash_of(const void *context, uint32_t nr)
{
    const struct object_index *ix = context;
    const struct extent *x = extent_at(ix, nr);

    return extent_hash(ix, x->object, x->base);
}

static void extent_prefetch(const void *context, uint32_t nr)
{
    prefetch(extent_at(context, nr));
}

static unsigned bits_for(uint64_t nr_values)
{
    unsigned bits = 1;

    while (bits < 32 && (1ull << bits) <= nr_values)
        bits++;
    return bits;
}

bool object_index_init(struct object_index *ix, struct heap *heap, const struct desc *descs,
                       uint32_t nr_descs, uint32_t fair, uint64_t seed)
{
    struct table_owner objects = {ix, object_hash_of, object_prefetch};
    struct table_owner extents = {ix, extent_hash_of, extent_prefetch};

    *ix = (struct object_index){.descs = descs, .seed = seed};
    if (table_init(&ix->objects, heap, bits_for((uint64_t)nr_descs * 2 + 1), fair, &objects) &&
        table_init(&ix->extents, heap, bits_for(nr_descs), fair / EXTENT_PAGES, &extents) &&
        slab_init(&ix->records, heap, sizeof(struct object), nr_descs) &&
        slab_init(&ix->runs, heap, sizeof(struct extent), nr_descs))
        return true;
    object_index_fini(ix);
    return false;
}

void object_index_fini(struct object_index *ix)
{
    if (ix->objects.heap)
        table_fini(&ix->objects);
    if (ix->extents.heap)
        table_fini(&ix->extents);
    if (ix->records.heap)
        slab_fini(&ix->records);
    if (ix->runs.heap)
        slab_fini(&ix->runs);
    *ix = (struct object_index){0};
}

static uint32_t *seek_object(const struct object_index *ix, const struct handle *h)
{
    struct object_match m = {ix, &h->key};

    return table_seek(&ix->objects, h->object_hash, object_is, &m);
}

static uint32_t *seek_extent(const struct object_index *ix, uint32_t object, uint32_t base)
{
    struct extent_match m = {ix, object, base};

    return table_seek(&ix->extents, extent_hash(ix, object, base), extent_is, &m);
}

static void extent_append(struct object_index *ix, struct object *o, uint32_t nr)
{
    struct extent *x = extent_at(ix, nr);

    x->next = SLAB_NONE;
    x->prev = o->last;
    if (o->last != SLAB_NONE)
        extent_at(ix, o->last)->next = nr;
    else
        o->first = nr;
    o->last = nr;
}

static void extent_unlink(struct object_index *ix, struct object *o, uint32_t nr)
{
    struct extent *x = extent_at(ix, nr);

    if (x->prev != SLAB_NONE)
        extent_at(ix, x->prev)->next = x->next;
    else
        o->first = x->next;
    if (x->next != SLAB_NONE)
        extent_at(ix, x->next)->prev = x->prev;
    else
        o->last = x->prev;
}

static bool object_add_index(struct object_index *ix, uint32_t object, uint32_t index)
{
    struct object *o = slab_at(&ix->records, object);
    uint32_t base = index >> EXTENT_SHIFT;
    uint32_t *slot = seek_extent(ix, object, base);
    uint64_t bit = 1ull << (index & (EXTENT_PAGES - 1));
    uint32_t nr;
    struct extent *x;

    if (slot) {
        x = extent_at(ix, table_value(&ix->extents, *slot));
        BUG_UNLESS(!(x->pages & bit));
        x->pages |= bit;
        o->nr_pages++;
        return true;
    }
    nr = slab_take(&ix->runs);
    if (nr == SLAB_NONE)
        return false;
    x = extent_at(ix, nr);
    x->pages = bit;
    x->base = base;
    x->object = object;
    if (!table_insert(&ix->extents, extent_hash(ix, object, base), nr)) {
        slab_give(&ix->runs, nr);
        return false;
    }
    extent_append(ix, o, nr);
    o->nr_extents++;
    o->nr_pages++;
    return true;
}

static void object_remove_index(struct object_index *ix, uint32_t object, uint32_t index)
{
    struct object *o = slab_at(&ix->records, object);
    uint32_t *slot = seek_extent(ix, object, index >> EXTENT_SHIFT);
    uint64_t bit = 1ull << (index & (EXTENT_PAGES - 1));
    struct extent *x;
    uint32_t nr;

    BUG_UNLESS(slot != NULL);
    nr = table_value(&ix->extents, *slot);
    x = extent_at(ix, nr);
    BUG_UNLESS(x->pages & bit);
    x->pages &= ~bit;
    o->nr_pages--;
    if (x->pages)
        return;
    table_remove(&ix->extents, slot);
    extent_unlink(ix, o, nr);
    slab_give(&ix->runs, nr);
    o->nr_extents--;
}

/* The object whose only page @slot names gets a record instead. False: no memory. */
static bool object_promote(struct object_index *ix, const struct handle *h, uint32_t *slot)
{
    page_nr only = table_value(&ix->objects, *slot) >> 1;
    uint32_t nr = slab_take(&ix->records);
    struct object *o;

    if (nr == SLAB_NONE)
        return false;
    o = slab_at(&ix->records, nr);
    memcpy(o->id, h->key.object, sizeof(o->id));
    o->pool = h->key.pool;
    o->first = SLAB_NONE;
    o->last = SLAB_NONE;
    if (!object_add_index(ix, nr, ix->descs[only].index)) {
        slab_give(&ix->records, nr);
        return false;
    }
    table_replace(&ix->objects, slot, nr << 1 | IS_RECORD);
    return true;
}

bool object_index_add(struct object_index *ix, const struct handle *h, page_nr page)
{
    uint32_t *slot = seek_object(ix, h);

    if (!slot)
        return table_insert(&ix->objects, h->object_hash, page << 1);
    if (!(table_value(&ix->objects, *slot) & IS_RECORD) && !object_promote(ix, h, slot))
        return false;
    return object_add_index(ix, table_value(&ix->objects, *slot) >> 1, h->key.index);
}

void object_index_swing(struct object_index *ix, const struct handle *h, page_nr old, page_nr now)
{
    uint32_t *slot = seek_object(ix, h);

    BUG_UNLESS(slot != NULL);
    if (table_value(&ix->objects, *slot) & IS_RECORD)
        return;
    BUG_UNLESS(table_value(&ix->objects, *slot) >> 1 == old);
    table_replace(&ix->objects, slot, now << 1);
}

void object_index_remove(struct object_index *ix, const struct handle *h, page_nr page)
{
    uint32_t *slot = seek_object(ix, h);
    uint32_t value;

    BUG_UNLESS(slot != NULL);
    value = table_value(&ix->objects, *slot);
    if (!(value & IS_RECORD)) {
        BUG_UNLESS(value >> 1 == page);
        table_remove(&ix->objects, slot);
        return;
    }
    object_remove_index(ix, value >> 1, h->key.index);
    if (record_at(ix, value)->nr_pages == 0) {
        table_remove(&ix->objects, slot);
        slab_give(&ix->records, value >> 1);
    }
}

uint64_t object_index_nr(const struct object_index *ix, const struct handle *h)
{
    const uint32_t *slot = seek_object(ix, h);

    if (!slot)
        return 0;
    if (!(table_value(&ix->objects, *slot) & IS_RECORD))
        return 1;
    return record_at(ix, table_value(&ix->objects, *slot))->nr_pages;
}

bool object_index_has(const struct object_index *ix, const struct handle *h, page_nr page)
{
    uint32_t *slot = seek_object(ix, h);
    uint32_t value;

    if (!slot)
        return false;
    value = table_value(&ix->objects, *slot);
    if (!(value & IS_RECORD))
        return value >> 1 == page;
    slot = seek_extent(ix, value >> 1, h->key.index >> EXTENT_SHIFT);
    if (!slot)
        return false;
    return extent_at(ix, table_value(&ix->extents, *slot))->pages >>
               (h->key.index & (EXTENT_PAGES - 1)) &
           1;
}

void object_walk_begin(const struct object_index *ix, const struct handle *h, uint32_t first,
                       uint32_t last, struct object_walk *walk_out)
{
    const uint32_t *slot = seek_object(ix, h);
    uint32_t span = (last >> EXTENT_SHIFT) - (first >> EXTENT_SHIFT);

    *walk_out =
        (struct object_walk){.first = first, .last = last, .next_base = first >> EXTENT_SHIFT};
    /* An object of one page, or of none, is done with the first step. */
    walk_out->by_list = true;
    if (slot && table_value(&ix->objects, *slot) & IS_RECORD) {
        walk_out->left = record_at(ix, table_value(&ix->objects, *slot))->nr_extents;
        walk_out->by_list = walk_out->left <= span;
    }
}

static unsigned extent_indexes(const struct extent *x, const struct object_walk *walk,
                               uint32_t *indexes_out)
{
    unsigned nr = 0;

    for (uint64_t left = x->pages; left; left &= left - 1) {
        uint32_t index = (x->base << EXTENT_SHIFT) + (uint32_t)__builtin_ctzll(left);

        if (index >= walk->first && index <= walk->last)
            indexes_out[nr++] = index;
    }
    return nr;
}

static bool walk_list(struct object_index *ix, struct object *o, struct object_walk *walk,
                      uint32_t *indexes_out, unsigned *nr_out)
{
    for (unsigned probes = 0; probes < STEP_PROBES && *nr_out == 0; probes++) {
        uint32_t nr = o->first;

        if (walk->left == 0 || nr == SLAB_NONE)
            return false;
        walk->left--;
        /* To the end, where new ones go too: what is in front has not been looked at. */
        extent_unlink(ix, o, nr);
        extent_append(ix, o, nr);
        *nr_out = extent_indexes(extent_at(ix, nr), walk, indexes_out);
    }
    return walk->left != 0;
}

static bool walk_bases(struct object_index *ix, uint32_t object, struct object_walk *walk,
                       uint32_t *indexes_out, unsigned *nr_out)
{
    uint32_t last_base = walk->last >> EXTENT_SHIFT;

    for (unsigned probes = 0; probes < STEP_PROBES && *nr_out == 0; probes++) {
        uint32_t *slot;

        if (walk->next_base > last_base)
            return false;
        slot = seek_extent(ix, object, (uint32_t)walk->next_base++);
        if (slot)
            *nr_out =
                extent_indexes(extent_at(ix, table_value(&ix->extents, *slot)), walk, indexes_out);
    }
    return walk->next_base <= last_base;
}

bool object_walk_step(struct object_index *ix, const struct handle *h, struct object_walk *walk,
                      uint32_t indexes_out[EXTENT_PAGES], unsigned *nr_out)
{
    uint32_t *slot = seek_object(ix, h);
    uint32_t value;

    *nr_out = 0;
    if (!slot)
        return false;
    value = table_value(&ix->objects, *slot);
    if (!(value & IS_RECORD)) {
        uint32_t index = ix->descs[value >> 1].index;

        if (index >= walk->first && index <= walk->last)
            indexes_out[(*nr_out)++] = index;
        return false;
    }
    if (walk->by_list)
        return walk_list(ix, record_at(ix, value), walk, indexes_out, nr_out);
    return walk_bases(ix, value >> 1, walk, indexes_out, nr_out);
}

const char *object_index_check(const struct object_index *ix, uint64_t *nr_pages_out)
{
    uint64_t cursor = 0, nr_pages = 0, nr_extents = 0, nr_records = 0;
    uint32_t value;

    while (table_next(&ix->objects, &cursor, &value)) {
        uint64_t found = 0;
        uint32_t extents = 0;
        const struct object *o;

        if (!(value & IS_RECORD)) {
            nr_pages++;
            continue;
        }
        o = record_at(ix, value);
        nr_records++;
        for (uint32_t nr = o->first; nr != SLAB_NONE; nr = extent_at(ix, nr)->next) {
            const struct extent *x = extent_at(ix, nr);

            if (x->pages == 0)
                return "an extent has no pages";
            if (x->object != value >> 1 || !seek_extent(ix, x->object, x->base))
                return "an extent is not found under its object and base";
            for (uint64_t left = x->pages; left; left &= left - 1)
                found++;
            extents++;
        }
        if (found == 0 || found != o->nr_pages || extents != o->nr_extents)
            return "an object's counts differ from its extents";
        nr_pages += found;
        nr_extents += extents;
    }
    if (nr_records != ix->records.nr_used || nr_extents != ix->runs.nr_used ||
        nr_extents != ix->extents.nr_used)
        return "an object record or extent is lost";
    *nr_pages_out = nr_pages;
    return NULL;
}
