/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real daemon, and clients of the local transport that break every rule.
 * Each test ends with an honest client being served, the daemon's descriptors
 * counted, and a clean stop.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/daemon_run.h"
#include "tests/lib/peer.h"
#include "tests/lib/runner.h"

#define SETTLE_MS 10000

struct scene {
    struct daemon_run d;
    int nr_fds; /* of the daemon while nobody is attached */
    struct peer honest;
    uint32_t pool;
};

static void begin_with(struct scene *s, const char *const *args)
{
    int pool;

    CU_ASSERT_TRUE_FATAL(daemon_run_init(&s->d));
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&s->d, args));
    s->nr_fds = daemon_run_nr_fds(&s->d);
    CU_ASSERT_TRUE_FATAL(peer_init(&s->honest, 1, 1, 0, 4));
    CU_ASSERT_EQUAL_FATAL(peer_attach(&s->honest, s->d.socket), TMEMIF_OK);
    pool = peer_create_pool(&s->honest, TMEMIF_POOL_PERSISTENT);
    CU_ASSERT_TRUE_FATAL(pool >= 0);
    s->pool = (uint32_t)pool;
    CU_ASSERT_EQUAL(peer_put(&s->honest, s->pool, 1, 1, 77), TMEMIF_OK);
}

static void begin(struct scene *s)
{
    static const char *const args[] = {"--memory", "32M", "--local-quota", "8M", "--workers",
                                       "1",        NULL};

    begin_with(s, args);
}

/* The honest client is served as ever. */
static void assert_served(struct scene *s)
{
    CU_ASSERT_EQUAL(peer_get(&s->honest, s->pool, 1, 1, 77), TMEMIF_OK);
    CU_ASSERT_EQUAL(peer_put(&s->honest, s->pool, 2, 2, 5), TMEMIF_OK);
}

static bool settles_at(struct scene *s, int nr_fds)
{
    long limit = daemon_run_now_ms() + SETTLE_MS;

    while (daemon_run_nr_fds(&s->d) != nr_fds) {
        if (daemon_run_now_ms() > limit)
            return false;
        usleep(5000);
    }
    return true;
}

static void end(struct scene *s)
{
    assert_served(s);
    peer_leave(&s->honest);
    peer_fini(&s->honest);
    CU_ASSERT_TRUE(settles_at(s, s->nr_fds));
    CU_ASSERT_EQUAL(daemon_run_stop(&s->d), 0);
    daemon_run_fini(&s->d);
}

/* ---- hellos ---- */

/* What becomes of a hello that @spoil has changed: the status, its sentence in p->welcome. */
static int greet_with(struct scene *s, struct peer *p, const void *bytes, size_t length,
                      const int *fds, unsigned nr_fds)
{
    int status;

    p->socket = peer_connect(s->d.socket);
    CU_ASSERT_TRUE_FATAL(p->socket >= 0);
    CU_ASSERT_TRUE_FATAL(peer_send(p->socket, bytes, length, fds, nr_fds));
    status = peer_receive_welcome(p);
    if (status > 0) {
        CU_ASSERT_TRUE(p->welcome.reason[0] != '\0');
        CU_ASSERT_TRUE(memchr(p->welcome.reason, '\0', sizeof(p->welcome.reason)) != NULL);
        CU_ASSERT_TRUE(peer_is_thrown_out(p));
    }
    peer_drop(p);
    return status;
}

static int greet_hello(struct scene *s, const struct tmemif_local_hello *hello)
{
    struct peer p;
    int status;

    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 1, 0, 4));
    status = greet_with(s, &p, hello, sizeof(*hello), &p.memfd, 1);
    peer_fini(&p);
    return status;
}

