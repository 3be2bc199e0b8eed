/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store/page_hash.h"

#include "protocol/tmemif.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t page_hash(const void *page, uint64_t seed)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        return page_hash_avx2(page, seed);
#endif
    return XXH3_64bits_withSeed(page, TMEMIF_PAGE_SIZE, seed);
}
