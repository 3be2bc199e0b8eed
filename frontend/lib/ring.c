/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/lib/ring.h"

#include <errno.h>
#include <poll.h>

#include "frontend/lib/answer.h"
#include "frontend/lib/clock.h"
#include "frontend/lib/finished.h"
#include "frontend/lib/reconnect.h"

/*
 * Notifications can get lost, by others' fault: whoever waits looks and asks again this often, so
 * that it costs a pause and not the time limit (docs/DECISIONS.md, "A lost notification").
 */
#define LOOK_AGAIN_MS 1000

/* An answer without its notification may be early: two, one look after the other, are not. */
#define UNRUNG_MOST 1u

void ring_init(struct ring *r, const struct attach *attach, unsigned number)
{
    *r = (struct ring){.number = number};
    r->front.view = ring_view_at(attach->rings[number], attach->ring_page_order);
    pthread_mutex_init(&r->lock, NULL);
    clock_init_condition(&r->moved);
}

void ring_fini(struct ring *r)
{
    pthread_cond_destroy(&r->moved);
    pthread_mutex_destroy(&r->lock);
}

static struct call **slot_of(struct ring *r, uint32_t number)
{
    return &r->calls[number & (r->front.view.nr_slots - 1)];
}

/* ---- taking answers: by the leader, or under the lock while there is none ---- */

static bool is_answered(const struct ring *r)
{
    return ring_read_once(&r->front.view.shared->rsp_prod) != r->front.rsp_cons;
}

/* Ask to be told of the next answer. True: it is here already. */
static bool arm(struct ring *r)
{
    bool is_here = ring_front_arm(&r->front);

    r->awaits_bell = !is_here;
    return is_here;
}

static void consume(struct xentmem *t, struct ring *r)
{
    t->attach->ops->consume(t->attach, r->number);
    r->awaits_bell = false;
    r->nr_unrung = 0;
}

/* The time was up and nobody had called: is the answer here all the same, or was the manager not
 * told? */
static void look_again(struct xentmem *t, struct ring *r)
{
    struct attach *a = t->attach;
    struct pollfd event = {.fd = a->wait_fds[r->number], .events = POLLIN};

    if (!is_answered(r))
        a->ops->notify(a, r->number);
    else if (r->awaits_bell && poll(&event, 1, 0) == 0 && r->nr_unrung++ == UNRUNG_MOST)
        log_say(&t->log, "ring %u: the manager answers, and its notifications do not come",
                r->number);
}

int ring_nap_ms(int ms)
{
    return ms < 0 || ms > LOOK_AGAIN_MS ? LOOK_AGAIN_MS : ms;
}

static void finish(struct xentmem *t, struct ring *r, struct call *call, int error)
{
    if (call->state == CALL_ABANDONED) {
        room_give(&t->room, call);
        return;
    }
    call->state = CALL_DONE;
    call->error = error;
    if (call->op) {
        r->nr_asynchronous--;
        finished_add(t, call);
    }
}

/* While there is no leader. */
static void collect_locked(struct xentmem *t, struct ring *r)
{
    bool bad;
    uint32_t nr = ring_front_ready(&r->front, &bad);

    if (bad)
        handle_die(t, EPROTO, "the manager's response index jumped");
    for (; nr && !atomic_load(&t->dead); nr--) {
        uint32_t number = r->front.rsp_cons;
        struct call **slot = slot_of(r, number), *call = *slot;
        struct tmemif_response untrusted = ring_front_take(&r->front);

        *slot = NULL;
        if (!call)
            continue; /* expired when the handle died */
        if (!answer_is_valid(&call->request, number, &untrusted)) {
            handle_die(t, EPROTO, "the manager sent a response that fits no request");
            finish(t, r, call, EPROTO);
            break;
        }
        call->response = untrusted;
        finish(t, r, call, 0);
    }
}

static void collect_and_arm_locked(struct xentmem *t, struct ring *r)
{
    collect_locked(t, r);
    while (r->nr_asynchronous && !atomic_load(&t->dead) && arm(r))
        collect_locked(t, r);
}

void ring_collect(struct xentmem *t, struct ring *r)
{
    pthread_mutex_lock(&r->lock);
    if (!r->led) {
        collect_locked(t, r);
        finished_ring_bell(t);
        pthread_cond_broadcast(&r->moved);
    }
    pthread_mutex_unlock(&r->lock);
}

void ring_collect_quietly(struct xentmem *t, struct ring *r)
{
    pthread_mutex_lock(&r->lock);
    if (!r->led && is_answered(r)) {
        collect_locked(t, r);
        pthread_cond_broadcast(&r->moved);
    }
    pthread_mutex_unlock(&r->lock);
}

