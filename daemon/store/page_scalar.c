/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What page_hash.h does with no vectors of the processor. */
#include "daemon/store/page_hash.h"
#include "protocol/tmemif.h"

/* The Makefile has it compiled so; xxhash.h chooses its instructions when it is compiled, too. */
#define XXH_INLINE_ALL
#define XXH_VECTOR 0 /* XXH_SCALAR */
#include <xxhash.h>

_Static_assert(XXH_VECTOR == XXH_SCALAR, "the number that xxhash.h gives it");

uint64_t page_hash_scalar(const void *page, uint64_t seed)
{
    return XXH3_64bits_withSeed(page, TMEMIF_PAGE_SIZE, seed);
}
