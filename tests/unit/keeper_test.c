/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stubdom/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/util/notify.h"
#include "stubdom/cmdline.h"
#include "tests/lib/runner.h"

/* ---- helpers ---- */

/* As PID 1 does: listen while the daemon runs, or it would wait for room in the socket. */
static void reap(struct keeper *k, uint64_t now_ms)
{
    pid_t pid = 0;
    int status;

    for (unsigned i = 0; i < 10000 && pid == 0; i++) {
        while (keeper_receive(k))
            ;
        pid = waitpid(k->pid, &status, WNOHANG);
        if (pid == 0)
            poll(NULL, 0, 1);
    }
    CU_ASSERT(keeper_reap(k, pid, now_ms));
}

/* A "daemon" that is this program's child: it does @act with its end of the keeper, and dies. */
static void run_child(struct keeper *k, void (*act)(const struct notify *n))
{
    int go[2];
    char byte = 0;

    CU_ASSERT_EQUAL_FATAL(pipe(go), 0);
    k->pid = fork();
    if (k->pid == 0) {
        struct notify n;

        if (read(go[0], &byte, 1) != 1) /* the keeper knows who we are */
            _exit(1);
        setenv("NOTIFY_SOCKET", k->address, 1);
        if (notify_open(&n))
            act(&n);
        _exit(0);
    }
    CU_ASSERT_EQUAL(write(go[1], &byte, 1), 1);
    close(go[0]);
    close(go[1]);
    reap(k, 0);
}

static int make_segment(const char *content)
{
    int fd = memfd_create("segment", MFD_CLOEXEC);

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    return fd;
}

static void keep_two(const struct notify *n)
{
    notify_keep_fd(n, "first", make_segment("one"));
    notify_keep_fd(n, "second", make_segment("two"));
    notify_send(n, "READY=1\nSTATUS=serving");
}

/* What a shell, started as the daemon, prints. */
static void run_shell(struct keeper *k, const char *script, char *out, size_t room)
{
    char command[512];
    char *const argv[] = {(char *)"/bin/sh", (char *)"-c", command, NULL};
    char path[] = "/tmp/keeper-test-XXXXXX";
    int fd = mkstemp(path);
    ssize_t r;

    CU_ASSERT_FATAL(fd >= 0);
    snprintf(command, sizeof(command), "{ %s; } > %s", script, path);
    k->argv = argv;
    k->start_at_ms = 0;
    CU_ASSERT(keeper_run(k, 0));
    reap(k, 0);
    r = read(fd, out, room - 1);
    out[r > 0 ? r : 0] = '\0';
    close(fd);
    unlink(path);
}

static unsigned open_fds(void)
{
    unsigned nr = 0;

    for (int fd = 0; fd < 256; fd++)
        nr += fcntl(fd, F_GETFD) >= 0;
    return nr;
}

/* ---- descriptors ---- */

static void descriptors_of_a_dead_daemon_reach_the_next_one_by_name(void)
{
    char out[256];
    struct keeper k;

    CU_ASSERT_FATAL(keeper_open(&k, NULL));
    run_child(&k, keep_two);
    CU_ASSERT_EQUAL(k.nr_kept, 2);
    CU_ASSERT(k.ready);

    /* offsets are shared with the writer's descriptor: read from the start */
    run_shell(&k,
              "echo $LISTEN_FDS $LISTEN_FDNAMES; test $LISTEN_PID = $$ && echo mine; "
              "cat /proc/self/fd/3; cat /proc/self/fd/4; test -e /proc/self/fd/5 || echo no more",
              out, sizeof(out));
    CU_ASSERT_STRING_EQUAL(out, "2 first:second\nmine\nonetwono more\n");
    keeper_close(&k);
}

static void keep_and_drop(const struct notify *n)
{
    keep_two(n);
    notify_drop_fd(n, "first");
}

