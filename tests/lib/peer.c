/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/peer.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "protocol/control.h"

#define TIME_LIMIT_MS 10000

bool peer_init(struct peer *p, uint32_t device, uint32_t nr_rings, uint32_t order,
               uint32_t nr_data_pages)
{
    static uint64_t session = 1;
    size_t ring_bytes = (size_t)TMEMIF_PAGE_SIZE << order;

    memset(p, 0, sizeof(*p));
    p->hello = (struct tmemif_local_hello){.magic = TMEMIF_LOCAL_MAGIC,
                                           .version = TMEMIF_VERSION_1,
                                           .device = device,
                                           .nr_rings = nr_rings,
                                           .ring_page_order = order,
                                           .nr_data_pages = nr_data_pages};
    p->socket = -1;
    for (unsigned i = 0; i < TMEMIF_LOCAL_MAX_RINGS; i++)
        p->channels[i] = -1;
    p->bytes = nr_rings * ring_bytes + (size_t)nr_data_pages * TMEMIF_PAGE_SIZE;
    p->memfd = memfd_create("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (p->memfd < 0 || ftruncate(p->memfd, (off_t)p->bytes) < 0 ||
        fcntl(p->memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return false;
    p->memory = mmap(NULL, p->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, p->memfd, 0);
    if (p->memory == MAP_FAILED)
        return false;
    p->data = p->memory + nr_rings * ring_bytes;
    session += (uint64_t)getpid() << 32 | 1;
    for (unsigned i = 0; i < nr_rings; i++)
        ring_front_init(&p->rings[i], p->memory + i * ring_bytes, order, session);
    return true;
}

void peer_fini(struct peer *p)
{
    peer_drop(p);
    munmap(p->memory, p->bytes);
    close(p->memfd);
}

int peer_connect(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    strncpy(at.sun_path, path, sizeof(at.sun_path) - 1);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

bool peer_send(int socket, const void *bytes, size_t length, const int *fds, unsigned nr_fds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(64 * sizeof(int))];
    } control = {0};
    char copy[4096];
    struct iovec iov = {.iov_base = copy, .iov_len = length};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    memcpy(copy, bytes, length);
    if (nr_fds > 0) {
        struct cmsghdr *cmsg;

        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
        cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
        memcpy(CMSG_DATA(cmsg), fds, nr_fds * sizeof(int));
    }
    return sendmsg(socket, &msg, MSG_NOSIGNAL) == (ssize_t)length;
}

static bool wait_readable(int fd, int timeout_ms)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};

    return poll(&pfd, 1, timeout_ms) == 1;
}

int peer_receive_welcome(struct peer *p)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(TMEMIF_LOCAL_MAX_RINGS * sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = &p->welcome, .iov_len = sizeof(p->welcome)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof(control.bytes)};
    int fds[TMEMIF_LOCAL_MAX_RINGS];
    struct cmsghdr *cmsg;

    if (!wait_readable(p->socket, TIME_LIMIT_MS) ||
        recvmsg(p->socket, &msg, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(p->welcome))
        return -1;
    cmsg = CMSG_FIRSTHDR(&msg);
    if (cmsg && cmsg->cmsg_len == CMSG_LEN(p->hello.nr_rings * sizeof(int))) {
        memcpy(fds, CMSG_DATA(cmsg), p->hello.nr_rings * sizeof(int));
        for (unsigned i = 0; i < p->hello.nr_rings; i++)
            p->channels[i] = fds[i];
    }
    if (p->welcome.status == TMEMIF_OK && p->channels[0] < 0)
        return -1;
    return p->welcome.status;
}

