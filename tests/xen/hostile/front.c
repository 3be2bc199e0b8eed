/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/xen/hostile/front.h"

#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const struct handshake_kind kind = {
    .state = SCHEMA_FRONTEND_STATE,
    .backend = SCHEMA_FRONTEND_BACKEND,
    .backend_state = SCHEMA_BACKEND_STATE,
    .backend_error = SCHEMA_BACKEND_ERROR,
};

void front_open(struct front *f)
{
    *f = (struct front){.nr_data_pages = 0};
    handshake_open(&f->handshake, &kind, 0);
}

/* ---- the handshake ---- */

void front_share(struct front *f, uint32_t nr_data_pages)
{
    uint32_t *refs = calloc(nr_data_pages, sizeof(*refs));
    xenevtchn_port_or_error_t port =
        xenevtchn_bind_unbound_port(f->handshake.channels, f->handshake.place.manager);

    if (port < 0)
        hostile_give_up("event channel");
    f->port = (evtchn_port_t)port;
    f->nr_data_pages = nr_data_pages;
    f->ring_page =
        xengntshr_share_page_notify(f->handshake.grants, f->handshake.place.manager, &f->ring_ref,
                                    1, offsetof(struct tmemif_ring, front_alive), f->port);
    if (!f->ring_page || !refs)
        hostile_give_up("grant of the ring");
    f->data = xengntshr_share_pages(f->handshake.grants, f->handshake.place.manager,
                                    (int)nr_data_pages, refs, 1);
    f->directory = xengntshr_share_pages(f->handshake.grants, f->handshake.place.manager, 1,
                                         &f->directory_ref, 1);
    if (!f->data || !f->directory)
        hostile_give_up("grant of the data area");
    memset(f->ring_page, 0, TMEMIF_PAGE_SIZE);
    memcpy(f->directory, refs, (nr_data_pages < 1024 ? nr_data_pages : 1024) * sizeof(*refs));
    free(refs);
    ring_front_init(&f->ring, f->ring_page, 0, hostile_now_ms() * 1000003u + (uint64_t)f->ring_ref);
}

void front_publish(struct front *f)
{
    handshake_write_number(&f->handshake, SCHEMA_FRONTEND_VERSION, TMEMIF_VERSION_1);
    handshake_write_number(&f->handshake, SCHEMA_FRONTEND_NUM_RINGS, 1);
    handshake_write_number(&f->handshake, SCHEMA_FRONTEND_ORDER, 0);
    handshake_write_number(&f->handshake, SCHEMA_FRONTEND_RING_REF, f->ring_ref);
    handshake_write_number(&f->handshake, SCHEMA_FRONTEND_CHANNEL, f->port);
    handshake_write_number(&f->handshake, SCHEMA_FRONTEND_DATA_PAGES, f->nr_data_pages);
    handshake_write_number(&f->handshake, SCHEMA_FRONTEND_DATA_REF, f->directory_ref);
    handshake_write_number(&f->handshake, SCHEMA_FRONTEND_FENCE, 0);
}

static void unshare(struct front *f)
{
    if (f->ring_page)
        xengntshr_unshare(f->handshake.grants, f->ring_page, 1);
    if (f->data)
        xengntshr_unshare(f->handshake.grants, f->data, f->nr_data_pages);
    if (f->directory)
        xengntshr_unshare(f->handshake.grants, f->directory, 1);
    if (f->port)
        xenevtchn_unbind(f->handshake.channels, f->port);
    f->ring_page = NULL;
    f->data = NULL;
    f->directory = NULL;
    f->port = 0;
}

bool front_attach(struct front *f)
{
    handshake_begin(&f->handshake);
    front_share(f, FRONT_DATA_PAGES);
    front_publish(f);
    return handshake_connect(&f->handshake);
}

void front_leave(struct front *f)
{
    if (f->ring_page)
        ring_front_leave((struct tmemif_ring *)f->ring_page);
    handshake_state(&f->handshake, XENBUS_CLOSING);
    handshake_wait(&f->handshake, STATE_BIT(XENBUS_CLOSED) | STATE_BIT(XENBUS_UNKNOWN),
                   PATIENCE_MS);
    unshare(f);
    handshake_state(&f->handshake, XENBUS_CLOSED);
}

/* ---- requests ---- */

void front_notify(struct front *f)
{
    xenevtchn_notify(f->handshake.channels, f->port);
}

int front_call(struct front *f, const struct tmemif_request *request, struct tmemif_response *rsp)
{
    uint64_t until = hostile_now_ms() + PATIENCE_MS;
    bool bad;

    ring_front_put(&f->ring, request);
    if (ring_front_publish(&f->ring))
        front_notify(f);
    while (ring_front_ready(&f->ring, &bad) == 0) {
        if (bad || hostile_now_ms() > until)
            return -1;
        poll(NULL, 0, 1);
    }
    *rsp = ring_front_take(&f->ring);
    return rsp->status;
}

int front_nop(struct front *f)
{
    const struct tmemif_request nop = {.op = TMEMIF_OP_NOP};
    struct tmemif_response rsp;

    return front_call(f, &nop, &rsp);
}
