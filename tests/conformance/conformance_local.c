/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rules, between processes: xentmemd, a process for each guest with
 * libxentmem, and the operator in this one.
 *
 *   conformance_local [NAME]...     the daemon is $BUILD/bin/xentmemd
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/conformance/harness.h"
#include "tests/conformance/operator.h"
#include "tests/conformance/port.h"

#define FRAMES      512u
#define ANSWER_MS   60000 /* a storm under a sanitizer takes its time */
#define PATIENCE_MS 10000

struct local_guest {
    pid_t pid;
    int fd; /* calls go out, outcomes come in */
};

struct local_world {
    char directory[64];
    char socket[96];
    pid_t daemon;
    struct xentmem *control;
    struct local_guest guests[NR_GUESTS];
};

static struct local_world *world(struct harness *h)
{
    return h->state;
}

static struct tmemctl_who who_is(unsigned guest)
{
    return (struct tmemctl_who){.kind = TMEMCTL_LOCAL, .id = getuid(), .device = guest};
}

static void sleep_ms(unsigned ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    nanosleep(&t, NULL);
}

/* ---- a guest's process ---- */

/* The manager may still be busy with who was here before. */
static struct port *open_patiently(const char *where)
{
    const char *why = "";
    struct port *p;

    for (unsigned waited = 0; waited < PATIENCE_MS; waited += 20) {
        p = port_open_lib(where, &why);
        if (p || errno != EBUSY)
            break;
        sleep_ms(20);
    }
    if (!p)
        fprintf(stderr, "guest at %s: %s\n", where, why);
    return p;
}

static int guest_main(const char *socket, unsigned guest, int fd)
{
    char where[128];
    struct port *p;
    struct call call;

    snprintf(where, sizeof(where), "local:%s:%u", socket, guest);
    p = open_patiently(where);
    memset(&call, 0, sizeof(call));
    call.status = p ? 0 : -1;
    if (send(fd, &call, sizeof(call), 0) < 0 || !p)
        return 1;
    while (recv(fd, &call, sizeof(call), 0) == (ssize_t)sizeof(call)) {
        guest_do(p, &call);
        if (send(fd, &call, sizeof(call), 0) < 0)
            break;
    }
    port_close_lib(p);
    return 0;
}

static bool receive(struct local_guest *g, struct call *call_out)
{
    struct pollfd answer = {.fd = g->fd, .events = POLLIN};

    return poll(&answer, 1, ANSWER_MS) == 1 &&
           recv(g->fd, call_out, sizeof(*call_out), 0) == (ssize_t)sizeof(*call_out);
}

static bool start_guest(struct local_world *w, unsigned guest)
{
    struct call hello;
    int ends[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return false;
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        for (unsigned g = 0; g < NR_GUESTS; g++) { /* or the others would not see theirs closed */
            if (w->guests[g].pid > 0)
                close(w->guests[g].fd);
        }
        _exit(guest_main(w->socket, guest, ends[1]));
    }
    close(ends[1]);
    w->guests[guest] = (struct local_guest){.pid = pid, .fd = ends[0]};
    return pid > 0 && receive(&w->guests[guest], &hello) && hello.status == 0;
}

static void stop_guest(struct local_world *w, unsigned guest, bool kill_it)
{
    struct local_guest *g = &w->guests[guest];

    if (g->pid <= 0)
        return;
    if (kill_it)
        kill(g->pid, SIGKILL);
    close(g->fd); /* else it ends by itself */
    waitpid(g->pid, NULL, 0);
    g->pid = 0;
}

static void begin(struct harness *h, unsigned guest, const struct call *call)
{
    if (send(world(h)->guests[guest].fd, call, sizeof(*call), MSG_NOSIGNAL) < 0)
        fprintf(stderr, "guest %u does not listen: %s\n", guest, strerror(errno));
}

static void end(struct harness *h, unsigned guest, struct call *call_out)
{
    if (!receive(&world(h)->guests[guest], call_out))
        call_out->status = -1;
}

static bool lose(struct harness *h, unsigned guest)
{
    stop_guest(world(h), guest, true);
    return start_guest(world(h), guest);
}

/* ---- the operator ---- */

