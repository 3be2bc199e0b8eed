/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/util/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_FDS_START 3 /* sd-daemon.h: SD_LISTEN_FDS_START */
#define LISTEN_FDS_MAX   64

bool notify_open(struct notify *n)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    socklen_t to_len;
    size_t len;
    int fd;

    n->fd = -1;
    if (!path || !*path)
        return true;
    len = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || len >= sizeof(to.sun_path)) {
        errno = EINVAL;
        return false;
    }
    memcpy(to.sun_path, path, len);
    if (path[0] == '@')
        to.sun_path[0] = '\0'; /* an abstract address has no terminating byte */
    to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] == '/'));

    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (connect(fd, (const struct sockaddr *)&to, to_len) < 0) {
        int saved = errno;

        close(fd);
        errno = saved;
        return false;
    }
    n->fd = fd;
    return true;
}

void notify_close(struct notify *n)
{
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
}

static bool send_with_fd(const struct notify *n, const char *lines, int fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)lines, .iov_len = strlen(lines)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (n->fd < 0)
        return true;
    if (fd >= 0) {
        struct cmsghdr *cmsg;

        msg.msg_control = control.bytes;
        msg.msg_controllen = sizeof(control.bytes);
        cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
    }
    return sendmsg(n->fd, &msg, MSG_NOSIGNAL) == (ssize_t)iov.iov_len;
}

bool notify_send(const struct notify *n, const char *lines)
{
    return send_with_fd(n, lines, -1);
}

bool notify_keep_fd(const struct notify *n, const char *name, int fd)
{
    char lines[128];

    /* FDPOLL=0: a memory segment never hangs up */
    snprintf(lines, sizeof(lines), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
    return send_with_fd(n, lines, fd);
}

bool notify_drop_fd(const struct notify *n, const char *name)
{
    char lines[128];

    snprintf(lines, sizeof(lines), "FDSTOREREMOVE=1\nFDNAME=%s", name);
    return notify_send(n, lines);
}

static bool env_number(const char *name, long max, long *value_out)
{
    const char *text = getenv(name);
    char *end;

    if (!text || !*text)
        return false;
    errno = 0;
    *value_out = strtol(text, &end, 10);
    return errno == 0 && *end == '\0' && *value_out >= 0 && *value_out <= max;
}

/* Whether the first @len bytes of @text are @name. */
static bool is_name(const char *text, size_t len, const char *name)
{
    return strlen(name) == len && memcmp(text, name, len) == 0;
}

static bool give(const char *text, size_t len, int fd, const char *const *names, unsigned nr,
                 int *fds_out)
{
    for (unsigned i = 0; i < nr; i++) {
        if (fds_out[i] < 0 && is_name(text, len, names[i])) {
            fds_out[i] = fd;
            return true;
        }
    }
    return false;
}

unsigned notify_take_fds(const char *const *names, unsigned nr, int *fds_out)
{
    const char *next = getenv("LISTEN_FDNAMES");
    unsigned nr_found = 0;
    long pid, nr_fds;

    for (unsigned i = 0; i < nr; i++)
        fds_out[i] = -1;

    if (env_number("LISTEN_PID", LONG_MAX, &pid) && pid == getpid() &&
        env_number("LISTEN_FDS", LISTEN_FDS_MAX, &nr_fds)) {
        for (long i = 0; i < nr_fds; i++) {
            int fd = LISTEN_FDS_START + (int)i;
            size_t len = next ? strcspn(next, ":") : 0;

            if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) {
                if (next && give(next, len, fd, names, nr, fds_out))
                    nr_found++;
                else
                    close(fd);
            }
            if (next)
                next = next[len] ? next + len + 1 : NULL;
        }
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return nr_found;
}
