/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A worker: rings that wait, rings that sleep beside others, whose turn it is, what it reclaims;
 * when it looks, and where.
 */
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/session/session.h"
#include "daemon/session/worker.h"
#include "daemon/util/clock.h"
#include "daemon/util/processor.h"
#include "protocol/ring.h"
#include "tests/lib/runner.h"
#include "tests/unit/engine_world.h"

#define WAKES      20000
#define PATIENCE_S 20

struct waiting_ring {
    struct worker_ring ring; /* first */
    _Atomic unsigned given;  /* by the other thread */
    _Atomic unsigned taken;  /* by the worker */
};

/* Takes what was given, then waits for more; nobody notifies. */
static enum serve_result serve(struct worker_ring *r, unsigned worker, unsigned budget)
{
    struct waiting_ring *w = (struct waiting_ring *)r;

    (void)worker;
    (void)budget;
    atomic_store(&w->taken, atomic_load(&w->given));
    return SERVE_WAITING;
}

static bool arm(struct worker_ring *r)
{
    (void)r;
    return false;
}

static void ignore(struct worker_ring *r)
{
    (void)r;
}

static int consume_nothing(struct worker_ring *r)
{
    (void)r;
    return PROCESSOR_UNKNOWN;
}

static const struct worker_ring_ops ops = {
    .serve = serve, .arm = arm, .consume = consume_nothing, .hang_up = ignore};

static bool is_taken(struct waiting_ring *w, unsigned nr)
{
    for (unsigned n = 0; n < PATIENCE_S * 10000u && atomic_load(&w->taken) != nr; n++)
        usleep(n < 100 ? 0 : 100);
    return atomic_load(&w->taken) == nr;
}

static void ring_that_waits_is_served_whenever_it_is_woken(void)
{
    struct attention attention = {.fence_by_ms = UINT64_MAX};
    const struct polling polling = {0};
    struct waiting_ring rings[3];
    struct world w = world_make(64, 8, 2, 4);
    struct worker *worker;
    bool ok = true;

    attention.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    worker = worker_create(w.e, &attention, 0, &polling);
    CU_ASSERT_PTR_NOT_NULL_FATAL(worker);
    for (unsigned i = 0; i < 3; i++) {
        rings[i] = (struct waiting_ring){.ring = {.ops = &ops}};
        rings[i].ring.wait_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        CU_ASSERT_TRUE_FATAL(worker_attach(worker, &rings[i].ring));
    }
    for (unsigned n = 1; n <= WAKES && ok; n++) {
        struct waiting_ring *r = &rings[n % 3];
        unsigned given = atomic_load(&r->given) + 1;

        atomic_store(&r->given, given);
        worker_wake(&r->ring);
        ok = is_taken(r, given);
    }
    CU_ASSERT_TRUE(ok);
    for (unsigned i = 0; i < 3; i++) {
        worker_detach(worker, &rings[i].ring);
        worker_wake(&rings[i].ring); /* too late, and no harm */
        close(rings[i].ring.wait_fd);
    }
    worker_destroy(worker);
    close(attention.fd);
    world_end(&w);
}

/* ---- rings with requests that are notified ---- */

struct plain_ring {
    struct worker_ring ring;    /* first */
    _Atomic unsigned nr_put;    /* requests, by the test */
    _Atomic unsigned nr_served; /* by the worker */
    _Atomic bool armed;
    /* of the last request, by the worker */
    _Atomic int heard_on, served_on, nr_processors;
};

/* Any thread; 0: the system did not say. */
static int nr_processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 0;
}

static enum serve_result serve_plain(struct worker_ring *r, unsigned worker, unsigned budget)
{
    struct plain_ring *p = (struct plain_ring *)r;
    unsigned nr = atomic_load(&p->nr_put) - atomic_load(&p->nr_served);