static bool set_policy(struct harness *h, unsigned guest, const struct policy *policy)
{
    struct tmemctl_who who = who_is(guest);

    return operator_set_guest(world(h)->control, &who, policy);
}

static bool set_shared(struct harness *h, const uint8_t *uuid, const struct policy *policy)
{
    return operator_set_shared(world(h)->control, uuid, policy);
}

static bool set_right(struct harness *h, const uint8_t *uuid, unsigned guest, enum pool_right right)
{
    struct tmemctl_who who = who_is(guest);

    return operator_allow(world(h)->control, uuid, &who, right);
}

static bool set_frozen(struct harness *h, unsigned guest, bool frozen)
{
    struct tmemctl_who who = who_is(guest);

    return operator_freeze_guest(world(h)->control, &who, frozen);
}

static bool set_shared_frozen(struct harness *h, const uint8_t *uuid, bool frozen)
{
    return operator_freeze_shared(world(h)->control, uuid, frozen);
}

static bool remove_shared(struct harness *h, const uint8_t *uuid)
{
    return operator_remove(world(h)->control, uuid);
}

static const char *check(struct harness *h)
{
    return operator_check(world(h)->control);
}

static const struct harness_ops ops = {
    .begin = begin,
    .end = end,
    .set_policy = set_policy,
    .set_shared = set_shared,
    .allow = set_right,
    .freeze = set_frozen,
    .freeze_shared = set_shared_frozen,
    .remove_shared = remove_shared,
    .check = check,
    .lose = lose,
};

/* ---- the manager ---- */

static bool start_daemon(struct local_world *w)
{
    const char *build = getenv("BUILD");
    char program[512];

    snprintf(program, sizeof(program), "%s/bin/xentmemd", build ? build : "build");
    w->daemon = fork();
    if (w->daemon == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(program, program, "--no-xen", "--fresh", "--socket", w->socket, "--memory", "2M",
              "--workers", "2", "--log-level", "error", (char *)NULL);
        fprintf(stderr, "%s: %s\n", program, strerror(errno));
        _exit(127);
    }
    for (unsigned waited = 0; w->daemon > 0 && waited < PATIENCE_MS; waited += 20) {
        char where[128];

        snprintf(where, sizeof(where), "local:%s", w->socket);
        w->control = xentmem_open(where, XENTMEM_OPEN_CONTROL, NULL);
        if (w->control)
            return true;
        if (waitpid(w->daemon, NULL, WNOHANG) == w->daemon) {
            w->daemon = 0;
            break;
        }
        sleep_ms(20);
    }
    return false;
}

/* True: it ended by itself and in order. */
static bool stop_daemon(struct local_world *w)
{
    int status = 0;

    xentmem_close(w->control);
    if (w->daemon <= 0)
        return false;
    kill(w->daemon, SIGTERM);
    for (unsigned waited = 0; waited < PATIENCE_MS; waited += 20) {
        if (waitpid(w->daemon, &status, WNOHANG) == w->daemon)
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        sleep_ms(20);
    }
    kill(w->daemon, SIGKILL);
    waitpid(w->daemon, NULL, 0);
    return false;
}

static bool start(struct local_world *w)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(w->directory, sizeof(w->directory), "%.40s/conform.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(w->directory))
        return false;
    snprintf(w->socket, sizeof(w->socket), "%s/socket", w->directory);
    if (!start_daemon(w))
        return false;
    for (unsigned g = 0; g < NR_GUESTS; g++) {
        if (!start_guest(w, g))
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct local_world w = {.daemon = 0};
    struct harness h = {
        .name = "local", .ops = &ops, .in_flight = true, .nr_frames = FRAMES, .state = &w};
    int status = 1;

    if (start(&w))
        status = harness_run(&h, argc - 1, argv + 1);
    else
        printf("not ok conformance_local: the manager or a guest does not start\n");
    for (unsigned g = 0; g < NR_GUESTS; g++)
        stop_guest(&w, g, false);
    if (!stop_daemon(&w)) {
        printf("not ok conformance_local: the manager did not end in order\n");
        status = 1;
    }
    unlink(w.socket);
    rmdir(w.directory);
    return status;
}
