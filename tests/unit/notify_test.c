/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/util/notify.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/runner.h"

/* A keeper's end: an abstract datagram socket named in $NOTIFY_SOCKET. */
static int keeper_open(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    char name[64];
    int len = snprintf(name, sizeof(name), "@xentmem-notify-test-%d", (int)getpid());

    memcpy(at.sun_path, name, (size_t)len);
    at.sun_path[0] = '\0';
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&at,
                               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len)),
                          0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

/* One datagram to @text; the descriptor that came with it, or -1. */
static int keeper_receive(int keeper, char *text, size_t cap)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = text, .iov_len = cap - 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof(control.bytes)};
    ssize_t r = recvmsg(keeper, &msg, MSG_CMSG_CLOEXEC);
    struct cmsghdr *cmsg;
    int fd = -1;

    text[r > 0 ? r : 0] = '\0';
    cmsg = r > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
    if (cmsg)
        memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
    return fd;
}

static void without_a_keeper_nothing_happens_and_all_succeeds(void)
{
    struct notify n;

    unsetenv("NOTIFY_SOCKET");
    CU_ASSERT_TRUE(notify_open(&n));
    CU_ASSERT_EQUAL(n.fd, -1);
    CU_ASSERT_TRUE(notify_send(&n, "READY=1"));
    CU_ASSERT_TRUE(notify_keep_fd(&n, "x", 0));
    notify_close(&n);
}

static void keeper_that_cannot_be_reached_is_an_error(void)
{
    struct notify n;

    setenv("NOTIFY_SOCKET", "@xentmem-nobody-listens-here", 1);
    CU_ASSERT_FALSE(notify_open(&n));
    setenv("NOTIFY_SOCKET", "relative/path", 1);
    CU_ASSERT_FALSE(notify_open(&n));
    unsetenv("NOTIFY_SOCKET");
}

static void keeper_gets_lines_and_the_descriptor(void)
{
    int keeper = keeper_open(), fd, got;
    struct stat sent, kept;
    struct notify n;
    char text[256];

    CU_ASSERT_TRUE_FATAL(notify_open(&n));
    CU_ASSERT_TRUE(notify_send(&n, "READY=1\nSTATUS=serving"));
    CU_ASSERT_EQUAL(keeper_receive(keeper, text, sizeof(text)), -1);
    CU_ASSERT_STRING_EQUAL(text, "READY=1\nSTATUS=serving");

    fd = memfd_create("segment", MFD_CLOEXEC);
    CU_ASSERT_TRUE(notify_keep_fd(&n, "xentmem-meta", fd));
    got = keeper_receive(keeper, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "FDSTORE=1\nFDNAME=xentmem-meta\nFDPOLL=0");
    CU_ASSERT_TRUE(got >= 0);
    CU_ASSERT_TRUE(fstat(fd, &sent) == 0 && fstat(got, &kept) == 0);
    CU_ASSERT_EQUAL(sent.st_ino, kept.st_ino);

    CU_ASSERT_TRUE(notify_drop_fd(&n, "xentmem-meta"));
    keeper_receive(keeper, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "FDSTOREREMOVE=1\nFDNAME=xentmem-meta");

    close(fd);
    close(got);
    close(keeper);
    notify_close(&n);
    unsetenv("NOTIFY_SOCKET");
}

/* In a child, as a keeper would start it: descriptors 3, 4, 5 named a, stranger, b. */
static int take_in_child(const char *names_there, bool right_pid)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        static const char *const wanted[] = {"b", "a", "absent"};
        char text[32];
        int fds[3];
        unsigned nr;

        for (int fd = 3; fd < 6; fd++)
            dup2(STDOUT_FILENO, fd);
        snprintf(text, sizeof(text), "%d", (int)getpid() + !right_pid);
        setenv("LISTEN_PID", text, 1);
        setenv("LISTEN_FDS", "3", 1);
        setenv("LISTEN_FDNAMES", names_there, 1);
        nr = notify_take_fds(wanted, 3, fds);
        if (getenv("LISTEN_FDS") || getenv("LISTEN_PID") || getenv("LISTEN_FDNAMES"))
            _exit(100);
        if (!right_pid)
            _exit(nr == 0 && fds[0] == -1 && fcntl(3, F_GETFD) >= 0 ? 0 : 101);
        /* the stranger was closed; what was taken does not pass to children */
        if (nr != 2 || fds[0] != 5 || fds[1] != 3 || fds[2] != -1)
            _exit(102);
        if (fcntl(4, F_GETFD) >= 0 || fcntl(3, F_GETFD) != FD_CLOEXEC)
            _exit(103);
        _exit(0);
    }
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void kept_descriptors_come_back_by_name(void)
{
    CU_ASSERT_EQUAL(take_in_child("a:stranger:b", true), 0);
}

static void second_descriptor_of_a_name_is_closed(void)
{
    CU_ASSERT_EQUAL(take_in_child("a:a:b", true), 0);
}

static void descriptors_for_another_process_are_left_alone(void)
{
    CU_ASSERT_EQUAL(take_in_child("a:stranger:b", false), 0);
}

#define TESTS(T)                                                                                   \
    T(without_a_keeper_nothing_happens_and_all_succeeds)                                           \
    T(keeper_that_cannot_be_reached_is_an_error)                                                   \
    T(keeper_gets_lines_and_the_descriptor)                                                        \
    T(kept_descriptors_come_back_by_name)                                                          \
    T(second_descriptor_of_a_name_is_closed)                                                       \
    T(descriptors_for_another_process_are_left_alone)
RUN_TESTS(TESTS)
