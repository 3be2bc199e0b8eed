/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * roster.h - the backends of one kind: which there are, and whose turn it is to be looked at.
 *
 * Folders come and go with the toolstack; watch events touch their backends, and a turn of the
 * control thread looks at some of those that are touched, whoever waits longest first. Control
 * thread only.
 */
#ifndef XTM_TRANSPORT_XEN_ROSTER_H
#define XTM_TRANSPORT_XEN_ROSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/transport/xen/backend.h"

struct roster_ops {
    /* It is touched, and has changed nothing yet. NULL: no memory, or xenstore does not say. */
    struct backend *(*create)(void *world, const struct schema_place *place);
    /* Look at its nodes and act. */
    void (*look)(struct backend *b, uint64_t now_ms);
    /* Have its nodes vanished, so that it can be destroyed? */
    bool (*is_over)(const struct backend *b);
    /* Nodes stay as they are. */
    void (*destroy)(struct backend *b);
};

struct roster {
    const struct roster_ops *ops;
    void *world; /* of create() */
    struct platform *platform;
    struct log *log;
    enum schema_where folder;
    char path[SCHEMA_PATH_LEN]; /* watched: one folder for each guest */
    struct backend *first;
    bool listing;           /* folders may have come or gone that no event names */
    uint64_t not_before_ms; /* xenstore did not say: no listing before that time */
    struct log_limit log_limit;
};

/* Somewhere below @path something has changed. False: it is not of this roster. */
bool roster_hear(struct roster *r, const char *path);
/* All of them are touched. */
void roster_touch_all(struct roster *r);
/* List the folders, if that is due. */
void roster_list(struct roster *r, uint64_t now_ms);
/* The one of @place, or NULL. */
struct backend *roster_find(struct roster *r, const struct schema_place *place);

enum roster_look { ROSTER_NONE, ROSTER_LOOKED, ROSTER_ENDED };
/*
 * Look at one that is touched and due; it may map only if @may_map. ENDED: it is no more.
 * NONE: there is none.
 */
enum roster_look roster_look_at_one(struct roster *r, uint64_t now_ms, bool may_map);

/* Is there somebody to be looked at now; or at some time; or not looked at since we began? */
bool roster_is_due(const struct roster *r, uint64_t now_ms);
bool roster_waits(const struct roster *r);
bool roster_has_new(const struct roster *r);

void roster_fini(struct roster *r);

#endif /* XTM_TRANSPORT_XEN_ROSTER_H */