static void hello_with_a_field_out_of_range_is_refused(void)
{
    static const struct tmemif_local_hello good = {.magic = TMEMIF_LOCAL_MAGIC,
                                                   .version = TMEMIF_VERSION_1,
                                                   .nr_rings = 1,
                                                   .nr_data_pages = 4};
    struct tmemif_local_hello h;
    struct scene s;

    begin(&s);
    CU_ASSERT_EQUAL(greet_hello(&s, &good), TMEMIF_OK);
    h = good, h.magic ^= 1;
    CU_ASSERT_EQUAL(greet_hello(&s, &h), TMEMIF_BAD_REQUEST);
    h = good, h.version = 2;
    CU_ASSERT_EQUAL(greet_hello(&s, &h), TMEMIF_NOT_SUPPORTED);
    h = good, h.version = 0;
    CU_ASSERT_EQUAL(greet_hello(&s, &h), TMEMIF_NOT_SUPPORTED);
    h = good, h.nr_rings = 0;
    CU_ASSERT_EQUAL(greet_hello(&s, &h), TMEMIF_BAD_REQUEST);
    h = good, h.nr_rings = TMEMIF_LOCAL_MAX_RINGS + 1;
    CU_ASSERT_EQUAL(greet_hello(&s, &h), TMEMIF_BAD_REQUEST);
    h = good, h.nr_rings = UINT32_MAX;
    CU_ASSERT_EQUAL(greet_hello(&s, &h), TMEMIF_BAD_REQUEST);
    h = good, h.ring_page_order = TMEMIF_MAX_RING_PAGE_ORDER + 1;
    CU_ASSERT_EQUAL(greet_hello(&s, &h), TMEMIF_BAD_REQUEST);
    h = good, h.ring_page_order = 64;
    CU_ASSERT_EQUAL(greet_hello(&s, &h), TMEMIF_BAD_REQUEST);
    h = good, h.nr_data_pages = 0;
    CU_ASSERT_EQUAL(greet_hello(&s, &h), TMEMIF_BAD_REQUEST);
    h = good, h.nr_data_pages = UINT32_MAX;
    CU_ASSERT_EQUAL(greet_hello(&s, &h), TMEMIF_BAD_REQUEST);
    h = good, h.nr_data_pages = TMEMIF_MAX_DATA_PAGES + 1;
    CU_ASSERT_EQUAL(greet_hello(&s, &h), TMEMIF_BAD_REQUEST);
    h = good, h.fence_ms = 1;
    CU_ASSERT_EQUAL(greet_hello(&s, &h), TMEMIF_BAD_REQUEST);
    h = good, h.fence_ms = TMEMIF_LOCAL_MIN_FENCE_MS - 1;
    CU_ASSERT_EQUAL(greet_hello(&s, &h), TMEMIF_BAD_REQUEST);
    h = good, h.fence_ms = TMEMIF_LOCAL_MIN_FENCE_MS;
    CU_ASSERT_EQUAL(greet_hello(&s, &h), TMEMIF_OK);
    h = good, h.fence_ms = TMEMIF_LOCAL_MAX_FENCE_MS;
    CU_ASSERT_EQUAL(greet_hello(&s, &h), TMEMIF_OK);
    h = good, h.fence_ms = TMEMIF_LOCAL_MAX_FENCE_MS + 1;
    CU_ASSERT_EQUAL(greet_hello(&s, &h), TMEMIF_BAD_REQUEST);
    for (unsigned i = 0; i < 9; i++) {
        h = good, h.reserved[i] = 1;
        CU_ASSERT_EQUAL(greet_hello(&s, &h), TMEMIF_BAD_REQUEST);
    }
    end(&s);
}

static void hello_of_another_length_is_refused(void)
{
    uint8_t bytes[256] = {0};
    struct scene s;
    struct peer p;

    begin(&s);
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 1, 0, 4));
    memcpy(bytes, &p.hello, sizeof(p.hello));
    for (size_t length = 1; length < sizeof(bytes); length += 9) {
        if (length != sizeof(p.hello))
            CU_ASSERT_EQUAL(greet_with(&s, &p, bytes, length, &p.memfd, 1), TMEMIF_BAD_REQUEST);
    }
    peer_fini(&p);
    end(&s);
}

