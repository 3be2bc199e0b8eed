/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/xen/hostile/front.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "xenstore-schema/value.h"

/* An emulated machine with other things to do. */
#define PATIENCE_MS 60000u

void front_give_up(const char *what)
{
    printf("gives up: %s: %s\n", what, strerror(errno));
    exit(3);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- nodes ---- */

static bool read_number(struct front *f, const char *path, uint64_t *number_out)
{
    unsigned len = 0;
    char *value = xs_read(f->xs, XBT_NULL, path, &len);
    bool ok = value && schema_scan_number(value, len, number_out);

    free(value);
    return ok;
}

void front_open(struct front *f)
{
    char path[SCHEMA_PATH_LEN];
    uint64_t domid, manager;

    *f = (struct front){.xs = xs_open(0)};
    if (!f->xs || !read_number(f, "domid", &domid))
        front_give_up("xenstore");
    f->place.guest = (uint32_t)domid;
    schema_path(path, &f->place, SCHEMA_FRONTEND_BACKEND_ID, 0);
    if (!read_number(f, path, &manager))
        front_give_up("no device/tmem/0");
    f->place.manager = (uint32_t)manager;
    f->grants = xengntshr_open(NULL, 0);
    f->channels = xenevtchn_open(NULL, 0);
    if (!f->grants || !f->channels)
        front_give_up("drivers");
}

void front_write(struct front *f, enum schema_node node, const void *value, unsigned len)
{
    char path[SCHEMA_PATH_LEN];

    schema_path(path, &f->place, node, 0);
    if (!xs_write(f->xs, XBT_NULL, path, value, len))
        front_give_up(path);
}

void front_write_text(struct front *f, enum schema_node node, const char *text)
{
    front_write(f, node, text, (unsigned)strlen(text));
}

static void write_number(struct front *f, enum schema_node node, uint64_t number)
{
    char text[SCHEMA_NUMBER_LEN];

    schema_format_number(text, number);
    front_write_text(f, node, text);
}

void front_remove(struct front *f, enum schema_node node)
{
    char path[SCHEMA_PATH_LEN];

    schema_path(path, &f->place, node, 0);
    if (!xs_rm(f->xs, XBT_NULL, path))
        front_give_up(path);
}

void front_state(struct front *f, unsigned state)
{
    write_number(f, SCHEMA_FRONTEND_STATE, state);
}

unsigned front_wait(struct front *f, unsigned wanted, unsigned ms)
{
    uint64_t until = now_ms() + ms;
    char path[SCHEMA_PATH_LEN];

    schema_path(path, &f->place, SCHEMA_BACKEND_STATE, 0);
    for (;;) {
        uint64_t state = 0;

        if (!read_number(f, path, &state) || state > XENBUS_RECONFIGURED)
            state = 0;
        if ((wanted & FRONT_STATE(state)) || now_ms() > until)
            return (unsigned)state;
        poll(NULL, 0, 20);
    }
}

const char *front_error(struct front *f)
{
    static char error[SCHEMA_REASON_LEN];
    char path[SCHEMA_PATH_LEN];
    unsigned len = 0;
    char *value;

    schema_path(path, &f->place, SCHEMA_BACKEND_ERROR, 0);
    value = xs_read(f->xs, XBT_NULL, path, &len);
    snprintf(error, sizeof(error), "%s", value ? value : "");
    free(value);
    return error;
}

/* ---- the handshake ---- */

void front_begin(struct front *f)
{
    front_state(f, XENBUS_INITIALISING);
    if (front_wait(f, FRONT_STATE(XENBUS_INIT_WAIT), PATIENCE_MS) != XENBUS_INIT_WAIT)
        front_give_up("the backend does not offer");
}

void front_share(struct front *f, uint32_t nr_data_pages)
{
    uint32_t *refs = calloc(nr_data_pages, sizeof(*refs));
    xenevtchn_port_or_error_t port = xenevtchn_bind_unbound_port(f->channels, f->place.manager);

    if (port < 0)
        front_give_up("event channel");
    f->port = (evtchn_port_t)port;
    f->nr_data_pages = nr_data_pages;
    f->ring_page = xengntshr_share_page_notify(f->grants, f->place.manager, &f->ring_ref, 1,
                                               offsetof(struct tmemif_ring, front_alive), f->port);
    if (!f->ring_page || !refs)
        front_give_up("grant of the ring");
    f->data = xengntshr_share_pages(f->grants, f->place.manager, (int)nr_data_pages, refs, 1);
    f->directory = xengntshr_share_pages(f->grants, f->place.manager, 1, &f->directory_ref, 1);
    if (!f->data || !f->directory)
        front_give_up("grant of the data area");
    memset(f->ring_page, 0, TMEMIF_PAGE_SIZE);
    memcpy(f->directory, refs, (nr_data_pages < 1024 ? nr_data_pages : 1024) * sizeof(*refs));
    free(refs);
    ring_front_init(&f->ring, f->ring_page, 0, now_ms() * 1000003u + (uint64_t)f->ring_ref);
}

void front_publish(struct front *f)
{
    write_number(f, SCHEMA_FRONTEND_VERSION, TMEMIF_VERSION_1);
    write_number(f, SCHEMA_FRONTEND_NUM_RINGS, 1);
    write_number(f, SCHEMA_FRONTEND_ORDER, 0);
    write_number(f, SCHEMA_FRONTEND_RING_REF, f->ring_ref);
    write_number(f, SCHEMA_FRONTEND_CHANNEL, f->port);
    write_number(f, SCHEMA_FRONTEND_DATA_PAGES, f->nr_data_pages);
    write_number(f, SCHEMA_FRONTEND_DATA_REF, f->directory_ref);
    write_number(f, SCHEMA_FRONTEND_FENCE, 0);
}

static void unshare(struct front *f)
{
    if (f->ring_page)
        xengntshr_unshare(f->grants, f->ring_page, 1);
    if (f->data)
        xengntshr_unshare(f->grants, f->data, f->nr_data_pages);
    if (f->directory)
        xengntshr_unshare(f->grants, f->directory, 1);
    if (f->port)
        xenevtchn_unbind(f->channels, f->port);
    f->ring_page = NULL;
    f->data = NULL;
    f->directory = NULL;
    f->port = 0;
}

bool front_attach(struct front *f)
{
    unsigned state;

    front_begin(f);
    front_share(f, FRONT_DATA_PAGES);
    front_publish(f);
    front_state(f, XENBUS_INITIALISED);
    state = front_wait(f, FRONT_STATE(XENBUS_CONNECTED) | FRONT_STATE(XENBUS_CLOSED), PATIENCE_MS);
    if (state == XENBUS_CONNECTED)
        front_state(f, XENBUS_CONNECTED);
    return state == XENBUS_CONNECTED;
}

void front_leave(struct front *f)
{
    if (f->ring_page)
        ring_front_leave((struct tmemif_ring *)f->ring_page);
    front_state(f, XENBUS_CLOSING);
    front_wait(f, FRONT_STATE(XENBUS_CLOSED) | FRONT_STATE(XENBUS_UNKNOWN), PATIENCE_MS);
    unshare(f);
    front_state(f, XENBUS_CLOSED);
}

/* ---- requests ---- */

void front_notify(struct front *f)
{
    xenevtchn_notify(f->channels, f->port);
}

int front_call(struct front *f, const struct tmemif_request *request, struct tmemif_response *rsp)
{
    uint64_t until = now_ms() + PATIENCE_MS;
    bool bad;

    ring_front_put(&f->ring, request);
    if (ring_front_publish(&f->ring))
        front_notify(f);
    while (ring_front_ready(&f->ring, &bad) == 0) {
        if (bad || now_ms() > until)
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