static void a_dropped_name_is_kept_no_more(void)
{
    char out[256];
    struct keeper k;

    CU_ASSERT_FATAL(keeper_open(&k, NULL));
    run_child(&k, keep_and_drop);
    CU_ASSERT_EQUAL(k.nr_kept, 1);
    run_shell(&k, "echo $LISTEN_FDS $LISTEN_FDNAMES; cat /proc/self/fd/3", out, sizeof(out));
    CU_ASSERT_STRING_EQUAL(out, "1 second\ntwo");
    keeper_close(&k);
}

static void keep_too_many(const struct notify *n)
{
    for (unsigned i = 0; i < KEEPER_MAX_FDS + 5; i++)
        notify_keep_fd(n, "many", make_segment("x"));
}

static void no_more_are_kept_than_there_is_room_for(void)
{
    unsigned before = open_fds();
    struct keeper k;

    CU_ASSERT_FATAL(keeper_open(&k, NULL));
    run_child(&k, keep_too_many);
    CU_ASSERT_EQUAL(k.nr_kept, KEEPER_MAX_FDS);
    keeper_close(&k);
    CU_ASSERT_EQUAL(open_fds(), before);
}

static void keep_bad_names(const struct notify *n)
{
    char name[KEEPER_NAME_LEN + 8];

    notify_keep_fd(n, "", make_segment("x"));
    notify_keep_fd(n, "a:b", make_segment("x"));
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    notify_keep_fd(n, name, make_segment("x"));
    notify_send(n, "FDSTORE=1\nFDNAME=nothing");
    notify_send(n, "FDSTORE");
    notify_send(n, "\n\n=\n");
}

static void messages_without_sense_change_nothing_and_leak_nothing(void)
{
    unsigned before = open_fds();
    struct keeper k;

    CU_ASSERT_FATAL(keeper_open(&k, NULL));
    run_child(&k, keep_bad_names);
    CU_ASSERT_EQUAL(k.nr_kept, 0);
    CU_ASSERT_FALSE(k.ready);
    keeper_close(&k);
    CU_ASSERT_EQUAL(open_fds(), before);
}

static void strangers_are_not_listened_to(void)
{
    struct keeper k;
    struct notify n;

    CU_ASSERT_FATAL(keeper_open(&k, NULL));
    setenv("NOTIFY_SOCKET", k.address, 1);
    CU_ASSERT_FATAL(notify_open(&n));
    k.pid = getpid() + 1; /* the daemon is somebody else */
    keep_two(&n);
    while (keeper_receive(&k))
        ;
    CU_ASSERT_EQUAL(k.nr_kept, 0);
    CU_ASSERT_FALSE(k.ready);
    notify_close(&n);
    unsetenv("NOTIFY_SOCKET");
    keeper_close(&k);
}

/* ---- starting again ---- */

static void die(struct keeper *k, uint64_t now_ms)
{
    k->pid = 12345; /* nobody is waited for here */
    k->start_at_ms = KEEPER_NEVER;
    CU_ASSERT(keeper_reap(k, 12345, now_ms));
}

static void pauses_grow_while_it_keeps_dying_and_never_end(void)
{
    static const uint64_t pauses[] = {0, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};
    struct keeper k;

    CU_ASSERT_FATAL(keeper_open(&k, NULL));
    for (unsigned i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        die(&k, 50);
        CU_ASSERT_EQUAL(k.start_at_ms, 50 + pauses[i]);
    }
    k.started_ms = 1000;
    die(&k, 1000 + KEEPER_LONG_MS);
    CU_ASSERT_EQUAL(k.start_at_ms, 1000 + KEEPER_LONG_MS);
    keeper_close(&k);
}

