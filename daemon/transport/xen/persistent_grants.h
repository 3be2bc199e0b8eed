/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * persistent_grants.h - pages that a disk's frontend grants for good (feature-persistent of
 * xen/io/blkif.h) and that stay mapped here: copying them is no system call.
 *
 *    all pages of a call are mapped --------------------> copy_bytes()
 *    some are not, and there is room --- map, once ---'
 *    no room, or it failed once -------------------------> a grant copy of the rest of the call
 *
 * One for each queue, used by the worker that has the queue, so it has no lock. The frontend may
 * write to a mapped page at any time: nothing looks at one but these copies. A page that is read
 * from a disk may be written right to it.
 */
#ifndef XTM_TRANSPORT_XEN_PERSISTENT_GRANTS_H
#define XTM_TRANSPORT_XEN_PERSISTENT_GRANTS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/transport/xen/platform.h"

/*
 * Of one queue: a ring of one page has 32 small requests under way. What else a guest grants is
 * copied: nothing is unmapped to make room, which would let a frontend end a grant meanwhile.
 */
#define PERSISTENT_GRANTS 128u
/* Mappings of them: the kernel allows a process 65530 of all kinds. */
#define PERSISTENT_GRANT_RUNS 32u
/* Twice as many, so that half are always free. */
#define PERSISTENT_GRANT_SLOTS (2 * PERSISTENT_GRANTS)

struct granted_page {
    uint32_t ref;
    uint8_t *at; /* NULL: free */
};

/* What was mapped at one go, and is unmapped so. */
struct granted_run {
    uint8_t *at;
    uint32_t nr;
};

/* All zero: nothing is mapped. */
struct persistent_grants {
    bool failed; /* to map some: it is not tried again */
    uint32_t nr_pages, nr_runs;
    struct granted_run runs[PERSISTENT_GRANT_RUNS];
    /* by a hash of the reference, or the next one that is free */
    struct granted_page pages[PERSISTENT_GRANT_SLOTS];
};

/* As grants_copy() of the platform, which does what cannot be done here. */
bool persistent_grants_copy(struct persistent_grants *p, const struct platform_ops *ops,
                            struct platform_grants *grants, struct grant_copy *copies, unsigned nr);
/* The page of @ref, or NULL: it is not mapped (yet). Valid until all are unmapped. */
uint8_t *persistent_grants_find(struct persistent_grants *p, uint32_t ref);
/* Unmap all. No worker uses it any more. */
void persistent_grants_unmap(struct persistent_grants *p, const struct platform_ops *ops,
                             struct platform_grants *grants);

#endif /* XTM_TRANSPORT_XEN_PERSISTENT_GRANTS_H */
