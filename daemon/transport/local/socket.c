/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/local/socket.h"

#include <errno.h>
#include <sys/socket.h>

/* So many unread messages are dropped by who hangs up; with more, closing takes a while. */
#define MOST_UNREAD 64u

bool socket_init(int fd)
{
    const int on = 1;

    return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0;
}

static ssize_t peek(int fd, struct msghdr *msg)
{
    ssize_t r = recvmsg(fd, msg, MSG_PEEK | MSG_DONTWAIT);

    /* a peer that has closed its end with something unread leaves an error, told once */
    if (r < 0 && errno == ECONNRESET)
        r = recvmsg(fd, msg, MSG_PEEK | MSG_DONTWAIT);
    return r;
}

enum heard socket_peek(int fd, uint8_t *byte_out)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred))]; /* no descriptor fits behind them */
    } control;
    struct iovec iov = {.iov_base = byte_out, .iov_len = 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof(control.bytes)};

    *byte_out = 0;
    if (peek(fd, &msg) < 0)
        return errno == EAGAIN || errno == EINTR ? HEARD_NOTHING : HEARD_END;
    if (msg.msg_flags & MSG_CTRUNC)
        return HEARD_STRANGE;
    return msg.msg_controllen > 0 ? HEARD_MESSAGE : HEARD_END;
}

void socket_take(int fd)
{
    char byte;
    ssize_t r = recv(fd, &byte, sizeof(byte), MSG_DONTWAIT);

    (void)r;
}

bool socket_hang_up(int fd)
{
    uint8_t byte;

    /* what is not here by now never comes */
    shutdown(fd, SHUT_RDWR);
    for (unsigned i = 0; i < MOST_UNREAD; i++) {
        switch (socket_peek(fd, &byte)) {
        case HEARD_MESSAGE:
            socket_take(fd);
            break;
        case HEARD_STRANGE:
            return false;
        default:
            return true;
        }
    }
    return false;
}