int peer_attach(struct peer *p, const char *path)
{
    p->socket = peer_connect(path);
    if (p->socket < 0 || !peer_send(p->socket, &p->hello, sizeof(p->hello), &p->memfd, 1))
        return -1;
    return peer_receive_welcome(p);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void peer_drop(struct peer *p)
{
    close_fd(&p->socket);
    for (unsigned i = 0; i < TMEMIF_LOCAL_MAX_RINGS; i++)
        close_fd(&p->channels[i]);
}

void peer_leave(struct peer *p)
{
    ring_front_leave(p->rings[0].view.shared);
    peer_drop(p);
}

bool peer_is_thrown_out(struct peer *p)
{
    char byte;

    return wait_readable(p->socket, TIME_LIMIT_MS) && recv(p->socket, &byte, 1, MSG_DONTWAIT) <= 0;
}

void peer_ring_bell(struct peer *p, unsigned ring)
{
    uint8_t bell = tmemif_local_bell(-1);
    ssize_t r = send(p->channels[ring], &bell, sizeof(bell), MSG_DONTWAIT | MSG_NOSIGNAL);

    (void)r; /* full: it has been notified */
}

uint32_t peer_submit(struct peer *p, unsigned ring, const struct tmemif_request *request)
{
    uint32_t number = ring_front_put(&p->rings[ring], request);

    if (ring_front_publish(&p->rings[ring]))
        peer_ring_bell(p, ring);
    return number;
}

bool peer_reap(struct peer *p, unsigned ring, struct tmemif_response *rsp_out)
{
    struct ring_front *r = &p->rings[ring];
    struct timespec start, now;
    bool bad = false;

    clock_gettime(CLOCK_MONOTONIC, &start);
    while (ring_front_ready(r, &bad) == 0) {
        char bytes[64];

        clock_gettime(CLOCK_MONOTONIC, &now);
        if (bad || now.tv_sec - start.tv_sec > TIME_LIMIT_MS / 1000)
            return false;
        if (ring_front_arm(r))
            continue;
        if (wait_readable(p->channels[ring], 1000) &&
            read(p->channels[ring], bytes, sizeof(bytes)) == 0)
            return false;
    }
    *rsp_out = ring_front_take(r);
    return true;
}

int peer_call(struct peer *p, unsigned ring, const struct tmemif_request *request,
              struct tmemif_response *rsp_out)
{
    uint32_t number = peer_submit(p, ring, request);

    if (!peer_reap(p, ring, rsp_out) || rsp_out->number != number)
        return -1;
    return rsp_out->status;
}

struct tmemif_request peer_request(enum tmemif_op op, uint32_t pool)
{
    return (struct tmemif_request){.op = (uint16_t)op, .pool = pool};
}

struct tmemif_request peer_page(enum tmemif_op op, uint32_t pool, uint64_t object, uint32_t index,
                                uint32_t slot)
{
    struct tmemif_request r = peer_request(op, pool);

    r.u.page.object[0] = object;
    r.u.page.index = index;
    if (op != TMEMIF_OP_PAGE_FLUSH)
        r.u.page.data =
            (struct tmemif_data){.offset = slot * TMEMIF_PAGE_SIZE, .length = TMEMIF_PAGE_SIZE};
    return r;
}

struct tmemif_request peer_range(uint32_t pool, uint64_t object, uint32_t first, uint32_t last)
{
    struct tmemif_request r = peer_request(TMEMIF_OP_RANGE_FLUSH, pool);

    r.u.range.object[0] = object;
    r.u.range.first = first;
    r.u.range.last = last;
    return r;
}

int peer_create_pool(struct peer *p, uint32_t flags)
{
    struct tmemif_request r = peer_request(TMEMIF_OP_POOL_CREATE, 0);
    struct tmemif_response rsp;

    r.u.pool.flags = flags;
    return peer_call(p, 0, &r, &rsp) == TMEMIF_OK ? (int)rsp.value : -1;
}

void peer_pattern(uint8_t *page, uint32_t seed)
{
    uint32_t x = seed * 2654435761u + 1;

    for (unsigned i = 0; i < TMEMIF_PAGE_SIZE; i++) {
        x = x * 1664525u + 1013904223u;
        page[i] = (uint8_t)(x >> 24);
    }
}

int peer_put(struct peer *p, uint32_t pool, uint64_t object, uint32_t index, uint32_t seed)
{
    const struct tmemif_request r = peer_page(TMEMIF_OP_PAGE_PUT, pool, object, index, 0);
    struct tmemif_response rsp;

    peer_pattern(p->data, seed);
    return peer_call(p, 0, &r, &rsp);
}

int peer_get(struct peer *p, uint32_t pool, uint64_t object, uint32_t index, uint32_t seed)
{
    const struct tmemif_request r = peer_page(TMEMIF_OP_PAGE_GET, pool, object, index, 0);
    uint8_t page[TMEMIF_PAGE_SIZE];
    struct tmemif_response rsp;
    int status;

    memset(p->data, 0xee, TMEMIF_PAGE_SIZE);
    status = peer_call(p, 0, &r, &rsp);
    if (status != TMEMIF_OK)
        return status;
    peer_pattern(page, seed);
    return memcmp(page, p->data, sizeof(page)) == 0 ? TMEMIF_OK : -2;
}

bool peer_check_manager(const char *path)
{
    const struct tmemctl_plain check = {
        .head = {.command = TMEMCTL_CHECK, .length = sizeof(struct tmemctl_plain)}};
    struct tmemif_request r = peer_request(TMEMIF_OP_CONTROL, 0);
    const struct tmemctl_verdict *verdict;
    struct tmemif_response rsp;
    bool whole = false;
    struct peer p;

    if (!peer_init(&p, TMEMIF_LOCAL_OPERATOR, 1, 0, 2))
        return false;
    memcpy(p.data, &check, sizeof(check));
    r.u.control.message.length = sizeof(check);
    r.u.control.reply =
        (struct tmemif_data){.offset = TMEMIF_PAGE_SIZE, .length = TMEMIF_PAGE_SIZE};
    verdict = (const void *)(p.data + TMEMIF_PAGE_SIZE + sizeof(struct tmemctl_reply));
    if (peer_attach(&p, path) != TMEMIF_OK || peer_call(&p, 0, &r, &rsp) != TMEMIF_OK)
        printf("the manager does not answer to CHECK\n");
    else if (!verdict->whole)
        printf("the manager's invariants: %s\n", verdict->what);
    else
        whole = true;
    peer_leave(&p);
    peer_fini(&p);
    return whole;
}
