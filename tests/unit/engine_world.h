/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * engine_world.h - a store, an engine and some guests for tests of the engine.
 *
 * A world that cannot be built is a broken test: it stops the program.
 */
#ifndef TESTS_ENGINE_WORLD_H
#define TESTS_ENGINE_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/engine/engine.h"

struct world {
    struct store *store;
    struct engine *e;
    struct engine_config config;
};

#define WORLD_MUST(condition) world_must((condition), #condition, __FILE__, __LINE__)

static inline void world_must(bool ok, const char *what, const char *file, int line)
{
    if (ok)
        return;
    fprintf(stderr, "%s:%d: the test's world needs: %s\n", file, line, what);
    abort();
}

static inline struct world world_make(uint32_t nr_frames, uint32_t nr_filled, unsigned nr_workers,
                                      unsigned nr_shards)
{
    struct world w = {
        .config = {.nr_workers = nr_workers, .nr_shards = nr_shards, .hash_seed = 0x5eed}};
    struct store_config config = {.nr_frames = nr_frames, .nr_filled = nr_filled};
    const char *why;

    WORLD_MUST(store_create(&config, &w.store, &why));
    w.e = engine_create(w.store, &w.config);
    WORLD_MUST(w.e != NULL);
    return w;
}

/* For CU_ASSERT: prints what does not agree. */
static inline bool is_sound(struct world *w)
{
    const char *why = engine_check(w->e);

    if (why)
        printf("engine_check: %s\n", why);
    return why == NULL;
}

/* Every test ends with every counter, queue and index right. */
static inline void world_end(struct world *w)
{
    WORLD_MUST(is_sound(w));
    engine_destroy(w->e);
    store_close(w->store);
}

/* The engine goes and another one takes the store up, as after a kill. */
static inline void world_restart_engine(struct world *w)
{
    engine_destroy(w->e);
    w->e = engine_create(w->store, &w->config);
    WORLD_MUST(w->e != NULL);
}

static inline struct account_key guest_key(uint32_t domid)
{
    struct account_key key = {.kind = ACCOUNT_XEN, .id = domid};

    memset(key.uuid, (int)domid, sizeof(key.uuid));
    return key;
}

/* A guest that may hold so many persistent and so many ephemeral pages. */
static inline account_nr guest(struct world *w, uint32_t domid, uint64_t quota, uint64_t max)
{
    struct account_key key = guest_key(domid);
    struct policy policy = {.quota_pages = quota, .max_pages = max, .weight = 1};
    account_nr account;

    WORLD_MUST(engine_account_open(w->e, &key, &account) == TMEMIF_OK);
    engine_account_set_policy(w->e, account, &policy);
    return account;
}

static inline uint32_t pool(struct world *w, account_nr account, uint32_t flags)
{
    uint32_t id;

    WORLD_MUST(engine_pool_create(w->e, account, flags, &id) == TMEMIF_OK);
    return id;
}

static inline struct page_op op_of(account_nr account, uint32_t pool_id, uint64_t object,
                                   uint32_t index)
{
    return (struct page_op){
        .account = account, .pool_id = pool_id, .object = {object, 7, 9}, .index = index};
}

/* A page that no other tag has: mixed words, no two the same. */
static inline void page_fill(void *page, uint64_t tag)
{
    uint64_t *words = page;

    for (unsigned i = 0; i < TMEMIF_PAGE_SIZE / sizeof(*words); i++)
        words[i] = (tag + 1) * 0x9e3779b97f4a7c15ull + i;
}

static inline bool page_has(const void *page, uint64_t tag)
{
    const uint64_t *words = page;

    for (unsigned i = 0; i < TMEMIF_PAGE_SIZE / sizeof(*words); i++) {
        if (words[i] != (tag + 1) * 0x9e3779b97f4a7c15ull + i)
            return false;
    }
    return true;
}

static inline enum tmemif_status put_op(struct world *w, const struct page_op *op, uint64_t tag)
{
    struct engine_put put;
    void *frame;
    enum tmemif_status rc = engine_put_begin(w->e, op, &put, &frame);

    if (rc != TMEMIF_OK)
        return rc;
    page_fill(frame, tag);
    return engine_put_commit(w->e, &put);
}