    (void)worker;
    (void)budget;
    atomic_store(&p->armed, false);
    if (nr) {
        atomic_store(&p->served_on, processor_here());
        atomic_store(&p->nr_processors, nr_processors());
    }
    atomic_fetch_add(&p->nr_served, nr);
    worker_count(&r->nr_requests, nr);
    return SERVE_EMPTY;
}

static bool arm_plain(struct worker_ring *r)
{
    struct plain_ring *p = (struct plain_ring *)r;

    atomic_store(&p->armed, true);
    return atomic_load(&p->nr_put) != atomic_load(&p->nr_served);
}

/* The peer is, or so it says, on the worker's own processor. */
static int consume_plain(struct worker_ring *r)
{
    struct plain_ring *p = (struct plain_ring *)r;
    uint64_t times;
    ssize_t n = read(r->wait_fd, &times, sizeof(times));

    (void)n;
    atomic_store(&p->heard_on, processor_here());
    return processor_here();
}

static const struct worker_ring_ops plain_ops = {
    .serve = serve_plain, .arm = arm_plain, .consume = consume_plain, .hang_up = ignore};

struct bench {
    struct world world;
    struct attention attention;
    struct worker *worker;
    struct plain_ring rings[2];
};

static void bench_begin(struct bench *b, const struct polling *polling, bool apart)
{
    *b = (struct bench){.world = world_make(512, 8, 2, 4)};
    b->attention = (struct attention){.fence_by_ms = UINT64_MAX};
    b->attention.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    b->worker = worker_create(b->world.e, &b->attention, 0, polling);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b->worker);
    for (unsigned i = 0; i < 2; i++) {
        b->rings[i].ring = (struct worker_ring){
            .ops = &plain_ops, .wait_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .apart = apart};
        CU_ASSERT_TRUE_FATAL(worker_attach(b->worker, &b->rings[i].ring));
    }
}

static void bench_end(struct bench *b)
{
    for (unsigned i = 0; i < 2; i++) {
        worker_detach(b->worker, &b->rings[i].ring);
        close(b->rings[i].ring.wait_fd);
    }
    worker_destroy(b->worker);
    close(b->attention.fd);
    world_end(&b->world);
}

static bool comes_true(_Atomic bool *flag)
{
    for (unsigned n = 0; n < PATIENCE_S * 10000u && !atomic_load(flag); n++)
        usleep(100);
    return atomic_load(flag);
}

/* One request, with a notification if the worker asked for one. */
static bool request(struct plain_ring *r)
{
    unsigned nr = atomic_fetch_add(&r->nr_put, 1) + 1;
    uint64_t one = 1;

    if (atomic_load(&r->armed) && write(r->ring.wait_fd, &one, sizeof(one)) < 0)
        return false;
    for (unsigned n = 0; n < PATIENCE_S * 10000u && atomic_load(&r->nr_served) != nr; n++)
        usleep(n < 100 ? 0 : 100);
    return atomic_load(&r->nr_served) == nr;
}

/*
 * Of @nr requests, with @pause_ms between them, of a peer that says it is on the worker's
 * processor, how many were served on another one. *@ms_out: how long it took.
 */
static unsigned count_partings(const struct polling *polling, bool apart, unsigned nr,
                               unsigned pause_ms, uint64_t *ms_out)
{
    uint64_t begin = clock_now_ms();
    unsigned partings = 0;
    struct bench b;

    bench_begin(&b, polling, apart);
    for (unsigned n = 0; n < nr; n++) {
        int heard_on;

        usleep(pause_ms * 1000);
        CU_ASSERT_TRUE(comes_true(&b.rings[0].armed));
        atomic_store(&b.rings[0].heard_on, PROCESSOR_UNKNOWN);
        CU_ASSERT_TRUE(request(&b.rings[0]));
        heard_on = atomic_load(&b.rings[0].heard_on);
        partings += heard_on != PROCESSOR_UNKNOWN && atomic_load(&b.rings[0].served_on) != heard_on;
        /* and it may use them all, as before */
        CU_ASSERT_EQUAL(atomic_load(&b.rings[0].nr_processors), nr_processors());
    }
    bench_end(&b);
    *ms_out = clock_now_ms() - begin;
    return partings;
}

