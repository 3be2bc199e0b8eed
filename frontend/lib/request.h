/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request.h - from what the user asks for to a request on the wire, and the ring it goes on. */
#ifndef XENTMEM_LIB_REQUEST_H
#define XENTMEM_LIB_REQUEST_H

#include <stdbool.h>

#include "frontend/include/xentmem.h"
#include "frontend/lib/handle.h"
#include "frontend/lib/ring.h"
#include "protocol/control.h"

/* Data pages of an operator's message: the reply is behind it, as a manager that is restarted reads
 * the message again. */
#define REQUEST_CONTROL_PAGES ((TMEMCTL_MAX_MESSAGE + TMEMCTL_MAX_REPLY) / TMEMIF_PAGE_SIZE)

/* Does the operation move a page, so that it needs one of the data area? */
static inline bool op_moves_page(const struct xentmem_op *op)
{
    return op->kind == XENTMEM_PUT || op->kind == XENTMEM_GET;
}

/* Kind, flags, page pointer and range. */
bool op_is_valid(const struct xentmem_op *op);

/* @page: of the data area, if the operation moves one. */
void request_from_op(const struct xentmem_op *op, uint32_t page,
                     struct tmemif_request *request_out);

/* @nr_bytes in the data area at @offset. */
struct tmemif_data request_data(uint64_t offset, uint32_t nr_bytes);

/* Status and lease from a valid answer. The page of a hit is the caller's to copy. */
void op_set_answer(struct xentmem_op *op, const struct tmemif_response *response);
void op_set_error(struct xentmem_op *op, int error);

/* Operations on one object share a ring, so they keep their order. */
struct ring *request_ring(const struct xentmem *t, uint32_t pool,
                          const struct xentmem_object *object);

/*
 * A call with room, its deadline set, waiting until there is some. 0, or an
 * errno value.
 */
int request_begin(struct xentmem *t, uint32_t nr_pages, struct call **call_out);
/* The same with a deadline that the caller has chosen. */
int request_begin_until(struct xentmem *t, uint64_t deadline, uint32_t nr_pages,
                        struct call **call_out);
/* Wait a little for room, and take answers that hold some. 0, ETIMEDOUT, or what the handle died
 * of. */
int request_wait_for_room(struct xentmem *t, uint64_t deadline);

#endif /* XENTMEM_LIB_REQUEST_H */
