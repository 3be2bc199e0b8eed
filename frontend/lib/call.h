/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * call.h - one request from the moment it has room until nobody needs it any more.
 *
 *    room_take() --> CALL_IDLE --> on a ring --> CALL_UNDER_WAY
 *                                                     |  answered: CALL_DONE, its owner's again
 *                                                     '- given up: CALL_ABANDONED, the ring's
 *                                                        until the answer comes after all
 *    room_give() <-- CALL_IDLE, CALL_DONE, or by the ring an abandoned one
 *
 * The pages of a call are the manager's to read and write until it answers,
 * so an abandoned call keeps them.
 */
#ifndef XENTMEM_LIB_CALL_H
#define XENTMEM_LIB_CALL_H

#include <stdint.h>

#include "frontend/include/xentmem.h"
#include "protocol/tmemif.h"

enum call_state {
    CALL_IDLE,
    CALL_UNDER_WAY,
    CALL_DONE,
    CALL_ABANDONED,
};

/* Data pages of a BATCH's elements, beside the call's own. Freed with the call. */
struct batch {
    uint32_t nr_pages;
    uint32_t pages[];
};

struct call {
    struct call *next; /* of the free ones, or of the finished asynchronous ones */
    enum call_state state;
    int error;                       /* DONE: 0, or the errno value that stands for an answer */
    struct tmemif_request request;   /* private copy, until answered */
    struct tmemif_response response; /* DONE: checked against the request */
    uint64_t deadline;
    struct xentmem_op *op; /* asynchronous: whose; NULL: a thread waits */
    struct batch *batch;
    uint32_t first_page, nr_pages; /* in the data area, side by side */
};

#endif /* XENTMEM_LIB_CALL_H */
