/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pools and control messages: requests that go on ring 0, one at a time. */
#include <errno.h>
#include <string.h>

#include "frontend/lib/request.h"

/*
 * Wait for room, without a request yet. NULL: *@error_out. @control: the
 * kind of handle that the call is for.
 */
static struct call *begin(struct xentmem *t, bool control, uint32_t nr_pages, int *error_out)
{
    struct call *call = NULL;

    *error_out = t->control == control ? request_begin(t, nr_pages, &call) : EINVAL;
    return call;
}

/* @call was carried out with @error: give its room back. The status, or -1 with errno. */
static int end(struct xentmem *t, struct call *call, int error)
{
    int status;

    if (error)
        return handle_return(error);
    status = call->response.status;
    room_give(&t->room, call);
    return status;
}

static int plain(struct xentmem *t, unsigned op, uint32_t pool)
{
    struct call *call;
    int error;

    call = begin(t, false, 0, &error);
    if (!call)
        return handle_return(error);
    call->request.op = (uint16_t)op;
    call->request.pool = pool;
    return end(t, call, ring_carry_out(t, &t->rings[0], call));
}

int xentmem_pool_leave(struct xentmem *t, uint32_t pool)
{
    return plain(t, TMEMIF_OP_POOL_LEAVE, pool);
}

int xentmem_pool_destroy(struct xentmem *t, uint32_t pool)
{
    return plain(t, TMEMIF_OP_POOL_DESTROY, pool);
}

int xentmem_reset(struct xentmem *t)
{
    return plain(t, TMEMIF_OP_RESET, 0);
}

static int make_pool(struct xentmem *t, unsigned op, const uint8_t *uuid, unsigned flags,
                     uint32_t *pool_out)
{
    struct call *call;
    int error;

    call = begin(t, false, 0, &error);
    if (!call)
        return handle_return(error);
    call->request.op = (uint16_t)op;
    call->request.u.pool.flags = flags;
    if (uuid)
        memcpy(call->request.u.pool.uuid, uuid, TMEMIF_UUID_LEN);
    error = ring_carry_out(t, &t->rings[0], call);
    if (!error && call->response.status == TMEMIF_OK)
        *pool_out = (uint32_t)call->response.value;
    return end(t, call, error);
}

int xentmem_pool_create(struct xentmem *t, unsigned flags, uint32_t *pool_out)
{
    return make_pool(t, TMEMIF_OP_POOL_CREATE, NULL, flags, pool_out);
}

int xentmem_pool_join(struct xentmem *t, const uint8_t uuid[XENTMEM_UUID_LEN], unsigned flags,
                      uint32_t *pool_out)
{
    return make_pool(t, TMEMIF_OP_POOL_JOIN, uuid, flags | TMEMIF_POOL_SHARED, pool_out);
}

static void info_from_wire(const struct tmemif_pool_info *from, struct xentmem_pool_info *to)
{
    *to = (struct xentmem_pool_info){
        .flags = from->flags,
        .read_only = from->read_only,
        .frozen = from->frozen,
        .epoch = from->epoch,
        .nr_pages = from->nr_pages,
        .quota_pages = from->quota_pages,
        .puts = from->puts,
        .puts_refused = from->puts_refused,
        .gets = from->gets,
        .hits = from->hits,
        .flushes = from->flushes,
        .evictions = from->evictions,
    };
    memcpy(to->uuid, from->uuid, sizeof(to->uuid));
}

int xentmem_pool_info(struct xentmem *t, uint32_t pool, struct xentmem_pool_info *info_out)
{
    struct call *call;
    int error;

    call = begin(t, false, 1, &error);
    if (!call)
        return handle_return(error);
    call->request.op = TMEMIF_OP_POOL_INFO;
    call->request.pool = pool;
    call->request.u.info.data = request_data((uint64_t)call->first_page * TMEMIF_PAGE_SIZE,
                                             sizeof(struct tmemif_pool_info));
    error = ring_carry_out(t, &t->rings[0], call);
    if (!error && call->response.status == TMEMIF_OK) {
        struct tmemif_pool_info info;

        memcpy(&info, room_page(&t->room, call->first_page), sizeof(info));
        info_from_wire(&info, info_out);
    }
    return end(t, call, error);
}

int xentmem_control(struct xentmem *t, const void *message, size_t message_len, void *reply,
                    size_t *reply_len)
{
    size_t cap = *reply_len < TMEMCTL_MAX_REPLY ? *reply_len : TMEMCTL_MAX_REPLY;
    struct call *call;
    uint64_t offset;
    int error;

    if (message_len == 0 || message_len > TMEMCTL_MAX_MESSAGE)
        return handle_return(EINVAL);
    call = begin(t, true, REQUEST_CONTROL_PAGES, &error);
    if (!call)
        return handle_return(error);
    offset = (uint64_t)call->first_page * TMEMIF_PAGE_SIZE;
    memcpy(room_page(&t->room, call->first_page), message, message_len);
    call->request.op = TMEMIF_OP_CONTROL;
    call->request.u.control.message = request_data(offset, (uint32_t)message_len);
    call->request.u.control.reply = request_data(offset + TMEMCTL_MAX_MESSAGE, (uint32_t)cap);

    error = ring_carry_out(t, &t->rings[0], call);
    if (!error) {
        *reply_len = call->response.count;
        memcpy(reply, room_page(&t->room, call->first_page) + TMEMCTL_MAX_MESSAGE,
               call->response.count);
    }
    return end(t, call, error);
}
