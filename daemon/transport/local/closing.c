/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/local/closing.h"

#include <signal.h>
#include <time.h>

#include "daemon/util/thread.h"

/* Ends a wait in close(2), for a socket that lingers; all that it does is to come. */
#define HURRY_SIGNAL SIGUSR2

static const struct timeval LOOK_TIME = {.tv_usec = 10000};
#define LAST_LOOKS 10u

static void *close_client(void *arg)
{
    struct closing *c = arg;

    client_fini(c->client);
    atomic_store_explicit(&c->closed, true, memory_order_release);
    return NULL;
}

/* False: there is no thread to be had. */
static bool start(struct closing *c)
{
    return thread_start(&c->thread, close_client, c, HURRY_SIGNAL);
}

static bool is_closed(struct closing *c)
{
    if (!c->has_thread) {
        c->has_thread = start(c);
        return false;
    }
    if (atomic_load_explicit(&c->closed, memory_order_acquire)) {
        pthread_join(c->thread, NULL);
        return true;
    }
    pthread_kill(c->thread, HURRY_SIGNAL);
    return false;
}

/* Forget who is closed by now. */
static void look(struct closings *s)
{
    struct closing **at = &s->list;

    while (*at) {
        struct closing *c = *at;

        if (is_closed(c)) {
            *at = c->next;
            s->forget(c);
        } else {
            at = &c->next;
        }
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct closings *s = arg;

    (void)fd;
    (void)what;
    look(s);
    if (s->list)
        event_add(s->timer, &LOOK_TIME);
}

static void ignore(int number)
{
    (void)number;
}

bool closings_init(struct closings *s, struct event_base *base, void (*forget)(struct closing *c))
{
    struct sigaction action = {.sa_handler = ignore};

    *s = (struct closings){.timer = event_new(base, -1, 0, on_timer, s), .forget = forget};
    /* one that is ignored would end no wait, and by default it ends us */
    sigfillset(&action.sa_mask);
    sigaction(HURRY_SIGNAL, &action, NULL);
    return s->timer != NULL;
}

void closings_fini(struct closings *s)
{
    const struct timespec moment = {.tv_nsec = 1000l * LOOK_TIME.tv_usec};

    if (s->timer)
        event_free(s->timer);
    look(s);
    for (unsigned i = 0; s->list && i < LAST_LOOKS; i++) {
        nanosleep(&moment, NULL);
        look(s);
    }
    for (struct closing *c = s->list; c; c = c->next) {
        if (c->has_thread)
            pthread_detach(c->thread);
    }
}

void closings_add(struct closings *s, struct closing *c, struct client *client)
{
    *c = (struct closing){.client = client, .next = s->list};
    c->has_thread = start(c);
    s->list = c;
    if (!event_pending(s->timer, EV_TIMEOUT, NULL)) /* it would begin anew */
        event_add(s->timer, &LOOK_TIME);
}

unsigned closings_count(const struct closings *s, const struct client *user)
{
    unsigned nr = 0;

    for (const struct closing *c = s->list; c; c = c->next)
        nr += !user || c->client->uid == user->uid;
    return nr;
}