/*
 * The system may move a thread at any time: one in twenty is not the worker's doing, nor are more
 * of them if it is only now and then.
 */
static bool stays(const struct polling *polling, bool apart, unsigned pause_ms)
{
    unsigned partings = UINT_MAX;
    uint64_t ms;

    for (unsigned tries = 0; tries < 3 && partings > 1; tries++)
        partings = count_partings(polling, apart, 20, pause_ms, &ms);
    return partings <= 1;
}

static void worker_leaves_the_processor_of_a_peer_that_it_looks_for(void)
{
    const struct polling looks = {.apart_ns = 2000000, .local_ns = 2000000}, sleeps = {0},
                         for_guests = {.apart_ns = 2000000};
    unsigned partings;
    uint64_t ms;

    CU_ASSERT_NOT_EQUAL(nr_processors(), 0);
    partings = count_partings(&looks, false, 20, 0, &ms);
    CU_ASSERT_TRUE(nr_processors() == 1 ? partings == 0 : partings >= 1);
    CU_ASSERT_TRUE(stays(&looks, true, 0));
    CU_ASSERT_TRUE(stays(&sleeps, false, 0));
    CU_ASSERT_TRUE(stays(&for_guests, false, 0));
    /* nor for one that comes now and then */
    CU_ASSERT_TRUE(stays(&looks, false, 20));
    /* nor at each request */
    partings = count_partings(&looks, false, 400, 0, &ms);
    CU_ASSERT_TRUE(partings <= 4 + ms / 20 + 400 / 20);
}

/* Does it sleep at once after the first request, and look after the second? */
static bool looks_when_met_again(void)
{
    const struct polling polling = {.local_ns = 200000000};
    struct bench b;
    bool sleeps_first, sleeps_then;

    bench_begin(&b, &polling, false);
    CU_ASSERT_TRUE(comes_true(&b.rings[0].armed));
    CU_ASSERT_TRUE(request(&b.rings[0])); /* and looks in vain for the next one */
    usleep(5 * 200000);
    CU_ASSERT_TRUE(comes_true(&b.rings[0].armed));
    CU_ASSERT_TRUE(request(&b.rings[0]));
    usleep(20000);
    sleeps_first = atomic_load(&b.rings[0].armed); /* so it does not look any more */
    CU_ASSERT_TRUE(request(&b.rings[0]));          /* met again: it leaves */
    usleep(20000);
    sleeps_then = atomic_load(&b.rings[0].armed);
    bench_end(&b);
    /* if there is another processor to go to */
    return sleeps_first && sleeps_then == (nr_processors() == 1);
}

/*
 * One that had looked in vain looks again: apart from its peer it may find what it did not. On a
 * busy machine the 20 ms may be too few or too many, but not each time.
 */
static void worker_that_left_looks_again(void)
{
    bool looked = false;

    for (unsigned tries = 0; tries < 5 && !looked; tries++)
        looked = looks_when_met_again();
    CU_ASSERT_TRUE(looked);
}

/* A second of looking, in which another ring is heard; with and without a clock that is dear. */
static void ring_that_sleeps_is_heard_beside_one_that_is_looked_for(void)
{
    for (unsigned skips = 0; skips <= 240; skips += 240) {
        const struct polling polling = {
            .local_ns = 1000000000, .look_ns = 20000, .clock_skips = skips};
        struct bench b;

        bench_begin(&b, &polling, true);
        CU_ASSERT_TRUE(comes_true(&b.rings[0].armed) && comes_true(&b.rings[1].armed));
        for (unsigned n = 0; n < 200; n++) {
            CU_ASSERT_TRUE(request(&b.rings[0]));
            CU_ASSERT_TRUE(request(&b.rings[1]));
        }
        bench_end(&b);
    }
}

