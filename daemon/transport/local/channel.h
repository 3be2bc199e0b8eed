/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * channel.h - a notification channel: a pipe to us and a pipe to the client.
 *
 * We make both, so that our ends are descriptions of our own: a client cannot
 * make them block. A byte is a notification, and its value says on which processor the
 * client runs (protocol/local.h).
 */
#ifndef XTM_TRANSPORT_LOCAL_CHANNEL_H
#define XTM_TRANSPORT_LOCAL_CHANNEL_H

#include <stdbool.h>

struct channel {
    int wait_fd;     /* ours: readable when the client has notified */
    int notify_fd;   /* ours: writing notifies the client */
    int peer_fds[2]; /* the client's until they are sent: to_backend, to_frontend */
};
#define CHANNEL_INIT                                                                               \
    {                                                                                              \
        -1, -1,                                                                                    \
        {                                                                                          \
            -1, -1                                                                                 \
        }                                                                                          \
    }

/* False: no descriptors are left, errno says why; *c is CHANNEL_INIT. */
bool channel_open(struct channel *c);
/* The client has its ends now: close our copies. */
void channel_give_away(struct channel *c);
void channel_close(struct channel *c);

void channel_notify(const struct channel *c);
/* The processor that the client said it runs on, last, or PROCESSOR_UNKNOWN. */
int channel_consume(const struct channel *c);

#endif /* XTM_TRANSPORT_LOCAL_CHANNEL_H */
