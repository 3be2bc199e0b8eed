/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client.h - one connection of the local transport: first a stranger, then a link.
 *
 *   client_init()     a connection was accepted
 *   client_greet()    its hello is there: check, map, attach, welcome
 *   client_hang_up()  whatever became of it
 *   client_fini()
 *
 * What it sends is looked at before it is received (socket.h). Descriptors that are not the memfd
 * of a hello are closed by client_fini() alone.
 */
#ifndef XTM_TRANSPORT_LOCAL_CLIENT_H
#define XTM_TRANSPORT_LOCAL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/session/link.h"
#include "daemon/session/sessions.h"
#include "daemon/transport/local/channel.h"
#include "protocol/local.h"

/* Of a hello's descriptors so many are looked at: one more than belong there. */
#define CLIENT_MAX_FDS 2u

struct client {
    struct link link; /* in use once it is attached */
    int fd;
    int strange_fds[CLIENT_MAX_FDS]; /* sent by it, and no memfd; -1: none */
    uid_t uid;
    pid_t pid;
    bool is_root; /* root, or the user whom the manager runs as */
    bool attached;
    void *memory;
    size_t memory_bytes;
    struct channel channels[TMEMIF_LOCAL_MAX_RINGS];
};

/* Takes over @fd. False: the kernel does not say who it is; @fd is closed. */
bool client_init(struct client *c, int fd);
/*
 * Nobody hears of it, nor it of us, from now on; it is not attached (any more). False:
 * client_fini() may take any time, as it closes what the client has sent.
 */
bool client_hang_up(struct client *c);
/* Closes and unmaps. Any thread; see client_hang_up(). */
void client_fini(struct client *c);

enum greeting {
    GREETING_ATTACHED,
    GREETING_UNHEARD, /* it is attached, but has gone: to be detached */
    GREETING_STUCK,   /* it is attached, but we cannot tell it: to be detached */
    GREETING_REFUSED, /* the client was told why, as was *why_out */
    GREETING_EMPTY,   /* nothing to read yet */
    GREETING_GONE,    /* it has hung up */
};

/*
 * Read the hello and act on it; the link is given @ops and attached to
 * @sessions. @refuse: a sentence to refuse it with, whatever it says, or NULL.
 */
enum greeting client_greet(struct client *c, struct session_table *sessions,
                           const struct link_ops *ops, uint32_t epoch, const char *refuse,
                           const char **why_out);

/* An attached client's socket is readable. NULL: it is not; else how its session ends. */
const char *client_listen(struct client *c);

/* For struct link_ops of a client's link. */
void client_notify(struct link *link, unsigned ring);
int client_consume(struct link *link, unsigned ring);

/* Of an attached client whose socket has ended: did it say good-bye before? */
bool client_has_left(const struct client *c);

#endif /* XTM_TRANSPORT_LOCAL_CLIENT_H */