static void hello_with_other_than_one_descriptor_is_refused(void)
{
    struct scene s;
    struct peer p;
    int fds[40];

    begin(&s);
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 1, 0, 4));
    for (unsigned i = 0; i < 40; i++)
        fds[i] = p.memfd;
    CU_ASSERT_EQUAL(greet_with(&s, &p, &p.hello, sizeof(p.hello), NULL, 0), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(greet_with(&s, &p, &p.hello, sizeof(p.hello), fds, 2), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(greet_with(&s, &p, &p.hello, sizeof(p.hello), fds, 4), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(greet_with(&s, &p, &p.hello, sizeof(p.hello), fds, 40), TMEMIF_BAD_REQUEST);
    peer_fini(&p);
    end(&s);
}

/* ---- memory ---- */

static int greet_fd(struct scene *s, struct peer *p, int fd)
{
    int status = greet_with(s, p, &p->hello, sizeof(p->hello), &fd, 1);

    close(fd);
    return status;
}

static int new_memfd(unsigned flags, off_t bytes, int seals)
{
    int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

    CU_ASSERT_TRUE_FATAL(fd >= 0 && ftruncate(fd, bytes) == 0);
    if (seals)
        CU_ASSERT_EQUAL_FATAL(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void memory_that_could_be_taken_away_is_refused(void)
{
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    off_t bytes = 5 * TMEMIF_PAGE_SIZE;
    char path[64];
    struct scene s;
    struct peer p;
    int fd, fds[2];

    begin(&s);
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 1, 0, 4));
    CU_ASSERT_EQUAL(greet_fd(&s, &p, new_memfd(0, bytes, 0)), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(greet_fd(&s, &p, new_memfd(0, bytes, F_SEAL_SEAL)), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(greet_fd(&s, &p, new_memfd(0, bytes, F_SEAL_SHRINK)), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(greet_fd(&s, &p, new_memfd(0, bytes, F_SEAL_SHRINK | F_SEAL_SEAL)),
                    TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(greet_fd(&s, &p, new_memfd(0, bytes - 1, seals)), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(greet_fd(&s, &p, new_memfd(0, bytes + 1, seals)), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(greet_fd(&s, &p, new_memfd(0, 0, seals)), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(greet_fd(&s, &p, new_memfd(0, bytes, seals | F_SEAL_WRITE)),
                    TMEMIF_BAD_REQUEST);

    fd = new_memfd(0, bytes, seals);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    CU_ASSERT_EQUAL(greet_fd(&s, &p, open(path, O_RDONLY | O_CLOEXEC)), TMEMIF_BAD_REQUEST);
    close(fd);

    CU_ASSERT_EQUAL(greet_fd(&s, &p, open("/dev/zero", O_RDWR | O_CLOEXEC)), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(greet_fd(&s, &p, open("/", O_RDONLY | O_CLOEXEC)), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    CU_ASSERT_EQUAL(greet_fd(&s, &p, fds[0]), TMEMIF_BAD_REQUEST);
    close(fds[1]);
    peer_fini(&p);
    end(&s);
}

static void huge_pages_are_refused(void)
{
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    const off_t bytes = 2 << 20;
    struct scene s;
    struct peer p;

    begin(&s);
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 1, 0, 511));
    /* they need not be there: mapping is refused before any is touched */
    CU_ASSERT_EQUAL(greet_fd(&s, &p, new_memfd(MFD_HUGETLB, bytes, seals)), TMEMIF_BAD_REQUEST);
    CU_ASSERT_PTR_NOT_NULL(strstr(p.welcome.reason, "ordinary pages"));
    peer_fini(&p);
    end(&s);
}

/* ---- sockets ---- */

static void silent_stranger_is_dropped(void)
{
    struct scene s;
    struct peer p;
    long start;

    begin(&s);
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 1, 0, 4));
    start = daemon_run_now_ms();
    p.socket = peer_connect(s.d.socket);
    CU_ASSERT_TRUE(peer_is_thrown_out(&p));
    CU_ASSERT_TRUE(daemon_run_now_ms() - start >= 1500);
    peer_fini(&p);
    end(&s);
}

static void many_strangers_do_not_shut_out_the_honest(void)
{
    int sockets[100];
    struct scene s;
    struct peer p;

    begin(&s);
    for (unsigned i = 0; i < 100; i++)
        sockets[i] = peer_connect(s.d.socket);
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 2, 1, 0, 4));
    /* it may be one too many at first: strangers are dropped after two seconds */
    for (unsigned tries = 0; tries < 40 && peer_attach(&p, s.d.socket) != TMEMIF_OK; tries++) {
        peer_drop(&p);
        usleep(100000);
    }
    CU_ASSERT_EQUAL(peer_create_pool(&p, 0), 0);
    peer_fini(&p);
    for (unsigned i = 0; i < 100; i++) {
        if (sockets[i] >= 0)
            close(sockets[i]);
    }
    end(&s);
}

static bool is_connected(int socket)
{
    struct pollfd end = {.fd = socket, .events = POLLRDHUP};

    return poll(&end, 1, 0) == 0;
}

static void strangers_of_many_users_do_not_shut_out_root(void)
{
    static const char *const args[] = {
        "--memory", "32M", "--local-quota", "8M", "--workers", "1", "--socket-mode", "666", NULL};
    int sockets[48];
    struct scene s;
    struct peer p;
    long begun;

    CU_ASSERT_EQUAL_FATAL(geteuid(), 0); /* only root can be many users */
    begin_with(&s, args);
    CU_ASSERT_EQUAL_FATAL(chmod(s.d.directory, 0711), 0);
    begun = daemon_run_now_ms();
    for (unsigned i = 0; i < 48; i++) {
        CU_ASSERT_EQUAL_FATAL(seteuid(60000 + i / 8), 0);
        sockets[i] = peer_connect(s.d.socket);
        CU_ASSERT_EQUAL_FATAL(seteuid(0), 0);
        CU_ASSERT(sockets[i] >= 0);
    }
    CU_ASSERT_TRUE_FATAL(peer_init(&p, TMEMIF_LOCAL_OPERATOR, 1, 0, 4));
    CU_ASSERT_EQUAL(peer_attach(&p, s.d.socket), TMEMIF_OK);
    /* it did not wait for them to be dropped, which they are after two seconds */
    CU_ASSERT_TRUE(is_connected(sockets[0]) || daemon_run_now_ms() - begun > 1500);
    peer_fini(&p);
    for (unsigned i = 0; i < 48; i++)
        close(sockets[i]);
    end(&s);
}

static void talk_after_the_hello_ends_the_session(void)
{
    struct scene s;
    struct peer p;

    begin(&s);
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 1, 0, 4));
    CU_ASSERT_EQUAL(peer_attach(&p, s.d.socket), TMEMIF_OK);
    CU_ASSERT_TRUE(peer_send(p.socket, "more", 4, &p.memfd, 1));
    CU_ASSERT_TRUE(peer_is_thrown_out(&p));
    peer_fini(&p);
    end(&s);
}

/* ---- descriptors that are long in closing ---- */

/* A socket whose last close(2) waits, for an hour, for data to be read that nobody reads. */
struct lingerer {
    int fd, listener, reader;
};

static void lingerer_init(struct lingerer *l)
{
    const struct linger hour = {.l_onoff = 1, .l_linger = 3600};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(at);
    char bytes[4096] = {0};

    l->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(bind(l->listener, (struct sockaddr *)&at, sizeof(at)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(l->listener, 1), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(l->listener, (struct sockaddr *)&at, &length), 0);
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(connect(l->fd, (struct sockaddr *)&at, sizeof(at)), 0);
    l->reader = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);
    CU_ASSERT_FATAL(l->reader >= 0);
    while (send(l->fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
    CU_ASSERT_EQUAL_FATAL(setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &hour, sizeof(hour)), 0);
}

/* The manager, which is stopped meanwhile, is the last to have it. */
static void lingerer_send(struct lingerer *l, int socket, const void *bytes, size_t length,
                          unsigned nr_memfds, int memfd)
{
    int fds[8];

    for (unsigned i = 0; i < nr_memfds; i++)
        fds[i] = memfd;
    fds[nr_memfds] = l->fd;
    CU_ASSERT_TRUE_FATAL(peer_send(socket, bytes, length, fds, nr_memfds + 1));
    close(l->fd);
}

static void lingerer_fini(struct lingerer *l)
{
    close(l->listener);
    close(l->reader);
}

/* The control thread is there for others: somebody attaches, soon after a user's places are free.
 */
static void assert_attaches(struct scene *s)
{
    struct peer p;

    CU_ASSERT_TRUE_FATAL(peer_init(&p, 5, 1, 0, 4));
    for (unsigned tries = 0; tries < 20 && peer_attach(&p, s->d.socket) != TMEMIF_OK; tries++) {
        peer_drop(&p);
        usleep(10000);
    }
    CU_ASSERT(peer_create_pool(&p, 0) >= 0);
    peer_leave(&p);
    peer_fini(&p);
}

/* Its lingering has been ended: the honest one's socket and its channel are left. */
static void expect_let_go(struct scene *s, struct peer *p, struct lingerer *l)
{
    CU_ASSERT_TRUE(peer_is_thrown_out(p));
    assert_attaches(s);
    assert_served(s);
    CU_ASSERT_TRUE(settles_at(s, s->nr_fds + 2));
    peer_fini(p);
    lingerer_fini(l);
}

static void hello_whose_descriptor_is_long_in_closing_holds_nobody_up(void)
{
    struct scene s;

    begin(&s);
    for (unsigned nr_memfds = 0; nr_memfds < 4; nr_memfds++) {
        struct lingerer l;
        struct peer p;

        lingerer_init(&l);
        CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 1, 0, 4));
        p.socket = peer_connect(s.d.socket);
        kill(s.d.pid, SIGSTOP);
        lingerer_send(&l, p.socket, &p.hello, sizeof(p.hello), nr_memfds, p.memfd);
        kill(s.d.pid, SIGCONT);
        CU_ASSERT_EQUAL(peer_receive_welcome(&p), TMEMIF_BAD_REQUEST);
        expect_let_go(&s, &p, &l);
    }
    end(&s);
}

static void message_whose_descriptor_is_long_in_closing_holds_nobody_up(void)
{
    static const size_t lengths[] = {4, 0};
    struct scene s;

    begin(&s);
    for (unsigned i = 0; i < 2; i++) {
        struct lingerer l;
        struct peer p;

        lingerer_init(&l);
        CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 1, 0, 4));
        CU_ASSERT_EQUAL(peer_attach(&p, s.d.socket), TMEMIF_OK);
        kill(s.d.pid, SIGSTOP);
        CU_ASSERT_TRUE(peer_send(p.socket, "more", lengths[i], NULL, 0));
        lingerer_send(&l, p.socket, "more", lengths[i], 0, -1);
        kill(s.d.pid, SIGCONT);
        expect_let_go(&s, &p, &l);
    }
    end(&s);
}

