/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Run shell commands in a guest and learn their output and exit status.
 *
 *   agent serve                                in the guest, may be PID 1
 *   agent run   DOMID SECONDS COMMAND          in dom0: start, then wait
 *   agent start DOMID SECONDS COMMAND          in dom0: print the job's number
 *   agent wait  DOMID SECONDS JOB              in dom0: output, exit status
 *   agent ready DOMID SECONDS                  in dom0: until the guest serves
 *
 * The exit status is the command's, or 124 when its time was over, 125 when
 * the guest is gone or silent, 126 when it printed more than OUTPUT_KILL.
 *
 * Everything travels as raw bytes in xenstore, below the guest's own
 * /local/domain/<domid>/data/testbed:
 *
 *   ready             written by the guest once it watches
 *   <job>/cmd<i>      the command, in pieces     dom0
 *   <job>/seconds     its time limit             dom0
 *   go/<job>          published last, removed    dom0, guest
 *                     by the guest as it starts
 *   <job>/out<i>      its output, in pieces      guest
 *   <job>/status      published last             guest
 *
 * xenstore and no second console, because libxl's channels need a QEMU in dom0.
 * Pieces are small because a domU's node may have 2048 bytes, permissions and
 * names included (xenstored's quota-entry-size).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xenstore.h>

#define PIECE       1536
#define OUTPUT_MAX  (64 * 1024)       /* what travels */
#define OUTPUT_KILL (8 * 1024 * 1024) /* what a command may fill its guest's memory with */

#define STATUS_TIMEOUT 124
#define STATUS_LOST    125
#define STATUS_FLOOD   126

/* How long a job's own watchdog may be late before dom0 calls the guest silent:
 * another domain may be using the processor, and all of it is emulated. */
#define GRACE_MS 20000

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void die(const char *what)
{
    fprintf(stderr, "agent: %s: %s\n", what, strerror(errno));
    exit(STATUS_LOST);
}

__attribute__((format(printf, 1, 2))) static char *format(const char *fmt, ...)
{
    va_list args;
    char *text;

    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        die("memory");
    va_end(args);
    return text;
}

static bool put(struct xs_handle *xs, const char *dir, const char *name, const void *data,
                size_t len)
{
    char *path = format("%s/%s", dir, name);
    bool ok = xs_write(xs, XBT_NULL, path, data, (unsigned int)len);

    free(path);
    return ok;
}

static char *get(struct xs_handle *xs, const char *dir, const char *name, unsigned int *len_out)
{
    char *path = format("%s/%s", dir, name);
    char *value = xs_read(xs, XBT_NULL, path, len_out); /* adds a NUL of its own */

    free(path);
    return value;
}

static long get_number(struct xs_handle *xs, const char *dir, const char *name, long absent)
{
    unsigned int len;
    char *value = get(xs, dir, name, &len);
    long number = value ? atol(value) : absent;

    free(value);
    return number;
}

static bool put_pieces(struct xs_handle *xs, const char *dir, const char *stem, const char *data,
                       size_t len)
{
    for (size_t i = 0, at = 0; at < len; i++, at += PIECE) {
        size_t part = len - at < PIECE ? len - at : PIECE;
        char *name = format("%s%zu", stem, i);
        bool ok = put(xs, dir, name, data + at, part);

        free(name);
        if (!ok)
            return false;
    }
    return true;
}

/* All pieces in one, with a NUL behind; the caller frees it. */
static char *get_pieces(struct xs_handle *xs, const char *dir, const char *stem, size_t *len_out)
{
    char *all = calloc(1, 1), *part;
    size_t len = 0;
    unsigned int part_len;

    for (int i = 0;; i++) {
        char *name = format("%s%d", stem, i);

        part = get(xs, dir, name, &part_len);
        free(name);
        if (!part)
            break;
        all = realloc(all, len + part_len + 1);
        memcpy(all + len, part, part_len);
        len += part_len;
        all[len] = '\0';
        free(part);
    }
    *len_out = len;
    return all;
}

/* Block until something watched changes; false when the deadline passed first. */
static bool wait_change(struct xs_handle *xs, long long deadline)
{
    struct pollfd pfd = {.fd = xs_fileno(xs), .events = POLLIN};
    long long left = deadline - now_ms();
    char **event;

    if (left <= 0 || poll(&pfd, 1, (int)left) <= 0)
        return false;
    while ((event = xs_check_watch(xs)) != NULL)
        free(event);
    return true;
}

/* ---- the guest's side ---------------------------------------------------- */

/* Wait for @child, at most until @deadline, and kill its group when it is over.
 * What it left in the background lives on, unless it is killed. */
static int reap(pid_t child, int output, long long deadline)
{
    const struct timespec tick = {.tv_nsec = 200 * 1000 * 1000};
    int verdict = -1, status;
    sigset_t set;
    struct stat st;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD); /* blocked since serve(), so no wake-up is lost */
    for (;;) {
        pid_t pid = waitpid(child, &status, WNOHANG);

        if (pid == child)
            break;
        if (verdict < 0 && now_ms() > deadline)
            verdict = STATUS_TIMEOUT;
        if (verdict < 0 && fstat(output, &st) == 0 && st.st_size > OUTPUT_KILL)
            verdict = STATUS_FLOOD;
        if (verdict >= 0)
            kill(-child, SIGKILL);
        sigtimedwait(&set, NULL, &tick);
    }
    if (verdict >= 0)
        return verdict;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void report(struct xs_handle *xs, const char *dir, int output, int status)
{
    char *buf = malloc(OUTPUT_MAX), *text = format("%d", status);
    ssize_t len = pread(output, buf, OUTPUT_MAX, 0);

    if (len < 0 || !put_pieces(xs, dir, "out", buf, (size_t)len))
        fprintf(stderr, "agent: output of %s is lost: %s\n", dir, strerror(errno));
    put(xs, dir, "status", text, strlen(text));
    free(text);
    free(buf);
}

/* One job, in a process of its own, so that jobs run side by side. */
static void run_job(const char *dir)
{
    struct xs_handle *xs = xs_open(0); /* the parent's is not ours to use */
    long seconds;
    size_t len;
    char *command;
    int output;
    pid_t child;

    /* A file and no pipe: what a command leaves in the background may write on. */
    output = memfd_create("output", 0);
    if (!xs || output < 0)
        die("job");
    command = get_pieces(xs, dir, "cmd", &len);
    seconds = get_number(xs, dir, "seconds", 60);
    child = fork();
    if (child == 0) {
        sigset_t none;
        int null = open("/dev/null", O_RDONLY);

        setsid();
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        dup2(null, 0);
        dup2(output, 1);
        dup2(output, 2);
        fcntl(output, F_SETFD, FD_CLOEXEC);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    report(xs, dir, output,
           child < 0 ? STATUS_LOST : reap(child, output, now_ms() + seconds * 1000));
    exit(0);
}

/* Start every job that is published. */
static void start_jobs(struct xs_handle *xs, const char *base)
{
    char *go = format("%s/go", base);
    unsigned int nr;
    char **jobs = xs_directory(xs, XBT_NULL, go, &nr);

    for (unsigned int i = 0; jobs && i < nr; i++) {
        char *mark = format("%s/%s", go, jobs[i]);
        char *dir = format("%s/%s", base, jobs[i]);

        if (xs_rm(xs, XBT_NULL, mark) && fork() == 0)
            run_job(dir);
        free(mark);
        free(dir);
    }
    free(jobs);
    free(go);
}

static _Noreturn void serve(void)
{
    const char *base = "data/testbed"; /* relative to our own home */
    struct xs_handle *xs = NULL;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 0);

    /* /dev/xen/xenbus may not be there yet where somebody else is PID 1 */
    for (int i = 0; i < 600 && !(xs = xs_open(0)); i++)
        usleep(100 * 1000);
    if (!xs)
        die("xenstore");
    if (!put(xs, base, "go", "", 0) || !xs_watch(xs, "data/testbed/go", "jobs"))
        die("watch");
    put(xs, base, "ready", "1", 1);
    for (;;) {
        if (wait_change(xs, now_ms() + 1000))
            start_jobs(xs, base);
        while (waitpid(-1, NULL, WNOHANG) > 0) /* jobs, and all orphans if PID 1 */
            ;
    }
}

/* ---- dom0's side --------------------------------------------------------- */

/* Wait until the node is there; false when the guest died or time is over. */
static bool await(struct xs_handle *xs, int domid, const char *dir, const char *name,
                  long long deadline)
{
    char *path = format("%s/%s", dir, name);
    char *home = format("/local/domain/%d/domid", domid);
    unsigned int len;
    char *value;

    if (!xs_watch(xs, path, "node") || !xs_watch(xs, "@releaseDomain", "death"))
        die("watch");
    for (;;) {
        if ((value = xs_read(xs, XBT_NULL, path, &len)) != NULL) {
            free(value);
            free(path);
            free(home);
            return true;
        }
        if ((value = xs_read(xs, XBT_NULL, home, &len)) == NULL) {
            fprintf(stderr, "agent: domain %d is gone\n", domid);
            return false;
        }
        free(value);
        if (now_ms() >= deadline) {
            fprintf(stderr, "agent: domain %d is silent\n", domid);
            return false;
        }
        wait_change(xs, deadline);
    }
}

static long start(struct xs_handle *xs, const char *base, const char *seconds, const char *command)
{
    /* Two starters at once must not take one number: let a transaction decide. */
    for (;;) {
        xs_transaction_t t = xs_transaction_start(xs);
        char *path = format("%s/next", base), *text, *dir;
        unsigned int len;
        char *value = xs_read(xs, t, path, &len);
        long job = value ? atol(value) : 1;
        bool ok;

        text = format("%ld", job + 1);
        xs_write(xs, t, path, text, (unsigned int)strlen(text));
        free(text);
        free(path);
        free(value);
        if (!xs_transaction_end(xs, t, false)) {
            if (errno == EAGAIN)
                continue;
            die("transaction");
        }
        dir = format("%s/%ld", base, job);
        ok = put_pieces(xs, dir, "cmd", command, strlen(command)) &&
             put(xs, dir, "seconds", seconds, strlen(seconds));
        free(dir);
        dir = format("go/%ld", job);
        if (!ok || !put(xs, base, dir, "1", 1))
            die("command");
        free(dir);
        return job;
    }
}

static int finish(struct xs_handle *xs, int domid, const char *base, long job, long long deadline)
{
    char *dir = format("%s/%ld", base, job);
    int status = STATUS_LOST;
    size_t len;
    char *output;

    if (await(xs, domid, dir, "status", deadline)) {
        output = get_pieces(xs, dir, "out", &len);
        fwrite(output, 1, len, stdout);
        if (len == OUTPUT_MAX)
            fprintf(stderr, "agent: output was cut at %d bytes\n", OUTPUT_MAX);
        free(output);
        status = (int)get_number(xs, dir, "status", STATUS_LOST);
        xs_rm(xs, XBT_NULL, dir);
    }
    free(dir);
    return status;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    struct xs_handle *xs;
    long long deadline;
    char *base;
    int domid;

    if (argc == 2 && strcmp(verb, "serve") == 0)
        serve();
    if (argc < 4) {
        fprintf(stderr, "usage: agent serve | ready DOMID SECONDS | wait DOMID SECONDS JOB |\n"
                        "       run|start DOMID SECONDS COMMAND\n");
        return 2;
    }
    domid = atoi(argv[2]);
    deadline = now_ms() + atol(argv[3]) * 1000;
    base = format("/local/domain/%d/data/testbed", domid);
    xs = xs_open(0);
    if (!xs)
        die("xenstore");
    if (argc == 4 && strcmp(verb, "ready") == 0)
        return await(xs, domid, base, "ready", deadline) ? 0 : STATUS_LOST;
    if (argc == 5 && strcmp(verb, "start") == 0)
        return printf("%ld\n", start(xs, base, argv[3], argv[4])) > 0 ? 0 : STATUS_LOST;
    if (argc == 5 && strcmp(verb, "wait") == 0)
        return finish(xs, domid, base, atol(argv[4]), deadline);
    if (argc == 5 && strcmp(verb, "run") == 0)
        return finish(xs, domid, base, start(xs, base, argv[3], argv[4]), deadline + GRACE_MS);
    fprintf(stderr, "agent: unknown: %s\n", verb);
    return 2;
}
