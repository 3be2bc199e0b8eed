/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * front.h - a frontend made by hand: every step of the handshake and every node by itself, so
 * that each can be done wrong. One ring of one page, one directory page.
 *
 * What a well-behaved guest needs must work here; it stops the program.
 */
#ifndef TESTS_HOSTILE_FRONT_H
#define TESTS_HOSTILE_FRONT_H

#include <stdbool.h>
#include <stdint.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

#include "protocol/ring.h"
#include "xenstore-schema/nodes.h"
#include "xenstore-schema/states.h"

#define FRONT_DATA_PAGES 8u

struct front {
    struct xs_handle *xs;
    struct schema_place place;
    xengntshr_handle *grants;
    xenevtchn_handle *channels;
    evtchn_port_t port;
    uint32_t ring_ref, directory_ref;
    uint32_t nr_data_pages;
    void *ring_page;
    uint32_t *directory;
    uint8_t *data;
    struct ring_front ring;
};

/* Print what is missing and stop. */
_Noreturn void front_give_up(const char *what);

/* Of device 0; nothing is shared yet. */
void front_open(struct front *f);
/* Begin anew: Initialising, and wait until the backend offers. */
void front_begin(struct front *f);
/* Make and grant everything. */
void front_share(struct front *f, uint32_t nr_data_pages);
/* Write the nodes of a well-behaved frontend. */
void front_publish(struct front *f);
/* A node of ours, with any bytes. */
void front_write(struct front *f, enum schema_node node, const void *value, unsigned len);
void front_write_text(struct front *f, enum schema_node node, const char *text);
void front_remove(struct front *f, enum schema_node node);
void front_state(struct front *f, unsigned state);

/* All of it: attached. False: the backend refused. */
bool front_attach(struct front *f);
/* Good-bye, as it should be; everything is given back. */
void front_leave(struct front *f);

/* The backend's state when it is one of the set @wanted (bit n: state n), or after @ms. */
unsigned front_wait(struct front *f, unsigned wanted, unsigned ms);
#define FRONT_STATE(n) (1u << (n))
/* The backend's reason, "" if there is none; static storage. */
const char *front_error(struct front *f);

void front_notify(struct front *f);
/* One request and its answer: the status, or -1 if none came in time. */
int front_call(struct front *f, const struct tmemif_request *request, struct tmemif_response *rsp);
int front_nop(struct front *f);

#endif /* TESTS_HOSTILE_FRONT_H */
