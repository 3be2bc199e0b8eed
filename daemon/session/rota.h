/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rota.h - whose turn it is: a worker's rings that are awake, by owner.
 *
 *    rota ---> owner ---> owner ---> owner     who had a turn goes to the end
 *                |
 *               ring ---> ring ---> ring       as does a ring that was served
 *
 * So whoever has a ring that is awake waits for one turn of each other owner, however many rings
 * that one has. Owners are made and freed by the control thread, with their first and last ring;
 * the lists are the worker thread's, and it allocates nothing.
 */
#ifndef XTM_SESSION_ROTA_H
#define XTM_SESSION_ROTA_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/session/worker.h"

struct owner {
    struct owner_id id;

    /* the control thread's */
    struct owner *all_next;
    unsigned nr_rings;

    /* the worker's */
    struct owner *next;               /* on the rota */
    struct worker_ring *first, *last; /* its rings that are awake, by next */
    unsigned nr_awake;                /* of them, without the one that is being served */
    unsigned nr_busy;                 /* and those that have not been found empty */
};

struct rota {
    struct owner *all; /* the control thread's */

    /* the worker's */
    struct owner *first, *last; /* those with rings that are awake */
    unsigned nr_owners;
    unsigned nr_awake; /* rings, of all owners */
};

/* @r->owner is its owner, until rota_dismiss(). False: no memory. */
bool rota_admit(struct rota *rota, struct worker_ring *r);
/* The worker does not know it any more. */
void rota_dismiss(struct rota *rota, struct worker_ring *r);

/* ---- for the worker ---- */

/* It is to be served, if it is not yet. Not amid a turn, as the next one. */
void rota_wake(struct rota *rota, struct worker_ring *r);
/* Whether it is awake or not: it is not from now on. */
void rota_forget(struct rota *rota, struct worker_ring *r);

/* The next ring of an owner; then it is served, and rota_keep() or rota_rest() follows. */
static inline struct worker_ring *rota_take(struct owner *o)
{
    struct worker_ring *r = o->first;

    o->first = r->next;
    o->nr_awake--;
    o->nr_busy -= !r->idle;
    return r;
}

static inline void rota_keep(struct owner *o, struct worker_ring *r)
{
    r->next = NULL;
    if (o->first)
        o->last->next = r;
    else
        o->first = r;
    o->last = r;
    o->nr_awake++;
    o->nr_busy += !r->idle;
}

static inline void rota_rest(struct rota *rota, struct worker_ring *r)
{
    r->awake = false;
    rota->nr_awake--;
}

static inline void rota_append(struct rota *rota, struct owner *o)
{
    o->next = NULL;
    if (rota->first)
        rota->last->next = o;
    else
        rota->first = o;
    rota->last = o;
    rota->nr_owners++;
}

/* Of the first owner: whose rings are all at rest has no turn until one of them is woken. */
static inline void rota_end_turn(struct rota *rota)
{
    struct owner *o = rota->first;

    if (o == rota->last && o->nr_awake > 0)
        return;
    rota->first = o->next;
    rota->nr_owners--;
    if (o->nr_awake > 0)
        rota_append(rota, o);
}

#endif /* XTM_SESSION_ROTA_H */
