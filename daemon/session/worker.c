/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/session/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/engine/engine.h"
#include "daemon/session/rota.h"
#include "daemon/session/session.h"
#include "daemon/util/bug.h"
#include "daemon/util/clock.h"
#include "daemon/util/lock.h"
#include "daemon/util/pace.h"
#include "daemon/util/processor.h"
#include "daemon/util/thread.h"

#define TURN_BUDGET        32u /* requests of one owner before the next owner has its turn */
#define SHARE_BUDGET       16u /* of one ring, if others of its owner have requests */
#define NOTIFY_COST        4u  /* a system call, which may wake somebody */
#define RECLAIM_PAGES      64u /* dead pages freed between rounds */
#define ROUNDS_PER_RECLAIM 16u /* while rings have work; else after each */
#define EVENTS_PER_LOOK    32
#define FENCE_WAIT_MS      1
/* Moves away from a peer's processor, of a worker and of a ring; each takes tens of microseconds.
 */
#define PARTINGS_AT_ONCE      8u
#define PARTING_EVERY_MS      5u
#define RING_PARTINGS_AT_ONCE 4u
#define RING_PARTING_EVERY_MS 20u
#define MOMENT_LOOKS          4u /* a peer that was met within so many is met again */
#define NS_PER_MS             1000000u
/* What costs time, in idle turns; asleep, any time may have passed. */
#define UNITS_PER_REQUEST 16u
#define RECLAIM_UNITS     256u
#define UNITS_UNKNOWN     (1u << 30)

enum command { COMMAND_NONE, COMMAND_ATTACH, COMMAND_DETACH, COMMAND_PAUSE, COMMAND_STOP };

struct worker {
    struct engine *engine;
    struct attention *attention;
    unsigned number;
    unsigned nr_rings; /* the control thread's count */
    pthread_t thread;
    int epoll_fd;
    int command_fd; /* eventfd: a command or a kick is there */

    /* one command at a time, from the control thread */
    pthread_mutex_t mutex;
    pthread_cond_t done;    /* the command has been carried out */
    pthread_cond_t resumed; /* @paused was cleared */
    bool paused;
    enum command command;
    struct worker_ring *subject;
    atomic_bool kicked; /* a command or a kick waits */
    atomic_bool woken;  /* some ring was, by worker_wake() */

    /* the thread's own */
    struct worker_ring *rings; /* all of them, by all_next */
    unsigned nr_listed;        /* on that list */
    struct rota rota;          /* those to be served; the control thread makes their owners */
    uint64_t looked_ns;
    struct polling polling;
    struct pace partings;
    uint64_t time_ns;  /* when the clock was last read */
    unsigned nr_units; /* of work since then */
    bool stop;
};

/* ---- the thread's rings ---- */

static void forget_ring(struct worker *w, struct worker_ring *gone)
{
    rota_forget(&w->rota, gone);
    for (struct worker_ring **at = &w->rings; *at; at = &(*at)->all_next) {
        if (*at == gone) {
            *at = gone->all_next;
            w->nr_listed--;
            return;
        }
    }
    bug("a worker was told to forget a ring that is not its own");
}

static void wake_the_woken(struct worker *w)
{
    for (struct worker_ring *r = w->rings; r; r = r->all_next) {
        if (atomic_load_explicit(&r->woken, memory_order_relaxed) &&
            atomic_exchange_explicit(&r->woken, false, memory_order_acquire))
            rota_wake(&w->rota, r);
    }
}

static void run_command(struct worker *w)
{
    pthread_mutex_lock(&w->mutex);
    switch (w->command) {
    case COMMAND_ATTACH:
        w->subject->all_next = w->rings;
        w->rings = w->subject;
        w->nr_listed++;
        break;
    case COMMAND_DETACH:
        forget_ring(w, w->subject);
        break;
    case COMMAND_PAUSE:
        w->paused = true;
        break;
    case COMMAND_STOP:
        w->stop = true;
        break;
    case COMMAND_NONE:
        break;
    }
    w->command = COMMAND_NONE;
    pthread_cond_signal(&w->done);
    while (w->paused)
        pthread_cond_wait(&w->resumed, &w->mutex);
    pthread_mutex_unlock(&w->mutex);

    for (struct worker_ring *r = w->rings; r; r = r->all_next)
        rota_wake(&w->rota, r);
}

