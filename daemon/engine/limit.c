/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The frames that there may be, where a restart makes them fewer. */
#include "daemon/engine/reclaim.h"
#include "daemon/engine/shard.h"

#define SLICE 4096u

/* What workers may hold beside live pages: of a put that replaces one, and of gets. */
static uint64_t under_way(const struct engine *e)
{
    return (uint64_t)e->nr_workers * (1 + ENGINE_GETS_MOST);
}

static uint64_t wanted(const struct engine *e)
{
    return store_usage(e->store).frames_used + under_way(e);
}

static bool has_ephemeral(struct pool *p)
{
    return pool_state(p) == POOL_LIVE && !pool_is_persistent(p);
}

static uint64_t nr_frames_in(const struct queue *q)
{
    return page_list_nr(&q->small) + page_list_nr(&q->main);
}

static uint64_t nr_ephemeral_frames(struct engine *e)
{
    uint64_t nr = 0;

    for (uint32_t i = 0; i < e->nr_pools; i++) {
        for (uint32_t s = 0; has_ephemeral(&e->pools[i]) && s < e->nr_shards; s++)
            nr += nr_frames_in(&pool_part_of(e, &e->pools[i], &e->shards[s])->queue);
    }
    return nr;
}

/* The @nr oldest pages of @part, which has as many. */
static void drop_oldest(struct engine *e, struct shard *s, struct pool_part *part, uint64_t nr)
{
    const struct queue *q = &part->queue;

    s->counters.evictions += nr;
    part->counters.evictions += nr;
    while (nr-- > 0) {
        page_nr page = q->small.tail != LAYOUT_NONE ? q->small.tail : q->main.tail;
        struct handle h = handle_of_desc(e->seed, &e->descs[page]);

        if (shard_kill(e, s, &h, shard_seek(e, s, &h)))
            store_page_free(e->store, page);
    }
}

/* Every pool loses the same part in every shard: whose memory is worth how much is not known yet.
 */
static void drop_ephemeral(struct engine *e, uint64_t nr)
{
    uint64_t all = nr_ephemeral_frames(e), owed = 0;

    if (nr > all)
        nr = all;
    for (uint32_t i = 0; i < e->nr_pools && nr > 0; i++) {
        for (uint32_t at = 0; has_ephemeral(&e->pools[i]) && at < e->nr_shards; at++) {
            struct shard *s = &e->shards[at];
            struct pool_part *part = pool_part_of(e, &e->pools[i], s);

            owed += nr_frames_in(&part->queue) * nr;
            lock_take(&s->lock);
            drop_oldest(e, s, part, owed / all);
            lock_drop(&s->lock);
            owed %= all;
        }
    }
}

uint32_t engine_set_limit(struct engine *e, uint32_t nr_frames)
{
    store_set_limit(e->store, nr_frames);
    while (wanted(e) > nr_frames && engine_reclaim(e, SLICE))
        continue;
    if (wanted(e) > nr_frames)
        drop_ephemeral(e, wanted(e) - nr_frames);
    if (wanted(e) > nr_frames)
        store_set_limit(e->store, wanted(e) < e->nr_frames ? (uint32_t)wanted(e) : e->nr_frames);
    return store_usage(e->store).limit;
}
