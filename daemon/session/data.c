/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/session/data.h"

#include <string.h>

#include "daemon/util/race.h"
#include "protocol/copy.h"
#include "protocol/ring.h"

bool data_copy_in(struct link *link, const struct tmemif_data *from, void *local)
{
    if (from->kind == TMEMIF_DATA_GRANT)
        return link->ops->copy_from_grant(link, from, local);
    race_ignore();
    copy_bytes(local, link->data + from->offset, from->length);
    race_notice();
    race_wrote(local, from->length);
    return true;
}

bool data_take_page(struct link *link, const struct tmemif_data *from, void *frame, uint64_t seed,
                    struct page_facts *facts_out, bool *known_out)
{
    *known_out = from->kind != TMEMIF_DATA_GRANT;
    if (!*known_out)
        return link->ops->copy_from_grant(link, from, frame);
    race_ignore();
    page_copy(frame, link->data + from->offset, seed, facts_out);
    race_notice();
    race_wrote(frame, TMEMIF_PAGE_SIZE);
    return true;
}

bool data_copy_out(struct link *link, const struct tmemif_data *to, const void *local)
{
    if (to->kind == TMEMIF_DATA_GRANT)
        return link->ops->copy_to_grant(link, to, local);
    race_read(local, to->length);
    race_ignore();
    copy_bytes(link->data + to->offset, local, to->length);
    race_notice();
    return true;
}

bool data_fill(struct link *link, const struct tmemif_data *to, uint32_t word)
{
    uint32_t page[TMEMIF_PAGE_SIZE / sizeof(uint32_t)];

    for (unsigned i = 0; i < TMEMIF_PAGE_SIZE / sizeof(uint32_t); i++)
        page[i] = word;
    return data_copy_out(link, to, page);
}

struct tmemif_request data_take_request(const struct link *link, const struct tmemif_data *base,
                                        uint32_t n)
{
    struct tmemif_request untrusted;

    race_ignore();
    ring_copy_once(&untrusted, link->data + base->offset + (size_t)n * sizeof(untrusted),
                   sizeof(untrusted));
    race_notice();
    return untrusted;
}

void data_put_response(struct link *link, const struct tmemif_data *base, uint32_t n,
                       const struct tmemif_response *rsp)
{
    race_ignore();
    memcpy(link->data + base->offset + (size_t)n * sizeof(*rsp), rsp, sizeof(*rsp));
    race_notice();
}
