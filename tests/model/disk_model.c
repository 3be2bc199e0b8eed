/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random operations on a tree of disks and bases, each compared with plain arrays.
 *
 *     disk_model [OPERATIONS [SEED]]
 *
 * Every disk and base is an array of what each page should be. In between: a store
 * that gets full, with a guest's cache that takes what is left, daemons that are replaced with the
 * store kept, guests that vanish, imports that are dropped, damaged pages.
 */
#include <stdarg.h>
#include <sys/random.h>

#include "daemon/blk/stack.h"
#include "tests/lib/random.h"
#include "tests/unit/disk_world.h"

#define NR_FRAMES 1200u
#define NR_FILLED 300u
#define NR_PAGES  600u /* of any disk at most: more than an object has */
#define NR_SMALL  400u /* at least */
#define NR_DISKS  7u
#define NR_BASES  10u
#define NR_CACHED 2000u

/* What a page should be: zeros, a word over and over, a page of page_fill(), or damaged. */
#define ZEROS        0u
#define DAMAGED      UINT32_MAX
#define is_word(tag) ((tag) > 0 && (tag) < 10)

struct image {
    uint32_t nr_pages; /* those above are zeros here */
    uint32_t tags[NR_PAGES];
};

struct model_base {
    bool exists, filling;
    int below; /* base, or -1 */
    uint64_t token;
    struct image image;
};

struct model_disk {
    const char *name; /* "": of guest 100 + its place */
    bool exists;
    int below;
    bool is_swap;
    uint32_t made_pages; /* of a swap disk: what its target says */
    struct disk *open;
    struct image image;
    bool own[NR_PAGES]; /* its top has a page with a frame: it can be overwritten for sure */
};

struct model {
    struct disk_world dw;
    struct model_disk disks[NR_DISKS];
    struct model_base bases[NR_BASES];
    account_nr cache;
    uint32_t cache_pool;
    uint64_t random, seed, now, next_tag;
    uint64_t nr_reads, nr_writes, nr_full, nr_freezes, nr_rollbacks, nr_restarts, nr_removed,
        nr_damaged, nr_resized;
};

static _Noreturn __attribute__((format(printf, 2, 3))) void fail(const struct model *m,
                                                                 const char *format, ...)
{
    va_list args;

    va_start(args, format);
    printf("not ok disk_model: seed %llu, operation %llu: ", (unsigned long long)m->seed,
           (unsigned long long)m->now);
    vprintf(format, args);
    printf("\n");
    va_end(args);
    exit(1);
}

static uint32_t below(struct model *m, uint32_t limit)
{
    return seeded_below(&m->random, limit);
}

static void base_name(unsigned n, char name_out[8])
{
    snprintf(name_out, 8, "b%u", n);
}

static uint32_t domid_of(const struct model *m, const struct model_disk *d)
{
    return 100 + (uint32_t)(d - m->disks);
}

static struct disk_ref ref_of_disk(const struct model *m, const struct model_disk *d)
{
    return ref_of(d->name, d->name[0] ? 0 : domid_of(m, d));
}

/* Layers of a disk that lies on @base. */
static unsigned depth_on(const struct model *m, int base)
{
    unsigned depth = 1;

    for (; base >= 0; base = m->bases[base].below)
        depth++;
    return depth;
}

static unsigned nr_above(const struct model *m, int base)
{
    unsigned nr = 0;

    for (unsigned n = 0; n < NR_DISKS; n++)
        nr += m->disks[n].exists && m->disks[n].below == base;
    for (unsigned n = 0; n < NR_BASES; n++)
        nr += m->bases[n].exists && m->bases[n].below == base;
    return nr;
}

/* May the manager say that it has no memory? Dead pages count until they are reclaimed. */
static bool is_full(struct model *m)
{
    reclaim_all(&m->dw.w);
    return frames_used(&m->dw.w) + 32 > NR_FRAMES;
}

/* ---- pages ---- */

static void compare(struct model *m, struct disk *d, const struct image *image, uint32_t page,
                    const char *what)
{
    uint32_t tag = image->tags[page];
    bool ok;

    if (tag == DAMAGED)
        ok = read_status(d, page) == DISK_DAMAGED;
    else if (tag == ZEROS || is_word(tag))
        ok = has_word(d, page, tag);
    else
        ok = has_tag(d, page, tag);
    m->nr_reads++;
    if (!ok)
        fail(m, "page %u of %s is not %u", page, what, tag);
}