static void peers_that_share_the_processor_are_not_looked_for_unless_told(void)
{
    const struct polling polling = {.apart_ns = 3600000000000, .look_ns = 20000};

    for (unsigned apart = 0; apart < 2; apart++) {
        struct bench b;

        bench_begin(&b, &polling, apart);
        if (!apart) {
            CU_ASSERT_TRUE(comes_true(&b.rings[0].armed));
            CU_ASSERT_TRUE(request(&b.rings[0]));
            CU_ASSERT_TRUE(comes_true(&b.rings[0].armed));
        } else {
            CU_ASSERT_TRUE(request(&b.rings[0]));
            usleep(50000);
            CU_ASSERT_FALSE(atomic_load(&b.rings[0].armed));
        }
        bench_end(&b);
    }
}

/* Though nothing comes that would wake the worker again. */
static void what_is_dead_is_reclaimed_before_the_worker_sleeps(void)
{
    const struct polling polling = {.look_ns = 20000};
    struct bench b;
    account_nr a;
    uint32_t id;

    bench_begin(&b, &polling, false);
    CU_ASSERT_TRUE(comes_true(&b.rings[0].armed));
    a = guest(&b.world, 1, 400, 400);
    id = pool(&b.world, a, TMEMIF_POOL_PERSISTENT);
    for (uint32_t i = 0; i < 400; i++)
        CU_ASSERT_EQUAL(put(&b.world, a, id, i, 0, i + 1), TMEMIF_OK);
    engine_account_reset(b.world.e, a);
    CU_ASSERT_TRUE(request(&b.rings[0]));
    for (unsigned n = 0; n < PATIENCE_S * 1000u && frames_used(&b.world) != 0; n++)
        usleep(1000);
    CU_ASSERT_EQUAL(frames_used(&b.world), 0);
    bench_end(&b);
}

/* ---- owners ---- */

#define CROWD_MOST 256u
/* Of worker.c: of an owner's turn, of one of several rings in it. */
#define TURN  32u
#define SHARE 16u

/* What rings that are always full have in common. */
struct crowd {
    _Atomic bool open;      /* else they wait */
    unsigned cost;          /* of each request */
    unsigned most;          /* requests that one has at a time; 0: as many as it may */
    unsigned limit;         /* requests of all, then they wait; 0: none */
    _Atomic unsigned total; /* by the worker */
    /* since the last turn of the ring that others wait with, by the worker */
    unsigned cost_since, notifies_since;
};

struct full_ring {
    struct worker_ring ring; /* first */
    struct crowd *crowd;
    _Atomic unsigned nr_served; /* by the worker */
    /* of the one that waits: turns, and the most that others had between two of them */
    _Atomic unsigned nr_turns, worst_cost, worst_notifies;
};

static enum serve_result serve_full(struct worker_ring *r, unsigned worker, unsigned budget)
{
    struct full_ring *f = (struct full_ring *)r;
    struct crowd *c = f->crowd;
    unsigned nr = 0;

    (void)worker;
    if (!atomic_load(&c->open) || (c->limit && atomic_load(&c->total) >= c->limit))
        return SERVE_WAITING;
    while (nr * c->cost < budget && (c->most == 0 || nr < c->most))
        nr++;
    r->spent += nr * c->cost;
    worker_count(&r->nr_requests, nr);
    worker_count(&r->nr_notifies, 1);
    c->cost_since += nr * c->cost;
    c->notifies_since++;
    atomic_fetch_add(&c->total, nr);
    atomic_fetch_add(&f->nr_served, nr);
    return SERVE_MORE;
}

/* Its next request is there as soon as one has been served. */
static enum serve_result serve_single(struct worker_ring *r, unsigned worker, unsigned budget)
{
    struct full_ring *f = (struct full_ring *)r;
    struct crowd *c = f->crowd;