/* ---- turns ---- */

/*
 * The time as it was when the last clock_skips units of work had not been done yet: reading the
 * clock is a system call in some domains. Where a fence may fall due it is read in each round
 * anyway.
 */
static uint64_t time_ns(struct worker *w)
{
    unsigned skips = attention_is_watched(w->attention) ? 0 : w->polling.clock_skips;

    if (w->nr_units > skips) {
        w->time_ns = clock_now_ns();
        w->nr_units = 0;
    }
    return w->time_ns;
}

/* How long its peer may be looked for; 0: not at all. */
static uint64_t poll_ns(const struct worker *w, const struct worker_ring *r)
{
    return r->apart ? w->polling.apart_ns : w->polling.local_ns;
}

/* An empty ring stays awake for the polling time. True: it may sleep now. */
static bool may_sleep(struct worker *w, struct worker_ring *r)
{
    uint64_t ns = poll_ns(w, r);

    if (ns > 0 && poll_credit_is_good(&r->credit)) {
        uint64_t now = time_ns(w);

        if (!r->idle)
            r->idle_since_ns = now;
        r->idle = true;
        if (now - r->idle_since_ns < ns)
            return false;
        poll_credit_in_vain(&r->credit, ns);
    }
    return !r->ops->arm(r);
}

/* It had @nr requests. */
static void learn(struct worker *w, struct worker_ring *r, uint64_t nr)
{
    if (r->idle)
        poll_credit_found(&r->credit, poll_ns(w, r));
    else
        poll_credit_served(&r->credit, poll_ns(w, r));
    r->idle = false;
    w->nr_units += (unsigned)(nr < TURN_BUDGET ? nr : TURN_BUDGET) * UNITS_PER_REQUEST;
}

/* A turn of an owner. */
struct turn {
    struct owner *owner;
    int left;  /* of its budget; below 0: the last request cost more */
    bool busy; /* there was something to do */
};

/*
 * What the ring that was taken may use up. If others have requests, half: so two get on at least,
 * and there is still something to be told of at once (TOLD_TOGETHER of serve.c).
 */
static unsigned share_of_ring(const struct turn *t)
{
    unsigned left = (unsigned)t->left;

    return t->owner->nr_busy > 0 && left > SHARE_BUDGET ? SHARE_BUDGET : left;
}

/* True: it stays awake. */
static bool serve(struct worker *w, struct turn *t, struct worker_ring *r)
{
    uint64_t nr_requests = atomic_load_explicit(&r->nr_requests, memory_order_relaxed);
    uint64_t nr_notifies = atomic_load_explicit(&r->nr_notifies, memory_order_relaxed);
    unsigned spent = r->spent;
    enum serve_result result = r->ops->serve(r, w->number, share_of_ring(t));

    nr_requests = atomic_load_explicit(&r->nr_requests, memory_order_relaxed) - nr_requests;
    nr_notifies = atomic_load_explicit(&r->nr_notifies, memory_order_relaxed) - nr_notifies;
    t->left -= (int)(r->spent - spent + NOTIFY_COST * (unsigned)nr_notifies);
    w->nr_units++;
    if (nr_requests != 0) {
        learn(w, r, nr_requests);
        t->busy = true;
    }
    switch (result) {
    case SERVE_MORE:
        t->busy = true;
        return true;
    case SERVE_EMPTY:
        return !may_sleep(w, r);
    default:
        return false;
    }
}

/*
 * Its rings that are awake, once each, until the budget is used up; the others come first next
 * time. To look at an empty one costs none. True: it had work.
 */
static bool serve_owner(struct worker *w, struct owner *o)
{
    struct turn t = {.owner = o, .left = TURN_BUDGET};

    for (unsigned nr = o->nr_awake; nr > 0 && t.left > 0; nr--) {
        struct worker_ring *r = rota_take(o);

        if (serve(w, &t, r))
            rota_keep(o, r);
        else
            rota_rest(&w->rota, r);
    }
    return t.busy;
}

