/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/daemon_run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/peer.h"

#define TIME_LIMIT_MS 20000
#define FIRST_KEPT_FD 3
#define MAX_ARGS      32

long daemon_run_now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool daemon_run_init(struct daemon_run *d)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const char *tmp = getenv("TMPDIR");

    *d = (struct daemon_run){.notify_fd = -1, .log_fd = -1};
    if (!tmp || strlen(tmp) > 32)
        tmp = "/tmp";
    snprintf(d->directory, sizeof(d->directory), "%s/xentmem-test-XXXXXX", tmp);
    if (!mkdtemp(d->directory))
        return false;
    snprintf(d->socket, sizeof(d->socket), "%s/socket", d->directory);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/notify", d->directory);
    d->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return d->notify_fd >= 0 && bind(d->notify_fd, (struct sockaddr *)&at, sizeof(at)) == 0;
}

static void drop_kept(struct daemon_run *d, const char *name)
{
    int nr = 0;

    for (int i = 0; i < d->nr_kept; i++) {
        if (!name || strcmp(d->kept_names[i], name) == 0) {
            close(d->kept[i]);
            continue;
        }
        d->kept[nr] = d->kept[i];
        memmove(d->kept_names[nr], d->kept_names[i], sizeof(d->kept_names[nr]));
        nr++;
    }
    d->nr_kept = nr;
}

/* The socket, and what a daemon that was killed in its start has left. */
static void empty_directory(const struct daemon_run *d)
{
    DIR *directory = opendir(d->directory);
    const struct dirent *entry;

    while (directory && (entry = readdir(directory)))
        unlinkat(dirfd(directory), entry->d_name, 0); /* not "." and ".." */
    if (directory)
        closedir(directory);
}

void daemon_run_fini(struct daemon_run *d)
{
    if (d->pid)
        daemon_run_kill(d);
    drop_kept(d, NULL);
    if (d->notify_fd >= 0)
        close(d->notify_fd);
    empty_directory(d);
    rmdir(d->directory);
}

/* ---- the keeper ---- */

static void keep(struct daemon_run *d, const char *name, int fd)
{
    if (fd < 0)
        return;
    if (d->nr_kept == DAEMON_RUN_SEGMENTS) {
        close(fd);
        return;
    }
    d->kept[d->nr_kept] = fd;
    snprintf(d->kept_names[d->nr_kept++], sizeof(d->kept_names[0]), "%s", name);
}

/* One datagram. True: it said that the daemon is ready. */
static bool take_notification(struct daemon_run *d)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    char text[512];
    struct iovec iov = {.iov_base = text, .iov_len = sizeof(text) - 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof(control.bytes)};
    ssize_t r = recvmsg(d->notify_fd, &msg, MSG_CMSG_CLOEXEC);
    char *name;
    int fd = -1;

    if (r < 0)
        return false;
    text[r] = '\0';
    if (CMSG_FIRSTHDR(&msg))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
    name = strstr(text, "FDNAME=");
    if (name) {
        name += strlen("FDNAME=");
        name[strcspn(name, "\n")] = '\0';
    }
    if (name && strncmp(text, "FDSTOREREMOVE=1", 15) == 0)
        drop_kept(d, name);
    else if (name && strncmp(text, "FDSTORE=1", 9) == 0)
        keep(d, name, fd);
    else if (fd >= 0)
        close(fd);
    return strstr(text, "READY=1") != NULL;
}

static bool wait_until_ready(struct daemon_run *d)
{
    long end = daemon_run_now_ms() + TIME_LIMIT_MS;

    while (daemon_run_now_ms() < end) {
        struct pollfd pfd = {.fd = d->notify_fd, .events = POLLIN};
        int status;

        if (poll(&pfd, 1, 50) > 0) {
            if (take_notification(d))
                return true;
        } else if (waitpid(d->pid, &status, WNOHANG) == d->pid) {
            d->pid = 0;
            return false;
        }
    }
    return false;
}

/* ---- the child ---- */

