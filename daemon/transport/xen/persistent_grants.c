/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/persistent_grants.h"

#include "daemon/util/bug.h"
#include "protocol/copy.h"
#include "protocol/tmemif.h"

_Static_assert((PERSISTENT_GRANT_SLOTS & (PERSISTENT_GRANT_SLOTS - 1)) == 0, "a mask finds a slot");

/* Where @ref is, or is to be. */
static struct granted_page *slot_of(struct persistent_grants *p, uint32_t ref)
{
    uint32_t slot = (ref * 0x9e3779b1u) >> 16;

    for (;; slot++) {
        struct granted_page *page = &p->pages[slot % PERSISTENT_GRANT_SLOTS];

        if (!page->at || page->ref == ref)
            return page;
    }
}

uint8_t *persistent_grants_find(struct persistent_grants *p, uint32_t ref)
{
    return slot_of(p, ref)->at;
}

/* Map what @copies want and is not mapped, as far as there is room. */
static void map_missing(struct persistent_grants *p, const struct platform_ops *ops,
                        struct platform_grants *grants, const struct grant_copy *copies,
                        unsigned nr)
{
    uint32_t refs[PERSISTENT_GRANTS];
    uint32_t nr_refs = 0;
    uint8_t *at;

    for (unsigned i = 0; i < nr && p->nr_pages + nr_refs < PERSISTENT_GRANTS; i++) {
        if (!slot_of(p, copies[i].ref)->at)
            refs[nr_refs++] = copies[i].ref;
    }
    if (nr_refs == 0)
        return;
    at = ops->grants_map(grants, refs, nr_refs);
    if (!at) {
        p->failed = true;
        return;
    }
    p->runs[p->nr_runs++] = (struct granted_run){at, nr_refs};
    p->nr_pages += nr_refs;

    /* one that a guest names twice is mapped twice, and the first is used */
    for (uint32_t i = 0; i < nr_refs; i++) {
        struct granted_page *page = slot_of(p, refs[i]);

        if (!page->at)
            *page = (struct granted_page){refs[i], at + (size_t)i * TMEMIF_PAGE_SIZE};
    }
}

static void copy_page(struct grant_copy *c, uint8_t *page)
{
    /* the hypervisor would refuse it */
    BUG_UNLESS(c->offset + c->length <= TMEMIF_PAGE_SIZE);
    if (c->to_guest)
        copy_bytes(page + c->offset, c->local, c->length);
    else
        copy_bytes(c->local, page + c->offset, c->length);
    c->status = 0;
}

bool persistent_grants_copy(struct persistent_grants *p, const struct platform_ops *ops,
                            struct platform_grants *grants, struct grant_copy *copies, unsigned nr)
{
    if (!p->failed && p->nr_runs < PERSISTENT_GRANT_RUNS)
        map_missing(p, ops, grants, copies, nr);
    for (unsigned i = 0; i < nr; i++) {
        uint8_t *page = persistent_grants_find(p, copies[i].ref);

        if (!page)
            return ops->grants_copy(grants, copies + i, nr - i);
        copy_page(&copies[i], page);
    }
    return true;
}

void persistent_grants_unmap(struct persistent_grants *p, const struct platform_ops *ops,
                             struct platform_grants *grants)
{
    for (uint32_t i = 0; i < p->nr_runs; i++)
        ops->grants_unmap(grants, p->runs[i].at, p->runs[i].nr);
    *p = (struct persistent_grants){0};
}
