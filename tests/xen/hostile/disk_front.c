/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/xen/hostile/disk_front.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct handshake_kind kind = {
    .state = SCHEMA_VBDFRONT_STATE,
    .backend = SCHEMA_VBDFRONT_BACKEND,
    .backend_state = SCHEMA_VBD_STATE,
    .backend_error = SCHEMA_VBD_ERROR,
};

void disk_front_open(struct disk_front *f, uint32_t vdev)
{
    *f = (struct disk_front){.nr_pages = 0};
    handshake_open(&f->handshake, &kind, vdev);
}

void disk_front_share(struct disk_front *f, uint32_t nr_pages)
{
    struct handshake *h = &f->handshake;
    xenevtchn_port_or_error_t port = xenevtchn_bind_unbound_port(h->channels, h->place.manager);

    if (port < 0)
        hostile_give_up("event channel");
    f->port = (evtchn_port_t)port;
    f->nr_pages = nr_pages;
    f->refs = calloc(nr_pages, sizeof(*f->refs));
    f->shared = xengntshr_share_pages(h->grants, h->place.manager, 1, &f->ring_ref, 1);
    if (!f->refs || !f->shared)
        hostile_give_up("grant of the ring");
    f->pages = xengntshr_share_pages(h->grants, h->place.manager, (int)nr_pages, f->refs, 1);
    if (!f->pages)
        hostile_give_up("grant of the data");
    memset(f->shared, 0, TMEMIF_PAGE_SIZE);
    f->shared->req_event = f->shared->rsp_event = 1;
    f->req_prod = f->rsp_cons = 0;
}

void disk_front_publish(struct disk_front *f)
{
    struct handshake *h = &f->handshake;

    handshake_write_text(h, SCHEMA_VBDFRONT_PROTOCOL, "x86_64-abi");
    handshake_write_number(h, SCHEMA_VBDFRONT_PERSISTENT, 1);
    handshake_write_number(h, SCHEMA_VBDFRONT_ORDER, 0);
    handshake_write_number(h, SCHEMA_VBDFRONT_QUEUES, 1);
    handshake_write_number(h, SCHEMA_VBDFRONT_REF, f->ring_ref);
    handshake_write_number(h, SCHEMA_VBDFRONT_CHANNEL, f->port);
}

bool disk_front_attach(struct disk_front *f, uint32_t nr_pages)
{
    handshake_begin(&f->handshake);
    disk_front_share(f, nr_pages);
    disk_front_publish(f);
    return handshake_connect(&f->handshake) &&
           handshake_read_number(&f->handshake, SCHEMA_VBD_SECTORS, &f->nr_sectors);
}

static void unshare(struct disk_front *f)
{
    if (!f->shared)
        return;
    xengntshr_unshare(f->handshake.grants, f->shared, 1);
    xengntshr_unshare(f->handshake.grants, f->pages, f->nr_pages);
    disk_front_close_port(f);
    free(f->refs);
    f->shared = NULL;
}

void disk_front_leave(struct disk_front *f)
{
    handshake_state(&f->handshake, XENBUS_CLOSING);
    handshake_wait(&f->handshake, STATE_BIT(XENBUS_CLOSING) | STATE_BIT(XENBUS_CLOSED),
                   PATIENCE_MS);
    handshake_state(&f->handshake, XENBUS_CLOSED);
    if (handshake_wait(&f->handshake, STATE_BIT(XENBUS_CLOSED), PATIENCE_MS) != XENBUS_CLOSED)
        hostile_give_up("the backend does not close");
    unshare(f);
}

/* ---- requests ---- */

static union blkif_sring_entry *slot_of(struct disk_front *f, uint32_t number)
{
    return &f->shared->ring[number % DISK_FRONT_SLOTS];
}

static struct disk_front_echo echo_of(const union disk_request *request)
{
    struct disk_front_echo echo = {request->direct.id, request->direct.operation};

    if (echo.operation == BLKIF_OP_INDIRECT)
        echo.operation = request->indirect.indirect_op;
    return echo;
}

void disk_front_put(struct disk_front *f, const union disk_request *request)
{
    f->echoes[f->req_prod % DISK_FRONT_SLOTS] = echo_of(request);
    memcpy(slot_of(f, f->req_prod++), request, sizeof(*request));
}

void disk_front_put_pages(struct disk_front *f, uint8_t op, uint64_t page, uint32_t data,
                          uint32_t nr)
{
    union disk_request request = {.direct = {.operation = op,
                                             .nr_segments = (uint8_t)nr,
                                             .id = f->req_prod,
                                             .sector_number = page * 8}};

    for (uint32_t i = 0; i < nr; i++)
        request.direct.seg[i] =
            (struct blkif_request_segment){.gref = f->refs[data + i], .last_sect = 7};
    disk_front_put(f, &request);
}

void disk_front_notify(struct disk_front *f)
{
    xenevtchn_notify(f->handshake.channels, f->port);
}

void disk_front_send(struct disk_front *f)
{
    uint32_t before = f->shared->req_prod;

    __atomic_store_n(&f->shared->req_prod, f->req_prod, __ATOMIC_SEQ_CST);
    if (f->req_prod - __atomic_load_n(&f->shared->req_event, __ATOMIC_SEQ_CST) <
        f->req_prod - before)
        disk_front_notify(f);
}

void disk_front_close_port(struct disk_front *f)
{
    if (f->port)
        xenevtchn_unbind(f->handshake.channels, f->port);
    f->port = 0;
}

/* ---- answers ---- */

static uint32_t nr_under_way(const struct disk_front *f)
{
    return f->req_prod - f->rsp_cons;
}

static bool wait_for_answer(struct disk_front *f)
{
    uint64_t until = hostile_now_ms() + PATIENCE_MS;
    uint32_t nr;

    while ((nr = __atomic_load_n(&f->shared->rsp_prod, __ATOMIC_ACQUIRE) - f->rsp_cons) == 0) {
        if (hostile_now_ms() > until) {
            printf("no answer to request %u\n", f->rsp_cons);
            return false;
        }
        poll(NULL, 0, 1);
    }
    if (nr > nr_under_way(f))
        printf("%u answers to %u requests\n", nr, nr_under_way(f));
    return nr <= nr_under_way(f);
}

int disk_front_take(struct disk_front *f)
{
    const struct disk_front_echo *echo = &f->echoes[f->rsp_cons % DISK_FRONT_SLOTS];
    struct blkif_response answer;

    if (!wait_for_answer(f))
        return DISK_FRONT_NONE;
    answer = slot_of(f, f->rsp_cons++)->rsp;
    if (answer.id == echo->id && answer.operation == echo->operation)
        return answer.status;
    printf("operation %u, id %#llx is answered as operation %u, id %#llx\n", echo->operation,
           (unsigned long long)echo->id, answer.operation, (unsigned long long)answer.id);
    return DISK_FRONT_NONE;
}

int disk_front_drain(struct disk_front *f)
{
    int lowest = BLKIF_RSP_OKAY;

    while (nr_under_way(f) > 0 && lowest != DISK_FRONT_NONE) {
        int status = disk_front_take(f);

        lowest = status < lowest ? status : lowest;
    }
    return lowest;
}

int disk_front_call(struct disk_front *f, uint8_t op, uint64_t page, uint32_t data, uint32_t nr)
{
    disk_front_put_pages(f, op, page, data, nr);
    disk_front_send(f);
    return disk_front_take(f);
}

int disk_front_call_request(struct disk_front *f, const union disk_request *request)
{
    disk_front_put(f, request);
    disk_front_send(f);
    return disk_front_take(f);
}
