/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The local transport, protocol/local.h: one memfd, a channel for each ring, a socket. */
#include "frontend/lib/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "frontend/lib/clock.h"
#include "protocol/local.h"
#include "protocol/ring.h"

/*
 * For so long at once a welcome is waited for by who may not want to wait at all, and by others
 * behind him.
 */
#define AGAIN_WAIT_MS 5

/* Between two tries to connect while too many others want that, too. */
#define CONNECT_NAP_MS 5

/*
 * They are used in turn, so with 2 MiB a page has left the reader's cache by the time the manager
 * writes to it again, and need not be fetched from there: with 32 gets under way 545 ns each
 * instead of 590; with 1024 or 2048 pages no less.
 */
#define DEFAULT_DATA_PAGES 512u

struct attach_local {
    struct attach attach;
    struct sockaddr_un address;
    struct tmemif_local_hello hello;
    int memfd;
    uint8_t *memory; /* rings, then data */
    size_t memory_bytes;
    int pending; /* of local_again(): the hello is sent; -1: none */
};

static struct attach_local *local_of(struct attach *a)
{
    return (struct attach_local *)((char *)a - offsetof(struct attach_local, attach));
}

static void local_notify(struct attach *a, unsigned ring)
{
    uint8_t bell = tmemif_local_bell(a->looks ? sched_getcpu() : -1);
    ssize_t r = send(a->wait_fds[ring], &bell, sizeof(bell), MSG_DONTWAIT | MSG_NOSIGNAL);

    (void)r; /* full: it has been notified; closed: that shows at event_fd */
}

/* So many at once; what is left keeps it readable. */
#define MOST_CONSUMED 8u

static void local_consume(struct attach *a, unsigned ring)
{
    char byte;

    for (unsigned i = 0; i < MOST_CONSUMED; i++) {
        if (recv(a->wait_fds[ring], &byte, sizeof(byte), MSG_DONTWAIT) <= 0)
            return;
    }
}

static enum attach_state local_look(struct attach *a)
{
    struct pollfd socket = {.fd = a->event_fd, .events = POLLIN | POLLRDHUP};
    char byte;

    if (poll(&socket, 1, 0) <= 0)
        return ATTACH_SERVED;
    /* the socket carries nothing after the welcome: readable is end-of-file, or a broken manager */
    if (recv(a->event_fd, &byte, 1, MSG_DONTWAIT) > 0)
        log_say(&a->log, "the manager sent data where none belongs");
    return ATTACH_LOST;
}

static void close_all(int *fds, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

/* For good: also where a child has a copy of it. */
static void hang_up(int *fd)
{
    if (*fd >= 0)
        shutdown(*fd, SHUT_RDWR);
    close_all(fd, 1);
}

/* Why connect_to() failed, in words for whoever can change it. */
static void explain_connect(const struct log_to *log, const char *path, int error)
{
    if (error == ENODEV)
        log_say(log, "no manager at %s: nobody listens there", path);
    else if (error == ETIMEDOUT)
        log_say(log, "the manager at %s takes no more connections", path);
    else if (error == EACCES)
        log_say(log,
                "%s: permission denied: xentmemd --socket-mode says who may connect, 600 (its "
                "owner) unless told",
                path);
    else
        log_say(log, "no manager at %s: %s", path, strerror(error));
}

/*
 * 0 or an errno value; ENODEV: nobody listens; ETIMEDOUT: too many others wait for a connection.
 * Nothing tells when there is room among them, so it is tried again until @deadline.
 */
static int connect_to(const struct sockaddr_un *address, uint64_t deadline, int *socket_out)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error;

    if (fd < 0)
        return errno;
    while (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
        error = errno;
        if (error == EAGAIN && !deadline_passed(deadline)) {
            poll(NULL, 0, CONNECT_NAP_MS);
            continue;
        }
        close(fd);
        if (error == EAGAIN)
            return ETIMEDOUT;
        return error == ENOENT || error == ECONNREFUSED || error == ENOTDIR ? ENODEV : error;
    }
    *socket_out = fd;
    return 0;
}

/* Without a word: it has no place for another stranger now, or is on its way down. */
static bool is_hang_up(int error)
{
    return error == ECONNRESET || error == EPIPE;
}

