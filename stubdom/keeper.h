/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keeper.h - keeps the daemon running, and its memory over its death.
 *
 * The two interfaces of a service manager that xentmemd uses (daemon/util/notify.h): datagrams to
 * $NOTIFY_SOCKET, which may bring descriptors to keep, and LISTEN_FDS, by which the next daemon
 * gets them. A daemon that dies is started again, at once if it lived for a while, else after a
 * pause that grows; the keeper never gives up.
 *
 * One thread; time is a parameter.
 */
#ifndef XTM_STUBDOM_KEEPER_H
#define XTM_STUBDOM_KEEPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define KEEPER_MAX_FDS      16u
#define KEEPER_NAME_LEN     64u
#define KEEPER_NEVER        UINT64_MAX
#define KEEPER_PAUSE_MS     100u /* before the second start in a row; doubles */
#define KEEPER_PAUSE_MAX_MS 5000u
#define KEEPER_LONG_MS      10000u /* a daemon that lived so long did not fail to start */

struct kept_fd {
    int fd;
    char name[KEEPER_NAME_LEN];
};

struct keeper {
    char *const *argv;             /* the daemon; argv[0] is its path */
    int socket;                    /* readable: keeper_receive() has something to do */
    char address[KEEPER_NAME_LEN]; /* for $NOTIFY_SOCKET */
    struct kept_fd kept[KEEPER_MAX_FDS];
    unsigned nr_kept;
    pid_t pid; /* of the daemon; -1: none */
    uint64_t started_ms;
    uint64_t start_at_ms; /* while there is none: when to start one; else KEEPER_NEVER */
    uint32_t pause_ms;
    bool ready; /* the daemon has said so */
};

/* False: errno says why. */
bool keeper_open(struct keeper *k, char *const *argv);
/* Closes all that is kept; the daemon is the caller's to end. */
void keeper_close(struct keeper *k);

/* Start the daemon if it is time. False: it could not be; errno says why, and it is tried again. */
bool keeper_run(struct keeper *k, uint64_t now_ms);
/* Take one message. False: there is none. */
bool keeper_receive(struct keeper *k);
/* @pid has ended. True: it was the daemon, and start_at_ms says when the next one is due. */
bool keeper_reap(struct keeper *k, pid_t pid, uint64_t now_ms);
/* End the daemon in an orderly way, for another one to be started at once. */
void keeper_restart(struct keeper *k);

#endif /* XTM_STUBDOM_KEEPER_H */
