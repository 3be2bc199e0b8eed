/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/lib/answer.h"

static bool flags_fit(const struct tmemif_request *request, const struct tmemif_response *response)
{
    bool may_lease = request->op == TMEMIF_OP_PAGE_GET &&
                     (request->flags & TMEMIF_GET_WANT_LEASE) && response->status == TMEMIF_MISS;

    return response->flags == 0 || (response->flags == TMEMIF_RSP_LEASE && may_lease);
}

static bool count_fits(const struct tmemif_request *request, const struct tmemif_response *response)
{
    switch (request->op) {
    case TMEMIF_OP_BATCH:
        return response->status == TMEMIF_OK ? response->count == request->u.batch.count
                                             : response->count <= request->u.batch.count;
    case TMEMIF_OP_CONTROL:
        return response->count <= request->u.control.reply.length;
    default:
        return true;
    }
}

bool answer_element_is_valid(const struct tmemif_request *request,
                             const struct tmemif_response *response)
{
    /* a status that we do not know is a refusal, by PROTOCOL.md section 6 */
    if (!flags_fit(request, response))
        return false;
    return response->status != TMEMIF_MISS || request->op == TMEMIF_OP_PAGE_GET;
}

bool answer_is_valid(const struct tmemif_request *request, uint32_t number,
                     const struct tmemif_response *response)
{
    bool makes_pool = request->op == TMEMIF_OP_POOL_CREATE || request->op == TMEMIF_OP_POOL_JOIN;

    if (response->number != number || !answer_element_is_valid(request, response) ||
        !count_fits(request, response))
        return false;
    return !makes_pool || response->status != TMEMIF_OK || response->value < TMEMIF_MAX_POOLS;
}
