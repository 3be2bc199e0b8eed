/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/lib/finished.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "frontend/lib/clock.h"

static int watch(struct xentmem *t, int fd, unsigned what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = what};

    return epoll_ctl(t->finished.epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? errno : 0;
}

int finished_init(struct xentmem *t)
{
    struct finished *f = &t->finished;
    int error;

    pthread_mutex_init(&f->lock, NULL);
    f->last = &f->first;
    f->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (f->bell_fd < 0 || f->timer_fd < 0 || f->epoll_fd < 0)
        return errno;
    error = watch(t, f->bell_fd, WATCHED_BELL);
    if (!error)
        error = watch(t, f->timer_fd, WATCHED_TIMER);
    if (!error)
        error = watch(t, t->death_fd, WATCHED_DEATH);
    if (!error)
        finished_watch(t, true);
    return error;
}

void finished_fini(struct xentmem *t, bool forked)
{
    struct finished *f = &t->finished;

    if (f->epoll_fd >= 0)
        close(f->epoll_fd);
    if (f->timer_fd >= 0)
        close(f->timer_fd);
    if (f->bell_fd >= 0)
        close(f->bell_fd);
    if (f->last && !forked)
        pthread_mutex_destroy(&f->lock);
}

void finished_watch(struct xentmem *t, bool on)
{
    struct attach *a = t->attach;

    /* an error here is memory: the timer will find what the descriptor does not tell */
    for (unsigned i = 0; i < a->nr_rings; i++) {
        if (on)
            watch(t, a->wait_fds[i], i);
        else
            epoll_ctl(t->finished.epoll_fd, EPOLL_CTL_DEL, a->wait_fds[i], NULL);
    }
    if (on)
        watch(t, a->event_fd, WATCHED_ATTACH);
    else
        epoll_ctl(t->finished.epoll_fd, EPOLL_CTL_DEL, a->event_fd, NULL);
}

void finished_timer(struct xentmem *t, int ms)
{
    struct finished *f = &t->finished;
    struct itimerspec when = {
        .it_value = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L + 1}};
    uint64_t due;

    if (ms < 0 || (atomic_load(&f->nr_open) == 0 && !atomic_load(&f->lacks_room)))
        return;
    due = clock_us() + (uint64_t)ms * 1000;
    pthread_mutex_lock(&f->lock);
    if (!atomic_load(&f->timer_set) || due < f->timer_due_us) {
        f->timer_due_us = due;
        atomic_store(&f->timer_set, true);
        timerfd_settime(f->timer_fd, 0, &when, NULL);
    }
    pthread_mutex_unlock(&f->lock);
}

void finished_take_timer(struct xentmem *t)
{
    struct finished *f = &t->finished;
    uint64_t times;
    ssize_t r;

    pthread_mutex_lock(&f->lock);
    r = read(f->timer_fd, &times, sizeof(times));
    if (r == (ssize_t)sizeof(times)) /* or it has been set anew */
        atomic_store(&f->timer_set, false);
    pthread_mutex_unlock(&f->lock);
}

/* ---- the list ---- */

void finished_add(struct xentmem *t, struct call *call)
{
    struct finished *f = &t->finished;

    pthread_mutex_lock(&f->lock);
    call->next = NULL;
    *f->last = call;
    f->last = &call->next;
    pthread_mutex_unlock(&f->lock);
}

bool finished_is_watched(struct finished *f)
{
    return atomic_load(&f->fd_lent) || atomic_load(&f->nr_asleep) != 0;
}

/* Something is on the list, or nothing will be: whoever sleeps for it has to leave. */
static bool has_news(const struct finished *f)
{
    return f->first || (atomic_load(&f->nr_open) == 0 && atomic_load(&f->nr_asleep) != 0);
}

/*
 * bell_fd is to be readable exactly if there is news; if nobody relies on it, that would be
 * a system call in vain. Under the lock: whoever goes to sleep says so and then looks at the list,
 * and whoever lends the descriptor says so and then rings.
 */
static void set_bell(struct finished *f)
{
    bool news = has_news(f);
    uint64_t one = 1;
    ssize_t r;

    if (news && !f->bell_rung && finished_is_watched(f)) {
        r = write(f->bell_fd, &one, sizeof(one));
        f->bell_rung = r == (ssize_t)sizeof(one);
    } else if (!news && f->bell_rung) {
        r = read(f->bell_fd, &one, sizeof(one));
        f->bell_rung = false;
    }
}

static void lock_and_set_bell(struct finished *f)
{
    pthread_mutex_lock(&f->lock);
    set_bell(f);
    pthread_mutex_unlock(&f->lock);
}

void finished_ring_bell(struct xentmem *t)
{
    if (atomic_load(&t->finished.nr_open) != 0)
        lock_and_set_bell(&t->finished);
}

void finished_close(struct xentmem *t, unsigned nr)
{
    struct finished *f = &t->finished;

    if (nr && atomic_fetch_sub(&f->nr_open, nr) == nr && atomic_load(&f->nr_asleep) != 0)
        lock_and_set_bell(f);
}

/* Up to @max finished calls as a list. */
struct call *finished_take(struct xentmem *t, unsigned max)
{
    struct finished *f = &t->finished;
    struct call *first, **end;

    pthread_mutex_lock(&f->lock);
    first = f->first;
    end = &f->first;
    for (unsigned nr = 0; nr < max && *end; nr++)
        end = &(*end)->next;
    f->first = *end;
    if (!f->first)
        f->last = &f->first;
    if (first)
        *end = NULL;
    set_bell(f);
    pthread_mutex_unlock(&f->lock);
    return first;
}

bool finished_any(struct finished *f)
{
    bool has;

    pthread_mutex_lock(&f->lock);
    has = f->first != NULL;
    pthread_mutex_unlock(&f->lock);
    return has;
}
