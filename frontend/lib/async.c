/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations that nobody waits for inside a call: submit, xentmem_fd(), reap. */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "frontend/lib/clock.h"
#include "frontend/lib/finished.h"
#include "frontend/lib/reconnect.h"
#include "frontend/lib/request.h"
#include "frontend/lib/ring.h"
#include "protocol/copy.h"

/* Hand a finished operation back to its user. */
static struct xentmem_op *release(struct xentmem *t, struct call *call)
{
    struct xentmem_op *op = call->op;

    if (call->error) {
        op_set_error(op, call->error);
    } else {
        op_set_answer(op, &call->response);
        if (op->kind == XENTMEM_GET && op->status == XENTMEM_OK)
            copy_bytes(op->page, room_page(&t->room, call->first_page), XENTMEM_PAGE_SIZE);
    }
    room_give(&t->room, call);
    return op;
}

static unsigned reap_finished(struct xentmem *t, struct xentmem_op **ops_out, unsigned max)
{
    struct call *call = finished_take(t, max);
    unsigned nr = 0;

    while (call) {
        struct call *next = call->next;

        ops_out[nr++] = release(t, call);
        call = next;
    }
    finished_close(t, nr);
    return nr;
}

/* ---- what xentmem_fd() was readable for ---- */

/* And come again before the next one: of what is under way, or of what is submitted meanwhile. */
static void look_at_deadlines(struct xentmem *t)
{
    uint64_t earliest = deadline_in_ms(t->timeout_ms);

    for (unsigned i = 0; i < t->attach->nr_rings; i++) {
        uint64_t deadline = ring_expire(t, &t->rings[i]);

        ring_look_again(t, &t->rings[i]);
        if (deadline < earliest)
            earliest = deadline;
    }
    finished_timer(t, ring_nap_ms(deadline_left_ms(earliest)));
}

static void take_timer(struct xentmem *t)
{
    finished_take_timer(t);
    look_at_deadlines(t);
    /* the next try comes before any deadline */
    if (atomic_load(&t->lost))
        reconnect_look(t);
}

static void take_events(struct xentmem *t, int timeout_ms)
{
    struct epoll_event events[16];
    int nr = epoll_wait(t->finished.epoll_fd, events, 16, timeout_ms);

    for (int i = 0; i < nr; i++) {
        switch (events[i].data.u32) {
        case WATCHED_BELL:
            break;
        case WATCHED_TIMER:
            take_timer(t);
            break;
        case WATCHED_DEATH:
            look_at_deadlines(t);
            break;
        case WATCHED_ATTACH:
            reconnect_look(t);
            break;
        default:
            ring_consume(t, &t->rings[events[i].data.u32]);
            break;
        }
    }
}

static void collect_all(struct xentmem *t)
{
    for (unsigned i = 0; i < t->attach->nr_rings; i++)
        ring_collect_quietly(t, &t->rings[i]);
}

static void collect_and_arm_all(struct xentmem *t)
{
    for (unsigned i = 0; i < t->attach->nr_rings; i++)
        ring_collect_and_arm(t, &t->rings[i]);
}

/*
 * Each look takes the ring's index out of the cache of the manager's processor, which has to fetch
 * it back for its next answer. So the more are under way, the longer the pause: several answers
 * come together then. A local get of 32 under way took 790 ns with one pause, 685 with 32, 655
 * with 64.
 */
static unsigned pauses_between_looks(struct xentmem *t)
{
    unsigned nr_open = atomic_load_explicit(&t->finished.nr_open, memory_order_relaxed);

    return nr_open < PATIENCE_PAUSES_MOST / 2 ? 2 * nr_open : PATIENCE_PAUSES_MOST;
}

/* Look for answers for a while, if that has paid lately, and until @deadline. */
static bool look(struct xentmem *t, struct stopwatch *watch, unsigned us, uint64_t deadline)
{
    unsigned nr_pauses = pauses_between_looks(t);

    if (us == 0)
        return false;
    do {
        for (unsigned looks = 0; looks < t->poll_pause_us * PATIENCE_LOOKS;
             looks += PATIENCE_COLLECTS + nr_pauses) {
            collect_all(t);
            if (finished_any(&t->finished))
                return true;
            for (unsigned i = 0; i < nr_pauses; i++)
                patience_relax();
        }
    } while (stopwatch_us(watch, t->poll_pause_us) < us && !deadline_passed(deadline));
    return false;
}

/* Until something is finished, or there is something else to do, or @deadline. */
static void wait_for_events(struct xentmem *t, uint64_t deadline)
{
    struct finished *f = &t->finished;
    struct stopwatch watch = {0};
    bool at_once;

    if (!look(t, &watch, patience_us(&f->patience, t->poll_us), deadline)) {
        if (t->poll_us)
            stopwatch_us(&watch, 0);
        atomic_fetch_add(&f->nr_asleep, 1);
        /* what came before the manager knew that we sleep is on the list then */
        collect_and_arm_all(t);
        at_once = finished_any(f) || atomic_load(&f->nr_open) == 0;
        take_events(t, at_once ? 0 : deadline_left_ms(deadline));
        atomic_fetch_sub(&f->nr_asleep, 1);
        collect_all(t);
    }
    if (finished_any(f))
        patience_learn(&f->patience, t->poll_us, watch.begun_us ? stopwatch_us(&watch, 0) : 0);
}

