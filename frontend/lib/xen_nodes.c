/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/lib/xen_nodes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "protocol/tmemif.h"
#include "xenstore-schema/states.h"
#include "xenstore-schema/value.h"

/* Conflicts of transactions, and watch events, that are taken before giving up for now. */
#define MAX_TRIES  16u
#define MAX_EVENTS 64u

/* The bytes of a node, malloc'd; NULL: absent or not to be read. */
static char *read_node(const struct xen_nodes *n, enum schema_node node, unsigned *len_out)
{
    char path[SCHEMA_PATH_LEN];

    schema_path(path, &n->place, node, 0);
    return xs_read(n->xs, XBT_NULL, path, len_out);
}

bool xen_nodes_number(const struct xen_nodes *n, enum schema_node node, uint32_t *value_out)
{
    unsigned len = 0;
    char *bytes = read_node(n, node, &len);
    uint64_t value = 0;
    enum schema_fault fault = schema_parse_number(node, bytes, len, &value);

    free(bytes);
    if (fault || value > UINT32_MAX)
        return false;
    *value_out = (uint32_t)value;
    return true;
}

/* Did xs_read() fail because of the node, and not because xenstore is out of reach for now? */
static bool node_is_absent(void)
{
    return errno == ENOENT || errno == EACCES;
}

bool xen_nodes_backend_state(const struct xen_nodes *n, uint32_t *state_out)
{
    unsigned len = 0;
    char *bytes = read_node(n, SCHEMA_BACKEND_STATE, &len);
    uint64_t state = XENBUS_UNKNOWN;

    if (!bytes && !node_is_absent())
        return false;
    if (schema_parse_number(SCHEMA_BACKEND_STATE, bytes, len, &state))
        state = XENBUS_GARBAGE;
    free(bytes);
    *state_out = (uint32_t)state;
    return true;
}

bool xen_nodes_has_version(const struct xen_nodes *n, uint32_t version)
{
    unsigned len = 0;
    char *bytes = read_node(n, SCHEMA_BACKEND_VERSIONS, &len);
    bool has = bytes && schema_has_version(bytes, len, version);

    free(bytes);
    return has;
}

void xen_nodes_reason(const struct xen_nodes *n, char reason_out[XEN_NODES_REASON_LEN])
{
    unsigned len = 0;
    char *bytes = read_node(n, SCHEMA_BACKEND_ERROR, &len);

    reason_out[0] = '\0';
    if (bytes && len < XEN_NODES_REASON_LEN &&
        schema_check_text(SCHEMA_BACKEND_ERROR, bytes, len) == SCHEMA_FINE) {
        memcpy(reason_out, bytes, len);
        reason_out[len] = '\0';
    }
    free(bytes);
}

/* ---- opening ---- */

/* Our own domid: every home has it. */
static bool read_domid(struct xs_handle *xs, uint32_t *domid_out)
{
    unsigned len = 0;
    char *bytes = xs_read(xs, XBT_NULL, "domid", &len);
    uint64_t domid = 0;
    bool ok = bytes && schema_scan_number(bytes, len, &domid) && domid < 0x7ff0;

    free(bytes);
    *domid_out = (uint32_t)domid;
    return ok;
}

int xen_nodes_open(struct xen_nodes *n, uint32_t device, const struct log_to *log)
{
    int error;

    *n = (struct xen_nodes){.log = *log, .place.device = device};
    n->xs = xs_open(0);
    if (!n->xs) {
        error = errno;
        log_say(log, "xenstore cannot be reached: %s%s", strerror(error),
                error == ENOENT ? "; is this a Xen guest?" : "");
        return error == EACCES || error == EPERM ? EACCES : ENODEV;
    }
    if (!read_domid(n->xs, &n->place.guest)) {
        log_say(log, "xenstore does not say which domain this is");
        error = ENODEV;
    } else if (!xen_nodes_number(n, SCHEMA_FRONTEND_BACKEND_ID, &n->place.manager)) {
        log_say(log, "this guest has no device/tmem/%u: `xentmem attach` in dom0 makes it", device);
        error = ENODEV;
    } else {
        return 0;
    }
    xen_nodes_close(n, false);
    return error;
}

void xen_nodes_close(struct xen_nodes *n, bool forked)
{
    if (!n->xs)
        return;
    if (forked)
        xs_daemon_destroy_postfork(n->xs);
    else
        xs_close(n->xs);
    n->xs = NULL;
}