static void nothing_is_started_before_its_time_or_twice(void)
{
    char *const argv[] = {(char *)"/bin/sleep", (char *)"60", NULL};
    struct keeper k;
    pid_t pid;

    CU_ASSERT_FATAL(keeper_open(&k, argv));
    k.start_at_ms = 100;
    CU_ASSERT(keeper_run(&k, 99));
    CU_ASSERT_EQUAL(k.pid, -1);
    CU_ASSERT(keeper_run(&k, 100));
    pid = k.pid;
    CU_ASSERT(pid > 0);
    CU_ASSERT(keeper_run(&k, 200));
    CU_ASSERT_EQUAL(k.pid, pid);
    CU_ASSERT_FALSE(keeper_reap(&k, pid + 1, 200));

    keeper_restart(&k);
    reap(&k, 300);
    CU_ASSERT_EQUAL(k.start_at_ms, 300);
    keeper_close(&k);
}

static void a_daemon_that_cannot_be_executed_is_tried_again(void)
{
    char *const argv[] = {(char *)"/nonexistent", NULL};
    struct keeper k;
    int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);

    dup2(null, STDERR_FILENO);
    CU_ASSERT_FATAL(keeper_open(&k, argv));
    for (unsigned i = 0; i < 3; i++) {
        k.start_at_ms = 0;
        CU_ASSERT(keeper_run(&k, 0));
        reap(&k, 0);
        CU_ASSERT_NOT_EQUAL(k.start_at_ms, KEEPER_NEVER);
    }
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(null);
    keeper_close(&k);
}

/* ---- the command line ---- */

static void options_come_from_the_kernels_command_line(void)
{
    struct cmdline c;

    cmdline_parse(&c, "/d",
                  "console=hvc0 xentmem.memory=512M quiet xentmem.args=--workers=2,--fresh\n");
    CU_ASSERT_EQUAL_FATAL(c.argc, 7);
    CU_ASSERT_STRING_EQUAL(c.argv[0], "/d");
    CU_ASSERT_STRING_EQUAL(c.argv[1], "--xen");
    CU_ASSERT_STRING_EQUAL(c.argv[2], "--no-local");
    CU_ASSERT_STRING_EQUAL(c.argv[3], "--memory");
    CU_ASSERT_STRING_EQUAL(c.argv[4], "512M");
    CU_ASSERT_STRING_EQUAL(c.argv[5], "--workers=2");
    CU_ASSERT_STRING_EQUAL(c.argv[6], "--fresh");
    CU_ASSERT_PTR_NULL(c.argv[7]);
    cmdline_parse(&c, "/d", "myxentmem.args=x xentmem.argsx=y");
    CU_ASSERT_EQUAL(c.argc, 3);
}

static void a_command_line_that_is_too_long_is_cut(void)
{
    char text[8192];
    struct cmdline c;

    memset(text, ',', sizeof(text));
    memcpy(text, "xentmem.args=", 13);
    for (unsigned i = 13; i < sizeof(text) - 1; i += 2)
        text[i] = 'a';
    text[sizeof(text) - 1] = '\0';
    cmdline_parse(&c, "/d", text);
    CU_ASSERT_EQUAL(c.argc, CMDLINE_MAX_ARGS);
    CU_ASSERT_PTR_NULL(c.argv[CMDLINE_MAX_ARGS]);
}

#define TESTS(T)                                                                                   \
    T(descriptors_of_a_dead_daemon_reach_the_next_one_by_name)                                     \
    T(a_dropped_name_is_kept_no_more)                                                              \
    T(no_more_are_kept_than_there_is_room_for)                                                     \
    T(messages_without_sense_change_nothing_and_leak_nothing)                                      \
    T(strangers_are_not_listened_to)                                                               \
    T(pauses_grow_while_it_keeps_dying_and_never_end)                                              \
    T(nothing_is_started_before_its_time_or_twice)                                                 \
    T(a_daemon_that_cannot_be_executed_is_tried_again)                                             \
    T(options_come_from_the_kernels_command_line)                                                  \
    T(a_command_line_that_is_too_long_is_cut)
RUN_TESTS(TESTS)
