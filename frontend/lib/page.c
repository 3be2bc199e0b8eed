/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One page operation at a time, and flushes. */
#include <errno.h>

#include "frontend/lib/request.h"
#include "protocol/copy.h"

/* Carry out @op and wait. 0: it has its answer. Else an errno value. */
static int carry_out(struct xentmem *t, struct xentmem_op *op)
{
    struct call *call;
    int error;

    if (t->control || !op_is_valid(op))
        return EINVAL;
    error = request_begin(t, op_moves_page(op) ? 1 : 0, &call);
    if (error)
        return error;
    request_from_op(op, call->first_page, &call->request);
    if (op->kind == XENTMEM_PUT)
        copy_bytes(room_page(&t->room, call->first_page), op->page, XENTMEM_PAGE_SIZE);

    error = ring_carry_out(t, request_ring(t, op->pool, &op->object), call);
    if (error)
        return error;
    op_set_answer(op, &call->response);
    if (op->kind == XENTMEM_GET && op->status == XENTMEM_OK)
        copy_bytes(op->page, room_page(&t->room, call->first_page), XENTMEM_PAGE_SIZE);
    room_give(&t->room, call);
    return 0;
}

static int outcome(struct xentmem *t, struct xentmem_op *op)
{
    int error = carry_out(t, op);

    return error ? handle_return(error) : op->status;
}

int xentmem_put(struct xentmem *t, uint32_t pool, const struct xentmem_object *object,
                uint32_t index, const void *page)
{
    struct xentmem_op op = {.kind = XENTMEM_PUT,
                            .pool = pool,
                            .index = index,
                            .object = *object,
                            /* only read: op.page serves gets too */
                            .page = (void *)(uintptr_t)page};

    return outcome(t, &op);
}

int xentmem_put_leased(struct xentmem *t, uint32_t pool, const struct xentmem_object *object,
                       uint32_t index, const void *page, const struct xentmem_lease *lease)
{
    struct xentmem_op op = {.kind = XENTMEM_PUT,
                            .flags = XENTMEM_WITH_LEASE,
                            .pool = pool,
                            .index = index,
                            .lease = *lease,
                            .object = *object,
                            .page = (void *)(uintptr_t)page};

    return outcome(t, &op);
}

int xentmem_get(struct xentmem *t, uint32_t pool, const struct xentmem_object *object,
                uint32_t index, void *page_out)
{
    struct xentmem_op op = {
        .kind = XENTMEM_GET, .pool = pool, .index = index, .object = *object, .page = page_out};

    return outcome(t, &op);
}

int xentmem_get_lease(struct xentmem *t, uint32_t pool, const struct xentmem_object *object,
                      uint32_t index, void *page_out, struct xentmem_lease *lease_out,
                      int *leased_out)
{
    struct xentmem_op op = {.kind = XENTMEM_GET,
                            .flags = XENTMEM_WANT_LEASE,
                            .pool = pool,
                            .index = index,
                            .object = *object,
                            .page = page_out};
    int r = outcome(t, &op);

    *leased_out = r >= 0 && (op.flags & XENTMEM_HAS_LEASE);
    if (*leased_out)
        *lease_out = op.lease;
    return r;
}

int xentmem_flush_page(struct xentmem *t, uint32_t pool, const struct xentmem_object *object,
                       uint32_t index)
{
    struct xentmem_op op = {
        .kind = XENTMEM_FLUSH_PAGE, .pool = pool, .index = index, .object = *object};

    return outcome(t, &op);
}

int xentmem_flush_object(struct xentmem *t, uint32_t pool, const struct xentmem_object *object)
{
    struct xentmem_op op = {.kind = XENTMEM_FLUSH_OBJECT, .pool = pool, .object = *object};

    return outcome(t, &op);
}

int xentmem_flush_range(struct xentmem *t, uint32_t pool, const struct xentmem_object *object,
                        uint32_t first, uint32_t last)
{
    struct xentmem_op op = {
        .kind = XENTMEM_FLUSH_RANGE, .pool = pool, .index = first, .last = last, .object = *object};

    return outcome(t, &op);
}
