/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/bed.h"

#include <unistd.h>

#include "tests/bench/figures.h"

#define GUEST_ID 1u

uint8_t *area_make(void)
{
    uint8_t *area = aligned_alloc(TMEMIF_PAGE_SIZE, (size_t)AREA_PAGES * TMEMIF_PAGE_SIZE);

    MUST(area != NULL);
    memset(area, 0x5a, (size_t)AREA_PAGES * TMEMIF_PAGE_SIZE);
    return area;
}

void bed_init(struct bed *b, uint32_t nr_pages, uint32_t pages_per_object)
{
    uint64_t *words;

    *b = (struct bed){.nr_pages = nr_pages,
                      .pages_per_object = pages_per_object,
                      .random = 0x9e3779b97f4a7c15ull};
    b->source = area_make();
    words = (uint64_t *)(void *)b->source;
    for (size_t i = 0; i < (size_t)AREA_PAGES * TMEMIF_PAGE_SIZE / sizeof(*words); i++)
        words[i] = random_next(&b->random);
    b->frames = malloc(nr_pages * sizeof(*b->frames));
    b->order = malloc(nr_pages * sizeof(*b->order));
    MUST(b->frames && b->order);
    memset(b->frames, 0xff, nr_pages * sizeof(*b->frames));
    for (uint32_t i = 0; i < nr_pages; i++)
        b->order[i] = i;
}

void bed_fini(struct bed *b)
{
    free(b->source);
    free(b->frames);
    free(b->order);
}

struct engine_config bed_config(void)
{
    return (struct engine_config){.nr_workers = BED_WORKERS, .hash_seed = 0x5eed};
}

account_nr bed_guest(struct engine *e, uint32_t id)
{
    struct account_key key = {.kind = ACCOUNT_XEN, .id = id};
    struct policy policy = {
        .quota_pages = PAGES_UNLIMITED, .max_pages = PAGES_UNLIMITED, .weight = 256};
    account_nr account;

    MUST(engine_account_open(e, &key, &account) == TMEMIF_OK);
    engine_account_set_policy(e, account, &policy);
    return account;
}

uint32_t bed_pool(struct engine *e, account_nr account, uint32_t flags)
{
    uint32_t id;

    MUST(engine_pool_create(e, account, flags, &id) == TMEMIF_OK);
    return id;
}

void bed_make(struct bed *b)
{
    /* as many descriptors for same-filled pages as the daemon provides */
    struct store_config stores = {.nr_frames = b->nr_pages, .nr_filled = b->nr_pages / 4};
    struct engine_config config = bed_config();
    const char *why;

    MUST(store_create(&stores, &b->store, &why));
    b->e = engine_create(b->store, &config);
    MUST(b->e != NULL);
    b->account = bed_guest(b->e, GUEST_ID);
    b->pool_id = bed_pool(b->e, b->account, TMEMIF_POOL_PERSISTENT);
}

void bed_close(struct bed *b, int *fds)
{
    for (unsigned i = 0; fds && i < STORE_NR_SEGMENTS; i++) {
        fds[i] = dup(store_fd(b->store, i));
        MUST(fds[i] >= 0);
    }
    engine_destroy(b->e);
    store_close(b->store);
}

void bed_open(struct bed *b, const int *fds)
{
    struct engine_config config = bed_config();
    struct store_damage damage;
    const char *why;

    MUST(store_open(fds, &b->store, &damage, &why));
    b->e = engine_create(b->store, &config);
    MUST(b->e != NULL);
}

void bed_fill(struct bed *b)
{
    for (uint32_t i = 0; i < b->nr_pages; i++)
        b->frames[i] = bed_put(b, 0, i);
}

void bed_verify(struct bed *b)
{
    uint8_t page[TMEMIF_PAGE_SIZE];

    for (uint32_t i = 0; i < b->nr_pages; i++) {
        bed_get(b, 0, i, page);
        MUST(memcmp(page, bed_source(b, i), sizeof(page)) == 0);
    }
}

void bed_flush(struct bed *b, uint32_t page)
{
    struct page_op op = bed_op(b, 0, page);

    MUST(engine_flush_page(b->e, &op) == TMEMIF_OK);
}
