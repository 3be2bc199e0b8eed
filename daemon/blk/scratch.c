/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/scratch.h"

#include <stdlib.h>
#include <string.h>

struct scratch *scratch_new(void)
{
    const size_t bytes =
        (sizeof(struct scratch) + TMEMIF_PAGE_SIZE - 1) & ~((size_t)TMEMIF_PAGE_SIZE - 1);
    struct scratch *s = aligned_alloc(TMEMIF_PAGE_SIZE, bytes);

    if (s)
        memset(&s->batch, 0, sizeof(s->batch)); /* pages are touched when they are used */
    return s;
}