/* Who is hung up on at once, or says nothing that could be read, has sent something all the same.
 */
static void strangers_whose_descriptors_are_long_in_closing_hold_nobody_up(void)
{
    enum { NR = 20 };
    struct lingerer l[NR];
    int sockets[NR];
    struct scene s;

    begin(&s);
    kill(s.d.pid, SIGSTOP);
    for (unsigned i = 0; i < NR; i++) {
        lingerer_init(&l[i]);
        sockets[i] = peer_connect(s.d.socket);
        CU_ASSERT_FATAL(sockets[i] >= 0);
        lingerer_send(&l[i], sockets[i], "", i % 2, 0, -1);
    }
    kill(s.d.pid, SIGCONT);
    assert_served(&s);
    for (unsigned i = 0; i < NR; i++)
        close(sockets[i]);
    CU_ASSERT_TRUE(settles_at(&s, s.nr_fds + 2));
    assert_attaches(&s);
    for (unsigned i = 0; i < NR; i++)
        lingerer_fini(&l[i]);
    end(&s);
}

/* ---- channels ---- */

static void closed_channel_ends_the_session(void)
{
    struct scene s;
    struct peer p;

    begin(&s);
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 2, 0, 4));
    CU_ASSERT_EQUAL(peer_attach(&p, s.d.socket), TMEMIF_OK);
    close(p.channels[1]);
    p.channels[1] = -1;
    CU_ASSERT_TRUE(peer_is_thrown_out(&p));
    peer_fini(&p);
    end(&s);
}

static void half_closed_channel_ends_the_session(void)
{
    struct scene s;
    struct peer p;

    begin(&s);
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 2, 0, 4));
    CU_ASSERT_EQUAL(peer_attach(&p, s.d.socket), TMEMIF_OK);
    CU_ASSERT_EQUAL(shutdown(p.channels[1], SHUT_WR), 0);
    CU_ASSERT_TRUE(peer_is_thrown_out(&p));
    peer_fini(&p);
    end(&s);
}