/*
 * A round: one turn of every owner with a ring that is awake, unless a command comes. True: some
 * had work.
 */
static bool serve_awake(struct worker *w)
{
    bool busy = false;

    for (unsigned nr = w->rota.nr_owners; nr > 0; nr--) {
        if (atomic_load_explicit(&w->kicked, memory_order_relaxed))
            return true;
        busy |= serve_owner(w, w->rota.first);
        rota_end_turn(&w->rota);
    }
    return busy;
}

/*
 * The peer notified, on processor @cpu. If it is ours, and it did so a moment ago as well, we take
 * the processor from each other while we look, and the scheduler does not part two threads that
 * have just run.
 */
static void part_from(struct worker *w, struct worker_ring *r, int cpu)
{
    uint64_t now, since;

    if (cpu == PROCESSOR_UNKNOWN || r->apart || w->polling.local_ns == 0 || cpu != processor_here())
        return;
    now = clock_now_ns();
    since = now - r->met_ns;
    r->met_ns = now;
    if (since < MOMENT_LOOKS * w->polling.local_ns &&
        pace_take(&r->partings, now / NS_PER_MS, RING_PARTINGS_AT_ONCE, RING_PARTING_EVERY_MS) &&
        pace_take(&w->partings, now / NS_PER_MS, PARTINGS_AT_ONCE, PARTING_EVERY_MS) &&
        processor_leave(cpu))
        poll_credit_renew(&r->credit, poll_ns(w, r));
}

/* The peer notified, or its channel is dead. */
static void hear(struct worker *w, struct worker_ring *r, uint32_t events)
{
    int cpu = events & (EPOLLHUP | EPOLLERR) ? CHANNEL_DEAD : r->ops->consume(r);

    if (cpu == CHANNEL_DEAD) {
        /* it would be reported again and again */
        epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, r->wait_fd, NULL);
        r->ops->hang_up(r);
        return;
    }
    part_from(w, r, cpu);
    rota_wake(&w->rota, r);
}

static void look(struct worker *w, int timeout_ms)
{
    struct epoll_event events[EVENTS_PER_LOOK];
    int nr = epoll_wait(w->epoll_fd, events, EVENTS_PER_LOOK, timeout_ms);

    if (timeout_ms)
        w->nr_units = UNITS_UNKNOWN;
    for (int i = 0; i < nr; i++) {
        if (events[i].data.ptr) {
            hear(w, events[i].data.ptr, events[i].events);
        } else {
            uint64_t value;

            if (read(w->command_fd, &value, sizeof(value)) < 0)
                BUG_UNLESS(errno == EAGAIN);
        }
    }
}

/*
 * Of rings that sleep while others are awake only the descriptors tell. With none asleep there
 * is nothing to look for: a command sets @kicked, a channel that closes is found when its ring
 * sleeps.
 */
static bool is_look_due(struct worker *w)
{
    uint64_t now;

    if (w->rota.nr_awake == w->nr_listed)
        return false;
    now = time_ns(w);
    if (now - w->looked_ns < w->polling.look_ns)
        return false;
    w->looked_ns = now;
    return true;
}

/* What other threads have left: a command or a kick, rings to be woken. */
static void take_orders(struct worker *w)
{
    if (atomic_exchange_explicit(&w->kicked, false, memory_order_acquire))
        run_command(w);
    if (atomic_load_explicit(&w->woken, memory_order_relaxed) &&
        atomic_exchange_explicit(&w->woken, false, memory_order_acquire))
        wake_the_woken(w);
}

/* True: there is more. */
static bool reclaim(struct worker *w)
{
    if (!engine_reclaim(w->engine, RECLAIM_PAGES))
        return false;
    w->nr_units += RECLAIM_UNITS;
    return true;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    unsigned rounds = 0;

    while (!w->stop) {
        bool busy, reclaiming = false;

        take_orders(w);
        if (w->rota.first && attention_is_due(w->attention)) {
            attention_ask(w->attention);
            look(w, FENCE_WAIT_MS);
            continue;
        }
        busy = serve_awake(w);
        if (!busy || !w->rota.first || ++rounds % ROUNDS_PER_RECLAIM == 0)
            reclaiming = reclaim(w);
        if (!w->rota.first && !reclaiming && !w->stop)
            look(w, -1);
        else if (is_look_due(w))
            look(w, 0);
        if (!busy)
            cpu_relax();
    }
    return NULL;
}

