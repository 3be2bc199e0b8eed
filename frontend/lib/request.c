/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/lib/request.h"

#include <errno.h>
#include <string.h>

#include "frontend/lib/clock.h"
#include "frontend/lib/reconnect.h"

bool op_is_valid(const struct xentmem_op *op)
{
    uint32_t allowed = XENTMEM_HAS_LEASE;

    switch (op->kind) {
    case XENTMEM_PUT:
        allowed |= XENTMEM_WITH_LEASE;
        break;
    case XENTMEM_GET:
        allowed |= XENTMEM_WANT_LEASE;
        break;
    case XENTMEM_FLUSH_RANGE:
        if (op->last < op->index)
            return false;
        break;
    case XENTMEM_FLUSH_PAGE:
    case XENTMEM_FLUSH_OBJECT:
        break;
    default:
        return false;
    }
    return !(op->flags & ~allowed) && (op->page || !op_moves_page(op));
}

struct tmemif_data request_data(uint64_t offset, uint32_t nr_bytes)
{
    return (struct tmemif_data){
        .kind = TMEMIF_DATA_AREA, .offset = (uint32_t)offset, .length = nr_bytes};
}

static void fill_page(const struct xentmem_op *op, uint32_t page, struct tmemif_page *to)
{
    memcpy(to->object, op->object.id, sizeof(to->object));
    to->index = op->index;
    if (op_moves_page(op))
        to->data = request_data((uint64_t)page * TMEMIF_PAGE_SIZE, TMEMIF_PAGE_SIZE);
}

static void fill_range(const struct xentmem_op *op, uint32_t first, uint32_t last,
                       struct tmemif_range *to)
{
    memcpy(to->object, op->object.id, sizeof(to->object));
    to->first = first;
    to->last = last;
}

void request_from_op(const struct xentmem_op *op, uint32_t page, struct tmemif_request *request_out)
{
    struct tmemif_request request = {.pool = op->pool};

    switch (op->kind) {
    case XENTMEM_PUT:
        request.op = TMEMIF_OP_PAGE_PUT;
        if (op->flags & XENTMEM_WITH_LEASE) {
            request.flags = TMEMIF_PUT_LEASED;
            memcpy(&request.u.page.lease, op->lease.opaque, sizeof(request.u.page.lease));
        }
        fill_page(op, page, &request.u.page);
        break;
    case XENTMEM_GET:
        request.op = TMEMIF_OP_PAGE_GET;
        if (op->flags & XENTMEM_WANT_LEASE)
            request.flags = TMEMIF_GET_WANT_LEASE;
        fill_page(op, page, &request.u.page);
        break;
    case XENTMEM_FLUSH_PAGE:
        request.op = TMEMIF_OP_PAGE_FLUSH;
        fill_page(op, page, &request.u.page);
        break;
    case XENTMEM_FLUSH_OBJECT:
        request.op = TMEMIF_OP_OBJECT_FLUSH;
        fill_range(op, 0, UINT32_MAX, &request.u.range);
        break;
    case XENTMEM_FLUSH_RANGE:
        request.op = TMEMIF_OP_RANGE_FLUSH;
        fill_range(op, op->index, op->last, &request.u.range);
        break;
    default:
        break; /* op_is_valid() knows no others */
    }
    *request_out = request;
}

void op_set_answer(struct xentmem_op *op, const struct tmemif_response *response)
{
    op->status = response->status;
    op->error = 0;
    op->flags &= ~XENTMEM_HAS_LEASE;
    if (response->flags & TMEMIF_RSP_LEASE) {
        op->flags |= XENTMEM_HAS_LEASE;
        memcpy(op->lease.opaque, &response->lease, sizeof(op->lease.opaque));
    }
}

void op_set_error(struct xentmem_op *op, int error)
{
    op->status = -1;
    op->error = error;
    op->flags &= ~XENTMEM_HAS_LEASE;
}

struct ring *request_ring(const struct xentmem *t, uint32_t pool,
                          const struct xentmem_object *object)
{
    /* Fibonacci hashing; spreading is all it is for */
    uint64_t mix = object->id[0] + pool;

    mix = (mix ^ mix >> 32) * 0x9e3779b97f4a7c15ull + object->id[1];
    mix = (mix ^ mix >> 32) * 0x9e3779b97f4a7c15ull + object->id[2];
    mix = (mix ^ mix >> 32) * 0x9e3779b97f4a7c15ull;
    return &t->rings[(mix >> 32) % t->attach->nr_rings];
}

int request_wait_for_room(struct xentmem *t, uint64_t deadline)
{
    int error = atomic_load(&t->dead);

    if (error || deadline_passed(deadline))
        return error ? error : ETIMEDOUT;
    /* calls that were given up hold room until their answers are taken */
    for (unsigned i = 0; i < t->attach->nr_rings; i++)
        ring_collect(t, &t->rings[i]);
    /* it may be that nobody sleeps for the manager who would see that it is gone, or back */
    if (!room_wait(&t->room, ROOM_LOOK_MS))
        reconnect_look(t);
    return 0;
}

int request_begin_until(struct xentmem *t, uint64_t deadline, uint32_t nr_pages,
                        struct call **call_out)
{
    int error = handle_check(t);

    while (!error) {
        struct call *call = room_take(&t->room, nr_pages, false);

        if (call) {
            call->deadline = deadline;
            *call_out = call;
            return 0;
        }
        error = request_wait_for_room(t, deadline);
    }
    return error;
}

int request_begin(struct xentmem *t, uint32_t nr_pages, struct call **call_out)
{
    return request_begin_until(t, deadline_in_ms(t->timeout_ms), nr_pages, call_out);
}
