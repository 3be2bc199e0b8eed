/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/slab.h"

#include <string.h>

bool slab_init(struct slab *s, struct heap *heap, uint32_t item_bytes, uint32_t nr_most)
{
    *s = (struct slab){
        .nr_chunks_most = nr_most / SLAB_CHUNK + 1,
        .item_bytes = item_bytes,
        .heap = heap,
    };
    s->chunks = heap_take(heap, s->nr_chunks_most, sizeof(*s->chunks));
    return s->chunks != NULL;
}

void slab_fini(struct slab *s)
{
    for (uint32_t at = 0; s->chunks && at < s->nr_made; at += SLAB_CHUNK)
        heap_give(s->heap, s->chunks[at / SLAB_CHUNK], SLAB_CHUNK, s->item_bytes);
    heap_give(s->heap, s->chunks, s->nr_chunks_most, sizeof(*s->chunks));
    *s = (struct slab){0};
}

uint32_t slab_take(struct slab *s)
{
    uint32_t nr = s->first_free;

    if (nr) {
        void *item = slab_at(s, --nr);

        memcpy(&s->first_free, item, sizeof(s->first_free));
        memset(item, 0, s->item_bytes);
    } else {
        nr = s->nr_made;
        if (nr % SLAB_CHUNK == 0) {
            if (nr / SLAB_CHUNK == s->nr_chunks_most)
                return SLAB_NONE;
            s->chunks[nr / SLAB_CHUNK] = heap_take(s->heap, SLAB_CHUNK, s->item_bytes);
            if (!s->chunks[nr / SLAB_CHUNK])
                return SLAB_NONE;
        }
        s->nr_made++;
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
