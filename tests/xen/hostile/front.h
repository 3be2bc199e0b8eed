/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * front.h - a frontend of pools made by hand, over handshake.h. One ring of one page, one directory
 * page.
 */
#ifndef TESTS_HOSTILE_FRONT_H
#define TESTS_HOSTILE_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/ring.h"
#include "tests/xen/hostile/handshake.h"

#define FRONT_DATA_PAGES 8u

struct front {
    struct handshake handshake;
    evtchn_port_t port;
    uint32_t ring_ref, directory_ref;
    uint32_t nr_data_pages;
    void *ring_page;
    uint32_t *directory;
    uint8_t *data;
    struct ring_front ring;
};

/* Of device 0; nothing is shared yet. */
void front_open(struct front *f);
/* Make and grant everything. */
void front_share(struct front *f, uint32_t nr_data_pages);
/* Write the nodes of a well-behaved frontend. */
void front_publish(struct front *f);

/* All of it: attached. False: the backend refused. */
bool front_attach(struct front *f);
/* Good-bye, as it should be; everything is given back. */
void front_leave(struct front *f);

void front_notify(struct front *f);
/* One request and its answer: the status, or -1 if none came in time. */
int front_call(struct front *f, const struct tmemif_request *request, struct tmemif_response *rsp);
int front_nop(struct front *f);

#endif /* TESTS_HOSTILE_FRONT_H */
