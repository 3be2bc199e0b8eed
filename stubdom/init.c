/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xentmem-init: PID 1 of the manager's domain. Boots, keeps the daemon running and its memory,
 * reaps, and shuts down. Under the names poweroff and reboot it tells PID 1 to do so.
 *
 *   SIGUSR2  power off      SIGTERM, SIGINT  reboot      SIGHUP  restart the daemon (upgrade)
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/util/clock.h"
#include "stubdom/boot.h"
#include "stubdom/cmdline.h"
#include "stubdom/keeper.h"

#define DAEMON       "/usr/sbin/xentmemd"
#define MODULES_LIST "/lib/modules/load-order"
/* What a daemon gets to stop by itself. */
#define STOP_MS 5000u

static void say_end(pid_t pid, int status, const struct keeper *k, uint64_t now_ms)
{
    const char *how = WIFSIGNALED(status) ? "signal" : "status";
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);

    fprintf(stderr, "xentmem-init: xentmemd ended pid=%d %s=%d kept=%u next_ms=%u\n", (int)pid, how,
            number, k->nr_kept, (unsigned)(k->start_at_ms - now_ms));
}

static void reap_all(struct keeper *k)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        uint64_t now_ms = clock_now_ms();

        if (keeper_reap(k, pid, now_ms))
            say_end(pid, status, k, now_ms);
    }
}

static bool start(struct keeper *k)
{
    pid_t before = k->pid;

    if (!keeper_run(k, clock_now_ms())) {
        fprintf(stderr, "xentmem-init: cannot start %s: %s\n", DAEMON, strerror(errno));
        return false;
    }
    if (k->pid != before)
        fprintf(stderr, "xentmem-init: xentmemd started pid=%d kept=%u\n", (int)k->pid, k->nr_kept);
    return true;
}

static int wait_ms(const struct keeper *k)
{
    uint64_t now_ms = clock_now_ms();

    if (k->start_at_ms == KEEPER_NEVER)
        return -1;
    return k->start_at_ms > now_ms ? (int)(k->start_at_ms - now_ms) : 0;
}

/* Until a signal says how to end: the command for reboot(2). */
static int serve(struct keeper *k, int signal_fd)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = signal_fd, .events = POLLIN},
                               {.fd = k->socket, .events = POLLIN}};
        struct signalfd_siginfo info;

        start(k);
        if (poll(fds, 2, wait_ms(k)) < 0 && errno != EINTR)
            fprintf(stderr, "xentmem-init: poll: %s\n", strerror(errno));
        while (keeper_receive(k))
            ;
        while (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
            switch (info.ssi_signo) {
            case SIGCHLD:
                reap_all(k);
                break;
            case SIGHUP:
                keeper_restart(k);
                break;
            case SIGUSR1:
            case SIGUSR2:
                return RB_POWER_OFF;
            case SIGTERM:
            case SIGINT:
                return RB_AUTOBOOT;
            }
        }
    }
}

static void stop_daemon(struct keeper *k)
{
    uint64_t until_ms = clock_now_ms() + STOP_MS;

    if (k->pid <= 0)
        return;
    kill(k->pid, SIGTERM);
    while (k->pid > 0 && clock_now_ms() < until_ms) {
        reap_all(k);
        poll(NULL, 0, 20);
    }
    if (k->pid > 0)
        kill(k->pid, SIGKILL);
}

static int open_signals(void)
{
    static const int signals[] = {SIGCHLD, SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT};
    sigset_t set;

    sigemptyset(&set);
    for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaddset(&set, signals[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool is_called(const char *argv0, const char *name)
{
    const char *slash = strrchr(argv0, '/');

    return strcmp(slash ? slash + 1 : argv0, name) == 0;
}

/*
 * As PID 1: go on, whatever goes wrong. Where nothing is left to go on with, to return is a panic,
 * and what on_crash= of the domain's configuration says.
 */
static int run_domain(void)
{
    char text[4096];
    struct cmdline cmdline;
    struct keeper keeper;
    int signal_fd, how;

    boot_mount();
    boot_open_console();
    boot_load_modules(MODULES_LIST);
    boot_link_commands();
    if (!boot_read_file("/proc/cmdline", text, sizeof(text)))
        text[0] = '\0';
    cmdline_parse(&cmdline, DAEMON, text);

    signal_fd = open_signals();
    if (signal_fd < 0 || !keeper_open(&keeper, cmdline.argv)) {
        fprintf(stderr, "xentmem-init: cannot begin: %s\n", strerror(errno));
        return 1;
    }
    how = serve(&keeper, signal_fd);
    fprintf(stderr, "xentmem-init: %s\n", how == RB_AUTOBOOT ? "rebooting" : "powering off");
    stop_daemon(&keeper);
    reboot(how);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc > 0 && is_called(argv[0], "poweroff"))
        return kill(1, SIGUSR2) < 0;
    if (argc > 0 && is_called(argv[0], "reboot"))
        return kill(1, SIGTERM) < 0;
    if (getpid() != 1) {
        fprintf(stderr, "xentmem-init is PID 1 of the manager's domain, and of use nowhere else\n");
        return 2;
    }
    return run_domain();
}