static void channel_whose_descriptor_is_long_in_closing_holds_nobody_up(void)
{
    struct scene s;

    begin(&s);
    for (unsigned length = 0; length < 2; length++) {
        struct lingerer l;
        struct peer p;

        lingerer_init(&l);
        CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 2, 0, 4));
        CU_ASSERT_EQUAL(peer_attach(&p, s.d.socket), TMEMIF_OK);
        kill(s.d.pid, SIGSTOP);
        CU_ASSERT_TRUE(peer_send(p.channels[1], "", 1, NULL, 0));
        lingerer_send(&l, p.channels[1], "", length, 0, -1);
        kill(s.d.pid, SIGCONT);
        expect_let_go(&s, &p, &l);
    }
    end(&s);
}

/* Its answers are all notified, and no notification is ever read. */
static void channel_that_is_never_read_holds_nobody_up(void)
{
    const struct tmemif_request nop = peer_request(TMEMIF_OP_NOP, 0);
    struct scene s;
    struct peer p;
    bool bad;

    begin(&s);
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 1, 0, 4));
    CU_ASSERT_EQUAL(peer_attach(&p, s.d.socket), TMEMIF_OK);
    for (unsigned i = 0; i < 2000; i++) {
        p.rings[0].view.shared->rsp_event = p.rings[0].rsp_cons + 1;
        peer_submit(&p, 0, &nop);
        for (unsigned t = 0; t < 50000 && ring_front_ready(&p.rings[0], &bad) == 0; t++)
            usleep(20);
        CU_ASSERT_EQUAL_FATAL(ring_front_ready(&p.rings[0], &bad), 1);
        ring_front_take(&p.rings[0]);
        if (i % 100 == 0)
            assert_served(&s);
    }
    peer_fini(&p);
    end(&s);
}

/*
 * A pipe's lock is held by who splices from a socket that has nothing, or into one that is full: a
 * channel that had a pipe would have it in common with such a client.
 */
static void client_amid_a_splice_holds_nobody_up(void)
{
    const struct tmemif_request nop = peer_request(TMEMIF_OP_NOP, 0);
    int empty[2], full[2];
    char bytes[4096] = {0};
    pid_t children[2];
    struct scene s;
    struct peer p;

    begin(&s);
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, empty), 0);
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, full), 0);
    while (send(full[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 1, 0, 4));
    CU_ASSERT_EQUAL(peer_attach(&p, s.d.socket), TMEMIF_OK);
    for (unsigned i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            fcntl(p.channels[0], F_SETFL, 0);
            if (i == 0)
                splice(empty[0], NULL, p.channels[0], NULL, 1, 0);
            else
                splice(p.channels[0], NULL, full[0], NULL, 1, 0);
            pause();
        }
    }
    usleep(50000);
    for (unsigned i = 0; i < 5; i++) {
        p.rings[0].view.shared->rsp_event = p.rings[0].view.shared->rsp_prod + 1;
        peer_submit(&p, 0, &nop);
        usleep(10000);
        assert_served(&s);
    }
    CU_ASSERT_EQUAL(p.rings[0].view.shared->rsp_prod, 5);
    for (unsigned i = 0; i < 2; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
        close(empty[i]);
        close(full[i]);
    }
    peer_fini(&p);
    end(&s);
}

static void as_many_clients_as_it_takes_and_no_more(void)
{
    struct peer *p = calloc(300, sizeof(*p));
    unsigned nr_ok = 0, nr_refused = 0;
    struct scene s;

    begin(&s);
    for (unsigned i = 0; i < 300; i++) {
        int status;

        CU_ASSERT_TRUE_FATAL(peer_init(&p[i], 100 + i, 1, 0, 1));
        status = peer_attach(&p[i], s.d.socket);
        nr_ok += status == TMEMIF_OK;
        nr_refused += status == TMEMIF_TOO_MANY;
    }
    CU_ASSERT_EQUAL(nr_ok, 255); /* and the honest one */
    CU_ASSERT_EQUAL(nr_refused, 45);
    for (unsigned i = 0; i < 300; i++)
        peer_fini(&p[i]);
    free(p);
    end(&s);
}

/* Other users together take neither root's places nor the records that guests' rings need. */
static void users_that_take_all_they_get_do_not_shut_out_root(void)
{
    static const char *const args[] = {
        "--memory", "32M", "--local-quota", "8M", "--workers", "1", "--socket-mode", "666", NULL};
    enum { NR_USERS = 17, NR_EACH = 16, MOST = 128 };
    struct peer *p = calloc(NR_USERS * NR_EACH, sizeof(*p));
    unsigned nr_ok = 0, nr_named = 0;
    struct peer root;
    struct scene s;

    CU_ASSERT_EQUAL_FATAL(geteuid(), 0); /* only root can be many users */
    begin_with(&s, args);
    CU_ASSERT_EQUAL_FATAL(chmod(s.d.directory, 0711), 0);
    for (unsigned i = 0; i < NR_USERS * NR_EACH; i++) {
        int status;

        CU_ASSERT_TRUE_FATAL(peer_init(&p[i], i % NR_EACH, 1, 0, 1));
        CU_ASSERT_EQUAL_FATAL(seteuid(60000 + i / NR_EACH), 0);
        status = peer_attach(&p[i], s.d.socket);
        CU_ASSERT_EQUAL_FATAL(seteuid(0), 0);
        nr_ok += status == TMEMIF_OK;
        nr_named += status == TMEMIF_TOO_MANY && strstr(p[i].welcome.reason, "other than root");
    }
    CU_ASSERT_EQUAL(nr_ok, MOST);
    CU_ASSERT_EQUAL(nr_named, NR_USERS * NR_EACH - MOST);
    CU_ASSERT_TRUE_FATAL(peer_init(&root, TMEMIF_LOCAL_OPERATOR, 1, 0, 4));
    CU_ASSERT_EQUAL(peer_attach(&root, s.d.socket), TMEMIF_OK);
    peer_fini(&root);
    for (unsigned i = 0; i < NR_USERS * NR_EACH; i++)
        peer_fini(&p[i]);
    free(p);
    end(&s);
}

