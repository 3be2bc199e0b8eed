/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/local/client.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/transport/local/hello.h"
#include "daemon/transport/local/socket.h"
#include "protocol/ring.h"

bool client_init(struct client *c, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || !socket_init(fd)) {
        close(fd);
        return false;
    }
    *c = (struct client){.fd = fd, .uid = peer.uid, .pid = peer.pid};
    c->is_root = peer.uid == 0 || peer.uid == geteuid();
    for (unsigned i = 0; i < CLIENT_MAX_FDS; i++)
        c->strange_fds[i] = -1;
    for (unsigned i = 0; i < TMEMIF_LOCAL_MAX_RINGS; i++)
        c->channels[i] = (struct channel)CHANNEL_INIT;
    return true;
}

void client_fini(struct client *c)
{
    char byte;

    /* unread, it would take the place of a refusal that the client has not read yet */
    while (recv(c->fd, &byte, sizeof(byte), MSG_DONTWAIT) > 0)
        ;
    for (unsigned i = 0; i < TMEMIF_LOCAL_MAX_RINGS; i++)
        channel_close(&c->channels[i]);
    if (c->memory)
        munmap(c->memory, c->memory_bytes);
    for (unsigned i = 0; i < CLIENT_MAX_FDS; i++) {
        if (c->strange_fds[i] >= 0)
            close(c->strange_fds[i]);
    }
    close(c->fd);
}

void client_notify(struct link *link, unsigned ring)
{
    channel_notify(&((struct client *)link)->channels[ring]);
}

int client_consume(struct link *link, unsigned ring)
{
    return channel_consume(&((struct client *)link)->channels[ring]);
}

bool client_has_left(const struct client *c)
{
    return ring_back_has_left(c->link.rings[0].pages);
}

const char *client_listen(struct client *c)
{
    uint8_t byte;

    switch (socket_peek(c->fd, &byte)) {
    case HEARD_NOTHING:
        return NULL;
    case HEARD_END:
        return "the client's socket has ended";
    default:
        return "the client sent something after its hello";
    }
}

/* ---- the hello ---- */

struct untrusted_message {
    struct tmemif_local_hello hello;
    ssize_t length; /* as recvmsg() returned it */
    int errnum;
    int flags; /* MSG_TRUNC, MSG_CTRUNC */
    int fds[CLIENT_MAX_FDS];
    unsigned nr_fds;
};

static void take_fds(struct untrusted_message *m, struct msghdr *msg)
{
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
        size_t bytes = cmsg->cmsg_len - CMSG_LEN(0);

        if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = 0; at + sizeof(int) <= bytes && m->nr_fds < CLIENT_MAX_FDS;
             at += sizeof(int))
            memcpy(&m->fds[m->nr_fds++], CMSG_DATA(cmsg) + at, sizeof(int));
    }
}

/* The message stays where it is: what it has more of descriptors is not ours to close. */
static void look_at_hello(struct client *c, struct untrusted_message *m)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(CLIENT_MAX_FDS * sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = &m->hello, .iov_len = sizeof(m->hello)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof(control.bytes)};

    memset(m, 0, sizeof(*m));
    m->length = recvmsg(c->fd, &msg, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    m->errnum = errno;
    m->flags = msg.msg_flags;
    if (m->length >= 0)
        take_fds(m, &msg);
}

/* Whether its descriptors are closed without waiting for anybody; only then is it received. */
static bool is_harmless(const struct client *c, const struct untrusted_message *m)
{
    if (m->flags & MSG_CTRUNC)
        return false;
    return c->memory || m->nr_fds == 0 || (m->nr_fds == 1 && hello_is_bounded(m->fds[0]));
}

/* The message has been acted on; what is mapped stays. */
static void put_away(struct client *c, const struct untrusted_message *m)
{
    if (!is_harmless(c, m)) {
        memcpy(c->strange_fds, m->fds, m->nr_fds * sizeof(m->fds[0]));
        return;
    }
    for (unsigned i = 0; i < m->nr_fds; i++)
        close(m->fds[i]);
    socket_take(c->fd);
}

/*
 * A hello that was not read, of one who has no place, or has just been killed, is no reason for a
 * thread.
 */
static bool drop_hello(struct client *c)
{
    struct untrusted_message m;

    look_at_hello(c, &m);
    if (m.length >= 0)
        put_away(c, &m);
    return c->strange_fds[0] < 0 && socket_hang_up(c->fd);
}

bool client_hang_up(struct client *c)
{
    bool quick = socket_hang_up(c->fd);

    if (c->strange_fds[0] >= 0)
        quick = false;
    else if (!quick && !c->attached)
        quick = drop_hello(c);
    for (unsigned i = 0; i < TMEMIF_LOCAL_MAX_RINGS; i++)
        quick &= channel_hang_up(&c->channels[i]);
    return quick;
}

static enum tmemif_status check_message(const struct client *c, const struct untrusted_message *m,
                                        const char **why_out)
{
    if (m->flags & MSG_TRUNC) {
        *why_out = "malformed hello";
        return TMEMIF_BAD_REQUEST;
    }
    if (m->nr_fds == 0 && (m->flags & MSG_CTRUNC)) {
        *why_out = "the manager is out of descriptors";
        return TMEMIF_TOO_MANY;
    }
    if (m->nr_fds != 1 || (m->flags & MSG_CTRUNC)) {
        *why_out = "one descriptor belongs to a hello";
        return TMEMIF_BAD_REQUEST;
    }
    return hello_check(&m->hello, (size_t)m->length, c->is_root, why_out);
}