/* ---- public ---- */

int xentmem_fd(struct xentmem *t)
{
    int error = handle_check(t);

    if (error == EINVAL)
        return handle_return(error);
    atomic_store(&t->finished.fd_lent, true);
    collect_and_arm_all(t);
    finished_ring_bell(t);
    return t->finished.epoll_fd;
}

/*
 * Events are taken all the same: they tell of a manager that is gone, or back, and one that is left
 * would wake whoever polls for ever. What was given up may hold all room until its answers come:
 * then they are waited for, a little. 0 or -1.
 */
static int with_none_under_way(struct xentmem *t, int timeout_ms)
{
    int wait_ms = 0;

    if (timeout_ms != 0 && atomic_load(&t->finished.lacks_room))
        wait_ms = timeout_ms > 0 && timeout_ms < ROOM_LOOK_MS ? timeout_ms : ROOM_LOOK_MS;
    if (atomic_load(&t->lost))
        reconnect_look(t);
    take_events(t, wait_ms);
    return handle_return(atomic_load(&t->dead));
}

int xentmem_reap(struct xentmem *t, struct xentmem_op **ops_out, unsigned max, int timeout_ms)
{
    uint64_t deadline = deadline_in_ms(timeout_ms);
    unsigned nr = 0;

    if (handle_check(t) == EINVAL)
        return handle_return(EINVAL);
    if (max == 0)
        return 0;
    for (bool first = true;; first = false) {
        nr += reap_finished(t, ops_out + nr, max - nr);
        if (finished_is_watched(&t->finished)) { /* the manager must notify who sleeps */
            collect_and_arm_all(t);
            if (nr == max)
                finished_ring_bell(t);
        } else if (nr < max) {
            collect_all(t);
        }
        if (nr < max)
            nr += reap_finished(t, ops_out + nr, max - nr);
        if (nr)
            return (int)nr;
        if (atomic_load(&t->finished.nr_open) == 0)
            return with_none_under_way(t, timeout_ms);
        if (!first && deadline_passed(deadline))
            return 0;
        if (timeout_ms == 0)
            take_events(t, 0);
        else
            wait_for_events(t, deadline);
    }
}

/* One operation with all it needs, on its ring. 0, EAGAIN: no room. */
static int start(struct xentmem *t, struct xentmem_op *op, struct ring *r)
{
    struct call *call = room_take(&t->room, op_moves_page(op) ? 1 : 0, true);

    if (!call)
        return EAGAIN;
    call->op = op;
    call->deadline = deadline_in_ms(t->timeout_ms);
    request_from_op(op, call->first_page, &call->request);
    if (op->kind == XENTMEM_PUT)
        copy_bytes(room_page(&t->room, call->first_page), op->page, XENTMEM_PAGE_SIZE);
    atomic_fetch_add(&t->finished.nr_open, 1);
    if (ring_try_start(t, r, call))
        return 0;
    finished_close(t, 1);
    room_give(&t->room, call);
    return EAGAIN;
}

/* With nothing under way that would give some back nobody but the timer can wake who polls for it.
 */
static void note_room(struct xentmem *t, bool none)
{
    struct finished *f = &t->finished;
    bool lacks = none && atomic_load(&f->nr_open) == 0;

    if (!lacks && !atomic_load_explicit(&f->lacks_room, memory_order_relaxed))
        return;
    atomic_store(&f->lacks_room, lacks);
    if (lacks)
        finished_timer(t, ROOM_LOOK_MS);
}

int xentmem_submit(struct xentmem *t, struct xentmem_op *ops, unsigned nr_ops)
{
    uint64_t touched = 0; /* a bit for each ring */
    unsigned nr = 0;
    int error = handle_check(t);

    for (; !error && nr < nr_ops; nr++) {
        struct ring *r = request_ring(t, ops[nr].pool, &ops[nr].object);

        error = op_is_valid(&ops[nr]) && !t->control ? start(t, &ops[nr], r) : EINVAL;
        if (error)
            break;
        touched |= 1ull << r->number;
    }
    for (unsigned i = 0; touched; i++, touched >>= 1) {
        if (!(touched & 1))
            continue;
        ring_show(t, &t->rings[i]);
        /* who polls next asks nobody before; who sleeps may have asked on other rings */
        if (finished_is_watched(&t->finished))
            ring_collect_and_arm(t, &t->rings[i]);
    }
    if (nr && finished_is_watched(&t->finished))
        finished_ring_bell(t);
    note_room(t, nr == 0 && error == EAGAIN);
    if (nr && !atomic_load(&t->finished.timer_set))
        finished_timer(t, ring_nap_ms(t->timeout_ms));
    return nr ? (int)nr : handle_return(error);
}