    (void)worker;
    (void)budget;
    if (!atomic_load(&c->open))
        return SERVE_WAITING;
    if (atomic_load(&f->nr_turns) > 0) {
        if (c->cost_since > atomic_load(&f->worst_cost))
            atomic_store(&f->worst_cost, c->cost_since);
        if (c->notifies_since > atomic_load(&f->worst_notifies))
            atomic_store(&f->worst_notifies, c->notifies_since);
    }
    c->cost_since = c->notifies_since = 0;
    r->spent++;
    worker_count(&r->nr_requests, 1);
    atomic_fetch_add(&f->nr_turns, 1);
    return SERVE_MORE;
}

static const struct worker_ring_ops full_ops = {
    .serve = serve_full, .arm = arm, .consume = consume_nothing, .hang_up = ignore};
static const struct worker_ring_ops single_ops = {
    .serve = serve_single, .arm = arm, .consume = consume_nothing, .hang_up = ignore};

/* Full rings of some owners, and a single one of another. */
struct hall {
    struct world world;
    struct attention attention;
    struct worker *worker;
    struct crowd crowd;
    unsigned nr;
    struct full_ring rings[CROWD_MOST];
    struct full_ring single;
};

static void enter(struct hall *h, struct full_ring *f, uint32_t owner)
{
    *f = (struct full_ring){.crowd = &h->crowd};
    f->ring.ops = f == &h->single ? &single_ops : &full_ops;
    f->ring.owner_id = (struct owner_id){.kind = ACCOUNT_LOCAL, .id = owner};
    f->ring.wait_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CU_ASSERT_TRUE_FATAL(worker_attach(h->worker, &f->ring));
}

static void leave(struct hall *h, struct full_ring *f)
{
    worker_detach(h->worker, &f->ring);
    close(f->ring.wait_fd);
}

static void hall_begin(struct hall *h, const struct crowd *crowd, unsigned nr, unsigned nr_owners)
{
    static const struct polling polling = {.look_ns = 20000};

    memset(h, 0, sizeof(*h));
    h->world = world_make(64, 8, 2, 4);
    h->attention = (struct attention){.fence_by_ms = UINT64_MAX};
    h->attention.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    h->crowd = *crowd;
    h->nr = nr;
    h->worker = worker_create(h->world.e, &h->attention, 0, &polling);
    CU_ASSERT_PTR_NOT_NULL_FATAL(h->worker);
    for (unsigned i = 0; i < nr; i++)
        enter(h, &h->rings[i], i % nr_owners);
    enter(h, &h->single, nr_owners);
}

/* They are all awake from now on, at once. */
static void hall_open(struct hall *h)
{
    worker_pause(h->worker);
    atomic_store(&h->crowd.open, true);
    worker_resume(h->worker);
}

static void hall_end(struct hall *h)
{
    for (unsigned i = 0; i < h->nr; i++)
        leave(h, &h->rings[i]);
    leave(h, &h->single);
    worker_destroy(h->worker);
    close(h->attention.fd);
    world_end(&h->world);
}

static bool reaches(_Atomic unsigned *count, unsigned nr)
{
    for (unsigned n = 0; n < PATIENCE_S * 10000u && atomic_load(count) < nr; n++)
        usleep(100);
    return atomic_load(count) >= nr;
}

static void request_waits_for_one_turn_of_each_other_owner(void)
{
    static const struct {
        unsigned nr, nr_owners, cost;
    } cases[] = {{1, 1, 1},           {2, 1, 1},          {CROWD_MOST, 1, 1},
                 {CROWD_MOST, 1, 16}, {CROWD_MOST, 3, 1}, {3, 3, 16}};

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct crowd crowd = {.cost = cases[i].cost};
        static struct hall h;
        unsigned worst;

        hall_begin(&h, &crowd, cases[i].nr, cases[i].nr_owners);
        hall_open(&h);
        CU_ASSERT_TRUE(reaches(&h.single.nr_turns, 1000));
        worst = atomic_load(&h.single.worst_cost);
        /* the last request of a turn may cost more than is left */
        CU_ASSERT(worst >= cases[i].nr_owners * TURN / 2);
        CU_ASSERT(worst <= cases[i].nr_owners * (TURN + cases[i].cost - 1));
        hall_end(&h);
    }
}

