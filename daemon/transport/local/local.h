/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * local.h - the local transport: processes of this machine, over a Unix socket.
 *
 * The handshake is protocol/local.h. Everything here runs in the control
 * thread's loop, but for the links' notify and consume.
 */
#ifndef XTM_TRANSPORT_LOCAL_LOCAL_H
#define XTM_TRANSPORT_LOCAL_LOCAL_H

#include <stdint.h>
#include <sys/types.h>

#include "daemon/session/sessions.h"
#include "daemon/util/log.h"

struct event_base;
struct local_transport;

struct local_config {
    struct event_base *base;
    struct session_table *sessions;
    struct log *log;
    const char *path; /* of the socket; a stale one is replaced, one in use is not */
    mode_t mode;      /* of the socket: who may connect */
    uint32_t epoch;   /* incarnation of the manager */
};

/* NULL: *why_out is a sentence, static or strerror()'s. */
struct local_transport *local_transport_start(const struct local_config *config,
                                              const char **why_out);
/* Sessions of its clients end as SESSION_KEPT. NULL is nothing. */
void local_transport_stop(struct local_transport *t);

#endif /* XTM_TRANSPORT_LOCAL_LOCAL_H */
