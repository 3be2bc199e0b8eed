/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stubdom/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_FD    3 /* sd-daemon(3): SD_LISTEN_FDS_START */
#define MAX_MESSAGE 4096u

bool keeper_open(struct keeper *k, char *const *argv)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const int on = 1;
    socklen_t len;

    *k = (struct keeper){.argv = argv, .pid = -1};
    snprintf(k->address, sizeof(k->address), "@xentmem-keeper-%d", (int)getpid());
    memcpy(at.sun_path, k->address, strlen(k->address));
    at.sun_path[0] = '\0'; /* abstract: no file to be left behind */
    len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(k->address));

    k->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (k->socket < 0)
        return false;
    if (bind(k->socket, (const struct sockaddr *)&at, len) == 0 &&
        setsockopt(k->socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0)
        return true;
    close(k->socket);
    return false;
}

void keeper_close(struct keeper *k)
{
    for (unsigned i = 0; i < k->nr_kept; i++)
        close(k->kept[i].fd);
    k->nr_kept = 0;
    close(k->socket);
}

/* ---- messages ---- */

struct message {
    char text[MAX_MESSAGE];
    int fds[KEEPER_MAX_FDS];
    unsigned nr_fds;
    pid_t sender;
};

static void take_control(struct message *m, struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        size_t bytes = c->cmsg_len - CMSG_LEN(0);

        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_CREDENTIALS && bytes >= sizeof(struct ucred)) {
            struct ucred sender;

            memcpy(&sender, CMSG_DATA(c), sizeof(sender));
            m->sender = sender.pid;
        }
        for (size_t at = 0;
             c->cmsg_type == SCM_RIGHTS && at + sizeof(int) <= bytes && m->nr_fds < KEEPER_MAX_FDS;
             at += sizeof(int))
            memcpy(&m->fds[m->nr_fds++], CMSG_DATA(c) + at, sizeof(int));
    }
}

static bool receive(struct keeper *k, struct message *m)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(KEEPER_MAX_FDS * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec iov = {.iov_base = m->text, .iov_len = sizeof(m->text) - 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof(control.bytes)};
    ssize_t r = recvmsg(k->socket, &msg, MSG_CMSG_CLOEXEC);

    m->sender = -1;
    if (r < 0)
        return false;
    m->text[r] = '\0';
    take_control(m, &msg);
    return true;
}

/* The value of @key in lines of "KEY=value": its length; -1 if there is no such line. */
static int find_value(const char *text, const char *key, const char **value_out)
{
    size_t len = strlen(key);

    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, key, len) == 0 && line[len] == '=') {
            *value_out = line + len + 1;
            return (int)strcspn(*value_out, "\n");
        }
    }
    return -1;
}

static bool has_line(const char *text, const char *key, const char *wanted)
{
    const char *value;
    int len = find_value(text, key, &value);

    return len == (int)strlen(wanted) && memcmp(value, wanted, (size_t)len) == 0;
}

static void keep(struct keeper *k, struct message *m, const char *name, int len)
{
    for (unsigned i = 0; i < m->nr_fds && k->nr_kept < KEEPER_MAX_FDS; i++) {
        struct kept_fd *kept = &k->kept[k->nr_kept++];

        kept->fd = m->fds[i];
        snprintf(kept->name, sizeof(kept->name), "%.*s", len, name);
        m->fds[i] = -1;
    }
}

static void drop(struct keeper *k, const char *name, int len)
{
    unsigned left = 0;

    for (unsigned i = 0; i < k->nr_kept; i++) {
        if (strlen(k->kept[i].name) == (size_t)len &&
            memcmp(k->kept[i].name, name, (size_t)len) == 0)
            close(k->kept[i].fd);
        else
            k->kept[left++] = k->kept[i];
    }
    k->nr_kept = left;
}

/* ':' separates names in LISTEN_FDNAMES. */
static bool is_name(const char *name, int len)
{
    return len > 0 && (unsigned)len < KEEPER_NAME_LEN && !memchr(name, ':', (size_t)len);
}

