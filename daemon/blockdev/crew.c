/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blockdev/crew.h"

#include <pthread.h>
#include <stdlib.h>

#include "daemon/util/thread.h"

struct hand {
    struct crew *crew;
    pthread_t thread;
    unsigned lane;
};

struct crew {
    void (*run)(void *arg, unsigned lane, struct batch *b);
    void *arg;
    pthread_mutex_t mutex;
    pthread_cond_t come;
    struct batch *first, *last; /* by next */
    bool stop;
    unsigned nr; /* threads that run */
    struct hand hands[];
};

/* The next batch; NULL: there are none, and none come any more. */
static struct batch *take(struct crew *c)
{
    struct batch *b;

    pthread_mutex_lock(&c->mutex);
    while (!c->first && !c->stop)
        pthread_cond_wait(&c->come, &c->mutex);
    b = c->first;
    if (b)
        c->first = b->next;
    pthread_mutex_unlock(&c->mutex);
    return b;
}

static void *work(void *arg)
{
    struct hand *h = arg;
    struct batch *b;

    while ((b = take(h->crew)))
        h->crew->run(h->crew->arg, h->lane, b);
    return NULL;
}

static bool start(struct crew *c, unsigned nr)
{
    for (; c->nr < nr; c->nr++) {
        struct hand *h = &c->hands[c->nr];

        *h = (struct hand){.crew = c, .lane = c->nr};
        if (!thread_start(&h->thread, work, h, 0))
            return false;
    }
    return true;
}

struct crew *crew_create(unsigned nr, void (*run)(void *arg, unsigned lane, struct batch *b),
                         void *arg)
{
    struct crew *c = calloc(1, sizeof(*c) + nr * sizeof(c->hands[0]));

    if (!c)
        return NULL;
    c->run = run;
    c->arg = arg;
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->come, NULL);
    if (start(c, nr))
        return c;
    crew_destroy(c);
    return NULL;
}

void crew_destroy(struct crew *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->mutex);
    c->stop = true;
    pthread_cond_broadcast(&c->come);
    pthread_mutex_unlock(&c->mutex);
    for (unsigned i = 0; i < c->nr; i++)
        pthread_join(c->hands[i].thread, NULL);
    pthread_cond_destroy(&c->come);
    pthread_mutex_destroy(&c->mutex);
    free(c);
}

void crew_hand_over(struct crew *c, struct batch *b)
{
    b->next = NULL;
    pthread_mutex_lock(&c->mutex);
    if (c->first)
        c->last->next = b;
    else
        c->first = b;
    c->last = b;
    pthread_cond_signal(&c->come);
    pthread_mutex_unlock(&c->mutex);
}

bool crew_take_back(struct crew *c, struct batch *b)
{
    struct batch *before = NULL, *at;

    pthread_mutex_lock(&c->mutex);
    for (at = c->first; at && at != b; at = at->next)
        before = at;
    if (at) {
        *(before ? &before->next : &c->first) = b->next;
        if (c->last == b)
            c->last = before;
    }
    pthread_mutex_unlock(&c->mutex);
    return at != NULL;
}