/* Each of its rings is told of one answer. */
static void notifications_are_at_the_expense_of_an_owners_turn(void)
{
    const struct crowd crowd = {.cost = 1, .most = 1};
    static struct hall h;

    hall_begin(&h, &crowd, 64, 1);
    hall_open(&h);
    CU_ASSERT_TRUE(reaches(&h.single.nr_turns, 1000));
    CU_ASSERT(atomic_load(&h.single.worst_notifies) > 1);
    CU_ASSERT(atomic_load(&h.single.worst_notifies) <= TURN / 4);
    hall_end(&h);
}

/* Also if one turn is not for all of them. */
static void all_rings_of_an_owner_get_on(void)
{
    for (unsigned nr = 1; nr <= 81; nr += 40) {
        const struct crowd crowd = {.cost = 1, .limit = nr * 1000};
        static struct hall h;

        hall_begin(&h, &crowd, nr, 1);
        hall_open(&h);
        CU_ASSERT_TRUE(reaches(&h.crowd.total, crowd.limit));
        for (unsigned i = 0; i < nr; i++) {
            unsigned served = atomic_load(&h.rings[i].nr_served);

            /* a few more or less: what is left of a turn is a smaller share */
            CU_ASSERT(served >= 800 && served <= 1200);
        }
        hall_end(&h);
    }
}

/* One alone has the whole turn. */
static void ring_shares_its_owners_turn_with_those_that_have_requests(void)
{
    static struct hall h;

    for (unsigned nr = 1; nr <= 2; nr++) {
        const struct crowd crowd = {.cost = 1, .limit = 1};

        hall_begin(&h, &crowd, nr, 1);
        hall_open(&h);
        CU_ASSERT_TRUE(reaches(&h.crowd.total, 1));
        CU_ASSERT_EQUAL(atomic_load(&h.crowd.total), nr == 1 ? TURN : SHARE);
        hall_end(&h);
    }
}

/* The next one is served instead, and it is not, until it comes again. */
static void ring_leaves_amid_its_owners(void)
{
    const struct crowd crowd = {.cost = 1};
    static struct hall h;

    hall_begin(&h, &crowd, 12, 1);
    hall_open(&h);
    for (unsigned n = 0; n < 300; n++) {
        struct full_ring *gone = &h.rings[n % 12], *stays = &h.rings[(n * 5 + 1) % 12];
        unsigned served;

        if (stays == gone)
            stays = &h.rings[(n + 1) % 12];
        leave(&h, gone);
        served = atomic_load(&gone->nr_served);
        CU_ASSERT_TRUE(reaches(&stays->nr_served, atomic_load(&stays->nr_served) + SHARE));
        CU_ASSERT_TRUE(reaches(&h.single.nr_turns, atomic_load(&h.single.nr_turns) + 2));
        CU_ASSERT_EQUAL(atomic_load(&gone->nr_served), served);
        enter(&h, gone, 0);
        CU_ASSERT_TRUE(reaches(&gone->nr_served, SHARE));
    }
    CU_ASSERT(atomic_load(&h.single.worst_cost) <= TURN);
    hall_end(&h);
}

/* With all of its rings, and is one again when it comes back. */
static void owner_leaves_and_comes_back(void)
{
    const struct crowd crowd = {.cost = 1};
    static struct hall h;

    hall_begin(&h, &crowd, 3, 1);
    hall_open(&h);
    for (unsigned n = 0; n < 100; n++) {
        for (unsigned i = 0; i < 3; i++)
            leave(&h, &h.rings[(n + i) % 3]);
        CU_ASSERT_TRUE(reaches(&h.single.nr_turns, atomic_load(&h.single.nr_turns) + 2));
        for (unsigned i = 0; i < 3; i++)
            enter(&h, &h.rings[i], 0);
        for (unsigned i = 0; i < 3; i++)
            CU_ASSERT_TRUE(reaches(&h.rings[i].nr_served, SHARE));
    }
    CU_ASSERT(atomic_load(&h.single.worst_cost) <= TURN);
    hall_end(&h);
}

