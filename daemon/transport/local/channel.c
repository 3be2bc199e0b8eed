/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/local/channel.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/session/worker.h"
#include "daemon/transport/local/socket.h"
#include "daemon/util/processor.h"
#include "protocol/local.h"

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

bool channel_open(struct channel *c)
{
    const int least = 1; /* of what waits for a client that does not read */
    int pair[2], error;

    *c = (struct channel)CHANNEL_INIT;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return false;
    c->fd = pair[0];
    c->peer_fd = pair[1];
    if (socket_init(c->fd) && setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) == 0)
        return true;
    error = errno;
    channel_close(c);
    errno = error;
    return false;
}

void channel_give_away(struct channel *c)
{
    close_fd(&c->peer_fd);
}

bool channel_hang_up(const struct channel *c)
{
    return c->fd < 0 || socket_hang_up(c->fd);
}

void channel_close(struct channel *c)
{
    close_fd(&c->peer_fd);
    close_fd(&c->fd);
}

void channel_notify(const struct channel *c)
{
    ssize_t r = send(c->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);

    /* full: it has been notified; closed: that is heard, too */
    (void)r;
}

int channel_consume(const struct channel *c)
{
    uint8_t bell;

    switch (socket_peek(c->fd, &bell)) {
    case HEARD_MESSAGE:
        socket_take(c->fd);
        return tmemif_local_processor(bell);
    case HEARD_NOTHING:
        return PROCESSOR_UNKNOWN;
    default:
        return CHANNEL_DEAD;
    }
}