/* What an attachment holds it holds without a session, too; half of all are left to guests. */
static void attachments_that_hold_pools_are_bounded(void)
{
    enum { MOST = 512 };
    unsigned nr_ok = 0;
    struct scene s;
    struct peer p;

    begin(&s); /* the honest one is the first */
    for (unsigned i = 1; i < MOST; i++) {
        CU_ASSERT_TRUE_FATAL(peer_init(&p, 100 + i, 1, 0, 1));
        nr_ok += peer_attach(&p, s.d.socket) == TMEMIF_OK && peer_create_pool(&p, 0) == 0;
        peer_leave(&p);
        peer_fini(&p);
    }
    CU_ASSERT_EQUAL(nr_ok, MOST - 1);
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 100 + MOST, 1, 0, 1));
    CU_ASSERT_EQUAL(peer_attach(&p, s.d.socket), TMEMIF_TOO_MANY);
    CU_ASSERT_PTR_NOT_NULL(strstr(p.welcome.reason, "local clients"));
    peer_fini(&p);

    /* one that is there is taken; and where it gives up what it holds there is room */
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 101, 1, 0, 1));
    CU_ASSERT_EQUAL(peer_attach(&p, s.d.socket), TMEMIF_OK);
    CU_ASSERT_EQUAL(peer_call(&p, 0, &(struct tmemif_request){.op = TMEMIF_OP_RESET},
                              &(struct tmemif_response){0}),
                    TMEMIF_OK);
    peer_leave(&p);
    peer_fini(&p);
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 100 + MOST, 1, 0, 1));
    for (unsigned tries = 0; tries < 100 && peer_attach(&p, s.d.socket) != TMEMIF_OK; tries++) {
        peer_drop(&p);
        usleep(50000);
    }
    CU_ASSERT_EQUAL(peer_create_pool(&p, 0), 0);
    peer_fini(&p);
    end(&s);
}

static void running_out_of_descriptors_refuses_and_recovers(void)
{
    static const char *const args[] = {"--memory", "32M", "--local-quota", "8M", "--workers",
                                       "1",        NULL};
    struct peer *p = calloc(40, sizeof(*p));
    unsigned nr_ok = 0;
    struct rlimit before, few;
    struct scene s;

    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){.rlim_cur = 128, .rlim_max = before.rlim_max};
    s.d.pid = 0;
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &few), 0);
    begin_with(&s, args);
    setrlimit(RLIMIT_NOFILE, &before);
    /* its soft limit was raised at the start: lower it where it is */
    few = (struct rlimit){.rlim_cur = (rlim_t)daemon_run_nr_fds(&s.d) + 30,
                          .rlim_max = before.rlim_max};
    CU_ASSERT_EQUAL_FATAL(prlimit(s.d.pid, RLIMIT_NOFILE, &few, NULL), 0);

    for (unsigned i = 0; i < 40; i++) {
        CU_ASSERT_TRUE_FATAL(peer_init(&p[i], 100 + i, 4, 0, 1));
        if (i < 8) {
            nr_ok += peer_attach(&p[i], s.d.socket) == TMEMIF_OK;
        } else {
            p[i].socket = peer_connect(s.d.socket);
        }
    }
    CU_ASSERT_TRUE(nr_ok >= 1 && nr_ok < 8);
    assert_served(&s);
    for (unsigned i = 0; i < 40; i++)
        peer_fini(&p[i]);
    CU_ASSERT_TRUE_FATAL(peer_init(&p[0], 7, 1, 0, 1));
    for (unsigned tries = 0; tries < 50 && peer_attach(&p[0], s.d.socket) != TMEMIF_OK; tries++) {
        peer_drop(&p[0]);
        usleep(100000);
    }
    CU_ASSERT_EQUAL(peer_create_pool(&p[0], 0), 0);
    peer_fini(&p[0]);
    free(p);
    end(&s);
}

/* ---- rings ---- */

static void attach(struct scene *s, struct peer *p, uint32_t nr_rings)
{
    CU_ASSERT_TRUE_FATAL(peer_init(p, 0, nr_rings, 0, 16));
    CU_ASSERT_EQUAL_FATAL(peer_attach(p, s->d.socket), TMEMIF_OK);
}

static void ring_index_that_jumps_ends_the_session(void)
{
    static const uint32_t jumps[] = {33, 1000, 0x80000000u, 0xffffffffu};
    struct scene s;
    struct peer p;

    begin(&s);
    for (unsigned i = 0; i < 4; i++) {
        attach(&s, &p, 2);
        ring_publish(&p.rings[1].view.shared->req_prod, jumps[i]);
        peer_ring_bell(&p, 1);
        CU_ASSERT_TRUE(peer_is_thrown_out(&p));
        peer_fini(&p);
    }
    end(&s);
}

