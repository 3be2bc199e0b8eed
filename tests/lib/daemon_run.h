/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon_run.h - the real xentmemd as a child, and a keeper for its segments.
 *
 * The program is BUILD/bin/xentmemd beside the test's own BUILD/tests/.... Its
 * socket lies in a directory of its own below $TMPDIR. Whatever the daemon
 * gives to its keeper is held here and handed to the next one that is started.
 */
#ifndef TESTS_DAEMON_RUN_H
#define TESTS_DAEMON_RUN_H

#include <stdbool.h>
#include <sys/types.h>

#define DAEMON_RUN_SEGMENTS 8

struct daemon_run {
    pid_t pid; /* 0: not running */
    char directory[64];
    char socket[96];
    int notify_fd;
    int nr_kept;
    int kept[DAEMON_RUN_SEGMENTS];
    char kept_names[DAEMON_RUN_SEGMENTS][64];
    int log_fd; /* where its standard error goes; -1: to ours */
};

/* An empty keeper, nothing started. False: the system refuses; errno says why. */
bool daemon_run_init(struct daemon_run *d);
/* Kills what runs, drops what is kept, removes the directory. */
void daemon_run_fini(struct daemon_run *d);

/*
 * Start it with --no-xen, the socket, and @args (NULL at the end), and wait
 * until it says that it is ready. False: it ended, or was not ready in time.
 */
bool daemon_run_start(struct daemon_run *d, const char *const *args);
/* The two halves of it; in between it can be killed while it starts. */
bool daemon_run_spawn(struct daemon_run *d, const char *const *args);
bool daemon_run_wait_ready(struct daemon_run *d);
/*
 * SIGTERM; its exit status, or -1 if it was killed or did not end in time, or if the
 * engine's invariants were wrong before. 0 if nothing runs.
 */
int daemon_run_stop(struct daemon_run *d);
/* SIGKILL; returns when it is gone. */
void daemon_run_kill(struct daemon_run *d);
/* Wait until it ends by itself; as daemon_run_stop(). */
int daemon_run_wait(struct daemon_run *d);

/* Open descriptors of the running daemon. */
int daemon_run_nr_fds(const struct daemon_run *d);

/* Monotonic milliseconds, for time limits. */
long daemon_run_now_ms(void);

#endif /* TESTS_DAEMON_RUN_H */