static void program_path(char *path, size_t size)
{
    char self[PATH_MAX / 2];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *tests;

    self[len > 0 ? len : 0] = '\0';
    tests = strstr(self, "/tests/");
    for (char *next = tests; next; next = strstr(next + 1, "/tests/"))
        tests = next;
    if (tests)
        *tests = '\0';
    snprintf(path, size, "%s/bin/xentmemd", self);
}

static void put_kept_in_place(struct daemon_run *d)
{
    char names[DAEMON_RUN_SEGMENTS * 64] = "";
    char number[32];
    int high[DAEMON_RUN_SEGMENTS];

    /* out of the way first, then each to its number */
    for (int i = 0; i < d->nr_kept; i++)
        high[i] = fcntl(d->kept[i], F_DUPFD_CLOEXEC, 100);
    for (int i = 0; i < d->nr_kept; i++) {
        dup2(high[i], FIRST_KEPT_FD + i);
        if (i > 0)
            strcat(names, ":");
        strcat(names, d->kept_names[i]);
    }
    snprintf(number, sizeof(number), "%d", (int)getpid());
    setenv("LISTEN_PID", number, 1);
    snprintf(number, sizeof(number), "%d", d->nr_kept);
    setenv("LISTEN_FDS", number, 1);
    setenv("LISTEN_FDNAMES", names, 1);
}

_Noreturn static void run_child(struct daemon_run *d, const char *const *args)
{
    const char *argv[MAX_ARGS] = {"xentmemd", "--no-xen", "--socket", d->socket};
    char path[PATH_MAX], notify[128];
    int argc = 4;

    while (*args && argc < MAX_ARGS - 1)
        argv[argc++] = *args++;
    program_path(path, sizeof(path));
    snprintf(notify, sizeof(notify), "%s/notify", d->directory);
    setenv("NOTIFY_SOCKET", notify, 1);
    /* the thread sanitizer has a file there for a moment */
    setenv("TMPDIR", d->directory, 1);
    if (d->log_fd >= 0)
        dup2(d->log_fd, STDERR_FILENO);
    put_kept_in_place(d);
    execv(path, (char **)(uintptr_t)argv);
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    _exit(127);
}

bool daemon_run_spawn(struct daemon_run *d, const char *const *args)
{
    fflush(NULL);
    d->pid = fork();
    if (d->pid < 0) {
        d->pid = 0;
        return false;
    }
    if (d->pid == 0) {
        /* a test that is killed takes its daemon along */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run_child(d, args);
    }
    return true;
}

bool daemon_run_wait_ready(struct daemon_run *d)
{
    if (wait_until_ready(d))
        return true;
    if (d->pid)
        daemon_run_kill(d);
    return false;
}

bool daemon_run_start(struct daemon_run *d, const char *const *args)
{
    return daemon_run_spawn(d, args) && daemon_run_wait_ready(d);
}

int daemon_run_wait(struct daemon_run *d)
{
    long end = daemon_run_now_ms() + TIME_LIMIT_MS;
    int status;

    while (daemon_run_now_ms() < end) {
        if (waitpid(d->pid, &status, WNOHANG) == d->pid) {
            d->pid = 0;
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        }
        usleep(2000);
    }
    daemon_run_kill(d);
    return -1;
}

int daemon_run_stop(struct daemon_run *d)
{
    bool sound;
    int status;

    if (!d->pid)
        return 0;
    sound = peer_check_manager(d->socket);
    kill(d->pid, SIGTERM);
    status = daemon_run_wait(d);
    return sound ? status : -1;
}

void daemon_run_kill(struct daemon_run *d)
{
    kill(d->pid, SIGKILL);
    waitpid(d->pid, NULL, 0);
    d->pid = 0;
    /* what it had handed over before it died counts */
    for (;;) {
        struct pollfd pfd = {.fd = d->notify_fd, .events = POLLIN};

        if (poll(&pfd, 1, 0) <= 0)
            return;
        take_notification(d);
    }
}

int daemon_run_nr_fds(const struct daemon_run *d)
{
    char path[64];
    DIR *dir;
    int nr = 0;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)d->pid);
    dir = opendir(path);
    if (!dir)
        return -1;
    while (readdir(dir))
        nr++;
    closedir(dir);
    return nr;
}
