/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random operations at the engine, each compared with what a plain array says.
 *
 *     engine_model [OPERATIONS [SEED]]
 *
 * A persistent page must be where the array has it; an ephemeral one may be
 * missing, and stays so then. In between: full quotas, a small store that
 * evicts, pages that cannot be read, frozen pools and guests, destroyed pools, new
 * epochs, leases, engines that are replaced with the store kept, and memory that
 * the system refuses. Whatever may happen between the two halves of a put or of a
 * get happens there, too: a second worker's operations, evictions of any page.
 */
#include <stdarg.h>
#include <sys/random.h>

#include "daemon/engine/state.h"
#include "daemon/engine/victim.h"
#include "tests/lib/fault.h"
#include "tests/lib/random.h"
#include "tests/unit/engine_world.h"

#define NR_FRAMES  3072u
#define NR_FILLED  256u
#define NR_GUESTS  3u
#define NR_POOLS   7u
#define NR_OBJECTS 6u
#define NR_INDEXES 1024u
#define NR_LEASES  64u

/* Of a million calls that may be refused, few as they are: */
#define REFUSED_CALLS 300000u

/* A handle: what the last accepted put left there. */
struct cell {
    bool is_there;
    uint32_t tag;
    uint64_t touched; /* the operation that last put or flushed it */
};

struct model_pool {
    const char *what;
    unsigned owner; /* guest; of a shared pool: the first member */
    unsigned nr_members;
    uint8_t uuid; /* 0: private */
    uint32_t flags;
    uint64_t quota;
    bool frozen;
    uint64_t nr_lives; /* it has been destroyed so often */
    uint32_t ids[NR_GUESTS];
    struct cell cells[NR_OBJECTS][NR_INDEXES];
};

struct lease {
    struct tmemif_lease lease;
    unsigned pool, object, index;
    uint64_t given;
};

struct target {
    unsigned pool, object, index, guest;
};

/* The store that was refused memory does not ask again at once: GROW_PAUSE in depot.c. */
#define EXCUSED_REFUSALS 520u

struct model {
    struct world w;
    account_nr guests[NR_GUESTS];
    struct model_pool pools[NR_POOLS];
    struct lease leases[NR_LEASES];
    uint64_t random;
    uint64_t seed;
    uint64_t now; /* operations so far */
    bool frozen[NR_GUESTS];
    unsigned worker;                  /* 1: between the halves of an operation of worker 0 */
    struct target busy;               /* what that operation is at */
    const struct model_pool *putting; /* where worker 0's put is under way, or NULL */
    uint32_t limit;                   /* of the store, in frames */
    uint64_t nr_hits, nr_misses, nr_stored, nr_refused, nr_leased, nr_stale, nr_restarts;
    unsigned nr_excused; /* puts that may be refused for what the system refused before */
    uint64_t nr_between, nr_evicted, nr_no_memory;
};

static const struct model_pool plan[NR_POOLS] = {
    {.what = "exclusive", .owner = 0, .nr_members = 1, .quota = 700},
    {.what = "inclusive",
     .owner = 0,
     .nr_members = 1,
     .flags = TMEMIF_POOL_INCLUSIVE,
     .quota = 700},
    {.what = "persistent",
     .owner = 0,
     .nr_members = 1,
     .flags = TMEMIF_POOL_PERSISTENT,
     .quota = 1200},
    {.what = "another's persistent",
     .owner = 1,
     .nr_members = 1,
     .flags = TMEMIF_POOL_PERSISTENT,
     .quota = 600},
    {.what = "shared", .owner = 0, .nr_members = 2, .uuid = 1, .quota = 900},
    {.what = "shared persistent",
     .owner = 1,
     .nr_members = 2,
     .uuid = 2,
     .flags = TMEMIF_POOL_PERSISTENT,
     .quota = 900},
    {.what = "shared leased",
     .owner = 0,
     .nr_members = 3,
     .uuid = 3,
     .flags = TMEMIF_POOL_LEASED,
     .quota = 500},
};