bool xen_nodes_are_ours(const struct xen_nodes *n)
{
    unsigned len = 0;
    char *bytes = read_node(n, SCHEMA_FRONTEND_BACKEND_ID, &len);
    uint64_t manager = UINT64_MAX;

    if (!bytes && !node_is_absent())
        return true;
    schema_parse_number(SCHEMA_FRONTEND_BACKEND_ID, bytes, len, &manager);
    free(bytes);
    return manager == n->place.manager;
}

/* ---- writing ---- */

static bool write_text(const struct xen_nodes *n, xs_transaction_t t, enum schema_node node,
                       uint32_t number, const char *text)
{
    char path[SCHEMA_PATH_LEN];

    schema_path(path, &n->place, node, number);
    return xs_write(n->xs, t, path, text, (unsigned)strlen(text));
}

static bool write_number(const struct xen_nodes *n, xs_transaction_t t, enum schema_node node,
                         uint32_t number, uint32_t value)
{
    char text[SCHEMA_NUMBER_LEN];

    schema_format_number(text, value);
    return write_text(n, t, node, number, text);
}

bool xen_nodes_set_state(const struct xen_nodes *n, uint32_t state)
{
    return write_number(n, XBT_NULL, SCHEMA_FRONTEND_STATE, 0, state);
}

static bool write_ring(const struct xen_nodes *n, xs_transaction_t t, const struct xen_offer *offer,
                       uint32_t ring)
{
    char text[(SCHEMA_NUMBER_LEN + 1) << TMEMIF_MAX_RING_PAGE_ORDER] = "";
    uint32_t nr_pages = 1u << offer->ring_page_order;

    for (uint32_t i = 0; i < nr_pages; i++) {
        char ref[SCHEMA_NUMBER_LEN];

        schema_format_number(ref, offer->ring_refs[ring * nr_pages + i]);
        if (i > 0)
            strcat(text, " ");
        strcat(text, ref);
    }
    return write_text(n, t, SCHEMA_FRONTEND_RING_REF, ring, text) &&
           write_number(n, t, SCHEMA_FRONTEND_CHANNEL, ring, offer->ports[ring]);
}

static bool write_offer(const struct xen_nodes *n, xs_transaction_t t,
                        const struct xen_offer *offer)
{
    bool ok = write_number(n, t, SCHEMA_FRONTEND_VERSION, 0, TMEMIF_VERSION_1) &&
              write_number(n, t, SCHEMA_FRONTEND_NUM_RINGS, 0, offer->nr_rings) &&
              write_number(n, t, SCHEMA_FRONTEND_ORDER, 0, offer->ring_page_order) &&
              write_number(n, t, SCHEMA_FRONTEND_DATA_PAGES, 0, offer->nr_data_pages) &&
              write_number(n, t, SCHEMA_FRONTEND_FENCE, 0, offer->fence_ms);

    for (uint32_t i = 0; ok && i < offer->nr_rings; i++)
        ok = write_ring(n, t, offer, i);
    for (uint32_t i = 0; ok && i < offer->nr_directory; i++)
        ok = write_number(n, t, SCHEMA_FRONTEND_DATA_REF, i, offer->directory_refs[i]);
    return ok && write_number(n, t, SCHEMA_FRONTEND_STATE, 0, XENBUS_INITIALISED);
}

bool xen_nodes_publish(const struct xen_nodes *n, const struct xen_offer *offer)
{
    for (unsigned tries = 0; tries < MAX_TRIES; tries++) {
        xs_transaction_t t = xs_transaction_start(n->xs);
        bool ok;

        if (t == XBT_NULL)
            return false;
        ok = write_offer(n, t, offer);
        if (xs_transaction_end(n->xs, t, !ok))
            return ok;
        if (errno != EAGAIN)
            return false;
    }
    errno = EAGAIN;
    return false;
}

/* ---- watching ---- */

static bool watch(const struct xen_nodes *n, enum schema_node node)
{
    char path[SCHEMA_PATH_LEN];

    schema_path(path, &n->place, node, 0);
    return xs_watch(n->xs, path, "xentmem");
}

bool xen_nodes_watch(const struct xen_nodes *n)
{
    return watch(n, SCHEMA_BACKEND_STATE) && watch(n, SCHEMA_BACKEND_EPOCH) &&
           watch(n, SCHEMA_FRONTEND_BACKEND_ID);
}

int xen_nodes_fd(const struct xen_nodes *n)
{
    return xs_fileno(n->xs);
}

void xen_nodes_drain(const struct xen_nodes *n)
{
    for (unsigned i = 0; i < MAX_EVENTS; i++) {
        char **event = xs_check_watch(n->xs);

        if (!event)
            return;
        free(event);
    }
}