void ring_collect_and_arm(struct xentmem *t, struct ring *r)
{
    pthread_mutex_lock(&r->lock);
    if (!r->led) {
        collect_and_arm_locked(t, r);
        pthread_cond_broadcast(&r->moved);
    }
    pthread_mutex_unlock(&r->lock);
}

void ring_look_again(struct xentmem *t, struct ring *r)
{
    pthread_mutex_lock(&r->lock);
    if (!r->led && r->nr_asynchronous)
        look_again(t, r);
    pthread_mutex_unlock(&r->lock);
}

void ring_consume(struct xentmem *t, struct ring *r)
{
    struct pollfd event = {.fd = t->attach->wait_fds[r->number], .events = POLLIN};

    pthread_mutex_lock(&r->lock);
    /* on Xen consume() blocks if another thread has been faster */
    if (!r->led && (!t->attach->apart || poll(&event, 1, 0) > 0))
        consume(t, r);
    pthread_mutex_unlock(&r->lock);
}

/* ---- the leader's sleep: r->led is set, the lock is not held ---- */

/* Look for an answer for a while, if that has paid lately, and until @deadline. */
static bool look(const struct xentmem *t, const struct ring *r, struct stopwatch *watch,
                 unsigned us, uint64_t deadline)
{
    if (us == 0)
        return is_answered(r);
    do {
        for (unsigned i = 0; i < t->poll_pause_us * PATIENCE_LOOKS; i++) {
            if (is_answered(r))
                return true;
            patience_relax();
        }
    } while (stopwatch_us(watch, t->poll_pause_us) < us && !deadline_passed(deadline));
    return false;
}

/* Look, and if that was for nothing ask to be told. True: the answer is here. */
static bool look_or_arm(const struct xentmem *t, struct ring *r, struct patience *patience,
                        struct stopwatch *watch, uint64_t deadline)
{
    return look(t, r, watch, patience_us(patience, t->poll_us), deadline) || arm(r);
}

/* Until somebody calls, or a nap is over. */
static void poll_once(struct xentmem *t, struct ring *r, uint64_t deadline)
{
    struct attach *a = t->attach;
    struct pollfd fds[] = {
        {.fd = a->wait_fds[r->number], .events = POLLIN},
        {.fd = a->event_fd, .events = POLLIN | POLLRDHUP},
        {.fd = t->death_fd, .events = POLLIN},
    };

    if (poll(fds, 3, ring_nap_ms(deadline_left_ms(deadline))) == 0)
        look_again(t, r);
    if (fds[1].revents)
        reconnect_look(t);
    if (fds[0].revents)
        consume(t, r);
}

static void sleep_for_manager(struct xentmem *t, struct ring *r, uint64_t deadline)
{
    bool woken = atomic_load_explicit(&r->had_to_wake, memory_order_relaxed);
    struct patience *patience = woken ? &r->woken : &r->awake;
    struct stopwatch watch = {0};

    if (atomic_load(&t->lost)) {
        reconnect_wait(t, deadline);
        return;
    }
    if (!look_or_arm(t, r, patience, &watch, deadline)) {
        if (t->poll_us)
            stopwatch_us(&watch, 0);
        poll_once(t, r, deadline);
    }
    if (is_answered(r))
        patience_learn(patience, t->poll_us, watch.begun_us ? stopwatch_us(&watch, 0) : 0);
}

/* ---- waiting: under the lock ---- */

/* Is it over? With no call: is there a free slot? */
static bool is_over(const struct ring *r, const struct call *call)
{
    return call ? call->state != CALL_UNDER_WAY : ring_front_free(&r->front) > 0;
}

/* 0, ETIMEDOUT, or what the handle died of. */
static int wait_until_over(struct xentmem *t, struct ring *r, const struct call *call,
                           uint64_t deadline)
{
    bool was_leader = false;
    int error = 0;

    while (!is_over(r, call)) {
        error = atomic_load(&t->dead);
        if (!error && deadline_passed(deadline))
            error = ETIMEDOUT;
        if (error)
            break;
        if (r->led) {
            struct timespec until = deadline_timespec(deadline);

            if (deadline == DEADLINE_NEVER)
                pthread_cond_wait(&r->moved, &r->lock);
            else
                pthread_cond_timedwait(&r->moved, &r->lock, &until);
            continue;
        }
        r->led = was_leader = true;
        pthread_mutex_unlock(&r->lock);
        sleep_for_manager(t, r, deadline);
        pthread_mutex_lock(&r->lock);
        r->led = false;
        collect_locked(t, r);
        finished_ring_bell(t);
        pthread_cond_broadcast(&r->moved);
    }
    /* nobody sleeps for the ring now: let notifications go to xentmem_fd() */
    if (was_leader && !r->led && r->nr_asynchronous) {
        collect_and_arm_locked(t, r);
        finished_ring_bell(t);
    }
    return is_over(r, call) ? 0 : error;
}