static _Noreturn __attribute__((format(printf, 2, 3))) void fail(const struct model *m,
                                                                 const char *format, ...)
{
    va_list args;

    va_start(args, format);
    printf("not ok engine_model: seed %llu, operation %llu: ", (unsigned long long)m->seed,
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

static bool chance(struct model *m, uint32_t of_1000)
{
    return below(m, 1000) < of_1000;
}

/* Odd objects are sparse: an extent for every page. */
static uint32_t index_of(unsigned object, unsigned index)
{
    return object % 2 ? index * 977 : index;
}

static bool is_persistent(const struct model_pool *p)
{
    return p->flags & TMEMIF_POOL_PERSISTENT;
}

static uint64_t nr_there(const struct model_pool *p)
{
    uint64_t nr = 0;

    for (unsigned o = 0; o < NR_OBJECTS; o++)
        for (unsigned i = 0; i < NR_INDEXES; i++)
            nr += p->cells[o][i].is_there;
    return nr;
}

static void forget_all(struct model *m, struct model_pool *p)
{
    for (unsigned o = 0; o < NR_OBJECTS; o++)
        for (unsigned i = 0; i < NR_INDEXES; i++)
            p->cells[o][i] = (struct cell){.touched = m->now};
}

/* The policy of the guest, or of the shared pool. */
static void policy_apply(struct model *m, const struct model_pool *p)
{
    struct policy policy = {.quota_pages = 0, .weight = 1 + p->owner};
    uint8_t uuid[TMEMIF_UUID_LEN];

    if (p->uuid) {
        memset(uuid, p->uuid, sizeof(uuid));
        policy.quota_pages = p->quota;
        policy.max_pages = p->quota;
        WORLD_MUST(engine_shared_set_policy(m->w.e, uuid, &policy) == TMEMIF_OK);
        WORLD_MUST(engine_shared_set_frozen(m->w.e, uuid, p->frozen) == TMEMIF_OK);
        return;
    }
    for (unsigned i = 0; i < NR_POOLS; i++) {
        const struct model_pool *other = &m->pools[i];

        if (other->uuid || other->owner != p->owner)
            continue;
        if (is_persistent(other))
            policy.quota_pages = other->quota;
        else
            policy.max_pages = other->quota;
    }
    engine_account_set_policy(m->w.e, m->guests[p->owner], &policy);
}

/* What the control thread says after a start: policy, members, pools. */
static void set_up(struct model *m)
{
    for (unsigned g = 0; g < NR_GUESTS; g++) {
        m->guests[g] = guest(&m->w, g + 1, 0, 0);
        engine_account_set_frozen(m->w.e, m->guests[g], m->frozen[g]);
    }
    for (unsigned i = 0; i < NR_POOLS; i++) {
        struct model_pool *p = &m->pools[i];

        for (unsigned n = 0; p->uuid && n < p->nr_members; n++)
            allow(&m->w, p->uuid, (p->owner + n) % NR_GUESTS + 1, RIGHT_FILL);
        policy_apply(m, p);
    }
}

static void make_pool(struct model *m, struct model_pool *p)
{
    for (unsigned n = 0; n < p->nr_members; n++) {
        unsigned g = (p->owner + n) % NR_GUESTS;

        if (p->uuid)
            WORLD_MUST(join(&m->w, m->guests[g], p->uuid, p->flags, &p->ids[g]) == TMEMIF_OK);
        else
            p->ids[g] = pool(&m->w, m->guests[g], p->flags);
    }
}

static struct target choose_any(struct model *m)
{
    struct target t = {.pool = below(m, NR_POOLS), .object = below(m, NR_OBJECTS)};
    const struct model_pool *p = &m->pools[t.pool];

    t.guest = (p->owner + below(m, p->nr_members)) % NR_GUESTS;
    /* some are asked for more than others */
    t.index = chance(m, 500) ? below(m, 64) : below(m, NR_INDEXES);
    return t;
}

/* Between two halves often the very page that they are of. */
static struct target choose(struct model *m)
{
    return m->worker == 1 && chance(m, 250) ? m->busy : choose_any(m);
}

static struct page_op op_at(const struct model *m, const struct target *t)
{
    struct page_op op = op_of(m->guests[t->guest], m->pools[t->pool].ids[t->guest], t->object,
                              index_of(t->object, t->index));

    op.worker = m->worker;
    return op;
}

static bool is_frozen(const struct model *m, const struct target *t)
{
    return m->pools[t->pool].frozen || m->frozen[t->guest];
}

/* The system refuses some of what the engine asks for, from here to the next calm(). */
static void trouble(void)
{
    fault_arm_chance(REFUSED_CALLS, 0);
}

static void calm(struct model *m)
{
    if (fault_disarm())
        m->nr_excused = EXCUSED_REFUSALS;
}

static struct cell *cell_at(struct model *m, const struct target *t)
{
    return &m->pools[t->pool].cells[t->object][t->index];
}

/* One page of three kinds: mixed, one word over and over, zero. */
static void content_fill(void *page, uint32_t tag)
{
    if (tag % 8 == 0)
        memset(page, (int)(tag / 8 % 256), TMEMIF_PAGE_SIZE);
    else
        page_fill(page, tag);
}

static bool content_is(const void *frame, uint32_t word, uint32_t tag)
{
    unsigned char page[TMEMIF_PAGE_SIZE];

    if (frame && tag % 8 != 0)
        return page_has(frame, tag);
    content_fill(page, tag);
    if (frame)
        return memcmp(frame, page, sizeof(page)) == 0;
    return tag % 8 == 0 && memcmp(&word, page, sizeof(word)) == 0;
}

/* Does a put of worker 0 that is under way count where @p does? */
static uint64_t nr_under_way(const struct model *m, const struct model_pool *p)
{
    const struct model_pool *other = m->worker == 1 ? m->putting : NULL;

    if (!other || !is_persistent(other))
        return 0;
    return other == p || (!other->uuid && !p->uuid && other->owner == p->owner);
}

/* May the put have been refused so? */
static void refusal_judge(struct model *m, const struct target *t, enum tmemif_status rc,
                          bool frozen)
{
    const struct model_pool *p = &m->pools[t->pool];

    if (rc == TMEMIF_FROZEN && !frozen)
        fail(m, "%s: refused as frozen and is not", p->what);
    /* What was flushed makes room at once, however long ago it is reclaimed. */
    if (rc == TMEMIF_QUOTA && is_persistent(p) && nr_there(p) + nr_under_way(m, p) < p->quota)
        fail(m, "%s: quota %llu used up by %llu pages", p->what, (unsigned long long)p->quota,
             (unsigned long long)nr_there(p));
    if (rc == TMEMIF_NO_MEMORY && frames_used(&m->w) < m->limit && m->nr_excused == 0)
        fail(m, "%s: no memory with %llu pages in use", p->what,
             (unsigned long long)frames_used(&m->w));
    if (rc == TMEMIF_NO_MEMORY && m->nr_excused > 0) {
        m->nr_excused--;
        m->nr_no_memory++;
    }
}

static void between_halves(struct model *m, const struct target *t);

/* *@touched_out: when the handle was touched last before the put took effect. */
static enum tmemif_status put_at(struct model *m, const struct target *t,
                                 const struct tmemif_lease *lease, uint64_t *touched_out)
{
    struct page_op op = op_at(m, t);
    struct model_pool *p = &m->pools[t->pool];
    struct cell *c = cell_at(m, t);
    bool frozen = is_frozen(m, t);
    uint64_t nr_lives = p->nr_lives;
    uint32_t tag = below(m, 1u << 30);
    struct engine_put put;
    void *frame;
    enum tmemif_status rc;

    op.lease = lease;
    trouble();
    rc = engine_put_begin(m->w.e, &op, &put, &frame);
    calm(m);
    if (rc == TMEMIF_OK) {
        content_fill(frame, tag);
        if (m->worker == 0)
            m->putting = p;
        between_halves(m, t);
        if (m->worker == 0)
            m->putting = NULL;
        frozen = is_frozen(m, t); /* also meanwhile */
        trouble();
        rc = chance(m, 20) ? engine_put_abort(m->w.e, &put, TMEMIF_BAD_GRANT)
                           : engine_put_commit(m->w.e, &put);
        calm(m);
    }
    *touched_out = c->touched;
    if (rc == TMEMIF_OK) {
        if (frozen)
            fail(m, "%s: a frozen pool took a page", p->what);
        if (p->nr_lives != nr_lives)
            fail(m, "%s: a page that was put in a pool that is gone", p->what);
        *c = (struct cell){.is_there = true, .tag = tag, .touched = m->now};
        m->nr_stored++;
        return rc;
    }
    m->nr_refused++;
    if (rc > TMEMIF_BAD_GRANT) {
        if (rc == TMEMIF_STALE_LEASE && lease)
            return rc;
        if (rc == TMEMIF_NEED_LEASE && !lease && (p->flags & TMEMIF_POOL_LEASED))
            return rc;
        if (rc == TMEMIF_NO_POOL && p->nr_lives != nr_lives)
            return rc;
        fail(m, "%s: put answered with %d", p->what, (int)rc);
    }
    refusal_judge(m, t, rc, frozen);
    /* of what is gone already nothing was touched */
    if (c->is_there)
        c->touched = m->now;
    c->is_there = false;
    return rc;
}

static void do_put(struct model *m)
{
    struct target t = choose(m);
    uint64_t touched;

    put_at(m, &t, NULL, &touched);
}

/* Put with a lease that was given earlier; accepted only if nothing touched the handle since. */
static void do_leased_put(struct model *m)
{
    struct lease *place = &m->leases[below(m, NR_LEASES)], lease = *place, *l = &lease;
    struct target t = {.pool = l->pool, .object = l->object, .index = l->index};
    const struct model_pool *p;
    enum tmemif_status rc;
    uint64_t touched;

    if (l->given == 0)
        return;
    place->given = 0;
    p = &m->pools[t.pool];
    t.guest = (p->owner + below(m, p->nr_members)) % NR_GUESTS;
    rc = put_at(m, &t, &l->lease, &touched);
    m->nr_leased++;
    if (rc == TMEMIF_OK && touched >= l->given)
        fail(m, "%s: a lease of operation %llu was honoured after operation %llu", p->what,
             (unsigned long long)l->given, (unsigned long long)touched);
    if (rc == TMEMIF_STALE_LEASE && touched < l->given)
        m->nr_stale++;
}

/* A miss is allowed where it may have been evicted, and gives a lease where it is to. */
static void miss_judge(struct model *m, const struct target *t, bool leased,
                       const struct tmemif_lease *lease)
{
    const struct model_pool *p = &m->pools[t->pool];
    struct cell *c = cell_at(m, t);

    if (c->is_there && is_persistent(p))
        fail(m, "%s: page %u of object %u is lost", p->what, t->index, t->object);
    c->is_there = false;
    m->nr_misses++;
    if (leased != ((p->flags & TMEMIF_POOL_LEASED) || p->uuid))
        fail(m, "%s: lease given: %d", p->what, leased);
    if (leased)
        m->leases[below(m, NR_LEASES)] =
            (struct lease){*lease, t->pool, t->object, t->index, m->now};
}

static void do_get(struct model *m)
{
    struct target t = choose(m);
    struct page_op op = op_at(m, &t);
    struct model_pool *p = &m->pools[t.pool];
    struct cell *c = cell_at(m, &t), found;
    bool copied = !chance(m, 30), leased;
    struct tmemif_lease lease;
    struct engine_get g;
    const void *frame;
    uint32_t word = 0;
    enum tmemif_status rc = engine_get_begin(m->w.e, &op, &g, &frame, &word, &lease, &leased);

    if (rc == TMEMIF_MISS) {
        miss_judge(m, &t, leased, &lease);
        return;
    }
    if (rc != TMEMIF_OK)
        fail(m, "%s: get answered with %d", p->what, (int)rc);
    if (!c->is_there)
        fail(m, "%s: page %u of object %u came back", p->what, t.index, t.object);
    if (!content_is(frame, word, c->tag))
        fail(m, "%s: page %u of object %u has other bytes", p->what, t.index, t.object);
    found = *c;
    between_halves(m, &t);
    /* whatever became of the page: it is being copied */
    if (!content_is(frame, word, found.tag))
        fail(m, "%s: page %u of object %u changed under a get", p->what, t.index, t.object);
    engine_get_end(m->w.e, &g, copied);
    m->nr_hits++;
    if (copied && !p->uuid && p->flags == 0 && c->is_there && c->touched == found.touched)
        c->is_there = false;
}

static void do_flush_page(struct model *m)
{
    struct target t = choose(m);
    struct page_op op = op_at(m, &t);

    trouble();
    if (engine_flush_page(m->w.e, &op) != TMEMIF_OK)
        fail(m, "a flush was refused");
    calm(m);
    *cell_at(m, &t) = (struct cell){.touched = m->now};
}

static void do_flush_range(struct model *m)
{
    struct target t = choose(m);
    struct page_op op = op_at(m, &t);
    unsigned first = below(m, NR_INDEXES), last = below(m, NR_INDEXES);
    uint32_t from, to;
    enum tmemif_status rc;

    if (first > last || chance(m, 100)) {
        first = 0;
        last = NR_INDEXES - 1;
    }
    from = index_of(t.object, first);
    to = last == NR_INDEXES - 1 ? UINT32_MAX : index_of(t.object, last);
    trouble();
    while ((rc = engine_flush_range(m->w.e, &op, from, to)) == TMEMIF_BUSY)
        engine_reclaim(m->w.e, 64);
    calm(m);
    if (rc != TMEMIF_OK)
        fail(m, "a flush of a range was refused");
    for (unsigned i = first; i <= last; i++)
        m->pools[t.pool].cells[t.object][i] = (struct cell){.touched = m->now};
}

static void do_destroy(struct model *m)
{
    struct model_pool *p = &m->pools[below(m, NR_POOLS)];
    uint8_t uuid[TMEMIF_UUID_LEN];

    if (p->uuid && is_persistent(p)) {
        memset(uuid, p->uuid, sizeof(uuid));
        WORLD_MUST(engine_shared_remove(m->w.e, uuid) == TMEMIF_OK);
    } else {
        for (unsigned n = 0; n < p->nr_members; n++) {
            unsigned g = (p->owner + n) % NR_GUESTS;

            WORLD_MUST(engine_pool_destroy(m->w.e, m->guests[g], p->ids[g]) == TMEMIF_OK);
        }
    }
    forget_all(m, p);
    p->nr_lives++;
    make_pool(m, p);
}

static void do_policy(struct model *m)
{
    struct model_pool *p = &m->pools[below(m, NR_POOLS)];

    if (!p->uuid && chance(m, 300)) {
        m->frozen[p->owner] = chance(m, 200);
        engine_account_set_frozen(m->w.e, m->guests[p->owner], m->frozen[p->owner]);
    }
    if (p->uuid && chance(m, 300))
        p->frozen = !p->frozen;
    else if (chance(m, 500))
        p->quota = below(m, 1500);
    else
        p->quota = plan[p - m->pools].quota;
    policy_apply(m, p);
}

static void do_fence(struct model *m)
{
    unsigned g = below(m, NR_GUESTS);

    engine_account_fence(m->w.e, m->guests[g]);
    for (unsigned i = 0; i < NR_POOLS; i++) {
        struct model_pool *p = &m->pools[i];
        bool is_member = (g + NR_GUESTS - p->owner) % NR_GUESTS < p->nr_members;

        if (p->uuid && !is_persistent(p) && is_member)
            forget_all(m, p);
    }
}

static void do_restart(struct model *m)
{
    uint64_t nr_faults;

    engine_destroy(m->w.e);
    do { /* one that had no memory to begin leaves everything to the next */
        nr_faults = fault_nr_refused();
        fault_arm_chance(10000, 0);
        m->w.e = engine_create(m->w.store, &m->w.config);
        calm(m);
        if (!m->w.e && fault_nr_refused() == nr_faults)
            fail(m, "there is no new engine");
    } while (!m->w.e);
    m->nr_restarts++;
    set_up(m);
    for (unsigned i = 0; i < NR_POOLS; i++) {
        struct model_pool *p = &m->pools[i];

        if (p->uuid && !is_persistent(p))
            forget_all(m, p);
        /* leases do not live longer than the counters they are of */
        for (unsigned o = 0; o < NR_OBJECTS; o++)
            for (unsigned n = 0; n < NR_INDEXES; n++)
                p->cells[o][n].touched = m->now;
    }
}

static void check(struct model *m)
{
    const char *why = engine_check(m->w.e);

    if (why)
        fail(m, "%s", why);
}

/* Some page of somebody goes, as for a put of somebody else. */
static void do_evict(struct model *m)
{
    m->nr_evicted += victim_evict(m->w.e, &m->w.e->workers[m->worker], NULL);
}

/* The store gets smaller, or as large as it was, and gives back what it does not use. */
static void do_limit(struct model *m)
{
    m->limit = chance(m, 700) ? NR_FRAMES : 1000 + below(m, NR_FRAMES - 1000);
    store_set_limit(m->w.store, m->limit);
    store_shrink(m->w.store, below(m, 4));
}

static void step(struct model *m)
{
    uint32_t what = below(m, 100000);

    m->now++;
    if (what < 50000)
        do_put(m);
    else if (what < 56000)
        do_leased_put(m);
    else if (what < 90000)
        do_get(m);
    else if (what < 98000)
        do_flush_page(m);
    else if (what < 98800)
        do_flush_range(m);
    else if (what < 99600)
        engine_reclaim(m->w.e, below(m, 100));
    else if (what < 99800)
        do_evict(m);
    else if (what < 99850)
        do_policy(m);
    else if (what < 99860)
        do_fence(m);
    else if (what < 99880)
        do_destroy(m);
    else if (what < 99885 && m->worker == 0)
        do_restart(m);
    else if (what < 99887)
        do_limit(m);
    else
        do_get(m);
}

/* What the other worker, and the control thread, do while worker 0 copies a page. */
static void between_halves(struct model *m, const struct target *t)
{
    if (m->worker == 1 || chance(m, 800))
        return;
    m->worker = 1;
    m->busy = *t;
    for (unsigned nr = 1 + below(m, 3); nr > 0; nr--) {
        m->nr_between++;
        if (chance(m, 200))
            do_evict(m);
        else if (chance(m, 20))
            do_destroy(m);
        else if (chance(m, 20))
            do_policy(m);
        else
            step(m);
    }
    m->worker = 0;
    m->now++; /* what ends now ends after these */
}

int main(int argc, char **argv)
{
    struct model *m = calloc(1, sizeof(*m));
    uint64_t nr_operations = argc > 1 ? strtoull(argv[1], NULL, 0) : 4000000;

    WORLD_MUST(m != NULL);
    WORLD_MUST(getrandom(&m->seed, sizeof(m->seed), 0) == (ssize_t)sizeof(m->seed));
    if (argc > 2)
        m->seed = strtoull(argv[2], NULL, 0);
    m->random = m->seed;
    printf("engine_model: %llu operations, seed %llu\n", (unsigned long long)nr_operations,
           (unsigned long long)m->seed);
    fflush(stdout);

    m->limit = NR_FRAMES;
    fault_arm_chance(0, m->seed | 1);
    m->w = world_make(NR_FRAMES, NR_FILLED, 2, 8);
    memcpy(m->pools, plan, sizeof(plan));
    set_up(m);
    for (unsigned i = 0; i < NR_POOLS; i++)
        make_pool(m, &m->pools[i]);

    while (m->now < nr_operations) {
        uint64_t before = m->now;

        step(m);
        if (before / 20000 != m->now / 20000)
            check(m);
    }
    reclaim_all(&m->w);
    check(m);
    /* A run in which nothing happened proves nothing. */
    if (nr_operations >= 100000 &&
        (m->nr_hits == 0 || m->nr_misses == 0 || m->nr_refused == 0 || m->nr_leased == 0 ||
         m->nr_restarts == 0 || m->nr_stale * 4 > m->nr_leased || m->nr_between == 0 ||
         m->nr_evicted == 0 || m->nr_no_memory == 0))
        fail(m, "hits %llu, misses %llu, refused %llu, leased %llu, stale %llu, restarts %llu",
             (unsigned long long)m->nr_hits, (unsigned long long)m->nr_misses,
             (unsigned long long)m->nr_refused, (unsigned long long)m->nr_leased,
             (unsigned long long)m->nr_stale, (unsigned long long)m->nr_restarts);
    printf(
        "ok engine_model: stored %llu, refused %llu, hits %llu, misses %llu, leased %llu of which "
        "refused in vain %llu, restarts %llu, between halves %llu, evicted there %llu, no memory "
        "%llu\n",
        (unsigned long long)m->nr_stored, (unsigned long long)m->nr_refused,
        (unsigned long long)m->nr_hits, (unsigned long long)m->nr_misses,
        (unsigned long long)m->nr_leased, (unsigned long long)m->nr_stale,
        (unsigned long long)m->nr_restarts, (unsigned long long)m->nr_between,
        (unsigned long long)m->nr_evicted, (unsigned long long)m->nr_no_memory);
    world_end(&m->w);
    free(m);
    return 0;
}