bool keeper_receive(struct keeper *k)
{
    struct message m = {.nr_fds = 0};
    const char *name = "";
    int len;

    if (!receive(k, &m))
        return false;
    if (k->pid > 0 && m.sender == k->pid) {
        len = find_value(m.text, "FDNAME", &name);
        if (has_line(m.text, "FDSTORE", "1") && is_name(name, len))
            keep(k, &m, name, len);
        if (has_line(m.text, "FDSTOREREMOVE", "1") && is_name(name, len))
            drop(k, name, len);
        if (has_line(m.text, "READY", "1"))
            k->ready = true;
    }
    for (unsigned i = 0; i < m.nr_fds; i++) {
        if (m.fds[i] >= 0)
            close(m.fds[i]);
    }
    return true;
}

/* ---- the daemon ---- */

/* In the child: the kept descriptors become 3, 4, ... and stay open over exec(). */
static bool place_fds(const struct keeper *k)
{
    int high[KEEPER_MAX_FDS];

    /* first out of the way: a kept descriptor may have a number that another one is to get */
    for (unsigned i = 0; i < k->nr_kept; i++) {
        high[i] = fcntl(k->kept[i].fd, F_DUPFD_CLOEXEC, FIRST_FD + (int)KEEPER_MAX_FDS);
        if (high[i] < 0)
            return false;
    }
    for (unsigned i = 0; i < k->nr_kept; i++) {
        if (dup2(high[i], FIRST_FD + (int)i) < 0)
            return false;
    }
    return true;
}

static void set_environment(const struct keeper *k)
{
    char names[KEEPER_MAX_FDS * (KEEPER_NAME_LEN + 1)] = "";
    char number[16];
    size_t at = 0;

    for (unsigned i = 0; i < k->nr_kept; i++)
        at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s", i > 0 ? ":" : "",
                               k->kept[i].name);
    setenv("NOTIFY_SOCKET", k->address, 1);
    snprintf(number, sizeof(number), "%d", (int)getpid());
    setenv("LISTEN_PID", number, 1);
    snprintf(number, sizeof(number), "%u", k->nr_kept);
    setenv("LISTEN_FDS", number, 1);
    setenv("LISTEN_FDNAMES", names, 1);
}

_Noreturn static void become_daemon(const struct keeper *k)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (place_fds(k)) {
        set_environment(k);
        execv(k->argv[0], k->argv);
    }
    fprintf(stderr, "xentmem-init: cannot start %s: %s\n", k->argv[0], strerror(errno));
    _exit(127);
}

static void plan_next(struct keeper *k, uint64_t now_ms)
{
    bool lived_long = now_ms - k->started_ms >= KEEPER_LONG_MS;

    if (lived_long)
        k->pause_ms = 0;
    k->start_at_ms = now_ms + k->pause_ms;
    k->pause_ms = k->pause_ms ? k->pause_ms * 2 : KEEPER_PAUSE_MS;
    if (k->pause_ms > KEEPER_PAUSE_MAX_MS)
        k->pause_ms = KEEPER_PAUSE_MAX_MS;
}

bool keeper_run(struct keeper *k, uint64_t now_ms)
{
    pid_t pid;

    if (k->pid > 0 || now_ms < k->start_at_ms)
        return true;
    k->ready = false;
    k->started_ms = now_ms;
    pid = fork();
    if (pid == 0)
        become_daemon(k);
    if (pid < 0) {
        plan_next(k, now_ms);
        return false;
    }
    k->pid = pid;
    k->start_at_ms = KEEPER_NEVER;
    return true;
}

bool keeper_reap(struct keeper *k, pid_t pid, uint64_t now_ms)
{
    if (k->pid <= 0 || pid != k->pid)
        return false;
    while (keeper_receive(k)) /* what it sent before it died */
        ;
    k->pid = -1;
    plan_next(k, now_ms);
    return true;
}

void keeper_restart(struct keeper *k)
{
    k->pause_ms = 0;
    if (k->pid > 0)
        kill(k->pid, SIGTERM);
    else
        k->start_at_ms = 0;
}
