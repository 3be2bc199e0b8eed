/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk_front.h - a frontend of a disk made by hand, over handshake.h and xen/io/blkif.h. One queue,
 * a ring of one page, pages that stay granted; the stock driver must not be there.
 */
#ifndef TESTS_HOSTILE_DISK_FRONT_H
#define TESTS_HOSTILE_DISK_FRONT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <xen/io/blkif.h> /* types; the macros of its rings are not strict C */

#include "protocol/tmemif.h"
#include "tests/xen/hostile/handshake.h"

#define DISK_FRONT_SLOTS 32u /* of the ring */

/* A slot: one of these, by the operation, which all have first. */
union disk_request {
    struct blkif_request direct;
    struct blkif_request_discard discard;
    struct blkif_request_indirect indirect;
};

/* What an answer is to say of its request. */
struct disk_front_echo {
    uint64_t id;
    uint8_t operation;
};

struct disk_front {
    struct handshake handshake;
    evtchn_port_t port; /* 0: it was closed */
    uint32_t ring_ref;
    struct blkif_sring *shared; /* NULL: nothing is */
    uint32_t req_prod, rsp_cons;
    struct disk_front_echo echoes[DISK_FRONT_SLOTS]; /* where the manager cannot write */
    uint64_t nr_sectors;                             /* of the disk, as the backend says */
    uint32_t nr_pages;
    uint32_t *refs;                     /* of them */
    uint8_t (*pages)[TMEMIF_PAGE_SIZE]; /* data; only what requests name is ever looked at */
};

/* Of the disk with number @vdev; nothing is shared yet. */
void disk_front_open(struct disk_front *f, uint32_t vdev);
/* Make and grant a ring and @nr_pages pages of data. */
void disk_front_share(struct disk_front *f, uint32_t nr_pages);
/* Write the nodes of a well-behaved frontend. */
void disk_front_publish(struct disk_front *f);
/* All of it: connected. False: the backend refused. */
bool disk_front_attach(struct disk_front *f, uint32_t nr_pages);
/* Good-bye, as it should be; everything is given back. */
void disk_front_leave(struct disk_front *f);

/* The next slot is @request; it is published by disk_front_send(). */
void disk_front_put(struct disk_front *f, const union disk_request *request);
/* The same for whole pages: @page of the disk and on, by @nr of data from @data on. */
void disk_front_put_pages(struct disk_front *f, uint8_t op, uint64_t page, uint32_t data,
                          uint32_t nr);
/* Publish them, and notify if the backend asks for it. */
void disk_front_send(struct disk_front *f);
void disk_front_notify(struct disk_front *f);
/* Close the channel, and nothing else. */
void disk_front_close_port(struct disk_front *f);

/* None came in time, or one of another request. */
#define DISK_FRONT_NONE INT_MIN
/* The next answer's status. Answers come in the order of requests, as a queue of ours gives them.
 */
int disk_front_take(struct disk_front *f);
/* All that are under way: the lowest status of them, so BLKIF_RSP_OKAY if each was. */
int disk_front_drain(struct disk_front *f);

/* One request and its answer. */
int disk_front_call(struct disk_front *f, uint8_t op, uint64_t page, uint32_t data, uint32_t nr);
int disk_front_call_request(struct disk_front *f, const union disk_request *request);

#endif /* TESTS_HOSTILE_DISK_FRONT_H */
