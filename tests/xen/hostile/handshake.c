/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/xen/hostile/handshake.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "xenstore-schema/value.h"

void hostile_give_up(const char *what)
{
    printf("gives up: %s: %s\n", what, strerror(errno));
    exit(3);
}

uint64_t hostile_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- nodes ---- */

static char *read_text(struct handshake *h, enum schema_node node)
{
    char path[SCHEMA_PATH_LEN];
    unsigned len = 0;

    schema_path(path, &h->place, node, 0);
    return xs_read(h->xs, XBT_NULL, path, &len);
}

/* The domid in the path of the backend's folder: the manager's. */
static bool read_manager(struct handshake *h)
{
    char *folder = read_text(h, h->kind->backend);
    bool ok = folder && sscanf(folder, "/local/domain/%u/", &h->place.manager) == 1;

    free(folder);
    return ok;
}

void handshake_open(struct handshake *h, const struct handshake_kind *kind, uint32_t device)
{
    unsigned len = 0;
    uint64_t domid;
    char *own;

    *h = (struct handshake){.kind = kind, .xs = xs_open(0), .place.device = device};
    own = h->xs ? xs_read(h->xs, XBT_NULL, "domid", &len) : NULL;
    if (!own || !schema_scan_number(own, len, &domid))
        hostile_give_up("xenstore");
    free(own);
    h->place.guest = (uint32_t)domid;
    if (!read_manager(h))
        hostile_give_up("no such device");
    h->grants = xengntshr_open(NULL, 0);
    h->channels = xenevtchn_open(NULL, 0);
    if (!h->grants || !h->channels)
        hostile_give_up("drivers");
}

void handshake_write(struct handshake *h, enum schema_node node, const void *value, unsigned len)
{
    char path[SCHEMA_PATH_LEN];

    schema_path(path, &h->place, node, 0);
    if (!xs_write(h->xs, XBT_NULL, path, value, len))
        hostile_give_up(path);
}

void handshake_write_text(struct handshake *h, enum schema_node node, const char *text)
{
    handshake_write(h, node, text, (unsigned)strlen(text));
}

void handshake_write_number(struct handshake *h, enum schema_node node, uint64_t number)
{
    char text[SCHEMA_NUMBER_LEN];

    schema_format_number(text, number);
    handshake_write_text(h, node, text);
}

bool handshake_read_number(struct handshake *h, enum schema_node node, uint64_t *number_out)
{
    char *text = read_text(h, node);
    bool ok = text && schema_scan_number(text, strlen(text), number_out);

    free(text);
    return ok;
}

void handshake_remove(struct handshake *h, enum schema_node node)
{
    char path[SCHEMA_PATH_LEN];

    schema_path(path, &h->place, node, 0);
    if (!xs_rm(h->xs, XBT_NULL, path))
        hostile_give_up(path);
}

/* ---- states ---- */

void handshake_state(struct handshake *h, unsigned state)
{
    handshake_write_number(h, h->kind->state, state);
}

static unsigned backend_state(struct handshake *h)
{
    uint64_t state;

    if (!handshake_read_number(h, h->kind->backend_state, &state) || state > XENBUS_RECONFIGURED)
        return XENBUS_UNKNOWN;
    return (unsigned)state;
}

unsigned handshake_wait(struct handshake *h, unsigned wanted, unsigned ms)
{
    uint64_t until = hostile_now_ms() + ms;

    for (;;) {
        unsigned state = backend_state(h);

        if ((wanted & STATE_BIT(state)) || hostile_now_ms() > until)
            return state;
        poll(NULL, 0, 20);
    }
}

void handshake_begin(struct handshake *h)
{
    handshake_state(h, XENBUS_INITIALISING);
    if (handshake_wait(h, STATE_BIT(XENBUS_INIT_WAIT), PATIENCE_MS) != XENBUS_INIT_WAIT)
        hostile_give_up("the backend does not offer");
}

bool handshake_connect(struct handshake *h)
{
    unsigned state;

    handshake_state(h, XENBUS_INITIALISED);
    state = handshake_wait(h, STATE_BIT(XENBUS_CONNECTED) | STATE_BIT(XENBUS_CLOSED), PATIENCE_MS);
    if (state == XENBUS_CONNECTED)
        handshake_state(h, XENBUS_CONNECTED);
    return state == XENBUS_CONNECTED;
}

const char *handshake_error(struct handshake *h)
{
    static char error[SCHEMA_REASON_LEN];
    char *value = read_text(h, h->kind->backend_error);

    snprintf(error, sizeof(error), "%s", value ? value : "");
    free(value);
    return error;
}

bool handshake_is_closed_for(struct handshake *h, const char *item, const char *reason)
{
    unsigned state = handshake_wait(h, STATE_BIT(XENBUS_CLOSED), PATIENCE_MS);
    const char *error = handshake_error(h);

    printf("%s: backend state %u, error \"%s\"\n", item, state, error);
    return state == XENBUS_CLOSED && strstr(error, reason) != NULL;
}
