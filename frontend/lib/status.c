/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/include/xentmem.h"
#include "protocol/codec.h"
#include "protocol/tmemif.h"

/* The public numbers are the protocol's: every one of them has its name here. */
#define X(value, name, sentence)                                                                   \
    _Static_assert((int)XENTMEM_##name == (int)TMEMIF_##name, "statuses differ: " #name);
TMEMIF_STATUSES(X)
#undef X

_Static_assert(XENTMEM_PERSISTENT == TMEMIF_POOL_PERSISTENT, "pool flags differ");
_Static_assert(XENTMEM_SHARED == TMEMIF_POOL_SHARED, "pool flags differ");
_Static_assert(XENTMEM_INCLUSIVE == TMEMIF_POOL_INCLUSIVE, "pool flags differ");
_Static_assert(XENTMEM_LEASED == TMEMIF_POOL_LEASED, "pool flags differ");
_Static_assert(XENTMEM_PAGE_SIZE == TMEMIF_PAGE_SIZE, "page sizes differ");
_Static_assert(XENTMEM_MAX_POOLS == TMEMIF_MAX_POOLS, "pool limits differ");

const char *xentmem_strstatus(int status)
{
    return status < 0 ? "no answer from the manager" : tmem_status_sentence((unsigned)status);
}

const char *xentmem_version(void)
{
    return XENTMEM_VERSION;
}