/* ---- the control thread's side ---- */

static void nudge(struct worker *w)
{
    uint64_t one = 1;

    if (write(w->command_fd, &one, sizeof(one)) < 0)
        BUG_UNLESS(errno == EAGAIN); /* full of kicks already */
}

void worker_kick(struct worker *w)
{
    atomic_store_explicit(&w->kicked, true, memory_order_release);
    nudge(w);
}

void worker_wake(struct worker_ring *r)
{
    struct worker *w = r->worker;

    atomic_store_explicit(&r->woken, true, memory_order_release);
    /* the worker sees which ring it is once it sees that there is one */
    atomic_store_explicit(&w->woken, true, memory_order_release);
    nudge(w);
}

static void command(struct worker *w, enum command what, struct worker_ring *subject)
{
    pthread_mutex_lock(&w->mutex);
    w->command = what;
    w->subject = subject;
    worker_kick(w);
    while (w->command != COMMAND_NONE)
        pthread_cond_wait(&w->done, &w->mutex);
    pthread_mutex_unlock(&w->mutex);
}

static bool watch(struct worker *w, int fd, void *ptr)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = ptr};

    return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

struct worker *worker_create(struct engine *engine, struct attention *attention, unsigned number,
                             const struct polling *polling)
{
    struct worker *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->engine = engine;
    w->attention = attention;
    w->number = number;
    w->polling = *polling;
    w->nr_units = UNITS_UNKNOWN;
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->done, NULL);
    pthread_cond_init(&w->resumed, NULL);
    w->command_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (w->command_fd >= 0 && w->epoll_fd >= 0 && watch(w, w->command_fd, NULL) &&
        thread_start(&w->thread, worker_main, w, 0))
        return w;

    if (w->command_fd >= 0)
        close(w->command_fd);
    if (w->epoll_fd >= 0)
        close(w->epoll_fd);
    pthread_cond_destroy(&w->resumed);
    pthread_cond_destroy(&w->done);
    pthread_mutex_destroy(&w->mutex);
    free(w);
    return NULL;
}

void worker_destroy(struct worker *w)
{
    if (!w)
        return;
    command(w, COMMAND_STOP, NULL);
    pthread_join(w->thread, NULL);
    BUG_UNLESS(w->nr_rings == 0);
    close(w->command_fd);
    close(w->epoll_fd);
    pthread_cond_destroy(&w->resumed);
    pthread_cond_destroy(&w->done);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}

bool worker_attach(struct worker *w, struct worker_ring *r)
{
    if (!rota_admit(&w->rota, r))
        return false;
    r->worker = w;
    poll_credit_renew(&r->credit, poll_ns(w, r));
    command(w, COMMAND_ATTACH, r);
    if (!watch(w, r->wait_fd, r)) {
        command(w, COMMAND_DETACH, r);
        rota_dismiss(&w->rota, r);
        return false;
    }
    r->attached = true;
    w->nr_rings++;
    return true;
}

void worker_detach(struct worker *w, struct worker_ring *r)
{
    /* out of the set first: the next look cannot find it; it may be out already */
    epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, r->wait_fd, NULL);
    command(w, COMMAND_DETACH, r);
    rota_dismiss(&w->rota, r);
    w->nr_rings--;
    r->attached = false;
}

void worker_pause(struct worker *w)
{
    command(w, COMMAND_PAUSE, NULL);
}

void worker_resume(struct worker *w)
{
    pthread_mutex_lock(&w->mutex);
    w->paused = false;
    pthread_cond_signal(&w->resumed);
    pthread_mutex_unlock(&w->mutex);
}

unsigned worker_nr_rings(const struct worker *w)
{
    return w->nr_rings;
}