static void compare_all(struct model *m, struct disk *d, const struct image *image,
                        const char *what)
{
    if (disk_nr_pages(d) != image->nr_pages || read_status(d, image->nr_pages) != DISK_RANGE)
        fail(m, "%s has not %u pages", what, image->nr_pages);
    for (uint32_t page = 0; page < image->nr_pages; page++)
        compare(m, d, image, page, what);
}

static void do_read(struct model *m, struct model_disk *d)
{
    if (d->open)
        compare(m, d->open, &d->image, below(m, d->image.nr_pages), d->name);
}

static void do_write(struct model *m, struct model_disk *d)
{
    uint32_t page, kind = below(m, 10), tag;
    enum disk_status rc;

    if (!d->open)
        return;
    page = below(m, d->image.nr_pages);
    tag = kind == 0 ? ZEROS : kind == 1 ? 1 + below(m, 9) : (uint32_t)m->next_tag++;
    if (tag == ZEROS || is_word(tag))
        rc = write_word(d->open, page, tag);
    else
        rc = write_tag(d->open, page, tag);
    m->nr_writes++;
    if (rc == DISK_OK) {
        d->image.tags[page] = tag;
        d->own[page] = tag >= 10;
        return;
    }
    m->nr_full++;
    if (rc != DISK_FULL)
        fail(m, "a write gave %d", (int)rc);
    if (d->own[page])
        fail(m, "page %u was not overwritten", page);
    if (!is_full(m))
        fail(m, "a write found the store full, and it is not");
    compare(m, d->open, &d->image, page, "a refused write");
}

static void do_discard(struct model *m, struct model_disk *d)
{
    uint32_t first, nr, done;
    enum disk_status rc;

    if (!d->open)
        return;
    first = below(m, d->image.nr_pages);
    nr = 1 + below(m, d->image.nr_pages - first);
    nr = below(m, 3) ? 1 + nr / 20 : nr;
    rc = disk_discard(d->open, 0, first, nr, &done);
    if (rc != DISK_OK && (rc != DISK_FULL || !is_full(m)))
        fail(m, "a discard gave %d", (int)rc);
    if (done > nr || (rc == DISK_OK && done == 0))
        fail(m, "a discard of %u pages did %u", nr, done);
    for (uint32_t n = first; n < first + done; n++) {
        d->image.tags[n] = ZEROS;
        d->own[n] = false;
    }
}

static void do_cache(struct model *m)
{
    for (unsigned n = 0; n < 20; n++)
        (void)put(&m->dw.w, m->cache, m->cache_pool, below(m, NR_CACHED), 0, n);
}

/* ---- disks ---- */

static void say_policy(struct model *m)
{
    m->cache = guest(&m->dw.w, 1, 0, NR_CACHED);
}

static void empty(struct model_disk *d, const struct image *image)
{
    if (image)
        d->image = *image;
    else
        memset(&d->image, 0, sizeof(d->image));
    memset(d->own, 0, sizeof(d->own));
}

static uint32_t some_pages(struct model *m)
{
    return NR_SMALL + below(m, NR_PAGES - NR_SMALL + 1);
}

/* A target for it: what it is, or, if it is not there, whatever can be had. */
static bool target_of(struct model *m, const struct model_disk *d, struct target *target_out,
                      int *base_out)
{
    char base[8];
    int n = d->exists ? d->below : (int)below(m, NR_BASES);

    *base_out = n;
    *target_out = swap_of(!d->exists    ? some_pages(m)
                          : below(m, 2) ? d->made_pages
                                        : d->image.nr_pages);
    if (d->exists ? d->is_swap : d->name[0] == '\0' && below(m, 2))
        return true;
    /* any base that it lies on will do */
    while (d->exists && m->bases[n].below >= 0 && below(m, 2))
        n = m->bases[n].below;
    if (!m->bases[n].exists || m->bases[n].filling)
        return false;
    base_name((unsigned)n, base);
    *target_out = clone_of(base, d->name);
    return true;
}

static void do_open(struct model *m, struct model_disk *d)
{
    struct target target;
    int base;

    if (d->open || !target_of(m, d, &target, &base))
        return;
    d->open = open_disk(&m->dw, target, domid_of(m, d));
    if (!d->open) {
        if (!d->exists && (is_full(m) || depth_on(m, base) > STACK_MAX_LAYERS))
            return;
        fail(m, "disk %s was not opened", d->name);
    }
    if (d->exists)
        return;
    d->exists = true;
    d->is_swap = target.kind == TARGET_SWAP;
    d->below = d->is_swap ? -1 : base;
    empty(d, d->is_swap ? NULL : &m->bases[base].image);
    if (d->is_swap)
        d->image.nr_pages = d->made_pages = target.nr_pages;
}

