/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/local/channel.h"

#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

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
    int in[2] = {-1, -1}, out[2] = {-1, -1};

    *c = (struct channel)CHANNEL_INIT;
    if (pipe2(in, O_CLOEXEC | O_NONBLOCK) < 0)
        return false;
    if (pipe2(out, O_CLOEXEC | O_NONBLOCK) < 0) {
        close(in[0]);
        close(in[1]);
        return false;
    }
    *c = (struct channel){.wait_fd = in[0], .notify_fd = out[1], .peer_fds = {in[1], out[0]}};
    return true;
}

void channel_give_away(struct channel *c)
{
    close_fd(&c->peer_fds[0]);
    close_fd(&c->peer_fds[1]);
}

void channel_close(struct channel *c)
{
    channel_give_away(c);
    close_fd(&c->wait_fd);
    close_fd(&c->notify_fd);
}

void channel_notify(const struct channel *c)
{
    ssize_t r = write(c->notify_fd, "", 1);

    /* full: it has been notified; closed: its socket says so too */
    (void)r;
}

int channel_consume(const struct channel *c)
{
    uint8_t bytes[256];
    ssize_t r = read(c->wait_fd, bytes, sizeof(bytes));

    /* what is left makes it readable again; the client pays for that with its own turn */
    return r > 0 ? tmemif_local_processor(bytes[r - 1]) : PROCESSOR_UNKNOWN;
}
