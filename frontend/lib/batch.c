/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xentmem_vector(): as many operations to a BATCH as there is room for.
 *
 *   call's pages   requests[n] | responses[n]
 *   batch's pages  one for each operation that moves a page
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/lib/answer.h"
#include "frontend/lib/clock.h"
#include "frontend/lib/request.h"
#include "protocol/copy.h"

/* One BATCH under way. The ops are the caller's. */
struct chunk {
    struct xentmem_op *ops;
    uint32_t nr;
    struct call *call;
    uint8_t *requests, *responses; /* in the data area */
};

static uint32_t pages_for(uint32_t nr_ops)
{
    size_t bytes = nr_ops * (sizeof(struct tmemif_request) + sizeof(struct tmemif_response));

    return (uint32_t)((bytes + TMEMIF_PAGE_SIZE - 1) / TMEMIF_PAGE_SIZE);
}

static uint32_t count_moving(const struct xentmem_op *ops, uint32_t nr)
{
    uint32_t moving = 0;

    for (uint32_t i = 0; i < nr; i++)
        moving += op_moves_page(&ops[i]);
    return moving;
}

/*
 * How many of @nr operations to send at once: requests and pages must
 * fit into half of the data area, so that another thread finds room too.
 */
static uint32_t choose_count(const struct xentmem *t, const struct xentmem_op *ops, uint32_t nr)
{
    uint32_t budget = t->room.nr_pages / 2;

    if (nr > TMEMIF_MAX_BATCH)
        nr = TMEMIF_MAX_BATCH;
    while (nr > 1 && pages_for(nr) + count_moving(ops, nr) > budget)
        nr--;
    return nr;
}

/*
 * Its call. Where asynchronous operations hold all but a few pages nobody may give back as many as
 * all of the chunk wants side by side: then it is cut.
 */
static int take_call(struct xentmem *t, struct chunk *c, uint64_t deadline)
{
    int error = handle_check(t);

    while (!error && pages_for(c->nr) > 1) {
        c->call = room_take(&t->room, pages_for(c->nr), false);
        if (c->call) {
            c->call->deadline = deadline;
            return 0;
        }
        c->nr /= 2;
    }
    return error ? error : request_begin_until(t, deadline, 1, &c->call);
}

/*
 * Room for the chunk: its call, and pages, of which there may be fewer than
 * hoped for; then the chunk is cut behind the last operation that has its own.
 */
static int take_room(struct xentmem *t, struct chunk *c)
{
    uint64_t deadline = deadline_in_ms(t->timeout_ms);
    uint32_t moving = count_moving(c->ops, c->nr);
    struct batch *batch = malloc(sizeof(*batch) + moving * sizeof(batch->pages[0]));
    int error;

    if (!batch)
        return ENOMEM;
    for (;;) {
        error = take_call(t, c, deadline);
        if (error)
            goto fail;
        moving = count_moving(c->ops, c->nr);
        batch->nr_pages = room_take_pages(&t->room, moving, batch->pages);
        c->call->batch = batch;
        if (batch->nr_pages == moving)
            return 0;
        if (batch->nr_pages > 0)
            break;
        /* others have all pages: without giving the first ones back we might wait for each other */
        c->call->batch = NULL;
        room_give(&t->room, c->call);
        error = request_wait_for_room(t, deadline);
        if (error)
            goto fail;
    }
    while (count_moving(c->ops, c->nr) > batch->nr_pages)
        c->nr--;
    return 0;
fail:
    free(batch);
    return error;
}

static void fill(struct xentmem *t, struct chunk *c)
{
    uint64_t offset = (uint64_t)c->call->first_page * TMEMIF_PAGE_SIZE;
    uint32_t request_bytes = c->nr * (uint32_t)sizeof(struct tmemif_request);
    uint32_t response_bytes = c->nr * (uint32_t)sizeof(struct tmemif_response);
    const uint32_t *page = c->call->batch->pages;

    c->requests = room_page(&t->room, c->call->first_page);
    c->responses = c->requests + request_bytes;
    for (uint32_t i = 0; i < c->nr; i++) {
        const struct xentmem_op *op = &c->ops[i];
        struct tmemif_request request;

        request_from_op(op, op_moves_page(op) ? *page : 0, &request);
        memcpy(c->requests + i * sizeof(request), &request, sizeof(request));
        if (op->kind == XENTMEM_PUT)
            copy_bytes(room_page(&t->room, *page), op->page, XENTMEM_PAGE_SIZE);
        if (op_moves_page(op))
            page++;
    }
    c->call->request.op = TMEMIF_OP_BATCH;
    c->call->request.u.batch.count = c->nr;
    c->call->request.u.batch.requests = request_data(offset, request_bytes);
    c->call->request.u.batch.responses = request_data(offset + request_bytes, response_bytes);
}

/* Outcomes of the ones that were done. False: no response that the protocol allows. */
static bool take_answers(struct xentmem *t, struct chunk *c)
{
    const uint32_t *page = c->call->batch->pages;
    uint32_t done = c->call->response.count;

    for (uint32_t i = 0; i < c->nr; i++) {
        struct xentmem_op *op = &c->ops[i];
        uint32_t own_page = op_moves_page(op) ? *page++ : 0;
        struct tmemif_response response;
        struct tmemif_request request;

        if (i >= done) {
            /* the manager stopped: what it said of the whole is said of the rest */
            response = (struct tmemif_response){.status = c->call->response.status};
        } else {
            memcpy(&response, c->responses + i * sizeof(response), sizeof(response));
            request_from_op(op, own_page, &request);
            if (!answer_element_is_valid(&request, &response))
                return false;
        }
        op_set_answer(op, &response);
        if (op->kind == XENTMEM_GET && op->status == XENTMEM_OK)
            copy_bytes(op->page, room_page(&t->room, own_page), XENTMEM_PAGE_SIZE);
    }
    return true;
}

static int carry_out(struct xentmem *t, struct ring *r, struct chunk *c)
{
    int error = take_room(t, c);

    if (error)
        return error;
    fill(t, c);
    error = ring_carry_out(t, r, c->call);
    if (error)
        return error;
    if (!take_answers(t, c)) {
        handle_die(t, EPROTO, "the manager sent a response that fits no request of a batch");
        error = EPROTO;
    }
    room_give(&t->room, c->call);
    return error;
}

int xentmem_vector(struct xentmem *t, struct xentmem_op *ops, unsigned nr_ops)
{
    unsigned done = 0;
    struct ring *r;
    int error = handle_check(t);

    if (error == EINVAL)
        return handle_return(error);
    for (unsigned i = 0; i < nr_ops; i++) {
        if (t->control || !op_is_valid(&ops[i]))
            return handle_return(EINVAL);
    }
    if (nr_ops == 0)
        return handle_return(error);

    r = request_ring(t, ops[0].pool, &ops[0].object);
    while (!error && done < nr_ops) {
        struct chunk chunk = {.ops = ops + done, .nr = choose_count(t, ops + done, nr_ops - done)};

        error = carry_out(t, r, &chunk);
        if (!error)
            done += chunk.nr;
    }
    for (unsigned i = done; i < nr_ops; i++)
        op_set_error(&ops[i], error);
    return handle_return(error);
}
