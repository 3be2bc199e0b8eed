/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * port.h - what a guest does, whatever it stands on; and a guest's life.
 *
 * Statuses are enum tmemif_status, or -1 for no answer.
 */
#ifndef CONFORMANCE_PORT_H
#define CONFORMANCE_PORT_H

#include <stddef.h>

#include "tests/conformance/harness.h"

struct port;

struct port_ops {
    int (*create)(struct port *p, uint32_t flags, uint32_t *pool_out);
    int (*join)(struct port *p, const uint8_t *uuid, uint32_t flags, uint32_t *pool_out);
    int (*leave)(struct port *p, uint32_t pool);
    int (*destroy)(struct port *p, uint32_t pool);
    int (*reset)(struct port *p);
    int (*info)(struct port *p, uint32_t pool, struct tmemif_pool_info *info_out);
    /* @lease may be NULL; @bad: the page cannot be read */
    int (*put)(struct port *p, uint32_t pool, const uint64_t *object, uint32_t index,
               const void *page, const struct tmemif_lease *lease, bool bad);
    /* @lease_out may be NULL; @bad: the page cannot be written */
    int (*get)(struct port *p, uint32_t pool, const uint64_t *object, uint32_t index,
               void *page_out, struct tmemif_lease *lease_out, bool *leased_out, bool bad);
    int (*flush)(struct port *p, uint32_t pool, const uint64_t *object, uint32_t index);
    int (*flush_range)(struct port *p, uint32_t pool, const uint64_t *object, uint32_t first,
                       uint32_t last, bool whole_object);
    /* Put, put, get, flush, get, put of one handle, all in flight at once; returns the number of
     * outcomes that ring order does not explain. NULL: nothing is ever in flight. */
    int (*order)(struct port *p, uint32_t pool, const uint64_t *object, uint32_t index);
    /* ACT_FILL and ACT_SCAN, many pages to a request. NULL: a page at a time. */
    void (*bulk)(struct port *p, struct call *call);
    /* A put and a get whose copies of the guest's page are counted; returns how many things were
     * not as they must be. NULL: copies cannot be counted here. */
    int (*copies)(struct port *p, uint32_t pool, const uint64_t *object);
    /* The data area shared with the manager. NULL: nothing is shared. */
    void *(*shared)(struct port *p, size_t *bytes_out);
    /* The same guest for a second thread. */
    struct port *(*sibling)(struct port *p);
};

struct port {
    const struct port_ops *ops;
};

/* The part of ACT_FILL and ACT_SCAN that is the same everywhere: one page's outcome. */
void guest_count_put(struct call *call, int status);
void guest_count_get(struct call *call, int status, uint32_t tag, uint32_t want);

/* Do what @call says and fill in what comes out. */
void guest_do(struct port *p, struct call *call);

/* A port on libxentmem. NULL: *why_out says why. */
struct port *port_open_lib(const char *where, const char **why_out);
void port_close_lib(struct port *p);

#endif /* CONFORMANCE_PORT_H */