/* ---- the link ---- */

static enum tmemif_status open_channels(struct client *c, unsigned nr, const char **why_out)
{
    for (unsigned i = 0; i < nr; i++) {
        if (!channel_open(&c->channels[i])) {
            *why_out = "the manager is out of descriptors";
            return TMEMIF_TOO_MANY;
        }
    }
    return TMEMIF_OK;
}

static void fill_link(struct client *c, const struct tmemif_local_hello *hello,
                      const struct link_ops *ops)
{
    size_t ring_bytes = (size_t)TMEMIF_PAGE_SIZE << hello->ring_page_order;
    const struct tmemif_ring *shared = c->memory;
    struct link *link = &c->link;

    *link = (struct link){
        .ops = ops,
        .peer = {.kind = ACCOUNT_LOCAL, .id = c->uid, .device = hello->device},
        .resume = ring_read_once(&shared->back_epoch) != 0,
        .fence_ms = hello->fence_ms,
        .privileged = hello->device == TMEMIF_LOCAL_OPERATOR,
        .nr_rings = hello->nr_rings,
        .data = (uint8_t *)c->memory + hello->nr_rings * ring_bytes,
        .data_bytes = (uint64_t)hello->nr_data_pages * TMEMIF_PAGE_SIZE,
    };
    for (unsigned i = 0; i < link->nr_rings; i++)
        link->rings[i] = (struct link_ring){
            .pages = (uint8_t *)c->memory + i * ring_bytes,
            .order = hello->ring_page_order,
            .wait_fd = c->channels[i].fd,
        };
}

static enum tmemif_status attach(struct client *c, const struct untrusted_message *m,
                                 struct session_table *sessions, const struct link_ops *ops,
                                 const char **why_out)
{
    enum tmemif_status rc = check_message(c, m, why_out);

    if (!rc)
        rc = hello_map(&m->hello, m->fds[0], &c->memory, why_out);
    if (rc)
        return rc;
    c->memory_bytes = hello_bytes(&m->hello);
    rc = open_channels(c, m->hello.nr_rings, why_out);
    if (rc)
        return rc;
    fill_link(c, &m->hello, ops);
    return sessions_attach(sessions, &c->link, why_out);
}

/* ---- the welcome ---- */

static bool send_welcome(struct client *c, const struct tmemif_local_welcome *welcome,
                         unsigned nr_channels)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(TMEMIF_LOCAL_MAX_RINGS * sizeof(int))];
    } control = {0};
    int fds[TMEMIF_LOCAL_MAX_RINGS];
    struct tmemif_local_welcome copy = *welcome;
    struct iovec iov = {.iov_base = &copy, .iov_len = sizeof(copy)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (nr_channels > 0) {
        size_t bytes = nr_channels * sizeof(fds[0]);
        struct cmsghdr *cmsg;

        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(bytes);
        cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(bytes);
        for (unsigned i = 0; i < nr_channels; i++)
            fds[i] = c->channels[i].peer_fd;
        memcpy(CMSG_DATA(cmsg), fds, bytes);
    }
    return sendmsg(c->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(copy);
}

static void refuse(struct client *c, enum tmemif_status status, uint32_t epoch, const char *why)
{
    struct tmemif_local_welcome welcome = {
        .magic = TMEMIF_LOCAL_MAGIC,
        .version = TMEMIF_VERSION_1,
        .status = (uint16_t)status,
        .epoch = epoch,
    };

    strncpy(welcome.reason, why, sizeof(welcome.reason) - 1);
    send_welcome(c, &welcome, 0);
}

static enum greeting accept_client(struct client *c, uint32_t epoch)
{
    const struct tmemif_local_welcome welcome = {
        .magic = TMEMIF_LOCAL_MAGIC,
        .version = TMEMIF_VERSION_1,
        .status = TMEMIF_OK,
        .epoch = epoch,
    };
    enum greeting result = GREETING_ATTACHED;

    if (!send_welcome(c, &welcome, c->link.nr_rings))
        result = errno == EPIPE || errno == ECONNRESET ? GREETING_UNHEARD : GREETING_STUCK;
    for (unsigned i = 0; i < c->link.nr_rings; i++)
        channel_give_away(&c->channels[i]);
    return result;
}

enum greeting client_greet(struct client *c, struct session_table *sessions,
                           const struct link_ops *ops, uint32_t epoch, const char *refusal,
                           const char **why_out)
{
    struct untrusted_message m;
    enum tmemif_status rc = TMEMIF_TOO_MANY;

    look_at_hello(c, &m);
    if (m.length < 0)
        return m.errnum == EAGAIN || m.errnum == EINTR ? GREETING_EMPTY : GREETING_GONE;
    if (m.length == 0 && m.nr_fds == 0)
        return GREETING_GONE;

    *why_out = refusal;
    if (!refusal)
        rc = attach(c, &m, sessions, ops, why_out);
    put_away(c, &m);
    if (rc) {
        refuse(c, rc, epoch, *why_out);
        return GREETING_REFUSED;
    }
    c->attached = true;
    return accept_client(c, epoch);
}