static void ring_index_that_runs_backwards_ends_the_session(void)
{
    const struct tmemif_request nop = peer_request(TMEMIF_OP_NOP, 0);
    struct tmemif_response rsp;
    struct scene s;
    struct peer p;

    begin(&s);
    attach(&s, &p, 1);
    for (unsigned i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(peer_call(&p, 0, &nop, &rsp), TMEMIF_OK);
    ring_publish(&p.rings[0].view.shared->req_prod, 4);
    peer_ring_bell(&p, 0);
    CU_ASSERT_TRUE(peer_is_thrown_out(&p));
    peer_fini(&p);
    end(&s);
}

static void rings_whose_indexes_are_wrong_at_attach_are_refused(void)
{
    struct scene s;
    struct peer p;

    begin(&s);
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 1, 0, 4));
    p.rings[0].view.shared->req_prod = 500;
    CU_ASSERT_EQUAL(peer_attach(&p, s.d.socket), TMEMIF_BAD_REQUEST);
    peer_fini(&p);
    /* in use, it says, with a daemon that knows nothing of it */
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 1, 0, 4));
    p.rings[0].view.shared->back_epoch = 99;
    CU_ASSERT_EQUAL(peer_attach(&p, s.d.socket), TMEMIF_NOT_FOUND);
    peer_fini(&p);
    end(&s);
}

static void peer_that_never_reads_its_answers_stops_itself(void)
{
    const struct tmemif_request nop = peer_request(TMEMIF_OP_NOP, 0);
    struct scene s;
    struct peer p;

    begin(&s);
    attach(&s, &p, 1);
    for (unsigned i = 0; i < 32; i++)
        peer_submit(&p, 0, &nop);
    for (unsigned i = 0; i < 10000 && ring_read_once(&p.rings[0].view.shared->rsp_prod) != 32; i++)
        usleep(1000);
    CU_ASSERT_EQUAL(p.rings[0].view.shared->rsp_prod, 32);
    assert_served(&s);
    CU_ASSERT_EQUAL(p.rings[0].view.shared->rsp_prod, 32);
    peer_fini(&p);
    end(&s);
}

static void flood_of_notifications_starves_nobody(void)
{
    struct scene s;
    struct peer p;
    pid_t child;

    begin(&s);
    attach(&s, &p, 4);
    child = fork();
    if (child == 0) {
        for (;;) {
            for (unsigned i = 0; i < 4; i++)
                peer_ring_bell(&p, i);
        }
    }
    for (unsigned i = 0; i < 200; i++)
        assert_served(&s);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    peer_fini(&p);
    end(&s);
}

static void flood_of_requests_starves_nobody(void)
{
    struct scene s;
    struct peer p;
    pid_t child;

    begin(&s);
    attach(&s, &p, 4);
    child = fork();
    if (child == 0) {
        struct tmemif_request r = peer_page(TMEMIF_OP_PAGE_GET, 0, 1, 1, 1);

        for (;;) {
            for (unsigned i = 0; i < 4; i++) {
                bool bad;

                while (ring_front_free(&p.rings[i]) > 0)
                    peer_submit(&p, i, &r);
                for (uint32_t nr = ring_front_ready(&p.rings[i], &bad); nr > 0; nr--)
                    ring_front_take(&p.rings[i]);
            }
        }
    }
    for (unsigned i = 0; i < 200; i++)
        assert_served(&s);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    peer_fini(&p);
    end(&s);
}

/* Everything but the indexes changes all the time while requests are served. */
static void memory_that_changes_while_it_is_read_harms_nobody(void)
{
    struct scene s;
    struct peer p;
    pid_t child;
    long limit;
    bool bad;

    begin(&s);
    attach(&s, &p, 1);
    CU_ASSERT_EQUAL(peer_create_pool(&p, TMEMIF_POOL_PERSISTENT), 0);
    child = fork();
    if (child == 0) {
        static const uint16_t ops[] = {TMEMIF_OP_PAGE_PUT,   TMEMIF_OP_PAGE_GET,
                                       TMEMIF_OP_PAGE_FLUSH, TMEMIF_OP_BATCH,
                                       TMEMIF_OP_POOL_INFO,  TMEMIF_OP_OBJECT_FLUSH};
        uint64_t x = 88172645463325252ull;

        for (;;) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            p.rings[0].view.requests[x % 32].op = ops[(x >> 8) % 6];
            ((uint32_t *)p.rings[0].view.requests)[(x >> 16) % 512] = (uint32_t)(x >> 32) % 70000;
            ((uint32_t *)p.data)[(x >> 24) % 16384] = (uint32_t)(x >> 40) % 600;
            ((struct tmemif_request *)p.data)[(x >> 16) % 512].op = ops[(x >> 8) % 3];
        }
    }
    limit = daemon_run_now_ms() + 1500;
    while (daemon_run_now_ms() < limit ||
           (p.rings[0].rsp_cons == 0 && daemon_run_now_ms() < limit + 20000)) {
        struct tmemif_request r = peer_request(TMEMIF_OP_BATCH, 0);

        r.u.batch.requests = (struct tmemif_data){.offset = 0, .length = 64 * 64};
        r.u.batch.responses = (struct tmemif_data){.offset = 4096, .length = 64 * 32};
        r.u.batch.count = 64;
        while (ring_front_free(&p.rings[0]) > 0)
            peer_submit(&p, 0, &r);
        for (uint32_t nr = ring_front_ready(&p.rings[0], &bad); nr > 0; nr--)
            ring_front_take(&p.rings[0]);
        assert_served(&s);
    }
    CU_ASSERT_TRUE(p.rings[0].rsp_cons > 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    peer_fini(&p);
    end(&s);
}

