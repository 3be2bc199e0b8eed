/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * channel.h - a notification channel: a pair of sockets, one ours, one the client's.
 *
 * Whatever a client does with its end, none of these functions waits for it. The two have no lock,
 * no flags, no counter in common, as the ends of a pipe or of an eventfd have; nor does the client
 * have ours, so nothing of its (an epoll set) is asked when it is closed.
 */
#ifndef XTM_TRANSPORT_LOCAL_CHANNEL_H
#define XTM_TRANSPORT_LOCAL_CHANNEL_H

#include <stdbool.h>

struct channel {
    int fd;      /* ours: readable when the client has notified, sending notifies it */
    int peer_fd; /* the client's, until it is sent */
};
#define CHANNEL_INIT                                                                               \
    {                                                                                              \
        -1, -1                                                                                     \
    }

/* False: no descriptors are left, errno says why; *c is CHANNEL_INIT. */
bool channel_open(struct channel *c);
/* The client has its end now: close our copy. */
void channel_give_away(struct channel *c);
/* Nothing comes any more. False: channel_close() may take any time, as something came. */
bool channel_hang_up(const struct channel *c);
void channel_close(struct channel *c);

void channel_notify(const struct channel *c);
/*
 * Take one notification. The processor that the client said it runs on, PROCESSOR_UNKNOWN, or
 * CHANNEL_DEAD (worker.h): the client has closed its end, or sent a descriptor.
 */
int channel_consume(const struct channel *c);

#endif /* XTM_TRANSPORT_LOCAL_CHANNEL_H */
