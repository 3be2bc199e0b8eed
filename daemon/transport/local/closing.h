/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * closing.h - clients that were hung up on, and whose descriptors take long to close.
 *
 * How long is up to whoever made a descriptor, so each such client has a thread for it, which is
 * hurried every now and then: a socket stops lingering. A flush that a client answers (FUSE) does
 * not stop for that, and those that need a thread are to be counted against their users.
 *
 * Control thread only.
 */
#ifndef XTM_TRANSPORT_LOCAL_CLOSING_H
#define XTM_TRANSPORT_LOCAL_CLOSING_H

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "daemon/transport/local/client.h"

/* Part of a larger struct, which its owner made. */
struct closing {
    struct client *client;
    struct closing *next;
    pthread_t thread;
    bool has_thread;
    atomic_bool closed; /* by the thread, whose last word it is */
};

struct closings {
    struct closing *list;
    struct event *timer;
    void (*forget)(struct closing *c);
};

/* @forget is told when a client is closed, and may free it. False: no memory. */
bool closings_init(struct closings *s, struct event_base *base, void (*forget)(struct closing *c));
/* Waits a moment; what is not closed then ends with the process, and is not forgotten. */
void closings_fini(struct closings *s);

/* Run client_fini() of a client that was hung up on in a thread. @c is ours until it is forgotten.
 */
void closings_add(struct closings *s, struct closing *c, struct client *client);

/* Those that are not closed yet; @user: of the same user, NULL: of all. */
unsigned closings_count(const struct closings *s, const struct client *user);

#endif /* XTM_TRANSPORT_LOCAL_CLOSING_H */