/* ---- starting ---- */

static void put(struct ring *r, struct call *call)
{
    uint32_t number = ring_front_put(&r->front, &call->request);

    call->state = CALL_UNDER_WAY;
    *slot_of(r, number) = call;
    if (call->op)
        r->nr_asynchronous++;
}

bool ring_try_start(struct xentmem *t, struct ring *r, struct call *call)
{
    bool ok;

    pthread_mutex_lock(&r->lock);
    if (ring_front_free(&r->front) == 0 && !r->led) {
        collect_locked(t, r);
        finished_ring_bell(t);
    }
    ok = ring_front_free(&r->front) > 0;
    if (ok)
        put(r, call);
    pthread_mutex_unlock(&r->lock);
    return ok;
}

void ring_show(struct xentmem *t, struct ring *r)
{
    bool notify;

    pthread_mutex_lock(&r->lock);
    notify = ring_front_publish(&r->front);
    atomic_store_explicit(&r->had_to_wake, notify, memory_order_relaxed);
    pthread_mutex_unlock(&r->lock);
    if (notify)
        t->attach->ops->notify(t->attach, r->number);
}

/* For whoever has to find out where a request was left lying. Under the lock. */
static void say_where_it_lies(struct xentmem *t, const struct ring *r)
{
    const struct tmemif_ring *shared = r->front.view.shared;

    log_say(&t->log,
            "ring %u: no answer in time: %u requests shown, %u answered, %u taken; the manager "
            "asks to be told of %u, we of %u",
            r->number, r->front.req_published, ring_read_once(&shared->rsp_prod), r->front.rsp_cons,
            ring_read_once(&shared->req_event), ring_read_once(&shared->rsp_event));
}

/* A call that has no answer. Under the lock, as the late answer may come at once. */
static void abandon(struct xentmem *t, struct call *call)
{
    if (call->state == CALL_UNDER_WAY)
        call->state = CALL_ABANDONED;
    else
        room_give(&t->room, call);
}

int ring_carry_out(struct xentmem *t, struct ring *r, struct call *call)
{
    bool notify;
    int error;

    pthread_mutex_lock(&r->lock);
    error = wait_until_over(t, r, NULL, call->deadline);
    if (error)
        goto out;
    put(r, call);
    notify = ring_front_publish(&r->front);
    atomic_store_explicit(&r->had_to_wake, notify, memory_order_relaxed);
    if (notify) {
        pthread_mutex_unlock(&r->lock);
        t->attach->ops->notify(t->attach, r->number);
        pthread_mutex_lock(&r->lock);
    }
    error = wait_until_over(t, r, call, call->deadline);
    if (error == ETIMEDOUT)
        say_where_it_lies(t, r);
    if (!error)
        error = call->error;
out:
    if (error)
        abandon(t, call);
    pthread_mutex_unlock(&r->lock);
    return error;
}

/* ---- asynchronous calls that are overdue ---- */

/*
 * The operation goes back to its user; what the manager may still read and
 * write stays behind with a call that nobody waits for. False: no call to spare.
 */
static bool give_up(struct xentmem *t, struct ring *r, struct call **slot)
{
    struct call *call = *slot, *ghost = room_take(&t->room, 0, false);

    if (!ghost)
        return false;
    *ghost = *call;
    ghost->op = NULL;
    ghost->state = CALL_ABANDONED;
    *slot = ghost;
    call->batch = NULL;
    call->nr_pages = 0;
    finish(t, r, call, ETIMEDOUT);
    return true;
}

uint64_t ring_expire(struct xentmem *t, struct ring *r)
{
    uint64_t earliest = DEADLINE_NEVER;
    int dead = atomic_load(&t->dead);

    pthread_mutex_lock(&r->lock);
    for (uint32_t n = r->front.rsp_cons; n != r->front.req_prod; n++) {
        struct call **slot = slot_of(r, n), *call = *slot;

        if (!call || !call->op || call->state != CALL_UNDER_WAY)
            continue;
        if (dead) {
            /* the room is not given out any more */
            *slot = NULL;
            finish(t, r, call, dead);
            continue;
        }
        if (deadline_passed(call->deadline) && give_up(t, r, slot))
            continue;
        if (call->deadline < earliest)
            earliest = call->deadline;
    }
    pthread_mutex_unlock(&r->lock);
    return earliest;
}