static void do_close(struct model *m, struct model_disk *d)
{
    enum disk_end end = below(m, 3) ? DISK_KEPT : DISK_ENDED;

    if (!d->open)
        return;
    disks_close(m->dw.disks, d->open, end);
    d->open = NULL;
    if (end == DISK_ENDED && !d->name[0])
        d->exists = false;
}

static void do_remove(struct model *m, struct model_disk *d)
{
    struct disk_ref ref = ref_of_disk(m, d);
    enum tmemif_status rc = disks_remove(m->dw.disks, &ref), want = TMEMIF_OK;

    if (d->open)
        want = TMEMIF_BUSY;
    else if (!d->exists)
        want = TMEMIF_NOT_FOUND;
    if (rc != want)
        fail(m, "removing disk %s gave %d", d->name, (int)rc);
    m->nr_removed += rc == TMEMIF_OK;
    d->exists = d->exists && rc != TMEMIF_OK;
}

static void do_resize(struct model *m, struct model_disk *d)
{
    struct disk_ref ref = ref_of_disk(m, d);
    uint32_t nr_pages = some_pages(m);
    enum tmemif_status rc = disks_resize(m->dw.disks, &ref, nr_pages), want = TMEMIF_OK;

    if (!d->exists)
        want = TMEMIF_NOT_FOUND;
    else if (nr_pages < d->image.nr_pages)
        want = TMEMIF_BAD_REQUEST;
    if (rc == TMEMIF_NO_MEMORY && want == TMEMIF_OK && is_full(m))
        return;
    if (rc != want)
        fail(m, "resizing %s to %u gave %d", d->name, nr_pages, (int)rc);
    if (rc != TMEMIF_OK)
        return;
    m->nr_resized += nr_pages > d->image.nr_pages;
    d->image.nr_pages = nr_pages;
}

static void do_rollback(struct model *m, struct model_disk *d)
{
    uint32_t nr_pages = d->image.nr_pages;
    struct disk_ref ref = ref_of_disk(m, d);
    enum tmemif_status rc = base_rollback(m->dw.disks, &ref);

    if (rc == TMEMIF_NO_MEMORY && d->exists && is_full(m))
        return;
    if (rc != (d->exists ? TMEMIF_OK : TMEMIF_NOT_FOUND))
        fail(m, "rolling back %s gave %d", d->name, (int)rc);
    if (!d->exists)
        return;
    m->nr_rollbacks++;
    empty(d, d->below < 0 ? NULL : &m->bases[d->below].image);
    d->image.nr_pages = nr_pages;
}

/* ---- bases ---- */

static void do_freeze(struct model *m, struct model_disk *d)
{
    unsigned n = below(m, NR_BASES);
    struct model_base *b = &m->bases[n];
    struct disk_ref ref = ref_of_disk(m, d);
    enum tmemif_status rc, want = TMEMIF_OK;
    char name[8];

    base_name(n, name);
    rc = base_freeze(m->dw.disks, &ref, name, m->now + 1);
    if (b->exists)
        want = TMEMIF_BUSY;
    else if (!d->exists)
        want = TMEMIF_NOT_FOUND;
    else if (depth_on(m, d->below) == STACK_MAX_LAYERS)
        want = TMEMIF_TOO_MANY;
    if (rc == TMEMIF_NO_MEMORY && want == TMEMIF_OK && is_full(m))
        return;
    if (rc != want)
        fail(m, "freezing %s gave %d", d->name, (int)rc);
    if (rc != TMEMIF_OK)
        return;
    m->nr_freezes++;
    *b = (struct model_base){
        .exists = true, .below = d->below, .token = m->now + 1, .image = d->image};
    d->below = (int)n;
    memset(d->own, 0, sizeof(d->own));
}

static void do_import(struct model *m)
{
    unsigned n = below(m, NR_BASES);
    struct model_base *b = &m->bases[n];
    uint64_t buffer[DISK_PAGE_SIZE / sizeof(uint64_t)];
    enum tmemif_status rc;
    char name[8];

    base_name(n, name);
    rc = base_import_begin(m->dw.disks, name, m->now + 1, b);
    if (b->exists ? rc == TMEMIF_BUSY : rc == TMEMIF_NO_MEMORY && is_full(m))
        return;
    if (rc != TMEMIF_OK)
        fail(m, "an import gave %d", (int)rc);
    *b = (struct model_base){.exists = true, .filling = true, .below = -1, .token = m->now + 1};
    b->image.nr_pages = some_pages(m);
    for (unsigned page = below(m, 50); page < b->image.nr_pages; page += 1 + below(m, 30)) {
        uint32_t tag = (uint32_t)m->next_tag++;

        page_fill(buffer, tag);
        rc = base_import_write(m->dw.disks, b->token, page, 1, buffer);
        if (rc != TMEMIF_OK && (rc != TMEMIF_NO_MEMORY || !is_full(m)))
            fail(m, "a page of an import gave %d", (int)rc);
        if (rc == TMEMIF_OK)
            b->image.tags[page] = tag;
    }
}