static void say_failure(const struct attach_local *l, int error)
{
    log_say(&l->attach.log, "the manager at %s: %s", l->address.sun_path,
            error == ETIMEDOUT ? "no answer" : strerror(error));
}

/* 0, or an errno value with a sentence said; but not if is_hang_up(). */
static int send_hello(const struct attach_local *l, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)&l->hello, .iov_len = sizeof(l->hello)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    int error;

    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &l->memfd, sizeof(l->memfd));
    if (sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(l->hello))
        return 0;
    error = errno;
    if (!is_hang_up(error))
        say_failure(l, error);
    return error;
}

/* Is there something to be received, until @deadline? */
static bool wait_for_news(int fd, uint64_t deadline)
{
    struct pollfd news = {.fd = fd, .events = POLLIN};
    int r;

    do {
        r = poll(&news, 1, deadline_left_ms(deadline));
    } while (r < 0 && errno == EINTR && !deadline_passed(deadline));
    return r > 0;
}

/* The welcome and up to @nr descriptors; what is missing is -1. 0 or an errno value. */
static int receive_welcome(int fd, struct tmemif_local_welcome *welcome_out, int *fds_out,
                           unsigned nr)
{
    union {
        char bytes[CMSG_SPACE(TMEMIF_LOCAL_MAX_RINGS * sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = welcome_out, .iov_len = sizeof(*welcome_out)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    ssize_t r = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    int error = r < 0 ? errno : 0;
    unsigned got = 0;

    for (unsigned i = 0; i < nr; i++)
        fds_out[i] = -1;
    if (error)
        return error;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        size_t nr_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < nr_fds; i++) {
            int sent;

            memcpy(&sent, CMSG_DATA(c) + i * sizeof(int), sizeof(sent));
            if (got < nr)
                fds_out[got++] = sent;
            else
                close(sent);
        }
    }
    if (r == 0)
        return ECONNRESET; /* closed without a word: it may be on its way down */
    if ((message.msg_flags & MSG_CTRUNC) && got < nr)
        return EMFILE;
    if (r != (ssize_t)sizeof(*welcome_out) || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
        welcome_out->magic != TMEMIF_LOCAL_MAGIC || welcome_out->version != TMEMIF_VERSION_1)
        return EPROTO;
    return 0;
}

static int errno_of_refusal(unsigned status)
{
    switch (status) {
    case TMEMIF_BUSY:
        return EBUSY;
    case TMEMIF_NOT_ALLOWED:
        return EACCES;
    case TMEMIF_NO_MEMORY:
    case TMEMIF_TOO_MANY:
        return ENOSPC;
    case TMEMIF_BAD_REQUEST:
    case TMEMIF_NOT_SUPPORTED:
        return EINVAL;
    default:
        return EPROTO;
    }
}

/* What a manager says is shown to people: printable ASCII only, and it ends. */
static void clean_reason(char reason[TMEMIF_LOCAL_REASON_LEN])
{
    reason[TMEMIF_LOCAL_REASON_LEN - 1] = '\0';
    for (char *c = reason; *c; c++) {
        if (*c < ' ' || *c > '~')
            *c = '?';
    }
}

/* Put @from in the place of *@to, which keeps its number if it has one. */
static int take_place(int from, int *to)
{
    int r;

    if (*to < 0) {
        *to = from;
        return 0;
    }
    r = dup3(from, *to, O_CLOEXEC) < 0 ? errno : 0;
    close(from);
    return r;
}

/*
 * The welcome, and what comes with it, after which *@fd is the attachment's. 0 or an errno value,
 * with a sentence said; but without if is_hang_up(), and for ETIMEDOUT: it is not here at
 * @deadline.
 */
static int take_welcome(struct attach_local *l, int *fd, uint64_t deadline)
{
    struct tmemif_local_welcome welcome;
    unsigned nr = l->attach.nr_rings;
    int fds[TMEMIF_LOCAL_MAX_RINGS];
    int error;

    if (!wait_for_news(*fd, deadline))
        return ETIMEDOUT;
    error = receive_welcome(*fd, &welcome, fds, nr);
    if (!error && welcome.status != TMEMIF_OK) {
        clean_reason(welcome.reason);
        log_say(&l->attach.log, "the manager at %s refused: %s", l->address.sun_path,
                welcome.reason);
        error = errno_of_refusal(welcome.status);
        goto out;
    }
    for (unsigned i = 0; !error && i < nr; i++) {
        error = fds[i] < 0 ? EPROTO : take_place(fds[i], &l->attach.wait_fds[i]);
        fds[i] = -1;
    }
    if (!error) {
        error = take_place(*fd, &l->attach.event_fd);
        *fd = -1;
    }
    if (error && !is_hang_up(error))
        say_failure(l, error);
out:
    close_all(fds, nr);
    return error;
}

/* Is there room for the descriptors that come with a welcome? 0 or an errno value. */
static int try_descriptors(const struct attach_local *l)
{
    int fds[TMEMIF_LOCAL_MAX_RINGS];
    unsigned nr = 0;
    int error = 0;

    while (!error && nr < l->attach.nr_rings) {
        fds[nr] = fcntl(l->memfd, F_DUPFD_CLOEXEC, 0);
        if (fds[nr] < 0)
            error = errno;
        else
            nr++;
    }
    close_all(fds, nr);
    return error;
}

/* Connect, if that can be done at once, and say hello again; not if its answer could not be taken.
 */
static int begin_again(struct attach_local *l)
{
    int error = connect_to(&l->address, deadline_in_ms(0), &l->pending);

    if (!error)
        error = try_descriptors(l);
    return error ? error : send_hello(l, l->pending);
}

/*
 * A hello is never taken back for want of an answer: a manager that is slow to start would read it
 * all the same, find nobody there, and have no record any more for the one that came after it. If
 * the manager ends, the socket says so.
 */
static enum attach_state local_again(struct attach *a)
{
    struct attach_local *l = local_of(a);
    int error;

    /* whatever that is, no manager has said it: a folder without rights for a moment, say */
    if (l->pending < 0 && begin_again(l) != 0) {
        hang_up(&l->pending);
        return ATTACH_LOST;
    }
    error = take_welcome(l, &l->pending, deadline_in_ms(AGAIN_WAIT_MS));
    if (error == ETIMEDOUT)
        return ATTACH_COMING;
    hang_up(&l->pending);
    switch (error) {
    case 0:
        return ATTACH_SERVED;
    case EINVAL:
    case EACCES:
    case EPROTO:
        /* it has no record of our rings, or will not have us any more */
        return ATTACH_GONE;
    default:
        return ATTACH_LOST;
    }
}

static void local_close(struct attach *a, bool forked)
{
    struct attach_local *l = local_of(a);

    if (l->memory && !forked)
        ring_front_leave(a->rings[0]);
    if (!forked) {
        hang_up(&a->event_fd);
        hang_up(&l->pending);
    }
    close_all(&a->event_fd, 1);
    close_all(&l->pending, 1);
    close_all(a->wait_fds, TMEMIF_LOCAL_MAX_RINGS);
    close_all(&l->memfd, 1);
    if (l->memory)
        munmap(l->memory, l->memory_bytes);
    free(l);
}

static const struct attach_ops local_ops = {
    .notify = local_notify,
    .consume = local_consume,
    .look = local_look,
    .again = local_again,
    .close = local_close,
};

/* The shared memory, sealed as protocol/local.h wants it. */
static int make_memory(struct attach_local *l, uint64_t session)
{
    struct attach *a = &l->attach;
    size_t ring_bytes = (size_t)TMEMIF_PAGE_SIZE << a->ring_page_order;

    l->memory_bytes = a->nr_rings * ring_bytes + (size_t)a->nr_data_pages * TMEMIF_PAGE_SIZE;
    l->memfd = memfd_create("xentmem-attachment", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (l->memfd < 0 || ftruncate(l->memfd, (off_t)l->memory_bytes) < 0 ||
        fcntl(l->memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return errno;
    l->memory = mmap(NULL, l->memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, l->memfd, 0);
    if (l->memory == MAP_FAILED) {
        l->memory = NULL;
        return errno;
    }
    for (unsigned i = 0; i < a->nr_rings; i++) {
        a->rings[i] = l->memory + i * ring_bytes;
        attach_init_ring(a->rings[i], a->ring_page_order, session);
    }
    a->data = l->memory + a->nr_rings * ring_bytes;
    return 0;
}

/*
 * A ring keeps two processors busy while both sides poll, its user's and its worker's. With more
 * rings than pairs of processors they take each other's time: on two processors one thread's
 * gets, spread over two rings, took 50 us instead of 1.
 */
#define CPUS_OF_A_RING 2u

static int choose_sizes(struct attach_local *l, const struct attach_want *want)
{
    struct attach *a = &l->attach;

    a->nr_rings = want->nr_rings ? want->nr_rings : attach_choose_rings(CPUS_OF_A_RING);
    a->ring_page_order = want->ring_page_order < 0 ? 1 : (unsigned)want->ring_page_order;
    a->nr_data_pages = want->nr_data_pages ? want->nr_data_pages : DEFAULT_DATA_PAGES;
    if (a->nr_rings > TMEMIF_LOCAL_MAX_RINGS) {
        log_say(&a->log, "at most %u rings to a manager on this machine", TMEMIF_LOCAL_MAX_RINGS);
        return EINVAL;
    }
    l->hello = (struct tmemif_local_hello){
        .magic = TMEMIF_LOCAL_MAGIC,
        .version = TMEMIF_VERSION_1,
        .device = want->device,
        .nr_rings = a->nr_rings,
        .ring_page_order = a->ring_page_order,
        .nr_data_pages = a->nr_data_pages,
        .fence_ms = want->fence_ms,
    };
    return 0;
}

/*
 * Say hello on *@fd, and on another if that is hung up on, until @deadline: of many who connect at
 * one moment a manager takes some. 0, or an errno value with a sentence said.
 */
static int greet(struct attach_local *l, int *fd, uint64_t deadline)
{
    bool was_hung_up_on = false;

    for (;;) {
        int error = send_hello(l, *fd);

        if (!error)
            error = take_welcome(l, fd, deadline);
        was_hung_up_on |= is_hang_up(error);
        if (error == ETIMEDOUT && was_hung_up_on)
            error = ECONNRESET; /* the last try had no time left */
        if (!is_hang_up(error) || deadline_passed(deadline)) {
            if (is_hang_up(error) || error == ETIMEDOUT) /* the others have said why */
                say_failure(l, error);
            return error;
        }

        hang_up(fd);
        poll(NULL, 0, CONNECT_NAP_MS);
        error = connect_to(&l->address, deadline, fd);
        if (error) {
            explain_connect(&l->attach.log, l->address.sun_path, error);
            return error;
        }
    }
}

int attach_local_open(const struct attach_want *want, struct attach **attach_out)
{
    struct attach_local *l;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint64_t deadline = deadline_in_ms(want->timeout_ms);
    int fd, error;

    if (strlen(want->path) >= sizeof(address.sun_path)) {
        log_say(&want->log, "%s: too long for a socket's path", want->path);
        return EINVAL;
    }
    strcpy(address.sun_path, want->path);
    /* before anything is allocated: is there a manager at all? */
    error = connect_to(&address, deadline, &fd);
    if (error) {
        explain_connect(&want->log, want->path, error);
        return error;
    }

    l = calloc(1, sizeof(*l));
    if (!l) {
        close(fd);
        return log_error(&want->log, "no handle", ENOMEM);
    }
    l->attach.ops = &local_ops;
    l->attach.log = want->log;
    l->attach.event_fd = l->memfd = l->pending = -1;
    for (unsigned i = 0; i < TMEMIF_LOCAL_MAX_RINGS; i++)
        l->attach.wait_fds[i] = -1;
    l->address = address;

    error = choose_sizes(l, want);
    if (!error) {
        error = make_memory(l, want->session);
        if (error)
            log_error(&want->log, "no memory to share with the manager", error);
    }
    if (!error)
        error = greet(l, &fd, deadline);
    hang_up(&fd);
    if (error) {
        local_close(&l->attach, false);
        return error;
    }
    *attach_out = &l->attach;
    return 0;
}
