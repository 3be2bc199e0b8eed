/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/slab.h"

#include <string.h>

#define FIRST_CHUNKS 8u

bool slab_init(struct slab *s, struct heap *heap, uint32_t item_bytes, uint32_t nr_most)
{
    *s = (struct slab){
        .nr_chunks = FIRST_CHUNKS,
        .nr_most = nr_most,
        .item_bytes = item_bytes,
        .heap = heap,
    };
    s->chunks = heap_take(heap, s->nr_chunks, sizeof(*s->chunks));
    return s->chunks != NULL;
}

void slab_fini(struct slab *s)
{
    for (uint32_t at = 0; s->chunks && at < s->nr_made; at += SLAB_CHUNK)
        heap_give(s->heap, s->chunks[at / SLAB_CHUNK], SLAB_CHUNK, s->item_bytes);
    heap_give(s->heap, s->chunks, s->nr_chunks, sizeof(*s->chunks));
    *s = (struct slab){0};
}

/* The list of chunks twice as long. A chunk itself never moves. */
static bool list_grow(struct slab *s)
{
    char **longer = heap_take(s->heap, (size_t)s->nr_chunks * 2, sizeof(*longer));

    if (!longer)
        return false;
    memcpy(longer, s->chunks, s->nr_chunks * sizeof(*longer));
    heap_give(s->heap, s->chunks, s->nr_chunks, sizeof(*longer));
    s->chunks = longer;
    s->nr_chunks *= 2;
    return true;
}

static bool chunk_add(struct slab *s)
{
    uint32_t at = s->nr_made / SLAB_CHUNK;

    if (at == s->nr_chunks && !list_grow(s))
        return false;
    s->chunks[at] = heap_take(s->heap, SLAB_CHUNK, s->item_bytes);
    return s->chunks[at] != NULL;
}

uint32_t slab_take(struct slab *s)
{
    uint32_t nr = s->first_free;

    if (nr) {
        void *item = slab_at(s, --nr);

        memcpy(&s->first_free, item, sizeof(s->first_free));
        memset(item, 0, s->item_bytes);
    } else {
        if (s->nr_made == s->nr_most || (s->nr_made % SLAB_CHUNK == 0 && !chunk_add(s)))
            return SLAB_NONE;
        nr = s->nr_made++;
    }
    s->nr_used++;
    return nr;
}

void slab_give(struct slab *s, uint32_t nr)
{
    memcpy(slab_at(s, nr), &s->first_free, sizeof(s->first_free));
    s->first_free = nr + 1;
    s->nr_used--;
}