static void do_end_import(struct model *m)
{
    struct model_base *b = &m->bases[below(m, NR_BASES)];
    bool ends = below(m, 4) != 0;
    enum tmemif_status rc = TMEMIF_OK;

    if (!b->filling)
        return;
    if (ends)
        rc = base_import_end(m->dw.disks, b->token, b->image.nr_pages);
    else
        base_import_drop(m->dw.disks, b);
    if (rc != TMEMIF_OK)
        fail(m, "the end of an import gave %d", (int)rc);
    b->filling = false;
    b->exists = ends;
}

static void do_remove_base(struct model *m)
{
    unsigned n = below(m, NR_BASES);
    struct model_base *b = &m->bases[n];
    enum tmemif_status rc, want = TMEMIF_OK;
    char name[8];

    base_name(n, name);
    rc = base_remove(m->dw.disks, name);
    if (!b->exists)
        want = TMEMIF_NOT_FOUND;
    else if (b->filling || nr_above(m, (int)n))
        want = TMEMIF_BUSY;
    if (rc != want)
        fail(m, "removing base %s gave %d", name, (int)rc);
    m->nr_removed += rc == TMEMIF_OK;
    b->exists = b->exists && rc != TMEMIF_OK;
}

/* ---- the daemon ---- */

static void damage_tag(struct image *image, uint32_t tag)
{
    for (uint32_t n = 0; n < NR_PAGES; n++) {
        if (image->tags[n] == tag)
            image->tags[n] = DAMAGED;
    }
}

/* A bit of a disk's page changes while no daemon runs: of whatever page is not the catalogue's. */
static void do_damage(struct model *m)
{
    struct store *s = m->dw.w.store;
    const struct model_disk *d = &m->disks[below(m, NR_DISKS)];
    uint32_t tag = d->image.tags[below(m, NR_PAGES)];
    uint64_t words[DISK_PAGE_SIZE / sizeof(uint64_t)];
    page_nr page = LAYOUT_NONE;

    if (!d->exists || tag < 10 || tag == DAMAGED)
        return;
    page_fill(words, tag);
    for (page = store_next_live(s, 0); page != LAYOUT_NONE; page = store_next_live(s, page + 1)) {
        if (store_desc(s, page)->kind == DESC_FRAME &&
            memcmp(store_frame(s, page), words, sizeof(words)) == 0)
            break;
    }
    if (page == LAYOUT_NONE)
        fail(m, "there is no page of tag %u", tag);
    ((uint8_t *)store_frame(s, page))[below(m, DISK_PAGE_SIZE)] ^= 0x40;
    m->nr_damaged++;
    for (unsigned n = 0; n < NR_DISKS; n++)
        damage_tag(&m->disks[n].image, tag);
    for (unsigned n = 0; n < NR_BASES; n++)
        damage_tag(&m->bases[n].image, tag);
}

static void do_restart(struct model *m)
{
    unsigned nr_filling = 0;

    for (unsigned n = 0; n < NR_BASES; n++) {
        nr_filling += m->bases[n].filling;
        m->bases[n].exists &= !m->bases[n].filling;
        m->bases[n].filling = false;
    }
    if (below(m, 3) == 0)
        do_damage(m);
    m->dw.w.config.hash_seed++;
    m->dw.w.config.nr_shards = 1u << below(m, 5);
    disk_world_restart(&m->dw);
    say_policy(m);
    m->nr_restarts++;
    for (unsigned n = 0; n < NR_DISKS; n++)
        m->disks[n].open = NULL;
    if (m->dw.found.lost)
        fail(m, "a restart lost %u disks or bases", m->dw.found.lost);
    if (m->dw.found.undone != nr_filling)
        fail(m, "a restart undid %u changes instead of %u", m->dw.found.undone, nr_filling);
}

static void do_forget(struct model *m, struct model_disk *d)
{
    forget_disk(&m->dw, domid_of(m, d));
    if (!d->open && !d->name[0])
        d->exists = false;
}

