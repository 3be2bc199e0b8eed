/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer.h - a client of the local transport, made by hand over protocol/ alone.
 *
 * Every part of it is open, so that a test can do what a well-behaved library
 * never would. One thread.
 */
#ifndef TESTS_PEER_H
#define TESTS_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/local.h"
#include "protocol/ring.h"

struct peer {
    struct tmemif_local_hello hello;
    int memfd;
    uint8_t *memory;
    size_t bytes;
    int socket; /* -1: not connected */
    struct tmemif_local_welcome welcome;
    int channels[TMEMIF_LOCAL_MAX_RINGS];
    struct ring_front rings[TMEMIF_LOCAL_MAX_RINGS];
    uint8_t *data;
};

/* Memory and fresh rings, sealed; not connected. False: the system refuses. */
bool peer_init(struct peer *p, uint32_t device, uint32_t nr_rings, uint32_t order,
               uint32_t nr_data_pages);
void peer_fini(struct peer *p);

/* Connect and send the hello. The welcome's status; -1: no welcome came. */
int peer_attach(struct peer *p, const char *path);
/* The parts of it. */
int peer_connect(const char *path);
bool peer_send(int socket, const void *bytes, size_t length, const int *fds, unsigned nr_fds);
int peer_receive_welcome(struct peer *p);

/* Say good-bye and close the socket; memory and rings stay. */
void peer_leave(struct peer *p);
/* Close everything that the manager gave, without a good-bye. */
void peer_drop(struct peer *p);
/* True once the manager has closed the socket; waits for that a while. */
bool peer_is_thrown_out(struct peer *p);

/* Put a request on a ring, publish, notify if the backend asked for it. */
uint32_t peer_submit(struct peer *p, unsigned ring, const struct tmemif_request *request);
/* Notify the backend, whether it asked for it or not. */
void peer_ring_bell(struct peer *p, unsigned ring);
/* The next response. False: none came in time, or the ring is broken. */
bool peer_reap(struct peer *p, unsigned ring, struct tmemif_response *rsp_out);
/* Both. The status, or -1. */
int peer_call(struct peer *p, unsigned ring, const struct tmemif_request *request,
              struct tmemif_response *rsp_out);

/* Requests. @slot: page of the data area. */
struct tmemif_request peer_request(enum tmemif_op op, uint32_t pool);
struct tmemif_request peer_page(enum tmemif_op op, uint32_t pool, uint64_t object, uint32_t index,
                                uint32_t slot);
struct tmemif_request peer_range(uint32_t pool, uint64_t object, uint32_t first, uint32_t last);

/* A new private pool's id, or -1. */
int peer_create_pool(struct peer *p, uint32_t flags);
/* Put a page filled with @seed's pattern; get it and compare. The status, or -1; -2: other bytes.
 */
int peer_put(struct peer *p, uint32_t pool, uint64_t object, uint32_t index, uint32_t seed);
int peer_get(struct peer *p, uint32_t pool, uint64_t object, uint32_t index, uint32_t seed);
void peer_pattern(uint8_t *page, uint32_t seed);

/*
 * Ask the manager, as root, for its invariants (CHECK of control.h). False: they are wrong, and
 * that is printed, or there was no answer.
 */
bool peer_check_manager(const char *path);

#endif /* TESTS_PEER_H */