/* ---- death ---- */

static void client_killed_at_any_moment_leaves_nothing_behind(void)
{
    struct scene s;

    begin(&s);
    for (unsigned round = 0; round < 40; round++) {
        pid_t child = fork();

        if (child == 0) {
            struct peer p;

            for (uint32_t i = 0;; i++) {
                if (!peer_init(&p, 2, 2, 0, 8) || peer_attach(&p, s.d.socket) != TMEMIF_OK)
                    _exit(1);
                peer_create_pool(&p, TMEMIF_POOL_PERSISTENT);
                for (uint32_t n = 0; n < 50 + i; n++)
                    peer_put(&p, 0, n, i, n);
                peer_leave(&p);
                peer_fini(&p);
            }
        }
        usleep(500 + round * 337 % 9000);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        /* the honest one's: its socket, and our end of its channel */
        CU_ASSERT_TRUE(settles_at(&s, s.nr_fds + 2));
    }
    end(&s);
}

static void log_cannot_be_flooded(void)
{
    struct tmemif_local_hello bad = {0};
    char path[128];
    struct stat st;
    struct scene s;
    long begun, seconds;
    int log;

    CU_ASSERT_TRUE_FATAL(daemon_run_init(&s.d));
    snprintf(path, sizeof(path), "%s/log", s.d.directory);
    log = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    s.d.log_fd = log;
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&s.d, (const char *const[]){"--memory", "32M", NULL}));
    begun = daemon_run_now_ms();
    for (unsigned i = 0; i < 2000; i++) {
        struct peer p = {.socket = peer_connect(s.d.socket)};

        peer_send(p.socket, &bad, sizeof(bad), NULL, 0);
        peer_receive_welcome(&p);
        close(p.socket);
    }
    for (unsigned i = 0; i < 300; i++) {
        struct peer p;

        CU_ASSERT_TRUE_FATAL(peer_init(&p, i % 64, 1, 0, 1));
        peer_attach(&p, s.d.socket);
        peer_fini(&p);
    }
    CU_ASSERT_EQUAL(fstat(log, &st), 0);
    /* eight lines of each of two kinds at once, and one a second of each; and those of the start */
    seconds = (daemon_run_now_ms() - begun) / 1000;
    CU_ASSERT_TRUE(st.st_size < 2048 + 2 * (9 + seconds) * 160);
    CU_ASSERT_EQUAL(daemon_run_stop(&s.d), 0);
    close(log);
    unlink(path);
    daemon_run_fini(&s.d);
}

#define TESTS(T)                                                                                   \
    T(hello_with_a_field_out_of_range_is_refused)                                                  \
    T(hello_of_another_length_is_refused)                                                          \
    T(hello_with_other_than_one_descriptor_is_refused)                                             \
    T(memory_that_could_be_taken_away_is_refused)                                                  \
    T(huge_pages_are_refused)                                                                      \
    T(silent_stranger_is_dropped)                                                                  \
    T(many_strangers_do_not_shut_out_the_honest)                                                   \
    T(strangers_of_many_users_do_not_shut_out_root)                                                \
    T(talk_after_the_hello_ends_the_session)                                                       \
    T(hello_whose_descriptor_is_long_in_closing_holds_nobody_up)                                   \
    T(message_whose_descriptor_is_long_in_closing_holds_nobody_up)                                 \
    T(strangers_whose_descriptors_are_long_in_closing_hold_nobody_up)                              \
    T(closed_channel_ends_the_session)                                                             \
    T(half_closed_channel_ends_the_session)                                                        \
    T(channel_whose_descriptor_is_long_in_closing_holds_nobody_up)                                 \
    T(channel_that_is_never_read_holds_nobody_up)                                                  \
    T(client_amid_a_splice_holds_nobody_up)                                                        \
    T(as_many_clients_as_it_takes_and_no_more)                                                     \
    T(users_that_take_all_they_get_do_not_shut_out_root)                                           \
    T(attachments_that_hold_pools_are_bounded)                                                     \
    T(running_out_of_descriptors_refuses_and_recovers)                                             \
    T(ring_index_that_jumps_ends_the_session)                                                      \
    T(ring_index_that_runs_backwards_ends_the_session)                                             \
    T(rings_whose_indexes_are_wrong_at_attach_are_refused)                                         \
    T(peer_that_never_reads_its_answers_stops_itself)                                              \
    T(flood_of_notifications_starves_nobody)                                                       \
    T(flood_of_requests_starves_nobody)                                                            \
    T(memory_that_changes_while_it_is_read_harms_nobody)                                           \
    T(client_killed_at_any_moment_leaves_nothing_behind)                                           \
    T(log_cannot_be_flooded)
RUN_TESTS(TESTS)