/* Everything there is, by way of a clone for what is not open. */
static void check(struct model *m)
{
    unsigned nr = 0;

    reclaim_all(&m->dw.w);
    if (!is_sound(&m->dw.w))
        fail(m, "the engine is not sound");
    for (unsigned n = 0; n < NR_DISKS; n++) {
        nr += m->disks[n].exists;
        if (m->disks[n].open)
            compare_all(m, m->disks[n].open, &m->disks[n].image, "a disk");
    }
    for (unsigned n = 0; n < NR_BASES; n++) {
        struct disk *d = NULL;
        char name[8];

        nr += m->bases[n].exists;
        if (!m->bases[n].exists || m->bases[n].filling || depth_on(m, (int)n) > STACK_MAX_LAYERS)
            continue;
        base_name(n, name);
        d = open_disk(&m->dw, clone_of(name, ""), 99);
        if (!d && !is_full(m))
            fail(m, "base %s has no clone", name);
        if (d)
            compare_all(m, d, &m->bases[n].image, name);
        if (d)
            disks_close(m->dw.disks, d, DISK_ENDED);
    }
    if (nr != nr_listed(&m->dw))
        fail(m, "%u disks and bases are listed instead of %u", nr_listed(&m->dw), nr);
}

static void step(struct model *m)
{
    struct model_disk *d = &m->disks[below(m, NR_DISKS)];
    uint32_t what = below(m, 10000);

    m->now++;
    if (what < 6000)
        do_write(m, d);
    else if (what < 8000)
        do_read(m, d);
    else if (what < 8200)
        do_discard(m, d);
    else if (what < 8800)
        do_cache(m);
    else if (what < 9600)
        do_open(m, d);
    else if (what < 9660)
        do_close(m, d);
    else if (what < 9680)
        do_remove(m, d);
    else if (what < 9700)
        do_rollback(m, d);
    else if (what < 9760)
        do_freeze(m, d);
    else if (what < 9800)
        do_import(m);
    else if (what < 9850)
        do_end_import(m);
    else if (what < 9900)
        do_remove_base(m);
    else if (what < 9910)
        do_forget(m, d);
    else if (what < 9920)
        do_restart(m);
    else if (what < 9940)
        do_resize(m, d);
    else
        engine_reclaim(m->dw.w.e, below(m, 100));
}

int main(int argc, char **argv)
{
    static const char *const names[NR_DISKS] = {"", "", "", "", "k0", "k1", "k2"};
    struct model *m = calloc(1, sizeof(*m));
    uint64_t nr_operations = argc > 1 ? strtoull(argv[1], NULL, 0) : 400000;

    WORLD_MUST(m != NULL);
    WORLD_MUST(getrandom(&m->seed, sizeof(m->seed), 0) == (ssize_t)sizeof(m->seed));
    if (argc > 2)
        m->seed = strtoull(argv[2], NULL, 0);
    m->random = m->seed;
    m->next_tag = 100; /* pages of the cache have lower ones, and damage is looked for by content */
    printf("disk_model: %llu operations, seed %llu\n", (unsigned long long)nr_operations,
           (unsigned long long)m->seed);
    fflush(stdout);

    m->dw = disk_world_make(NR_FRAMES, NR_FILLED);
    say_policy(m);
    m->cache_pool = pool(&m->dw.w, m->cache, TMEMIF_POOL_INCLUSIVE);
    for (unsigned n = 0; n < NR_DISKS; n++)
        m->disks[n].name = names[n];
    while (m->now < nr_operations) {
        step(m);
        if (m->now % 5000 == 0)
            check(m);
    }
    check(m);
    printf("disk_model: reads %llu, writes %llu of which refused %llu, freezes %llu, rollbacks "
           "%llu, removed %llu, restarts %llu, damaged %llu, resized %llu\n",
           (unsigned long long)m->nr_reads, (unsigned long long)m->nr_writes,
           (unsigned long long)m->nr_full, (unsigned long long)m->nr_freezes,
           (unsigned long long)m->nr_rollbacks, (unsigned long long)m->nr_removed,
           (unsigned long long)m->nr_restarts, (unsigned long long)m->nr_damaged,
           (unsigned long long)m->nr_resized);
    /* A run in which nothing happened proves nothing. */
    if (nr_operations >= 100000 &&
        (m->nr_reads == 0 || m->nr_writes == 0 || m->nr_full == 0 || m->nr_freezes == 0 ||
         m->nr_rollbacks == 0 || m->nr_restarts == 0 || m->nr_removed == 0 || m->nr_damaged == 0 ||
         m->nr_resized == 0))
        fail(m, "something never happened");
    printf("ok disk_model\n");
    disk_world_end(&m->dw);
    free(m);
    return 0;
}
