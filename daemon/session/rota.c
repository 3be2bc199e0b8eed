/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/session/rota.h"

#include <stdlib.h>

#include "daemon/util/bug.h"

/* ---- owners ---- */

static struct owner *find(const struct rota *rota, struct owner_id id)
{
    for (struct owner *o = rota->all; o; o = o->all_next) {
        if (o->id.kind == id.kind && o->id.id == id.id)
            return o;
    }
    return NULL;
}

bool rota_admit(struct rota *rota, struct worker_ring *r)
{
    struct owner *o = find(rota, r->owner_id);

    if (!o) {
        o = calloc(1, sizeof(*o));
        if (!o)
            return false;
        o->id = r->owner_id;
        o->all_next = rota->all;
        rota->all = o;
    }
    o->nr_rings++;
    r->owner = o;
    return true;
}

void rota_dismiss(struct rota *rota, struct worker_ring *r)
{
    struct owner *o = r->owner;

    r->owner = NULL;
    if (--o->nr_rings > 0)
        return;
    for (struct owner **at = &rota->all; *at; at = &(*at)->all_next) {
        if (*at == o) {
            *at = o->all_next;
            free(o);
            return;
        }
    }
    bug("a ring's owner is not on its worker's list");
}

/* ---- rings ---- */

void rota_wake(struct rota *rota, struct worker_ring *r)
{
    if (r->awake)
        return;
    r->awake = true;
    r->idle = false;
    if (r->owner->nr_awake == 0)
        rota_append(rota, r->owner);
    rota_keep(r->owner, r);
    rota->nr_awake++;
}

void rota_forget(struct rota *rota, struct worker_ring *gone)
{
    struct owner *o = gone->owner;

    if (!gone->awake)
        return;
    for (unsigned nr = o->nr_awake; nr > 0; nr--) {
        struct worker_ring *r = rota_take(o);

        if (r == gone)
            rota_rest(rota, r);
        else
            rota_keep(o, r);
    }
    /* once around: everybody is where they were but an owner who has none left */
    for (unsigned nr = rota->nr_owners; nr > 0; nr--)
        rota_end_turn(rota);
}