/* ---- polling.h ---- */

static void looks_are_as_long_as_calls_are_dear(void)
{
    struct polling dear = polling_make(polling_apart_us(30000), 960, 30000, 30000);
    struct polling cheap = polling_make(polling_apart_us(25), 50, 25, 25);
    /* of the hypervisor's only */
    struct polling mixed = polling_make(polling_apart_us(64000), 50, 25, 64000);

    CU_ASSERT(dear.apart_ns == 1920000 && dear.local_ns == 960000);
    CU_ASSERT(dear.clock_skips == 240 && dear.look_ns == 260000);
    CU_ASSERT(cheap.apart_ns == 50000 && cheap.local_ns == 50000);
    CU_ASSERT(cheap.clock_skips == 0 && cheap.look_ns == 20200);
    CU_ASSERT(mixed.apart_ns == 4096000 && mixed.local_ns == 50000);
    CU_ASSERT(mixed.clock_skips == 0 && mixed.look_ns == 532000);
    CU_ASSERT_EQUAL(polling_apart_us(1000), 64);
    CU_ASSERT_EQUAL(polling_apart_us(UINT32_MAX), 8000);
    CU_ASSERT_EQUAL(polling_make(0, 0, 30000, 30000).apart_ns, 0);
    /* the shorter look's clock is asked often enough, if anybody has it */
    CU_ASSERT_EQUAL(polling_make(8000, 100, 30000, 30000).clock_skips, 25);
    CU_ASSERT_EQUAL(polling_make(8000, 0, 30000, 30000).clock_skips, 240);
}

/* Of 1000 looks in vain, each after @nr_found requests that were found by looking. */
static unsigned count_looks(unsigned nr_found)
{
    const uint64_t look_ns = 50000;
    struct poll_credit c = {.ns = (int64_t)look_ns};
    unsigned nr_looks = 0;

    for (unsigned burst = 0; burst < 1000; burst++) {
        poll_credit_served(&c, look_ns);
        for (unsigned i = 0; i < nr_found && poll_credit_is_good(&c); i++)
            poll_credit_found(&c, look_ns);
        if (poll_credit_is_good(&c)) {
            poll_credit_in_vain(&c, look_ns);
            nr_looks++;
        }
    }
    return nr_looks;
}

/* A request found for each look in vain is not enough; four for each are. */
static void looking_has_to_pay(void)
{
    CU_ASSERT(count_looks(0) >= 10 && count_looks(0) <= 20); /* now and then it is tried again */
    CU_ASSERT(count_looks(1) < 500);
    CU_ASSERT_EQUAL(count_looks(4), 1000);
}

#define TESTS(T)                                                                                   \
    T(ring_that_waits_is_served_whenever_it_is_woken)                                              \
    T(worker_leaves_the_processor_of_a_peer_that_it_looks_for)                                     \
    T(worker_that_left_looks_again)                                                                \
    T(ring_that_sleeps_is_heard_beside_one_that_is_looked_for)                                     \
    T(peers_that_share_the_processor_are_not_looked_for_unless_told)                               \
    T(what_is_dead_is_reclaimed_before_the_worker_sleeps)                                          \
    T(request_waits_for_one_turn_of_each_other_owner)                                              \
    T(notifications_are_at_the_expense_of_an_owners_turn)                                          \
    T(all_rings_of_an_owner_get_on)                                                                \
    T(ring_shares_its_owners_turn_with_those_that_have_requests)                                   \
    T(ring_leaves_amid_its_owners)                                                                 \
    T(owner_leaves_and_comes_back)                                                                 \
    T(looks_are_as_long_as_calls_are_dear)                                                         \
    T(looking_has_to_pay)
RUN_TESTS(TESTS)
