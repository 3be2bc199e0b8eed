/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socket.h - sockets whose other end is a client's: what comes is looked at before it is received.
 *
 * Any message may bring descriptors, and whoever receives it, or closes a socket with one unread,
 * closes what it has no use for; that may take as long as the client likes: a socket lingers, a
 * file is flushed by a client, an epoll set that watches it is held. So nothing with descriptors is
 * ever received. A message brings credentials (SO_PASSCRED), which tell an empty one from the end.
 */
#ifndef XTM_TRANSPORT_LOCAL_SOCKET_H
#define XTM_TRANSPORT_LOCAL_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

enum heard {
    HEARD_NOTHING,
    HEARD_MESSAGE, /* without descriptors: socket_take() may follow */
    HEARD_STRANGE, /* one that has some */
    HEARD_END,
};

/* Before anything is sent to it. False: errno says why. */
bool socket_init(int fd);

/* What comes next; it stays. *byte_out: a message's first, or 0. Never waits. */
enum heard socket_peek(int fd, uint8_t *byte_out);
/* Receive, and drop, what was seen by socket_peek(). */
void socket_take(int fd);

/*
 * No more is sent or received. True: what it has unread, if anything, has no descriptors, and
 * close() waits for nobody.
 */
bool socket_hang_up(int fd);

#endif /* XTM_TRANSPORT_LOCAL_SOCKET_H */
