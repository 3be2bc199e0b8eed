/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handshake.h - a frontend's half of the xenbus handshake, made by hand: every node and every state
 * by itself, so that each can be done wrong.
 *
 * What a well-behaved guest needs must work here; it stops the program.
 */
#ifndef TESTS_HOSTILE_HANDSHAKE_H
#define TESTS_HOSTILE_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

#include "xenstore-schema/nodes.h"
#include "xenstore-schema/states.h"

/* An emulated machine with other things to do. */
#define PATIENCE_MS 60000u

/* Which nodes a kind of device has. */
struct handshake_kind {
    enum schema_node state, backend;               /* the frontend's */
    enum schema_node backend_state, backend_error; /* the backend's */
};

struct handshake {
    const struct handshake_kind *kind;
    struct xs_handle *xs;
    struct schema_place place;
    xengntshr_handle *grants;
    xenevtchn_handle *channels;
};

/* Print what is missing and stop. */
_Noreturn void hostile_give_up(const char *what);
uint64_t hostile_now_ms(void);

/* Of device @device; nothing is shared yet. */
void handshake_open(struct handshake *h, const struct handshake_kind *kind, uint32_t device);
/* Begin anew: Initialising, and wait until the backend offers. */
void handshake_begin(struct handshake *h);

/* A node of ours, with any bytes. */
void handshake_write(struct handshake *h, enum schema_node node, const void *value, unsigned len);
void handshake_write_text(struct handshake *h, enum schema_node node, const char *text);
void handshake_write_number(struct handshake *h, enum schema_node node, uint64_t number);
/* Any node, ours or the backend's, as a number. */
bool handshake_read_number(struct handshake *h, enum schema_node node, uint64_t *number_out);
void handshake_remove(struct handshake *h, enum schema_node node);
void handshake_state(struct handshake *h, unsigned state);

/* The backend's state when it is one of the set @wanted (bit n: state n), or after @ms. */
unsigned handshake_wait(struct handshake *h, unsigned wanted, unsigned ms);
#define STATE_BIT(n) (1u << (n))
/* Initialised, then what the backend says to it. True: both are connected. */
bool handshake_connect(struct handshake *h);
/* The backend's reason, "" if there is none; static storage. */
const char *handshake_error(struct handshake *h);
/* Has the backend closed, for a reason with @reason in it? Says so, as @item. */
bool handshake_is_closed_for(struct handshake *h, const char *item, const char *reason);

#endif /* TESTS_HOSTILE_HANDSHAKE_H */
