/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * notify.h - what the daemon says to whoever started and keeps it.
 *
 * sd_notify(3)'s datagrams to $NOTIFY_SOCKET, and descriptors that a keeper
 * hands back through LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID
 * (sd_listen_fds_with_names(3)). In dom0 the keeper is systemd, in the
 * stubdomain PID 1 speaks the same. Without a keeper everything succeeds and
 * does nothing.
 */
#ifndef XTM_UTIL_NOTIFY_H
#define XTM_UTIL_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>

struct notify {
    int fd; /* datagram socket connected to the keeper; -1: there is none */
};

/* False: $NOTIFY_SOCKET is set but cannot be reached; errno says why. */
bool notify_open(struct notify *n);
void notify_close(struct notify *n);

/* Lines of "KEY=value", '\n' between. False: the keeper did not take it; errno says why. */
bool notify_send(const struct notify *n, const char *lines);
/* Give the keeper a copy of @fd to keep under @name over our death; replaces none. */
bool notify_keep_fd(const struct notify *n, const char *name, int fd);
/* Let it drop all that it keeps under @name. */
bool notify_drop_fd(const struct notify *n, const char *name);

/*
 * Take what the keeper kept: for each of the @nr @names, fds_out[i] is the
 * descriptor of that name (close-on-exec, the caller's) or -1. Other
 * descriptors, and second ones of a name, are closed. To be called once, early:
 * the variables are removed from the environment. Returns how many were found.
 */
unsigned notify_take_fds(const char *const *names, unsigned nr, int *fds_out);

#endif /* XTM_UTIL_NOTIFY_H */