static inline enum tmemif_status put(struct world *w, account_nr account, uint32_t pool_id,
                                     uint64_t object, uint32_t index, uint64_t tag)
{
    struct page_op op = op_of(account, pool_id, object, index);

    return put_op(w, &op, tag);
}

/* The status of a get; BAD_DATA, which no get has, if the page is not the one of @tag. */
static inline enum tmemif_status get(struct world *w, account_nr account, uint32_t pool_id,
                                     uint64_t object, uint32_t index, uint64_t tag)
{
    struct page_op op = op_of(account, pool_id, object, index);
    struct engine_get g;
    const void *frame;
    uint32_t word;
    enum tmemif_status rc = engine_get_begin(w->e, &op, &g, &frame, &word, NULL, NULL);
    bool same;

    if (rc != TMEMIF_OK)
        return rc;
    same = frame && page_has(frame, tag);
    engine_get_end(w->e, &g, true);
    return same ? TMEMIF_OK : TMEMIF_BAD_DATA;
}

/* Pages of zeros are of object 2. */
static inline enum tmemif_status put_zeros(struct world *w, account_nr a, uint32_t p,
                                           uint32_t index)
{
    struct page_op op = op_of(a, p, 2, index);
    struct engine_put put;
    void *frame;
    enum tmemif_status rc = engine_put_begin(w->e, &op, &put, &frame);

    if (rc != TMEMIF_OK)
        return rc;
    memset(frame, 0, TMEMIF_PAGE_SIZE);
    return engine_put_commit(w->e, &put);
}

/* Were they there? */
static inline bool get_zeros(struct world *w, account_nr a, uint32_t p, uint32_t index)
{
    struct page_op op = op_of(a, p, 2, index);
    struct engine_get g;
    const void *frame;
    uint32_t word = 1;

    if (engine_get_begin(w->e, &op, &g, &frame, &word, NULL, NULL) != TMEMIF_OK)
        return false;
    engine_get_end(w->e, &g, true);
    return !frame && word == 0;
}

static inline enum tmemif_status flush(struct world *w, account_nr account, uint32_t pool_id,
                                       uint64_t object, uint32_t index)
{
    struct page_op op = op_of(account, pool_id, object, index);

    return engine_flush_page(w->e, &op);
}

static inline enum tmemif_status flush_object(struct world *w, account_nr account, uint32_t pool_id,
                                              uint64_t object, uint32_t first, uint32_t last)
{
    struct page_op op = op_of(account, pool_id, object, 0);

    return engine_flush_range(w->e, &op, first, last);
}

/* A shared pool's entry: a policy that allows everything, and one right for each guest named. */
static inline void share(struct world *w, uint8_t uuid_byte, uint64_t pages)
{
    struct policy policy = {.quota_pages = pages, .max_pages = pages, .weight = 1};
    uint8_t uuid[TMEMIF_UUID_LEN];

    memset(uuid, uuid_byte, sizeof(uuid));
    WORLD_MUST(engine_shared_set_policy(w->e, uuid, &policy) == TMEMIF_OK);
}

static inline void allow(struct world *w, uint8_t uuid_byte, uint32_t domid, enum pool_right right)
{
    struct account_key key = guest_key(domid);
    uint8_t uuid[TMEMIF_UUID_LEN];

    memset(uuid, uuid_byte, sizeof(uuid));
    WORLD_MUST(engine_shared_allow(w->e, uuid, &key, right) == TMEMIF_OK);
}

static inline enum tmemif_status join(struct world *w, account_nr account, uint8_t uuid_byte,
                                      uint32_t flags, uint32_t *pool_id_out)
{
    uint8_t uuid[TMEMIF_UUID_LEN];

    memset(uuid, uuid_byte, sizeof(uuid));
    return engine_pool_join(w->e, account, uuid, flags, pool_id_out);
}

static inline void reclaim_all(struct world *w)
{
    for (unsigned i = 0; i < 100000 && engine_reclaim(w->e, 64); i++)
        continue;
}

static inline uint64_t frames_used(const struct world *w)
{
    return store_usage(w->store).frames_used;
}

#endif /* TESTS_ENGINE_WORLD_H */
